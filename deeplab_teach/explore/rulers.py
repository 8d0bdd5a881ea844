"""Where the places of a map look, and where stretching draws them, on a ruler of pixels to play with."""

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure

from deeplab_teach.explore.shell import label, play
from deeplab_teach.layers import conv_output_size
from deeplab_teach.plots.rulers import draw_ruler, stretched_places


def view_ruler(size: int = 64, stride: int = 16) -> tuple[Figure, str]:
    """One side of a picture, and where the places of a map look and are drawn."""
    count = conv_output_size(size, 3, stride=stride, padding=1)
    looks = stride * torch.arange(count)
    off = {
        corners: (torch.tensor(stretched_places(size, count, align_corners=corners)) - looks).abs().max().item()
        for corners in (False, True)
    }
    fig = draw_ruler(size, stride, f"{size} pixels, stride {stride}: {count} places")
    return fig, (
        f"align_corners=False draws a place up to {off[False]:.1f} pixels beside the pixel that it looks at, "
        f"align_corners=True up to {off[True]:.1f}."
    )


def ruler() -> widgets.VBox:
    """Lesson 05: for which sizes does stretching a map put its places where they look?"""
    slider = {"continuous_update": False}
    return play(
        view_ruler,
        size=widgets.IntSlider(value=64, min=33, max=129, **slider, **label("pixels")),
        stride=widgets.SelectionSlider(value=16, options=[8, 16, 32], **slider, **label("output stride")),
    )
