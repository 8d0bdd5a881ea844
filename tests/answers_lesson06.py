"""Answers to the exercises of lesson 06: wrong ones, each with a phrase of its message, and right ones."""

import torch
import torch.nn.functional as F
from torch import nn

from deeplab_teach.heads import ImagePooling
from deeplab_teach.layers import conv_bn_relu

WRONG = {"image_pooling": {}, "aspp": {}, "valid_weights": {}}


def wrong(name, phrase):
    def register(answer):
        WRONG[name][answer.__name__.strip("_")] = (answer, phrase)
        return answer

    return register


# ------------------------------------------------------------------------------------------------- image_pooling


class Pooling(nn.Module):
    """Right; the wrong ones change one step."""

    kernel, bias = 1, False

    def __init__(self, in_channels, channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, self.kernel, padding=self.kernel // 2, bias=self.bias)
        self.norm = nn.BatchNorm2d(channels)

    def average(self, x):
        return x.mean(dim=(2, 3), keepdim=True)

    def mix(self, pooled):
        return self.norm(self.conv(pooled)).relu()

    def spread(self, small, x):
        return small.expand(-1, -1, *x.shape[2:])

    def forward(self, x):
        return self.spread(self.mix(self.average(x)), x)


@wrong("image_pooling", "You take the highest value of each channel")
class Highest(Pooling):
    def average(self, x):
        return F.adaptive_max_pool2d(x, 1)


@wrong("image_pooling", "You add up the places")
class Sum(Pooling):
    def average(self, x):
        return x.sum(dim=(2, 3), keepdim=True)


@wrong("image_pooling", "Your average runs over the channels (dim 1)")
class OverChannels(Pooling):
    def average(self, x):
        return x.mean(dim=1, keepdim=True)


@wrong("image_pooling", "Your average runs over the images (dim 0)")
class OverEverything(Pooling):
    def average(self, x):
        return x.mean(dim=(0, 2, 3), keepdim=True)

    def spread(self, small, x):
        return small.expand(len(x), -1, *x.shape[2:])


@wrong("image_pooling", "down the columns only (dim 2)")
class DownTheColumns(Pooling):
    def average(self, x):
        return x.mean(dim=2, keepdim=True)


@wrong("image_pooling", "along the rows only (dim 3)")
class AlongTheRows(Pooling):
    def average(self, x):
        return x.mean(dim=-1, keepdim=True)


@wrong("image_pooling", "keep both axes, with size 1.\n    RuntimeError")
class NoKeepdim(Pooling):
    def average(self, x):
        return x.mean(dim=(2, 3))


@wrong("image_pooling", "the average is not spread back")
class NotSpread(Pooling):
    def spread(self, small, x):
        return small


@wrong("image_pooling", "33 x 33 places for a map of 5 x 9. Is a size written out?")
class FixedSize(Pooling):
    def spread(self, small, x):
        return F.interpolate(small, size=(33, 33), mode="bilinear", align_corners=False)


@wrong("image_pooling", "a square, 5 x 5 places for a map of 5 x 9")
class Square(Pooling):
    def spread(self, small, x):
        return F.interpolate(small, size=x.shape[2])


@wrong("image_pooling", "Rows and columns are swapped")
class Swapped(Pooling):
    def spread(self, small, x):
        return small.repeat(1, 1, x.shape[3], x.shape[2])


@wrong("image_pooling", "Your convolution has a bias")
class WithBias(Pooling):
    bias = True


@wrong("image_pooling", "Your kernel is 3x3")
class LargeKernel(Pooling):
    kernel = 3


@wrong("image_pooling", "There is no batch norm in your module")
class NoNorm(nn.Module):
    def __init__(self, in_channels, channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 1, bias=False)

    def forward(self, x):
        return self.conv(x.mean(dim=(2, 3), keepdim=True)).relu().expand(-1, -1, *x.shape[2:])


@wrong("image_pooling", "The batch norm is not used")
class NormForgotten(Pooling):
    def mix(self, pooled):
        return self.conv(pooled).relu()


@wrong("image_pooling", "The ReLU at the end is missing")
class NoReLU(Pooling):
    def mix(self, pooled):
        return self.norm(self.conv(pooled))


@wrong("image_pooling", "Batch norm and ReLU are not used")
class OnlyConvolution(Pooling):
    def mix(self, pooled):
        return self.conv(pooled)


@wrong("image_pooling", "The ReLU stands before the batch norm")
class ReLUFirst(Pooling):
    def mix(self, pooled):
        return self.norm(self.conv(pooled).relu())


@wrong("image_pooling", "Two ReLUs stand in your module")
class TwoReLUs(Pooling):
    def mix(self, pooled):
        return self.norm(self.conv(pooled).relu()).relu()


@wrong("image_pooling", "Your averages have shape (3, 7, 1)")
class OneAxisPutBack(Pooling):
    def average(self, x):
        return x.mean(dim=(2, 3)).unsqueeze(-1)


@wrong("image_pooling", "You average at the end, after the ReLU")
class AverageLast(Pooling):
    def forward(self, x):
        return self.spread(self.average(self.mix(x)), x)


@wrong("image_pooling", "In training your batch norm comes before the average")
class NormBeforeAverage(Pooling):
    def forward(self, x):
        return self.spread(self.average(self.norm(self.conv(x))).relu(), x)


@wrong("image_pooling", "Nothing is averaged")
class NoAverage(Pooling):
    def average(self, x):
        return x


@wrong("image_pooling", "Your convolution reads 2 x 2 places")
class FourAverages(Pooling):
    def average(self, x):
        return F.adaptive_avg_pool2d(x, 2)

    def spread(self, small, x):
        return F.interpolate(small, size=x.shape[2:], mode="bilinear", align_corners=False)


@wrong("image_pooling", "Your result differs from place to place")
class FourAfterwards(Pooling):
    def forward(self, x):
        small = F.adaptive_avg_pool2d(self.mix(x), 2)
        return F.interpolate(small, size=x.shape[2:], mode="bilinear", align_corners=False)


@wrong("image_pooling", "The window of your pool is larger than the map, (5, 9)")
class FixedWindow(Pooling):
    def average(self, x):
        return F.avg_pool2d(x, 7)


@wrong("image_pooling", "its first two arguments are swapped")
class SwappedArguments(Pooling):
    def __init__(self, in_channels, channels):
        super().__init__(channels, in_channels)


@wrong("image_pooling", "from 7 to 256 channels, asked is 7 to 12")
class AlwaysWide(Pooling):
    def __init__(self, in_channels, channels):
        super().__init__(in_channels, 256)


@wrong("image_pooling", "You join the average with the map itself")
class JoinsTheMap(Pooling):
    def spread(self, small, x):
        return torch.cat([x, super().spread(small, x)], dim=1)


@wrong("image_pooling", "holds no weights")
class NewLayers(nn.Module):
    def __init__(self, in_channels, channels):
        super().__init__()
        self.sizes = in_channels, channels

    def forward(self, x):
        return conv_bn_relu(*self.sizes, 1)(x.mean(dim=(2, 3), keepdim=True)).expand(-1, -1, *x.shape[2:])


@wrong("image_pooling", "does a `squeeze()` take its axis too?")
class Squeezes(Pooling):
    def average(self, x):
        return F.adaptive_avg_pool2d(x, 1).squeeze()[..., None, None]

    def mix(self, pooled):
        return self.norm(self.conv(pooled)).relu()


@wrong("image_pooling", "changes its input `x` in place")
class InPlace(Pooling):
    def forward(self, x):
        out = super().forward(x)
        x -= 1
        return out


@wrong("image_pooling", "No gradient leaves your module")
class NoGrad(Pooling):
    @torch.no_grad()
    def forward(self, x):
        return super().forward(x)


@wrong("image_pooling", "gives something else each time. Is there a dropout?")
class Drops(Pooling):
    def mix(self, pooled):
        return F.dropout(super().mix(pooled), 0.5, self.training)


@wrong("image_pooling", "built for the 7 channels of the map")
class NormFirst(Pooling):
    def __init__(self, in_channels, channels):
        super().__init__(in_channels, channels)
        self.norm = nn.BatchNorm2d(in_channels)

    def mix(self, pooled):
        return self.conv(self.norm(pooled)).relu()


@wrong("image_pooling", "In evaluation mode your output for a map (3, 7, 5, 9) has the right shape but other values")
class Negated(Pooling):
    def mix(self, pooled):
        return -super().mix(pooled)


@wrong("image_pooling", "is a tuple of 2, expected a tensor")
class Both(Pooling):
    def forward(self, x):
        return x, super().forward(x)


@wrong("image_pooling", "get no gradient")
class Detached(Pooling):
    def mix(self, pooled):
        return self.norm(self.conv(pooled).detach()).relu()


@wrong("image_pooling", "yours takes `(in_channels)`")
class OneArgument(Pooling):
    def __init__(self, in_channels):
        super().__init__(in_channels, 256)


class PoolingInOneRow(nn.Module):
    def __init__(self, in_channels, channels):
        super().__init__()
        conv = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.row = nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), conv, nn.BatchNorm2d(channels), nn.ReLU(inplace=True))

    def forward(self, x):
        return F.interpolate(self.row(x), size=x.shape[-2:], mode="bilinear", align_corners=False)


