"""A model over a whole dataset: confusion matrix and mIoU of masks, objects found and their average precision."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from deeplab_teach.datasets import detection_collate, segmentation_collate
from deeplab_teach.metrics import confusion_matrix, match_objects, mean_iou, precision_of_matches, trimap_target
from deeplab_teach.models import SegmentationModel, require_kind
from deeplab_teach.predict import detect, evaluating, predict_mask


def evaluate(
    model: SegmentationModel, dataset: Dataset, *, batch_size: int = 16, trimap_width: int | None = None
) -> float:
    """mIoU of a model over a dataset, in 0..1; with `trimap_width`, only over the pixels that lie near an outline.

    Arguments and errors as of `dataset_confusion`.
    """
    return mean_iou(dataset_confusion(model, dataset, batch_size=batch_size, trimap_width=trimap_width))


@torch.no_grad()
def dataset_confusion(
    model: SegmentationModel,
    dataset: Dataset,
    *,
    batch_size: int = 16,
    trimap_width: int | None = None,
    predict: Callable[[SegmentationModel, Tensor], Tensor] = predict_mask,
) -> Tensor:
    """The confusion matrix of a model over a dataset: `(num_classes, num_classes)` int64 pixels, rows the truth.

    `deeplab_teach.metrics.iou` makes the IoU of each class of it, `mean_iou` their mean.

    Args:
        dataset: gives `(image, target)`, as `deeplab_teach.datasets.segmentation_collate` takes them. Neighbours of one
            size go through the model together.
        batch_size: how many at most.
        trimap_width: count only pixels so near to an outline, in pixels; `None` for all.
        predict: `predict(model, images)` gives the labels; `deeplab_teach.papers.multi_scale.predict_multi_scale` asks
            several times.

    Raises:
        ValueError: no segmentation model, or labels that the model has no class for.
    """
    require_kind(model, SegmentationModel)
    total = torch.zeros(model.num_classes, model.num_classes, dtype=torch.int64)
    with evaluating(model):
        for images, labels in _batches_of_one_size(dataset, batch_size):
            if trimap_width is not None:
                labels = trimap_target(labels, trimap_width)
            total += confusion_matrix(predict(model, images).cpu(), labels, model.num_classes)
    return total


def _batches_of_one_size(dataset, batch_size):
    """Images and masks of a dataset in order; a batch ends at `batch_size`, or where an image has another size."""
    images, masks = [], []
    for i in range(len(dataset)):
        image, mask = segmentation_collate([dataset[i]])
        if images and (len(images) == batch_size or image.shape != images[0].shape):
            yield torch.cat(images), torch.cat(masks)
            images, masks = [], []
        images.append(image)
        masks.append(mask)
    if images:
        yield torch.cat(images), torch.cat(masks)


def evaluate_boxes(
    model: nn.Module, dataset: Dataset, *, iou_threshold: float | Sequence[float] = 0.5, masks: bool = False
) -> float:
    """AP of the boxes that a detector finds over a dataset, in 0..1, as COCO counts it: AP50 at a threshold of 0.5.

    Args:
        model: as for `dataset_detections`.
        dataset: as for `dataset_detections`.
        iou_threshold: `deeplab_teach.metrics.COCO_THRESHOLDS` gives COCO's AP.
        masks: judge the masks of a Mask R-CNN in place of its boxes.

    Raises:
        ValueError: no detector, or no masks where they are to be judged.
    """
    pairs = _detections(model, dataset, masks)
    return precision_of_matches(match_objects(*pair, iou_threshold=iou_threshold, masks=masks) for pair in pairs)


def dataset_detections(model: nn.Module, dataset: Dataset, *, masks: bool = False) -> tuple[list[dict], list[dict]]:
    """What a detector finds in each image of a dataset, and what is there: two lists of dicts, on the CPU.

    They are what `deeplab_teach.metrics.average_precision` takes; crowds are among the true objects, `"iscrowd"`.

    Args:
        model: a `Detector`, or torchvision's Faster or Mask R-CNN (`deeplab_teach.models.faster_rcnn`).
        dataset: gives `(image, target)`, as `deeplab_teach.datasets.detection_collate` takes them.
        masks: give the masks of both too, bool (n, H, W): a byte for each object and pixel of the dataset.

    Raises:
        ValueError: no detector, or no masks where they are asked for.
    """
    found, truth = [], []
    for answer, target in _detections(model, dataset, masks):
        found.append(answer)
        truth.append(target)
    return found, truth


@torch.no_grad()
def _detections(model, dataset, masks):
    """Found and true objects, image by image; without masks where nobody wants them, since they are large."""
    with evaluating(model):  # once, and not at each image
        for i in range(len(dataset)):
            (image,), (target,) = detection_collate([dataset[i]], judging=True)
            answer = detect(model, image)
            yield _plain(answer, masks, "the detector finds"), _plain(target, masks, "the dataset has")


def _plain(objects, masks, whose):
    """Objects on the CPU, their masks as bool (n, H, W): a Mask R-CNN gives probabilities, (n, 1, H, W)."""
    if masks and "masks" not in objects:
        raise ValueError(f"masks are to be judged, and {whose} none: use a Mask R-CNN and a dataset with masks.")
    plain = {key: value.cpu() for key, value in objects.items() if key != "masks"}
    if masks:
        values = objects["masks"]
        plain["masks"] = (values[:, 0] > 0.5 if values.is_floating_point() else values.bool()).cpu()
    return plain
