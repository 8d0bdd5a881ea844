"""Where backbone meets head: building by name, resizing, predicting."""

import copy

import pytest
import torch
from helpers import SIZES, on_meta, random_features
from torch import nn

from deeplab_teach.backbones import BACKBONES, FIXED_STRIDES, SEQUENCE_BACKBONES, mobilenet_v2
from deeplab_teach.cost import count
from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.heads import CLASSIFICATION_HEADS, DENSE_HEADS, HEADS, DeepLabV3PlusHead, FCNHead
from deeplab_teach.models import (
    ImageClassifier,
    ManyHeads,
    SegmentationModel,
    build_model,
    imagenet_classifier,
    is_deeplabv3plus,
)
from deeplab_teach.necks import FPN
from deeplab_teach.predict import predict_classes, predict_mask, predict_places


@pytest.mark.parametrize("backbone", ["mobilenet_v2", "resnet18", "xception41", "vgg11_bn", "vit_small"])
@pytest.mark.parametrize("head", ["fcn", "deeplabv3plus"])
def test_every_dense_model_answers_at_the_size_of_its_input(backbone, head):
    model = on_meta(build_model, backbone, head, 7)
    assert isinstance(model, SegmentationModel)
    for size in SIZES if backbone == "resnet18" else SIZES[-1:]:
        assert model(torch.empty(2, 3, *size, device="meta")).shape == (2, 7, *size)


@pytest.mark.parametrize("head", CLASSIFICATION_HEADS)
def test_every_classifier_answers_once_per_image(head):
    model = on_meta(build_model, "resnet18", head, 7)
    assert isinstance(model, ImageClassifier)
    assert model(torch.empty(3, 3, 71, 46, device="meta")).shape == (3, 7)


def test_the_default_output_stride_under_a_detection_head():
    pyramid = on_meta(build_model, "resnet18", "fcos", 3).backbone
    assert {key: spec.stride for key, spec in pyramid.feature_specs.items()} == {
        "p3": 8,
        "p4": 16,
        "p5": 32,
        "p6": 64,
        "p7": 128,
    }


def test_the_width_of_a_pyramid_that_is_put_on():
    assert on_meta(build_model, "resnet18", "fcos", 3, out_channels=64).backbone.out_channels == 64
    assert on_meta(build_model, "vit_small", "deeplabv3plus", 3, out_channels=32).backbone.out_channels == 32
    narrow = on_meta(build_model, "resnet18", "mask_rcnn", 3, out_channels=32, box_channels=48, mask_channels=16)
    heads = narrow.roi_heads
    assert heads.box_head.fc6.out_features == heads.box_predictor.cls_score.in_features == 48
    assert heads.mask_predictor.conv5_mask.in_channels == 16 and narrow.backbone.out_channels == 32


@pytest.mark.parametrize("name", sorted(FIXED_STRIDES.keys() - SEQUENCE_BACKBONES.keys()))
@pytest.mark.parametrize("head", ["linear", "classification"])
def test_the_default_output_stride_of_a_backbone_that_has_only_one(name, head):
    specs = on_meta(build_model, name, head, 3).backbone.feature_specs
    assert list(specs.values())[-1].stride == FIXED_STRIDES[name]


@pytest.mark.parametrize("head", (*CLASSIFICATION_HEADS, *DENSE_HEADS))
def test_the_default_output_stride(head):
    assert on_meta(build_model, "resnet18", head, 3).backbone.feature_specs["c5"].stride == (
        32 if head in CLASSIFICATION_HEADS else 16
    )
    assert on_meta(build_model, "resnet18", head, 3, output_stride=8).backbone.feature_specs["c5"].stride == 8


def test_head_options_arrive():
    head = on_meta(build_model, "mobilenet_v2", "deeplabv3plus", 3, channels=96, atrous_rates=(2, 4, 6)).head
    assert head.classifier.in_channels == 96
    assert [conv[0].dilation[0] for conv in list(head.aspp.convs)[1:4]] == [2, 4, 6]


class Painter(Backbone):
    """A backbone without weights: the image's own red channel, on a grid of stride 4."""

    def __init__(self):
        super().__init__()
        self.name = "painter"
        self.feature_specs = {"c2": FeatureSpec(1, 4)}
        self.anchor = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return {"c2": nn.functional.avg_pool2d(x[:, :1], 4, ceil_mode=True)}


class Same(nn.Module):
    def forward(self, features):
        return torch.cat([features["c2"], -features["c2"]], dim=1)


