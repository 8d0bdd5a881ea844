"""Masks under their images, beside the truth: each label in its colour, or what is wrong near the outlines."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from deeplab_teach.plots.style import (
    COLORS,
    OBJECTS,
    class_legend,
    color_mask,
    hide_axes,
    new_figure,
    own_style,
    set_title,
    tint_mask,
    to_image,
)


@own_style
def draw_masks(images: Sequence[Tensor], rows: dict[str, list], classes: Sequence[str], title: str) -> Figure:
    """Images above, and under each one mask per row: `rows = {"truth": [...], "prediction": [...]}`."""
    count = len(images)
    fig, axes = new_figure(1.75 * count + 0.6, 1.75 * (1 + len(rows)) + 0.7, 1 + len(rows), count)
    labels = set()
    for i, image in enumerate(images):
        axes[i].imshow(to_image(image))
        for j, masks in enumerate(rows.values(), start=1):
            axes[j * count + i].imshow(to_image(color_mask(masks[i], classes)), interpolation="nearest")
            labels |= set(masks[i].unique().tolist()) - {255}
    for ax, name in zip(axes[::count], ("image", *rows), strict=True):
        ax.set_ylabel(name)
    hide_axes(axes)
    class_legend(fig, labels, classes)
    set_title(fig, title)
    return fig


@own_style
def draw_instances(
    images: Sequence[Tensor], rows: dict[str, list[Tensor]], title: str, *, names: Sequence[str] = ()
) -> Figure:
    """One row of the images for each of `rows = {"truth": [...], "found": [...]}`, with a colour for each mask.

    Args:
        images: `(3, H, W)` each.
        rows: of each image its masks, bool `(n, H, W)`; the first lie on top, as the best scores come first.
        names: written over the columns.
    """
    shape = max(image.shape[-2] / image.shape[-1] for image in images)
    wide = min(3.0, 8.2 / len(images))
    fig, axes = new_figure(wide * len(images), (wide * shape + 0.08) * len(rows) + 0.6, len(rows), len(images))
    for number, (name, every) in enumerate(rows.items()):
        row = axes[number * len(images) : (number + 1) * len(images)]
        row[0].set_ylabel(name)
        for ax, image, masks in zip(row, images, every, strict=True):
            picture = image
            for i in reversed(range(len(masks))):
                picture = tint_mask(picture, masks[i], OBJECTS[i % len(OBJECTS)])
            ax.imshow(to_image(picture))
    for ax, name in zip(axes, names, strict=False):
        ax.set_title(name, fontsize=9)
    hide_axes(axes)
    set_title(fig, title)
    return fig


@own_style
def draw_errors(
    image: Tensor, truth: Tensor, predictions: dict, band: Tensor, classes: Sequence[str], title: str
) -> Figure:
    """What each model gets wrong, marked in vermilion; outside `band` (bool, `(H, W)`) the picture is paled."""
    fig, axes = new_figure(2.3 * (2 + len(predictions)), 3.4, 1, 2 + len(predictions))
    axes[0].imshow(to_image(image))
    axes[0].set_title("image")
    axes[1].imshow(to_image(color_mask(truth, classes)), interpolation="nearest")
    axes[1].set_title("truth")
    error = torch.tensor([int(COLORS["error"][i : i + 2], 16) for i in (1, 3, 5)], dtype=torch.uint8)
    for ax, (name, mask) in zip(axes[2:], predictions.items(), strict=True):
        picture = color_mask(mask, classes)
        wrong = (mask != truth) & band
        picture = torch.where(band, picture, picture // 4 + 176)
        picture = torch.where(wrong, error[:, None, None], picture)
        ax.imshow(to_image(picture), interpolation="nearest")
        ax.set_title(f"{name}\n{100 * wrong.sum() / band.sum().clamp(min=1):.0f} % of the band wrong")
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    labels = set(truth.unique().tolist()).union(*(set(mask.unique().tolist()) for mask in predictions.values()))
    class_legend(fig, labels - {255}, classes)
    set_title(fig, title)
    return fig
