"""Metrics against counting pixel by pixel, and the loss that shares their rules."""

import math

import pytest
import torch

from deeplab_teach.losses import check_labels, segmentation_loss
from deeplab_teach.metrics import confusion_matrix, iou, mean_iou, recall_by_size, trimap_band, trimap_target


def random_labels(num_classes, shape=(3, 13, 17), *, ignored=0.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, num_classes, shape, generator=generator)
    return labels.where(torch.rand(shape, generator=generator) >= ignored, 255)


def count_pairs(prediction, target, num_classes, ignore_index=255):
    matrix = [[0] * num_classes for _ in range(num_classes)]
    for p, t in zip(prediction.flatten().tolist(), target.flatten().tolist(), strict=True):
        if t != ignore_index:
            matrix[t][p] += 1
    return torch.tensor(matrix)


def iou_by_sets(prediction, target, num_classes):
    """Another way to the same figure: sets of pixels per class, without a confusion matrix."""
    kept = target != 255
    scores = []
    for label in range(num_classes):
        found, true = (prediction == label) & kept, (target == label) & kept
        union = (found | true).sum().item()
        scores.append((found & true).sum().item() / union if union else math.nan)
    return scores


@pytest.mark.parametrize("num_classes", [2, 5, 21])
@pytest.mark.parametrize("ignored", [0.0, 0.2])
def test_confusion_and_iou_against_counting(num_classes, ignored):
    target = random_labels(num_classes, ignored=ignored, seed=1)
    right = torch.rand(target.shape) < 0.6
    prediction = target.clamp(max=num_classes - 1).where(right, random_labels(num_classes))
    confusion = confusion_matrix(prediction, target, num_classes)
    assert torch.equal(confusion, count_pairs(prediction, target, num_classes))
    assert not torch.equal(confusion, confusion.T), "rows and columns could be swapped"
    expected = torch.tensor(iou_by_sets(prediction, target, num_classes))
    torch.testing.assert_close(iou(confusion), expected, equal_nan=True)
    assert mean_iou(confusion) == pytest.approx(expected.nanmean().item())


def test_by_hand():
    #            true 0  0  0  1  1  2
    prediction = torch.tensor([0, 0, 1, 1, 2, 2])
    target = torch.tensor([0, 0, 0, 1, 1, 2])
    confusion = confusion_matrix(prediction, target, 3)
    assert confusion.tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert iou(confusion).tolist() == pytest.approx([2 / 3, 1 / 3, 1 / 2])
    assert mean_iou(confusion) == pytest.approx(0.5)


def test_perfect_and_disjoint():
    target = random_labels(4)
    assert mean_iou(confusion_matrix(target, target, 4)) == 1.0
    assert mean_iou(confusion_matrix((target + 1) % 4, target, 4)) == 0.0


def test_a_class_that_nowhere_occurs_is_left_out():
    target = torch.tensor([0, 0, 1, 1])
    confusion = confusion_matrix(target, target, 5)
    assert mean_iou(confusion) == 1.0
    assert iou(confusion)[2:].isnan().all()


def test_a_class_that_was_only_predicted_counts_as_zero():
    confusion = confusion_matrix(torch.tensor([0, 2]), torch.tensor([0, 0]), 3)
    assert iou(confusion)[[0, 2]].tolist() == [0.5, 0.0] and iou(confusion)[1].isnan()
    assert mean_iou(confusion) == 0.25


def test_nothing_to_count_is_nan_and_not_zero():
    ignored = torch.full((4, 4), 255)
    assert math.isnan(mean_iou(confusion_matrix(torch.zeros_like(ignored), ignored, 3)))


def test_ignored_pixels_never_count():
    target, prediction = random_labels(3, ignored=0.3), random_labels(3, seed=9)
    other = prediction.where(target != 255, (prediction + 1) % 3)
    assert torch.equal(confusion_matrix(prediction, target, 3), confusion_matrix(other, target, 3))
    assert confusion_matrix(prediction, target, 3).sum() == (target != 255).sum() < target.numel()
    ours = confusion_matrix(prediction, target.where(target != 255, 7), 3, ignore_index=7)
    assert torch.equal(ours, confusion_matrix(prediction, target, 3))


