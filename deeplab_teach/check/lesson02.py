"""Lesson 02: the residual block, a ResNet's table, and how much of the image one value has seen."""

import torch

from deeplab_teach.backbones.resnet import BasicBlock, Bottleneck, ResNet
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.functions import examine_function
from deeplab_teach.check.mistakes import mistakes
from deeplab_teach.check.modules import Case, examine_module
from deeplab_teach.check.run import Wrong, attempt, random_size
from deeplab_teach.layers import receptive_field as receptive_field_reference


def _examine_basic_block(answer):
    cases = [
        Case((n, c), {"stride": stride} if stride != 1 else {}, tuple(torch.randn(*size) for size in sizes))
        for n, c, stride, sizes in (
            (6, 6, 1, [(2, 6, 9, 11), (1, 6, 7, 4)]),
            (6, 10, 2, [(2, 6, 9, 11), (3, 6, 8, 6)]),
            (6, 10, 1, [(2, 6, 7, 6), (1, 6, 5, 5)]),
            (8, 8, 2, [(2, 8, 8, 10), (1, 8, 7, 7)]),
            (5, 3, 1, [(2, 5, 4, 6)]),
            (5, 5, 3, [(2, 5, 7, 8)]),
            (4, 7, 3, [(2, 4, *random_size(6, 12))]),
        )
    ]
    axes = "(N, channels, H/stride, W/stride), rounded up"
    examine_module(answer, BasicBlock, "BasicBlock", cases, BASIC_BLOCK_MISTAKES, axes=axes)


BASIC_BLOCK_MISTAKES = mistakes(r"""
The ReLU at the end is missing: it comes after the addition.
    self.relu(out + identity) => out + identity
A ReLU stands before the addition: then the block can only add to its input, never take away.
    self.relu(out + identity) => self.relu(out) + identity
The ReLU between the two convolutions is missing: without it they are one convolution.
    self.relu(self.bn1(self.conv1(x))) => self.bn1(self.conv1(x))
ReLU stands before its batch norm; asked is convolution, batch norm, ReLU.
    self.relu(self.bn1(self.conv1(x))) => self.bn1(self.relu(self.conv1(x)))
A ReLU stands on the shortcut: it passes the signal on as it is.
    else self.downsample(x) => else self.relu(self.downsample(x))
The shortcut is missing: your block is a plain stack of two convolutions.
    _shortcut(in_channels, channels, stride) => None
    out + identity => out
Where channels or size change, the input cannot simply be added: the shortcut needs a 1x1 convolution and a norm.
    _shortcut(in_channels, channels, stride) => None
Your shortcut has a convolution only where the channels change; where the block strides it needs one as well.
    , stride) => , stride) if in_channels != channels else None
Your shortcut has a convolution only where the block strides; where the channels change it needs one as well.
    , stride) => , stride) if stride != 1 else None
Your shortcut has a convolution even where nothing changes: there the signal must pass untouched.
    , stride) => , stride) or nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels))
The shortcut's convolution has no batch norm.
    , stride) => , stride) and nn.Conv2d(in_channels, channels, 1, stride, bias=False)
Convolutions of yours have a bias. The batch norm behind them takes it away again, with the mean: pass `bias=False`.
    _conv3x3(in_channels, channels, stride=stride, rate=rate_in) => nn.Conv2d(in_channels, channels, 3, stride, 1)
    _conv3x3(channels, channels, rate=rate_out) => nn.Conv2d(channels, channels, 3, 1, 1)
    or _conv3x3(in_channels, channels, stride=stride, rate=rate_in) => nn.Conv2d(in_channels, channels, 3, stride, 1)
    _conv3x3(channels, channels, rate=rate_out) => nn.Conv2d(channels, channels, 3, 1, 1)
    , stride) => , stride) and nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride), nn.BatchNorm2d(channels))
A 3x3 convolution without padding makes the map smaller by 2; then nothing fits the shortcut: padding=1.
    rate=rate_in) => rate=rate_in)\n        self.conv1.padding = 0
    rate=rate_out) => rate=rate_out)\n        self.conv2.padding = 0
Both 3x3 convolutions stride, so that the map shrinks by the stride squared. Only the first one does.
    rate=rate_out => stride=stride
Your second 3x3 convolution strides; in the published block it is the first one.
    stride=stride, rate=rate_in => rate=rate_in
    rate=rate_out => stride=stride
Where the block strides your two paths differ in size: the first 3x3 and the shortcut's 1x1 must stride alike.
    stride=stride, rate=rate_in => rate=rate_in
Your last convolution makes 4 * channels. That is the Bottleneck's habit; a BasicBlock's output has `channels`.
    (channels, channels, rate=rate_out) => (channels, 4 * channels)
    bn2 = nn.BatchNorm2d(channels) => bn2 = nn.BatchNorm2d(4 * channels)
    _shortcut(in_channels, channels, stride) => _shortcut(in_channels, 4 * channels, stride)
One batch norm serves both 3x3 convolutions. Their maps differ in mean and spread: each needs one of its own.
    bn2 = nn.BatchNorm2d(channels) => bn2 = self.bn1
There is no batch norm after your first convolution.
    bn1 = nn.BatchNorm2d(channels) => bn1 = nn.Identity()
There is no batch norm after your second convolution.
    bn2 = nn.BatchNorm2d(channels) => bn2 = nn.Identity()
""")

