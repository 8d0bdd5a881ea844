"""Other people's networks behind the course's contract."""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.grids import Grid

PROBE = 256  # pixels along each side of the blank image that the maps are measured on


class AdaptedBackbone(Backbone):
    """Any network that gives feature maps, with the declaration that heads are built from.

    The maps are measured once, on a blank image, so that nobody has to copy a number of channels by hand. They are
    given from high to low resolution.

    Args:
        body: `(N, 3, H, W)` in, maps out: a dict by key, or a list. torchvision's `create_feature_extractor` makes a
            dict, timm's `create_model(..., features_only=True)` a list.
        name: what to call it.
        keys: names of the maps of a list, in its order; `None` for a dict's own.
        mean, std: the colours that its weights expect; `None` for ImageNet's.
        grid_of: where the places of a map of some stride lie: `deeplab_teach.grids.Grid` for convolutions with odd
            kernels and the same padding on both sides (ResNet, RegNet), `deeplab_teach.grids.of_patches` for nets
            that cut an image into patches (ConvNeXt, Swin). `None` if it is not known.

    Raises:
        ValueError: another number of keys than of maps, an output that is no map, or a body that fails on the blank
            image.
    """

    def __init__(
        self,
        body: nn.Module,
        name: str,
        *,
        keys: Sequence[str] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        grid_of: Callable[[int], Grid] | None = None,
    ):
        super().__init__()
        self.body, self.name, self.grid_of = body, name, grid_of
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
        if not maps or not all(isinstance(value, Tensor) for value in maps.values()):
            kinds = ", ".join(f"{key}: {type(value).__name__}" for key, value in maps.items()) or "nothing"
            raise ValueError(f"a backbone gives maps, tensors of shape (N, C, h, w), and {name} gives {kinds}.")
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

    def grids(self, size: tuple[int, int]) -> dict[str, Grid]:
        if self.grid_of is None:
            raise ValueError(
                f"it is not known where the places of {self.name}'s maps lie: build it with "
                "AdaptedBackbone(..., grid_of=Grid) (ResNets and their like) or grid_of=of_patches (ConvNeXt, Swin), "
                "both of deeplab_teach.grids."
            )
        return {key: self.grid_of(spec.stride) for key, spec in self.feature_specs.items()}

    def _named(self, maps):
        if isinstance(maps, dict):
            if self.keys is not None:
                raise ValueError(f"keys name the maps of a list; {self.name} names its own: {', '.join(maps)}.")
            return maps
        if not isinstance(maps, list | tuple):
            raise ValueError(f"a body gives a dict or a list of maps, and {self.name} gives a {type(maps).__name__}.")
        if self.keys is None or len(maps) != len(set(self.keys)) or len(maps) != len(self.keys):
            raise ValueError(f"one key for each map is needed, got keys={self.keys} for {len(maps)} maps.")
        return dict(zip(self.keys, maps, strict=True))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        self.check_image(x)
        maps = self._named(self.body(x))
        return {key: maps[key] for key in self.feature_specs}
