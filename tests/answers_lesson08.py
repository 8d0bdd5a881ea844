"""Answers to the exercises of lesson 08: wrong ones, each with a phrase of its message, and right ones."""

import copy

import torch
from torch import nn
from torch.nn.utils import fusion

from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.models import evaluating

WRONG = {"adapt": {}, "fold_batch_norm": {}}


def wrong(name, phrase):
    def register(answer):
        WRONG[name][answer.__name__.strip("_")] = (answer, phrase)
        return answer

    return register


# ------------------------------------------------------------------------------------------------- adapt


class Own(Backbone):
    """Right, in steps; the wrong ones change one of them."""

    def __init__(self, body, name):
        super().__init__()
        self.keep(body, name)
        self.feature_specs = self.specs(self.measure(body))

    def keep(self, body, name):
        self.body, self.name = body, name

    def measure(self, body):
        training = {module: module.training for module in body.modules()}
        body.eval()
        with torch.no_grad():
            maps = body(torch.zeros(1, 3, 256, 256))
        for module, flag in training.items():
            module.training = flag
        return maps

    def specs(self, maps):
        return {key: self.spec(key, maps[key]) for key in sorted(maps, key=self.rank(maps))}

    def rank(self, maps):
        return lambda key: -maps[key].shape[2]

    def spec(self, key, value):
        return FeatureSpec(self.channels(key, value), self.stride(key, value))

    def channels(self, key, value):
        return value.shape[1]

    def stride(self, key, value):
        return round(256 / value.shape[2])

    def forward(self, x):
        self.check_image(x)
        return self.ordered(self.body(x))

    def ordered(self, maps):
        return {key: maps[key] for key in self.feature_specs}


@wrong("adapt", "`layer1` is declared with 64 channels and has 6")
class ChannelsWrittenOut(Own):
    def specs(self, maps):
        widths = iter([64, 128, 256, 512])
        return {key: FeatureSpec(next(widths), self.stride(key, maps[key])) for key in maps}


@wrong("adapt", "`layer2` is declared with 512 channels and has 10")
class LastChannelsWrittenOut(Own):
    def channels(self, key, value):
        return value.shape[1] if key == "layer1" else 512


@wrong("adapt", "number of images as channels")
class ChannelsOfTheBatchAxis(Own):
    def channels(self, key, value):
        return value.shape[0]


@wrong("adapt", "number of rows as channels")
class ChannelsOfTheRows(Own):
    def channels(self, key, value):
        return value.shape[2]


@wrong("adapt", "Channels and stride are swapped")
class SwappedNumbers(Own):
    def spec(self, key, value):
        return FeatureSpec(self.stride(key, value), self.channels(key, value))


@wrong("adapt", "You look up `stem` in a table of your own")
class StridesByName(Own):
    def stride(self, key, value):
        return {"layer1": 4, "layer2": 8, "layer3": 16}[key]


@wrong("adapt", "You declare the strides 2, 4, 8; the maps have 4, 8, 16")
class StridesFromTwo(Own):
    def specs(self, maps):
        order = sorted(maps, key=self.rank(maps))
        return {key: FeatureSpec(maps[key].shape[1], 2 ** (i + 1)) for i, key in enumerate(order)}


@wrong("adapt", "You declare the strides 4, 8, 16, 32; the maps have 1, 3, 6, 12")
class StridesFromFour(Own):
    def specs(self, maps):
        order = sorted(maps, key=self.rank(maps))
        return {key: FeatureSpec(maps[key].shape[1], 4 * 2**i) for i, key in enumerate(order)}


@wrong("adapt", "You declare the strides 8, 16, 32; the maps have 4, 8, 16")
class StridesOfAnotherSide(Own):
    def stride(self, key, value):
        return 512 // value.shape[2]


@wrong("adapt", "divide 256 by the number of channels")
class StrideOfTheChannelAxis(Own):
    def stride(self, key, value):
        return round(256 / value.shape[1])


