"""Average precision of boxes and masks: small cases by hand, and the course's photographs against pycocotools."""

import contextlib
import io

import numpy as np
import pytest
import torch
from torch import nn

from deeplab_teach.datasets import Objects, detection_collate
from deeplab_teach.metrics import COCO_THRESHOLDS, average_precision
from deeplab_teach.training import dataset_detections, evaluate_boxes

BOX = [0.0, 0.0, 10.0, 10.0]
FAR = [50.0, 50.0, 60.0, 60.0]


def true(*boxes, crowd=None):
    image = {"boxes": torch.tensor(boxes).reshape(-1, 4), "labels": torch.ones(len(boxes), dtype=torch.int64)}
    return [image if crowd is None else {**image, "iscrowd": torch.tensor(crowd)}]


def found(*boxes, scores=None):
    """Found objects of class 1, the first one best unless scores are given."""
    scores = torch.linspace(0.9, 0.1, len(boxes)) if scores is None else torch.tensor(scores)
    return [{**true(*boxes)[0], "scores": scores}]


def as_masks(images, size=(64, 64)):
    """Boxes of whole pixels as masks, in place of the boxes."""
    with_masks = []
    for image in images:
        masks = torch.zeros(len(image["boxes"]), *size, dtype=torch.bool)
        for mask, (x1, y1, x2, y2) in zip(masks, image["boxes"].int().tolist(), strict=True):
            mask[y1:y2, x1:x2] = True
        with_masks.append({**image, "boxes": torch.full_like(image["boxes"], torch.nan), "masks": masks})
    return with_masks


def both(answers, truth, **options):
    """AP of boxes, which must be that of the same boxes as masks."""
    boxes = average_precision(answers, truth, 2, **options)
    masks = average_precision(as_masks(answers), as_masks(truth), 2, masks=True, **options)
    assert masks == pytest.approx(boxes, abs=1e-12, nan_ok=True)
    return boxes


# ------------------------------------------------------------------------------------------------- by hand


def test_what_lies_in_a_crowd_is_neither_right_nor_wrong():
    crowd = [20.0, 0.0, 60.0, 40.0]
    answers = found([22.0, 2.0, 32.0, 12.0], [30.0, 10.0, 40.0, 20.0], BOX)  # two in the crowd, then a right one
    assert both(answers, true(BOX, crowd, crowd=[False, True])) == 1.0
    assert both(answers, true(BOX, crowd, crowd=[False, False])) == pytest.approx(51 / 101 / 3), "no crowd: 1 of 3"
    assert both(answers, true(BOX)) == pytest.approx(1 / 3)


def test_a_crowd_is_overlapped_by_the_share_of_the_found_one():
    crowd, half, less = [20.0, 0.0, 40.0, 20.0], [35.0, 0.0, 45.0, 10.0], [36.0, 0.0, 46.0, 10.0]
    assert both(found(half, BOX), true(BOX, crowd, crowd=[False, True])) == 1.0, "5 of 10 columns lie in it"
    assert both(found(less, BOX), true(BOX, crowd, crowd=[False, True])) == 0.5, "4 of 10 do"
    assert both(found(half, BOX), true(BOX, crowd, crowd=[False, True]), iou_threshold=0.55) == 0.5
    large = [10.0, 0.0, 60.0, 50.0]
    assert both(found(large, BOX), true(BOX, crowd, crowd=[False, True])) == 0.5, "it covers the crowd, and much else"


def test_a_true_object_goes_before_the_crowd_that_it_lies_in():
    truth = true([0.0, 0.0, 60.0, 60.0], BOX, crowd=[True, False])
    assert both(found([0.0, 0.0, 10.0, 8.0]), truth) == 1.0, "0.8 of the object, and all within the crowd"
    assert both(found(BOX, BOX, BOX), truth) == 1.0, "found again, it lies in the crowd"
    assert both(found(FAR), truth) == 0.0, "only what is no crowd must be found"


