"""A model over a whole dataset: confusion matrix and mIoU of masks, boxes found and their average precision."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from deeplab_teach.datasets import detection_collate, segmentation_collate
from deeplab_teach.metrics import average_precision, confusion_matrix, mean_iou, trimap_target
from deeplab_teach.models import SegmentationModel, require_kind
from deeplab_teach.predict import evaluating, predict_boxes, predict_mask


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


def evaluate_boxes(model: nn.Module, dataset: Dataset, *, iou_threshold: float = 0.5) -> float:
    """AP of the boxes that a detector finds over a dataset, in 0..1: AP50 at a threshold of 0.5. Crowds are left out.

    Arguments and errors as of `dataset_detections`.
    """
    found, truth = dataset_detections(model, dataset)
    num_classes = max([int(image["labels"].max()) for image in truth if len(image["labels"])], default=0) + 1
    return average_precision(found, truth, num_classes, iou_threshold=iou_threshold)


@torch.no_grad()
def dataset_detections(model: nn.Module, dataset: Dataset) -> tuple[list[dict], list[dict]]:
    """What a detector finds in each image of a dataset, and what is there: two lists of dicts, on the CPU.

    Args:
        model: a `Detector`, or torchvision's Faster or Mask R-CNN (`deeplab_teach.models.faster_rcnn`).
        dataset: gives `(image, target)`, as `deeplab_teach.datasets.detection_collate` takes them.

    Raises:
        ValueError: no detector.
    """
    found, truth = [], []
    device = next(model.parameters()).device
    with evaluating(model):
        for i in range(len(dataset)):  # type: ignore[arg-type]
            (image,), (target,) = detection_collate([dataset[i]])
            if hasattr(model, "roi_heads"):
                (answer,) = model([image.to(device)])
            else:
                (answer,) = predict_boxes(model, image[None])
            found.append({key: value.cpu() for key, value in answer.items()})
            truth.append(target)
    return found, truth
