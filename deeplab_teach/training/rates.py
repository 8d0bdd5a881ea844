"""Learning rates: which part of a model learns at which one, and how they fall."""

from collections.abc import Sequence

import torch
from torch import nn

from deeplab_teach.necks import without_pyramid

SCHEDULES = ("one_cycle", "poly")


def parameter_groups(model: nn.Module, lr_backbone: float, lr_head: float) -> list[dict]:
    """A model's parameters as an optimiser of PyTorch's takes them: the backbone's, then all others, each at its rate.

    The others are new and have everything to learn: the head, an auxiliary head, a pyramid on the backbone. Frozen
    parameters are left out.

    Returns:
        `[{"params": [...], "lr": lr_backbone}, {"params": [...], "lr": lr_head}]`.
    """
    pretrained = {id(parameter) for parameter in without_pyramid(model.backbone).parameters()}
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in learning if id(parameter) in pretrained], "lr": lr_backbone},
        {"params": [parameter for parameter in learning if id(parameter) not in pretrained], "lr": lr_head},
    ]


def falling(
    schedule: str, optimizer: torch.optim.Optimizer, highest: Sequence[float], steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """The rates over `steps` steps: `"one_cycle"` rises and falls, `"poly"` falls by (1 - step / steps) ** 0.9."""
    if schedule == "one_cycle":
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=list(highest), total_steps=steps)
    return torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=steps, power=0.9)
