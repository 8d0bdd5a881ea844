"""Lesson 05: which stages stride and which dilate."""

from collections.abc import Iterator
from numbers import Integral
from types import SimpleNamespace

from deeplab_teach.check.attempt import Wrong, a_kind, attempt, own_function
from deeplab_teach.check.engine import Exercise
from deeplab_teach.layers import plan_strides as reference

# Strides and output stride; a stage that gives its stride up is never followed by one that may stride again.
CASES = (
    *(((2, 2, 2, 2, 2), limit) for limit in (16, 8, 32)),  # a ResNet
    *(((2, 1, 2, 2, 2, 1, 2, 1), limit) for limit in (16, 8)),  # MobileNetV2
    *(((4, 4, 4), 16), ((2, 4, 1, 4, 2), 8)),
    # These never reach 8; most mistakes can be told without them, also from whoever errs twice.
    *(((4, 4, 4), 8), ((2, 3, 3), 8)),
)


def _examine_plan_strides(answer):
    own_function(answer, "plan_strides(strides, output_stride)")
    plans = []
    for strides, output_stride in CASES:
        given = list(strides)
        call = f"plan_strides({given}, {output_stride})"
        value = attempt(call, answer, given, output_stride)
        if given != list(strides):
            raise Wrong("Your function changes the list of strides that it is given: others may still need it.")
        plans.append(_rows(value, strides, call))
    due = [reference(*case) for case in CASES]
    for few in (len(CASES) - 2, len(CASES)):
        for sentence, *mistaken in _mistakes() if plans[:few] != due[:few] else ():
            if any(plans[:few] == [function(*case) for case in CASES[:few]] for function in mistaken):
                raise Wrong(sentence)
    for (strides, output_stride), got, right in zip(CASES, plans, due, strict=True):
        for stage, (yours, expected) in enumerate(zip(got, right, strict=True)):
            if yours != expected:
                hint = "Look at the rates." if yours[0] == expected[0] else "Which stages may stride?"
                raise Wrong(
                    f"For strides = {list(strides)} and output_stride = {output_stride}, row {stage} of your plan (the "
                    f"first is row 0) is {yours}; it should be {expected}. {hint}"
                )


def _rows(value, strides, call):
    """The plan as a list of tuples of three ints, or a sentence about its form."""
    if isinstance(value, Iterator):
        raise Wrong("Your function gives a generator (or `zip`, `map`), which can be read only once: make it a list.")
    if not isinstance(value, list | tuple):
        raise Wrong(f"`{call}` gives {a_kind(value)}; asked is a list of (stride, rate_in, rate_out), one per stage.")
    if len(value) == 3 and all(isinstance(entry, list | tuple) and len(entry) == len(strides) > 3 for entry in value):
        raise Wrong("You return three lists with one number per stage; asked is one list with three numbers per stage.")
    if len(value) != len(strides):
        raise Wrong(f"`{call}` gives {a_kind(value)}; asked is one row for each of the {len(strides)} stages.")
    if all(isinstance(entry, Integral) for entry in value):
        raise Wrong("You return one number per stage; asked are three: stride, rate_in and rate_out.")
    for row in value:
        if not isinstance(row, list | tuple) or len(row) not in (2, 3):
            raise Wrong(f"In `{call}` a row of your plan is {a_kind(row)}; asked is (stride, rate_in, rate_out).")
        if len(row) == 2:
            raise Wrong(
                "Your rows have two numbers, and a stage has two rates besides its stride: one for the convolutions up "
                "to and including the one that would have strided, and one for those after it."
            )
        for number in row:
            if isinstance(number, bool) or not isinstance(number, Integral):
                raise Wrong(f"`{call}` has {a_kind(number)} in a row; strides and rates are ints (`//` divides so).")
    return [tuple(map(int, row)) for row in value]


def _rule(row=lambda f: (f.stride, f.before, f.after), *, dilates=lambda f: f.reached * f.nominal > f.limit, **other):
    """The reference with something changed. What `f` holds at a stage: its `nominal` stride and `stride`; the rate
    `before`, `after`, and one stage `earlier`; the products of strides taken, `reached`, and of all, `total`.
    """
    grow = other.get("grow", lambda rate, stride: rate * stride)
    take = other.get("take", lambda reached, stride: reached * stride)

    def plan(strides, output_stride):
        rows, f = [], SimpleNamespace(limit=output_stride, reached=1, total=1, before=1, after=1)
        for f.nominal in strides:
            f.earlier, f.before = f.before, f.after
            is_dilated = dilates(f)
            f.after = grow(f.before, f.nominal) if is_dilated else f.before
            f.stride = 1 if is_dilated else f.nominal
            f.reached, f.total = take(f.reached, f.stride), f.total * f.nominal
            rows.append(row(f))
        return rows

    return plan


