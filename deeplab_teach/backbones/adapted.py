"""Other people's networks behind the course's contract."""

import copy

import torch
from torch import Tensor, nn

from deeplab_teach.features import Backbone, FeatureSpec

PROBE = 256  # pixels along each side of the blank image that the maps are measured on


class AdaptedBackbone(Backbone):
    """Any network that gives feature maps, with the declaration that heads are built from.

    The maps are measured once, on a blank image, so that nobody has to copy a number of channels by hand.

    Args:
        body: `(N, 3, H, W)` in, maps out: a dict by key, or a list. torchvision's `create_feature_extractor` makes a
            dict, timm's `create_model(..., features_only=True)` a list.
        name: what to call it.
        keys: names of the maps of a list, in its order; `None` for a dict's own.
        mean, std: the colours that its weights expect; `None` for ImageNet's.

    Raises:
        ValueError: another number of keys than of maps, or an output that is no map.
    """

    def __init__(self, body: nn.Module, name: str, *, keys=None, mean=None, std=None):
        super().__init__()
        self.body, self.name = body, name
        self.keys = None if keys is None else tuple(keys)
        if mean is not None:
            self.mean = tuple(mean)
        if std is not None:
            self.std = tuple(std)
        blank = torch.zeros(1, 3, PROBE, PROBE)
        probe = copy.deepcopy(body).eval()  # measuring must leave the body's running averages and modes as they are
        with torch.no_grad():
            maps = self._named(probe(blank.to(next(probe.parameters(), blank))))
        if any(value.dim() != 4 for value in maps.values()):
            shapes = ", ".join(f"{key} {tuple(value.shape)}" for key, value in maps.items())
            raise ValueError(f"a backbone gives maps of shape (N, C, h, w), and this one gives {shapes}.")
        maps = dict(sorted(maps.items(), key=lambda item: -item[1].shape[-1]))  # high to low resolution
        self.feature_specs = {
            key: FeatureSpec(value.shape[1], round(PROBE / value.shape[-1])) for key, value in maps.items()
        }

    def _named(self, maps):
        if self.keys is None and isinstance(maps, dict):
            return maps
        if self.keys is None or isinstance(maps, Tensor) or len(maps) != len(self.keys):
            count = 1 if isinstance(maps, Tensor) else len(maps)
            raise ValueError(f"one key for each map is needed, got keys={self.keys} for {count} maps.")
        return dict(zip(self.keys, maps, strict=True))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        self.check_image(x)
        maps = self._named(self.body(x))
        return {key: maps[key] for key in self.feature_specs}
