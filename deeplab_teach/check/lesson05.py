"""Lesson 05: which stages stride and which dilate, and the test that says whether it was done right."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.functions import Call, examine_function
from deeplab_teach.check.mistakes import mistakes
from deeplab_teach.check.run import Raised, Wrong, a_kind
from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.features import same_features as same_features_reference
from deeplab_teach.layers import plan_strides as plan_strides_reference
from deeplab_teach.layers import running_strides


def _examine_plan_strides(answer):
    draw = lambda low, high: int(torch.randint(low, high, ()))
    calls = [
        *(([2, 2, 2, 2, 2], limit) for limit in (16, 8, 32)),  # a ResNet
        *(([2, 1, 2, 2, 2, 1, 2, 1], limit) for limit in (16, 8)),  # MobileNetV2
        *(((4, 4, 4), limit) for limit in (16, 8, 32)),
        *(([4, 4, 2], 8), ([2, 4, 2, 2], 16), ([2, 4, 1, 4, 2], 8), ((2, 3, 2, 2, 3), 8), ([2, 3, 3], 16)),
        *(([2, 2], 32), ([], 8), Call((), {"strides": [2, 2, 3, 1, 2, 2], "output_stride": 8})),
        ([draw(1, 5) for _ in range(draw(5, 9))], 2 ** draw(3, 6)),
    ]
    advice = "Go through it stage by stage: how far has the map been strided, and which rate does it run at?"
    example, known = "plan_strides(strides, output_stride)", PLAN_STRIDES_MISTAKES
    examine_function(answer, plan_strides_reference, example, calls, known, kind=_kind_of_plan, advice=advice)


def _kind_of_plan(value):
    if not isinstance(value, list | tuple):
        return "Your function does not return a list; asked is one with (stride, rate_in, rate_out) of each stage."
    if any(not isinstance(row, list | tuple) or len(row) != 3 for row in value):
        return "Not all rows of your list hold three numbers; asked is (stride, rate_in, rate_out) of each stage."
    if any(isinstance(number, float) for row in value for number in row):
        return "There are floats in your list; strides and rates are ints, and `//` divides so."
    return None


PLAN_STRIDES_MISTAKES = mistakes(r"""
Your function returns after the first stage: the `return` stands inside the loop.
    rate))\n    return plan => rate))\n        return plan
No stage of yours gives its stride up: keep the product of the strides taken, and compare what it would become.
    reached *= stride => pass
You set strides to 1 and leave every rate at 1. On the denser grid neighbours lie closer together: spread the kernels.
    (stride, rate_in, rate) => (stride, 1, 1)
Your rate_in is the new rate already. A stage's first convolution reads the map before it: use the rate before it.
    (stride, rate_in, rate) => (stride, rate, rate)
Your rate_out comes one stage late: what comes after the stride that is given up runs on the denser grid already.
    (stride, rate_in, rate) => (stride, rate_in, rate_in)
Your rate_in is always 1. The grid stays denser to the end: a stage begins with the rate that the last one ended with.
    (stride, rate_in, rate) => (stride, 1, rate)
Each stage of yours begins at rate 1 again. The grid stays denser to the end: carry the rate from stage to stage.
    rate_in = rate => rate_in = rate = 1
A stage that keeps its stride falls back to rate 1 in yours. It works on the denser grid too, so it keeps the rate.
    (stride, rate_in, rate) => (stride, rate_in, rate) if rate > rate_in else (stride, 1, 1)
Rates are added in yours. Each stride that is given up spreads the kernels by its own factor, so multiply.
    rate *= stride => rate += stride - 1
Your rate_out only knows the stage's own stride. If an earlier stage gave its stride up as well, both count: multiply.
    rate *= stride => rate = stride
Your rate doubles, whatever the stride is. A stride of 4 that is given up leaves neighbours 4 places apart.
    rate *= stride => rate *= 2
A stage of yours dilates and strides as well. The rate stands in for the stride, which becomes 1.
    stride = 1\n => pass\n
