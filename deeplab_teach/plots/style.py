"""One palette and one look for every figure, and how a figure gets into a lesson."""

import base64
import functools
import io
import textwrap
from collections.abc import Callable, Iterable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from torch import Tensor

from deeplab_teach.datasets import class_colors
from deeplab_teach.metrics import trimap_band

# Okabe and Ito's colours, safe for colour-blind eyes: one per role, the same everywhere in the course.
COLORS = {"backbone": "#0072B2", "neck": "#009E73", "head": "#E69F00", "error": "#D55E00", "input": "#8A8A8A"}
# One object's colour and the next one's (Okabe and Ito): no roles here, only to tell them apart.
OBJECTS = ("#E69F00", "#0072B2", "#D55E00", "#CC79A7", "#009E73", "#56B4E9")
STYLE = {
    "figure.facecolor": "white",  # a white card, legible in a dark theme too
    "figure.dpi": 110,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def own_style(draw: Callable) -> Callable:
    """A drawing function in matplotlib's defaults and `STYLE`, whatever style a notebook has chosen.

    In `dark_background`, for example, titles would be white on the white card.
    """

    @functools.wraps(draw)
    def drawn(*args, **kwargs):
        with plt.style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return drawn


@own_style
def new_figure(
    width: float = 8.0, height: float = 3.0, rows: int = 1, columns: int = 1, **options
) -> tuple[Figure, list]:
    """An empty figure in the course's style and the flat list of its axes. It is not shown until `show`."""
    fig, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained", **options)
    plt.close(fig)  # so that a notebook does not show it a second time
    return fig, list(axes.flat)


@own_style
def encode(fig: Figure, *, photo: bool = False) -> tuple[str, bytes]:
    """A figure as `(MIME type, bytes)`: JPEG where photographs fill it, PNG for diagrams."""
    kind, options = (
        ("jpeg", {"pil_kwargs": {"quality": 75, "optimize": True, "progressive": True}}) if photo else ("png", {})
    )
    buffer = io.BytesIO()
    fig.savefig(buffer, format=kind, facecolor="white", **options)
    return f"image/{kind}", buffer.getvalue()


def show(fig: Figure, alt: str, *, photo: bool = False) -> None:
    """Show a figure in a notebook with a caption, which also stands in the output as alternative text."""
    from IPython.display import Markdown, display

    kind, data = encode(fig, photo=photo)
    content = {kind: base64.b64encode(data).decode(), "text/plain": alt}
    display(content, metadata={kind: {"alt": alt}}, raw=True)
    display(Markdown(f"*{alt}*"))


def to_image(x: Tensor) -> np.ndarray:
    """An image tensor `(3, H, W)`, bytes or floats in 0..1, as matplotlib wants it: `(H, W, 3)`."""
    return x.detach().as_subclass(torch.Tensor).permute(1, 2, 0).cpu().numpy()


def in_floats(image: Tensor) -> Tensor:
    """An image `(3, H, W)`, bytes or floats in 0..1, as a plain tensor of floats on the CPU."""
    return (image if image.is_floating_point() else image / 255).as_subclass(torch.Tensor).cpu()


def extent_of(image: Tensor) -> tuple[float, float, float, float]:
    """Where `imshow` draws an image `(3, H, W)`: a map that is given it is drawn as large."""
    height, width = image.shape[-2:]
    return (-0.5, width - 0.5, height - 0.5, -0.5)


def add_paled(ax: Axes, image: Tensor) -> None:
    """The image, so pale that what is drawn over it can be seen."""
    ax.imshow(0.55 + 0.45 * to_image(in_floats(image)))


def add_framed(ax: Axes, x: float, y: float, picture: np.ndarray, color: str, width: float) -> tuple[float, ...]:
    """A picture in a coloured frame with its middle at x, y; gives its left, right, lower and upper border."""
    height = width * picture.shape[0] / picture.shape[1]
    extent = (x - width / 2, x + width / 2, y - height / 2, y + height / 2)
    smooth = "nearest" if picture.ndim == 2 else "antialiased"  # a map shows its places
    ax.imshow(picture, extent=extent, cmap="magma", interpolation=smooth, zorder=2)
    ax.add_patch(Rectangle((extent[0], extent[2]), width, height, fill=False, edgecolor=color, linewidth=3, zorder=3))
    return extent


def color_mask(mask: Tensor, classes: Sequence[str]) -> Tensor:
    """Labels `(H, W)` -> `(3, H, W)` uint8 in PASCAL VOC's colours; 255 (ignored) is white."""
    palette = torch.full((256, 3), 255, dtype=torch.uint8)
    palette[: len(classes)] = torch.as_tensor(class_colors(classes))
    return palette[mask.long().cpu()].permute(2, 0, 1)


def overlay_mask(image: Tensor, mask: Tensor, classes: Sequence[str]) -> Tensor:
    """An image with what is not background tinted in the colour of its class, and its outline in full colour.

    Args:
        image: `(3, H, W)`, bytes or floats in 0..1.
        mask: `(H, W)` labels.

    Returns:
        `(3, H, W)` uint8.
    """
    image = image if image.dtype == torch.uint8 else (255 * image).round().to(torch.uint8)
    image, mask = image.as_subclass(torch.Tensor).cpu(), mask.as_subclass(torch.Tensor).cpu()
    colors, seen = color_mask(mask, classes), mask > 0
    drawn = torch.where(seen, image // 2 + colors // 2, image)
    return torch.where(outline(mask), colors, drawn)


def outline(labels: Tensor) -> Tensor:
    """Those pixels of the things in `(H, W)` labels, 0 for none, that lie at an outline: bool."""
    return trimap_band(labels, max(1, max(labels.shape) // 250), ignore_index=-1) & (labels > 0)


def one_pixel(color: str) -> Tensor:
    """A colour such as `"#E69F00"` as a pixel, float `(3, 1, 1)`, to be spread over a picture."""
    return torch.tensor(to_rgb(color))[:, None, None]


def tint_mask(image: Tensor, mask: Tensor, color: str) -> Tensor:
    """An image with the pixels of a mask tinted in a colour, and their outline in full colour: float `(3, H, W)`.

    Args:
        image: `(3, H, W)`, bytes or floats in 0..1.
        mask: bool `(H, W)`.
        color: such as `"#E69F00"`.
    """
    image, mask = in_floats(image), mask.as_subclass(torch.Tensor).bool().cpu()
    tint = one_pixel(color)
    return torch.where(outline(mask.long()), tint, torch.where(mask, 0.45 * image + 0.55 * tint, image))


def ink(color: str) -> str:
    """A role's colour, dark enough to read as text on white."""
    return {COLORS["head"]: "#8F6200"}.get(color, color)


def class_legend(fig: Figure, labels: Iterable[int], classes: Sequence[str]) -> None:
    """Name the classes that occur in words: colours alone are not enough."""
    colors = torch.as_tensor(class_colors(classes)) / 255
    handles = [Patch(facecolor=colors[i].tolist(), edgecolor="#444444", label=classes[i]) for i in sorted(labels)]
    columns = max(1, min(8, len(handles), int(fig.get_figwidth() / 1.2)))
    fig.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)


def set_title(fig: Figure, title: str) -> None:
    """The figure's title, on as many lines as its width asks for."""
    fig.suptitle(textwrap.fill(title, int(10 * fig.get_figwidth())))


def hide_axes(axes: Iterable) -> None:
    """No ticks and no frame, for pictures; labels stay."""
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
