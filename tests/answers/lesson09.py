"""Answers to the exercises of lesson 09."""
# ruff: noqa: F401 (some names stand in the tables of slips only)

import numpy as np
import torch
import torch.nn.functional as F
import torchvision

from answers import right, slips, wrong
from deeplab_teach import boxes as published
from deeplab_teach.boxes import box_iou as published_iou
from deeplab_teach.heads import fcos
from deeplab_teach.necks import top_down as published_top_down

# ------------------------------------------------------------------------------------------------------------- box_iou


@right("box_iou")
def by_corners(boxes, others):
    x1 = torch.max(boxes[:, 0][:, None], others[:, 0])
    y1 = torch.max(boxes[:, 1][:, None], others[:, 1])
    x2 = torch.min(boxes[:, 2][:, None], others[:, 2])
    y2 = torch.min(boxes[:, 3][:, None], others[:, 3])
    shared = (x2 - x1).clamp(min=0) * (y2 - y1).clamp(min=0)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    other_area = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    both = area[:, None] + other_area - shared
    return (shared / both).nan_to_num(0)


slips(
    "box_iou",
    by_corners,
    r"""
Boxes that lie apart share nothing
    (x2 - x1).clamp(min=0) * (y2 - y1).clamp(min=0) => (x2 - x1) * (y2 - y1)
You cut off at 0 after multiplying
    (x2 - x1).clamp(min=0) * (y2 - y1).clamp(min=0) => ((x2 - x1) * (y2 - y1)).clamp(min=0)
?
    (y2 - y1).clamp(min=0) => (y2 - y1)
Two boxes without an area
    (shared / both).nan_to_num(0) => shared / both
You give the shared area
    (shared / both).nan_to_num(0) => shared
which counts the shared part twice
    other_area - shared => other_area
the first box's area
    area[:, None] + other_area - shared => area[:, None].expand_as(shared)
the smaller area
    area[:, None] + other_area - shared => torch.min(area[:, None], other_area)
the larger area
    area[:, None] + other_area - shared => torch.max(area[:, None], other_area)
[x, y, width, height]
    x1 = => boxes = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)\n    others = torch.cat([others[:, :2],
        others[:, :2] + others[:, 2:]], 1)\n    x1 =
You add 1 to widths and heights
    (x2 - x1) => (x2 - x1 + 1)
    (y2 - y1) => (y2 - y1 + 1)
    (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) => (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] -
        boxes[:, 1] + 1)
    (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1]) => (others[:, 2] - others[:, 0] + 1) * (others[:, 3]
        - others[:, 1] + 1)
begins at the *larger*
    x1 = torch.max => x1 = torch.min
    y1 = torch.max => y1 = torch.min
    x2 = torch.min => x2 = torch.max
    y2 = torch.min => y2 = torch.max
Rows and columns are exchanged
    (shared / both).nan_to_num(0) => (shared / both).nan_to_num(0).T
each with each
    boxes[:, 0][:, None] => boxes[:, 0]
    boxes[:, 1][:, None] => boxes[:, 1]
    boxes[:, 2][:, None] => boxes[:, 2]
    boxes[:, 3][:, None] => boxes[:, 3]
    area[:, None] => area
asked is a tensor
    (shared / both).nan_to_num(0) => (shared / both).nan_to_num(0).tolist()
torch.float64; it must be
    .nan_to_num(0) => .nan_to_num(0).double()
the shape
    (shared / both).nan_to_num(0) => (shared / both).nan_to_num(0).diagonal()
changes what it is given
    x1 = => boxes += 0.5\n    x1 =
""",
)


@right("box_iou")
def with_loops(boxes, others):
    table = torch.zeros(len(boxes), len(others), dtype=boxes.dtype)
    for i, a in enumerate(boxes.tolist()):
        for j, b in enumerate(others.tolist()):
            width = min(a[2], b[2]) - max(a[0], b[0])
            height = min(a[3], b[3]) - max(a[1], b[1])
            shared = max(width, 0) * max(height, 0)
            union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
            table[i, j] = shared / union if union else 0
    return table


@right("box_iou")
def in_numpy(boxes, others):
    a, b = boxes.numpy()[:, None], others.numpy()[None]
    shared = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None).prod(-1)
    area = lambda box: (box[..., 2:] - box[..., :2]).prod(-1)
    union = area(a) + area(b) - shared
    return torch.from_numpy(np.divide(shared, union, out=np.zeros_like(union), where=union > 0))


@wrong("box_iou", "the package's own")
def librarys(boxes, others):
    return torchvision.ops.box_iou(boxes, others)


