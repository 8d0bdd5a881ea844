"""Lesson 10: where a region is read, which map it is read from, and a small mask put back into its place."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision import ops
from torchvision.models.detection import roi_heads
from torchvision.ops import poolers

from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.functions import examine_function, kind_of_tensor
from deeplab_teach.check.mistakes import Mistake, edited, mistakes, read_table
from deeplab_teach.regions import paste_mask as paste_mask_reference
from deeplab_teach.regions import region_levels as region_levels_reference
from deeplab_teach.regions import sampling_points as sampling_points_reference


def _boxes(count):
    """Boxes whose borders lie between whole places, as they do in steps of a map."""
    corner = 1 + torch.rand(count, 2) * 20
    return torch.cat([corner, corner + 3 + torch.rand(count, 2) * 15], dim=1)


def _examine_sampling_points(answer):
    known = torch.tensor([[10.0, 20.0, 18.0, 26.0]])
    calls = [
        (known, 2, 2),
        (_boxes(3), 7, 2),
        (_boxes(2), 3, 1),
        (_boxes(2), 1, 4),
        (_boxes(int(torch.randint(2, 6, ()))), int(torch.randint(2, 8, ())), int(torch.randint(2, 5, ()))),
    ]
    advice = "[i, row, column] holds x and y of one point of box i: x is that of the column, y that of the row."
    example, kind = "sampling_points(boxes, output_size, samples)", _kind_of_points
    reference, known_mistakes = sampling_points_reference, SAMPLING_POINTS_MISTAKES
    examine_function(answer, reference, example, calls, known_mistakes, kind=kind, advice=advice)


def _kind_of_points(value):
    if isinstance(value, Tensor) and not value.is_floating_point():
        return "You return whole numbers; most points lie between places, and nothing is to be rounded."
    return kind_of_tensor(value)


SAMPLING_POINTS_MISTAKES = mistakes(r"""
Your points stand at the borders of their parts; each stands in the *middle* of its part.
    + 0.5) / count => ) / count
    or + 0.5) / count => + 1) / count
Your points run from border to border of the box; the first and the last one stand half a part inside of it.
    (torch.arange(count, device=boxes.device) + 0.5) / count => torch.linspace(0, 1, count)
You leave as much room at the box's borders as between two points; in the middle of its part, a point has half of that.
    (torch.arange(count, device=boxes.device) + 0.5) / count => torch.linspace(0, 1, count + 2)[1:-1]
In each bin your points run from border to border, so that two bins read at the same place.
    (torch.arange(count, device=boxes.device) + 0.5) / count => (torch.arange(output_size)[:, None] +
        torch.linspace(0, 1, samples)).flatten() / output_size
In each bin you leave as much room at its borders as between two points. Two points of a bin stand at 1/4 and 3/4 of it.
    (torch.arange(count, device=boxes.device) + 0.5) / count => (torch.arange(output_size)[:, None] +
        torch.linspace(0, 1, samples + 2)[1:-1]).flatten() / output_size
You read each bin in its middle only; asked are `samples` x `samples` points in each, spread evenly.
    count = output_size * samples => count = output_size
    or (torch.arange(count, device=boxes.device) + 0.5) / count => (torch.arange(count) // samples + 0.5) / output_size
You round to whole places, as RoIPool did; here a point stays where it is, between places too.
    x, y = places.unbind => x, y = places.round().unbind
    or x, y = places.unbind => x, y = places.floor().unbind
    or left_top, right_bottom = => boxes = boxes.round()\n    left_top, right_bottom =
    or left_top, right_bottom = => boxes = boxes.floor()\n    left_top, right_bottom =
    or left_top, right_bottom = => boxes = torch.cat([boxes[:, :2].floor(), boxes[:, 2:].ceil()],
        1)\n    left_top, right_bottom =
The two numbers of a point are exchanged: first x, then y.
    -1, count)], dim=-1) => -1, count)], dim=-1).flip(-1)
