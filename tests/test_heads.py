"""Heads are built from specs alone, and fit any backbone."""

import pytest
import torch
from helpers import expected_size, on_meta, random_features, randomise_batch_norm, relative_difference, same_weights
from torch import nn
from torchvision.models.segmentation.deeplabv3 import ASPP as TorchvisionASPP

from deeplab_teach.features import FeatureSpec
from deeplab_teach.heads import (
    ASPP,
    CLASSIFICATION_HEADS,
    DENSE_HEADS,
    HEADS,
    DeepLabV3Head,
    DeepLabV3PlusHead,
    ImagePooling,
    convolutionalise,
)
from deeplab_teach.heads.deeplabv3 import default_rates
from deeplab_teach.layers import SeparableConv2d
from deeplab_teach.losses import segmentation_loss
from deeplab_teach.models import build_model

# Channels that no paper has, so that a literal in a head cannot fit by luck.
ODD_SPECS = {
    "first": FeatureSpec(5, 2),
    "second": FeatureSpec(7, 4),
    "third": FeatureSpec(11, 8),
    "last": FeatureSpec(13, 16),
}


def output_stride_of(head, specs):
    return specs[head.low_level if isinstance(head, DeepLabV3PlusHead) else head.deep].stride


# Detection heads have tests of their own (test_detection.py), and every pair of backbone and head too (test_pairs.py).
ONE_MAP_HEADS = (*CLASSIFICATION_HEADS, *DENSE_HEADS)


def build(head, specs, num_classes, **options):
    """Small: AlexNet's and VGG's head has a hundred million parameters at its published width."""
    if head == "fully_connected":
        options = {"grid": 2, "hidden_channels": 24} | options
    return HEADS[head](specs, num_classes, **options)


@pytest.mark.parametrize("head", ONE_MAP_HEADS)
def test_a_head_fits_maps_it_has_never_heard_of(head):
    top = build(head, ODD_SPECS, 3).eval()
    size = () if head in CLASSIFICATION_HEADS else expected_size((65, 97), output_stride_of(top, ODD_SPECS))
    assert top(random_features(ODD_SPECS)).shape == (2, 3, *size)


@pytest.mark.parametrize("head", ONE_MAP_HEADS)
@pytest.mark.parametrize("deep", ODD_SPECS)
def test_deep_chooses_the_map_that_is_read(head, deep):
    top = build(head, ODD_SPECS, 3, deep=deep).eval()
    features = random_features(ODD_SPECS)
    before = top(features)
    if head != "deeplabv3plus":
        assert torch.equal(before, top({deep: features[deep]})), "reads another map too"
    features[deep] = features[deep] + torch.randn_like(features[deep])
    assert not torch.equal(before, top(features))


@pytest.mark.parametrize("low_level", ["first", "third"])
def test_low_level_chooses_the_grid_of_the_output(low_level):
    top = DeepLabV3PlusHead(ODD_SPECS, 3, low_level=low_level).eval()
    features = random_features(ODD_SPECS)
    assert top(features).shape[-2:] == features[low_level].shape[-2:]
    before = top(features)
    features[low_level] = features[low_level] + torch.randn_like(features[low_level])
    assert not torch.equal(before, top(features))


def test_the_decoder_reads_two_maps_and_no_other():
    top = DeepLabV3PlusHead(ODD_SPECS, 3).eval()
    features = random_features(ODD_SPECS)
    needed = {key: features[key] for key in ("second", "last")}
    assert torch.equal(top(features), top(needed))


@pytest.mark.parametrize("head", ONE_MAP_HEADS)
def test_a_missing_map_is_an_error_that_lists_those_there_are(head):
    listing = r"first \(5 channels, stride 2\), second .*, last \(13 channels, stride 16\)"
    with pytest.raises(ValueError, match=f"deep='c5'.*{listing}"):
        HEADS[head](ODD_SPECS, 3, deep="c5")


def test_a_decoder_without_a_map_of_stride_4():
    with pytest.raises(ValueError, match=r"stride 4.*c4 \(384 channels, stride 16\)"):
        DeepLabV3PlusHead({"c4": FeatureSpec(384, 16)}, 3)
    with pytest.raises(ValueError, match="low_level='c2'.*first"):
        DeepLabV3PlusHead(ODD_SPECS, 3, low_level="c2")


