"""Lesson 04: what a confusion matrix is after each known mistake."""

import torch
import torch.nn.functional as F

from deeplab_teach.metrics import confusion_matrix

NOT_TAKEN_OUT = "Ignored pixels are not taken out before you count; their label has no row in the matrix."


def mistakes():
    """`(sentence, the function after the mistake)`."""
    for sentence, change in _of_the_matrix():
        yield sentence, lambda p, t, n, ignore_index, f=change: f(confusion_matrix(p, t, n, ignore_index=ignore_index))
    for sentence, labels in _of_the_labels():
        for count in (_count, _count_by_index, _count_by_class):
            yield sentence, lambda p, t, n, ignore_index, count=count, f=labels: count(*f(p, t, n, ignore_index), n)
    yield (
        "`ignore_index` is not used in yours: labels beyond the classes drop out by themselves, but with "
        "ignore_index=0 the pixels labelled 0 are still counted.",
        lambda p, t, n, ignore_index: _count_by_class(p, t, n),
    )
    for count in (_count, _count_by_index):
        yield NOT_TAKEN_OUT, lambda p, t, n, ignore_index, count=count: count(p, t, n)
        yield (
            "You leave out the label 255 whatever `ignore_index` says; it may be another number, such as -1 or 0.",
            lambda p, t, n, ignore_index, count=count: count(p[t != 255], t[t != 255], n),
        )
    yield (
        "The ignored pixels have a row of their own in yours; they are not counted at all.",
        lambda p, t, n, ignore_index: _count(p, t.where(t != ignore_index, n), n + 1),
    )
    yield (
        "You add the two labels, so that true 1 and predicted 0 get the same number as true 0 and predicted 1.",
        lambda p, t, n, ignore_index: torch.bincount((p + t)[t != ignore_index], minlength=n * n).reshape(n, n),
    )
    yield (
        "Of a batch you return one matrix per image; asked is one for all pixels.",
        lambda p, t, n, ignore_index: _per_image(p, t, n, ignore_index),
    )


def _count(prediction, target, num_classes):
    """Every pixel counted by the number of its pair: an error where the target has no row."""
    pairs = target * num_classes + prediction
    return torch.bincount(pairs.flatten(), minlength=num_classes**2).reshape(num_classes, num_classes)


def _count_by_index(prediction, target, num_classes):
    """The same by indexing the matrix: row -1 is the last one."""
    return _count(prediction, target.where(target >= 0, target + num_classes), num_classes)


def _count_by_class(prediction, target, num_classes):
    """The same class by class: a label without a row is never met."""
    inside = (target >= 0) & (target < num_classes)
    return _count(prediction[inside], target[inside], num_classes)


def _per_image(prediction, target, num_classes, ignore_index):
    pairs = zip(prediction, target, strict=True) if target.dim() == 3 else ()
    each = [confusion_matrix(p, t, num_classes, ignore_index=ignore_index) for p, t in pairs]
    if each:
        return torch.stack(each)
    return confusion_matrix(prediction, target, num_classes, ignore_index=ignore_index)


