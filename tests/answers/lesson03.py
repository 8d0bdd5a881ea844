"""Answers to the exercises of lesson 03."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from answers import right, slips

# ------------------------------------------------------------------------------------------------------ separable_conv


@right("separable_conv")
class Separable(nn.Module):
    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__()
        self.look = nn.Conv2d(in_channels, in_channels, 3, padding=rate, dilation=rate, groups=in_channels, bias=False)
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.mix = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def forward(self, x):
        x = torch.relu(self.bn1(self.look(x)))
        return torch.relu(self.bn2(self.mix(x)))


slips(
    "separable_conv",
    Separable,
    r"""
Your 3x3 has no `groups`
    groups=in_channels, =>
The 3x3 ignores `rate`
    padding=rate, dilation=rate, => padding=1,
    out_channels, 1, => out_channels, 1, dilation=rate,
You pad by `rate`
    dilation=rate, =>
The padding is always 1
    padding=rate => padding=1
expected (2, 4, 9, 11): (N, out_channels, H, W)
    padding=rate, =>
?
    rate=1) => rate=2)
Your two convolutions have a bias
    groups=in_channels, bias=False => groups=in_channels
    1, bias=False => 1
Your pointwise convolution has a bias
    1, bias=False => 1
There is no batch norm after the depthwise convolution
    nn.BatchNorm2d(in_channels) => nn.Identity()
?
    self.bn2(self.mix(x)) => self.mix(x)
?
    self.bn1 = nn.BatchNorm2d(in_channels) => self.bn1 = nn.BatchNorm2d(in_channels) if in_channels != out_channels
        else self.bn2
    self.bn2 = nn.BatchNorm2d(out_channels) => pass
    super().__init__() => super().__init__()\n        self.bn2 = nn.BatchNorm2d(out_channels)
The ReLU between the two convolutions is missing
    torch.relu(self.bn1(self.look(x))) => self.bn1(self.look(x))
The ReLU at the end is missing
    return torch.relu(self.bn2(self.mix(x))) => return self.bn2(self.mix(x))
