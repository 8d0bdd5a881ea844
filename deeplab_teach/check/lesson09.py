"""Lesson 09: how far boxes agree, which of them to keep, a pyramid's way down, and distances made into boxes."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision import ops

from deeplab_teach.boxes import box_iou as box_iou_reference
from deeplab_teach.boxes import nms as nms_reference
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.functions import Call, examine_function, kind_of_tensor
from deeplab_teach.check.mistakes import mistakes
from deeplab_teach.check.run import a_kind, random_size
from deeplab_teach.heads.fcos import decode as decode_reference
from deeplab_teach.necks import top_down as top_down_reference


def _boxes(count, *, size=60.0, dtype=torch.float32):
    """Boxes of many sizes, some of which overlap; whole pixels, so that some borders touch."""
    corner = (torch.rand(count, 2) * size).round()
    return torch.cat([corner, corner + (1 + torch.rand(count, 2) * size / 2).round()], dim=1).to(dtype)


def _examine_box_iou(answer):
    known = torch.tensor([[0.0, 0.0, 4.0, 2.0], [2.0, 0.0, 6.0, 2.0], [10.0, 10.0, 12.0, 15.0], [4.0, 0.0, 5.0, 2.0]])
    inside, flat = torch.tensor([[1.0, 0.5, 2.0, 1.5]]), torch.tensor([[3.0, 3.0, 3.0, 7.0]])
    calls = [
        (known, torch.cat([known[:3], inside])),
        (_boxes(5), _boxes(3)),
        (_boxes(int(torch.randint(2, 6, ()))), _boxes(7, dtype=torch.float32)),
        (_boxes(4, dtype=torch.float64), _boxes(4, dtype=torch.float64)),
        (torch.zeros(0, 4), _boxes(2)),
        (torch.cat([flat, known[:1]]), torch.cat([flat, known])),
    ]
    advice = "Row i, column j is the shared area of box i and other box j, divided by the area of both together."
    example, kind = "box_iou(boxes, others)", kind_of_tensor
    examine_function(answer, box_iou_reference, example, calls, BOX_IOU_MISTAKES, kind=kind, advice=advice)


BOX_IOU_MISTAKES = mistakes(r"""
Boxes that lie apart share nothing: a negative width or height of the shared part must become 0 before you multiply.
    .clamp(min=0) =>
You cut off at 0 after multiplying: of boxes that are apart in both directions the product of two negatives is positive.
    (right_bottom - left_top).clamp(min=0).prod(dim=2) => (right_bottom - left_top).prod(dim=2).clamp(min=0)
Two boxes without an area have an IoU of 0; yours is NaN, from 0 / 0.
    (intersection / union).nan_to_num(0) => intersection / union
You give the shared area; asked is its share of the area of both together.
    (intersection / union).nan_to_num(0) => intersection
You divide by the sum of the two areas, which counts the shared part twice: subtract it once.
    other_areas - intersection => other_areas
You divide by the first box's area, so that a small box inside a large one seems to agree with it.
    union = areas[:, None] + other_areas - intersection => union = areas[:, None].expand_as(intersection)
You divide by the smaller area, so that a small box inside a large one seems to agree with it.
    union = areas[:, None] + other_areas - intersection => union = torch.minimum(areas[:, None], other_areas)
You divide by the larger area; asked is the area that the two cover together.
    union = areas[:, None] + other_areas - intersection => union = torch.maximum(areas[:, None], other_areas)
You take a box as [x, y, width, height]; here the last two numbers are its right and bottom border.
    left_top = => boxes, others = (torch.cat([b[:, :2], b[:, :2] + b[:, 2:]], 1)
        for b in (boxes, others))\n    left_top =
You add 1 to widths and heights, as for pixels that are counted; here borders are given, and 0 to 4 is 4 wide.
    (right_bottom - left_top) => (right_bottom - left_top + 1)
    (side[:, 2:] - side[:, :2]) => (side[:, 2:] - side[:, :2] + 1)
The shared part begins at the *larger* of the two left borders and ends at the *smaller* of the right ones.
    left_top = torch.maximum => left_top = torch.minimum
    right_bottom = torch.minimum => right_bottom = torch.maximum
Rows and columns are exchanged: box i of the first argument is row i.
    (intersection / union).nan_to_num(0) => (intersection / union).nan_to_num(0).T
