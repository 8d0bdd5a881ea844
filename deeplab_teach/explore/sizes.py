"""What kernel, stride, padding and depth do to a map, along one side."""

import ipywidgets as widgets
from matplotlib.figure import Figure

from deeplab_teach.explore.shell import label, play
from deeplab_teach.layers import conv_output_size, receptive_field
from deeplab_teach.plots import draw_conv


def view_sizes(
    size: int = 16, kernel_size: int = 3, stride: int = 1, padding: int = 1, layers: int = 1
) -> tuple[Figure, str]:
    """A stack of equal convolutions along one side: how many places are left, and how many one of them has read."""
    stack = [(kernel_size, stride, padding, 1)] * layers
    fig = draw_conv(size, stack, f"{layers} x kernel {kernel_size}, stride {stride}, padding {padding}")
    sizes = [size]
    for _ in stack:
        sizes.append(conv_output_size(sizes[-1], kernel_size, stride=stride, padding=padding))
    field, step = receptive_field([(kernel_size, stride, 1)] * layers)
    return fig, (
        f"Places: {' -> '.join(map(str, sizes))}. One place of the last layer reads {field} places of the input"
        f"{', padding included' if padding else ''}; its neighbour begins {step} further on."
    )


def conv_sizes() -> widgets.VBox:
    """Lesson 01: what kernel, stride, padding and depth do to the size of a map and to what one place has seen."""
    slider = {"continuous_update": False}
    return play(
        view_sizes,
        size=widgets.IntSlider(value=16, min=8, max=24, **slider, **label("input size")),
        kernel_size=widgets.IntSlider(value=3, min=1, max=7, step=2, **slider, **label("kernel size")),
        stride=widgets.IntSlider(value=1, min=1, max=3, **slider, **label("stride")),
        padding=widgets.IntSlider(value=1, min=0, max=3, **slider, **label("padding")),
        layers=widgets.IntSlider(value=1, min=1, max=3, **slider, **label("layers")),
    )
