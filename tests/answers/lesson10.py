"""Answers to the exercises of lesson 10."""
# ruff: noqa: F401 (some names stand in the tables of slips only)

import math

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torchvision.models.detection import roi_heads
from torchvision.ops import poolers
from torchvision.transforms.v2 import functional as transforms

from answers import right, slips, wrong
from deeplab_teach import regions as published
from deeplab_teach.regions import sampling_points as published_points

# ----------------------------------------------------------------------------------------------------- sampling_points


@right("sampling_points")
def by_sides(boxes, output_size, samples):
    left, top, right_, bottom = boxes[:, :, None].unbind(dim=1)
    parts = output_size * samples
    middle = (torch.arange(parts) + 0.5) / parts
    x = left + (right_ - left) * middle
    y = top + (bottom - top) * middle
    x = x[:, None, :].repeat(1, parts, 1)
    y = y[:, :, None].repeat(1, 1, parts)
    return torch.stack([x, y], dim=-1)


slips(
    "sampling_points",
    by_sides,
    r"""
stand at the borders of their parts
    (torch.arange(parts) + 0.5) / parts => torch.arange(parts) / parts
stand at the borders of their parts
    (torch.arange(parts) + 0.5) / parts => torch.linspace(0, 1, parts + 1)[:-1]
stand at the borders of their parts
    (torch.arange(parts) + 0.5) / parts => torch.arange(1, parts + 1) / parts
from border to border of the box
    (torch.arange(parts) + 0.5) / parts => torch.linspace(0, 1, parts)
from border to border of the box
    (torch.arange(parts) + 0.5) / parts => torch.arange(parts) / (parts - 1)
as much room at the box's borders
    (torch.arange(parts) + 0.5) / parts => torch.arange(1, parts + 1) / (parts + 1)
as much room at the box's borders
    (torch.arange(parts) + 0.5) / parts => torch.linspace(0, 1, parts + 2)[1:-1]
read each bin in its middle only
    parts = output_size * samples => parts = output_size
read each bin in its middle only
    (torch.arange(parts) + 0.5) / parts => ((torch.arange(output_size) + 0.5) /
        output_size).repeat_interleave(samples)
You round to whole places
    torch.stack([x, y], dim=-1) => torch.stack([x, y], dim=-1).round()
You round to whole places
    torch.stack([x, y], dim=-1) => torch.stack([x.floor(), y.floor()], dim=-1)
You round to whole places
    boxes[:, :, None] => boxes.round()[:, :, None]
You round to whole places
    boxes[:, :, None] => boxes.long()[:, :, None]
You round to whole places
    x = left + => left, top, right_, bottom = left.floor(), top.floor(), right_.ceil(), bottom.ceil()\n    x = left +
You return whole numbers
    torch.stack([x, y], dim=-1) => torch.stack([x, y], dim=-1).long()
The two numbers of a point are exchanged
    torch.stack([x, y], dim=-1) => torch.stack([y, x], dim=-1)
Rows and columns are exchanged
    x[:, None, :].repeat(1, parts, 1) => x[:, :, None].repeat(1, 1, parts)
    y[:, :, None].repeat(1, 1, parts) => y[:, None, :].repeat(1, parts, 1)
[top, left, bottom, right]
    left, top, right_, bottom = => top, left, bottom, right_ =
[x, y, width, height]
    (right_ - left) => right_
    (bottom - top) => bottom
counted from the box's own corner
    left + (right_ - left) => (right_ - left)
    top + (bottom - top) => (bottom - top)
You give shares of a box
    x = left + (right_ - left) * middle => x = middle.expand(len(boxes), -1)
    y = top + (bottom - top) * middle => y = middle.expand(len(boxes), -1)
You give shares of a box
    x = left + (right_ - left) * middle => x = (2 * middle - 1).expand(len(boxes), -1)
    y = top + (bottom - top) * middle => y = (2 * middle - 1).expand(len(boxes), -1)
one side of the box for both directions
    (bottom - top) => (right_ - left)
one side of the box for both directions
    (right_ - left) => (bottom - top)
run out of the box
    + 0.5) / parts => + 0.5) / output_size
run out of the box
    + 0.5) / parts => + 0.5) / samples
You add half a place
    (torch.arange(parts) + 0.5) / parts => torch.arange(parts) / parts
    torch.stack([x, y], dim=-1) => torch.stack([x + 0.5, y + 0.5], dim=-1)
You add half a place
    torch.stack([x, y], dim=-1) => torch.stack([x, y], dim=-1) - 0.5
Your points are not in order
    (torch.arange(parts) + 0.5) / parts => ((torch.arange(parts) + 0.5) / parts).view(-1, samples).T.flatten()
x and y are the last of the four
    dim=-1) => dim=1)
x and y are the last of the four
    torch.stack([x, y], dim=-1) => torch.stack([x, y])
in one long row
    torch.stack([x, y], dim=-1) => torch.stack([x.flatten(1), y.flatten(1)], dim=-1)
asked is a tensor
    torch.stack([x, y], dim=-1) => (x, y)
gives the shape
    torch.stack([x, y], dim=-1) => torch.stack([x, y], dim=-1)[0]
torch.float64; it must be
    torch.stack([x, y], dim=-1) => torch.stack([x, y], dim=-1).double()
right shape but other values
    right_ - left => right_ - left + 1
    bottom - top => bottom - top + 1
changes what it is given
    parts = => boxes += 0.5\n    parts =
""",
)


