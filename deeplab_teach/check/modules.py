"""Comparing a module that the learner writes with the reference, by what it does.

Names, order and form of the layers are the learner's affair. Both modules get the same values in their weights; which
weight is which is found out from the gradients. Then outputs, gradients and running averages must agree: in eval and
training mode, one image and more, after another size, in double precision, after each weight is changed alone.
"""

import copy
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from deeplab_teach.check.functions import Call, alike, same
from deeplab_teach.check.mistakes import Mistake, with_mistake
from deeplab_teach.check.run import (
    NotAttempted,
    Raised,
    Wrong,
    a_kind,
    attempt,
    build,
    is_nothing,
    outcome,
    own_module_class,
    require_filled,
    require_given,
)


@dataclass(frozen=True)
class Case(Call):
    """One way to build the module, and what it is then run on.

    inputs: tensors, or dicts of tensors; several sizes, run one after the other on the same module.
    """

    inputs: tuple = ()


def examine_module(
    answer: object,
    reference: type,
    example: str,
    cases: list[Case],
    mistakes: tuple[Mistake, ...] = (),
    *,
    run: str = "block(x)",
    base: type = nn.Module,
    axes: str = "",
    adapt: Callable = lambda reference: reference,
) -> None:
    """Raise `Wrong` or `NotAttempted` unless the learner's class does what the reference does.

    Args:
        example: the name of the class.
        mistakes: known ones, the likelier before the others.
        run: how running an instance reads to the learner.
        base: what the class must inherit from.
        axes: what the shape of the output means, "(N, channels, H/stride, W/stride), rounded up".
        adapt: makes of the reference a class that is built as the exercise asks.
    """
    own_module_class(answer, example, base)
    compare = Comparison(answer, cases, run, axes)
    try:
        compare.require_like(adapt(reference))
    except NotAttempted:
        raise
    except Wrong as difference:
        if not isinstance(difference, Habit):
            error = compare.error
            for mistake in mistakes:
                if compare.agrees(adapt(with_mistake(reference, mistake))):
                    raise (error.named(mistake.sentence) if error else Wrong(mistake.sentence)) from None
        raise


class Habit(Wrong):
    """A fault that no reference is needed to see: what is frozen, forgotten, detached, or different each time."""


