"""How large the gradient is at each layer of a network that the learner makes deeper, with shortcuts or without."""

from collections.abc import Callable
from functools import cache

import ipywidgets as widgets
from matplotlib.figure import Figure

from deeplab_teach import plots
from deeplab_teach.explore.shell import label, play


def layer_gradients_viewer(measure: Callable[[int, bool], list[float]]) -> Callable[..., tuple[Figure, str]]:
    """`view(blocks, shortcuts)`: `measure(blocks, shortcuts)`, the size at each layer from the image up, as a curve."""
    measured = cache(measure)

    def view(blocks, shortcuts):
        names = ["with shortcuts", "without shortcuts"]
        words, other = names if shortcuts else names[::-1]
        sizes = measured(blocks, shortcuts)
        fig = plots.draw_lines(
            range(1, len(sizes) + 1),
            {words: sizes, other: measured(blocks, not shortcuts)},
            f"The gradient at each of {len(sizes)} convolutions",
            xlabel="convolution, counted from the image",
            ylabel="size of its gradient",
            colors=[plots.COLORS["backbone"], plots.COLORS["input"]],
            log=True,
            level=(sizes[-1], "as large as at the last one"),
        )
        fig.axes[0].set_ylim(0.1, 1000)
        return fig, (
            f"{words.capitalize()}, {len(sizes)} convolutions: {sizes[-1]:.1f} at the last one, {sizes[0]:.1f} at the "
            f"first, {sizes[0] / sizes[-1]:.0f} times as much."
        )

    return view


def layer_gradients(measure: Callable[[int, bool], list[float]]) -> widgets.VBox:
    """Lesson 02: make a network deeper, take its shortcuts away, and watch the gradient."""
    return play(
        layer_gradients_viewer(measure),
        blocks=widgets.IntSlider(value=9, min=1, max=9, continuous_update=False, **label("blocks a stage")),
        shortcuts=widgets.Checkbox(value=True, **label("shortcuts")),
    )
