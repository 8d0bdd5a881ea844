"""Drawings that explain one layer: which places of its input a convolution reads."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from deeplab_teach.layers import conv_output_size
from deeplab_teach.plots.style import COLORS, hide_axes, new_figure, own_style, set_title


@own_style
def draw_conv(size: int, layers: Sequence[tuple[int, int, int, int]], title: str) -> Figure:
    """A stack of convolutions along one side of an image: a row of places per layer, the input at the bottom.

    One output place in the middle is blue, and so is every place below that it reads. Padding is drawn hollow.

    Args:
        size: places of the input.
        layers: `(kernel_size, stride, padding, rate)` of each layer, from the input up.

    Raises:
        ValueError: a kernel does not fit.
    """
    rows = [([float(i) for i in range(size)], 0)]  # (where the places lie, in input places; padding on each side)
    start, step = 0.0, 1
    for kernel_size, stride, padding, rate in layers:
        count = conv_output_size(len(rows[-1][0]), kernel_size, stride=stride, padding=padding, rate=rate)
        start += (rate * (kernel_size - 1) / 2 - padding) * step
        rows[-1] = (rows[-1][0], padding)
        step *= stride
        rows.append(([start + i * step for i in range(count)], 0))
    fig, (ax,) = new_figure(8.4, 0.75 * len(rows) + 0.9)
    reads = _what_is_read(rows, layers)
    leftmost = min(places[0] - padding * _gap(places) for places, padding in rows)
    for level, (places, padding) in enumerate(rows):
        gap = _gap(places)
        for i in range(-padding, len(places) + padding):
            x, inside = places[0] + i * gap, 0 <= i < len(places)
            color = COLORS["backbone"] if i in reads[level] else "#DDDDDD" if inside else "none"
            style = {"edgecolor": COLORS["input"], "linestyle": "-" if inside else ":", "zorder": 2}
            ax.add_patch(Rectangle((x - 0.36, level - 0.16), 0.72, 0.32, facecolor=color, **style))
            if level < len(layers) and i in reads[level]:
                for target in reads[level + 1]:
                    if i in _inputs(target, layers[level]):
                        ends = [x, rows[level + 1][0][target]], [level + 0.16, level + 0.84]
                        ax.plot(*ends, color=COLORS["backbone"], linewidth=0.8, alpha=0.6, zorder=1)
        name = "input" if level == 0 else f"layer {level}"
        ax.text(leftmost - 0.8, level, f"{name}: {len(places)}", ha="right", va="center")
    rightmost = max(places[-1] + padding * _gap(places) for places, padding in rows)
    ax.set(xlim=(leftmost - 4, rightmost + 0.6), ylim=(-0.5, len(rows) - 0.5))
    ax.axis("off")
    set_title(fig, title)
    return fig


def weights_that_read(size: int, rate: int) -> list[int]:
    """Along one side of a map: how many of a dilated kernel's 3 weights lie on the map, at each of its places."""
    return [sum(0 <= i + step < size for step in (-rate, 0, rate)) for i in range(size)]


@own_style
def draw_kernel(size: int, rate: int, row: int, column: int, title: str) -> Figure:
    """A dilated 3x3 kernel on a square map: which of its nine weights read the map, which the padding around it.

    Args:
        size: places along each side of the map.
        rate: how many places apart neighbouring weights read.
        row, column: the place that the kernel stands on.
    """
    fig, (ax, shares) = new_figure(8.4, 4.0, 1, 2)
    edge, side = min(rate, size) + 0.5, max(0.8, size / 25)  # on a large map the kernel's squares must still show
    ax.add_patch(Rectangle((-0.5, -0.5), size, size, facecolor="#EEEEEE", edgecolor="none"))
    lines = [i - 0.5 for i in range(size + 1)]
    ax.hlines(lines, -0.5, size - 0.5, color="white", linewidth=0.8)
    ax.vlines(lines, -0.5, size - 0.5, color="white", linewidth=0.8)
    for dy in (-rate, 0, rate):
        for dx in (-rate, 0, rate):
            y, x = row + dy, column + dx
            inside = 0 <= y < size and 0 <= x < size
            color = COLORS["neck"] if inside else "none"
            style = {"edgecolor": COLORS["neck"] if inside else COLORS["error"], "linestyle": "-" if inside else ":"}
            if not -edge - 1 <= y <= size + edge or not -edge - 1 <= x <= size + edge:
                continue  # too far out to be drawn
            if dy == dx == 0:  # the place itself
                style["edgecolor"] = "black"
            ax.add_patch(Rectangle((x - side / 2, y - side / 2), side, side, facecolor=color, linewidth=1.5, **style))
    ax.set(xlim=(-edge - 1, size + edge), ylim=(size + edge, -edge - 1), aspect="equal", title="one place, black")
    along = weights_that_read(size, rate)
    counts = [[up * across for across in along] for up in along]
    drawn = shares.imshow(counts, cmap="magma", vmin=1, vmax=9, interpolation="nearest")
    for i, line in enumerate(counts if size <= 16 else ()):  # on a larger map nobody could read them
        for j, count in enumerate(line):
            shares.text(j, i, count, ha="center", va="center", fontsize=7, color="black" if count > 5 else "white")
    fig.colorbar(drawn, ax=shares, ticks=[1, 2, 4, 6, 9], label="weights that read the map, of 9")
    shares.set_title("all places")
    hide_axes((ax, shares))
    set_title(fig, title)
    return fig


def _gap(places):
    """Distance of two neighbours, in places of the input."""
    return places[1] - places[0] if len(places) > 1 else 1.0


def _inputs(place, layer):
    """The places of the row below that a place reads; below 0 and past the end they are padding."""
    kernel_size, stride, padding, rate = layer
    return [place * stride - padding + rate * k for k in range(kernel_size)]


def _what_is_read(rows, layers):
    """For each row the places that the middle output reads, from the input up."""
    reads = [{(len(rows[-1][0]) - 1) // 2}]
    for level in range(len(layers) - 1, -1, -1):
        below = {i for place in reads[0] for i in _inputs(place, layers[level])}
        if level:  # a layer's own padding is made of zeros: it reads nothing further down
            below = {i for i in below if 0 <= i < len(rows[level][0])}
        reads.insert(0, below)
    return reads
