"""Read a mask file: the class of each pixel. Where a file leaves a doubt, it is refused and nothing is guessed."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import ImageOps
from torchvision import tv_tensors

from .classes import class_colors, own_classes, voc_colors
from .images import open_picture

IGNORED = 255  # pixels with this label count neither in the loss nor in the metrics
LOSSY = ("JPEG", "MPO", "JPEG2000", "AVIF")
# Pillow stretches grey of 2 and 4 bits to 0..255, as for a photograph: by these factors.
STRETCHED = {"L;2": 85, "L;4": 17}


def read_mask(
    path: str | os.PathLike, classes: Sequence[str], *, labels: Mapping[int, int] | None = None
) -> tv_tensors.Mask:
    """Read a mask file as `tv_tensors.Mask`, int64 (H, W): an index into `classes`, or 255 for ignored pixels.

    What the file stores decides:

    - greyscale of any depth, or a palette: the stored numbers are the classes, whatever colours they are shown in;
    - colours: those of `class_colors(classes)`, VOC's, and (224, 224, 192) for ignored.

    Args:
        path: the mask file. JPEG is refused: it changes the numbers.
        classes: all names, "background" first.
        labels: what the stored numbers mean where they are not the classes, for example `{255: 1}` if the object is
            marked with 255. A number that is not named means itself.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, holds a number or a colour of no class, transparent pixels, or only 0 and 255
            without `labels`; the message names the file and says what to do.
    """
    classes, labels = own_classes(classes), check_labels(labels, classes)
    name = repr(os.fspath(path))
    with open(path, "rb") as file, open_picture(file, name) as picture:
        kind, layout = picture.format, np.ravel(picture.tile[0][3])[0] if picture.tile else ""
        picture = ImageOps.exif_transpose(picture)  # a decoded copy
    if kind in LOSSY:
        raise ValueError(
            f"{name} is a {kind} file, and saving as {kind} changes the numbers of a mask. Export it as PNG from the "
            "program that drew it; converting this file to PNG does not bring the numbers back."
        )
    picture = _opaque(picture, name)
    mask = _color_classes(picture, name, classes) if picture.mode == "RGB" else _numbers(picture, name)
    mask //= STRETCHED.get(str(layout), 1)
    stored = np.unique(mask)
    if not labels and IGNORED in stored and set(stored) <= {0, IGNORED} and not _shows_255_as_ignored(picture):
        raise ValueError(
            f"{name} holds no other numbers than 0 and 255, and 255 means ignored. If 255 marks the object, pass "
            "labels={255: 1} (--labels 255=1); if it does mean ignored, pass labels={255: 255}."
        )
    mask = _relabel(mask, labels)
    wrong = [int(number) for number in np.unique(mask) if number != IGNORED and not 0 <= number < len(classes)]
    if wrong:
        raise ValueError(
            f"{name} holds {_some(wrong)}: allowed are 0 to {len(classes) - 1} ({_some(classes)}) and 255 (ignored). "
            f"Name all classes, or say which class such a number means, for example labels={{{wrong[0]}: 1}}."
        )
    return tv_tensors.Mask(torch.from_numpy(mask))


def check_labels(labels: Mapping[int, int] | None, classes: Sequence[str]) -> dict[int, int]:
    """What stored numbers mean, as a dict; an empty one for None.

    Raises:
        ValueError: it is not from whole numbers to 0..K-1 or 255.
    """
    pairs = dict(labels) if isinstance(labels, Mapping) else {}
    numbers = [*pairs, *pairs.values()]
    whole = all(isinstance(number, (int, np.integer)) and not isinstance(number, bool) for number in numbers)
    mapping = labels is None or isinstance(labels, Mapping)
    if not mapping or not whole or not set(pairs.values()) <= {*range(len(classes)), IGNORED}:
        raise ValueError(
            f"labels must say which class a stored number means, {{255: 1}} for example, with classes 0 to "
            f"{len(classes) - 1} or 255 (ignored); got {labels!r}."
        )
    return pairs


def _relabel(mask, labels):
    new = mask.copy()
    for number, label in labels.items():
        new[mask == number] = label
    return new


def _opaque(picture, name):
    """The picture without its alpha channel, which must be opaque: what is transparent shows no class."""
    if picture.mode not in ("LA", "RGBA"):
        return picture
    if np.asarray(picture)[..., -1].min() < 255:
        raise ValueError(
            f"{name} has transparent pixels, and which class they are is not to be seen. Paint the background black "
            "(0, 0, 0) and save the mask without an alpha channel."
        )
    return picture.convert(picture.mode[:-1])


def _numbers(picture, name):
    """The numbers of a greyscale or palette picture, int64 (H, W)."""
    if picture.mode not in ("1", "L", "P", "I", "F") and not picture.mode.startswith("I;16"):
        raise ValueError(f"{name} stores {picture.mode} pixels; save it as a greyscale, palette or RGB PNG.")
    values = np.asarray(picture)
    if values.dtype.kind == "f" and not (values == values.round()).all():
        raise ValueError(f"{name} holds fractions, and a class is a whole number. Was a map of scores saved?")
    return values.astype(np.int64)


def _color_classes(picture, name, classes):
    """The class of each pixel's colour, int64 (H, W)."""
    colors = [*class_colors(classes), voc_colors()[IGNORED]]
    pixels = _rgb_code(np.asarray(picture))
    mask = np.full(pixels.shape, -1, dtype=np.int64)
    for label, color in zip([*range(len(classes)), IGNORED], colors, strict=True):
        mask[pixels == _rgb_code(color)] = label
    unknown = np.unique(pixels[mask == -1])
    if len(unknown):
        known = [f"{tuple(map(int, color))} {text}" for color, text in zip(colors, [*classes, "ignored"], strict=True)]
        grey = all(band == picture.getchannel(0) for band in picture.split())
        raise ValueError(
            f"{name} has colours of no class: {_some([(c >> 16, c >> 8 & 255, c & 255) for c in unknown.tolist()])}. "
            f"Allowed are {_some(known, 21)}, as class_colors gives them. "
            + (
                'It is grey, stored as RGB: Image.open(path).convert("L").save(path) makes numbers of it.'
                if grey
                else "Better save the number of the class in each pixel. Were edges smoothed, or the mask resized?"
            )
        )
    return mask


def _rgb_code(colors):
    """(..., 3) uint8 to one number a colour, 0xRRGGBB."""
    return colors.astype(np.int64) @ (1 << 16, 1 << 8, 1)


def _shows_255_as_ignored(picture):
    """Whether 255 has VOC's own colour for it; where it is white or grey, it may be an object."""
    if picture.mode == "P":
        return picture.getpalette()[3 * IGNORED :] == voc_colors()[IGNORED].tolist()
    return picture.mode == "RGB"


def _some(items, most=5):
    """A list in words, cut short."""
    return ", ".join(map(str, items[:most])) + (f" and {len(items) - most} more" if len(items) > most else "")