class Comparison:
    """The learner's class beside others, in all cases."""

    def __init__(self, answer: type, cases: list[Case], run: str, axes: str):
        self.answer, self.cases, self.run, self.axes = answer, cases, run, axes
        self.error: Raised | None = None  # the first that the learner's class raised

    def agrees(self, other: type) -> bool:
        """Whether the learner's class does what `other` does."""
        try:
            self.require_like(other, habits=False)
        except Wrong:
            return False
        return True

    def require_like(self, other: type, *, habits: bool = True) -> None:
        """Raise `Wrong` with the first difference between the learner's class and `other`.

        habits: whether `other` is the reference, so that the answer must be sound too, and need not fail where the
            reference does. A class with a known mistake must fail alike.
        """
        given = []
        for case in self.cases:
            mine, due = self._built(case), outcome(self.run, other, *case.args, **case.kwargs)
            if isinstance(mine, Raised) or isinstance(due, Raised):
                _require_same_error(mine, due, habits)
                continue
            if habits:
                require_habits(mine)
            # Once in single precision, as it was built: lazy layers get their weights, and errors show.
            mine.train(False)
            pairs = [(self._ran(mine, x), outcome(self.run, due.eval(), _copied(x))) for x in case.inputs]
            given += [value for value, _ in pairs]
            working = []
            for x, (value, right) in zip(case.inputs, pairs, strict=True):
                if isinstance(value, Raised) or isinstance(right, Raised):
                    _require_same_error(value, right, habits)
                else:
                    working.append(x)
            if working and not all(map(is_nothing, given)):
                try:
                    self._require_like(mine, due, working, case, habits)
                except Habit:
                    raise
                except Wrong as difference:
                    raise Wrong(f"{difference}{_other_number(mine, due)}") from None
        if habits:
            require_given(given, self.run)

    def _built(self, case):
        args, kwargs = copy.deepcopy((case.args, case.kwargs))
        module = self._tried(build, self.answer, f"{self.answer.__name__}{case}", *args, **kwargs)
        if not isinstance(module, Raised) and not alike((args, kwargs), (case.args, case.kwargs)):
            raise Habit("Your `__init__` changes what it is given; others still need it as it was. Work on a copy.")
        return module

    def _ran(self, module, x):
        given = _copied(x)
        value = self._tried(attempt, self.run, module, given)
        if not isinstance(value, Raised) and not alike(_plain(given), _plain(x)):
            raise Habit("Your code changes its input in place. Others read it too: make a new tensor instead.")
        return value

    def _require_like(self, mine, due, inputs, case, habits):
        where = f"After `{self.answer.__name__}{case}`"
        for module in (mine, due):
            module.double()
            fill(module)
        if habits:
            self._require_steady(mine, inputs[0])
        doubles = [_copied(x, torch.float64) for x in inputs]
        self._require_same(*_in_mode(False, mine, due), doubles, where, "evaluation", habits)
        trial = copy.deepcopy(due).train()
        trained = [x for x in doubles if not isinstance(outcome(self.run, trial, _copied(x)), Raised)]
        if not self._require_same(*_in_mode(True, mine, due), (trained or doubles)[:1], where, "training", habits):
            return  # neither can be trained on this: what they give is all there is to compare
        for module in (mine, due):
            module.eval()
            fill(module)
        pairs = self._paired(mine, due, doubles, where, habits)
        # Now that each weight has values of its own, no two batch norms learn the same in training.
        self._require_same(*_in_mode(True, mine, due), doubles[:1], where, "training", habits)
        buffers = _paired_buffers(mine, due)
        for own, other in buffers:
            _give(torch.rand_like(other) + 0.5, own, other)
        self._require_same(*_in_mode(False, mine, due), doubles, where, "evaluation", habits)
        for _ in range(2 if habits else 1):
            self._require_same(*_in_mode(True, mine, due), trained, where, "training", habits)
        if habits:
            self._require_each_alone(*_in_mode(False, mine, due), pairs, doubles[0], where)

    def _require_same(self, mine, due, inputs, where, mode, habits) -> bool:
        """Outputs and the gradients that reach the input; whether the reference ran at all."""
        ran = True
        for x in inputs:
            own, other = _leaves(x), _leaves(x)
            learnt = [(value, value.clone()) for module in (mine, due) for value in module.buffers()]
            value, right = (
                self._tried(attempt, self.run, mine, _thread(own, x)),
                outcome(self.run, due, _thread(other, x)),
            )
            if isinstance(value, Raised) or isinstance(right, Raised):
                ran = False
                for buffer, kept in learnt:  # what a step learns before it fails depends on the order of its layers
                    buffer.copy_(kept)
                if not (mode == "training" and _batch_refused(value) and _batch_refused(right)):
                    _require_same_error(value, right, habits)
                continue
            require_output(value, right, f"your output in {mode} mode", self.axes, where)
            if not all(part.requires_grad for part in _tensors(right)):  # a mistake from which nothing can be learnt
                ran = False
                continue
            probe = _like(right)
            right_grads = torch.autograd.grad(_weighed(right, probe), other, allow_unused=True)
            if not all(part.requires_grad for part in _tensors(value)):
                raise Habit(
                    "No gradient leaves your module: it could not be trained. Is there a `no_grad` or `detach`?"
                )
            grads = torch.autograd.grad(_weighed(value, probe), own, allow_unused=True)
            for grad, right_grad in zip(grads, right_grads, strict=True):
                if grad is None and right_grad is not None:
                    raise Habit(
                        "The output is right, but no gradient reaches the input: the backbone before it could not be "
                        "trained. Is something detached on the way?"
                    )
                if grad is not None and not same(grad, torch.zeros_like(grad) if right_grad is None else right_grad):
                    raise Habit(
                        f"{where} the output is right in {mode} mode, but the gradient that reaches the input is "
                        "another: is something detached, or run without gradients?"
                    )
        return ran

    def _tried(self, how, *args, **kwargs):
        """What `attempt` or `build` gives, or the error that the learner's code raised."""
        try:
            return how(*args, **kwargs)
        except Raised as raised:
            require_filled(self.answer)
            self.error = self.error or raised
            return raised

    def _require_steady(self, mine, x):
        """Raise if two runs differ, or if training mode runs by chance."""
        for training in (False, True):
            mine.train(training)
            before = torch.get_rng_state()  # a small dropout may spare all values, twice
            first, second = (self._ran(mine, _copied(x, torch.float64)) for _ in range(2))
            drawn = not torch.equal(before, torch.get_rng_state())
            if isinstance(first, Raised) or isinstance(second, Raised):
                continue
            if drawn or not alike(_plain(first), _plain(second)):
                raise Habit(
                    f"In {'training' if training else 'evaluation'} mode your module gives another output each time, "
                    "for the same input and weights: is a layer made anew in `forward`, or is there a dropout?"
                )
        fill(mine)

    def _paired(self, mine, due, inputs, where, habits) -> list:
        """`(mine, due, axes)` for each weight: which of the learner's is which, and how its axes lie.

        All weights of one shape hold the same values at first, so two that play the same part get the same gradient.
        Those that only one fits are found; they get values of their own, which tells the next ones apart.
        """
        probes = [_like(due(_copied(x))) for x in inputs]
        (own, grads), (other, right) = (_used(module, inputs, probes) for module in (mine, due))
        if len(own) != len(other):
            raise Wrong(
                f"{where} {len(own)} weight tensors of your module are used, and of the reference {len(other)}, though "
                "both give the same here: does one layer work where two should, or is there one too many?"
            )
        if habits and len(own) < len(list(mine.parameters())):
            raise Habit(f"{where} some of your layers get no gradient: they are built but not used, or detached.")
        pairs, left, due_left = [], set(range(len(own))), set(range(len(other)))
        while due_left:
            fitting = {j: _fitting(left, own, grads, other[j], right[j]) for j in due_left}
            if not all(fitting.values()):
                raise _other_weights(where)
            sure = [j for j in due_left if len({i for i, _ in fitting[j]}) == 1] or [min(due_left)]
            for j in sure:
                i, axes = fitting[j][0]
                if i in left:
                    left.remove(i)
                    due_left.remove(j)
                    pairs.append((own[i], other[j], axes))
                    value = torch.randn_like(other[j]) * 0.5 + (1.0 if other[j].squeeze().dim() <= 1 else 0.0)
                    _give(value, own[i], other[j], axes)
            (_, grads), (_, right) = (_used(module, inputs, probes) for module in (mine, due))
            if len(grads) != len(own) or len(right) != len(other):
                raise _other_weights(where)
        return pairs

    @torch.no_grad()
    def _require_each_alone(self, mine, due, pairs, x, where):
        for own, other, axes in pairs:
            kept = own.clone(), other.clone()
            change = torch.randn_like(other)
            other += change
            own += _laid_out(change, own, axes)
            if not alike(_plain(mine(_copied(x))), _plain(due(_copied(x)))):
                raise _other_weights(where)
            own.copy_(kept[0]), other.copy_(kept[1])