def test_crowds_alone_are_no_class():
    assert str(both(found(BOX), true(BOX, crowd=[True]))) == "nan"


def test_a_hundred_objects_count():
    right_last = lambda wrong: found(*[FAR] * wrong, BOX)
    assert both(right_last(99), true(BOX)) == pytest.approx(1 / 100)
    assert both(right_last(100), true(BOX)) == 0.0
    answers = right_last(100)
    answers[0]["labels"][:100] = 2
    assert average_precision(answers, true(BOX), 3) == 1.0, "of each class a hundred"
    assert average_precision(right_last(100) + found(BOX), true(BOX) * 2, 2) > 0, "of each image a hundred"


def test_of_equal_overlaps_the_last_true_object_is_taken():
    left, right, between = [0.0, 0.0, 10.0, 10.0], [4.0, 0.0, 14.0, 10.0], [2.0, 0.0, 12.0, 10.0]
    assert both(found(between, left), true(left, right)) == 1.0, "8 of 12 with both; the right one is taken"
    assert both(found(between, right), true(left, right)) == pytest.approx(51 / 101), "4 of 8 more were left: 6 / 14"


def test_of_equal_scores_the_first_comes_first():
    assert both(found(FAR, BOX, scores=[0.5, 0.5]), true(BOX)) == 0.5
    assert both(found(BOX, FAR, scores=[0.5, 0.5]), true(BOX)) == 1.0
    assert both(found(FAR, scores=[0.5]) + found(BOX, scores=[0.5]), true() + true(BOX)) == 0.5
    assert both(found(FAR, BOX, scores=[0.5, 0.6]), true(BOX)) == 1.0


def test_several_thresholds_are_averaged():
    answers = found([0.0, 0.0, 10.0, 8.0])  # 0.8: right at 0.5, 0.55, ..., 0.8, seven of ten
    assert COCO_THRESHOLDS == pytest.approx([0.5 + 0.05 * i for i in range(10)])
    assert both(answers, true(BOX), iou_threshold=COCO_THRESHOLDS) == pytest.approx(0.7)
    assert both(answers, true(BOX), iou_threshold=[0.8]) == both(answers, true(BOX), iou_threshold=0.8) == 1.0
    assert both(answers, true(BOX), iou_threshold=(0.75, 0.85)) == 0.5
    assert both(found(BOX), true(BOX), iou_threshold=1) == 1.0


def test_nothing_overlaps_nothing():
    empty = [3.0, 3.0, 3.0, 3.0]
    assert both(found(empty), true(BOX)) == both(found(empty), true(BOX, empty)) == 0.0
    assert both(found(), true(BOX)) == 0.0
    assert both(found(BOX, empty), true(BOX)) == 1.0


def test_masks_are_compared_and_not_boxes():
    truth, answers = as_masks(true(BOX)), as_masks(found(BOX))
    answers[0]["masks"][0, 0:10, 0:10] = torch.eye(10, dtype=torch.bool)  # its extent is the same box
    assert average_precision(answers, truth, 2, masks=True) == 0.0
    assert average_precision(answers, truth, 2, masks=True, iou_threshold=0.1) == 1.0, "10 of 100 pixels"


# ------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("threshold", [0, -0.5, 50, (), (0.5, 1.5)])
def test_thresholds_that_cannot_be(threshold):
    with pytest.raises(ValueError, match=r"iou_threshold must be above 0 and at most 1, or several .*; got"):
        average_precision(found(BOX), true(BOX), 2, iou_threshold=threshold)


