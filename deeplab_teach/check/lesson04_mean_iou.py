"""Lesson 04: the mean over classes of intersection over union."""

import math
import re

import torch
from torch import Tensor

from deeplab_teach.check.attempt import Raised, Wrong, a_kind, attempt, own_function
from deeplab_teach.check.compare import require_untouched
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.lesson04_iou_mistakes import mistakes
from deeplab_teach.metrics import iou
from deeplab_teach.metrics import mean_iou as reference

RUN = "mean_iou(confusion)"
# Rows true, columns predicted.
CASES = [
    [[50, 2, 3], [4, 20, 1], [6, 5, 9]],
    [[90, 4, 0, 7], [8, 30, 0, 2], [0, 0, 0, 0], [5, 1, 0, 12]],  # class 2 occurs nowhere
    [[60, 3, 0, 2], [1, 40, 0, 6], [9, 2, 0, 4], [7, 5, 0, 30]],  # class 2 is never predicted
    [[60, 3, 8, 2], [1, 40, 4, 6], [0, 0, 0, 0], [7, 5, 2, 30]],  # class 2 is predicted, never true
    [[25, 3, 1], [2, 0, 7], [4, 5, 33]],  # class 1 is never where it was predicted
    [[0, 0, 0, 0], [0, 70, 6, 3], [0, 2, 10, 5], [0, 8, 1, 22]],  # class 0 occurs nowhere
    [[8, 0], [0, 3]],
]


def _examine_mean_iou(answer):
    own_function(answer, RUN)
    cases = [torch.tensor(rows) for rows in CASES]
    cases.append(torch.randint(0, 5000, (21, 21), generator=torch.Generator().manual_seed(4)))
    found = []
    for confusion in cases:
        given = confusion.clone()
        value = _run(answer, given, confusion)
        require_untouched({"confusion": confusion}, {"confusion": given}, "its input `confusion`")
        _require_number(value, len(confusion))
        found.append(value)
    due = [reference(confusion) for confusion in cases]
    if _alike(found, due):
        return
    for sentence, mistaken in mistakes():
        if _alike(found, [_try(mistaken, confusion) for confusion in cases]):
            raise Wrong(sentence)
    for digits in (1, 2, 3, 4):
        if _alike(found, [round(value, digits) for value in due]):
            raise Wrong("You round the result; return it as it is, and round only where you print it.")
    for confusion, value, right in zip(cases, found, due, strict=True):
        if not _alike([value], [right]):
            which = confusion.tolist() if len(confusion) < 9 else "a matrix of 21 classes"
            remark = " Somewhere 0 is divided by 0." if math.isnan(value) else ""
            raise Wrong(f"For confusion = {which} you give {value:.4f}; the right answer is {right:.4f}.{remark}")


def _run(answer, given, confusion):
    try:
        return attempt(RUN, answer, given)
    except Raised as raised:
        if re.search("could not infer output dtype|floating point", str(raised.error)):
            raise raised.named("PyTorch takes no mean of whole numbers: `/` gives fractions, `//` does not.") from None
        if not isinstance(raised.error, ZeroDivisionError) and "ZeroDivisionError" not in str(raised.error):
            raise
        if iou(confusion).isnan().any():
            raise raised.named(
                "A class that occurs nowhere has an empty union: leave it out before you divide."
            ) from None
        raise raised.named(
            "You divide by 0 although every class occurs here, be it true or predicted. A class that occurs has a "
            "union: is it the union that you divide by?"
        ) from None


def _require_number(value, num_classes):
    if isinstance(value, float):
        return
    if isinstance(value, Tensor) and value.dim() == 0:
        raise Wrong("Your function returns a tensor; asked is a Python float. `.item()` makes one of it.")
    if isinstance(value, Tensor | list | tuple) and len(value) == num_classes:
        raise Wrong(f"Your function returns {a_kind(value)}, a number for each class; asked is their mean.")
    raise Wrong(f"Your function returns {a_kind(value)}; asked is one number, a Python float.")


def _alike(found, other):
    return all(
        a == b or (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-5)
        for a, b in zip(found, other, strict=True)
    )


def _try(mistaken, confusion):
    counts = confusion.double()
    return float(mistaken(counts.diagonal(), counts.sum(dim=1), counts.sum(dim=0)))


mean_iou = Exercise(
    name="mean_iou",
    lesson="04",
    minutes=7,
    statement=(
        "Compute the mean IoU from a confusion matrix (rows true, columns predicted): the intersection of each class "
        "divided by its union, then the mean of these. A class that occurs nowhere, neither true nor predicted, is "
        "left out of the mean. The result is a Python float in 0..1."
    ),
    stub='''def mean_iou(confusion):
    """Mean over classes of intersection over union, a Python float in 0..1.

    confusion: (num_classes, num_classes) int64, pixels by true class (row) and predicted
        class (column).
    Intersection: pixels of the class that were predicted as it. Union: pixels that are of
    the class or were predicted as it, each once. A class with an empty union is left out.
    """
    ...
''',
    hints=(
        "The pixels of a class are its row, those predicted as it are its column. In which cell do the two meet, and "
        "how often is that cell in the sum of both?",
        "`confusion.diagonal()` holds the intersections; a sum over each axis, added, less the diagonal, the unions. "
        "Divide only where the union is not empty (or let 0 / 0 be nan and use a mean that skips nan), and end with "
        "`.item()`.",
    ),
    reference=reference,
    examine=_examine_mean_iou,
    moral="All classes count the same: to miss a small one altogether costs as much as to miss a large one.",
)
