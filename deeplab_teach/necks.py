"""Necks: pyramids of maps of one width. In code they *are* backbones that wrap a backbone, so every head fits them."""

import re
from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from deeplab_teach.features import Backbone, FeatureSpec, SequenceBackbone
from deeplab_teach.grids import Grid


class Pyramid(Backbone):
    """What the pyramids share: they carry another backbone, take its images, and give maps of `out_channels`.

    `forward(x)` is `pyramid(backbone(x), size of x)`. The second step alone serves where the backbone has run already.
    """

    extra_keys: tuple[str, ...] = ()  # coarser maps on top, of which no box is cut out
    made_from: dict[str, tuple[str, ...]]  # each map -> those that are read for it, of the backbone and of the pyramid

    def __init__(self, backbone: Backbone, out_channels: int):
        super().__init__()
        self.backbone = backbone
        self.out_channels = out_channels
        self.mean, self.std, self.min_side = backbone.mean, backbone.std, backbone.min_side
        self.in_channels = backbone.in_channels

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return self.pyramid(self.backbone(x), (x.shape[-2], x.shape[-1]))

    def pyramid(self, features: dict[str, Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        """The maps of the pyramid from those of the backbone, for images of `size = (H, W)`."""
        raise NotImplementedError


def without_pyramid(backbone: Any) -> Any:
    """The backbone itself, without the pyramids that may stand on it."""
    while isinstance(backbone, Pyramid):
        backbone = backbone.backbone
    return backbone


def top_down(maps: Sequence[Tensor]) -> list[Tensor]:
    """FPN's top-down path: each map plus the coarser one above it, which holds all above that already.

    Args:
        maps: `(N, C, h, w)`, fine to coarse, of one width.

    Returns:
        As many maps of the same sizes; the coarsest is as it was.
    """
    summed = [maps[-1]]
    for fine in reversed(maps[:-1]):
        # To the finer map's size, not by 2: over a dilated backbone two maps may be of one size.
        summed.insert(0, fine + F.interpolate(summed[0], size=fine.shape[-2:], mode="nearest"))
    return summed


class FPN(Pyramid):
    """Feature pyramid network (Lin et al. 2017, arXiv 1612.03144): meaning flows from coarse maps to fine ones.

    Args:
        backbone: gives maps of several strides.
        keys: which of its maps to use, fine to coarse; `None` for those of stride 4 and more, `c2..c5`.
        out_channels: width of every map of the pyramid, 256 in the paper.
        extra: coarser maps on top: `"pool"`, one more, every second value of the last (the paper's P6, for Faster and
            Mask R-CNN); `"convs"`, two more, each by a strided 3x3 convolution (P6 and P7 of FCOS, as in torchvision).

    Features: `p2..p5` for `c2..c5`, at their strides; then `p6`, or `p6` and `p7`.

    Raises:
        ValueError: keys that the backbone does not have, fewer than two or in another order; an unknown `extra`.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        keys: Sequence[str] | None = None,
        out_channels: int = 256,
        extra: str | None = None,
    ):
        super().__init__(backbone, out_channels)
        specs = backbone.feature_specs
        keys = [key for key, spec in specs.items() if spec.stride >= 4] if keys is None else list(keys)
        if unknown := [key for key in keys if key not in specs]:
            raise ValueError(f"{', '.join(unknown)}: no map of {backbone.name}, which has {', '.join(specs)}.")
        if len(keys) < 2:
            raise ValueError(
                f"an FPN joins two maps or more, got {', '.join(keys) or 'none'} of {backbone.name}. On a ViT's single "
                "map put a SimpleFeaturePyramid."
            )
        strides = [specs[key].stride for key in keys]
        if (
            strides != sorted(strides)
            or len(set(keys)) < len(keys)
            or not all(re.fullmatch(r"c\d", key) for key in keys)
        ):
            raise ValueError(
                f"keys must be names such as c2, c3, c4, each once, fine to coarse; got {', '.join(keys)}."
            )
        if extra not in (None, "pool", "convs"):
            raise ValueError(f'extra must be None, "pool" or "convs", got {extra!r}.')
        self.name = f"{backbone.name}_fpn"
        self.keys = keys
        self.lateral = nn.ModuleList(nn.Conv2d(specs[key].channels, out_channels, 1) for key in keys)
        self.output = nn.ModuleList(nn.Conv2d(out_channels, out_channels, 3, padding=1) for _ in keys)
        self.feature_specs = {f"p{key[1:]}": FeatureSpec(out_channels, specs[key].stride) for key in keys}
        top, level = specs[keys[-1]].stride, int(keys[-1][1:])
        self.extra = extra
        count = {None: 0, "pool": 1, "convs": 2}[extra]
        for i in range(1, count + 1):
            self.feature_specs[f"p{level + i}"] = FeatureSpec(out_channels, top * 2**i)
        self.extra_keys = tuple(f"p{level + i}" for i in range(1, count + 1))
        names = list(self.feature_specs)
        above = [*((name,) for name in names[1 : len(keys)]), ()]  # the coarsest has none above it
        self.made_from = {name: (key, *coarser) for name, key, coarser in zip(names, keys, above, strict=False)}
        self.made_from |= {name: (below,) for below, name in zip(names[len(keys) - 1 :], self.extra_keys, strict=False)}
        strided = [nn.Conv2d(out_channels, out_channels, 3, stride=2, padding=1) for _ in range(count)]
        self.extra_convs = nn.ModuleList(strided if extra == "convs" else [])
        for conv in (*self.lateral, *self.output, *self.extra_convs):
            nn.init.kaiming_uniform_(conv.weight, a=1)
            nn.init.zeros_(conv.bias)

    def pyramid(self, features: dict[str, Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        maps = [conv(features[key]) for conv, key in zip(self.lateral, self.keys, strict=True)]
        summed = top_down(maps)
        maps = [conv(m) for conv, m in zip(self.output, summed, strict=True)]  # each (N, out_channels, h, w)
        if self.extra == "pool":
            maps.append(F.max_pool2d(maps[-1], 1, stride=2))
        for i, conv in enumerate(self.extra_convs):
            maps.append(conv(maps[-1].relu() if i else maps[-1]))
        return dict(zip(self.feature_specs, maps, strict=True))

    def grids(self, size: tuple[int, int]) -> dict[str, Grid]:
        below = self.backbone.grids(size)
        top = below[self.keys[-1]]  # of what stands above it, the first place lies on its first place
        return {
            key: below.get(f"c{key[1:]}", Grid(spec.stride, top.top, top.left))
            for key, spec in self.feature_specs.items()
        }


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of a map `(N, C, H, W)`, at each place alone."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class SimpleFeaturePyramid(Pyramid):
    """Four maps out of one (ViTDet, Li et al. 2022, arXiv 2203.16527, section 3 and figure 2).

    A plain ViT keeps one resolution. Transposed convolutions enlarge its map by 4 and by 2, a pool halves it.

    Args:
        backbone: its last map has stride 16.
        out_channels: width of every map, 256 in the paper.

    Features: `p2`, `p3`, `p4`, `p5` at strides 4, 8, 16, 32.

    Raises:
        ValueError: the backbone's last map has another stride.
    """

    def __init__(self, backbone: Backbone, *, out_channels: int = 256):
        super().__init__(backbone, out_channels)
        self.key = list(backbone.feature_specs)[-1]
        spec = backbone.feature_specs[self.key]
        if spec.stride != 16:
            raise ValueError(f"the last map must have stride 16; {backbone.name}'s {self.key} has {spec.stride}.")
        self.name = f"{backbone.name}_pyramid"
        dim = spec.channels
        double = nn.ConvTranspose2d(dim, dim // 2, 2, stride=2)
        quadruple = [nn.ConvTranspose2d(dim, dim // 2, 2, stride=2), ChannelNorm(dim // 2, eps=1e-6), nn.GELU()]
        quadruple.append(nn.ConvTranspose2d(dim // 2, dim // 4, 2, stride=2))
        self.resize = nn.ModuleList([nn.Sequential(*quadruple), double, nn.Identity(), nn.MaxPool2d(2, ceil_mode=True)])
        self.output = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, out_channels, 1, bias=False),
                ChannelNorm(out_channels, eps=1e-6),
                nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
                ChannelNorm(out_channels, eps=1e-6),
            )
            for channels in (dim // 4, dim // 2, dim, dim)
        )
        self.feature_specs = {f"p{i}": FeatureSpec(out_channels, 2**i) for i in (2, 3, 4, 5)}
        self.made_from = dict.fromkeys(self.feature_specs, (self.key,))

    def pyramid(self, features: dict[str, Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        whole = features[self.key]  # (N, dim, H/16, W/16)
        maps = {}
        for (key, spec), resize, output in zip(self.feature_specs.items(), self.resize, self.output, strict=True):
            # Rounded up. Not as -(-side // stride): ONNX rounds what is negative towards 0.
            rows, columns = ((side + spec.stride - 1) // spec.stride for side in size)
            # The backbone padded the image to whole patches: what lies beyond the image is cut off again.
            maps[key] = output(resize(whole)[..., :rows, :columns])  # (N, 256, H/stride, W/stride)
        return maps

    def grids(self, size: tuple[int, int]) -> dict[str, Grid]:
        whole = self.backbone.grids(size)[self.key]
        grids = {}
        for key, spec in self.feature_specs.items():
            shift = (spec.stride - whole.stride) / 2  # a place that is cut in two, or two that are pooled
            grids[key] = Grid(spec.stride, whole.top + shift, whole.left + shift)
        return grids


def with_pyramid(backbone: Backbone, *, out_channels: int = 256, extra: str | None = None, finest: int = 4) -> Pyramid:
    """The pyramid that fits a backbone: an FPN, or a `SimpleFeaturePyramid` on one that gives a single map.

    Args:
        backbone: gives maps of several strides, or a single one of stride 16.
        out_channels: width of every map of the pyramid.
        extra: of the FPN; a `SimpleFeaturePyramid` has no extra maps.
        finest: the FPN leaves out maps of a smaller stride; 8 for FCOS.

    Raises:
        ValueError: a backbone of text, or one whose maps neither pyramid takes.
    """
    if isinstance(backbone, SequenceBackbone):
        raise ValueError(f"{backbone.name} gives a row of text tokens: there is no pyramid to build.")
    if len(backbone.feature_specs) == 1:
        return SimpleFeaturePyramid(backbone, out_channels=out_channels)
    keys = [key for key, spec in backbone.feature_specs.items() if spec.stride >= finest]
    return FPN(backbone, keys=keys, out_channels=out_channels, extra=extra)
