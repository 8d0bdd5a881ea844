"""Answers to the exercises of lesson 03: wrong ones, each with a phrase of its message, and right ones."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

WRONG = {"separable_conv": {}, "multiply_adds": {}, "inverted_residual": {}}


def wrong(name, phrase):
    def register(answer):
        WRONG[name][answer.__name__.strip("_")] = (answer, phrase)
        return answer

    return register


# ------------------------------------------------------------------------------------------------- separable_conv


class Separable(nn.Module):
    """Right; the wrong ones change one thing."""

    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__()
        self.look = self.depthwise(in_channels, out_channels, rate)
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.mix = self.pointwise(in_channels, out_channels, rate)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def depthwise(self, i, o, rate):
        return nn.Conv2d(i, i, 3, padding=rate, dilation=rate, groups=i, bias=False)

    def pointwise(self, i, o, rate):
        return nn.Conv2d(i, o, 1, bias=False)

    def forward(self, x):
        x = torch.relu(self.bn1(self.look(x)))
        return torch.relu(self.bn2(self.mix(x)))


@wrong("separable_conv", "has no `groups`, so it is an ordinary one")
class NoGroups(Separable):
    def depthwise(self, i, o, rate):
        return nn.Conv2d(i, i, 3, padding=rate, dilation=rate, bias=False)


@wrong("separable_conv", "one ordinary convolution")
class Ordinary(nn.Module):
    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=rate, dilation=rate, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x):
        return self.bn(self.conv(x)).relu()


@wrong("separable_conv", "runs before the depthwise one")
class PointwiseFirst(nn.Module):
    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__()
        self.mix = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.look = nn.Conv2d(
            out_channels, out_channels, 3, padding=rate, dilation=rate, groups=out_channels, bias=False
        )
        self.bn1, self.bn2 = nn.BatchNorm2d(out_channels), nn.BatchNorm2d(out_channels)

    def forward(self, x):
        return self.bn2(self.look(self.bn1(self.mix(x)).relu())).relu()


@wrong("separable_conv", "has a padding of 1, so the map shrinks")
class PaddingOfOne(Separable):
    def depthwise(self, i, o, rate):
        return nn.Conv2d(i, i, 3, padding=1, dilation=rate, groups=i, bias=False)


@wrong("separable_conv", "has a padding of 4, so the map grows")
class PaddingTooLarge(Separable):
    def depthwise(self, i, o, rate):
        return nn.Conv2d(i, i, 3, padding=2 * rate, dilation=rate, groups=i, bias=False)


@wrong("separable_conv", "no padding, so the map loses a frame")
class NoPaddingAtAll(Separable):
    def depthwise(self, i, o, rate):
        return nn.Conv2d(i, i, 3, dilation=rate, groups=i, bias=False)


@wrong("separable_conv", "ignores `rate=2`")
class RateIgnored(Separable):
    def depthwise(self, i, o, rate):
        return nn.Conv2d(i, i, 3, padding=1, groups=i, bias=False)


@wrong("separable_conv", "but the 3x3 itself is not spread out")
class OnlyPads(Separable):
    def depthwise(self, i, o, rate):
        return nn.Conv2d(i, i, 3, padding=rate, groups=i, bias=False)


@wrong("separable_conv", "a 1x1 has no gaps to spread")
class RateOnPointwise(Separable):
    def depthwise(self, i, o, rate):
        return nn.Conv2d(i, i, 3, padding=1, groups=i, bias=False)

    def pointwise(self, i, o, rate):
        return nn.Conv2d(i, o, 1, dilation=rate, bias=False)


@wrong("separable_conv", "After `AlwaysTwo(6, 10, rate=3)` your 3x3 has the dilation (2, 2)")
class AlwaysTwo(Separable):
    def depthwise(self, i, o, rate):
        return nn.Conv2d(i, i, 3, padding=2, dilation=2, groups=i, bias=False)


@wrong("separable_conv", "After `DefaultOfTwo(8, 5)` your 3x3 has the dilation (2, 2)")
class DefaultOfTwo(Separable):
    def __init__(self, in_channels, out_channels, rate=2):
        super().__init__(in_channels, out_channels, rate)


@wrong("separable_conv", "pass `bias=False`")
class BiasLeft(Separable):
    def pointwise(self, i, o, rate):
        return nn.Conv2d(i, o, 1)


@wrong("separable_conv", "There is no batch norm after the depthwise convolution")
class NoNormBetween(nn.Module):
    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__()
        self.look = nn.Conv2d(in_channels, in_channels, 3, 1, rate, rate, in_channels, bias=False)
        self.mix, self.bn = nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)

    def forward(self, x):
        return self.bn(self.mix(self.look(x).relu())).relu()


@wrong("separable_conv", "There is no batch norm after the pointwise convolution")
class NoLastNorm(Separable):
    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__(in_channels, out_channels, rate)
        self.bn2 = nn.Identity()


@wrong("separable_conv", "There is no batch norm after any of your convolutions")
class NoNorms(NoLastNorm):
    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__(in_channels, out_channels, rate)
        self.bn1 = nn.Identity()


@wrong("separable_conv", "One batch norm of yours runs more than once")
class OneNormTwice(NoLastNorm):
    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__(in_channels, out_channels, rate)
        self.bn2 = self.bn1


@wrong("separable_conv", "A batch norm stands before the first convolution")
class NormsFirst(Separable):
    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__(in_channels, out_channels, rate)
        self.bn2 = nn.BatchNorm2d(in_channels)

    def forward(self, x):
        return self.mix(self.bn2(self.look(self.bn1(x).relu())).relu())


@wrong("separable_conv", "yours is `nn.GroupNorm`")
class GroupNorms(Separable):
    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__(in_channels, out_channels, rate)
        self.bn1, self.bn2 = nn.GroupNorm(1, in_channels), nn.GroupNorm(1, out_channels)


@wrong("separable_conv", "has an `eps` of its own")
class OtherEpsilon(Separable):
    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__(in_channels, out_channels, rate)
        self.bn1, self.bn2 = nn.BatchNorm2d(in_channels, eps=1e-3), nn.BatchNorm2d(out_channels, eps=1e-3)


@wrong("separable_conv", "A batch norm of yours has no weights or no running statistics")
class NoAffine(Separable):
    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__(in_channels, out_channels, rate)
        self.bn1 = nn.BatchNorm2d(in_channels, affine=False)


@wrong("separable_conv", "The first batch norm is built but not used")
class SkipsNorm(Separable):
    def forward(self, x):
        return torch.relu(self.bn2(self.mix(torch.relu(self.look(x)))))


@wrong("separable_conv", "The second batch norm is built but not used")
class SkipsLastNorm(Separable):
    def forward(self, x):
        return torch.relu(self.mix(torch.relu(self.bn1(self.look(x)))))


@wrong("separable_conv", "The ReLU between the two convolutions is missing")
class NoMiddleReLU(Separable):
    def forward(self, x):
        return torch.relu(self.bn2(self.mix(self.bn1(self.look(x)))))


@wrong("separable_conv", "The ReLU at the end is missing")
class NoLastReLU(Separable):
    def forward(self, x):
        return self.bn2(self.mix(torch.relu(self.bn1(self.look(x)))))


@wrong("separable_conv", "Both ReLUs are missing")
class NoReLU(Separable):
    def forward(self, x):
        return self.bn2(self.mix(self.bn1(self.look(x))))


@wrong("separable_conv", "A ReLU stands before its batch norm")
class ReLUBeforeNorm(Separable):
    def forward(self, x):
        return self.bn2(torch.relu(self.mix(self.bn1(torch.relu(self.look(x))))))


@wrong("separable_conv", "cuts off at 6")
class SeparableWithReLU6(Separable):
    def forward(self, x):
        return F.relu6(self.bn2(self.mix(F.relu6(self.bn1(self.look(x))))))


@wrong("separable_conv", "A ReLU stands before the first convolution")
class EarlyReLU(Separable):
    def forward(self, x):
        return self.bn2(self.mix(self.bn1(self.look(torch.relu(x)))))


@wrong("separable_conv", "this layer has no shortcut")
class WithShortcut(Separable):
    def forward(self, x):
        out = super().forward(x)
        return out + x if out.shape == x.shape else out


@wrong("separable_conv", "has 4 groups, one for each output channel")
class GroupsOfOutput(Separable):
    def depthwise(self, i, o, rate):
        return nn.Conv2d(i, i, 3, padding=rate, dilation=rate, groups=o, bias=False)


@wrong("separable_conv", "has 3 groups, where the input has 12 channels")
class ThreeGroups(Separable):
    def depthwise(self, i, o, rate):
        return nn.Conv2d(i, i, 3, padding=rate, dilation=rate, groups=3, bias=False)


@wrong("separable_conv", "gives as many channels as it takes")
class DepthwiseToOutput(nn.Module):
    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__()
        self.look = nn.Conv2d(in_channels, out_channels, 3, 1, rate, rate, in_channels, bias=False)
        self.mix = nn.Conv2d(out_channels, out_channels, 1, bias=False)

    def forward(self, x):
        return self.mix(self.look(x))


@wrong("separable_conv", "makes 24 channels of 12")
class DepthwiseWidens(Separable):
    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__(in_channels, out_channels, rate)
        self.bn1 = nn.BatchNorm2d(2 * in_channels)
        self.mix = nn.Conv2d(2 * in_channels, out_channels, 1, bias=False)

    def depthwise(self, i, o, rate):
        return nn.Conv2d(i, 2 * i, 3, padding=rate, dilation=rate, groups=i, bias=False)


@wrong("separable_conv", "Both of your convolutions look around")
class Pointwise3x3(Separable):
    def pointwise(self, i, o, rate):
        return nn.Conv2d(i, o, 3, padding=1, bias=False)


@wrong("separable_conv", "Both of your convolutions are 1x1")
class Depthwise1x1(Separable):
    def depthwise(self, i, o, rate):
        return nn.Conv2d(i, i, 1, groups=i, bias=False)


@wrong("separable_conv", "The groups stand on the pointwise convolution")
class GroupsOnPointwise(Separable):
    def depthwise(self, i, o, rate):
        return nn.Conv2d(i, i, 3, padding=rate, dilation=rate, bias=False)

    def pointwise(self, i, o, rate):
        return nn.Conv2d(i, o, 1, groups=o, bias=False)


@wrong("separable_conv", "Your pointwise convolution has 4 groups")
class GroupsOnBoth(Separable):
    def pointwise(self, i, o, rate):
        return nn.Conv2d(i, o, 1, groups=math.gcd(i, o), bias=False)


@wrong("separable_conv", "A convolution of yours strides")
class Strides(Separable):
    def depthwise(self, i, o, rate):
        return nn.Conv2d(i, i, 3, stride=2, padding=rate, dilation=rate, groups=i, bias=False)


@wrong("separable_conv", "The pointwise convolution is missing")
class OnlyDepthwise(Separable):
    def forward(self, x):
        return torch.relu(self.bn1(self.look(x)))

    def pointwise(self, i, o, rate):
        return nn.Identity()


@wrong("separable_conv", "changes its input `x` in place")
class ChangesInput(Separable):
    def forward(self, x):
        out = super().forward(x)
        x.relu_()
        return out


@wrong("separable_conv", "A batch norm of yours is built for another number of channels")
class NormOfOutput(Separable):
    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__(in_channels, out_channels, rate)
        self.bn1 = nn.BatchNorm2d(out_channels)


@wrong("separable_conv", "A convolution of yours is built for another number of channels")
class PointwiseOfOutput(Separable):
    def pointwise(self, i, o, rate):
        return nn.Conv2d(o, o, 1, bias=False)


@wrong("separable_conv", "Your class holds no weights")
class InAList(nn.Module):
    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__()
        self.layers = [Separable(in_channels, out_channels, rate)]

    def forward(self, x):
        return self.layers[0](x)


@wrong("separable_conv", "no gradient comes back")
class WithoutGradient(Separable):
    def forward(self, x):
        with torch.no_grad():
            return super().forward(x)


@wrong("separable_conv", "Some of your layers get no gradient")
class HalfDetached(Separable):
    def forward(self, x):
        return torch.relu(self.bn2(self.mix(torch.relu(self.bn1(self.look(x))).detach())))


@wrong("separable_conv", "The check does not know this mistake")
class Leaky(Separable):
    def forward(self, x):
        return F.leaky_relu(self.bn2(self.mix(torch.relu(self.bn1(self.look(x))))))


@wrong("separable_conv", "Your module has no weights for a tensor of shape (12, 1, 3, 3)")
class ByFunctionWithoutGroups(nn.Module):
    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__()
        self.rate = rate
        self.look = nn.Parameter(torch.randn(in_channels, in_channels, 3, 3))
        self.mix = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))
        self.bn1, self.bn2 = nn.BatchNorm2d(in_channels), nn.BatchNorm2d(out_channels)

    def forward(self, x):
        x = self.bn1(F.conv2d(x, self.look, padding=self.rate, dilation=self.rate)).relu()
        return self.bn2(F.conv2d(x, self.mix)).relu()


@wrong("separable_conv", "yours takes `(in_channels, out_channels)`")
class NoRate(Separable):
    def __init__(self, in_channels, out_channels):
        super().__init__(in_channels, out_channels)


class InOneRow(nn.Sequential):
    """With other padding and lists of layers; the second half is made first."""

    def __init__(self, in_channels, out_channels, rate=1):
        second = [nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU(True)]
        first = nn.Conv2d(in_channels, in_channels, 3, padding="same", dilation=rate, groups=in_channels, bias=False)
        super().__init__(first, nn.BatchNorm2d(in_channels), nn.ReLU(True), *second)


class LastIsFirst(nn.Module):
    """Layers in another order than they run, and the padding by hand."""

    def __init__(self, i, o, rate=1):
        super().__init__()
        self.b = nn.Sequential(nn.Conv2d(i, o, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU())
        self.a = nn.Sequential(nn.Conv2d(i, i, 3, dilation=rate, groups=i, bias=False), nn.BatchNorm2d(i), nn.ReLU())
        self.rate = rate

    def forward(self, x):
        return self.b(self.a(F.pad(x, (self.rate,) * 4)))


class ByFunction(nn.Module):
    """A linear layer mixes the channels."""

    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__()
        self.rate = rate
        self.look = nn.Parameter(torch.randn(in_channels, 1, 3, 3))
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.mix = nn.Linear(in_channels, out_channels, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def forward(self, x):
        x = F.conv2d(x, self.look, None, 1, self.rate, self.rate, groups=len(self.look))
        x = self.mix(self.bn1(x).relu().permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.bn2(x).clamp(min=0)


class HalfByFunction(Separable):
    """A layer that holds its weight and is never called."""

    def forward(self, x):
        look = self.look
        x = F.conv2d(x, look.weight, padding=look.padding, dilation=look.dilation, groups=x.shape[1])
        return torch.relu(self.bn2(self.mix(torch.relu(self.bn1(x)))))


# ------------------------------------------------------------------------------------------------- multiply_adds


def right_count(layer, output_shape):
    if isinstance(layer, nn.Conv2d):
        kernel_height, kernel_width = layer.kernel_size
        return math.prod(output_shape) * kernel_height * kernel_width * layer.in_channels // layer.groups
    if isinstance(layer, nn.Linear):
        return math.prod(output_shape) * layer.in_features
    return 0


def of_convolutions(count):
    """An answer whose linear layers are right."""

    def multiply_adds(layer, output_shape):
        return count(layer, output_shape) if isinstance(layer, nn.Conv2d) else right_count(layer, output_shape)

    multiply_adds.__name__ = count.__name__
    return multiply_adds


def of_linear(count):
    """An answer whose convolutions are right."""

    def multiply_adds(layer, output_shape):
        return count(layer, output_shape) if isinstance(layer, nn.Linear) else right_count(layer, output_shape)

    multiply_adds.__name__ = count.__name__
    return multiply_adds


@wrong("multiply_adds", "Groups and batch are left out")
def formula_of_the_lesson(layer, output_shape):
    if isinstance(layer, nn.Conv2d):
        kh, kw = layer.kernel_size
        return kh * kw * layer.in_channels * layer.out_channels * output_shape[2] * output_shape[3]
    return math.prod(output_shape) * layer.in_features if isinstance(layer, nn.Linear) else 0


@wrong("multiply_adds", "The groups are left out")
@of_convolutions
def groups_ignored(layer, shape):
    return math.prod(shape) * math.prod(layer.kernel_size) * layer.in_channels


@wrong("multiply_adds", "You divide by the groups twice")
@of_convolutions
def groups_twice(layer, shape):
    n, c, h, w = shape
    return n * h * w * (c // layer.groups) * math.prod(layer.kernel_size) * (layer.in_channels // layer.groups)


@wrong("multiply_adds", "You multiply by the groups")
@of_convolutions
def groups_multiplied(layer, shape):
    return math.prod(shape) * math.prod(layer.kernel_size) * layer.in_channels * layer.groups


@wrong("multiply_adds", "You count multiplications and additions apart")
def flops(layer, shape):
    return 2 * right_count(layer, shape)


@wrong("multiply_adds", "axis 0 of `output_shape` is the number of images")
def without_batch(layer, shape):
    return right_count(layer, shape) // shape[0]


@wrong("multiply_adds", "You count weights, and those are used again and again")
def only_weights(layer, shape):
    return layer.weight.numel() if isinstance(layer, nn.Conv2d | nn.Linear) else 0


@wrong("multiply_adds", "You count parameters")
def parameters(layer, shape):
    return sum(p.numel() for p in layer.parameters())


@wrong("multiply_adds", "The rows and columns are left out")
@of_convolutions
def only_channels(layer, shape):
    return shape[0] * shape[1] * math.prod(layer.kernel_size) * layer.in_channels // layer.groups


@wrong("multiply_adds", "Only the height of the kernel is counted")
@of_convolutions
def one_side(layer, shape):
    return math.prod(shape) * layer.kernel_size[0] * layer.in_channels // layer.groups


@wrong("multiply_adds", "Only the width of the kernel is counted")
@of_convolutions
def other_side(layer, shape):
    return math.prod(shape) * layer.kernel_size[-1] * layer.in_channels // layer.groups


@wrong("multiply_adds", "You square the height of the kernel")
@of_convolutions
def squared(layer, shape):
    return math.prod(shape) * layer.kernel_size[0] ** 2 * layer.in_channels // layer.groups


@wrong("multiply_adds", "You square the width of the kernel")
@of_convolutions
def squared_width(layer, shape):
    return math.prod(shape) * layer.kernel_size[1] ** 2 * layer.in_channels // layer.groups


@wrong("multiply_adds", "You square the number of rows of the map")
@of_convolutions
def square_map(layer, shape):
    return shape[0] * shape[2] ** 2 * layer.weight.numel()


@wrong("multiply_adds", "You square the number of columns of the map")
@of_convolutions
def square_map_of_columns(layer, shape):
    return shape[0] * shape[3] ** 2 * layer.weight.numel()


@wrong("multiply_adds", "Height and width of the kernel are added")
@of_convolutions
def added(layer, shape):
    return math.prod(shape) * sum(layer.kernel_size) * layer.in_channels // layer.groups


@wrong("multiply_adds", "The size of the kernel is left out")
@of_convolutions
def no_kernel(layer, shape):
    return math.prod(shape) * layer.in_channels // layer.groups


@wrong("multiply_adds", "The input channels are left out")
@of_convolutions
def no_input_channels(layer, shape):
    return math.prod(shape) * math.prod(layer.kernel_size)


@wrong("multiply_adds", "are counted twice: `output_shape` has them already")
def output_twice(layer, shape):
    channels = getattr(layer, "out_channels", getattr(layer, "out_features", 0))
    return right_count(layer, shape) * channels


@wrong("multiply_adds", "The output's channels stand where the input's should")
@of_convolutions
def output_for_input(layer, shape):
    return math.prod(shape) * math.prod(layer.kernel_size) * layer.out_channels // layer.groups


@wrong("multiply_adds", "The channels of the output are left out")
@of_convolutions
def one_output_channel(layer, shape):
    n, _, h, w = shape
    return n * h * w * math.prod(layer.kernel_size) * (layer.in_channels // layer.groups)


@wrong("multiply_adds", "The bias is counted")
def with_bias(layer, shape):
    bias = getattr(layer, "bias", None) is not None and isinstance(layer, nn.Conv2d | nn.Linear)
    return right_count(layer, shape) + bias * math.prod(shape)


@wrong("multiply_adds", "The stride has its part in `output_shape` already")
@of_convolutions
def divided_by_stride(layer, shape):
    return right_count(layer, shape) // math.prod(layer.stride)


@wrong("multiply_adds", "You take axes 1 and 2 for height and width")
@of_convolutions
def channels_last(layer, shape):
    n, h, w, _ = shape
    return n * h * w * layer.weight.numel()


@wrong("multiply_adds", "Every weight is used 3136 times per image")
@of_convolutions
def fixed_size(layer, shape):
    return shape[0] * 56 * 56 * layer.weight.numel()


@wrong("multiply_adds", "Every weight is used 196 times in yours")
@of_convolutions
def fixed_size_of_one_image(layer, shape):
    return 14 * 14 * layer.weight.numel()


@wrong("multiply_adds", "Your function gives 0 for convolutions")
@of_convolutions
def only_linear(layer, shape):
    return 0


@wrong("multiply_adds", "Your function gives 0 for linear layers")
@of_linear
def only_convolutions(layer, shape):
    return 0


@wrong("multiply_adds", "(2, 7, 10) has 14 rows, not 2")
@of_linear
def batch_and_weights(layer, shape):
    return shape[0] * layer.in_features * layer.out_features


@wrong("multiply_adds", "once for each row that goes into a linear layer")
@of_linear
def weights_of_linear(layer, shape):
    return layer.in_features * layer.out_features


@wrong("multiply_adds", "reads all input features; yours leaves them out")
@of_linear
def no_input_features(layer, shape):
    return math.prod(shape)


@wrong("multiply_adds", "the output features stand where the input features should")
@of_linear
def output_features_twice(layer, shape):
    return math.prod(shape) * layer.out_features


@wrong("multiply_adds", "The output features of a linear layer are left out")
@of_linear
def rows_only(layer, shape):
    return math.prod(shape[:-1]) * layer.in_features


@wrong("multiply_adds", "Only two axes of a linear layer's output")
@of_linear
def two_axes(layer, shape):
    return shape[0] * shape[1] * layer.in_features


@wrong("multiply_adds", "need not have four axes: here its shape is (1, 11)")
def four_axes(layer, shape):
    n, c, h, w = shape
    return right_count(layer, shape)


@wrong("multiply_adds", "`nn.BatchNorm2d` is counted, with 4928")
def counts_norms(layer, shape):
    return 2 * math.prod(shape) if isinstance(layer, nn.BatchNorm2d) else right_count(layer, shape)


@wrong("multiply_adds", "`nn.ReLU` is counted, with 2464")
def counts_relu(layer, shape):
    return math.prod(shape) if isinstance(layer, nn.ReLU) else right_count(layer, shape)


@wrong("multiply_adds", "`nn.AdaptiveAvgPool2d` is counted")
def counts_averages(layer, shape):
    return math.prod(shape) if isinstance(layer, nn.AdaptiveAvgPool2d) else right_count(layer, shape)


@wrong("multiply_adds", "it is a float and no int")
def as_float(layer, shape):
    if isinstance(layer, nn.Conv2d):
        return math.prod(shape) * math.prod(layer.kernel_size) * layer.in_channels / layer.groups
    return right_count(layer, shape)


@wrong("multiply_adds", "returns a tensor; asked is an int")
def as_tensor(layer, shape):
    return torch.tensor(shape).prod() * right_count(layer, (1,))


@wrong("multiply_adds", "gives a list of 2; asked is an int")
def both(layer, shape):
    return [right_count(layer, shape), layer]


@wrong("multiply_adds", "is used like a number")
def kernel_as_number(layer, shape):
    return math.prod(shape) * layer.kernel_size**2


@wrong("multiply_adds", "times a number, is the pair again and again")
def kernel_times_number(layer, shape):
    return layer.kernel_size * math.prod(shape)


@wrong("multiply_adds", "Not every layer has the same attributes")
def all_alike(layer, shape):
    return math.prod(shape) * math.prod(layer.kernel_size) * layer.in_channels // layer.groups


@wrong("multiply_adds", "asks a plain tuple for what it does not have")
def shape_of_a_tensor(layer, shape):
    return shape.numel()


@wrong("multiply_adds", "asked is the number 0, for a layer that does not count")
def falls_off(layer, shape):
    if isinstance(layer, nn.Conv2d | nn.Linear):
        return right_count(layer, shape)


@wrong("multiply_adds", "asked is an int for this layer too")
def no_linear_yet(layer, shape):
    if isinstance(layer, nn.Conv2d):
        return right_count(layer, shape)


@wrong("multiply_adds", "changes the layer that it counts")
def clears(layer, shape):
    count = right_count(layer, shape)
    layer.groups = 1
    return count


@wrong("multiply_adds", "yours gives 110881; it is 110880")
def one_too_many(layer, shape):
    return right_count(layer, shape) + 1


@wrong("multiply_adds", "a number of more than 30 digits")
def enormous(layer, shape):
    return 10 ** (5000 + len(shape))


@wrong("multiply_adds", "yours gives nan")
def not_a_number(layer, shape):
    return float("nan")


@wrong("multiply_adds", "yours takes `(layer)`")
def no_shape(layer):
    return layer.weight.numel()


def by_weights(layer, output_shape):
    """Each weight is used at every place: no groups are needed."""
    name = type(layer).__name__
    if name == "Linear":
        return math.prod(output_shape[:-1]) * layer.weight.numel()
    if name == "Conv2d":
        images, _, rows, columns = output_shape
        return images * rows * columns * layer.weight.numel()
    return 0


def by_numpy(layer, output_shape):
    values = np.prod(output_shape)
    match layer:
        case nn.Conv2d():
            return values * layer.weight[0].numel()
        case nn.Linear():
            return values * layer.weight.shape[1]
    return 0


# ------------------------------------------------------------------------------------------------- inverted_residual


class Inverted(nn.Module):
    """Right; the wrong ones change one thing."""

    bias, padding, strides, act = False, 1, "depthwise", nn.ReLU6

    def __init__(self, in_channels, out_channels, stride=1, expansion=6):
        super().__init__()
        wide = self.width(in_channels, out_channels, expansion)
        self.shortcut = self.adds(in_channels, out_channels, stride)
        at = [stride if name in self.strides else 1 for name in ("first", "depthwise", "last")]
        self.widen, self.bn0 = nn.Identity(), nn.Identity()
        if self.widens(expansion):
            self.widen = nn.Conv2d(in_channels, wide, 1, at[0], bias=self.bias)
            self.bn0 = nn.BatchNorm2d(wide)
        self.look = nn.Conv2d(wide, wide, 3, at[1], self.padding, groups=self.groups(in_channels, wide), bias=False)
        self.bn1 = nn.BatchNorm2d(wide)
        self.narrow = nn.Conv2d(wide, out_channels, 1, at[2], bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def width(self, i, o, expansion):
        return i * expansion

    def adds(self, i, o, stride):
        return stride == 1 and i == o

    def widens(self, expansion):
        return expansion != 1

    def groups(self, i, wide):
        return wide

    def wide(self, x):
        return x if isinstance(self.widen, nn.Identity) else self.act()(self.bn0(self.widen(x)))

    def path(self, x):
        return self.bn2(self.narrow(self.act()(self.bn1(self.look(self.wide(x))))))

    def forward(self, x):
        return x + self.path(x) if self.shortcut else self.path(x)


@wrong("inverted_residual", "An activation stands after the last batch norm")
class ReLU6AtTheEnd(Inverted):
    def path(self, x):
        return F.relu6(super().path(x))


@wrong("inverted_residual", "An activation stands after the sum")
class ReLU6AfterTheSum(Inverted):
    def forward(self, x):
        return F.relu6(super().forward(x))


@wrong("inverted_residual", "An activation of yours is a plain ReLU")
class PlainReLU(Inverted):
    act = nn.ReLU


@wrong("inverted_residual", "An activation is missing")
class NoActivation(Inverted):
    act = nn.Identity


@wrong("inverted_residual", "The shortcut is missing")
class NoShortcut(Inverted):
    def adds(self, i, o, stride):
        return False


@wrong("inverted_residual", "a stride makes the map smaller than the input, and you add the input")
class AddsWhereChannelsStay(Inverted):
    def adds(self, i, o, stride):
        return i == o


@wrong("inverted_residual", "`AddsWithoutStride(6, 10, stride=1, expansion=4)` the channels differ")
class AddsWithoutStride(Inverted):
    def adds(self, i, o, stride):
        return stride == 1


@wrong("inverted_residual", "`AlwaysAdds(5, 8, stride=2, expansion=6)` the channels differ")
class AlwaysAdds(Inverted):
    def adds(self, i, o, stride):
        return True


@wrong("inverted_residual", "you add the input made smaller")
class AddsEverySecond(Inverted):
    def forward(self, x):
        out = self.path(x)
        if out.shape[1] == x.shape[1]:
            out = out + (x if out.shape == x.shape else x[:, :, ::2, ::2])
        return out


@wrong("inverted_residual", "In a ResNet such a one stands on the shortcut")
class Projects(Inverted):
    def __init__(self, in_channels, out_channels, stride=1, expansion=6):
        super().__init__(in_channels, out_channels, stride, expansion)
        self.project = nn.Identity()
        if not self.shortcut:
            self.project = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x):
        return self.path(x) + self.project(x)


@wrong("inverted_residual", "You subtract")
class Subtracts(Inverted):
    def forward(self, x):
        return x - self.path(x) if self.shortcut else self.path(x)


@wrong("inverted_residual", "You multiply by the input")
class Multiplies(Inverted):
    def forward(self, x):
        return x * self.path(x) if self.shortcut else self.path(x)


@wrong("inverted_residual", "the expansion is not used")
class NotExpanded(Inverted):
    def width(self, i, o, expansion):
        return i


@wrong("inverted_residual", "you widen by the output's channels")
class ExpandsOutput(Inverted):
    def width(self, i, o, expansion):
        return o * expansion


@wrong("inverted_residual", "a 6 is written out")
class AlwaysSix(Inverted):
    def width(self, i, o, expansion):
        return i * 6


@wrong("inverted_residual", "the middle is wide and the ends are narrow")
class Bottleneck(Inverted):
    def width(self, i, o, expansion):
        return max(1, i // expansion)


@wrong("inverted_residual", "with 6 at the input and an expansion of 6 it must be 36")
class AddsExpansion(Inverted):
    def width(self, i, o, expansion):
        return i + expansion


@wrong("inverted_residual", "With an expansion of 1 nothing is widened")
class AlwaysWidens(Inverted):
    def widens(self, expansion):
        return True


@wrong("inverted_residual", "Your first 1x1 convolution strides")
class FirstStrides(Inverted):
    strides = "first"


@wrong("inverted_residual", "Your last 1x1 convolution strides")
class LastStrides(Inverted):
    strides = "last"


@wrong("inverted_residual", "More than one of your convolutions strides")
class TwoStride(Inverted):
    strides = "first, depthwise"


@wrong("inverted_residual", "the stride of your depthwise convolution is 1, not 2")
class NothingStrides(Inverted):
    strides = ""


@wrong("inverted_residual", "Your 3x3 convolution has no `groups`")
class NotDepthwise(Inverted):
    def groups(self, i, wide):
        return 1


@wrong("inverted_residual", "has 6 groups and reads 36 channels")
class GroupsOfInput(Inverted):
    def groups(self, i, wide):
        return i


@wrong("inverted_residual", "padding=1 keeps them")
class NoPadding(Inverted):
    padding = 0


@wrong("inverted_residual", "Your 3x3 has a padding of 2")
class PaddingOfTwo(Inverted):
    padding = 2


@wrong("inverted_residual", "pass `bias=False`")
class WithBias(Inverted):
    bias = True


@wrong("inverted_residual", "There is no batch norm after the last 1x1 convolution")
class NoLastNormInBlock(Inverted):
    def __init__(self, in_channels, out_channels, stride=1, expansion=6):
        super().__init__(in_channels, out_channels, stride, expansion)
        self.bn2 = nn.Identity()


@wrong("inverted_residual", "There is no batch norm after the depthwise convolution")
class NoMiddleNorm(Inverted):
    def __init__(self, in_channels, out_channels, stride=1, expansion=6):
        super().__init__(in_channels, out_channels, stride, expansion)
        self.bn1 = nn.Identity()


@wrong("inverted_residual", "There is no batch norm after the first 1x1 convolution and the depthwise convolution")
class OnlyLastNorm(NoMiddleNorm):
    def __init__(self, in_channels, out_channels, stride=1, expansion=6):
        super().__init__(in_channels, out_channels, stride, expansion)
        self.bn0 = nn.Identity()


@wrong("inverted_residual", "There is no batch norm after any of your convolutions")
class NoNormInBlock(OnlyLastNorm):
    def __init__(self, in_channels, out_channels, stride=1, expansion=6):
        super().__init__(in_channels, out_channels, stride, expansion)
        self.bn2 = nn.Identity()


@wrong("inverted_residual", "One batch norm of yours runs more than once")
class SharedNorm(Inverted):
    def __init__(self, in_channels, out_channels, stride=1, expansion=6):
        super().__init__(in_channels, out_channels, stride, expansion)
        self.bn1 = self.bn0 if self.widens(expansion) else self.bn1


@wrong("inverted_residual", "The first batch norm is built but not used")
class SkipsFirstNorm(Inverted):
    def wide(self, x):
        return x if isinstance(self.widen, nn.Identity) else F.relu6(self.widen(x))


@wrong("inverted_residual", "The last batch norm is built but not used")
class SkipsLastNormInBlock(Inverted):
    def path(self, x):
        return self.narrow(F.relu6(self.bn1(self.look(self.wide(x)))))


@wrong("inverted_residual", "ReLU6 stands before its batch norm")
class ReLU6BeforeNorm(Inverted):
    def path(self, x):
        return self.bn2(self.narrow(self.bn1(F.relu6(self.look(self.wide(x))))))


@wrong("inverted_residual", "The first 1x1 convolution, which makes the map wide, is missing")
class NoWidening(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1, expansion=6):
        super().__init__()
        self.look = nn.Conv2d(in_channels, in_channels, 3, stride, 1, groups=in_channels, bias=False)
        self.narrow = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x):
        return self.narrow(self.look(x))


@wrong("inverted_residual", "that is the task of the 1x1 before it")
class DepthwiseMakesWide(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1, expansion=6):
        super().__init__()
        wide = in_channels * expansion
        self.first = nn.Conv2d(in_channels, in_channels, 1, bias=False)
        self.look = nn.Conv2d(in_channels, wide, 3, stride, 1, groups=in_channels, bias=False)
        self.narrow = nn.Conv2d(wide, out_channels, 1, bias=False)

    def forward(self, x):
        return self.narrow(self.look(self.first(x)))


@wrong("inverted_residual", "More than one of your convolutions looks around")
class AllLook(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1, expansion=6):
        super().__init__()
        wide = in_channels * expansion
        self.first = nn.Conv2d(in_channels, wide, 3, 1, 1, bias=False)
        self.look = nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False)
        self.narrow = nn.Conv2d(wide, out_channels, 3, 1, 1, bias=False)

    def forward(self, x):
        return self.narrow(self.look(self.first(x)))


@wrong("inverted_residual", "changes its input `x` in place")
class AddsInPlace(Inverted):
    def forward(self, x):
        if self.shortcut:
            x += self.path(x)
            return x
        return self.path(x)


@wrong("inverted_residual", "Your output in evaluation mode has shape (2, 12, 9, 11)")
class Concatenates(Inverted):
    def forward(self, x):
        return torch.cat([x, self.path(x)], dim=1) if self.shortcut else self.path(x)


@wrong("inverted_residual", "A batch norm of yours is built for another number of channels")
class NormOfInput(Inverted):
    def __init__(self, in_channels, out_channels, stride=1, expansion=6):
        super().__init__(in_channels, out_channels, stride, expansion)
        self.bn1 = nn.BatchNorm2d(in_channels)


@wrong("inverted_residual", "The check does not know this mistake")
class SumTwice(Inverted):
    def forward(self, x):
        return 2 * x + self.path(x) if self.shortcut else self.path(x)


@wrong("inverted_residual", "`OtherDefault(4, 4)` your 3x3 convolution has `in_channels=16`")
class OtherDefault(Inverted):
    def __init__(self, in_channels, out_channels, stride=1, expansion=4):
        super().__init__(in_channels, out_channels, stride, expansion)


@wrong("inverted_residual", "Your class holds no weights")
class NoLayersYet(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1, expansion=6):
        super().__init__()

    def forward(self, x):
        return self.conv(x)


class AsPublished(nn.Module):
    """In one `Sequential`, as torchvision has it before it was regrouped."""

    def __init__(self, inp, oup, stride=1, expansion=6):
        super().__init__()
        wide = int(round(inp * expansion))
        layers = []
        if expansion != 1:
            layers += [nn.Conv2d(inp, wide, 1, 1, 0, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(inplace=True)]
        layers += [nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide)]
        layers += [nn.ReLU6(inplace=True), nn.Conv2d(wide, oup, 1, 1, 0, bias=False), nn.BatchNorm2d(oup)]
        self.conv = nn.Sequential(*layers)
        self.use_res_connect = stride == 1 and inp == oup

    def forward(self, x):
        if self.use_res_connect:
            return x + self.conv(x)
        return self.conv(x)


class WideningLast(nn.Module):
    """The layer that may be left out is made last, the clamp by hand, and the sum in place of the block's own map."""

    def __init__(self, in_channels, out_channels, stride=1, expansion=6):
        super().__init__()
        wide = in_channels * expansion
        self.project = nn.Sequential(nn.Conv2d(wide, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))
        self.depthwise = nn.Sequential(
            nn.Conv2d(wide, wide, 3, stride, "valid", groups=wide, bias=False), nn.BatchNorm2d(wide)
        )
        self.expand = None
        if expansion > 1:
            self.expand = nn.Sequential(nn.Conv2d(in_channels, wide, 1, bias=False), nn.BatchNorm2d(wide))

    def forward(self, x):
        wide = x if self.expand is None else self.expand(x).clamp(0, 6)
        out = self.project(self.depthwise(F.pad(wide, (1, 1, 1, 1))).clamp(0, 6))
        if out.shape == x.shape:
            out += x
        return out


RIGHT = [
    ("separable_conv", Separable),
    ("separable_conv", InOneRow),
    ("separable_conv", LastIsFirst),
    ("separable_conv", ByFunction),
    ("separable_conv", HalfByFunction),
    ("multiply_adds", right_count),
    ("multiply_adds", by_weights),
    ("multiply_adds", by_numpy),
    ("inverted_residual", Inverted),
    ("inverted_residual", AsPublished),
    ("inverted_residual", WideningLast),
]
