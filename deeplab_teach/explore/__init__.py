"""Things to play with: a thin shell of ipywidgets around the drawing functions of `plots`."""

from functools import cache

import ipywidgets as widgets
import torch

from deeplab_teach import plots
from deeplab_teach.backbones import FIXED_STRIDES, IMAGE_BACKBONES
from deeplab_teach.cost import blocks, count
from deeplab_teach.diagrams import draw_conv
from deeplab_teach.explore.atrous import draw_rate, draw_row, rate_on_a_map, rates_in_a_row
from deeplab_teach.explore.budget import choose, draw_choice
from deeplab_teach.explore.costs import cost_of_kinds, draw_kinds
from deeplab_teach.explore.heat import draw_places, places
from deeplab_teach.explore.photos import draw_names, draw_stages, name_photo, stages, uploaded
from deeplab_teach.explore.shell import label, play
from deeplab_teach.fpn import Pyramid
from deeplab_teach.heads import CLASSIFICATION_HEADS, DETECTION_HEADS, HEADS
from deeplab_teach.layers import OUTPUT_STRIDES, conv_output_size, receptive_field
from deeplab_teach.metrics import trimap_band
from deeplab_teach.models import build_model, predict_mask
from deeplab_teach.xray import draw_network

__all__ = [
    "borders",
    "choose",
    "conv_sizes",
    "cost_of_kinds",
    "draw_borders",
    "draw_choice",
    "draw_kinds",
    "draw_names",
    "draw_places",
    "draw_rate",
    "draw_row",
    "draw_sizes",
    "draw_stages",
    "draw_swap",
    "name_photo",
    "places",
    "play",
    "rate_on_a_map",
    "rates_in_a_row",
    "stages",
    "swap_parts",
    "uploaded",
]


def draw_swap(backbone="mobilenet_v2", head="deeplabv3plus", output_stride=16, image_side=160):
    """One backbone under one head, built on the meta device: shapes and cost, no values, so nothing is pretended."""
    classes = 1000 if head in CLASSIFICATION_HEADS else 21
    possible = FIXED_STRIDES.get(backbone, output_stride)
    with torch.device("meta"):
        model = build_model(backbone, head, classes, output_stride=possible)
    size = (image_side, image_side)
    cost, boxes = count(model, size), blocks(model, size)
    skip = (model.head.low_level, "low_level_project", "decoder") if hasattr(model.head, "low_level") else None
    fig = draw_network(boxes, size, f"{backbone} under {head}", skip=skip)
    body = model.backbone.backbone if isinstance(model.backbone, Pyramid) else model.backbone
    last = list(body.feature_specs.values())[-1]
    sentence = f"{backbone} ends in {last.channels} channels at stride {last.stride}"
    sentence += "." if possible == output_stride else ", and has no other output stride."
    for role, (params, work) in cost.roles.items():
        part = {"neck": type(model.backbone).__name__, "head": type(model.head).__name__}.get(role)
        name = f"{role.capitalize()} ({part})" if part else role.capitalize()
        sentence += f" {name}: {params / 1e6:.1f} million weights, {work / 1e9:.2f} billion multiply-adds."
    answer = f"{classes} score maps of {size[0]} x {size[1]}"
    if head in CLASSIFICATION_HEADS:
        answer = f"{classes} scores"
    elif head in DETECTION_HEADS:
        maps = [box.shape[1:] for box in boxes if box.role == "neck"]
        places = sum(rows * columns for rows, columns in maps)
        answer = f"at each of {places} places, {classes} scores, a box, and how near its middle the place is"
    return fig, f"{sentence} Answer: {answer}."


def swap_parts() -> widgets.VBox:
    """Lesson 00: choose a backbone and a head and see what changes."""
    return play(
        draw_swap,
        backbone=widgets.Dropdown(options=list(IMAGE_BACKBONES), value="mobilenet_v2", **label("backbone")),
        head=widgets.Dropdown(options=list(HEADS), value="deeplabv3plus", **label("head")),
        output_stride=widgets.SelectionSlider(options=OUTPUT_STRIDES[::-1], value=16, **label("output stride")),
        image_side=widgets.IntSlider(
            value=160, min=96, max=512, step=32, continuous_update=False, **label("image side, px")
        ),
    )


def draw_borders(models: dict, scenes, classes):
    """`draw(scene, width)`: where does each of `models = {"with decoder": model, ...}` err near outlines?"""

    @cache  # each model runs once per scene, not once per move of the other slider
    def predictions(scene):
        image, target = scenes[scene]
        x = image.as_subclass(torch.Tensor)[None].float() / 255
        truth = target["semantic"].as_subclass(torch.Tensor)
        return image, truth, {name: predict_mask(model, x)[0].cpu() for name, model in models.items()}

    def draw(scene, width):
        image, truth, masks = predictions(scene)
        band = trimap_band(truth, width)
        fig = plots.draw_errors(image, truth, masks, band, classes, f"Within {width} pixels of an outline")
        wrong = {name: 100 * ((mask != truth) & band).sum() / band.sum().clamp(min=1) for name, mask in masks.items()}
        shares = ", ".join(f"{name} {share:.0f} %" for name, share in wrong.items())
        return fig, f"Scene {scene}. Wrong pixels (vermilion) within {width} pixels of an outline: {shares}."

    return draw


def borders(models: dict, scenes, classes) -> widgets.VBox:
    """Lesson 07: move through scenes and widths of the band, and see the errors of each model."""
    return play(
        draw_borders(models, scenes, classes),
        photo=True,
        scene=widgets.IntSlider(value=0, min=0, max=len(scenes) - 1, continuous_update=False, **label("scene")),
        width=widgets.IntSlider(value=3, min=1, max=12, continuous_update=False, **label("band, pixels")),
    )


def draw_sizes(size=16, kernel_size=3, stride=1, padding=1, layers=1):
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
        draw_sizes,
        size=widgets.IntSlider(value=16, min=8, max=24, **slider, **label("input size")),
        kernel_size=widgets.IntSlider(value=3, min=1, max=7, step=2, **slider, **label("kernel size")),
        stride=widgets.IntSlider(value=1, min=1, max=3, **slider, **label("stride")),
        padding=widgets.IntSlider(value=1, min=0, max=3, **slider, **label("padding")),
        layers=widgets.IntSlider(value=1, min=1, max=3, **slider, **label("layers")),
    )
