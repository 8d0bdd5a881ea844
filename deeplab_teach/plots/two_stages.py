"""Mask R-CNN's figure, drawn from its real tensors: what runs once for the image, and what once for each region."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from deeplab_teach.plots.images import ARROW, WORDS, add_maps, add_named, strength
from deeplab_teach.plots.style import COLORS, add_framed, ink, new_figure, own_style, tint_mask

APART, SIDE = 2.1, 1.35  # of two regions' middles; of a region's pictures
COLUMNS = (12.5, 14.5, 16.5, 18.7)  # of a region: cut out, box head, cut out again, mask head
WIDE = 2.6  # of an image
REGIONS = ("#CC79A7", "#56B4E9", "#F0E442")  # of Okabe and Ito's colours those that no role has


@own_style
def draw_two_stages(
    image: Tensor,
    features: dict[str, Tensor],
    maps: dict[str, Tensor],
    proposals: Tensor,
    regions: tuple[Tensor, Tensor],
    answers: Sequence[str],
    masks: Tensor,
    pasted: Tensor,
    title: str,
) -> Figure:
    """Image, backbone, pyramid, proposals; then a few regions, each through both heads; then the answer.

    Args:
        image: `(3, H, W)`.
        features: the backbone's maps that the pyramid reads, fine to coarse, `{"c2": (1, C, h, w), ...}`.
        maps: the pyramid's, `{"p2": ...}`.
        proposals: `(n, 4)`, in pixels, drawn on the image.
        regions: the maps inside of a few proposals, `(r, C, 7, 7)`, and inside of the boxes that the box head made of
            them, `(r, C, 14, 14)`; three at most.
        answers: what the box head says of each.
        masks: `(r, k, k)`, what the mask head says, probabilities.
        pasted: bool `(r, H, W)`, the masks in their places.
    """
    fig, (ax,) = new_figure(9.6, 4.6)
    rows = [(len(masks) - 1) / 2 * APART - APART * i for i in range(len(masks))]
    top, bottom = rows[0] + SIDE / 2, rows[-1] - SIDE / 2
    add_named(ax, 1.5, 0, image, "image", COLORS["input"], WIDE)
    add_maps(ax, 4.3, 0, features, "backbone", COLORS["backbone"])
    lowest, _ = add_maps(ax, 6.6, 0, maps, "neck: FPN", COLORS["neck"])
    add_named(ax, 9.6, 0, image, "RPN: proposals", COLORS["head"], WIDE)
    _add_proposals(ax, 9.6, image, proposals)
    for start, end in ((2.85, 3.35), (5.15, 5.75), (7.7, 8.25)):
        ax.annotate("", (end, 0), (start, 0), arrowprops=ARROW)
    for i, y in enumerate(rows):
        _add_region(ax, y, [strength(each[i : i + 1]) for each in regions], answers[i], masks[i], REGIONS[i])
    for x, name in zip(COLUMNS, ("cut out", "box head", "cut out", "mask head"), strict=True):
        color = "#444444" if name == "cut out" else ink(COLORS["head"])
        ax.text(x, top + 0.15, name, weight="bold", color=color, **WORDS)
    below = bottom - 0.9
    ax.plot([6.6, 6.6, COLUMNS[2]], [min(lowest - 0.1, bottom), below, below], color="#444444", linewidth=1.2)
    for x in COLUMNS[::2]:
        ax.annotate("", (x, bottom - 0.08), (x, below), arrowprops=ARROW)
    ax.text(9.6, below + 0.08, "the maps, to cut from", **WORDS)
    ax.text(11.38, 0.12, "where", ha="center", va="bottom", fontsize=7)
    picture = image
    for i in reversed(range(len(masks))):
        picture = tint_mask(picture, pasted[i], REGIONS[i])
    add_named(ax, 20.0 + WIDE / 2, 0, picture, "answer", COLORS["input"], WIDE)
    for low, high, y, words in (
        (0.2, 10.9, top + 1.9, "once for the image"),
        (11.8, 19.4, top + 1.9, "once for each region"),
        (3.3, 7.6, top + 0.9, "(i) backbone, in the paper's words"),
        (11.8, 19.4, top + 0.9, "(ii) head, in the paper's words"),
    ):
        ax.plot([low, low, high, high], [y - 0.1, y, y, y - 0.1], color="#333333", linewidth=1)
        ax.text((low + high) / 2, y + 0.05, words, **WORDS)
    ax.set(xlim=(0, 22.8), ylim=(below - 0.2, top + 2.6), aspect="equal", title=title)
    ax.axis("off")
    return fig


def _add_proposals(ax, x, image, proposals):
    height, width = image.shape[-2:]
    scale = WIDE / width
    left, upper = x - WIDE / 2, height * scale / 2
    for x1, y1, x2, y2 in proposals.tolist():
        corner = (left + x1 * scale, upper - y2 * scale)
        frame = Rectangle(corner, (x2 - x1) * scale, (y2 - y1) * scale, fill=False, zorder=4)
        frame.set(edgecolor=COLORS["head"], linewidth=0.4)
        ax.add_patch(frame)


def _add_region(ax, y, squares, answer, mask, color):
    """One region's row: a square, what the box head says, a larger square, the mask."""
    ax.annotate("", (COLUMNS[0] - SIDE / 2 - 0.08, y), (10.95, y / 4), arrowprops=ARROW)
    for x, picture in zip((COLUMNS[0], *COLUMNS[2:]), (*squares, mask.numpy()), strict=True):
        add_framed(ax, x, y, picture, color, SIDE)
        ax.annotate("", (x + SIDE / 2 + 0.4, y), (x + SIDE / 2 + 0.05, y), arrowprops=ARROW)
    ax.text(COLUMNS[1], y, answer, ha="center", va="center", fontsize=8, color=ink(COLORS["head"]))
    ax.annotate("", (COLUMNS[2] - SIDE / 2 - 0.05, y), (COLUMNS[2] - SIDE / 2 - 0.35, y), arrowprops=ARROW)
