"""The classification head: feature maps in, one score per class out."""

from torch import Tensor, nn

from deeplab_teach.features import FeatureSpec, high_key


class ClassificationHead(nn.Module):
    """Average each channel over the whole map, then one linear layer (Lin et al. 2014, Network in Network, 3.2).

    Args:
        feature_specs: what the backbone declares.
        num_classes: number of scores.
        high: the feature map to read; `None` for the deepest.
        hidden_channels: widen to this many channels by a 1x1 convolution, batch norm and ReLU6 before the average, as
            MobileNetV2 and EfficientNet do (1280); `None` for no such layer, as ResNet.
        dropout: share of the averaged channels to drop while training.
        bn_eps: the batch norm's epsilon; EfficientNet's published weights use 1e-3.

    `forward(features) -> (N, num_classes)` raw scores.

    Raises:
        ValueError: `high` is no feature map of the backbone.
    """

    def __init__(
        self,
        feature_specs: dict[str, FeatureSpec],
        num_classes: int,
        *,
        high=None,
        hidden_channels=None,
        dropout=0.0,
        bn_eps=1e-5,
    ):
        super().__init__()
        self.high = high_key(feature_specs, high)
        channels = feature_specs[self.high].channels
        self.conv = nn.Identity()
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
        x = self.conv(features[self.high])  # (N, channels, H/32, W/32)
        x = x.mean(dim=(2, 3))  # (N, channels): where it was is forgotten here
        return self.classifier(self.dropout(x))  # (N, num_classes)