Rows and columns are exchanged: x grows from column to column, y from row to row.
    -1, count)], dim=-1) => -1, count)], dim=-1).transpose(1, 2)
You read a box as [top, left, bottom, right]; it is [left, top, right, bottom].
    left_top, right_bottom = => boxes = boxes[:, [1, 0, 3, 2]]\n    left_top, right_bottom =
You take a box as [x, y, width, height]; here the last two numbers are its right and bottom border.
    (right_bottom - left_top) => right_bottom
Your points are counted from the box's own corner; where the box begins is missing, in x as in y.
    left_top + shares[:, None] => shares[:, None]
You give shares of a box, as if all boxes were one; asked are places, in the boxes' unit.
    left_top + shares[:, None] * (right_bottom - left_top) => shares[:, None].expand(len(boxes), -1, 2)
    or left_top + shares[:, None] * (right_bottom - left_top) => 2 * shares[:, None].expand(len(boxes), -1, 2) - 1
You use one side of the box for both directions; x is a share of its width, y a share of its height.
    (right_bottom - left_top) => (right_bottom - left_top)[..., :1]
    or (right_bottom - left_top) => (right_bottom - left_top)[..., 1:]
Your points run out of the box: on a side there are as many parts as bins times samples, so that a part is smaller.
    + 0.5) / count => + 0.5) / output_size
    or + 0.5) / count => + 0.5) / samples
    or (torch.arange(count, device=boxes.device) + 0.5) / count => (torch.arange(output_size)[:, None] +
        torch.arange(samples) + 0.5).flatten() / output_size
You add half a place, or subtract it; what is half is the *part* in whose middle a point stands.
    + 0.5) / count => ) / count
    left_top + shares => left_top + 0.5 + shares
    or left_top + shares => left_top - 0.5 + shares
Your points are not in order: first comes one point of every bin, then the next one. Those of a bin stand side by side.
    left_top, right_bottom = => shares = shares.view(output_size, samples).T.flatten()\n    left_top, right_bottom =
x and y are the last of the four dimensions; in yours they are another one.
    -1, count)], dim=-1) => -1, count)], dim=0)
    or -1, count)], dim=-1) => -1, count)], dim=1)
The points of a box stand in one long row; asked is a grid, rows and columns.
    -1, count)], dim=-1) => -1, count)], dim=-1).flatten(1, 2)
You keep the points bin by bin; asked is one grid of all points of a box.
    -1, count)], dim=-1) => -1, count)], dim=-1).view(-1, output_size, samples, output_size, samples, 2)
    or -1, count)], dim=-1) => -1, count)], dim=-1).view(-1, output_size, samples, output_size, samples,
        2).transpose(2, 3)
A `reshape` mixes up your points: before it, the rows of the bins and the rows within a bin must stand side by side.
    -1, count)], dim=-1) => -1, count)], dim=-1).view(-1, output_size, samples, output_size, samples,
        2).transpose(2, 3).reshape(-1, count, count, 2)
""")

sampling_points = Exercise(
    minutes=10,
    statement="""RoIAlign cuts each box `(n, 4)` into `output_size` x `output_size` equal bins, and each bin into
        `samples` x `samples` equal parts. It reads in the middle of each part. Give x and y of all these points, in the
        boxes' unit: `(n, output_size * samples, output_size * samples, 2)`, row by row from the top.""",
    hints=(
        """Forget the bins: all parts of a box together are one grid of equal parts. If a side has 4 of them, at which
        share of the side is the middle of the first? Of the second? The same shares serve for x and for y.""",
        """`(torch.arange(count) + 0.5) / count` are the shares, where `count` is bins times samples. x is left + share
        * width, `(n, count)`; y is alike. Then `x[:, None, :]` is for all rows and `y[:, :, None]` for all columns:
        `.expand` both to `(n, count, count)`, and `torch.stack` them at the end.""",
    ),
    reference=sampling_points_reference,
    examine=_examine_sampling_points,
    barred=(ops.roi_align, ops.RoIAlign, ops.roi_pool, ops.RoIPool, ops.ps_roi_align, ops.MultiScaleRoIAlign),
    moral="Nothing is rounded: that is the whole difference between RoIAlign and the RoIPool before it.",
)


