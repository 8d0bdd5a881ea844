"""MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381), with torchvision's parameter names."""

from torch import Tensor, nn

from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.layers import dilated_kernel, plan_strides, run_with_taps, running_strides

# Table 2 of the paper. The 320 -> 1280 convolution that follows belongs to the classification head.
TABLE = (
    # t (expansion), c (channels), n (blocks), s (stride)
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# Module of `features` -> the map it gives: the last one of each resolution.
TAPS = {1: "c1", 3: "c2", 6: "c3", 13: "c4", 17: "c5"}


def make_divisible(value: float, divisor: int = 8) -> int:
    """Round a channel count to a multiple of `divisor`, never more than 10 % down (released TensorFlow code)."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def _conv_bn_relu6(in_channels, out_channels, kernel_size=3, *, stride=1, groups=1, rate=1):
    _, padding = dilated_kernel(kernel_size, rate)
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, dilation=rate, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """Widen (1x1), look around (depthwise 3x3), narrow again without a ReLU (1x1); a shortcut where shapes allow.

    "Inverted": the shortcut joins the narrow ends, where a ResNet bottleneck joins the wide ones (section 3.3).
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1, expansion: int = 6, rate: int = 1):
        super().__init__()
        hidden = in_channels * expansion
        self.has_shortcut = stride == 1 and in_channels == out_channels
        widen = [_conv_bn_relu6(in_channels, hidden, 1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *widen,
            _conv_bn_relu6(hidden, hidden, 3, stride=stride, groups=hidden, rate=rate),
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(x)  # (N, out_channels, H/stride, W/stride)
        return x + out if self.has_shortcut else out


class MobileNetV2(Backbone):
    """A strided convolution and seventeen inverted residuals.

    Args:
        width_mult: multiplies every channel count (the paper's width multiplier), rounded to a multiple of 8; 1.0 for
            the published weights.
        output_stride: 8, 16 or 32: the stride of `c5`.

    Features (width 1.0): `c1` 16, `c2` 24, `c3` 32, `c4` 96, `c5` 320 channels.

    Raises:
        ValueError: an impossible `output_stride`, or an input that is not `(N, 3, H, W)` float.
    """

    def __init__(self, *, width_mult: float = 1.0, output_stride: int = 32):
        super().__init__()
        self.name = "mobilenet_v2" if width_mult == 1.0 else f"mobilenet_v2_{width_mult:g}"
        plan = plan_strides((2, *(s for _, _, _, s in TABLE)), output_stride)
        in_channels = make_divisible(32 * width_mult)
        features = [_conv_bn_relu6(3, in_channels, stride=2)]
        specs = [FeatureSpec(in_channels, 2)]  # one per module of `features`
        strides = running_strides(plan)
        for i, (t, c, n, _) in enumerate(TABLE, start=1):
            stride, rate_in, rate_out = plan[i]
            channels = make_divisible(c * width_mult)
            for block in range(n):
                first = block == 0
                features.append(
                    InvertedResidual(
                        in_channels,
                        channels,
                        stride=stride if first else 1,
                        expansion=t,
                        rate=rate_in if first else rate_out,
                    )
                )
                specs.append(FeatureSpec(channels, strides[i]))
                in_channels = channels
        self.features = nn.Sequential(*features)
        self.feature_specs = {key: specs[i] for i, key in TAPS.items()}
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        self.check_image(x)
        return run_with_taps(self.features, x, TAPS)


def mobilenet_v2(*, width_mult: float = 1.0, output_stride: int = 32) -> MobileNetV2:
    """MobileNetV2: 1.8 million backbone parameters at width 1.0 (3.5 with torchvision's classifier)."""
    return MobileNetV2(width_mult=width_mult, output_stride=output_stride)
