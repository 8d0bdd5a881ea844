"""The papers' tables: counted by ours, row by row, and what disagrees is said to."""

import re

import pytest
import torch
from helpers import on_meta, randomise_batch_norm
from torch import nn

from deeplab_teach.backbones import mobilenet_v2, resnet101_beta, xception65
from deeplab_teach.cost import count, multiply_adds
from deeplab_teach.models import build_model
from deeplab_teach.papers import (
    CASES,
    NETWORKS,
    SCALES,
    TABLES,
    Result,
    Row,
    predict_multi_scale,
    report,
    reproduce,
    role_of,
    scaled_size,
    tensorflow_count,
    tensorflow_multiply_adds,
)
from deeplab_teach.papers.counting import PER_PARAMETER
from deeplab_teach.papers.tables import OriginalBottleneck, deeplab
from deeplab_teach.papers.words import ROLES, Case
from deeplab_teach.predict import evaluating, predict_mask


@pytest.fixture(scope="module")
def results():
    return {name: reproduce([name]) for name in TABLES}


def giga(backbone, output_stride, counted=count, **options):
    return counted(on_meta(deeplab(backbone, output_stride, **options))).multiply_adds / 1e9


# --- plain counts, written by hand from PAPERS' measurements


@pytest.mark.parametrize(
    ("backbone", "output_stride", "options", "plain"),
    [
        (xception65, 16, {"decoder": True, "separable": True}, 54.035),
        (xception65, 8, {"decoder": True, "separable": True}, 176.852),
        (xception65, 16, {"decoder": True}, 86.679),
        (xception65, 16, {}, 64.920),
        (resnet101_beta, 16, {"decoder": True}, 97.811),
        (resnet101_beta, 16, {}, 76.052),
        (resnet101_beta, 8, {}, 252.252),
        (resnet101_beta, 32, {}, 51.407),
        (mobilenet_v2, 16, {"atrous_rates": ()}, 2.741),
        (mobilenet_v2, 16, {}, 5.364),
    ],
)
def test_plain_counts(backbone, output_stride, options, plain):
    assert round(giga(backbone, output_stride, **options), 3) == plain


def test_multi_grid_is_free_in_a_plain_count_only():
    def with_grid(*, output_stride):
        return resnet101_beta(multi_grid=(1, 1, 1), output_stride=output_stride)

    assert giga(with_grid, 16, decoder=True) == giga(resnet101_beta, 16, decoder=True)
    assert round(giga(with_grid, 16, tensorflow_count, decoder=True), 3) == 101.216


# --- TensorFlow's way


def test_a_dilated_convolution_is_charged_on_a_rounded_map():
    plain, dilated = nn.Conv2d(4, 6, 3, padding=1), nn.Conv2d(4, 6, 3, padding=6, dilation=6)
    shape = (1, 6, 33, 35)
    assert tensorflow_multiply_adds(plain, shape) == multiply_adds(plain, shape)
    assert tensorflow_multiply_adds(dilated, shape) == 36 * 36 * 6 * 4 * 9
    depthwise = nn.Conv2d(4, 4, 3, padding=12, dilation=12, groups=4)
    assert tensorflow_multiply_adds(depthwise, (2, 4, 13, 24)) == 2 * 24 * 24 * 4 * 9
    assert tensorflow_multiply_adds(nn.Linear(3, 5), (1, 5)) == 15


def test_the_profilers_surplus():
    model = on_meta(build_model, "resnet18", "deeplabv3", 21)
    without, surplus = tensorflow_count(model), tensorflow_count(model, per_parameter=PER_PARAMETER)
    assert surplus.multiply_adds - without.multiply_adds == round(2.5 * without.params)
    assert surplus.params == without.params
    (first, *_) = reproduce(["deeplabv3plus_table3"], per_parameter=PER_PARAMETER)
    assert abs(first.difference) < 0.0006, "81.02 within 0.06 %, where it is 0.23 % without"


@pytest.mark.parametrize(("scale", "side"), list(zip(SCALES, (257, 385, 513, 641, 769, 897), strict=True)))
def test_the_papers_sizes(scale, side):
    assert scaled_size((513, 513), scale) == (side, side)
    assert scaled_size((1025, 2049), 0.75) == (769, 1537)


# --- the tables


def test_every_row_of_deeplabv3plus_agrees_but_the_two_that_contradict_the_paper(results):
    rows = results["deeplabv3plus_table3"] + results["deeplabv3plus_table5"]
    assert len(rows) == 14 + 24
    wrong = [result for result in rows if abs(result.difference) > 0.004]
    assert [result.row.paper for result in wrong] == ["101.28", "101.28"]
    for result in wrong:
        assert not result.agrees and result.verdict.startswith("disagrees because the paper contradicts itself")
        assert result.difference == pytest.approx(0.013, abs=0.001)
    assert all(result.verdict == "agrees" for result in rows if result not in wrong)