class PoolingByLinear(nn.Module):
    def __init__(self, in_channels, channels):
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)
        self.mix = nn.Linear(in_channels, channels, bias=False)

    def forward(self, x):
        _, _, h, w = x.shape
        return torch.relu(self.norm(self.mix(x.flatten(2).mean(2))))[:, :, None, None].repeat(1, 1, h, w)


class PoolingAfterConvolution(Pooling):
    """A 1x1 convolution and an average may change places: both are sums."""

    def forward(self, x):
        return F.interpolate(self.norm(F.avg_pool2d(self.conv(x), x.shape[2:])).relu(), x.shape[2:])


class LazyPooling(Pooling):
    def __init__(self, in_channels, channels):
        super().__init__(in_channels, channels)
        self.conv, self.norm = nn.LazyConv2d(channels, 1, bias=False), nn.LazyBatchNorm2d()


# ------------------------------------------------------------------------------------------------- aspp


class Pyramid(nn.Module):
    """Right; the wrong ones change one step."""

    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__()
        self.branches = nn.ModuleList(self.build(in_channels, atrous_rates, channels))
        self.last = conv_bn_relu(self.joined(atrous_rates, channels), channels, 1)

    def build(self, in_channels, rates, channels):
        one, pooling = conv_bn_relu(in_channels, channels, 1), ImagePooling(in_channels, channels)
        return [one, *[self.spread_out(in_channels, channels, rate) for rate in rates], pooling]

    def spread_out(self, in_channels, channels, rate):
        return conv_bn_relu(in_channels, channels, 3, rate=rate)

    def joined(self, rates, channels):
        return (len(rates) + 2) * channels

    def join(self, maps):
        return torch.cat(maps, dim=1)

    def forward(self, x):
        return self.last(self.join([branch(x) for branch in self.branches]))


