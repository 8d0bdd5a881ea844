"""ResNet (He et al. 2016, arXiv 1512.03385), as torchvision publishes it.

"v1.5": a bottleneck strides in its 3x3, where the paper strides in the first 1x1. Parameter names are torchvision's.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.layers import plan_strides, running_strides


def _conv3x3(in_channels, out_channels, *, stride=1, rate=1):
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=rate, dilation=rate, bias=False)


def _shortcut(in_channels, out_channels, stride, *, subsample=False):
    """The identity, or a 1x1 convolution where the block changes the shape (He et al., section 3.3, option B).

    With `subsample`, a block that changes the stride alone keeps every other value instead, without weights.
    """
    if in_channels == out_channels and stride == 1:
        return None
    if in_channels == out_channels and subsample:
        return nn.MaxPool2d(1, stride)
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
        nn.BatchNorm2d(out_channels),
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al., figure 5 left): ResNet-18 and -34.

    `rate_in` dilates the first 3x3, the one that may stride; `rate_out` the second.
    """

    expansion = 1

    def __init__(self, in_channels: int, channels: int, *, stride: int = 1, rate_in: int = 1, rate_out: int = 1):
        super().__init__()
        self.conv1 = _conv3x3(in_channels, channels, stride=stride, rate=rate_in)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv3x3(channels, channels, rate=rate_out)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.downsample = _shortcut(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))  # (N, channels, H/stride, W/stride)
        out = self.bn2(self.conv2(out))
        identity = x if self.downsample is None else self.downsample(x)
        return self.relu(out + identity)


class Bottleneck(nn.Module):
    """1x1 down, 3x3, 1x1 up, and a shortcut (He et al., figure 5 right): ResNet-50, -101, -152.

    Its only 3x3 is also the convolution that may stride, so it runs at `rate_in`; `rate_out` has nothing to dilate.
    `subsample` is the DeepLab papers': a shortcut that only strides has no weights.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        stride: int = 1,
        rate_in: int = 1,
        rate_out: int = 1,
        subsample: bool = False,
    ):
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv3x3(channels, channels, stride=stride, rate=rate_in)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()
        self.downsample = _shortcut(in_channels, out_channels, stride, subsample=subsample)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))  # (N, channels, H, W)
        out = self.relu(self.bn2(self.conv2(out)))  # (N, channels, H/stride, W/stride)
        out = self.bn3(self.conv3(out))  # (N, 4*channels, H/stride, W/stride)
        identity = x if self.downsample is None else self.downsample(x)
        return self.relu(out + identity)


def make_stage(
    block: type[nn.Module],
    in_channels: int,
    channels: int,
    depth: int,
    *,
    stride: int = 1,
    rate_in: int = 1,
    rate_out: int = 1,
) -> nn.Sequential:
    """A stage of `depth` blocks at one resolution, of which the first may stride.

    `(stride, rate_in, rate_out)` comes from `plan_strides`: where dilation has replaced a stride, the convolutions up
    to and including the one that would have strided still run at the old rate, and all later ones at the new.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        in_channels: of the stage's input.
        channels: width of the blocks; their output has `channels * block.expansion`.
    """
    first = block(in_channels, channels, stride=stride, rate_in=rate_in, rate_out=rate_out)
    width = channels * block.expansion
    return nn.Sequential(
        first, *(block(width, channels, rate_in=rate_out, rate_out=rate_out) for _ in range(depth - 1))
    )


class ResNet(Backbone):
    """A stem and four stages of residual blocks (He et al., table 1).

    Args:
        name: the published name, `"resnet50"`.
        block: `BasicBlock` or `Bottleneck`.
        depths: number of blocks of each stage, `(3, 4, 6, 3)` for ResNet-50.
        width: channels of the stem and of the first stage's blocks, 64 for the published weights.
        output_stride: 8, 16 or 32: the stride of `c5`; stages past it dilate instead of striding.

    Features: `c1` is the stem after its ReLU, before the pool (64 channels, stride 2); `c2..c5` are layer1..layer4.

    Raises:
        ValueError: an impossible `output_stride`, or an input that is not `(N, 3, H, W)` float.
    """

    def __init__(
        self, name: str, block: type[nn.Module], depths: Sequence[int], *, width: int = 64, output_stride: int = 32
    ):
        super().__init__()
        self.name = name
        plan = plan_strides((2, 2, 2, 2, 2), output_stride)  # the stem, then layer1 (with the pool) .. layer4
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.feature_specs = {"c1": FeatureSpec(width, 2)}
        in_channels = width
        for i, (depth, (stride, rate_in, rate_out)) in enumerate(zip(depths, plan[1:], strict=True), start=1):
            stride = 1 if i == 1 else stride  # layer1's stride is the pool's
            channels = width * 2 ** (i - 1)
            rates = {"rate_in": rate_in, "rate_out": rate_out}
            self.add_module(f"layer{i}", make_stage(block, in_channels, channels, depth, stride=stride, **rates))
            in_channels = channels * block.expansion
            self.feature_specs[f"c{i + 1}"] = FeatureSpec(in_channels, running_strides(plan)[i])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        self.check_image(x)
        c1 = self.relu(self.bn1(self.conv1(x)))  # (N, 64, H/2, W/2)
        c2 = self.layer1(self.maxpool(c1))  # (N, 256, H/4, W/4); 64 channels with BasicBlock, and so on
        c3 = self.layer2(c2)  # (N, 512, H/8, W/8)
        c4 = self.layer3(c3)  # (N, 1024, H/16, W/16)
        c5 = self.layer4(c4)  # (N, 2048, H/32, W/32)
        return {"c1": c1, "c2": c2, "c3": c3, "c4": c4, "c5": c5}


def resnet18(*, output_stride: int = 32) -> ResNet:
    """ResNet-18: 11.2 million backbone parameters (11.7 with torchvision's classifier)."""
    return ResNet("resnet18", BasicBlock, (2, 2, 2, 2), output_stride=output_stride)


def resnet34(*, output_stride: int = 32) -> ResNet:
    """ResNet-34: 21.3 million backbone parameters (21.8 with torchvision's classifier)."""
    return ResNet("resnet34", BasicBlock, (3, 4, 6, 3), output_stride=output_stride)


def resnet50(*, output_stride: int = 32) -> ResNet:
    """ResNet-50: 23.5 million backbone parameters (25.6 with torchvision's classifier)."""
    return ResNet("resnet50", Bottleneck, (3, 4, 6, 3), output_stride=output_stride)


def resnet101(*, output_stride: int = 32) -> ResNet:
    """ResNet-101: 42.5 million backbone parameters (44.5 with torchvision's classifier)."""
    return ResNet("resnet101", Bottleneck, (3, 4, 23, 3), output_stride=output_stride)


def resnet152(*, output_stride: int = 32) -> ResNet:
    """ResNet-152: 58.1 million backbone parameters (60.2 with torchvision's classifier)."""
    return ResNet("resnet152", Bottleneck, (3, 8, 36, 3), output_stride=output_stride)
