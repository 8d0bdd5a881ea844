"""Answers to the exercises of lesson 06."""

from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from answers import right, slips, wrong
from deeplab_teach.heads import ImagePooling
from deeplab_teach.layers import conv_bn_relu

# ------------------------------------------------------------------------------------------------------- image_pooling


@right("image_pooling")
class Pooling(nn.Module):
    def __init__(self, in_channels, channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        out = x.mean(dim=(2, 3), keepdim=True)
        out = self.norm(self.conv(out)).relu()
        return out.expand(-1, -1, *x.shape[2:])


slips(
    "image_pooling",
    Pooling,
    r"""
You take the highest value of each channel
    x.mean(dim=(2, 3), keepdim=True) => x.amax(dim=(2, 3), keepdim=True)
You add up the places
    x.mean( => x.sum(
runs over the channels
    (dim=(2, 3), keepdim=True) => (dim=1, keepdim=True)
over the images (dim 0) as well
    x.mean(dim=(2, 3), keepdim=True) => x.mean(dim=(0, 2, 3), keepdim=True).expand(len(x), -1, -1, -1)
runs over one axis only
    dim=(2, 3) => dim=2
other values
    dim=(2, 3) => dim=3
lost their rows and columns
    , keepdim=True =>
fails for a single image
    self.conv(out) => self.conv(out.squeeze()[..., None, None])
Nothing is averaged
    x.mean(dim=(2, 3), keepdim=True) => x
The average is not spread back
    return out.expand(-1, -1, *x.shape[2:]) => return out
Your result is a square
    *x.shape[2:] => x.shape[2], x.shape[2]
You spread the average first
    (2, 3), keepdim=True) => (2, 3), keepdim=True).expand_as(x)
    .expand(-1, -1, *x.shape[2:]) =>
expected (3, 12, 5, 9)
    *x.shape[2:] => x.shape[3], x.shape[2]
with h and w of the map
    *x.shape[2:] => 33, 33
expected (3, 12, 5, 9)
    return out.expand(-1, -1, *x.shape[2:]) => return torch.cat([x, out.expand(-1, -1, *x.shape[2:])], dim=1)
You average at the end
    x.mean(dim=(2, 3), keepdim=True) => x
    .relu() => .relu().mean((2, 3), keepdim=True)
measures the spread over all places
    x.mean(dim=(2, 3), keepdim=True) => x
    .relu() => .mean((2, 3), keepdim=True).relu()
Your kernel is 3x3
    channels, 1, bias => channels, 3, padding=1, bias
raised an error
    nn.Conv2d(in_channels, channels, 1 => nn.Conv2d(channels, in_channels, 1
Your convolution has a bias
    , bias=False =>
no batch norm at work
    self.norm(self.conv(out)) => self.conv(out)
    self.norm = nn.BatchNorm2d(channels) => pass
no batch norm at work
    self.norm(self.conv(out)) => self.conv(out)
    self.norm = nn.BatchNorm2d(channels) => pass
    , bias=False =>
The ReLU at the end is missing
    .relu() =>
Batch norm and ReLU are missing
    self.norm(self.conv(out)).relu() => self.conv(out)
The ReLU stands before the batch norm
    self.norm(self.conv(out)).relu() => self.norm(self.conv(out).relu())
?
    nn.BatchNorm2d(channels) => nn.BatchNorm2d(in_channels)
    self.norm(self.conv(out)) => self.conv(self.norm(out))
?
    x.mean(dim=(2, 3), keepdim=True) => x[..., :3].mean((2, 3), keepdim=True)
No gradient leaves your module
    def forward => @torch.no_grad()\n    def forward
no gradient reaches the input
    out = x.mean => out = x.detach().mean
is frozen
    self.norm = => self.conv.weight.requires_grad = False\n        self.norm =
changes its input in place
    return out => x -= x.mean()\n        return out
is a tuple of 2
    return out => return x, out
plain list
    self.conv = nn.Conv2d(in_channels, channels, 1, bias=False) => self.convs = [nn.Conv2d(in_channels, channels, 1,
        bias=False)]
    self.conv(out) => self.convs[0](out)
a layer made anew in `forward`
    self.conv = nn.Conv2d(in_channels, channels, 1, bias=False) => self.sizes = in_channels, channels
    self.conv(out) => nn.Conv2d(*self.sizes, 1, bias=False).to(x.dtype)(out)
?
    *x.shape[2:] => *self.size
    return out => self.size = getattr(self, 'size', x.shape[2:])\n        return out
""",
)


@right("image_pooling")
class InOneRow(nn.Sequential):
    def __init__(self, in_channels, channels):
        conv = nn.LazyConv2d(channels, 1, bias=False)
        super().__init__(nn.AdaptiveAvgPool2d((1, 1)), conv, nn.BatchNorm2d(channels), nn.ReLU(inplace=True))

    def forward(self, x):
        if self.training and len(x) == 1:
            raise ValueError("two images at least")
        return F.interpolate(super().forward(x), size=x.shape[-2:])


@right("image_pooling")
class ByLinear(nn.Module):
    """A map of one place is a row of numbers, and a 1x1 convolution a matrix."""

    def __init__(self, in_channels, channels):
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)
        self.mix = nn.Linear(in_channels, channels, bias=False)

    def forward(self, x):
        _, _, h, w = x.shape
        return torch.relu(self.norm(self.mix(x.flatten(2).mean(2))))[:, :, None, None].repeat(1, 1, h, w)