You give a stride up too early: to reach output_stride exactly is allowed, only to go past it is not.
    reached * stride > output_stride => reached * stride >= output_stride
You notice one stage too late that output_stride is exceeded: ask what the product would be with this stage's stride.
    reached * stride > output_stride => reached > output_stride
You ask whether output_stride is reached, not whether this stride would go past it: with 4, 4 and 8 you come to 16.
    reached * stride > output_stride => reached >= output_stride
Once a stage has given its stride up, all later ones do in yours. At 8, after 4 and 4 the product is 4: a 2 still fits.
    rate_in = rate\n => rate_in, reached = rate, reached * stride\n
    reached * stride > output_stride => reached > output_stride
    reached *= stride => pass
You add up the strides to see how far they have got. Three strides of 2 make 8, not 6: multiply.
    reached * stride > output_stride => reached + stride > output_stride
    reached *= stride => reached += stride
    [], 1, 1 => [], 0, 1
The first number of your rows is the product of the strides so far; asked is the stage's own.
    (stride, rate_in, rate) => (reached, rate_in, rate)
rate_in and rate_out are swapped: rate_in, the old one, comes first.
    (stride, rate_in, rate) => (stride, rate, rate_in)
You divide the product of all strides by output_stride, which is not always reached: multiply those given up.
    [], 1, 1 => [], 1, 1\n    total = 1
    rate *= stride => pass
    rate_in = rate\n => rate_in = rate\n        total *= stride\n        rate = max(1, total // output_stride)\n
""")

plan_strides = Exercise(
    minutes=12,
    statement="""Plan which stages stride and which dilate. A stage strides if the product of the strides taken, its own
        included, is at most output_stride. A stage that would go past it gets stride 1, and every convolution after the
        place of that stride runs at a rate so many times larger. Give (stride, rate_in, rate_out) of each stage.""",
    hints=(
        "Go through the stages with two numbers: how far the map has been strided, and the present rate. Which of the "
        "two changes in a stage that strides, which in a stage that gives its stride up, and by which factor?",
        "rate_in is the rate as it stands before the stage. If the product times this stride would be more than "
        "output_stride, multiply the rate by the stride and go on with a stride of 1. rate_out is the rate after that.",
    ),
    reference=plan_strides_reference,
    examine=_examine_plan_strides,
    moral="With this plan one set of weights serves every output stride: at shared places the features are the same.",
)


class _Net(Backbone):
    """Stages of two convolutions and a batch norm, in one module, which is quick to copy.

    layers: (stride, rate, padding left, right, top, bottom, its kind) of each convolution; taps: key -> a function
    that changes the map which is given, and no later one.
    """

    name, min_side, recorded = "This backbone", 64, []

    def __init__(self, strides, output_stride):
        super().__init__()
        plan = plan_strides_reference(strides, output_stride)
        self.layers = [layer for s, *rates in plan for layer in zip((s, 1), rates, strict=True)]
        self.layers = [(stride, rate, 4 * (rate,), "constant") for stride, rate in self.layers]
        self.kernels = nn.ParameterList(torch.randn(4, 4 if i else 3, 3, 3) / 5 for i in range(len(self.layers)))
        self.register_buffer("means", 0.4 * torch.rand(len(plan), 4) - 0.2)
        self.register_buffer("vars", 0.5 * torch.rand(len(plan), 4) + 0.75)
        self.feature_specs = {f"c{i}": FeatureSpec(4, step) for i, step in enumerate(running_strides(plan), 1)}
        self.scale, self.drop, self.taps = 1.0, nn.Dropout(), dict.fromkeys(self.feature_specs, lambda x: x)

    def forward(self, x):
        self.check_image(x)
        spread = x.std().item()
        maps, layers = {}, zip(self.layers, self.kernels, strict=True)
        convolve = lambda x, layer, w: F.conv2d(F.pad(x, *layer[2:]), w, stride=layer[0], dilation=layer[1])
        for i, key in enumerate(self.feature_specs):
            x = self.drop(convolve(x, *next(layers)).relu())
            x = F.batch_norm(convolve(x, *next(layers)), self.means[i], self.vars[i], training=self.training)
            maps[key] = self.taps[key](self.scale * x)
        self.recorded.append((x.requires_grad, spread))
        return maps


def _rounded(x):
    """As if it had been added up in another order: not a bit the same, but for one part in a million."""
    return x + 1e-6 * x.abs().max() * torch.linspace(0.5, 1, x[0, 0].numel(), dtype=x.dtype).view(x.shape[-2:])


def _changed(x, factor, *where):
    x = x.clone()
    x[where] *= factor
    return x


def _pair(about, strides=4, at=(16, 8), *, training=(False, False), scale=1.0, layers=None, **taps):
    """Two backbones with the same weights; `layers` and `taps` change `b`, whose class tells the learner `about` it."""
    strides = strides * (2,) if isinstance(strides, int) else strides
    a, b = (type(name, (_Net,), {})(strides, s) for name, s in zip(("a", about), at, strict=True))
    b.load_state_dict(a.state_dict())
    a.scale = b.scale = scale
    b.taps |= dict.fromkeys(list(b.taps)[1:], _rounded) | taps
    for i, layer in (layers or {}).items():
        b.layers[i] = layer
    a.train(training[0]), b.train(training[1])
    return a, b


def _examine_same_features(answer):
    zero, even, inside, last = "constant", 4 * (1,), 2 * (slice(1, -1),), 2 * (slice(3, None),)
    one_place, first_rate_wrong = tuple(map(torch.tensor, (0, -1, 4, 4))), {6: (1, 2, 4 * (2,), zero)}
    calls = [
        _pair("all_right", training=(True, True)),
        _pair("first_rate_wrong", layers=first_rate_wrong, training=(True, False)),
        _pair("later_rate_forgotten", layers={7: (1, 1, even, zero)}, training=(False, True)),
        _pair("all_right_at_4_times_the_places", 5, (32, 8)),
        _pair("all_right_at_3_times_the_places", (2, 2, 3), scale=1e4),
        _pair("all_right_and_partly_in_training_mode", 5),
        _pair("first_rate_wrong_and_tiny_values", 5, (32, 8), scale=1e-7, layers=first_rate_wrong),
        _pair("padding_on_one_side_only", layers={4: (2, 1, (0, 2, 0, 2), zero)}),
        _pair("padding_from_the_other_side", layers={3: (1, 1, even, "circular")}),
        _pair("c4_two_rows_too_small", c4=lambda x: x[..., :-2, :]),
        _pair("c4_off_by_half_a_percent", 4, (16, 16), c4=lambda x: x + 0.005 * x.abs().max()),
        _pair("c2_mirrored", 5, (32, 16), c2=lambda x: x.flip(-1)),
        _pair("c3_wrong_at_one_place", c3=lambda x: x.index_put(one_place, 0.1 * x.abs().max(), accumulate=True)),
        _pair("c2_larger_by_a_constant", c2=lambda x: x + 0.2 * x.abs().max()),
        _pair("c3_smaller_by_a_constant", c3=lambda x: x - 0.2 * x.abs().max()),
        _pair("c1_wrong_at_the_border", c1=lambda x: _changed(1.5 * x, 1 / 1.5, ..., *inside)),
        _pair("c4_wrong_in_its_last_channels", c4=lambda x: _changed(x, 1.5, slice(None), slice(2, None), *last)),
    ]
    calls[5][1].drop.train()
    _Net.recorded.clear()
    advice = (
        "The name of `b` says what is the matter with it. A healthy pair still differs by a millionth, by rounding."
    )
    example, known = "same_features(a, b)", SAME_FEATURES_MISTAKES
    try:
        examine_function(answer, same_features_reference, example, calls, known, kind=_kind_of_same, advice=advice)
    except Raised as raised:
        if "size of tensor" in str(raised.error) or "broadcast" in str(raised.error):
            different = "Maps of different sizes were compared. Where sizes still differ after the steps, it is False."
            raise raised.named(different) from None
        raise
    except Wrong:
        _see_that_the_image_tells()  # what it hides depends on the weights, which are drawn anew each time
        raise
    if any(recorded for recorded, _ in _Net.recorded):
        raise Wrong("Your answers are right, but your function records gradients: run both under `torch.no_grad()`.")
    _see_that_the_image_tells()


def _see_that_the_image_tells():
    if not all(spread > 0 for _, spread in _Net.recorded):
        raise Wrong("Your image has the same value everywhere, which hides much: make it of random numbers.")


def _kind_of_same(value):
    if not isinstance(value, dict):
        return "Your function does not return a dict; asked is one with True or False for each map."
    if odd := [same for same in value.values() if not isinstance(same, bool | np.bool_)]:
        return f"There is {a_kind(odd[0])} in your dict; asked are True and False. (`bool(...)` makes one of a tensor.)"
    return None


SAME_FEATURES_MISTAKES = mistakes(r"""
Your function returns after the first map: the `return` stands inside the loop.
    <= limit)\n    return same => <= limit)\n        return same