You compare each box with the one of the same number only; asked is each with each, (n, m).
    boxes[:, None, :2], others[:, :2] => boxes[:, :2], others[:, :2]
    boxes[:, None, 2:], others[:, 2:] => boxes[:, 2:], others[:, 2:]
    prod(dim=2) => prod(dim=-1)
    areas[:, None] => areas
""")

box_iou = Exercise(
    minutes=8,
    statement="""Compute the intersection over union of each box `(n, 4)` with each of the others `(m, 4)`: a tensor
        `(n, m)`. A box is [left, top, right, bottom], in pixels.""",
    hints=(
        """On one axis two boxes share what lies between the larger left border and the smaller right border, if that is
        anything at all. Do the same on the other axis; the area of both together counts the shared part once.""",
        """`torch.maximum(boxes[:, None, :2], others[:, :2])` is `(n, m, 2)`: left and top of each shared part. Subtract
        it from the `torch.minimum` of the others, `.clamp(min=0)`, `.prod(dim=2)`. Where the union is 0, give 0.""",
    ),
    reference=box_iou_reference,
    examine=_examine_box_iou,
    barred=(ops.box_iou, ops.generalized_box_iou, ops.distance_box_iou, ops.complete_box_iou),
    moral="This one number decides what counts as found, what is a duplicate, and what a detector is trained towards.",
)


def _examine_nms(answer):
    row = torch.tensor([[0.0, 0, 10, 10], [4.0, 0, 14, 10], [8.0, 0, 18, 10], [30.0, 0, 40, 10], [0.0, 0, 10, 5]])
    scores = torch.tensor([0.7, 0.6, 0.5, 0.9, 0.4])  # the first removes the second, which would remove the third
    many = _boxes(40)
    calls = [
        (row, scores, 0.4),
        (row, scores, 0.5),  # the last overlaps the first by just 0.5, and stays
        (row[[2, 0, 4, 1, 3]], scores[[2, 0, 4, 1, 3]], 0.3),
        (row, scores[[3, 1, 2, 0, 4]], 0.4),  # the best one has neighbours
        (many, torch.rand(40), 0.3),
        (_boxes(30, size=20.0), torch.rand(30), round(float(0.2 + 0.6 * torch.rand(())), 2)),
        (torch.zeros(0, 4), torch.zeros(0), 0.5),
        (many[:1], torch.rand(1), 0.5),
    ]
    advice = "Asked are the indices of the boxes that are kept, best score first."
    example, kind = "nms(boxes, scores, threshold)", _kind_of_kept
    examine_function(answer, nms_reference, example, calls, NMS_MISTAKES, kind=kind, advice=advice)


def _kind_of_kept(value):
    if isinstance(value, list | tuple):
        return "Your function returns a list; asked is a tensor of indices, `torch.tensor(kept, dtype=torch.int64)`."
    if isinstance(value, Tensor) and value.dtype == torch.bool:
        return "You return true or false for each box; asked are the *indices* of those kept, best score first."
    if isinstance(value, Tensor) and value.is_floating_point():
        return "You return numbers with a fraction; asked are indices, int64: which boxes are kept, not what they are."
    return kind_of_tensor(value)


NMS_MISTAKES = mistakes(r"""
A box that was removed removes others in yours. Only those that are kept may: ask what is left, again and again.
    kept = [] => kept, ious = [], box_iou(boxes, boxes)
    order = rest[overlaps <= threshold] => order = rest
    kept.append(best) => kept += [best] if all(ious[best, b] <= threshold for b in
        scores.argsort(descending=True, stable=True)[: len(scores) - len(order)]) else []
You compare a box with the one that was kept last only; any that is kept before may overlap it.
    order = rest[overlaps <= threshold] => order = rest[torch.arange(len(rest)) >= int((overlaps <=
        threshold).float().cumsum(0).eq(0).sum())]
A box that overlaps by just the threshold is removed in yours; only one that overlaps by *more* is.
    overlaps <= threshold => overlaps < threshold
You begin with the worst score: the best box of a group is to stay.
    scores.argsort(descending=True, stable=True) => scores.argsort(stable=True)
You go through the boxes as they come; the best score comes first.
    scores.argsort(descending=True, stable=True) => torch.arange(len(scores))
You keep those that overlap a better one, and remove the others.
    overlaps <= threshold => overlaps > threshold
Your indices are of the sorted list; asked are those of the boxes as they came.
    return torch.stack(kept) if kept else order => position =
        scores.argsort(descending=True, stable=True).argsort()\n    return position[torch.stack(kept)] if kept else
        order
The right boxes are kept, but in the order of their indices; asked is best score first.
    torch.stack(kept) if => torch.stack(kept).sort().values if
