"""A feature pyramid, drawn from its real maps: what comes from where, and what the head reads."""

import math

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import Affine2D
from torch import Tensor

from deeplab_teach.plots.images import strength
from deeplab_teach.plots.style import COLORS, add_framed, ink, new_figure, own_style, set_title, to_image

APART = 1.5  # of the middles of two levels


@own_style
def draw_pyramid(image: Tensor, features: dict[str, Tensor], maps: dict[str, Tensor], title: str) -> Figure:
    """An FPN between backbone and head: sideways, down, and up to the extra maps.

    Args:
        image: `(3, H, W)`.
        features: the backbone's maps that it reads, fine to coarse, `{"c3": (1, C, h, w), ...}`.
        maps: what it gives, `{"p3": (1, C, h, w), ...}`, those of `features` first.

    Each map shows how strongly it answers at each place, the mean of |value| over its channels; sides are on a log
    scale.
    """
    fig, (ax,) = new_figure(9.2, 5.6)
    columns = {"backbone": 2.2, "neck": 5.6}
    level_of = {key: i for i, key in enumerate(maps)}
    arrow = {"arrowstyle": "->", "color": "#444444", "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    places = {"image": add_framed(ax, columns["backbone"], -1.35 * APART, to_image(image), COLORS["input"], 2.2)}
    for role, given in (("backbone", features), ("neck", maps)):
        for key, value in given.items():
            level = level_of[key.replace("c", "p")]
            width = 0.3 * math.log2(value.shape[-1] + 1)
            place = places[key] = add_framed(ax, columns[role], level * APART, strength(value), COLORS[role], width)
            text = f"{key}\n{value.shape[1]} channels\n{value.shape[2]} x {value.shape[3]}"
            side, x = ("right", place[0] - 0.1) if role == "backbone" else ("left", place[1] + 0.1)
            ax.text(x, level * APART, text, ha=side, va="center", fontsize=7.5, color=ink(COLORS[role]))
    keys = list(features)
    for below, above in (("image", keys[0]), *zip(keys, keys[1:], strict=False)):
        ax.annotate(
            "", (columns["backbone"], places[above][2]), (columns["backbone"], places[below][3]), arrowprops=arrow
        )
    for key in keys:
        neck = key.replace("c", "p")
        y = level_of[neck] * APART
        ax.annotate("", (places[neck][0] - 0.03, y), (places[key][1] + 0.03, y), arrowprops=arrow)
        ax.text((places[neck][0] + places[key][1]) / 2, y + 0.06, "1x1", ha="center", va="bottom", fontsize=8)
    levels = list(maps)
    for below, above in zip(levels, levels[1:], strict=False):
        down = level_of[above] < len(features)
        start, end = (places[above][2], places[below][3]) if down else (places[below][3], places[above][2])
        ax.annotate("", (columns["neck"], end), (columns["neck"], start), arrowprops=arrow)
        words = "enlarged, added" if down else "3x3, stride 2"
        ax.text(columns["neck"] + 0.08, (start + end) / 2, words, va="center", fontsize=8)
    top = (len(levels) - 1) * APART + 0.6
    ax.add_patch(Rectangle((9.2, -0.6), 2.0, top + 0.6, facecolor=COLORS["head"]))
    ax.text(
        10.2,
        (top - 0.6) / 2 + 0.3,
        "one head,\nthe same\nweights for\nevery map",
        ha="center",
        va="center",
        fontsize=8.5,
    )
    for key in levels:
        y = level_of[key] * APART
        ax.annotate("", (9.17, y), (places[key][1] + 1.4, y), arrowprops=arrow)
    for x, words, role in (
        (columns["backbone"], "backbone", "backbone"),
        (columns["neck"], "neck: FPN", "neck"),
        (10.2, "head", "head"),
    ):
        ax.text(x, top + 0.25, words, ha="center", weight="bold", color=ink(COLORS[role]))
    left, right, y = 0.4, 7.2, top + 0.75  # a second vocabulary over the same picture
    ax.plot([left, left, right, right], [y - 0.1, y, y, y - 0.1], color="#333333", linewidth=1)
    ax.text((left + right) / 2, y + 0.05, "backbone, in Mask R-CNN's paper", ha="center", va="bottom", fontsize=9)
    ax.set(xlim=(0, 11.3), ylim=(places["image"][2] - 0.1, y + 0.5), aspect="equal", title=title)
    ax.axis("off")
    return fig


@own_style
def draw_stack(image: Tensor, features: dict[str, Tensor], title: str) -> Figure:
    """The maps of a backbone above each other, true to scale: each seen from the side, the image at the bottom.

    Args:
        image: `(3, H, W)`.
        features: `{"c1": (1, C, h, w), ...}`, fine to coarse.
    """
    fig, (ax,) = new_figure(7.4, 4.2)
    height, width = image.shape[-2:]
    lean, flat = 0.45, 0.35  # how far a sheet's far side is moved, and how deep it looks
    sheets = {"image": to_image(image), **{key: strength(value) for key, value in features.items()}}
    y = below = 0.0
    for key, sheet in sheets.items():
        rows, columns = sheet.shape[:2]
        y += flat * (below + rows) / 2 + 0.14 * height * bool(below)
        below = rows
        move = Affine2D().scale(1, flat).skew(math.atan(lean / flat), 0).translate(0, y)
        drawn = ax.imshow(
            sheet, cmap="magma", interpolation="nearest", extent=(-columns / 2, columns / 2, -rows / 2, rows / 2)
        )
        drawn.set_transform(move + ax.transData)
        color = COLORS["input"] if key == "image" else COLORS["backbone"]
        frame = Rectangle((-columns / 2, -rows / 2), columns, rows, fill=False, edgecolor=color, linewidth=1.5)
        frame.set_transform(move + ax.transData)
        ax.add_patch(frame)
        words = "pixels" if key == "image" else f"places, {features[key].shape[1]} channels"
        ax.text(0.8 * width, y, f"{key}: {rows} x {columns} {words}", va="center", fontsize=8.5, color=ink(color))
    ax.set(xlim=(-0.75 * width, 1.6 * width), ylim=(-0.05 * height, y + 0.1 * height), aspect="equal")
    ax.axis("off")
    set_title(fig, title)
    return fig