def test_the_contradiction_is_the_papers_own():
    """The decoder's cost in every other pair of table 3, and in its own MS row."""
    paper = {row.label: float(row.paper) for row in TABLES["deeplabv3plus_table3"]}
    label = "ResNet-101, OS {}{}, train OS {}, 1 scale"
    decoder = {os: paper[label.format(os, ", decoder", 32 if os == 32 else 16)] for os in (8, 16, 32)}
    for os in decoder:
        decoder[os] -= paper[label.format(os, "", 32 if os == 32 else 16)]
    assert decoder[8] == pytest.approx(21.74, abs=0.01) and decoder[32] == pytest.approx(21.77, abs=0.01)
    assert decoder[16] == pytest.approx(20.26, abs=0.01)


def test_mobilenets_table_agrees_and_its_parameters_to_the_printed_digit(results):
    rows = results["mobilenetv2_table7"]
    parameters = [result for result in rows if result.row.unit == "M" and result.ours is not None]
    assert [f"{result.ours:.2f}" for result in parameters] == ["4.52", "2.11", "58.16"]
    assert [result.row.paper for result in parameters] == ["4.52", "2.11", "58.16"]
    assert all(result.agrees for result in rows if result.ours is not None)
    left_out = [result for result in rows if result.ours is None]
    assert len(left_out) == 3 and all("MobileNetV1" in result.verdict for result in left_out)


def test_the_model_zoo_agrees(results):
    assert [f"{result.ours:.2f}" for result in results["cityscapes"]] == ["21.24", "433.06", "418.45", "8676.08"]
    assert all(result.agrees for result in results["cityscapes"])


def test_the_classifiers_agree_or_say_why(results):
    rows = {(result.row.label, result.row.unit): result for result in results["classifiers"]}
    assert round(rows["ResNet-50", "G"].ours, 3) == 3.858 and round(rows["ResNet-101", "G"].ours, 3) == 7.570
    differing = [key for key, result in rows.items() if not result.agrees]
    assert differing == [("vgg16", "G"), ("alexnet", "M")]
    assert all(rows[key].verdict.startswith("disagrees because ") for key in differing)
    convolutions = count(on_meta(build_model, "vgg16", "linear", 1), (224, 224)).part("backbone")[1] / 1e9
    assert round(convolutions, 2) == 15.35, "as the reason says"


def test_nothing_disagrees_without_a_reason(results):
    assert not [result for rows in results.values() for result in rows if "do not know why" in result.verdict]


def test_a_wrong_figure_would_be_caught():
    row = TABLES["deeplabv3plus_table3"][1]
    assert Result(row, float(row.paper) * 1.0039).agrees
    wrong = Result(row, float(row.paper) * 1.0041)
    assert not wrong.agrees and wrong.verdict == "disagrees, and we do not know why"
    coarse = Row("table", "label", "3.8", "G", None, "key")
    assert Result(coarse, 3.89).agrees and not Result(coarse, 3.91).agrees


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ("one 3x3 in the decoder", {"decoder": True}),
        ("rates of 12, 24, 36 at output stride 16", {"atrous_rates": (12, 24, 36)}),
        ("an extra 3x3 after ASPP", {"extra_conv": True}),
    ],
)
def test_what_other_libraries_do_would_not_agree(change, options):
    model = on_meta(deeplab(resnet101_beta, 16, **options))
    if change.startswith("one"):
        model.head.decoder = model.head.decoder[:1]
    paper = 102.594 if options.get("decoder") else 81.02
    assert abs(tensorflow_count(model).multiply_adds / 1e9 / paper - 1) > 0.004


def test_the_original_bottleneck_strides_in_its_first_convolution():
    block = on_meta(OriginalBottleneck, 256, 128, stride=2)
    assert (block.conv1.stride, block.conv2.stride) == ((2, 2), (1, 1))
    assert block(torch.empty(1, 256, 9, 9, device="meta")).shape == (1, 512, 5, 5)


def test_the_report_names_every_row(results):
    text = report(results["mobilenetv2_table7"])
    assert text.count("agrees") == 9 and text.count("not reproduced") == 3
    assert "MobileNetV2, no ASPP, OS 16, 1 scale" in text and "2.75 G" in text and "2.742 G" in text


def test_an_unknown_table():
    for wrong in (["table9"], "table9"):
        with pytest.raises(ValueError, match="no table table9; there are: deeplabv3plus_table3"):
            reproduce(wrong)


