"""Images, and beside them what a network makes of them: labels, guesses, feature maps."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from deeplab_teach.plots.style import COLORS, hide_axes, new_figure, own_style, set_title, to_image


@own_style
def draw_labelled(images: Sequence[Tensor], labels: list[str], title: str) -> Figure:
    """Images in a row, each with what a classifier says of it underneath."""
    fig, axes = new_figure(2.6 * len(images), 4.0, 1, len(images))
    for ax, image, label in zip(axes, images, labels, strict=True):
        ax.imshow(to_image(image))
        ax.set_xlabel(label)
    hide_axes(axes)
    set_title(fig, title)
    return fig


@own_style
def draw_guesses(image: Tensor, guesses: dict[str, list[tuple[str, float]]], title: str) -> Figure:
    """An image, and beside it what each classifier takes it for: `guesses = {"resnet18": [("cat", 0.7), ...]}`."""
    fig, axes = new_figure(2.8 * (1 + len(guesses)), 2.5, 1, 1 + len(guesses))
    axes[0].imshow(to_image(image))
    axes[0].set(xticks=[], yticks=[])
    for ax, (name, rows) in zip(axes[1:], guesses.items(), strict=True):
        ax.barh(range(len(rows)), [100 * p for _, p in rows], color=COLORS["input"])
        ax.set_yticks(range(len(rows)), [textwrap.shorten(label, 20, placeholder="...") for label, _ in rows])
        ax.invert_yaxis()
        ax.set(xlim=(0, 100), xlabel="probability, %", title=name)
    set_title(fig, title)
    return fig


def strength(maps: Tensor) -> np.ndarray:
    """How strongly each place of the first of `(N, C, h, w)` answers: the mean of |value| over the channels, (h, w)."""
    return maps[0].detach().abs().mean(dim=0).cpu().numpy()


@own_style
def draw_features(image: Tensor, features: dict[str, Tensor], title: str) -> Figure:
    """How strongly each stage answers at each place (mean of |value| over channels), at its own resolution.

    Maps of a pyramid, `p3` and so on, have the neck's colour.
    """
    fig, axes = new_figure(max(1.9 * (1 + len(features)), 7.0), 2.9, 1, 1 + len(features))
    size = 10 if len(features) < 5 else 8.5
    axes[0].imshow(to_image(image))
    axes[0].set_title(f"image\n{image.shape[-2]} x {image.shape[-1]}", color=COLORS["input"], fontsize=size)
    for ax, (key, value) in zip(axes[1:], features.items(), strict=True):
        drawn = ax.imshow(strength(value), cmap="magma", interpolation="nearest")
        channels, rows, columns = value.shape[1:]
        text = f"{key}\n{channels} channel{'s' * (channels != 1)}, {rows} x {columns}"
        ax.set_title(text, color=COLORS["neck" if key.startswith("p") else "backbone"], fontsize=size)
        fig.colorbar(drawn, ax=ax, orientation="horizontal", shrink=0.8, aspect=15)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    set_title(fig, title)
    return fig
