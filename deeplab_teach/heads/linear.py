"""The smallest dense head there is: the "linear probe" with which people ask what a backbone already knows."""

from torch import Tensor, nn

from deeplab_teach.features import FeatureSpec, dense_key


class LinearHead(nn.Module):
    """One 1x1 convolution: each position of the map is classified from its own channels alone.

    Args:
        feature_specs: what the backbone declares.
        num_classes: number of score maps, background included.
        high: the feature map to read; `None` for the deepest.

    `forward(features) -> (N, num_classes, H/stride, W/stride)` raw scores.

    Raises:
        ValueError: `high` is no feature map of the backbone.
    """

    def __init__(self, feature_specs: dict[str, FeatureSpec], num_classes: int, *, high=None):
        super().__init__()
        self.high = dense_key(feature_specs, high)
        self.classifier = nn.Conv2d(feature_specs[self.high].channels, num_classes, 1)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        return self.classifier(features[self.high])  # (N, num_classes, H/stride, W/stride)