def bare(in_channels, channels, kernel=3, **how):
    """Convolution, batch norm and ReLU with a padding of one's own."""
    conv = nn.Conv2d(in_channels, channels, kernel, **{"bias": False} | how)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU())


@wrong("aspp", "The 3x3 convolution at rate 2 has a padding of 1, so its map has another size")
class PaddingOne(Pyramid):
    def spread_out(self, in_channels, channels, rate):
        return bare(in_channels, channels, padding=1, dilation=rate)


@wrong("aspp", "The 3x3 convolution at rate 2 has a padding of 0")
class NoPadding(Pyramid):
    def spread_out(self, in_channels, channels, rate):
        return bare(in_channels, channels, dilation=rate)


@wrong("aspp", "their dilations are 1, 1, 1")
class RatesIgnored(Pyramid):
    def spread_out(self, in_channels, channels, rate):
        return conv_bn_relu(in_channels, channels, 3)


@wrong("aspp", "their dilations are 6, 12, 18")
class RatesOfThePaper(Pyramid):
    def build(self, in_channels, rates, channels):
        return super().build(in_channels, (6, 12, 18), channels)


@wrong("aspp", "A branch of yours reads the 4 channels that another one made")
class InSeries(Pyramid):
    def forward(self, x):
        out = []
        for branch in self.branches:
            x = branch(x)
            out.append(x)
        return self.last(torch.cat(out, dim=1))