@right("image_pooling")
class AverageAfterConvolution(nn.Module):
    """A 1x1 convolution and an average may change places: both are sums."""

    def __init__(self, in_channels, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(in_channels, channels))
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        mixed = torch.einsum("nchw,cd->ndhw", x, self.weight)
        small = self.norm(F.avg_pool2d(mixed, mixed.shape[2:])).clamp(min=0)
        return small + torch.zeros_like(mixed)


# ---------------------------------------------------------------------------------------------------------------- aspp


@right("aspp")
class Pyramid(nn.Module):
    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__()
        self.one = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.one_norm = nn.BatchNorm2d(channels)
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for rate in atrous_rates:
            self.convs.append(nn.Conv2d(in_channels, channels, 3, padding=rate, dilation=rate, bias=False))
            self.norms.append(nn.BatchNorm2d(channels))
        self.pool = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.pool_norm = nn.BatchNorm2d(channels)
        self.mix = nn.Conv2d((2 + len(atrous_rates)) * channels, channels, 1, bias=False)
        self.mix_norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        small = self.pool_norm(self.pool(x.mean((2, 3), keepdim=True))).relu()
        maps = [self.one_norm(self.one(x)).relu()]
        for conv, norm in zip(self.convs, self.norms, strict=True):
            maps.append(norm(conv(x)).relu())
        maps.append(small.expand(-1, -1, *x.shape[2:]))
        return self.mix_norm(self.mix(torch.cat(maps, dim=1))).relu()


slips(
    "aspp",
    Pyramid,
    r"""
The image pooling is missing
    maps.append(small.expand(-1, -1, *x.shape[2:])) => pass
    small = self.pool_norm(self.pool(x.mean((2, 3), keepdim=True))).relu() => pass
    self.pool = nn.Conv2d(in_channels, channels, 1, bias=False) => pass
    self.pool_norm = nn.BatchNorm2d(channels) => pass
    2 + len( => 1 + len(
The 1x1 branch is missing
    maps = [self.one_norm(self.one(x)).relu()] => maps = []
    self.one = nn.Conv2d(in_channels, channels, 1, bias=False) => pass
    self.one_norm = nn.BatchNorm2d(channels) => pass
    2 + len( => 1 + len(
The projection is missing
    return self.mix_norm(self.mix(torch.cat(maps, dim=1))).relu() => return torch.cat(maps, dim=1)
The image pooling is not spread back
    small.expand(-1, -1, *x.shape[2:]) => small
Your branches are added up
    torch.cat(maps, dim=1) => sum(maps)
    (2 + len(atrous_rates)) * channels => channels
joined along another axis
    dim=1 => dim=0
one after the other
    maps.append(norm(conv(x)).relu()) => x = norm(conv(x)).relu()\n            maps.append(x)
one after the other
    self.convs.append(nn.Conv2d(in_channels => self.convs.append(nn.Conv2d(channels
    maps.append(norm(conv(x)).relu()) => maps.append(norm(conv(maps[-1])).relu())
joined in another order
    torch.cat(maps, dim=1) => torch.cat([maps[-1], *maps[:-1]], dim=1)
other values
    for rate in atrous_rates => for rate in reversed(atrous_rates)
takes three rates
    for rate in atrous_rates => for rate in (atrous_rates[0], atrous_rates[1], atrous_rates[2])
    2 + len(atrous_rates) => 5
takes three rates
    super().__init__() => super().__init__()\n        one, two, three = atrous_rates
Your projection reads 5 * channels
    (2 + len(atrous_rates)) * channels => 5 * channels
Of two equal rates
    for rate in atrous_rates => atrous_rates = list(dict.fromkeys(atrous_rates))\n        for rate in atrous_rates
One 3x3 convolution serves all rates
    self.norms.append( => self.convs[-1].weight = self.convs[0].weight\n            self.norms.append(
does one layer work where two should
    self.pool_norm = nn.BatchNorm2d(channels) => self.pool_norm = self.one_norm
    self.norms.append(nn.BatchNorm2d(channels)) => self.norms.append(self.one_norm)
One batch norm serves several branches
    self.norms.append(nn.BatchNorm2d(channels)) => self.norms.append(self.one_norm)
does one layer work where two should
    self.pool = nn.Conv2d(in_channels, channels, 1, bias=False) => self.pool = self.one
The rates do not reach
    padding=rate, dilation=rate => padding=1
The rates do not reach
    for rate in atrous_rates => for rate in (6, 12, 18)
    (2 + len(atrous_rates)) => 5
its padding must be as wide
    padding=rate, =>
its padding must be as wide
    padding=rate => padding=1
Your projection is a 3x3
    (2 + len(atrous_rates)) * channels, channels, 1 => (2 + len(atrous_rates)) * channels, channels, 3, padding=1
missing after your projection
    self.mix_norm(self.mix(torch.cat(maps, dim=1))).relu() => self.mix(torch.cat(maps, dim=1))
    self.mix_norm = nn.BatchNorm2d(channels) => pass
whatever `channels` says
    super().__init__() => super().__init__()\n        channels = 256
of yours has a bias
    dilation=rate, bias=False => dilation=rate
A ReLU is missing
    dim=1))).relu() => dim=1)))
A ReLU is missing
    norm(conv(x)).relu() => norm(conv(x))
A batch norm is missing
    self.norms.append(nn.BatchNorm2d(channels)) => self.norms.append(nn.Identity())
A ReLU stands before its batch norm
    norm(conv(x)).relu() => norm(conv(x).relu())
keep that default
    channels=256 => channels=64
is there a dropout
    maps.append(small => maps.append(F.dropout(small, 0.1, self.training)
gradient that reaches the input is another
    maps = [ => x = x.detach()\n        maps = [
is frozen
    self.pool = nn => self.one.weight.requires_grad = False\n        self.pool = nn
""",
)


