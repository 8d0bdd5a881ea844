"""Regions: what a rectangle of an image looks like on a feature map, and a small mask put back into its place.

Mask R-CNN (He et al. 2017, arXiv 1703.06870, section 3); for the choice of the map, FPN (Lin et al. 2017, arXiv
1612.03144, equation 1).
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def sampling_points(boxes: Tensor, output_size: int, samples: int = 2) -> Tensor:
    """Where RoIAlign reads: a box is cut into equal bins, and each bin is read at `samples` x `samples` points.

    Nothing is rounded: that is the whole difference to the RoIPool before it.

    Args:
        boxes: `(n, 4)`, left, top, right, bottom.
        output_size: bins on a side.
        samples: points on a side of a bin, spread evenly; each stands in the middle of its part.

    Returns:
        `(n, output_size * samples, output_size * samples, 2)`: x and y of each point, in the boxes' unit.
    """
    count = output_size * samples
    shares = (torch.arange(count, device=boxes.device) + 0.5) / count  # 0 at the left border, 1 at the right
    left_top, right_bottom = boxes[:, None, :2], boxes[:, None, 2:]
    places = left_top + shares[:, None] * (right_bottom - left_top)  # (n, count, 2): x and y, each on its own
    x, y = places.unbind(dim=-1)  # (n, count) each
    return torch.stack([x[:, None, :].expand(-1, count, -1), y[:, :, None].expand(-1, -1, count)], dim=-1)


def roi_align(features: Tensor, boxes: Tensor, stride: float, output_size: int, samples: int = 2) -> Tensor:
    """RoIAlign: each region of one image as a square of `output_size` places, whatever its size.

    Args:
        features: `(C, h, w)`, one map of one image.
        boxes: `(n, 4)`, in pixels, inside the image; at least as wide and high as a step of the map.
        stride: of the map, in pixels.
        output_size, samples: as of `sampling_points`.

    Returns:
        `(n, C, output_size, output_size)`: the mean over the points of each bin, read bilinearly.
    """
    points = sampling_points(boxes / stride, output_size, samples)  # (n, S, S, 2), in steps of the map
    last = points.new_tensor([features.shape[-1] - 1, features.shape[-2] - 1]).clamp(min=1)
    maps = features.expand(len(boxes), *features.shape)
    # grid_sample wants -1 and 1 for the outermost places; beyond them their values go on.
    values = F.grid_sample(maps, 2 * points / last - 1, padding_mode="border", align_corners=True)  # (n, C, S, S)
    return F.avg_pool2d(values, samples)


def region_levels(boxes: Tensor, levels: int, *, finest: int = 2, canonical: float = 224.0) -> Tensor:
    """Which map of a pyramid each region is cut out of: 0 for the finest; int64 `(n,)`.

    A region of `canonical` pixels a side is read from level 4 (`p4`); one half as large one map finer, and so on, as
    far as there are maps.

    Args:
        boxes: `(n, 4)`, in pixels.
        levels: how many maps there are.
        finest: level of the first, 2 for `p2`.
    """
    side = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).sqrt()
    level = (4 + torch.log2(side / canonical) + 1e-6).floor()  # 1e-6: exactly half as large is one map finer
    return (level.clamp(finest, finest + levels - 1) - finest).long()


def paste_mask(mask: Tensor, box: Tensor, size: tuple[int, int]) -> Tensor:
    """A small mask, stretched over its box in the image: `(H, W)`, 0 outside of the box.

    Args:
        mask: `(m, m)`, probabilities.
        box: `(4,)`, in pixels.
        size: height and width of the image.
    """
    left, top, right, bottom = box.tolist()
    # The middle of each pixel, as a share of the box: -1 at its left or upper border, 1 at the other.
    x = 2 * (torch.arange(size[1]) + 0.5 - left) / (right - left) - 1
    y = 2 * (torch.arange(size[0]) + 0.5 - top) / (bottom - top) - 1
    grid = torch.stack([x.expand(len(y), -1), y[:, None].expand(-1, len(x))], dim=-1)[None]  # (1, H, W, 2)
    pasted = F.grid_sample(mask[None, None], grid.to(mask), padding_mode="border", align_corners=False)[0, 0]
    inside = (grid[0].abs() <= 1).all(dim=-1)
    return torch.where(inside.to(mask.device), pasted, 0)
