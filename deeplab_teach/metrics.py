"""How good is an answer: mean intersection over union of masks, near outlines too, and average precision of boxes."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from deeplab_teach.losses import check_labels


def confusion_matrix(prediction: Tensor, target: Tensor, num_classes: int, *, ignore_index: int | None = 255) -> Tensor:
    """Count pixels by true class (row) and predicted class (column).

    Args:
        prediction: integer labels of any shape, each in `0..num_classes-1`.
        target: true labels of the same shape; pixels that are `ignore_index` are not counted.
        num_classes: background included.
        ignore_index: `None` to count every pixel.

    Returns:
        `(num_classes, num_classes)` int64. Matrices of several images can be added.

    Raises:
        ValueError: shapes differ, or a label is out of range.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ in shape.")
    check_labels(target, num_classes, ignore_index=ignore_index)
    check_labels(prediction, num_classes, ignore_index=None)
    ignore_index = num_classes if ignore_index is None else ignore_index  # no pixel has it: all are counted
    kept = target != ignore_index
    # One number per (true, predicted) pair; int64, since 20 * 21 + 20 does not fit into the uint8 of a mask file.
    pairs = target[kept].long() * num_classes + prediction[kept].long()
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def iou(confusion: Tensor) -> Tensor:
    """Intersection over union of each class, `(num_classes,)` in 0..1; `nan` for a class that nowhere occurs.

    Intersection: pixels of the class that were found. Union: pixels that are the class or were taken for it.
    """
    intersection = confusion.diagonal()
    union = confusion.sum(dim=0) + confusion.sum(dim=1) - intersection
    return intersection / union  # 0 / 0 is nan


def mean_iou(confusion: Tensor) -> float:
    """Mean over classes of `iou` ("mIoU", PASCAL VOC), in 0..1; classes that nowhere occur are left out."""
    return iou(confusion).nanmean().item()


def trimap_band(labels: Tensor, width: int, *, ignore_index: int = 255) -> Tensor:
    """The pixels within `width` pixels of an outline ("trimap": Kohli et al. 2009; DeepLabv3+, figure 5a).

    A pixel belongs to the band if, in the square of `2 * width + 1` pixels around it, some label differs from another.

    Args:
        labels: `(H, W)` or `(N, H, W)` int64.
        width: in pixels, 1 or more.

    Returns:
        bool, the shape of `labels`. Pixels that are `ignore_index` are never in the band, but their edge is an outline.

    Raises:
        ValueError: `width` is below 1.
    """
    if width < 1:
        raise ValueError(f"the band's width must be 1 pixel or more, got {width}.")
    values = labels[..., None, :, :].float() if labels.dim() == 3 else labels[None, None].float()
    window = {"kernel_size": 2 * width + 1, "stride": 1, "padding": width}
    highest = F.max_pool2d(values, **window)
    lowest = -F.max_pool2d(-values, **window)
    return (highest != lowest).reshape(labels.shape) & (labels != ignore_index)


def trimap_target(labels: Tensor, width: int, *, ignore_index: int = 255) -> Tensor:
    """`labels` with everything outside the band set to `ignore_index`: a confusion matrix of it gives trimap mIoU."""
    return labels.where(trimap_band(labels, width, ignore_index=ignore_index), ignore_index)


def recall_by_size(
    prediction: Tensor, targets: list[dict], limits: Sequence[float] = (32, 56)
) -> tuple[list[float], list[int]]:
    """How much of small, medium and large objects was found: the share of their pixels that got their label.

    Args:
        prediction: `(N, H, W)` integer labels.
        targets: per image `{"masks": (n, H, W), "labels": (n,)}`, as `EmojiScenes` gives them.
        limits: between the sizes, in pixels; the size of an object is the square root of its visible area.

    Returns:
        `(shares, counts)`, one for each size: the mean over its objects, in 0..1 (`nan` without any), and their
        number; without those of which nothing is seen.

    Raises:
        ValueError: another number of targets than of images.
    """
    if len(prediction) != len(targets):
        raise ValueError(f"{len(prediction)} images were predicted, and targets of {len(targets)} are given.")
    shares = [[] for _ in range(len(limits) + 1)]
    for found, target in zip(prediction, targets, strict=True):
        for mask, label in zip(target["masks"].bool(), target["labels"], strict=True):
            size = mask.sum().item() ** 0.5
            if size == 0:
                continue  # nothing of it is to be seen: no share of nothing
            shares[sum(size >= limit for limit in limits)].append((found[mask] == label).double().mean().item())
    return [sum(row) / len(row) if row else float("nan") for row in shares], [len(row) for row in shares]


def average_precision(found: list[dict], truth: list[dict], num_classes: int, *, iou_threshold: float = 0.5) -> float:
    """Mean over classes of the average precision of boxes, COCO's way (AP50 at a threshold of 0.5), in 0..1.

    Best score first, each found box takes the true box of its class that it overlaps most and that is still free; if
    they overlap by `iou_threshold` it is right. Precision is averaged over recalls of 0, 0.01, ..., 1.

    Args:
        found: per image `{"boxes": (n, 4), "scores": (n,), "labels": (n,)}`.
        truth: per image `{"boxes": (m, 4), "labels": (m,)}`.
        num_classes: background, class 0, included; it is not counted, nor are classes that are nowhere true. `nan` if
            no class is left.

    Raises:
        ValueError: lists of different length, or a true label out of range.
    """
    if len(found) != len(truth):
        raise ValueError(f"found boxes are of {len(found)} images, true ones of {len(truth)}: give the same images.")
    found, truth = ([{key: value.cpu() for key, value in image.items()} for image in side] for side in (found, truth))
    for image in truth:
        check_labels(image["labels"], num_classes, ignore_index=None)
    precisions = []
    for label in range(1, num_classes):
        true_boxes = [image["boxes"][image["labels"] == label] for image in truth]
        count = sum(map(len, true_boxes))
        if count == 0:
            continue
        scores, right = [], []
        for image, boxes in zip(found, true_boxes, strict=True):
            own = image["labels"] == label
            order = image["scores"][own].argsort(descending=True, stable=True)
            scores.append(image["scores"][own][order])
            right.append(_matches(image["boxes"][own][order], boxes, iou_threshold))
        order = torch.cat(scores).argsort(descending=True, stable=True)
        precisions.append(_area(torch.cat(right)[order], count))
    return sum(precisions) / len(precisions) if precisions else float("nan")


def _matches(found, truth, iou_threshold):
    """Which found boxes, best first, are right: bool `(n,)`."""
    from torchvision.ops import box_iou

    right = torch.zeros(len(found), dtype=torch.bool)
    overlaps = box_iou(found, truth)  # (n, m)
    for i in range(len(found) if len(truth) else 0):
        overlap, best = overlaps[i].max(dim=0)
        if overlap >= iou_threshold:
            right[i] = True
            overlaps[:, best] = -1  # taken
    return right


def _area(right, count):
    """Area under the curve of precision over recall, with the precision made non-increasing."""
    hits = right.double().cumsum(0)
    precision = hits / torch.arange(1, len(right) + 1)
    recall = hits / count
    precision = precision.flip(0).cummax(0).values.flip(0) if len(right) else precision
    places = torch.searchsorted(recall, torch.from_numpy(np.linspace(0, 1, 101)))  # numpy's, as pycocotools has them
    return torch.cat([precision, precision.new_zeros(1)])[places].mean().item()
