"""Boxes by hand: their overlap and non-maximum suppression equal torchvision's; the way down a pyramid; centre-ness."""

import pytest
import torch
from torchvision import ops

from deeplab_teach.boxes import box_iou, nms
from deeplab_teach.heads.fcos import centerness, decode, distances
from deeplab_teach.necks import top_down


def some_boxes(count, seed, size=60):
    """Boxes with whole borders, so that some touch and some are equal."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.randint(0, size, (count, 2), generator=generator)
    return torch.cat([corner, corner + torch.randint(1, size // 2, (count, 2), generator=generator)], dim=1).float()


@pytest.mark.parametrize("seed", range(3))
def test_box_iou_equals_torchvisions(seed):
    boxes, others = some_boxes(40, seed), some_boxes(25, seed + 10)
    assert torch.allclose(box_iou(boxes, others), ops.box_iou(boxes, others), atol=1e-7)
    assert torch.equal(box_iou(boxes, boxes).diagonal(), torch.ones(40))
    assert box_iou(boxes[:0], others).shape == (0, 25)


def test_box_iou_by_hand():
    left, right = (
        torch.tensor([[0.0, 0, 4, 2]]),
        torch.tensor([[2.0, 0, 6, 2], [4, 0, 8, 2], [9, 9, 12, 12], [1, 0, 1, 2]]),
    )
    assert box_iou(left, right).tolist() == [[pytest.approx(4 / 12), 0, 0, 0]]
    flat = torch.tensor([[3.0, 3, 3, 7]])
    assert box_iou(flat, flat).item() == 0, "of nothing with nothing"


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_nms_equals_torchvisions(threshold, seed):
    boxes, scores = some_boxes(200, seed), torch.rand(200, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(nms(boxes, scores, threshold), ops.nms(boxes, scores, threshold))
    assert nms(boxes[:0], scores[:0], threshold).tolist() == []


def test_what_was_removed_removes_nothing():
    row = torch.tensor([[0.0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]])
    assert nms(row, torch.tensor([0.9, 0.8, 0.7]), 0.3).tolist() == [0, 2]
    assert nms(row, torch.tensor([0.5, 0.5, 0.5]), 1.0).tolist() == [0, 1, 2], "of equal scores the first"


def test_the_way_down_adds_up():
    """Of maps of ones the finest holds as many as there are maps; nothing that came in is changed."""
    maps = [torch.ones(1, 2, side, side + 2) for side in (13, 7, 4)]
    assert [m.unique().tolist() for m in top_down(maps)] == [[3], [2], [1]]
    assert all((m == 1).all() for m in maps)


def test_centerness_by_hand():
    box = torch.tensor([10.0, 20, 70, 50]).expand(4, 4)
    points = torch.tensor([[40.0, 35.0], [25.0, 35.0], [40.0, 40.0], [25.0, 40.0]])  # middle, off by x, by y, by both
    assert centerness(points, box).tolist() == pytest.approx([1, (15 / 45) ** 0.5, (10 / 20) ** 0.5, (1 / 6) ** 0.5])


def test_decode_is_the_inverse_of_distances():
    points, strides = 100 * torch.rand(7, 2), torch.tensor([8.0, 8, 16, 16, 32, 64, 128])
    boxes = torch.cat([points - 30 * torch.rand(7, 2), points + 30 * torch.rand(7, 2)], dim=1)
    assert torch.allclose(decode(points, strides, distances(points, boxes) / strides[:, None]), boxes, atol=1e-4)