You give the boxes themselves; asked are their indices, with which scores and labels can be picked too.
    return torch.stack(kept) if kept else order => return boxes[torch.stack(kept)] if kept else boxes[order]
Your function fails where there is no box at all; there is nothing to keep then.
    torch.stack(kept) if kept else order => torch.stack(kept)
Nothing is removed: you only sort.
    order = rest[overlaps <= threshold] => order = rest
Only the best box of all is kept; those that do not overlap it are other objects, and stay.
    while len(order): => for _ in range(min(1, len(order))):
""")

nms = Exercise(
    minutes=10,
    statement="""Of boxes that overlap by more than `threshold` (intersection over union), keep only the one with the
        best score. Give the indices of those kept, int64, best score first.""",
    hints=(
        """Take the best box of those left and keep it. Which of the others can go? What is left after that is the same
        problem, only smaller.""",
        """`order = scores.argsort(descending=True)`; while there is something in it: keep `order[0]`, and leave in
        `order` those of `order[1:]` that overlap it by `threshold` or less (`box_iou(boxes[best][None], ...)[0]`).""",
    ),
    reference=nms_reference,
    examine=_examine_nms,
    barred=(ops.nms, ops.batched_nms),
    moral="No weight is in it: it is a rule. DETR and its followers train a network that needs none.",
)


def _examine_top_down(answer):
    maps = lambda n, c, *sizes: [torch.randn(n, c, *size) for size in sizes]
    small = random_size(2, 4)
    calls = [
        (maps(2, 3, (8, 12), (4, 6), (2, 3)),),
        (maps(1, 4, (13, 9), (7, 5), (4, 3), (2, 2)),),  # odd sizes: 13 is not 2 * 7
        (maps(2, 2, (6, 6), (6, 6), (3, 3)),),  # two of one size, over a dilated backbone
        (maps(1, 2, (9, 9), (3, 3)),),
        (maps(2, 3, [4 * side - 1 for side in small], [2 * side for side in small], small),),
        (maps(1, 2, (5, 7)),),
        Call((tuple(maps(1, 2, (4, 4), (2, 2))),)),
    ]
    advice = "Each map of your list is the map that came in, plus the *finished* coarser one above it."
    example, kind = "top_down(maps)", _kind_of_maps
    examine_function(answer, top_down_reference, example, calls, TOP_DOWN_MISTAKES, kind=kind, advice=advice)


def _kind_of_maps(value):
    if isinstance(value, list | tuple):
        return None
    return f"Your function returns {a_kind(value)}; asked is a list of maps, fine to coarse, as many as came in."


def _side_by_side(maps):
    summed = [maps[-1]]
    for fine in reversed(maps[:-1]):
        summed.insert(0, torch.cat([fine, F.interpolate(summed[0], size=fine.shape[-2:])], dim=1))
    return summed


TOP_DOWN_MISTAKES = mistakes(
    r"""
