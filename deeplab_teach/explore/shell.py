"""The shell around every widget of the course: controls above a picture that follows them."""

import html
from collections.abc import Callable

import ipywidgets as widgets

from deeplab_teach import plots


def play(view: Callable, *, photo: bool = False, **controls) -> widgets.VBox:
    """Controls above a picture that follows them.

    Args:
        view: called with the value of each control; gives `(figure, sentence)`. A `ValueError` is shown as a sentence.
        photo: encode the picture as JPEG.
        controls: ipywidgets by the name of `view`'s argument.

    Returns:
        A box with the attributes `controls` (dict), `picture` (`Image`) and `caption` (`HTML`).
    """
    picture = widgets.Image(format="jpeg" if photo else "png", layout=widgets.Layout(max_width="100%"))
    caption = widgets.HTML()

    def redraw(_=None):
        try:
            fig, sentence = view(**{name: control.value for name, control in controls.items()})
            picture.value = plots.encode(fig, photo=photo)[1]
            picture.layout.display = None
        except ValueError as error:
            picture.layout.display = "none"  # the last picture would belong to another choice
            sentence = f"There is nothing to draw: {error}"
        caption.value = f"<p style='line-height:1.4'>{html.escape(sentence)}</p>"

    for control in controls.values():
        control.observe(redraw, names="value")
    redraw()
    box = widgets.VBox([widgets.VBox(list(controls.values())), picture, caption])
    box.controls, box.picture, box.caption = controls, picture, caption
    return box


def label(text: str) -> dict:
    return {"description": text, "style": {"description_width": "110px"}, "layout": widgets.Layout(width="420px")}
