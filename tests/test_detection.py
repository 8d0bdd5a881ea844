"""Detection: our FPN and FCOS equal torchvision's, boxes and averages by hand, and both detectors learn four scenes."""

import pytest
import torch
from helpers import on_meta, random_features, randomise_batch_norm, relative_difference
from torch import nn
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool, LastLevelP6P7

from deeplab_teach.backbones import mobilenet_v2, resnet18, vit_small
from deeplab_teach.datasets import LESSON_CLASSES, EmojiScenes
from deeplab_teach.features import FeatureSpec, SequenceSpec
from deeplab_teach.heads import FCOSHead
from deeplab_teach.heads.fcos import decode, detections, distances, fcos_targets
from deeplab_teach.losses import fcos_loss
from deeplab_teach.metrics import average_precision
from deeplab_teach.models import Detector, build_model, mask_rcnn
from deeplab_teach.necks import FPN, SimpleFeaturePyramid
from deeplab_teach.predict import predict_boxes, predict_mask

# The beginning of our name -> of torchvision's.
FPN_NAMES = {
    **{f"lateral.{i}.": f"inner_blocks.{i}.0." for i in range(4)},
    **{f"output.{i}.": f"layer_blocks.{i}.0." for i in range(4)},
    **{f"extra_convs.{i}.": f"extra_blocks.p{6 + i}." for i in range(2)},
}
HEAD_NAMES = {
    "class_tower.": "classification_head.conv.",
    "cls_logits.": "classification_head.cls_logits.",
    "box_tower.": "regression_head.conv.",
    "bbox_reg.": "regression_head.bbox_reg.",
    "bbox_ctrness.": "regression_head.bbox_ctrness.",
}


def renamed(module, names):
    """The weights of a module of ours under torchvision's names; those of the backbone below it are left out."""
    state = {key: value for key, value in module.state_dict().items() if not key.startswith("backbone.")}
    return {
        next(new + key.removeprefix(old) for old, new in names.items() if key.startswith(old)): value
        for key, value in state.items()
    }


def shaken(module):
    """Biases and affine maps away from their start, so that a forgotten one shows."""
    for name, parameter in module.named_parameters():
        if parameter.dim() == 1 and not name.startswith("backbone."):
            nn.init.normal_(parameter, mean=0.5 if name.endswith("weight") else 0.0, std=0.3)
    return module.eval()


# ------------------------------------------------------------------------------------------------- equal to torchvision


@pytest.mark.parametrize("extra", ["pool", "convs", None])
def test_the_fpn_equals_torchvisions(extra):
    backbone = randomise_batch_norm(resnet18())
    ours = shaken(FPN(backbone, out_channels=32, extra=extra))
    top = {"pool": LastLevelMaxPool(), "convs": LastLevelP6P7(32, 32), None: None}[extra]
    theirs = FeaturePyramidNetwork([64, 128, 256, 512], 32, extra_blocks=top).eval()
    theirs.load_state_dict(renamed(ours, FPN_NAMES), strict=True)
    image = torch.randn(2, 3, 97, 129)
    with torch.no_grad():
        features = backbone(image)
        reference = theirs({key: features[key] for key in ("c2", "c3", "c4", "c5")})
        pyramid = ours(image)
    assert len(pyramid) == len(reference) == {"pool": 5, "convs": 6, None: 4}[extra]
    for (key, value), expected in zip(pyramid.items(), reference.values(), strict=True):
        assert relative_difference(value, expected) <= 1e-5, key


class Named(nn.Module):
    """A pyramid as torchvision's detectors want it."""

    def __init__(self, pyramid):
        super().__init__()
        self.pyramid, self.out_channels = pyramid, pyramid.out_channels

    def forward(self, x):
        return self.pyramid(x)


