"""What a network costs: parameters and multiply-adds, by arithmetic.

One multiply-add is one multiplication and the addition that follows it. A counter of "FLOPs" that counts the two apart
gives twice these figures.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.func import functional_call


@dataclass(frozen=True)
class Cost:
    """Parameters and multiply-adds of a model, whole and by module name.

    `modules` maps the dotted name of each convolution and linear layer to its `(parameters, multiply_adds)`.
    """

    params: int
    multiply_adds: int
    modules: dict[str, tuple[int, int]]

    def part(self, prefix: str) -> tuple[int, int]:
        """`(parameters, multiply_adds)` of the convolutions and linear layers below `prefix`, such as `"backbone"`."""
        rows = [row for name, row in self.modules.items() if name == prefix or name.startswith(f"{prefix}.")]
        return sum(row[0] for row in rows), sum(row[1] for row in rows)


def count_params(module: nn.Module) -> int:
    """Number of learnt values of a module (batch norm's running statistics are not learnt)."""
    return sum(p.numel() for p in module.parameters())


def multiply_adds(module: nn.Module, output_shape) -> int:
    """Multiply-adds of one convolution or linear layer, given the shape of its output.

    A convolution does, for each value of its output, one multiply-add per weight that touches it: kernel height times
    kernel width times input channels per group. A linear layer does `in_features` of them for each output value.
    """
    values = torch.Size(output_shape).numel()
    if isinstance(module, nn.Conv2d):
        kernel_h, kernel_w = module.kernel_size
        return values * kernel_h * kernel_w * (module.in_channels // module.groups)
    return values * module.in_features


def run_on_meta(model: nn.Module, image_size, hook) -> None:
    """Run a model on one image of `image_size = (H, W)` without computing a value, and tell `hook` of each module.

    On PyTorch's meta device tensors have shapes but no values: this takes no time or memory, whatever the size of the
    image, and the model itself is left as it is.

    `hook(name, module, output)` is called after each module, in the order in which they run.
    """
    handles = []
    for name, module in model.named_modules():
        handles.append(module.register_forward_hook(lambda m, inputs, output, name=name: hook(name, m, output)))
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    on_meta = {key: torch.empty_like(value, device="meta") for key, value in state.items()}
    dtype = next((p.dtype for p in model.parameters()), None)  # a model in half precision takes such images
    image = torch.empty(1, 3, *image_size, device="meta", dtype=dtype)
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.no_grad():
            functional_call(model, on_meta, image)
    finally:
        for handle in handles:
            handle.remove()
        for module in training:
            module.training = True


def count(model: nn.Module, image_size=(513, 513)) -> Cost:
    """Cost of a model on one image of `image_size = (H, W)`.

    Batch norm, activations, pooling and resizing are not counted, as in the papers' tables.
    """
    modules = {}

    def record(name, module, output):
        if isinstance(module, nn.Conv2d | nn.Linear):
            before = modules.get(name, (0, 0))[1]  # a module that runs twice costs twice
            modules[name] = (count_params(module), before + multiply_adds(module, output.shape))

    run_on_meta(model, image_size, record)
    return Cost(count_params(model), sum(row[1] for row in modules.values()), modules)


@dataclass(frozen=True)
class Block:
    """One box in the drawing of a network: a feature map of the backbone, or what one part of the head gives."""

    name: str
    role: str  # "backbone", "neck" or "head"
    shape: tuple[int, ...]  # without the batch: (channels, height, width), or (channels,)


def blocks(model: nn.Module, image_size=(160, 160)) -> list[Block]:
    """The boxes of a model made of `backbone` and `head`, in the order in which they are computed."""
    rows = []

    def record(name, module, output):
        if name == "backbone":
            rows.extend(Block(key, "backbone", tuple(value.shape[1:])) for key, value in output.items())
        elif name.startswith("head.") and name.count(".") == 1 and not isinstance(module, nn.Identity | nn.Dropout):
            rows.append(Block(name.removeprefix("head."), "head", tuple(output.shape[1:])))

    run_on_meta(model, image_size, record)
    return rows
