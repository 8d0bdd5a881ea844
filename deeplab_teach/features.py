"""The contract between a backbone and a head.

A backbone turns an image into named feature maps and *declares* them: how many channels, at which stride. A head is
built from that declaration alone. So any head fits any backbone, and neither knows what the other is.
"""

import copy
from dataclasses import dataclass
from numbers import Integral

import torch
from torch import Tensor, nn

from deeplab_teach.grids import Grid

SLACK = 0.3  # an image in 0..1 that was resized with a bicubic filter may go a little beyond


@dataclass(frozen=True)
class FeatureSpec:
    """What a head must know about a feature map before it sees one.

    channels: size of dim 1 of the map.
    stride: input pixels per step of the map, after dilation. The map of an image of height H has ceil(H / stride) rows,
        or a little fewer where a backbone's pools round down (VGG, AlexNet).
    """

    channels: int
    stride: int


@dataclass(frozen=True)
class SequenceSpec(FeatureSpec):
    """The same for a row of tokens, `(N, channels, T)`: it has no rows and columns, which dense heads need."""


class Backbone(nn.Module):
    """Base class: image `(N, 3, H, W)` in, `dict` of feature maps out, with the keys of `feature_specs`.

    Keys are stage names, high to low resolution: `c1..c5` as in the FPN paper (Lin et al. 2017, section 3), where a
    nominal `c5` has stride 32. With `output_stride=16`, `c5` stays `c5`; only its stride reads 16.

    A subclass sets `name` and `feature_specs` in its constructor and calls `check_image(x)` first in `forward`.
    """

    name: str
    feature_specs: dict[str, FeatureSpec]
    in_channels = 3  # of the images; `backbones.with_input_channels` makes another number of it
    min_side = 1  # pixels: a smaller image has no row left in the last map
    # How the published weights expect an image that was in 0..1: ImageNet's mean and standard deviation per channel.
    mean = (0.485, 0.456, 0.406)
    std = (0.229, 0.224, 0.225)

    def normalize(self, images: Tensor) -> Tensor:
        """Images `(..., 3, H, W)` in 0..1 -> the scale that this backbone's published weights were trained on.

        Input scaling belongs to the backbone: swap the backbone and it changes too.

        Raises:
            ValueError: whole numbers, no RGB images, or values outside 0..1: bytes as floats, or normalised already.
        """
        if not images.is_floating_point():
            raise ValueError(f"images must be floats in 0..1, got {images.dtype}: divide 0..255 images by 255 first.")
        if images.dim() < 3 or images.shape[-3] != self.in_channels:
            kind = "RGB, " if self.in_channels == 3 else ""
            raise ValueError(
                f"images must be {kind}of shape (..., {self.in_channels}, H, W), got {tuple(images.shape)}."
            )
        if images.numel() and not (images.is_meta or torch.compiler.is_compiling()):
            low, high = (value.item() for value in images.detach().aminmax())
            if not (low >= -SLACK and high <= 1 + SLACK):  # written so that it catches NaN, too
                raise ValueError(
                    f"images must lie in 0..1, got {low:.3g}..{high:.3g}: divide 0..255 images by 255, and do not "
                    "normalise them before: that is done here."
                )
        mean = images.new_tensor(self.mean).view(-1, 1, 1)
        std = images.new_tensor(self.std).view(-1, 1, 1)
        return (images - mean) / std

    def grids(self, size: tuple[int, int]) -> dict[str, Grid]:
        """Where the places of each map lie in an image of `size = (H, W)`.

        Here as of convolutions with odd kernels and the same padding on both sides: the first place on the first pixel.
        A backbone of another kind says so in a method of its own.
        """
        return {key: Grid(spec.stride) for key, spec in self.feature_specs.items()}

    def check_image(self, x: Tensor) -> None:
        """Raise a `ValueError` in plain words unless `x` is a float batch of colour images, large enough."""
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            lacks_batch = x.dim() == 3 and x.shape[0] == self.in_channels
            hint = " Add the batch dimension with image[None]." if lacks_batch else ""
            if x.dim() == 4 and self.in_channels == 3 and x.shape[1] in (1, 4):
                hint = " Leave an alpha channel out with x[:, :3]." if x.shape[1] == 4 else ""
                hint += " For other channels than red, green and blue see deeplab_teach.backbones.with_input_channels."
            shape = f"(N, {self.in_channels}, H, W)"
            raise ValueError(f"a backbone takes images of shape {shape}, got {tuple(x.shape)}.{hint}")
        if not x.is_floating_point():
            raise ValueError(f"a backbone takes float images, got {x.dtype}: use backbone.normalize(image / 255).")
        if min(x.shape[-2:]) < self.min_side:
            raise ValueError(
                f"{self.name} takes images of {self.min_side} x {self.min_side} pixels or more, got "
                f"{x.shape[-2]} x {x.shape[-1]}: its pools would leave nothing. Resize the image first."
            )
        deepest = max(spec.stride for spec in self.feature_specs.values())
        if self.training and len(x) == 1 and max(x.shape[-2:]) <= deepest:
            norms = [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]
            if norms and norms[-1].training:
                raise ValueError(
                    f"{self.name} cannot be trained on one image of {x.shape[-2]} x {x.shape[-1]} pixels: its map of "
                    f"stride {deepest} has a single value per channel, and batch norm needs two to measure a "
                    f"spread. Use an image of more than {deepest} pixels, a batch of 2 or more, or model.eval()."
                )


def image_channels(model: nn.Module) -> int:
    """Channels of the images that a model takes: its backbone's, or 3 where nothing says."""
    return next((module.in_channels for module in model.modules() if isinstance(module, Backbone)), 3)


