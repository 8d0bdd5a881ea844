"""Images, and beside them what a network makes of them: labels, guesses, feature maps."""

import math
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from deeplab_teach.plots.style import (
    COLORS,
    add_framed,
    add_paled,
    extent_of,
    hide_axes,
    ink,
    new_figure,
    own_style,
    set_title,
    to_image,
)

ARROW = {"arrowstyle": "->", "color": "#444444", "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
WORDS = {"ha": "center", "va": "bottom", "fontsize": 8.5}  # of a name above what it names


@own_style
def draw_labelled(images: Sequence[Tensor], labels: list[str], title: str) -> Figure:
    """Images in a row, each with what a classifier says of it underneath."""
    shapes = [image.shape[-1] / image.shape[-2] for image in images]  # so that all are equally high
    width = min(2.6 * len(images), 10.4)  # wider, and a page would make its words too small to read
    fig, axes = new_figure(width, width / sum(shapes) + 1.0, 1, len(images), width_ratios=shapes)
    for ax, image, label in zip(axes, images, labels, strict=True):
        ax.imshow(to_image(image))
        ax.set_xlabel(label)
    hide_axes(axes)
    set_title(fig, title)
    return fig


@own_style
def draw_sheet(images: Sequence[Tensor], title: str, *, columns: int = 12) -> Figure:
    """All images of a collection at once, small, each with its number."""
    rows = math.ceil(len(images) / columns)
    fig, (ax,) = new_figure(0.72 * columns, 0.72 * rows + 0.3)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        height, width = (0.47 * side / max(image.shape[-2:]) for side in image.shape[-2:])
        ax.imshow(to_image(image), extent=(column - width, column + width, row + height, row - height))
        ax.text(column - 0.47, row - 0.47, str(number), fontsize=5.5, va="top", bbox={"color": "white", "pad": 0.6})
    ax.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    hide_axes([ax])
    set_title(fig, title)
    return fig


@own_style
def draw_guesses(image: Tensor, guesses: dict[str, list[tuple[str, float]]], title: str) -> Figure:
    """An image, and beside it what each classifier takes it for: `guesses = {"resnet18": [("cat", 0.7), ...]}`."""
    fig, axes = new_figure(2.8 * (1 + len(guesses)), 2.5, 1, 1 + len(guesses))
    axes[0].imshow(to_image(image))
    axes[0].set(xticks=[], yticks=[])
    for ax, (name, rows) in zip(axes[1:], guesses.items(), strict=True):
        bars = ax.barh(range(len(rows)), [100 * p for _, p in rows], color=COLORS["input"])
        ax.bar_label(bars, fmt="%.0f", padding=2, fontsize=7.5)
        ax.set_yticks(range(len(rows)), [textwrap.shorten(label, 20, placeholder="...") for label, _ in rows])
        ax.invert_yaxis()
        ax.set(xlim=(0, 100), xlabel="probability, %", title=name)
    set_title(fig, title)
    return fig


def strength(maps: Tensor) -> np.ndarray:
    """How strongly each place of the first of `(N, C, h, w)` answers: the mean of |value| over the channels, (h, w)."""
    return maps[0].detach().abs().mean(dim=0).cpu().numpy()


def add_named(ax: Axes, x: float, y: float, image: Tensor, name: str, color: str, width: float) -> None:
    """An image in a coloured frame with its middle at x, y, and its name above it."""
    *_, upper = add_framed(ax, x, y, to_image(image), color, width)
    ax.text(x, upper + 0.12, name, weight="bold", color=ink(color), **WORDS)


def add_maps(
    ax: Axes, x: float, y: float, maps: dict[str, Tensor], name: str, color: str
) -> tuple[float, dict[str, float]]:
    """Maps `{"c2": (1, C, h, w), ...}` in a column around y, the finest at the bottom, sides on a log scale.

    Returns:
        Where the column begins, and the middle of each map.
    """
    sizes = [0.24 * math.log2(value.shape[-1] + 1) for value in maps.values()]
    heights = [size * value.shape[-2] / value.shape[-1] for size, value in zip(sizes, maps.values(), strict=True)]
    low = lowest = y - (sum(heights) + 0.45 * (len(maps) - 1)) / 2
    middles = {}
    for (key, value), size, height in zip(maps.items(), sizes, heights, strict=True):
        middles[key] = low + height / 2
        add_framed(ax, x, middles[key], strength(value), color, size)
        ax.text(x + size / 2 + 0.08, middles[key], key, va="center", fontsize=7.5, color=ink(color))
        low += height + 0.45
    ax.text(x, low - 0.2, name, weight="bold", color=ink(color), **WORDS)
    return lowest, middles


@own_style
def draw_patches(images: Sequence[Tensor], places: Sequence[tuple], names: Sequence[str], title: str) -> Figure:
    """The first image whole, with a square around its place; of all others what such a square shows.

    Args:
        images: `(3, H, W)` each.
        places: x and y of each square's middle, in pixels; a square that would end outside is moved.
        names: written over each.
    """
    side = 80
    fig, axes = new_figure(9.6, 2.5, 1, len(images), width_ratios=[2.2] + [1] * (len(images) - 1))
    for i, (ax, image, (x, y), name) in enumerate(zip(axes, images, places, names, strict=True)):
        left, top = (
            min(max(middle - side // 2, 0), whole - side)
            for middle, whole in zip((x, y), (image.shape[-1], image.shape[-2]), strict=True)
        )
        if i == 0:
            ax.imshow(to_image(image))
            for width, color in ((3.5, "#222222"), (1.8, COLORS["head"])):
                ax.add_patch(Rectangle((left, top), side, side, fill=False, edgecolor=color, linewidth=width))
        else:
            ax.imshow(to_image(image[:, top : top + side, left : left + side]))
            x, y = x - left, y - top
        for size, color in ((9, "#222222"), (7, COLORS["head"])):
            ax.plot(x, y, "+", color=color, markersize=size, markeredgewidth=size / 4)
        ax.set_title(name, fontsize=8)
    hide_axes(axes)
    set_title(fig, title)
    return fig


@own_style
def draw_features(image: Tensor, features: dict[str, Tensor], title: str) -> Figure:
    """How strongly each stage answers at each place (mean of |value| over channels), at its own resolution.

    Each map is drawn as large as the image, with a scale of its own. Maps of a pyramid, `p3` and so on, have the neck's
    colour.
    """
    fig, axes = new_figure(max(1.9 * (1 + len(features)), 7.0), 2.9, 1, 1 + len(features))
    size = 10 if len(features) < 5 else 8.5
    drawn = [axes[0].imshow(to_image(image))]
    axes[0].set_title(f"image\n{image.shape[-2]} x {image.shape[-1]}", color=COLORS["input"], fontsize=size)
    for ax, (key, value) in zip(axes[1:], features.items(), strict=True):
        drawn.append(ax.imshow(strength(value), cmap="magma", interpolation="nearest", extent=extent_of(image)))
        channels, rows, columns = value.shape[1:]
        text = f"{key}\n{channels} channel{'s' * (channels != 1)}, {rows} x {columns}"
        ax.set_title(text, color=COLORS["neck" if key.startswith("p") else "backbone"], fontsize=size)
    bars = [
        fig.colorbar(one, ax=ax, orientation="horizontal", shrink=0.8, aspect=15)
        for one, ax in zip(drawn, axes, strict=True)
    ]
    bars[0].ax.set_axis_off()  # an image has no scale; an empty one keeps all pictures at one height
    bars[0].solids.set_visible(False)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    set_title(fig, title)
    return fig


@own_style
def draw_channels(features: dict[str, Tensor], title: str, *, count: int = 6) -> Figure:
    """A row of single channels of each map, spread over all of them: red above 0, blue below, white in between.

    Each channel has a scale of its own, at whose end lie its largest values.

    Args:
        features: `{"c1": (1, C, h, w), ...}`.
        count: of channels in a row.
    """
    shape = max(value.shape[-2] / value.shape[-1] for value in features.values())
    fig, axes = new_figure(9.2, (9.0 / count * shape + 0.22) * len(features) + 0.5, len(features), count)
    for row, (key, value) in enumerate(features.items()):
        for i, ax in enumerate(axes[row * count : (row + 1) * count]):
            channel = i * value.shape[1] // count
            drawn = value[0, channel].detach().cpu().numpy()
            most = np.quantile(np.abs(drawn), 0.995)  # a bright rim of padding would make the rest pale
            ax.imshow(drawn, cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
            ax.set_title(str(channel), fontsize=7)
        axes[row * count].set_ylabel(f"{key}, of {value.shape[1]}", color=ink(COLORS["backbone"]))
    hide_axes(axes)
    set_title(fig, title)
    return fig


@own_style
def draw_fields(image: Tensor, fields: dict[str, tuple[int, int]], title: str) -> Figure:
    """How much of an image one place of each map reads: the field around its middle, and the grid of places.

    Args:
        image: `(3, H, W)`.
        fields: `{"c1": (field, stride), ...}` in pixels, as `layers.receptive_field` gives them.
    """
    height, width = image.shape[-2:]
    fig, axes = new_figure(9.6, 9.4 / len(fields) * height / width + 0.9, 1, len(fields))
    for ax, (key, (field, stride)) in zip(axes, fields.items(), strict=True):
        add_paled(ax, image)
        x, y = (side // 2 // stride * stride for side in (width, height))
        ys, xs = np.mgrid[0:height:stride, 0:width:stride]
        ax.plot(xs.ravel(), ys.ravel(), ".", color="#222222", markersize=max(0.25, stride / 14), markeredgewidth=0)
        corner = (x - field / 2, y - field / 2)
        ax.add_patch(Rectangle(corner, field, field, fill=False, edgecolor=COLORS["backbone"], linewidth=2))
        ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
        ax.set_title(f"{key}\nreads {field} x {field}\nevery {stride} pixels", fontsize=8, color=COLORS["backbone"])
    hide_axes(axes)
    set_title(fig, title)
    return fig
