"""DeepLabv3's head (Chen et al. 2017, arXiv 1706.05587): ASPP, then a classifier at each position."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab_teach.features import FeatureSpec, dense_key, require_num_classes
from deeplab_teach.layers import SeparableConv2d, conv_bn_relu


def default_rates(stride: int) -> tuple[int, ...]:
    """ASPP's rates for a map of this stride: 6, 12, 18 at 16, doubled at 8 (DeepLabv3, section 3.3), halved at 32."""
    return tuple(max(1, rate * 16 // stride) for rate in (6, 12, 18))


class ImagePooling(nn.Sequential):
    """The whole map's average, mixed by a 1x1 convolution and spread over every position ("image-level features").

    Raises:
        ValueError: training on a batch of one.
    """

    def __init__(self, in_channels: int, channels: int):
        super().__init__(nn.AdaptiveAvgPool2d(1), *conv_bn_relu(in_channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] == 1 and self[2].training:
            raise ValueError(
                "image pooling cannot be trained on a batch of one image: it leaves a single value per channel, and "
                "batch norm needs two to measure a spread. Use a batch of 2 or more, or model.eval()."
            )
        pooled = super().forward(x)  # (N, channels, 1, 1)
        return F.interpolate(pooled, size=x.shape[-2:], mode="bilinear", align_corners=False)


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: the same map read at several rates side by side (DeepLabv3, section 3.3).

    Args:
        in_channels: channels of the map.
        atrous_rates: one 3x3 convolution per rate, beside a 1x1 and the image pooling.
        channels: width of every branch and of the output.
        separable: depthwise separable 3x3 convolutions (DeepLabv3+, section 3.1).
        dropout: share of channels to drop while training.

    `forward(x: (N, in_channels, h, w)) -> (N, channels, h, w)`.

    Raises:
        ValueError: training on a batch of one.
    """

    def __init__(
        self,
        in_channels: int,
        atrous_rates: Sequence[int],
        *,
        channels: int = 256,
        separable: bool = False,
        dropout: float = 0.1,
    ):
        super().__init__()
        conv3x3 = SeparableConv2d if separable else conv_bn_relu
        self.convs = nn.ModuleList(
            [
                conv_bn_relu(in_channels, channels, 1),
                *(conv3x3(in_channels, channels, 3, rate=rate) for rate in atrous_rates),
                ImagePooling(in_channels, channels),
            ]
        )
        self.project = nn.Sequential(
            *conv_bn_relu(len(self.convs) * channels, channels, 1),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        branches = torch.cat([conv(x) for conv in self.convs], dim=1)  # (N, 5*channels, h, w) with three rates
        return self.project(branches)  # (N, channels, h, w)


class DeepLabV3Head(nn.Module):
    """ASPP on the deepest map, then a 1x1 classifier.

    Args:
        feature_specs: what the backbone declares.
        num_classes: number of score maps, background included.
        deep: the feature map to read; `None` for the deepest.
        channels: width of ASPP, 256 in the paper.
        atrous_rates: `None` for 6, 12, 18 times 16 / stride of the map.
        separable: depthwise separable 3x3 convolutions.
        extra_conv: one more 3x3 after ASPP, as torchvision's published weights have; the paper has none.
        dropout: share of channels to drop while training.

    `forward(features) -> (N, num_classes, H/stride, W/stride)` raw scores.

    Raises:
        ValueError: no class; `deep` is no feature map of the backbone, or the map is a text's; training on a batch of
            one.
    """

    task = "segmentation"

    def __init__(
        self,
        feature_specs: dict[str, FeatureSpec],
        num_classes: int,
        *,
        deep: str | None = None,
        channels: int = 256,
        atrous_rates: Sequence[int] | None = None,
        separable: bool = False,
        extra_conv: bool = False,
        dropout: float = 0.1,
    ):
        super().__init__()
        require_num_classes(num_classes)
        self.num_classes = num_classes
        self.deep = self.answers_on = dense_key(feature_specs, deep)
        spec = feature_specs[self.deep]
        rates = default_rates(spec.stride) if atrous_rates is None else atrous_rates
        self.aspp = ASPP(spec.channels, rates, channels=channels, separable=separable, dropout=dropout)
        self.conv = conv_bn_relu(channels, channels, 3) if extra_conv else nn.Identity()
        self.classifier = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        x = self.aspp(features[self.deep])  # (N, channels, H/stride, W/stride)
        return self.classifier(self.conv(x))  # (N, num_classes, H/stride, W/stride)