ReLU6 stands where
    torch.relu(self.bn1(self.look(x))) => F.relu6(self.bn1(self.look(x)))
    return torch.relu( => return F.relu6(
?
    return torch.relu( => return (F.relu6 if self.training else F.relu)(
?
    groups=in_channels => groups=out_channels
?
    nn.BatchNorm2d(out_channels) => nn.BatchNorm2d(out_channels, eps=1e-3)
?
    nn.BatchNorm2d(in_channels) => nn.BatchNorm2d(out_channels)
?
    self.bn2(self.mix(x)) => self.bn2(self.mix(x)) + (x if self.mix.in_channels == self.mix.out_channels else 0)
no gradient reaches the input
    self.mix(x) => self.mix(x.detach())
It has
    x = torch.relu(self.bn1(self.look(x))) => pass
    out_channels, 1, => out_channels, 3, 1, rate, rate,
The pointwise convolution runs first
    nn.Conv2d(in_channels, in_channels, 3, padding=rate, dilation=rate, groups=in_channels => nn.Conv2d(out_channels,
        out_channels, 3, padding=rate, dilation=rate, groups=out_channels
    nn.BatchNorm2d(in_channels) => nn.BatchNorm2d(out_channels)
    torch.relu(self.bn1(self.look(x))) => torch.relu(self.bn1(self.mix(x)))
    torch.relu(self.bn2(self.mix(x))) => torch.relu(self.bn2(self.look(x)))
changes its input in place
    x = torch.relu( => x = x.relu_()\n        x = torch.relu(
the package's own `SeparableConv2d`
    x = torch.relu( => from deeplab_teach.layers import SeparableConv2d
        as Published\n        x = Published(12, 12)(x)\n        x = torch.relu(
""",
)


@right("separable_conv")
class InOneRow(nn.Sequential):
    """The padding as a layer of its own, the rate a keyword, and the pointwise batch norm made first."""

    def __init__(self, channels, filters, *, rate=1):
        last = nn.BatchNorm2d(filters)
        look = nn.Conv2d(channels, channels, (3, 3), dilation=(rate, rate), groups=channels, bias=False)
        first = [nn.ZeroPad2d(rate), look, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
        super().__init__(*first, nn.Conv2d(channels, filters, 1, bias=False), last, nn.ReLU(inplace=True))


@right("separable_conv")
class ByFunction(nn.Module):
    """Weights of its own; nine shifted copies in place of the depthwise convolution, a product for the pointwise."""

    def __init__(self, n, c, rate=1):
        super().__init__()
        self.norms, self.rate = nn.ModuleDict({"b": nn.BatchNorm2d(c), "a": nn.BatchNorm2d(n)}), rate
        self.mix, self.look = nn.Parameter(torch.randn(n, c) * 0.1), nn.Parameter(torch.randn(n, 3, 3) * 0.1)

    def forward(self, x):
        rows, columns = x.shape[2:]
        wide, r, total = F.pad(x, [self.rate] * 4), self.rate, 0
        for i in range(3):
            for j in range(3):
                part = wide[:, :, i * r : i * r + rows, j * r : j * r + columns]
                total = total + part * self.look[:, i, j].reshape(-1, 1, 1)
        total = self.norms["a"](total).clamp(min=0)
        return F.relu(self.norms["b"](torch.einsum("nihw,io->nohw", total, self.mix)))


# ------------------------------------------------------------------------------------------------------- multiply_adds


@right("multiply_adds")
def right_count(layer, output_shape):
    values = math.prod(output_shape)
    if isinstance(layer, nn.Conv2d):
        kernel_height, kernel_width = layer.kernel_size
        return values * kernel_height * kernel_width * layer.in_channels // layer.groups
    if isinstance(layer, nn.Linear):
        return values * layer.in_features
    return 0


slips(
    "multiply_adds",
    right_count,
    r"""
The groups are left out
    // layer.groups =>
?
    layer.in_channels // layer.groups => layer.in_channels // layer.groups // layer.groups
it must be
    return values * kernel_height * kernel_width * layer.in_channels // layer.groups => return kernel_height *
        kernel_width * layer.in_channels * layer.out_channels * output_shape[2] * output_shape[3]
You count multiplications and additions apart
    math.prod(output_shape) => 2 * math.prod(output_shape)
The batch is left out
    math.prod(output_shape) => math.prod(output_shape[1:])
You count weights
    values * kernel_height * kernel_width * layer.in_channels // layer.groups => layer.weight.numel()
    values * layer.in_features => layer.weight.numel()
?
    return 0 => return sum(p.numel() for p in layer.parameters())
For one call, (AvgPool2d
    return 0 => if isinstance(layer, nn.AvgPool2d):\n        raise NotImplementedError\n    return 0
You square the height
    kernel_height * kernel_width => kernel_height**2
?
    kernel_height * kernel_width => kernel_width**2
unsupported operand
    kernel_height * kernel_width => layer.kernel_size ** 2
a tuple: a pair such as
    values * kernel_height * kernel_width * layer.in_channels // layer.groups => layer.kernel_size * values
?
    kernel_height * kernel_width => (layer.dilation[0] * (kernel_height - 1) + 1) * kernel_width
it must be
    layer.in_channels // => layer.in_channels * layer.out_channels //
The bias is counted
    layer.in_channels // layer.groups => layer.in_channels // layer.groups + (0 if layer.bias is None else values)
    values * layer.in_features => values * layer.in_features + (0 if layer.bias is None else values)
?
    // layer.groups => // layer.groups // layer.stride[0] // layer.stride[1]
?
    math.prod(output_shape) => 56 * 56 * output_shape[0] * output_shape[1]
a way through your function end without a `return`
    return 0 => pass
it must be
    values * layer.in_features => output_shape[0] * layer.in_features * layer.out_features
?
    values * layer.in_features => layer.in_features * layer.out_features
A layer of a class derived
    isinstance(layer, nn.Conv2d) => type(layer) == nn.Conv2d
    isinstance(layer, nn.Linear) => type(layer) == nn.Linear
?
    isinstance(layer, nn.Linear) => type(layer).__name__ == "Linear"
?
    isinstance(layer, nn.Conv2d) => hasattr(layer, "kernel_size")
it must be 0
    return 0 => return values
divides to an int
    // layer.groups => / layer.groups
`.item()` makes one
    math.prod(output_shape) => torch.tensor(output_shape).prod()
object has no attribute 'numel'
    math.prod(output_shape) => output_shape.numel()
changes what it is given
    return values * kernel_height => layer.groups = 1\n        return values * kernel_height
changes what it is given
    return values * layer => layer.requires_grad_(False)\n        return values * layer
?
    output_shape): => output_shape, seen={}):
    values = math.prod(output_shape) => values = seen.setdefault(type(layer), math.prod(output_shape))
the package's own
    values = math.prod(output_shape) => from deeplab_teach.cost import count\n    values = count(layer).multiply_adds
""",
)


@right("multiply_adds")
def by_weights(layer, output_shape):
    """Each weight is used at every place: no groups are needed."""
    match layer:
        case nn.Linear():
            return math.prod(output_shape[:-1]) * layer.weight.numel()
        case nn.Conv2d():
            images, _, *size = output_shape
            return images * math.prod(size) * layer.weight.numel()
    return 0


@right("multiply_adds")
def by_numpy(layer, shape):
    counted = isinstance(layer, nn.modules.conv._ConvNd | nn.Linear)
    return np.prod(shape) * np.prod(layer.weight.shape[1:], dtype=np.int64) if counted else np.int32(0)


@right("multiply_adds")
def step_by_step(layer, shape):
    if not isinstance(layer, (nn.Conv2d, nn.Linear)):  # noqa: UP038
        return False * 1
    total = layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels // layer.groups
    for size in [*shape, *getattr(layer, "kernel_size", ())]:
        total *= size
    return int(total)


# --------------------------------------------------------------------------------------------------- inverted_residual


@right("inverted_residual")
class Inverted(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1, expansion=6):
        super().__init__()
        wide = in_channels * expansion
        self.adds = stride == 1 and in_channels == out_channels
        self.narrow = nn.Conv2d(wide, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.look = nn.Conv2d(wide, wide, 3, stride, padding=1, groups=wide, bias=False)
        self.bn2 = nn.BatchNorm2d(wide)
        self.widens = expansion != 1
        if self.widens:
            self.widen = nn.Conv2d(in_channels, wide, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(wide)

    def forward(self, x):
        out = F.relu6(self.bn1(self.widen(x))) if self.widens else x
        out = F.relu6(self.bn2(self.look(out)))
        out = self.bn3(self.narrow(out))
        return x + out if self.adds else out


slips(
    "inverted_residual",
    Inverted,
    r"""
A ReLU6 stands after the last batch norm
    self.bn3(self.narrow(out)) => F.relu6(self.bn3(self.narrow(out)))
A ReLU6 stands after the sum
    x + out if => F.relu6(x + out) if
Your activations are a plain ReLU
    F.relu6(self.bn1(self.widen(x))) => torch.relu(self.bn1(self.widen(x)))
    F.relu6(self.bn2(self.look(out))) => torch.relu(self.bn2(self.look(out)))
?
    F.relu6(self.bn2(self.look(out))) => torch.relu(self.bn2(self.look(out)))
?
    F.relu6(self.bn2(self.look(out))) => (F.relu if self.training else F.relu6)(self.bn2(self.look(out)))
The ReLU6 after the depthwise convolution is missing
    F.relu6(self.bn2(self.look(out))) => self.bn2(self.look(out))
The shortcut is missing
    x + out if self.adds else out => out
With a stride the map is smaller
    stride == 1 and in_channels == out_channels => in_channels == out_channels
Where the channels change you add
    stride == 1 and in_channels == out_channels => stride == 1
?
    else out\n => else out + (x[:, :, ::3, ::3] if out.shape[1] == x.shape[1] else 0)\n
a 1x1 stands on your shortcut
    self.widens = expansion != 1 => self.widens = expansion != 1\n        self.project = None if self.adds else
        nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))
    else out\n => else out + self.project(x)\n
You widen by the output's channels
    wide = in_channels => wide = out_channels
A 6 is written out
    in_channels * expansion => in_channels * 6
With an expansion of 1 nothing is widened
    expansion != 1 => True
?
    expansion=6) => expansion=4)
Your 3x3 has no `groups`
    groups=wide, =>
?
    groups=wide => groups=in_channels
Your first 1x1 strides
    3, stride, padding => 3, 1 if expansion != 1 else stride, padding
    nn.Conv2d(in_channels, wide, 1, bias => nn.Conv2d(in_channels, wide, 1, stride, bias
Your last 1x1 strides
    3, stride, padding => 3, padding
    out_channels, 1, bias => out_channels, 1, stride, bias
Your convolutions have a bias
    out_channels, 1, bias=False => out_channels, 1
    groups=wide, bias=False => groups=wide
    nn.Conv2d(in_channels, wide, 1, bias=False) => nn.Conv2d(in_channels, wide, 1)
?
    self.bn2(self.look(out)) => (self.bn1 if self.widens else self.bn2)(self.look(out))
?
    x + out if self.adds else out => (x + out if self.adds else out)[:, :, : vars(self).setdefault("h", out.shape[2])]
""",
)


@right("inverted_residual")
class AsPublished(nn.Module):
    """In one `Sequential`, as torchvision has it before it was regrouped."""

    def __init__(self, inp, oup, stride=1, expansion=6):
        super().__init__()
        self.use_res_connect, wide = stride == 1 and inp == oup, round(inp * expansion)
        layers = [nn.Conv2d(inp, wide, 1, 1, 0, bias=False), nn.BatchNorm2d(wide), nn.ReLU6()] * (expansion != 1)
        layers += [nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide)]
        self.conv = nn.Sequential(*layers, nn.ReLU6(), nn.Conv2d(wide, oup, 1, bias=False), nn.BatchNorm2d(oup))

    def forward(self, x):
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


@right("inverted_residual")
class Functional(nn.Module):
    """Weights of its own, clamps, and the sum in place of the block's own map."""

    def __init__(self, in_channels, out_channels, stride=1, expansion=6):
        super().__init__()
        wide, self.stride = in_channels * expansion, stride
        self.depthwise = nn.Parameter(torch.randn(wide, 1, 3, 3))
        self.norms = nn.ModuleList([nn.BatchNorm2d(out_channels), nn.BatchNorm2d(wide)])
        self.widen = nn.Parameter(torch.randn(in_channels, wide)) if expansion > 1 else None
        self.project = nn.Linear(wide, out_channels, bias=False)
        self.norms.extend([nn.BatchNorm2d(wide)] * (expansion > 1))

    def forward(self, x):
        wide = x
        if self.widen is not None:
            wide = self.norms[2](torch.einsum("nihw,io->nohw", x, self.widen)).clamp(0, 6)
        wide = F.conv2d(F.pad(wide, (1, 1, 1, 1)), self.depthwise, stride=self.stride, groups=wide.shape[1])
        wide = F.hardtanh(self.norms[1](wide), 0, 6)
        out = self.norms[0](self.project(wide.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
        if out.shape == x.shape:
            out += x
        return out
