"""How good is a mask: confusion matrix, mean intersection over union, and the same near outlines only."""

import torch
import torch.nn.functional as F
from torch import Tensor

from deeplab_teach.losses import check_labels


def confusion_matrix(prediction: Tensor, target: Tensor, num_classes: int, *, ignore_index=255) -> Tensor:
    """Count pixels by true class (row) and predicted class (column).

    Args:
        prediction: integer labels of any shape, each in `0..num_classes-1`.
        target: true labels of the same shape; pixels that are `ignore_index` are not counted.
        num_classes: background included.

    Returns:
        `(num_classes, num_classes)` int64. Matrices of several images can be added.

    Raises:
        ValueError: shapes differ, or a label is out of range.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ in shape.")
    check_labels(target, num_classes, ignore_index=ignore_index)
    check_labels(prediction, num_classes, ignore_index=None)
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


def trimap_band(labels: Tensor, width: int, *, ignore_index=255) -> Tensor:
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


def trimap_target(labels: Tensor, width: int, *, ignore_index=255) -> Tensor:
    """`labels` with everything outside the band set to `ignore_index`: a confusion matrix of it gives trimap mIoU."""
    return labels.where(trimap_band(labels, width, ignore_index=ignore_index), ignore_index)
