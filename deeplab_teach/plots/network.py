"""The X-ray: a network drawn from the shapes of its tensors, in the look of `plots`."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from torch import Tensor

from deeplab_teach.cost import Block
from deeplab_teach.plots.style import COLORS, ink, new_figure, own_style, to_image

ABOVE, UNDER = 0.32, 0.72  # room for the name above a block and for the three lines under it


@own_style
def draw_network(
    blocks: Sequence[Block],
    image_size: tuple[int, int],
    title: str,
    *,
    image: Tensor | None = None,
    skip: tuple[str, str, str] | None = None,
    brackets: Sequence[tuple[str, str, str]] = (),
) -> Figure:
    """The X-ray of a network, drawn from the shapes its tensors really have.

    Args:
        blocks: `cost.blocks(model, image_size)`. Height shows the rows of a map, width its channels (both on a log
            scale); the colour is the role, and under each stands how many input pixels one step covers.
        image: `(3, H, W)`, drawn at the left.
        skip: `(from, through, to)` names of blocks on a second path below the first, as a decoder's low-level path.
        brackets: `(first, last, label)` names of blocks embraced from above, from left to right, line by line.
    """
    fig, (ax,) = new_figure(9.2)
    side = _height(image_size[0])
    lower, upper = -side / 2 - UNDER, side / 2 + ABOVE
    extent = (0, side, -side / 2, side / 2)
    if image is not None:
        ax.imshow(to_image(image), extent=extent, zorder=2)
    else:
        ax.add_patch(Rectangle((0, -side / 2), side, side, facecolor="#DDDDDD", edgecolor=COLORS["input"]))
    _label_block(ax, extent, "image", f"3\n{image_size[0]} x {image_size[1]}", "#666666")
    place, end, center, past = {}, side, side / 2, 0.0  # `past`: the right border of what stands on the lower path
    crowded = len(blocks) > 12  # then names go on two lines
    for block in blocks:
        width, height = 0.16 * math.log2(block.shape[0] + 1), _height(block.shape[1] if len(block.shape) > 1 else 1)
        if skip and block.name == skip[1]:
            left, past = end + 0.6, end + 0.6 + width  # on the lower path, between two blocks of the upper one
            middle = min(bottom for *_, bottom, _ in list(place.values())[-2:]) - UNDER - ABOVE - height / 2
            lower = middle - height / 2 - UNDER
        else:
            apart = 1.5 if crowded else 1.0  # of the middles of two blocks, so that what is written there has room
            left, middle = max(end + 0.55, center + apart - width / 2, past + 0.7), 0
            ax.annotate("", (left, 0), (end + 0.04, 0), arrowprops={"arrowstyle": "->", "color": "#666666"})
            end, center = left + width, left + width / 2
        extent = (left, left + width, middle - height / 2, middle + height / 2)
        place[block.name] = extent
        ax.add_patch(Rectangle((left, extent[2]), width, height, facecolor=COLORS[block.role], zorder=2))
        under = f"{block.shape[0]}\nscores"
        if len(block.shape) > 1:
            rows, columns = block.shape[1:]
            under = f"{block.shape[0]}\n{rows} x {columns}"
            under += f"\nstride {block.stride}" if block.stride else ""
        name = block.name.replace("_", "\n" if crowded else " ")
        _label_block(ax, extent, name, under, ink(COLORS[block.role]))
    if skip:
        _draw_skip(ax, *(place[name] for name in skip))
    lines = []
    for first, last, label in brackets:
        left, right = place[first][0], place[last][1]
        if not lines or left < lines[-1][-1][1]:  # a new line where it would cover the one before
            lines.append([])
        lines[-1].append((left, right, label))
    upper += 0.5 * len(lines)
    for level, left, right, label in [(i, *span) for i, line in enumerate(lines) for span in line]:
        y = upper - 0.35 - 0.5 * level
        ax.plot([left, left, right, right], [y - 0.1, y, y, y - 0.1], color="#333333", linewidth=1)
        ax.text((left + right) / 2, y + 0.04, label, ha="center", va="bottom", fontsize=9)
    handles = [Patch(color=COLORS[role], label=role) for role in dict.fromkeys(block.role for block in blocks)]
    fig.legend(handles=handles, loc="outside lower left", ncols=len(handles), frameon=False)
    ax.set(xlim=(-0.1, end + 0.3), ylim=(lower, upper))
    fig.set_figheight(0.62 * (upper - lower) + 0.6)
    ax.set_title(title)
    ax.axis("off")
    return fig


def _label_block(ax, extent, name, under, color):
    left, right, bottom, top = extent
    middle = (left + right) / 2
    ax.text(middle, top + 0.06, name, ha="center", va="bottom", color=color, weight="bold", fontsize=8.5)
    ax.text(middle, bottom - 0.06, under, ha="center", va="top", fontsize=7.5)


def _draw_skip(ax, start, through, to):
    """Down from one block, through another on the lower path, up into a third."""
    color = "#666666"
    x, y = (start[0] + start[1]) / 2, (through[2] + through[3]) / 2
    ax.plot([x, x], [start[2] - UNDER, y], color=color, linewidth=1)
    ax.annotate("", (through[0], y), (x, y), arrowprops={"arrowstyle": "->", "color": color, "shrinkA": 0})
    end = (to[0] + to[1]) / 2
    ax.plot([through[1], end], [y, y], color=color, linewidth=1)
    ax.annotate("", (end, to[2] - UNDER), (end, y), arrowprops={"arrowstyle": "->", "color": color, "shrinkA": 0})


def _height(rows: int) -> float:
    return 0.3 * math.log2(rows + 1)