class SequenceBackbone(nn.Module):
    """Base class: ids `(N, T)` in, `dict` of rows of tokens out, with the keys of `feature_specs`, all `SequenceSpec`.

    Where there is padding, the dict has one more entry, `mask`: bool `(N, T)`, `True` where there is none.
    """

    name: str
    feature_specs: dict[str, FeatureSpec]
    vocab_size: int  # ids run from 0 to vocab_size - 1
    max_length: int  # tokens of the longest text
    padding_id: int | None  # the id that fills short texts up, if there is one

    def kept(self, ids: Tensor) -> Tensor | None:
        """Which tokens count: bool `(N, T)`, or `None` where no text is padded and all of them do."""
        if self.padding_id is None:
            return None
        unseen = ids.is_meta or torch.compiler.is_compiling()  # the values cannot be asked for: take padding for given
        kept = ids != self.padding_id
        return kept if unseen or not bool(kept.all()) else None

    def check_ids(self, ids: Tensor) -> None:
        """Raise a `ValueError` in plain words if `ids` are not texts that this backbone can read."""
        if ids.dim() != 2 or ids.is_floating_point() or ids.dtype == torch.bool:
            raise ValueError(f"{self.name} takes integer ids of shape (N, T), got {ids.dtype} {tuple(ids.shape)}.")
        if not 1 <= ids.shape[1] <= self.max_length:
            raise ValueError(
                f"texts must have 1 to {self.max_length} tokens, got {ids.shape[1]}: cut them, or raise max_length."
            )
        if ids.is_meta or torch.compiler.is_compiling():
            return
        if ids.numel() and (ids.min() < 0 or ids.max() >= self.vocab_size):
            raise ValueError(f"ids must be in 0..{self.vocab_size - 1}, got {ids.min().item()}..{ids.max().item()}.")
        if self.padding_id is not None and (ids == self.padding_id).all(dim=1).any():
            raise ValueError(f"a text consists of padding (id {self.padding_id}) alone: there is nothing to read.")


@torch.no_grad()
def same_features(a: Backbone, b: Backbone) -> dict[str, bool]:
    """Whether two backbones with the same weights compute the same features at the positions that both have.

    The test of dilation: `b` is built for a smaller output stride, so that its maps are denser than those of `a`.
    Where dilation has replaced the strides rightly, every step-th value of a dense map is the value of the coarse one.

    Args:
        b: its strides divide those of `a`. Both stay as they are: modes, gradients, running averages.

    Returns:
        For each map of `a` in order whether `b` has the same: no difference is larger than a thousandth of the map's
        largest value, far more than rounding and far less than any mistake. A map of another size is not the same.
    """
    a, b = (copy.deepcopy(backbone).eval() for backbone in (a, b))
    # Sides of 32 k + 1 pixels: any padding is even there.
    noise = torch.randn(1, a.in_channels, 65, 97, generator=torch.Generator().manual_seed(0))
    image = noise.to(next(a.parameters()))
    dense, same = b(image), {}
    for key, due in a(image).items():
        step = a.feature_specs[key].stride // b.feature_specs[key].stride
        found = dense[key][..., ::step, ::step]
        limit = 1e-3 * due.abs().max()
        same[key] = found.shape == due.shape and bool((found - due).abs().max() <= limit)
    return same


def require_sizes(**sizes: int) -> None:
    """Raise a `ValueError` unless each is 1 or more."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be 1 or more, got {size}.")


def require_num_classes(num_classes: int, least: int = 1) -> None:
    """Raise a `ValueError` unless a head can have so many classes."""
    if isinstance(num_classes, bool) or not isinstance(num_classes, Integral):
        raise ValueError(f"num_classes must be a whole number, got {num_classes!r}.")
    if num_classes < least:
        reason = ", since the background counts" if least == 2 else ""
        raise ValueError(f"num_classes must be {least} or more{reason}, got {num_classes}.")


def deep_key(feature_specs: dict[str, FeatureSpec], deep: str | None = None) -> str:
    """The map a dense head reads its meaning from: `deep` if given, else `c5`, else `p5`, else the last one."""
    if not feature_specs:
        raise ValueError("feature_specs is empty: a head is built from the maps that a backbone declares.")
    if deep is None:
        return next((key for key in ("c5", "p5") if key in feature_specs), list(feature_specs)[-1])
    return _existing(feature_specs, deep, "deep")


def dense_key(feature_specs: dict[str, FeatureSpec], deep: str | None = None) -> str:
    """As `deep_key`, for a head that answers at each place of an image: the map must have rows and columns."""
    key = deep_key(feature_specs, deep)
    if isinstance(feature_specs[key], SequenceSpec):
        raise ValueError("this head needs maps with rows and columns, and the backbone gives a row of text tokens.")
    return key


def low_level_key(feature_specs: dict[str, FeatureSpec], low_level: str | None = None) -> str:
    """The map a decoder reads its outlines from: `low_level` if given, else the one of stride 4."""
    if low_level is not None:
        return _existing(feature_specs, low_level, "low_level")
    for key, spec in feature_specs.items():
        if spec.stride == 4:
            return key
    raise ValueError(f"a decoder needs a feature map of stride 4; this backbone has {_listing(feature_specs)}.")


def _existing(feature_specs, key, argument):
    if key not in feature_specs:
        raise ValueError(f"{argument}={key!r} is not a feature map of this backbone; it has {_listing(feature_specs)}.")
    return key


def _listing(feature_specs):
    return ", ".join(f"{key} ({spec.channels} channels, stride {spec.stride})" for key, spec in feature_specs.items())
