"""Which backbone fits a budget? To play with."""

from collections.abc import Callable

import ipywidgets as widgets
from matplotlib.figure import Figure

from deeplab_teach.explore.shell import label, play
from deeplab_teach.plots.charts import draw_points


def choice_viewer(candidates: dict[str, dict[str, float]]) -> Callable[..., tuple[Figure, str]]:
    """`view(params, work, milliseconds)`: which of the candidates stay within three budgets, and the best of them.

    Args:
        candidates: per name `"params"` in millions, `"work"` in billions of multiply-adds, `"milliseconds"`, and
            `"top1"`, the published ImageNet accuracy in percent.
    """

    def view(params, work, milliseconds):
        budgets = {"params": params, "work": work, "milliseconds": milliseconds}
        out = {name for name, row in candidates.items() if any(row[key] > budgets[key] for key in budgets)}
        left = {name: row for name, row in candidates.items() if name not in out}
        points = {name: (row["work"], row["top1"]) for name, row in candidates.items()}
        limits = f"{params:g} million parameters, {work:g} billion multiply-adds, {milliseconds:g} ms"
        fig = draw_points(
            points,
            f"Within {limits}",
            xlabel="billion multiply-adds",
            ylabel="ImageNet top-1, % (published)",
            log="x",
            faded=out,
        )
        if not left:
            return fig, f"No backbone stays within {limits}."
        best = max(left, key=lambda name: left[name]["top1"])
        names = ", ".join(sorted(left, key=lambda name: left[name]["work"]))
        return fig, f"Within {limits}: {names}. The most accurate on ImageNet is {best}, {left[best]['top1']:.1f} %."

    return view


def choose(candidates: dict[str, dict[str, float]]) -> widgets.VBox:
    """Lesson 08: three budgets, and which backbones stay within them."""
    steps = {
        "params": (2, 4, 6, 12, 25, 45, 65, 140),
        "work": (0.2, 0.5, 1, 2, 5, 10, 20),
        "milliseconds": (5, 10, 20, 40, 80, 160, 320, 640, 10_000),
    }
    texts = {"params": "million parameters", "work": "billion mult.-adds", "milliseconds": "milliseconds"}
    return play(
        choice_viewer(candidates),
        **{
            key: widgets.SelectionSlider(
                options=options, value=options[-1], continuous_update=False, **label(texts[key])
            )
            for key, options in steps.items()
        },
    )
