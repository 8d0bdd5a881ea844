"""Lesson 03: a separable convolution, the multiply-adds of a layer, and MobileNetV2's block."""

import numpy as np
import torch
from torch import Tensor, nn

from deeplab_teach.backbones.mobilenetv2 import InvertedResidual
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.functions import examine_function
from deeplab_teach.check.mistakes import mistakes
from deeplab_teach.check.modules import Case, examine_module
from deeplab_teach.check.run import a_kind, random_size
from deeplab_teach.cost import count, run_on_meta
from deeplab_teach.cost import multiply_adds as multiply_adds_reference
from deeplab_teach.layers import SeparableConv2d


def _spiky(*size):
    """Mostly small values and a few large ones: so that even after a batch norm some are above 6."""
    return torch.randn(*size) ** 5


def _examine_separable_conv(answer):
    cases = [
        Case((n, c), {} if rate is None else {"rate": rate}, tuple(_spiky(*size) for size in sizes))
        for n, c, rate, sizes in (
            (12, 4, 2, [(2, 12, 9, 11), (1, 12, 6, 5)]),  # as many groups as there are output channels could be built
            (8, 5, None, [(2, 8, 5, 4), (1, 8, *random_size(6, 9))]),
            (6, 6, 3, [(3, 6, 8, 13)]),
            (4, 8, int(torch.randint(4, 7, ())), [(2, 4, *random_size(8, 12))]),
        )
    ]
    axes = "(N, out_channels, H, W)"
    examine_module(answer, SeparableConv2d, "SeparableConv", cases, SEPARABLE_MISTAKES, run="layer(x)", axes=axes)


SEPARABLE_MISTAKES = mistakes(r"""
Your 3x3 has no `groups`: each output channel reads all input channels. Depthwise means that it reads a single one.
    groups=in_channels, =>
The 3x3 ignores `rate`: its dilation is always 1, so it sees its next neighbours only.
    padding=padding => padding=1
    dilation=rate => dilation=1
You pad by `rate`, but the 3x3 itself is not spread out: its `dilation` is still 1, and the map grows.
    dilation=rate => dilation=1
The padding is always 1, so with a rate above 1 the map shrinks: a dilated 3x3 reaches `rate` places to each side.
    padding=padding => padding=1
Your two convolutions have a bias. The batch norm behind each subtracts it with the mean: pass `bias=False`.
    bias=False,\n                ), => ),
    out_channels, 1, bias=False => out_channels, 1
Your pointwise convolution has a bias. The batch norm behind it subtracts it with the mean: pass `bias=False`.
    out_channels, 1, bias=False => out_channels, 1
There is no batch norm after the depthwise convolution: one follows each of the two.
    depthwise_bn=nn.BatchNorm2d(in_channels), =>
The ReLU between the two convolutions is missing: it comes after the first batch norm.
    depthwise_relu=nn.ReLU(), =>
The ReLU at the end is missing.
    pointwise_relu=nn.ReLU(), =>
ReLU6 stands where the plain ReLU is asked: values above 6 are cut off.
    depthwise_relu=nn.ReLU() => depthwise_relu=nn.ReLU6()
    pointwise_relu=nn.ReLU() => pointwise_relu=nn.ReLU6()
The pointwise convolution runs first. Asked is to look around in each channel, and then to mix the channels.
    _, padding => n = out_channels\n        conv = nn.Conv2d(n, n, 3, 1, rate, rate, n, False)\n \n        return
        super().__init__(nn.Conv2d(in_channels, n, 1, bias=False), nn.BatchNorm2d(n), nn.ReLU(), conv,
        nn.BatchNorm2d(n), nn.ReLU())\n        _, padding
""")

separable_conv = Exercise(
    minutes=11,
    statement="""Write the pair of convolutions that takes the place of a 3x3 convolution: a depthwise 3x3, which looks
        around in each channel on its own, batch norm, ReLU; then a pointwise 1x1, which mixes the channels, batch
        norm, ReLU. `rate` is the dilation of the 3x3. The map keeps its size; convolutions have no bias; the batch
        norms are PyTorch's with its defaults.""",
    defaults={"rate": 1},
    hints=(
        """One argument of `nn.Conv2d` cuts the channels into groups that do not see each other. How many groups leave
        each channel on its own? How far does a 3x3 reach to each side if its weights lie `rate` places apart?""",
        """The depthwise one goes from in_channels to in_channels with as many groups; its padding and its dilation are
        the rate (`dilation=rate`). The pointwise one has a kernel of 1. Each has a batch norm of its own.""",
    ),
    reference=SeparableConv2d,
    examine=_examine_separable_conv,
    moral="""From 256 channels to 256 its two kernels hold 67,840 weights, where one ordinary 3x3 convolution has
        589,824: nearly nine times as many.""",
)


