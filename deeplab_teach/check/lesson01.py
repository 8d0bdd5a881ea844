"""Lesson 01: how large a map a convolution leaves, and VGG's table."""

from numbers import Integral

import torch

from deeplab_teach.backbones.vgg import VGG
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.functions import Call, examine_function
from deeplab_teach.check.mistakes import mistakes
from deeplab_teach.check.modules import Case, examine_module
from deeplab_teach.check.run import Wrong, a_kind, attempt, random_size
from deeplab_teach.layers import conv_output_size as conv_output_size_reference


def _examine_conv_output_size(answer):
    draw = lambda low, high: int(torch.randint(low, high, ()))
    rows = [(224, 11, 4, 2), (55, 3, 2), (97, 2, 2), (10, 4, 3), (13, 2, 3, 1), (10, 3, 4), (7, 7), (9, 3)]
    rows += [(5, 1, 1, 3), (33, 3, 1, 6, 6), (33, 5, 1, 0, 2), (65, 7, 2, 3, 3), (40, 4, 3, 2, 5)]
    rows += [(draw(40, 300), draw(2, 9), draw(2, 6), draw(1, 5), draw(2, 5)) for _ in range(4)]
    names = ("stride", "padding", "rate")  # what a row does not have, the call leaves out
    calls = [Call((size, kernel_size), dict(zip(names, rest, strict=False))) for size, kernel_size, *rest in rows]
    example = "conv_output_size(size, kernel_size, stride, padding, rate)"
    kind = lambda value: None if isinstance(value, Integral) else f"You give {a_kind(value)}; asked is an int."
    advice = "Draw the places in a row and shift the kernel along them."
    reference, known = conv_output_size_reference, CONV_OUTPUT_SIZE_MISTAKES
    examine_function(answer, reference, example, calls, known, kind=kind, advice=advice)


CONV_OUTPUT_SIZE_MISTAKES = mistakes(r"""
You do not round: 224 places, a kernel of 11, a stride of 4 and a padding of 2 leave 55.25. Round down, by `//`.
    // stride => / stride
You round up: where the last step does not fit any more, the kernel is not placed.
    (size + 2 * padding - reach) // stride => -((reach - 2 * padding - size) // stride)
The first position of the kernel is not counted: it stands there before any step is made.
    // stride + 1 => // stride
The padding is counted once; it lies on both sides.
    return (size + 2 * padding => return (size + padding
The padding is subtracted: it makes the map larger, so it is added.
    return (size + 2 * padding => return (size - 2 * padding
The padding is left out.
    return (size + 2 * padding => return (size
The rate is left out: a dilated kernel reaches further.
    - reach) // => - kernel_size) //
Your dilated kernel reaches over rate * kernel_size places; but n weights have n - 1 gaps, and 1 place more.
    - reach) // => - rate * kernel_size) //
Your kernel reaches over one place too few: n weights have n - 1 gaps, and one place more.
    - reach) // => - reach + 1) //
The rate is added to the kernel size; it widens each of the kernel_size - 1 gaps.
    - reach) // => - kernel_size - rate + 1) //
The stride is left out.
    // stride + 1 => + 1
""")

conv_output_size = Exercise(
    minutes=6,
    statement="""Compute how many places a convolution (or a pool) leaves along one side: from the size of the map, the
        kernel size, stride, padding and rate. Nothing is computed with tensors.""",
    defaults={"stride": 1, "padding": 0, "rate": 1},
    hints=(
        """Put the kernel at the very left of the padded row. How many places does it cover from its first to its last
        weight? How many steps of `stride` can it make before it sticks out?""",
        """A dilated kernel has kernel_size - 1 gaps of `rate` places, and covers one place more than that. The
        number of whole steps is what is left over, divided by the stride and rounded down; the start counts as
        well.""",
    ),
    reference=conv_output_size_reference,
    examine=_examine_conv_output_size,
    moral="""PyTorch rounds down: that is why VGG's pools make 48 rows out of 97.""",
)


