"""Photographs in the order of how well a model did on them, from the worst."""

from collections.abc import Callable, Sequence

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.utils.data import Dataset

from deeplab_teach import plots
from deeplab_teach.explore.shell import label, play


def worst_first_viewer(
    photographs: Dataset, masks: Sequence[Tensor], scores: Sequence[float]
) -> Callable[..., tuple[Figure, str]]:
    """`view(place)`: the photograph that is the `place`-th from below, with its true and its found mask.

    Args:
        photographs: gives `(image, target)` with the true labels, and has `classes`.
        masks: of each the labels that a model found, `(H, W)`.
        scores: of each how good they are, in percent.
    """
    order = torch.as_tensor(scores).argsort(stable=True).tolist()

    def view(place):
        number = order[place - 1]
        image, target = photographs[number]
        pictures = [
            image,
            *(plots.overlay_mask(image, mask, photographs.classes) for mask in (target["semantic"], masks[number])),
        ]
        shares = [100 * (mask == 1).double().mean().item() for mask in (target["semantic"], masks[number])]
        fig = plots.draw_labelled(pictures, ["photograph", "true mask", "found mask"], f"Photograph {number}")
        return fig, (
            f"Photograph {number}, number {place} of {len(order)} from below: {float(scores[number]):.0f} %. "
            f"{photographs.classes[1].capitalize()} fills {shares[0]:.1f} % of it, {shares[1]:.1f} % was found."
        )

    return view


def worst_first(photographs: Dataset, masks: Sequence[Tensor], scores: Sequence[float]) -> widgets.VBox:
    """Lesson 13: from the photograph with the worst mask to the one with the best. Arguments as of the viewer."""
    place = widgets.IntSlider(value=1, min=1, max=len(masks), continuous_update=False, **label("from below"))
    return play(worst_first_viewer(photographs, masks, scores), photo=True, place=place)
