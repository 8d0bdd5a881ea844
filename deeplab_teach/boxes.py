"""Boxes `[x1, y1, x2, y2]`, in pixels: how far two of them agree, and which of many that agree to keep."""

import torch
from torch import Tensor


def box_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of each box `(n, 4)` with each of the others `(m, 4)`: `(n, m)` in 0..1.

    Two boxes that share nothing have 0, and so have two without an area.
    """
    left_top = torch.maximum(boxes[:, None, :2], others[:, :2])  # (n, m, 2)
    right_bottom = torch.minimum(boxes[:, None, 2:], others[:, 2:])  # (n, m, 2)
    intersection = (right_bottom - left_top).clamp(min=0).prod(dim=2)  # (n, m)
    areas, other_areas = ((side[:, 2:] - side[:, :2]).prod(dim=1) for side in (boxes, others))
    union = areas[:, None] + other_areas - intersection
    return (intersection / union).nan_to_num(0)  # 0 / 0, of nothing with nothing


def nms(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Non-maximum suppression: of boxes that overlap by more than `threshold` only the best one is kept.

    Args:
        boxes: `(n, 4)`.
        scores: `(n,)`.
        threshold: an intersection over union; a box that overlaps a kept one by just as much stays.

    Returns:
        The indices of the kept boxes, int64, best score first; of equal scores the first.
    """
    order = scores.argsort(descending=True, stable=True)
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        overlaps = box_iou(boxes[best][None], boxes[rest])[0]
        order = rest[overlaps <= threshold]
    return torch.stack(kept) if kept else order