def _examine_multiply_adds(answer):
    groups, size = int(torch.randint(2, 5, ())), random_size(3, 20)
    derived = type("Conv2dSame", (nn.Conv2d,), {})
    calls = [
        (nn.Conv2d(3, 8, (3, 5), stride=2, padding=(1, 2)), (1, 8, 14, 22)),
        (nn.Conv2d(8, 20, (1, 7), groups=4, bias=False), (2, 20, 6, 10)),
        (nn.Conv2d(10, 10, (5, 3), padding="same", groups=10), [3, 10, 6, 14]),  # depthwise
        (nn.Conv2d(6, 4, 2, bias=False).requires_grad_(False), torch.Size((1, 4, 9, 8))),
        (nn.Conv2d(3 * groups, 2 * groups, (3, 5), dilation=2, groups=groups), (2, 2 * groups, *size)),
        (derived(4, 6, (3, 4), (2, 1), dilation=(1, 3)), (2, 6, 5, 7)),
        *((nn.Linear(9, 5, bias=False), shape) for shape in ((2, 5), (1, 5))),
        (nn.Linear(14, 6), torch.Size((2, 7, 6))),
        (nn.MultiheadAttention(6, 2).out_proj, [3, 2, 4, 6]),  # of a class derived from nn.Linear
        *((layer, (2, 8, 14, 22)) for layer in (nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3), nn.AvgPool2d(2))),
        (nn.Embedding(12, 4), (2, 7, 4)),
        (nn.Conv2d(3, 5, 7), (1, 5, 40001, 30011)),  # more than 32 bits hold
    ]
    example = "multiply_adds(layer, output_shape)"
    examine_function(answer, multiply_adds_reference, example, calls, MULTIPLY_ADDS_MISTAKES, kind=_kind_of_count)


def _kind_of_count(value):
    if isinstance(value, float | np.floating):
        return f"Your function gives {a_kind(value)}; asked is an int: `//` divides to an int, `/` does not."
    if isinstance(value, Tensor):
        return "Your function returns a tensor; asked is an int. `.item()` makes one of it."
    if isinstance(value, tuple):
        return "Your function gives a tuple: a pair such as `kernel_size`, times a number, is the pair again and again."
    return None


MULTIPLY_ADDS_MISTAKES = mistakes(r"""
The groups are left out: with groups an output channel reads only the input channels of its own group.
    (module.in_channels // module.groups) => module.in_channels
You count multiplications and additions apart; one of each, together, is a single multiply-add.
    .Size(output_shape).numel() => .Size(output_shape).numel() * 2
The batch is left out: axis 0 of `output_shape` is the number of images, and each is computed.
    .Size(output_shape).numel() => .Size(output_shape[1:]).numel()
You count weights, and those are used again and again: once for each place of the map, and for each image.
    values * kernel_h * kernel_w * (module.in_channels // module.groups) => module.weight.numel()
    values * module.in_features => module.weight.numel()
You square the height of the kernel. A kernel need not be square: `kernel_size` has both sides.
    kernel_h * kernel_w * (module.in_ => kernel_h * kernel_h * (module.in_
The bias is counted: it is only added, and an addition without a multiplication does not count here.
    (module.in_channels // module.groups) => (module.in_channels // module.groups) + values * (module.bias is not None)
    values * module.in_features => values * module.in_features + values * (module.bias is not None)
A layer of a class derived from `nn.Conv2d` or `nn.Linear` counts as well: `isinstance` knows it, `type(...)` does not.
    isinstance(module, nn.Conv2d) => type(module) is nn.Conv2d
    isinstance(module, nn.Linear) => type(module) is nn.Linear
""")

multiply_adds = Exercise(
    minutes=11,
    statement="""Count the multiply-adds of one layer on its own: of an `nn.Conv2d`, with groups and kernels that are
        not square, or an `nn.Linear`; a class derived from either counts too. A norm, an activation, a pool, an
        embedding gives 0. Other layers that multiply, such as transposed convolutions, are not asked about. A
        multiplication with the addition after it counts once; a bias does not count.""",
    hints=(
        """Look at a single value of the output. Each weight that it meets is one multiply-add: how many are they in a
        convolution with groups, and how many in a linear layer? And how many such values does the output have?""",
        """The number of output values is the product of `output_shape`. A value of a convolution meets in_channels //
        groups, times both sides of the kernel (`layer.kernel_size`); one of a linear layer meets `in_features`.""",
    ),
    reference=multiply_adds_reference,
    examine=_examine_multiply_adds,
    moral="""Summed over all layers this is the cost in papers' tables. How long it takes, only a clock tells.""",
    barred=(count, run_on_meta),
)