def test_the_resize_is_bilinear_to_the_inputs_size_without_aligned_corners():
    """At 97 a factor would give 100; aligned corners would shift what is seen by up to two pixels."""
    model = SegmentationModel(Painter(), Same())
    x = torch.rand(1, 3, 97, 66)
    logits = model(x)
    coarse = nn.functional.avg_pool2d(x[:, :1], 4, ceil_mode=True)
    expected = nn.functional.interpolate(coarse, size=(97, 66), mode="bilinear", align_corners=False)
    torch.testing.assert_close(logits[:, :1], expected)


@pytest.mark.parametrize("aligned", [False, True])
def test_an_auxiliary_head_answers_while_training_only(aligned):
    model = build_model("resnet18", "fcn", 5, auxiliary="c4", aligned=aligned)
    plain = SegmentationModel(model.backbone, model.head, aligned=aligned)
    x = torch.rand(2, 3, 65, 97)
    assert model.auxiliary.deep == "c4"
    with torch.no_grad():
        scores, auxiliary = model(x)
        assert scores.shape == auxiliary.shape == (2, 5, 65, 97) and not torch.equal(scores, auxiliary)
        assert torch.equal(model.eval()(x), plain.eval()(x))


def test_what_an_auxiliary_head_cannot_do_is_said():
    backbone = BACKBONES["resnet18"](output_stride=16)
    heads = [FCNHead(backbone.feature_specs, count) for count in (3, 4)]
    with pytest.raises(ValueError, match="auxiliary head has 4 classes and the head 3"):
        SegmentationModel(backbone, heads[0], auxiliary=heads[1])
    with pytest.raises(ValueError, match="c7"):
        build_model("resnet18", "fcn", 3, auxiliary="c7")
    for head in ("classification", "fcos", "mask_rcnn"):
        with pytest.raises(ValueError, match="auxiliary are of dense heads"):
            build_model("resnet18", head, 3, auxiliary="c4")


@pytest.fixture(scope="module")
def three_models():
    """On one MobileNetV2: a classifier, a segmentation model and a detector with a pyramid of its own."""
    backbone = BACKBONES["mobilenet_v2"](output_stride=32)
    pyramid = FPN(backbone, keys=["c3", "c4", "c5"], out_channels=32, extra="convs")
    return {
        "classes": build_model(backbone, "classification", 7),
        "mask": build_model(backbone, "fcn", 3, deep="c4", aligned=True),
        "boxes": build_model(pyramid, "fcos", 4, depth=1),
    }


def test_many_heads_answer_in_one_pass_what_each_model_answers_alone(three_models):
    many = ManyHeads(three_models).eval()
    calls = []
    handle = many.backbone.register_forward_hook(lambda *args: calls.append(1))
    x = torch.rand(2, 3, 97, 129)
    with torch.no_grad():
        answers = many(x)
        assert calls == [1] and list(answers) == list(three_models)
        for name, model in three_models.items():
            torch.testing.assert_close(answers[name], model(x), rtol=0, atol=0)
    handle.remove()
    assert many.backbone is three_models["boxes"].backbone.backbone
    weights = sum(parameter.numel() for parameter in many.parameters())
    alone = sum(sum(p.numel() for p in model.parameters()) for model in three_models.values())
    assert weights == alone - 2 * sum(p.numel() for p in many.backbone.parameters())


def test_many_heads_send_gradients_of_all_into_the_one_backbone(three_models):
    many = ManyHeads(three_models).eval()
    x = torch.rand(2, 3, 64, 64)
    first = next(many.backbone.parameters())
    gradients = {}
    for name in three_models:
        many.zero_grad()
        answer = many(x)[name]
        (answer["cls_logits"] if name == "boxes" else answer).square().mean().backward()
        gradients[name] = first.grad.clone()
    many.zero_grad()
    answers = many(x)
    (answers["classes"].square().mean() + answers["mask"].square().mean()).backward()
    torch.testing.assert_close(first.grad, gradients["classes"] + gradients["mask"], rtol=1e-3, atol=1e-6)
    assert all(gradient.abs().sum() > 0 for gradient in gradients.values())


def test_many_heads_cost_the_backbone_once_and_each_part_where_it_belongs(three_models):
    many = ManyHeads(three_models)
    before = copy.deepcopy(many.state_dict())
    shared, alone = count(many, (256, 320)), [count(m, (256, 320)) for m in three_models.values()]
    assert shared.roles["backbone"] == alone[0].roles["backbone"]
    assert shared.roles["neck"] == alone[2].roles["neck"]
    for column in (0, 1):
        assert shared.roles["head"][column] == sum(cost.roles["head"][column] for cost in alone)
    for key, value in many.state_dict().items():
        assert value.device.type == "cpu" and torch.equal(value, before[key]), f"counting has changed {key}"