@pytest.mark.parametrize("stride, rates", [(8, (12, 24, 36)), (16, (6, 12, 18)), (32, (3, 6, 9)), (4, (24, 48, 72))])
def test_default_rates_follow_the_stride_of_the_map(stride, rates):
    assert default_rates(stride) == rates
    for head in (DeepLabV3Head, DeepLabV3PlusHead):
        aspp = head({"c2": FeatureSpec(3, 4), "c5": FeatureSpec(4, stride)}, 2).aspp
        assert rates_of(aspp) == list(rates)


def rates_of(aspp):
    """Dilations of the 3x3 convolutions, in order; padding must equal them, or the map would shrink."""
    convs = [m for m in aspp.convs.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert all(conv.padding == conv.dilation for conv in convs)
    return [conv.dilation[0] for conv in convs]


@pytest.mark.parametrize("head", [DeepLabV3Head, DeepLabV3PlusHead])
def test_atrous_rates_are_taken_as_given(head):
    assert rates_of(head(ODD_SPECS, 2, atrous_rates=(2, 4)).aspp) == [2, 4]
    without = head(ODD_SPECS, 2, atrous_rates=()).eval()
    assert rates_of(without.aspp) == [] and len(without.aspp.convs) == 2  # the 1x1 and the image pooling
    assert without(random_features(ODD_SPECS)).shape[:2] == (2, 2)


def test_aspp_equals_torchvisions():
    theirs = TorchvisionASPP(19, [2, 4, 7], 16)
    features = torch.randn(4, 19, 9, 14)
    for norm in (module for module in theirs.modules() if isinstance(module, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.3)
        nn.init.normal_(norm.running_mean, std=0.2)
        nn.init.uniform_(norm.running_var, 0.1, 0.5)
    ours = same_weights(ASPP, theirs.state_dict(), 19, (2, 4, 7), channels=16, dropout=0.5)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    with torch.no_grad():
        assert relative_difference(ours(features), theirs.eval()(features)) <= 1e-6
        torch.manual_seed(1)  # the same dropout, 0.5 as torchvision's
        trained = ours.train()(features)
        torch.manual_seed(1)
        assert relative_difference(trained, theirs.train()(features)) <= 1e-5


def test_the_papers_head_has_no_extra_convolution():
    paper, torchvisions = DeepLabV3Head(ODD_SPECS, 2), DeepLabV3Head(ODD_SPECS, 2, extra_conv=True)
    extra = sum(p.numel() for p in torchvisions.parameters()) - sum(p.numel() for p in paper.parameters())
    assert extra == 256 * 256 * 9 + 2 * 256


@pytest.mark.parametrize("head", [DeepLabV3Head, DeepLabV3PlusHead])
def test_the_separable_variant(head):
    plain, separable = (on_meta(head, ODD_SPECS, 2, separable=flag) for flag in (False, True))
    features = random_features(ODD_SPECS, device="meta")
    assert plain(features).shape == separable(features).shape
    count = sum(isinstance(module, SeparableConv2d) for module in separable.modules())
    assert count == (3 if head is DeepLabV3Head else 5)
    wide = [m for m in separable.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3) and m.groups == 1]
    assert not wide
    assert not any(isinstance(module, SeparableConv2d) for module in plain.modules())
    assert rates_of(separable.aspp) == rates_of(plain.aspp)


def test_widths_are_keyword_defaults():
    head = on_meta(DeepLabV3PlusHead, ODD_SPECS, 21)
    assert head.low_level_project[0].weight.shape == (48, 7, 1, 1)
    assert head.decoder[0][0].weight.shape == (256, 304, 3, 3)
    assert head.classifier.weight.shape == (21, 256, 1, 1)
    narrow = on_meta(DeepLabV3PlusHead, ODD_SPECS, 3, channels=96, low_level_channels=20)
    assert narrow.decoder[0][0].weight.shape == (96, 116, 3, 3)


def test_image_pooling_is_the_mean_over_the_map():
    pooling = randomise_batch_norm_of_pooling(ImagePooling(5, 4)).eval()
    x = torch.randn(2, 5, 3, 7)
    with torch.no_grad():
        mean = x.mean(dim=(2, 3))
        mixed = mean @ pooling[1].weight[:, :, 0, 0].T
        norm = pooling[2]
        expected = (mixed - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
        out = pooling(x)
    torch.testing.assert_close(out, expected.relu()[:, :, None, None].expand(2, 4, 3, 7), rtol=1e-5, atol=1e-6)


def randomise_batch_norm_of_pooling(pooling):
    norm = pooling[2]
    norm.running_mean.uniform_(-0.2, 0.2)
    norm.running_var.uniform_(0.1, 0.5)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    return pooling


@pytest.mark.parametrize("head", ["deeplabv3", "deeplabv3plus"])
def test_a_batch_of_one_in_training_gets_a_plain_message(head):
    top = HEADS[head](ODD_SPECS, 3)
    features = random_features(ODD_SPECS, batch=1)
    with pytest.raises(ValueError, match=r"batch of one.*batch of 2 or more, or model\.eval\(\)"):
        top.train()(features)
    assert top.eval()(features).isfinite().all()
    assert top.train()(random_features(ODD_SPECS, batch=2)).isfinite().all()


def test_a_frozen_image_pooling_trains_on_a_batch_of_one():
    """Only the pooled batch norm needs two images: frozen, as in fine-tuning, one will do."""
    top = DeepLabV3Head(ODD_SPECS, 3).train()
    top.aspp.convs[-1].eval()
    assert top(random_features(ODD_SPECS, batch=1)).requires_grad


@pytest.mark.parametrize("head", ["linear", "fcn"])
def test_heads_without_image_pooling_train_on_a_batch_of_one(head):
    assert HEADS[head](ODD_SPECS, 3).train()(random_features(ODD_SPECS, batch=1)).isfinite().all()


@pytest.mark.parametrize("head", ONE_MAP_HEADS)
def test_the_gradient_reaches_every_parameter_of_head_and_backbone(head):
    small = {"grid": 2, "hidden_channels": 24} if head == "fully_connected" else {}
    model = randomise_batch_norm(build_model("mobilenet_v2", head, 3, **small)).train()
    logits = model(torch.randn(2, 3, 64, 64))
    if head in CLASSIFICATION_HEADS:
        loss = nn.functional.cross_entropy(logits, torch.tensor([0, 2]))
    else:
        loss = segmentation_loss(logits, torch.randint(0, 3, (2, 64, 64)))
    loss.backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not without


@pytest.mark.parametrize("head", ONE_MAP_HEADS)
def test_scores_are_raw(head):
    """No softmax, no ReLU at the end: the losses want raw scores of either sign, also past 1."""
    top = build(head, ODD_SPECS, 20).eval()
    last = [module for module in top.modules() if isinstance(module, nn.Conv2d | nn.Linear)][-1]
    nn.init.normal_(last.weight, std=50.0 if head == "fully_connected" else 5.0)
    scores = top(random_features(ODD_SPECS))
    assert scores.min() < -0.5 and scores.max() > 1.5


@pytest.mark.parametrize("head", [DeepLabV3Head, DeepLabV3PlusHead])
def test_dropout_acts_in_training_only(head):
    top = head(ODD_SPECS, 3, dropout=0.5)
    assert [module.p for module in top.modules() if isinstance(module, nn.Dropout)] == [0.5]
    features = random_features(ODD_SPECS)
    assert torch.equal(top.eval()(features), top(features))
    for norm in (module for module in top.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.momentum = 0.0
    assert not torch.equal(top.train()(features), top(features))


@pytest.mark.parametrize(("grid", "dropout_first"), [(7, False), (6, True)])
def test_the_fully_connected_head_has_the_layers_of_vgg_and_alexnet(grid, dropout_first):
    import torchvision

    theirs = torchvision.models.alexnet if dropout_first else torchvision.models.vgg16
    specs = {"c5": FeatureSpec(256 if dropout_first else 512, 32)}
    ours = on_meta(HEADS["fully_connected"], specs, 1000, grid=grid, dropout_first=dropout_first).classifier
    reference = on_meta(theirs).classifier
    assert [type(layer) for layer in ours] == [type(layer) for layer in reference]
    shapes = lambda module: {key: value.shape for key, value in module.state_dict().items()}
    assert shapes(ours) == shapes(reference)
    rates = lambda module: [layer.p for layer in module if isinstance(layer, nn.Dropout)]
    assert rates(ours) == rates(reference) == [0.5, 0.5]


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_as_a_convolution(bias):
    linear = nn.Linear(5, 7, bias=bias)
    conv = convolutionalise(linear)
    x = torch.randn(2, 5, 3, 4)
    torch.testing.assert_close(conv(x), linear(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
    assert conv.weight.requires_grad and (conv.bias is None) == (not bias)
    with torch.no_grad():
        conv.weight.zero_()
    assert linear.weight.abs().max() > 0, "a copy"
