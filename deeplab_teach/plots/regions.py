"""Regions: where RoIAlign reads on a map, and what two heads make of one region."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from deeplab_teach.plots.images import strength
from deeplab_teach.plots.style import (
    COLORS,
    add_paled,
    hide_axes,
    ink,
    new_figure,
    own_style,
    set_title,
    tint_mask,
    to_image,
)
from deeplab_teach.regions import roi_align, sampling_points


@own_style
def draw_sampling(
    image: Tensor, features: Tensor, box: Tensor, stride: int, output_size: int, title: str, *, rounded: bool = False
) -> Figure:
    """A region on the image, the points at which RoIAlign reads the map, and the square that comes out.

    Args:
        image: `(3, H, W)`.
        features: `(C, h, w)`, the map that the region is cut out of.
        box: `(4,)`, in pixels.
        stride: of the map, in pixels.
        output_size: bins on a side.
        rounded: also draw the region with its borders rounded to whole places, as RoIPool reads it.
    """
    fig, (on_image, on_map, out) = new_figure(9.2, 3.5, 1, 3)
    left, top, right, bottom = box.tolist()
    add_paled(on_image, image)
    on_image.add_patch(_frame(box, COLORS["head"]))
    on_image.set_title(f"the region, {right - left:.0f} x {bottom - top:.0f} pixels", fontsize=9)
    on_map.imshow(strength(features[None]), cmap="gray", alpha=0.75, interpolation="nearest")
    left, top, right, bottom = (box / stride).tolist()
    for i in range(output_size + 1):
        x, y = left + (right - left) * i / output_size, top + (bottom - top) * i / output_size
        on_map.plot([x, x], [top, bottom], color=COLORS["head"], linewidth=1)
        on_map.plot([left, right], [y, y], color=COLORS["head"], linewidth=1)
    x, y = sampling_points(box[None] / stride, output_size).flatten(0, 2).T
    on_map.scatter(x, y, s=7, color="black", edgecolors="white", linewidths=0.4, zorder=3)
    if rounded:
        on_map.add_patch(_frame((box / stride).round(), COLORS["error"], linestyle="--"))
    rows, columns = features.shape[-2:]
    on_map.set(xlim=_span(left, right, columns), ylim=_span(top, bottom, rows)[::-1])
    bins = f"a bin is {(right - left) / output_size:.1f} x {(bottom - top) / output_size:.1f} of its places"
    dashed = "; dashed: rounded" if rounded else ""
    on_map.set_title(f"on the map of stride {stride}{dashed}\n{bins}", fontsize=9)
    square = roi_align(features, box[None], stride, output_size)  # (1, C, output_size, output_size)
    out.imshow(strength(square), cmap="gray", interpolation="nearest")
    out.set_title(f"what comes out:\n{features.shape[0]} channels, {output_size} x {output_size}", fontsize=9)
    hide_axes((on_image, on_map, out))
    set_title(fig, title)
    return fig


def _span(low, high, count):
    """The places from `low` to `high` and some around them, of those that there are."""
    around = max(1.5, 0.25 * (high - low))
    return max(-0.5, low - around), min(count - 0.5, high + around)


def _frame(borders, color, linestyle="-"):
    left, top, right, bottom = borders.tolist()
    return Rectangle(
        (left, top), right - left, bottom - top, fill=False, edgecolor=color, linewidth=2, linestyle=linestyle
    )


@own_style
def draw_region(
    image: Tensor,
    proposal: Tensor,
    box: Tensor,
    squares: tuple[Tensor, Tensor],
    scores: Sequence[tuple[str, float]],
    mask: Tensor,
    pasted: Tensor,
    title: str,
) -> Figure:
    """One region through both heads: above its class and its borders, below its mask.

    Args:
        image: `(3, H, W)`.
        proposal, box: `(4,)`, in pixels: the region as it was proposed, and with its borders moved.
        squares: the map inside the proposal and inside the box, `(C, 7, 7)` and `(C, 14, 14)`.
        scores: names and probabilities, the best ones.
        mask: `(28, 28)`, probabilities.
        pasted: `(H, W)`, the mask in its place.
    """
    fig, axes = new_figure(9.2, 4.9, 2, 4)
    for row, region, square in ((axes[:4], proposal, squares[0]), (axes[4:], box, squares[1])):
        add_paled(row[0], image)
        row[0].add_patch(_frame(region, COLORS["head"]))
        row[1].imshow(strength(square[None]), cmap="magma", interpolation="nearest")
        row[1].set_title(" x ".join(str(side) for side in square.shape), fontsize=9)
    axes[0].set_title("a proposal", fontsize=9)
    axes[2].barh(range(len(scores)), [100 * value for _, value in scores], color=COLORS["head"])
    for i, (name, value) in enumerate(scores):
        axes[2].text(3, i, f"{name} {100 * value:.0f} %", va="center", fontsize=9)
    axes[2].set(xlim=(0, 100), yticks=[], xlabel="probability, %", box_aspect=1)
    axes[2].invert_yaxis()
    axes[2].set_title("box head: what is it", fontsize=9, color=ink(COLORS["head"]))
    add_paled(axes[3], image)
    axes[3].add_patch(_frame(proposal, "#444444", linestyle=":"))
    axes[3].add_patch(_frame(box, COLORS["head"]))
    axes[3].set_title("... and its borders, moved", fontsize=9, color=ink(COLORS["head"]))
    axes[4].set_title("the box", fontsize=9)
    axes[6].imshow(mask.numpy(), cmap="magma", vmin=0, vmax=1, interpolation="nearest")
    axes[6].set_title(f"mask head: {mask.shape[0]} x {mask.shape[1]}", fontsize=9, color=ink(COLORS["head"]))
    axes[7].imshow(to_image(tint_mask(image, pasted > 0.5, COLORS["head"])))
    axes[7].set_title("... put into its place", fontsize=9, color=ink(COLORS["head"]))
    hide_axes([*axes[:2], *axes[3:]])
    set_title(fig, title)
    return fig
