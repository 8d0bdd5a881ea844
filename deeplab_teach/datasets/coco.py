"""Objects with boxes and masks, labelled in the format of COCO: its own data, or what a labelling program exports."""

import json
import os
from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np
import torch
from torchvision import tv_tensors

from .classes import own_classes
from .coco_segments import segment_mask
from .file_dataset import FileDataset, existing_folder, require_none_missing
from .images import read_image, require_size
from .mask_files import IGNORED

NEEDED = {
    "images": ("id", "file_name", "width", "height"),
    "annotations": ("id", "image_id", "category_id", "bbox"),
    "categories": ("id", "name"),
}


class COCODetection(FileDataset):
    """COCO's "instances", and whatever is written in their format.

    `dataset[i]` is `(image, target)`, as `EmojiScenes` gives it and a little more; n is the number of objects:

    - image: `tv_tensors.Image`, uint8 (3, H, W), RGB.
    - target["boxes"]: `tv_tensors.BoundingBoxes`, XYXY, float32 (n, 4), pixels.
    - target["labels"]: int64 (n,), index into `classes`, 1 or more.
    - target["masks"]: `tv_tensors.Mask`, uint8 (n, H, W). Masks may overlap.
    - target["semantic"]: `tv_tensors.Mask`, int64 (H, W), index into `classes`, 0 is background; small objects lie on
      top of larger ones, and crowds are 255 (ignored).
    - target["iscrowd"]: bool (n,), whether it is a crowd in one box: leave it out when you train a detector.
    - target["area"]: float32 (n,), pixels of the object as the file gives them, or the area of the box.
    - target["image_id"]: int, the picture's number in the file.

    Pictures without objects are kept. Boxes without width or height, of which COCO has some, are passed over; those
    that stand out by a pixel or less are cut at the border. A file without any "segmentation" gives targets without
    "masks" and "semantic". `v2.SanitizeBoundingBoxes` takes boxes that a crop has emptied out of "boxes", "labels" and
    "masks"; for "iscrowd" and "area" too, name them in its `labels_getter`.

    Attributes:
        classes: "background" and the names of the categories.
        images: what the file says of each picture, by item: `dataset.images[i]["license"]`, for example.

    Args:
        annotations: the JSON file, for example annotations/instances_val2017.json.
        images: the folder of the pictures.
        classes: names of the categories to keep, in the order of their labels, with or without "background" in front;
            None for all, in the order of their ids.
        transforms: a callable applied to `(image, target)`, for example from `torchvision.transforms.v2`.

    Raises:
        FileNotFoundError: the JSON file, the folder or a picture is missing.
        ValueError: the file is not in COCO's format or contradicts itself, or a class is none of its categories.
            Whether a picture has the size that the file says, and a mask fits it, is seen when its item is asked for.

    Lin et al., "Microsoft COCO: Common Objects in Context" (2014).
    """

    def __init__(
        self,
        annotations: str | os.PathLike,
        images: str | os.PathLike,
        *,
        classes: Sequence[str] | None = None,
        transforms: Callable | None = None,
    ):
        self.path = Path(annotations).expanduser()
        content = _load(self.path)
        self.folder = existing_folder(images, "the folder of the images")
        self.transforms = transforms
        categories = {entry["id"]: entry["name"] for entry in sorted(content["categories"], key=itemgetter("id"))}
        self.classes = self._kept(classes, list(categories.values()))
        self.images = sorted(content["images"], key=itemgetter("id"))
        self.objects = {info["id"]: [] for info in self.images}
        if len(self.objects) < len(self.images):
            raise ValueError(f"{self.path}: two images have the same id; each must have its own.")
        self._add_objects(content["annotations"], categories)
        missing = [info["file_name"] for info in self.images if not (self.folder / info["file_name"]).is_file()]
        advice = f"{self.path.name} names them; is this the folder that belongs to it?"
        require_none_missing(missing, len(self.images), f"images in {str(self.folder)!r}", advice)

    def __len__(self):
        return len(self.images)

    def __repr__(self):
        count = sum(map(len, self.objects.values()))
        return f"COCODetection({str(self.path)!r}, {len(self)} images, {count} objects, {len(self.classes)} classes)"

    def _kept(self, classes, names):
        """The classes of the labels: those asked for, or all."""
        if len({"background", *names}) <= len(names):
            raise ValueError(f'{self.path}: categories must have different names, none "background"; got {names}.')
        asked = [classes] if isinstance(classes, str) else list(names if classes is None else classes)
        asked = asked[1:] if asked[:1] == ["background"] else asked
        unknown = [name for name in asked if name not in names]
        if unknown:
            raise ValueError(
                f"classes must be categories of {self.path} ({', '.join(map(str, names))}); it has no "
                f"{', '.join(map(repr, unknown))}."
            )
        return own_classes(["background", *asked])

    def _add_objects(self, annotations, categories):
        """Sort the annotations to their images, each checked as far as that goes without the image."""
        sizes = {info["id"]: (info["width"], info["height"]) for info in self.images}
        self._label = {key: self.classes.index(name) for key, name in categories.items() if name in self.classes}
        kept = []
        for annotation in annotations:
            image, category = annotation["image_id"], annotation["category_id"]
            name = f"{self.path}: annotation {annotation['id']} of image {image}"
            if image not in sizes:
                raise ValueError(f"{name}: the file has no such image.")
            if category not in categories:
                known = ", ".join(f"{key} {text}" for key, text in categories.items())
                raise ValueError(f"{name} has the category {category}; the file has {known}.")
            if _box(annotation, sizes[image], name) is not None and category in self._label:
                kept.append(annotation)
                self.objects[image].append(annotation)
        bare = [annotation for annotation in kept if not annotation.get("segmentation")]
        self._has_masks = not bare or len(bare) < len(kept)
        if self._has_masks and bare:
            raise ValueError(
                f"{self.path}: annotation {bare[0]['id']} of image {bare[0]['image_id']} has no segmentation, and so "
                f"{len(bare)} of {len(kept)}. All must have one or none: remove those annotations or all segmentations."
            )

    def read(self, position):
        info = self.images[position]
        path, height, width = self.folder / info["file_name"], info["height"], info["width"]
        image = read_image(path)
        require_size(image, path, (height, width), f"image {info['id']} of {self.path}")
        objects = self.objects[info["id"]]
        boxes = np.array([_box(entry, (width, height)) for entry in objects], dtype=np.float32).reshape(-1, 4)
        areas = [entry.get("area", entry["bbox"][2] * entry["bbox"][3]) for entry in objects]
        target = {
            "boxes": tv_tensors.BoundingBoxes(torch.from_numpy(boxes), format="XYXY", canvas_size=(height, width)),
            "labels": torch.tensor([self._label[entry["category_id"]] for entry in objects], dtype=torch.int64),
            "iscrowd": torch.tensor([bool(entry.get("iscrowd")) for entry in objects], dtype=torch.bool),
            "area": torch.tensor(areas, dtype=torch.float32),
            "image_id": info["id"],
        }
        if self._has_masks:
            masks = np.zeros((len(objects), height, width), dtype=bool)
            for mask, entry in zip(masks, objects, strict=True):
                try:
                    mask[:] = segment_mask(entry["segmentation"], height, width)
                except ValueError as error:
                    raise ValueError(f"{self.path}: annotation {entry['id']} of image {info['id']}: {error}") from error
            target["masks"] = tv_tensors.Mask(torch.from_numpy(masks.astype(np.uint8)))
            target["semantic"] = _semantic(masks, target["labels"].where(~target["iscrowd"], IGNORED))
        return image, target


