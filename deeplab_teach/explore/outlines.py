"""Where models err near the outlines of objects."""

from collections.abc import Callable, Sequence
from functools import cache

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure
from torch.utils.data import Dataset

from deeplab_teach import plots
from deeplab_teach.explore.shell import label, play
from deeplab_teach.metrics import trimap_band
from deeplab_teach.predict import predict_mask


def borders_viewer(models: dict, scenes: Dataset, classes: Sequence[str]) -> Callable[..., tuple[Figure, str]]:
    """`view(scene, width)`: where does each of `models = {"with decoder": model, ...}` err near outlines?"""

    @cache  # each model runs once per scene, not once per move of the other slider
    def predictions(scene):
        image, target = scenes[scene]
        x = image.as_subclass(torch.Tensor)[None].float() / 255
        truth = target["semantic"].as_subclass(torch.Tensor)
        return image, truth, {name: predict_mask(model, x)[0].cpu() for name, model in models.items()}

    def view(scene, width):
        image, truth, masks = predictions(scene)
        band = trimap_band(truth, width)
        fig = plots.draw_errors(image, truth, masks, band, classes, f"Within {width} pixels of an outline")
        wrong = {name: 100 * ((mask != truth) & band).sum() / band.sum().clamp(min=1) for name, mask in masks.items()}
        shares = ", ".join(f"{name} {share:.0f} %" for name, share in wrong.items())
        return fig, f"Scene {scene}. Wrong pixels (vermilion) within {width} pixels of an outline: {shares}."

    return view


def borders(models: dict, scenes: Dataset, classes: Sequence[str]) -> widgets.VBox:
    """Lesson 07: move through scenes and widths of the band, and see the errors of each model."""
    return play(
        borders_viewer(models, scenes, classes),
        photo=True,
        scene=widgets.IntSlider(value=0, min=0, max=len(scenes) - 1, continuous_update=False, **label("scene")),
        width=widgets.IntSlider(value=3, min=1, max=12, continuous_update=False, **label("band, pixels")),
    )
