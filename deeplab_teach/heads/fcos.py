"""FCOS (Tian et al. 2019, arXiv 1904.01355): detection by answering, at each place, "which box am I in?"

Conventions are torchvision's: a place (i, j) of a map lies at pixel (i * stride, j * stride); distances are measured in
strides; class 0 is the background, which no place is asked for.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from deeplab_teach.features import FeatureSpec, SequenceSpec, require_num_classes

CENTER_RADIUS = 1.5  # a place answers for a box if it lies within this many strides of the box's centre


def _tower(channels, depth):
    layers = []
    for _ in range(depth):
        layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.GroupNorm(32, channels), nn.ReLU()]
    return nn.Sequential(*layers)


class FCOSHead(nn.Module):
    """The same two towers of convolutions on every map of a pyramid: one for the class, one for the box.

    Args:
        feature_specs: what the pyramid declares; all its maps must have one width.
        num_classes: classes, background included, as torchvision counts.
        depth: 3x3 convolutions in a tower, 4 in the paper.

    `forward(features)` gives, for the L places of all maps together, fine maps first:

    - `"cls_logits"` `(N, L, num_classes)`, raw scores;
    - `"bbox_regression"` `(N, L, 4)`: distances to left, top, right, bottom, in strides, 0 or more;
    - `"bbox_ctrness"` `(N, L, 1)`: raw score of "I lie in the middle of the box";
    - `"points"` `(L, 2)` and `"strides"` `(L,)`: x, y and stride of each place, in pixels; `"levels"` `(L,)`: its map.

    Raises:
        ValueError: maps of different widths, or of a width that 32 groups cannot share; a text's tokens; fewer than two
            classes.
    """

    task = "detection"

    def __init__(self, feature_specs: dict[str, FeatureSpec], num_classes: int, *, depth: int = 4):
        super().__init__()
        widths = {spec.channels for spec in feature_specs.values()}
        if len(widths) != 1 or any(isinstance(spec, SequenceSpec) for spec in feature_specs.values()):
            listing = ", ".join(f"{key} {spec.channels}" for key, spec in feature_specs.items())
            raise ValueError(f"FCOS needs image maps of one width, got {listing or 'none'}: put an FPN under it.")
        channels = widths.pop()
        if channels % 32:
            raise ValueError(f"the maps' width must be a multiple of 32 (group norm), got {channels}.")
        require_num_classes(num_classes, 2)
        self.num_classes = num_classes
        self.feature_specs = dict(feature_specs)
        self.class_tower = _tower(channels, depth)
        self.cls_logits = nn.Conv2d(channels, num_classes, 3, padding=1)
        self.box_tower = _tower(channels, depth)
        self.bbox_reg = nn.Conv2d(channels, 4, 3, padding=1)
        self.bbox_ctrness = nn.Conv2d(channels, 1, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)
        # Nearly every place is background: start by saying so, with a score of 0.01 (RetinaNet, section 3.3).
        nn.init.constant_(self.cls_logits.bias, -math.log(99))

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        maps = [features[key] for key in self.feature_specs]
        logits, boxes, centers = [], [], []
        for x in maps:  # (N, 256, H/stride, W/stride)
            logits.append(_flat(self.cls_logits(self.class_tower(x))))
            in_box = self.box_tower(x)
            boxes.append(_flat(self.bbox_reg(in_box).relu()))
            centers.append(_flat(self.bbox_ctrness(in_box)))
        answers = {"cls_logits": logits, "bbox_regression": boxes, "bbox_ctrness": centers}
        return {key: torch.cat(value, dim=1) for key, value in answers.items()} | self._places(maps)

    def _places(self, maps):
        points, strides, levels = [], [], []
        for level, (x, spec) in enumerate(zip(maps, self.feature_specs.values(), strict=True)):
            rows, columns = (torch.arange(side, device=x.device) * float(spec.stride) for side in x.shape[-2:])
            y, x = torch.meshgrid(rows, columns, indexing="ij")
            points.append(torch.stack([x, y], dim=-1).reshape(-1, 2))
            strides.append(torch.full_like(points[-1][:, 0], spec.stride))
            levels.append(torch.full_like(points[-1][:, 0], level))
        return {"points": torch.cat(points), "strides": torch.cat(strides), "levels": torch.cat(levels)}


def _flat(x: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, h * w, C)."""
    return x.flatten(2).transpose(1, 2)


