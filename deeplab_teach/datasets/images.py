"""Read any ordinary picture as an RGB tensor."""

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision import tv_tensors

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")  # of pictures in a folder
MAX_PIXELS = 100_000_000  # a larger picture needs over 300 MB as RGB, before any network sees it


class _TooLarge(ValueError):
    def __init__(self, name, detail):
        super().__init__(
            f"{name} is too large: {detail}; at most {MAX_PIXELS / 1e6:g} million pixels are allowed. "
            "Shrink it with an image program first, or, if it is a JPEG, pass max_side=1024."
        )


def read_image(source: object, *, max_side: int | None = None) -> tv_tensors.Image:
    """Read a picture as `tv_tensors.Image`, RGB, uint8, (3, H, W).

    A camera's EXIF rotation is applied, transparent parts become white, and greyscale (8 and 16 bit), palette and CMYK
    pictures become RGB.

    Args:
        source: a path, the bytes of an image file, a binary file object, a PIL image, or a numpy array: (H, W),
            (H, W, 1), (H, W, 3) or (H, W, 4), of uint8, uint16, bool, or floats between 0 and 1.
        max_side: shrink the picture to at most this many pixels on its long side (never enlarge it). A JPEG is then
            decoded at reduced size, which is fast and saves memory.

    Raises:
        FileNotFoundError: the path does not exist.
        ValueError: not an image, damaged, too large, an array of another kind, or a `max_side` below 1; the message
            says what to do.
    """
    if max_side is not None and (not isinstance(max_side, int) or max_side < 1):
        raise ValueError(f"max_side must be a whole number of pixels, 1 or more, or None; got {max_side!r}.")
    if isinstance(source, np.ndarray):
        return _to_tensor(_shrink(_from_array(source), max_side))
    if isinstance(source, Image.Image):
        return _to_tensor(_shrink(_to_rgb(source, "the PIL image"), max_side))
    if isinstance(source, (str, os.PathLike)):
        name = os.fspath(source)
        if not os.path.isfile(name):
            kind = "a folder" if os.path.isdir(name) else "nothing"
            raise FileNotFoundError(
                f"No image file at {name!r} (there is {kind}), seen from {os.getcwd()!r}. Check spelling and folder."
            )
        with open(name, "rb") as file:
            return _decode(file, repr(name), max_side)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode(io.BytesIO(source), f"the {len(source)} bytes given", max_side)
    if hasattr(source, "read"):
        return _decode(source, "the file object", max_side)
    raise ValueError(
        "source must be a path, bytes, a binary file object, a PIL image or a numpy array; "
        f"got {type(source).__name__}. A tensor (3, H, W) is an image already."
    )


def _decode(file, name, max_side):
    """Decode an open image file to an RGB PIL image, then to a tensor."""
    with open_picture(file, name, max_side) as picture:
        return _to_tensor(_shrink(_to_rgb(picture, name), max_side))


@contextmanager
def open_picture(file: BinaryIO, name: str, max_side: int | None = None) -> Iterator[Image.Image]:
    """Open a binary file as a PIL image; what its decoder throws in the block becomes a `ValueError` with `name`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit, below, raises instead
            with Image.open(file) as picture:
                if max_side is not None:
                    picture.draft(None, (max_side, max_side))  # JPEG: decode at 1/2, 1/4 or 1/8
                _check_size(picture.size, name)
                yield picture
    except Image.DecompressionBombError as error:
        raise _TooLarge(name, str(error)) from error
    except _TooLarge:
        raise
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{name} is not an image that can be read. Allowed: JPEG, PNG, WebP, GIF, BMP, TIFF and what else Pillow "
            "reads. If it came from a website, open it: it may be an error page."
        ) from error
    except Exception as error:  # a decoder that meets nonsense raises anything: OSError, SyntaxError, ValueError ...
        raise ValueError(
            f"{name} looks like an image but cannot be decoded ({error}); it is damaged or cut short, or it was not "
            "opened in binary mode. Copy or download it again."
        ) from error


def require_size(image: Tensor, path: str | os.PathLike, size: Sequence[int], labels: str) -> None:
    """Check that labels were made for the picture as `read_image` gives it.

    Args:
        image: (3, H, W), read from the file `path`.
        size: the (height, width) that the labels are for.
        labels: what has that size, the beginning of the message.

    Raises:
        ValueError: it is another one; the message says so if it is the size before the file's EXIF rotation.
    """
    (height, width), (other_height, other_width) = image.shape[-2:], size
    if (other_height, other_width) == (height, width):
        return
    with Image.open(path) as picture:
        turned = picture.size == (other_width, other_height)
    raise ValueError(
        f"{labels} has {other_width} x {other_height} pixels (width x height), but its image {os.fspath(path)!r} has "
        f"{width} x {height}: they must be of one size. "
        + (
            "It is the picture's size before its EXIF rotation, and which way to turn the labels would be a guess: "
            "save the picture without EXIF data if the labels lie as its pixels do, or turn the labels yourself."
            if turned
            else "Do they belong together, and was one of them shrunk?"
        )
    )


def _check_size(size, name):
    width, height = size
    if width * height > MAX_PIXELS:
        raise _TooLarge(name, f"it has {width} x {height} pixels")


def _to_rgb(picture, name):
    """EXIF rotation, 16 bit to 8 bit, transparency on white, any colour mode to RGB."""
    _check_size(picture.size, name)
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I") or picture.mode == "F":  # Pillow's own convert would clip 16 bit at 255
        return _from_array(_wide_grey(np.asarray(picture)))
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture.convert("RGB")


def _wide_grey(values):
    """Greyscale of 32-bit integers or floats to uint8 or uint16: 0..255 and 0..65535 are told apart by the maximum."""
    top = values.max(initial=0)
    if values.dtype.kind == "f" and top <= 1:
        return values
    return values.clip(0, 65535).astype(np.uint16 if values.dtype == np.uint16 or top > 255 else np.uint8)


def _from_array(array):
    """A numpy array to an RGB PIL image; see `read_image` for the arrays it allows."""
    allowed = "(H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8, uint16, bool or floats between 0 and 1"
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or array.size == 0:
        hint = (
            " Move the channels last: array.transpose(1, 2, 0)." if array.ndim == 3 and array.shape[0] in (1, 3) else ""
        )
        raise ValueError(f"An image array must be {allowed}; got shape {array.shape}.{hint}")
    if array.dtype == np.uint16:
        array = (array // 257).astype(np.uint8)  # 65535 / 257 = 255
    elif array.dtype == bool:
        array = array.astype(np.uint8) * 255
    elif array.dtype.kind == "f":
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise ValueError(
                f"An image array of floats must lie between 0 and 1; got {array.min():.4g} to {array.max():.4g}. "
                "Divide by 255, or convert with array.astype('uint8')."
            )
        array = (array * 255).round().astype(np.uint8)
    elif array.dtype != np.uint8:
        raise ValueError(f"An image array must be {allowed}; got {array.dtype}. Convert with array.astype('uint8').")
    picture = Image.fromarray(array[:, :, 0] if array.ndim == 3 and channels == 1 else array)
    return _to_rgb(picture, "the array")


def _shrink(picture, max_side):
    if max_side is not None and max(picture.size) > max_side:
        picture = picture.copy()
        picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return picture


def _to_tensor(picture):
    array = np.asarray(picture, dtype=np.uint8).transpose(2, 0, 1)  # (H, W, 3) -> (3, H, W)
    return tv_tensors.Image(torch.from_numpy(array.copy(order="C")))
