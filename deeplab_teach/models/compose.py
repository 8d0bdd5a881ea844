"""Models: a backbone and a head, one behind the other."""

import torch.nn.functional as F
from torch import Tensor, nn

from deeplab_teach.features import Backbone, SequenceBackbone
from deeplab_teach.grids import resample


class _Composed(nn.Module):
    """What every model is made of. `num_classes` is the head's."""

    def __init__(self, backbone: Backbone | SequenceBackbone, head: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.head = head

    @property
    def num_classes(self) -> int:
        num_classes: int = self.head.num_classes
        return num_classes


class ImageClassifier(_Composed):
    """A backbone and a classification head: one label per image.

    `forward(x: (N, 3, H, W)) -> (N, num_classes)` raw scores. On a text backbone it takes ids `(N, T)`.
    """

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x))


class SegmentationModel(_Composed):
    """A backbone and a dense head: one label per pixel.

    `forward(x: (N, 3, H, W)) -> (N, num_classes, H, W)` raw scores: the head's coarse map, resized to the input.

    Args:
        aligned: put each score where its place lies in the image, as the backbone's `grids` says. `False` stretches the
            map over the image, as torchvision does: up to half a stride off.

    Raises:
        ValueError: `aligned` with a backbone that does not know where its places lie, or a head that does not say on
            which map it answers (`answers_on`).
    """

    def __init__(self, backbone: Backbone | SequenceBackbone, head: nn.Module, *, aligned: bool = False):
        super().__init__(backbone, head)
        self.aligned = aligned
        if aligned:
            if not hasattr(head, "answers_on"):
                raise ValueError(
                    f"aligned=True needs to know on which map's grid {type(head).__name__} answers: give it an "
                    'attribute `answers_on`, such as "c5".'
                )
            backbone.grids((64, 64))

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[-2], x.shape[-1])
        features = self.backbone(x)
        if self.aligned:
            grids = self.backbone.grids(size)
            # A head that joins maps of two grids must know where they lie; any other reads one map.
            logits = self.head(features, grids) if getattr(self.head, "joins_grids", False) else self.head(features)
            return resample(logits, grids[self.head.answers_on], size)
        logits = self.head(features)  # (N, num_classes, H/stride, W/stride)
        # To the input's size, never by a factor: 97 pixels at stride 4 make 25 rows, and 25 * 4 is not 97.
        return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)


class Detector(_Composed):
    """A pyramid and a detection head: boxes, each with its class.

    `forward(x: (N, 3, H, W))` gives the head's raw answers at each place of each map (see `FCOSHead`);
    `deeplab_teach.losses.fcos_loss` trains on them, `deeplab_teach.predict.predict_boxes` reads them.
    """

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return self.head(self.backbone(x))


def is_rcnn(model: nn.Module) -> bool:
    """Whether a model is torchvision's Faster or Mask R-CNN, which is called in a way of its own."""
    return hasattr(model, "roi_heads")


def require_kind(model: nn.Module, wanted: type[nn.Module]) -> None:
    """Raise a `ValueError` if a model is known to answer something else than one of type `wanted`."""
    kinds = (ImageClassifier, SegmentationModel, Detector)
    if is_rcnn(model) or (isinstance(model, kinds) and not isinstance(model, wanted)):
        raise ValueError(
            f"this needs one of type {wanted.__name__} (a backbone with such a head), got a {type(model).__name__}."
        )