@right("sampling_points")
def bin_by_bin(boxes, output_size, samples):
    side = output_size * samples
    points = torch.zeros(len(boxes), side, side, 2)
    for number, (left, top, right_, bottom) in enumerate(boxes.tolist()):
        width, height = (right_ - left) / output_size, (bottom - top) / output_size
        for row in range(side):
            for column in range(side):
                i, down = divmod(row, samples)
                j, along = divmod(column, samples)
                points[number, row, column, 0] = left + (j + (along + 0.5) / samples) * width
                points[number, row, column, 1] = top + (i + (down + 0.5) / samples) * height
    return points


slips(
    "sampling_points",
    bin_by_bin,
    r"""
stand at the borders of their parts
    (along + 0.5) => along
    (down + 0.5) => down
In each bin your points run from border
    (along + 0.5) / samples => along / max(samples - 1, 1)
    (down + 0.5) / samples => down / max(samples - 1, 1)
In each bin you leave as much room
    (along + 0.5) / samples => (along + 1) / (samples + 1)
    (down + 0.5) / samples => (down + 1) / (samples + 1)
read each bin in its middle only
    (along + 0.5) / samples => 0.5
    (down + 0.5) / samples => 0.5
run out of the box
    (along + 0.5) / samples => (along + 0.5)
    (down + 0.5) / samples => (down + 0.5)
The two numbers of a point are exchanged
    column, 0] => column, 1]
    row, column, 1] = top => row, column, 0] = top
Rows and columns are exchanged
    row, column, 0] => column, row, 0]
    row, column, 1] => column, row, 1]
Your points are not in order
    divmod(row, samples) => divmod(row, output_size)[::-1]
    divmod(column, samples) => divmod(column, output_size)[::-1]
raised an error
    torch.zeros(len(boxes), side, side, 2) => torch.zeros(len(boxes), output_size, output_size, 2)
?
    left + (j => left + (i
""",
)


@right("sampling_points")
def with_meshgrid(boxes, output_size, samples):
    side = output_size * samples
    middles = torch.linspace(0.5 / side, 1 - 0.5 / side, side)
    grid = torch.stack(torch.meshgrid(middles, middles, indexing="xy"), dim=-1)
    return torch.stack([box[:2] + grid * (box[2:] - box[:2]) for box in boxes])


slips(
    "sampling_points",
    with_meshgrid,
    r"""
Rows and columns are exchanged
    "xy" => "ij"
The two numbers of a point are exchanged
    indexing="xy"), dim=-1) => indexing="xy"), dim=-1).transpose(0, 1)
    for box in boxes] => for box in boxes], dim=0).flip(-1).transpose(1, 2
gives the shape
    for box in boxes] => for box in boxes[:1]]
counted from the box's own corner
    box[:2] + grid => grid
""",
)


