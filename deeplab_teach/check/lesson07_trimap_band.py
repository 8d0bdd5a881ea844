"""Lesson 07: the band of pixels along the outlines."""

import torch
import torch.nn.functional as F
from torch import Tensor

from deeplab_teach.check.attempt import Wrong, attempt, own_function
from deeplab_teach.check.compare import require_same, require_tensor, require_untouched
from deeplab_teach.check.engine import Exercise
from deeplab_teach.metrics import trimap_band as reference

RUN = "trimap_band(labels, width)"


def _examine_trimap_band(answer):
    own_function(answer, RUN)
    scene = _scene()
    cases = [(scene, 3, 255), (scene, 1, 255), (_blobs(31, 23), 2, 255), (_blobs(17, 40), 5, 255)]
    cases += [(torch.stack([scene, scene.flip(1), torch.full_like(scene, 7)]), 2, 255)]  # a batch
    cases += [(torch.where(scene == 255, 6, scene), 2, 6)]
    for labels, width, ignored in cases:
        given = labels.clone()
        if ignored == 255:
            band = attempt(RUN, answer, given, width)
        else:
            call = f"trimap_band(labels, width, ignore_index={ignored})"
            band = attempt(call, answer, given, width, ignore_index=ignored)
        require_untouched({"labels": labels}, {"labels": given}, "its input `labels`")
        _compare(band, labels, width, ignored)


def _scene():
    """Two objects, one of them at the border, and an unknown strip along a third of the picture."""
    labels = torch.zeros(29, 37, dtype=torch.int64)
    labels[6:17, 8:20] = 3
    labels[10:14, 14:17] = 8  # an object inside the first
    labels[22:, 25:] = 12  # cut off by the border
    labels[3:20, 28:32] = 255
    return labels


