"""One head on several backbones: which of its weights take another shape."""

from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from torch import nn

from deeplab_teach.plots.style import COLORS, new_figure, own_style, set_title


@own_style
def draw_swap(models: dict[str, nn.Module], title: str) -> Figure:
    """The same head lifted onto one backbone after another; weights of another shape than on the first are lit.

    Args:
        models: `{"mobilenet_v2": model, ...}`, each with `backbone` and `head`; heads of one class and settings.

    Of each convolution of the head the channels in and out are written, in the order of its parameters.
    """
    heads = {name: dict(_convolutions(model.head)) for name, model in models.items()}
    first = next(iter(heads.values()))
    fig, (ax,) = new_figure(9.6, 0.95 * len(models) + 1.7)
    wide = 9.0 / (len(first) + 3)
    for y, (name, model) in enumerate(models.items()):
        ax.add_patch(Rectangle((0, -y - 0.34), 2.3 * wide, 0.68, facecolor=COLORS["backbone"]))
        specs = model.backbone.feature_specs
        words = ", ".join(f"{key}: {specs[key].channels}" for key in (model.head.low_level, model.head.deep))
        ax.text(1.15 * wide, -y, f"{name}\n{words}", ha="center", va="center", color="white", fontsize=8)
        for i, (key, conv) in enumerate(heads[name].items()):
            x = (2.7 + i) * wide
            lit = conv.weight.shape != first[key].weight.shape
            ax.add_patch(Rectangle((x, -y - 0.34), 0.9 * wide, 0.68, facecolor=COLORS["head"], alpha=1 if lit else 0.3))
            words = f"{conv.in_channels}\nto\n{conv.out_channels}"
            ax.text(x + 0.45 * wide, -y, words, ha="center", va="center", fontsize=7.5)
    for i, key in enumerate(first):
        words = key.replace("_", " ")
        ax.text((2.7 + i) * wide, 0.5, words, rotation=60, ha="left", va="bottom", fontsize=7.5)
    handles = [Patch(color=COLORS["backbone"], label="backbone, and the channels that the head reads")]
    handles += [Patch(color=COLORS["head"], alpha=0.3, label="a layer of the head")]
    handles += [Patch(color=COLORS["head"], label="its weights have another shape")]
    fig.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    ax.set(xlim=(-0.05, 9.4), ylim=(-len(models) + 0.55, 1.8))
    ax.axis("off")
    set_title(fig, title)
    return fig


def _convolutions(head):
    """`(name, convolution)` of each convolution of a head; one inside a small sequence has the sequence's name."""
    for name, module in head.named_modules():
        if isinstance(module, nn.Conv2d):
            yield name.rpartition(".")[0] or name, module
