"""Names and colours of the classes: PASCAL VOC's, so that a mask looks as in the papers."""

from collections.abc import Sequence

import numpy as np

VOC_CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)

# The lessons train on ten of them: enough to confuse (cat and dog, bus and train), few enough for a minute of training.
LESSON_CLASSES = (
    "background",
    "person",
    "bird",
    "cat",
    "dog",
    "car",
    "bus",
    "train",
    "boat",
    "aeroplane",
    "bottle",
)


def voc_colors() -> np.ndarray:
    """VOC's palette: (256, 3) uint8, row i the RGB colour of label i.

    The three lowest bits of a label become the highest bit of red, green and blue, the next three bits the second
    highest, and so on: neighbouring labels get colours that are far apart.
    """
    colors = np.zeros((256, 3), dtype=np.uint8)
    labels = np.arange(256)
    for position in range(8):
        for channel in range(3):
            bit = (labels >> (3 * position + channel)) & 1
            colors[:, channel] |= (bit << (7 - position)).astype(np.uint8)
    return colors


def class_colors(classes: str | Sequence[str]) -> np.ndarray:
    """A colour for each class name: (K, 3) uint8. VOC's names have VOC's, your own the ones that come after those.

    Raises:
        ValueError: there are no names, or one comes twice.
    """
    classes = (classes,) if isinstance(classes, str) else tuple(classes)
    if not classes or len(set(classes)) != len(classes):
        raise ValueError(f"class names must be different, and at least one; got {classes!r}.")
    rows = [VOC_CLASSES.index(name) if name in VOC_CLASSES else len(VOC_CLASSES) + i for i, name in enumerate(classes)]
    return voc_colors()[rows]


def check_classes(classes: str | Sequence[str]) -> tuple[str, ...]:
    """The class names as a tuple.

    Raises:
        ValueError: there are none, one comes twice, or one is not VOC's.
    """
    classes = (classes,) if isinstance(classes, str) else tuple(classes)
    unknown = [name for name in classes if name not in VOC_CLASSES]
    if unknown or not classes or len(set(classes)) != len(classes):
        raise ValueError(f"Class names must be different names of {', '.join(VOC_CLASSES)}; got {classes!r}.")
    return classes


def own_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """The class names of somebody's own data as a tuple: whatever names, "background" first.

    Raises:
        ValueError: "background" is not the first, one comes twice, or there are more than 255 (label 255 is ignored).
    """
    names = (classes,) if isinstance(classes, str) else tuple(classes)
    strings = all(isinstance(name, str) for name in names)
    if not strings or names[:1] != ("background",) or len(set(names)) != len(names) or len(names) > 255:
        raise ValueError(f'classes must be different names, "background" first, 255 at most; got {str(classes)[:200]}.')
    return names
