"""Which map a region is cut out of and where it is read, and how many proposals it takes to catch every object."""

from collections.abc import Callable

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure
from torch import Tensor

from deeplab_teach import plots
from deeplab_teach.boxes import box_iou
from deeplab_teach.explore.placing import box_sliders, placed_box
from deeplab_teach.explore.shell import label, play
from deeplab_teach.regions import region_levels


def cut_out_viewer(
    image: Tensor, maps: dict[str, Tensor], strides: dict[str, int], *, output_size: int = 7
) -> Callable[..., tuple[Figure, str]]:
    """`view(x, y, width, height)`: which map a region with its middle at x, y is cut out of, and where it is read.

    Args:
        image: `(3, H, W)`.
        maps: that regions are cut out of, fine to coarse, `{"p2": (1, C, h, w), ...}`.
        strides: of the maps, in pixels.
        output_size: bins on a side.
    """
    names = list(maps)

    def view(x, y, width, height):
        box = placed_box(image, x, y, width, height)
        if not (box[2] - box[0] >= 4 and box[3] - box[1] >= 4):
            raise ValueError("less than 4 pixels of the region are inside the picture.")
        name = names[int(region_levels(box[None], len(names), finest=int(names[0][1:])))]
        stride = strides[name]
        fig = plots.draw_sampling(image, maps[name][0], box, stride, output_size, "Where RoIAlign reads", rounded=True)
        wide, high = (box[2:] - box[:2]).tolist()
        moved = (stride * (box / stride).round() - box).abs().max()
        return fig, (
            f"A region of {wide:.0f} x {high:.0f} pixels is cut out of {name}, stride {stride}: "
            f"{wide / stride:.1f} x {high / stride:.1f} places become {output_size} x {output_size} bins. Rounded to "
            f"whole places, as RoIPool did (dashed), the border that moves most would move by {moved:.1f} pixels."
        )

    return view


def cut_out(image: Tensor, maps: dict[str, Tensor], strides: dict[str, int]) -> widgets.VBox:
    """Lesson 10: move a region and change its size, and see which map it is cut out of, and where."""
    return play(cut_out_viewer(image, maps, strides), **box_sliders(image, 90))


def proposals_viewer(image: Tensor, proposals: Tensor, boxes: Tensor) -> Callable[..., tuple[Figure, str]]:
    """`view(count)`: the best proposals of an image, and how many of its objects they catch.

    Args:
        image: `(3, H, W)`.
        proposals: `(n, 4)`, in pixels, best first.
        boxes: `(m, 4)`, the true ones.
    """

    def view(count):
        best = proposals[:count]
        caught = box_iou(boxes, best).amax(dim=1) >= 0.5
        truth = {"boxes": boxes, "labels": torch.zeros(len(boxes), dtype=torch.int64)}
        found = {"boxes": best, "labels": torch.zeros(len(best), dtype=torch.int64), "scores": torch.ones(len(best))}
        title = f"{len(boxes)} objects, and the best {len(best)} proposals"
        fig = plots.draw_boxes([image] * 2, {"": [truth, found]}, ["object"], title, names=False)
        name = "proposal" if len(best) == 1 else "proposals"
        return fig, (
            f"With {len(best)} {name} {int(caught.sum())} of {len(boxes)} objects have one that overlaps them by half "
            "or more (IoU)."
        )

    return view


def proposals(image: Tensor, proposals: Tensor, boxes: Tensor) -> widgets.VBox:
    """Lesson 10: how many proposals it takes."""
    choices = [count for count in (1, 2, 5, 10, 20, 50, 100, 200) if count <= len(proposals)]
    return play(
        proposals_viewer(image, proposals, boxes),
        photo=True,
        count=widgets.SelectionSlider(
            options=choices, value=min(10, choices[-1]), continuous_update=False, **label("proposals")
        ),
    )
