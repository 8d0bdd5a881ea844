"""Maps over photographs: how strongly each place answers, and which pixels that makes, in the look of `plots`."""

from collections.abc import Sequence

import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from deeplab_teach.plots.style import (
    COLORS,
    extent_of,
    hide_axes,
    new_figure,
    own_style,
    set_title,
    to_image,
)

UPSAMPLINGS = ("nearest", "bilinear")


def upsample(places: Tensor, size: Sequence[int], mode: str = "bilinear") -> Tensor:
    """A map `(h, w)` stretched to `size = (H, W)`; `"nearest"` repeats each value, `"bilinear"` blends neighbours."""
    if mode not in UPSAMPLINGS:
        raise ValueError(f"upsampling must be one of {', '.join(UPSAMPLINGS)}, got {mode!r}.")
    options = {} if mode == "nearest" else {"align_corners": False}
    return F.interpolate(places[None, None], size=tuple(size), mode=mode, **options)[0, 0]


@own_style
def draw_heat(image: Tensor, maps: dict[str, Tensor], title: str, *, label: str = "probability") -> Figure:
    """An image, and beside it, as large, each map `{"stride 32": (h, w) in 0..1, ...}` at its own resolution."""
    fig, axes = new_figure(2.7 * (1 + len(maps)), 3.1, 1, 1 + len(maps))
    axes[0].imshow(to_image(image))
    axes[0].set_title(f"image\n{image.shape[-2]} x {image.shape[-1]}", color=COLORS["input"], fontsize=9)
    for ax, (name, value) in zip(axes[1:], maps.items(), strict=True):
        drawn = _add_map(ax, image, value)
        ax.set_title(f"{name}\n{value.shape[0]} x {value.shape[1]} places", fontsize=9)
    fig.colorbar(drawn, ax=axes, orientation="horizontal", shrink=0.6, aspect=40, label=label)
    hide_axes(axes)
    set_title(fig, title)
    return fig


@own_style
def draw_found(image: Tensor, places: Tensor, threshold: float, mode: str, title: str) -> Figure:
    """A map of probabilities, the same stretched over the image, and the pixels above the threshold."""
    fig, axes = new_figure(8.4, 3.1, 1, 3)
    large = upsample(places, image.shape[-2:], mode)
    _add_map(axes[0], image, places)
    axes[0].set_title(f"{places.shape[0]} x {places.shape[1]} places")
    drawn = _add_map(axes[1], image, large)
    axes[1].set_title(f"stretched, {mode}")
    found = large >= threshold
    pixels = to_image(image)
    shown = pixels if pixels.dtype.kind == "f" else pixels / 255
    axes[2].imshow(shown * (0.25 + 0.75 * found.cpu().numpy()[..., None]))
    axes[2].set_title(f"probability of {threshold:.0%} or more")
    fig.colorbar(drawn, ax=axes, orientation="horizontal", shrink=0.6, aspect=40, label="probability")
    hide_axes(axes)
    set_title(fig, title)
    return fig


def _add_map(ax, image, places):
    """A map of probabilities, drawn as large as its image."""
    options = {"cmap": "magma", "interpolation": "nearest", "vmin": 0, "vmax": 1, "extent": extent_of(image)}
    return ax.imshow(places.cpu().numpy(), **options)