def _as_asked(network):
    """A VGG as the exercise builds it: without a name."""

    class Asked(network):
        def __init__(self, depths=(2, 2, 3, 3, 3), width=64):
            super().__init__("vgg", depths=depths, width=width)

    return Asked


def _examine_vgg(answer):
    cases = [
        Case(((1, 1, 1, 1, 1),), {"width": 3}, (torch.randn(2, 3, 33, 47), torch.randn(1, 3, 36, 34))),
        Case(((2, 1, 4, 2, 1),), {"width": 2}, (torch.randn(1, 3, *random_size(32, 64)),)),
        Case((), {"width": 2}, (torch.randn(1, 3, 32, 32),)),
    ]
    axes = "(N, channels, H/stride, W/stride), rounded down"
    examine_module(answer, VGG, "MyVGG", cases, VGG_MISTAKES, run="network(x)", axes=axes, adapt=_as_asked)
    wide = attempt("network(x)", answer((1, 1, 1, 1, 1), 72), torch.zeros(1, 3, 32, 32))["c5"].shape[1]
    if wide != 576:
        raise Wrong(f"With `width=72` the last stage of yours has {wide} channels; it must have 8 * width.")


VGG_MISTAKES = mistakes(r"""
Your last stage is twice as wide as the one before: the widths end at `8 * width`, whatever `width` is.
    min(2 ** (stage - 1), 8) => 2 ** (stage - 1)
The width is the same in all stages; it doubles from stage to stage, until it is eight times as large.
    width * min(2 ** (stage - 1), 8) => width
The widths are one doubling too large: the first stage has `width` channels.
    2 ** (stage - 1) => 2**stage
A 3x3 convolution without padding makes the map smaller by 2: a kernel of 3 sticks out by 1.
    , padding=1 =>
Each convolution of a stage is built for what the stage is given; from the second on it reads the stage's own channels.
    in_channels = channels => pass
    (nn.MaxPool2d(2)) => (nn.MaxPool2d(2))\n            in_channels = channels
Your stages have one convolution too many: `depth` counts the first as well.
    range(depth) => range(depth + 1)
Your stages do not end in a pool.
    nn.MaxPool2d(2) => nn.Identity()
Your pool does not stride; each stage halves its map.
    nn.MaxPool2d(2) => nn.MaxPool2d(2, stride=1)
Your pool's kernel is 3, as in AlexNet and ResNet; VGG's is 2.
    nn.MaxPool2d(2) => nn.MaxPool2d(3, stride=2)
Your convolutions have no bias; no batch norm follows here that would bring one.
    padding=1 => padding=1, bias=False
    nn.init.zeros_(module.bias) => pass
""")

vgg = Exercise(
    minutes=10,
    statement="""Fill in the blanks of a VGG of any depths and any width, so that with the same weights it gives the
        same five maps as the package's (and torchvision's). The first stage has `width` channels; from stage to
        stage they double, until they are `8 * width`.""",
    defaults={"depths": (2, 2, 3, 3, 3), "width": 64},
    hints=(
        """Go along the table of section 4, with `width` in place of 64: which power of 2 belongs to which `i`, and
        where does it end? In a stage of three, what does the first convolution read, and what do the other two?""",
        """A power of 2 may be cut off by `min`. Only a stage's first convolution reads what the stage before gives,
        `in_channels`; the others, `depth - 1` of them, read `channels`. The last blank is the layer that halves.""",
    ),
    blanks="""`width * 2 ** min(i, 3)`, `[in_channels] + [channels] * (depth - 1)`, `1`, `channels`,
        `nn.MaxPool2d(2)`""",
    reference=VGG,
    examine=_examine_vgg,
    as_answer=_as_asked,
    moral="""Five depths and a width are a VGG: (1, 1, 2, 2, 2) is VGG-11, (2, 2, 4, 4, 4) VGG-19.""",
)
