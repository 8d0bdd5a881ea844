"""The blocks that backbones are built of, side by side: each convolution as wide as its channels, with its cost."""

import copy

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Polygon
from torch import nn

from deeplab_teach.cost import count_params, multiply_adds
from deeplab_teach.plots.charts import PARTS
from deeplab_teach.plots.style import COLORS, new_figure, own_style, set_title

KINDS = dict(
    zip(
        ("looks around and mixes channels", "looks around, channel by channel", "mixes channels (1x1)"),
        PARTS,
        strict=True,
    )
)
BESIDE = ("downsample", "shortcut")  # what a block calls the convolution on its shortcut
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}  # behind words that stand on a line


@own_style
def draw_blocks(blocks: dict[str, nn.Module], size: int, title: str) -> Figure:
    """Blocks from below to above: the input's channels, each convolution, the output's channels; and the shortcut.

    Args:
        blocks: `{"basic block": module, ...}`; a module takes `(N, C, size, size)`, C its first convolution's.
        size: places along each side of the input, for the multiply-adds.

    A block has a shortcut if its input comes through when all its weights are zero.
    """
    traced = {name: _convolutions(block, size) for name, block in blocks.items()}
    widest = max(max(conv.in_channels, conv.out_channels) for convs in traced.values() for conv, _ in convs)
    tallest = max(len(convs) for convs in traced.values())
    width = min(9.4, 2.9 * len(blocks))
    fig, (ax,) = new_figure(width, 0.62 * tallest + 2.0)
    for column, (name, convs) in enumerate(traced.items()):
        _draw_block(ax, 2.9 * column, name, blocks[name], convs, 1.4 / widest, size)
    kinds = {_kind(conv) for convs in traced.values() for conv, _ in convs}
    handles = [Patch(color=color, label=kind) for kind, color in KINDS.items() if kind in kinds]
    fig.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), int(width / 2.8)), frameon=False)
    ax.set(xlim=(-1.3, 2.9 * (len(blocks) - 1) + 1.6), ylim=(-1.3, tallest + 0.55))
    ax.axis("off")
    set_title(fig, title)
    return fig


def _draw_block(ax, x, name, block, convs, scale, size):
    ax.text(x, len(convs) + 0.32, name, ha="center", weight="bold")
    for level, (conv, work) in enumerate(convs):
        below, above = conv.in_channels * scale / 2, conv.out_channels * scale / 2
        corners = [
            (x - below, level + 0.1),
            (x + below, level + 0.1),
            (x + above, level + 0.9),
            (x - above, level + 0.9),
        ]
        ax.add_patch(Polygon(corners, facecolor=KINDS[_kind(conv)], zorder=2))
        ax.plot([x - below, x + below], [level] * 2, color="#222222", linewidth=2, zorder=3)
        side, stride = conv.kernel_size[0], conv.stride[0]
        kind = f"{side}x{side}" + f", stride {stride}" * (stride > 1)
        ax.text(x + 0.86, level + 0.5, f"{kind}\n{work / 1e6:,.1f} M", va="center", fontsize=7.5)
        _name_width(ax, x - below, level, conv.in_channels)
    top, last = len(convs), convs[-1][0].out_channels
    ax.plot([x - last * scale / 2, x + last * scale / 2], [top] * 2, color="#222222", linewidth=2, zorder=3)
    _name_width(ax, x - last * scale / 2, top, last)
    beside = _convolutions(block, size, beside=True)
    if has_shortcut(block, size):
        start, end = (channels * scale / 2 for channels in (convs[0][0].in_channels, last))
        ax.plot([x - start, x - 1.2, x - 1.2], [0, 0, top], color=COLORS["error"], linewidth=1.3, zorder=1)
        arrow = {"arrowstyle": "->", "color": COLORS["error"], "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (x - end - 0.3, top), (x - 1.2, top), arrowprops=arrow)
        ax.text(x - 1.06, top - 0.16, "+", ha="center", va="top", color=COLORS["error"], weight="bold")
        words = "shortcut" + "".join(f": 1x1, {work / 1e6:,.1f} M" for _, work in beside)
        ax.text(x - 1.2, top / 2, words, rotation=90, ha="center", va="center", fontsize=7.5, bbox=PAPER)
    total = sum(work for _, work in convs + beside)
    words = f"{count_params(block) / 1e3:,.0f} thousand parameters\n{total / 1e6:,.0f} million multiply-adds"
    ax.text(x, -0.3, words, ha="center", va="top", fontsize=8)


def _name_width(ax, x, y, channels):
    ax.text(x - 0.06, y, str(channels), ha="right", va="center", fontsize=7.5, bbox=PAPER, zorder=3)


def _convolutions(block, size, *, beside=False):
    """The convolutions from input to output, or those beside, on the shortcut; and the multiply-adds of each."""
    first = next(module for module in block.modules() if isinstance(module, nn.Conv2d))
    found = []

    def note(module, inputs, output):
        found.append((module, multiply_adds(module, output.shape)))

    handles = [
        module.register_forward_hook(note)
        for name, module in block.named_modules()
        if isinstance(module, nn.Conv2d) and (name.split(".")[0] in BESIDE) == beside
    ]
    _run(block, torch.zeros(1, first.in_channels, size, size))
    for handle in handles:
        handle.remove()
    return found


def _run(block, x):
    was_training = block.training
    with torch.inference_mode():
        output = block.eval()(x)
    block.train(was_training)
    return output[0] if isinstance(output, tuple) else output


def has_shortcut(block: nn.Module, size: int = 8) -> bool:
    """Whether something of the input comes through when every weight of a block is zero, but for the shortcut's own."""
    blind = copy.deepcopy(block)
    for name, weights in blind.named_parameters():
        if name.split(".")[0] not in BESIDE:
            nn.init.zeros_(weights)
    first = next(module for module in block.modules() if isinstance(module, nn.Conv2d))
    return bool(_run(blind, torch.ones(1, first.in_channels, size, size)).any())


def _kind(conv):
    if conv.kernel_size == (1, 1):
        return "mixes channels (1x1)"
    return "looks around, channel by channel" if conv.groups > 1 else "looks around and mixes channels"
