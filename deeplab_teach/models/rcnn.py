"""Our backbones inside torchvision's Faster R-CNN (Ren et al. 2015) and Mask R-CNN (He et al. 2017, 1703.06870)."""

from torch import Tensor, nn

from deeplab_teach.features import Backbone, require_num_classes
from deeplab_teach.necks import Pyramid, with_pyramid


def faster_rcnn(
    backbone: Backbone,
    num_classes: int,
    *,
    out_channels: int = 256,
    anchor_scale: int = 8,
    box_channels: int = 1024,
    **options,
) -> nn.Module:
    """torchvision's Faster R-CNN on a backbone of ours: boxes and classes.

    Args:
        backbone: any image backbone; the pyramid that fits it is put on. A `Pyramid` is taken as it is.
        num_classes: background included, as torchvision counts.
        out_channels: width of the pyramid that is put on.
        anchor_scale: side of a map's anchors in strides of that map: 8 gives 32 pixels at stride 4, as the FPN paper.
        box_channels: width of the two linear layers that every region goes through.
        options: for `torchvision.models.detection.FasterRCNN`, for example `min_size=160` (it resizes images to
            800 pixels by default) or `box_detections_per_img=20`.

    Returns:
        A module that takes a list of images `(3, H, W)` in 0..1, and when training a list of targets
        `{"boxes", "labels"}` too. It normalises the images as the backbone needs.

    Raises:
        ValueError: fewer than two classes, or a backbone that no pyramid fits.
    """
    from torchvision.models.detection import FasterRCNN

    require_num_classes(num_classes, 2)
    body = _pyramid(backbone, out_channels)
    return FasterRCNN(body, **_common(body, num_classes, anchor_scale, box_channels), **options)


def mask_rcnn(
    backbone: Backbone,
    num_classes: int,
    *,
    out_channels: int = 256,
    anchor_scale: int = 8,
    box_channels: int = 1024,
    mask_channels: int = 256,
    **options,
) -> nn.Module:
    """torchvision's Mask R-CNN on a backbone of ours: boxes, classes, and a mask for each box.

    Arguments as for `faster_rcnn`, and `mask_channels`, the width of the mask head's convolutions. Targets hold
    `"masks"` `(n, H, W)` besides.
    """
    from torchvision.models.detection import MaskRCNN
    from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
    from torchvision.ops import MultiScaleRoIAlign

    require_num_classes(num_classes, 2)
    body = _pyramid(backbone, out_channels)
    mask_pool = MultiScaleRoIAlign(_pooled(body), output_size=14, sampling_ratio=2)
    return MaskRCNN(
        body,
        mask_roi_pool=mask_pool,
        mask_head=MaskRCNNHeads(body.out_channels, (mask_channels,) * 4, dilation=1),
        mask_predictor=MaskRCNNPredictor(mask_channels, mask_channels, num_classes),
        **_common(body, num_classes, anchor_scale, box_channels),
        **options,
    )


def _pyramid(backbone, out_channels):
    return (
        backbone if isinstance(backbone, Pyramid) else with_pyramid(backbone, out_channels=out_channels, extra="pool")
    )


def _pooled(body):
    """The maps that boxes are cut out of: all but the extra ones on top, which only propose."""
    return [key for key in body.feature_specs if key not in body.extra_keys]


def _common(body, num_classes, anchor_scale, box_channels):
    """What torchvision must be told: one size of anchor per map, which maps to cut boxes out of, and the widths."""
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.models.detection.rpn import AnchorGenerator
    from torchvision.ops import MultiScaleRoIAlign

    side = 7  # of the square that a region becomes
    sizes = tuple((anchor_scale * spec.stride,) for spec in body.feature_specs.values())
    return {
        "image_mean": list(body.mean),
        "image_std": list(body.std),
        "rpn_anchor_generator": AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes)),
        "box_roi_pool": MultiScaleRoIAlign(_pooled(body), output_size=side, sampling_ratio=2),
        "box_head": TwoMLPHead(body.out_channels * side**2, box_channels),
        "box_predictor": FastRCNNPredictor(box_channels, num_classes),
    }


class FixedProposals(nn.Module):
    """A Faster or Mask R-CNN without its choices: the same layers, run on a fixed number of empty boxes.

    How many boxes the second stage looks at depends on the image. Here it is given, so that shapes and cost can be told
    without one: `count(FixedProposals(model), (800, 800))`. What it computes means nothing.

    Args:
        model: from `faster_rcnn` or `mask_rcnn`.
        proposals: boxes that the box head looks at, 1000 in the papers' tests.
        detected: boxes that get a mask, 100.
    """

    def __init__(self, model: nn.Module, *, proposals: int = 1000, detected: int = 100):
        super().__init__()
        self.backbone = model.backbone
        self.proposals, self.detected = proposals, detected
        roi = model.roi_heads
        self.box_size = roi.box_roi_pool.output_size
        self.mask_size = roi.mask_roi_pool.output_size if roi.has_mask() else None
        self.head = nn.ModuleDict({"rpn": model.rpn.head, "box": nn.Sequential(roi.box_head, roi.box_predictor)})
        if roi.has_mask():
            self.head["mask"] = nn.Sequential(roi.mask_head, roi.mask_predictor)

    def forward(self, x: Tensor) -> dict[str, object]:
        channels = self.backbone.out_channels
        answers = {"rpn": self.head["rpn"](list(self.backbone(x).values()))}
        answers["box"] = self.head["box"](x.new_zeros(self.proposals, channels, *self.box_size))
        if "mask" in self.head:
            answers["mask"] = self.head["mask"](x.new_zeros(self.detected, channels, *self.mask_size))
        return answers
