"""The swap that the course is about: one backbone under one head, and what changes."""

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure

from deeplab_teach.backbones import FIXED_STRIDES, IMAGE_BACKBONES
from deeplab_teach.cost import blocks, count
from deeplab_teach.explore.shell import label, play
from deeplab_teach.heads import CLASSIFICATION_HEADS, DETECTION_HEADS, HEADS
from deeplab_teach.layers import OUTPUT_STRIDES
from deeplab_teach.models import build_model
from deeplab_teach.necks import without_pyramid
from deeplab_teach.plots import draw_network


def view_swap(
    backbone: str = "mobilenet_v2", head: str = "deeplabv3plus", output_stride: int = 16, image_side: int = 160
) -> tuple[Figure, str]:
    """One backbone under one head, built on the meta device: shapes and cost, no values, so nothing is pretended."""
    classes = 1000 if head in CLASSIFICATION_HEADS else 21
    possible = FIXED_STRIDES.get(backbone, output_stride)
    with torch.device("meta"):
        model = build_model(backbone, head, classes, output_stride=possible)
    size = (image_side, image_side)
    cost, boxes = count(model, size), blocks(model, size)
    skip = (model.head.low_level, "low_level_project", "decoder") if hasattr(model.head, "low_level_project") else None
    fig = draw_network(boxes, size, f"{backbone} under {head}", skip=skip)
    body = without_pyramid(model.backbone)
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
        view_swap,
        backbone=widgets.Dropdown(options=list(IMAGE_BACKBONES), value="mobilenet_v2", **label("backbone")),
        head=widgets.Dropdown(options=list(HEADS), value="deeplabv3plus", **label("head")),
        output_stride=widgets.SelectionSlider(options=OUTPUT_STRIDES[::-1], value=16, **label("output stride")),
        image_side=widgets.IntSlider(
            value=160, min=96, max=512, step=32, continuous_update=False, **label("image side, px")
        ),
    )
