"""A definition of "backbone", put together from questions, and tried on ten parts of published networks."""

import ipywidgets as widgets
from matplotlib.figure import Figure

from deeplab_teach import plots
from deeplab_teach.explore.shell import play
from deeplab_teach.papers import CASES, role_of
from deeplab_teach.plots.words import QUESTIONS, fits


def view_definition(**asked: bool) -> tuple[Figure, str]:
    """Which of the ten parts are a backbone for somebody who asks these questions of them.

    Args:
        asked: keys of `plots.words.QUESTIONS`, those that are asked `True`.

    Raises:
        ValueError: another key.
    """
    if unknown := [key for key in asked if key not in QUESTIONS]:
        raise ValueError(f"a definition may ask {', '.join(QUESTIONS)}; got {', '.join(unknown)}.")
    keys = [key for key, chosen in asked.items() if chosen]
    found = [case for case in CASES if fits(case, keys)]
    fig = plots.draw_definition(
        CASES,
        keys,
        f"Your definition asks {len(keys)} question{'s' * (len(keys) != 1)}; {len(found)} of ten parts answer yes",
    )
    other = [case.part for case in CASES if (case in found) != (role_of(case) == "backbone")]
    if not other:
        return fig, "The same four parts as by the course's definition."
    return fig, f"Another answer than by the course's definition: {'; '.join(other)}."


def definition() -> widgets.VBox:
    """Lesson 12: choose what a definition asks, and see which of ten parts it calls a backbone."""
    return play(
        view_definition,
        **{
            key: widgets.Checkbox(value=key in ("reads_image", "gives_features"), description=words.replace("\n", " "))
            for key, words in QUESTIONS.items()
        },
    )
