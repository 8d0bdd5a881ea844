"""Several heads on one backbone: it runs once, and each head reads the same maps."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from deeplab_teach.models.compose import Detector, ImageClassifier, SegmentationModel
from deeplab_teach.necks import Pyramid, without_pyramid


class ManyHeads(nn.Module):
    """Models that stand on one and the same backbone, asked together.

    `forward(x: (N, 3, H, W))` gives `{name: what that model alone would answer}`. A pyramid belongs to its model: it is
    computed for that one.

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
        features, size = self.backbone(x), (x.shape[-2], x.shape[-1])
        return {name: model.answer(_read(model.backbone, features, size), size) for name, model in self.models.items()}


def _read(backbone: Any, features: dict[str, Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
    """What a model's head reads: the maps of the shared backbone, or those of the pyramids on it."""
    if not isinstance(backbone, Pyramid):
        return features
    return backbone.pyramid(_read(backbone.backbone, features, size), size)