@right("aspp")
class OfThePackagesPieces(nn.Module):
    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__()
        self.branches = nn.ModuleList([conv_bn_relu(in_channels, channels, 1)])
        for rate in atrous_rates:
            self.branches.append(conv_bn_relu(in_channels, channels, 3, rate=rate))
        self.branches.append(ImagePooling(in_channels, channels))
        self.project = conv_bn_relu(channels * len(self.branches), channels, 1)

    def forward(self, x):
        return self.project(torch.cat([branch(x) for branch in self.branches], 1))


@right("aspp")
class AddedUp(nn.Module):
    """Joining and a 1x1 convolution are a sum: each branch has its own part of the projection."""

    def __init__(self, inputs, rates, channels=256):
        super().__init__()
        make = lambda *shape: nn.Parameter(torch.randn(*shape) * 0.1)
        self.final = nn.BatchNorm2d(channels)
        self.rates, self.mix = tuple(rates), make((len(rates) + 2) * channels, channels)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(len(rates) + 2))
        self.point, self.image = make(channels, inputs), make(channels, inputs)
        self.kernels = nn.ParameterList(make(channels, inputs, 3, 3) for _ in rates)

    def forward(self, x):
        maps = [torch.einsum("oi,nihw->nohw", self.point, x)]
        for rate, kernel in zip(self.rates, self.kernels, strict=True):
            maps.append(F.conv2d(F.pad(x, (rate,) * 4), kernel, dilation=rate))
        maps.append(torch.einsum("oi,nihw->nohw", self.image, F.adaptive_avg_pool2d(x, 1)))
        maps = [F.relu(norm(each)) for norm, each in zip(self.norms, maps, strict=True)]
        parts = self.mix.chunk(len(maps))
        return self.final(sum(torch.einsum("io,nihw->nohw", *pair) for pair in zip(parts, maps, strict=True))).relu()


@right("aspp")
class InSteps(nn.Module):
    """Modules by name, the projection made first, a row of maps that grows."""

    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__()
        self.project = nn.Sequential(nn.LazyConv2d(channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(True))
        for i, rate in reversed(list(enumerate(atrous_rates))):
            conv = nn.Conv2d(in_channels, channels, 3, padding="same", dilation=(rate, rate), bias=False)
            self.add_module(f"conv{i}", nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU()))
        self.count = len(atrous_rates)
        self.linear, self.norm = nn.Linear(in_channels, channels, bias=False), nn.BatchNorm2d(channels)
        self.image = InOneRow(in_channels, channels)

    def forward(self, x):
        out = self.norm(self.linear(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)).relu()
        for i in range(self.count):
            out = torch.cat((out, getattr(self, f"conv{i}")(x)), -3)
        return self.project(torch.cat((out, self.image(x)), 1))


# ------------------------------------------------------------------------------------------------------- valid_weights