def two_detectors(size):
    """Ours and torchvision's, with the same weights, the scores lifted so that both find something."""
    pyramid = FPN(randomise_batch_norm(resnet18()), keys=["c3", "c4", "c5"], out_channels=32, extra="convs")
    ours = Detector(shaken(pyramid), shaken(FCOSHead(pyramid.feature_specs, 5)))
    for conv in (ours.head.cls_logits, ours.head.bbox_reg, ours.head.bbox_ctrness):
        nn.init.normal_(conv.weight, std=0.05)
    nn.init.constant_(ours.head.bbox_reg.bias, 2.0)
    sizes = tuple((8 * 2**i,) for i in range(5))
    theirs = FCOS(
        Named(pyramid),
        5,
        anchor_generator=AnchorGenerator(sizes, ((1.0,),) * 5),
        image_mean=pyramid.mean,
        image_std=pyramid.std,
        min_size=min(size),  # so that it leaves the images as they are
        max_size=max(size),
    ).eval()
    theirs.head.load_state_dict(renamed(ours.head, HEAD_NAMES), strict=True)
    return ours.eval(), theirs


def some_targets(generator, size, count):
    """Boxes of all sizes inside an image, none at its border."""
    corner = torch.rand(count, 2, generator=generator) * torch.tensor(size[::-1]) * 0.6
    side = 6 + torch.rand(count, 2, generator=generator) * (torch.tensor(size[::-1]) - corner - 8)
    return {"boxes": torch.cat([corner, corner + side], dim=1), "labels": torch.arange(count) % 4 + 1}


@pytest.mark.parametrize(
    "pyramid",
    [
        lambda: FPN(resnet18()),
        lambda: FPN(resnet18(), keys=["c3", "c5"], extra="convs"),
        lambda: FPN(resnet18(), extra="pool"),
        lambda: SimpleFeaturePyramid(vit_small()),
    ],
)
def test_a_pyramids_maps_are_made_from_what_they_say(pyramid):
    """Followed down to the backbone, the declared sources are the maps that move when a map is moved."""
    pyramid = pyramid().eval()
    features = {
        key: value.requires_grad_() for key, value in random_features(pyramid.backbone.feature_specs, (64, 64)).items()
    }
    maps = pyramid.pyramid(features, (64, 64))

    def below(name):
        return {name} if name in features else set().union(*map(below, pyramid.made_from[name]))

    assert list(maps) == list(pyramid.made_from)
    for name, value in maps.items():
        moved = torch.autograd.grad(value.sum(), features.values(), retain_graph=True, allow_unused=True)
        assert below(name) == {key for key, gradient in zip(features, moved, strict=True) if gradient is not None}


@pytest.mark.parametrize("size", [(128, 256), (256, 128)])
def test_fcos_losses_and_gradients_equal_torchvisions(size):
    generator = torch.Generator().manual_seed(3)
    ours, theirs = two_detectors(size)
    images = torch.rand(3, 3, *size, generator=generator)
    targets = [some_targets(generator, size, count) for count in (4, 0, 9)]  # an image without a box too
    copies = [{key: value.clone() for key, value in target.items()} for target in targets]
    theirs.train()
    theirs.backbone.eval()
    expected = theirs(list(images), copies)
    losses = fcos_loss(ours(ours.backbone.normalize(images)), targets)
    assert losses.keys() == expected.keys()
    for key in losses:
        assert losses[key].item() == pytest.approx(expected[key].item(), rel=1e-5), key
        assert losses[key] > 0.01, "a loss of nothing compares nothing"
    sum(losses.values()).backward()
    sum(expected.values()).backward()
    for name, parameter in ours.head.named_parameters():
        other = next(new + name.removeprefix(old) for old, new in HEAD_NAMES.items() if name.startswith(old))
        expected = theirs.head.get_parameter(other).grad
        assert (parameter.grad - expected).norm() <= 1e-4 * expected.norm() > 0, name


@pytest.mark.parametrize("size", [(128, 256), (256, 256)])
def test_fcos_detections_equal_torchvisions(size):
    ours, theirs = two_detectors(size)
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        expected = theirs(list(images))
    found = predict_boxes(ours, images)
    for mine, other in zip(found, expected, strict=True):
        assert 20 < len(mine["boxes"]) == len(other["boxes"]) and len(mine["labels"].unique()) > 1
        assert torch.equal(mine["labels"], other["labels"])
        assert relative_difference(mine["scores"], other["scores"]) <= 1e-5
        assert relative_difference(mine["boxes"], other["boxes"]) <= 1e-5


