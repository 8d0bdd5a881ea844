"""Boxes on images, and the places that answer for them."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from deeplab_teach.heads.fcos import fcos_targets
from deeplab_teach.plots.style import COLORS, OBJECTS, add_paled, hide_axes, new_figure, own_style, set_title, to_image


@own_style
def draw_boxes(
    images: Sequence[Tensor], rows: dict[str, list[dict]], classes: Sequence[str], title: str, *, names: bool = True
) -> Figure:
    """One row of the images for each of `rows = {"truth": [...], "found": [...]}`, with its boxes.

    Of each image `{"boxes": (n, 4) in pixels, "labels": (n,)}`, and `"scores"` where there are. A box has its class (if
    there is more than one) and its score in percent at a corner, the best box at the best one, unless there are more
    than 20 on the image, or `names` is false.
    """
    shape = max(image.shape[-2] / image.shape[-1] for image in images)
    wide = min(2.9, 9.6 / len(images))
    fig, axes = new_figure(wide * len(images), (wide * shape + 0.2) * len(rows) + 0.5, len(rows), len(images))
    for number, (name, found) in enumerate(rows.items()):
        row = axes[number * len(images) : (number + 1) * len(images)]
        row[0].set_ylabel(name)
        for ax, image, objects in zip(row, images, found, strict=True):
            _add_boxes(ax, image, objects, classes, names, len(images))
    hide_axes(axes)
    set_title(fig, title)
    return fig


def _add_boxes(ax, image, objects, classes, names, columns):
    ax.imshow(to_image(image))
    scores = objects.get("scores")
    color = "#FFFFFF" if scores is None else COLORS["head"]
    count = len(objects["boxes"])
    best_first = list(range(count)) if scores is None else scores.argsort(descending=True).tolist()
    for i in reversed(best_first):  # the best one on top
        left, top, right, bottom = objects["boxes"][i].tolist()
        for width, tint in ((2.6, "#222222"), (1.4, color)):  # a dark rim, so that it shows on any picture
            frame = Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, edgecolor=tint)
            frame.set_linewidth(width)
            ax.add_patch(frame)
    if count > 20 or not names:
        return
    card = {"facecolor": color, "edgecolor": "none", "pad": 0.8, "alpha": 0.85}
    height, width = image.shape[-2:]
    point = width / (72 * ax.figure.get_figwidth() / columns)  # pixels of the image
    taken = []
    for i in best_first:
        words = [classes[int(objects["labels"][i])]] * (len(classes) > 2)
        words += [] if scores is None else [f"{100 * scores[i]:.0f}"]
        if words:
            text = " ".join(words)
            size = (4.2 * len(text) + 2) * point, 9 * point  # of letters of 6.5 points, roughly
            x, y = _corner(objects["boxes"][i].tolist(), size, taken, width, height)
            taken.append((x, y, x + size[0], y + size[1]))
            ax.text(x + point, y + size[1] / 2, text, fontsize=6.5, va="center", bbox=card, clip_on=True)


def _corner(box, size, taken, width, height):
    """Where the words of a box begin: of the places at its corners the one that covers least of what is written."""
    left, top, right, bottom = box
    rows = top - size[1], top, bottom, bottom - size[1]  # on its upper border, under it, and so below
    places = [(x, y) for y in rows for x in (left, right - size[0])]
    places = [(min(max(x, 0), width - size[0]), min(max(y, 0), height - size[1])) for x, y in places]

    def covered(place):
        x, y = place
        across = [max(0, min(x + size[0], right) - max(x, left)) for left, _, right, _ in taken]
        down = [max(0, min(y + size[1], bottom) - max(y, top)) for _, top, _, bottom in taken]
        return sum(a * b for a, b in zip(across, down, strict=True))

    return min(places, key=covered)


@own_style
def draw_places(
    image: Tensor, places: dict[str, Tensor], names: Sequence[str], title: str, *, boxes: Tensor | None = None
) -> Figure:
    """The places of each map of a pyramid over an image, a panel each; those that answer for a box in its colour.

    Args:
        image: `(3, H, W)`.
        places: `"points"`, `"strides"` and `"levels"`, as an `FCOSHead` gives them.
        names: of the maps, fine to coarse.
        boxes: `(n, 4)`, drawn in every panel; `fcos_targets` says who answers for them.
    """
    boxes = torch.zeros(0, 4) if boxes is None else boxes
    index = fcos_targets(places, boxes)
    answers = index >= 0
    tints = [OBJECTS[i % len(OBJECTS)] for i in range(len(boxes))]
    height, width = image.shape[-2:]
    fig, axes = new_figure(1.95 * len(names), 1.95 * height / width + 0.7, 1, len(names))
    for level, (ax, name) in enumerate(zip(axes, names, strict=True)):
        own = places["levels"] == level
        add_paled(ax, image)
        x, y = places["points"][own].T
        size = max(1.0, min(30.0, float(places["strides"][own][0]) / 4))
        ax.scatter(x, y, s=size, color="#555555", linewidths=0)
        x, y = places["points"][own & answers].T
        colors = [tints[i] for i in index[own & answers].tolist()]
        ax.scatter(x, y, s=4 * size, color=colors, edgecolors="black", linewidths=0.5)
        for (left, top, right, bottom), tint in zip(boxes.tolist(), tints, strict=True):
            frame = Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, linewidth=2)
            frame.set_edgecolor(tint)
            ax.add_patch(frame)
        count = int((own & answers).sum())
        stride = int(places["strides"][own][0])
        ax.set_title(f"{name}, stride {stride}\n{int(own.sum())} places, {count} answer", fontsize=8)
        ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    hide_axes(axes)
    set_title(fig, title)
    return fig


@own_style
def draw_distances(image: Tensor, point: Tensor, box: Tensor, title: str) -> Figure:
    """One place, its box, and the four distances that it must tell: to left, top, right and bottom, in pixels."""
    fig, (ax,) = new_figure(4.2, 4.4 * image.shape[-2] / image.shape[-1])
    add_paled(ax, image)
    (x, y), (left, top, right, bottom) = point.tolist(), box.tolist()
    ax.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, linewidth=1.5))
    for name, end in (("left", (left, y)), ("top", (x, top)), ("right", (right, y)), ("bottom", (x, bottom))):
        ax.annotate("", end, (x, y), arrowprops={"arrowstyle": "->", "color": COLORS["error"], "linewidth": 1.5})
        length = abs(end[0] - x) + abs(end[1] - y)
        middle = ((x + end[0]) / 2, (y + end[1]) / 2)
        card = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.85}
        ax.text(*middle, f"{name} {length:.0f}", ha="center", va="center", fontsize=8, bbox=card)
    ax.plot(x, y, "o", color=COLORS["head"], markeredgecolor="black")
    hide_axes([ax])
    set_title(fig, title)
    return fig
