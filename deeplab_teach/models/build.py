"""Models from names: which class, which output stride and which pyramid a pair of backbone and head asks for."""

import inspect

from torch import nn

from deeplab_teach.backbones import BACKBONES, FIXED_STRIDES, VGGS
from deeplab_teach.features import Backbone, SequenceBackbone, require_num_classes
from deeplab_teach.heads import HEADS, DeepLabV3PlusHead, FCNHead
from deeplab_teach.models.compose import Detector, ImageClassifier, SegmentationModel
from deeplab_teach.models.rcnn import faster_rcnn, mask_rcnn
from deeplab_teach.necks import Pyramid, with_pyramid

# Detectors of torchvision's, which bring heads of their own.
RCNNS = {"faster_rcnn": faster_rcnn, "mask_rcnn": mask_rcnn}
# What a backbone and a head become, by the head's task.
MODELS = {"classification": ImageClassifier, "segmentation": SegmentationModel, "detection": Detector}


def build_model(
    backbone: str | Backbone | SequenceBackbone,
    head: str | type[nn.Module],
    num_classes: int,
    *,
    output_stride: int | None = None,
    aligned: bool = False,
    auxiliary: str | None = None,
    out_channels: int = 256,
    **head_options,
) -> nn.Module:
    """Any backbone under any head, by names, as a command line or a widget gives them, or yours. Nothing is loaded.

    Under a detection head, and under DeepLabv3+ where the backbone gives one map alone (ViT), stands the pyramid that
    fits the backbone.

    Args:
        backbone: a key of `BACKBONES`, or a backbone that is built already.
        head: a key of `HEADS`, `"faster_rcnn"` or `"mask_rcnn"` (torchvision's), or a class of your own that is called
            in the same way and declares its `task`.
        num_classes: scores per image (classification), per pixel or per box (both with background).
        output_stride: 8, 16 or 32; `None` for 16 under a dense head and 32 under any other, or the only one there is.
        aligned: of a `SegmentationModel`: each score where its place lies in the image.
        auxiliary: of a `SegmentationModel`: the backbone's map, such as `"c4"`, that a second head, an `FCNHead`,
            reads while training.
        out_channels: width of the pyramid, where one is put between backbone and head.
        head_options: passed to the head, for example `channels=96, atrous_rates=(2, 4, 6)`.

    Returns:
        An `ImageClassifier`, a `SegmentationModel` or a `Detector`, as the head's task says; or torchvision's R-CNN.

    Raises:
        ValueError: an unknown name, an impossible output stride or number of classes, an option that the head does not
            have, a head without a `task`, a backbone whose maps the head cannot read, or `aligned` or `auxiliary` with
            a head that is not dense.
    """
    if isinstance(head, str) and head in RCNNS:
        if aligned or auxiliary:
            raise ValueError(f"aligned and auxiliary are of dense heads, which answer for each pixel; {head} does not.")
        return RCNNS[head](_body(backbone, output_stride, 32), num_classes, out_channels=out_channels, **head_options)
    make_head: type = head if isinstance(head, type) else _known({**HEADS, **RCNNS}, head, "head")
    head_name = head.__name__ if isinstance(head, type) else head
    if (task := getattr(make_head, "task", None)) not in MODELS:
        raise ValueError(f"a head declares its task, one of {', '.join(MODELS)}; {head_name} does not.")
    require_num_classes(num_classes)
    parameters = list(inspect.signature(make_head).parameters.values())[2:]  # after feature_specs and num_classes
    options = [parameter.name for parameter in parameters]
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    if not takes_any and (unknown := [option for option in head_options if option not in options]):
        raise ValueError(f"the head {head_name!r} has no option {', '.join(unknown)}; it has: {', '.join(options)}.")
    body = _body(backbone, output_stride, 16 if task == "segmentation" else 32)
    if task == "detection" and not isinstance(body, Pyramid):
        body = with_pyramid(body, extra="convs", finest=8, out_channels=out_channels)
    elif issubclass(make_head, DeepLabV3PlusHead) and len(body.feature_specs) == 1 and isinstance(body, Backbone):
        body = with_pyramid(body, out_channels=out_channels)
    built = make_head(body.feature_specs, num_classes, **head_options)
    if task == "segmentation":
        second = FCNHead(body.feature_specs, num_classes, deep=auxiliary) if auxiliary else None
        return SegmentationModel(body, built, auxiliary=second, aligned=aligned)
    if aligned or auxiliary:
        raise ValueError(
            f"aligned and auxiliary are of dense heads, which answer for each pixel; {head_name} does {task}."
        )
    return MODELS[task](body, built)


def _body(backbone, output_stride, default):
    """A backbone by name, or the one that is given."""
    if not isinstance(backbone, nn.Module):
        factory = _known(BACKBONES, backbone, "backbone")
        return factory(output_stride=FIXED_STRIDES.get(backbone, default) if output_stride is None else output_stride)
    if output_stride is not None:
        raise ValueError("a backbone that is built already has its output stride: leave output_stride out.")
    return backbone


def _known(table: dict, name: str, kind: str):
    if name not in table:
        raise ValueError(f"unknown {kind} {name!r}; there are: {', '.join(table)}.")
    return table[name]


# What stands between the published backbone and its 1000 ImageNet scores.
_IMAGENET_HEADS = {
    "mobilenet_v2": {"hidden_channels": 1280, "dropout": 0.2},
    "efficientnet_lite0": {"hidden_channels": 1280, "dropout": 0.2, "bn_eps": 1e-3},
    "efficientnet_lite2": {"hidden_channels": 1280, "dropout": 0.3, "bn_eps": 1e-3},
    "alexnet": {"head": "fully_connected", "grid": 6, "dropout_first": True},
    **dict.fromkeys(VGGS, {"head": "fully_connected"}),
}


def imagenet_classifier(backbone: str, *, output_stride: int | None = None) -> ImageClassifier:
    """The classifier that a backbone was published in, untrained: fill it with `load_weights(model)`.

    The exception is ViT, whose published classifier reads the one token that stands for the image: here its patches'
    tokens are averaged, and its head must be trained. Backbones that `WEIGHTS` does not list have none to fill in.

    Raises:
        ValueError: an unknown backbone, or an impossible output stride.
    """
    options: dict = {"head": "classification"} | _IMAGENET_HEADS.get(backbone, {})
    model = build_model(backbone, num_classes=1000, output_stride=output_stride, **options)
    assert isinstance(model, ImageClassifier)
    return model


def split_classifier(model: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Cut a published ResNet classifier in two: `head(backbone(x)) == model(x)`, with the same weights.

    Everything before the average over positions is the backbone; the average and what follows is the head.
    """
    layers = dict(model.named_children())
    head = nn.Sequential(layers.pop("avgpool"), nn.Flatten(), layers.pop("fc"))
    backbone = nn.Sequential(*layers.values())
    return backbone, head


def is_deeplabv3plus(model: nn.Module) -> bool:
    """Whether a model is DeepLabv3+: the head decides, whatever the backbone."""
    return isinstance(model, SegmentationModel) and isinstance(model.head, DeepLabV3PlusHead)