def test_elsewhere_torchvision_measures_strides_from_the_image_and_ours_are_the_specs():
    """At 224 pixels the map of stride 128 has 2 rows: torchvision takes 224 // 2 = 112 for its stride."""
    ours, theirs = two_detectors((224, 224))
    image = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        answers = ours(ours.backbone.normalize(image))
        maps = list(ours.backbone(image).values())
        images = torchvision_list(image)
        anchors = theirs.anchor_generator(images, maps)[0]
    centers = (anchors[:, :2] + anchors[:, 2:]) / 2
    fine, coarse = answers["levels"] == 0, answers["levels"] == 4
    assert torch.equal(answers["points"][fine], centers[fine])
    assert answers["points"][coarse].amax() == 128.0, "the second place of the map of stride 128"
    assert centers[coarse].amax() == 112.0, "torchvision's: 224 // 2"


def torchvision_list(images):
    from torchvision.models.detection.image_list import ImageList

    return ImageList(images, [tuple(images.shape[-2:])] * len(images))


# ------------------------------------------------------------------------------------------------- places and boxes

SPECS = {"p3": FeatureSpec(32, 8), "p4": FeatureSpec(32, 16), "p5": FeatureSpec(32, 32)}


def places(size=(96, 160), specs=SPECS):
    head = FCOSHead(specs, 3, depth=0).eval()
    return head(random_features(specs, size, batch=1))


def test_where_the_places_lie():
    answers = places((96, 160))
    assert answers["points"][:3].tolist() == [[0, 0], [8, 0], [16, 0]]
    assert answers["points"][20].tolist() == [0, 8], "the second row of the first map"
    assert answers["strides"].unique().tolist() == [8, 16, 32]
    assert (answers["levels"] == 0).sum() == 12 * 20
    assert len(answers["points"]) == 12 * 20 + 6 * 10 + 3 * 5


def test_distances_and_decode_are_inverse():
    points, strides = torch.rand(7, 2) * 50, torch.tensor([8.0, 16.0, 32.0, 8.0, 8.0, 8.0, 16.0])
    boxes = torch.cat([points - torch.rand(7, 2) * 30, points + torch.rand(7, 2) * 30], dim=1)
    sides = distances(points, boxes)
    assert (sides >= 0).all()
    torch.testing.assert_close(decode(points, strides, sides / strides[:, None]), boxes)
    assert distances(torch.tensor([10.0, 20.0]), torch.tensor([4.0, 12.0, 19.0, 31.0])).tolist() == [6, 8, 9, 11]


def test_targets_by_hand():
    answers = places((96, 160))
    points, levels = answers["points"], answers["levels"]
    boxes = torch.tensor([[40.0, 24.0, 72.0, 56.0]])  # 32 pixels: the farthest side is near 16, so the finest map
    index = fcos_targets(answers, boxes)
    chosen = points[index == 0]
    assert (levels[index == 0] == 0).all()
    # Inside, and within 1.5 strides (12 pixels) of the centre (56, 40).
    assert sorted(chosen.tolist()) == [[x, y] for x in (48, 56, 64) for y in (32, 40, 48)]
    large = torch.tensor([[0.0, 0.0, 159.0, 95.0]])  # the farthest side is 80 or more: 4 to 8 strides of 16
    assert (levels[fcos_targets(answers, large) == 0] == 1).all()


def test_of_two_boxes_the_smaller_one_wins():
    answers = places((96, 160))
    boxes = torch.tensor([[20.0, 10.0, 80.0, 70.0], [36.0, 26.0, 64.0, 54.0]])  # one inside the other
    for order in ([0, 1], [1, 0]):
        index = fcos_targets(answers, boxes[order])
        middle = (answers["points"] == torch.tensor([48.0, 40.0])).all(dim=1) & (answers["levels"] == 0)
        assert index[middle].item() == order.index(1)