def test_a_batch_is_the_sum_of_its_images():
    target, prediction = random_labels(4, ignored=0.1), random_labels(4, seed=2)
    one_by_one = sum(confusion_matrix(p, t, 4) for p, t in zip(prediction, target, strict=True))
    assert torch.equal(confusion_matrix(prediction, target, 4), one_by_one)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int16])
def test_small_integers_do_not_overflow(dtype):
    """A mask file is uint8, and 20 * 21 + 20 is not."""
    target, prediction = random_labels(21, ignored=0.1), random_labels(21, seed=2)
    expected = confusion_matrix(prediction, target, 21)
    assert torch.equal(confusion_matrix(prediction.to(dtype), target.to(dtype), 21), expected)
    assert torch.equal(confusion_matrix(prediction, target.to(dtype), 21), expected)


def test_one_class_more_than_the_ignore_index_of_a_byte():
    target = torch.tensor([0, 149, 149])
    assert confusion_matrix(target, target, 150)[149, 149] == 2


@pytest.mark.parametrize("wrong", [-1, 3, 254, 300])
def test_labels_out_of_range_are_named(wrong):
    target = torch.tensor([[0, 1], [wrong, 2]])
    with pytest.raises(ValueError, match=rf"0\.\.2 or 255 \(ignored\), got {wrong}\."):
        confusion_matrix(torch.zeros_like(target), target, 3)
    with pytest.raises(ValueError, match=rf"0\.\.2 or 255 \(ignored\), got {wrong}\."):
        segmentation_loss(torch.randn(1, 3, 2, 2), target[None])
    with pytest.raises(ValueError, match=rf"0\.\.2, got {wrong}\."):
        confusion_matrix(target, torch.zeros_like(target), 3)


def test_a_prediction_may_not_ignore():
    with pytest.raises(ValueError, match=r"0\.\.2, got 255"):
        confusion_matrix(torch.tensor([255]), torch.tensor([255]), 3)


def test_shapes_and_kinds_that_do_not_fit():
    with pytest.raises(ValueError, match=r"\(2, 2\) and target \(2, 3\)"):
        confusion_matrix(torch.zeros(2, 2, dtype=int), torch.zeros(2, 3, dtype=int), 3)
    with pytest.raises(ValueError, match="integers, got torch.float32"):
        confusion_matrix(torch.zeros(2, 2), torch.zeros(2, 2), 3)
    check_labels(torch.tensor([0, 255]), 1)
    with pytest.raises(ValueError, match="255"):
        check_labels(torch.tensor([0, 255]), 1, ignore_index=None)


# --- the band along the outlines


def band_by_loops(labels, width):
    height, columns = labels.shape
    band = torch.zeros_like(labels, dtype=torch.bool)
    for y in range(height):
        for x in range(columns):
            window = labels[max(0, y - width) : y + width + 1, max(0, x - width) : x + width + 1]
            band[y, x] = window.unique().numel() > 1 and labels[y, x] != 255
    return band


def blobs(seed, shape=(19, 26)):
    """Large areas of a few labels, some ignored: noise would be all outline."""
    coarse = random_labels(4, (1, 4, 5), ignored=0.15, seed=seed).float()
    return torch.nn.functional.interpolate(coarse[None], size=shape, mode="nearest")[0, 0].long()


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_band_against_loops(width, seed):
    labels = blobs(seed)
    band = trimap_band(labels, width)
    assert torch.equal(band, band_by_loops(labels, width))
    assert 0 < band.sum() < (labels != 255).sum(), "all or nothing would be no test"


def test_one_edge_gives_a_band_of_width_on_either_side():
    labels = torch.zeros(9, 20, dtype=torch.int64)
    labels[:, 10:] = 3
    for width in (1, 2, 5):
        columns = trimap_band(labels, width).all(dim=0).nonzero().flatten().tolist()
        assert columns == list(range(10 - width, 10 + width))
    assert not trimap_band(torch.full((6, 6), 2), 3).any(), "the image's own border is no outline"