@wrong("adapt", "divide 256 by the number of images")
class StrideOfTheBatchAxis(Own):
    def stride(self, key, value):
        return 256 // value.shape[0]


@wrong("adapt", "Your strides are numbers of rows")
class RowsAsStride(Own):
    def stride(self, key, value):
        return value.shape[-2]


@wrong("adapt", "You round down: 256 rows of the image over 86 of the map are 2.977")
class StrideRoundedDown(Own):
    def stride(self, key, value):
        return 256 // value.shape[2]


@wrong("adapt", "You round up: 256 rows of the image over 127 of the map are 2.016")
class StrideRoundedUp(Own):
    def stride(self, key, value):
        return -(-256 // value.shape[2])


@wrong("adapt", "is a float, 4.0")
class FloatStride(Own):
    def stride(self, key, value):
        return 256 / value.shape[2]


@wrong("adapt", "The stride of `layer1` is a tensor of shape ()")
class TensorStride(Own):
    def stride(self, key, value):
        return torch.tensor(round(256 / value.shape[2]))


@wrong("adapt", "`layer1` is declared with the stride 3. Of 256 rows 64 are left, which makes 4 pixels a step")
class StrideLessOne(Own):
    def stride(self, key, value):
        return 256 // value.shape[2] - 1


@wrong("adapt", "If you measured on an image of another size, divide its rows")
class MeasuresAnotherSize(Own):
    def measure(self, body):
        with evaluating(body):
            return body(torch.zeros(1, 3, 224, 224))


@wrong("adapt", "`layer1` is declared by a tuple of 2")
class TupleSpecs(Own):
    def spec(self, key, value):
        return value.shape[1], round(256 / value.shape[2])


@wrong("adapt", "Your `feature_specs` are a list of 3")
class ListOfSpecs(Own):
    def __init__(self, body, name):
        super().__init__(body, name)
        self.feature_specs = list(self.feature_specs.values())


@wrong("adapt", "keys c1, c2, c3. The body calls its maps layer1, layer2, layer3")
class RenamedMaps(Own):
    def __init__(self, body, name):
        super().__init__(body, name)
        self.feature_specs = {f"c{i + 1}": spec for i, spec in enumerate(self.feature_specs.values())}


@wrong("adapt", "keys layer3. The body calls its maps")
class OnlyTheLastMap(Own):
    def specs(self, maps):
        key = list(maps)[-1]
        return {key: self.spec(key, maps[key])}


@wrong("adapt", "The order of `feature_specs` is the body's own, low, deep, mid, stem")
class OrderOfTheBody(Own):
    def rank(self, maps):
        return lambda key: 0


@wrong("adapt", "is from low to high resolution")
class LowToHigh(Own):
    def rank(self, maps):
        return lambda key: maps[key].shape[2]


@wrong("adapt", "the alphabet's: deep, low, mid, stem")
class Alphabetical(Own):
    def rank(self, maps):
        return lambda key: key


@wrong("adapt", "by channels, mid, stem, deep, low")
class ByChannels(Own):
    def rank(self, maps):
        return lambda key: maps[key].shape[1]


@wrong("adapt", "The order of the maps from your `forward` is the body's own")
class ForwardInTheBodysOrder(Own):
    def ordered(self, maps):
        return maps


@wrong("adapt", "Under `stem` your `forward` gives the map `low`")
class ZippedForward(Own):
    def ordered(self, maps):
        return dict(zip(self.feature_specs, maps.values(), strict=True))


@wrong("adapt", "Your `forward` gives a list of 3")
class ForwardGivesAList(Own):
    def ordered(self, maps):
        return [maps[key] for key in self.feature_specs]


@wrong("adapt", "Your `forward` gives a tensor of shape (2, 14, 7, 5)")
class ForwardGivesTheLastMap(Own):
    def ordered(self, maps):
        return maps[list(self.feature_specs)[-1]]


@wrong("adapt", "Your `forward` gives layer3; declared are layer1, layer2, layer3")
class ForwardDropsMaps(Own):
    def ordered(self, maps):
        key = list(self.feature_specs)[-1]
        return {key: maps[key]}


@wrong("adapt", "You measure in training mode")
class MeasuresWhileTraining(Own):
    def measure(self, body):
        with torch.no_grad():
            return body(torch.zeros(1, 3, 256, 256))


@wrong("adapt", "leaves the body in eval mode")
class LeavesEvalMode(Own):
    def measure(self, body):
        with torch.no_grad():
            return body.eval()(torch.zeros(1, 3, 256, 256))


@wrong("adapt", "puts the body into training mode")
class AlwaysTrainsAfterwards(Own):
    def measure(self, body):
        maps = body.eval()(torch.zeros(1, 3, 256, 256))
        body.train()
        return maps


@wrong("adapt", "somebody froze it")
class OneFlagForAll(Own):
    def measure(self, body):
        training = body.training
        maps = body.eval()(torch.zeros(1, 3, 256, 256))
        body.train(training)
        return maps


@wrong("adapt", "freezes the body")
class Freezes(Own):
    def measure(self, body):
        body.requires_grad_(False)
        return super().measure(body)


@wrong("adapt", "changes the body's layers or weights")
class ChangesTheWeights(Own):
    def keep(self, body, name):
        super().keep(body, name)
        for parameter in body.parameters():
            nn.init.zeros_(parameter)


@wrong("adapt", "Your `forward` sets `feature_specs` anew")
class MeasuresEachImage(Own):
    def forward(self, x):
        self.check_image(x)
        maps = self.body(x)
        self.feature_specs = {
            key: FeatureSpec(maps[key].shape[1], round(x.shape[2] / maps[key].shape[2])) for key in self.feature_specs
        }
        return self.ordered(maps)


@wrong("adapt", "runs the body 2 times")
class MeasuresAgain(Own):
    def forward(self, x):
        self.check_image(x)
        order = self.specs(self.measure(self.body))
        maps = self.body(x)
        return {key: maps[key] for key in order}


@wrong("adapt", "measured whenever they are asked for")
class MeasuresWhenAsked(Own):
    def __init__(self, body, name):
        Backbone.__init__(self)
        self.keep(body, name)

    @property
    def feature_specs(self):
        return self.specs(self.measure(self.body))


@wrong("adapt", "After `__init__` there are no `feature_specs`")
class MeasuresLate(Own):
    def __init__(self, body, name):
        Backbone.__init__(self)
        self.keep(body, name)
        self.feature_specs = {}

    def forward(self, x):
        self.feature_specs = self.specs(self.measure(self.body))
        return super().forward(x)


@wrong("adapt", "Given an image without the batch dimension, your `forward` runs the body")
class DoesNotCheck(Own):
    def forward(self, x):
        return self.ordered(self.body(x))


@wrong("adapt", "takes an image without the batch dimension without complaint")
class AddsTheBatchDimension(Own):
    def forward(self, x):
        return super().forward(x[None] if x.dim() == 3 else x)


@wrong("adapt", "Given a uint8 image, your `forward` runs the body")
class ChecksTheShapeOnly(Own):
    def forward(self, x):
        if x.dim() != 4:
            self.check_image(x)
        return self.ordered(self.body(x))


@wrong("adapt", "refuses an image without the batch dimension in words of its own")
class ChecksByItself(Own):
    def forward(self, x):
        if x.dim() != 4:
            raise ValueError("I want four axes.")
        return super().forward(x)


@wrong("adapt", "`check_image` returns nothing")
class KeepsTheCheck(Own):
    def forward(self, x):
        x = self.check_image(x)
        return self.ordered(self.body(x))


@wrong("adapt", "your backbone has no name")
class NoName(Own):
    def keep(self, body, name):
        self.body = body


@wrong("adapt", "your backbone has the name 'Body'")
class NamedByItsClass(Own):
    def keep(self, body, name):
        self.body, self.name = body, type(body).__name__


@wrong("adapt", "must call `super().__init__()` before it keeps the body")
class NoSuperInit(Own):
    def __init__(self, body, name):
        self.body = body
        self.name = name


@wrong("adapt", "does not call `super().__init__()`: without it")
class NoSuperInitAndAList(Own):
    def __init__(self, body, name):
        self.bodies, self.name = [body], name
        self.feature_specs = self.specs(self.measure(body))


@wrong("adapt", "in a list, a dict or a closure a module is not registered")
class InAList(Own):
    def keep(self, body, name):
        self.bodies, self.name = [body], name

    @property
    def body(self):
        return self.bodies[0]


@wrong("adapt", "holds a copy of the body")
class Copies(Own):
    def keep(self, body, name):
        self.body, self.name = copy.deepcopy(body), name


@wrong("adapt", "`layers.layer2.0.weight` of the body is not registered")
class KeepsOneLayer(Own):
    def keep(self, body, name):
        self.first, self.bodies, self.name = body.layers["layer1"], [body], name


@wrong("adapt", "holds weights beside the body's")
class AddsLayers(Own):
    def keep(self, body, name):
        super().keep(body, name)
        self.project = nn.Conv2d(3, 3, 1)


@wrong("adapt", "Your `forward` detaches `layer1`")
class Detaches(Own):
    def ordered(self, maps):
        return {key: maps[key].detach() for key in self.feature_specs}


@wrong("adapt", "runs the body without gradients")
class WithoutGradients(Own):
    @torch.no_grad()
    def forward(self, x):
        return super().forward(x)


@wrong("adapt", "normalises the image")
class Normalises(Own):
    def forward(self, x):
        return super().forward(self.normalize(x))


@wrong("adapt", "the body is not in your backbone's mode")
class SetsTheMode(Own):
    def forward(self, x):
        self.body.eval()
        return super().forward(x)


@wrong("adapt", "its batch norms never learn")
class EvaluatesAlways(Own):
    def forward(self, x):
        with evaluating(self.body):
            return super().forward(x)


@wrong("adapt", "changes its input `x` in place")
class ScalesInPlace(Own):
    def forward(self, x):
        self.check_image(x)
        return self.ordered(self.body(x.sub_(0.5)))


@wrong("adapt", "map `layer1` in evaluation mode has shape (2, 6, 97, 65), expected (2, 6, 25, 17)")
class Resizes(Own):
    def ordered(self, maps):
        return {key: nn.functional.interpolate(maps[key], size=(97, 65)) for key in self.feature_specs}


@wrong("adapt", "Your map `layer1` in evaluation mode is not what the body gives for this image")
class AddsAReLU(Own):
    def ordered(self, maps):
        return {key: maps[key].relu() for key in self.feature_specs}


@wrong("adapt", "`.items()` gives keys and maps")
class ForgetsItems(Own):
    def specs(self, maps):
        return {i: FeatureSpec(value.shape[1], 256 // value.shape[2]) for i, value in enumerate(maps)}


@wrong("adapt", "You look up 0; this body gives layer1, layer2, layer3")
class CountsMaps(Own):
    def specs(self, maps):
        return {i: self.spec(i, maps[i]) for i in range(3)}


@wrong("adapt", "run on an image of shape (3, 256, 256)")
class NoBatchDimension(Own):
    def measure(self, body):
        with evaluating(body):
            return body(torch.zeros(3, 256, 256))


@wrong("adapt", "must inherit from `Backbone`")
class NotABackbone(nn.Module):
    def __init__(self, body, name):
        super().__init__()
        self.body, self.name = body, name

    def forward(self, x):
        return self.body(x)


@wrong("adapt", "yours takes `(body)`")
class TakesNoName(Own):
    def __init__(self, body):
        super().__init__(body, "mine")


class OnACopy(Backbone):
    """Measured on a copy, in eval mode: nothing to restore."""

    def __init__(self, body, name):
        super().__init__()
        self.name = name
        maps = copy.deepcopy(body).eval()(torch.rand(1, 3, 256, 256))
        sizes = sorted(((value.shape[-1], value.shape[1], key) for key, value in maps.items()), reverse=True)
        self.feature_specs = {key: FeatureSpec(channels=width, stride=round(256 / side)) for side, width, key in sizes}
        self.add_module("network", body)

    def forward(self, x):
        self.check_image(x)
        maps, result = self.network.forward(x), {}
        for key in self.feature_specs:
            result[key] = maps[key]
        return result


class WithEvaluating(Backbone):
    """By the course's own context manager, strides sorted afterwards; forward sorts the maps themselves."""

    def __init__(self, body, name):
        super().__init__()
        self.model = body
        self.name = str(name)
        with evaluating(body), torch.inference_mode():
            maps = body(torch.zeros(2, 3, 256, 256))
        specs = [(k, FeatureSpec(m.size(1), int(256 / m.size(3) + 0.5))) for k, m in maps.items()]
        self.feature_specs = dict(sorted(specs, key=lambda pair: pair[1].stride))

    def forward(self, x):
        self.check_image(x)
        return dict(sorted(self.model(x).items(), key=lambda item: item[1].numel() // item[1].shape[1], reverse=True))


# ------------------------------------------------------------------------------------------------- fold_batch_norm


def scale_of(norm):
    return norm.weight / torch.sqrt(norm.running_var + norm.eps)


def column(scale):
    return scale.reshape(-1, 1, 1, 1)


@torch.no_grad()
def fold_by(conv, norm, *, weight=None, bias=None):
    """Right; `weight(W, norm)` and `bias(b, norm)` make something else in its place."""
    own = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias
    layer = copy.deepcopy(conv)
    right = conv.weight * column(scale_of(norm)), (own - norm.running_mean) * scale_of(norm) + norm.bias
    layer.weight = nn.Parameter(right[0] if weight is None else weight(conv.weight, norm))
    layer.bias = nn.Parameter(right[1] if bias is None else bias(own, norm))
    return layer


def fold_all_by(conv, norm, scale):
    """The same scale, `scale(norm)`, in weights and bias."""
    return fold_by(
        conv,
        norm,
        weight=lambda w, n: w * column(scale(n)),
        bias=lambda b, n: (b - n.running_mean) * scale(n) + n.bias,
    )


def fold_into(conv, norm, **changed):
    """Into a layer that is built from the arguments of `conv`, some of which change."""
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
    layer = nn.Conv2d(**{name: getattr(conv, name) for name in names} | changed)
    right = fold_by(conv, norm)
    layer.weight.data, layer.bias.data = right.weight.data, right.bias.data
    return layer


@wrong("fold_batch_norm", "`eps` is left out: batch norm adds it")
def no_eps(conv, norm):
    return fold_all_by(conv, norm, lambda n: n.weight / n.running_var.sqrt())


@wrong("fold_batch_norm", "You add `eps` to the root")
def eps_outside(conv, norm):
    return fold_all_by(conv, norm, lambda n: n.weight / (n.running_var.sqrt() + n.eps))


@wrong("fold_batch_norm", "ask `norm.eps`")
def usual_eps(conv, norm):
    return fold_all_by(conv, norm, lambda n: n.weight / torch.sqrt(n.running_var + 1e-5))


@wrong("fold_batch_norm", "You divide by the variance; batch norm divides by its root")
def variance(conv, norm):
    return fold_all_by(conv, norm, lambda n: n.weight / (n.running_var + n.eps))


@wrong("fold_batch_norm", "You multiply by the root of the variance")
def multiplies(conv, norm):
    return fold_all_by(conv, norm, lambda n: n.weight * torch.sqrt(n.running_var + n.eps))


@wrong("fold_batch_norm", "The weights are not divided by the root")
def no_spread(conv, norm):
    return fold_all_by(conv, norm, lambda n: n.weight)


@wrong("fold_batch_norm", "`norm.weight` is left out: it multiplies each channel.")
def no_gamma(conv, norm):
    return fold_all_by(conv, norm, lambda n: torch.rsqrt(n.running_var + n.eps))


@wrong("fold_batch_norm", "where that is small it counts. `norm.weight` is left out")
def no_eps_no_gamma(conv, norm):
    return fold_all_by(conv, norm, lambda n: n.running_var**-0.5)


@wrong("fold_batch_norm", "You divide by `norm.weight`; it multiplies")
def upside_down(conv, norm):
    return fold_all_by(conv, norm, lambda n: 1 / (n.weight * torch.sqrt(n.running_var + n.eps)))


@wrong("fold_batch_norm", "You multiply by `norm.bias` in place of `norm.weight`")
def beta_for_gamma(conv, norm):
    return fold_all_by(conv, norm, lambda n: n.bias / torch.sqrt(n.running_var + n.eps))


@wrong("fold_batch_norm", "You leave the weights as they are")
def bias_only(conv, norm):
    return fold_by(conv, norm, weight=lambda w, n: w.clone())


@wrong("fold_batch_norm", "the weights of channel 0 are multiplied by 18.26 in yours, and must be by 9.129")
def twice_the_scale(conv, norm):
    return fold_all_by(conv, norm, lambda n: 2 * scale_of(n))


@wrong("fold_batch_norm", "the weights of channel 0 are not the given ones times one number; it must be 9.129")
def flips_the_kernel(conv, norm):
    return fold_by(conv, norm, weight=lambda w, n: w.flip(3) * column(scale_of(n)))


@wrong("fold_batch_norm", "along its input channels")
def along_inputs(conv, norm):
    return fold_by(conv, norm, weight=lambda w, n: w * scale_of(n)[:, None, None])


@wrong("fold_batch_norm", "along its columns")
def along_columns(conv, norm):
    return fold_by(conv, norm, weight=lambda w, n: w * scale_of(n))


@wrong("fold_batch_norm", "along its rows")
def along_rows(conv, norm):
    return fold_by(conv, norm, weight=lambda w, n: w * scale_of(n)[:, None])


@wrong("fold_batch_norm", "You normalise the weights as if they were the map")
def normalised_weights(conv, norm):
    return fold_by(conv, norm, weight=lambda w, n: (w - column(n.running_mean)) * column(scale_of(n)))


@wrong("fold_batch_norm", "Your weight does not depend on the running averages")
def statistics_of_a_batch(conv, norm):
    y = conv(torch.randn(16, conv.in_channels, 24, 24))
    mean, var = y.mean((0, 2, 3)), y.var((0, 2, 3))
    scale = norm.weight / torch.sqrt(var + norm.eps)
    return fold_by(
        conv,
        norm,
        weight=lambda w, n: w * column(scale),
        bias=lambda b, n: (b - mean) * scale + n.bias,
    )


@wrong("fold_batch_norm", "`conv.bias` is left out")
def no_own_bias(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: n.bias - n.running_mean * scale_of(n))


@wrong("fold_batch_norm", "`conv.bias` is not scaled: batch norm")
def own_bias_unscaled(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: b + n.bias - n.running_mean * scale_of(n))


@wrong("fold_batch_norm", "`norm.running_mean` is not subtracted")
def no_mean(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: b * scale_of(n) + n.bias)


@wrong("fold_batch_norm", "`norm.running_mean` is not scaled")
def mean_unscaled(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: b * scale_of(n) - n.running_mean + n.bias)


@wrong("fold_batch_norm", "Nor is `conv.bias`")
def bias_unscaled(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: b - n.running_mean + n.bias)


@wrong("fold_batch_norm", "`norm.running_mean` is added")
def mean_added(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: (b + n.running_mean) * scale_of(n) + n.bias)


@wrong("fold_batch_norm", "it is the other way round")
def mean_minus_bias(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: (n.running_mean - b) * scale_of(n) + n.bias)


@wrong("fold_batch_norm", "`norm.bias` is left out")
def no_beta(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: (b - n.running_mean) * scale_of(n))


@wrong("fold_batch_norm", "`norm.bias` is scaled")
def beta_scaled(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: (b - n.running_mean + n.bias) * scale_of(n))


@wrong("fold_batch_norm", "`norm.bias` is subtracted")
def beta_subtracted(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: (b - n.running_mean) * scale_of(n) - n.bias)


@wrong("fold_batch_norm", "The bias is still that of `conv`")
def weights_only(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: b.clone())


@wrong("fold_batch_norm", "Your bias is `norm.bias` alone")
def beta_alone(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: n.bias.clone())


@wrong("fold_batch_norm", "`conv.bias` plus `norm.bias`")
def two_biases(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: b + n.bias)


@wrong("fold_batch_norm", "In the bias `norm.weight` is left out")
def bias_without_gamma(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: (b - n.running_mean) / torch.sqrt(n.running_var + n.eps) + n.bias)


@wrong("fold_batch_norm", "In the bias nothing is divided")
def bias_without_spread(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: (b - n.running_mean) * n.weight + n.bias)


@wrong("fold_batch_norm", "In the bias you divide by the variance")
def bias_by_variance(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: (b - n.running_mean) / (n.running_var + n.eps) * n.weight + n.bias)


@wrong("fold_batch_norm", "In the bias `eps` is left out")
def bias_without_eps(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: (b - n.running_mean) / n.running_var.sqrt() * n.weight + n.bias)


@wrong("fold_batch_norm", "the bias of channel 0 is 17.32 in yours and must be 16.32")
def bias_and_one(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: (b - n.running_mean) * scale_of(n) + n.bias + 1)


@wrong("fold_batch_norm", "Your layer has stride=(1, 1), the given one stride=(2, 1)")
def no_stride(conv, norm):
    return fold_into(conv, norm, stride=1)


@wrong("fold_batch_norm", "Your layer has padding=(0, 0)")
def no_padding(conv, norm):
    return fold_into(conv, norm, padding=0)


@wrong("fold_batch_norm", "Your layer has dilation=(1, 1)")
def no_dilation(conv, norm):
    return fold_into(conv, norm, dilation=1)


@wrong("fold_batch_norm", "Your layer has groups=1, the given one groups=3")
def no_groups(conv, norm):
    return fold_into(conv, norm, groups=1)


@wrong("fold_batch_norm", "does the new layer have them too?")
def no_groups_and_a_copy(conv, norm):
    layer = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, conv.dilation)
    with torch.no_grad():
        layer.weight.copy_(fold_by(conv, norm).weight)
        layer.bias.copy_(fold_by(conv, norm).bias)
    return layer


@wrong("fold_batch_norm", "Your layer has padding_mode='zeros'")
def no_padding_mode(conv, norm):
    return fold_into(conv, norm, padding_mode="zeros")


@wrong("fold_batch_norm", "You write into the convolution that you are given and return it")
def in_place(conv, norm):
    right = fold_by(conv, norm)
    conv.weight.data, conv.bias = right.weight.data, right.bias
    return conv


@wrong("fold_batch_norm", "do both hold the same tensor?")
def shared_weight(conv, norm):
    layer = fold_by(conv, norm)
    layer.weight = conv.weight
    with torch.no_grad():
        layer.weight *= column(scale_of(norm))
    return layer


@wrong("fold_batch_norm", "changes the batch norm")
def in_the_norm(conv, norm):
    norm.running_var.add_(norm.eps).sqrt_()
    scale = norm.weight / norm.running_var
    return fold_by(conv, norm, weight=lambda w, n: w * column(scale))


@wrong("fold_batch_norm", "returns the given convolution, unchanged")
def unchanged(conv, norm):
    return conv


@wrong("fold_batch_norm", "a module with a batch norm still in it")
def two_layers(conv, norm):
    return nn.Sequential(conv, norm)


@wrong("fold_batch_norm", "a single module, a Sequential; asked is one layer")
def one_in_a_row(conv, norm):
    return nn.Sequential(fold_by(conv, norm))


@wrong("fold_batch_norm", "returns a tuple of 2")
def two_tensors(conv, norm):
    layer = fold_by(conv, norm)
    return layer.weight, layer.bias


@wrong("fold_batch_norm", "returns a function")
def a_function(conv, norm):
    return lambda x: norm(conv(x))


@wrong("fold_batch_norm", "Your layer has no bias")
def without_bias(conv, norm):
    layer = fold_by(conv, norm)
    layer.bias = None
    return layer


@wrong("fold_batch_norm", "it counts as 0")
def needs_a_bias(conv, norm):
    layer = copy.deepcopy(conv)
    layer.weight.data *= column(scale_of(norm))
    layer.bias.data = (conv.bias.data - norm.running_mean) * scale_of(norm) + norm.bias.data
    return layer


@wrong("fold_batch_norm", "PyTorch records gradients")
def with_gradients(conv, norm):
    layer = copy.deepcopy(conv)
    layer.weight *= column(scale_of(norm))
    return layer


@wrong("fold_batch_norm", "wrap what you computed, `nn.Parameter(...)`")
def no_parameter(conv, norm):
    layer = copy.deepcopy(conv)
    layer.weight = conv.weight * column(scale_of(norm))
    return layer


@wrong("fold_batch_norm", "Your weight is torch.float64 of shape (4, 4, 4, 4)")
def in_double(conv, norm):
    return fold_by(conv, norm).double()


@wrong("fold_batch_norm", "Your bias is torch.float32 of shape (4, 1, 1, 1)")
def bias_with_axes(conv, norm):
    return fold_by(conv, norm, bias=lambda b, n: column((b - n.running_mean) * scale_of(n) + n.bias))


@wrong("fold_batch_norm", "the weights of channel 1 are multiplied by 8.104 in yours, and must be by -8.104")
def without_the_sign(conv, norm):
    return fold_all_by(conv, norm, lambda n: scale_of(n).abs())


@wrong("fold_batch_norm", "Your bias does not depend on the running averages")
def new_bias(conv, norm):
    layer = fold_into(conv, norm)
    layer.reset_parameters()
    layer.weight = fold_by(conv, norm).weight
    return layer


@wrong("fold_batch_norm", "Your weight contains NaN or infinity")
def root_of_a_negative(conv, norm):
    return fold_all_by(conv, norm, lambda n: n.weight / torch.sqrt(-n.running_var))


@wrong("fold_batch_norm", "Your function fails on Conv2d(4, 4, kernel_size=(4, 4), stride=(1, 1)).")
def misspelt(conv, norm):
    return fold_by(conv, norm, weight=lambda w, n: w * n.gamma)


def into_a_new_layer(conv, norm):
    """With every argument written out, and `.data`."""
    layer = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        stride=conv.stride,
        padding=conv.padding,
        dilation=conv.dilation,
        groups=conv.groups,
        bias=True,
        padding_mode=conv.padding_mode,
    )
    gamma, deviation = norm.weight.data, (norm.running_var + norm.eps) ** 0.5
    layer.weight.data = torch.einsum("oihw,o->oihw", conv.weight.data, gamma / deviation)
    layer.bias.data = norm.bias.data - gamma * norm.running_mean / deviation
    if conv.bias is not None:
        layer.bias.data += gamma * conv.bias.data / deviation
    return layer


def by_asking(conv, norm):
    """What the norm adds is its answer to zeros; what it multiplies by, its answer to ones less that."""
    layer = copy.deepcopy(conv)
    zeros = torch.zeros(1, conv.out_channels, 1, 1)
    with torch.no_grad():
        shift = norm(zeros if conv.bias is None else zeros + conv.bias.view(1, -1, 1, 1))
        layer.weight.mul_((norm(zeros + 1) - norm(zeros)).view(-1, 1, 1, 1))
    layer.bias = nn.Parameter(shift.flatten())
    return layer


RIGHT = [
    ("adapt", Own),
    ("adapt", OnACopy),
    ("adapt", WithEvaluating),
    ("fold_batch_norm", fold_by),
    ("fold_batch_norm", fold_into),
    ("fold_batch_norm", into_a_new_layer),
    ("fold_batch_norm", by_asking),
    ("fold_batch_norm", fusion.fuse_conv_bn_eval),
]
