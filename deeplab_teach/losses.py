"""Losses, kept outside the heads: a head gives raw scores, and what to do with them is the training's affair."""

import torch.nn.functional as F
from torch import Tensor


def segmentation_loss(logits: Tensor, target: Tensor, *, ignore_index=255) -> Tensor:
    """Cross-entropy per pixel, averaged over the pixels that are not `ignore_index`.

    Args:
        logits: `(N, num_classes, H, W)` raw scores.
        target: `(N, H, W)` int64 labels in `0..num_classes-1`, or `ignore_index` where nobody knows.

    Raises:
        ValueError: shapes that do not fit, or labels out of range.
    """
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
