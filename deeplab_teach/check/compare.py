"""Comparing a learner's tensor with the reference's, so that the difference has a name."""

import operator
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from deeplab_teach.check.attempt import Wrong, a_kind


def same(value: Tensor, expected: Tensor) -> bool:
    """Equal in shape and dtype, and in value up to rounding."""
    if value.shape != expected.shape or value.dtype != expected.dtype:
        return False
    if not expected.is_floating_point():
        return torch.equal(value, expected)
    value, expected = value.detach(), expected.detach()
    scale = expected.abs().max().item() if expected.numel() else 1.0
    return torch.allclose(value, expected, rtol=1e-4, atol=1e-5 * max(scale, 1e-3))


def require_same(value, expected: Tensor, *, what: str, axes: str, mistakes: Iterable[tuple[str, Tensor]] = ()):
    """Raise `Wrong` with the best description there is, unless `value` equals `expected`.

    Args:
        what: what the value is to the learner: "your head's output".
        axes: the meaning of the expected shape, "(N, num_classes, h, w)".
        mistakes: `(sentence, tensor)`: what the value would be after a known mistake.
    """
    require_tensor(value, what)
    if same(value, expected):
        return
    for sentence, mistaken in mistakes:
        if same(value, mistaken):
            raise Wrong(sentence)
    if value.device != expected.device:
        raise Wrong(f"{_start(what)} lies on {value.device}, its input on {expected.device}.")
    if value.shape != expected.shape:
        got, due = tuple(value.shape), tuple(expected.shape)
        raise Wrong(f"{_start(what)} has shape {got}, expected {due}: {axes}.")
    if value.dtype != expected.dtype:
        equal = same(value.to(expected.dtype), expected)
        remark = ", although the values are right" if equal else ""
        raise Wrong(f"{_start(what)} has dtype {value.dtype}, expected {expected.dtype}{remark}.")
    if value.is_floating_point() and not value.isfinite().all():
        raise Wrong(f"{_start(what)} contains NaN or infinity.")
    raise Wrong(
        f"{_start(what)} has the right shape but other values than the reference with the same weights. The check "
        "does not know this mistake; look at what each step reads and in which order."
    )


def require_tensor(value, what: str) -> None:
    if not isinstance(value, Tensor):
        raise Wrong(f"{_start(what)} is {a_kind(value)}, expected a tensor.")


def require_untouched(before: dict[str, Tensor], after: dict[str, Tensor], what: str) -> None:
    """Raise unless the inputs that the learner's code was given still hold what they held."""
    if before.keys() != after.keys() or any(not torch.equal(before[key], after[key]) for key in before):
        raise Wrong(f"Your code changes {what} in place. Others read it too: make a new tensor instead.")


def copied(features: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in features.items()}


def randomise(module: nn.Module) -> nn.Module:
    """Random batch-norm statistics and scales: fresh ones (0 and 1) would hide a forgotten batch norm."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean, std=0.2)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
            if layer.affine:
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.normal_(layer.bias, std=0.2)
    return module


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Fill the reference `target` with the learner's weights: by name where names agree, else by size, in order."""
    due, given = target.state_dict(), source.state_dict()
    if len(given) != len(due):
        raise Wrong(f"Your module holds {len(given)} weight tensors ({', '.join(given)}); the reference {len(due)}.")
    for name, value in due.items():
        fitting = [key for key in given if given[key].numel() == value.numel()]
        if not fitting:
            shapes = ", ".join(f"`{key}` {tuple(left.shape)}" for key, left in given.items())
            raise Wrong(f"Your module has no weights for a tensor of shape {tuple(value.shape)}; it holds {shapes}.")
        key = name if name in fitting else fitting[0]
        due[name] = given.pop(key).detach().reshape(value.shape)
    target.load_state_dict(due)


def name_mistake(answers: list, cases, mistakes, alike=operator.eq) -> None:
    """Raise `Wrong` with the sentence of the first of `(sentence, function)` that gives just these answers."""
    for sentence, mistaken in mistakes:
        if alike(answers, [mistaken(*case) for case in cases]):
            raise Wrong(sentence)


def _start(what: str) -> str:
    return what[0].upper() + what[1:]
