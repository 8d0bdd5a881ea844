"""How good is an answer: mean intersection over union of masks, near outlines too, average precision of objects."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from deeplab_teach.losses import check_labels

COCO_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())  # 0.5, 0.55, ..., 0.95, to the last bit as pycocotools
MOST_FOUND = 100  # objects of a class in an image that count: its "maxDets"
RIGHT, WRONG, NOT_COUNTED = 1, 0, -1


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


def average_precision(
    found: list[dict],
    truth: list[dict],
    num_classes: int,
    *,
    iou_threshold: float | Sequence[float] = 0.5,
    masks: bool = False,
) -> float:
    """Mean over classes of the average precision of boxes or masks, in 0..1: what pycocotools gives.

    Best score first, each found object takes the true one of its class that it overlaps most and that is still free; if
    their intersection over union is `iou_threshold` or more, it is right. Precision is averaged over recalls of 0,
    0.01, ..., 1. A crowd need not be found; what takes no true object but lies in a crowd, by that share of its own
    area, is neither right nor wrong. Of each image and class the 100 best count.

    Args:
        found: per image `{"boxes": (n, 4), "scores": (n,), "labels": (n,)}`; boxes `[x1, y1, x2, y2]` in pixels.
        truth: per image `{"boxes": (m, 4), "labels": (m,)}`, and `"iscrowd"`, bool (m,), if there are crowds.
        num_classes: background, class 0, included; it is not counted, nor are classes that are nowhere true. `nan` if
            no class is left.
        iou_threshold: 0.5 for COCO's AP50; of several, `COCO_THRESHOLDS` for COCO's AP, the mean is taken.
        masks: compare `"masks"`, bool (n, H, W), of both, in place of boxes.

    Raises:
        ValueError: lists of different length, a true label out of range, a threshold that is not in 0..1, or masks that
            are missing or of another form.
    """
    if len(found) != len(truth):
        raise ValueError(f"found boxes are of {len(found)} images, true ones of {len(truth)}: give the same images.")
    for image in truth:
        check_labels(image["labels"], num_classes, ignore_index=None)
    pairs = zip(found, truth, strict=True)
    return precision_of_matches(match_objects(*pair, iou_threshold=iou_threshold, masks=masks) for pair in pairs)


class Matches(NamedTuple):
    """Of one class in one image: how many objects are true, and what became of those found, best first.

    outcomes: int8 (t, n), for each of t thresholds: `RIGHT`, `WRONG`, or `NOT_COUNTED` for what lies in a crowd.
    """

    true: int
    scores: Tensor
    outcomes: Tensor


def match_objects(
    found: dict, truth: dict, *, iou_threshold: float | Sequence[float] = 0.5, masks: bool = False
) -> dict[int, Matches]:
    """The part of `average_precision` that looks at one image: the matches of each class that is found or true in it.

    The image's masks can be forgotten afterwards. Arguments and errors as of `average_precision`.
    """
    thresholds = [iou_threshold] if isinstance(iou_threshold, int | float) else list(iou_threshold)
    if not thresholds or not all(0 < threshold <= 1 for threshold in thresholds):
        raise ValueError(f"iou_threshold must be above 0 and at most 1, or several such numbers; got {iou_threshold}.")
    found, truth = ({key: torch.as_tensor(value).cpu() for key, value in side.items()} for side in (found, truth))
    if masks:
        _require_masks(found, truth)
    kind = "masks" if masks else "boxes"
    crowd = truth["iscrowd"].bool() if "iscrowd" in truth else torch.zeros(len(truth["labels"]), dtype=torch.bool)
    matches = {}
    for label in torch.cat([found["labels"], truth["labels"]]).unique().tolist():
        own = (found["labels"] == label).nonzero().flatten()
        own = own[found["scores"][own].argsort(descending=True, stable=True)][:MOST_FOUND]
        true = truth["labels"] == label
        overlaps = _overlaps(found[kind][own], truth[kind][true], crowd[true]).tolist()
        outcomes = [_outcomes(overlaps, crowd[true].tolist(), threshold) for threshold in thresholds]
        count = int((true & ~crowd).sum())
        matches[label] = Matches(count, found["scores"][own], torch.tensor(outcomes, dtype=torch.int8))
    return matches


def precision_of_matches(images: Iterable[dict[int, Matches]]) -> float:
    """The part of `average_precision` that looks at all images: of each class one list, best score first."""
    by_class: dict[int, list[Matches]] = {}
    for image in images:
        for label, matches in image.items():
            by_class.setdefault(label, []).append(matches)
    precisions = []
    for label, parts in sorted(by_class.items()):
        count = sum(part.true for part in parts)
        if label == 0 or count == 0:
            continue
        order = torch.cat([part.scores for part in parts]).argsort(descending=True, stable=True)
        outcomes = torch.cat([part.outcomes for part in parts], dim=1)[:, order]
        precisions += [_area(row[row != NOT_COUNTED] == RIGHT, count) for row in outcomes]
    return sum(precisions) / len(precisions) if precisions else float("nan")


def _require_masks(found, truth):
    for name, image in (("found", found), ("true", truth)):
        if "masks" not in image:
            raise ValueError(f'masks=True needs "masks" of {name} objects; these have {", ".join(image)}.')
        masks = image["masks"]
        if masks.dim() != 3 or masks.is_floating_point():
            raise ValueError(
                f"masks must be bool (n, H, W), got {tuple(masks.shape)} {masks.dtype} of {name} objects: of what a "
                "Mask R-CNN gives, take masks[:, 0] > 0.5."
            )
    if found["masks"].shape[1:] != truth["masks"].shape[1:]:
        sizes = [" x ".join(map(str, image["masks"].shape[1:])) for image in (found, truth)]
        raise ValueError(f"found masks are {sizes[0]}, true ones {sizes[1]}: they must be of one size.")


def _overlaps(found, truth, crowd):
    """Intersection over union, (n, m), of boxes or masks; with a crowd, over the area of the found one alone."""
    if found.dim() == 3:
        found, truth = (side.flatten(1).bool().float() for side in (found, truth))  # (n, H * W)
        intersection = found @ truth.T  # exact: float32 counts up to 16 million pixels
        areas, true_areas = found.sum(dim=1), truth.sum(dim=1)
    else:
        found, truth = found.double(), truth.double()
        corners = torch.minimum(found[:, None, 2:], truth[:, 2:]) - torch.maximum(found[:, None, :2], truth[:, :2])
        intersection = corners.clamp(min=0).prod(dim=2)
        areas, true_areas = ((side[:, 2:] - side[:, :2]).prod(dim=1) for side in (found, truth))
    whole = areas[:, None] + torch.where(crowd, 0, true_areas - intersection)
    return (intersection.double() / whole).nan_to_num(0)  # of nothing with nothing


def _outcomes(overlaps, crowd, threshold):
    """What becomes of the found objects, best first, by their overlaps (n, m) with true ones."""
    free = [j for j, is_crowd in enumerate(crowd) if not is_crowd]
    outcomes = []
    for row in overlaps:
        good = [j for j in free if row[j] >= threshold]
        if good:
            free.remove(max(good, key=lambda j: (row[j], j)))  # of equal ones the last, as pycocotools
            outcomes.append(RIGHT)
        else:
            in_crowd = any(overlap >= threshold for overlap, is_crowd in zip(row, crowd, strict=True) if is_crowd)
            outcomes.append(NOT_COUNTED if in_crowd else WRONG)
    return outcomes


def _area(right, count):
    """Area under the curve of precision over recall, with the precision made non-increasing."""
    hits = right.double().cumsum(0)
    precision = hits / torch.arange(1, len(right) + 1)
    recall = hits / count
    precision = precision.flip(0).cummax(0).values.flip(0) if len(right) else precision
    places = torch.searchsorted(recall, torch.from_numpy(np.linspace(0, 1, 101)))  # numpy's, as pycocotools has them
    return torch.cat([precision, precision.new_zeros(1)])[places].mean().item()