def test_a_batch_gives_each_images_own_band():
    labels = torch.stack([blobs(seed) for seed in range(3)])
    assert torch.equal(trimap_band(labels, 2), torch.stack([trimap_band(image, 2) for image in labels]))


def test_the_trimap_target_keeps_labels_in_the_band_only():
    labels = blobs(1)
    target, band = trimap_target(labels, 2), trimap_band(labels, 2)
    assert torch.equal(target[band], labels[band]) and (target[~band] == 255).all()
    prediction = labels.where(labels != 255, 0)
    worse = prediction.clone()
    worse[band] = (worse[band] + 1) % 4
    assert mean_iou(confusion_matrix(worse, target, 4)) == 0.0
    far = prediction.clone()
    far[~band] = (far[~band] + 1) % 4
    assert mean_iou(confusion_matrix(far, target, 4)) == 1.0


@pytest.mark.parametrize("width", [0, -3])
def test_a_band_without_width(width):
    with pytest.raises(ValueError, match=f"1 pixel or more, got {width}"):
        trimap_band(torch.zeros(3, 3, dtype=torch.int64), width)


# --- the loss


def test_the_loss_is_the_mean_of_minus_log_probability_over_known_pixels():
    logits, target = torch.randn(2, 3, 5, 4), random_labels(3, (2, 5, 4), ignored=0.3)
    total, known = 0.0, 0
    for n in range(2):
        for y in range(5):
            for x in range(4):
                if target[n, y, x] != 255:
                    total -= logits[n, :, y, x].softmax(dim=0)[target[n, y, x]].log().item()
                    known += 1
    assert 0 < known < target.numel()
    assert segmentation_loss(logits, target).item() == pytest.approx(total / known, rel=1e-5)


def test_the_loss_takes_the_small_integers_of_mask_files():
    logits, target = torch.randn(2, 3, 5, 4), random_labels(3, (2, 5, 4), ignored=0.3)
    for dtype in (torch.uint8, torch.int32):
        assert torch.equal(segmentation_loss(logits, target.to(dtype)), segmentation_loss(logits, target))


@pytest.mark.parametrize(
    "shape, message",
    [
        ((2, 5, 5), r"logits are \(5, 4\) and the target \(5, 5\): resize the logits"),
        ((2, 1, 5, 4), r"shape \(N, H, W\).*got \(2, 1, 5, 4\)"),
        ((1, 5, 4), r"each of the 2 images.*got \(1, 5, 4\)"),
    ],
)
def test_a_target_of_another_shape(shape, message):
    with pytest.raises(ValueError, match=message):
        segmentation_loss(torch.randn(2, 3, 5, 4), torch.zeros(shape, dtype=torch.int64))


def test_recall_by_size():
    masks = torch.zeros(2, 10, 10, dtype=torch.uint8)
    masks[0, :2, :2] = 1  # size 2
    masks[1, 4:, 4:] = 1  # size 6
    target = {"masks": masks, "labels": torch.tensor([3, 1])}
    prediction = torch.zeros(2, 10, 10, dtype=torch.int64)
    prediction[0, 0, 0] = 3  # a quarter of the small one
    prediction[0, 4:, 4:7] = 1  # half of the large one
    prediction[0, 9, 9] = 3  # another label there is no answer
    prediction[1, :2, :2] = 3  # all of the small one in a second image
    second = {"masks": masks[:1], "labels": target["labels"][:1]}
    shares, counts = recall_by_size(prediction, [target, second], limits=(3, 6))
    assert counts == [2, 0, 1]
    assert shares[0] == (0.25 + 1) / 2 and math.isnan(shares[1]) and shares[2] == 0.5
    with pytest.raises(ValueError, match="2 images were predicted, and targets of 1"):
        recall_by_size(prediction, [target])
