"""Comparing a function that the learner writes with the reference, on the same calls."""

import copy
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral, Real

import numpy as np
import torch
from torch import Tensor

from deeplab_teach.check.mistakes import Mistake, with_mistake
from deeplab_teach.check.run import NotAttempted, Raised, Wrong, a_kind, attempt, outcome, own_function, require_given
from deeplab_teach.features import FeatureSpec


@dataclass(frozen=True)
class Call:
    """One call of the learner's function: what it is given."""

    args: tuple
    kwargs: dict = field(default_factory=dict)

    def __str__(self):
        """As it reads in Python: "f(3, stride=2)" without the f."""
        words = [shown(value) for value in self.args]
        return f"({', '.join([*words, *(f'{key}={shown(value)}' for key, value in self.kwargs.items())])})"


def examine_function(
    answer: object,
    reference: Callable,
    example: str,
    calls: list,
    mistakes: tuple[Mistake, ...] = (),
    *,
    kind: Callable = lambda value: None,
    advice: str = "",
) -> None:
    """Raise `Wrong` or `NotAttempted` unless the learner's function gives what the reference gives.

    Args:
        example: a call as it reads to the learner, `"plan_strides(strides, output_stride)"`.
        calls: tuples of arguments, or `Call`s; more than one size each, so that nothing can be remembered.
        mistakes: known ones, the likelier before the others.
        kind: takes a value that the answer gave; a sentence if it is of another kind than asked for, else None.
        advice: ends the sentence about a difference that no mistake explains.
    """
    own_function(answer, example)
    calls = [call if isinstance(call, Call) else Call(call) for call in calls]
    found = outcomes(answer, calls, example)
    due = outcomes(reference, calls, example, own=True)
    if all(map(alike, found, due)):
        _require_memoryless(answer, calls, found, example)
        return
    name_mistake(found, calls, reference, example, mistakes)
    name = example.partition("(")[0]
    for call, value, right in zip(calls, found, due, strict=True):
        if isinstance(value, Raised):
            raise value
        if value is None or value is Ellipsis:
            raise Wrong(
                f"`{name}{call}` gives {value}, though other calls give something: does a way through your function "
                "end without a `return`?"
            )
        if not alike(value, right) and (sentence := kind(value)):
            raise Wrong(sentence)
        if not alike(value, right):
            raise Wrong(f"`{name}{call}` gives {told(value, right)} {advice}".strip())


def kind_of_tensor(value: object) -> str | None:
    """The `kind` of an exercise that asks for a tensor."""
    return None if isinstance(value, Tensor) else f"Your function returns {a_kind(value)}; asked is a tensor."


def outcomes(function: Callable, calls: list[Call], example: str, *, own: bool = False) -> list:
    """What a function gives for each call: a value, or the `Raised` of its error.

    Raises:
        NotAttempted: it gives nothing in any of them.
        Wrong: it changes what it is given.
    """
    found = []
    for call in calls:
        args, kwargs = copy.deepcopy((call.args, call.kwargs))
        try:
            value = outcome(example, *(() if own else (attempt, example)), function, *args, **kwargs)
        except NotAttempted as reason:
            raise (Wrong(f"For one call, {call}, {reason}.") if found else reason) from None
        same_settings = _settings(args, kwargs) == _settings(call.args, call.kwargs)
        untouched = isinstance(value, Raised) or (same_settings and alike((args, kwargs), (call.args, call.kwargs)))
        if not own and not untouched:  # where an error ended it half-way, the error is what matters
            where = "".join(map(_changed_mode, call.args, args))
            raise Wrong(f"Your function changes what it is given{where}; others still need it. Work on a copy.")
        found.append(value)
    if not own:
        require_given(found, example)
    return found


def name_mistake(found: list, calls: list[Call], reference: Callable, example: str, mistakes: tuple) -> None:
    """Raise `Wrong` with the sentence of the first mistake that gives just these outcomes."""
    for mistake in mistakes:
        function = with_mistake(reference, mistake)
        each = zip(found, calls, strict=True)  # one by one: most mistakes give something else in the first calls
        if all(alike(value, outcomes(function, [call], example, own=True)[0]) for value, call in each):
            raised = next((value for value in found if isinstance(value, Raised)), None)
            raise raised.named(mistake.sentence) if raised else Wrong(mistake.sentence)


def _require_memoryless(answer, calls, found, example):
    """The first calls once more: what a function gives must not depend on what it was asked before."""
    again = outcomes(answer, calls[:3], example)
    if not all(map(alike, again, found)):
        raise Wrong(
            "Called once more with the same arguments your function gives something else: it remembers something from "
            "call to call, or there is chance in it."
        )