@wrong("aspp", "One of the joined branches stands there twice, and the 1x1 not at all")
class PoolingForPointwise(Pyramid):
    def build(self, in_channels, rates, channels):
        return [ImagePooling(in_channels, channels), *super().build(in_channels, rates, channels)[1:]]


@wrong("aspp", "Your projection is given 4 channels, as many as one branch makes")
class Added(Pyramid):
    def join(self, maps):
        return sum(maps)


@wrong("aspp", "joined along the images (dim 0)")
class OverImages(Pyramid):
    def join(self, maps):
        return torch.cat(maps)


@wrong("aspp", "joined along the rows (dim 2)")
class OverRows(Pyramid):
    def join(self, maps):
        return torch.cat(maps, dim=2)


@wrong("aspp", "joined along the columns (dim 3)")
class OverColumns(Pyramid):
    def joined(self, rates, channels):
        return channels

    def join(self, maps):
        return torch.cat(maps, dim=3)


@wrong("aspp", "`torch.stack` gives the branches a new axis")
class Stacked(Pyramid):
    def join(self, maps):
        return torch.stack(maps, dim=1)


@wrong("aspp", "The image pooling is missing")
class NoPooling(Pyramid):
    def build(self, in_channels, rates, channels):
        return super().build(in_channels, rates, channels)[:-1]

    def joined(self, rates, channels):
        return (len(rates) + 1) * channels


@wrong("aspp", "The 1x1 branch is missing")
class NoPointwise(NoPooling):
    def build(self, in_channels, rates, channels):
        return Pyramid.build(self, in_channels, rates, channels)[1:]


@wrong("aspp", "Two branches are missing")
class OnlyRates(Pyramid):
    def build(self, in_channels, rates, channels):
        return super().build(in_channels, rates, channels)[1:-1]

    def joined(self, rates, channels):
        return len(rates) * channels


@wrong("aspp", "Your projection is given 16 channels, and the branches make 20: which branch is not joined?")
class PoolingNotCalled(Pyramid):
    def join(self, maps):
        return torch.cat(maps[:-1], dim=1)


@wrong("aspp", "Your projection is given 27 channels, and the branches make 20: what else is joined?")
class MapJoinedToo(Pyramid):
    def forward(self, x):
        return self.last(torch.cat([x, *[branch(x) for branch in self.branches]], dim=1))


@wrong("aspp", "A 1x1 convolution of yours reads 27 channels")
class RoomForTheMap(MapJoinedToo):
    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__(in_channels, atrous_rates, channels)
        self.last = conv_bn_relu(self.joined(atrous_rates, channels) + in_channels, channels, 1)


@wrong("aspp", "The projection is missing")
class NoProjection(Pyramid):
    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__(in_channels, atrous_rates, channels)
        self.last = nn.Identity()


@wrong("aspp", "the projection is not called")
class ProjectionNotCalled(Pyramid):
    def forward(self, x):
        return self.join([branch(x) for branch in self.branches])


@wrong("aspp", "`self.branches` is a plain list")
class PlainList(Pyramid):
    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__(in_channels, atrous_rates, channels)
        layers = list(self.branches)
        del self.branches
        self.branches = layers


@wrong("aspp", "holds no weights")
class NewEachTime(nn.Module):
    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__()
        self.sizes = in_channels, atrous_rates, channels

    def forward(self, x):
        return Pyramid(*self.sizes).eval()(x)


@wrong("aspp", "Your module can be built with three rates and not with 1")
class ThreeRates(Pyramid):
    def build(self, in_channels, rates, channels):
        return super().build(in_channels, [rates[0], rates[1], rates[2]], channels)


@wrong("aspp", "Built with atrous_rates=(3, 1, 4, 2), your module has 3 3x3 convolutions")
class ThreeAtMost(Pyramid):
    def build(self, in_channels, rates, channels):
        return super().build(in_channels, rates[:3], channels)


@wrong("aspp", "Your projection reads 5 * channels, which fits three rates. Here 3 branches meet")
class FiveBranches(Pyramid):
    def joined(self, rates, channels):
        return 5 * channels


@wrong("aspp", "A convolution of yours has a bias")
class Biased(Pyramid):
    def spread_out(self, in_channels, channels, rate):
        return bare(in_channels, channels, padding=rate, dilation=rate, bias=True)


