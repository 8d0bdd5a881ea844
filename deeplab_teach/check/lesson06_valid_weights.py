"""Lesson 06: which share of a dilated kernel's weights reads the map."""

import itertools
import math
from numbers import Real

from deeplab_teach.check.attempt import Raised, Wrong, a_kind, attempt, own_function
from deeplab_teach.check.compare import name_mistake
from deeplab_teach.check.engine import Exercise
from deeplab_teach.layers import valid_weight_share as reference

# size, rate, kernel_size: inside the map, at its size and beyond it; odd and even; other kernels than 3x3.
CASES = (
    *((9, 2, 3), (33, 6, 3), (33, 18, 3), (6, 1, 3), (12, 4, 3), (12, 5, 3)),
    *((7, 6, 3), (7, 7, 3), (7, 10, 3)),
    *((15, 3, 5), (8, 5, 5), (7, 8, 5), (20, 3, 7), (5, 2, 1)),  # in (8, 5, 5) only the outermost weights are lost
)


def _examine_valid_weights(answer):
    own_function(answer, "valid_weight_share(size, rate, kernel_size)")
    answers = []
    for case in CASES:
        value = _run(answer, case)
        if isinstance(value, bool) or not isinstance(value, Real):
            hint = ": `.item()` makes one of a tensor" if hasattr(value, "item") else ""
            raise Wrong(f"`{_call(case)}` gives {a_kind(value)}; asked is a number in 0..1{hint}.")
        answers.append(float(value))
    due = [reference(*case) for case in CASES]
    if _equal(answers, due):
        return
    name_mistake(answers, CASES, _mistakes(), alike=_equal)
    for digits in range(6):
        if all(math.isclose(got, round(right, digits)) for got, right in zip(answers, due, strict=True)):
            raise Wrong(f"You round to {digits} digits. Give the share as it is; rounding is for whoever prints it.")
    for case, got, right in zip(CASES, answers, due, strict=True):
        if not _equal([got], [right]):
            raise Wrong(
                f"`{_call(case)}` gives {got:.4f}, and the right answer is {right:.4f}. Draw a row of places, shift "
                "the kernel along it and count for each weight at how many places it reads the map."
            )


def _call(case):
    size, rate, kernel_size = case
    return f"valid_weight_share({size}, {rate}{'' if kernel_size == 3 else f', kernel_size={kernel_size}'})"


def _run(answer, case):
    size, rate, kernel_size = case
    try:
        return attempt(_call(case), answer, size, rate, **({} if kernel_size == 3 else {"kernel_size": kernel_size}))
    except Raised as raised:
        if "Kernel size can't be greater than actual input size" not in str(raised.error):
            raise
        sentence = (
            f"At `{_call(case)}` your padded map is smaller than the dilated kernel. A padding that keeps the size "
            "always leaves room: on each side it is as wide as the kernel reaches beyond its middle."
        )
        raise raised.named(sentence) from None


def _equal(values, others):
    return all(math.isclose(a, b, rel_tol=2e-6, abs_tol=2e-6) for a, b in zip(values, others, strict=True))