@right("sampling_points")
def by_bins(boxes, output_size, samples):
    inner = (torch.arange(samples) + 0.5) / samples
    shares = (torch.arange(output_size)[:, None] + inner) / output_size  # (bins, samples)
    sides = (boxes[:, 2:] - boxes[:, :2])[:, None, None, :]
    places = boxes[:, None, None, :2] + shares[:, :, None] * sides
    x = places[:, None, None, :, :, 0].expand(-1, output_size, samples, -1, -1)
    y = places[:, :, :, None, None, 1].expand(-1, -1, -1, output_size, samples)
    points = torch.stack([x, y], dim=-1)  # (n, bins, samples, bins, samples, 2)
    return points.reshape(len(boxes), output_size * samples, output_size * samples, 2)


slips(
    "sampling_points",
    by_bins,
    r"""
You keep the points bin by bin
    points.reshape(len(boxes), output_size * samples, output_size * samples, 2) => points
You keep the points bin by bin
    points.reshape(len(boxes), output_size * samples, output_size * samples, 2) => points.transpose(2, 3)
A `reshape` mixes up
    points.reshape( => points.transpose(2, 3).reshape(
Your points are not in order
    (torch.arange(output_size)[:, None] + inner) / output_size => ((torch.arange(output_size) + inner[:, None]) /
        output_size).reshape(output_size, samples)
""",
)


@wrong("sampling_points", "You round to whole places")
def like_roi_pool(boxes, output_size, samples):
    boxes = torch.round(boxes)
    side = output_size * samples
    middles = (torch.arange(side) + 0.5) / side
    x = boxes[:, 0:1] + middles * (boxes[:, 2:3] - boxes[:, 0:1])
    y = boxes[:, 1:2] + middles * (boxes[:, 3:4] - boxes[:, 1:2])
    return torch.stack([torch.stack(torch.meshgrid(a, b, indexing="xy"), -1) for a, b in zip(x, y, strict=True)])


@wrong("sampling_points", "the package's own")
def read_off_a_slope(boxes, output_size, samples):
    """Of maps that hold their own x and y, RoIAlign reads just the points."""
    y, x = torch.meshgrid(torch.arange(60.0), torch.arange(60.0), indexing="ij")
    side = output_size * samples
    return torchvision.ops.roi_align(torch.stack([x, y])[None], [boxes], side, sampling_ratio=1).permute(0, 2, 3, 1)


@wrong("sampling_points", "the package's own")
def the_packages_points(boxes, output_size, samples):
    return published_points(boxes, output_size, samples)


# ------------------------------------------------------------------------------------------------------- region_levels


@right("region_levels")
def step_by_step(boxes, levels):
    width = boxes[:, 2] - boxes[:, 0]
    height = boxes[:, 3] - boxes[:, 1]
    side = torch.sqrt(width * height)
    level = torch.floor(4 + torch.log2(side / 224))
    index = level - 2
    return index.clamp(0, levels - 1).long()


