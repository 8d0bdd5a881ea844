"""One rule of dilation: published weights compute the same features on the denser grid, at the old positions."""

from functools import cache

import pytest
import torch
from helpers import randomise_batch_norm, relative_difference, same_weights
from torch import nn

from deeplab_teach.backbones import (
    BACKBONES,
    FIXED_STRIDES,
    efficientnet_lite,
    mobilenetv2,
    resnet,
    resnet_beta,
    xception,
)
from deeplab_teach.features import same_features
from deeplab_teach.layers import (
    SeparableConv2d,
    conv_bn_relu,
    dilated_kernel,
    plan_strides,
    running_strides,
    valid_weight_share,
)

RESNET = (2, 2, 2, 2, 2)
MOBILENET = (2, 1, 2, 2, 2, 1, 2, 1)  # the stem, then the rows of the paper's table 2

# (stride, rate_in, rate_out) of each stage, written by hand.
PLANS = [
    (RESNET, 32, [(2, 1, 1)] * 5),
    (RESNET, 16, [(2, 1, 1)] * 4 + [(1, 1, 2)]),
    (RESNET, 8, [(2, 1, 1)] * 3 + [(1, 1, 2), (1, 2, 4)]),
    (
        MOBILENET,
        32,
        [(2, 1, 1), (1, 1, 1), (2, 1, 1), (2, 1, 1), (2, 1, 1), (1, 1, 1), (2, 1, 1), (1, 1, 1)],
    ),
    (
        MOBILENET,
        16,
        [(2, 1, 1), (1, 1, 1), (2, 1, 1), (2, 1, 1), (2, 1, 1), (1, 1, 1), (1, 1, 2), (1, 2, 2)],
    ),
    (
        MOBILENET,
        8,
        [(2, 1, 1), (1, 1, 1), (2, 1, 1), (2, 1, 1), (1, 1, 2), (1, 2, 2), (1, 2, 4), (1, 4, 4)],
    ),
    ((4, 4, 4), 16, [(4, 1, 1), (4, 1, 1), (1, 1, 4)]),
    ((2, 2), 32, [(2, 1, 1), (2, 1, 1)]),
]


@pytest.mark.parametrize("strides, output_stride, plan", PLANS)
def test_plans_written_by_hand(strides, output_stride, plan):
    assert plan_strides(strides, output_stride) == plan


def test_running_strides():
    assert running_strides(plan_strides(RESNET, 16)) == [2, 4, 8, 16, 16]
    assert running_strides(plan_strides(MOBILENET, 8)) == [2, 2, 4, 8, 8, 8, 8, 8]


@pytest.mark.parametrize("wrong", [0, 1, 4, 12, 64, -16, "16", None])
def test_an_impossible_output_stride(wrong):
    with pytest.raises(ValueError, match=rf"\(8, 16, 32\), got {wrong!r}"):
        plan_strides(RESNET, wrong)
    for name in BACKBONES.keys() - FIXED_STRIDES.keys():
        with torch.device("meta"), pytest.raises(ValueError, match=rf"\(8, 16, 32\), got {wrong!r}"):
            BACKBONES[name](output_stride=wrong)


