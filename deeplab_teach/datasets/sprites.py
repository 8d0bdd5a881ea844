"""The emoji sprites and the background photographs, read from `data/` once and kept in memory."""

from functools import cache

from PIL import Image

from deeplab_teach.data_files import checksums, data_path

from .classes import VOC_CLASSES

TRAIN_STYLES = ("fluent3d", "fluentflat", "twemoji")
TEST_STYLES = ("noto",)  # a whole style of drawing is held out: a test of generalisation, not of memory


@cache
def sprite_names(class_name: str, style: str) -> tuple[str, ...]:
    """Files of one class in one style, sorted: `("sprites/noto/cat__black-cat.png", ...)`."""
    prefix = f"sprites/{style}/{class_name}__"
    return tuple(sorted(name for name in checksums() if name.startswith(prefix)))


def drawn_classes() -> tuple[str, ...]:
    """VOC's classes that have sprites, in VOC's order."""
    return tuple(name for name in VOC_CLASSES if sprite_names(name, TEST_STYLES[0]))


@cache
def load_sprite(name: str) -> Image.Image:
    """One sprite as a PIL image, longest side 96 pixels. Do not change it: it is shared.

    Its mode is RGBa, colours multiplied by alpha: scaling and rotating then mix no colour of invisible pixels in.
    """
    with Image.open(data_path(name)) as picture:
        return picture.convert("RGBA").convert("RGBa")


@cache
def load_background(name: str) -> Image.Image:
    """One photograph of `PHOTOS` as a PIL image, RGB. Do not change it: it is shared."""
    with Image.open(data_path(f"photos/{name}.jpg")) as picture:
        return picture.convert("RGB")


def clear_caches() -> None:
    """Forget what was read (tests that damage files need it)."""
    for cached in (sprite_names, load_sprite, load_background, checksums, data_path):
        cached.cache_clear()
