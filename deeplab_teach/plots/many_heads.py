"""Several heads on one backbone, drawn from real tensors: what is computed once, and what each head reads of it."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor

from deeplab_teach.plots.images import ARROW, WORDS, add_maps, add_named
from deeplab_teach.plots.style import COLORS, ink, new_figure, own_style

APART = 2.0  # from one head to the next


@own_style
def draw_many_heads(
    image: Tensor,
    features: dict[str, Tensor],
    pyramid: dict[str, Tensor],
    heads: dict[str, tuple[str, Tensor | Sequence[str]]],
    title: str,
) -> Figure:
    """Image, backbone, and on the right a head in each row with its answer.

    Args:
        image: `(3, H, W)`.
        features: the backbone's maps that heads read, `{"c3": (1, C, h, w), ...}`, fine to coarse.
        pyramid: the maps of the pyramid that one of the heads reads, likewise, one for each of the backbone's.
        heads: `{"FCN head": ("c4", answer), ...}`, which map it reads, or "pyramid"; the answer is a picture
            `(3, H, W)`, or lines of text. Begin with those that read the coarsest map, or the arrows cross.
    """
    rows = [APART * ((len(heads) - 1) / 2 - i) for i in range(len(heads))]
    fig, (ax,) = new_figure(9.2, 1.15 * len(heads) + 1.2)
    add_named(ax, 1.5, 0, image, "image", COLORS["input"], 2.6)
    _, middles = add_maps(ax, 4.7, 0, features, "backbone, once", COLORS["backbone"])
    ax.annotate("", (3.7, 0), (2.85, 0), arrowprops=ARROW)
    for (name, (reads, answer)), y in zip(heads.items(), rows, strict=True):
        start = 9.0
        if reads == "pyramid":
            _, levels = add_maps(ax, 7.6, y, pyramid, "neck: FPN", COLORS["neck"])
            for middle, level in zip(middles.values(), levels.values(), strict=True):
                ax.annotate("", (6.9, level), (5.78, middle), arrowprops=ARROW)
            for level in levels.values():
                ax.annotate("", (start - 0.12, y), (8.62, level), arrowprops=ARROW)
        else:
            ax.annotate("", (start - 0.12, y), (5.78, middles[reads]), arrowprops=ARROW)
        box = FancyBboxPatch((start, y - 0.35), 2.3, 0.7, boxstyle="round,pad=0.08", edgecolor=COLORS["head"])
        box.set(facecolor="#FDF3DC", linewidth=2)
        ax.add_patch(box)
        ax.text(start + 1.15, y, name, ha="center", va="center", fontsize=8.5, color=ink(COLORS["head"]))
        ax.annotate("", (12.2, y), (11.45, y), arrowprops=ARROW)
        if isinstance(answer, Tensor):
            add_named(ax, 13.6, y, answer, "", COLORS["input"], min(2.6, 1.75 * answer.shape[-1] / answer.shape[-2]))
        else:
            ax.text(12.35, y, "\n".join(answer), ha="left", va="center", fontsize=8)
    ax.text(13.6, rows[0] + APART / 2, "answers", weight="bold", **WORDS)
    ax.set(xlim=(0, 15.1), ylim=(rows[-1] - 1.7, rows[0] + APART / 2 + 0.5), aspect="equal", title=title)
    ax.axis("off")
    return fig
