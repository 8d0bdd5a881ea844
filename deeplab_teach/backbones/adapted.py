"""Other people's networks behind the course's contract."""

import copy
from collections.abc import Sequence

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

    def __init__(
        self,
        body: nn.Module,
        name: str,
        *,
        keys: Sequence[str] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ):
        super().__init__()
        self.body, self.name = body, name
        self.keys = None if keys is None else tuple(keys)
        if mean is not None:
            self.mean = tuple(mean)
        if std is not None:
            self.std = tuple(std)
        blank = torch.zeros(1, 3, PROBE, PROBE)
        probe = copy.deepcopy(body).eval()  # measuring must leave the body's running averages and modes as they are
        try:
            with torch.no_grad():
                outputs = probe(blank.to(next(probe.parameters(), blank)))
        except Exception as error:  # whatever somebody else's network raises
            raise ValueError(
                f"{name} fails on an image of {PROBE} x {PROBE} ({error}): a backbone takes images of any size. timm's "
                "nets for one size take others with `dynamic_img_size=True` or `img_size=256`, if at all."
            ) from error
        maps = self._named(outputs)
        shapes = ", ".join(f"{key} {tuple(value.shape)}" for key, value in maps.items())
        if any(value.dim() != 4 for value in maps.values()):
            raise ValueError(f"a backbone gives maps of shape (N, C, h, w), and this one gives {shapes}.")
        if any(value.shape[2] != value.shape[3] for value in maps.values()):
            raise ValueError(
                f"of a square image maps are square, (N, C, h, w) with h == w, and {name} gives {shapes}. Are channels "
                "last, as in timm's Swin? Then permute(0, 3, 1, 2) each map in a module around it."
            )
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