@wrong("aspp", "One 3x3 convolution serves all 3 rates")
class SharedKernel(nn.Module):
    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__()
        self.rates = atrous_rates
        self.one, self.pool = conv_bn_relu(in_channels, channels, 1), ImagePooling(in_channels, channels)
        self.conv, self.norm = nn.Conv2d(in_channels, channels, 3, bias=False), nn.BatchNorm2d(channels)
        self.last = conv_bn_relu((len(atrous_rates) + 2) * channels, channels, 1)

    def forward(self, x):
        maps = [F.conv2d(x, self.conv.weight, padding=r, dilation=r) for r in self.rates]
        return self.last(torch.cat([self.one(x), *[self.norm(m).relu() for m in maps], self.pool(x)], dim=1))


@wrong("aspp", "6 convolutions, but a batch norm for 5 of them")
class BareProjection(Pyramid):
    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__(in_channels, atrous_rates, channels)
        self.last = self.last[0]


@wrong("aspp", "6 convolutions, but a batch norm for 3 of them")
class BareRates(Pyramid):
    def spread_out(self, in_channels, channels, rate):
        return nn.Conv2d(in_channels, channels, 3, padding=rate, dilation=rate, bias=False)


@wrong("aspp", "The ReLU after the projection is missing")
class NoLastReLU(Pyramid):
    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__(in_channels, atrous_rates, channels)
        self.last = self.last[:2]


@wrong("aspp", "The batch norm after the projection is not used")
class LastNormNotUsed(Pyramid):
    def forward(self, x):
        return self.last[0](self.join([branch(x) for branch in self.branches])).relu()


@wrong("aspp", "Branch 1 of 5, the 1x1, has no ReLU")
class NoReLUs(Pyramid):
    def forward(self, x):
        one, *others = self.branches
        return self.last(self.join([one[:2](x), *[branch(x) for branch in others]]))


@wrong("aspp", "Branch 2 of 5, the 3x3 at rate 2, gives other values")
class NotTheMap(Pyramid):
    def forward(self, x):
        maps = [branch(x) for branch in self.branches]
        maps[1] = self.branches[1](x.flip(2))
        return self.last(self.join(maps))


@wrong("aspp", "Branch 5 of 5, the image pooling, takes the highest value")
class HighestValue(Pyramid):
    def build(self, in_channels, rates, channels):
        *others, pooling = super().build(in_channels, rates, channels)
        pooling[0] = nn.AdaptiveMaxPool2d(1)
        return [*others, pooling]


@wrong("aspp", "The image pooling is not spread back")
class NotSpreadBack(Pyramid):
    def build(self, in_channels, rates, channels):
        *others, pooling = super().build(in_channels, rates, channels)
        return [*others, nn.Sequential(*pooling)]


@wrong("aspp", "another order: the image pooling, the 1x1, the 3x3 at rate 2")
class PoolingFirst(Pyramid):
    def join(self, maps):
        return torch.cat([maps[-1], *maps[:-1]], dim=1)


@wrong("aspp", "another order: the 1x1, the 3x3 at rate 5, the 3x3 at rate 3")
class RatesBackwards(Pyramid):
    def build(self, in_channels, rates, channels):
        return super().build(in_channels, rates[::-1], channels)


@wrong("aspp", "One of the joined branches stands there twice, and the 3x3 at rate 5 not at all")
class OneTwice(Pyramid):
    def forward(self, x):
        maps = [branch(x) for branch in self.branches]
        maps[3] = maps[2]
        return self.last(torch.cat(maps, dim=1))


@wrong("aspp", "has a rate become the kernel size?")
class RateAsKernel(Pyramid):
    def spread_out(self, in_channels, channels, rate):
        return conv_bn_relu(in_channels, channels, rate)


@wrong("aspp", "Your projection is a 3x3 convolution")
class LargeProjection(Pyramid):
    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__(in_channels, atrous_rates, channels)
        self.last = conv_bn_relu(self.joined(atrous_rates, channels), channels, 3)


@wrong("aspp", "A convolution of yours makes 256 channels")
class Literal256(Pyramid):
    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__(in_channels, atrous_rates, 256)


@wrong("aspp", "Your 3x3 convolutions read 2048 channels; the map has `in_channels`, 7 here")
class Literal2048(Pyramid):
    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__(2048, atrous_rates, channels)


