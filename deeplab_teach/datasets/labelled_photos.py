"""The course's labelled photographs: of one person each, and of several things. Sources: data/README.md."""

import json
from collections.abc import Callable, Sequence

import torch
from torch.utils.data import ConcatDataset, Subset
from torchvision import tv_tensors

from deeplab_teach.data_files import data_path

from .coco import COCODetection
from .file_dataset import FileDataset
from .images import read_image
from .mask_files import read_mask

PEOPLE_SPLITS = ("yours", "train", "test")
OBJECTS_SPLITS = ("train", "test")


class People(FileDataset):
    """Photographs with one person on each, of COCO, long side 320 pixels.

    `dataset[i]` is `(image, target)`, as `EmojiScenes` gives it, with one object:

    - image: `tv_tensors.Image`, uint8 (3, H, W), RGB.
    - target["semantic"]: `tv_tensors.Mask`, int64 (H, W), 0 background, 1 person.
    - target["boxes"]: `tv_tensors.BoundingBoxes`, XYXY, float32 (1, 4), pixels.
    - target["labels"]: int64 (1,), 1.
    - target["masks"]: `tv_tensors.Mask`, uint8 (1, H, W).

    Attributes:
        classes: "background" and "person".
        images: what is known of each photograph, by item: `dataset.images[i]["flickr_page"]`, which names its author.

    Args:
        split: "yours", 60 photographs, as somebody has who labels their own; "train", 62 more to train on, under
            ShareAlike licences; "test", 50 to judge on. "yours+train" are both.
        transforms: a callable applied to `(image, target)`, for example from `torchvision.transforms.v2`.

    Raises:
        ValueError: another split, or a file is damaged.
    """

    classes = ("background", "person")

    def __init__(self, split: str = "yours", *, transforms: Callable | None = None):
        parts = split.split("+")
        if not set(parts) <= set(PEOPLE_SPLITS) or len(set(parts)) < len(parts):
            raise ValueError(
                f"split must be one of {', '.join(PEOPLE_SPLITS)}, or several with + between; got {split!r}."
            )
        known = json.loads(data_path("people/people.json").read_text(encoding="utf-8"))
        self.split, self.transforms = split, transforms
        self.images = [image for part in parts for image in known["images"] if image["split"] == part]

    def __len__(self) -> int:
        return len(self.images)

    def read(self, position: int) -> tuple:
        known = self.images[position]
        image = read_image(data_path(f"people/images/{known['id']:012}.jpg"))
        mask = read_mask(data_path(f"people/masks/{known['id']:012}.png"), self.classes)
        box = torch.tensor([known["box"]], dtype=torch.float32)
        return image, {
            "boxes": tv_tensors.BoundingBoxes(box, format="XYXY", canvas_size=(known["height"], known["width"])),
            "labels": torch.tensor([1]),
            "masks": tv_tensors.Mask((mask == 1)[None].to(torch.uint8)),
            "semantic": mask,
        }

    def __repr__(self) -> str:
        return f"People(split={self.split!r}, {len(self)} photographs)"


class Objects(COCODetection):
    """Photographs of COCO with several things on each, long side 416 pixels; items as `COCODetection` gives them.

    Args:
        split: "train", 78 photographs, 20 of them with people; "test", 22 with several people on each.
        classes: names of COCO's categories to keep, `("person",)` for example; `None` for all 80.
        transforms: as for `COCODetection`.

    Raises:
        ValueError: another split or class, or a file is damaged.
    """

    def __init__(
        self, split: str = "train", *, classes: Sequence[str] | None = None, transforms: Callable | None = None
    ):
        if split not in OBJECTS_SPLITS:
            raise ValueError(f"split must be one of {', '.join(OBJECTS_SPLITS)}; got {split!r}.")
        annotations = data_path(f"objects/instances_{split}.json")
        super().__init__(annotations, annotations.parent / "images", classes=classes, transforms=transforms)
        self.split = split


class Groups(ConcatDataset):
    """Photographs to find people on, who may be several; items as `Objects` gives them, without `"semantic"`.

    Args:
        split: "train", the 122 of `People` with one person each and the 20 of `Objects` on which there are people;
            "test", the 22 of `Objects` with several people on each.
        transforms: a callable applied to `(image, target)`.

    Raises:
        ValueError: another split, or a file is damaged.
    """

    classes = ("background", "person")

    def __init__(self, split: str = "train", *, transforms: Callable | None = None):
        several = Objects(split, classes=("person",), transforms=transforms)
        if split == "train":
            people = People("yours+train", transforms=transforms)
            with_people = [i for i, image in enumerate(several.images) if several.objects[image["id"]]]
            super().__init__([people, Subset(several, with_people)])
        else:
            super().__init__([several])
        self.split = split

    def __repr__(self) -> str:
        return f"Groups(split={self.split!r}, {len(self)} photographs)"
