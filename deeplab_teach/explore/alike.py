"""Which places of other photographs a stage of a backbone treats as alike."""

from collections.abc import Callable, Sequence

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure
from torch import Tensor

from deeplab_teach import plots
from deeplab_teach.explore.shell import label, play
from deeplab_teach.features import Backbone
from deeplab_teach.grids import of_patches, resample

STEP = 16  # pixels between the places that are compared
SHOWN = 5


@torch.inference_mode()
def neighbours_viewer(backbone: Backbone, images: Sequence[Tensor]) -> Callable[..., tuple[Figure, str]]:
    """`view(stage, x, y)`: a place of the first image, and the places of the others whose features are most alike.

    Features are compared by the cosine of the angle between them, after their mean over all places was taken off. Of
    each image only the best place is shown.

    Args:
        backbone: in eval mode.
        images: `(3, H, W)` in 0..1, two or more.
    """
    stages: dict[str, list[Tensor]] = {key: [] for key in backbone.feature_specs}
    for image in images:
        size = (image.shape[-2], image.shape[-1])
        rows, columns = size[0] // STEP, size[1] // STEP
        for key, value in backbone(backbone.normalize(image[None])).items():
            (read,) = resample(
                value, backbone.grids(size)[key], (rows, columns), of_patches(STEP)
            )  # (C, rows, columns)
            stages[key].append(read)  # (C, rows, columns)
    for maps in stages.values():
        mean = torch.cat([value.flatten(1) for value in maps], dim=1).mean(dim=1)[:, None, None]
        maps[:] = [torch.nn.functional.normalize(value - mean, dim=0) for value in maps]

    def view(stage, x, y):
        first, *others = stages[stage]
        row, column = min(y // STEP, first.shape[1] - 1), min(x // STEP, first.shape[2] - 1)
        found = []
        for number, value in enumerate(others, start=1):
            alike = (first[:, row, column, None, None] * value).sum(dim=0)  # (rows, columns)
            best = int(alike.argmax())
            found.append((alike.flatten()[best].item(), number, *divmod(best, alike.shape[1])))
        found = sorted(found, reverse=True)[:SHOWN]
        chosen = [images[0], *(images[number] for _, number, _, _ in found)]
        middles = [(column, row), *((column, row) for _, _, row, column in found)]
        places = [(STEP * column + STEP // 2, STEP * row + STEP // 2) for column, row in middles]
        names = ["the place you chose", *(f"{score:.2f}" for score, *_ in found)]
        fig = plots.draw_patches(chosen, places, names, f"What {stage} treats as alike")
        channels = backbone.feature_specs[stage].channels
        return fig, (
            f"The place at the cross, by its {channels} channels of {stage}, and the {len(found)} "
            "most like it on other photographs: 1 is the same direction, 0 has nothing in common."
        )

    return view


def neighbours(backbone: Backbone, images: Sequence[Tensor], x: int, y: int) -> widgets.VBox:
    """Lesson 11: choose a place of the first photograph and a stage, and see what that stage treats as alike."""
    slider = {"step": STEP, "continuous_update": False}
    stages = list(backbone.feature_specs)
    return play(
        neighbours_viewer(backbone, images),
        photo=True,
        stage=widgets.Dropdown(options=stages, value=stages[-1], **label("stage")),
        x=widgets.IntSlider(value=x, min=0, max=images[0].shape[-1] - 1, **slider, **label("place, x")),
        y=widgets.IntSlider(value=y, min=0, max=images[0].shape[-2] - 1, **slider, **label("place, y")),
    )