def distances(points: Tensor, boxes: Tensor) -> Tensor:
    """From each place `(..., 2)` to the left, top, right and bottom of its box `(..., 4)`, in pixels."""
    return torch.cat([points - boxes[..., :2], boxes[..., 2:] - points], dim=-1)


def decode(points: Tensor, strides: Tensor, regression: Tensor) -> Tensor:
    """The head's distances in strides -> boxes `[x1, y1, x2, y2]` in pixels; the inverse of `distances`."""
    reach = regression * strides[..., None]
    return torch.cat([points - reach[..., :2], points + reach[..., 2:]], dim=-1)


def centerness(points: Tensor, boxes: Tensor) -> Tensor:
    """How near its box's middle each place lies: 1 in the middle, 0 at the border (section 3.3); `(L,)`.

    Args:
        points: `(L, 2)`, x and y in pixels.
        boxes: `(L, 4)`, the box of each place, which lies inside it.
    """
    left, top, right, bottom = distances(points, boxes).unbind(dim=1)
    horizontal = torch.minimum(left, right) / torch.maximum(left, right)
    vertical = torch.minimum(top, bottom) / torch.maximum(top, bottom)
    return (horizontal * vertical).sqrt()


def fcos_targets(places: dict[str, Tensor], boxes: Tensor) -> Tensor:
    """Which box each place is to answer for: its index in `boxes` `(n, 4)`, or -1 for background; `(L,)` int64.

    A place answers for a box if it lies inside it and near its centre, and if the box's size suits its map: the
    farthest side must be 4 to 8 strides away (less on the finest map, more on the coarsest). Of several boxes the
    smallest wins (section 3.2; "near its centre" is in the paper's later version, arXiv 2006.09214).
    """
    points, strides, levels = (places[key][:, None] for key in ("points", "strides", "levels"))  # (L, 1, ...)
    if len(boxes) == 0:
        return torch.full((len(points),), -1, dtype=torch.int64, device=points.device)
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    near_center = (points - centers).abs().amax(dim=-1) < CENTER_RADIUS * strides  # (L, n)
    sides = distances(points, boxes)  # (L, n, 4)
    inside = sides.amin(dim=-1) > 0
    lower = torch.where(levels == 0, 0, 4 * strides)
    upper = torch.where(levels == levels.max(), math.inf, 8 * strides)
    farthest = sides.amax(dim=-1)
    suits = (farthest > lower) & (farthest < upper)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    areas = torch.where(near_center & inside & suits, areas, math.inf)  # (L, n)
    smallest, index = areas.min(dim=1)
    return index.where(smallest.isfinite(), -1)


def detections(
    answers: dict[str, Tensor],
    image_size: Sequence[int],
    *,
    score_threshold: float = 0.2,
    nms_threshold: float = 0.6,
    candidates: int = 1000,
    top: int = 100,
) -> list[dict[str, Tensor]]:
    """What an `FCOSHead` found, per image: `{"boxes": (n, 4), "scores": (n,), "labels": (n,)}`, best first.

    The score is the geometric mean of class and centre. Boxes below `score_threshold` are dropped, of each map the
    best `candidates` kept, and of boxes of one class that overlap by more than `nms_threshold` the best one; of what is
    left, the best `top` of each image. Boxes are in pixels and end at the border of the image, `image_size = (H, W)`.
    As in torchvision, a network that has learnt little may name class 0, and a box may have no area.
    """
    from torchvision.ops import batched_nms, clip_boxes_to_image

    found = []
    levels = answers["levels"]
    logits, regressions, ctrness = (answers[key].float() for key in ("cls_logits", "bbox_regression", "bbox_ctrness"))
    scores_of_all = (logits.sigmoid() * ctrness.sigmoid()).sqrt()  # (N, L, K)
    for scores, regression in zip(scores_of_all, regressions, strict=True):
        kept = []
        for level in levels.unique():
            place, label = torch.nonzero((scores > score_threshold) & (levels == level)[:, None], as_tuple=True)
            best = scores[place, label].topk(min(candidates, len(place))).indices
            kept.append((place[best], label[best]))
        place, label = (torch.cat(parts) for parts in zip(*kept, strict=True))
        score = scores[place, label]
        boxes = decode(answers["points"][place], answers["strides"][place], regression[place])
        boxes = clip_boxes_to_image(boxes, image_size)
        best = batched_nms(boxes, score, label, nms_threshold)[:top]
        found.append({"boxes": boxes[best], "scores": score[best], "labels": label[best]})
    return found