def _blobs(height, width):
    coarse = torch.randint(0, 4, (1, 1, height // 5 + 1, width // 5 + 1)).float()
    labels = F.interpolate(coarse, size=(height, width))[0, 0].long()
    labels[torch.rand(height, width) < 0.01] = 255
    return labels


def _compare(band, labels, width, ignored):
    due = reference(labels, width, ignore_index=ignored)
    what = "your band"
    require_tensor(band, what)
    if band.shape != labels.shape and band.squeeze().shape == labels.squeeze().shape:
        raise Wrong(
            f"Your band has shape {tuple(band.shape)}, the labels {tuple(labels.shape)}: the axes of size 1 that "
            "pooling needs must go again at the end."
        )
    _require_bool(band, due, labels, ignored)
    axes = "the shape of `labels`"
    mistakes = _mistakes(labels, width, ignored, due) if band.shape == labels.shape else ()
    try:
        require_same(band, due, what=what, axes=axes, mistakes=mistakes)
    except Wrong as wrong:
        if "does not know this mistake" not in str(wrong):
            raise
        *_, row, column = (band != due).nonzero()[0].tolist()
        is_fixed = labels.shape == (29, 37)
        where = f" For example at row {row}, column {column} of the check's picture." if is_fixed else ""
        extra, lacking = (band & ~due).any().item(), (due & ~band).any().item()
        how = "has pixels too many and too few" if extra and lacking else "is too wide" if extra else "is too narrow"
        raise Wrong(f"With width={width} your band {how}.{where} Which pixels does the definition look at?") from None


def _require_bool(band, due, labels, ignored):
    if band.dtype == torch.bool:
        return
    if band.shape == due.shape and torch.equal(band.long(), labels.where(due, ignored)):
        raise Wrong("You return the labels of the band; asked is which pixels are in it, True or False.")
    if band.shape == due.shape and torch.equal(band.long(), due.long()):
        raise Wrong(f"The right pixels, but as {band.dtype}: asked are True and False (bool), to pick pixels with.")
    raise Wrong(f"Your band has dtype {band.dtype}; asked are True and False (bool), one per pixel.")


def _mistakes(labels, width, ignored, due):
    """`(sentence, the band after it)`, most of them the reference with one thing changed."""
    high, low = _extremes(labels, width)
    known = labels != ignored
    yield "Inside and outside are swapped: you mark the pixels far from every outline.", ~due
    yield "You mark the far pixels and leave the band out: inside and outside are swapped.", (high == low)
    both = "Only one side of each outline is in your band: the pixels just inside and just outside both belong to it."
    for one_side in (
        labels != low,
        labels != high,
        due & (labels > 0),
        due & (labels == 0),
        (labels != low) & (labels > 0),
    ):
        yield both, one_side & known
        yield both, one_side
    yield "Ignored pixels are in your band: nobody knows their label, so they are never counted.", high != low
    unknown_edge = torch.where(known, labels, -(10**6)), torch.where(known, labels, 10**6)
    without = (_extremes(unknown_edge[0], width)[0] != _extremes(unknown_edge[1], width)[1]) & known
    yield "Where labels end and ignored pixels begin there is an outline too; your band has none there.", without
    for radius in sorted({width // 2, width - 1, width + 1, 2 * width, 2 * width + 1} - {width}):
        if radius:
            yield (
                f"Your band is {radius} wide on each side of an outline where width={width}: how many pixels must a "
                "window have to reach `width` to the left and to the right of its middle?",
                reference(labels, radius, ignore_index=ignored),
            )
    for value in (0, -1, ignored):
        padded = F.pad(labels, (width,) * 4, value=value)
        inner = (..., slice(width, -width), slice(width, -width))
        high_p, low_p = _extremes(padded, width)
        yield (
            "The border of the image counts as an outline in yours: what you pad with differs from the labels there.",
            (high_p != low_p)[inner] & known,
        )
    yield "Your window looks along the rows only, left and right.", _differs(labels, width, lambda y, x: y == 0) & known
    yield "Your window looks along the columns only, up and down.", _differs(labels, width, lambda y, x: x == 0) & known
    if width > 1:
        yield (
            "Your window is a diamond (steps up, down, left, right); asked is a square: diagonal neighbours are near.",
            _differs(labels, width, lambda y, x: abs(y) + abs(x) <= width) & known,
        )
        yield (
            "Your window is a disc; asked is a square of 2 * width + 1 pixels.",
            _differs(labels, width, lambda y, x: y * y + x * x <= width * width) & known,
        )
    cross = _differs(labels, width, lambda y, x: y == 0 or x == 0) & known
    yield "Your window is a cross: it looks along its row and its column, not at the corners of the square.", cross


def _extremes(labels, width):
    """Highest and lowest label in the square around each pixel."""
    values = labels.reshape(-1, 1, *labels.shape[-2:]).double()
    window = {"kernel_size": 2 * width + 1, "stride": 1, "padding": width}
    high, low = F.max_pool2d(values, **window), -F.max_pool2d(-values, **window)
    return high.reshape(labels.shape).long(), low.reshape(labels.shape).long()


def _differs(labels: Tensor, width: int, looks_at) -> Tensor:
    """Whether a pixel differs from one that its window looks at; the window stops at the border."""
    result = torch.zeros_like(labels, dtype=torch.bool)
    rows, columns = labels.shape[-2:]
    for y in range(-width, width + 1):
        for x in range(-width, width + 1):
            if looks_at(y, x) and abs(y) < rows and abs(x) < columns:
                here = (..., slice(max(0, -y), rows - max(0, y)), slice(max(0, -x), columns - max(0, x)))
                there = (..., slice(max(0, y), rows + min(0, y)), slice(max(0, x), columns + min(0, x)))
                result[here] |= labels[here] != labels[there]
    return result


trimap_band = Exercise(
    name="trimap_band",
    lesson="07",
    minutes=12,
    statement=(
        "Mark the pixels near an outline: those for which, in the square of 2 * width + 1 pixels around them, some "
        "label differs from another. `labels` is (H, W) or (N, H, W) int64; the result is bool, of the same shape. "
        "The window stops at the border of the image, which is no outline. Pixels that are `ignore_index` are never "
        "in the band, but where they begin there is an outline."
    ),
    stub='''def trimap_band(labels, width, ignore_index=255):
    """The pixels within `width` pixels of an outline.

    labels: (H, W) or (N, H, W) int64.
    Returns bool, the shape of `labels`: True if, in the square of 2 * width + 1 pixels around
    the pixel, some label differs from another. Pixels that are `ignore_index` are never in
    the band, but their edge is an outline; the border of the image is none.
    """
    ...
''',
    hints=(
        "If all labels in a window are equal, then the highest is also the lowest. Which layer that you know gives the "
        "highest value of every window?",
        "`F.max_pool2d` with stride 1 and a padding that keeps the size gives the highest label (as float, and as "
        "(N, 1, H, W)); on the negated labels it gives the lowest. The band is where the two differ and the label is "
        "known.",
    ),
    reference=reference,
    examine=_examine_trimap_band,
    moral="Scored on this band alone, a model without a decoder cannot hide its coarse outlines.",
)
