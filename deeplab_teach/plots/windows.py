"""The windows of ASPP on the photograph that its map was made of."""

import itertools
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from deeplab_teach.grids import Grid
from deeplab_teach.plots.style import COLORS, add_paled, hide_axes, new_figure, own_style, set_title

BRANCHES = ("#56B4E9", "#CC79A7", "#009E73")  # no roles: only to tell one rate from the other


@own_style
def draw_windows(
    image: Tensor, size: tuple[int, int], grid: Grid, rates: Sequence[int], place: tuple[int, int], title: str
) -> Figure:
    """What ASPP reads at one place of its map: a dot for each weight, hollow where it lies on padding.

    Args:
        image: `(3, H, W)`.
        size: rows and columns of the map.
        grid: where its places lie on the image.
        rates: of the 3x3 branches; the 1x1 branch reads the place itself, and image pooling all there is.
        place: row and column.
    """
    reach = 1.05 * max(rates) * grid.stride
    height, width = image.shape[-2:]
    fig, (ax,) = new_figure(6.4, 4.8)
    add_paled(ax, image)
    x, y = grid.left + grid.stride * place[1], grid.top + grid.stride * place[0]
    ax.plot(x, y, "s", color="black", markersize=4, zorder=3, label="1x1: the place itself")
    frame = Rectangle((-0.5, -0.5), width, height, fill=False, edgecolor=COLORS["head"], linewidth=3)
    frame.set_label("image pooling: all of it")
    for rate, color, dot in reversed(list(zip(rates, BRANCHES, (6, 10, 14), strict=True))):  # rings where they meet
        for row, column in itertools.product(*((i - rate, i, i + rate) for i in place)):
            face = color if 0 <= row < size[0] and 0 <= column < size[1] else "none"
            x, y = grid.left + grid.stride * column, grid.top + grid.stride * row
            ax.plot(x, y, "o", markersize=dot, markerfacecolor=face, markeredgecolor=color, markeredgewidth=1.6)
        ax.plot([], [], "o", color=color, label=f"3x3 at rate {rate}")
    ax.add_patch(frame)
    ax.set(xlim=(-reach, width + reach), ylim=(height + reach, -reach), facecolor="#E4E4E4")
    hide_axes([ax])
    fig.legend(loc="outside lower center", ncols=3, frameon=False)
    set_title(fig, title)
    return fig