@wrong("box_iou", "the package's own")
def the_packages(boxes, others):
    return published_iou(boxes, others)


# ----------------------------------------------------------------------------------------------------------------- nms


@right("nms")
def greedy(boxes, scores, threshold):
    left = scores.argsort(descending=True, stable=True)
    kept = []
    while left.numel() > 0:
        best = left[0].item()
        kept.append(best)
        others = left[1:]
        iou = published.box_iou(boxes[best : best + 1], boxes[others])[0]
        left = others[iou <= threshold]
    return torch.tensor(kept, dtype=torch.int64)


slips(
    "nms",
    greedy,
    r"""
just the threshold
    iou <= threshold => iou < threshold
You begin with the worst score
    scores.argsort(descending=True, stable=True) => scores.argsort(stable=True)
You go through the boxes as they come
    scores.argsort(descending=True, stable=True) => torch.arange(len(scores))
You keep those that overlap
    iou <= threshold => iou > threshold
indices are of the sorted list
    kept.append(best) => kept.append((scores.argsort(descending=True, stable=True) == best).nonzero().item())
in the order of their indices
    torch.tensor(kept, => torch.tensor(sorted(kept),
You give the boxes themselves
    torch.tensor(kept, dtype=torch.int64) => boxes[torch.tensor(kept, dtype=torch.int64)]
asked is a tensor of indices
    torch.tensor(kept, dtype=torch.int64) => kept
true or false for each box
    return torch.tensor(kept, dtype=torch.int64) => mask = torch.zeros(len(boxes),
        dtype=torch.bool)\n    mask[kept] = True\n    return mask
indices, int64
    torch.tensor(kept, dtype=torch.int64) => torch.tensor(kept, dtype=torch.float32)
Nothing is removed
    left = others[iou <= threshold] => left = others
Only the best box of all
    while left.numel() > 0: => if left.numel() > 0:
torch.int32; it must be
    dtype=torch.int64 => dtype=torch.int32
?
    threshold] => 0.5]
changes what it is given
    kept = [] => kept = []\n    boxes[:, 2:] += 1
""",
)


@wrong("nms", "one that was kept last only")
def last_only(boxes, scores, threshold):
    kept = []
    for i in scores.argsort(descending=True, stable=True).tolist():
        if not kept or published.box_iou(boxes[kept[-1]][None], boxes[i][None])[0, 0] <= threshold:
            kept.append(i)
    return torch.tensor(kept, dtype=torch.int64)


@wrong("nms", "A box that was removed removes others")
def all_at_once(boxes, scores, threshold):
    order = scores.argsort(descending=True, stable=True)
    iou = published.box_iou(boxes[order], boxes[order]).triu(diagonal=1)
    if len(order) == 0:
        return order
    return order[iou.amax(dim=0) <= threshold]


@wrong("nms", "fails where there is no box")
def stacked(boxes, scores, threshold):
    left = scores.argsort(descending=True, stable=True)
    kept = []
    while left.numel() > 0:
        kept.append(left[0])
        left = left[1:][published.box_iou(boxes[left[:1]], boxes[left[1:]])[0] <= threshold]
    return torch.stack(kept)


@wrong("nms", "the package's own")
def librarys_nms(boxes, scores, threshold):
    return torchvision.ops.nms(boxes, scores, threshold)


@wrong("nms", "the package's own")
def the_packages_nms(boxes, scores, threshold):
    return published.nms(boxes, scores, threshold)


@right("nms")
def with_a_table(boxes, scores, threshold):
    iou = published.box_iou(boxes, boxes)
    gone, kept = set(), []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i].item()):
        if i not in gone:
            kept.append(i)
            gone.update((iou[i] > threshold).nonzero().flatten().tolist())
    return torch.tensor(kept, dtype=torch.long)


@right("nms")
def against_the_kept(boxes, scores, threshold):
    kept = torch.zeros(0, dtype=torch.int64)
    for i in scores.sort(descending=True, stable=True).indices:
        if (published.box_iou(boxes[kept], boxes[i : i + 1]) <= threshold).all():
            kept = torch.cat([kept, i[None]])
    return kept


# ------------------------------------------------------------------------------------------------------------ top_down


@right("top_down")
def backwards(maps):
    out = [maps[-1]]
    for i in range(len(maps) - 2, -1, -1):
        above = F.interpolate(out[-1], size=maps[i].shape[2:], mode="nearest")
        out.append(maps[i] + above)
    return out[::-1]


