"""Asking a network several times about one image, as the papers' "MS" and "F" columns do."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from deeplab_teach.models import SegmentationModel, require_kind
from deeplab_teach.papers.counting import scaled_size
from deeplab_teach.papers.tables import SCALES
from deeplab_teach.predict import evaluating, prepared


@torch.no_grad()
def predict_multi_scale(
    model: SegmentationModel, images: Tensor, *, scales: Sequence[float] = SCALES, flip: bool = True
) -> Tensor:
    """Label of each pixel, after averaging the class probabilities over scales and over left-right flips.

    DeepLabv3 (Chen et al. 2017, table 6) and DeepLabv3+ (table 3) report the gain: 1 to 2 mIoU for 18 times the work.

    Args:
        images: `(N, 3, H, W)` in 0..1; they are resized to the papers' sizes, `(n - 1) * scale + 1`.
        scales: `MS` in the papers' tables is 0.5, 0.75, 1, 1.25, 1.5, 1.75.
        flip: ask about the mirrored image too.

    Returns:
        `(N, H, W)` int64.

    Raises:
        ValueError: no segmentation model, no scale, or one that is not positive.
    """
    require_kind(model, SegmentationModel)
    scales = tuple(scales)
    if not scales or min(scales) <= 0:
        raise ValueError(f"scales must be one or more positive numbers, got {scales!r}.")
    size = images.shape[-2:]
    x = prepared(model, images)
    total = 0
    with evaluating(model):
        for scale in scales:
            scaled = x
            if scale != 1:
                scaled = F.interpolate(x, size=scaled_size(size, scale), mode="bilinear", align_corners=False)
            for mirrored in (False, True) if flip else (False,):
                logits = model(scaled.flip(-1) if mirrored else scaled)  # (N, num_classes, h, w)
                logits = logits.flip(-1) if mirrored else logits
                logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
                total = total + logits.softmax(dim=1)  # (N, num_classes, H, W)
    return total.argmax(dim=1)
