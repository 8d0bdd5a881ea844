"""One road from whatever a dataset gives to the tensors that a network is trained and judged on."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2.functional import convert_bounding_box_format

from .images import read_image


def segmentation_collate(batch: Sequence[tuple]) -> tuple[Tensor, Tensor]:
    """Items of a segmentation dataset to a batch: pass it as a DataLoader's `collate_fn`.

    Args:
        batch: a list of `(image, target)`. An image is a tensor (3, H, W), bytes or floats in 0..1, or whatever
            `read_image` takes. A target is a mask of class numbers, (H, W), as tensor, array or palette image, or a
            dict that has one as `"semantic"`, as `EmojiScenes` gives it.

    Returns:
        Images float32 (N, 3, H, W) in 0..1, masks int64 (N, H, W).

    Raises:
        ValueError: an item of another kind, a mask of another size than its image, or images of several sizes.
        FileNotFoundError: an image is the path of a file that does not exist.
    """
    images = [_image(image) for image, _ in batch]
    masks = [_mask(target) for _, target in batch]
    for image, mask in zip(images, masks, strict=True):
        if image.shape[-2:] != mask.shape:
            raise ValueError(f"an image of {_size(image)} has a mask of {_size(mask)}: they must be of one size.")
    sizes = sorted({_size(image) for image in images})
    if len(sizes) > 1:
        raise ValueError(
            f"the images of a batch differ in size ({', '.join(sizes)}): give the dataset a transform that makes them "
            "alike, such as torchvision's v2.RandomCrop or v2.Resize."
        )
    return torch.stack(images), torch.stack(masks)


def detection_collate(batch: Sequence[tuple], *, judging: bool = False) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """Items of a detection dataset to a batch: pass it as a DataLoader's `collate_fn`. Images may differ in size.

    Args:
        batch: a list of `(image, target)`; images as for `segmentation_collate`, targets dicts with `"boxes"`, (n, 4),
            in pixels, XYXY or `tv_tensors.BoundingBoxes` of any format, and `"labels"`, (n,); `"masks"`, (n, H, W), and
            `"iscrowd"`, (n,), if there are.
        judging: the batch is there to judge a detector, not to train it.

    Returns:
        Images float32 (3, H, W) in 0..1, and a dict each of `"boxes"` float32 (n, 4) XYXY, `"labels"` int64 (n,), and
        `"masks"` uint8 (n, H, W) if there were. Left out are crowds, and boxes less than a pixel wide or high, as a
        crop leaves them at its border. For judging, crowds and all boxes that have an area stay, and `"iscrowd"`, bool
        (n,), if there was.

    Raises:
        ValueError: an item of another kind, or another number of labels or masks than of boxes.
    """
    return [_image(image) for image, _ in batch], [_objects(target, judging) for _, target in batch]


def _objects(target, judging) -> dict[str, Tensor]:
    missing = [key for key in ("boxes", "labels") if not isinstance(target, dict) or key not in target]
    if missing:
        has = ", ".join(map(str, target)) if isinstance(target, dict) else type(target).__name__
        raise ValueError(f"a target of detection needs the keys 'boxes' and 'labels'; it has {has or 'none'}.")
    boxes = target["boxes"]
    if isinstance(boxes, tv_tensors.BoundingBoxes):
        boxes = convert_bounding_box_format(boxes, new_format=tv_tensors.BoundingBoxFormat.XYXY)
    boxes = torch.as_tensor(boxes).as_subclass(Tensor).float().reshape(-1, 4)
    values = {"boxes": boxes, "labels": torch.as_tensor(target["labels"]).as_subclass(Tensor).long()}
    if "masks" in target:
        values["masks"] = torch.as_tensor(target["masks"]).as_subclass(Tensor).to(torch.uint8)
    if "iscrowd" in target:
        values["iscrowd"] = torch.as_tensor(target["iscrowd"]).as_subclass(Tensor).bool()
    if lengths := {key: len(value) for key, value in values.items() if len(value) != len(boxes)}:
        raise ValueError(f"each of {len(boxes)} boxes needs one of each kind, got {lengths}.")
    sides = boxes[:, 2:] - boxes[:, :2]
    kept = (sides > 0 if judging else sides >= 1).all(dim=1)
    if "iscrowd" in values and not judging:
        kept &= ~values.pop("iscrowd")
    return {key: value[kept] for key, value in values.items()}


def _image(image) -> Tensor:
    if not isinstance(image, Tensor):
        image = read_image(image)
    image = image.as_subclass(Tensor)
    if image.is_floating_point():
        return image.float()  # transforms may have converted it already
    if image.dtype == torch.bool:
        return image.float()
    return image.float() / torch.iinfo(image.dtype).max


def _mask(target) -> Tensor:
    if isinstance(target, dict):
        if "semantic" not in target:
            raise ValueError(f"a target needs the key 'semantic', a mask (H, W); it has {', '.join(map(str, target))}.")
        target = target["semantic"]
    if isinstance(target, Image.Image | np.ndarray):
        target = torch.from_numpy(np.array(target))
    if not isinstance(target, Tensor):
        raise ValueError(f"a mask must be a tensor, an array or an image, got {type(target).__name__}.")
    mask = target.as_subclass(Tensor)
    mask = mask[0] if mask.dim() == 3 and len(mask) == 1 else mask
    if mask.dim() != 2 or mask.is_floating_point():
        raise ValueError(
            f"a mask must be (H, W) whole numbers, one class for each pixel, got {tuple(mask.shape)} {mask.dtype}: "
            "was a picture of colours read in place of class numbers?"
        )
    return mask.long()


def _size(tensor) -> str:
    return " x ".join(map(str, tensor.shape[-2:]))
