"""The ResNet of the DeepLab papers ("beta"; released TensorFlow code, `resnet_v1_beta.py`).

It differs from torchvision's in three things: the stem is three 3x3 convolutions instead of one 7x7; a stage strides in
its *last* unit instead of its first; and the units of the last stage have rates of their own, the *multi-grid*
(DeepLabv3, Chen et al. 2017, section 3.2). No weights of it are published for PyTorch; its multiply-adds are those of
the papers' tables.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from deeplab_teach.backbones.resnet import Bottleneck
from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.layers import conv_bn_relu, plan_strides, running_strides


class ResNetBeta(Backbone):
    """Three 3x3 convolutions, a pool, and four stages of bottlenecks.

    Args:
        name: `"resnet101_beta"`.
        depths: number of units of each stage.
        multi_grid: each unit of the last stage multiplies its rate by its number, at every output stride. It has as
            many numbers as the last stage has units.
        output_stride: 8, 16 or 32: the stride of `c5`.

    Features: `c1` is the stem before the pool (128 channels); `c2..c4` are what goes into the unit that strides (256,
    512, 1024 channels); `c5` is the last stage's output (2048).

    Raises:
        ValueError: an impossible `output_stride`, a stage of one unit, a `multi_grid` of another length, or an input
            that is not `(N, 3, H, W)` float.
    """

    def __init__(
        self, name: str, depths: Sequence[int], *, multi_grid: Sequence[int] = (1, 2, 4), output_stride: int = 32
    ):
        super().__init__()
        if len(multi_grid) != depths[-1]:
            raise ValueError(
                f"multi_grid must give one rate to each of the {depths[-1]} last units, got {multi_grid!r}."
            )
        if min(depths) < 2:
            raise ValueError(f"a stage has 2 units or more, of which the last one strides, got {tuple(depths)}.")
        self.name = name
        plan = plan_strides((2, 2, 2, 2, 2, 1), output_stride)  # the stem, the pool, layer1 .. layer4
        strides = running_strides(plan)
        self.conv1 = nn.Sequential(*conv_bn_relu(3, 64, stride=2), *conv_bn_relu(64, 64), *conv_bn_relu(64, 128))
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.feature_specs = {"c1": FeatureSpec(128, strides[0])}
        in_channels = 128
        for i, depth in enumerate(depths, start=1):
            stride, rate, _ = plan[i + 1]  # the unit that strides is the last one: all of the stage runs at `rate_in`
            channels = 64 * 2 ** (i - 1)
            grid = multi_grid if i == len(depths) else (1,) * depth
            units = []
            for unit, own_rate in enumerate(grid):
                last = unit == depth - 1
                units.append(
                    Bottleneck(
                        in_channels, channels, stride=stride if last else 1, rate_in=rate * own_rate, subsample=True
                    )
                )
                in_channels = channels * Bottleneck.expansion
            self.add_module(f"layer{i}", nn.Sequential(*units))
            self.feature_specs[f"c{i + 1}"] = FeatureSpec(in_channels, strides[i if i < len(depths) else i + 1])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        self.check_image(x)
        c1 = self.conv1(x)  # (N, 128, H/2, W/2)
        c2 = self.layer1[:-1](self.maxpool(c1))  # (N, 256, H/4, W/4)
        c3 = self.layer2[:-1](self.layer1[-1](c2))  # (N, 512, H/8, W/8)
        c4 = self.layer3[:-1](self.layer2[-1](c3))  # (N, 1024, H/16, W/16)
        c5 = self.layer4(self.layer3[-1](c4))  # (N, 2048, H/32, W/32)
        return {"c1": c1, "c2": c2, "c3": c3, "c4": c4, "c5": c5}


def resnet50_beta(*, multi_grid: Sequence[int] = (1, 2, 4), output_stride: int = 32) -> ResNetBeta:
    """ResNet-50 as in the DeepLab papers."""
    return ResNetBeta("resnet50_beta", (3, 4, 6, 3), multi_grid=multi_grid, output_stride=output_stride)


def resnet101_beta(*, multi_grid: Sequence[int] = (1, 2, 4), output_stride: int = 32) -> ResNetBeta:
    """ResNet-101 as in the DeepLab papers: 42.6 million parameters."""
    return ResNetBeta("resnet101_beta", (3, 4, 23, 3), multi_grid=multi_grid, output_stride=output_stride)