def _regions(count):
    """Boxes of 20 to 2500 pixels a side; of none is it doubtful, by rounding, which map it is read from."""
    side = 224 * 2 ** (torch.randint(-3, 3, (count, 1)) + 0.03 + 0.94 * torch.rand(count, 1))
    shape = 2 ** (torch.rand(count, 1) - 0.5)
    corner = torch.rand(count, 2) * 300
    return torch.cat([corner, corner + side * torch.cat([shape, 1 / shape], dim=1)], dim=1)


def _examine_region_levels(answer):
    sides = [(224, 224), (300, 300), (100, 100), (1000, 1000), (20, 30), (111, 111), (120, 120), (160, 160), (223, 223)]
    sides += [(240, 240), (320, 320), (448, 448), (60, 60), (56, 500), (400, 100), (112, 448)]
    known = torch.tensor([[30.0, 50.0, 30.0 + w, 50.0 + h] for w, h in sides])
    calls = [
        (known[:4], 4),
        (known, 4),
        (_regions(20), 4),
        (known, 3),
        (_regions(12), 2),
        (torch.cat([_regions(12), known]), 5),
        (_regions(int(torch.randint(5, 10, ()))), int(torch.randint(3, 6, ()))),
    ]
    advice = "Take floor(4 + log2(sqrt(w * h) / 224)), keep it among the maps there are, and count from p2, which is 0."
    example, kind = "region_levels(boxes, levels)", _kind_of_levels
    reference, known_mistakes = region_levels_reference, REGION_LEVELS_MISTAKES
    examine_function(answer, reference, example, calls, known_mistakes, kind=kind, advice=advice)


def _kind_of_levels(value):
    if isinstance(value, list | tuple):
        return "Your function returns a list; asked is a tensor, `torch.tensor(found, dtype=torch.int64)`."
    if isinstance(value, Tensor) and value.is_floating_point():
        return "You return floating-point numbers; asked is int64: they say which map of a list is meant."
    return kind_of_tensor(value)


