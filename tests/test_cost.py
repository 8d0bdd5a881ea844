"""The arithmetic of cost: PyTorch's own counter, the papers' figures, and the model left as it was."""

import pytest
import torch
from helpers import on_meta
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from deeplab_teach.backbones import BACKBONES, IMAGE_BACKBONES, mobilenet_v2, vit_small
from deeplab_teach.backbones.transformer import SelfAttention
from deeplab_teach.cost import blocks, count, count_params, multiply_adds
from deeplab_teach.heads import DENSE_HEADS, HEADS, DeepLabV3Head, LinearHead
from deeplab_teach.models import (
    FixedProposals,
    SegmentationModel,
    build_model,
    faster_rcnn,
    imagenet_classifier,
    mask_rcnn,
    split_classifier,
)
from deeplab_teach.necks import SimpleFeaturePyramid


def pytorch_counts(model, size=None, *, inputs=None):
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, *size, device="meta") if inputs is None else inputs)
    flops = counter.get_total_flops()
    assert flops > 0 and flops % 2 == 0
    return flops // 2  # it counts a multiplication and an addition as two


# Every pair that exists; those that are another one with more blocks take their time even on the meta device, and are
# counted under one head.
DEEP = ("resnet34", "resnet101", "resnet152", "resnet101_beta", "xception65", "xception71", "vgg13", "vgg19")
PAIRS = [
    (b, h)
    for b in IMAGE_BACKBONES
    for h in HEADS
    if h == "deeplabv3plus" or (b not in DEEP and (h not in DENSE_HEADS or not b.endswith("_bn")))
]
PAIRS.remove(("alexnet", "deeplabv3plus"))  # it has no map of stride 4


@pytest.mark.parametrize("backbone, head", PAIRS)
def test_equals_pytorchs_counter(backbone, head):
    model = on_meta(build_model, backbone, head, 21)
    assert count(model, (65, 97)).multiply_adds == pytorch_counts(model, (65, 97))


@pytest.mark.parametrize(
    "output_stride, options",
    [(8, {"separable": True}), (8, {"atrous_rates": ()}), (32, {"extra_conv": True}), (32, {"channels": 96})],
)
def test_equals_pytorchs_counter_for_other_heads_and_strides(options, output_stride):
    model = on_meta(build_model, "resnet18", "deeplabv3", 21, output_stride=output_stride, **options)
    assert count(model, (71, 46)).multiply_adds == pytorch_counts(model, (71, 46))


def test_equals_pytorchs_counter_for_text():
    ids = torch.ones(2, 9, dtype=torch.int64, device="meta")
    model = on_meta(build_model, "text_encoder", "classification", 3)
    cost = count(model, inputs=ids)
    assert cost.multiply_adds == pytorch_counts(model, inputs=ids)
    assert list(cost.roles) == ["backbone", "head"]
    assert count(model.backbone, inputs=ids).roles == {"backbone": cost.roles["backbone"]}


@pytest.mark.parametrize("backbone", ["resnet18", "mobilenet_v2", "vit_small", "alexnet"])
@pytest.mark.parametrize("build", [faster_rcnn, mask_rcnn])
def test_equals_pytorchs_counter_for_rcnns(backbone, build):
    model = on_meta(lambda: FixedProposals(build(BACKBONES[backbone](), 11), proposals=7, detected=3))
    cost = count(model, (97, 129))
    assert cost.multiply_adds == pytorch_counts(model, (97, 129))
    assert list(cost.roles) == ["backbone", "neck", "head"]
    again = count(
        on_meta(lambda: FixedProposals(build(BACKBONES[backbone](), 11), proposals=14, detected=3)), (97, 129)
    )
    per_box = 256 * 49 * 1024 + 1024 * 1024 + 1024 * 11 * 5  # two layers, then classes and four sides of each
    assert again.multiply_adds - cost.multiply_adds == 7 * per_box


def test_equals_pytorchs_counter_for_a_pyramid_alone():
    pyramid = on_meta(lambda: SimpleFeaturePyramid(vit_small()))
    cost = count(pyramid, (97, 129))
    assert cost.multiply_adds == pytorch_counts(pyramid, (97, 129))
    assert list(cost.roles) == ["backbone", "neck"] and cost.roles["neck"][1] > 0


@pytest.mark.parametrize("width_mult", [0.5, 1.4])
def test_equals_pytorchs_counter_for_other_widths(width_mult):
    model = on_meta(mobilenet_v2, width_mult=width_mult)
    assert count(model, (65, 97)).multiply_adds == pytorch_counts(model, (65, 97))