def test_without_boxes_every_place_is_background():
    assert (fcos_targets(places(), torch.zeros(0, 4)) == -1).all()
    losses = fcos_loss(places(), [{"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}])
    assert losses["bbox_regression"] == losses["bbox_ctrness"] == 0 and losses["classification"] > 0


def answers_of(points, boxes, labels, scores, num_classes=4):
    """What a head would say that found exactly these boxes: one place each."""
    points, boxes = torch.tensor(points, dtype=torch.float32), torch.tensor(boxes, dtype=torch.float32)
    logits = torch.full((1, len(points), num_classes), -20.0)
    # The score is the root of class times centre: with a sure centre, the class must be the square.
    logits[0, torch.arange(len(points)), torch.tensor(labels)] = torch.tensor(scores).square().logit()
    return {
        "cls_logits": logits,
        "bbox_regression": distances(points, boxes)[None] / 8,
        "bbox_ctrness": torch.full((1, len(points), 1), 20.0),
        "points": points,
        "strides": torch.full((len(points),), 8.0),
        "levels": torch.zeros(len(points)),
    }


def test_detections_by_hand():
    same = [10, 10, 50, 50]
    boxes = [same, [11, 11, 50, 50], same, [60, 60, 120, 90], [0, 0, 9, 9]]
    answers = answers_of(
        [[30, 30], [30, 30], [30, 30], [80, 80], [4, 4]], boxes, [1, 1, 2, 3, 1], [0.9, 0.8, 0.7, 0.6, 0.1]
    )
    (found,) = detections(answers, (80, 100))
    torch.testing.assert_close(found["scores"], torch.tensor([0.9, 0.7, 0.6]))  # 0.8 overlaps, 0.1 is too low
    assert found["labels"].tolist() == [1, 2, 3], "boxes of two classes may lie on each other"
    torch.testing.assert_close(found["boxes"][2], torch.tensor([60.0, 60.0, 100.0, 80.0]))  # cut at the border
    assert len(detections(answers, (80, 100), top=1)[0]["boxes"]) == 1
    assert len(detections(answers, (80, 100), candidates=2)[0]["boxes"]) == 1, "0.9 and 0.8, one of them suppressed"
    (nothing,) = detections(answers, (80, 100), score_threshold=0.95)
    assert nothing["boxes"].shape == (0, 4) and nothing["scores"].shape == nothing["labels"].shape == (0,)


def half_answers(dtype):
    """A head's answers in half precision, for a box whose area no float16 holds."""
    head = FCOSHead({f"p{i}": FeatureSpec(96, 2**i) for i in (3, 4, 5, 6, 7)}, 3, depth=1)
    answers = head(random_features(head.feature_specs, (512, 512), batch=1))
    halved = ("cls_logits", "bbox_regression", "bbox_ctrness")
    return {key: value.to(dtype) if key in halved else value for key, value in answers.items()}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_loses_no_box(dtype):
    target = [{"boxes": torch.tensor([[40.3, 50.0, 441.0, 452.0]]), "labels": torch.tensor([1], dtype=torch.uint8)}]
    torch.manual_seed(0)
    exact = fcos_loss(half_answers(torch.float32), target)
    torch.manual_seed(0)
    half = half_answers(dtype)
    losses = fcos_loss(half, target)
    for key in exact:
        assert losses[key].item() == pytest.approx(exact[key].item(), rel=0.02) and losses[key] > 0
    assert detections(half, (512, 512), score_threshold=0.0)[0]["boxes"].dtype == torch.float32


# ------------------------------------------------------------------------------------------------- average precision


def found_and_true():
    truth = [{"boxes": torch.tensor([[0.0, 0, 10, 10], [20, 20, 40, 40]]), "labels": torch.tensor([1, 1])}]
    found = [
        {
            "boxes": torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 40, 38]]),
            "scores": torch.tensor([0.9, 0.8, 0.7]),
            "labels": torch.tensor([1, 1, 1]),
        }
    ]
    return found, truth


