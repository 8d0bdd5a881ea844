"""Lesson 05: how far a dilated kernel reaches, and its padding."""

from numbers import Integral

from deeplab_teach.check.attempt import Wrong, a_kind, attempt, own_function
from deeplab_teach.check.compare import name_mistake
from deeplab_teach.check.engine import Exercise
from deeplab_teach.layers import dilated_kernel as reference

# Kernel size and rate.
CASES = ((3, 1), (3, 2), (3, 6), (5, 1), (5, 3), (5, 4), (7, 2), (9, 5), (1, 1), (1, 4), (3, 18))


def _examine_dilated_kernel(answer):
    own_function(answer, "dilated_kernel(kernel_size, rate)")
    pairs = []
    for kernel_size, rate in CASES:
        call = f"dilated_kernel({kernel_size}, {rate})"
        pairs.append(_pair(attempt(call, answer, kernel_size, rate), call))
    due = [reference(*case) for case in CASES]
    if pairs == [pair[::-1] for pair in due]:
        raise Wrong("Reach and padding are swapped: the reach comes first.")
    for i, mistakes in enumerate((_reach_mistakes(), _padding_mistakes())):  # the padding follows from the reach
        numbers = [pair[i] for pair in pairs]
        right = [pair[i] for pair in due]
        if numbers != right:
            name_mistake(numbers, CASES, mistakes)
        _require_right(i, numbers, right)


def _pair(value, call):
    if isinstance(value, Integral | float) and not isinstance(value, bool):
        raise Wrong("Your function returns one number; asked are two, the reach and the padding: `(reach, padding)`.")
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise Wrong(f"`{call}` gives {a_kind(value)}; asked is a pair of numbers, `(reach, padding)`.")
    for number, name in zip(value, ("reach", "padding"), strict=True):
        if isinstance(number, float):
            raise Wrong(
                f"`{call}` gives the {name} as {number}, a float. Places are counted in ints, and layers take no other "
                "padding; `//` divides so."
            )
        if isinstance(number, bool) or not isinstance(number, Integral):
            raise Wrong(f"In `{call}` the {name} is {a_kind(number)}; asked is an int.")
    return int(value[0]), int(value[1])


def _require_right(i, numbers, due):
    wrong = [case for case, got, right in zip(CASES, numbers, due, strict=True) if got != right]
    if not wrong:
        return
    got, right = numbers[CASES.index(wrong[0])], due[CASES.index(wrong[0])]
    name = ("reach", "padding")[i]
    where = f"`dilated_kernel({wrong[0][0]}, {wrong[0][1]})` gives a {name} of {got}, and the right one is {right}."
    if all(kernel_size == 1 for kernel_size, _ in wrong):
        raise Wrong(f"{where} A kernel of 1 has a single weight and no gaps, so no rate changes it.")
    if all(rate != 1 for _, rate in wrong):
        where = f"At rate 1 your {name} is right, but not at every rate. {where}"
    elif all(kernel_size != 3 for kernel_size, _ in wrong):
        where = f"Your {name} is right for a kernel of 3, but not for every size. {where}"
    if i == 0:
        raise Wrong(f"{where} Draw the weights in a row, with their gaps, and count.")
    raise Wrong(f"{where} Your reach is right. Put the middle weight on the first place of a map: how far does it go?")