# Parameters in millions and multiply-adds in G of a 224x224 image, as torchvision and timm print them.
PUBLISHED = {
    "resnet18": (11.69, 1.814),
    "resnet34": (21.80, 3.664),
    "resnet50": (25.56, 4.089),
    "resnet101": (44.55, 7.801),
    "resnet152": (60.19, 11.514),
    "mobilenet_v2": (3.505, 0.301),
    "efficientnet_lite0": (4.652, 0.385),
    "efficientnet_lite2": (6.092, 0.577),
    "xception65": (39.916, 7.500),
    "vgg11": (132.86, 7.609),
    "vgg13": (133.05, 11.308),
    "vgg16": (138.36, 15.470),
    "vgg16_bn": (138.37, 15.470),
    "vgg19": (143.67, 19.632),
    "alexnet": (61.10, 0.714),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_figures(name):
    cost = count(on_meta(imagenet_classifier, name), (224, 224))
    params, giga = PUBLISHED[name]
    assert cost.params / 1e6 == pytest.approx(params, abs=0.006)
    assert cost.multiply_adds / 1e9 == pytest.approx(giga, abs=0.0006)


def test_deeplabv3_on_mobilenet_v2_as_in_the_papers_table_7():
    """2.11 M parameters and 2.75 G: 2.741 by plain counting (the paper's 2.75 is counted TensorFlow's way)."""
    cost = count(on_meta(build_model, "mobilenet_v2", "deeplabv3", 21, atrous_rates=()), (513, 513))
    assert round(cost.params / 1e6, 2) == 2.11
    assert round(cost.multiply_adds / 1e9, 3) == 2.741
    assert cost.multiply_adds / 1e9 == pytest.approx(2.75, rel=0.005)


def test_torchvisions_deeplabv3_figures():
    """178.72 G at 520x520; torchvision's 42.00 M parameters count the auxiliary head, which is for training only."""

    def deeplabv3():
        backbone = BACKBONES["resnet50"](output_stride=8)
        head = DeepLabV3Head(backbone.feature_specs, 21, extra_conv=True, atrous_rates=(12, 24, 36))
        return SegmentationModel(backbone, head)

    cost = count(on_meta(deeplabv3), (520, 520))
    auxiliary_params = 1024 * 256 * 9 + 2 * 256 + 256 * 21 + 21
    auxiliary = (65 * 65) * (1024 * 256 * 9 + 256 * 21)
    assert (cost.params + auxiliary_params) / 1e6 == pytest.approx(42.00, abs=0.006)
    assert (cost.multiply_adds + auxiliary) / 1e9 == pytest.approx(178.72, abs=0.006)


def test_one_layer_by_hand():
    convolution = nn.Conv2d(6, 10, (3, 5), groups=2)
    assert multiply_adds(convolution, (1, 10, 7, 9)) == 7 * 9 * 10 * 3 * 5 * 3
    assert multiply_adds(nn.Linear(6, 10), (1, 10)) == 60
    assert multiply_adds(nn.Linear(6, 10), (1, 7, 10)) == 420
    enlarging = nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1, groups=2)
    assert multiply_adds(enlarging, (2, 4, 10, 16), (2, 6, 5, 8)) == 2 * 5 * 8 * 6 * 3 * 3 * 2
    assert multiply_adds(SelfAttention(8, 2), (1, 5, 8)) == 2 * 5 * 5 * 8
    assert multiply_adds(nn.BatchNorm2d(4), (1, 4, 9, 9)) == 0
    assert count_params(convolution) == 10 * 3 * 3 * 5 + 10
    assert count_params(nn.BatchNorm2d(4)) == 8, "running statistics are not learnt"


