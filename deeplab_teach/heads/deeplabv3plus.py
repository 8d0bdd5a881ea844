"""DeepLabv3+'s head (Chen et al. 2018, arXiv 1802.02611): ASPP and a decoder that brings back the outlines."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab_teach.features import FeatureSpec, dense_key, low_level_key, require_num_classes
from deeplab_teach.grids import Grid, resample
from deeplab_teach.heads.deeplabv3 import ASPP, default_rates
from deeplab_teach.layers import SeparableConv2d, conv_bn_relu


class DeepLabV3PlusHead(nn.Module):
    """ASPP on the deepest map, joined with an early one by a small decoder (section 3.1, figure 2).

    Args:
        feature_specs: what the backbone declares.
        num_classes: number of score maps, background included.
        deep: the feature map ASPP reads; `None` for the deepest.
        low_level: the feature map with the outlines; `None` for the one of stride 4.
        channels: width of ASPP and of the decoder, 256 in the paper.
        low_level_channels: the early map is narrowed to this many, 48 in the paper (table 1), so that it does not
            outweigh ASPP's.
        atrous_rates: `None` for 6, 12, 18 times 16 / stride of the `deep` map.
        separable: depthwise separable 3x3 convolutions in ASPP and decoder.
        dropout: share of channels to drop while training.

    `forward(features, grids=None) -> (N, num_classes, H/4, W/4)` raw scores, on the grid of `low_level`. With the
    backbone's `grids` the deep map is laid onto the early one place by place; without, border on border.

    Raises:
        ValueError: no class; a key is no feature map of the backbone, none has stride 4, or the maps are a text's;
            training on a batch of one.
    """

    task = "segmentation"
    joins_grids = True

    def __init__(
        self,
        feature_specs: dict[str, FeatureSpec],
        num_classes: int,
        *,
        deep: str | None = None,
        low_level: str | None = None,
        channels: int = 256,
        low_level_channels: int = 48,
        atrous_rates: Sequence[int] | None = None,
        separable: bool = False,
        dropout: float = 0.1,
    ):
        super().__init__()
        require_num_classes(num_classes)
        self.num_classes = num_classes
        self.deep = dense_key(feature_specs, deep)
        self.low_level = self.answers_on = low_level_key(feature_specs, low_level)
        spec = feature_specs[self.deep]
        rates = default_rates(spec.stride) if atrous_rates is None else atrous_rates
        conv3x3 = SeparableConv2d if separable else conv_bn_relu
        self.aspp = ASPP(spec.channels, rates, channels=channels, separable=separable, dropout=dropout)
        self.low_level_project = conv_bn_relu(feature_specs[self.low_level].channels, low_level_channels, 1)
        self.decoder = nn.Sequential(
            conv3x3(channels + low_level_channels, channels, 3),
            conv3x3(channels, channels, 3),
        )
        self.classifier = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features: dict[str, Tensor], grids: dict[str, Grid] | None = None) -> Tensor:
        x = self.aspp(features[self.deep])  # (N, 256, H/16, W/16)
        low = self.low_level_project(features[self.low_level])  # (N, 48, H/4, W/4)
        if grids is None:
            x = F.interpolate(x, size=low.shape[-2:], mode="bilinear", align_corners=False)  # (N, 256, H/4, W/4)
        else:
            x = resample(x, grids[self.deep], low.shape[-2:], onto=grids[self.low_level])  # (N, 256, H/4, W/4)
        x = self.decoder(torch.cat([x, low], dim=1))  # (N, 304, H/4, W/4) -> (N, 256, H/4, W/4)
        return self.classifier(x)  # (N, num_classes, H/4, W/4)
