"""The course's own labelled images: emoji on photographs, made on the fly, with exact labels for every task.

A scene depends on the dataset's arguments (not on its length) and on its index alone: not on the order of access, the
worker or the machine's random state.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset
from torchvision import tv_tensors

from .classes import LESSON_CLASSES, check_classes
from .paint import Canvas, make_cutout, paint_background, place
from .photos import backgrounds
from .sprites import TEST_STYLES, TRAIN_STYLES, drawn_classes, load_background, load_sprite, sprite_names

REFERENCE = 160  # pixels; sizes of objects are given for scenes of this size
# split -> (number in the random seed, styles of drawing, photographs): "test" shares neither with the other two.
SPLITS = {
    "train": (0, TRAIN_STYLES, "train"),
    "val": (1, TRAIN_STYLES, "train"),
    "test": (2, TEST_STYLES, "test"),
}


class _EmojiDataset(Dataset):
    """What scenes and thumbnails share: checked arguments and one random generator per index."""

    kind = 0  # keeps the random streams of scenes and thumbnails apart

    def __init__(self, length, *, split, size, classes, seed, transforms):
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {split!r}.")
        for name, value, least in (("length", length, 1), ("size", size, 32), ("seed", seed, 0)):
            if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} must be a whole number, {least} or more; got {value!r}.")
        drawn = drawn_classes()
        classes = check_classes(classes)
        missing = [name for name in classes if name not in (*drawn, "background")]
        if missing or set(classes) == {"background"}:
            raise ValueError(
                f"classes must name at least one class that has sprites ({', '.join(drawn)}); got {classes!r}."
            )
        self.length, self.split, self.size, self.seed = int(length), split, int(size), int(seed)
        self.transforms = transforms
        self.classes = classes
        self.object_classes = tuple(name for name in classes if name != "background")
        self.split_number, self.styles, photographs = SPLITS[split]
        self.backgrounds = backgrounds(photographs)

    def __len__(self):
        return self.length

    def _generator(self, index):
        """The random generator of one item.

        Raises:
            IndexError: there is no such item (this also ends `for item in dataset`).
        """
        position = index + self.length if index < 0 else index
        if not 0 <= position < self.length:
            raise IndexError(f"This dataset has {self.length} items, 0 to {self.length - 1}; got index {index}.")
        return np.random.default_rng([self.seed, self.split_number, self.kind, position])

    def _background(self, rng):
        return paint_background(load_background(self.backgrounds[rng.integers(len(self.backgrounds))]), self.size, rng)

    def _cutout(self, class_name, long_side, rng):
        names = sprite_names(class_name, self.styles[rng.integers(len(self.styles))])
        return make_cutout(load_sprite(names[rng.integers(len(names))]), long_side, rng)

    def __repr__(self):
        return (
            f"{type(self).__name__}(length={self.length}, split={self.split!r}, size={self.size}, seed={self.seed}, "
            f"{len(self.object_classes)} object classes, {len(self.backgrounds)} backgrounds, styles {self.styles})"
        )


class EmojiScenes(_EmojiDataset):
    """Scenes of several objects with boxes, instance masks and a semantic mask.

    `dataset[i]` is `(image, target)`:

    - image: `tv_tensors.Image`, uint8 (3, size, size), RGB.
    - target["boxes"]: `tv_tensors.BoundingBoxes`, XYXY, float32 (n, 4), pixels. The box of what is *visible*; pixel
      column k reaches from k to k + 1, so a box around one pixel has width 1.
    - target["labels"]: int64 (n,), index into `classes`, 1 or more.
    - target["masks"]: `tv_tensors.Mask`, uint8 (n, size, size), visible pixels; no two masks overlap.
    - target["semantic"]: `tv_tensors.Mask`, int64 (size, size), index into `classes`, 0 is background.

    Args:
        length: number of scenes.
        split: "train"; "val" (the same sprites and photographs, other scenes); "test" (a style of drawing and
            photographs that the other two never show).
        size: height and width in pixels, 32 or more.
        classes: names of VOC classes, "background" first; those that have sprites.
        seed: another seed gives other scenes.
        transforms: a callable applied to `(image, target)`, for example from `torchvision.transforms.v2`.
        objects: fewest and most objects in a scene. An object for which no visible place is found is left out.
        object_px: shortest and longest long side of an object in a scene of 160 pixels; other sizes scale it.

    Raises:
        ValueError: an argument is out of range; the message says what is allowed.
    """

    def __init__(
        self,
        length: int,
        *,
        split: str = "train",
        size: int = 160,
        classes: Sequence[str] = LESSON_CLASSES,
        seed: int = 0,
        transforms: Callable | None = None,
        objects: tuple[int, int] = (1, 4),
        object_px: tuple[int, int] = (32, 110),
    ):
        super().__init__(length, split=split, size=size, classes=classes, seed=seed, transforms=transforms)
        if self.classes[0] != "background":
            raise ValueError(f'The first of classes must be "background" (label 0); got {self.classes!r}.')
        self.objects = _pair("objects", objects, 0, 20)
        self.object_px = _pair("object_px", object_px, 16, REFERENCE)

    def __getitem__(self, index):
        rng = self._generator(index)
        scale = self.size / REFERENCE
        min_pixels = max(4, round(64 * scale**2))
        canvas = Canvas(self._background(rng))
        labels = []
        for _ in range(rng.integers(self.objects[0], self.objects[1], endpoint=True)):
            label = int(rng.integers(1, len(self.classes)))
            cutout = self._cutout(self.classes[label], rng.uniform(*self.object_px) * scale, rng)
            if place(canvas, cutout, rng, min_pixels=min_pixels):
                labels.append(label)
        image = _to_image(canvas.image)
        target = _to_target(canvas.owner, labels)
        return (image, target) if self.transforms is None else self.transforms(image, target)


class EmojiThumbnails(_EmojiDataset):
    """Pictures of one object each, for image classification.

    `dataset[i]` is `(image, label)`: `tv_tensors.Image` uint8 (3, size, size) and an int. There is no background
    class: the label is the index into `dataset.classes`, which leaves "background" out of the names given.

    Args and Raises: as for `EmojiScenes`; `transforms` is applied to the image alone.
    """

    kind = 1

    def __init__(
        self,
        length: int,
        *,
        split: str = "train",
        size: int = 64,
        classes: Sequence[str] = LESSON_CLASSES,
        seed: int = 0,
        transforms: Callable | None = None,
    ):
        super().__init__(length, split=split, size=size, classes=classes, seed=seed, transforms=transforms)
        self.classes = self.object_classes

    def __getitem__(self, index):
        rng = self._generator(index)
        canvas = Canvas(self._background(rng))
        label = int(rng.integers(len(self.classes)))
        cutout = self._cutout(self.classes[label], rng.uniform(0.55, 0.9) * self.size, rng)
        place(canvas, cutout, rng, min_pixels=1, outside=0.0)  # alone on the canvas: the first place is good
        image = _to_image(canvas.image)
        return (image if self.transforms is None else self.transforms(image)), label


def _to_image(pixels):
    """(H, W, 3) float 0..255 to `tv_tensors.Image` uint8 (3, H, W)."""
    return tv_tensors.Image(torch.from_numpy(np.ascontiguousarray(pixels.round().astype(np.uint8).transpose(2, 0, 1))))


def _to_target(owner, labels):
    """The `Canvas.owner` map and each object's label to the target of `EmojiScenes`."""
    count = len(labels)
    masks = owner == np.arange(1, count + 1)[:, None, None]  # (n, H, W)
    boxes = np.zeros((count, 4), dtype=np.float32)
    for box, mask in zip(boxes, masks, strict=True):
        columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return {
        "boxes": tv_tensors.BoundingBoxes(torch.from_numpy(boxes), format="XYXY", canvas_size=owner.shape),
        "labels": torch.tensor(labels, dtype=torch.int64),
        "masks": tv_tensors.Mask(torch.from_numpy(masks.astype(np.uint8))),
        "semantic": tv_tensors.Mask(torch.from_numpy(np.array([0, *labels], dtype=np.int64)[owner])),
    }


def _pair(name, pair, least, most):
    """A checked (smallest, largest) argument."""
    try:
        low, high = pair
        good = least <= low <= high <= most
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(
            f"{name} must be (smallest, largest) with {least} <= smallest <= largest <= {most}; got {pair!r}."
        )
    return low, high
