"""What training needs to know of a task: how items become a batch, what the loss is, and what is judged."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from deeplab_teach.datasets import detection_collate, segmentation_collate
from deeplab_teach.losses import fcos_loss, segmentation_loss
from deeplab_teach.models import Detector, SegmentationModel, is_rcnn, require_kind
from deeplab_teach.predict import prepared
from deeplab_teach.training.evaluation import evaluate, evaluate_boxes

AUXILIARY_WEIGHT = 0.4  # of an auxiliary head's loss (PSPNet, Zhao et al. 2017, section 5.2)


class Task(NamedTuple):
    """A task, by what is done for it.

    collate: a list of a dataset's items -> `(images, targets)`.
    loss: `(model, images, targets)` -> one number to go down.
    weight: `(targets)` -> how much of a batch there is to learn from: with several processes, each one's share.
    evaluate: `(model, dataset)` -> one number to go up, in 0..1; `score` is its key in a history, `title` its name.
    """

    collate: Callable[[list], tuple]
    loss: Callable[[nn.Module, Any, Any], Tensor]
    weight: Callable[[Any], float]
    evaluate: Callable[[Any, Any], float]
    score: str
    title: str


def _segmentation(model, images, labels):
    images = prepared(model, images).to(memory_format=torch.channels_last)
    labels, answers = labels.to(images.device), model(images)
    if isinstance(answers, Tensor):
        return segmentation_loss(answers, labels)
    scores, auxiliary = answers
    return segmentation_loss(scores, labels) + AUXILIARY_WEIGHT * segmentation_loss(auxiliary, labels)


def _fcos(model, images, targets):
    sizes = sorted({tuple(image.shape[-2:]) for image in images})
    if len(sizes) > 1:
        raise ValueError(
            f"the images of a batch differ in size ({', '.join(f'{h} x {w}' for h, w in sizes)}): give the dataset a "
            "transform that makes them alike, such as torchvision's v2.RandomCrop or v2.Resize."
        )
    images = prepared(model, torch.stack(images)).to(memory_format=torch.channels_last)
    return sum(fcos_loss(model(images), _on(images.device, targets)).values())


def _rcnn(model, images, targets):
    device = next(model.parameters()).device
    return sum(model([image.to(device) for image in images], _on(device, targets)).values())


def _on(device, targets):
    return [{key: value.to(device) for key, value in target.items()} for target in targets]


def _labelled_pixels(labels):
    return float((labels != 255).sum())


SEGMENTATION = Task(segmentation_collate, _segmentation, _labelled_pixels, evaluate, "miou", "mIoU")
FCOS = Task(detection_collate, _fcos, len, evaluate_boxes, "ap50", "AP50")
RCNN = Task(detection_collate, _rcnn, len, evaluate_boxes, "ap50", "AP50")


def task_of(model: nn.Module) -> Task:
    """The task of a model, by what it is: a `SegmentationModel`, a `Detector`, or torchvision's Faster or Mask R-CNN.

    Raises:
        ValueError: it is none of these, a classifier for example.
    """
    if is_rcnn(model):
        return RCNN
    if isinstance(model, Detector):
        return FCOS
    require_kind(model, SegmentationModel)
    return SEGMENTATION