def alike(a: object, b: object) -> bool:
    """Whether two outcomes are the same: in kind, and in value up to rounding. Integers of any kind are integers."""
    if isinstance(a, Raised) and isinstance(b, Raised):
        return type(a.error) is type(b.error) and _words(a.error) == _words(b.error)
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return same(a, b)
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return False
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and np.allclose(a, b, equal_nan=True)
    for kind in (bool | np.bool_, Integral, Real):
        if isinstance(a, kind) or isinstance(b, kind):
            if not (isinstance(a, kind) and isinstance(b, kind)):
                return False
            if kind is Real and not (_precise(a) and _precise(b)):
                return float(a) == float(b)  # by itself `==` would round the other to float32 first
            close = math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-6) if kind is Real else a == b
            return bool(close or (a != a and b != b))
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, torch.nn.Module) and isinstance(b, torch.nn.Module):
        return _looks(a) == _looks(b) and alike(dict(a.state_dict()), dict(b.state_dict()))
    return type(a) is type(b) and bool(a == b)


def _looks(module) -> tuple[list, list]:
    """All that can be changed about a module besides its values: layers, modes, hooks, what is frozen, gradients."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    layers = [
        (name, type(part).__qualname__, part.training, sum(len(getattr(part, kind)) for kind in hooks))
        for name, part in module.named_modules()
    ]
    return layers, [(name, value.requires_grad, value.grad is None) for name, value in module.named_parameters()]


def _changed_mode(was, now) -> str:
    """Which part of a module is in another mode than before, in words."""
    parts = zip(was.named_modules(), now.modules(), strict=False) if isinstance(was, torch.nn.Module) else ()
    other = next((name for (name, part), after in parts if part.training != after.training), None)
    return f" (the mode of `{other}`: `train` and `eval` set all parts alike)" if other else ""


def _settings(args, kwargs) -> list[str]:
    """Strides, groups and the like of the modules among some arguments; no part of what makes two answers alike."""
    return [repr(value) for value in (*args, *kwargs.values()) if isinstance(value, torch.nn.Module)]


def _precise(value) -> bool:
    return not isinstance(value, np.floating) or isinstance(value, np.float64)


def same(value: Tensor, expected: Tensor) -> bool:
    """Equal in shape and dtype, and in value up to rounding."""
    if value.shape != expected.shape or value.dtype != expected.dtype or value.device != expected.device:
        return False
    if not expected.is_floating_point():
        return torch.equal(value, expected)
    value, expected = value.detach(), expected.detach()
    finite = expected[expected.isfinite()]
    scale = finite.abs().max().item() if finite.numel() else 1.0
    return torch.allclose(value, expected, rtol=1e-4, atol=1e-5 * max(scale, 1e-3), equal_nan=True)


def _words(error) -> list[str]:
    """The words of an error's message, sorted: `a + b` and `b + a` name the same two sizes in another order."""
    return sorted(re.findall(r"\w+", str(error)))


def shown(value: object) -> str:
    """A value as it reads to a learner: short, and the same from run to run."""
    if isinstance(value, float):
        text = f"{value:.4g}"
        return f"{text}.0" if text.lstrip("-").isdigit() else text
    if isinstance(value, Tensor):
        if value.numel() <= 12:
            return f"tensor({value.tolist()})"
        return f"<tensor of shape {tuple(value.shape)}>"
    if isinstance(value, tuple | list) and any(isinstance(part, float | Tensor) for part in value):
        words = ", ".join(map(shown, value))
        return f"({words})" if isinstance(value, tuple) else f"[{words}]"
    if isinstance(value, torch.nn.Module):
        return f"<{type(value).__name__}>" if list(value.children()) else repr(value)
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, dict) and any(isinstance(spec, FeatureSpec) for spec in value.values()):
        return "feature_specs"
    text = repr(value)
    return text if len(text) <= 120 and " at 0x" not in text else f"<{a_kind(value)}>"


def told(value: object, right: object) -> str:
    """`value; it must be right.`, with the difference that matters named where both are tensors."""
    if isinstance(value, Tensor) and isinstance(right, Tensor):
        if value.shape != right.shape:
            return f"the shape {tuple(value.shape)}; it must be {tuple(right.shape)}."
        if value.dtype != right.dtype:
            values = ", although the values are right" if same(value.to(right.dtype), right) else ""
            return f"{value.dtype}; it must be {right.dtype}{values}."
        if value.is_floating_point() and not value.isfinite().all() and right.isfinite().all():
            return "NaN or infinity somewhere."
        if value.numel() > 12:
            where = ~torch.isclose(value.double(), right.double(), rtol=1e-4, atol=1e-5)
            place = tuple(where.nonzero()[0].tolist()) if where.any() else ()
            return (
                f"the right shape but other values: at {place} {value[place].item():.4g}; "
                f"it must be {right[place].item():.4g} ({where.double().mean():.0%} of all values differ)."
            )
    lists = isinstance(value, list | tuple) and isinstance(right, list | tuple)
    if lists and any(isinstance(part, Tensor) for part in right):
        if len(value) != len(right):
            return f"{len(value)} values; it must be {len(right)}."
        place = next(i for i, pair in enumerate(zip(value, right, strict=True)) if not alike(*pair))
        return f"in place {place} {told(value[place], right[place])}"
    words = (shown, repr)[shown(value) == shown(right)]  # what differs may be beyond the digits that are shown
    return f"{words(value)}; it must be {words(right)}."