slips(
    "region_levels",
    step_by_step,
    r"""
the number in the map's name
    index = level - 2 => index = level
    clamp(0, levels - 1) => clamp(2, levels + 1)
the number in the map's name
    index = level - 2 => index = level
the number in the map's name
    index.clamp(0, levels - 1) => level
You do not keep to the maps
    index.clamp(0, levels - 1) => index
below 0 in yours
    clamp(0, levels - 1) => clamp(max=levels - 1)
beyond the last map in yours
    clamp(0, levels - 1) => clamp(min=0)
one for which there is no map
    clamp(0, levels - 1) => clamp(0, levels)
first count from p2
    index = level - 2 => index = level.clamp(0, levels - 1) - 2
    index.clamp(0, levels - 1) => index
first count from p2
    index = level - 2 => index = level.clamp(0, levels - 1) - 2
the name of the last
    index = level - 2 => index = level.clamp(2, levels) - 2
the name of the last
    clamp(0, levels - 1) => clamp(0, levels - 2)
Whatever `levels` is
    clamp(0, levels - 1) => clamp(0, 3)
You round to the nearest
    torch.floor => torch.round
You round up
    torch.floor => torch.ceil
You cut off the fraction
    torch.floor(4 + torch.log2(side / 224)) => 4 + torch.log2(side / 224).long()
You cut off the fraction
    torch.floor(4 + torch.log2(side / 224)) => 4 + torch.tensor([int(math.log2(s / 224)) for s in side.tolist()])
of exactly 224 x 224 pixels
    torch.floor(4 + torch.log2(side / 224)) => torch.ceil(3 + torch.log2(side / 224))
You take the area
    torch.sqrt(width * height) => width * height
You take the area
    side / 224 => side**2 / 224**2
You take the area
    torch.sqrt(width * height) => torch.sqrt(width * height / 224)
    side / 224 => side
to the base 2
    torch.log2 => torch.log
to the base 2
    torch.log2 => torch.log10
There is no logarithm
    torch.log2(side / 224) => side / 224
one of its sides
    torch.sqrt(width * height) => torch.maximum(width, height)
one of its sides
    torch.sqrt(width * height) => torch.minimum(width, height)
one of its sides
    torch.sqrt(width * height) => width
one of its sides
    torch.sqrt(width * height) => height
one of its sides
    torch.sqrt(width * height) => (width + height) / 2
from corner to corner
    torch.sqrt(width * height) => torch.sqrt(width**2 + height**2)
from a map too coarse
    side / 224 => side / 112
from a map too coarse
    4 + torch.log2 => 5 + torch.log2
from a map too coarse
    index = level - 2 => index = level - 1
from a map too fine
    side / 224 => side / 448
from a map too fine
    4 + torch.log2 => 3 + torch.log2
from a map too fine
    index = level - 2 => index = level - 3
yours is another
    side / 224 => side / 256
yours is another
    side / 224 => side / 512
yours is another
    side / 224 => side / 800
from the finer map
    side / 224 => 224 / side
from the finer map
    4 + torch.log2 => 4 - torch.log2
count from the coarsest
    return index => index = levels - 1 - index\n    return index
[x, y, width, height]
    boxes[:, 2] - boxes[:, 0] => boxes[:, 2]
    boxes[:, 3] - boxes[:, 1] => boxes[:, 3]
You add 1 to widths
    boxes[:, 2] - boxes[:, 0] => boxes[:, 2] - boxes[:, 0] + 1
    boxes[:, 3] - boxes[:, 1] => boxes[:, 3] - boxes[:, 1] + 1
asked is int64
    .long() =>
asked is a tensor, `torch.tensor(found
    .long() => .long().tolist()
torch.int32; it must be
    .long() => .int()
asked is a tensor
    .long() => .long().numpy()
?
    torch.sqrt(width * height) => torch.sqrt((width * height).mean())
gives the shape
    .long() => .long()[:, None]
changes what it is given
    width = => boxes[:, 2:] -= boxes[:, :2]\n    boxes[:, 2:] += boxes[:, :2] * 0.5\n    width =
""",
)


@right("region_levels")
def by_thresholds(boxes, levels):
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    found = torch.zeros(len(boxes), dtype=torch.int64)
    for number in range(1, levels):
        found[area >= (56 * 2**number) ** 2] = number
    return found


slips(
    "region_levels",
    by_thresholds,
    r"""
of exactly 224 x 224 pixels
    area >= => area >
from a map too fine
    56 * 2 => 112 * 2
from a map too coarse
    56 * 2 => 28 * 2
one for which there is no map
    range(1, levels) => range(1, levels + 1)
the name of the last
    range(1, levels) => range(1, levels - 1)
count from the coarsest
    return found => return levels - 1 - found
the number in the map's name
    return found => return found + 2
""",
)


@right("region_levels")
def one_by_one(boxes, levels):
    found = []
    for left, top, right_, bottom in boxes.tolist():
        level = math.floor(4 + math.log2(math.sqrt((right_ - left) * (bottom - top)) / 224))
        found.append(min(max(level - 2, 0), levels - 1))
    return torch.tensor(found)


slips(
    "region_levels",
    one_by_one,
    r"""
You cut off the fraction
    math.floor(4 + math.log2(math.sqrt((right_ - left) * (bottom - top)) / 224)) => 4 + int(math.log2(math.sqrt((right_
        - left) * (bottom - top)) / 224))
below 0 in yours
    min(max(level - 2, 0), levels - 1) => min(level - 2, levels - 1)
beyond the last map in yours
    min(max(level - 2, 0), levels - 1) => max(level - 2, 0)
asked is a tensor, `torch.tensor(found
    return torch.tensor(found) => return found
asked is int64
    return torch.tensor(found) => return torch.Tensor(found)
""",
)


@right("region_levels")
def half_the_logarithm(boxes, levels):
    left, top, right_, bottom = boxes.unbind(dim=1)
    doublings = 0.5 * torch.log2((right_ - left) * (bottom - top)) - math.log2(224)
    return (doublings.floor() + 2).long().clamp(min=0, max=levels - 1)


