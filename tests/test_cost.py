"""The arithmetic of cost: PyTorch's own counter, the papers' figures, and the model left as it was."""

import pytest
import torch
from helpers import on_meta
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from deeplab_teach.backbones import BACKBONES, mobilenet_v2
from deeplab_teach.cost import count, count_params, multiply_adds
from deeplab_teach.heads import HEADS, DeepLabV3Head, LinearHead
from deeplab_teach.models import SegmentationModel, build_model, imagenet_classifier, split_classifier


def pytorch_counts(model, size):
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, *size, device="meta"))
    flops = counter.get_total_flops()
    assert flops > 0 and flops % 2 == 0
    return flops // 2  # it counts a multiplication and an addition as two


# Every pair, but for ResNet-101, which is ResNet-50 with more blocks and takes its time even on the meta device.
PAIRS = [(b, h) for b in BACKBONES for h in HEADS if b != "resnet101" or h == "deeplabv3plus"]


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


# Parameters in millions and multiply-adds in G of a 224x224 image, as torchvision and timm print them.
PUBLISHED = {
    "resnet18": (11.69, 1.814),
    "resnet50": (25.56, 4.089),
    "resnet101": (44.55, 7.801),
    "mobilenet_v2": (3.505, 0.301),
    "efficientnet_lite0": (4.652, 0.385),
}


@pytest.mark.parametrize("name", BACKBONES)
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
    model.head.high = "c9"
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
