"""Heads: feature maps in, answer out. Built from `feature_specs`; none of them knows a backbone."""

from deeplab_teach.heads.classification import ClassificationHead
from deeplab_teach.heads.deeplabv3 import ASPP, DeepLabV3Head, ImagePooling
from deeplab_teach.heads.deeplabv3plus import DeepLabV3PlusHead
from deeplab_teach.heads.fcn import FCNHead
from deeplab_teach.heads.linear import LinearHead

# Name -> class, for the command line and the widgets. All are called as Head(feature_specs, num_classes, ...).
HEADS = {
    "classification": ClassificationHead,
    "linear": LinearHead,
    "fcn": FCNHead,
    "deeplabv3": DeepLabV3Head,
    "deeplabv3plus": DeepLabV3PlusHead,
}

__all__ = [
    "ASPP",
    "HEADS",
    "ClassificationHead",
    "DeepLabV3Head",
    "DeepLabV3PlusHead",
    "FCNHead",
    "ImagePooling",
    "LinearHead",
]
