"""Models: a backbone and a head, one behind the other, and what a trained model answers."""

from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab_teach.features import Backbone
from deeplab_teach.heads.classification import ClassificationHead
from deeplab_teach.heads.fcn import convolutionalise
from deeplab_teach.heads.fcos import detections


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


class Detector(nn.Module):
    """A pyramid and a detection head: boxes, each with its class.

    `forward(x: (N, 3, H, W))` gives the head's raw answers at each place of each map (see `FCOSHead`);
    `deeplab_teach.losses.fcos_loss` trains on them, `predict_boxes` reads them.
    """

    def __init__(self, backbone: Backbone, head: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return self.head(self.backbone(x))


@contextmanager
def evaluating(model):
    """Eval mode inside the block; then every module as it was, so that a frozen batch norm stays frozen."""
    modes = [(module, module.training) for module in model.modules()]  # outer modules before what they hold
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.train(training)  # and not the flag alone: some modules do more there


def prepared(model: nn.Module, images: Tensor) -> Tensor:
    """Images in 0..1 as the model's backbone wants them: normalised, on its device and in its precision."""
    parameter = next(model.parameters())
    return model.backbone.normalize(images.to(parameter.device)).to(parameter.dtype)


def _require(model, wanted):
    """Raise a `ValueError` if a model is known to answer something else."""
    kinds = (ImageClassifier, SegmentationModel, Detector)
    if hasattr(model, "roi_heads") or (isinstance(model, kinds) and not isinstance(model, wanted)):
        raise ValueError(
            f"this needs one of type {wanted.__name__} (a backbone with such a head), got a {type(model).__name__}."
        )


@torch.inference_mode()
def predict_mask(model: SegmentationModel, images: Tensor) -> Tensor:
    """Label of each pixel, for images `(N, 3, H, W)` in 0..1 -> `(N, H, W)` int64. Normalises as the backbone needs."""
    _require(model, SegmentationModel)
    with evaluating(model):
        return model(prepared(model, images)).argmax(dim=1)


@torch.inference_mode()
def predict_classes(model: ImageClassifier, image: Tensor, top: int = 5) -> list[tuple[int, float]]:
    """The `top` likeliest classes of one image `(3, H, W)` in 0..1, as `(class index, probability)`.

    The image is shrunk to a shorter side of 256 and its middle 224x224 is read, as ImageNet is evaluated.
    """
    from torchvision.transforms.v2 import functional as T

    _require(model, ImageClassifier)
    crop = T.center_crop(T.resize(image, 256, antialias=True), 224)
    with evaluating(model):
        scores = model(prepared(model, crop[None]))[0].softmax(dim=0)
    best = scores.topk(min(top, len(scores)))
    return list(zip(best.indices.tolist(), best.values.tolist(), strict=True))


@torch.inference_mode()
def predict_places(model: ImageClassifier, image: Tensor) -> Tensor:
    """A classifier asked at each place instead of once: probabilities `(num_classes, h, w)` of an image in 0..1.

    Its linear layer runs as a 1x1 convolution over the map before the average (FCN, Long et al. 2015, section 3.1).
    Nothing is trained for it. The image keeps its size.

    Raises:
        ValueError: the head is no `ClassificationHead`, which averages a map before its one linear layer.
    """
    if not isinstance(getattr(model, "head", None), ClassificationHead):
        raise ValueError("this needs a classifier whose head averages a map and has one linear layer after it.")
    with evaluating(model):
        maps = model.head.conv(model.backbone(prepared(model, image[None]))[model.head.high])  # (1, C, h, w)
        return convolutionalise(model.head.classifier).to(maps)(maps)[0].softmax(dim=0)


@torch.inference_mode()
def predict_boxes(model: Detector, images: Tensor, **options) -> list[dict[str, Tensor]]:
    """What is where in images `(N, 3, H, W)` in 0..1: per image `{"boxes", "scores", "labels"}`, best first.

    Boxes are `[x1, y1, x2, y2]` in pixels. `options` go to `deeplab_teach.heads.fcos.detections`, for example
    `score_threshold=0.3`. A Faster or Mask R-CNN is called directly: `model.eval()(list(images))`.
    """
    _require(model, Detector)
    with evaluating(model):
        return detections(model(prepared(model, images)), images.shape[-2:], **options)
