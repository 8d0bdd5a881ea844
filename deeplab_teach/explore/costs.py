"""What one step from map to map costs, to play with."""

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure
from torch import nn

from deeplab_teach.cost import multiply_adds
from deeplab_teach.explore.shell import label, play
from deeplab_teach.plots.blocks import ACROSS, AROUND
from deeplab_teach.plots.charts import draw_bars

BOTH = "both at once"


def kinds(in_channels: int, out_channels: int, kernel_size: int, expansion: int) -> dict[str, list[nn.Conv2d]]:
    """The convolutions of three ways from one map to the next, on the meta device."""

    def depthwise(channels):
        return nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels)

    with torch.device("meta"):
        hidden = in_channels * expansion
        widen = [nn.Conv2d(in_channels, hidden, 1)] if expansion > 1 else []
        return {
            "ordinary": [nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)],
            "separable": [depthwise(in_channels), nn.Conv2d(in_channels, out_channels, 1)],
            "inverted residual": [*widen, depthwise(hidden), nn.Conv2d(hidden, out_channels, 1)],
        }


def view_kinds(
    in_channels: int = 64, out_channels: int = 64, kernel_size: int = 3, side: int = 56, expansion: int = 6
) -> tuple[Figure, str]:
    """Multiply-adds of an ordinary convolution, a separable one and an inverted residual, by what they are spent on."""
    rows = {}
    for name, layers in kinds(in_channels, out_channels, kernel_size, expansion).items():
        rows[name] = {}
        for layer in layers:
            job = BOTH if name == "ordinary" else ACROSS if layer.groups == 1 else AROUND
            work = multiply_adds(layer, (1, layer.out_channels, side, side)) / 1e6
            rows[name][job] = rows[name].get(job, 0) + work
    title = f"{in_channels} to {out_channels} channels, kernel {kernel_size}, {side} x {side} places"
    fig = draw_bars(rows, title, xlabel="million multiply-adds")
    ordinary, separable, inverted = (sum(parts.values()) for parts in rows.values())
    return fig, (
        f"Of the ordinary convolution's work the separable one does {100 * separable / ordinary:.0f} %. "
        f"The inverted residual, at expansion {expansion}, does {100 * inverted / ordinary:.0f} %."
    )


def cost_of_kinds() -> widgets.VBox:
    """Lesson 03: what channels, kernel and size of the map do to the cost of three kinds of layer."""
    slider = {"continuous_update": False}
    widths = (8, 16, 32, 64, 128, 256, 512)
    return play(
        view_kinds,
        in_channels=widgets.SelectionSlider(options=widths, value=64, **slider, **label("channels in")),
        out_channels=widgets.SelectionSlider(options=widths, value=64, **slider, **label("channels out")),
        kernel_size=widgets.IntSlider(value=3, min=1, max=7, step=2, **slider, **label("kernel size")),
        side=widgets.IntSlider(value=56, min=7, max=112, step=7, **slider, **label("map side, places")),
        expansion=widgets.IntSlider(value=6, min=1, max=8, **slider, **label("expansion")),
    )
