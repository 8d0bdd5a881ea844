"""Which value is joined to which, and by which weight: a convolution's channels, and its weights along a row."""

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from deeplab_teach.plots.style import COLORS, OBJECTS, hide_axes, new_figure, own_style, set_title

CELL = 0.2  # side of one place of a channel


@own_style
def draw_wiring(layers: dict[str, nn.Conv2d], title: str) -> Figure:
    """The channels that a convolution joins: those that come in below, those that go out above.

    Of each channel that comes in a patch of 3 x 3 places is drawn, and filled where the kernel reads it. A line is one
    kernel: as many weights as it reads places.

    Args:
        layers: `{"depthwise": nn.Conv2d(4, 4, 3, groups=4), ...}`, kernels of 1 or 3, few channels.
    """
    fig, axes = new_figure(3.1 * len(layers), 2.9, 1, len(layers))
    for ax, (name, layer) in zip(axes, layers.items(), strict=True):
        whole = layer.kernel_size == (3, 3)
        per_group, given = layer.in_channels // layer.groups, layer.out_channels // layer.groups
        for i in range(layer.in_channels):
            for row in range(3):
                for column in range(3):
                    read = whole or row == column == 1
                    corner = (i + CELL * (column - 1.5), CELL * (row - 1.5))
                    color = COLORS["backbone"] if read else "#EEEEEE"
                    ax.add_patch(Rectangle(corner, CELL, CELL, facecolor=color, edgecolor="white", linewidth=0.6))
        for o in range(layer.out_channels):
            x = o + (layer.in_channels - layer.out_channels) / 2
            ax.add_patch(Rectangle((x - CELL / 2, 2 - CELL / 2), CELL, CELL, facecolor=COLORS["backbone"]))
            first = o // given * per_group
            for i in range(first, first + per_group):
                ax.plot([i, x], [1.6 * CELL, 2 - CELL / 2], color=COLORS["input"], linewidth=2.2 if whole else 0.9)
        ax.set_title(f"{name}\n{layer.weight.numel()} weights")
        ax.set(xlim=(-0.6, layer.in_channels - 0.4), ylim=(-0.45, 2.2), aspect="equal")
    hide_axes(axes)
    axes[0].set_yticks([0, 2], ["channels in", "channels out"])
    axes[0].tick_params(length=0)
    set_title(fig, title)
    return fig


@own_style
def draw_weights(size: int, layers: dict[str, nn.Conv1d | nn.Linear], title: str) -> Figure:
    """What each value of a row becomes, by which weight: a line for each multiplication, a colour for each weight.

    Args:
        size: values of the row, below.
        layers: `{"convolution": nn.Conv1d(1, 1, 3, padding=1), "linear layer": nn.Linear(size, size)}`.
    """
    fig, axes = new_figure(4.4 * len(layers), 2.5, 1, len(layers))
    for ax, (name, layer) in zip(axes, layers.items(), strict=True):
        lines = _lines(size, layer)
        weights = {weight for *_, weight in lines}
        shades = matplotlib.colormaps["turbo"]
        for start, end, weight in lines:
            color = OBJECTS[weight] if len(weights) <= len(OBJECTS) else shades(weight / len(weights))
            ax.plot([start, end], [0.09, 0.91], color=color, linewidth=1.5)
        for x, y in [(start, 0) for start in range(size)] + [(end, 1) for end in {end for _, end, _ in lines}]:
            ax.add_patch(Rectangle((x - 0.2, y - 0.09), 0.4, 0.18, facecolor="#DDDDDD", edgecolor=COLORS["input"]))
        ax.set_title(f"{name}: {len(weights)} weights, {len(lines)} multiplications", fontsize=9)
        ax.set(xlim=(-0.6, size - 0.4), ylim=(-0.2, 1.2))
    hide_axes(axes)
    set_title(fig, title)
    return fig


def _lines(size, layer):
    """`(value below, value above, number of the weight)` of each multiplication; padding is left out."""
    if isinstance(layer, nn.Linear):
        return [(i, o, o * size + i) for o in range(layer.out_features) for i in range(layer.in_features)]
    (kernel,), (padding,) = layer.kernel_size, layer.padding
    reads = [(o - padding + k, o, k) for o in range(size + 2 * padding - kernel + 1) for k in range(kernel)]
    return [line for line in reads if 0 <= line[0] < size]
