"""Lesson 04: count pixels by true and by predicted class."""

import re

import torch

from deeplab_teach.check.attempt import Raised, Wrong, attempt, own_function
from deeplab_teach.check.compare import require_tensor, require_untouched
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.lesson04_confusion_mistakes import NOT_TAKEN_OUT, mistakes
from deeplab_teach.metrics import confusion_matrix as reference

TINY = (
    torch.tensor([[0, 1, 1, 2], [0, 1, 0, 2], [0, 0, 1, 2]]),  # predicted
    torch.tensor([[0, 1, 1, 1], [0, 0, 255, 2], [2, 0, 255, 2]]),  # true
)


def _cases():
    """`(what it is, prediction, target, num_classes, ignore_index)`, the same in every run."""
    draw = torch.Generator().manual_seed(6)

    def labels(num_classes, *size, unknown=None):
        drawn = torch.randint(0, num_classes, size, generator=draw)
        return drawn if unknown is None else drawn.where(torch.rand(size, generator=draw) > 0.2, unknown)

    yield "a tiny image", *TINY, 3, 255
    yield "an image without ignored pixels", labels(4, 5, 7), labels(4, 5, 7), 4, 255
    yield "an image without the last class", labels(3, 7, 5), labels(3, 7, 5, unknown=255), 4, 255
    yield "a batch of 3 images", labels(5, 3, 6, 5), labels(5, 3, 6, 5, unknown=255), 5, 255
    yield "ignore_index=0", labels(4, 8, 6), labels(4, 8, 6), 4, 0
    yield "ignore_index=-1", labels(4, 6, 4), labels(4, 6, 4, unknown=-1), 4, -1
    yield "21 classes", labels(21, 9, 11), labels(21, 9, 11, unknown=255), 21, 255


def _examine_confusion_matrix(answer):
    own_function(answer, "confusion_matrix(prediction, target, num_classes, ignore_index)")
    cases = list(_cases())
    found = [_run(answer, case) for case in cases]
    due = [_try(reference, case) for case in cases]
    if not _alike(found, due):
        _name(found, due, cases)
    for value in found:
        if value.dtype != torch.int64:
            raise Wrong(f"The right counts, but as {value.dtype}; asked are whole numbers, int64.")
    small = ("uint8 labels", cases[-1][1].byte(), cases[-1][2].byte(), *cases[-1][3:])
    value = _run(answer, small)
    if not _alike([value], [_try(reference, small)]) or value.dtype != torch.int64:
        sentence = (
            "For int64 labels your matrix is right, for uint8 ones, as a mask file has them, it is not. Make them "
            "int64 before you use them."
        )
        if _alike([value], [_try(_overflow, small)]):
            sentence = (
                "Your numbers for the pairs overflow when the labels are uint8, as a mask file has them: uint8 ends at "
                "255 and begins again at 0, and with 21 classes the numbers go up to 440."
            )
        raise value.named(sentence) if isinstance(value, Raised) else Wrong(sentence)


def _run(answer, case):
    """What the answer gives for a case; an error is kept until it is known what all cases give."""
    _, prediction, target, num_classes, ignored = case
    given, call = (prediction.clone(), target.clone(), num_classes), "confusion_matrix(prediction, target, num_classes)"
    try:
        if ignored == 255:
            value = attempt(call, answer, *given)
        else:
            value = attempt(f"{call[:-1]}, ignore_index={ignored})", answer, *given, ignore_index=ignored)
    except Raised as raised:
        value = raised
    for name, before, after in (("prediction", prediction, given[0]), ("target", target, given[1])):
        require_untouched({name: before}, {name: after}, f"its input `{name}`")
    if isinstance(value, Raised):
        return value
    require_tensor(value, "your matrix")
    if value.layout != torch.strided or value.device.type != "cpu":
        raise Wrong(f"Your matrix is {value.layout} on {value.device}; asked is a dense tensor on the labels' device.")
    return value.detach()


def _try(function, case):
    _, prediction, target, num_classes, ignored = case
    try:
        return function(prediction, target, num_classes, ignore_index=ignored)
    except (RuntimeError, IndexError, ValueError) as error:
        return error


def _alike(found, other):
    """Whether the results agree: errors with errors, numbers with numbers, whatever their dtype."""
    for a, b in zip(found, other, strict=True):
        if isinstance(a, Exception) and isinstance(b, Exception):
            continue
        if isinstance(a, Exception) or isinstance(b, Exception) or a.shape != b.shape:
            return False
        if not torch.allclose(a.double(), b.double(), rtol=1e-4, atol=1e-5, equal_nan=True):
            return False
    return True


