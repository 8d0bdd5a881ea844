"""Answers to the exercises of lesson 01."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from answers import right, slips, wrong
from deeplab_teach.backbones.vgg import VGG

# ---------------------------------------------------------------------------------------------------- conv_output_size


@right("conv_output_size")
def formula(size, kernel_size, stride=1, padding=0, rate=1):
    reach = kernel_size + (kernel_size - 1) * (rate - 1)
    return math.floor((size + 2 * padding - reach) / stride + 1)


slips(
    "conv_output_size",
    formula,
    r"""
The first position of the kernel is not counted
    / stride + 1) => / stride)
?
    (size + 2 * padding - reach) / stride + 1 => (size + 2 * padding - reach + 1) / stride
The padding is counted once
    2 * padding => padding
The padding is subtracted
    + 2 * padding => - 2 * padding
The padding is left out
    + 2 * padding =>
The rate is left out
    (kernel_size - 1) * (rate - 1) => 0
reaches over rate * kernel_size places
    kernel_size + (kernel_size - 1) * (rate - 1) => kernel_size * rate
one place too few
    kernel_size + (kernel_size - 1) * (rate - 1) => rate * (kernel_size - 1)
The rate is added to the kernel size
    kernel_size + (kernel_size - 1) * (rate - 1) => kernel_size + rate - 1
?
    (kernel_size - 1) * (rate - 1) => 2 * (rate - 1)
The stride is left out
    / stride =>
?
    math.floor((size + 2 * padding - reach) / stride + 1) => size // stride
?
    padding=0 => padding=1
?
    stride=1, padding => stride=None, padding
    reach = => stride = stride or kernel_size\n    reach =
You do not round
    math.floor( => (
You round up
    math.floor => math.ceil
asked is an int
    return math => return size, math
a float; asked is an int
    math.floor => 1.0 * math.floor
other calls give something
    return math => if padding < 3:\n        return math
it must be
    reach = => reach = 2 +
yours takes
    , rate=1 =>
    (rate - 1) => 0
gives something else
    reach = => formula.calls = getattr(formula, "calls", 0) + 1\n    reach = formula.calls // 18 +
the package's own `conv_output_size`
    reach = => from deeplab_teach.layers import conv_output_size as f\n    return f(size, kernel_size)\n    reach =
""",
)


@right("conv_output_size")
def by_trying(size, kernel_size, stride=1, padding=0, rate=1):
    """Place the kernel again and again, as long as it fits."""
    places, start = 0, -padding
    while start + rate * (kernel_size - 1) < size + padding:
        places, start = places + 1, start + stride
    return places


@right("conv_output_size")
def by_pytorch(size, kernel_size, stride=1, padding=0, rate=1):
    layer = nn.Conv1d(1, 1, kernel_size, stride, padding, rate)
    return layer(torch.zeros(1, 1, size)).shape[-1]


@right("conv_output_size")
def with_numpy(size, kernel_size, stride=1, padding=0, rate=1):
    last = np.int64(size) + 2 * padding - (kernel_size - 1) * rate  # where the kernel may begin, at most
    return np.arange(0, last, stride).size + np.int64(0)


# ----------------------------------------------------------------------------------------------------------------- vgg


@right("vgg")
class MyVGG(nn.Module):
    def __init__(self, depths=(2, 2, 3, 3, 3), width=64):
        super().__init__()
        self.stages, in_channels = nn.ModuleList(), 3
        for i, depth in enumerate(depths):
            channels = width * 2 ** min(i, 3)
            reads = [in_channels] + [channels] * (depth - 1)
            convs = [nn.Sequential(nn.Conv2d(n, channels, 3, padding=1), nn.ReLU()) for n in reads]
            in_channels = channels
            self.stages.append(nn.Sequential(*convs, nn.MaxPool2d(2)))

    def forward(self, x):
        maps = {}
        for i, stage in enumerate(self.stages):
            maps[f"c{i + 1}"] = x = stage(x)
        return maps


slips(
    "vgg",
    MyVGG,
    r"""
Your last stage is twice as wide
    min(i, 3) => i
The width is the same in all stages
    width * 2 ** min(i, 3) => width
The widths are one doubling too large
    min(i, 3) => min(i + 1, 3)
has shape
    width * 2 ** min(i, 3) => (64, 128, 256, 512, 512)[i]
without padding
    padding=1 => padding=0
Each convolution of a stage is built for
    [in_channels] + [channels] * (depth - 1) => [in_channels] * depth
one convolution too many
    (depth - 1) => depth
?
    (depth - 1) => (depth - 2)
do not end in a pool
    nn.MaxPool2d(2) => nn.Identity()
Your pool does not stride
    nn.MaxPool2d(2) => nn.MaxPool2d(2, 1)
as in AlexNet
    nn.MaxPool2d(2) => nn.MaxPool2d(3, 2)
?
    nn.MaxPool2d(2) => nn.MaxPool2d(2, 2, ceil_mode=True)
?
    nn.MaxPool2d(2) => nn.AvgPool2d(2)
have no bias
    padding=1 => padding=1, bias=False
keep that default
    width=64 => width=32
it must have 8 * width
    width * 2 ** min(i, 3) => min(width * 2**i, 8 * width, 512)
?
    [in_channels] + [channels] * (depth - 1) => [in_channels, channels]
?
    [in_channels] + [channels] * (depth - 1) => [channels] * depth
has the keys
    i + 1 => i
is a tensor
    return maps => return x
plain list
    nn.ModuleList(), 3 => [], 3
is frozen
    self.stages.append( => convs[0].requires_grad_(False)\n            self.stages.append(
gradient
    x = stage(x) => x = stage(x.detach())
is there a dropout
    nn.MaxPool2d(2)) => nn.MaxPool2d(2), nn.Dropout())
yours takes
    , width=64 =>
    width * 2 => 2 * 2
?
    nn.ReLU() => nn.ReLU6()
?
    3, padding=1) => 3, padding=1, padding_mode="reflect")
