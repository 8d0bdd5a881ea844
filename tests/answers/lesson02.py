"""Answers to the exercises of lesson 02."""

import torch
import torch.nn.functional as F
from torch import nn

from answers import right, slips
from deeplab_teach.backbones import resnet

# --------------------------------------------------------------------------------------------------------- basic_block


@right("basic_block")
class Block(nn.Module):
    def __init__(self, in_channels, channels, stride=1):
        super().__init__()
        self.b = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm_b = nn.BatchNorm2d(channels)
        self.a = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.norm_a = nn.BatchNorm2d(channels)
        one = nn.Conv2d(in_channels, channels, 1, stride, bias=False)
        self.short = nn.Sequential(one, nn.BatchNorm2d(channels))
        if stride == 1 and in_channels == channels:
            self.short = nn.Identity()

    def forward(self, x):
        short = self.short(x)
        out = self.norm_a(self.a(x)).relu()
        out = self.norm_b(self.b(out))
        return (out + short).relu()


slips(
    "basic_block",
    Block,
    r"""
The ReLU at the end is missing
    (out + short).relu() => out + short
A ReLU stands before the addition:
    (out + short).relu() => out.relu() + short
The ReLU between the two convolutions is missing
    (self.a(x)).relu() => (self.a(x))
ReLU stands before its batch norm
    self.norm_a(self.a(x)).relu() => self.norm_a(self.a(x).relu())
A ReLU stands on the shortcut
    = self.short(x) => = self.short(x) if isinstance(self.short, nn.Identity) else self.short(x).relu()
your block is a plain stack
    short = self.short(x) => short = 0
the input cannot simply be added
    stride == 1 and in_channels == channels => True
only where the channels change
    stride == 1 and in_channels == channels => in_channels == channels
only where the block strides
    stride == 1 and in_channels == channels => stride == 1
even where nothing changes
    stride == 1 and in_channels == channels => False
The shortcut's convolution has no batch norm
    nn.Sequential(one, nn.BatchNorm2d(channels)) => one
?
    1, stride, bias=False => 1, stride
Convolutions of yours have a bias
    3, padding=1, bias=False => 3, padding=1
    3, stride, padding=1, bias=False => 3, stride, padding=1
Convolutions of yours have a bias
    3, padding=1, bias=False => 3, padding=1
    3, stride, padding=1, bias=False => 3, stride, padding=1
    1, stride, bias=False => 1, stride
makes the map smaller by 2
    3, padding=1 => 3
    3, stride, padding=1 => 3, stride
Both 3x3 convolutions stride
    3, padding=1 => 3, stride, padding=1
Your second 3x3 convolution strides
    3, padding=1 => 3, stride=stride, padding=1
    3, stride, padding=1 => 3, 1, 1
must stride alike
    3, stride, padding=1 => 3, padding=1
4 * channels
    nn.Conv2d(channels, channels => nn.Conv2d(channels, 4 * channels
    norm_b = nn.BatchNorm2d(channels) => norm_b = nn.BatchNorm2d(4 * channels)
    one = nn.Conv2d(in_channels, channels => one = nn.Conv2d(in_channels, 4 * channels
    one, nn.BatchNorm2d(channels) => one, nn.BatchNorm2d(4 * channels)
    in_channels == channels => in_channels == 4 * channels
One batch norm serves both
    self.norm_b(self.b(out)) => self.norm_a(self.b(out))
    self.norm_b = nn.BatchNorm2d(channels) => pass
no batch norm after your first
    self.norm_a(self.a(x)) => self.a(x)
no batch norm after your second
    self.norm_b(self.b(out)) => self.b(out)
?
    self.norm_a(self.a(x)) => F.batch_norm(self.a(x), None, None, self.norm_a.weight, self.norm_a.bias, self.training)
gradient that reaches the input is
    self.short(x) => self.short(x.detach())
built but not used
    def forward =>     self.more = nn.Conv2d(channels, channels, 1)\n\n    def forward
contains NaN or infinity
    + short).relu() => + short).log()
ends the program
    def forward => def train(self, mode=True):\n        raise SystemExit(0)\n\n    def forward
while the check looked at
    def forward => def train(self, mode=True):\n        raise ValueError(mode)\n\n    def forward
otherwise with other values
    self.b(out) => F.conv2d(out, (self.b.weight + self.b.weight.detach()) / 2, padding=1)
has no `__init__`
    def __init__(self, in_channels, channels, stride=1):\n        super().__init__() => def later(self, in_channels,
        channels, stride=1):
does not return `self`
    def forward => def train(self, mode=True):\n        super().train(mode)\n\n    def forward
do not reach all parts
    def forward => def train(self, mode=True):\n        self.training = mode\n        return self\n\n    def forward
does not call `super().__init__()`
    super().__init__()\n        self.b = => self.width = channels\n        return\n        self.b =
the package's own `BasicBlock`
    self.b = => self.block = resnet.BasicBlock(in_channels, channels, stride=stride)\n        self.b =
    short = self.short(x) => return self.block(x)
""",
)


