"""Parts that training leaves as they are: `train` neither moves their weights nor their running averages."""

from collections.abc import Iterable

from torch import nn


def freeze(model: nn.Module, parts: str | Iterable[str]) -> None:
    """Freeze parts by name, such as `["backbone"]` or `["backbone.features.0"]`: no gradient, and in eval mode.

    `model.train()` puts them into training mode again: `train` keeps that from happening, a loop of your own must.

    Raises:
        ValueError: the model has no such part; the message says what it has there.
    """
    modules = dict(model.named_modules())
    parts = [parts] if isinstance(parts, str) else list(parts)
    for name in parts:
        if not name or name not in modules:
            above = name.rpartition(".")[0]
            while above not in modules:
                above = above.rpartition(".")[0]
            there = ", ".join(f"{above}.{child}".lstrip(".") for child, _ in modules[above].named_children())
            raise ValueError(f"the model has no part {name!r} to freeze; there are: {there or 'none'}.")
    for name in parts:
        modules[name].requires_grad_(False).eval()


def freeze_batch_norm(module: nn.Module) -> None:
    """Freeze every batch norm in a module: it keeps the running averages, scale and shift that it came with.

    As Mask R-CNN and its followers do: of batches of one or two images the averages say little.
    """
    for norm in module.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.requires_grad_(False).eval()


def is_frozen(module: nn.Module) -> bool:
    """Whether a module is in eval mode and has weights of which none requires a gradient."""
    parameters = list(module.parameters())
    return not module.training and bool(parameters) and not any(each.requires_grad for each in parameters)
