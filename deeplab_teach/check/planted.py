"""A tutorial with planted faults, for lesson 13: each of them runs without an error and costs accuracy, or honesty."""

from collections.abc import Callable, Iterable

import torch.nn.functional as F
from torch import Tensor, nn

from deeplab_teach.backbones import resnet18
from deeplab_teach.features import Backbone
from deeplab_teach.heads import FCNHead
from deeplab_teach.metrics import iou
from deeplab_teach.models import SegmentationModel

FAULTS = ("rate", "labels", "normalisation", "background", "batch norm")
SCALES = (((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))  # (mean, std)


class Tutorial:
    """How somebody trains a segmentation network and judges it. Its faults, if it has any, raise no error.

    Args:
        faults: which ones to plant, names out of `FAULTS`; none for a sound tutorial.
        make_backbone: gives a backbone of some `output_stride`, always with the same weights if it brings any.
        num_classes: background, class 0, included.
        size: side of the square images in training.

    Attributes:
        before_dilation: the backbone as its weights were published: at output stride 32, in eval mode.
        backbone: the same weights at output stride 16, with a last stage that dilates. Fault "rate": the first block of
            that stage runs at the new rate as a whole, although one of its convolutions still reads the old grid.
        model: that backbone with a head, in training mode.
        batch_size: images in a step. Fault "batch norm": a single one, while batch norms are in training mode.

    Raises:
        ValueError: a fault of another name.
    """

    def __init__(
        self,
        faults: Iterable[str] = (),
        *,
        make_backbone: Callable[..., Backbone] = resnet18,
        num_classes: int = 6,
        size: int = 65,
    ):
        self.__planted = frozenset(faults)  # two underscores: a diagnosis cannot read it by that name
        if unknown := self.__planted - set(FAULTS):
            raise ValueError(f"faults must be among {', '.join(FAULTS)}; got {', '.join(map(repr, sorted(unknown)))}.")
        self.size = size
        self.before_dilation = make_backbone(output_stride=32).eval()
        for norm in self.before_dilation.modules():  # where it has seen no image, as if it had learnt from many
            if isinstance(norm, nn.BatchNorm2d) and not norm.running_mean.any():
                nn.init.normal_(norm.running_mean, std=0.1)
                nn.init.uniform_(norm.running_var, 0.5, 1.5)
        self.backbone = make_backbone(output_stride=16)
        self.backbone.load_state_dict(self.before_dilation.state_dict())
        if "rate" in self.__planted:
            strided = dict(self.before_dilation.named_modules())
            for name, conv in self.backbone.named_modules():
                if isinstance(conv, nn.Conv2d) and conv.kernel_size == (3, 3) and conv.stride != strided[name].stride:
                    conv.dilation = conv.padding = (2, 2)
        self.model = SegmentationModel(self.backbone, FCNHead(self.backbone.feature_specs, num_classes)).train()
        self.batch_size = 1 if "batch norm" in self.__planted else 8

    def prepare(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What the network is given, of an image, uint8 (3, H, W), and its mask, int64 (H, W).

        Returns:
            `(x, labels)`: float (3, size, size), resized bilinearly and normalised for the backbone, and int64
            (size, size), resized to the nearest pixel. Fault "normalisation": `x` has another network's mean and
            standard deviation. Fault "labels": they are resized as the image is, and rounded.
        """
        smooth = {"size": (self.size, self.size), "mode": "bilinear", "antialias": True}
        x = F.interpolate(image[None] / 255, **smooth)[0]
        numbers = mask[None, None].float()  # to be resized at all
        if "labels" in self.__planted:
            labels = F.interpolate(numbers, **smooth)[0, 0].round().long()
        else:
            labels = F.interpolate(numbers, size=(self.size, self.size), mode="nearest")[0, 0].long()
        if "normalisation" in self.__planted:
            mean, std = next(scale for scale in SCALES if scale[0] != self.backbone.mean)
            return (x - x.new_tensor(mean)[:, None, None]) / x.new_tensor(std)[:, None, None], labels
        return self.backbone.normalize(x), labels

    def score(self, confusion: Tensor) -> float:
        """The mean IoU of a confusion matrix (K, K), rows true; 0..1. Fault "background": class 0 is left out of it."""
        each = iou(confusion)  # (K,)
        return (each[1:] if "background" in self.__planted else each).nanmean().item()