def _examine_inverted_residual(answer):
    cases = [
        Case((n, c), passed, tuple(_spiky(*size) for size in sizes))
        for n, c, passed, sizes in (
            (8, 5, {"stride": 2, "expansion": 1}, [(1, 8, 10, 7)]),
            (5, 5, {"stride": 3, "expansion": int(torch.randint(2, 6, ()))}, [(2, 5, *random_size(7, 12))]),
            (3, 5, {"stride": 1, "expansion": 4}, [(2, 3, 7, 6)]),
            (1, 5, {"stride": 1}, [(2, 1, 5, 6)]),
            (4, 4, {}, [(2, 4, 7, 8), (1, 4, 9, 10)]),
            (4, 7, {"stride": 2}, [(2, 4, 9, 12)]),
            (7, 7, {"stride": 1, "expansion": 1}, [(2, 7, 6, 9)]),
            (6, 6, {"stride": 1, "expansion": 6}, [(2, 6, 9, 11), (1, 6, 6, 4)]),
        )
    ]
    axes = "(N, out_channels, H/stride, W/stride), rounded up"
    examine_module(answer, InvertedResidual, "InvertedResidual", cases, INVERTED_MISTAKES, axes=axes)


INVERTED_MISTAKES = mistakes(r"""
A ReLU6 stands after the last batch norm. There the map is narrow, and what it sets to zero is lost.
    self.conv(x) => self.conv(x).clamp(0, 6)
A ReLU6 stands after the sum; here the sum is what the block gives.
    return x + out if => return (x + out).clamp(0, 6) if
Your activations are a plain ReLU; asked is ReLU6, which cuts off above 6 as well.
    def forward =>     for part in self.conv[:-2]:\n            part[2] = nn.ReLU()\n\n    def forward
The ReLU6 after the depthwise convolution is missing: one follows each batch norm but the last.
    def forward =>     self.conv[-3][2] = nn.Identity()\n\n    def forward
The shortcut is missing: with a stride of 1 and as many channels out as in, the input is added.
    return x + out if self.has_shortcut else out => return out
With a stride the map is smaller than the input, and you add the input all the same. Such a block has no shortcut.
    stride == 1 and in_channels == out_channels => in_channels == out_channels
Where the channels change you add the input all the same. Such a block has no shortcut.
    stride == 1 and in_channels == out_channels => stride == 1
Where the shapes change, a 1x1 stands on your shortcut, as in a ResNet; here there is simply no shortcut then.
    return x + out if => return out + self.short(x) if self.short else x + out if
    def forward =>     self.short = None if self.has_shortcut else nn.Sequential(nn.Conv2d(in_channels, out_channels, 1,
        stride, bias=False), nn.BatchNorm2d(out_channels))\n\n    def forward
You widen by the output's channels; the expansion multiplies the input's.
    hidden = in_channels => hidden = out_channels
A 6 is written out where `expansion` belongs.
    in_channels * expansion => in_channels * 6
With an expansion of 1 nothing is widened: the first 1x1 is left out, with its batch norm and ReLU6.
    if expansion != 1 else [] =>
Your 3x3 has no `groups`: each output channel reads the whole wide map. Depthwise means that it reads one channel.
    groups=hidden => groups=1
Your first 1x1 strides: it drops places before anything has looked at them. It is the depthwise one that strides.
    (in_channels, hidden, 1) => (in_channels, hidden, 1, stride=stride)
    3, stride=stride => 3, stride=1 if widen else stride
Your last 1x1 strides: it drops most of what the depthwise one has just computed. It is the depthwise one that strides.
    3, stride=stride, => 3,
    out_channels, 1, => out_channels, 1, stride,
Your convolutions have a bias. The batch norm behind each subtracts it with the mean: pass `bias=False`.
    def forward =>     for conv in [part for part in self.conv.modules() if isinstance(part, nn.Conv2d)]: conv.bias =
        nn.Parameter(conv.weight[:, 0, 0, 0])\n\n    def forward
""")

inverted_residual = Exercise(
    minutes=14,
    statement="""Write the block of MobileNetV2: a 1x1 convolution to in_channels * expansion channels, batch norm,
        ReLU6; a depthwise 3x3 (it may stride), batch norm, ReLU6; a 1x1 convolution to out_channels and batch
        norm, without an activation. Where the stride is 1 and the channels stay, the input is added. With
        expansion 1 the first 1x1 is left out, with its batch norm and ReLU6. Convolutions have no bias.""",
    defaults={"stride": 1, "expansion": 6},
    hints=(
        """Write the long path first, as a list of layers: with an expansion of 1 the list begins at the depthwise
        convolution. Then ask when its output and `x` have the same shape.""",
        """With `wide` for in_channels * expansion the path goes in_channels -> wide -> wide -> out_channels; the middle
        one has the stride, padding=1 and groups=wide. Add `x`, and nothing else, if stride is 1 and channels stay.""",
    ),
    reference=InvertedResidual,
    examine=_examine_inverted_residual,
    moral="""Blocks hand on only narrow maps; the wide one lives inside a block: which saves memory.""",
)