def _mistakes():
    """`(sentence, functions after the mistake)`."""
    yield (
        "No stage of yours gives its stride up. Keep the product of the strides taken so far, and compare what it "
        "would become with output_stride.",
        _rule(dilates=lambda f: False),
    )
    yield (
        "You set strides to 1 and leave every rate at 1. On the denser grid neighbours lie closer together, and the "
        "later kernels would see less of the image than they were trained for: spread them out.",
        _rule(lambda f: (f.stride, 1, 1)),
    )
    yield (
        "The first convolutions of a stage are spread out too early in yours. They come before the stride that is "
        "given up, where neighbours lie as far apart as in the stage before: rate_in is that stage's last rate.",
        _rule(lambda f: (f.stride, f.after, f.after)),
        _rule(lambda f: (f.stride, *[max(1, f.total // f.limit)] * 2)),
    )
    yield (
        "Your rate_out comes one stage late. In the stage that gives its stride up, the convolutions after that place "
        "already run on the denser grid.",
        _rule(lambda f: (f.stride, f.before, f.before)),
        _rule(lambda f: (f.stride, f.earlier, f.before)),
    )
    yield (
        "Rates are added in yours. Each stride that is given up spreads the kernels by its own factor, so multiply: "
        "after a 4 and another 4 neighbours lie 16 places apart.",
        _rule(grow=lambda rate, stride: rate + stride),
        _rule(grow=lambda rate, stride: rate + stride - 1),
        _rule(grow=lambda rate, stride: stride if rate == 1 else rate + stride),
    )
    yield (
        "Each stage of yours begins at rate 1 again. Once a stride is given up the grid stays denser to the end: the "
        "next stage begins with the rate that this one ended with.",
        _rule(lambda f: (f.stride, 1, f.after)),
        _rule(lambda f: (f.stride, 1, f.nominal // f.stride)),
    )
    yield (
        "A stage whose own stride is 1 falls back to rate 1 in yours. It has no stride to give up, but the grid that "
        "it works on is still the denser one: it keeps the rate.",
        _rule(lambda f: (f.stride, 1, 1) if f.stride == f.nominal else (f.stride, f.before, f.after)),
    )
    yield (
        "Your rate_out only knows the stage's own stride. Where an earlier stage gave its stride up as well, both "
        "count: the rate so far times this stride.",
        _rule(grow=lambda rate, stride: stride),
    )
    yield (
        "A stage of yours dilates and strides as well. The rate stands in for the stride: where it grows, the stage's "
        "stride is 1.",
        _rule(lambda f: (f.nominal, f.before, f.after)),
    )
    yield (
        "You give a stride up too early: to reach output_stride exactly is allowed, only to go past it is not.",
        _rule(dilates=lambda f: f.reached * f.nominal >= f.limit),
    )
    yield (
        "You notice one stage too late that output_stride is exceeded: ask what the product would be with this "
        "stage's stride, before it is taken.",
        _rule(dilates=lambda f: f.reached > f.limit),
    )
    yield (
        "You ask whether output_stride is reached already, not whether the next stride would go past it. With strides "
        "of 4 and output_stride = 8 your network goes from 4 to 16.",
        _rule(dilates=lambda f: f.reached >= f.limit),
        _rule(dilates=lambda f: f.reached == f.limit),
    )
    yield (
        "Your rate doubles, whatever the stride is. A stride of 4 that is given up leaves neighbours 4 places apart.",
        _rule(grow=lambda rate, stride: rate * 2),
    )
    yield (
        "Your rate doubles in every stage once output_stride is reached, also where a stage has a stride of 1 and so "
        "gives nothing up. The factor is the stride that is not taken.",
        _rule(grow=lambda rate, stride: rate * 2, dilates=lambda f: f.reached >= f.limit),
    )
    yield (
        "The first number of your rows is the product of all strides so far; asked is the stage's own stride.",
        _rule(lambda f: (f.reached, f.before, f.after)),
    )
    yield "rate_in and rate_out are swapped.", _rule(lambda f: (f.stride, f.after, f.before))
    yield "The stride comes first in a row, before the two rates.", _rule(lambda f: (f.before, f.after, f.stride))
    yield (
        "You divide the product of all strides by output_stride. That is the rate only if output_stride is reached "
        "exactly; strides of 4 and 4 stop at 4 where 8 is the limit. Multiply the strides that were given up.",
        _rule(lambda f: (f.stride, max(1, f.total // f.nominal // f.limit), max(1, f.total // f.limit))),
    )
    yield (
        "You add up the strides to see how far they have got. Two strides of 4 make 16, not 8: multiply.",
        _rule(dilates=lambda f: f.reached - 1 + f.nominal > f.limit, take=lambda reached, stride: reached + stride),
    )


plan_strides = Exercise(
    name="plan_strides",
    lesson="05",
    minutes=12,
    statement=(
        "Plan which stages stride and which dilate. A stage strides while the product of the strides taken stays "
        "within output_stride. A stage that would go past it gets stride 1, and every convolution after the place of "
        "that stride runs at a rate so many times larger. Give a list with (stride, rate_in, rate_out) of each stage."
    ),
    stub='''def plan_strides(strides, output_stride):
    """Which stages stride and which dilate, so that the strides together stay within
    `output_stride`.

    strides: the nominal stride of each stage, in order, a list: [2, 2, 2, 2, 2].
    output_stride: 8, 16 or 32.
    Returns a list with one (stride, rate_in, rate_out) per stage. rate_in is for the
    convolutions up to and including the one that would have strided, rate_out for those
    after it; a stage that changes nothing has both the same. An undilated rate is 1.
    """
    ...
''',
    hints=(
        "Go through the stages with two numbers: how far the map has been strided, and the present rate. Which of the "
        "two changes in a stage that strides, which in a stage that gives its stride up, and by which factor?",
        "rate_in is the rate as it stands before the stage. If the product times this stride would be more than "
        "output_stride, multiply the rate by the stride and go on with a stride of 1. rate_out is the rate after that.",
    ),
    reference=reference,
    examine=_examine_plan_strides,
    moral=(
        "With this plan a ResNet's weights serve every output stride: at the positions that two of them share, they "
        "compute the same features."
    ),
)
