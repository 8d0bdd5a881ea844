"""Where the places of a map lie in the picture, and how to bring a map from one grid onto another."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Grid:
    """Place (i, j) of a map lies at row `top + stride * i`, column `left + stride * j` of the picture.

    In pixels from the middle of the first one: pixel (0, 0) lies at 0, 0. A convolution with an odd kernel and as much
    padding on both sides looks at its middle: its places lie at 0, stride, 2 * stride. A pool of 2 x 2 without padding
    lies between its pixels, at 0.5.
    """

    stride: int
    top: float = 0.0
    left: float = 0.0


PIXELS = Grid(stride=1)


def of_patches(stride: int) -> Grid:
    """The grid of a map that was cut into patches, or pooled 2 x 2 again and again: places in the middle of each."""
    return Grid(stride, (stride - 1) / 2, (stride - 1) / 2)


def resample(maps: Tensor, grid: Grid, size: tuple[int, int], onto: Grid = PIXELS) -> Tensor:
    """Maps `(N, C, h, w)` that lie on `grid`, read at the places of another grid: `(N, C, *size)`.

    Bilinear; beyond the outermost places their values go on. `torch.nn.functional.interpolate` does the same for two
    grids whose outer *borders* lie on each other (`align_corners=False`), or whose outer *places* do (`True`): a map of
    stride 16 whose first place lies on the first pixel it puts 7.5 pixels off, or stretches.

    Args:
        size: rows and columns wanted.
        onto: where those lie; pixels if not given.
    """
    rows = (onto.top - grid.top + onto.stride * torch.arange(size[0], device=maps.device)) / grid.stride
    columns = (onto.left - grid.left + onto.stride * torch.arange(size[1], device=maps.device)) / grid.stride
    # grid_sample wants -1 and 1 for the outermost places, x before y, and, on a CPU, 32 bits.
    # sym_max is `max` that a graph for images of any size keeps.
    last: list[int] = [torch.sym_max(count - 1, 1) for count in maps.shape[-2:]]
    ys, xs = (2 * places / count - 1 for places, count in zip((rows, columns), last, strict=True))
    points = torch.stack([xs.expand(size[0], -1), ys[:, None].expand(-1, size[1])], dim=-1)  # (rows, columns, 2)
    points = points.expand(maps.shape[0], -1, -1, -1)  # and not `len(maps)`, which a graph takes for a fixed number
    return F.grid_sample(maps.float(), points, padding_mode="border", align_corners=True).to(maps.dtype)


def interleave(passes: dict[tuple[int, int], Tensor], steps: int) -> Tensor:
    """Several maps of one picture that was moved, put together to a finer one: `(..., h, w) -> (..., steps * h, ...)`.

    A network of stride `s`, asked about the picture moved by `i * s / steps` pixels up and `j * s / steps` to the left,
    answers at the places in between. (Lesson 05 shows that a network of output stride `s / steps` computes just that.)

    Args:
        passes: `(i, j)`, how often the picture was moved, to the map that came out. Places of a pass that is missing
            are `nan`.
        steps: places of the finer map for one of a pass, along each side.

    Raises:
        ValueError: no pass, a move that is not in `0..steps-1`, or maps of different sizes.
    """
    if not passes:
        raise ValueError("there is no pass to interleave.")
    if outside := [move for move in passes if not all(0 <= step < steps for step in move)]:
        raise ValueError(f"with {steps} steps a picture is moved by 0 to {steps - 1} of them; got {outside[0]}.")
    first = next(iter(passes.values()))
    if other := [tuple(value.shape) for value in passes.values() if value.shape != first.shape]:
        raise ValueError(f"all passes must give maps of one size; got {tuple(first.shape)} and {other[0]}.")
    height, width = first.shape[-2:]
    fine = first.new_full((*first.shape[:-2], steps * height, steps * width), torch.nan)
    for (i, j), value in passes.items():
        fine[..., i::steps, j::steps] = value
    return fine


def through_grid(labels: Tensor, stride: int, num_classes: int) -> Tensor:
    """Labels as the best network could give them that answers once for each square of `stride` x `stride` pixels.

    Of each square the shares of the labels are kept, stretched back (bilinear), and the largest one wins at each pixel.
    What is lost is lost through the grid alone: no network is asked. (A rule of thumb; scores are no shares.)

    Args:
        labels: `(N, H, W)` int64, each in `0..num_classes-1`; sides that `stride` divides.

    Returns:
        `(N, H, W)` int64.
    """
    shares = F.one_hot(labels, num_classes).permute(0, 3, 1, 2).float()  # (N, num_classes, H, W)
    shares = F.avg_pool2d(shares, stride)  # (N, num_classes, H / stride, W / stride)
    return F.interpolate(shares, size=labels.shape[-2:], mode="bilinear", align_corners=False).argmax(dim=1)
