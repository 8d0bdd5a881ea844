"""Several passes of one network over an input that is moved, interleaved: what leaving a stride out amounts to."""

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from deeplab_teach.grids import interleave
from deeplab_teach.plots.style import COLORS, hide_axes, new_figure, own_style, set_title, to_image

PASSES = ("#56B4E9", "#CC79A7")  # no roles: only to tell one pass from the other
SHOWN = 4


@own_style
def draw_row_passes(rows: list[list[float]], passes: int, place: int, title: str) -> Figure:
    """Two layers over a row of numbers whose ends are joined, and what one number on top has read.

    Each number has the colour of the pass that computes it: of the row as it is, or of the row moved by one.

    Args:
        rows: the input, what a first layer with a kernel of 3 makes of it without its stride of 2, and what a second
            one with rate 2 makes of that.
        passes: 1 leaves out what only the moved row gives, 2 shows all.
        place: the number on top whose reading is drawn.
    """
    fig, (ax,) = new_figure(8.4, 2.7)
    count = len(rows[0])
    reads = {2: {place}, 1: {place - 2, place, place + 2}}
    reads[0] = {middle + step for middle in reads[1] for step in (-1, 0, 1)}
    color = PASSES[place % 2]
    for level, values in enumerate(rows):
        for x in range(-3, count + 3):  # beyond the ends the ring goes on: drawn hollow
            inside, made = 0 <= x < count, level == 0 or x % 2 < passes
            if not made or (level == 2 and not inside):
                continue
            face = "none" if not inside else "#EEEEEE" if level == 0 else PASSES[x % 2]
            edge = {"linewidth": 2.2} if x in reads[level] else {"linewidth": 0.8, "linestyle": "-" if inside else ":"}
            ax.add_patch(Rectangle((x - 0.36, level - 0.19), 0.72, 0.38, facecolor=face, edgecolor="black", **edge))
            color_of_number = "black" if inside else "#666666"
            ax.text(x, level, f"{values[x % count]:g}", ha="center", va="center", color=color_of_number)
            if level == 0 and inside:
                ax.text(x, -0.42, f"{x}", ha="center", va="center", fontsize=7, color="#666666")
        name = ("the row", "after the first", "after the second")[level]
        ax.text(-3.7, level, name, ha="right", va="center")
    ax.text(-3.7, -0.42, "place", ha="right", va="center", fontsize=7, color="#666666")
    for level, steps in ((2, (-2, 0, 2)), (1, (-1, 0, 1))):
        for x in reads[level]:
            for step in steps:
                ax.plot([x, x + step], [level - 0.19, level - 0.81], color=color, linewidth=1.2, zorder=0)
    ax.set(xlim=(-7.2, count + 2.5), ylim=(-0.6, 2.4))
    ax.axis("off")
    set_title(fig, title)
    return fig


@own_style
def draw_passes(image: Tensor, passes: dict[tuple[int, int], Tensor], steps: int, title: str) -> Figure:
    """Pictures that were moved, and under each the finer map as far as the passes up to it fill it.

    Args:
        image: `(3, H, W)`.
        passes: `{(down, right): (h, w) in 0..1}`, in the order in which they were made; the last four are drawn.
        steps: how many places of the finer map stand for one of a pass, along each side.
    """
    order = list(passes)
    drawn = range(max(0, len(order) - SHOWN), len(order))
    fig, axes = new_figure(8.8, 3.9, 2, SHOWN)
    hide_axes(axes)
    for ax in (*axes[len(drawn) : SHOWN], *axes[SHOWN + len(drawn) :]):
        ax.axis("off")
    first = passes[order[0]]
    stride = round(image.shape[-1] / first.shape[-1]) // steps
    for column, i in enumerate(drawn):
        down, right = (stride * step for step in order[i])
        moved = torch.roll(image, (-down, -right), (-2, -1))
        axes[column].imshow(to_image(moved))
        axes[column].set_title("as it is" if (down, right) == (0, 0) else f"{down} up, {right} left", fontsize=9)
        so_far = interleave({key: passes[key] for key in order[: i + 1]}, steps)
        below = axes[SHOWN + column]
        below.set_facecolor("#8A8A8A")  # darker than the brightest values of magma, lighter than the darkest
        heat = below.imshow(so_far.cpu().numpy(), cmap="magma", interpolation="nearest", vmin=0, vmax=1)
        below.set_title(f"{i + 1} of {steps**2} passes", fontsize=9)
    fig.colorbar(heat, ax=axes, orientation="horizontal", shrink=0.6, aspect=40, label="probability")
    axes[0].set_ylabel("the picture, moved", color=COLORS["input"])
    axes[SHOWN].set_ylabel(f"{first.shape[0] * steps} x {first.shape[1] * steps} places")
    set_title(fig, title)
    return fig
