"""Models: a backbone and a head, one behind the other."""

import torch.nn.functional as F
from torch import Tensor, nn

from deeplab_teach.features import Backbone, SequenceBackbone
from deeplab_teach.grids import resample


class _Composed(nn.Module):
    """What every model is made of. `num_classes` is the head's.

    `answer(features, size)` is the second half of `forward`: what the model says of the maps that its backbone gave for
    images of `size = (H, W)`. It serves where the backbone has run already (`ManyHeads`, or maps that were kept).
    """

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
        return self.answer(self.backbone(x))

    def answer(self, features: dict[str, Tensor], size: tuple[int, int] | None = None) -> Tensor:
        return self.head(features)


class SegmentationModel(_Composed):
    """A backbone and a dense head: one label per pixel.

    `forward(x: (N, 3, H, W)) -> (N, num_classes, H, W)` raw scores: the head's coarse map, resized to the input. With
    an `auxiliary` head, and in training mode only, a pair of such scores, the auxiliary head's second.

    Args:
        auxiliary: a second dense head, on an earlier map: a shorter way for the gradient into the backbone (PSPNet,
            Zhao et al. 2017, arXiv 1612.01105, section 4). It helps to train and answers nothing afterwards.
        aligned: put each score where its place lies in the image, as the backbone's `grids` says. `False` stretches the
            map over the image, as torchvision does: up to half a stride off.

    Raises:
        ValueError: `aligned` with a backbone that does not know where its places lie, or a head that does not say on
            which map it answers (`answers_on`); an auxiliary head of another number of classes.
    """

    def __init__(
        self,
        backbone: Backbone | SequenceBackbone,
        head: nn.Module,
        *,
        auxiliary: nn.Module | None = None,
        aligned: bool = False,
    ):
        super().__init__(backbone, head)
        if auxiliary is not None and auxiliary.num_classes != head.num_classes:
            raise ValueError(
                f"the auxiliary head has {auxiliary.num_classes} classes and the head {head.num_classes}: they learn "
                "from the same labels, so make them equal."
            )
        self.auxiliary = auxiliary
        self.aligned = aligned
        if aligned:
            for each in filter(None, (head, auxiliary)):
                if not hasattr(each, "answers_on"):
                    raise ValueError(
                        f"aligned=True needs to know on which map's grid {type(each).__name__} answers: give it an "
                        'attribute `answers_on`, such as "c5".'
                    )
            backbone.grids((64, 64))

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return self.answer(self.backbone(x), (x.shape[-2], x.shape[-1]))

    def answer(self, features: dict[str, Tensor], size: tuple[int, int]) -> Tensor | tuple[Tensor, Tensor]:
        scores = self._scores(self.head, features, size)
        if self.auxiliary is None or not self.training:
            return scores
        return scores, self._scores(self.auxiliary, features, size)

    def _scores(self, head, features, size):
        if self.aligned:
            grids = self.backbone.grids(size)
            # A head that joins maps of two grids must know where they lie; any other reads one map.
            logits = head(features, grids) if getattr(head, "joins_grids", False) else head(features)
            return resample(logits, grids[head.answers_on], size)
        logits = head(features)  # (N, num_classes, H/stride, W/stride)
        # To the input's size, never by a factor: 97 pixels at stride 4 make 25 rows, and 25 * 4 is not 97.
        return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)


class Detector(_Composed):
    """A pyramid and a detection head: boxes, each with its class.

    `forward(x: (N, 3, H, W))` gives the head's raw answers at each place of each map (see `FCOSHead`);
    `deeplab_teach.losses.fcos_loss` trains on them, `deeplab_teach.predict.predict_boxes` reads them.
    """

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return self.answer(self.backbone(x))

    def answer(self, features: dict[str, Tensor], size: tuple[int, int] | None = None) -> dict[str, Tensor]:
        return self.head(features)


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