REGION_LEVELS_MISTAKES = mistakes(r"""
You give the number in the map's name, 2 for `p2`; asked is its place among the maps: 0 for `p2`.
    (level.clamp(finest, finest + levels - 1) - finest) => level.clamp(0, levels - 1)
    or levels - 1) - finest) => levels - 1))
    or (level.clamp(finest, finest + levels - 1) - finest) => level
You do not keep to the maps there are: small regions get a number below 0, and large ones a number beyond the last map.
    level.clamp(finest, finest + levels - 1) => level
A small region gets a number below 0 in yours; there is no map finer than the first, so it is read from that one.
    level.clamp(finest, finest + levels - 1) => level.clamp(max=finest + levels - 1)
A large region gets a number beyond the last map in yours; it is read from the last one.
    level.clamp(finest, finest + levels - 1) => level.clamp(min=finest)
Among your numbers is one for which there is no map: of `levels` maps the last has the number `levels` - 1.
    finest + levels - 1 => finest + levels
Your numbers stay below `levels` before you count from p2; first count from p2, then keep to the maps there are.
    level.clamp(finest, finest + levels - 1) => level.clamp(0, levels - 1)
    or (level.clamp(finest, finest + levels - 1) - finest) => (level.clamp(0, levels - 1) - finest).clamp(min=0)
You take the number of maps for the name of the last: with 4 maps that is `p5`, not `p4`.
    finest + levels - 1 => levels
Whatever `levels` is, you take the last map to be `p5`.
    finest + levels - 1 => 5
You round to the nearest whole number; asked is the next one *below*.
    (4 + torch.log2(side / canonical) + 1e-6).floor() => (4 + torch.log2(side / canonical)).round()
You round up; asked is the next whole number *below*.
    (4 + torch.log2(side / canonical) + 1e-6).floor() => (4 + torch.log2(side / canonical)).ceil()
You cut off the fraction of negative numbers, so that -0.5 becomes 0; the next whole number below it is -1.
    (4 + torch.log2(side / canonical) + 1e-6).floor() => 4 + torch.log2(side / canonical).trunc()
A region of exactly 224 x 224 pixels belongs to `p4`, one of 448 x 448 to `p5`; yours are read from one map finer.
    + 1e-6 => - 1e-6
You take the area for the size of a region; its *square root* is measured in pixels, as 224 is.
    .prod(dim=1).sqrt() => .prod(dim=1)
    or side / canonical => side**2 / canonical**2
    or side / canonical => side / canonical**0.5
The logarithm is to the base 2: twice as large is one map coarser.
    torch.log2 => torch.log
    or torch.log2 => torch.log10
There is no logarithm in yours: twice as large is *one* map coarser, four times as large two.
    torch.log2(side / canonical) => side / canonical
You measure a region by one of its sides, or by the mean of the two; asked is the square root of width times height.
    .prod(dim=1).sqrt() => .amax(dim=1)
    or .prod(dim=1).sqrt() => .amin(dim=1)
    or .prod(dim=1).sqrt() => [:, 0]
    or .prod(dim=1).sqrt() => [:, 1]
    or .prod(dim=1).sqrt() => .mean(dim=1)
You measure a region from corner to corner; asked is the square root of width times height.
    .prod(dim=1).sqrt() => .norm(dim=1)
All regions are read from a map too coarse: 224 x 224 pixels belong to `p4`, which is the third map from `p2` on.
    (4 + => (5 +
    or levels - 1) - finest) => levels - 1) - 1).clamp(max=levels - 1)
All regions are read from a map too fine: 224 x 224 pixels belong to `p4`, which is the third map from `p2` on.
    (4 + => (3 +
The size that belongs to `p4` is 224 pixels; yours is another.
    side / canonical => side / 256
    or side / canonical => side / 512
    or side / canonical => side / 800
In yours the larger region is read from the finer map; it is the small ones that need a fine map.
    (4 + torch.log2(side / canonical) + 1e-6) => (4 - torch.log2(side / canonical))
Your numbers count from the coarsest map; 0 is the finest.
    (level.clamp(finest, finest + levels - 1) - finest) => (finest + levels - 1 - level.clamp(finest,
        finest + levels - 1))
You take a box as [x, y, width, height]; here the last two numbers are its right and bottom border.
    (boxes[:, 2:] - boxes[:, :2]) => boxes[:, 2:]
You add 1 to widths and heights, as for pixels that are counted; here borders are given, and 0 to 4 is 4 wide.
    (boxes[:, 2:] - boxes[:, :2]) => (boxes[:, 2:] - boxes[:, :2] + 1)
""")

region_levels = Exercise(
    minutes=8,
    statement="""Say for each region `(n, 4)`, in pixels, which of the `levels` maps it is read from: `p2`, `p3` and so
        on. The number in the map's name is floor(4 + log2(sqrt(w * h) / 224)), or the nearest one there is. Give the
        map's place: 0 for `p2`, 1 for `p3`; int64, `(n,)`.""",
    hints=(
        """Go step by step. First the side of a square as large as the region; then how often 224 is to be doubled to
        get that, rounded down. Two things are left: the first map is called `p2`, and there are `levels` of them.""",
        """Width and height are `(boxes[:, 2:] - boxes[:, :2]).unbind(dim=1)`. After `torch.log2` and `.floor()`
        subtract 2, then `.clamp(0, levels - 1)`, then `.long()`.""",
    ),
    reference=region_levels_reference,
    examine=_examine_region_levels,
    barred=(poolers.LevelMapper, ops.MultiScaleRoIAlign),
    moral="A small region is read from a fine map and a large one from a coarse map: each has about as many places.",
)