def test_masks_that_cannot_be_compared():
    answers, truth = as_masks(found(BOX)), as_masks(true(BOX))
    with pytest.raises(ValueError, match='needs "masks" of found objects; these have boxes, labels, scores'):
        average_precision(found(BOX), truth, 2, masks=True)
    with pytest.raises(ValueError, match='needs "masks" of true objects'):
        average_precision(answers, true(BOX), 2, masks=True)
    raw = [{**answers[0], "masks": answers[0]["masks"][:, None].float()}]
    with pytest.raises(ValueError, match=r"got \(1, 1, 64, 64\) torch.float32 of found .*take masks\[:, 0\] > 0.5"):
        average_precision(raw, truth, 2, masks=True)
    with pytest.raises(ValueError, match="found masks are 64 x 64, true ones 32 x 64"):
        average_precision(answers, as_masks(true(BOX), (32, 64)), 2, masks=True)


# ------------------------------------------------------------------------------------------------- a model's answers


class Saying(nn.Module):
    """Stands for torchvision's Mask R-CNN: gives the answers that it is given, one after the other."""

    def __init__(self, answers):
        super().__init__()
        self.answers, self.weight, self.roi_heads = iter(answers), nn.Parameter(torch.zeros(1)), None

    def forward(self, images):
        assert not self.training and not torch.is_grad_enabled()
        (image,), answer = images, next(self.answers)
        assert "masks" not in answer or image.shape[1:] == answer["masks"].shape[2:]
        return [answer]


def as_torchvision(answer):
    """Masks (n, 1, H, W) of probabilities, a little above a half where there is something."""
    return {**answer, "masks": 0.4 + 0.15 * answer["masks"][:, None].float()}


def test_targets_to_judge_by_keep_crowds_and_slivers():
    target = {
        "boxes": torch.tensor([BOX, FAR, [5.0, 5.0, 5.5, 9.0], [7.0, 7.0, 7.0, 9.0]]),
        "labels": torch.tensor([1, 2, 3, 4]),
        "iscrowd": torch.tensor([False, True, False, False]),
    }
    item = (torch.zeros(3, 64, 64), target)
    _, (to_train,) = detection_collate([item])
    assert to_train["labels"].tolist() == [1] and to_train.keys() == {"boxes", "labels"}
    _, (to_judge,) = detection_collate([item], judging=True)
    assert to_judge["labels"].tolist() == [1, 2, 3] and to_judge["iscrowd"].tolist() == [False, True, False]
    with pytest.raises(ValueError, match=r"each of 4 boxes needs one of each kind, got \{'iscrowd': 1\}"):
        detection_collate([(item[0], {**target, "iscrowd": torch.tensor([False])})])


def test_evaluation_judges_boxes_or_masks_of_a_model():
    dataset = Objects("test", classes=("person",))
    truth = truth_of(dataset)
    answers = made_up(truth, seed=0, num_classes=2)
    saying = lambda: Saying(map(as_torchvision, answers)).train()
    for options in ({}, {"iou_threshold": 0.7}, {"masks": True}, {"masks": True, "iou_threshold": (0.5, 0.8)}):
        model = saying()
        score = evaluate_boxes(model, dataset, **options)
        assert score == average_precision(answers, truth, 2, **options) and 0.1 < score < 0.9 and model.training
    given, there = dataset_detections(saying(), dataset)
    assert not any("masks" in image for image in (*given, *there)), "large, and nobody asked"
    assert sum(int(image["iscrowd"].sum()) for image in there) == 6
    given, there = dataset_detections(saying(), dataset, masks=True)
    for mine, other in zip((*given, *there), (*answers, *truth), strict=True):
        assert mine["masks"].dtype == torch.bool and torch.equal(mine["masks"], other["masks"].bool())
    with pytest.raises(ValueError, match="masks are to be judged, and the detector finds none: use a Mask R-CNN"):
        evaluate_boxes(Saying(found(BOX)), dataset, masks=True)


# ------------------------------------------------------------------------------------------------- pycocotools


def truth_of(dataset):
    return [detection_collate([dataset[i]], judging=True)[1][0] for i in range(len(dataset))]


