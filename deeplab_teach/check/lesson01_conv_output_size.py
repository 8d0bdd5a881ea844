"""Lesson 01: how large a map a convolution leaves."""

import math

from deeplab_teach.check.attempt import Wrong, a_kind, attempt, own_function
from deeplab_teach.check.compare import name_mistake
from deeplab_teach.check.engine import Exercise
from deeplab_teach.layers import conv_output_size as reference

CALL = "conv_output_size({0}, {1}, stride={2}, padding={3}, dilation={4})"
# size, kernel_size, stride, padding, dilation: chosen so that each known mistake differs from the truth somewhere.
CASES = (
    (224, 11, 4, 2, 1),  # AlexNet's first layer: the division leaves a rest
    (55, 3, 2, 0, 1),
    (224, 3, 1, 1, 1),
    (33, 3, 1, 6, 6),
    (65, 3, 2, 2, 2),
    (13, 1, 2, 0, 1),
    (10, 5, 3, 1, 2),
    (7, 7, 1, 0, 1),
    (10, 3, 4, 0, 1),  # 1.75 steps
    (65, 7, 2, 3, 3),
    (33, 5, 1, 0, 2),
)


def _examine_conv_output_size(answer):
    own_function(answer, "conv_output_size(size, kernel_size, stride, padding, dilation)")
    answers = []
    for size, kernel_size, stride, padding, dilation in CASES:
        call = CALL.format(size, kernel_size, stride, padding, dilation)
        value = attempt(call, answer, size, kernel_size, stride=stride, padding=padding, dilation=dilation)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Wrong(f"`{call}` gives {a_kind(value)}; asked is a number of places.")
        answers.append(value)
    value = attempt("conv_output_size(9, 3)", answer, 9, 3)
    due = [_size(*case) for case in CASES]
    if answers != due:
        name_mistake(answers, CASES, _mistakes())
    for case, got, right in zip(CASES, answers, due, strict=True):
        if isinstance(got, float):
            raise Wrong(f"`{CALL.format(*case)}` gives {got}, a float; a number of places is an int: `//` divides so.")
        if got != right:
            raise Wrong(
                f"`{CALL.format(*case)}` gives {got}, and the right answer is {right}. Draw the places in a row and "
                "shift the kernel along them."
            )
    if value != reference(9, 3):
        raise Wrong(
            f"Without stride, padding and dilation `conv_output_size(9, 3)` gives {value}: are the defaults 1, 0, 1?"
        )


def _size(size, kernel_size, stride, padding, dilation):
    return reference(size, kernel_size, stride=stride, padding=padding, dilation=dilation)


def _reach(kernel_size, dilation):
    return dilation * (kernel_size - 1) + 1


def _mistakes():
    """`(sentence, the function after the mistake)`."""
    yield (
        "You do not round: 224 places, a kernel of 11 and a stride of 4 leave 55.25 in yours. A kernel that does not "
        "fit any more is not placed, so round down.",
        lambda n, k, s, p, d: (n + 2 * p - _reach(k, d)) / s + 1,
    )
    yield (
        "You round up: where the last step does not fit any more, the kernel is not placed.",
        lambda n, k, s, p, d: math.ceil((n + 2 * p - _reach(k, d)) / s) + 1,
    )
    yield (
        "You round to the nearest whole number; a kernel that does not fit whole is not placed, so round down.",
        lambda n, k, s, p, d: round((n + 2 * p - _reach(k, d)) / s) + 1,
    )
    yield (
        "The first position of the kernel is not counted: it stands there before any step is made.",
        lambda n, k, s, p, d: (n + 2 * p - _reach(k, d)) // s,
    )
    yield (
        "The first position is divided by the stride too: count the steps, then add the one where the kernel began.",
        lambda n, k, s, p, d: (n + 2 * p - _reach(k, d) + 1) // s,
    )
    yield (
        "The padding is counted once; it lies on both sides.",
        lambda n, k, s, p, d: (n + p - _reach(k, d)) // s + 1,
    )
    yield (
        "The padding is subtracted: it makes the map larger, so it is added.",
        lambda n, k, s, p, d: (n - 2 * p - _reach(k, d)) // s + 1,
    )
    yield "The padding is left out.", lambda n, k, s, p, d: (n - _reach(k, d)) // s + 1
    yield "The dilation is left out: a dilated kernel reaches further.", lambda n, k, s, p, d: (n + 2 * p - k) // s + 1
    yield (
        "Your dilated kernel reaches over dilation * kernel_size places: between 3 weights there are only 2 gaps.",
        lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1,
    )
    gaps = "3 weights have 2 gaps, n weights n - 1; and from the first weight to the last there is one place more."
    for reach in (
        lambda k, d: d * (k - 1),
        lambda k, d: d * k - 1,
        lambda k, d: k + d,
        lambda k, d: k + d - 1,
    ):
        yield (
            f"Your reach of a dilated kernel is off. With a dilation of 1 it must be the kernel size itself. {gaps}",
            lambda n, k, s, p, d, reach=reach: (n + 2 * p - reach(k, d)) // s + 1,
        )
    yield (
        f"Your reach is right for a kernel of 3 only. {gaps}",
        lambda n, k, s, p, d: (n + 2 * p - k - 2 * (d - 1)) // s + 1,
    )
    yield "The stride is left out.", lambda n, k, s, p, d: n + 2 * p - _reach(k, d) + 1
    yield "The size of the kernel is left out.", lambda n, k, s, p, d: (n + 2 * p - 1) // s + 1
    yield "You only divide by the stride; kernel and padding change the size too.", lambda n, k, s, p, d: n // s
    yield (
        'You round the size up to the next step, as "SAME" padding would; here the padding is a number that is given.',
        lambda n, k, s, p, d: -(-n // s),
    )


conv_output_size = Exercise(
    name="conv_output_size",
    lesson="01",
    minutes=6,
    statement=(
        "Compute how many places a convolution (or a pool) leaves along one side: from the size of the map, the kernel "
        "size, stride, padding and dilation. Nothing is computed with tensors."
    ),
    stub='''def conv_output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    """How many places a convolution leaves along one side of a map of `size` places.

    padding: empty places added on each side.
    dilation: distance between the places that neighbouring weights read; 1 is an
        ordinary kernel.
    Returns an int.
    """
    ...
''',
    hints=(
        "Put the kernel at the very left of the padded row. How many places does it cover from its first to its last "
        "weight? How many steps of `stride` can it make before it sticks out?",
        "A dilated kernel has kernel_size - 1 gaps of `dilation` places, and covers one place more than that. The "
        "number of whole steps is what is left over, divided by the stride and rounded down; the start counts as well.",
    ),
    reference=reference,
    examine=_examine_conv_output_size,
    moral="PyTorch rounds down: that is why VGG's pools make 48 rows out of 97.",
)
