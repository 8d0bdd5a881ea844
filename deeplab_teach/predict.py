"""What a trained model answers: an image prepared as its backbone wants it, and the answer in plain form."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from deeplab_teach.features import Backbone
from deeplab_teach.heads.classification import ClassificationHead
from deeplab_teach.heads.fcn import convolutionalise
from deeplab_teach.heads.fcos import detections
from deeplab_teach.models import Detector, ImageClassifier, SegmentationModel, is_rcnn, require_kind


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
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


@torch.no_grad()
def predict_mask(model: SegmentationModel, images: Tensor) -> Tensor:
    """Label of each pixel, for images `(N, 3, H, W)` in 0..1 -> `(N, H, W)` int64. Normalises as the backbone needs."""
    require_kind(model, SegmentationModel)
    with evaluating(model):
        return model(prepared(model, images)).argmax(dim=1)


@torch.no_grad()
def predict_classes(model: ImageClassifier, image: Tensor, top: int = 5) -> list[tuple[int, float]]:
    """The `top` likeliest classes of one image `(3, H, W)` in 0..1, as `(class index, probability)`.

    The image is resized to a shorter side of 256 and its middle 224x224 is read, as ImageNet is evaluated.
    """
    from torchvision.transforms.v2 import functional as T

    require_kind(model, ImageClassifier)
    crop = T.center_crop(T.resize(image, 256, antialias=True), 224)
    with evaluating(model):
        scores = model(prepared(model, crop[None]))[0].softmax(dim=0)
    best = scores.topk(min(top, len(scores)))
    return list(zip(best.indices.tolist(), best.values.tolist(), strict=True))


@torch.no_grad()
def predict_places(model: ImageClassifier, image: Tensor) -> Tensor:
    """A classifier asked at each place instead of once: probabilities `(num_classes, h, w)` of an image in 0..1.

    Its linear layer runs as a 1x1 convolution over the map before the average (FCN, Long et al. 2015, section 3.1).
    Nothing is trained for it. The image keeps its size.

    Raises:
        ValueError: the head is no `ClassificationHead`, which averages a map before its one linear layer.
    """
    if not isinstance(getattr(model, "head", None), ClassificationHead) or not isinstance(model.backbone, Backbone):
        raise ValueError("this needs an image classifier whose head averages a map, with one linear layer after it.")
    with evaluating(model):
        maps = model.head.conv(model.backbone(prepared(model, image[None]))[model.head.deep])  # (1, C, h, w)
        return convolutionalise(model.head.classifier).to(maps)(maps)[0].softmax(dim=0)


@torch.no_grad()
def predict_boxes(model: Detector, images: Tensor, **options) -> list[dict[str, Tensor]]:
    """What is where in images `(N, 3, H, W)` in 0..1: per image `{"boxes", "scores", "labels"}`, best first.

    Boxes are `[x1, y1, x2, y2]` in pixels. `options` go to `deeplab_teach.heads.fcos.detections`, for example
    `score_threshold=0.3`. A Faster or Mask R-CNN is called directly: `model.eval()(list(images))`.
    """
    require_kind(model, Detector)
    with evaluating(model):
        return detections(model(prepared(model, images)), images.shape[-2:], **options)


@torch.no_grad()
def detect(model: nn.Module, image: Tensor) -> dict[str, Tensor]:
    """What is where in one image `(3, H, W)` in 0..1, whichever detector it is: as `predict_boxes` gives it.

    Args:
        model: a `Detector`, or torchvision's Faster or Mask R-CNN, which normalises by itself and may give `"masks"`.

    Raises:
        ValueError: no detector.
    """
    if not is_rcnn(model):
        return predict_boxes(model, image[None])[0]
    with evaluating(model):
        return model([image.to(next(model.parameters()).device)])[0]
