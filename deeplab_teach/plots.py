"""Every figure's drawing function but the X-ray's (`xray`). One palette, one look; matplotlib only.

A `draw_...` function takes data and gives a figure; `show` puts it into a lesson with its alternative text.
"""

import base64
import io
import textwrap

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from deeplab_teach.datasets import class_colors

# Okabe and Ito's colours, safe for colour-blind eyes: one per role, the same everywhere in the course.
COLORS = {"backbone": "#0072B2", "neck": "#009E73", "head": "#E69F00", "error": "#D55E00", "input": "#8A8A8A"}
STYLE = {
    "figure.facecolor": "white",  # a white card, legible in a dark theme too
    "figure.dpi": 110,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def new_figure(width=8.0, height=3.0, rows=1, columns=1, **options) -> tuple[Figure, list]:
    """An empty figure in the course's style and the flat list of its axes. It is not shown until `show`."""
    with plt.rc_context(STYLE):
        fig, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained", **options)
    plt.close(fig)  # so that a notebook does not show it a second time
    return fig, list(axes.flat)


def encode(fig: Figure, *, photo=False) -> tuple[str, bytes]:
    """A figure as `(MIME type, bytes)`: JPEG where photographs fill it, PNG for diagrams."""
    kind, options = ("jpeg", {"pil_kwargs": {"quality": 80}}) if photo else ("png", {})
    buffer = io.BytesIO()
    with plt.rc_context(STYLE):
        fig.savefig(buffer, format=kind, facecolor="white", **options)
    return f"image/{kind}", buffer.getvalue()


def show(fig: Figure, alt: str, *, photo=False) -> None:
    """Show a figure in a notebook with a caption, which also stands in the output as alternative text."""
    from IPython.display import Markdown, display

    kind, data = encode(fig, photo=photo)
    content = {kind: base64.b64encode(data).decode(), "text/plain": alt}
    display(content, metadata={kind: {"alt": alt}}, raw=True)
    display(Markdown(f"*{alt}*"))


def to_image(x: Tensor):
    """An image tensor `(3, H, W)`, bytes or floats in 0..1, as matplotlib wants it: `(H, W, 3)`."""
    return x.detach().as_subclass(torch.Tensor).permute(1, 2, 0).cpu().numpy()


def colour_mask(mask: Tensor, classes) -> Tensor:
    """Labels `(H, W)` -> `(3, H, W)` uint8 in PASCAL VOC's colours; 255 (ignored) is white."""
    palette = torch.full((256, 3), 255, dtype=torch.uint8)
    palette[: len(classes)] = torch.as_tensor(class_colors(classes))
    return palette[mask.long().cpu()].permute(2, 0, 1)


def ink(color: str) -> str:
    """A role's colour, dark enough to read as text on white."""
    return {COLORS["head"]: "#8F6200"}.get(color, color)


def class_legend(fig, labels, classes) -> None:
    """Name the classes that occur in words: colours alone are not enough."""
    colors = torch.as_tensor(class_colors(classes)) / 255
    handles = [Patch(facecolor=colors[i].tolist(), edgecolor="#444444", label=classes[i]) for i in sorted(labels)]
    columns = max(1, min(8, len(handles), int(fig.get_figwidth() / 1.2)))
    fig.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)


def set_title(fig, title: str) -> None:
    """The figure's title, on as many lines as its width asks for."""
    fig.suptitle(textwrap.fill(title, int(10 * fig.get_figwidth())))


def hide_axes(axes) -> None:
    """No ticks and no frame, for pictures; labels stay."""
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)


def draw_masks(images, rows: dict[str, list], classes, title: str) -> Figure:
    """Images above, and under each one mask per row: `rows = {"truth": [...], "prediction": [...]}`."""
    count = len(images)
    fig, axes = new_figure(1.75 * count + 0.6, 1.75 * (1 + len(rows)) + 0.7, 1 + len(rows), count)
    labels = set()
    for i, image in enumerate(images):
        axes[i].imshow(to_image(image))
        for j, masks in enumerate(rows.values(), start=1):
            axes[j * count + i].imshow(to_image(colour_mask(masks[i], classes)), interpolation="nearest")
            labels |= set(masks[i].unique().tolist()) - {255}
    for ax, name in zip(axes[::count], ("image", *rows), strict=True):
        ax.set_ylabel(name)
    hide_axes(axes)
    class_legend(fig, labels, classes)
    set_title(fig, title)
    return fig


def draw_labelled(images, labels: list[str], title: str) -> Figure:
    """Images in a row, each with what a classifier says of it underneath."""
    fig, axes = new_figure(2.6 * len(images), 4.0, 1, len(images))
    for ax, image, label in zip(axes, images, labels, strict=True):
        ax.imshow(to_image(image))
        ax.set_xlabel(label)
    hide_axes(axes)
    set_title(fig, title)
    return fig