@wrong("aspp", "makes 64 channels; without `channels` there are 256")
class OtherDefault(Pyramid):
    def __init__(self, in_channels, atrous_rates, channels=64):
        super().__init__(in_channels, atrous_rates, channels)


@wrong("aspp", "In evaluation mode your output for a map (3, 7, 9, 11) has the right shape but other values")
class Doubled(Pyramid):
    def forward(self, x):
        return 2 * super().forward(x)


@wrong("aspp", "In evaluation mode your module gives something else each time")
class AlwaysDrops(Pyramid):
    def forward(self, x):
        return F.dropout(super().forward(x), 0.5)


@wrong("aspp", "strides. A rate spreads its weights")
class Strides(Pyramid):
    def spread_out(self, in_channels, channels, rate):
        return bare(in_channels, channels, padding=rate, dilation=rate, stride=rate)


@wrong("aspp", "changes its input `x` in place")
class ChangesTheMap(Pyramid):
    def forward(self, x):
        out = super().forward(x)
        x.zero_()
        return out


@wrong("aspp", "get no gradient")
class DetachedBranch(Pyramid):
    def join(self, maps):
        return torch.cat([maps[0].detach(), *maps[1:]], dim=1)


@wrong("aspp", "in Typo.forward, line 2:  return self.lst(x)")
class Typo(Pyramid):
    def forward(self, x):
        return self.lst(x)


class PyramidByHand(nn.Module):
    """Convolutions and batch norms in lists of their own, the projection made first, image pooling by hand."""

    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__()
        self.drop = nn.Dropout(0.5)
        branches = len(atrous_rates) + 2
        self.project = nn.Conv2d(branches * channels, channels, 1, bias=False)
        self.pool = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.rates = nn.ModuleList()
        for rate in reversed(atrous_rates):
            self.rates.append(nn.Conv2d(in_channels, channels, 3, padding="same", dilation=rate, bias=False))
        self.one = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(branches + 1))

    def forward(self, x):
        maps = [self.one(x)]
        for conv in reversed(self.rates):
            maps.append(conv(x))
        maps.append(self.pool(x.mean((2, 3), keepdim=True)))
        maps = [torch.relu(norm(m)).expand(-1, -1, *x.shape[2:]) for norm, m in zip(self.norms, maps, strict=False)]
        return self.drop(torch.relu(self.norms[-1](self.project(torch.cat(maps, dim=1)))))


class PyramidByName(nn.Module):
    """A linear layer for the 1x1, a dictionary of rates."""

    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__()
        self.norm, self.linear = nn.BatchNorm2d(channels), nn.Linear(in_channels, channels, bias=False)
        self.rates = nn.ModuleDict({f"rate{r}": conv_bn_relu(in_channels, channels, rate=r) for r in atrous_rates})
        self.image = PoolingInOneRow(in_channels, channels)
        branches = 2 + len(self.rates)
        self.project = nn.Sequential(conv_bn_relu(branches * channels, channels, 1), nn.Dropout2d(0.3))

    def forward(self, x):
        place = self.norm(self.linear(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)).relu()
        return self.project(torch.cat([place, *[rate(x) for rate in self.rates.values()], self.image(x)], dim=1))


class PyramidInSteps(nn.Module):
    """Padding by a function of its own, a functional dropout, a row of channels that grows."""

    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__()
        self.rates = tuple(atrous_rates)
        self.conv1x1 = conv_bn_relu(in_channels, channels, 1)
        for rate in atrous_rates:
            self.add_module(f"conv{rate}", bare(in_channels, channels, dilation=rate))
        self.pooling = Pooling(in_channels, channels)
        self.projection = conv_bn_relu(channels * (2 + len(atrous_rates)), channels, 1)

    def forward(self, x):
        out = self.conv1x1(x)
        for rate in self.rates:
            out = torch.cat((out, getattr(self, f"conv{rate}")(F.pad(x, (rate,) * 4))), 1)
        out = torch.cat((out, self.pooling(x)), 1)
        return F.dropout(self.projection(out), 0.1, self.training)


# ------------------------------------------------------------------------------------------------- valid_weights


