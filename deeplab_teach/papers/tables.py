"""The papers' printed figures, row by row, each with the model of ours that stands for it."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from deeplab_teach.backbones import mobilenet_v2, resnet101_beta, xception65
from deeplab_teach.backbones.resnet import BasicBlock, Bottleneck, ResNet
from deeplab_teach.heads import ClassificationHead, DeepLabV3Head, DeepLabV3PlusHead
from deeplab_teach.models import ImageClassifier, SegmentationModel, imagenet_classifier

SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)  # "MS" of DeepLabv3 and v3+
CITYSCAPES_SCALES = (0.75, 1.0, 1.25)


@dataclass(frozen=True)
class Row:
    """One printed figure.

    table: where it stands, `"DeepLabv3+ table 3"`.
    label: which row and column.
    paper: the figure as printed, so that its digits count: `"101.28"`.
    unit: `"G"` (10^9 multiply-adds) or `"M"` (10^6 parameters).
    build: makes the model; `None` for a row that is shown and not reproduced.
    key: rows of the same key share one model.
    image_size: height and width at scale 1.
    scales, flip: the sizes that are summed; a flip doubles the sum.
    tensorflow: counted TensorFlow's way.
    miou: what the paper reports for the row, in percent, where it does.
    reason: why ours differs, where it does.
    """

    table: str
    label: str
    paper: str
    unit: str
    build: Callable[[], nn.Module] | None
    key: str
    image_size: tuple[int, int] = (513, 513)
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    tensorflow: bool = True
    miou: float | None = None
    reason: str = ""


def deeplab(backbone: str, output_stride: int, *, decoder: bool = False, num_classes: int = 21, **options) -> Callable:
    """A builder of DeepLabv3 or, with `decoder`, DeepLabv3+, on a backbone's factory."""

    def build():
        body = backbone(output_stride=output_stride)
        head = (DeepLabV3PlusHead if decoder else DeepLabV3Head)(body.feature_specs, num_classes, **options)
        return SegmentationModel(body, head)

    return build


# DeepLabv3+ (Chen et al. 2018), tables 3 and 5: (evaluation output stride, decoder, separable, training or pretraining,
# then mIoU and billions of multiply-adds at 1 scale, with MS, with MS and F; None where the paper prints nothing).
TABLE_3 = (
    (16, False, False, "train OS 16", (77.21, "81.02"), None, None),
    (8, False, False, "train OS 16", (78.51, "276.18"), (79.45, "2435.37"), (79.77, "4870.59")),
    (16, True, False, "train OS 16", (78.85, "101.28"), (80.09, "898.69"), (80.22, "1797.23")),
    (8, True, False, "train OS 16", (79.35, "297.92"), (80.43, "2623.61"), (80.57, "5247.07")),
    (32, False, False, "train OS 32", (75.43, "52.43"), None, None),
    (32, True, False, "train OS 32", (77.37, "74.20"), None, None),
    (16, True, False, "train OS 32", (77.80, "101.28"), None, None),
    (8, True, False, "train OS 32", (77.92, "297.92"), None, None),
)
TABLE_5 = (
    (16, False, False, "ImageNet", (79.17, "68.00"), (80.57, "601.74"), (80.79, "1203.34")),
    (8, False, False, "ImageNet", (79.64, "240.85"), (81.15, "2149.91"), (81.34, "4299.68")),
    (16, True, False, "ImageNet", (79.93, "89.76"), (81.38, "790.12"), (81.44, "1580.10")),
    (8, True, False, "ImageNet", (80.22, "262.59"), (81.60, "2338.15"), (81.63, "4676.16")),
    (16, True, True, "ImageNet", (79.79, "54.17"), None, (81.21, "928.81")),
    (8, True, True, "ImageNet", (80.02, "177.10"), None, (81.39, "3055.35")),
    (16, True, True, "COCO", (82.20, "54.17"), None, (83.34, "928.81")),
    (8, True, True, "COCO", (82.45, "177.10"), None, (83.58, "3055.35")),
    (16, True, True, "COCO+JFT", (83.03, "54.17"), None, (84.22, "928.81")),
    (8, True, True, "COCO+JFT", (83.39, "177.10"), None, (84.56, "3055.35")),
)
OWN_INCONSISTENCY = (
    "the paper contradicts itself: in every other pair its decoder costs 21.8 G, here 20.3; its own MS figure for this "
    "network, 898.69, fits 102.6"
)


def _deeplabv3plus_rows(table, network, backbone, figures):
    for output_stride, decoder, separable, training, *columns in figures:
        options = {"decoder": decoder, "separable": separable}
        parts = f"OS {output_stride}{', decoder' if decoder else ''}{', separable' if separable else ''}"
        for name, column in zip(("1 scale", "MS", "MS+F"), columns, strict=True):
            if column is not None:
                yield Row(
                    table,
                    f"{network}, {parts}, {training}, {name}",
                    column[1],
                    "G",
                    deeplab(backbone, output_stride, **options),
                    f"{network} {parts}",
                    scales=(1.0,) if name == "1 scale" else SCALES,
                    flip=name == "MS+F",
                    miou=column[0],
                    reason=OWN_INCONSISTENCY if column[1] == "101.28" else "",
                )


