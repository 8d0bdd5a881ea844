"""One network, asked again about an input that was moved: what lies between the places of a stride."""

from collections.abc import Callable

import ipywidgets as widgets
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from deeplab_teach.explore.shell import label, play
from deeplab_teach.plots.passes import draw_passes, draw_row_passes

SLIDER = {"continuous_update": False}


def row_passes_viewer(row: Tensor, first: Tensor, second: Tensor) -> Callable[..., tuple[Figure, str]]:
    """Two convolutions over a row `(1, 1, n)` whose ends are joined, each kernel of 3; the first has a stride of 2."""

    def ring(x, kernel, rate=1):
        return F.conv1d(F.pad(x, (rate, rate), mode="circular"), kernel, dilation=rate)

    middle = ring(row, first)
    rows = [values.flatten().tolist() for values in (row, middle, ring(middle, second, rate=2))]

    def view(passes: int = 2, place: int = 2) -> tuple[Figure, str]:
        missing = ""
        if passes == 1 and place % 2:
            missing = f"One pass has no place {place}. "
            place -= 1
        count = len(rows[0])
        reads = sorted((place + step) % count for step in (-2, 0, 2))
        words = ", ".join(str(each) for each in reads[:-1])
        fig = draw_row_passes(
            rows, passes, place, "Two passes, interleaved: one blue, one pink" if passes == 2 else "One pass"
        )
        return fig, (
            f"{missing}Place {place} on top reads places {words} and {reads[-1]} below, all of its own pass; those "
            "read their neighbours in the row."
        )

    return view


def row_passes(row: Tensor, first: Tensor, second: Tensor) -> widgets.VBox:
    """Lesson 05: the row as it is, the row moved by one, and what a place of either pass reads."""
    return play(
        row_passes_viewer(row, first, second),
        passes=widgets.IntSlider(value=2, min=1, max=2, **SLIDER, **label("passes")),
        place=widgets.IntSlider(value=2, min=0, max=row.shape[-1] - 1, **SLIDER, **label("place on top")),
    )


def picture_passes_viewer(image: Tensor, passes: dict, steps: int) -> Callable[..., tuple[Figure, str]]:
    """A finer map that fills, pass by pass. `passes` and `steps` as for `deeplab_teach.grids.interleave`."""
    order = list(passes)

    def view(count: int = len(order)) -> tuple[Figure, str]:
        done = {move: passes[move] for move in order[:count]}
        fig = draw_passes(
            image,
            done,
            steps,
            f"Passes {max(1, count - 3)} to {count} of {len(order)} of one network"
            if count > 1
            else f"The first of {len(order)} passes",
        )
        share = count / len(order)
        return fig, f"After {count} passes {share:.0%} of the finer map's places are there."

    return view


def picture_passes(image: Tensor, passes: dict, steps: int) -> widgets.VBox:
    """Lesson 05: output stride 8 as sixteen passes of a network of stride 32 on a picture that is moved."""
    return play(
        picture_passes_viewer(image, passes, steps),
        photo=True,
        count=widgets.IntSlider(value=min(4, len(passes)), min=1, max=len(passes), **SLIDER, **label("passes")),
    )
