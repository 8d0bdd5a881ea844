"""One page to print: DeepLabv3+ on the paper's backbone, drawn from the real network, with the words of the course."""

import re
import textwrap
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torchvision.transforms.v2 import functional as T

from deeplab_teach import plots
from deeplab_teach.cost import blocks, count
from deeplab_teach.data_files import atomic_write
from deeplab_teach.datasets import photo
from deeplab_teach.models import build_model
from deeplab_teach.plots.style import COLORS, ink

GLOSSARY = Path(__file__).resolve().parents[2] / "notebooks" / "GLOSSARY.md"
A4 = (11.69, 8.27)  # inches, landscape
SIZE = 513
WORDS = (
    "backbone", "neck", "head", "feature map", "stride of a map", "output stride", "contract, declaration",
    "atrous (dilated) convolution", "ASPP", "encoder", "decoder", "logits, raw scores", "aligned", "pretrained",
)  # fmt: skip
TITLE = "DeepLabv3+ is a head (orange). ResNet-101 is one of many backbones that it can stand on (blue)."
SWAP = """What happens when the backbone is swapped?
The head's code stays: it asks feature_specs how many channels come in, and at which stride. Its trained weights do not.
"""


def meanings() -> dict[str, str]:
    """`{word: meaning}` of the glossary, without Markdown."""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| \d\d \|$", GLOSSARY.read_text(encoding="utf-8"), re.M)
    return {word.strip(): re.sub(r"[*`]", "", meaning).strip() for word, meaning in rows}


def diagram() -> Figure:
    with torch.device("meta"):
        model = build_model("resnet101", "deeplabv3plus", 21, output_stride=16)
    size = (SIZE, SIZE)
    picture = T.center_crop(T.resize(photo("chelsea"), SIZE, antialias=True), size) / 255
    fig = plots.draw_network(
        blocks(model, size), size, TITLE, image=picture, skip=("c2", "low_level_project", "decoder"),
        brackets=(("c1", "c5", "backbone"), ("aspp", "classifier", "head"),
                  ("c1", "aspp", "encoder (the paper's word)"),
                  ("low_level_project", "classifier", "decoder (its word)")),
    )  # fmt: skip
    for text in fig.axes[0].texts:  # the longest name, in two lines
        text.set_text(text.get_text().replace("low level project", "low level\nproject"))
    cost = count(model, size)
    fig.set_layout_engine("none")
    fig.set_size_inches(A4)
    fig.legends[0].remove()
    fig.axes[0].set_position([0.03, 0.51, 0.94, 0.44])
    costs = ", ".join(f"{part} {cost.part(part)[1] / 1e9:.0f} billion multiply-adds" for part in ("backbone", "head"))
    under = f"An image of {SIZE} x {SIZE} pixels, 21 classes, output stride 16, as in the paper; {costs}."
    fig.text(0.5, 0.485, under, ha="center", fontsize=8, color="#444444")
    fig.text(0.5, 0.465, SWAP.strip(), ha="center", va="top", fontsize=8.5, weight="bold", linespacing=1.6)
    known = meanings()
    for number, word in enumerate(WORDS):
        column, row = divmod(number, len(WORDS) // 2)
        x, y = 0.04 + 0.48 * column, 0.39 - 0.051 * row
        color = ink(COLORS[word]) if word in COLORS else "#222222"
        fig.text(x, y, textwrap.fill(word, 20), fontsize=8.5, weight="bold", color=color, va="top")
        fig.text(x + 0.13, y, textwrap.fill(known[word], 64), fontsize=8, va="top")
    source = (
        "deeplab_teach, CC BY 4.0; the network of Chen et al. 2018, arXiv 1802.02611, with the shapes of its tensors."
    )
    fig.text(0.5, 0.012, source, ha="center", fontsize=7, color="#666666")
    return fig


def write_diagram(folder: Path) -> None:
    """Write `diagram.pdf` and `diagram.png` into a folder."""
    for kind, options in (("pdf", {"metadata": {"CreationDate": None}}), ("png", {"dpi": 150})):
        with atomic_write(folder / f"diagram.{kind}") as temporary:
            diagram().savefig(temporary, format=kind, **options)