True and False are exchanged in yours: True says that the two agree.
    bool((found - due).abs().max() <= limit) => bool((found - due).abs().max() > limit)
    found.shape == due.shape and => found.shape != due.shape or
Nothing agrees in yours. Do both backbones get the same image, and are both in eval mode?
    in a(image).items() => in a(torch.randn(1, 3, 65, 97)).items()
Both backbones must be in eval mode. In training mode batch norm measures its own grid, and dropout works by chance.
    (backbone).eval() for => (backbone) for
Where `b` has more places, yours never agree. At step 2 the shared places are every second row and column of `b`.
    dense[key][..., ::step, ::step] => dense[key]
A step of 2 is written out in yours; it is the stride of a's map divided by that of b's, and may be 1, 3 or 4.
    a.feature_specs[key].stride // b.feature_specs[key].stride => 2
One step is used for all maps in yours. Each map has its own: only those past b's output stride are denser.
    a.feature_specs[key].stride // b.feature_specs[key].stride => list(a.feature_specs.values())[-1].stride //
        list(b.feature_specs.values())[-1].stride
You ask for equal numbers. Sums in another order differ in their last digits: allow a thousandth of the map's largest.
    bool((found - due).abs().max() <= limit) => torch.equal(found, due)
Your limit does not depend on the map, whose values may be 1e-7 or 10000: take a share of its largest value.
    1e-3 * due.abs().max() => 1e-4