def _examine_paste_mask(answer):
    left, top, width, height = (int(torch.randint(low, high, ())) for low, high in ((-3, 9), (-2, 6), (7, 13), (5, 8)))
    cases = [
        (5, [3, 2, 14, 8], (12, 18)),
        (28, [4, 6, 13, 19], (24, 20)),  # smaller than the mask
        (4, [-4, -3, 6, 8], (10, 13)),
        (6, [8, 5, 20, 16], (11, 15)),
        (4, [-3, 4, 5, 14], (11, 9)),
        (5, [4, -2, 13, 7], (9, 10)),
        (4, [4, 1, 5, 9], (10, 8)),  # a pixel wide
        (3, [2, 3, 11, 4], (7, 12)),
        (5, [-3, -2, 12, 9], (7, 9)),  # larger than the image
        (int(torch.randint(4, 8, ())), [left, top, left + width, top + height], (10, 14)),
    ]
    calls = [(torch.rand(m, m), torch.tensor(box, dtype=torch.float32), size) for m, box, size in cases]
    advice = "Each pixel in the box holds what the stretched mask has in the pixel's middle; all others hold 0."
    example, kind = "paste_mask(mask, box, size)", _kind_of_pasted
    reference, known_mistakes = paste_mask_reference, PASTE_MASK_MISTAKES
    examine_function(answer, reference, example, calls, known_mistakes, kind=kind, advice=advice)


def _kind_of_pasted(value):
    if isinstance(value, Tensor) and not value.is_floating_point():
        return "You return true or false, or whole numbers; asked are the probabilities, stretched."
    return kind_of_tensor(value)


def _by_slices(mask, box, size):
    """What the reference gives, in the way in which many would write it: some mistakes are made in this way only."""
    left, top, right, bottom = map(int, box.tolist())
    stretched = F.interpolate(
        mask[None, None], size=(bottom - top, right - left), mode="bilinear", align_corners=False
    )[0, 0]
    pasted = torch.zeros(size)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, size[1]), min(bottom, size[0])
    pasted[y0:y1, x0:x1] = stretched[y0 - top : y1 - top, x0 - left : x1 - left]
    return pasted


def _in_slices(table):
    return tuple(Mistake(sentence, made=edited(_by_slices, tuple(edits))) for sentence, edits in read_table(table))