You add the coarser map as it came in. It must hold all above it first: begin at the coarsest, and work down.
    for fine in reversed(maps[:-1]): => for fine, above in zip(reversed(maps[:-1]), reversed(maps[1:])):
    F.interpolate(summed[0] => F.interpolate(above
You enlarge by a factor of 2. 13 rows are not 2 times 7, and two maps may be of one size: pass `size=`.
    size=fine.shape[-2:] => scale_factor=2
You enlarge by blending (bilinear); the paper repeats the nearest value, "for simplicity".
    mode="nearest" => mode="bilinear", align_corners=False
Your list runs from coarse to fine; asked is the order in which the maps came, fine to coarse.
    return summed => return summed[::-1]
The fine map is left out in yours: then the place where things are is lost. *Add* the two.
    fine + F.interpolate => F.interpolate
The way goes the other way round: meaning flows from the coarse maps down to the fine ones.
    summed = [maps[-1]] => summed = [maps[0]]
    for fine in reversed(maps[:-1]): => for fine in maps[1:]:
    summed.insert(0, fine + F.interpolate(summed[0], => summed.append(fine + F.interpolate(summed[-1],
The coarsest map is missing from your list; nothing is added to it, but it is a level like the others.
    return summed => return summed[:-1]
You take the mean of the two; the paper adds them.
    fine + F.interpolate(summed[0], size=fine.shape[-2:], mode="nearest") => (fine +
        F.interpolate(summed[0], size=fine.shape[-2:], mode="nearest")) / 2
Rows and columns are exchanged where you enlarge.
    size=fine.shape[-2:] => size=(fine.shape[-1], fine.shape[-2])
""",
    ("You put the maps side by side (`cat`), which adds up the channels; the paper adds the values.", _side_by_side),
)

top_down = Exercise(
    minutes=8,
    statement="""Write FPN's top-down path: maps of one width come in, fine to coarse. Give as many, in the same order,
        each the sum of the map itself and of the finished coarser one, enlarged to its size by repeating values.""",
    hints=(
        "Nothing is added to the coarsest map. The next one gets it, enlarged; the one after that gets the *sum*. In "
        "which direction must the loop run?",
        "`F.interpolate(coarser, size=fine.shape[-2:], mode='nearest')`. Begin a list with the last map; go through "
        "the others backwards; put each sum at the front. Do not change the list that you were given.",
    ),
    reference=top_down_reference,
    examine=_examine_top_down,
    moral="After it even the finest map has heard what the coarsest knows: stride 8, with the meaning of stride 32.",
)


def _examine_decode(answer):
    count = int(torch.randint(4, 9, ()))
    strides = torch.tensor([8.0, 8.0, 16.0, 32.0, 64.0])
    points = torch.tensor([[8.0, 24.0], [40.0, 0.0], [16.0, 48.0], [96.0, 32.0], [64.0, 128.0]])
    calls = [
        (points, strides, torch.tensor([[1.0, 2.0, 3.0, 4.0]]).repeat(5, 1)),
        (points, strides, 4 * torch.rand(5, 4)),
        (points, strides, 4 * torch.rand(3, 5, 4)),  # of three images
        (100 * torch.rand(count, 2), 8 + torch.arange(count).float(), 3 * torch.rand(2, count, 4)),
        (points.double(), strides.double(), torch.rand(5, 4, dtype=torch.float64)),
    ]
    advice = "Each box is [left, top, right, bottom] in pixels: the place, minus and plus distances times its stride."
    example, kind = "decode(points, strides, regression)", kind_of_tensor
    examine_function(answer, decode_reference, example, calls, DECODE_MISTAKES, kind=kind, advice=advice)


DECODE_MISTAKES = mistakes(r"""
The distances are in strides, the places in pixels: multiply each place's distances by the stride of its map.
    regression * strides[..., None] => regression
You divide by the strides; a distance of 2 strides on a map of stride 8 is 16 pixels.
    regression * strides[..., None] => regression / strides[..., None]
One stride is used for all places; each has that of its own map.
    strides[..., None] => strides[0]
The places are multiplied by the strides as well; they are in pixels already.
    reach = => points = points * strides[..., None]\n    reach =
All four distances are added: left and top lie *before* the place, so they are subtracted.
    points - reach[..., :2] => points + reach[..., :2]
All four distances are subtracted: right and bottom lie *after* the place, so they are added.
    points + reach[..., 2:] => points - reach[..., 2:]
Plus and minus are exchanged: left and top are subtracted, right and bottom added.
    points - reach[..., :2] => points + reach[..., :2]
    points + reach[..., 2:] => points - reach[..., 2:]
You read the distances as left, right, top, bottom; they come as left, top, right, bottom.
    reach = => regression = regression[..., [0, 2, 1, 3]]\n    reach =
You take x and y of a place in the other order: x comes first, and goes with left and right.
    reach = => points = points.flip(-1)\n    reach =
You return middle and size, or left, top, width and height; asked are the four borders.
    points + reach[..., 2:] => reach[..., :2] + reach[..., 2:]
    or points - reach[..., :2] => points + (reach[..., 2:] - reach[..., :2]) / 2
    points + reach[..., 2:] => reach[..., :2] + reach[..., 2:]
""")

decode = Exercise(
    minutes=5,
    statement="""Make boxes of what FCOS's head says: `points` `(L, 2)`, x and y in pixels; `strides` `(L,)`;
        `regression` `(..., L, 4)`, the distances to left, top, right and bottom, in strides. Give `(..., L, 4)`: left,
        top, right and bottom border, in pixels.""",
    hints=(
        "In which unit are the distances, in which the places? And on which side of the place lies each border?",
        "`regression * strides[..., None]` is in pixels. Left and top are subtracted from x and y, right and bottom "
        "added; `torch.cat([...], dim=-1)` joins the two pairs.",
    ),
    reference=decode_reference,
    examine=_examine_decode,
    moral="Distances count in strides, so that one head can serve all maps: it says 'two of my own steps to the left'.",
)
