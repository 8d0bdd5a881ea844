"""Lesson 03: a depthwise and a pointwise convolution in place of an ordinary one."""

import torch
from torch import nn

from deeplab_teach.check.attempt import Wrong, own_module_class
from deeplab_teach.check.blocks import (
    build_block,
    convolutions,
    explained,
    require_like,
    require_no_bias,
    require_norms,
    require_weights,
    run,
)
from deeplab_teach.check.engine import Exercise
from deeplab_teach.layers import SeparableConv2d as Reference

RUN = "layer(x)"
# in, out, rate (None: not passed), size. The first: as many groups as there are output channels could be built.
CASES = ((12, 4, 2, (9, 11)), (6, 10, 3, (8, 13)), (8, 5, None, (11, 7)), (6, 6, 2, (7, 10)))


def _examine_separable_conv(answer):
    own_module_class(answer, "SeparableConv", nn.Module)
    for in_channels, out_channels, given_rate, size in CASES:
        passed = {} if given_rate is None else {"rate": given_rate}
        layer, call = build_block(answer, in_channels, out_channels, **passed)
        rate = given_rate or 1
        reference = Reference(in_channels, out_channels, rate=rate)
        x = 8 * torch.randn(2, in_channels, *size)  # large, so that ReLU6 would cut something off
        output, error, used = run(layer, RUN, x)
        require_weights(layer)
        convs = convolutions(layer, used)
        # Fewer convolutions but as many weights: a linear layer or a function may do the work.
        if len(convs) >= 2 or len(layer.state_dict()) != len(reference.state_dict()):
            look, mix = _explain_kinds(convs, used, error, in_channels, out_channels)
            keeps_size = isinstance(output, torch.Tensor) and output.shape[2:] == x.shape[2:]
            _explain_settings(look, mix, rate, call, keeps_size)
            require_norms(layer, used, ["depthwise convolution", "pointwise convolution"])
        if error:
            raise explained(error)
        axes = "(N, out_channels, H, W)"
        require_like(layer, reference, RUN, x, used=used, mistakes=_mistakes, axes=axes)


def _explain_kinds(convs, used, error, in_channels, out_channels):
    """The depthwise and the pointwise convolution; `Wrong` if there are others than asked for."""
    large = [conv for conv in convs if conv.kernel_size != (1, 1)]
    small = [conv for conv in convs if conv.kernel_size == (1, 1)]
    if len(convs) == 1 and large and large[0].groups == 1:
        raise Wrong("Yours is one ordinary convolution; asked are the two that take its place, a 3x3 and a 1x1.")
    if len(convs) == 1 and large:
        raise Wrong("The pointwise convolution is missing: nothing mixes the channels.")
    if len(convs) == 1:
        raise Wrong("The depthwise convolution is missing: no place sees its neighbours.")
    if len(convs) == 2 and not small:
        raise Wrong("Both of your convolutions look around. The pointwise one reads a single place: its kernel is 1x1.")
    if len(convs) == 2 and not large:
        raise Wrong("Both of your convolutions are 1x1, so no place sees its neighbours: the depthwise one is 3x3.")
    if len(convs) != 2:
        raise Wrong(f"Asked are two convolutions, a 3x3 and a 1x1; your layer has {len(convs)}.")
    look, mix = large[0], small[0]
    if look.kernel_size != (3, 3):
        raise Wrong(f"Your depthwise convolution has the kernel {look.kernel_size}; asked is 3x3.")
    if mix in used and (used.index(look) > used.index(mix) if look in used else error):
        raise Wrong(
            "Your pointwise convolution runs before the depthwise one. Asked is the other order: first look around in "
            "each channel, then mix the channels."
        )
    if look.groups == 1 and mix.groups > 1:
        raise Wrong(
            "The groups stand on the pointwise convolution, which is the one to mix channels: they belong to the 3x3."
        )
    if look.groups == 1:
        raise Wrong(
            f"Your 3x3 convolution has no `groups`, so it is an ordinary one: each output channel reads all "
            f"{in_channels} channels. Depthwise means that it reads a single one."
        )
    if look.groups == out_channels != in_channels:
        raise Wrong(
            f"Your 3x3 convolution has {out_channels} groups, one for each output channel. It reads the input's "
            f"{in_channels} channels, each on its own."
        )
    if look.groups != in_channels:
        raise Wrong(f"Your 3x3 convolution has {look.groups} groups, where the input has {in_channels} channels.")
    if look.out_channels != in_channels:
        raise Wrong(
            f"Your depthwise convolution makes {look.out_channels} channels of {in_channels}. It gives one for each "
            "that it takes; only the pointwise one changes their number."
        )
    if mix.groups != 1:
        raise Wrong(f"Your pointwise convolution has {mix.groups} groups: then it does not mix all channels.")
    return look, mix


