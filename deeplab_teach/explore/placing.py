"""A box that is placed on an image with four sliders."""

import ipywidgets as widgets
import torch
from torch import Tensor
from torchvision.ops import clip_boxes_to_image

from deeplab_teach.explore.shell import label


def placed_box(image: Tensor, x: float, y: float, width: float, height: float) -> Tensor:
    """The box with its middle at x, y, in pixels: `(4,)`, what of it is inside the image."""
    box = torch.tensor([[x - width / 2, y - height / 2, x + width / 2, y + height / 2]])
    return clip_boxes_to_image(box, (image.shape[-2], image.shape[-1]))[0]


def box_sliders(image: Tensor, side: int) -> dict[str, widgets.IntSlider]:
    """Sliders `x`, `y`, `width` and `height`, in pixels; at first a square of `side` in the middle of the image."""
    rows, columns = image.shape[-2:]
    slider = {"continuous_update": False}
    return {
        "x": widgets.IntSlider(value=columns // 2, min=0, max=columns, **slider, **label("middle, x")),
        "y": widgets.IntSlider(value=rows // 2, min=0, max=rows, **slider, **label("middle, y")),
        "width": widgets.IntSlider(value=side, min=4, max=columns, **slider, **label("width, pixels")),
        "height": widgets.IntSlider(value=side, min=4, max=rows, **slider, **label("height, pixels")),
    }