# ------------------------------------------------------------------------------------------------------------- habits
def require_habits(module: nn.Module) -> None:
    """Raise `Habit` for what is wrong in any module, whatever it computes."""
    known = {id(each) for each in module.modules()}
    for part in module.modules():
        for name, value in vars(part).items():
            held = value.values() if isinstance(value, dict) else value
            if name.startswith("_") or not isinstance(value, list | tuple | dict):
                continue
            if any(isinstance(layer, nn.Module) and id(layer) not in known for layer in held):
                raise Habit(
                    f"`self.{name}` is a plain {type(value).__name__}: its layers are not registered, so neither an "
                    "optimiser nor `state_dict()` finds their weights. `nn.ModuleList` registers what it holds."
                )
    frozen = next((name for name, value in module.named_parameters() if not value.requires_grad), None)
    if frozen:
        raise Habit(f"`{frozen}` is frozen (`requires_grad` is False): it would never learn.")
    for training in (True, False):
        if module.train(training) is not module:
            raise Habit("Your `train` does not return `self`, as every module's does: `model = model.train()` breaks.")
        if any(part.training != training for part in module.modules()):
            raise Habit("`train()` and `eval()` do not reach all parts of your module.")


def require_output(value: object, right: object, what: str, axes: str, where: str = "") -> None:
    """Raise `Wrong` with the plainest difference there is between an output and the right one."""
    start = f"{where} {what}" if where else what[0].upper() + what[1:]
    if not isinstance(value, type(right) if isinstance(right, dict) else Tensor):
        raise Wrong(f"{start} is {a_kind(value)}, expected {'a dict' if isinstance(right, dict) else 'a tensor'}.")
    if isinstance(right, dict):
        if list(value) != list(right):
            raise Wrong(f"{start} has the keys {', '.join(map(str, value))}; asked are {', '.join(right)}.")
        for key in right:
            require_output(value[key], right[key], f"{what}, `{key}`,", axes, where)
        return
    if value.shape != right.shape:
        meaning = f": {axes}" if axes else ""
        raise Wrong(f"{start} has shape {tuple(value.shape)}, expected {tuple(right.shape)}{meaning}.")
    if value.dtype != right.dtype:
        raise Wrong(f"{start} is {value.dtype} for an input of {right.dtype}: a number type is written out somewhere.")
    if not value.isfinite().all():
        raise Wrong(f"{start} contains NaN or infinity.")
    if not same(value, right):
        raise Wrong(
            f"{start} has the right shape but other values than the reference with the same weights. The check does "
            "not know this mistake; look at what each step reads and does, and in which order."
        )


