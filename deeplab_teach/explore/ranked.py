"""Photographs in the order of how well a model did on them, from the worst."""

import math
from collections.abc import Callable, Sequence

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.utils.data import Dataset

from deeplab_teach import plots
from deeplab_teach.explore.shell import label, play


def _order(scores):
    """Which photographs there are to show, from the worst; without those that have no score."""
    values = torch.as_tensor(scores)
    return [i for i in values.argsort(stable=True).tolist() if not math.isnan(values[i])]


def worst_first_viewer(
    photographs: Dataset, masks: Sequence[Tensor], scores: Sequence[float], *, numbers: Sequence[int] | None = None
) -> Callable[..., tuple[Figure, str]]:
    """`view(place)`: the photograph that is the `place`-th from below, with its true and its found mask.

    Args:
        photographs: gives `(image, target)` with the true labels, and has `classes`; class 1 is what is looked for.
        masks: of each the labels that a model found, `(H, W)`.
        scores: of each the IoU of class 1, in percent. Where it is NaN, nothing was there and nothing was found: those
            are left out.
        numbers: what each is called; its place in `photographs` if not given.
    """
    order = _order(scores)

    def view(place):
        i = order[place - 1]
        image, target = photographs[i]
        truth, found = target["semantic"], masks[i]
        pictures = [image, *(plots.overlay_mask(image, mask, photographs.classes) for mask in (truth, found))]
        shares = [100 * (mask == 1).double().mean().item() for mask in (truth, found)]
        name = f"Photograph {i if numbers is None else numbers[i]}"
        fig = plots.draw_labelled(pictures, ["photograph", "true mask", "found mask"], name)
        return fig, (
            f"{name}, number {place} of {len(order)} from below: {float(scores[i]):.0f} %. "
            f"{photographs.classes[1].capitalize()} fills {shares[0]:.1f} % of it, {shares[1]:.1f} % was found."
        )

    return view


def worst_first(
    photographs: Dataset, masks: Sequence[Tensor], scores: Sequence[float], *, numbers: Sequence[int] | None = None
) -> widgets.VBox:
    """Lesson 13: from the photograph with the worst mask to the one with the best. Arguments as of the viewer."""
    last = len(_order(scores))
    place = widgets.IntSlider(value=1, min=1, max=last, continuous_update=False, **label("from below"))
    return play(worst_first_viewer(photographs, masks, scores, numbers=numbers), photo=True, place=place)