def test_what_many_heads_cannot_share_is_said(three_models):
    own = build_model("mobilenet_v2", "fcn", 2, output_stride=32)
    with pytest.raises(ValueError, match="must stand on one backbone, got 2"):
        ManyHeads({**three_models, "own": own})
    with pytest.raises(ValueError, match="must stand on one backbone, got 0"):
        ManyHeads({})
    with pytest.raises(ValueError, match="'head' is a FCNHead"):
        ManyHeads({"head": own.head})


def test_predict_mask_normalises_and_takes_the_best_class():
    model = SegmentationModel(Painter(), Same()).train()
    images = torch.zeros(2, 3, 16, 16)
    images[0, 0] = 0.6  # above ImageNet's mean of red, 0.485: positive once normalised, so class 0
    images[1, 0] = 0.4  # below it: class 1; without normalising both would be class 0
    masks = predict_mask(model, images)
    assert masks.shape == (2, 16, 16) and masks.dtype == torch.int64
    assert (masks[0] == 0).all() and (masks[1] == 1).all()


def modes(model):
    return [module.training for module in model.modules()]


def break_the_head(model):
    """From here on the forward fails half way."""
    model.head.register_forward_pre_hook(lambda *args: (_ for _ in ()).throw(RuntimeError("broken")))


@pytest.mark.parametrize("frozen_backbone", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_predicting_leaves_every_module_in_the_mode_it_was(training, frozen_backbone):
    for head, predict in (
        ("deeplabv3", lambda model: predict_mask(model, torch.rand(1, 3, 33, 33))),
        ("classification", lambda model: predict_classes(model, torch.rand(3, 300, 260))),
    ):
        model = build_model("mobilenet_v2", head, 3).train(training)
        if frozen_backbone:
            model.backbone.eval()
        before = modes(model)
        statistics = {key: value.clone() for key, value in model.state_dict().items()}
        predict(model)
        assert modes(model) == before
        assert all(torch.equal(value, statistics[key]) for key, value in model.state_dict().items())
        break_the_head(model)
        with pytest.raises(RuntimeError, match="broken"):
            predict(model)
        assert modes(model) == before


def test_predicting_works_in_eval_mode_even_when_the_model_trains():
    """A batch of one through image pooling: in train mode that is an error."""
    model = build_model("mobilenet_v2", "deeplabv3plus", 3).train()
    images = torch.rand(1, 3, 65, 46)
    mask = predict_mask(model, images)
    assert mask.shape == (1, 65, 46)
    assert torch.equal(mask, predict_mask(model.eval(), images))
    assert not mask.requires_grad


def test_predict_classes_gives_the_likeliest_first():
    model = build_model("mobilenet_v2", "classification", 9).train()
    nn.init.normal_(model.head.classifier.weight)
    image = torch.rand(3, 260, 300)
    best = predict_classes(model, image, top=3)
    every = predict_classes(model, image, top=9)
    assert best == every[:3] and len({index for index, _ in every}) == 9
    probabilities = [p for _, p in every]
    assert probabilities == sorted(probabilities, reverse=True) and sum(probabilities) == pytest.approx(1.0, abs=1e-5)
    assert all(isinstance(index, int) and isinstance(p, float) for index, p in every)


def test_predict_classes_of_a_model_with_few_classes():
    assert len(predict_classes(build_model("resnet18", "classification", 2), torch.rand(3, 256, 256))) == 2


def test_predict_classes_reads_the_middle_of_the_image():
    model = build_model("mobilenet_v2", "classification", 3)
    seen = {}
    model.backbone.register_forward_pre_hook(lambda module, args: seen.update(x=args[0]))
    image = torch.zeros(3, 512, 1024)
    image[:, 32:480, 288:736] = 1.0  # at half size: the middle 224x224 of 256x512
    predict_classes(model, image)
    white = model.backbone.normalize(torch.ones(3, 1, 1))
    assert seen["x"].shape == (1, 3, 224, 224)
    torch.testing.assert_close(seen["x"][0, :, 2:-2, 2:-2], white.expand(3, 220, 220), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", BACKBONES)
def test_imagenet_classifiers_have_a_thousand_classes(name):
    layers = [module for module in on_meta(imagenet_classifier, name).head.modules() if isinstance(module, nn.Linear)]
    assert layers[-1].out_features == 1000


def test_the_head_decides_what_is_deeplabv3plus():
    for backbone in ("mobilenet_v2", "resnet18"):
        assert is_deeplabv3plus(on_meta(build_model, backbone, "deeplabv3plus", 3))
        for head in ("deeplabv3", "fcn", "linear", "classification"):
            assert not is_deeplabv3plus(on_meta(build_model, backbone, head, 3))
    head = on_meta(DeepLabV3PlusHead, mobilenet_v2().feature_specs, 3)
    assert not is_deeplabv3plus(head), "a head without a backbone is no model"


# --- bad input


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("resnet19", "fcn", 3), "unknown backbone 'resnet19'; there are: mobilenet_v2, .*resnet50"),
        ((None, "fcn", 3), "unknown backbone None; there are: mobilenet_v2"),
        (("resnet18", "unet", 3), "unknown head 'unet'; there are: classification, .*deeplabv3plus"),
        (("resnet18", "fcn", 0), "num_classes must be 1 or more, got 0"),
        (("resnet18", "fcn", -1), "num_classes must be 1 or more, got -1"),
    ],
)
def test_names_and_numbers_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_model(*arguments)