PASTE_MASK_MISTAKES = (
    *_in_slices(r"""
Your function fails where the box reaches beyond the image. Copy the part that is inside only, on both sides.
    pasted[y0:y1, x0:x1] = stretched[y0 - top : y1 - top, x0 - left : x1 - left] => pasted[top:bottom, left:right] =
        stretched
    or pasted[y0:y1, x0:x1] = stretched[y0 - top : y1 - top, x0 - left : x1 - left] => pasted[top:bottom, left:right] =
        stretched[: size[0] - top, : size[1] - left]
    or pasted[y0:y1, x0:x1] = stretched[y0 - top : y1 - top, x0 - left : x1 - left] => pasted[top:y1, left:x1] =
        stretched[: y1 - top, : x1 - left]
    or pasted[y0:y1, x0:x1] = stretched[y0 - top : y1 - top, x0 - left : x1 - left] => pasted[y0:bottom, x0:right] =
        stretched[y0 - top :, x0 - left :]
    or )[0, 0] => ).squeeze()
    pasted[y0:y1, x0:x1] = stretched[y0 - top : y1 - top, x0 - left : x1 - left] => pasted[top:bottom, left:right] =
        stretched
A box can be one pixel wide or high: your `squeeze` takes this side away too. Take away the first two dimensions only.
    )[0, 0] => ).squeeze()
What lies left of the image or above it turns up at its other end: a negative place counts from the end.
    pasted[y0:y1, x0:x1] = stretched[y0 - top : y1 - top, x0 - left : x1 - left] => pasted[torch.arange(top, y1)[:,
        None], torch.arange(left, x1)] = stretched[: y1 - top, : x1 - left]
Where the box begins left of the image or above it, you keep the mask's first rows and columns: just those are outside.
    stretched[y0 - top : y1 - top, x0 - left : x1 - left] => stretched[: y1 - y0, : x1 - x0]
You stretch to the box's width by height; a size is rows first: height, then width.
    size=(bottom - top, right - left) => size=(right - left, bottom - top)
    or size=(bottom - top, right - left) => size=(right - left, bottom - top)
    stretched[y0 - top : y1 - top, x0 - left : x1 - left] => stretched
    or size=(bottom - top, right - left) => size=(right - left, bottom - top)
    pasted[y0:y1, x0:x1] = stretched[y0 - top : y1 - top, x0 - left : x1 - left] => pasted[top:bottom, left:right] =
        stretched
You put it in by columns and rows; a tensor's rows come first: from top to bottom, then from left to right.
    pasted[y0:y1, x0:x1] = => pasted[x0:x1, y0:y1] =
    or pasted[y0:y1, x0:x1] = stretched[y0 - top : y1 - top, x0 - left : x1 - left] => pasted[x0:x1, y0:y1] =
        stretched[x0 - left : x1 - left, y0 - top : y1 - top]
    or pasted[y0:y1, x0:x1] = stretched[y0 - top : y1 - top, x0 - left : x1 - left] => pasted[left:right, top:bottom] =
        stretched
`F.pad` begins with the last dimension: left and right first, then top and bottom.
    return pasted => return F.pad(stretched, (top, size[0] - bottom, left, size[1] - right))
You give the stretched mask alone; asked is an image of `size` that holds it at its place.
    return pasted => return stretched
    or return pasted => return pasted[y0:y1, x0:x1]
Where the box is smaller than the mask you take means (`antialias`); asked is what is in each pixel's middle.
    align_corners=False => align_corners=False, antialias=True
You take the nearest value of the mask; asked is to blend its neighbours (bilinear).
    mode="bilinear", align_corners=False => mode="nearest"
    or mode="bilinear", align_corners=False => mode="nearest-exact"
"""),
    *mistakes(r"""
You take the nearest value of the mask; asked is to blend its neighbours (bilinear).
    padding_mode="border", => mode="nearest", padding_mode="border",
You lay the outermost values of the mask on the corners (`align_corners=True`); asked is False: they lie half a step in.
    align_corners=False => align_corners=True
"""),
    *_in_slices(r"""
You lay the outermost values of the mask on the corners (`align_corners=True`); asked is False: they lie half a step in.
    align_corners=False => align_corners=True
"""),
    *mistakes(r"""
Where the box reaches beyond the image you squeeze the whole mask into the rest; what is outside must be cut off.
    box.tolist() => box.tolist()\n    left, top = max(left, 0), max(top, 0)\n    right, bottom = min(right, size[1]),
        min(bottom, size[0])
You read a box as [top, left, bottom, right]; it is [left, top, right, bottom].
    left, top, right, bottom = box.tolist() => top, left, bottom, right = box.tolist()
You take a box as [x, y, width, height]; here the last two numbers are its right and bottom border.
    box.tolist() => box.tolist()\n    right, bottom = left + right, top + bottom
Rows and columns of the mask are exchanged: it lies in the box as if it were mirrored at its diagonal.
    mask[None, None] => mask.T[None, None]
You give a tensor of the image's width by its height; rows come first, so it is height by width, as `size` is.
    left, top, right, bottom = => size = size[::-1]\n    left, top, right, bottom =
    or torch.where(inside.to(mask.device), pasted, 0) => torch.where(inside, pasted, 0).T
The mask is stretched over the whole image; it belongs over the box.
    left, top, right, bottom = box.tolist() => left, top, right, bottom = 0, 0, size[1], size[0]
    or (inside.to(mask.device), pasted, 0) => (inside, F.interpolate(mask[None, None], size=size,
        mode="bilinear")[0, 0], 0)
The mask is not stretched: it is put in at its own size.
    box.tolist() => box.tolist()\n    right, bottom = left + len(mask), top + len(mask)
The mask begins in the image's corner; it must begin where the box does.
    box.tolist() => box.tolist()\n    left, top, right, bottom = 0, 0, right - left, bottom - top
You count the right and bottom border in, so that the box is a pixel wider and higher; 0 to 4 is 4 wide.
    box.tolist() => box.tolist()\n    right, bottom = right + 1, bottom + 1
You put a threshold on it; asked are the probabilities themselves, so that the threshold can be chosen later.
    torch.where(inside.to(mask.device), pasted, 0) => torch.where(inside, pasted, 0) > 0.5
    or torch.where(inside.to(mask.device), pasted, 0) => (torch.where(inside, pasted, 0) > 0.5).float()
    or (mask[None, None] => ((mask > 0.5).float()[None, None]
You apply a sigmoid; the mask holds probabilities already.
    (inside.to(mask.device), pasted, 0) => (inside, pasted.sigmoid(), 0)
    or (mask[None, None] => (mask.sigmoid()[None, None]
Toward the borders of the box your values fade to 0; from the mask's outermost values on they must stay as they are.
    padding_mode="border", =>
    or padding_mode="border", =>
    torch.where(inside.to(mask.device), pasted, 0) => pasted
Outside of the box there must be 0; in yours the mask's outermost values go on.
    torch.where(inside.to(mask.device), pasted, 0) => pasted
Outside of the box there must be 0; yours holds 1 there.
    pasted, 0) => pasted, 1)
Over the box your grid runs from 0 to 1; `grid_sample` counts from -1 to 1, over the whole mask.
    grid.to(mask) => (grid.to(mask) + 1) / 2
    or x = 2 * (torch.arange(size[1]) + 0.5 - left) / (right - left) - 1 => x = (torch.arange(size[1]) + 0.5 - left) /
        (right - left)
    y = 2 * (torch.arange(size[0]) + 0.5 - top) / (bottom - top) - 1 => y = (torch.arange(size[0]) + 0.5 - top) /
        (bottom - top)
You read at the upper left corner of each pixel; its middle is half a pixel further, in x and in y.
    torch.arange(size[1]) + 0.5 - left => torch.arange(size[1]) - left
    torch.arange(size[0]) + 0.5 - top => torch.arange(size[0]) - top
"""),
)

paste_mask = Exercise(
    minutes=10,
    statement="""Put a small mask `(m, m)` of probabilities into an image of `size`, height and width: stretched over
        its box `(4,)` bilinearly, with `align_corners=False`, and 0 outside of it. The borders of the box are whole
        pixels (in floats); where it reaches beyond the image, the mask is cut off. Give `(H, W)`.""",
    hints=(
        """First stretch the mask over the whole box, wherever that lies. Then copy the part that is inside the image.
        If the box begins at -3, which column of the stretched mask is the first to be copied, and to where?""",
        """`F.interpolate(mask[None, None], size=(h, w), mode="bilinear", align_corners=False)[0, 0]`, with the borders
        as `int`. The part inside begins at `max(left, 0)` and ends at `min(right, size[1])`; subtract `left` from
        both for the columns of the stretched mask.""",
    ),
    reference=paste_mask_reference,
    examine=_examine_paste_mask,
    barred=(roi_heads.paste_masks_in_image, roi_heads.paste_mask_in_image),
    moral="28 x 28 numbers are enough for a mask of any size: the box says where it is and how large.",
)
