"""Where the places of a map lie, on a ruler of pixels, and where they are drawn when the map is stretched."""

from matplotlib.figure import Figure

from deeplab_teach.layers import conv_output_size
from deeplab_teach.plots.style import COLORS, new_figure, own_style, set_title


def stretched_places(size: int, count: int, *, align_corners: bool) -> list[float]:
    """Where `torch.nn.functional.interpolate` puts the places of a map when it stretches it: in pixels.

    Args:
        size: pixels along one side of the picture.
        count: places along that side of the map.
        align_corners: the outermost places on the outermost pixels; else the map's borders on the picture's.
    """
    if align_corners:
        return [i * (size - 1) / max(count - 1, 1) for i in range(count)]
    return [(i + 0.5) * size / count - 0.5 for i in range(count)]


@own_style
def draw_ruler(size: int, stride: int, title: str, *, first: float = 0.0) -> Figure:
    """One side of a picture: where the places of a map look, and where stretching it draws them.

    Args:
        size: pixels along the side.
        stride: place i looks at pixel `first + stride * i`.
        first: 0 if the kernels are odd and padded alike on both sides; else as `backbone.grids(size)` gives it.
    """
    count = conv_output_size(size, 3, stride=stride, padding=1)
    looks = [first + stride * i for i in range(count)]
    rows = {
        "where it looks": (looks, COLORS["backbone"]),
        "drawn, align_corners=False": (stretched_places(size, count, align_corners=False), COLORS["head"]),
        "drawn, align_corners=True": (stretched_places(size, count, align_corners=True), COLORS["neck"]),
    }
    fig, (ax,) = new_figure(8.4, 2.3)
    for level, (name, (places, color)) in enumerate(rows.items()):
        y = -level
        ax.hlines(y, -0.5, size - 0.5, color="#CCCCCC", linewidth=1, zorder=0)
        for place, look in zip(places, looks, strict=True):
            ax.plot([look, look], [0, y], color="#BBBBBB", linewidth=0.8, linestyle=":", zorder=0)
            if abs(place - look) > 0.01:
                ax.annotate("", (place, y), (look, y), arrowprops={"arrowstyle": "->", "color": COLORS["error"]})
        ax.plot(places, [y] * count, "o", color=color, markersize=7)
        ax.text(-0.03 * size, y, name, ha="right", va="center")
    ax.set(xlim=(-0.02 * size, 1.02 * size), ylim=(-2.5, 0.5), yticks=[], xlabel="pixel")
    ax.set_xticks([*range(0, size - 1, max(stride, size // 10)), size - 1])
    ax.spines["left"].set_visible(False)
    set_title(fig, title)
    return fig
