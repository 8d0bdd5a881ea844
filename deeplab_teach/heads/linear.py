"""The smallest dense head there is: the "linear probe" with which people ask what a backbone already knows."""

from torch import Tensor, nn

from deeplab_teach.features import FeatureSpec, dense_key, require_num_classes


class LinearHead(nn.Module):
    """One 1x1 convolution: each position of the map is classified from its own channels alone.

    Args:
        feature_specs: what the backbone declares.
        num_classes: number of score maps, background included.
        deep: the feature map to read; `None` for the deepest.

    `forward(features) -> (N, num_classes, H/stride, W/stride)` raw scores.

    Raises:
        ValueError: no class; `deep` is no feature map of the backbone, or the map is a text's.
    """

    task = "segmentation"

    def __init__(self, feature_specs: dict[str, FeatureSpec], num_classes: int, *, deep: str | None = None):
        super().__init__()
        require_num_classes(num_classes)
        self.num_classes = num_classes
        self.deep = self.answers_on = dense_key(feature_specs, deep)
        self.classifier = nn.Conv2d(feature_specs[self.deep].channels, num_classes, 1)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        return self.classifier(features[self.deep])  # (N, num_classes, H/stride, W/stride)
