"""Equal to timm's Xception and Vision Transformer, with shared weights and statistics that hide nothing."""

from functools import lru_cache

import pytest
import torch
from helpers import on_meta, randomise_batch_norm, relative_difference, same_weights
from torch import nn

from deeplab_teach.backbones import BACKBONES, vit_small
from deeplab_teach.models import imagenet_classifier
from deeplab_teach.weights import WEIGHTS, rename

timm = pytest.importorskip("timm")
SIZE = (65, 97)


@lru_cache(maxsize=1)
def xception(name):
    return randomise_batch_norm(timm.create_model(name, pretrained=False), seed=6)


@pytest.mark.parametrize("name", ["xception41", "xception65", "xception71"])
def test_every_published_name_has_its_place_in_xception(name):
    with torch.device("meta"):
        theirs = timm.create_model(name, pretrained=False)
    renamed = rename(theirs.state_dict(), WEIGHTS[name])
    ours = on_meta(imagenet_classifier, name).state_dict()
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in renamed.items()}
    bare = [key for key in theirs.state_dict() if not key.startswith("head.")]
    assert list(on_meta(BACKBONES[name]).state_dict()) == bare, "names and their order"


@pytest.mark.parametrize(
    ("name", "output_stride"),
    [
        ("xception41", 32),
        ("xception41", 16),
        ("xception41", 8),
        ("xception65", 32),
        ("xception65", 16),
        ("xception71", 32),
    ],
)
def test_xceptions_features_equal_timms(name, output_stride):
    state = xception(name).state_dict()
    theirs = same_weights(timm.create_model, state, name, pretrained=False, output_stride=output_stride)
    bare = {key: value for key, value in state.items() if not key.startswith("head.")}
    ours = same_weights(BACKBONES[name], bare, output_stride=output_stride)
    image = torch.randn(2, 3, *SIZE)
    with torch.no_grad():
        reference = theirs.forward_intermediates(image, intermediates_only=True)
        features = ours(image)
    assert list(features) == ["c1", "c2", "c3", "c4", "c5"]
    for (key, value), expected in zip(features.items(), reference, strict=True):
        assert relative_difference(value, expected) <= 1e-5, key


def test_xceptions_classifier_equals_timms():
    theirs = xception("xception41")
    ours = same_weights(imagenet_classifier, rename(theirs.state_dict(), WEIGHTS["xception41"]), "xception41")
    image = torch.randn(2, 3, *SIZE)
    with torch.no_grad():
        assert relative_difference(ours(image), theirs(image)) <= 1e-5


def test_xception_in_training_mode_equals_timms():
    state = xception("xception41").state_dict()
    theirs = same_weights(timm.create_model, state, "xception41", pretrained=False)
    bare = {key: value for key, value in state.items() if not key.startswith("head.")}
    ours = same_weights(BACKBONES["xception41"], bare)
    image = torch.randn(3, 3, *SIZE)
    ours_c5, theirs_c5 = ours.train()(image)["c5"], theirs.train().forward_features(image)
    assert relative_difference(ours_c5, theirs_c5) <= 1e-5
    after = theirs.state_dict()
    for key, value in ours.state_dict().items():
        torch.testing.assert_close(value, after[key], rtol=1e-4, atol=1e-5, msg=key)
    weights = torch.randn_like(ours_c5)
    (ours_c5 * weights).sum().backward()
    (theirs_c5 * weights).sum().backward()
    assert relative_difference(next(ours.parameters()).grad, next(theirs.parameters()).grad) <= 1e-3


def shaken(model):
    """Every parameter away from its start: a fresh ViT's biases are zero and its norms do nothing."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model.eval()


def test_a_small_vits_patch_tokens_equal_timms_at_224():
    theirs = shaken(timm.create_model("vit_small_patch16_224", pretrained=False))
    ours = on_meta(vit_small)
    state = rename(theirs.state_dict(), WEIGHTS["vit_small"])
    assert {f"backbone.{key}" for key in ours.state_dict()} == set(state)
    ours = same_weights(vit_small, {key.removeprefix("backbone."): value for key, value in state.items()})
    image = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        reference = theirs.forward_features(image)[:, 1:]  # (N, T, C), normalised
        features = ours(image)["c4"]
    assert features.shape == (2, 384, 14, 14)
    assert relative_difference(features, reference.transpose(1, 2).unflatten(2, (14, 14))) <= 1e-5


@pytest.mark.parametrize("size", [(96, 160), (224, 112)])
def test_a_vit_at_other_sizes_equals_timms(size):
    theirs = shaken(timm.create_model("vit_small_patch16_224", pretrained=False, dynamic_img_size=True))
    state = {key: value for key, value in theirs.state_dict().items() if not key.startswith("head.")}
    ours = same_weights(vit_small, state)
    image = torch.randn(1, 3, *size)
    with torch.no_grad():
        reference = theirs.forward_features(image)[:, 1:]
        features = ours(image)["c4"]
    assert relative_difference(features.flatten(2).transpose(1, 2), reference) <= 1e-5


def test_a_vit_pads_at_the_right_and_the_bottom():
    ours = shaken(vit_small(image_size=64))
    image = torch.randn(1, 3, 50, 70)
    padded = torch.zeros(1, 3, 64, 80)
    padded[..., :50, :70] = image
    with torch.no_grad():
        assert torch.equal(ours(image)["c4"], ours(padded)["c4"])
