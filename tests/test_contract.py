"""The one contract: what a backbone declares is what it gives, for every backbone, output stride and size."""

import copy
import dataclasses

import pytest
import torch
from helpers import SIZES, expected_size, on_meta
from torch import nn

from deeplab_teach.backbones import BACKBONES, FIXED_STRIDES, IMAGE_BACKBONES, SEQUENCE_BACKBONES, mobilenet_v2
from deeplab_teach.features import Backbone, FeatureSpec, SequenceSpec, deep_key, dense_key, low_level_key

OUTPUT_STRIDES = (8, 16, 32)

# Written out by hand from the papers, not read from the code.
BASIC, BOTTLENECK, BETA = (64, 64, 128, 256, 512), (64, 256, 512, 1024, 2048), (128, 256, 512, 1024, 2048)
XCEPTION, VGG = (128, 256, 728, 1024, 2048), (64, 128, 256, 512, 512)
CHANNELS = {
    "mobilenet_v2": (16, 24, 32, 96, 320),
    "efficientnet_lite0": (16, 24, 40, 112, 320),
    "efficientnet_lite2": (16, 24, 48, 120, 352),
    "resnet18": BASIC,
    "resnet34": BASIC,
    "resnet50": BOTTLENECK,
    "resnet101": BOTTLENECK,
    "resnet152": BOTTLENECK,
    "resnet50_beta": BETA,
    "resnet101_beta": BETA,
    "xception41": XCEPTION,
    "xception65": XCEPTION,
    "xception71": XCEPTION,
    **dict.fromkeys(("vgg11", "vgg11_bn", "vgg13", "vgg16", "vgg16_bn", "vgg19"), VGG),
    "alexnet": (64, 192, 256),
    "vit_small": (384,),
    "text_encoder": (256,),
    "minilm": (384,),
}
STRIDES = {8: (2, 4, 8, 8, 8), 16: (2, 4, 8, 16, 16), 32: (2, 4, 8, 16, 32)}
OTHER_MAPS = {"alexnet": (["c3", "c4", "c5"], (8, 16, 32)), "vit_small": (["c4"], (16,))}
# Their convolutions or pools round down, so that a map may lack the last row or column (AlexNet's the last two).
ROUND_DOWN = {name for name in BACKBONES if name.startswith(("vgg", "alexnet"))}
# Built of the same blocks as another one, only more of them: they are tried on fewer sizes.
DEEP = ("efficientnet_lite2", "resnet101", "resnet152", "resnet101_beta", "xception65", "xception71", "vgg19")
SMALL = ["mobilenet_v2", "efficientnet_lite0", "resnet18", "xception41", "vgg11_bn", "alexnet", "vit_small"]

every_backbone = pytest.mark.parametrize("name", IMAGE_BACKBONES)
every_pair = pytest.mark.parametrize(
    ("name", "output_stride"),
    [
        (name, stride)
        for name in IMAGE_BACKBONES
        for stride in ((FIXED_STRIDES[name],) if name in FIXED_STRIDES else OUTPUT_STRIDES)
    ],
)


def assert_obeys(backbone, image):
    features = backbone(image)
    assert list(features) == list(backbone.feature_specs), "keys and their order"
    for key, spec in backbone.feature_specs.items():
        expected = (len(image), spec.channels, *expected_size(image.shape[-2:], spec.stride))
        if backbone.name in ROUND_DOWN:
            assert features[key].shape[:2] == expected[:2], key
            lost = [due - got for got, due in zip(features[key].shape[2:], expected[2:], strict=True)]
            assert 0 <= min(lost) and max(lost) <= (2 if backbone.name == "alexnet" else 1), key
        else:
            assert features[key].shape == expected, key
        assert features[key].dtype == image.dtype, key
        assert features[key].device.type == image.device.type, key


def test_the_list_of_backbones_is_the_one_tested_here():
    assert set(BACKBONES) == set(CHANNELS)


@every_pair
def test_declared_specs_are_the_papers(name, output_stride):
    backbone = on_meta(BACKBONES[name], output_stride=output_stride)
    assert isinstance(backbone, Backbone)
    keys, strides = OTHER_MAPS.get(name, (["c1", "c2", "c3", "c4", "c5"], STRIDES[output_stride]))
    assert list(backbone.feature_specs) == keys
    expected = [FeatureSpec(*pair) for pair in zip(CHANNELS[name], strides, strict=True)]
    assert list(backbone.feature_specs.values()) == expected


