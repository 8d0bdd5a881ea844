"""Small networks as somebody else might have built them, and what a wrapper must leave of them."""

from dataclasses import dataclass

import torch
from torch import nn

from deeplab_teach.check.attempt import Wrong


@dataclass(frozen=True)
class Plan:
    """What a body is built from.

    name: what the wrapped network is to be called.
    layers: key -> (channels, stride, padding) of a 3x3 convolution, each on top of the one before.
    order: of the keys in the dict that the body gives.
    size: of an image for it, rows and columns.
    training: whether it is in training mode; `frozen` names the layers whose batch norm is not.
    """

    name: str
    layers: dict[str, tuple[int, int, int]]
    order: tuple[str, ...]
    size: tuple[int, int]
    training: bool = True
    frozen: tuple[str, ...] = ()


# Names, widths, strides and orders are chosen so that each known mistake differs from the truth in one of them.
PLANS = (
    Plan(
        "plain",
        {"layer1": (6, 4, 1), "layer2": (10, 2, 1), "layer3": (14, 2, 1)},  # strides 4, 8, 16
        ("layer1", "layer2", "layer3"),
        (97, 65),
    ),
    Plan(
        "mixed",
        {"stem": (7, 1, 1), "low": (11, 3, 1), "mid": (5, 2, 1), "deep": (9, 2, 1)},  # strides 1, 3, 6, 12
        ("low", "deep", "mid", "stem"),
        (50, 75),
        training=False,
    ),
    Plan(
        "unpadded",
        {"layer1": (8, 2, 0), "layer2": (5, 2, 0), "layer3": (12, 2, 0)},  # strides 2, 4, 8
        ("layer3", "layer2", "layer1"),
        (95, 65),
        frozen=("layer2",),
    ),
)


class Body(nn.Module):
    """Convolutions in a row, each with a batch norm; `runs` notes each run: its input, gradient mode and maps."""

    def __init__(self, plan: Plan):
        super().__init__()
        self.order, self.runs, self.layers, width = plan.order, [], nn.ModuleDict(), 3
        for key, (channels, stride, padding) in plan.layers.items():
            conv = nn.Conv2d(width, channels, 3, stride, padding, bias=False)
            self.layers[key] = nn.Sequential(conv, nn.BatchNorm2d(channels))
            width = channels
        self.train(plan.training)
        for key in plan.frozen:
            self.layers[key][1].eval()

    def forward(self, x):
        run = {"input": getattr(x, "shape", None), "gradients": torch.is_grad_enabled(), "maps": {}}
        self.runs.append(run)
        maps = {}
        for key, layer in self.layers.items():
            x = maps[key] = layer(x)
            run["maps"][key] = tuple(x.shape)
        return {key: maps[key] for key in self.order}


def require_as_it_was(body: nn.Module, state: dict, training: list[bool]) -> None:
    """Raise unless the learner's code left the body's `state` and the flags of its modules alone."""
    now = body.state_dict()
    moved = [key for key in state if key not in now or not torch.equal(state[key], now[key])]
    if moved and all("running" in key or "num_batches" in key for key in moved):
        raise Wrong(
            "You measure in training mode: the blank image moved the running averages of the body's batch norms, which "
            "its weights rely on. Measure in eval mode."
        )
    if moved or len(now) != len(state):
        raise Wrong("Your `__init__` changes the body's layers or weights; measuring must leave it as it was.")
    if not all(parameter.requires_grad for parameter in body.parameters()):
        raise Wrong(
            "Your `__init__` freezes the body: `requires_grad` is False now, so that it cannot be trained any further. "
            "Only the measuring needs no gradients."
        )
    after = [module.training for module in body.modules()]
    if after == training:
        return
    if not any(after):
        raise Wrong("Measuring leaves the body in eval mode, although it was in training mode: set that back.")
    if not any(training):
        raise Wrong("Measuring puts the body into training mode, although it was in eval mode before.")
    raise Wrong(
        "One batch norm of the body was in eval mode (somebody froze it), the rest in training mode; measuring lost "
        "that. Each module has a flag of its own, `module.training`: note them all, and restore them all."
    )


def require_registered(backbone: nn.Module, body: nn.Module) -> None:
    """Raise unless the weights that a backbone holds are the body's, all of them and no others."""
    held, own = ([*module.parameters(), *module.buffers()] for module in (backbone, body))
    ids = {id(value) for value in held}
    missing = [key for key, value in body.state_dict(keep_vars=True).items() if id(value) not in ids]
    if not held:
        raise Wrong(
            "Your backbone holds no weights: an optimiser, `.to(device)` and `state_dict()` would miss the body. Make "
            "it an attribute; in a list, a dict or a closure a module is not registered."
        )
    if missing and len(held) == len(own):
        raise Wrong(
            "Your backbone holds a copy of the body, not the body: training the one does not reach the other. Measure "
            "on a copy if you like, but keep the body itself."
        )
    if missing:
        raise Wrong(f"`{missing[0]}` of the body is not registered in your backbone: make the whole body an attribute.")
    if len(held) > len(own):
        raise Wrong("Your backbone holds weights beside the body's; it is to pass the body's maps on as they are.")


def explain_error(error: Exception, body: Body) -> str | None:
    """The mistake behind an error in the learner's code, if it is one of those that people make with a body."""
    text = str(error)
    if "Module.__init__() call" in text:
        return (
            "Your `__init__` must call `super().__init__()` before it keeps the body: only then can it hold a module."
        )
    if isinstance(error, KeyError) and error.args and error.args[0] in body.order:
        return (
            f"You look up `{error.args[0]}` in a table of your own, and it is not there: every network has names of "
            "its own. Channels and strides can be read off the maps."
        )
    if isinstance(error, KeyError) and error.args:
        return (
            f"You look up {error.args[0]!r}; this body gives {', '.join(body.order)}. Every network has names of its "
            "own, so go through whatever keys there are."
        )
    if "'str' object has no attribute 's" in text:  # shape, size
        return "You go through the body's dict and get its keys, which are strings; `.items()` gives keys and maps."
    if not body.runs:
        return None
    shape = body.runs[-1]["input"]
    if shape is None:
        return (
            "The body was given no image. `check_image` returns nothing: call it on a line of its own, without `x =`."
        )
    if len(shape) != 4 or shape[1] != 3:
        return f"The body was run on an image of shape {tuple(shape)}; it takes (N, 3, H, W), even for one image."
    return None
