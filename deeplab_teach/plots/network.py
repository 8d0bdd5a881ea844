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
    has_neck = any(block.role == "neck" for block in blocks)
    place, arrows = _beside_a_pyramid(blocks, side) if has_neck else _in_a_row(blocks, side, skip)
    crowded = len(blocks) > 12  # then names go on two lines
    for block in blocks:
        extent = left, right, bottom, top = place[block.name]
        ax.add_patch(Rectangle((left, bottom), right - left, top - bottom, facecolor=COLORS[block.role], zorder=2))
        under = f"{block.shape[0]}\nscores"
        if len(block.shape) > 1:
            rows, columns = block.shape[1:]
            under = f"{block.shape[0]}\n{rows} x {columns}"
            under += f"\nstride {block.stride}" if block.stride else ""
        name = block.name.replace("_", "\n" if crowded else " ")
        _label_block(ax, extent, name, under, ink(COLORS[block.role]))
    for *bends, last in arrows:
        if len(bends) > 1:
            ax.plot(*zip(*bends, strict=True), color="#666666", linewidth=1, zorder=1)
        ax.annotate(
            "", last, bends[-1], arrowprops={"arrowstyle": "->", "color": "#666666", "shrinkA": 0, "shrinkB": 0}
        )
    bottoms = [bottom - UNDER for *_, bottom, _ in place.values()] + [y - 0.1 for arrow in arrows for _, y in arrow]
    lower, upper = min(lower, *bottoms), max(upper, *(top + ABOVE for *_, top in place.values()))
    end = max(right for _, right, *_ in place.values())
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


def _size(block):
    return 0.16 * math.log2(block.shape[0] + 1), _height(block.shape[1] if len(block.shape) > 1 else 1)


def _in_a_row(blocks, side, skip):
    """Where each block stands, `{name: (left, right, bottom, top)}`, and arrows as lists of points."""
    place, arrows, end, center, past = {}, [], side, side / 2, 0.0  # `past`: the right border of the lower path
    for block in blocks:
        width, height = _size(block)
        if skip and block.name == skip[1]:
            left, past = end + 0.6, end + 0.6 + width  # on the lower path, between two blocks of the upper one
            middle = min(bottom for *_, bottom, _ in list(place.values())[-2:]) - UNDER - ABOVE - height / 2
        else:
            left, middle = max(end + 0.55, center + 1.0 - width / 2, past + 0.7), 0
            arrows.append([(end + 0.04, 0), (left, 0)])
            end, center = left + width, left + width / 2
        place[block.name] = (left, left + width, middle - height / 2, middle + height / 2)
    if skip:  # down from one block, through another on the lower path, up into a third
        start, through, to = (place[name] for name in skip)
        x, y, z = (start[0] + start[1]) / 2, (through[2] + through[3]) / 2, (to[0] + to[1]) / 2
        arrows.append([(x, start[2] - UNDER), (x, y), (through[0], y)])
        arrows.append([(through[1], y), (z, y), (z, to[2] - UNDER)])
    return place, arrows


def _beside_a_pyramid(blocks, side):
    """As `_in_a_row`, for a network with a neck: each map of it stands under the backbone's of the same number, and the
    head's parts stand at the right, each beside the one that it reads, or in a row of its own."""
    parts = {role: [block for block in blocks if block.role == role] for role in ("backbone", "neck", "head")}
    place, arrows = _in_a_row(parts["backbone"], side, None)
    tallest = max(_size(block)[1] for block in parts["neck"])
    low = -side / 2 - UNDER - ABOVE - 0.3 - tallest / 2  # the middle of the neck's row, under all that is above it
    known, past = list(place)[-1], -math.inf  # `known`: a map of the backbone, from which the others are counted
    for block in parts["neck"]:
        above = f"c{block.name[1:]}"
        shift = 0 if above in place else 1.3 * (int(block.name[1:]) - int(known[1:]))
        middle = sum(place.get(above, place[known])[:2]) / 2 + shift
        width, height = _size(block)
        left = max(middle - width / 2, past + 0.4)
        past = left + width
        place[block.name] = (left, past, low - height / 2, low + height / 2)
    neck = [block.name for block in parts["neck"]]
    for name, source in [(block.name, source) for block in parts["neck"] for source in block.made_from]:
        (left, right, _, top), (from_left, from_right, bottom, _) = place[name], place[source]
        if source in neck:
            arrows.append([(from_left, low), (right, low)] if left < from_left else [(from_right, low), (left, low)])
        else:
            arrows.append([((from_left + from_right) / 2, bottom - UNDER), ((left + right) / 2, top + ABOVE)])
    bus, under = past + 0.45, low - tallest / 2 - UNDER - 0.35  # each map leaves for every part that reads the neck
    leave = [(sum(place[name][:2]) / 2, place[name][2] - UNDER) for name in neck]
    arrows += [[point, (point[0], under), (bus, under)] for point in leave]
    rows = []
    for block in parts["head"]:
        if rows and block.made_from in ((), (rows[-1][-1].name,)):
            rows[-1].append(block)
        else:
            rows.append([block])
    rise = max((_size(block)[1] for block in parts["head"]), default=0) + ABOVE + UNDER + 0.35
    for i, row in enumerate(rows):
        y, before = low / 2 + rise * ((len(rows) - 1) / 2 - i), row[0].made_from[:1] or (neck[-1],)
        for block in row:
            source = (block.made_from or before)[0]
            x, start = (bus, under) if source in neck else (place[source][1], sum(place[source][2:]) / 2)
            width, height = _size(block)
            place[block.name] = (x + 0.75, x + 0.75 + width, y - height / 2, y + height / 2)
            arrows.append([(x, start), (x + 0.2, start), (x + 0.2, y), (x + 0.75, y)])
            before = (block.name,)
    return place, arrows


def _height(rows: int) -> float:
    return 0.3 * math.log2(rows + 1)