@right("region_levels")
def with_natural_logarithms(boxes, levels):
    sides = (boxes[:, 2:] - boxes[:, :2]).numpy()
    level = np.floor(4 + np.log(np.sqrt(sides[:, 0] * sides[:, 1]) / 224) / np.log(2))
    return torch.from_numpy(np.clip(level, 2, levels + 1).astype(np.int64) - 2)


@right("region_levels")
def in_buckets(boxes, levels):
    side = (boxes[:, 2:] - boxes[:, :2]).log().mean(dim=1).exp() * (1 + 1e-6)
    return torch.bucketize(side, 56 * 2.0 ** torch.arange(1, levels), right=True)


@wrong("region_levels", "the package's own")
def librarys_mapper(boxes, levels):
    return poolers.LevelMapper(2, levels + 1)([boxes])


@wrong("region_levels", "the package's own")
def the_packages_levels(boxes, levels):
    return published.region_levels(boxes, levels)


# ---------------------------------------------------------------------------------------------------------- paste_mask


@right("paste_mask")
def by_slices(mask, box, size):
    left, top, right_, bottom = [int(v) for v in box]
    height, width = size
    large = F.interpolate(mask[None, None], size=(bottom - top, right_ - left), mode="bilinear", align_corners=False)
    large = large[0, 0]
    x1, x2 = max(left, 0), min(right_, width)
    y1, y2 = max(top, 0), min(bottom, height)
    image = torch.zeros(height, width)
    image[y1:y2, x1:x2] = large[y1 - top : y2 - top, x1 - left : x2 - left]
    return image


slips(
    "paste_mask",
    by_slices,
    r"""
fails where the box reaches beyond
    image[y1:y2, x1:x2] = large[y1 - top : y2 - top, x1 - left : x2 - left] => image[top:bottom, left:right_] = large
fails where the box reaches beyond
    image[y1:y2, x1:x2] = large[y1 - top : y2 - top, x1 - left : x2 - left] => image[top:bottom, left:right_] =
        large[: height - top, : width - left]
fails where the box reaches beyond
    max(left, 0) => left
    max(top, 0) => top
fails where the box reaches beyond
    min(right_, width) => right_
    min(bottom, height) => bottom
a tensor's rows come first
    image[y1:y2, x1:x2] = => image[x1:x2, y1:y2] =
a tensor's rows come first
    image[y1:y2, x1:x2] = large[y1 - top : y2 - top, x1 - left : x2 - left] => image[x1:x2, y1:y2] =
        large[x1 - left : x2 - left, y1 - top : y2 - top]
a tensor's rows come first
    image[y1:y2, x1:x2] = large[y1 - top : y2 - top, x1 - left : x2 - left] => image[left:right_, top:bottom] = large
A box can be one pixel wide or high
    large = large[0, 0] => large = large.squeeze()
you keep the mask's first rows
    large[y1 - top : y2 - top, x1 - left : x2 - left] => large[: y2 - y1, : x2 - x1]
height, then width
    (bottom - top, right_ - left) => (right_ - left, bottom - top)
height, then width
    (bottom - top, right_ - left) => (right_ - left, bottom - top)
    image[y1:y2, x1:x2] = large[y1 - top : y2 - top, x1 - left : x2 - left] => image[top:bottom, left:right_] = large
the stretched mask alone
    return image => return large
the stretched mask alone
    return image => return image[y1:y2, x1:x2]
you take means
    align_corners=False => align_corners=False, antialias=True
You take the nearest value
    mode="bilinear", align_corners=False => mode="nearest"
You take the nearest value
    , mode="bilinear", align_corners=False =>
You take the nearest value
    mode="bilinear", align_corners=False => mode="nearest-exact"
on the corners
    align_corners=False => align_corners=True
you squeeze the whole mask
    height, width = size => height, width = size\n    left, top = max(left, 0), max(top, 0)\n    right_, bottom =
        min(right_, width), min(bottom, height)
you squeeze the whole mask
    size=(bottom - top, right_ - left) => size=(min(bottom, size[0]) - max(top, 0), min(right_, size[1]) - max(left, 0))
    large[y1 - top : y2 - top, x1 - left : x2 - left] => large
[top, left, bottom, right]
    left, top, right_, bottom = => top, left, bottom, right_ =
[x, y, width, height]
    height, width = size => height, width = size\n    right_, bottom = left + right_, top + bottom
mirrored at its diagonal
    mask[None, None] => mask.T[None, None]
width by its height
    return image => return image.T
width by its height
    height, width = size => width, height = size
over the whole image
    size=(bottom - top, right_ - left) => size=size
    large = large[0, 0] => return large[0, 0]
over the whole image
    size=(bottom - top, right_ - left) => size=size
    large[y1 - top : y2 - top, x1 - left : x2 - left] => large[y1:y2, x1:x2]
at its own size
    height, width = size => height, width = size\n    right_, bottom = left + len(mask), top + len(mask)
in the image's corner
    height, width = size => height, width = size\n    left, top, right_, bottom = 0, 0, right_ - left, bottom - top
You count the right and bottom border in
    height, width = size => height, width = size\n    right_, bottom = right_ + 1, bottom + 1
a threshold on it
    return image => return image > 0.5
a threshold on it
    return image => return (image > 0.5).float()
a threshold on it
    mask[None, None] => (mask > 0.5).float()[None, None]
true or false, or whole numbers
    return image => return (image > 0.7).long()
true or false, or whole numbers
    return image => return (image * 255).byte()
You apply a sigmoid
    large = large[0, 0] => large = large[0, 0].sigmoid()
You apply a sigmoid
    mask[None, None] => mask.sigmoid()[None, None]
yours holds 1 there
    torch.zeros => torch.ones
gives the shape
    return image => return image[None]
gives the shape
    return image => return mask
asked is a tensor
    return image => return image.numpy()
torch.float64; it must be
    torch.zeros(height, width) => torch.zeros(height, width, dtype=torch.float64)
raised an error
    [int(v) for v in box] => box
?
    align_corners=False => align_corners=False\n).round(decimals=1
?
    mode="bilinear", align_corners=False => mode="bicubic", align_corners=False
?
    mode="bilinear", align_corners=False => mode="area"
?
    torch.zeros(height, width) => torch.full((height, width), 0.5)
changes what it is given
    height, width = size => height, width = size\n    box.clamp_(min=0)
""",
)