@pytest.mark.parametrize("wrong", [0, 1, 7, 64, "16"])
@pytest.mark.parametrize("head", ["fcn", "classification"])
def test_an_impossible_output_stride_is_not_replaced_by_the_default(wrong, head):
    with pytest.raises(ValueError, match=rf"\(8, 16, 32\), got {wrong!r}"):
        build_model("resnet18", head, 3, output_stride=wrong)


def test_an_option_the_head_does_not_have():
    allowed = "it has: deep, channels, dropout"
    with pytest.raises(ValueError, match=f"'fcn' has no option atrous_rates, separable; {allowed}"):
        build_model("resnet18", "fcn", 3, atrous_rates=(1,), separable=True, channels=8)
    with pytest.raises(ValueError, match="low_level='c9'.*c2"), torch.device("meta"):
        build_model("resnet18", "deeplabv3plus", 3, low_level="c9")


def test_imagenet_classifier_of_an_unknown_backbone():
    with pytest.raises(ValueError, match="unknown backbone 'vgg99'"):
        imagenet_classifier("vgg99")


def test_a_model_of_ones_own_parts():
    """Any backbone that keeps the contract, any head built from its specs: nothing is registered anywhere."""
    backbone = Painter()
    model = SegmentationModel(backbone, HEADS["deeplabv3"](backbone.feature_specs, 4, deep="c2", channels=8)).eval()
    assert model(torch.rand(1, 3, 21, 34)).shape == (1, 4, 21, 34)
    assert model.head(random_features(backbone.feature_specs)).shape[1] == 4


# ------------------------------------------------------------------------------------------- a label at each place


def test_a_classifier_at_each_place_agrees_with_it_on_average():
    """Its one linear layer and the average over places can be exchanged: the mean of the scores is the scores' mean."""
    model = build_model("mobilenet_v2", "classification", 7, hidden_channels=24).train()
    image = torch.rand(3, 71, 46)
    places = predict_places(model, image)
    assert places.shape == (7, 3, 2) and model.training
    torch.testing.assert_close(places.sum(dim=0), torch.ones(3, 2))
    with torch.no_grad():
        whole = model.eval()(model.backbone.normalize(image[None]))[0]
    log = places.log()  # scores up to a number per place
    spread = log.mean((1, 2)) - whole
    torch.testing.assert_close(spread, spread.mean().expand(7), rtol=1e-4, atol=1e-4)


def test_a_finer_map_of_the_same_classifier():
    coarse = build_model("mobilenet_v2", "classification", 5)
    fine = build_model("mobilenet_v2", "classification", 5, output_stride=8)
    fine.load_state_dict(coarse.state_dict())
    image = torch.rand(3, 97, 65)
    torch.testing.assert_close(predict_places(fine, image)[:, ::4, ::4], predict_places(coarse, image))


@pytest.mark.parametrize("head", ["fully_connected", "fcn"])
def test_only_a_classifier_that_averages_can_be_asked_at_each_place(head):
    with pytest.raises(ValueError, match="whose head averages a map"):
        predict_places(on_meta(build_model, "resnet18", head, 5), torch.rand(3, 64, 64))