def _mobilenet_rows():
    """MobileNetV2 (Sandler et al. 2018), table 7: parameters, one scale at OS 16, MS and flips at OS 8."""
    table, no_mobilenetv1 = "MobileNetV2 table 7", "not reproduced: the course has no MobileNetV1"
    for label, backbone, options, params, single, mious, many in (
        ("MobileNetV1 + ASPP", None, {}, "11.15", "14.25", (75.29, 78.56), "941.9"),
        ("MobileNetV2 + ASPP", mobilenet_v2, {}, "4.52", "5.8", (75.70, 78.42), "387"),
        ("MobileNetV2, no ASPP", mobilenet_v2, {"atrous_rates": ()}, "2.11", "2.75", (75.32, 77.33), "152.6"),
        ("ResNet-101 + ASPP", resnet101_beta, {}, "58.16", "81.0", (80.49, 82.70), "4870.6"),
    ):
        reason = "" if backbone else no_mobilenetv1
        at = {os: deeplab(backbone, os, **options) if backbone else None for os in (16, 8)}
        key = f"table 7 {label} OS"
        yield Row(table, f"{label}, parameters", params, "M", at[16], f"{key} 16", reason=reason)
        yield Row(table, f"{label}, OS 16, 1 scale", single, "G", at[16], f"{key} 16", miou=mious[0], reason=reason)
        many_scales = {"scales": SCALES, "flip": True, "miou": mious[1], "reason": reason}
        yield Row(table, f"{label}, OS 8, MS+F", many, "G", at[8], f"{key} 8", **many_scales)


def _cityscapes_rows():
    """The model zoo of the released TensorFlow code: 1025 x 2049 pixels, 19 classes."""
    xception = {"decoder": True, "separable": True}
    for label, backbone, options, single, many in (
        ("MobileNetV2, no ASPP", mobilenet_v2, {"atrous_rates": ()}, "21.27", "433.24"),
        ("Xception-65, decoder, separable", xception65, xception, "418.64", "8677.92"),
    ):
        at = {os: deeplab(backbone, os, num_classes=19, **options) for os in (16, 8)}
        common = {"image_size": (1025, 2049), "table": "TensorFlow model zoo, Cityscapes", "unit": "G"}
        key = f"Cityscapes {label} OS"
        yield Row(label=f"{label}, OS 16, 1 scale", paper=single, build=at[16], key=f"{key} 16", **common)
        scales = {"scales": CITYSCAPES_SCALES, "flip": True}
        yield Row(label=f"{label}, OS 8, 3 scales+F", paper=many, build=at[8], key=f"{key} 8", **scales, **common)


class OriginalBottleneck(Bottleneck):
    """The bottleneck as He et al. printed it: the first 1x1 strides. torchvision's strides in the 3x3 ("v1.5")."""

    def __init__(self, in_channels: int, channels: int, *, stride: int = 1, rate_in: int = 1, rate_out: int = 1):
        super().__init__(in_channels, channels, stride=stride, rate_in=rate_in, rate_out=rate_out)
        self.conv1 = nn.Conv2d(in_channels, channels, 1, stride, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=rate_in, dilation=rate_in, bias=False)


def _classifier_rows():
    """He et al. 2016, table 1 (and section 4.1 for VGG's cost); Simonyan & Zisserman 2015, table 2; Krizhevsky 2012."""

    def resnet(depth, block, depths):
        def build():
            backbone = ResNet(f"resnet{depth}", block, depths)
            return ImageClassifier(backbone, ClassificationHead(backbone.feature_specs, 1000))

        return build

    common = {"image_size": (224, 224), "tensorflow": False}
    for depth, block, depths, cost in (
        (18, BasicBlock, (2, 2, 2, 2), "1.8"),
        (34, BasicBlock, (3, 4, 6, 3), "3.6"),
        (50, OriginalBottleneck, (3, 4, 6, 3), "3.8"),
        (101, OriginalBottleneck, (3, 4, 23, 3), "7.6"),
        (152, OriginalBottleneck, (3, 8, 36, 3), "11.3"),
    ):
        label = f"ResNet-{depth}"
        yield Row("ResNet table 1", label, cost, "G", resnet(depth, block, depths), f"He's {label}", **common)
    not_alike = (
        "15.3 fits its convolutions alone (15.35), while the 19.6 beside it fits VGG-19 with its linear layers (19.63, "
        "without them 19.51): the two are not counted alike"
    )
    cut_off = "60 is rounded down: the network of 2012, with two columns, has 60.97, torchvision's one column 61.10"
    for name, table, paper, unit, reason in (
        ("vgg16", "ResNet section 4.1", "15.3", "G", not_alike),
        ("vgg19", "ResNet section 4.1", "19.6", "G", ""),
        ("vgg16", "VGG table 2", "138", "M", ""),
        ("vgg19", "VGG table 2", "144", "M", ""),
        ("alexnet", "AlexNet abstract", "60", "M", cut_off),
    ):
        build = lambda name=name: imagenet_classifier(name)
        yield Row(table, name, paper, unit, build, name, reason=reason, **common)


# Name on the command line -> rows.
TABLES = {
    "deeplabv3plus_table3": tuple(_deeplabv3plus_rows("DeepLabv3+ table 3", "ResNet-101", resnet101_beta, TABLE_3)),
    "deeplabv3plus_table5": tuple(_deeplabv3plus_rows("DeepLabv3+ table 5", "Xception-65", xception65, TABLE_5)),
    "mobilenetv2_table7": tuple(_mobilenet_rows()),
    "cityscapes": tuple(_cityscapes_rows()),
    "classifiers": tuple(_classifier_rows()),
}
