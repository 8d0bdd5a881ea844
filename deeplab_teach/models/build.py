"""Models from names: which class, which output stride and which pyramid a pair of backbone and head asks for."""

import inspect

from torch import nn

from deeplab_teach.backbones import BACKBONES, FIXED_STRIDES
from deeplab_teach.fpn import with_pyramid
from deeplab_teach.heads import CLASSIFICATION_HEADS, DETECTION_HEADS, HEADS, DeepLabV3PlusHead
from deeplab_teach.models.parts import Detector, ImageClassifier, SegmentationModel


def build_model(backbone, head, num_classes, *, output_stride=None, **head_options) -> nn.Module:
    """A model from two names, as a command line or a widget gives them. Nothing is loaded.

    Under a detection head, and under DeepLabv3+ where the backbone gives one map alone (ViT), stands the pyramid that
    fits the backbone.

    Args:
        backbone: a key of `BACKBONES`.
        head: a key of `HEADS`.
        num_classes: scores per image (classification), per pixel or per box (both with background).
        output_stride: 8, 16 or 32; `None` for 16 under a dense head and 32 under any other, or the only one there is.
        head_options: passed to the head, for example `channels=96, atrous_rates=(2, 4, 6)`.

    Raises:
        ValueError: an unknown name, an impossible output stride, or an option that the head does not have.
    """
    for kind, name, known in (("backbone", backbone, BACKBONES), ("head", head, HEADS)):
        if name not in known:
            raise ValueError(f"unknown {kind} {name!r}; there are: {', '.join(known)}.")
    if num_classes < 1:
        raise ValueError(f"num_classes must be 1 or more, got {num_classes}.")
    options = list(inspect.signature(HEADS[head]).parameters)[2:]  # what follows feature_specs and num_classes
    if unknown := [option for option in head_options if option not in options]:
        raise ValueError(f"the head {head!r} has no option {', '.join(unknown)}; it has: {', '.join(options)}.")
    if output_stride is None:
        output_stride = FIXED_STRIDES.get(backbone, 32 if head in (*CLASSIFICATION_HEADS, *DETECTION_HEADS) else 16)
    body = BACKBONES[backbone](output_stride=output_stride)
    if head in DETECTION_HEADS:
        body = with_pyramid(body, extra="convs", finest=8)
    elif head == "deeplabv3plus" and list(body.feature_specs) == ["c4"]:
        body = with_pyramid(body)
    top = HEADS[head](body.feature_specs, num_classes, **head_options)
    if head in CLASSIFICATION_HEADS:
        return ImageClassifier(body, top)
    return (Detector if head in DETECTION_HEADS else SegmentationModel)(body, top)


# What stands between the published backbone and its 1000 ImageNet scores.
_IMAGENET_HEADS = {
    "mobilenet_v2": {"hidden_channels": 1280, "dropout": 0.2},
    "efficientnet_lite0": {"hidden_channels": 1280, "dropout": 0.2, "bn_eps": 1e-3},
    "alexnet": {"head": "fully_connected", "grid": 6, "dropout_first": True},
    **{name: {"head": "fully_connected"} for name in BACKBONES if name.startswith("vgg")},
}


def imagenet_classifier(backbone, *, output_stride=None) -> ImageClassifier:
    """The classifier that a backbone was published in, untrained: fill it with `load_weights(model)`.

    The exception is ViT, whose published classifier reads the one token that stands for the image: here its patches'
    tokens are averaged, and its head must be trained.

    Raises:
        ValueError: an unknown backbone, or an impossible output stride.
    """
    options = {"head": "classification"} | _IMAGENET_HEADS.get(backbone, {})
    return build_model(backbone, num_classes=1000, output_stride=output_stride, **options)


def split_classifier(model: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Cut a published ResNet classifier in two: `head(backbone(x)) == model(x)`, with the same weights.

    Everything before the average over positions is the backbone; the average and what follows is the head.
    """
    layers = dict(model.named_children())
    head = nn.Sequential(layers.pop("avgpool"), nn.Flatten(), layers.pop("fc"))
    backbone = nn.Sequential(*layers.values())
    return backbone, head


def is_deeplabv3plus(model: nn.Module) -> bool:
    """Whether a model is DeepLabv3+: the head decides, whatever the backbone."""
    return isinstance(model, SegmentationModel) and isinstance(model.head, DeepLabV3PlusHead)
