"""Masks over their paled images, beside the truth: each label in its colour, or what is wrong near the outlines."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from deeplab_teach.plots.style import (
    COLORS,
    OBJECTS,
    class_legend,
    color_mask,
    hide_axes,
    in_floats,
    new_figure,
    one_pixel,
    outline,
    own_style,
    set_title,
    tint_mask,
    to_image,
)


@own_style
def draw_masks(images: Sequence[Tensor], rows: dict[str, list], classes: Sequence[str], title: str) -> Figure:
    """Images above, and under each one mask per row: `rows = {"truth": [...], "prediction": [...]}`.

    Of a single image the masks stand beside it. A mask is laid over its image in grey. Of a row that is called
    "truth" every row shows the outlines, in black.
    """
    count = len(images)
    shape = max(image.shape[-2] / image.shape[-1] for image in images)
    if count == 1:
        fig, axes = new_figure(2.6 * (1 + len(rows)), 2.6 * shape + 0.9, 1, 1 + len(rows))
    else:
        fig, axes = new_figure(1.75 * count + 0.6, 1.75 * shape * (1 + len(rows)) + 0.7, 1 + len(rows), count)
    labels = set()
    for i, image in enumerate(images):
        axes[i].imshow(to_image(image))
        truth = rows["truth"][i] if "truth" in rows else None
        for j, masks in enumerate(rows.values(), start=1):
            axes[j * count + i].imshow(to_image(_over_grey(image, masks[i], truth, classes)))
            labels |= set(masks[i].unique().tolist())
    for ax, name in zip(axes[::count], ("image", *rows), strict=True):
        (ax.set_title if count == 1 else ax.set_ylabel)(name)
    hide_axes(axes)
    class_legend(fig, labels - {0, 255}, classes)
    set_title(fig, title)
    return fig


def _grey(image):
    """An image in pale grey, on which a label's colour shows."""
    return (0.7 + 0.3 * in_floats(image).mean(dim=0, keepdim=True)).expand(3, -1, -1)


def _over_grey(image, mask, truth, classes):
    """Labels over the paled image, background clear; pixels that do not count are white, true outlines black."""
    pale, mask = _grey(image), mask.as_subclass(Tensor).cpu()
    drawn = torch.where(mask > 0, 0.25 * pale + 0.75 * color_mask(mask, classes) / 255, pale)
    drawn = torch.where(mask == 255, 1.0, drawn)
    return drawn if truth is None else torch.where(outline(truth.as_subclass(Tensor).cpu() % 255), 0.0, drawn)


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
            for i in reversed(range(len(masks))):  # outlines once more: a mask under another one shows, too
                picture = torch.where(outline(masks[i].long().cpu()), one_pixel(OBJECTS[i % len(OBJECTS)]), picture)
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
    axes[1].imshow(to_image(_over_grey(image, truth, truth, classes)))
    axes[1].set_title("truth")
    error = one_pixel(COLORS["error"])
    for ax, (name, mask) in zip(axes[2:], predictions.items(), strict=True):
        picture = _over_grey(image, mask, truth, classes)
        wrong = (mask != truth) & band
        picture = torch.where(band, picture, 0.3 * picture + 0.7)
        picture = torch.where(wrong, error, picture)
        ax.imshow(to_image(picture))
        ax.set_title(f"{name}\n{100 * wrong.sum() / band.sum().clamp(min=1):.0f} % of the band wrong")
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    labels = set(truth.unique().tolist()).union(*(set(mask.unique().tolist()) for mask in predictions.values()))
    class_legend(fig, labels - {0, 255}, classes)
    set_title(fig, title)
    return fig


@own_style
def draw_iou(image: Tensor, truth: Tensor, mask: Tensor, name: str, title: str) -> Figure:
    """Intersection and union of one label called `name`: bool `(H, W)` truth and mask, over the image in grey."""
    fig, axes = new_figure(9.0, 3 * image.shape[-2] / image.shape[-1] + 0.9, 1, 3)
    parts = {"in the truth alone": truth & ~mask, "in the mask alone": mask & ~truth}
    parts["in both: the intersection"] = truth & mask
    colors = ("#CC79A7", "#56B4E9", "#444444")
    pale = together = _grey(image)
    for part, color in zip(parts.values(), colors, strict=True):
        together = tint_mask(together, part, color)
    pixels, union = (truth & mask).sum(), (truth | mask).sum()
    panels = {
        f"the true {name}: {truth.sum():,} pixels": tint_mask(pale, truth, colors[0]),
        f"the mask: {mask.sum():,} pixels": tint_mask(pale, mask, colors[1]),
        f"{pixels:,} of {union:,} pixels: {100 * pixels / union.clamp(min=1):.0f} %": together,
    }
    for ax, (words, picture) in zip(axes, panels.items(), strict=True):
        ax.imshow(to_image(picture))
        ax.set_title(words, fontsize=9)
    handles = [Patch(color=color, label=words) for words, color in zip(parts, colors, strict=True)]
    fig.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    hide_axes(axes)
    set_title(fig, title)
    return fig