@right("basic_block")
class Functional(nn.Module):
    """Weights of its own, no layers; the shortcut skips places by slicing."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        weight = lambda *shape: nn.Parameter(torch.randn(shape) * 0.1)
        self.stride, self.changes = stride, stride != 1 or inputs != outputs
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs) for _ in range(2 + self.changes))
        self.one = weight(outputs, inputs) if self.changes else None
        self.second, self.first = weight(outputs, outputs, 3, 3), weight(outputs, inputs, 3, 3)

    def forward(self, x):
        out = F.relu(self.norms[0](F.conv2d(x, self.first, stride=self.stride, padding=1)))
        out = self.norms[1](F.conv2d(out, self.second, padding=1))
        if self.changes:
            x = self.norms[2](torch.einsum("oi,nihw->nohw", self.one, x[:, :, :: self.stride, :: self.stride]))
        return torch.clamp(x + out, min=0)


@right("basic_block")
class Padded(nn.Module):
    def __init__(self, in_channels, channels, stride=1):
        super().__init__()
        conv = lambda n, s: [nn.ZeroPad2d(1), nn.Conv2d(n, channels, 3, s, bias=False), nn.BatchNorm2d(channels)]
        self.path = nn.Sequential(*conv(in_channels, stride), nn.ReLU(inplace=True), *conv(channels, 1))
        keeps = in_channels == channels and stride == 1
        one = [nn.Conv2d(in_channels, channels, (1, 1), (stride, stride), bias=False), nn.BatchNorm2d(channels)]
        self.shortcut = nn.Sequential(*([] if keeps else one))

    def forward(self, x):
        return nn.functional.relu(self.path(x).add_(self.shortcut(x)), inplace=True)


# -------------------------------------------------------------------------------------------------------------- resnet


@right("resnet")
class MyResNet(nn.Module):
    def __init__(self, block, depths, width=64):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(width), nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stages, in_channels = nn.ModuleList(), width
        for i, depth in enumerate(depths):
            channels = width * 2**i
            blocks = [block(in_channels, channels, stride=2 if i else 1)]
            in_channels = channels * block.expansion
            blocks += [block(in_channels, channels) for _ in range(depth - 1)]
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, x):
        maps = {"c1": self.relu(self.bn1(self.conv1(x)))}
        x = self.maxpool(maps["c1"])
        for i, stage in enumerate(self.stages):
            maps[f"c{i + 2}"] = x = stage(x)
        return maps


slips(
    "resnet",
    MyResNet,
    r"""
The first stage strides in yours
    2 if i else 1 => 2
None of your stages strides
    2 if i else 1 => 1
Your stem's convolution does not stride
    7, stride=2 => 7, stride=1
a 7x7 sticks out by 3
    padding=3 => padding=1
has shape
    padding=3 => padding=0
Your pool has no padding
    padding=1) => padding=0)
has shape
    (3, stride=2, padding=1) => (3, stride=1, padding=1)
?
    (3, stride=2, padding=1) => (2, stride=2)
The width is the same in all stages
    width * 2**i => width
has shape
    width * 2**i => width * (i + 1)
it must have 8 * width
    width * 2**i => min(width * 2**i, 512)
one doubling too large
    width * 2**i => width * 2 ** (i + 1)
Your later blocks read `channels`
    in_channels = channels * block.expansion => in_channels = channels
A 4 is written out
    channels * block.expansion => 4 * channels
?
    in range(depth - 1) => in range(depth - 2)
