"""Answers to the exercises of lesson 02: wrong ones, each with a phrase of its message, and right ones."""

import torch
from torch import nn

WRONG = {"basic_block": {}, "receptive_field": {}}


def wrong(name, phrase):
    def register(answer):
        WRONG[name][answer.__name__.strip("_")] = (answer, phrase)
        return answer

    return register


# ------------------------------------------------------------------------------------------------- basic_block


class Block(nn.Module):
    """Right; the wrong ones change one thing."""

    bias, padding, strides, project, norm_shortcut = False, 1, "first", "where needed", True

    def __init__(self, in_channels, channels, stride=1):
        super().__init__()
        first, second = {"first": (stride, 1), "second": (1, stride), "both": (stride, stride)}[self.strides]
        self.a = nn.Conv2d(in_channels, channels, 3, first, self.padding, bias=self.bias)
        self.norm_a = nn.BatchNorm2d(channels)
        self.b = nn.Conv2d(channels, channels, 3, second, self.padding, bias=self.bias)
        self.norm_b = nn.BatchNorm2d(channels)
        self.short = nn.Identity()
        changes = stride != 1 or in_channels != channels
        if self.project == "always" or (self.project == "where needed" and changes):
            layers = [nn.Conv2d(in_channels, channels, 1, stride, bias=False)]
            self.short = nn.Sequential(*layers, *([nn.BatchNorm2d(channels)] if self.norm_shortcut else []))

    def long(self, x):
        return self.norm_b(self.b(self.norm_a(self.a(x)).relu()))

    def forward(self, x):
        return (self.long(x) + self.short(x)).relu()


@wrong("basic_block", "The ReLU at the end is missing")
class NoLastReLU(Block):
    def forward(self, x):
        return self.long(x) + self.short(x)


@wrong("basic_block", "A ReLU stands before the addition")
class EarlyReLU(Block):
    def forward(self, x):
        return self.long(x).relu() + self.short(x)


@wrong("basic_block", "your block is a plain stack")
class NoShortcut(Block):
    def forward(self, x):
        return self.long(x).relu() + 0 * sum(p.sum() for p in self.short.parameters())


@wrong("basic_block", "The ReLU between the two convolutions is missing")
class NoMiddleReLU(Block):
    def forward(self, x):
        return (self.norm_b(self.b(self.norm_a(self.a(x)))) + self.short(x)).relu()


@wrong("basic_block", "pass `bias=False`")
class WithBias(Block):
    bias = True


@wrong("basic_block", "makes the map smaller by 2")
class NoPadding(Block):
    padding = 0


@wrong("basic_block", "Both 3x3 convolutions stride")
class BothStride(Block):
    strides = "both"


@wrong("basic_block", "Your second 3x3 convolution strides")
class SecondStrides(Block):
    strides = "second"


@wrong("basic_block", "the input cannot simply be added")
class NeverProjects(Block):
    project = "never"


@wrong("basic_block", "Where the number of channels or the size changes")
class ProjectsForChannelsOnly(Block):
    def __init__(self, in_channels, channels, stride=1):
        super().__init__(in_channels, channels, stride)
        if in_channels == channels:
            self.short = nn.Identity()


@wrong("basic_block", "even where the block keeps channels and size")
class AlwaysProjects(Block):
    project = "always"


@wrong("basic_block", "a convolution on the shortcut too")
class NoNormOnShortcut(Block):
    norm_shortcut = False


@wrong("basic_block", "A ReLU stands on the shortcut")
class ReLUOnShortcut(Block):
    def forward(self, x):
        short = self.short(x) if isinstance(self.short, nn.Identity) else self.short(x).relu()
        return (self.long(x) + short).relu()


@wrong("basic_block", "The input is subtracted")
class Subtracts(Block):
    def forward(self, x):
        return (self.long(x) - self.short(x)).relu()


@wrong("basic_block", "The second batch norm is not used")
class SkipsSecondNorm(Block):
    def forward(self, x):
        return (self.b(self.norm_a(self.a(x)).relu()) + self.short(x)).relu()


@wrong("basic_block", "The first batch norm is not used")
class SkipsFirstNorm(Block):
    def forward(self, x):
        return (self.norm_b(self.b(self.a(x).relu())) + self.short(x)).relu()


