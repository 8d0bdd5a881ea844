"""Regions by hand: RoIAlign and the choice of the map equal torchvision's; a mask comes back to its place."""

import pytest
import torch
from torchvision import ops
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.ops.poolers import LevelMapper

from deeplab_teach.regions import paste_mask, region_levels, roi_align, sampling_points


def some_boxes(count, size, least, seed=0):
    """Boxes inside an image of `size`, at least `least` pixels wide and high."""
    generator = torch.Generator().manual_seed(seed)
    whole = torch.tensor([size[1], size[0]], dtype=torch.float32)
    corner = torch.rand(count, 2, generator=generator) * (whole - least)
    side = least + torch.rand(count, 2, generator=generator) * (whole - corner - least)
    return torch.cat([corner, corner + side], dim=1)


@pytest.mark.parametrize("output_size, samples", [(7, 2), (14, 2), (3, 1), (5, 3)])
@pytest.mark.parametrize("stride, rows, columns", [(4, 40, 40), (8, 20, 17), (16, 3, 10)])
def test_roi_align_equals_torchvisions(stride, rows, columns, output_size, samples):
    features = torch.randn(5, rows, columns)
    boxes = some_boxes(20, (rows * stride, columns * stride), stride)
    due = ops.roi_align(features[None], [boxes], output_size, 1 / stride, samples)
    assert torch.allclose(roi_align(features, boxes, stride, output_size, samples), due, atol=2e-5)
    assert roi_align(features, boxes[:0], stride, output_size, samples).shape == (0, 5, output_size, output_size)


def test_where_it_reads():
    """Two bins of two samples over 8 x 4: in the middle of each quarter."""
    points = sampling_points(torch.tensor([[10.0, 20, 18, 24]]), output_size=2, samples=2)
    assert points.shape == (1, 4, 4, 2)
    assert points[0, 0, :, 0].tolist() == [11, 13, 15, 17] and points[0, :, 0, 1].tolist() == [20.5, 21.5, 22.5, 23.5]


def test_a_region_of_a_slope_is_a_slope():
    """Of a map that holds each place's own x the region holds the x of its bins' middles: nothing is rounded."""
    slope = torch.arange(20.0).expand(1, 10, 20)
    region = roi_align(slope, torch.tensor([[13.0, 8, 69, 64]]), stride=8, output_size=7)
    assert region[0, 0, 0].tolist() == pytest.approx([(13 + 4 + 8 * i) / 8 for i in range(7)])


def test_levels_equal_torchvisions():
    boxes = some_boxes(500, (900, 1200), 8)
    assert torch.equal(region_levels(boxes, 4), LevelMapper(2, 5)([boxes]))
    squares = torch.tensor([[0.0, 0, side, side] for side in (20, 111, 112, 223, 224, 448, 2000)])
    assert region_levels(squares, 4).tolist() == [0, 0, 1, 1, 2, 3, 3]


@pytest.mark.parametrize("box", [[10.0, 20, 90, 70], [5.3, 7.7, 60.2, 44.9], [0.0, 0, 120, 100]])
def test_a_mask_comes_back_to_its_place(box):
    """Torchvision rounds the box to whole pixels: half of one at the borders differs."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 28), torch.linspace(-1, 1, 28), indexing="ij")
    mask = torch.sigmoid(8 * (0.7 - (x**2 + y**2).sqrt()))
    ours = paste_mask(mask, torch.tensor(box), (100, 120))
    theirs = paste_masks_in_image(mask[None, None], torch.tensor([box]), (100, 120))[0, 0]
    both, either = ((ours > 0.5) & (theirs > 0.5)).sum(), ((ours > 0.5) | (theirs > 0.5)).sum()
    assert both / either > 0.95
    outside = torch.ones(100, 120, dtype=torch.bool)
    outside[int(box[1]) : int(box[3]) + 1, int(box[0]) : int(box[2]) + 1] = False
    assert ours.shape == (100, 120) and not ours[outside].any()


def test_a_mask_of_its_own_size_is_copied():
    mask = torch.rand(6, 6)
    pasted = paste_mask(mask, torch.tensor([2.0, 3, 8, 9]), (12, 10))
    assert torch.allclose(pasted[3:9, 2:8], mask, atol=1e-6) and pasted.sum().item() == pytest.approx(mask.sum().item())
