"""The blocks that backbones are built of, side by side: each convolution as wide as its channels, with its cost."""

import copy

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Polygon
from torch import nn

from deeplab_teach.cost import Cost, count
from deeplab_teach.plots.charts import PARTS
from deeplab_teach.plots.style import COLORS, new_figure, own_style, set_title

BOTH, AROUND, ACROSS = "looks around and mixes channels", "looks around, channel by channel", "mixes channels (1x1)"
KINDS = dict(zip((BOTH, AROUND, ACROSS), PARTS, strict=True))
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
    costs = {name: count(block, inputs=_input(block, size)) for name, block in blocks.items()}
    paths = {name: _convolutions(blocks[name], cost, beside=False) for name, cost in costs.items()}
    convs = [conv for path in paths.values() for conv, _ in path]
    widest = max(max(conv.in_channels, conv.out_channels) for conv in convs)
    tallest = max(map(len, paths.values()))
    width = min(9.4, 2.9 * len(blocks))
    fig, (ax,) = new_figure(width, 0.62 * tallest + 2.0)
    for column, (name, path) in enumerate(paths.items()):
        _draw_block(ax, 2.9 * column, name, blocks[name], costs[name], path, 1.4 / widest)
    kinds = set(map(_kind, convs))
    handles = [Patch(color=color, label=kind) for kind, color in KINDS.items() if kind in kinds]
    fig.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), int(width / 2.8)), frameon=False)
    ax.set(xlim=(-1.3, 2.9 * (len(blocks) - 1) + 1.6), ylim=(-1.3, tallest + 0.55))
    ax.axis("off")
    set_title(fig, title)
    return fig


def _draw_block(ax, x, name, block, cost, path, scale):
    ax.text(x, len(path) + 0.32, name, ha="center", weight="bold")
    for level, (conv, work) in enumerate(path):
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
    top, last = len(path), path[-1][0].out_channels
    ax.plot([x - last * scale / 2, x + last * scale / 2], [top] * 2, color="#222222", linewidth=2, zorder=3)
    _name_width(ax, x - last * scale / 2, top, last)
    if has_shortcut(block):
        start, end = (channels * scale / 2 for channels in (path[0][0].in_channels, last))
        ax.plot([x - start, x - 1.2, x - 1.2], [0, 0, top], color=COLORS["error"], linewidth=1.3, zorder=1)
        arrow = {"arrowstyle": "->", "color": COLORS["error"], "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (x - end - 0.3, top), (x - 1.2, top), arrowprops=arrow)
        ax.text(x - 1.06, top - 0.16, "+", ha="center", va="top", color=COLORS["error"], weight="bold")
        words = "shortcut" + "".join(
            f": 1x1, {work / 1e6:,.1f} M" for _, work in _convolutions(block, cost, beside=True)
        )
        ax.text(x - 1.2, top / 2, words, rotation=90, ha="center", va="center", fontsize=7.5, bbox=PAPER)
    words = f"{cost.params / 1e3:,.0f} thousand parameters\n{cost.multiply_adds / 1e6:,.0f} million multiply-adds"
    ax.text(x, -0.3, words, ha="center", va="top", fontsize=8)


def _name_width(ax, x, y, channels):
    ax.text(x - 0.06, y, str(channels), ha="right", va="center", fontsize=7.5, bbox=PAPER, zorder=3)


def _input(block, size):
    """What a block takes, as wide as its first convolution reads."""
    first = next(module for module in block.modules() if isinstance(module, nn.Conv2d))
    return torch.ones(1, first.in_channels, size, size)


def _convolutions(block: nn.Module, cost: Cost, *, beside: bool) -> list[tuple[nn.Conv2d, int]]:
    """The convolutions from input to output, or those beside, on the shortcut; and the multiply-adds of each."""
    names = [name for name in cost.modules if (name.split(".")[0] in BESIDE) == beside]
    return [(block.get_submodule(name), cost.modules[name][1]) for name in names]


def has_shortcut(block: nn.Module) -> bool:
    """Whether something of the input comes through when every weight of a block is zero, but for the shortcut's own."""
    blind = copy.deepcopy(block).eval()
    for name, weights in blind.named_parameters():
        if name.split(".")[0] not in BESIDE:
            nn.init.zeros_(weights)
    with torch.inference_mode():
        output = blind(_input(blind, 8))
    return bool((output[0] if isinstance(output, tuple) else output).any())


def _kind(conv):
    if conv.kernel_size == (1, 1):
        return ACROSS
    return AROUND if conv.groups > 1 else BOTH