def _offsets(rate, kernel_size):
    return [rate * (i - kernel_size // 2) for i in range(kernel_size)]


def _square(readings, offsets=_offsets, side=lambda n, r, k: n):
    """The share when a weight at offset `o` reads the map at `readings(n, o)` of `n` places along a side."""
    return lambda n, r, k: (sum(readings(n, o) for o in offsets(r, k)) / (k * side(n, r, k))) ** 2


def _at(place):
    """The share at one place alone."""
    return lambda n, r, k: (sum(0 <= place(n) + o < n for o in _offsets(r, k)) / k) ** 2


def _unless(condition, share):
    return lambda n, r, k: share(k) if condition(n, r, k) else reference(n, r, k)


def _scaled(by):
    return lambda n, r, k: by(n, k) * reference(n, r, k)


def _places_inside(n, r, k):
    """The share of places at which the whole kernel lies on the map."""
    return (max(0, n - 2 * r * (k // 2)) / n) ** 2


def _mistakes():
    """`(sentence, the function after the mistake)`."""

    def right(n, o):
        return max(0, n - abs(o))

    yield (
        "You give the share along one side. A weight reads the map only if both its row and its column lie on it.",
        lambda n, r, k: math.sqrt(reference(n, r, k)),
    )
    yield (
        "You count a weight as soon as its row or its column lies on the map. It reads the map where both do.",
        lambda n, r, k: 1 - (1 - math.sqrt(reference(n, r, k))) ** 2,
    )
    yield (
        "You square before you average. So the places of the diagonal alone are counted: average along a side first.",
        lambda n, r, k: sum(_at(lambda _, place=place: place)(n, r, k) for place in range(n)) / n,
    )
    yield "You give per cent; asked is a share in 0..1.", _scaled(lambda n, k: 100)
    yield "You count the weights of a place, up to 9 of a 3x3; divide by their number.", _scaled(lambda n, k: k**2)
    for total in (lambda n, k: n**2, lambda n, k: k**2 * n**2):
        yield "You add up over all places; asked is a share, an average over the places.", _scaled(total)
    yield "You give the share on the padding; asked is the share on the map.", lambda n, r, k: 1 - reference(n, r, k)
    for middle in (lambda n: n // 2, lambda n: (n - 1) // 2):
        yield "You look at the place in the middle only; near the border more weights read padding.", _at(middle)
    yield "You look at a place in a corner only, the worst of all; average over all places.", _at(lambda n: 0)
    whole = "You give the share of places where the whole kernel lies on the map. A part of a kernel counts too."
    yield whole, _places_inside
    padded = "You give the share of places where some weight reads padding; asked is the share of weights that do not."
    yield padded, lambda n, r, k: 1 - _places_inside(n, r, k)
    yield (
        "Yours is 1 at every rate. So it is without padding, or where a place counts as soon as one of its weights "
        "reads the map. Keep the size by padding, and count every weight at every place.",
        lambda n, r, k: 1.0,
    )
    yield "The rate is left out: a larger one spreads the weights apart.", lambda n, r, k: reference(n, 1, k)
    yield "Yours is right for a 3x3 kernel only: `kernel_size` is left out.", lambda n, r, k: reference(n, r, 3)
    yield (
        "Yours is right for a 3x3 kernel only: in a larger one all neighbouring weights lie `rate` places apart, so "
        "the outermost are several rates from the middle.",
        _square(right, lambda r, k: [(abs(j) + r - 1) * (-1 if j < 0 else 1) * (j != 0) for j in _offsets(1, k)]),
    )
    yield (
        "Your weights lie rate + 1 places apart. At a rate of 1 they are neighbours, as in an ordinary kernel.",
        lambda n, r, k: reference(n, r + 1, k),
    )
    yield (
        "Your kernel begins at its place; it is centred there, so as many weights lie before the place as after it.",
        _square(right, lambda r, k: [r * i for i in range(k)]),
    )
    yield "You count padding on one side of the map; it lies on both.", _square(lambda n, o: max(0, n - max(0, o)))
    yield (
        "You divide by the size of the padded map. The kernel is centred at the places of the map itself: `size`.",
        _square(right, side=lambda n, r, k: n + 2 * r * (k // 2)),
    )
    yield (
        "Where the rate exceeds the size, weights count below zero in yours. One that never reads the map counts 0, "
        "and the one in the middle always reads it: no 3x3 falls below 1 / 9.",
        _square(lambda n, o: n - abs(o)),
    )
    off = "You are off by one: a weight `o` places from the middle misses the map at exactly `o` places of a row."
    less = (lambda o: 1, lambda o: o != 0, lambda o: o <= 0)
    more = (lambda o: -1, lambda o: -(o != 0), lambda o: -(o > 0))
    for miss in (*less, *more):
        yield off, _square(lambda n, o, miss=miss: max(0, n - abs(o) - miss(o)))
    thresholds = (
        lambda n, r, k: 2 * r * (k // 2) + 1 > n,
        lambda n, r, k: r > n / 2,
        lambda n, r, k: r >= n // 2,
        lambda n, r, k: 2 * r + 1 > n,
    )
    for condition, share in itertools.product(thresholds, (lambda k: 1 / k**2, lambda k: 1 / 9)):
        yield (
            "You count the centre weight alone too early. At a corner another weight still reads the map, until it "
            "lies `size` places from the middle.",
            _unless(condition, share),
        )
    yield (
        "You count the centre weight alone as soon as the outermost weights miss the map. In a kernel larger than "
        "3x3 those between may still read it.",
        _unless(lambda n, r, k: r * (k // 2) >= n, lambda k: 1 / k**2),
    )
    beyond = lambda n, r, k: r >= n
    yield "1 / 9 is the share of the centre weight in a 3x3 only.", _unless(beyond, lambda k: 1 / 9)
    yield (
        "Yours is 0 once the rate reaches the size of the map; the centre weight reads the map at any rate.",
        _unless(beyond, lambda k: 0.0),
    )


valid_weights = Exercise(
    name="valid_weights",
    lesson="06",
    minutes=10,
    statement=(
        "Centre a dilated kernel at each place of a square map in turn; the map is padded so that it keeps its size. "
        "Compute which share of the kernel's kernel_size**2 weights reads the map and not the padding, on average "
        "over all places: a float in 0..1."
    ),
    stub='''def valid_weight_share(size, rate, kernel_size=3):
    """Which share of a dilated kernel's weights reads the map, on average over all places.

    size: places along each side of a square map; padding keeps this size.
    rate: places from one weight to the next; 1 is an ordinary kernel.
    kernel_size: weights along each side of the kernel, an odd number.
    Returns a float in 0..1; 1 would be a kernel that never reads padding.
    """
    ...
''',
    hints=(
        "Take one row, and one weight `o` places to the right of the kernel's middle. Shift the kernel along all "
        "`size` places: at how many of them does this weight read the map? And if `o` is larger than the row?",
        "A weight at offset `o` reads the row at size - |o| places, never fewer than 0; the offsets are the multiples "
        "of `rate` from -(kernel_size // 2) to kernel_size // 2. Divide the sum by kernel_size * size. Columns are "
        "like rows and independent of them: square it.",
    ),
    reference=reference,
    examine=_examine_valid_weights,
    moral=(
        "On a map of 33 x 33 places a 3x3 at rate 18 reads the map with 40 % of its weights: ASPP sees the whole map "
        "by an average, not by a still larger rate."
    ),
)