@every_pair
def test_declared_specs_equal_the_tensors_at_every_size(name, output_stride):
    backbone = on_meta(BACKBONES[name], output_stride=output_stride)
    for size in SIZES[-2:] if name in DEEP else SIZES:
        size = tuple(max(side, backbone.min_side) for side in size)
        assert_obeys(backbone, torch.empty(2, 3, *size, device="meta"))


@every_pair
def test_declared_specs_equal_real_tensors(name, output_stride):
    """The meta device computes shapes by formulas of its own: hold them against real tensors too."""
    backbone = on_meta(BACKBONES[name], output_stride=output_stride).to_empty(device="cpu")
    with torch.inference_mode():
        assert_obeys(backbone, torch.rand(1, 3, 97, 66))


def test_floors_are_the_exception_and_really_happen():
    """VGG at 97: c1 has 48 rows where the others have 49."""
    assert on_meta(BACKBONES["vgg16"])(torch.empty(1, 3, 97, 97, device="meta"))["c1"].shape[-2:] == (48, 48)
    assert on_meta(BACKBONES["resnet18"])(torch.empty(1, 3, 97, 97, device="meta"))["c1"].shape[-2:] == (49, 49)


@every_backbone
def test_the_default_output_stride_is_32_or_the_only_one(name):
    specs = on_meta(BACKBONES[name]).feature_specs
    assert list(specs.values())[-1].stride == FIXED_STRIDES.get(name, 32)


@pytest.mark.parametrize("name", FIXED_STRIDES)
@pytest.mark.parametrize("wrong", [2, 8, 64, None])
def test_a_backbone_that_cannot_dilate_says_so(name, wrong):
    only = FIXED_STRIDES[name]
    with pytest.raises(ValueError, match=f"{name} has output_stride={only} and no other, got {wrong}: "):
        on_meta(BACKBONES[name], output_stride=wrong)


@pytest.mark.parametrize(("name", "side"), [("vgg16", 32), ("vgg11_bn", 32), ("alexnet", 63)])
def test_an_image_that_the_pools_would_swallow(name, side):
    backbone = on_meta(BACKBONES[name])
    assert min(backbone(torch.empty(1, 3, side, side, device="meta"))["c5"].shape[-2:]) == 1
    with pytest.raises(
        ValueError, match=f"{name} takes images of {side} x {side} pixels or more, got {side} x {side - 1}"
    ):
        backbone(torch.empty(1, 3, side, side - 1, device="meta"))


@every_backbone
def test_the_name_is_the_key_in_the_list(name):
    assert on_meta(BACKBONES[name]).name == name


@pytest.mark.parametrize("name", SMALL)
def test_a_double_precision_backbone_gives_double_precision_features(name):
    with torch.inference_mode():
        assert_obeys(BACKBONES[name]().double().eval(), torch.rand(1, 3, 65, 65, dtype=torch.float64))


@pytest.mark.parametrize("name", BACKBONES)
def test_nothing_is_left_without_memory_after_moving_off_the_meta_device(name):
    """Built on meta, then given memory: what the constructor computed outside of parameters would be lost."""
    backbone = on_meta(BACKBONES[name]).to_empty(device="cpu")
    assert all(tensor.device.type == "cpu" for tensor in backbone.state_dict().values())


