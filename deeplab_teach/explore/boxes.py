"""Which place of which map answers for an object, and which of a detector's boxes are kept."""

from collections.abc import Callable, Sequence

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure
from torch import Tensor

from deeplab_teach import plots
from deeplab_teach.datasets import EmojiScenes, detection_collate
from deeplab_teach.explore.placing import box_sliders, placed_box
from deeplab_teach.explore.shell import label, play
from deeplab_teach.heads.fcos import centerness, detections, fcos_targets
from deeplab_teach.models import Detector
from deeplab_teach.predict import evaluating, prepared


def answering_viewer(
    image: Tensor, places: dict[str, Tensor], names: Sequence[str]
) -> Callable[..., tuple[Figure, str]]:
    """`view(x, y, width, height)`: which places of FCOS's maps answer for a box with its middle at x, y, in pixels.

    Args:
        image: `(3, H, W)`, drawn behind the places.
        places: of an `FCOSHead` on an image of this size.
        names: of its maps, fine to coarse.
    """

    def view(x, y, width, height):
        box = placed_box(image, x, y, width, height)
        if not (box[2] > box[0] and box[3] > box[1]):
            raise ValueError("no part of the object is inside the picture.")
        fig = plots.draw_places(image, places, names, "Who answers for this box?", boxes=box[None])
        answers = fcos_targets(places, box[None]) >= 0
        if not answers.any():
            return fig, "No place answers for it: it lies between the places, or no map takes such a size."
        best = centerness(places["points"][answers], box.expand(int(answers.sum()), 4)).max()
        maps = [name for level, name in enumerate(names) if (answers & (places["levels"] == level)).any()]
        return fig, (
            f"A box of {box[2] - box[0]:.0f} x {box[3] - box[1]:.0f} pixels: {int(answers.sum())} of {len(answers)} "
            f"places answer, of {' and '.join(maps)}; the one nearest to its middle has a centre-ness of {best:.2f}."
        )

    return view


def answering(image: Tensor, places: dict[str, Tensor], names: Sequence[str]) -> widgets.VBox:
    """Lesson 09: move an object and change its size, and see which map hands it on to which."""
    return play(answering_viewer(image, places, names), **box_sliders(image, 48))


def thresholds_viewer(
    model: Detector, scenes: EmojiScenes, classes: Sequence[str]
) -> Callable[..., tuple[Figure, str]]:
    """`view(scene, score, overlap)`: a detector's boxes, before and after non-maximum suppression.

    `score` is the least score of a box and `overlap` the most that two of one class may overlap, both in percent.
    """

    def view(scene, score, overlap):
        (image,), (truth,) = detection_collate([scenes[scene]], judging=True)
        with torch.no_grad(), evaluating(model):
            answers = model(prepared(model, image[None]))  # once, for both panels
        options = {"score_threshold": score / 100, "top": 10**6}
        (every,) = detections(answers, image.shape[-2:], nms_threshold=1.0, **options)
        (kept,) = detections(answers, image.shape[-2:], nms_threshold=overlap / 100, **options)
        rows = {"": [truth, every, kept]}
        fig = plots.draw_boxes([image] * 3, rows, classes, "Truth, all boxes above the score, and those that are kept")
        return fig, (
            f"Scene {scene}: {len(truth['boxes'])} objects are there. {len(every['boxes'])} boxes score "
            f"{score} % or more; {len(kept['boxes'])} are left when of boxes of one class that overlap by "
            f"more than {overlap} % only the best stays."
        )

    return view


def thresholds(model: Detector, scenes: EmojiScenes, classes: Sequence[str]) -> widgets.VBox:
    """Lesson 09: what the two thresholds of a detector do."""
    slider = {"continuous_update": False}
    return play(
        thresholds_viewer(model, scenes, classes),
        photo=True,
        scene=widgets.IntSlider(value=min(1, len(scenes) - 1), min=0, max=len(scenes) - 1, **slider, **label("scene")),
        score=widgets.IntSlider(value=40, min=10, max=90, step=5, **slider, **label("least score, %")),
        overlap=widgets.IntSlider(value=60, min=10, max=100, step=5, **slider, **label("most overlap, %")),
    )
