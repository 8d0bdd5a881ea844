"""A classifier asked at each place of a photograph, to play with."""

from collections.abc import Callable, Sequence
from functools import cache

import ipywidgets as widgets
from matplotlib.figure import Figure
from torchvision.transforms.v2 import functional as T

from deeplab_teach.datasets import photo
from deeplab_teach.explore.shell import label, play
from deeplab_teach.plots.heat import UPSAMPLINGS, draw_found, upsample
from deeplab_teach.predict import predict_places

SHORT_SIDE = 320  # pixels: of the photographs that are asked about


def places_viewer(classifiers: dict, labels: Sequence[str]) -> Callable[..., tuple[Figure, str]]:
    """`view(classifier, photograph, rank, threshold, upsampling)` for `classifiers = {"output stride 32": model, ...}`.

    `rank` 1 is the label with the largest probability on average over the places.
    """

    @cache  # each classifier runs once per photograph, not once per move of the other controls
    def places_of(classifier, photograph):
        image = T.resize(photo(photograph), SHORT_SIDE, antialias=True) / 255
        places = predict_places(classifiers[classifier], image)  # (1000, h, w)
        return image, places, places.mean(dim=(1, 2)).topk(5).indices

    def view(classifier, photograph, rank=1, threshold=50, upsampling="bilinear"):
        image, places, best = places_of(classifier, photograph)
        number = best[rank - 1].item()
        name = labels[number]
        fig = draw_found(image, places[number], threshold / 100, upsampling, f"{name}, by place")
        share = (upsample(places[number], image.shape[-2:], upsampling) >= threshold / 100).float().mean().item()
        return fig, (
            f"{classifier}, {photograph}: {places.shape[1]} x {places.shape[2]} places; the surest of them says {name} "
            f"with {places[number].max():.0%}. {share:.0%} of the pixels reach {threshold} %."
        )

    return view


def places(classifiers: dict, labels: Sequence[str], photographs: Sequence[str]) -> widgets.VBox:
    """Lesson 04: where does a classifier see its labels, above which threshold, and how is the map stretched?"""
    return play(
        places_viewer(classifiers, labels),
        photo=True,
        classifier=widgets.Dropdown(options=list(classifiers), **label("classifier")),
        photograph=widgets.Dropdown(options=list(photographs), **label("photograph")),
        rank=widgets.IntSlider(value=1, min=1, max=5, **label("label, by rank")),
        threshold=widgets.IntSlider(value=50, min=5, max=95, step=5, **label("threshold, %")),
        upsampling=widgets.Dropdown(options=list(UPSAMPLINGS), value="bilinear", **label("stretched")),
    )