# -------------------------------------------------------------------------------------------------- weights and values
@torch.no_grad()
def fill(module: nn.Module) -> None:
    """Values that depend on nothing but a tensor's shape, and not on the order of its axes.

    So two modules that compute the same agree at once, before anybody knows which of their weights are which.
    """
    for value in module.parameters():
        small = value.squeeze().dim() <= 1
        value.copy_(_pattern(value.shape, value.dtype) * (0.3 if small else 0.5) + small)
    for value in module.buffers():
        if value.is_floating_point():
            value.copy_(1 + 0.4 * _pattern(value.shape, value.dtype))


@cache
def _pattern(shape: torch.Size, dtype: torch.dtype) -> Tensor:
    total = torch.zeros(shape, dtype=torch.float64)
    for axis, size in enumerate(shape):
        if size > 1:
            steps = torch.sin(7.3 * torch.arange(1, size + 1, dtype=torch.float64) * math.sqrt(size + 0.5)) * 3
            total = total + steps.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return torch.sin(2.1 * total + 0.4).to(dtype)


def layouts(own: Tensor, other: Tensor) -> list[tuple[int, ...]]:
    """The orders of axes in which the learner's weight may hold what the reference's holds; axes of size 1 aside."""
    mine, due = ([size for size in value.shape if size > 1] for value in (own, other))
    if len(mine) != len(due):
        return []
    return [axes for axes in itertools.permutations(range(len(due))) if [due[axis] for axis in axes] == mine]


@torch.no_grad()
def _give(value: Tensor, own: Tensor, other: Tensor, axes=None) -> None:
    """Put one value into the reference's tensor and, in its own form, into the learner's."""
    other.copy_(value)
    own.copy_(value.reshape(own.shape) if axes is None else _laid_out(value, own, axes))


def _fitting(left, own, grads, wanted, wanted_grads) -> list:
    """`(i, axes)` of those of the learner's weights that get the gradients of one of the reference's."""
    return [
        (i, axes)
        for i in sorted(left)
        for axes in layouts(own[i], wanted)
        if all(
            torch.allclose(_turned_back(grad, axes, right), right, rtol=1e-5, atol=1e-6 * right.abs().max())
            for grad, right in zip(grads[i], wanted_grads, strict=True)
        )
    ]


