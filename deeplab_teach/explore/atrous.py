"""Dilated kernels, in a row and on a map, to play with."""

import ipywidgets as widgets
from matplotlib.figure import Figure

from deeplab_teach.explore.shell import label, play
from deeplab_teach.layers import conv_output_size, dilated_kernel, receptive_field, valid_weight_share
from deeplab_teach.plots.convolutions import draw_conv, draw_kernel, weights_that_read


def view_row(size: int = 24, kernel_size: int = 3, rate: int = 2, layers: int = 1) -> tuple[Figure, str]:
    """A stack of equal dilated convolutions along one side, padded so that the size stays."""
    reach, padding = dilated_kernel(kernel_size, rate)
    stack = [(kernel_size, 1, padding, rate)] * layers
    fig = draw_conv(size, stack, f"{layers} x kernel {kernel_size}, rate {rate}")
    after = conv_output_size(size, kernel_size, padding=padding, rate=rate)
    field, _ = receptive_field([(kernel_size, 1, rate)] * layers)
    offsets = {0}
    for _ in range(layers):
        offsets = {offset + rate * i for offset in offsets for i in range(kernel_size)}
    return fig, (
        f"Places: {size} -> {after}, with {padding} of padding on each side. The kernel reaches over {reach} places. "
        f"One place on top has a field of {field}, and reads {len(offsets)} of them."
    )


def rates_in_a_row() -> widgets.VBox:
    """Lesson 05: a rate spreads the kernel: what one place reads, and what it jumps over."""
    slider = {"continuous_update": False}
    return play(
        view_row,
        size=widgets.IntSlider(value=24, min=8, max=32, **slider, **label("places")),
        kernel_size=widgets.IntSlider(value=3, min=1, max=5, step=2, **slider, **label("kernel size")),
        rate=widgets.IntSlider(value=2, min=1, max=6, **slider, **label("rate")),
        layers=widgets.IntSlider(value=1, min=1, max=3, **slider, **label("layers")),
    )


def view_rate(size: int = 10, rate: int = 6, row: int = 3, column: int = 3) -> tuple[Figure, str]:
    """A dilated 3x3 kernel on a map: how much of it reads the map, and how much the padding?"""
    row, column = min(row, size - 1), min(column, size - 1)
    fig = draw_kernel(size, rate, row, column, f"Rate {rate} on a map of {size} x {size}")
    along = weights_that_read(size, rate)
    here = along[row] * along[column]
    share = valid_weight_share(size, rate)
    return fig, (
        f"At row {row}, column {column}, {here} of the 9 weights read the map; the others read padding. "
        f"On average over all places {9 * share:.1f} of 9 do ({100 * share:.0f} %)."
    )


def rate_on_a_map() -> widgets.VBox:
    """Lesson 06: a rate against the size of the map that it works on."""
    slider = {"continuous_update": False}
    return play(
        view_rate,
        size=widgets.IntSlider(value=10, min=5, max=65, **slider, **label("map side, places")),
        rate=widgets.IntSlider(value=6, min=1, max=36, **slider, **label("rate")),
        row=widgets.IntSlider(value=3, min=0, max=64, **slider, **label("row")),
        column=widgets.IntSlider(value=3, min=0, max=64, **slider, **label("column")),
    )
