"""Models: a backbone and a head, one behind the other, and what a trained model answers."""

from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab_teach.features import Backbone
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


@torch.inference_mode()
def predict_boxes(model: Detector, images: Tensor, **options) -> list[dict[str, Tensor]]:
    """What is where in images `(N, 3, H, W)` in 0..1: per image `{"boxes", "scores", "labels"}`, best first.

    Boxes are `[x1, y1, x2, y2]` in pixels. `options` go to `deeplab_teach.heads.fcos.detections`, for example
    `score_threshold=0.3`.
    """
    device = next(model.parameters()).device
    with evaluating(model):
        answers = model(model.backbone.normalize(images.to(device)))
        return detections(answers, images.shape[-2:], **options)