def _reach_mistakes():
    """`(sentence, the reach after the mistake)`."""
    yield "Your reach is the kernel size, whatever the rate is.", lambda k, r: k
    yield (
        "Your reach is rate * kernel_size. Between 3 weights there are only 2 gaps, and behind the last there is none.",
        lambda k, r: r * k,
    )
    yield (
        "Your reach counts the steps from the first weight to the last; the places are one more.",
        lambda k, r: r * (k - 1),
    )
    plus = (
        "Kernel size and rate are added in your reach; but every gap is `rate` places wide, so the rate counts as "
        "often as there are gaps."
    )
    yield plus, lambda k, r: k + r
    yield plus, lambda k, r: k + r - 1
    yield (
        "The kernel size does not change your reach: 2 gaps are right for a kernel of 3, larger ones have more.",
        lambda k, r: 2 * r + 1,
    )
    yield (
        "Your kernel gets 2 gaps whatever its size. That is right for a kernel of 3; one of 5 has 4, one of 1 none.",
        lambda k, r: k + 2 * (r - 1),
    )
    yield (
        "You leave `rate` empty places between two weights. The rate is the distance from one weight to the next, so "
        "at rate 1 there is no empty place between them.",
        lambda k, r: (r + 1) * (k - 1) + 1,
    )
    yield (
        "Your reach counts one place too many: at rate 1 it must be the kernel size itself.",
        lambda k, r: r * (k - 1) + 2,
    )
    yield (
        "You count the empty places between the weights, not the places from the first weight to the last.",
        lambda k, r: (r - 1) * (k - 1),
    )
    yield (
        "Your reach is that to one side of the middle weight; asked are all places from the first weight to the last.",
        lambda k, r: r * (k - 1) // 2,
    )
    yield (
        "Your reach counts the places of a square; asked is one side of it.",
        lambda k, r: reference(k, r)[0] ** 2,
    )


def _padding_mistakes():
    """`(sentence, the padding after the mistake)`, where the reach is right."""
    yield (
        "Your padding is 1, whatever the rate is. At rate 2 a map would lose 2 rows: a kernel that reaches further "
        "sticks out further.",
        lambda k, r: 1,
    )
    yield (
        "Your padding is the rate. That is right for a kernel of 3, which has one gap on each side of its middle; "
        "larger ones have more.",
        lambda k, r: r,
    )
    yield (
        "Your padding is that of the kernel without dilation. At its first place the kernel sticks out by half of its "
        "whole reach.",
        lambda k, r: (k - 1) // 2,
    )
    yield (
        "Your padding is that of both sides together. A layer adds it on each side, so give the half.",
        lambda k, r: r * (k - 1),
    )
    yield "Your padding is 0: without padding the map shrinks by all that the kernel sticks out.", lambda k, r: 0
    yield (
        "Your padding is one place too much: the kernel's middle begins outside of the map.",
        lambda k, r: r * (k - 1) // 2 + 1,
    )
    yield (
        "Your padding is one place too few: the kernel's middle never stands on the map's first place.",
        lambda k, r: r * (k - 1) // 2 - 1,
    )
    yield "Your padding is the whole reach; how much of it sticks out on one side?", lambda k, r: r * (k - 1) + 1
    yield (
        "Your padding is half of rate * kernel_size. Halve what lies between the first weight and the last.",
        lambda k, r: r * k // 2,
    )
    yield (
        "Your padding is half of kernel_size + rate. Take it from the reach: half of what is beside the middle.",
        lambda k, r: (k + r - 1) // 2,
    )


dilated_kernel = Exercise(
    name="dilated_kernel",
    lesson="05",
    minutes=6,
    statement=(
        "Compute along one side how many places a dilated kernel reaches over, its first and its last weight included, "
        "and how much padding on each side keeps the size of a map at stride 1. Kernel sizes are odd."
    ),
    stub='''def dilated_kernel(kernel_size, rate):
    """How far a dilated kernel reaches, and the padding that keeps the size of a map.

    kernel_size: number of weights along one side, odd.
    rate: distance from one weight to the next; 1 is an ordinary kernel.
    Returns (reach, padding), two ints: the places from the first weight to the last, both
    included, and the padding on each side for which a stride of 1 keeps the size.
    """
    ...
''',
    hints=(
        "Draw 3 weights in a row at rate 2, then 5 weights at rate 3. How many gaps are there, how wide is each, and "
        "what is still missing? For the padding put the middle weight on the first place of a map.",
        "There are kernel_size - 1 gaps of `rate` places, and one place more from end to end. Apart from its middle, "
        "half of the reach sticks out on each side.",
    ),
    reference=reference,
    examine=_examine_dilated_kernel,
    moral=(
        "A 3x3 kernel at rate 18 has nine weights and reaches over 37 places: it sticks out of a 33 x 33 map wherever "
        "it stands."
    ),
)