def _laid_out(value: Tensor, own: Tensor, axes) -> Tensor:
    """A value of the reference's, in the order of axes of the learner's."""
    return value.reshape([size for size in value.shape if size > 1]).permute(axes).reshape(own.shape)


def _used(module, inputs, probes) -> tuple[list, list]:
    """The weights that the output depends on, and for each its gradients, one for each input."""
    weights = list(module.parameters())
    if not weights:
        return [], []
    rows = [
        torch.autograd.grad(_weighed(module(_copied(x)), probe), weights, allow_unused=True)
        for x, probe in zip(inputs, probes, strict=True)
    ]
    columns = [(weight, grads) for weight, *grads in zip(weights, *rows, strict=True) if grads[0] is not None]
    return [weight for weight, _ in columns], [grads for _, grads in columns]


def _other_number(mine, due) -> str:
    mine, due = (sum(value.numel() for value in module.parameters()) for module in (mine, due))
    return "" if mine == due else f" It has {mine:,} weights, the reference {due:,}."


def _require_same_error(value, right, habits):
    """Raise unless both failed alike; where the reference itself fails, whatever the learner's does is right."""
    if alike(value, right) or (habits and isinstance(right, Raised)):
        return
    raise value if isinstance(value, Raised) else Wrong("another error")


def _other_weights(where) -> Wrong:
    return Wrong(
        f"{where} the output is right, but the weights get other gradients than they should, or act "
        "otherwise with other values: is something detached on the way, or one layer used in two places?"
    )


def _batch_refused(value) -> bool:
    """Whether batch norm, or who speaks for it, refuses to train on a single value, in whatever words."""
    return isinstance(value, Raised) and isinstance(value.error, ValueError)


def _turned_back(grad: Tensor, axes, wanted: Tensor) -> Tensor:
    """A gradient of the learner's, in the order of axes of the reference's."""
    squeezed = grad.reshape([size for size in grad.shape if size > 1])
    return squeezed.permute([axes.index(i) for i in range(len(axes))]).reshape(wanted.shape)


def _paired_buffers(mine, due) -> list:
    """Running averages that have learnt the same from the same values, `(mine, due)`."""
    own, other = ([value for value in module.buffers() if value.is_floating_point()] for module in (mine, due))
    pairs, left = [], list(range(len(own)))
    for right in other:
        found = next(
            (i for i in left if own[i].numel() == right.numel() and same(own[i].reshape(right.shape), right)), None
        )
        if found is None:
            raise Wrong(
                "The output is right, but the running averages of your batch norms do not learn as they should."
            )
        left.remove(found)
        pairs.append((own[found], right))
    return pairs


# ------------------------------------------------------------------------------------------- tensors and dicts of them
def _in_mode(training: bool, *modules):
    for module in modules:
        module.train(training)
    return modules


def _tensors(value) -> list[Tensor]:
    return list(value.values()) if isinstance(value, dict) else [value]


def _copied(x, dtype=None):
    if isinstance(x, dict):
        return {key: _copied(value, dtype) for key, value in x.items()}
    return x.detach().to(dtype or x.dtype, copy=True)


def _plain(value):
    """Without its gradients, so that two runs can be compared."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value.detach() if isinstance(value, Tensor) else value


def _leaves(x) -> list[Tensor]:
    return [value.detach().clone().requires_grad_() for value in _tensors(x)]


def _thread(leaves, x):
    """The leaves in the form of `x`, one step on: leaves themselves cannot be changed in place."""
    passed = [leaf * 1 for leaf in leaves]
    return dict(zip(x, passed, strict=True)) if isinstance(x, dict) else passed[0]


def _like(value):
    return [torch.randn_like(part) for part in _tensors(value)]


def _weighed(value, probe) -> Tensor:
    return sum((part * weight).sum() for part, weight in zip(_tensors(value), probe, strict=True))