@wrong("basic_block", "Asked are two 3x3 convolutions")
class OneConvolution(Block):
    def __init__(self, in_channels, channels, stride=1):
        super().__init__(in_channels, channels, stride)
        self.b = nn.Conv2d(channels, channels, 1, bias=False)


@wrong("basic_block", "No gradient leaves your module")
class WithoutGradients(Block):
    @torch.no_grad()
    def forward(self, x):
        return super().forward(x)


@wrong("basic_block", "changes its input in place")
class InPlace(Block):
    def forward(self, x):
        short = self.short(x).clone()
        out = (self.long(x) + short).relu()
        x.relu_()
        return out


@wrong("basic_block", "The check calls `BasicBlock(6, 6, stride=1)`")
class NoStride(Block):
    def __init__(self, in_channels, channels):
        super().__init__(in_channels, channels)


class Published(nn.Module):
    """With other names, a functional ReLU, and the sum in another order."""

    def __init__(self, in_channels, channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or in_channels != channels:
            one = nn.Conv2d(in_channels, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(one, nn.BatchNorm2d(channels))

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        short = x if self.downsample is None else self.downsample(x)
        return torch.relu(short + self.bn2(self.conv2(out)))


# ------------------------------------------------------------------------------------------------- receptive_field


@wrong("receptive_field", "adds its whole kernel")
def whole_kernel(layers):
    field, step = 1, 1
    for kernel, stride, dilation in layers:
        field, step = field + dilation * kernel * step, step * stride
    return field, step


@wrong("receptive_field", "Strides do not change the field")
def strides_ignored(layers):
    field, step = 1, 1
    for kernel, stride, dilation in layers:
        field, step = field + dilation * (kernel - 1), step * stride
    return field, step


@wrong("receptive_field", "The dilation is left out")
def dilation_ignored(layers):
    field, step = 1, 1
    for kernel, stride, _ in layers:
        field, step = field + (kernel - 1) * step, step * stride
    return field, step


@wrong("receptive_field", "own stride makes its own kernel reach further")
def stride_first(layers):
    field, step = 1, 1
    for kernel, stride, dilation in layers:
        step *= stride
        field += dilation * (kernel - 1) * step
    return field, step


@wrong("receptive_field", "You begin at 0")
def from_zero(layers):
    field, step = 0, 1
    for kernel, stride, dilation in layers:
        field, step = field + dilation * (kernel - 1) * step, step * stride
    return field, step


@wrong("receptive_field", "Strides are added")
def strides_added(layers):
    field, step = 1, 1
    for kernel, stride, dilation in layers:
        field, step = field + dilation * (kernel - 1) * step, step + stride - 1
    return field, step


@wrong("receptive_field", "The step stays 1")
def step_of_one(layers):
    return from_zero([(kernel, 1, dilation) for kernel, _, dilation in layers])[0] + 1, 1


@wrong("receptive_field", "The step is multiplied by the dilation")
def dilated_step(layers):
    field, step = 1, 1
    for kernel, stride, dilation in layers:
        field, step = field + dilation * (kernel - 1) * step, step * stride * dilation
    return field, step


@wrong("receptive_field", "from the last to the first")
def backwards(layers):
    return right_field(layers[::-1])


@wrong("receptive_field", "Field and step are swapped")
def swapped(layers):
    return right_field(layers)[::-1]


@wrong("receptive_field", "asked are two")
def only_the_field(layers):
    return right_field(layers)[0]


@wrong("receptive_field", "changes the list")
def empties(layers):
    field, step = 1, 1
    while layers:
        kernel, stride, dilation = layers.pop(0)
        field, step = field + dilation * (kernel - 1) * step, step * stride
    return field, step


@wrong("receptive_field", "asked is a pair")
def as_words(layers):
    return "field and step"


def right_field(layers):
    field, step = 1, 1
    for kernel, stride, dilation in layers:
        field, step = field + dilation * (kernel - 1) * step, step * stride
    return field, step


def from_the_top(layers):
    """The other way round: how many places of the map below must be known."""
    field, step = 1, 1
    for kernel, stride, dilation in reversed(layers):
        field = (field - 1) * stride + dilation * (kernel - 1) + 1
        step *= stride
    return [field, step]


RIGHT = [
    ("basic_block", Block),
    ("basic_block", Published),
    ("receptive_field", right_field),
    ("receptive_field", from_the_top),
]
