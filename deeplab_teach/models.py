"""Where backbone meets head: the only file that knows both."""

import inspect
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab_teach.backbones import BACKBONES
from deeplab_teach.features import Backbone
from deeplab_teach.heads import HEADS, DeepLabV3PlusHead


class ImageClassifier(nn.Module):
    """A backbone and a classification head: one label per image.

    `forward(x: (N, 3, H, W)) -> (N, num_classes)` raw scores.
    """

    def __init__(self, backbone: Backbone, head: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x))


class SegmentationModel(nn.Module):
    """A backbone and a dense head: one label per pixel.

    `forward(x: (N, 3, H, W)) -> (N, num_classes, H, W)` raw scores: the head's coarse map, resized to the input.
    """

    def __init__(self, backbone: Backbone, head: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        logits = self.head(self.backbone(x))  # (N, num_classes, H/stride, W/stride)
        # To the input's size, never by a factor: 97 pixels at stride 4 make 25 rows, and 25 * 4 is not 97.
        return F.interpolate(logits, size=x.shape[-2:], mode="bilinear", align_corners=False)


def build_model(backbone, head, num_classes, *, output_stride=None, **head_options) -> nn.Module:
    """A model from two names, as a command line or a widget gives them. Nothing is loaded.

    Args:
        backbone: a key of `BACKBONES`.
        head: a key of `HEADS`.
        num_classes: scores per image (classification) or per pixel (background included).
        output_stride: 8, 16 or 32; `None` for 16 under a dense head and 32 under a classification head.
        head_options: passed to the head, for example `channels=96, atrous_rates=(2, 4, 6)`.

    Raises:
        ValueError: an unknown name, an impossible output stride, or an option that the head does not have.
    """
    for kind, name, known in (("backbone", backbone, BACKBONES), ("head", head, HEADS)):
        if name not in known:
            raise ValueError(f"unknown {kind} {name!r}; there are: {', '.join(known)}.")
    is_classifier = head == "classification"
    if num_classes < 1:
        raise ValueError(f"num_classes must be 1 or more, got {num_classes}.")
    options = list(inspect.signature(HEADS[head]).parameters)[2:]  # what follows feature_specs and num_classes
    if unknown := [option for option in head_options if option not in options]:
        raise ValueError(f"the head {head!r} has no option {', '.join(unknown)}; it has: {', '.join(options)}.")
    if output_stride is None:
        output_stride = 32 if is_classifier else 16
    body = BACKBONES[backbone](output_stride=output_stride)
    top = HEADS[head](body.feature_specs, num_classes, **head_options)
    return (ImageClassifier if is_classifier else SegmentationModel)(body, top)


# What stands between the published backbone and its 1000 ImageNet scores.
_IMAGENET_HEADS = {
    "mobilenet_v2": {"hidden_channels": 1280, "dropout": 0.2},
    "efficientnet_lite0": {"hidden_channels": 1280, "dropout": 0.2, "bn_eps": 1e-3},
}


def imagenet_classifier(backbone, *, output_stride=32) -> ImageClassifier:
    """The classifier that a backbone was published in, untrained: fill it with `load_weights(model)`.

    Raises:
        ValueError: an unknown backbone, or an impossible output stride.
    """
    options = _IMAGENET_HEADS.get(backbone, {})
    return build_model(backbone, "classification", 1000, output_stride=output_stride, **options)


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


@contextmanager
def evaluating(model):
    """Eval mode inside the block; then every module as it was, so that a frozen batch norm stays frozen."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@torch.inference_mode()
def predict_mask(model: SegmentationModel, images: Tensor) -> Tensor:
    """Label of each pixel, for images `(N, 3, H, W)` in 0..1 -> `(N, H, W)` int64. Normalises as the backbone needs."""
    device = next(model.parameters()).device
    with evaluating(model):
        return model(model.backbone.normalize(images.to(device))).argmax(dim=1)


@torch.inference_mode()
def predict_classes(model: ImageClassifier, image: Tensor, top: int = 5) -> list[tuple[int, float]]:
    """The `top` likeliest classes of one image `(3, H, W)` in 0..1, as `(class index, probability)`.

    The image is shrunk to a shorter side of 256 and its middle 224x224 is read, as ImageNet is evaluated.
    """
    from torchvision.transforms.v2 import functional as T

    crop = T.center_crop(T.resize(image, 256, antialias=True), 224)
    device = next(model.parameters()).device
    with evaluating(model):
        scores = model(model.backbone.normalize(crop[None].to(device)))[0].softmax(dim=0)
    best = scores.topk(min(top, len(scores)))
    return list(zip(best.indices.tolist(), best.values.tolist(), strict=True))
