"""Networks over photographs: the stages of a backbone, and what classifiers take a picture of your own for."""

from collections.abc import Callable, Sequence
from functools import cache

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure

from deeplab_teach import plots
from deeplab_teach.datasets import photo, read_image
from deeplab_teach.explore.shell import label, play
from deeplab_teach.predict import evaluating, predict_classes


def stages_viewer(backbones: dict) -> Callable[..., tuple[Figure, str]]:
    """`view(backbone, photograph, stage, channel)`: what one stage of `{"mobilenet_v2": backbone, ...}` gives."""

    @cache  # each backbone runs once per photograph, not once per move of the other controls
    def features_of(backbone, photograph):
        model, image = backbones[backbone], photo(photograph) / 255
        with torch.inference_mode(), evaluating(model):
            return image, model(model.normalize(image[None]))

    def view(backbone, photograph, stage, channel):
        image, features = features_of(backbone, photograph)
        value = features[stage]
        chosen = channel % value.shape[1]  # the control goes as far as MobileNetV2's widest stage
        maps = {stage: value, f"{stage}, channel {chosen}": value[:, chosen : chosen + 1]}
        fig = plots.draw_features(image, maps, f"{backbone} on {photograph}: {stage}")
        spec = backbones[backbone].feature_specs[stage]
        return fig, (
            f"{stage} of {backbone}: {spec.channels} channels at stride {spec.stride}, "
            f"{value.shape[2]} x {value.shape[3]} places for {image.shape[1]} x {image.shape[2]} pixels. "
            f"In the middle the mean over all channels, at the right channel {chosen} alone."
        )

    return view


def stages(backbones: dict, photographs: Sequence[str]) -> widgets.VBox:
    """Lesson 02: walk through the stages of a backbone, over a photograph."""
    keys = list(next(iter(backbones.values())).feature_specs)
    return play(
        stages_viewer(backbones),
        photo=True,
        backbone=widgets.Dropdown(options=list(backbones), **label("backbone")),
        photograph=widgets.Dropdown(options=list(photographs), **label("photograph")),
        stage=widgets.SelectionSlider(options=keys, value=keys[1], **label("stage")),
        channel=widgets.IntSlider(value=0, min=0, max=319, continuous_update=False, **label("channel")),
    )


def uploaded(value: dict | tuple) -> bytes | None:
    """The bytes of an upload control's last file: ipywidgets 8 gives a tuple of files, version 7 a dict by name."""
    files = list(value.values()) if isinstance(value, dict) else list(value)
    return bytes(files[-1]["content"]) if files else None


def names_viewer(classifiers: dict, labels: Sequence[str]) -> Callable[..., tuple[Figure, str]]:
    """`view(upload)`: what each of `classifiers = {"mobilenet_v2": model, ...}` takes a picture for."""

    def view(upload=()):
        content = uploaded(upload)
        image = (photo("coffee") if content is None else read_image(content, max_side=640)) / 255
        guesses = {
            name: [(labels[i], p) for i, p in predict_classes(model, image)] for name, model in classifiers.items()
        }
        best = ", ".join(f"{name} says {rows[0][0]} ({100 * rows[0][1]:.0f} %)" for name, rows in guesses.items())
        return plots.draw_guesses(image, guesses, "What is this?"), f"{best}."

    return view


def name_photo(classifiers: dict, labels: Sequence[str]) -> widgets.VBox:
    """Lesson 01: upload a picture of your own and see what the classifiers take it for."""
    upload = widgets.FileUpload(accept="image/*", multiple=False)
    return play(names_viewer(classifiers, labels), photo=True, upload=upload)
