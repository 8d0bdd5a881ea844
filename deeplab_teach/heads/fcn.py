"""The FCN head (Long et al. 2015, arXiv 1411.4038), in the form torchvision publishes."""

import torch
from torch import Tensor, nn

from deeplab_teach.features import FeatureSpec, dense_key, require_num_classes
from deeplab_teach.layers import conv_bn_relu


def convolutionalise(linear: nn.Linear) -> nn.Conv2d:
    """A linear layer as a 1x1 convolution with the same weights: it then answers at each place of a map (section 3.1).

    Applied to a map that has been averaged to 1x1 it gives the linear layer's scores. A new layer; `linear` stays.
    """
    conv = nn.Conv2d(linear.in_features, linear.out_features, 1, bias=linear.bias is not None).to(linear.weight)
    with torch.no_grad():
        conv.weight.copy_(linear.weight[:, :, None, None])  # (out, in) -> (out, in, 1, 1)
        if linear.bias is not None:
            conv.bias.copy_(linear.bias)
    return conv


class FCNHead(nn.Module):
    """One 3x3 convolution and a classifier at each position: a plain dense head.

    Args:
        feature_specs: what the backbone declares.
        num_classes: number of score maps, background included.
        deep: the feature map to read; `None` for the deepest.
        channels: width of the 3x3 convolution; `None` for a quarter of the map's, as torchvision.
        dropout: share of channels to drop while training.

    `forward(features) -> (N, num_classes, H/stride, W/stride)` raw scores.

    Raises:
        ValueError: no class; `deep` is no feature map of the backbone, or the map is a text's.
    """

    task = "segmentation"

    def __init__(
        self,
        feature_specs: dict[str, FeatureSpec],
        num_classes: int,
        *,
        deep: str | None = None,
        channels: int | None = None,
        dropout: float = 0.1,
    ):
        super().__init__()
        require_num_classes(num_classes)
        self.num_classes = num_classes
        self.deep = self.answers_on = dense_key(feature_specs, deep)
        in_channels = feature_specs[self.deep].channels
        channels = channels or in_channels // 4
        self.conv = conv_bn_relu(in_channels, channels, 3)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        x = self.conv(features[self.deep])  # (N, channels, H/stride, W/stride)
        return self.classifier(self.dropout(x))  # (N, num_classes, H/stride, W/stride)