@pytest.mark.parametrize("name", [*SMALL, *SEQUENCE_BACKBONES])
def test_building_twice_from_one_seed_gives_the_same_weights(name):
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(BACKBONES[name]().state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_a_spec_cannot_be_changed():
    spec = FeatureSpec(channels=3, stride=2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.channels = 4


def test_specs_of_two_models_are_not_one_object():
    assert on_meta(mobilenet_v2).feature_specs is not on_meta(mobilenet_v2).feature_specs


@pytest.mark.parametrize("name", SMALL)
def test_the_forward_leaves_its_input_alone(name):
    image = torch.rand(1, 3, 65, 65)
    before = image.clone()
    BACKBONES[name]().eval()(image)
    assert torch.equal(image, before)


@pytest.mark.parametrize("name", [*SMALL, "resnet50_beta"])
def test_no_map_is_changed_after_it_was_taken(name):
    """A tap that a later in-place ReLU overwrites would still have the right shape."""
    backbone = BACKBONES[name]().eval()
    careful = copy.deepcopy(backbone)  # the same network, in which nothing is overwritten
    for module in careful.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    x = torch.rand(1, 3, 65, 65)
    with torch.inference_mode():
        features, expected = backbone(x), careful(x)
    assert all(torch.equal(features[key], expected[key]) for key in expected)
    assert all(features[key].std() > 0 for key in features)


@pytest.mark.parametrize("width_mult, channels", [(0.5, (8, 16, 16, 48, 160)), (1.4, (24, 32, 48, 136, 448))])
def test_mobilenet_widths(width_mult, channels):
    backbone = on_meta(mobilenet_v2, width_mult=width_mult)
    assert tuple(spec.channels for spec in backbone.feature_specs.values()) == channels
    assert backbone.name != "mobilenet_v2", "weights of width 1.0 must not be looked for"
    assert_obeys(backbone, torch.empty(1, 3, 97, 129, device="meta"))


@every_backbone
def test_normalize_scales_as_the_published_weights_expect(name):
    backbone = on_meta(BACKBONES[name])
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    if name.startswith(("efficientnet", "xception", "vit")):
        mean, std = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    images = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    expected = torch.stack([(images[:, i] - mean[i]) / std[i] for i in range(3)], dim=1)
    torch.testing.assert_close(backbone.normalize(images), expected)
    torch.testing.assert_close(backbone.normalize(images[0]), expected[0])


class Plain(Backbone):
    """The smallest backbone: the contract asks for no more than this."""

    def __init__(self):
        super().__init__()
        self.name = "plain"
        self.feature_specs = {"c1": FeatureSpec(5, 2)}
        self.conv = nn.Conv2d(3, 5, 3, stride=2, padding=1)

    def forward(self, x):
        self.check_image(x)
        return {"c1": self.conv(x)}


def test_a_backbone_of_ones_own_obeys_in_a_few_lines():
    for size in SIZES:
        assert_obeys(Plain(), torch.rand(2, 3, *size))


def test_a_wrong_declaration_is_caught_by_these_tests():
    liar = Plain()
    for wrong in ({"c1": FeatureSpec(6, 2)}, {"c1": FeatureSpec(5, 4)}, {"c2": FeatureSpec(5, 2)}):
        liar.feature_specs = wrong
        with pytest.raises(AssertionError):
            assert_obeys(liar, torch.rand(2, 3, 64, 64))


def specs(**strides):
    return {key: FeatureSpec(7, stride) for key, stride in strides.items()}


@pytest.mark.parametrize(
    "given, chosen",
    [
        (specs(c4=16, c5=32), "c5"),
        (specs(c5=16, p5=32, p6=64), "c5"),
        (specs(p4=16, p5=32, p6=64), "p5"),
        (specs(c3=8, c4=16), "c4"),
        ({"tokens": SequenceSpec(7, 1)}, "tokens"),
    ],
)
def test_which_map_a_dense_head_reads(given, chosen):
    assert deep_key(given) == chosen
    first = next(iter(given))
    assert deep_key(given, first) == first
    if chosen != "tokens":
        assert (dense_key(given), dense_key(given, first)) == (chosen, first)


def test_a_dense_head_does_not_read_text():
    with pytest.raises(ValueError, match="maps with rows and columns, and the backbone gives a row of text tokens"):
        dense_key({"tokens": SequenceSpec(7, 1)})


def test_which_map_a_decoder_reads():
    assert low_level_key(specs(c1=2, c2=4, c3=8)) == "c2"
    assert low_level_key(specs(p2=4, p3=8)) == "p2"
    assert low_level_key(specs(c1=2, c2=4, c3=8), "c3") == "c3"
    with pytest.raises(ValueError, match=r"stride 4.*c4 \(7 channels, stride 16\)"):
        low_level_key(specs(c4=16))


@pytest.mark.parametrize("choose, argument", [(deep_key, "deep"), (dense_key, "deep"), (low_level_key, "low_level")])
def test_a_missing_map_is_named_with_those_there_are(choose, argument):
    listing = r"c2 \(7 channels, stride 4\), c5 \(7 channels, stride 16\)"
    with pytest.raises(ValueError, match=f"{argument}='c9'.*{listing}"):
        choose(specs(c2=4, c5=16), "c9")
