"""Where backbone meets head: the only place that knows both."""

from deeplab_teach.models.build import (
    build_model,
    imagenet_classifier,
    is_deeplabv3plus,
    split_classifier,
)
from deeplab_teach.models.parts import (
    Detector,
    ImageClassifier,
    SegmentationModel,
    evaluating,
    predict_boxes,
    predict_classes,
    predict_mask,
    predict_places,
)
from deeplab_teach.models.rcnn import FixedProposals, faster_rcnn, mask_rcnn

__all__ = [
    "Detector",
    "FixedProposals",
    "ImageClassifier",
    "SegmentationModel",
    "build_model",
    "evaluating",
    "faster_rcnn",
    "imagenet_classifier",
    "is_deeplabv3plus",
    "mask_rcnn",
    "predict_boxes",
    "predict_classes",
    "predict_mask",
    "predict_places",
    "split_classifier",
]
