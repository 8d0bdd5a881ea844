"""Lesson 02: the residual block of ResNet-18 and -34."""

import torch
from torch import nn

from deeplab_teach.backbones.resnet import BasicBlock as Reference
from deeplab_teach.check.attempt import Raised, Wrong, attempt, build, own_module_class
from deeplab_teach.check.blocks import require_no_bias
from deeplab_teach.check.compare import copy_weights, randomise, require_same
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.watch import require_gradients

BUILD, RUN = "BasicBlock({0}, {1}, stride={2})", "block(x)"
CASES = ((6, 6, 1, (9, 11)), (6, 10, 2, (9, 11)), (6, 10, 1, (7, 6)), (8, 8, 2, (8, 10)))  # in, out, stride, size


def _examine_basic_block(answer):
    own_module_class(answer, "BasicBlock", nn.Module)
    for in_channels, channels, stride, size in CASES:
        block = build(answer, BUILD.format(in_channels, channels, stride), in_channels, channels, stride=stride)
        reference = Reference(in_channels, channels, stride=stride)
        x = torch.randn(2, in_channels, *size)
        changes = in_channels != channels or stride != 1
        _explain_layers(block, stride, changes)
        output = _run(block, x, changes)
        randomise(block)
        for training in (False, True):
            copy_weights(block, reference)
            given = x.clone()
            output = attempt(RUN, block.train(training), given)
            if not torch.equal(given, x):
                raise Wrong("Your block changes its input in place; the shortcut and others read it too.")
            reference.train(training)
            require_same(
                output,
                reference(x),
                what=f"your block's output in {'training' if training else 'evaluation'} mode",
                axes="(N, channels, H/stride, W/stride), rounded up",
                mistakes=_mistakes(reference, x),
            )
        require_gradients(block, output)


def _explain_layers(block, stride, changes):
    convolutions = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    require_no_bias(convolutions)
    large = [conv for conv in convolutions if conv.kernel_size == (3, 3)]
    if len(large) != 2:
        raise Wrong(f"Asked are two 3x3 convolutions; your block has {len(large)}.")
    if any(conv.padding not in ((1, 1), "same") for conv in large):
        raise Wrong(
            "A 3x3 convolution without padding makes the map smaller by 2; then nothing fits the shortcut: padding=1."
        )
    strides = [conv.stride[0] for conv in large]
    if strides == [stride, stride] and stride != 1:
        raise Wrong(
            "Both 3x3 convolutions stride, so that the map shrinks by the stride squared. Only the first one does."
        )
    if strides == [1, stride] and stride != 1:
        raise Wrong("Your second 3x3 convolution strides; in the published block it is the first one.")
    if strides != [stride, 1]:
        raise Wrong(
            f"Your 3x3 convolutions have the strides {strides}, where the block was built with stride={stride}."
        )
    small = [conv for conv in convolutions if conv.kernel_size == (1, 1)]
    if small and not changes:
        raise Wrong(
            "Your shortcut has a convolution even where the block keeps channels and size. There it is the input "
            "itself: that the signal can pass untouched is the point."
        )
    if small and small[0].stride[0] != stride:
        raise Wrong("The 1x1 convolution on your shortcut does not stride, so that the two paths differ in size.")
    norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
    if len(norms) < len(convolutions):
        raise Wrong(
            f"Your block has {len(convolutions)} convolutions but only {len(norms)} with a batch norm. Each needs one "
            "of its own, a convolution on the shortcut too."
        )


def _run(block, x, changes):
    try:
        return attempt(RUN, block, x.clone())
    except Raised as raised:
        if changes and "must match the size" in str(raised.error):
            sentence = (
                "Where the number of channels or the size changes, the input cannot simply be added: the shortcut "
                "needs a 1x1 convolution with the same stride, and a batch norm."
            )
            raise raised.named(sentence) from None
        raise


@torch.no_grad()
def _mistakes(block, x):
    """`(sentence, the output after it)`. Running batch norm again is safe: it uses the batch, or changes nothing."""
    identity = x if block.downsample is None else block.downsample(x)
    first = block.bn1(block.conv1(x))
    out = block.bn2(block.conv2(first.relu()))
    yield "The ReLU at the end is missing: it comes after the addition.", out + identity
    early = "A ReLU stands before the addition: then the block can only add to its input, never take away."
    yield early, out.relu() + identity
    yield early, (out.relu() + identity).relu()
    yield "The shortcut is missing: your block is a plain stack of two convolutions.", out.relu()
    yield "The shortcut is missing, and so is the last ReLU.", out
    linear = block.bn2(block.conv2(first))
    yield (
        "The ReLU between the two convolutions is missing: without it they are one convolution.",
        (linear + identity).relu(),
    )
    yield "The input is subtracted; it is added.", (out - identity).relu()
    yield "The two paths are multiplied; they are added.", (out * identity).relu()
    unnormed = block.bn2(block.conv2(block.conv1(x).relu()))
    yield "The first batch norm is not used.", (unnormed + identity).relu()
    yield "The second batch norm is not used.", (block.conv2(first.relu()) + identity).relu()
    if block.downsample is not None:
        conv, norm = block.downsample
        yield "The shortcut's batch norm is not used.", (out + conv(x)).relu()
        yield "A ReLU stands on the shortcut: it passes the signal on as it is.", (out + norm(conv(x)).relu()).relu()


basic_block = Exercise(
    name="basic_block",
    lesson="02",
    minutes=12,
    statement=(
        "Write the residual block of ResNet-18: 3x3 convolution (it may stride), batch norm, ReLU, 3x3 convolution, "
        "batch norm; add the shortcut; ReLU. The shortcut is the input, or where channels or size change a 1x1 "
        "convolution with the same stride and a batch norm. Convolutions have no bias."
    ),
    stub='''class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut around them (ResNet-18 and -34).

    in_channels, channels: of the input and of the output.
    stride: of the first convolution; the block's output has ceil(H / stride) rows.
    """

    def __init__(self, in_channels, channels, stride=1):
        super().__init__()
        ...

    def forward(self, x):
        ...
''',
    hints=(
        "Two paths begin at `x` and meet in a sum. Write the long one first. Then ask for each case what the short one "
        "must do so that both have the same shape.",
        "In `__init__`: conv1 (stride, padding 1, no bias), bn1, conv2 (padding 1), bn2, and a shortcut that is "
        "`nn.Identity()` if nothing changes, else a 1x1 convolution with the stride and a batch norm. The last ReLU "
        "comes after the sum.",
    ),
    reference=Reference,
    examine=_examine_basic_block,
    moral=(
        "Where the long path gives zero, the block passes its input on, so a deeper network can imitate a shallower "
        "one. Training need not find that, but it begins close to it."
    ),
)