def test_parts_sum_to_the_whole():
    model = on_meta(build_model, "resnet18", "deeplabv3plus", 21)
    cost = count(model, (65, 97))
    backbone, head = cost.part("backbone"), cost.part("head")
    assert backbone[1] + head[1] == cost.multiply_adds == sum(row[1] for row in cost.modules.values())
    norms = sum(count_params(m) for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    assert backbone[0] + head[0] + norms == cost.params == count_params(model)
    assert backbone[1] == count(model.backbone, (65, 97)).multiply_adds > 0
    layers = [cost.part(f"backbone.layer{i}")[1] for i in (1, 2, 3, 4)]
    assert sum(layers) + cost.part("backbone.conv1")[1] == backbone[1]


def test_a_part_is_whole_names_not_beginnings_of_names():
    model = nn.Sequential()
    model.add_module("layer1", nn.Conv2d(3, 2, 1))
    model.add_module("layer10", nn.Conv2d(2, 5, 1))
    cost = count(model, (4, 4))
    assert cost.part("layer1") == (8, 6 * 16)
    assert cost.part("layer10") == (15, 10 * 16)
    assert cost.part("nothing") == (0, 0)
    assert cost.roles == {"backbone": (23, 16 * 16)}, "a model without a head is a backbone"


def test_a_layer_that_runs_twice_costs_twice_and_is_stored_once():
    shared = nn.Conv2d(3, 3, 1, bias=False)
    cost = count(nn.Sequential(shared, shared), (4, 4))
    assert (cost.params, cost.multiply_adds) == (9, 2 * 9 * 16)


def test_the_size_is_height_then_width_and_cost_grows_with_it():
    model = nn.Sequential(nn.Conv2d(3, 1, (5, 1), bias=False))
    assert count(model, (10, 4)).multiply_adds == 6 * 4 * 15
    small, large = (count(on_meta(mobilenet_v2), (s, s)).multiply_adds for s in (64, 128))
    assert large == 4 * small


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_counting_leaves_the_model_as_it_was(dtype):
    model = build_model("mobilenet_v2", "deeplabv3plus", 3).to(dtype).train()
    model.backbone.eval()  # a frozen backbone under a head in training
    modes = {name: module.training for name, module in model.named_modules()}
    before = {key: (value, value.clone()) for key, value in model.state_dict(keep_vars=True).items()}
    count(model, (65, 65))
    assert {name: module.training for name, module in model.named_modules()} == modes
    for key, value in model.state_dict(keep_vars=True).items():
        assert value is before[key][0] and torch.equal(value, before[key][1]), key
    assert not any(module._forward_hooks for module in model.modules())


def test_hooks_and_modes_are_restored_after_an_error():
    model = SegmentationModel(mobilenet_v2(), LinearHead(mobilenet_v2(output_stride=8).feature_specs, 2)).train()
    model.head.deep = "c9"
    with pytest.raises(KeyError):
        count(model, (33, 33))
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_foreign_network_can_be_counted():
    from torchvision.models import resnet18

    with torch.device("meta"):
        theirs = resnet18(weights=None)
    assert count(theirs, (224, 224)).multiply_adds == pytest.approx(1.814e9, rel=1e-3)
    backbone, _ = split_classifier(theirs)
    assert count(backbone, (224, 224)).multiply_adds == count(theirs, (224, 224)).multiply_adds - 512 * 1000


def test_xception65_at_its_own_size():
    assert count(on_meta(imagenet_classifier, "xception65"), (299, 299)).multiply_adds / 1e9 == pytest.approx(
        13.853, abs=0.0006
    )


def test_the_blocks_of_a_detector():
    """The pyramid's maps are the neck's; a tower that runs on five maps is one box."""
    rows = blocks(on_meta(build_model, "resnet18", "fcos", 7), (128, 128))
    assert [(row.name, row.role) for row in rows[:10]] == [
        *((f"c{i}", "backbone") for i in range(1, 6)),
        *((f"p{i}", "neck") for i in range(3, 8)),
    ]
    heads = {row.name: row.shape for row in rows[10:]}
    assert heads["cls_logits"] == (7, 16, 16) and heads["bbox_reg"] == (4, 16, 16) and len(heads) == 5
    sources = {row.name: row.made_from for row in rows}
    assert sources["p4"] == ("c4", "p5") and sources["p7"] == ("p6",) and sources["c5"] == ()
    assert sources["class_tower"] == ("p3",) and sources["bbox_ctrness"] == ("box_tower",)


def test_what_a_roi_costs_is_told_apart_from_the_rest():
    cost = count(on_meta(lambda: FixedProposals(mask_rcnn(BACKBONES["resnet50"](), 91))), (800, 800))
    assert cost.part("head.box")[1] == 1000 * (256 * 49 * 1024 + 1024 * 1024 + 1024 * 91 * 5)
    assert cost.part("head.rpn")[1] == sum(n * n for n in (200, 100, 50, 25, 13)) * (256 * 256 * 9 + 256 * 15)
    assert sum(cost.part(f"head.{key}")[1] for key in ("rpn", "box", "mask")) == cost.roles["head"][1]


def test_the_blocks_of_mask_rcnn_and_of_a_bare_backbone():
    rows = blocks(on_meta(lambda: FixedProposals(mask_rcnn(BACKBONES["resnet18"](), 11))), (128, 128))
    shapes = {row.name: row.shape for row in rows}
    assert (shapes["rpn"], shapes["box"], shapes["mask"]) == ((3, 32, 32), (11,), (11, 28, 28))
    assert [row.name for row in blocks(on_meta(BACKBONES["resnet18"]), (64, 64))] == ["c1", "c2", "c3", "c4", "c5"]
    pyramid = blocks(on_meta(lambda: SimpleFeaturePyramid(vit_small())), (64, 64))
    assert [(row.name, row.role) for row in pyramid] == [("c4", "backbone"), *((f"p{i}", "neck") for i in (2, 3, 4, 5))]


@pytest.mark.parametrize("layer", [nn.Conv1d(3, 4, 1), nn.MultiheadAttention(8, 2, batch_first=True)])
def test_what_cannot_be_counted_is_told(layer):
    class Uses(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return layer(x[:, :, 0]) if isinstance(layer, nn.Conv1d) else layer(x[0], x[0], x[0])[0]

    with pytest.warns(UserWarning, match=f"not counted: .*{type(layer).__name__}"):
        count(Uses(), (8, 8))


def test_our_own_models_leave_nothing_uncounted(recwarn):
    for backbone, head in (("vit_small", "fcos"), ("xception41", "deeplabv3plus"), ("alexnet", "fully_connected")):
        count(on_meta(build_model, backbone, head, 5), (97, 97))
    assert not [warning for warning in recwarn if "not counted" in str(warning.message)]


def test_a_name_that_only_begins_like_a_part():
    model = nn.Module()
    model.backbone, model.backbone_extra, model.head = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 2, 1)
    model.forward = lambda x: model.head(model.backbone_extra(model.backbone(x)))
    assert count(model, (2, 2)).roles == {"backbone": (16, 48), "head": (20 + 10, 64 + 32)}
