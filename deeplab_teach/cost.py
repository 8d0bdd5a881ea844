"""What a network costs: parameters and multiply-adds, by arithmetic.

One multiply-add is one multiplication and the addition that follows it. A counter of "FLOPs" that counts the two apart
gives twice these figures.
"""

import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from deeplab_teach.backbones.transformer import Attention
from deeplab_teach.features import image_channels
from deeplab_teach.necks import Pyramid
from deeplab_teach.predict import evaluating

ROLES = ("backbone", "neck", "head")


@dataclass(frozen=True)
class Cost:
    """Parameters and multiply-adds of a model, whole, by module name and by role.

    `modules` maps the dotted name of each convolution, linear and attention layer to its `(parameters, multiply_adds)`;
    `roles` maps `"backbone"`, `"neck"` and `"head"`, those that the model has, to theirs. `params` counts every learnt
    value, batch norm's included, `modules` and `roles` those of the layers that multiply.
    """

    params: int
    multiply_adds: int
    modules: dict[str, tuple[int, int]]
    roles: dict[str, tuple[int, int]]

    def part(self, prefix: str) -> tuple[int, int]:
        """`(parameters, multiply_adds)` of the layers below `prefix`, such as `"backbone"` or `"head.aspp"`."""
        rows = [row for name, row in self.modules.items() if name == prefix or name.startswith(f"{prefix}.")]
        return sum(row[0] for row in rows), sum(row[1] for row in rows)


def count_params(module: nn.Module) -> int:
    """Number of learnt values of a module (batch norm's running statistics are not learnt)."""
    return sum(p.numel() for p in module.parameters())


