"""AlexNet (Krizhevsky et al. 2012), in the one-column form that torchvision publishes (Krizhevsky 2014, 1404.5997)."""

from torch import Tensor, nn

from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.grids import Grid
from deeplab_teach.layers import require_output_stride, run_with_taps

# Module of `features` -> the map it gives: the three pools.
TAPS = {2: "c3", 5: "c4", 12: "c5"}


class AlexNet(Backbone):
    """Five convolutions and three pools. The three linear layers, most of the parameters, belong to the head.

    Features: `c3` 64, `c4` 192, `c5` 256 channels, after the pools; there is no map of stride 2 or 4, since the first
    convolution strides by 4 and a pool follows. Convolutions and pools round down, so that a map is up to two rows
    smaller than its spec says.

    Raises:
        ValueError: an `output_stride` other than 32, or an input that is not `(N, 3, H, W)` float with sides of 63 or
            more.
    """

    min_side = 63

    def __init__(self, *, output_stride: int = 32):
        super().__init__()
        require_output_stride("alexnet", output_stride, 32, "its strides are pools, which dilation cannot replace here")
        self.name = "alexnet"
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        self.feature_specs = {"c3": FeatureSpec(64, 8), "c4": FeatureSpec(192, 16), "c5": FeatureSpec(256, 32)}

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        self.check_image(x)
        return run_with_taps(self.features, x, TAPS)

    def grids(self, size: tuple[int, int]) -> dict[str, Grid]:
        # The first kernel of 11 with a padding of 2 has its middle on pixel 3, and each pool looks one place further.
        return {key: Grid(spec.stride, spec.stride - 1, spec.stride - 1) for key, spec in self.feature_specs.items()}


def alexnet(*, output_stride: int = 32) -> AlexNet:
    """AlexNet: 2.5 million backbone parameters (61.1 with its classifier)."""
    return AlexNet(output_stride=output_stride)