def along_a_side(size, rate, kernel_size=3):
    """Right for one side."""
    middle = kernel_size // 2
    return sum(max(0, size - abs(rate * (i - middle))) for i in range(kernel_size)) / (kernel_size * size)


def by_formula(size, rate, kernel_size=3):
    return along_a_side(size, rate, kernel_size) ** 2


@wrong("valid_weights", "the share along one side")
def one_side(size, rate, kernel_size=3):
    return along_a_side(size, rate, kernel_size)


def at_place(y, x, size, rate, kernel_size):
    offsets = [rate * (i - kernel_size // 2) for i in range(kernel_size)]
    return sum(0 <= y + a < size and 0 <= x + b < size for a in offsets for b in offsets)


@wrong("valid_weights", "its row or its column lies on the map")
def row_or_column(size, rate, kernel_size=3):
    return 1 - (1 - along_a_side(size, rate, kernel_size)) ** 2


@wrong("valid_weights", "You square before you average")
def squared_too_early(size, rate, kernel_size=3):
    offsets = [rate * (i - kernel_size // 2) for i in range(kernel_size)]
    shares = [sum(0 <= place + o < size for o in offsets) / kernel_size for place in range(size)]
    return sum(share**2 for share in shares) / size


@wrong("valid_weights", "the place in the middle only")
def middle_only(size, rate, kernel_size=3):
    return at_place(size // 2, size // 2, size, rate, kernel_size) / kernel_size**2


@wrong("valid_weights", "a place in a corner only")
def corner_only(size, rate, kernel_size=3):
    return at_place(0, 0, size, rate, kernel_size) / kernel_size**2


@wrong("valid_weights", "the share of places where the whole kernel lies on the map")
def whole_kernels(size, rate, kernel_size=3):
    return max(0, size - 2 * rate * (kernel_size // 2)) ** 2 / size**2


@wrong("valid_weights", "the share of places where some weight reads padding")
def padded_places(size, rate, kernel_size=3):
    return 1 - whole_kernels(size, rate, kernel_size)


@wrong("valid_weights", "Yours is 1 at every rate")
def any_weight(size, rate, kernel_size=3):
    places = [(y, x) for y in range(size) for x in range(size)]
    return sum(at_place(*place, size, rate, kernel_size) > 0 for place in places) / size**2


@wrong("valid_weights", "The rate is left out")
def no_rate(size, rate, kernel_size=3):
    return by_formula(size, 1, kernel_size)


@wrong("valid_weights", "`kernel_size` is left out")
def three_by_three(size, rate, kernel_size=3):
    return ((size + 2 * max(0, size - rate)) / (3 * size)) ** 2


@wrong("valid_weights", "several rates from the middle")
def only_one_rate(size, rate, kernel_size=3):
    inside = size
    for i in range(1, kernel_size // 2 + 1):
        inside += 2 * max(0, size - (i + rate - 1))
    return (inside / (kernel_size * size)) ** 2


@wrong("valid_weights", "You give per cent")
def per_cent(size, rate, kernel_size=3):
    return 100 * by_formula(size, rate, kernel_size)


@wrong("valid_weights", "You count the weights of a place")
def weights_of_a_place(size, rate, kernel_size=3):
    return kernel_size**2 * by_formula(size, rate, kernel_size)


@wrong("valid_weights", "You add up over all places")
def all_weights(size, rate, kernel_size=3):
    return sum(at_place(y, x, size, rate, kernel_size) for y in range(size) for x in range(size))


@wrong("valid_weights", "the share on the padding")
def on_the_padding(size, rate, kernel_size=3):
    return 1 - by_formula(size, rate, kernel_size)


@wrong("valid_weights", "the size of the padded map")
def padded_size(size, rate, kernel_size=3):
    return by_formula(size, rate, kernel_size) * size**2 / (size + 2 * rate * (kernel_size // 2)) ** 2


@wrong("valid_weights", "weights count below zero")
def below_zero(size, rate, kernel_size=3):
    middle = kernel_size // 2
    return (sum(size - rate * abs(i - middle) for i in range(kernel_size)) / (kernel_size * size)) ** 2


@wrong("valid_weights", "the centre weight alone too early")
def too_early(size, rate, kernel_size=3):
    if 2 * rate * (kernel_size // 2) + 1 > size:
        return 1 / kernel_size**2
    return by_formula(size, rate, kernel_size)


@wrong("valid_weights", "as soon as the outermost weights miss the map")
def outermost_lost(size, rate, kernel_size=3):
    if rate * (kernel_size // 2) >= size:
        return 1 / kernel_size**2
    return by_formula(size, rate, kernel_size)


@wrong("valid_weights", "1 / 9 is the share of the centre weight in a 3x3 only")
def a_ninth(size, rate, kernel_size=3):
    return 1 / 9 if rate >= size else by_formula(size, rate, kernel_size)


@wrong("valid_weights", "Yours is 0 once the rate reaches the size")
def nothing_left(size, rate, kernel_size=3):
    return 0 if rate >= size else by_formula(size, rate, kernel_size)


@wrong("valid_weights", "gives a tensor of shape (); asked is a number in 0..1: `.item()`")
def as_tensor(size, rate, kernel_size=3):
    return torch.tensor(by_formula(size, rate, kernel_size))


@wrong("valid_weights", "You round to 2 digits")
def rounded(size, rate, kernel_size=3):
    return round(by_formula(size, rate, kernel_size), 2)


@wrong("valid_weights", "You are off by one")
def off_by_one(size, rate, kernel_size=3):
    middle = kernel_size // 2
    inside = sum(max(0, size - abs(rate * (i - middle)) - 1) for i in range(kernel_size))
    return (inside / (kernel_size * size)) ** 2


@wrong("valid_weights", "Your kernel begins at its place")
def begins_at_its_place(size, rate, kernel_size=3):
    return (sum(max(0, size - rate * i) for i in range(kernel_size)) / (kernel_size * size)) ** 2


@wrong("valid_weights", "Your weights lie rate + 1 places apart")
def rate_as_gap(size, rate, kernel_size=3):
    return by_formula(size, rate + 1, kernel_size)


@wrong("valid_weights", "padding on one side of the map")
def padding_on_the_right(size, rate, kernel_size=3):
    half = kernel_size // 2
    inside = (half + 1) * size + sum(max(0, size - rate * i) for i in range(1, half + 1))
    return (inside / (kernel_size * size)) ** 2


@wrong("valid_weights", "your padded map is smaller than the dilated kernel")
def without_padding(size, rate, kernel_size=3):
    ones = torch.ones(1, 1, size, size)
    kernel = torch.ones(1, 1, kernel_size, kernel_size)
    return (F.conv2d(ones, kernel, padding=rate, dilation=rate).mean() / kernel_size**2).item()


@wrong("valid_weights", "gives 0.5000, and the right answer is")
def a_half(size, rate, kernel_size=3):
    return 0.5


@wrong("valid_weights", "yours takes `(size, rate)`")
def two_arguments(size, rate):
    return by_formula(size, rate)


@wrong("valid_weights", "a string; asked is a number")
def in_words(size, rate, kernel_size=3):
    return f"{by_formula(size, rate, kernel_size):.0%}"


@wrong("valid_weights", "ZeroDivisionError")
def divides_by_zero(size, rate, kernel_size=3):
    return by_formula(size, rate, kernel_size) / (kernel_size // 2 * max(0, size - rate))


def by_counting(size, rate, kernel_size=3):
    """Every weight at every place."""
    reads = 0
    for y in range(size):
        for x in range(size):
            reads += at_place(y, x, size, rate, kernel_size)
    return reads / (size * size * kernel_size**2)


def by_convolution(size, rate, kernel_size=3):
    """A convolution of ones counts what it reads."""
    kernel = torch.ones(1, 1, kernel_size, kernel_size)
    counts = F.conv2d(torch.ones(1, 1, size, size), kernel, padding="same", dilation=rate)
    return (counts / kernel.numel()).mean().item()


RIGHT = [
    ("image_pooling", Pooling),
    ("image_pooling", PoolingInOneRow),
    ("image_pooling", PoolingByLinear),
    ("image_pooling", PoolingAfterConvolution),
    ("image_pooling", LazyPooling),
    ("aspp", Pyramid),
    ("aspp", PyramidByHand),
    ("aspp", PyramidByName),
    ("aspp", PyramidInSteps),
    ("valid_weights", by_formula),
    ("valid_weights", by_counting),
    ("valid_weights", by_convolution),
]
