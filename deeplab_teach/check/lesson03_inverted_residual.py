"""Lesson 03: the block of MobileNetV2."""

import torch
import torch.nn.functional as F
from torch import nn

from deeplab_teach.backbones.mobilenetv2 import InvertedResidual as Reference
from deeplab_teach.check.attempt import own_module_class
from deeplab_teach.check.blocks import (
    build_block,
    convolutions,
    explained,
    require_like,
    require_norms,
    require_weights,
    run,
)
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.lesson03_inverted_residual_layers import explain_kinds, explain_settings, explain_widths

RUN = "block(x)"
# in, out, what is passed, size.
CASES = (
    (6, 6, {"stride": 1, "expansion": 6}, (9, 11)),
    (5, 8, {"stride": 2, "expansion": 6}, (9, 12)),
    (6, 6, {"stride": 2, "expansion": 3}, (8, 11)),
    (6, 10, {"stride": 1, "expansion": 4}, (7, 6)),
    (7, 7, {"stride": 1, "expansion": 1}, (6, 9)),
    (8, 5, {"stride": 1, "expansion": 1}, (10, 7)),
    (4, 4, {}, (7, 8)),
)


def _examine_inverted_residual(answer):
    own_module_class(answer, "InvertedResidual", nn.Module)
    for in_channels, out_channels, passed, size in CASES:
        block, call = build_block(answer, in_channels, out_channels, **passed)
        reference = Reference(in_channels, out_channels, **passed)
        stride, expansion = passed.get("stride", 1), passed.get("expansion", 6)
        x = 4 * torch.randn(2, in_channels, *size)
        output, error, used = run(block, RUN, x)
        require_weights(block)
        convs = convolutions(block, used)
        # Fewer convolutions but as many weights: a linear layer or a function may do the work.
        if len(convs) >= 2 + (expansion != 1) or len(block.state_dict()) != len(reference.state_dict()):
            names = explain_kinds(convs, call, in_channels, out_channels, expansion)
            explain_widths(convs, call, in_channels, out_channels, expansion)
            has_size = isinstance(output, torch.Tensor) and output.shape[2:] == reference(x).shape[2:]
            explain_settings(convs, call, stride, has_size)
            require_norms(block, used, names)
        if error:
            raise _named(error, call, stride, in_channels == out_channels)
        axes = "(N, out_channels, H/stride, W/stride), rounded up"
        require_like(block, reference, RUN, x, used=used, mistakes=_mistakes, axes=axes, wider=4)


def _named(raised, call, stride, same_channels):
    if "must match the size" not in str(raised.error):
        return explained(raised)
    if stride == 1 and same_channels:
        return raised.named(f"After `{call}` the two maps that you add differ in size.")
    why = "a stride makes the map smaller than the input" if same_channels else "the channels differ from the input's"
    return raised.named(f"After `{call}` {why}, and you add the input all the same. Such a block has no shortcut.")


@torch.no_grad()
def _mistakes(block, x):
    """`(sentence, the output after it)`. Running batch norm again is safe: it uses the batch, or changes nothing."""
    *widen, (look, norm, _), last, norm_last = block.conv
    six, relu, same = F.relu6, torch.relu, lambda x: x
    short = x if block.has_shortcut else 0

    def path(first=six, second=six, norms=(None, norm, norm_last)):  # what follows the first two convolutions
        y = first((norms[0] or widen[0][1])(widen[0][0](x))) if widen else x
        return norms[2](last(second(norms[1](look(y)))))

    right = path()
    for act in (six, relu):
        yield (
            "An activation stands after the last batch norm, where it throws away what is negative in a narrow map.",
            act(right) + short,
        )
        yield "An activation stands after the sum; here the sum is what the block gives.", act(right + short)
    if block.has_shortcut:
        yield (
            "The shortcut is missing: with a stride of 1 and as many channels out as in, the input is added.",
            right,
        )
        yield "You subtract; the input and what the block computes are added.", x - right
        yield "You subtract; the input and what the block computes are added.", right - x
        yield "You multiply by the input; it is added.", right * x
    elif x.shape[1] == right.shape[1]:
        smaller = (x[..., ::2, ::2], F.avg_pool2d(x, 2, ceil_mode=True), F.max_pool2d(x, 2, ceil_mode=True))
        for picked in (*smaller, F.interpolate(x, size=right.shape[2:])):
            yield "With a stride of 2 you add the input made smaller; such a block has no shortcut.", right + picked
    plain = "An activation of yours is a plain ReLU; asked is ReLU6, which cuts off above 6 as well."
    none = "An activation is missing: a ReLU6 follows each batch norm but the last."
    for sentence, act in ((plain, relu), (none, same)):
        yield sentence, path(first=act, second=act) + short
        yield sentence, path(second=act) + short
        if widen:
            yield sentence, path(first=act) + short
    unused = "batch norm is built but not used."
    if widen:
        yield f"The first {unused}", path(norms=(same, norm, norm_last)) + short
    yield f"The depthwise convolution's {unused}", path(norms=(None, same, norm_last)) + short
    yield f"The last {unused}", path(norms=(None, norm, same)) + short
    swapped = "ReLU6 stands before its batch norm; asked is convolution, batch norm, ReLU6."
    late = {"second": norm, "norms": (None, six, norm_last)}
    yield swapped, path(**late) + short
    if widen:
        yield swapped, path(first=widen[0][1], norms=(six, norm, norm_last)) + short
        yield swapped, path(first=widen[0][1], second=norm, norms=(six, six, norm_last)) + short


inverted_residual = Exercise(
    name="inverted_residual",
    lesson="03",
    minutes=12,
    statement=(
        "Write the block of MobileNetV2: a 1x1 convolution to in_channels * expansion channels, batch norm, ReLU6; a "
        "depthwise 3x3 (it may stride), batch norm, ReLU6; a 1x1 convolution to out_channels and batch norm, without "
        "an activation. Where the stride is 1 and the channels stay, the input is added. With expansion 1 the first "
        "1x1 is left out, with its batch norm and ReLU6. Convolutions have no bias."
    ),
    stub='''class InvertedResidual(nn.Module):
    """Narrow to wide (1x1), a depthwise 3x3, wide to narrow (1x1), and a shortcut (MobileNetV2).

    in_channels, out_channels: of the input and of the output, the narrow ends.
    stride: of the depthwise convolution; the output has ceil(H / stride) rows.
    expansion: how many times as many channels the wide map has as the input.
    """

    def __init__(self, in_channels, out_channels, stride=1, expansion=6):
        super().__init__()
        ...

    def forward(self, x):
        ...
''',
    hints=(
        "Write the long path first, as a list of layers: with an expansion of 1 the list begins at the depthwise "
        "convolution. Then ask when its output and `x` have the same shape.",
        "With `wide` for in_channels * expansion the path goes in_channels -> wide -> wide -> out_channels; the middle "
        "one has the stride, padding=1 and groups=wide. In `forward` add `x` if the stride is 1 and the channels stay; "
        "nothing else stands on the shortcut or after the sum.",
    ),
    reference=Reference,
    examine=_examine_inverted_residual,
    moral=(
        "Blocks hand on only narrow maps, and the wide one lives inside a block: that saves memory when the network is "
        "used on a small device."
    ),
)
