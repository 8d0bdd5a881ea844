"""Where backbone meets head: the only place that knows both."""

from deeplab_teach.models.build import (
    RCNNS,
    build_model,
    imagenet_classifier,
    is_deeplabv3plus,
    split_classifier,
)
from deeplab_teach.models.compose import Detector, ImageClassifier, SegmentationModel, is_rcnn, require_kind
from deeplab_teach.models.many import ManyHeads, answer_together
from deeplab_teach.models.rcnn import FixedProposals, faster_rcnn, mask_rcnn

__all__ = [
    "RCNNS",
    "Detector",
    "FixedProposals",
    "ImageClassifier",
    "ManyHeads",
    "SegmentationModel",
    "answer_together",
    "build_model",
    "faster_rcnn",
    "imagenet_classifier",
    "is_deeplabv3plus",
    "is_rcnn",
    "mask_rcnn",
    "require_kind",
    "split_classifier",
]
