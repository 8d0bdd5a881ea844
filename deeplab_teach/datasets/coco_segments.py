"""COCO's three ways to write the mask of an object: polygons, counts, and counts packed into a string.

They give what `pycocotools` gives: counts exactly, polygons up to a few pixels of the border.
"""

from collections.abc import Mapping, Sequence

import numpy as np


def segment_mask(segmentation: Mapping | Sequence, height: int, width: int) -> np.ndarray:
    """The "segmentation" of a COCO annotation as a mask, bool (height, width).

    Args:
        segmentation: a list of polygons, or `{"size": [height, width], "counts": ...}`.

    Raises:
        ValueError: it is neither, or its numbers do not fit.
    """
    if isinstance(segmentation, Mapping):
        return rle_mask(segmentation, height, width)
    return polygon_mask(segmentation, height, width)


def polygon_mask(polygons: Sequence[Sequence[float]], height: int, width: int) -> np.ndarray:
    """The pixels whose centre lies in one of the polygons, bool (height, width).

    From the top of a column of pixels downwards, each edge of a polygon that crosses the column leads in or out.

    Args:
        polygons: each `[x0, y0, x1, y1, ...]` in pixels; the last corner is joined to the first.

    Raises:
        ValueError: a polygon is not pairs of finite numbers.
    """
    centers = np.arange(width) + 0.5
    mask = np.zeros((height, width), dtype=bool)
    for polygon in polygons:
        corners = _corners(polygon)
        x0, y0 = corners.T
        x1, y1 = np.roll(corners, -1, axis=0).T
        edge, column = np.nonzero((x0[:, None] < centers) != (x1[:, None] < centers))
        y = y0[edge] + (centers[column] - x0[edge]) * (y1 - y0)[edge] / (x1 - x0)[edge]
        row = np.ceil(y - 0.5).clip(0, height).astype(int)  # the first centre below the edge
        crossed = np.zeros((height + 1, width), dtype=bool)
        np.logical_xor.at(crossed, (row, column), True)
        mask |= np.logical_xor.accumulate(crossed[:height], axis=0)
    return mask


def _corners(polygon):
    """(n, 2) x and y, rounded to fifths of a pixel, as pycocotools rounds them."""
    try:
        corners = np.asarray(polygon, dtype=float).reshape(-1, 2)
    except (TypeError, ValueError):
        corners = np.full((1, 2), np.nan)
    if not np.isfinite(corners).all():
        raise ValueError(f"a polygon must be a list x0, y0, x1, y1, ... of numbers; got {str(polygon)[:80]}.")
    return np.floor(5 * corners + 0.5) / 5


def rle_mask(rle: Mapping, height: int, width: int) -> np.ndarray:
    """A run-length encoding as a mask, bool (height, width).

    The counts run down the columns, the leftmost first: so many pixels outside, so many inside, and so on.

    Raises:
        ValueError: it is for a picture of another size, or the counts do not add up to its pixels.
    """
    counts = rle.get("counts")
    runs = np.asarray(unpack_counts(counts) if isinstance(counts, (str, bytes)) else counts)
    if list(rle.get("size", ())) != [height, width]:
        raise ValueError(f"its mask has the size {rle.get('size')}; it must have the picture's, {[height, width]}.")
    if runs.dtype.kind not in "iu" or runs.min(initial=0) < 0 or runs.sum() != height * width:
        raise ValueError(f"the counts of its mask do not add up to the {height * width} pixels of the picture.")
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(width, height).T


def unpack_counts(text: str | bytes) -> list[int]:
    """The counts of a packed string.

    A character holds five bits of a number, the lowest first, and a sixth that says whether more follow. From the
    fourth on, a number is the difference to the last count but one, which is small where an outline is smooth.
    """
    counts: list[int] = []
    number = shift = 0
    for character in text.encode() if isinstance(text, str) else text:
        bits = character - 48
        number |= (bits & 31) << shift
        shift += 5
        if not bits & 32:  # the last of a number; bit 16 is its sign
            number -= (bits & 16) << 1 << (shift - 5)
            counts.append(number + (counts[-2] if len(counts) > 2 else 0))
            number = shift = 0
    return counts
