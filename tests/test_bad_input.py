"""What people get wrong, each with a message that says what was allowed, what came, and what to do."""

import pytest
import torch
from torch.utils.data import Dataset

from deeplab_teach.backbones import BACKBONES
from deeplab_teach.checkpoint import load_model, save_model
from deeplab_teach.device import pick_device
from deeplab_teach.losses import segmentation_loss
from deeplab_teach.models import build_model, predict_classes, predict_mask
from deeplab_teach.train import train


@pytest.fixture(scope="module")
def backbones():
    with torch.device("meta"):
        return {name: build().eval() for name, build in BACKBONES.items()}


WRONG_IMAGES = {
    "greyscale": ((2, 1, 32, 32), r"\(N, 3, H, W\), got \(2, 1, 32, 32\)"),
    "alpha": ((2, 4, 32, 32), r"\(N, 3, H, W\), got \(2, 4, 32, 32\)"),
    "channels last": ((2, 32, 32, 3), r"\(N, 3, H, W\), got \(2, 32, 32, 3\)"),
    "no batch": ((3, 32, 32), r"got \(3, 32, 32\).*image\[None\]"),
    "a matrix": ((32, 32), r"\(N, 3, H, W\), got \(32, 32\)"),
}


@pytest.mark.parametrize("kind", WRONG_IMAGES)
@pytest.mark.parametrize("name", BACKBONES)
def test_an_image_of_another_shape(backbones, name, kind):
    shape, message = WRONG_IMAGES[kind]
    with pytest.raises(ValueError, match=message):
        backbones[name](torch.empty(shape, device="meta"))


@pytest.mark.parametrize("name", BACKBONES)
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


def test_a_mask_of_colours_instead_of_labels():
    """VOC's palette read as numbers: the message says what to look for."""
    message = r"0\.\.2 or 255 \(ignored\), got 128, 192\..*background counts.*not as colours"
    with pytest.raises(ValueError, match=message):
        segmentation_loss(torch.randn(1, 3, 1, 4), torch.tensor([[[0, 128, 192, 255]]]))
    with pytest.raises(ValueError, match="integers, got torch.float32"):
        segmentation_loss(torch.randn(1, 3, 1, 4), torch.zeros(1, 1, 4))


@pytest.mark.parametrize("wanted", ["tpu", "cuda:9" if not torch.cuda.is_available() else "mps", "gpu"])
def test_a_device_that_is_not_there(wanted):
    with pytest.raises(ValueError, match=f"device '{wanted}' is not available here; there are: .*cpu"):
        pick_device(wanted)
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device().type in ("cpu", "cuda", "mps")


# --- files of our own


RECIPE = {"backbone": "mobilenet_v2", "head": "linear", "num_classes": 3, "output_stride": 16}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    model = build_model(**RECIPE)
    path = save_model(tmp_path_factory.mktemp("models") / "a.safetensors", model, {"model": RECIPE})
    return model, path


def test_a_saved_model_comes_back(saved):
    model, path = saved
    again, recipe = load_model(path)
    assert recipe == {"model": RECIPE} and not any(module.training for module in again.modules())
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in again.state_dict().items())


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", None], ids=["empty", "a web page", "half"])
def test_a_damaged_model_file(saved, tmp_path, content):
    path = tmp_path / "b.safetensors"
    path.write_bytes(saved[1].read_bytes()[:-1000] if content is None else content)
    with pytest.raises(ValueError, match="b.safetensors is not a whole safetensors file"):
        load_model(path)


def test_a_model_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*nothing\.safetensors.*deeplab_teach train"):
        load_model(tmp_path / "nothing.safetensors")


def test_a_safetensors_file_of_somebody_else(tmp_path):
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(3)}, tmp_path / "c.safetensors")
    with pytest.raises(ValueError, match="no recipe"):
        load_model(tmp_path / "c.safetensors")


def test_a_model_file_whose_weights_are_not_its_recipes(saved, tmp_path):
    model, _ = saved
    path = save_model(tmp_path / "d.safetensors", model, {"model": RECIPE | {"num_classes": 4}})
    with pytest.raises(ValueError, match=r"d\.safetensors do not fit.*head\.classifier\.weight is \(3, 320, 1, 1\)"):
        load_model(path)


# --- training


class TwoScenes(Dataset):
    """Two small images in the form the project's data sets have."""

    def __init__(self, label=1):
        self.label = label

    def __len__(self):
        return 2

    def __getitem__(self, i):
        if i >= len(self):
            raise IndexError(i)
        return torch.full((3, 32, 32), 0.5 + 0.1 * i), {"semantic": torch.full((32, 32), self.label)}


def run_training(model, run=None, *, label=1, **options):
    settings = {"num_classes": 3, "epochs": 1, "batch_size": 2, "progress": False, "device": "cpu"}
    return train(model, TwoScenes(label), run=run, **(settings | options))


def test_training_needs_batches_of_two():
    with pytest.raises(ValueError, match="batches of 2 images or more, got batch_size=1"):
        run_training(build_model("mobilenet_v2", "linear", 3), batch_size=1)


def test_training_on_labels_out_of_range():
    with pytest.raises(ValueError, match=r"0\.\.2 or 255 \(ignored\), got 7\."):
        run_training(build_model("mobilenet_v2", "linear", 3), label=7)


def test_a_resumed_run_of_another_architecture(tmp_path):
    run = tmp_path / "run.pt"
    run_training(build_model("mobilenet_v2", "linear", 3), run)
    for other in (build_model("efficientnet_lite0", "linear", 3), build_model("mobilenet_v2", "fcn", 3, channels=8)):
        before = {key: value.clone() for key, value in other.state_dict().items()}
        with pytest.raises(ValueError, match=r"run\.pt was of another architecture.*another file for a new run"):
            run_training(other, run)
        assert all(torch.equal(value, before[key]) for key, value in other.state_dict().items())
    with pytest.raises(ValueError, match=r"other settings \(epochs: 1 there, 3 here\)"):
        run_training(build_model("mobilenet_v2", "linear", 3), run, epochs=3)


@pytest.mark.parametrize("content", [b"", b"not a run at all"])
def test_a_damaged_run(tmp_path, content):
    run = tmp_path / "run.pt"
    run.write_bytes(content)
    with pytest.raises(ValueError, match=r"run\.pt is not the state of a training run.*Delete it") as error:
        run_training(build_model("mobilenet_v2", "linear", 3), run)
    assert "weights_only" not in str(error.value), "nobody should be told to read it carelessly"
    assert run.read_bytes() == content, "nobody's file is overwritten"
