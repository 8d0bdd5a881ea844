"""The classification heads: feature maps in, one score per class out."""

import torch
from torch import Tensor, nn

from deeplab_teach.features import FeatureSpec, SequenceSpec, deep_key, dense_key, require_num_classes


class ClassificationHead(nn.Module):
    """Average each channel over the whole map, then one linear layer (Lin et al. 2014, Network in Network, 3.2).

    It takes a text's tokens as well as an image's map; where the features hold a `mask`, it averages what that keeps.

    Args:
        feature_specs: what the backbone declares.
        num_classes: number of scores.
        deep: the feature map to read; `None` for the deepest.
        hidden_channels: widen to this many channels by a 1x1 convolution, batch norm and ReLU6 before the average, as
            MobileNetV2 and EfficientNet do (1280); `None` for no such layer, as ResNet.
        dropout: share of the averaged channels to drop while training.
        bn_eps: the batch norm's epsilon; EfficientNet's published weights use 1e-3.

    `forward(features) -> (N, num_classes)` raw scores.

    Raises:
        ValueError: no class; `deep` is no feature map of the backbone, or `hidden_channels` with a text's tokens.
    """

    task = "classification"

    def __init__(
        self,
        feature_specs: dict[str, FeatureSpec],
        num_classes: int,
        *,
        deep: str | None = None,
        hidden_channels: int | None = None,
        dropout: float = 0.0,
        bn_eps: float = 1e-5,
    ):
        super().__init__()
        require_num_classes(num_classes)
        self.num_classes = num_classes
        self.deep = deep_key(feature_specs, deep)
        channels = feature_specs[self.deep].channels
        self.conv = nn.Identity()
        if hidden_channels is not None and isinstance(feature_specs[self.deep], SequenceSpec):
            raise ValueError("hidden_channels needs a map with rows and columns, and this backbone gives text tokens.")
        if hidden_channels is not None:
            self.conv = nn.Sequential(
                nn.Conv2d(channels, hidden_channels, 1, bias=False),
                nn.BatchNorm2d(hidden_channels, eps=bn_eps),
                nn.ReLU6(inplace=True),
            )
            channels = hidden_channels
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        x = self.conv(features[self.deep])  # (N, channels, H/32, W/32), or (N, channels, T) for text
        x = masked_mean(x, features.get("mask"))  # (N, channels): where it was is forgotten here
        return self.classifier(self.dropout(x))  # (N, num_classes)


def masked_mean(x: Tensor, kept: Tensor | None = None) -> Tensor:
    """Mean over all places `(N, C, ...) -> (N, C)`; with `kept`, bool `(N, T)`, over the places that it keeps."""
    if kept is None:
        return x.mean(dim=tuple(range(2, x.dim())))
    weight = kept[:, None].to(x)  # (N, 1, T)
    return (x * weight).sum(dim=2) / weight.sum(dim=2)  # (N, C)


class FullyConnectedHead(nn.Module):
    """Three linear layers over every value of the map, as AlexNet and VGG end; most of their parameters are here.

    Args:
        feature_specs: what the backbone declares.
        num_classes: number of scores.
        deep: the feature map to read; `None` for the deepest.
        grid: the map is averaged to `grid` x `grid` places first, since a linear layer takes a fixed number of values:
            7 in VGG, 6 in AlexNet.
        hidden_channels: width of the first two layers.
        dropout: share of values to drop while training.
        dropout_first: dropout before each of the first two linear layers (AlexNet) instead of after (VGG).

    `forward(features) -> (N, num_classes)` raw scores.

    Raises:
        ValueError: no class; `deep` is no feature map of the backbone, or the map is a text's.
    """

    task = "classification"

    def __init__(
        self,
        feature_specs: dict[str, FeatureSpec],
        num_classes: int,
        *,
        deep: str | None = None,
        grid: int = 7,
        hidden_channels: int = 4096,
        dropout: float = 0.5,
        dropout_first: bool = False,
    ):
        super().__init__()
        require_num_classes(num_classes)
        self.num_classes = num_classes
        self.deep = dense_key(feature_specs, deep)
        self.pool = nn.AdaptiveAvgPool2d(grid)
        first = nn.Linear(feature_specs[self.deep].channels * grid * grid, hidden_channels)
        second = nn.Linear(hidden_channels, hidden_channels)
        layers = []
        for linear in (first, second):
            block = [linear, nn.ReLU(inplace=True)]
            layers += [nn.Dropout(dropout), *block] if dropout_first else [*block, nn.Dropout(dropout)]
        self.classifier = nn.Sequential(*layers, nn.Linear(hidden_channels, num_classes))

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        x = self.pool(features[self.deep])  # (N, channels, grid, grid)
        return self.classifier(torch.flatten(x, 1))  # (N, num_classes)
