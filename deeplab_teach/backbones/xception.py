"""Aligned Xception, as DeepLabv3+ changed it (Chen et al. 2018, section 3.2 and figure 4), with timm's parameter names.

Every pool of the original (Chollet 2017, arXiv 1610.02357) became a separable convolution that strides. Published
weights and the released code have batch norm after each depthwise convolution, a ReLU there in the last block alone.
"""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.layers import plan_strides, running_strides

# Widths of a block's three separable convolutions, and the stride of the last of them.
ENTRY = (((128, 128, 128), 2), ((256, 256, 256), 2), ((728, 728, 728), 2))
ENTRY_71 = (ENTRY[0], ((256, 256, 256), 1), ENTRY[1], ((728, 728, 728), 1), ENTRY[2])
MIDDLE = ((728, 728, 728), 1)
EXIT = (((728, 1024, 1024), 2), ((1536, 1536, 2048), 1))


def _batch_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3)


def _conv_bn(in_channels, out_channels, kernel_size, *, stride=1):
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False)
    return OrderedDict(conv=conv, bn=_batch_norm(out_channels))


def _conv_bn_relu(*args, **options):
    return nn.Sequential(OrderedDict(**_conv_bn(*args, **options), act=nn.ReLU(inplace=True)))


def _separable(in_channels, out_channels, *, stride, rate, activate):
    """Depthwise 3x3, then pointwise 1x1, a batch norm after each, and a ReLU too if `activate`."""
    depthwise = nn.Conv2d(
        in_channels, in_channels, 3, stride, padding=rate, dilation=rate, groups=in_channels, bias=False
    )
    pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
    layers = OrderedDict(conv_dw=depthwise, bn_dw=_batch_norm(in_channels), act_dw=nn.ReLU(inplace=True))
    layers |= OrderedDict(conv_pw=pointwise, bn_pw=_batch_norm(out_channels), act_pw=nn.ReLU(inplace=True))
    return nn.Sequential(OrderedDict((key, m) for key, m in layers.items() if activate or not key.startswith("act")))


class XceptionBlock(nn.Module):
    """Three separable convolutions, a ReLU before each, and a shortcut around them; the last one may stride.

    Args:
        channels: widths of the three.
        rate: dilates all three: each stands before the stride or takes it.
        project: a 1x1 convolution on the shortcut, where the width or the nominal stride changes. A block whose stride
            dilation has replaced keeps it: the published weights have it.
        last: the network's last block, which has no shortcut, and ReLUs after each convolution instead of before.

    `forward(x) -> (output, tap)`: the tap is what goes into the third convolution, the last map before the stride.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        *,
        stride: int = 1,
        rate: int = 1,
        project: bool = False,
        last: bool = False,
    ):
        super().__init__()
        self.shortcut = None
        self.last = last
        if project and not last:
            self.shortcut = nn.Sequential(_conv_bn(in_channels, channels[-1], 1, stride=stride))
        self.stack = nn.Sequential()
        for i, width in enumerate(channels, start=1):
            if not last:  # the first one must not overwrite the input, which the shortcut reads
                self.stack.add_module(f"act{i}", nn.ReLU(inplace=i > 1))
            own_stride = stride if i == len(channels) else 1
            conv = _separable(in_channels, width, stride=own_stride, rate=rate, activate=last)
            self.stack.add_module(f"conv{i}", conv)
            in_channels = width

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        tap = self.stack[:-1](x)  # (N, channels[1], H, W)
        out = self.stack[-1](tap)  # (N, channels[2], H/stride, W/stride)
        if not self.last:
            out = out + (x if self.shortcut is None else self.shortcut(x))
        return out, tap


class Xception(Backbone):
    """Entry flow, middle flow and exit flow.

    Args:
        name: the published name, `"xception65"`.
        entry: the blocks of the entry flow.
        middle: the number of blocks of the middle flow: 8 (Xception-41) or 16.
        output_stride: 8, 16 or 32: the stride of `c5`.

    Features: `c1..c4` are the last maps before each stride, inside the blocks that stride: 128, 256, 728, 1024
    channels; `c5` is the output, 2048. Images are scaled to -1..1 (`normalize`).

    Raises:
        ValueError: an impossible `output_stride`, or an input that is not `(N, 3, H, W)` float.
    """

    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)

    def __init__(self, name: str, entry: Sequence[tuple], middle: int, *, output_stride: int = 32):
        super().__init__()
        self.name = name
        table = (*entry, *[MIDDLE] * middle, *EXIT)
        plan = plan_strides((2, *(stride for _, stride in table)), output_stride)
        strides = running_strides(plan)
        self.stem = nn.Sequential(_conv_bn_relu(3, 32, 3, stride=2), _conv_bn_relu(32, 64, 3))
        self.blocks = nn.Sequential()
        self.taps = {}  # number of a block that strides -> key of the map inside it
        self.feature_specs = {}
        in_channels = 64
        for i, ((channels, nominal_stride), (stride, rate, _)) in enumerate(zip(table, plan[1:], strict=True)):
            last = i == len(table) - 1
            project = nominal_stride > 1 or in_channels != channels[-1]
            block = XceptionBlock(in_channels, channels, stride=stride, rate=rate, project=project, last=last)
            self.blocks.append(block)
            if nominal_stride > 1:
                self.taps[i] = f"c{len(self.taps) + 1}"
                self.feature_specs[self.taps[i]] = FeatureSpec(channels[1], strides[i])
            in_channels = channels[-1]
        self.feature_specs["c5"] = FeatureSpec(in_channels, strides[-1])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        self.check_image(x)
        x = self.stem(x)  # (N, 64, H/2, W/2)
        features = {}
        for i, block in enumerate(self.blocks):
            x, tap = block(x)
            if i in self.taps:
                features[self.taps[i]] = tap
        return {**features, "c5": x}


def xception41(*, output_stride: int = 32) -> Xception:
    """Aligned Xception-41: 24.9 million backbone parameters."""
    return Xception("xception41", ENTRY, 8, output_stride=output_stride)


def xception65(*, output_stride: int = 32) -> Xception:
    """Aligned Xception-65, DeepLabv3+'s best on PASCAL VOC: 37.9 million backbone parameters (39.9 with classifier)."""
    return Xception("xception65", ENTRY, 16, output_stride=output_stride)


def xception71(*, output_stride: int = 32) -> Xception:
    """Aligned Xception-71: two more blocks in the entry flow."""
    return Xception("xception71", ENTRY_71, 16, output_stride=output_stride)
