"""Several heads on one backbone: it runs once, and each head reads the same maps."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from deeplab_teach.models.compose import Detector, ImageClassifier, SegmentationModel
from deeplab_teach.necks import without_pyramid


class ManyHeads(nn.Module):
    """Models that stand on one and the same backbone, asked together.

    `forward(x: (N, 3, H, W))` gives `{name: what that model alone would answer}`. A pyramid belongs to its model: it is
    computed for that one. In `state_dict` the backbone stands under each of its names: save the models one by one.

    Args:
        models: `{"mask": SegmentationModel, "boxes": Detector, ...}`; their backbones are one object, below the
            pyramids that may stand on it.

    Raises:
        ValueError: no model, one of another kind, or models that have each a backbone of their own.
    """

    def __init__(self, models: Mapping[str, ImageClassifier | SegmentationModel | Detector]):
        super().__init__()
        for name, model in models.items():
            if not isinstance(model, (ImageClassifier, SegmentationModel, Detector)):
                raise ValueError(
                    f"ManyHeads takes classifiers, segmentation models and detectors; {name!r} is a "
                    f"{type(model).__name__}."
                )
        shared = {id(body): body for body in (without_pyramid(model.backbone) for model in models.values())}
        if len(shared) != 1:
            raise ValueError(
                f"the models must stand on one backbone, got {len(shared)}: build it once, and each model on it."
            )
        (self.backbone,) = shared.values()
        self.models = nn.ModuleDict(models)

    def forward(self, x: Tensor) -> dict[str, Tensor | dict[str, Tensor]]:
        return answer_together(self.models, x)


def answer_together(models: Any, x: Tensor) -> dict[str, Tensor | dict[str, Tensor]]:
    """What each of several models says of images, where all stand on one backbone: it runs once.

    Args:
        models: `{name: model}`, or an `nn.ModuleDict`.
        x: `(N, 3, H, W)`, normalised.
    """
    backbone = without_pyramid(next(iter(models.values())).backbone)
    features, size = backbone(x), (x.shape[-2], x.shape[-1])
    answers = {}
    for name, model in models.items():
        maps = features if model.backbone is backbone else model.backbone.pyramid(features, size)
        answers[name] = model.answer(maps, size)
    return answers
