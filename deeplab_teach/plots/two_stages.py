"""Mask R-CNN's figure, drawn from its real tensors: what runs once for the image, and what once for each region."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from deeplab_teach.plots.images import strength
from deeplab_teach.plots.style import COLORS, add_framed, ink, new_figure, own_style, tint_mask, to_image

APART = 2.1  # of the middles of two regions
REGIONS = ("#CC79A7", "#56B4E9", "#F0E442")  # of Okabe and Ito's colours those that no role has


@own_style
def draw_two_stages(
    image: Tensor,
    features: dict[str, Tensor],
    maps: dict[str, Tensor],
    proposals: Tensor,
    regions: tuple[Tensor, Tensor],
    answers: Sequence[str],
    masks: Tensor,
    pasted: Tensor,
    title: str,
) -> Figure:
    """Image, backbone, pyramid, proposals; then a few regions, each through both heads; then the answer.

    Args:
        image: `(3, H, W)`.
        features: the backbone's maps that the pyramid reads, fine to coarse, `{"c2": (1, C, h, w), ...}`.
        maps: the pyramid's, `{"p2": ...}`.
        proposals: `(n, 4)`, in pixels, drawn on the image.
        regions: the maps inside of a few proposals, `(r, C, 7, 7)`, and inside of the boxes that the box head made of
            them, `(r, C, 14, 14)`; three at most.
        answers: what the box head says of each.
        masks: `(r, k, k)`, what the mask head says, probabilities.
        pasted: bool `(r, H, W)`, the masks in their places.
    """
    fig, (ax,) = new_figure(9.6, 4.6)
    count = len(masks)
    rows = [(count - 1) / 2 * APART - APART * i for i in range(count)]
    wide = 2.6
    end = _last(ax, 1.5, 0, to_image(image), COLORS["input"], wide, "image", COLORS["input"])
    for role, x, given in (("backbone", 4.3, features), ("neck", 6.6, maps)):
        sizes = [0.24 * math.log2(value.shape[-1] + 1) for value in given.values()]
        heights = [size * value.shape[-2] / value.shape[-1] for size, value in zip(sizes, given.values(), strict=True)]
        y = -(sum(heights) + 0.45 * (len(given) - 1)) / 2
        for (key, value), size, height in zip(given.items(), sizes, heights, strict=True):
            add_framed(ax, x, y + height / 2, strength(value), COLORS[role], size)
            ax.text(x + size / 2 + 0.08, y + height / 2, key, va="center", fontsize=7.5, color=ink(COLORS[role]))
            y += height + 0.45
        name = "backbone" if role == "backbone" else "neck: FPN"
        ax.text(x, y - 0.2, name, ha="center", va="bottom", fontsize=8.5, weight="bold", color=ink(COLORS[role]))
    arrow = {"arrowstyle": "->", "color": "#444444", "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (3.35, 0), (end, 0), arrowprops=arrow)
    ax.annotate("", (5.75, 0), (5.15, 0), arrowprops=arrow)
    left = 9.6 - wide / 2
    ax.annotate("", (left - 0.05, 0), (7.7, 0), arrowprops=arrow)
    end = _last(ax, 9.6, 0, to_image(image), COLORS["head"], wide, "RPN: proposals", COLORS["head"])
    height, width = image.shape[-2:]
    scale, upper = wide / width, wide * height / width / 2
    for x1, y1, x2, y2 in proposals.tolist():
        corner = (left + x1 * scale, upper - y2 * scale)
        frame = Rectangle(corner, (x2 - x1) * scale, (y2 - y1) * scale, fill=False, zorder=4)
        frame.set(edgecolor=COLORS["head"], linewidth=0.4)
        ax.add_patch(frame)
    side, columns = 1.35, (12.5, 14.5, 16.5, 18.7)
    for i, y in enumerate(rows):
        tint = REGIONS[i % len(REGIONS)]
        ax.annotate("", (columns[0] - side / 2 - 0.08, y), (end, y / 4), arrowprops=arrow)
        for x, picture in zip(
            (columns[0], *columns[2:]),
            (*(strength(each[i : i + 1]) for each in regions), masks[i].numpy()),
            strict=True,
        ):
            add_framed(ax, x, y, picture, tint, side)
            ax.annotate("", (x + side / 2 + 0.4, y), (x + side / 2 + 0.05, y), arrowprops=arrow)
        ax.text(columns[1], y, answers[i], ha="center", va="center", fontsize=8, color=ink(COLORS["head"]))
        ax.annotate("", (columns[2] - side / 2 - 0.05, y), (columns[2] - side / 2 - 0.35, y), arrowprops=arrow)
    top, bottom = rows[0] + side / 2, rows[-1] - side / 2
    from_maps, below = -(sum(heights) + 0.45 * (len(heights) - 1)) / 2 - 0.1, bottom - 0.9
    ax.plot([6.6, 6.6, columns[2]], [min(from_maps, bottom), below, below], color="#444444", linewidth=1.2)
    for x in columns[::2]:
        ax.annotate("", (x, bottom - 0.08), (x, below), arrowprops=arrow)
    ax.text(9.6, below + 0.08, "the maps, to cut from", ha="center", va="bottom", fontsize=8)
    ax.text(11.38, 0.12, "where", ha="center", va="bottom", fontsize=7)
    for x, name, role in zip(
        columns, ("cut out", "box head", "cut out", "mask head"), ("input", "head") * 2, strict=True
    ):
        color = "#444444" if role == "input" else ink(COLORS[role])
        ax.text(x, top + 0.15, name, ha="center", va="bottom", fontsize=8.5, weight="bold", color=color)
    picture = image
    for i in reversed(range(count)):
        picture = tint_mask(picture, pasted[i], REGIONS[i % len(REGIONS)])
    _last(ax, 20.0 + wide / 2, 0, to_image(picture), COLORS["input"], wide, "answer", COLORS["input"])
    for low, high, y, words in (
        (0.2, 10.9, top + 1.9, "once for the image"),
        (11.8, 19.4, top + 1.9, "once for each region"),
        (3.3, 7.6, top + 0.9, "(i) backbone, in the paper's words"),
        (11.8, 19.4, top + 0.9, "(ii) head, in the paper's words"),
    ):
        ax.plot([low, low, high, high], [y - 0.1, y, y, y - 0.1], color="#333333", linewidth=1)
        ax.text((low + high) / 2, y + 0.05, words, ha="center", va="bottom", fontsize=8.5)
    ax.set(xlim=(0, 22.8), ylim=(below - 0.2, top + 2.6), aspect="equal", title=title)
    ax.axis("off")
    return fig


def _last(ax, x, y, picture, color, width, words, text_color):
    """A picture with words above it; a little right of its right border, where an arrow may begin."""
    _, right, _, upper = add_framed(ax, x, y, picture, color, width)
    ax.text(x, upper + 0.12, words, ha="center", va="bottom", fontsize=8.5, weight="bold", color=ink(text_color))
    return right + 0.05
