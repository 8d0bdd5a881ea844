"""VGG (Simonyan & Zisserman 2015, arXiv 1409.1556), with torchvision's parameter names."""

from collections.abc import Sequence

from torch import Tensor, nn

from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.grids import Grid, of_patches
from deeplab_teach.layers import require_output_stride, run_with_taps

# Table 1 of the paper: how many 3x3 convolutions each of the five stages has.
DEPTHS = {
    "vgg11": (1, 1, 2, 2, 2),  # column A
    "vgg13": (2, 2, 2, 2, 2),  # B
    "vgg16": (2, 2, 3, 3, 3),  # D
    "vgg19": (2, 2, 4, 4, 4),  # E
}


class VGG(Backbone):
    """Five stages of 3x3 convolutions, each ended by a 2x2 pool. The three linear layers belong to the head.

    Args:
        name: a key of `DEPTHS`; with `_bn` at its end there is a batch norm after each convolution (not in the paper;
            torchvision's variant). Any other name will do where `depths` are given.
        depths: how many convolutions each stage has; `None` for those of `name`.
        width: channels of the first stage, 64 for the published weights. They double from stage to stage, up to eight
            times as many.
        output_stride: 32.

    Features: `c1..c5` are the outputs of the five pools: 64, 128, 256, 512, 512 channels. The pools round down: a map
    has floor(H / stride) rows, and the spec says the nominal stride.

    Raises:
        ValueError: an unknown name without `depths`, another `output_stride`, or an input that is not `(N, 3, H, W)`
            float with sides of 32 or more.
    """

    min_side = 32

    def __init__(self, name: str, *, depths: Sequence[int] | None = None, width: int = 64, output_stride: int = 32):
        super().__init__()
        require_output_stride(name, output_stride, 32, "its strides are pools, which dilation cannot replace here")
        self.name = name
        self.feature_specs = {}
        self.taps = {}  # module of `features` -> key of the map it gives
        if depths is None:
            if (plain := name.removesuffix("_bn")) not in DEPTHS:
                raise ValueError(f"unknown VGG {name!r}: give `depths`, or one of {', '.join(DEPTHS)}.")
            depths = DEPTHS[plain]
        layers, in_channels = [], 3
        for stage, depth in enumerate(depths, start=1):
            channels = width * min(2 ** (stage - 1), 8)
            for _ in range(depth):
                layers.append(nn.Conv2d(in_channels, channels, 3, padding=1))
                if name.endswith("_bn"):
                    layers.append(nn.BatchNorm2d(channels))
                layers.append(nn.ReLU(inplace=True))
                in_channels = channels
            layers.append(nn.MaxPool2d(2))
            self.taps[len(layers) - 1] = f"c{stage}"
            self.feature_specs[f"c{stage}"] = FeatureSpec(channels, 2**stage)
        self.features = nn.Sequential(*layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        self.check_image(x)
        return run_with_taps(self.features, x, self.taps)

    def grids(self, size: tuple[int, int]) -> dict[str, Grid]:
        return {key: of_patches(spec.stride) for key, spec in self.feature_specs.items()}


def vgg11(*, output_stride: int = 32) -> VGG:
    """VGG-11: 9.2 million backbone parameters (132.9 with its classifier)."""
    return VGG("vgg11", output_stride=output_stride)


def vgg11_bn(*, output_stride: int = 32) -> VGG:
    """VGG-11 with batch norm."""
    return VGG("vgg11_bn", output_stride=output_stride)


def vgg13(*, output_stride: int = 32) -> VGG:
    """VGG-13: 9.4 million backbone parameters (133.0 with its classifier)."""
    return VGG("vgg13", output_stride=output_stride)


def vgg16(*, output_stride: int = 32) -> VGG:
    """VGG-16: 14.7 million backbone parameters (138.4 with its classifier)."""
    return VGG("vgg16", output_stride=output_stride)


def vgg16_bn(*, output_stride: int = 32) -> VGG:
    """VGG-16 with batch norm."""
    return VGG("vgg16_bn", output_stride=output_stride)


def vgg19(*, output_stride: int = 32) -> VGG:
    """VGG-19: 20.0 million backbone parameters (143.7 with its classifier)."""
    return VGG("vgg19", output_stride=output_stride)