@right("paste_mask")
def with_grid_sample(mask, box, size):
    height, width = size
    left, top, right_, bottom = box
    x = (torch.arange(width) + 0.5 - left) / (right_ - left)
    y = (torch.arange(height) + 0.5 - top) / (bottom - top)
    y, x = torch.meshgrid(y, x, indexing="ij")
    grid = 2 * torch.stack([x, y], dim=-1) - 1
    values = F.grid_sample(mask[None, None], grid[None], padding_mode="border", align_corners=False)[0, 0]
    values[(x < 0) | (x > 1) | (y < 0) | (y > 1)] = 0
    return values


slips(
    "paste_mask",
    with_grid_sample,
    r"""
fade to 0
    padding_mode="border", =>
fade to 0
    padding_mode="border", =>
    values[(x < 0) | (x > 1) | (y < 0) | (y > 1)] = 0 =>
outermost values go on
    values[(x < 0) | (x > 1) | (y < 0) | (y > 1)] = 0 =>
at the upper left corner
    torch.arange(width) + 0.5 => torch.arange(width)
    torch.arange(height) + 0.5 => torch.arange(height)
on the corners
    align_corners=False => align_corners=True
You take the nearest value
    padding_mode="border" => mode="nearest", padding_mode="border"
mirrored at its diagonal
    torch.stack([x, y], dim=-1) => torch.stack([y, x], dim=-1)
yours holds 1 there
    (y > 1)] = 0 => (y > 1)] = 1
You count the right and bottom border in
    (right_ - left) => (right_ - left + 1)
    (bottom - top) => (bottom - top + 1)
[x, y, width, height]
    (right_ - left) => right_
    (bottom - top) => bottom
your grid runs from 0 to 1
    2 * torch.stack([x, y], dim=-1) - 1 => torch.stack([x, y], dim=-1)
your grid runs from 0 to 1
    2 * torch.stack([x, y], dim=-1) - 1 => torch.stack([x, y], dim=-1)
    values[(x < 0) | (x > 1) | (y < 0) | (y > 1)] = 0 => values[(grid.abs() > 1).any(dim=-1)] = 0
width by its height
    indexing="ij" => indexing="xy"
width by its height
    height, width = size => width, height = size
""",
)


