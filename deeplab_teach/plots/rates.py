"""Rates of dilation, read from real convolutions: along a stage, and the places that two neighbours read."""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from torch import nn

from deeplab_teach.plots.charts import PARTS
from deeplab_teach.plots.style import COLORS, hide_axes, new_figure, own_style, set_title

SHADES = {1: "#CCE3F0", 2: "#56B4E9", 4: "#0072B2"}  # the higher the rate, the darker


@own_style
def draw_rates(stages: dict[str, Iterable[nn.Module]], title: str) -> Figure:
    """The convolutions of a stage that look around, from left to right, with the stride and the rate of each.

    Args:
        stages: `{"as planned": [backbone.layer3, backbone.layer4], ...}`, one row each; convolutions of kernel 1 are
            left out.
    """
    rows = {}
    for name, stage in stages.items():  # (where it stands, convolution): a gap between two parts
        parts = [[m for m in part.modules() if _looks_around(m)] for part in stage]
        starts = [sum(map(len, parts[:i])) + 0.35 * i * (len(parts[0]) > 1) for i in range(len(parts))]
        rows[name] = [(start + k, m) for start, part in zip(starts, parts, strict=True) for k, m in enumerate(part)]
    longest = max(row[-1][0] + 1 for row in rows.values())
    plain = all(conv.dilation == (1, 1) for row in rows.values() for _, conv in row)  # then rates are not the point
    fig, (ax,) = new_figure(1.1 * longest + 2.4, 0.75 * len(rows) + 0.6)
    for y, (name, row) in enumerate(rows.items()):
        ax.text(-0.25, -y, name, ha="right", va="center")
        end = 0.0
        for x, conv in row:
            (rate, _), (stride, _) = conv.dilation, conv.stride
            color = SHADES.get(rate, COLORS["input"])
            ax.add_patch(Rectangle((x, -y - 0.3), 0.8, 0.6, facecolor=color, edgecolor="#444444"))
            words = "\n".join([f"stride {stride}"] * (stride > 1 or plain) + [f"rate {rate}"] * (not plain))
            ax.text(x + 0.4, -y, words, ha="center", va="center", fontsize=8, color="white" if rate == 4 else "black")
            if x:
                ax.annotate("", (x, -y), (end, -y), arrowprops={"arrowstyle": "->", "color": "#666666"})
            end = x + 0.8
    ax.set(xlim=(-0.4 - 0.085 * max(map(len, rows)), longest), ylim=(-len(rows) + 0.5, 0.5))
    ax.axis("off")
    set_title(fig, title)
    return fig


def _looks_around(module):
    return isinstance(module, nn.Conv2d) and module.kernel_size[0] > 1


@own_style
def draw_neighbours(size: int, stacks: Sequence[Sequence[int]], title: str) -> Figure:
    """Which places of a map two neighbours on top, framed where they stand, read through stacks of 3x3 convolutions.

    Args:
        size: places along each side of the map.
        stacks: of each picture the rates of its convolutions, from the map up.
    """
    fig, axes = new_figure(3.6 * len(stacks), 4.1, 1, len(stacks))
    colors = {"read by one place": PARTS[1], "by its right neighbour": PARTS[2], "by both": "#444444"}
    for ax, rates in zip(axes, stacks, strict=True):
        one, other = (_read(size, rates, size // 2, size // 2 + side) for side in (0, 1))
        parts = zip(
            (~(one | other), one & ~other, other & ~one, one & other), ("#EEEEEE", *colors.values()), strict=True
        )
        for part, color in parts:
            for row, column in part.nonzero().tolist():
                ax.add_patch(Rectangle((column, row), 0.86, 0.86, facecolor=color))
        for side in (0, 1):
            corner = (size // 2 + side, size // 2)
            ax.add_patch(Rectangle(corner, 0.86, 0.86, fill=False, edgecolor="black", linewidth=1.8))
        ax.set(xlim=(-0.2, size), ylim=(size, -0.2), aspect="equal", title=f"rates {', '.join(map(str, rates))}")
    handles = [Patch(color=color, label=words) for words, color in colors.items()]
    fig.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    hide_axes(axes)
    set_title(fig, title)
    return fig


def _read(size, rates, row, column):
    """Bool `(size, size)`: the places that reach one place through convolutions of ones."""
    seen = torch.zeros(1, 1, size, size)
    seen[..., row, column] = 1
    for rate in reversed(rates):
        seen = F.conv2d(seen, torch.ones(1, 1, 3, 3), padding=rate, dilation=rate)
    return seen[0, 0] > 0
