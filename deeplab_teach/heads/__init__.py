"""Heads: feature maps in, answer out. Built from `feature_specs`; none of them knows a backbone."""

from deeplab_teach.heads.classification import ClassificationHead, FullyConnectedHead
from deeplab_teach.heads.deeplabv3 import ASPP, DeepLabV3Head, ImagePooling
from deeplab_teach.heads.deeplabv3plus import DeepLabV3PlusHead
from deeplab_teach.heads.fcn import FCNHead, convolutionalise
from deeplab_teach.heads.fcos import FCOSHead
from deeplab_teach.heads.linear import LinearHead

# Name -> class, for the command line and the widgets. All are called as Head(feature_specs, num_classes, ...).
HEADS = {
    "classification": ClassificationHead,
    "fully_connected": FullyConnectedHead,
    "linear": LinearHead,
    "fcn": FCNHead,
    "deeplabv3": DeepLabV3Head,
    "deeplabv3plus": DeepLabV3PlusHead,
    "fcos": FCOSHead,
}
# By what a head answers, which it declares as its `task`: scores of an image, scores of each pixel, or boxes.
CLASSIFICATION_HEADS = tuple(name for name, head in HEADS.items() if head.task == "classification")
DENSE_HEADS = tuple(name for name, head in HEADS.items() if head.task == "segmentation")
DETECTION_HEADS = tuple(name for name, head in HEADS.items() if head.task == "detection")

__all__ = [
    "ASPP",
    "CLASSIFICATION_HEADS",
    "DENSE_HEADS",
    "DETECTION_HEADS",
    "HEADS",
    "ClassificationHead",
    "DeepLabV3Head",
    "DeepLabV3PlusHead",
    "FCNHead",
    "FCOSHead",
    "FullyConnectedHead",
    "ImagePooling",
    "LinearHead",
    "convolutionalise",
]
