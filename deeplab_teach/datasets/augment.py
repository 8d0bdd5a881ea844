"""Other views of the same photograph for each epoch: what training sets of a few hundred pictures cannot do without."""

from collections.abc import Sequence

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from .mask_files import IGNORED

GREY = (124, 116, 104)  # ImageNet's mean colour: after normalisation nothing at all


def segmentation_transforms(crop: int, *, scale: Sequence[float] = (0.75, 2.0)) -> v2.Transform:
    """Random size, place, side and colours, for `(image, target)` with a mask as `target["semantic"]`.

    Random scale and crop as in the DeepLab papers (DeepLabv3, section 4.1). What a crop has beyond the picture is grey,
    and its label 255, ignored.

    Args:
        crop: height and width of what comes out, in pixels.
        scale: smallest and largest size of the picture; at 1 it just fits into the crop.
    """
    return v2.Compose([_Only("semantic"), *_views(crop, scale, IGNORED)])


def detection_transforms(crop: int, *, scale: Sequence[float] = (0.75, 2.0)) -> v2.Transform:
    """The same for `(image, target)` with boxes, labels and masks. Boxes that end outside are gone."""
    return v2.Compose(
        [
            _Only("boxes", "labels", "masks", "iscrowd"),
            *_views(crop, scale, 0),
            v2.SanitizeBoundingBoxes(min_size=4, labels_getter=_of_each_box),
        ]
    )


def _views(crop, scale, mask_fill):
    return [
        v2.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.05),
        v2.ScaleJitter((crop, crop), scale_range=tuple(scale)),
        v2.RandomCrop(crop, pad_if_needed=True, fill={tv_tensors.Image: GREY, tv_tensors.Mask: mask_fill}),
        v2.RandomHorizontalFlip(),
    ]


def _of_each_box(inputs):
    """What goes with a box when it goes: its label, and whether it is a crowd; masks do by themselves."""
    return [inputs[1][key] for key in ("labels", "iscrowd") if key in inputs[1]]


class _Only(torch.nn.Module):
    """Leave out of a target what the task does not need: it would be moved and resized for nothing."""

    def __init__(self, *keys: str):
        super().__init__()
        self.keys = keys

    def forward(self, image, target):
        return image, {key: value for key, value in target.items() if key in self.keys}
