"""Lesson 04: what a mean IoU is after each known mistake."""

import statistics

import torch


def mistakes():
    """`(sentence, the function after it)`: of the intersection, the true and the predicted pixels of each class."""
    yield "You give percent; asked is a number in 0..1.", lambda *c: 100 * _iou(*c).nanmean()
    yield (
        "You return nan where a class occurs nowhere: its IoU is 0 / 0. Leave it out of the mean.",
        lambda *c: _iou(*c).mean(),
    )
    yield (
        "A class that occurs nowhere counts as 0 in your mean, or you divide by the number of all classes. Nothing was "
        "done wrong with it: leave it out.",
        lambda *c: _filled(_iou(*c), 0.0).mean(),
    )
    yield (
        "A class that occurs nowhere counts as 1 in your mean. Nothing was found either: leave it out.",
        lambda *c: _filled(_iou(*c), 1.0).mean(),
    )
    yield (
        "A class that is never true is left out of your mean even if it was predicted. Such pixels are mistakes: the "
        "class has a union, and an IoU of 0.",
        lambda hit, true, predicted: _iou(hit, true, predicted)[true > 0].mean(),
    )
    yield (
        "A class that was never predicted is left out of your mean although it is there. It was missed altogether: "
        "the class has a union, and an IoU of 0.",
        lambda hit, true, predicted: _iou(hit, true, predicted)[predicted > 0].mean(),
    )
    yield (
        "Only classes that are both true and predicted somewhere are in your mean. One of the two is enough for a "
        "union: the IoU is then 0, and it counts.",
        lambda hit, true, predicted: _iou(hit, true, predicted)[(true > 0) & (predicted > 0)].mean(),
    )
    yield (
        "Classes whose intersection is empty are left out of your mean. An IoU of 0 counts; only a class without a "
        "union has none.",
        lambda hit, true, predicted: _iou(hit, true, predicted)[hit > 0].mean(),
    )
    for sentence, per_class in _other_scores():
        for mean in _means(per_class):
            yield sentence, mean
    yield (
        "You count all pixels at once: that is pixel accuracy, in which a large background hides the small classes.",
        lambda hit, true, predicted: hit.sum() / true.sum(),
    )
    yield (
        "You divide the sum of all intersections by the sum of all unions, so that large classes weigh more. Divide "
        "class by class, then take the mean.",
        lambda hit, true, predicted: hit.sum() / (true + predicted - hit).sum(),
    )
    yield (
        "You weigh each class by its number of pixels (frequency-weighted IoU); in the mean all count the same.",
        lambda hit, true, predicted: (true * _iou(hit, true, predicted)).nansum() / true.sum(),
    )
    for mean in _means(lambda *c: _iou(*c)[1:]):
        yield "The background is left out of your mean; class 0 counts like any other.", mean
    for median in (torch.nanmedian, lambda values: statistics.median(values[~values.isnan()].tolist())):
        yield "You take the median of the classes; asked is the mean.", lambda *c, median=median: median(_iou(*c))
    yield "You add up the classes; divide by the number of those that occur.", lambda *c: _iou(*c).nansum()
    yield "You divide by 21, whatever the number of classes.", lambda *c: _iou(*c).nansum() / 21
    yield "You return what is lacking to 1; asked is the mean IoU itself.", lambda *c: 1 - _iou(*c).nanmean()


def _other_scores():
    """`(sentence, a score of each class that is not its IoU)`."""
    yield (
        "You divide by the pixels that are the class, its row: that is its accuracy (recall). The union also has the "
        "pixels that were wrongly taken for the class.",
        lambda hit, true, predicted: hit / true,
    )
    yield (
        "You divide by the pixels that were predicted as the class, its column: that is its precision. The union also "
        "has the pixels of the class that were missed.",
        lambda hit, true, predicted: hit / predicted,
    )
    yield (
        "The intersection is in your union twice: it is part of the row and of the column, so one of them must go.",
        lambda hit, true, predicted: hit / (true + predicted),
    )
    yield (
        "Brackets are missing around your union: `/` comes before `+`. A mean IoU can never exceed 1.",
        lambda hit, true, predicted: hit / true + predicted - hit,
    )
    yield (
        "Brackets are missing around your union: `/` comes before `+`. A mean IoU can never exceed 1.",
        lambda hit, true, predicted: hit / predicted + true - hit,
    )
    same = "Your union takes the same axis twice; it is the row and the column of a class, its cell counted once."
    yield same, lambda hit, true, predicted: hit / (2 * true - hit)
    yield same, lambda hit, true, predicted: hit / (2 * predicted - hit)
    yield (
        "Twice the intersection, divided by row and column: that is Dice (the F1 score), which is kinder than IoU. "
        "Count the intersection once, above and below.",
        lambda hit, true, predicted: 2 * hit / (true + predicted),
    )
    yield (
        "The intersection is missing in your union: you divide by the wrong pixels only.",
        lambda hit, true, predicted: hit / (true + predicted - 2 * hit),
    )
    yield (
        "You divide by the number of all pixels; the union has only those that are the class or were predicted as it.",
        lambda hit, true, predicted: hit / true.sum(),
    )
    yield "Your division rounds down to whole numbers: use `/`, not `//`.", lambda *c: _iou(*c).floor()


def _means(per_class):
    """Means of `per_class`, one for each thing that can be done with a class that it does not know (0 / 0)."""
    yield lambda *counts: per_class(*counts).nanmean()
    yield lambda *counts: per_class(*counts).mean()
    for instead in (0.0, 1.0):
        yield lambda *counts, instead=instead: _filled(per_class(*counts), instead).mean()


def _filled(values, instead):
    return values.where(~values.isnan(), instead)


def _iou(hit, true, predicted):
    return hit / (true + predicted - hit)