basic_block = Exercise(
    minutes=12,
    statement="""Write the residual block of ResNet-18: 3x3 convolution (it may stride), batch norm, ReLU, 3x3
        convolution, batch norm; add the shortcut; ReLU. The shortcut is the input, or where channels or size
        change a 1x1 convolution with the same stride and a batch norm. Convolutions have no bias.""",
    defaults={"stride": 1},
    hints=(
        """Two paths begin at `x` and meet in a sum. Write the long one first. Then ask for each case what the short one
        must do so that both have the same shape.""",
        """conv1 (stride, padding 1, no bias), bn1, ReLU, conv2 (padding 1, no bias), bn2; the shortcut `nn.Identity()`
        if nothing changes, else a 1x1 convolution with the stride and a batch norm; sum; ReLU.""",
    ),
    reference=BasicBlock,
    examine=_examine_basic_block,
    moral="Where the long path gives zero, the input passes: so a deeper network can imitate a shallower one.",
)


def _as_asked(network):
    """A ResNet as the exercise builds it: without a name, and with images that need no check."""

    class Asked(network):
        def __init__(self, block, depths, width=64):
            super().__init__("resnet", block, depths, width=width)

    return Asked


def _examine_resnet(answer):
    cases = [
        Case((block, depths), {"width": width}, tuple(torch.randn(*size) for size in sizes))
        for block, depths, width, sizes in (
            (BasicBlock, (1, 1, 1, 1), 4, [(2, 3, 33, 49), (1, 3, 64, 64)]),
            (Bottleneck, (2, 1, 1, 1), 3, [(2, 3, 34, 40)]),
            (BasicBlock, (1, 3, 1, 1), 5, [(2, 3, *random_size(32, 64))]),
        )
    ]
    axes = "(N, C, H/stride, W/stride), rounded up"
    examine_module(answer, ResNet, "MyResNet", cases, RESNET_MISTAKES, run="network(x)", axes=axes, adapt=_as_asked)
    wide = attempt("network(x)", answer(BasicBlock, (1, 1, 1, 1), 72), torch.zeros(2, 3, 32, 32))["c5"].shape[1]
    if wide != 576:
        raise Wrong(f"With `width=72` the last stage of yours has {wide} channels; it must have 8 * width.")


RESNET_MISTAKES = mistakes(r"""
The first stage strides in yours. The pool has halved its map already: only the last three stages stride.
    stride = 1 if i == 1 else stride => stride = 2
None of your stages strides; all but the first halve the map.
    stride = 1 if i == 1 else stride => stride = 1
Your stem's convolution does not stride; its stride is 2.
    7, stride=2, padding=3 => 7, padding=3
The padding of your 7x7 convolution does not keep its middle on the image's border: a 7x7 sticks out by 3.
    7, stride=2, padding=3 => 7, stride=2, padding=1
Your pool has no padding, so that it loses a place at the border.
    (3, stride=2, padding=1) => (3, stride=2)
The width is the same in all stages; each has twice that of the one before.
    width * 2 ** (i - 1) => width
The widths are one doubling too large: the first stage is as wide as the stem.
    2 ** (i - 1) => 2**i
Your later blocks read `channels` channels; the block before gives them `block.expansion` times as many.
    make_stage(block, in_channels, channels, depth, stride=stride, **rates) => nn.Sequential(block(in_channels,
        channels, stride=stride), *(block(channels, channels) for _ in range(depth - 1)))
    in_channels = channels * block.expansion => in_channels = channels
A 4 is written out where `block.expansion` belongs: a BasicBlock's is 1.
    in_channels = channels * block.expansion => in_channels = 4 * channels
Your stages have one block too many: `depth` counts the first one as well.
    channels, depth, stride => channels, depth + 1, stride
""")