def _of_the_matrix():
    """`(sentence, what becomes of the right matrix)`."""
    yield "Rows and columns are swapped: a row is a true class, a column a predicted one.", lambda m: m.T
    share = "You divide the counts; asked are the numbers of pixels themselves, which can be added up over images."
    per_class = "You return a score per class; asked are the counts behind it, a whole matrix."
    for one in (lambda m: m, lambda m: m.clamp(min=1), lambda m: m + 1e-6):
        yield share, lambda m, one=one: m / one(m.sum(dim=1, keepdim=True))
        yield share, lambda m, one=one: m / one(m.sum(dim=0, keepdim=True))
        yield per_class, lambda m, one=one: m.diagonal() / one(m.sum(dim=1))
        yield per_class, lambda m, one=one: m.diagonal() / one(m.sum(dim=0))
        yield per_class, lambda m, one=one: m.diagonal() / one(m.sum(dim=0) + m.sum(dim=1) - m.diagonal())
    yield share, lambda m: m / m.sum()
    yield (
        "No cell of yours exceeds 1: if a pair comes several times in one indexed assignment (`matrix[a, b] += 1`), "
        "PyTorch adds to the cell only once.",
        lambda m: (m > 0).long(),
    )
    for without in (lambda m: m[1:, 1:], lambda m: F.pad(m[1:, 1:], (1, 0, 1, 0))):
        yield "The background is left out; it is class 0 and counts like any other.", without
    for without in (lambda m: m[:-1, :-1], lambda m: F.pad(m[:-1, :-1], (0, 1, 0, 1))):
        yield "The last class is left out: classes go from 0 to num_classes - 1.", without
    yield (
        "Your rows and columns begin with class 1; class 0, the background, comes first.",
        lambda m: F.pad(m[1:, 1:], (0, 1, 0, 1)),
    )
    for diagonal in (lambda m: m.diagonal(), lambda m: m.diagonal().diag()):
        yield "You count only the pixels that were predicted right; the mistakes belong in the matrix too.", diagonal
    yield (
        "You count only the mistakes; pixels that were predicted right are the diagonal.",
        lambda m: m.fill_diagonal_(0),
    )
    for axis in (0, 1):
        yield (
            "You count the pixels of each class on its own; asked is each pair of a true and a predicted class.",
            lambda m, axis=axis: m.sum(dim=axis),
        )
    yield "Your counts stand in one long row; asked is a matrix with a row per true class.", lambda m: m.flatten()
    yield "Each pixel is counted twice.", lambda m: 2 * m
    yield (
        "Each pixel is counted at (true, predicted) and at (predicted, true) too: your matrix cannot tell them apart.",
        lambda m: m + m.T,
    )


def _of_the_labels():
    """`(sentence, the two label maps that are then counted, every pixel of them)`."""

    def keep(p, t, kept):
        return p[kept], t[kept]

    yield (
        "You look for `ignore_index` in the prediction; it is the target that says where nobody knows.",
        lambda p, t, n, ignored: keep(p, t, p != ignored),
    )
    yield (
        "You also leave out pixels whose prediction is `ignore_index`; with ignore_index=0 a predicted 0 is an answer "
        "like any other. Only the target decides.",
        lambda p, t, n, ignored: keep(p, t, (t != ignored) & (p != ignored)),
    )
    yield (
        "You leave a pixel out only if target and prediction both are `ignore_index`; the target alone decides.",
        lambda p, t, n, ignored: keep(p, t, (t != ignored) | (p != ignored)),
    )
    yield (
        "You keep the ignored pixels and leave out the others: turn the condition round.",
        lambda p, t, n, ignored: keep(p, t, t == ignored),
    )
    for unknown in (lambda t, ignored: t == ignored, lambda t, ignored: t == 255):
        yield (
            "Ignored pixels are counted as class 0, as if they were background. Nobody knows what they are: leave "
            "them out.",
            lambda p, t, n, ignored, unknown=unknown: (p, t.where(~unknown(t, ignored), 0)),
        )
        yield (
            "Ignored pixels are counted as if they had been predicted right. Nobody knows that: leave them out.",
            lambda p, t, n, ignored, unknown=unknown: (p, t.where(~unknown(t, ignored), p)),
        )
        yield (
            "Ignored pixels are counted as the last class. Nobody knows what they are: leave them out.",
            lambda p, t, n, ignored, unknown=unknown: (p, t.where(~unknown(t, ignored), n - 1)),
        )
    yield (
        "Labels beyond the classes are moved to the nearest class and counted there. They mark pixels of which nobody "
        "knows the class: leave them out.",
        lambda p, t, n, ignored: (p, t.clamp(0, n - 1)),
    )
    yield (
        "The ignored pixels are taken out of the target only, so that each pixel after them is compared with the "
        "prediction of another one.",
        lambda p, t, n, ignored: (p.flatten()[: (t != ignored).sum()], t[t != ignored]),
    )
    for first in (lambda x: x[0] if x.dim() == 3 else x, lambda x: x[0]):
        yield (
            "You count `prediction[0]` and `target[0]` only: of a batch that is its first image.",
            lambda p, t, n, ignored, first=first: keep(first(p), first(t), first(t) != ignored),
        )
