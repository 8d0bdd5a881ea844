"""Backbones: image in, named feature maps out. `BACKBONES` lists them for widgets, tests and the command line."""

from deeplab_teach.backbones.efficientnet_lite import EfficientNetLite, efficientnet_lite0
from deeplab_teach.backbones.mobilenetv2 import MobileNetV2, mobilenet_v2
from deeplab_teach.backbones.resnet import ResNet, resnet18, resnet50, resnet101

# Name -> factory. A factory takes `output_stride` as a keyword, loads nothing, and builds on the meta device too.
BACKBONES = {
    "mobilenet_v2": mobilenet_v2,
    "efficientnet_lite0": efficientnet_lite0,
    "resnet18": resnet18,
    "resnet50": resnet50,
    "resnet101": resnet101,
}

__all__ = [
    "BACKBONES",
    "EfficientNetLite",
    "MobileNetV2",
    "ResNet",
    "efficientnet_lite0",
    "mobilenet_v2",
    "resnet18",
    "resnet50",
    "resnet101",
]