# --- several scales


class Remembering(nn.Module):
    """Says how red each pixel is, and remembers the sizes it was asked about."""

    def __init__(self):
        super().__init__()
        self.backbone, self.sizes = mobilenet_v2(width_mult=0.35), []

    def forward(self, x):
        self.sizes.append((tuple(x.shape[-2:]), x[0, 0, 0, 0].item() > x[0, 0, 0, -1].item()))
        return torch.stack([x[:, 0], -x[:, 0]], dim=1)


def test_each_scale_is_asked_twice_and_mirrored_once():
    model = Remembering()
    image = torch.zeros(1, 3, 65, 97)
    image[..., :40] = 1.0
    mask = predict_multi_scale(model, image)
    sizes = [(33, 49), (49, 73), (65, 97), (81, 121), (97, 145), (113, 169)]
    assert [size for size, _ in model.sizes] == [size for size in sizes for _ in range(2)]
    assert [left for _, left in model.sizes] == [True, False] * 6
    assert mask.shape == (1, 65, 97) and (mask[..., :38] == 0).all() and (mask[..., 42:] == 1).all()


def test_one_scale_without_a_flip_is_the_plain_prediction():
    model = build_model("resnet18", "fcn", 4)
    images = torch.rand(2, 3, 65, 50)
    assert torch.equal(predict_multi_scale(model, images, scales=(1.0,), flip=False), predict_mask(model, images))


def test_the_average_is_of_probabilities():
    model = randomise_batch_norm(build_model("resnet18", "fcn", 4, output_stride=8))
    nn.init.normal_(model.head.classifier.weight, std=0.5)
    images = torch.rand(1, 3, 65, 65)
    with torch.no_grad(), evaluating(model):
        x = model.backbone.normalize(images)
        total, of_logits = 0, 0
        for scale in (0.5, 1.5):
            scaled = nn.functional.interpolate(x, size=scaled_size((65, 65), scale), mode="bilinear")
            for flip in (False, True):
                logits = model(scaled.flip(-1)).flip(-1) if flip else model(scaled)
                logits = nn.functional.interpolate(logits, size=(65, 65), mode="bilinear")
                total, of_logits = total + logits.softmax(dim=1), of_logits + logits
    mask = predict_multi_scale(model, images, scales=(scale for scale in (0.5, 1.5)))
    assert torch.equal(mask, total.argmax(dim=1)) and len(mask.unique()) > 1
    assert not torch.equal(mask, of_logits.argmax(dim=1)), "the average of scores is another one"
    assert not torch.equal(mask, predict_multi_scale(model, images, scales=(0.5, 1.5), flip=False))


@pytest.mark.parametrize("scales", [(), (0.5, 0), (-1,)])
def test_scales_that_cannot_be(scales):
    with pytest.raises(ValueError, match="one or more positive numbers"):
        predict_multi_scale(Remembering(), torch.rand(1, 3, 33, 33), scales=scales)


# --- the papers' words


def test_every_network_is_quoted_and_cut():
    assert [network.year for network in NETWORKS] == sorted(network.year for network in NETWORKS)
    for network in NETWORKS:
        roles = [role for _, role in network.parts]
        assert set(roles) <= set(ROLES) and roles.count("backbone") <= 1 and roles[-1] == "head", network.name
        assert 5 < len(network.quotation.split()) <= 35, network.name
        assert re.search(r"arXiv \d{4}\.\d{5}, (section|figure|appendix|abstract)", network.source), network.name
    assert sum(dict(map(reversed, network.parts)).get("backbone") is None for network in NETWORKS) == 1  # U-Net


def test_the_ten_parts_play_their_roles():
    roles = [role_of(case) for case in CASES]
    assert roles == ["backbone", "head", "neck", "none", "backbone", "backbone", "neck", "head", "backbone", "none"]
    assert len({case.part for case in CASES}) == 10 and all(case.because.endswith(".") for case in CASES)


@pytest.mark.parametrize(
    ("flags", "role"),
    [
        (("reads_input", "gives_features", "exchanged"), "backbone"),  # no image, one head, no other task
        (("reads_input", "gives_features", "learnt_elsewhere", "exchanged"), "backbone"),
        (("reads_input", "gives_features", "learnt_elsewhere"), "none"),
        (("reads_input", "learnt_elsewhere", "exchanged"), "none"),
        (("gives_features", "learnt_elsewhere", "exchanged"), "neck"),
        (("gives_features", "gives_answer"), "head"),
        ((), "none"),
    ],
)
def test_the_role_asks_for_nothing_else(flags, role):
    assert role_of(Case("a part", "backbone", **dict.fromkeys(flags, True))) == role
