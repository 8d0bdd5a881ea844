"""Paint one scene: a piece of a photograph, objects pasted on it, and the exact label of every pixel.

All randomness comes from the `numpy.random.Generator` that the caller gives: the same generator, the same scene.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

TRIES = 12  # places tried for an object before it is left out
MIN_VISIBLE = 0.25  # of an object's own pixels must stay visible


class Cutout(NamedTuple):
    """A sprite as it will be pasted."""

    color: np.ndarray  # (h, w, 3) float32, 0..255, multiplied by alpha
    alpha: np.ndarray  # (h, w, 1) float32, 0..1
    mask: np.ndarray  # (h, w) bool, where alpha > 0.5: these pixels are the object


class Canvas:
    """A scene in the making.

    Attributes:
        image: (size, size, 3) float32, 0..255.
        owner: (size, size) int64, 0 where the background shows, else the 1-based number of the object on top.
        areas: for each object the number of its own pixels, hidden ones and those outside the picture included.
        visible: for each object the number of its pixels that show.
    """

    def __init__(self, background: np.ndarray):
        self.image = background
        self.owner = np.zeros(background.shape[:2], dtype=np.int64)
        self.areas = []
        self.visible = np.zeros(0, dtype=np.int64)

    def paste(self, cutout: Cutout, x: int, y: int, *, min_pixels: int) -> bool:
        """Paste a cutout with its upper left corner at column `x`, row `y` (they may lie outside).

        Returns False, and changes nothing, if the new object or one beneath it would show less than `MIN_VISIBLE` of
        itself or fewer than `min_pixels` pixels: an object nobody can see must not be asked for.
        """
        size = self.owner.shape[0]
        h, w = cutout.mask.shape
        left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, size), min(y + h, size)
        if left >= right or top >= bottom:
            return False
        here = np.s_[top:bottom, left:right]  # on the canvas
        part = np.s_[top - y : bottom - y, left - x : right - x]  # of the cutout
        mask, alpha = cutout.mask[part], cutout.alpha[part]
        covered = np.bincount(self.owner[here][mask], minlength=len(self.areas) + 1)
        areas = [*self.areas, np.count_nonzero(cutout.mask)]
        visible = [*(self.visible - covered[1:]), np.count_nonzero(mask)]
        if any(seen < max(min_pixels, MIN_VISIBLE * area) for seen, area in zip(visible, areas, strict=True)):
            return False
        self.image[here] = self.image[here] * (1 - alpha) + cutout.color[part]
        self.owner[here][mask] = len(areas)
        self.areas, self.visible = areas, np.array(visible)
        return True


def paint_background(photograph: Image.Image, size: int, rng: np.random.Generator) -> np.ndarray:
    """A random square piece of a PIL photograph, mirrored or not, with other brightness and tint.

    Returns: (size, size, 3) float32, 0..255.
    """
    width, height = photograph.size
    side = rng.uniform(0.5, 1.0) * min(width, height)
    x, y = rng.uniform(0, width - side), rng.uniform(0, height - side)
    piece = photograph.resize((size, size), Image.Resampling.BILINEAR, box=(x, y, x + side, y + side))
    image = np.asarray(piece, dtype=np.float32)
    if rng.random() < 0.5:
        image = image[:, ::-1]
    gain = rng.uniform(0.7, 1.2) * rng.uniform(0.92, 1.08, size=3)
    return (image * gain.astype(np.float32)).clip(0, 255)


def make_cutout(sprite: Image.Image, long_side: float, rng: np.random.Generator, *, max_angle: float = 20.0) -> Cutout:
    """A sprite (PIL, RGBa) scaled to `long_side` pixels, mirrored or not, rotated up to `max_angle` degrees, relit."""
    scale = long_side / max(sprite.size)
    size = tuple(max(1, round(side * scale)) for side in sprite.size)
    picture = sprite.resize(size, Image.Resampling.BILINEAR)
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    picture = picture.rotate(rng.uniform(-max_angle, max_angle), Image.Resampling.BILINEAR, expand=True)
    pixels = np.asarray(picture, dtype=np.float32)
    color = np.minimum(pixels[:, :, :3] * np.float32(rng.uniform(0.75, 1.15)), pixels[:, :, 3:])
    alpha = pixels[:, :, 3:] / 255
    return Cutout(color, alpha, alpha[:, :, 0] > 0.5)


def place(canvas: Canvas, cutout: Cutout, rng: np.random.Generator, *, min_pixels: int, outside: float = 0.2) -> bool:
    """Paste a cutout at a random place, at most the fraction `outside` of its sides beyond the picture's border.

    Returns: whether a place was found where everything stays visible enough, in `TRIES` tries.
    """
    size = canvas.owner.shape[0]
    h, w = cutout.mask.shape
    for _ in range(TRIES):
        x, y = (round(rng.uniform(*_range(side, size, outside))) for side in (w, h))
        if canvas.paste(cutout, x, y, min_pixels=min_pixels):
            return True
    return False


def _range(side, size, outside):
    """Lowest and highest coordinate of a cutout's corner along one axis."""
    low, high = -outside * side, size - side + outside * side
    return (low, high) if low <= high else ((size - side) / 2,) * 2