one block too many
    in range(depth - 1) => in range(depth)
?
    [block(in_channels, channels) for _ in range(depth - 1)] => [block(in_channels, channels)] * (depth - 1)
?
    padding=3, bias=False => padding=3
""",
)


@right("resnet")
class ByName(nn.ModuleDict):
    def __init__(self, block, depths, width=64):
        stem = nn.Sequential(nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        inputs = [width, *(width * 2**i * block.expansion for i in range(3))]
        stages = [resnet.make_stage(block, inputs[i], width * 2**i, depths[i], stride=2 if i else 1) for i in range(4)]
        stages[0] = nn.Sequential(nn.MaxPool2d(3, 2, 1), stages[0])
        super().__init__({f"c{i}": part for i, part in enumerate([stem, *stages], start=1)})

    def forward(self, x):
        maps = {}
        for name, part in self.items():
            x = maps[name] = part(x)
        return maps


@right("resnet")
class OneSequence(nn.Module):
    def __init__(self, block, depths, width=64):
        super().__init__()
        plan = [(width * 2**i, 1 + (i > 0 and j == 0)) for i, depth in enumerate(depths) for j in range(depth)]
        inputs = [width] + [channels * block.expansion for channels, _ in plan]
        self.blocks = nn.ModuleList(block(n, c, stride=s) for n, (c, s) in zip(inputs, plan, strict=False))
        self.ends = [sum(depths[: i + 1]) for i in range(4)]
        self.norm, self.kernel = nn.BatchNorm2d(width), nn.Parameter(torch.randn(width, 3, 7, 7))

    def forward(self, x):
        seen = [self.norm(F.conv2d(x, self.kernel, stride=2, padding=3)).relu()]
        x = F.max_pool2d(seen[0], 3, 2, 1)
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            seen += [x] if number in self.ends else []
        return {f"c{i}": value for i, value in enumerate(seen, start=1)}


# ----------------------------------------------------------------------------------------------------- receptive_field


@right("receptive_field")
def right_field(layers):
    field, step = 1, 1
    for kernel, stride, rate in layers:
        field, step = field + rate * (kernel - 1) * step, step * stride
    return field, step


slips(
    "receptive_field",
    right_field,
    r"""
adds its whole kernel
    (kernel - 1) => kernel
The 1 is taken off after
    rate * (kernel - 1) => (rate * kernel - 1)
Strides do not change the field
    (kernel - 1) * step => (kernel - 1)
The rate is left out
    rate * (kernel => (kernel
?
    rate * (kernel - 1) => (rate - 1 + kernel - 1)
own stride makes its own kernel reach further
    (kernel - 1) * step => (kernel - 1) * step * stride
You begin at 0
    field, step = 1, 1 => field, step = 0, 1
Strides are added
    step * stride => step + stride - 1
The step stays 1
    , step * stride => , step
it must be (7, 2). Do the layers one by one
    , step * stride => , stride
The step is multiplied by the rate
    step * stride => step * stride * rate
reach is rounded
    (kernel - 1) => 2 * (kernel // 2)
?
    in layers: => in reversed(layers):
Field and step are swapped
    return field, step => return step, field
inside the loop
    step * stride\n    return field, step => step * stride\n        return field, step
gives (3, 1.0); it must be (3, 1)
    step * stride => step * stride * 1.0
changes what it is given
    for kernel => layers.append((1, 1, 1))\n    for kernel
Your code ends the program
    return field, step => raise SystemExit(0)
default dtype
    return field, step => return __import__("torch").set_default_dtype(__import__("torch").float64) or (field, step)
does not come to an end
    return field, step => while True: pass
""",
)


@right("receptive_field")
def from_the_top(layers):
    field, step = 1, 1
    for kernel, stride, rate in reversed(layers):
        field = (field - 1) * stride + rate * (kernel - 1) + 1
        step *= stride
    return [field, step]


@right("receptive_field")
def with_numpy(layers):
    import numpy as np

    table = np.array(layers, dtype=np.int64).reshape(-1, 3)
    steps = np.concatenate([[1], np.cumprod(table[:, 1])])
    return 1 + np.sum(table[:, 2] * (table[:, 0] - 1) * steps[:-1]), steps[-1]