resnet = Exercise(
    minutes=10,
    statement="""Fill in the blanks of a ResNet that takes either block, any depths and any width, so that with the same
        weights it gives the same five maps as the package's (and torchvision's). The stem has `width` channels;
        the blocks of the four stages have once, twice, four and eight times as many.""",
    defaults={"width": 64},
    hints=(
        """Go along the table of section 4. After the stem's convolution and its pool the map has a quarter of the
        image's rows; after the four stages it has a quarter, an eighth, a sixteenth, a thirty-second.""",
        """A kernel of 7 sticks out by 3, one of 3 by 1. The width doubles with `i`. Only the first stage does not
        stride. What a block gives, `channels * block.expansion`, the next one reads; `depth` counts the first too.""",
    ),
    blanks="""`2`, `3`, `2`, `1`, `width * 2**i`, `2 if i else 1`, `channels * block.expansion`, `depth - 1`""",
    reference=ResNet,
    examine=_examine_resnet,
    as_answer=_as_asked,
    moral="""Five numbers and a block are a ResNet: depths and width. Published weights fit wherever these agree.""",
)


def _examine_receptive_field(answer):
    draw = lambda low, high: int(torch.randint(low, high, ()))
    calls = [
        [(3, 1, 1)],
        [(3, 1, 1), (3, 1, 1)],
        [(3, 2, 1), (3, 1, 1)],
        [(7, 2, 1), (3, 2, 1), (3, 1, 1), (3, 1, 1)],  # a ResNet's stem and its first block
        [(2, 2, 1), (4, 3, 2), (3, 1, 1)],  # even kernels, as in VGG's pools
        [(3, 2, 1), (3, 1, 2), (1, 2, 1), (5, 1, 1)],
        [(3, 2, 2), (3, 2, 1), (3, 2, 3), (3, 1, 1)],
        [(1, 4, 1), (3, 1, 3)],
        [],
        [(draw(1, 8), draw(1, 4), draw(1, 5)) for _ in range(draw(3, 9))],
    ]
    example, advice = "receptive_field(layers)", "Do the layers one by one: add, then stride."
    calls = [(layers,) for layers in calls]
    examine_function(answer, receptive_field_reference, example, calls, RECEPTIVE_FIELD_MISTAKES, advice=advice)


RECEPTIVE_FIELD_MISTAKES = mistakes(r"""
Field and step are swapped: the field comes first.
    return field, step => return step, field
Your function returns after the first layer: the `return` stands inside the loop.
    stride\n    return => stride\n        return
A layer adds its whole kernel; but its first weight reads a place that is counted already: kernel_size - 1.
    (kernel_size - 1) => kernel_size
The 1 is taken off after the rate; it is the kernel's kernel_size - 1 gaps that the rate widens.
    rate * (kernel_size - 1) => (rate * kernel_size - 1)
Strides do not change the field in yours. After a stride of 2 every later kernel reaches twice as far.
    (kernel_size - 1) * step => (kernel_size - 1)
The rate is left out.
    rate * (kernel_size - 1) => (kernel_size - 1)
A layer's own stride makes its own kernel reach further in yours: use the step first, then multiply it.
    (kernel_size - 1) * step => (kernel_size - 1) * step * stride
You begin at 0: without any layer a place has seen itself, one place.
    field, step = 1, 1 => field, step = 0, 1
Strides are added; two strides of 2 make 4 only by luck, three make 8 and not 6. Multiply them.
    step *= stride => step += stride - 1
The step stays 1 in yours: it is the product of all strides.
    step *= stride => pass
The step is multiplied by the rate; only strides move neighbours apart.
    step *= stride => step *= stride * rate
Your kernels' reach is rounded: a kernel of 2 has one gap, one of 3 has two.
    (kernel_size - 1) => 2 * (kernel_size // 2)
""")

receptive_field = Exercise(
    minutes=5,
    statement="""Compute along one side how many input places one output value has seen, and how far apart two
        neighbouring output values look. `layers` lists (kernel_size, stride, rate) of each layer, in order.""",
    hints=(
        """Keep two numbers and update them layer by layer: how much has been seen, and how far apart neighbours lie.
        Without any layer both are 1.""",
        """A kernel has kernel_size - 1 gaps, each `rate` places of the map below, and each of those is `step` input
        places. Add that first; then the stride moves the neighbours apart.""",
    ),
    reference=receptive_field_reference,
    examine=_examine_receptive_field,
    moral="""A value of `c5` of ResNet-50 has seen 427 pixels along each side: more than a 224 pixel image has.""",
)