def test_average_precision_by_hand():
    """Right, wrong, right: precision 1 up to a recall of 0.5 (51 of 101 places), then 2/3."""
    found, truth = found_and_true()
    assert average_precision(found, truth, 2) == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)
    assert average_precision(found, truth, 2, iou_threshold=0.95) == pytest.approx(51 / 101), "the last one is 0.9 good"
    assert average_precision(truth_as_found(truth), truth, 2) == 1.0


def truth_as_found(truth):
    return [{**image, "scores": torch.ones(len(image["labels"]))} for image in truth]


def test_a_true_box_is_found_once():
    found, truth = found_and_true()
    found[0]["boxes"][1] = found[0]["boxes"][0]  # the same box again, as the second best
    assert average_precision(found, truth, 2) == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)


def test_the_order_is_by_score_over_all_images():
    truth = [{"boxes": torch.tensor([[0.0, 0, 10, 10]]), "labels": torch.tensor([1])} for _ in range(2)]
    found = truth_as_found(truth)
    found[0]["boxes"] = found[0]["boxes"] + 50  # wrong in the first image
    found[0]["scores"] = torch.tensor([0.3])
    assert average_precision(found, truth, 2) == pytest.approx(51 / 101)
    found[0]["scores"] = torch.tensor([2.0])
    assert average_precision(found, truth, 2) == pytest.approx(0.5 * 51 / 101)


def test_classes_are_averaged_and_absent_ones_left_out():
    found, truth = found_and_true()
    truth[0]["labels"] = torch.tensor([1, 2])
    assert average_precision(found, truth, 5) == pytest.approx((1.0 + 0.0) / 2), "class 2 was called 1"
    empty = [{"boxes": torch.zeros(0, 4), "scores": torch.zeros(0), "labels": torch.zeros(0, dtype=torch.int64)}]
    assert average_precision(empty, truth, 5) == 0.0
    nothing = [{"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}]
    assert str(average_precision(found, nothing, 5)) == "nan"


# ------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("boxes", "labels", "message"),
    [
        ([[0, 0, 5, 5]], [0], r"labels of boxes must be in 1\.\.2 \(0 is background\), got 0\.\.0"),
        ([[0, 0, 5, 5]], [3], r"must be in 1\.\.2 .*got 3\.\.3"),
        ([[5, 0, 5, 5]], [1], "x1 < x2 and y1 < y2; one of these has no area"),
        ([[0, 0, 5, 5]], [1, 2], "got 1 boxes and 2 labels"),
        ([[0, 0, 5, 5]], [1.0], "labels of boxes must be integers, got torch.float32"),
    ],
)
def test_targets_that_cannot_be(boxes, labels, message):
    target = {"boxes": torch.tensor(boxes, dtype=torch.float32), "labels": torch.tensor(labels)}
    with pytest.raises(ValueError, match=message):
        fcos_loss(places(), [target])
    with pytest.raises(ValueError, match="one target for each of the 1 images is needed, got 2"):
        fcos_loss(places(), [target, target])


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ({"c3": FeatureSpec(64, 8), "c4": FeatureSpec(128, 16)}, "maps of one width, got c3 64, c4 128: put an FPN"),
        ({"tokens": SequenceSpec(64, 1)}, "image maps of one width"),
        ({"p3": FeatureSpec(40, 8)}, "a multiple of 32 .*got 40"),
    ],
)
def test_maps_that_fcos_cannot_read(specs, message):
    with pytest.raises(ValueError, match=message):
        on_meta(FCOSHead, specs, 3)


def test_average_precision_of_other_images():
    found, truth = found_and_true()
    with pytest.raises(ValueError, match="found boxes are of 1 images, true ones of 2"):
        average_precision(found, truth * 2, 2)
    truth[0]["labels"] = torch.tensor([1, 2])
    with pytest.raises(ValueError, match=r"labels must be in 0\.\.1, got 2.*background counts"):
        average_precision(found, truth, 2)  # the background forgotten