def moved(masks, boxes, generator):
    """Each object shifted, its box and its mask alike, and its box stretched."""
    sizes = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    shift = (0.15 * sizes[:, :2] * torch.randn(len(boxes), 2, generator=generator)).round()
    stretch = 0.08 * sizes * torch.randn(sizes.shape, generator=generator)
    rolled = [mask.roll((int(y), int(x)), (0, 1)) for mask, (x, y) in zip(masks, shift.tolist(), strict=True)]
    return torch.stack(rolled), boxes + shift.repeat(1, 2) + stretch


def made_up(truth, *, seed, num_classes):
    """Answers as a middling detector gives them: true objects moved, missed, doubled, miscalled.

    Scores have two digits, so that many are equal. Where most people are, each is found a dozen times.
    """
    generator = torch.Generator().manual_seed(seed)
    people = [int((image["labels"] == 1).sum()) for image in truth]
    answers = []
    for position, image in enumerate(truth):
        count = len(image["labels"])
        times = 20 if position == people.index(max(people)) else 2
        chosen = torch.arange(count).repeat(times)[torch.rand(count * times, generator=generator) < 0.6]
        chosen = chosen[torch.randperm(len(chosen), generator=generator)]
        masks, boxes = image["masks"][chosen].bool(), image["boxes"][chosen]
        if len(chosen):
            masks, boxes = moved(masks, boxes, generator)
        labels = image["labels"][chosen].clone()
        wrong = torch.rand(len(chosen), generator=generator) < 0.1
        labels[wrong] = torch.randint(1, num_classes, (int(wrong.sum()),), generator=generator)
        scores = torch.rand(len(chosen), generator=generator)
        answers.append({"boxes": boxes, "masks": masks, "labels": labels, "scores": (100 * scores).round() / 100})
    return answers


def by_pycocotools(answers, truth, kind):
    """COCO's (AP, AP50) of "bbox" or "segm"."""
    pytest.importorskip("pycocotools")
    from pycocotools import mask as coding
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def rows(images):
        for number, image in enumerate(images):
            for i, (x1, y1, x2, y2) in enumerate(image["boxes"].double().tolist()):
                row = {"image_id": number, "category_id": int(image["labels"][i])}
                if kind == "segm":
                    row["segmentation"] = coding.encode(np.asfortranarray(image["masks"][i].byte().numpy()))
                else:
                    row["bbox"] = [x1, y1, x2 - x1, y2 - y1]
                if "scores" in image:
                    row["score"] = float(image["scores"][i])
                else:
                    row["iscrowd"] = int(image["iscrowd"][i])
                yield row

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        labels = sorted({row["category_id"] for side in (truth, answers) for row in rows(side)})
        sizes = [image["masks"].shape[1:] for image in truth]
        coco.dataset = {
            "images": [{"id": number, "height": h, "width": w} for number, (h, w) in enumerate(sizes)],
            "annotations": [{"id": i + 1, "area": 1.0, **row} for i, row in enumerate(rows(truth))],  # 0 is "unmatched"
            "categories": [{"id": label} for label in labels],
        }
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(list(rows(answers))), kind)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge.stats[:2].tolist()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("classes", [("person",), None])
def test_ap_equals_pycocotools(classes, seed):
    pytest.importorskip("pycocotools")
    dataset = Objects("test", classes=classes)
    truth = truth_of(dataset)
    answers = made_up(truth, seed=seed, num_classes=len(dataset.classes))
    assert max(int(image["labels"].bincount().max()) for image in answers) > 100, "more than count"
    for masks, kind in ((False, "bbox"), (True, "segm")):
        ap, ap50 = by_pycocotools(answers, truth, kind)
        assert 0.05 < ap < 0.9 * ap50 < 0.9
        ours = [average_precision(answers, truth, 91, iou_threshold=t, masks=masks) for t in (COCO_THRESHOLDS, 0.5)]
        assert ours == pytest.approx([ap, ap50], abs=1e-6)
        without = [{key: value for key, value in image.items() if key != "iscrowd"} for image in truth]
        assert average_precision(answers, without, 91, masks=masks) != pytest.approx(ap50, abs=1e-4), "crowds matter"