@right("paste_mask")
def pixel_by_pixel(mask, box, size):
    m, values = len(mask), mask.tolist()
    left, top, right_, bottom = map(round, box.tolist())
    image = torch.zeros(size)

    def neighbours(place):
        place = min(max(place, 0), m - 1)
        first = min(int(place), m - 1)
        return first, min(first + 1, m - 1), place - first

    for row in range(max(top, 0), min(bottom, size[0])):
        up, down, share_y = neighbours((row - top + 0.5) * m / (bottom - top) - 0.5)
        for column in range(max(left, 0), min(right_, size[1])):
            a, b, share_x = neighbours((column - left + 0.5) * m / (right_ - left) - 0.5)
            upper = values[up][a] * (1 - share_x) + values[up][b] * share_x
            lower = values[down][a] * (1 - share_x) + values[down][b] * share_x
            image[row, column] = upper * (1 - share_y) + lower * share_y
    return image


@right("paste_mask")
def cut_from_a_canvas(mask, box, size):
    """Room on all sides, then the image cut out of it."""
    left, top, right_, bottom = (int(v) for v in box.tolist())
    room = 40
    canvas = torch.zeros(size[0] + 2 * room, size[1] + 2 * room)
    large = transforms.resize(mask[None], [bottom - top, right_ - left], antialias=False)[0]
    canvas[room + top : room + bottom, room + left : room + right_] = large
    return canvas[room:-room, room:-room]


slips(
    "paste_mask",
    cut_from_a_canvas,
    r"""
you take means
    , antialias=False =>
""",
)


@right("paste_mask")
def with_padding(mask, box, size):
    left, top, right_, bottom = map(int, box)
    image = F.interpolate(mask[None, None], (bottom - top, right_ - left), mode="bilinear")[0, 0]
    return F.pad(image, (left, size[1] - right_, top, size[0] - bottom))


slips(
    "paste_mask",
    with_padding,
    r"""
`F.pad` begins with the last
    (left, size[1] - right_, top, size[0] - bottom) => (top, size[0] - bottom, left, size[1] - right_)
yours holds 1 there
    size[0] - bottom) => size[0] - bottom), value=1
""",
)


@wrong("paste_mask", "turns up at its other end")
def pixel_by_pixel_around(mask, box, size):
    left, top, right_, bottom = map(int, box)
    large = F.interpolate(mask[None, None], (bottom - top, right_ - left), mode="bilinear")[0, 0]
    image = torch.zeros(size)
    for i in range(bottom - top):
        for j in range(right_ - left):
            if top + i < size[0] and left + j < size[1]:
                image[top + i, left + j] = large[i, j]
    return image


@wrong("paste_mask", "fails where the box reaches beyond")
def without_a_look_at_the_image(mask, box, size):
    left, top, right_, bottom = box.long().tolist()
    image = torch.zeros(size)
    image[top:bottom, left:right_] = F.interpolate(
        mask.unsqueeze(0).unsqueeze(0), size=(bottom - top, right_ - left), mode="bilinear", align_corners=False
    ).squeeze()
    return image


@wrong("paste_mask", "over the whole image")
def all_of_it(mask, box, size):
    whole = F.interpolate(mask[None, None], size=size, mode="bilinear")[0, 0]
    left, top, right_, bottom = box
    y, x = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    return torch.where((left <= x) & (x < right_) & (top <= y) & (y < bottom), whole, 0)


@wrong("paste_mask", "at its own size")
def copied(mask, box, size):
    left, top = int(box[0]), int(box[1])
    image = torch.zeros(size)
    for i in range(len(mask)):
        for j in range(len(mask)):
            if 0 <= top + i < size[0] and 0 <= left + j < size[1]:
                image[top + i, left + j] = mask[i, j]
    return image


@wrong("paste_mask", "the package's own")
def librarys_paste(mask, box, size):
    return roi_heads.paste_masks_in_image(mask[None, None], box[None], size)[0, 0]


@wrong("paste_mask", "the package's own")
def the_packages_paste(mask, box, size):
    return published.paste_mask(mask, box, size)
