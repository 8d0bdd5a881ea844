"""Running a learner's module while watching what its convolutions are given."""

import torch
from torch import Tensor, nn

from deeplab_teach.check.attempt import Wrong, attempt


def convolutions(module: nn.Module, kernel: int | None = None) -> list[nn.Conv2d]:
    """Those of one kernel size, or all."""
    found = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    return [m for m in found if kernel is None or m.kernel_size == (kernel, kernel)]


def run_watched(call: str, module: nn.Module, x: Tensor, read: list):
    """Its output; `read` then holds `(convolution, what it was given)` in the order of the calls; an error ends it."""

    def note(conv, inputs):
        read.extend((conv, value.detach()) for value in inputs[:1] if isinstance(value, Tensor))

    read.clear()
    hooks = [conv.register_forward_pre_hook(note) for conv in convolutions(module)]
    try:
        return attempt(call, module, x)
    finally:
        for hook in hooks:
            hook.remove()


def is_random(output, again) -> bool:
    """Whether two runs on the same input differ."""
    if not isinstance(output, Tensor) or not isinstance(again, Tensor):
        return False
    first, second = (value.detach().nan_to_num() for value in (output, again))
    return not torch.equal(first, second)


def require_gradients(module: nn.Module, output: Tensor) -> None:
    if not output.requires_grad:
        raise Wrong("No gradient leaves your module: it could not be trained. Is there a `no_grad` or a `detach`?")
    output.square().sum().backward()
    if any(parameter.grad is None for parameter in module.parameters()):
        raise Wrong("Some of your module's layers get no gradient: they are built but not used, or detached.")