def draw_guesses(image, guesses: dict[str, list[tuple[str, float]]], title: str) -> Figure:
    """An image, and beside it what each classifier takes it for: `guesses = {"resnet18": [("cat", 0.7), ...]}`."""
    fig, axes = new_figure(2.8 * (1 + len(guesses)), 2.5, 1, 1 + len(guesses))
    axes[0].imshow(to_image(image))
    axes[0].set(xticks=[], yticks=[])
    for ax, (name, rows) in zip(axes[1:], guesses.items(), strict=True):
        ax.barh(range(len(rows)), [100 * p for _, p in rows], color=COLORS["input"])
        ax.set_yticks(range(len(rows)), [textwrap.shorten(label, 20, placeholder="...") for label, _ in rows])
        ax.invert_yaxis()
        ax.set(xlim=(0, 100), xlabel="probability, %", title=name)
    set_title(fig, title)
    return fig


def draw_features(image, features: dict[str, Tensor], title: str) -> Figure:
    """How strongly each stage answers at each place (mean of |value| over channels), at its own resolution."""
    fig, axes = new_figure(max(1.9 * (1 + len(features)), 7.0), 2.9, 1, 1 + len(features))
    size = 10 if len(features) < 5 else 8.5
    axes[0].imshow(to_image(image))
    axes[0].set_title(f"image\n{image.shape[-2]} x {image.shape[-1]}", color=COLORS["input"], fontsize=size)
    for ax, (key, value) in zip(axes[1:], features.items(), strict=True):
        drawn = ax.imshow(value[0].detach().abs().mean(dim=0).cpu().numpy(), cmap="magma", interpolation="nearest")
        channels, rows, columns = value.shape[1:]
        text = f"{key}\n{channels} channel{'s' * (channels != 1)}, {rows} x {columns}"
        ax.set_title(text, color=COLORS["backbone"], fontsize=size)
        fig.colorbar(drawn, ax=ax, orientation="horizontal", shrink=0.8, aspect=15)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    set_title(fig, title)
    return fig


def draw_costs(costs: dict, title: str) -> Figure:
    """Parameters and multiply-adds of several models, split into backbone and head: `{label: cost.Cost}`."""
    fig, axes = new_figure(9.0, 0.42 * len(costs) + 1.2, 1, 2, sharey=True)
    for ax, column, scale, unit in (
        (axes[0], 0, 1e6, "million parameters"),
        (axes[1], 1, 1e9, "billion multiply-adds"),
    ):
        for y, cost in enumerate(costs.values()):
            left = 0.0
            for role in ("backbone", "head"):
                value = cost.part(role)[column] / scale
                ax.barh(y, value, left=left, color=COLORS[role], label=role if y == 0 else None)
                left += value
            ax.text(left, y, f" {left:.1f}", va="center", fontsize=8)
        ax.set_xlabel(unit)
        ax.margins(x=0.12)
    axes[0].set_yticks(range(len(costs)), list(costs))
    axes[0].invert_yaxis()
    axes[1].legend(frameon=False, loc="best")
    set_title(fig, title)
    return fig


def draw_lines(x, lines: dict, title: str, *, xlabel, ylabel, colors=None) -> Figure:
    """A few curves over the same `x`: `lines = {"with decoder": [...], ...}`, named at their ends."""
    fig, (ax,) = new_figure(6.4, 3.2)
    every = [value for values in lines.values() for value in values]
    heights, apart = {}, 0.07 * (max(every) - min(every))  # where each name stands, so that none covers another
    for name in sorted(lines, key=lambda name: lines[name][-1]):
        heights[name] = max([lines[name][-1], *(height + apart for height in heights.values())])
    for (name, values), color in zip(lines.items(), colors or list(COLORS.values()), strict=False):
        ax.plot(x, values, marker="o", markersize=4, color=color)
        ax.annotate(name, (x[-1], heights[name]), (6, 0), textcoords="offset points", va="center", color=ink(color))
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.margins(x=0.02)
    ax.grid(alpha=0.25)
    return fig


def draw_errors(image, truth, predictions: dict, band, classes, title: str) -> Figure:
    """What each model gets wrong, marked in vermilion; outside `band` (bool, `(H, W)`) the picture is dimmed."""
    fig, axes = new_figure(2.3 * (2 + len(predictions)), 3.1, 1, 2 + len(predictions))
    axes[0].imshow(to_image(image))
    axes[0].set_title("image")
    axes[1].imshow(to_image(colour_mask(truth, classes)), interpolation="nearest")
    axes[1].set_title("truth")
    error = torch.tensor([int(COLORS["error"][i : i + 2], 16) for i in (1, 3, 5)], dtype=torch.uint8)
    for ax, (name, mask) in zip(axes[2:], predictions.items(), strict=True):
        picture = colour_mask(mask, classes)
        wrong = (mask != truth) & band
        picture = torch.where(band, picture, picture // 4 + 176)
        picture = torch.where(wrong, error[:, None, None], picture)
        ax.imshow(to_image(picture), interpolation="nearest")
        ax.set_title(f"{name}\n{100 * wrong.sum() / band.sum().clamp(min=1):.0f} % of the band wrong")
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    labels = set(truth.unique().tolist()).union(*(set(mask.unique().tolist()) for mask in predictions.values()))
    class_legend(fig, labels - {255}, classes)
    set_title(fig, title)
    return fig
