"""Charts of numbers, in the look of `plots`: bars made of parts, and points that stand for models."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from matplotlib.transforms import Bbox

from deeplab_teach.plots import COLORS, ink, new_figure, set_title

# Okabe and Ito's blue, and two of their colours that stand for no role, for the parts of one bar.
PARTS = (COLORS["backbone"], "#56B4E9", "#CC79A7")


def draw_bars(rows: dict[str, dict[str, float]], title: str, *, xlabel: str, digits=1) -> Figure:
    """One bar per row, made of parts, with its sum at the end: `{"separable": {"depthwise": 0.1, ...}, ...}`."""
    fig, (ax,) = new_figure(8.0, 0.42 * len(rows) + 1.4)
    names = list(dict.fromkeys(part for parts in rows.values() for part in parts))
    colors = dict(zip(names, PARTS, strict=False))
    for y, parts in enumerate(rows.values()):
        left = 0.0
        for name, value in parts.items():
            ax.barh(y, value, left=left, color=colors[name])
            left += value
        ax.text(left, y, f" {left:,.{digits}f}", va="center", fontsize=8)
    for name in names:
        ax.barh(0, 0, color=colors[name], label=name)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.invert_yaxis()
    ax.set_xlabel(xlabel)
    ax.margins(x=0.12)
    if len(names) > 1:
        fig.legend(loc="outside lower right", ncols=len(names), frameon=False)
    set_title(fig, title)
    return fig


def draw_points(points: dict, title: str, *, xlabel: str, ylabel: str, log=False, faded=(), line=None) -> Figure:
    """Models as points `{name: (x, y)}`, each with its name beside it.

    Args:
        log: both axes logarithmic; `"x"` for the horizontal one alone.
        faded: names that are out of the race, drawn in grey.
        line: `(xs, ys, name)`, a dashed line to compare with.
    """
    fig, (ax,) = new_figure(7.2, 4.0)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    for axis, scaled in ((ax.xaxis, log in (True, "x")), (ax.yaxis, log is True)):
        if scaled:
            getattr(ax, f"set_{axis.axis_name}scale")("log")
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_locator(NullLocator())
    for name, (x, y) in points.items():
        ax.plot(x, y, "o", color=COLORS["input"] if name in faded else COLORS["backbone"], markersize=7)
    if line is not None:
        xs, ys, words = line
        ax.plot(xs, ys, "--", color=COLORS["input"], linewidth=1, label=words)
        ax.legend(frameon=False, loc="upper left")
    ax.margins(0.18)
    ax.grid(alpha=0.25)
    set_title(fig, title)
    _name_points(fig, ax, points, faded)
    return fig


# Where a name may stand beside its dot, in points on the page; the first that is free.
PLACES = ((8, 0, "left"), (-8, 0, "right"), (0, 11, "center"), (0, -11, "center"), (8, 9, "left"), (8, -9, "left"))
PLACES += ((-8, 9, "right"), (-8, -9, "right"), (0, 20, "center"), (0, -20, "center"))


def _around(x, y, radius):
    return Bbox.from_extents(x - radius, y - radius, x + radius, y + radius)


def _name_points(fig, ax, points, faded):
    """Names beside the points: to the right, the left, above or below, wherever none of the others is covered."""
    canvas = FigureCanvasAgg(fig)
    canvas.draw()  # fixes the layout, so that positions on the page are known
    boxes = [_around(*ax.transData.transform(point), 6) for point in points.values()]  # the dots
    for line in ax.lines:
        if line.get_linestyle() == "--":
            (x0, y0), (x1, y1) = ax.transData.transform(line.get_xydata())[[0, -1]]
            boxes += [_around(x0 + i / 99 * (x1 - x0), y0 + i / 99 * (y1 - y0), 2) for i in range(100)]
    for name, point in points.items():
        color = "#777777" if name in faded else ink(COLORS["backbone"])
        for dx, dy, ha in PLACES:
            label = ax.annotate(
                name, point, (dx, dy), textcoords="offset points", ha=ha, va="center", color=color, fontsize=8
            )
            box = label.get_window_extent(canvas.get_renderer())
            free = not any(box.overlaps(other) for other in boxes)
            if free and ax.bbox.x0 <= box.x0 and box.x1 <= fig.bbox.x1:
                break
            label.remove()
        else:
            label = ax.annotate(name, point, (8, -11), textcoords="offset points", color=color, fontsize=8)
            box = label.get_window_extent(canvas.get_renderer())
        boxes.append(box)