def test_a_class_and_the_background_are_two():
    with pytest.raises(ValueError, match="num_classes must be 2 or more, since the background counts, got 1"):
        on_meta(FCOSHead, SPECS, 1)
    with pytest.raises(ValueError, match="num_classes must be 2 or more"):
        mask_rcnn(resnet18(), 1)


def test_predicting_with_a_model_of_another_kind():
    images = torch.rand(1, 3, 64, 64)
    detector, segmenter = build_model("resnet18", "fcos", 3), build_model("resnet18", "linear", 3)
    with pytest.raises(ValueError, match="needs one of type Detector .*got a SegmentationModel"):
        predict_boxes(segmenter, images)
    with pytest.raises(ValueError, match="needs one of type SegmentationModel .*got a Detector"):
        predict_mask(detector, images)
    with pytest.raises(ValueError, match="needs one of type Detector .*got a MaskRCNN"):
        predict_boxes(on_meta(lambda: mask_rcnn(resnet18(), 3)), images)


def test_images_of_double_precision_are_read():
    images = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    segmenter = build_model("resnet18", "linear", 3)
    assert torch.equal(predict_mask(segmenter, images), predict_mask(segmenter, images.float()))
    assert predict_boxes(build_model("resnet18", "fcos", 3), images)[0]["boxes"].dtype == torch.float32


# ------------------------------------------------------------------------------------------------- they learn

CLASSES = len(LESSON_CLASSES)


def three_scenes():
    scenes = [EmojiScenes(3, size=96, seed=11)[i] for i in range(3)]
    images = torch.stack([image.as_subclass(torch.Tensor).float() / 255 for image, _ in scenes])
    plain = lambda target: {key: value.as_subclass(torch.Tensor) for key, value in target.items()}
    return images, [plain(target) for _, target in scenes]


def train_on(parameters, loss_of, steps, lr):
    optimizer = torch.optim.AdamW(parameters, lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    for _ in range(steps):
        loss = sum(loss_of().values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


@pytest.mark.slow
def test_fcos_learns_three_scenes_by_heart():
    torch.manual_seed(0)
    images, targets = three_scenes()
    backbone = mobilenet_v2()
    pyramid = FPN(backbone, keys=["c2", "c3", "c4", "c5"], out_channels=64)
    model = Detector(pyramid, FCOSHead(pyramid.feature_specs, CLASSES, depth=2)).train()
    before = average_precision(predict_boxes(model, images), targets, CLASSES)
    train_on(model.parameters(), lambda: fcos_loss(model(pyramid.normalize(images)), targets), steps=120, lr=3e-3)
    after = average_precision(predict_boxes(model, images), targets, CLASSES)
    assert before < 0.1 and after > 0.9, (before, after)


@pytest.mark.slow
def test_mask_rcnn_learns_two_scenes_by_heart():
    torch.manual_seed(0)
    images, targets = (list(part[:2]) for part in three_scenes())
    model = mask_rcnn(
        mobilenet_v2(width_mult=0.5),
        CLASSES,
        out_channels=32,
        box_channels=128,
        mask_channels=64,
        anchor_scale=4,
        min_size=96,
        rpn_pre_nms_top_n_train=100,
        rpn_post_nms_top_n_train=50,
        rpn_post_nms_top_n_test=50,
        box_batch_size_per_image=32,
    ).train()
    train_on(model.parameters(), lambda: model(images, targets), steps=120, lr=2e-3)
    with torch.inference_mode():
        found = model.eval()(images)
    assert average_precision(found, targets, CLASSES) > 0.9
    overlaps = []
    for image, target in zip(found, targets, strict=True):
        for mask in target["masks"].bool():
            best = max(((m[0] > 0.5) & mask).sum() / ((m[0] > 0.5) | mask).sum() for m in image["masks"])
            overlaps.append(float(best))
    assert min(overlaps) > 0.5 and sum(overlaps) / len(overlaps) > 0.75, "the masks are those of the objects"