?
    reads = [in_channels] + [channels] * (depth - 1) => reads = [in_channels] + [channels] * min(depth - 1, 1)
?
    *convs, nn.MaxPool2d(2) => *convs[:2], *convs[1:2] * (depth - 2), nn.MaxPool2d(2)
?
    *convs, nn.MaxPool2d(2) => nn.MaxPool2d(2), *convs
""",
)


@wrong("vgg", "the package's own `VGG`")
class Wraps(nn.Module):
    def __init__(self, depths=(2, 2, 3, 3, 3), width=64):
        super().__init__()
        self.network = VGG("vgg", depths=depths, width=width)

    def forward(self, x):
        return self.network(x)


@right("vgg")
class Flat(nn.Sequential):
    """One row of layers, as torchvision's `features`."""

    def __init__(self, depths=(2, 2, 3, 3, 3), width=64):
        widths = [3, *(width * factor for factor in (1, 2, 4, 8, 8))]
        layers = []
        for last, channels, depth in zip(widths, widths[1:], depths, strict=False):
            for n in (last, *(channels,) * (depth - 1)):
                layers += [nn.ZeroPad2d(1), nn.Conv2d(n, channels, (3, 3)), nn.ReLU(inplace=True)]
            layers.append(nn.AdaptiveMaxPool2d(0) if depth == 0 else nn.MaxPool2d((2, 2), stride=(2, 2)))
        super().__init__(*layers)

    def forward(self, x):
        maps = {}
        for layer in self:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                maps[f"c{len(maps) + 1}"] = x
        return maps


@right("vgg")
class Functional(nn.Module):
    def __init__(self, depths=(2, 2, 3, 3, 3), width=64):
        super().__init__()
        self.depths, n = depths, 3
        self.biases, self.kernels = nn.ParameterList(), nn.ParameterList()
        for i, depth in enumerate(depths):
            for _ in range(depth):
                c = min(width << i, width << 3)
                self.kernels.append(nn.Parameter(torch.randn(c, n, 3, 3) * 0.1))
                self.biases.append(nn.Parameter(torch.zeros(c)))
                n = c

    def forward(self, x):
        maps, weights = {}, iter(zip(self.kernels, self.biases, strict=True))
        for i, depth in enumerate(self.depths, start=1):
            for _, (kernel, bias) in zip(range(depth), weights, strict=False):
                x = F.conv2d(x, kernel, bias, padding="same").clamp(min=0)
            maps[f"c{i}"] = x = F.max_pool2d(x, 2)
        return maps