A map that is wrong by half a percent passes in yours: the limit is a thousandth of the largest value.
    1e-3 * due => 0.02 * due
Differences below zero pass in yours, however large: take `abs` before you take the largest.
    (found - due).abs().max() => (found - due).max()
Not all values count in yours: a map passes that is wrong in its last channels and beyond its first rows and columns.
    (found - due).abs().max() => (found - due)[..., 0, 0].abs().max()
The border does not count in yours: wrong padding shows there first.
    (found - due).abs().max() => (found - due)[..., 1:-1, 1:-1].abs().max()
Your function stops at the first map that differs; asked is an answer for each.
    <= limit)\n => <= limit)\n        if not same[key]:\n            break\n
""")

same_features = Exercise(
    minutes=12,
    statement="""Write the test of dilation. Run two backbones with the same weights on one random image, and say for
        each map whether `b`, whose maps may be denser, has a's values at the places that both have, but for
        rounding.""",
    hints=(
        "`copy.deepcopy(a).eval()` may be changed as you like. How many places of b's map lie between two that a's map "
        "has too? The two strides say it, for each map anew.",
        "step = a's stride // b's stride; `[..., ::step, ::step]` of b's map are the shared places. Compare shapes "
        "first, then the largest `abs` of the difference with 1e-3 times the largest `abs` of a's map.",
    ),
    reference=same_features_reference,
    examine=_examine_same_features,
    moral="It finds what no error message tells. Run it whenever somebody has patched a network, you included.",
)