def _explain_settings(look, mix, rate, call, keeps_size):
    require_no_bias((look, mix))
    if look.stride != (1, 1) or mix.stride != (1, 1):
        raise Wrong("A convolution of yours strides; asked is a map of the input's size.")
    padding = look.padding if isinstance(look.padding, tuple) else (rate, rate)  # "same"
    if look.dilation == (1, 1) and rate > 1:
        if mix.dilation != (1, 1):
            raise Wrong("Your pointwise convolution has the rate; a 1x1 has no gaps to spread. The 3x3 is dilated.")
        if look.padding == (rate, rate):
            raise Wrong(
                f"You pad by {rate} places for `rate={rate}`, but the 3x3 itself is not spread out: its `dilation` is "
                "still 1, and the map grows."
            )
        raise Wrong(f"The 3x3 ignores `rate={rate}`: its `dilation` is still 1, so it sees its next neighbours only.")
    if look.dilation != (rate, rate):
        raise Wrong(f"After `{call}` your 3x3 has the dilation {look.dilation}; expected is {rate} along both sides.")
    if not keeps_size and padding == (0, 0):
        raise Wrong("Your 3x3 has no padding, so the map loses a frame of places; its size is to stay.")
    if not keeps_size and padding != (rate, rate):
        how = "grows" if padding[0] > rate else "shrinks"
        raise Wrong(
            f"With `rate={rate}` your 3x3 has a padding of {padding[0]}, so the map {how}. How many places does a 3x3 "
            "with that dilation reach beyond its middle?"
        )
    if mix.padding not in ((0, 0), "same", "valid"):
        raise Wrong("Your pointwise convolution has padding: a 1x1 reads no neighbour, so it only adds a frame.")


@torch.no_grad()
def _mistakes(layer, x):
    """`(sentence, the output after it)`. Running batch norm again is safe: it uses the batch, or changes nothing."""
    look, norm, mix, norm_last = layer.depthwise, layer.depthwise_bn, layer.pointwise, layer.pointwise_bn

    def steps(x, *middle_and_end):  # four functions: two after each convolution
        first, second, third, fourth = middle_and_end
        return fourth(third(mix(second(first(look(x))))))

    relu, six, same = torch.relu, nn.functional.relu6, lambda x: x
    right = steps(x, norm, relu, norm_last, relu)
    yield (
        "The ReLU between the two convolutions is missing: it comes after the first batch norm.",
        steps(x, norm, same, norm_last, relu),
    )
    yield "The ReLU at the end is missing.", steps(x, norm, relu, norm_last, same)
    yield "Both ReLUs are missing: one follows each batch norm.", steps(x, norm, same, norm_last, same)
    order = "A ReLU stands before its batch norm; asked is convolution, batch norm, ReLU, both times."
    yield order, steps(x, relu, norm, norm_last, relu)
    yield order, steps(x, norm, relu, relu, norm_last)
    yield order, steps(x, relu, norm, relu, norm_last)
    yield "The first batch norm is built but not used.", steps(x, same, relu, norm_last, relu)
    yield "The second batch norm is built but not used.", steps(x, norm, relu, same, relu)
    yield "Your batch norms are built but not used.", steps(x, same, relu, same, relu)
    clamped = "A ReLU of yours is a ReLU6, which cuts off at 6; asked is the plain one."
    yield clamped, steps(x, norm, six, norm_last, six)
    yield clamped, steps(x, norm, six, norm_last, relu)
    yield clamped, steps(x, norm, relu, norm_last, six)
    early = "A ReLU stands before the first convolution; asked is one after each batch norm."
    yield early, steps(relu(x), norm, same, norm_last, same)
    yield early, steps(relu(x), norm, relu, norm_last, same)
    yield early, steps(relu(x), norm, relu, norm_last, relu)
    if right.shape == x.shape:
        yield "You add the input: this layer has no shortcut.", right + x


separable_conv = Exercise(
    name="separable_conv",
    lesson="03",
    minutes=10,
    statement=(
        "Write the pair of convolutions that takes the place of a 3x3 convolution: a depthwise 3x3, which looks around "
        "in each channel on its own, batch norm, ReLU; then a pointwise 1x1, which mixes the channels, batch norm, "
        "ReLU. `rate` is the dilation of the 3x3. The map keeps its size; convolutions have no bias."
    ),
    stub='''class SeparableConv(nn.Module):
    """Depthwise 3x3, then pointwise 1x1, each followed by batch norm and ReLU.

    in_channels, out_channels: of the input and of the output; H and W stay as they are.
    rate: the dilation of the 3x3, the distance between the places that its weights read.
    """

    def __init__(self, in_channels, out_channels, rate=1):
        super().__init__()
        ...

    def forward(self, x):
        ...
''',
    hints=(
        "One argument of `nn.Conv2d` cuts the channels into groups that do not see each other. How many groups leave "
        "each channel on its own? And how far does a 3x3 reach to each side when its weights lie `rate` places apart?",
        "The depthwise one goes from in_channels to in_channels with one group per channel, and both its padding and "
        "its dilation are the rate. The pointwise one is `nn.Conv2d(in_channels, out_channels, 1, bias=False)`. Each "
        "has a batch norm of its own, for as many channels as it gives.",
    ),
    reference=Reference,
    examine=_examine_separable_conv,
    moral=(
        "From 256 channels to 256 its two kernels hold 67,840 weights, where one ordinary 3x3 convolution has 589,824: "
        "nearly nine times as many."
    ),
)