@pytest.mark.parametrize("rate", [1, 2, 6, 18])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("build", [conv_bn_relu, SeparableConv2d])
def test_a_dilated_layer_keeps_the_size_and_spreads_its_kernel(build, kernel_size, rate):
    layer = build(2, 3, kernel_size, rate=rate).eval()
    assert layer(torch.rand(1, 2, 7, 10)).shape == (1, 3, 7, 10)
    with torch.no_grad():
        for conv in layer:
            if isinstance(conv, nn.Conv2d):
                conv.weight.fill_(1.0)
        point = torch.zeros(1, 2, 101, 101)
        point[..., 50, 50] = 1.0
        rows, columns = layer(point)[0, 0].nonzero(as_tuple=True)
    reach = [50 + rate * i for i in range(-(kernel_size // 2), kernel_size // 2 + 1)]
    assert rows.unique().tolist() == columns.unique().tolist() == reach


def test_separable_layers_have_the_norms_of_the_released_code():
    layer = SeparableConv2d(4, 6)
    assert [type(module) for module in layer] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] * 2
    assert layer.depthwise.weight.shape == (4, 1, 3, 3)
    assert layer.pointwise.weight.shape == (6, 4, 1, 1)


@cache
def at_stride_32(name):
    return randomise_batch_norm(BACKBONES[name](), seed=5)


def dense_and_sparse(name, output_stride, size):
    """Maps of the same weights at two output strides, the dense ones read at the sparse positions."""
    sparse = at_stride_32(name)
    dense = same_weights(BACKBONES[name], sparse.state_dict(), output_stride=output_stride)
    image = torch.randn(1, 3, *size)
    with torch.inference_mode():
        ours, reference = dense(image), sparse(image)
    for key in ("c1", "c2", "c3", "c4", "c5"):
        step = sparse.feature_specs[key].stride // dense.feature_specs[key].stride
        yield key, step, ours[key][..., ::step, ::step], reference[key]


IDENTITY = (
    [
        (name, output_stride, size)
        for name in ("resnet18", "resnet34", "resnet50", "resnet50_beta", "mobilenet_v2", "xception41")
        for output_stride in (16, 8)
        for size in ((65, 97), (64, 96), (71, 118))
    ]
    + [
        # The same blocks as those above, more of them.
        (name, output_stride, size)
        for name in ("resnet101", "resnet152", "resnet101_beta", "xception65", "xception71")
        for output_stride in (16, 8)
        for size in ((65, 97), (64, 96))
    ]
    + [
        # TensorFlow's "SAME" padding is lopsided at other sizes, which shifts the coarse grid against the fine one.
        (name, output_stride, (65, 97))
        for name in ("efficientnet_lite0", "efficientnet_lite2")
        for output_stride in (16, 8)
    ]
)


def test_every_backbone_that_can_dilate_is_held_to_the_identity():
    assert {name for name, _, _ in IDENTITY} == set(BACKBONES) - set(FIXED_STRIDES)


@pytest.mark.parametrize("name, output_stride, size", IDENTITY)
def test_the_dilation_identity(name, output_stride, size):
    steps = {}
    for key, step, ours, reference in dense_and_sparse(name, output_stride, size):
        assert relative_difference(ours, reference) <= 1e-5, key
        steps[key] = step
    assert (steps["c4"], steps["c5"]) == {16: (1, 2), 8: (2, 4)}[output_stride]


@pytest.mark.parametrize("output_stride", [16, 8])
def test_lite0_at_other_sizes_is_shifted(output_stride):
    """The limit that DESIGN states, so that nobody thinks the identity holds for Lite0 everywhere."""
    *_, (_, _, ours, reference) = dense_and_sparse("efficientnet_lite0", output_stride, (64, 96))
    assert relative_difference(ours, reference) > 0.1


@pytest.mark.parametrize("output_stride", [16, 8])
@pytest.mark.parametrize(
    "name, module",
    [
        ("resnet18", resnet),
        ("resnet50", resnet),
        ("mobilenet_v2", mobilenetv2),
        ("efficientnet_lite0", efficientnet_lite),
        ("xception41", xception),
        ("resnet50_beta", resnet_beta),
    ],
)
@pytest.mark.parametrize("mistake", ["dilate the whole stage", "do not dilate"])
def test_another_rule_of_dilation_breaks_the_identity(monkeypatch, name, module, output_stride, mistake):
    """The control: with the first convolution dilated too, or none at all, the features differ by far more than 1 %."""

    def wrong_plan(strides, output_stride):
        plan = plan_strides(strides, output_stride)
        if mistake == "do not dilate":
            return [(stride, 1, 1) for stride, _, _ in plan]
        return [(stride, rate_out, rate_out) for stride, _, rate_out in plan]

    monkeypatch.setattr(module, "plan_strides", wrong_plan)
    *_, (key, _, ours, reference) = dense_and_sparse(name, output_stride, (65, 97))
    assert key == "c5"
    assert relative_difference(ours, reference) > 0.1


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "efficientnet_lite0"])
def test_same_features_finds_a_mistake_and_leaves_both_backbones_alone(name):
    """`same_features` is the short form of the test above, for lesson 05; its check has the other mistakes."""
    sparse = at_stride_32(name)
    dense = same_weights(BACKBONES[name], sparse.state_dict(), output_stride=8).train()
    before = {key: value.clone() for key, value in dense.state_dict().items()}
    assert same_features(sparse, dense) == dict.fromkeys(("c1", "c2", "c3", "c4", "c5"), True)
    assert dense.training and all(value.equal(before[key]) for key, value in dense.state_dict().items())
    with torch.no_grad():
        next(module for module in dense.modules() if getattr(module, "dilation", 1) == (4, 4)).weight *= 1.01
    assert same_features(sparse, dense) == {"c1": True, "c2": True, "c3": True, "c4": True, "c5": False}


# ------------------------------------------------------------------------------------------------- kernels


@pytest.mark.parametrize("rate", [1, 2, 5])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_reach_and_padding_of_a_dilated_kernel(kernel_size, rate):
    reach, padding = dilated_kernel(kernel_size, rate)
    conv = nn.Conv1d(1, 1, kernel_size, dilation=rate, bias=False)
    nn.init.ones_(conv.weight)
    point = torch.zeros(1, 1, 41)
    point[..., 20] = 1
    seen = conv(point)[0, 0].nonzero().flatten()
    assert seen[-1] - seen[0] + 1 == reach
    assert conv(torch.zeros(1, 1, 41 + 2 * padding)).shape[-1] == 41


@pytest.mark.parametrize(
    "size, rate, kernel_size", [(1, 1, 3), (7, 1, 3), (10, 6, 3), (10, 12, 3), (9, 3, 5), (4, 2, 1)]
)
def test_the_share_of_weights_that_read_the_map(size, rate, kernel_size):
    """Counted by a convolution of ones over ones."""
    _, padding = dilated_kernel(kernel_size, rate)
    conv = nn.Conv2d(1, 1, kernel_size, padding=padding, dilation=rate, bias=False)
    nn.init.ones_(conv.weight)
    read = conv(torch.ones(1, 1, size, size)).mean().item() / kernel_size**2
    assert valid_weight_share(size, rate, kernel_size) == pytest.approx(read)