def _semantic(masks, labels):
    """One label for each pixel from the masks (n, H, W) of objects, small ones on top of larger ones."""
    semantic = np.zeros(masks.shape[1:], dtype=np.int64)
    for i in np.argsort(-masks.sum(axis=(1, 2)), kind="stable"):
        semantic[masks[i]] = labels[i]
    return tv_tensors.Mask(torch.from_numpy(semantic))


def _box(annotation, size, name=""):
    """COCO's [x, y, width, height] to [x1, y1, x2, y2] within the picture, or None if that has no width or height."""
    try:
        x, y, w, h = map(float, annotation["bbox"])
    except (TypeError, ValueError):
        raise ValueError(f"{name} must have a bbox of four numbers, got {annotation['bbox']!r}.") from None
    width, height = size
    if not (-1 <= x <= width and -1 <= y <= height and x + w <= width + 1 and y + h <= height + 1):
        raise ValueError(
            f"{name} has the bbox {annotation['bbox']}, which stands out of the picture of {width} x {height} pixels. "
            "COCO's boxes are [x, y, width, height], in pixels."
        )
    x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
    return [x1, y1, x2, y2] if x1 < x2 and y1 < y2 else None


def _load(path):
    """The JSON file as a dict that has what is needed."""
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {str(path)!r}, seen from {os.getcwd()!r}. Check spelling and folder."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # of JSON or of its UTF-8
        raise ValueError(f"{path} is not JSON, or only a part of it ({error}). Copy or download it again.") from error
    form = 'a file of COCO\'s instances is {"images": [...], "annotations": [...], "categories": [...]}'
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, as a file of results does; {form}.")
    for key, needed in NEEDED.items():
        if not isinstance(content.get(key), list):
            raise ValueError(f"{path} has no list {key!r} (it has {', '.join(content) or 'nothing'}); {form}.")
        for entry in content[key]:
            lacks = [name for name in needed if not isinstance(entry, dict) or name not in entry]
            if lacks:
                raise ValueError(
                    f"{path}: an entry of {key!r} has no {', '.join(lacks)}: {str(entry)[:100]}. Captions and panoptic "
                    f"labels have another form; {form}."
                )
    if not content["images"]:
        raise ValueError(f"{path} has no images.")
    return content
