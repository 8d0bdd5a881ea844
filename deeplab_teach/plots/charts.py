"""Charts of numbers: bars made of parts, curves, and points that stand for models."""

import math
from collections.abc import Container, Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullLocator
from matplotlib.transforms import Bbox
from torch import Tensor

from deeplab_teach.plots.style import COLORS, OBJECTS, ink, new_figure, own_style, set_title

# Okabe and Ito's blue, and two of their colours that stand for no role, for the parts of one bar.
PARTS = (COLORS["backbone"], "#56B4E9", "#CC79A7")


@own_style
def draw_bars(rows: dict[str, dict[str, float]], title: str, *, xlabel: str, digits: int = 1) -> Figure:
    """One bar per row, made of parts, with its sum at the end: `{"separable": {"depthwise": 0.1, ...}, ...}`.

    Raises:
        ValueError: more than three different parts: there are three colours.
    """
    fig, (ax,) = new_figure(8.0, 0.42 * len(rows) + 1.4)
    names = list(dict.fromkeys(part for parts in rows.values() for part in parts))
    if len(names) > len(PARTS):
        raise ValueError(f"a bar has at most {len(PARTS)} different parts, got {', '.join(names)}.")
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


@own_style
def draw_costs(costs: dict, title: str) -> Figure:
    """Parameters and multiply-adds of several models, split into backbone, neck and head: `{label: cost.Cost}`."""
    fig, axes = new_figure(9.0, 0.42 * len(costs) + 1.2, 1, 2, sharey=True)
    for ax, column, scale, unit in (
        (axes[0], 0, 1e6, "million parameters"),
        (axes[1], 1, 1e9, "billion multiply-adds"),
    ):
        for y, cost in enumerate(costs.values()):
            left = 0.0
            for role, row in cost.roles.items():
                ax.barh(y, row[column] / scale, left=left, color=COLORS[role])
                left += row[column] / scale
            ax.text(left, y, f" {left:.1f}", va="center", fontsize=8)
        ax.set_xlabel(unit)
        ax.margins(x=0.12)
    axes[0].set_yticks(range(len(costs)), list(costs))
    axes[0].invert_yaxis()
    roles = dict.fromkeys(role for cost in costs.values() for role in cost.roles)
    axes[1].legend(handles=[Patch(color=COLORS[role], label=role) for role in roles], frameon=False, loc="best")
    set_title(fig, title)
    return fig


@own_style
def draw_lines(
    x: Sequence[float],
    lines: dict,
    title: str,
    *,
    xlabel: str,
    ylabel: str,
    colors: Sequence[str] | None = None,
    level: tuple[float, str] | None = None,
    log: bool = False,
) -> Figure:
    """A few curves over the same `x`: `lines = {"with decoder": [...], ...}`, named at their ends.

    Args:
        level: `(height, name)` of a dashed line to compare with, such as guessing.
        log: a logarithmic vertical axis.

    Raises:
        ValueError: more curves than colours, of which there are five unless given.
    """
    colors = list(COLORS.values()) if colors is None else colors
    if len(lines) > len(colors):
        raise ValueError(f"there are {len(colors)} colours for {len(lines)} curves: draw fewer, or give `colors`.")
    fig, (ax,) = new_figure(6.4, 3.2)
    scale = math.log if log else float
    every = [scale(value) for values in lines.values() for value in values]
    heights, apart = {}, 0.07 * (max(every) - min(every))  # where each name stands, so that none covers another
    for name in sorted(lines, key=lambda name: lines[name][-1]):
        heights[name] = max([scale(lines[name][-1]), *(height + apart for height in heights.values())])
    heights = {name: math.exp(height) if log else height for name, height in heights.items()}
    if log:
        ax.set_yscale("log")
    if level is not None:
        ax.axhline(level[0], color=COLORS["input"], linestyle="--", linewidth=1)
        ax.annotate(level[1], (x[0], level[0]), (0, -10), textcoords="offset points", color="#666666", fontsize=8)
    for (name, values), color in zip(lines.items(), colors, strict=False):
        ax.plot(x, values, marker="o", markersize=4, color=color)
        ax.annotate(name, (x[-1], heights[name]), (6, 0), textcoords="offset points", va="center", color=ink(color))
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.margins(x=0.02)
    ax.grid(alpha=0.25)
    return fig


@own_style
def draw_spread(
    series: dict[str, dict[str, Sequence[float]]], title: str, *, xlabel: str, ylabel: str, digits: int = 0
) -> Figure:
    """Several runs of each thing: a dot for each run, a line for their mean, which is written beside it.

    Args:
        series: `{"frozen": {"20 photographs": [33.8, 46.2, ...], ...}, ...}`; each series has a colour.

    Raises:
        ValueError: more series than colours.
    """
    if len(series) > len(OBJECTS):
        raise ValueError(f"there are {len(OBJECTS)} colours for {len(series)} series: draw fewer.")
    fig, (ax,) = new_figure(7.4, 3.4)
    groups = list(dict.fromkeys(group for runs in series.values() for group in runs))
    apart = 0.8 / len(series)
    for i, (name, runs) in enumerate(series.items()):
        color = OBJECTS[i]
        for group, values in runs.items():
            x = groups.index(group) + apart * (i - (len(series) - 1) / 2)
            mean = sum(values) / len(values)
            ax.plot([x] * len(values), values, "o", color=color, markersize=4, alpha=0.6)
            ax.plot([x - 0.25 * apart, x + 0.25 * apart], [mean, mean], color=color, linewidth=2.5)
            ax.annotate(f"{mean:.{digits}f}", (x + 0.28 * apart, mean), va="center", fontsize=8, color=ink(color))
        ax.plot([], [], "o-", color=color, label=name)
    ax.set_xticks(range(len(groups)), groups)
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=(-0.5, len(groups) - 0.5))
    ax.grid(axis="y", alpha=0.25)
    if len(series) > 1:
        fig.legend(loc="outside lower center", ncols=len(series), frameon=False)
    set_title(fig, title)
    return fig


@own_style
def draw_confusion(confusion: Tensor, classes: Sequence[str], title: str) -> Figure:
    """A confusion matrix as a coloured grid: of each true class (row), which share of its pixels got which label.

    Args:
        confusion: `metrics.confusion_matrix`, `(K, K)`.
        classes: the K names; a class without a pixel has an empty row.
    """
    shares = 100 * confusion / confusion.sum(dim=1, keepdim=True).clamp(min=1)
    side = 0.42 * len(classes) + 1.6
    fig, (ax,) = new_figure(side + 0.6, side)
    ax.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=100)
    for row, values in enumerate(shares.tolist()):
        for column, value in enumerate(values):
            if value >= 0.5:
                color = "white" if value > 50 else "black"
                ax.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=7.5, color=color)
    ax.set_xticks(range(len(classes)), classes, rotation=60, ha="right")
    ax.set_yticks(range(len(classes)), classes)
    ax.set(xlabel="predicted", ylabel="true")
    set_title(fig, title)
    return fig


@own_style
def draw_points(
    points: dict,
    title: str,
    *,
    xlabel: str,
    ylabel: str,
    log: bool | str = False,
    faded: Container[str] = (),
    line: tuple | None = None,
) -> Figure:
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