def multiply_adds(module: nn.Module, output_shape: Sequence[int], input_shape: Sequence[int] = ()) -> int:
    """Multiply-adds of one layer on its own, given the shape of its output; 0 for a layer that is not counted.

    A convolution does, for each value of its output, one multiply-add per weight that touches it: kernel height times
    kernel width times input channels per group. A transposed convolution does so for each value of its *input*, and
    needs that shape. A linear layer does `in_features` of them for each output value. Attention multiplies each token
    with each, twice.
    """
    values = torch.Size(output_shape).numel()
    if isinstance(module, nn.Conv2d):
        kernel_h, kernel_w = module.kernel_size
        return values * kernel_h * kernel_w * (module.in_channels // module.groups)
    if isinstance(module, nn.ConvTranspose2d):
        kernel_h, kernel_w = module.kernel_size
        return torch.Size(input_shape).numel() * kernel_h * kernel_w * (module.out_channels // module.groups)
    if isinstance(module, nn.Linear):
        return values * module.in_features
    if isinstance(module, Attention):
        return module.attention_multiply_adds(output_shape)
    return 0


def run_on_meta(model: nn.Module, image_size: tuple[int, int], hook: Callable, inputs: Tensor | None = None) -> None:
    """Run a model on one image of `image_size = (H, W)` without computing a value, and tell `hook` of each module.

    With `inputs`, a tensor, the model is run on one like it instead, for example on a text's ids.

    On PyTorch's meta device tensors have shapes but no values: this takes no time or memory, whatever the size of the
    image, and the model itself is left as it is.

    `hook(name, module, inputs, output)` is called after each module, in the order in which they run.
    """
    handles = []
    for name, module in model.named_modules():
        handles.append(module.register_forward_hook(lambda m, inputs, output, name=name: hook(name, m, inputs, output)))
    on_meta, copies = {}, {}
    for part, module in model.named_modules():  # one that stands at two places of the model comes once
        for own in (module.named_parameters, module.named_buffers):
            for key, value in own(part, recurse=False):
                on_meta[key] = copies.setdefault(id(value), torch.empty_like(value, device="meta"))
    dtype = next((p.dtype for p in model.parameters()), None)  # a model in half precision takes such images
    if inputs is None:
        inputs = torch.empty(1, image_channels(model), *image_size, device="meta", dtype=dtype)
    image = inputs.to("meta")
    try:
        with evaluating(model), torch.no_grad():
            functional_call(model, on_meta, image, tie_weights=False)  # done above: PyTorch's way loses shared modules
    finally:
        for handle in handles:
            handle.remove()


def count(
    model: nn.Module,
    image_size: tuple[int, int] = (513, 513),
    *,
    inputs: Tensor | None = None,
    layer_cost: Callable = multiply_adds,
) -> Cost:
    """Cost of a model on one image of `image_size = (H, W)`, or on `inputs`.

    Norms, activations, pooling and resizing are not counted, as in the papers' tables.

    What is computed outside of convolutions, linear layers and attention is compared with PyTorch's own counter; where
    something is missing, a warning says how much.

    Args:
        inputs: a tensor to run on instead of an image, for example a text's ids `(1, T)`.
        layer_cost: how one layer is counted; `deeplab_teach.papers` counts as TensorFlow does.
    """
    modules = {}

    def record(name, module, inputs, output):
        if not (isinstance(output, torch.Tensor) and inputs and isinstance(inputs[0], torch.Tensor)):
            return  # heads take and give whole dictionaries; the layers inside them do not
        if cost := layer_cost(module, output.shape, inputs[0].shape):
            before = modules.get(name, (0, 0))[1]  # a module that runs twice costs twice
            own = sum(p.numel() for p in module.parameters(recurse=False))
            modules[name] = (own, before + cost)

    counter = FlopCounterMode(display=False)
    with counter if layer_cost is multiply_adds else nullcontext():  # who counts in another way differs on purpose
        run_on_meta(model, image_size, record, inputs)
    _warn_of_uncounted(model, modules)
    total, seen = sum(row[1] for row in modules.values()), counter.get_total_flops() / 2
    if seen > 1.001 * total:
        warnings.warn(
            f"{1 - total / seen:.0%} of the multiply-adds are not counted: PyTorch's own counter sees work outside of "
            "the layers known here, such as `F.conv2d` with a parameter, or attention that is written by hand.",
            stacklevel=2,
        )
    roles = {}
    for name, row in modules.items():
        params, work = roles.get(role := role_of(model, name), (0, 0))
        roles[role] = (params + row[0], work + row[1])
    roles = {role: roles[role] for role in ROLES if role in roles}
    return Cost(count_params(model), total, modules, roles)


def _warn_of_uncounted(model, modules):
    """Say which layers do work that is not in the count: of a kind not known here, or used without being called."""
    heavy = (nn.modules.conv._ConvNd, nn.Linear, nn.MultiheadAttention)
    names = [name for name, m in model.named_modules() if isinstance(m, heavy) and name not in modules]
    kinds = {type(model.get_submodule(name)).__name__ for name in names}
    if names:
        warnings.warn(
            f"not counted: {len(names)} layers ({', '.join(sorted(kinds))}), such as {names[0]}.", stacklevel=3
        )


def role_of(model: nn.Module, name: str) -> str:
    """Which part of a model a module belongs to, by its dotted name: `"backbone"`, `"neck"` (a pyramid) or `"head"`.

    A model that is no backbone with a head counts as a backbone, a pyramid on its own as a neck on one. Of a
    `ManyHeads`, the parts that one of its models has for itself count as they do there.
    """
    if hasattr(model, "models") and name.startswith("models."):
        own, _, name = name.removeprefix("models.").partition(".")
        return role_of(model.get_submodule(f"models.{own}"), name)
    if hasattr(model, "backbone") and hasattr(model, "head"):
        if name.split(".")[0] != "backbone":
            return "head"
        model, name = model.backbone, name.removeprefix("backbone").removeprefix(".")
    return "neck" if isinstance(model, Pyramid) and name.split(".")[0] != "backbone" else "backbone"


@dataclass(frozen=True)
class Block:
    """One box in the drawing of a network: a feature map of the backbone, or what one part of the head gives."""

    name: str
    role: str  # "backbone", "neck" or "head"
    shape: tuple[int, ...]  # without the batch: (channels, height, width), or (channels,)
    stride: int | None = None  # as the specs declare it; of a head's map, if a declared map has its size
    made_from: tuple[str, ...] = ()  # blocks whose maps are read as they are; nothing is said of others


def blocks(model: nn.Module, image_size: tuple[int, int] = (160, 160)) -> list[Block]:
    """The boxes of a backbone, or of a model made of `backbone` and `head`, in the order in which they are computed.

    A part of the head that runs once per map of a pyramid, as FCOS's towers do, is one box, of its first map.
    """
    rows, strides = [], {}  # height and width of a map -> its stride
    given = []  # (map, the block that gave it)
    outer = "backbone" if hasattr(model, "head") else ""
    body = model.get_submodule(outer)
    inner = f"{outer}.backbone".removeprefix(".")
    roles = {outer: "neck", inner: "backbone"} if isinstance(body, Pyramid) else {outer: "backbone"}

    def record(name, module, inputs, output):
        if name in roles:
            for key, value in output.items():
                stride = strides[value.shape[2:]] = module.feature_specs[key].stride
                sources = module.made_from[key] if roles[name] == "neck" else ()
                rows.append(Block(key, roles[name], tuple(value.shape[1:]), stride, sources))
                given.append((value, key))
        elif name.startswith("head.") and name.count(".") == 1 and not isinstance(module, nn.Identity | nn.Dropout):
            block = name.removeprefix("head.")
            while isinstance(output, list | tuple):  # of several answers the first stands for all
                output = output[0]
            if block not in [row.name for row in rows]:
                sources = tuple(source for value, source in given if any(value is one for one in inputs))
                rows.append(Block(block, "head", tuple(output.shape[1:]), strides.get(output.shape[2:]), sources))
                given.append((output, block))

    run_on_meta(model, image_size, record)
    return rows
