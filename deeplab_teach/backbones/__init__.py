"""Backbones: image in, named feature maps out. `BACKBONES` lists them for widgets, tests and the command line."""

from deeplab_teach.backbones.adapted import AdaptedBackbone
from deeplab_teach.backbones.alex_net import AlexNet, alexnet
from deeplab_teach.backbones.bert import BERT, minilm
from deeplab_teach.backbones.channels import with_input_channels
from deeplab_teach.backbones.efficientnet_lite import EfficientNetLite, efficientnet_lite0, efficientnet_lite2
from deeplab_teach.backbones.mobilenetv2 import MobileNetV2, mobilenet_v2
from deeplab_teach.backbones.resnet import ResNet, resnet18, resnet34, resnet50, resnet101, resnet152
from deeplab_teach.backbones.resnet_beta import ResNetBeta, resnet50_beta, resnet101_beta
from deeplab_teach.backbones.text import TextEncoder, text_encoder
from deeplab_teach.backbones.vgg import VGG, vgg11, vgg11_bn, vgg13, vgg16, vgg16_bn, vgg19
from deeplab_teach.backbones.vit import ViT, vit_small
from deeplab_teach.backbones.xception import Xception, xception41, xception65, xception71

# Name -> factory. A factory takes `output_stride` as a keyword, loads nothing, and builds on the meta device too.
IMAGE_BACKBONES = {
    "mobilenet_v2": mobilenet_v2,
    "efficientnet_lite0": efficientnet_lite0,
    "efficientnet_lite2": efficientnet_lite2,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "resnet152": resnet152,
    "resnet50_beta": resnet50_beta,
    "resnet101_beta": resnet101_beta,
    "xception41": xception41,
    "xception65": xception65,
    "xception71": xception71,
    "vgg11": vgg11,
    "vgg11_bn": vgg11_bn,
    "vgg13": vgg13,
    "vgg16": vgg16,
    "vgg16_bn": vgg16_bn,
    "vgg19": vgg19,
    "alexnet": alexnet,
    "vit_small": vit_small,
}
SEQUENCE_BACKBONES = {"text_encoder": text_encoder, "minilm": minilm}
BACKBONES = {**IMAGE_BACKBONES, **SEQUENCE_BACKBONES}
VGGS = ("vgg11", "vgg11_bn", "vgg13", "vgg16", "vgg16_bn", "vgg19")
# The one output stride of each backbone that cannot dilate; every other backbone takes 8, 16 and 32.
FIXED_STRIDES = {**dict.fromkeys(VGGS, 32), "alexnet": 32, "vit_small": 16, **dict.fromkeys(SEQUENCE_BACKBONES, 1)}

__all__ = [
    "BACKBONES",
    "BERT",
    "FIXED_STRIDES",
    "IMAGE_BACKBONES",
    "SEQUENCE_BACKBONES",
    "VGG",
    "VGGS",
    "AdaptedBackbone",
    "AlexNet",
    "EfficientNetLite",
    "MobileNetV2",
    "ResNet",
    "ResNetBeta",
    "TextEncoder",
    "ViT",
    "Xception",
    "with_input_channels",
    *BACKBONES,
]
