"""Names and colours of the classes: PASCAL VOC's, so that a mask looks as in the papers."""

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


def voc_colors():
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


def class_colors(classes):
    """VOC's colour of each class name: (K, 3) uint8.

    Raises:
        ValueError: a name is not one of VOC's.
    """
    palette = voc_colors()
    return np.stack([palette[VOC_CLASSES.index(name)] for name in check_classes(classes)])


def check_classes(classes):
    """The class names as a tuple.

    Raises:
        ValueError: there are none, one comes twice, or one is not VOC's.
    """
    classes = (classes,) if isinstance(classes, str) else tuple(classes)
    unknown = [name for name in classes if name not in VOC_CLASSES]
    if unknown or not classes or len(set(classes)) != len(classes):
        raise ValueError(f"Class names must be different names of {', '.join(VOC_CLASSES)}; got {classes!r}.")
    return classes