def _name(found, due, cases):
    """Raise with the mistake's name, or else with the first case that goes wrong."""
    errors = [value for value in found if isinstance(value, Raised)]
    if len(errors) < len(cases) and all(isinstance(e.error, RuntimeError | IndexError | ValueError) for e in errors):
        for sentence, mistaken in mistakes():
            if _alike(found, [_try(mistaken, case) for case in cases]):
                raise errors[0].named(sentence) if errors else Wrong(sentence)
    for value, right, case in zip(found, due, cases, strict=True):
        if isinstance(value, Raised):
            sentence = _behind(str(value.error), case) or f"Your function fails for {case[0]}."
            raise value if value is found[0] and sentence.startswith("Your function") else value.named(sentence)
        if value.shape != right.shape:
            raise Wrong(
                f"Your matrix has shape {tuple(value.shape)}, expected {tuple(right.shape)}: a row and a column for "
                "each class, and nothing else."
            )
        if not _alike([value], [right]) and value is found[0]:
            listed = {"prediction": TINY[0], "target": TINY[1], "you give": value, "expected": right}
            lines = "\n".join(f"    {name}: {numbers.tolist()}" for name, numbers in listed.items())
            raise Wrong(f"Your counts are not the right ones. With 3 classes and 255 ignored:\n{lines}")
        if not _alike([value], [right]):
            row, column = (~torch.isclose(value.double(), right.double(), rtol=1e-4)).nonzero()[0].tolist()
            raise Wrong(
                f"Your matrix is right for {cases[0][0]}, not for {case[0]}: row {row}, column {column} is "
                f"{value[row, column]:g} in yours and should be {right[row, column]}."
            )


def _behind(text, case):
    """The mistake behind an error message, or nothing."""
    _, _, target, n, ignored = case
    kept, size = int((target != ignored).sum()), re.search(r"of size (\d+)", text)
    if size and re.search(rf"shape '?[\[(]{n}, ?{n}[\])]", text):
        if int(size[1]) < n * n:
            return (
                "The row of counts is too short: `bincount` ends it at the largest number that it meets. See "
                "`minlength`."
            )
        return NOT_TAKEN_OUT if int(size[1]) > n * ignored > 0 else "Your pairs have numbers beyond the last cell."
    if f"index {ignored} is out of bounds" in text:
        return NOT_TAKEN_OUT
    lengths = all(f"({length})" in text for length in (kept, target.numel()))
    if lengths or ("of the mask" in text and f"[{kept}]" in text):
        return "Prediction and target differ in length in yours: take the same pixels out of both, with a single mask."
    if "bincount only" in text:
        return "`bincount` counts a flat row of numbers from 0 up: flatten what you give it, without negative labels."
    return None


def _overflow(prediction, target, num_classes, ignore_index):
    kept = target != ignore_index
    pairs = target[kept] * num_classes + prediction[kept]  # in uint8
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


confusion_matrix = Exercise(
    name="confusion_matrix",
    lesson="04",
    minutes=10,
    statement=(
        "Count the pixels of an image, or of a batch, by their true class (row) and their predicted class (column). A "
        "pixel whose true label is `ignore_index` is not counted, whatever was predicted there. Labels are int64 or, "
        "as a mask file has them, uint8; counts are int64."
    ),
    stub='''def confusion_matrix(prediction, target, num_classes, ignore_index=255):
    """How many pixels of each true class (row) were predicted as each class (column).

    prediction, target: labels of one shape, (H, W) or (N, H, W), int64 or uint8, each in
        0..num_classes-1. Where the target is `ignore_index`, the pixel is not counted.
    num_classes: class 0, the background, included.
    Returns (num_classes, num_classes) int64.
    """
    ...
''',
    hints=(
        "Every pixel that counts belongs to one cell of the matrix. Take the others out of both maps first. If you "
        "number the cells row by row, what is the number of the cell for a given true and predicted class?",
        "With one mask, keep in both maps the pixels whose target is known, as int64. The cell's number is the true "
        "class times `num_classes` plus the predicted one; `torch.bincount` counts them (it takes a `minlength`), and "
        "`reshape` makes a matrix of the counts.",
    ),
    reference=reference,
    examine=_examine_confusion_matrix,
    moral="Such matrices can be added: sum them over all images and compute a score from the sum, once, at the end.",
)
