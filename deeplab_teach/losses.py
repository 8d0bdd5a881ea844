"""Losses, kept outside the heads: a head gives raw scores, and what to do with them is the training's affair."""

import torch
import torch.nn.functional as F
from torch import Tensor

from deeplab_teach.heads.fcos import centerness, decode, fcos_targets


def segmentation_loss(logits: Tensor, target: Tensor, *, ignore_index: int = 255) -> Tensor:
    """Cross-entropy per pixel, averaged over the pixels that are not `ignore_index`; 0 if all are.

    Args:
        logits: `(N, num_classes, H, W)` raw scores.
        target: `(N, H, W)` int64 labels in `0..num_classes-1`, or `ignore_index` where nobody knows.

    Raises:
        ValueError: shapes that do not fit, or labels out of range.
    """
    if logits.dim() != 4:
        raise ValueError(f"logits must be of shape (N, num_classes, H, W), got {tuple(logits.shape)}.")
    check_labels(target, logits.shape[1], ignore_index=ignore_index)
    if target.dim() != 3 or len(target) != len(logits):
        raise ValueError(
            f"the target must be of shape (N, H, W), one label map for each of the {len(logits)} images in logits "
            f"{tuple(logits.shape)}; got {tuple(target.shape)}."
        )
    if logits.shape[-2:] != target.shape[-2:]:
        raise ValueError(
            f"logits are {tuple(logits.shape[-2:])} and the target {tuple(target.shape[-2:])}: resize the logits to "
            "the target, not the target to the logits, or its outlines are lost."
        )
    if (target == ignore_index).all():  # nothing to learn from: the mean of no pixel would be 0 / 0
        return 0.0 * logits.sum()
    return F.cross_entropy(logits, target.long(), ignore_index=ignore_index)


def check_labels(target: Tensor, num_classes: int, *, ignore_index: int | None = 255) -> None:
    """Raise a `ValueError` that names the labels which are neither a class nor `ignore_index` (if there is one)."""
    if target.is_floating_point() or target.dtype.is_complex:
        raise ValueError(f"labels must be integers, got {target.dtype}.")
    wrong = (target < 0) | (target >= num_classes)
    if ignore_index is not None:
        wrong &= target != ignore_index
    if wrong.any():
        ignored = "" if ignore_index is None else f" or {ignore_index} (ignored)"
        found = target[wrong].unique().tolist()[:5]
        raise ValueError(
            f"labels must be in 0..{num_classes - 1}{ignored}, got {', '.join(map(str, found))}. "
            "Is num_classes right (background counts), and was the mask read as class numbers, not as colours?"
        )


def fcos_loss(answers: dict[str, Tensor], targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """FCOS's three losses (Tian et al. 2019, section 3), each divided by the number of places that answer for a box.

    Args:
        answers: of an `FCOSHead`, for N images.
        targets: N of `{"boxes": (n, 4) in pixels, "labels": (n,) int64}`; an image without a box has n = 0.

    Returns:
        `"classification"` (focal loss over all places and classes), `"bbox_regression"` (generalised IoU) and
        `"bbox_ctrness"` (cross-entropy), the last two over the places that answer for a box. Their sum is trained on.

    Raises:
        ValueError: another number of targets than images, labels out of range, or a box without an area.
    """
    from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

    # In float32 whatever the head computed in: sums over thousands of places and areas in pixels need it.
    logits, regression, ctrness = (answers[key].float() for key in ("cls_logits", "bbox_regression", "bbox_ctrness"))
    if len(targets) != len(logits) or not targets:
        raise ValueError(f"one target for each of the {len(logits)} images is needed, got {len(targets)}.")
    wanted = torch.zeros_like(logits)
    image, place, box = [], [], []  # of each place that answers for a box: in which image, which place, which box
    for i, target in enumerate(targets):
        boxes = target["boxes"].as_subclass(Tensor).reshape(-1, 4).to(regression)
        _check_boxes(boxes, target["labels"], logits.shape[-1])
        labels = target["labels"].to(boxes.device, torch.int64)
        index = fcos_targets(answers, boxes)  # (L,)
        responsible = torch.nonzero(index >= 0)[:, 0]
        wanted[i, responsible, labels[index[responsible]]] = 1
        image.append(torch.full_like(responsible, i))
        place.append(responsible)
        box.append(boxes[index[responsible]])
    image, place, boxes = torch.cat(image), torch.cat(place), torch.cat(box)
    points, strides = answers["points"][place], answers["strides"][place]
    middle = centerness(points, boxes)
    found = decode(points, strides, regression[image, place])
    losses = {
        "classification": sigmoid_focal_loss(logits, wanted, reduction="sum"),
        "bbox_regression": generalized_box_iou_loss(found, boxes, reduction="sum"),
        "bbox_ctrness": F.binary_cross_entropy_with_logits(ctrness[image, place, 0], middle, reduction="sum"),
    }
    return {key: loss / max(1, len(place)) for key, loss in losses.items()}


def _check_boxes(boxes, labels, num_classes):
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(f"labels of boxes must be integers, got {labels.dtype}.")
    if len(boxes) != len(labels):
        raise ValueError(f"each box needs one label, got {len(boxes)} boxes and {len(labels)} labels.")
    if len(labels) and not 1 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(
            f"labels of boxes must be in 1..{num_classes - 1} (0 is background), got {labels.min()}..{labels.max()}."
        )
    if not (boxes[:, 2:] > boxes[:, :2]).all():
        raise ValueError("a box must be [x1, y1, x2, y2] with x1 < x2 and y1 < y2; one of these has no area.")