slips(
    "top_down",
    backwards,
    r"""
You add the coarser map as it came in
    F.interpolate(out[-1] => F.interpolate(maps[i + 1]
You enlarge by a factor of 2
    size=maps[i].shape[2:] => scale_factor=2
by blending
    mode="nearest" => mode="bilinear"
from coarse to fine
    return out[::-1] => return out
The fine map is left out
    maps[i] + above => above
The coarsest map is missing
    return out[::-1] => return out[:0:-1]
side by side
    maps[i] + above => torch.cat([maps[i], above], dim=1)
You take the mean
    maps[i] + above => (maps[i] + above) / 2
Rows and columns are exchanged
    size=maps[i].shape[2:] => size=maps[i].shape[:1:-1]
asked is a list of maps
    return out[::-1] => return torch.cat([m.flatten(2) for m in out[::-1]], dim=2)
asked is a list of maps
    return out[::-1] => return out[-1]
gives 2 values; it must be 3
    range(len(maps) - 2, -1, -1) => range(len(maps) - 2, 0, -1)
gives in place 0 the right shape but other values
    maps[i] + above => maps[i] + 0.5 * above
changes what it is given
    out.append(maps[i] + above) => maps[i].add_(above)\n        out.append(maps[i])
?
    maps[i] + above => (maps[i] + above).relu()
""",
)


@wrong("top_down", "The way goes the other way round")
def bottom_up(maps):
    out = [maps[0]]
    for m in maps[1:]:
        out.append(m + F.interpolate(out[-1], size=m.shape[-2:]))
    return out


@wrong("top_down", "the package's own")
def the_packages_path(maps):
    return published_top_down(maps)


@right("top_down")
def by_recursion(maps):
    if len(maps) == 1:
        return [maps[0]]
    above = by_recursion(maps[1:])
    return [maps[0] + F.interpolate(above[0], maps[0].shape[-2:]), *above]


@right("top_down")
def by_indices(maps):
    out = list(maps)
    for i in range(len(out) - 1)[::-1]:
        (h, w), (rows, columns) = out[i + 1].shape[-2:], out[i].shape[-2:]
        y = (torch.arange(rows) * h / rows).long()
        x = (torch.arange(columns) * w / columns).long()
        out[i] = out[i] + out[i + 1][:, :, y][..., x]
    return out


# -------------------------------------------------------------------------------------------------------------- decode


@right("decode")
def by_borders(points, strides, regression):
    left, top, right_, bottom = (regression * strides[:, None]).unbind(-1)
    x, y = points.unbind(-1)
    return torch.stack([x - left, y - top, x + right_, y + bottom], dim=-1)


slips(
    "decode",
    by_borders,
    r"""
multiply each place's distances by the stride
    (regression * strides[:, None]) => regression
You divide by the strides
    regression * strides[:, None] => regression / strides[:, None]
One stride is used for all places
    strides[:, None] => strides[0]
The places are multiplied by the strides
    points.unbind(-1) => (points * strides[:, None]).unbind(-1)
All four distances are added
    x - left, y - top => x + left, y + top
All four distances are subtracted
    x + right_, y + bottom => x - right_, y - bottom
Plus and minus are exchanged
    [x - left, y - top, x + right_, y + bottom] => [x + left, y + top, x - right_, y - bottom]
left, right, top, bottom
    left, top, right_, bottom = => left, right_, top, bottom =
in the other order
    x, y = points => y, x = points
middle and size
    [x - left, y - top, x + right_, y + bottom] => [x - left, y - top, left + right_, top + bottom]
middle and size
    [x - left, y - top, x + right_, y + bottom] => [x + (right_ - left) / 2, y + (bottom - top) / 2, left + right_,
        top + bottom]
?
    dim=-1) => dim=0)
?
    [x - left, y - top, x + right_, y + bottom] => [x - left, x + right_, y - top, y + bottom]
asked is a tensor
    return torch.stack([x - left, y - top, x + right_, y + bottom], dim=-1) => return x - left, y - top, x + right_,
        y + bottom
?
    regression * => regression.clamp(max=2) *
changes what it is given
    x, y = => regression *= 1.5\n    x, y =
torch.float32; it must be
    dim=-1) => dim=-1).float()
""",
)


@wrong("decode", "the package's own")
def the_packages_boxes(points, strides, regression):
    return fcos.decode(points, strides, regression)


@right("decode")
def by_sign(points, strides, regression):
    sign = torch.tensor([-1, -1, 1, 1])
    return torch.cat([points, points], dim=-1) + sign * regression * strides.unsqueeze(-1)


@right("decode")
def in_place(points, strides, regression):
    out = regression * strides.reshape(-1, 1)
    out[..., :2] *= -1
    out[..., 0::2] += points[:, 0:1]
    out[..., 1::2] += points[:, 1:2]
    return out
