"""What people get wrong, each with a message that says what was allowed, what came, and what to do.

Names, output strides and head options are in test_models.py, weights in test_weights.py, labels in test_metrics.py.
"""

import pytest
import torch

from deeplab_teach.backbones import BACKBONES, IMAGE_BACKBONES
from deeplab_teach.losses import segmentation_loss
from deeplab_teach.models import build_model
from deeplab_teach.predict import predict_classes, predict_mask


@pytest.fixture(scope="module")
def backbones():
    with torch.device("meta"):
        return {name: BACKBONES[name]().eval() for name in IMAGE_BACKBONES}


WRONG_IMAGES = {
    "greyscale": ((2, 1, 32, 32), r"\(N, 3, H, W\), got \(2, 1, 32, 32\)"),
    "alpha": ((2, 4, 32, 32), r"\(N, 3, H, W\), got \(2, 4, 32, 32\)"),
    "channels last": ((2, 32, 32, 3), r"\(N, 3, H, W\), got \(2, 32, 32, 3\)"),
    "no batch": ((3, 32, 32), r"got \(3, 32, 32\).*image\[None\]"),
    "a matrix": ((32, 32), r"\(N, 3, H, W\), got \(32, 32\)"),
}


@pytest.mark.parametrize("kind", WRONG_IMAGES)
@pytest.mark.parametrize("name", IMAGE_BACKBONES)
def test_an_image_of_another_shape(backbones, name, kind):
    shape, message = WRONG_IMAGES[kind]
    with pytest.raises(ValueError, match=message):
        backbones[name](torch.empty(shape, device="meta"))


@pytest.mark.parametrize("name", IMAGE_BACKBONES)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_an_image_of_whole_numbers(backbones, name, dtype):
    with pytest.raises(ValueError, match=rf"float images, got {dtype}.*normalize\(image / 255\)"):
        backbones[name](torch.zeros(1, 3, 32, 32, dtype=dtype))
    with pytest.raises(ValueError, match=rf"0\.\.1, got {dtype}: divide"):
        backbones[name].normalize(torch.zeros(1, 3, 32, 32, dtype=dtype))


@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (2, 4, 8, 8), (1, 8, 8), (8, 8), (8, 8, 3)])
def test_normalize_takes_rgb_only(backbones, shape):
    """One channel would otherwise be spread over three without a word."""
    with pytest.raises(ValueError, match=r"RGB, of shape \(\.\.\., 3, H, W\), got"):
        backbones["resnet18"].normalize(torch.rand(shape))


def test_predicting_on_the_wrong_thing():
    model = build_model("mobilenet_v2", "deeplabv3plus", 3)
    with pytest.raises(ValueError, match=r"got \(3, 33, 33\).*image\[None\]"):
        predict_mask(model, torch.rand(3, 33, 33))
    with pytest.raises(ValueError, match="divide 0..255 images by 255"):
        predict_mask(model, torch.zeros(1, 3, 33, 33, dtype=torch.uint8))
    classifier = build_model("mobilenet_v2", "classification", 3)
    with pytest.raises(ValueError, match="got .*uint8"):
        predict_classes(classifier, torch.zeros(3, 300, 300, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"RGB.*got \(1, 1, 224, 224\)"):
        predict_classes(classifier, torch.rand(1, 300, 300))


@pytest.mark.parametrize("head", ["deeplabv3", "deeplabv3plus"])
def test_a_batch_of_one_in_training(head):
    model = build_model("mobilenet_v2", head, 3)
    with pytest.raises(ValueError, match=r"batch of one.*Use a batch of 2 or more, or model\.eval\(\)"):
        model.train()(torch.rand(1, 3, 65, 65))
    assert model.eval()(torch.rand(1, 3, 65, 65)).shape == (1, 3, 65, 65)


@pytest.mark.parametrize(("name", "head", "least"), [("resnet18", "fcn", 17), ("mobilenet_v2", "classification", 33)])
def test_one_small_image_in_training(name, head, least):
    """A map of one place: PyTorch's batch norm would say so of a tensor that the learner has never seen."""
    model = build_model(name, head, 3).train()
    small, enough = (torch.rand(1, 3, side, side) for side in (least - 1, least))
    message = rf"{name} .*one image of {least - 1} x .*more than {least - 1} pixels.*model\.eval\(\)"
    with pytest.raises(ValueError, match=message):
        model(small)
    assert model(torch.cat([small, small])).isfinite().all()
    assert model(enough).isfinite().all()
    assert model.eval()(small).isfinite().all()
    model.train().backbone.eval()  # frozen statistics measure nothing
    assert model.backbone(small)["c5"].isfinite().all()


def test_a_mask_of_colours_instead_of_labels():
    """VOC's palette read as numbers: the message says what to look for."""
    message = r"0\.\.2 or 255 \(ignored\), got 128, 192\..*background counts.*not as colours"
    with pytest.raises(ValueError, match=message):
        segmentation_loss(torch.randn(1, 3, 1, 4), torch.tensor([[[0, 128, 192, 255]]]))
    with pytest.raises(ValueError, match="integers, got torch.float32"):
        segmentation_loss(torch.randn(1, 3, 1, 4), torch.zeros(1, 1, 4))