@right("valid_weights")
def by_formula(size, rate, kernel_size=3):
    inside = 0
    for i in range(kernel_size):
        offset = abs(i - kernel_size // 2) * rate
        inside += max(size - offset, 0)
    return (inside / (kernel_size * size)) ** 2


slips(
    "valid_weights",
    by_formula,
    r"""
the share along one side
    (kernel_size * size)) ** 2 => (kernel_size * size))
its row or its column lies on the map
    return (inside / (kernel_size * size)) ** 2 => return 1 - (1 - inside / (kernel_size * size)) ** 2
You give per cent
    ) ** 2 => ) ** 2 * 100
You count weights
    (kernel_size * size)) ** 2 => size) ** 2
the share on the padding
    return => return 1 -
The rate is left out
    // 2) * rate => // 2)
`kernel_size` is left out
    inside = 0 => inside, kernel_size = 0, 3
it must be
    * rate => * (rate + 1)
Your kernel begins at its place
    abs(i - kernel_size // 2) => i
it must be
    (kernel_size * size) => (kernel_size * (size + 2 * rate * (kernel_size // 2)))
weights count below zero
    max(size - offset, 0) => size - offset
Beyond the map
    inside = 0 => inside = 0\n    if rate >= size:\n        return 0.0
it must be
    inside = 0 => inside = 0\n    if rate >= size:\n        return 1 / 9
too early
    inside = 0 => inside = 0\n    if 2 * rate * (kernel_size // 2) >= size:\n        return 1 / kernel_size**2
too early
    inside = 0 => inside = 0\n    if rate * (kernel_size // 2) >= size:\n        return 1 / kernel_size**2
You round
    return (inside / (kernel_size * size)) ** 2 => return round((inside / (kernel_size * size)) ** 2, 2)
Shift the kernel along a row
    max(size - offset, 0) => max(size - offset - 1, 0)
a tensor of shape (); asked is a float in 0..1: `.item()`
    return (inside / (kernel_size * size)) ** 2 => return torch.tensor((inside / (kernel_size * size)) ** 2)
a string; asked is a float
    return (inside / (kernel_size * size)) ** 2 => return f'{(inside / (kernel_size * size)) ** 2:.0%}'
asked is a float
    return (inside / (kernel_size * size)) ** 2 => return np.float32((inside / (kernel_size * size)) ** 2)
?
    \n    return => \n        return
keep that default
    kernel_size=3 => kernel_size
?
    kernel_size=3 => kernel_size=5
does a way through your function
    return => if rate < size:\n        return
""",
)


def at(y, x, size, rate, kernel_size):
    offsets = [rate * (i - kernel_size // 2) for i in range(kernel_size)]
    return sum(0 <= y + a < size and 0 <= x + b < size for a in offsets for b in offsets)


@right("valid_weights")
def by_counting(size, rate, kernel_size=3):
    reads = 0
    for y in range(size):
        for x in range(size):
            reads += at(y, x, size, rate, kernel_size)
    return reads / (size * size * kernel_size**2)


slips(
    "valid_weights",
    by_counting,
    r"""
one place only
    return reads / (size * size * kernel_size**2) => return at(0, 0, size, rate, kernel_size) / kernel_size**2
one place only
    return reads / (size * size * kernel_size**2) => return at(size // 2, size // 2, size, rate, kernel_size) /
        kernel_size**2
where the whole kernel lies on the map
    reads += at(y, x, size, rate, kernel_size) => reads += at(y, x, size, rate, kernel_size) == kernel_size**2
    size * size * kernel_size**2 => size * size
Yours is 1 at every rate
    reads += at(y, x, size, rate, kernel_size) => reads += at(y, x, size, rate, kernel_size) > 0
    size * size * kernel_size**2 => size * size
You square before you average
    for x in range(size): => for x in (y,):
    size * size * => size *
""",
)


@wrong("valid_weights", "it must be")
def without_room(size, rate, kernel_size=3):
    counts = F.conv2d(
        torch.ones(1, 1, size, size), torch.ones(1, 1, kernel_size, kernel_size), padding=1, dilation=rate
    )
    return counts.mean().item() / kernel_size**2


@right("valid_weights")
def by_convolution(size, rate, kernel_size=3):
    """A convolution of ones counts what it reads."""
    kernel = torch.ones(1, 1, kernel_size, kernel_size)
    counts = F.conv2d(torch.ones(1, 1, size, size), kernel, padding="same", dilation=rate)
    return (counts / kernel.numel()).mean().item()


@right("valid_weights")
def by_outer_sum(size, rate, kernel_size=3):
    places = np.add.outer(np.arange(size), rate * (np.arange(kernel_size) - kernel_size // 2))
    return np.mean((places >= 0) & (places < size)) ** 2


@right("valid_weights")
def by_thirds(size, rate, kernel_size=3):
    """The middle, and twice each of the others."""
    side = Fraction(1, kernel_size)
    for j in range(1, kernel_size // 2 + 1):
        side += Fraction(2 * max(0, size - j * rate), kernel_size * size)
    return float(side * side)
