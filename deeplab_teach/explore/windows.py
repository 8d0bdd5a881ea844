"""ASPP at one place: which windows it looks through, and how much of each lies on the picture."""

from collections.abc import Callable, Sequence

import ipywidgets as widgets
from matplotlib.figure import Figure
from torch import Tensor

from deeplab_teach.explore.shell import label, play
from deeplab_teach.features import Backbone, deep_key
from deeplab_teach.plots.convolutions import weights_that_read
from deeplab_teach.plots.windows import draw_windows


def aspp_windows_viewer(image: Tensor, backbone: Backbone, rates: Sequence[int]) -> Callable[..., tuple[Figure, str]]:
    """`view(row, column)`: the windows of ASPP at a place of the backbone's deepest map of `image` `(3, H, W)`."""
    grid, size = _map(image, backbone)

    def view(row: int, column: int) -> tuple[Figure, str]:
        place = min(row, size[0] - 1), min(column, size[1] - 1)
        fig = draw_windows(image, size, grid, rates, place, f"What ASPP reads at row {place[0]}, column {place[1]}")
        along_rows, along_columns = (
            {rate: weights_that_read(side, rate)[i] for rate in rates} for side, i in zip(size, place, strict=True)
        )
        words = ", ".join(f"{along_rows[rate] * along_columns[rate]} at rate {rate}" for rate in rates)
        return fig, f"Of nine weights, this many read the map: {words}. Hollow ones lie on padding and read zeros."

    return view


def aspp_windows(image: Tensor, backbone: Backbone, rates: Sequence[int]) -> widgets.VBox:
    """Lesson 06: move over a photograph, and the windows of ASPP move along."""
    _, (rows, columns) = _map(image, backbone)
    slider = {"continuous_update": False}
    return play(
        aspp_windows_viewer(image, backbone, rates),
        photo=True,
        row=widgets.IntSlider(value=rows // 2, min=0, max=rows - 1, **slider, **label("row")),
        column=widgets.IntSlider(value=columns // 2, min=0, max=columns - 1, **slider, **label("column")),
    )


def _map(image, backbone):
    """Where the places of the deepest map lie on the image, and how many rows and columns of them there are."""
    key = deep_key(backbone.feature_specs)
    grid = backbone.grids(tuple(image.shape[-2:]))[key]
    return grid, tuple(-(-side // grid.stride) for side in image.shape[-2:])
