"""Our own weight files: what is written comes back, and what is not ours is named."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from deeplab_teach import checkpoint
from deeplab_teach.checkpoint import load_model, save_model
from deeplab_teach.data_files import DATA_DIR, checksums, data_path
from deeplab_teach.datasets import EmojiScenes, Groups, People
from deeplab_teach.metrics import COCO_THRESHOLDS, average_precision, iou
from deeplab_teach.models import SegmentationModel, build_model
from deeplab_teach.training import dataset_confusion, dataset_detections, evaluate

CLASSES = ["background", "cat", "bus"]
RECIPE = {
    "model": {"backbone": "resnet18", "head": "linear", "num_classes": 3, "output_stride": 16},
    "classes": CLASSES,
    "size": 64,
}
SHIPPED = "scenes_deeplabv3plus_mobilenet_v2"


@pytest.fixture(scope="module")
def model():
    model = build_model(**RECIPE["model"])
    for name, buffer in model.named_buffers():  # fresh statistics are zeros and ones in every model
        if name.endswith("running_mean"):
            buffer.normal_()
    return model


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("saved") / "model.safetensors", model, RECIPE)


def damaged(path, tmp_path, content):
    target = tmp_path / "bad.safetensors"
    target.write_bytes(content(path.read_bytes()))
    return target


def test_float32_comes_back_exactly(model, saved):
    loaded, recipe = load_model(saved)
    assert recipe == RECIPE
    assert isinstance(loaded, SegmentationModel) and not any(module.training for module in loaded.modules())
    ours, theirs = model.state_dict(), loaded.state_dict()
    assert ours.keys() == theirs.keys()
    assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []


def test_float16_comes_back_rounded_in_half_the_space(model, saved, tmp_path):
    path = save_model(tmp_path / "half.safetensors", model, RECIPE, dtype=torch.float16)
    assert 0.49 < path.stat().st_size / saved.stat().st_size < 0.52
    ours, theirs = model.state_dict(), load_model(path)[0].state_dict()
    for key, value in ours.items():
        assert theirs[key].dtype == value.dtype, "widened again for computing; counters stay whole numbers"
        torch.testing.assert_close(theirs[key], value, rtol=2**-11, atol=2**-24)
    assert any(not torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_channels_last_model_is_stored_as_any_other(model, saved, tmp_path):
    """Training leaves the weights in the layout that convolves fastest; the file must not show it."""
    twin = load_model(saved)[0].to(memory_format=torch.channels_last)
    assert save_model(tmp_path / "b.safetensors", twin, RECIPE).read_bytes() == saved.read_bytes()


def test_the_recipe_stands_in_the_header(saved):
    with safe_open(saved, framework="pt") as file:
        assert json.loads(file.metadata()["recipe"]) == RECIPE


def test_by_path_as_text_too(saved):
    assert load_model(str(saved))[1] == RECIPE


@pytest.mark.parametrize(
    "content",
    [
        lambda data: b"",
        lambda data: b"these are no weights",
        lambda data: data[:50],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
    ],
    ids=["empty", "text", "header cut", "half", "one byte short"],
)
def test_damaged_or_no_safetensors(saved, tmp_path, content):
    with pytest.raises(ValueError, match=r"bad\.safetensors is not a whole safetensors file .*again\."):
        load_model(damaged(saved, tmp_path, content))


def test_a_foreign_file_without_a_recipe(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "theirs.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"theirs\.safetensors holds weights but no recipe of a model"):
        load_model(tmp_path / "theirs.safetensors")


@pytest.mark.parametrize(
    "recipe",
    ["two eggs", '{"eggs": 2}', '["model"]', '{"model": {"backbone": "resnet18"}}', '{"model": {"eggs": 2}}'],
)
def test_a_recipe_of_something_else(tmp_path, recipe):
    save_file({"weight": torch.zeros(2)}, tmp_path / "cake.safetensors", metadata={"recipe": recipe})
    with pytest.raises(ValueError, match=r"the recipe in .*cake\.safetensors builds no model of this course"):
        load_model(tmp_path / "cake.safetensors")


def test_a_recipe_with_an_unknown_backbone(tmp_path):
    recipe = {"model": {**RECIPE["model"], "backbone": "resnet19"}}
    save_file({"weight": torch.zeros(2)}, tmp_path / "x.safetensors", metadata={"recipe": json.dumps(recipe)})
    with pytest.raises(ValueError, match="unknown backbone 'resnet19'; there are:.*resnet18"):
        load_model(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"head": "fcn"}, r"not in the file: head\.conv"),
        ({"num_classes": 4}, r"head\.classifier\.weight is \(3, 512, 1, 1\) in the file and \(4, 512, 1, 1\)"),
        ({"backbone": "mobilenet_v2"}, "not in the file: backbone"),
    ],
)
def test_weights_of_another_architecture(model, tmp_path, change, what):
    path, recipe = tmp_path / "a.safetensors", {**RECIPE, "model": {**RECIPE["model"], **change}}
    with pytest.raises(ValueError, match=what):
        save_model(path, model, recipe)
    save_file(model.state_dict(), path, metadata={"recipe": json.dumps(recipe)})  # by somebody else's program
    with pytest.raises(ValueError, match=f"the weights in .*a.safetensors do not fit this model.*{what}"):
        load_model(path)


def test_a_name_that_is_not_there(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="no checkpoint 'scenes'.*neither a file nor one of the shipped"
    ) as error:
        load_model("scenes")
    assert SHIPPED in str(error.value) and "python -m deeplab_teach train" in str(error.value)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path)  # a folder


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file(model, saved, tmp_path, monkeypatch, error):
    path = tmp_path / "model.safetensors"
    path.write_bytes(saved.read_bytes())

    def broken(state, target, **options):
        target.write_bytes(b"half")
        raise error

    monkeypatch.setattr(checkpoint, "save_file", broken)
    with pytest.raises(type(error)):
        save_model(path, model, RECIPE)
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
    assert path.read_bytes() == saved.read_bytes()


# ------------------------------------------------------------------------------------------------- the shipped one


def test_the_shipped_one_is_small_and_in_half_precision():
    path = data_path(f"checkpoints/{SHIPPED}.safetensors")
    assert path.stat().st_size <= 8e6
    with safe_open(path, framework="pt") as file:
        dtypes = {file.get_tensor(key).dtype for key in file.keys()}  # noqa: SIM118 (not a dict)
    assert dtypes == {torch.float16, torch.int64}
    assert f"checkpoints/{SHIPPED}.safetensors" in checksums()


def test_the_shipped_one_segments_what_it_never_saw():
    model, recipe = load_model(SHIPPED)
    assert recipe["model"]["head"] == "deeplabv3plus" and recipe["model"]["backbone"] == "mobilenet_v2"
    assert all(value.isfinite().all() for value in model.state_dict().values()), "float16 holds no more than 65504"
    scenes = EmojiScenes(24, split="test", size=recipe["size"], classes=recipe["classes"])
    assert evaluate(model, scenes, batch_size=8) > 0.5


def test_the_figures_in_the_header_come_out_again():
    """On 50 photographs that it has not learnt from; and the command that made it is the one that the page tells."""
    model, recipe = load_model("people_deeplabv3plus_mobilenet_v2")
    people = People("test")
    for width, key in ((None, "iou"), (2, "iou_within_2")):
        found = 100 * iou(dataset_confusion(model, people, trimap_width=width))
        due = [recipe["results"]["classes"][name][key] for name in recipe["classes"]]
        assert found.tolist() == pytest.approx(due, abs=0.3)  # the file holds 16 bits
    assert recipe["results"]["classes"]["person"]["iou"] > 65
    assert recipe["command"] in (DATA_DIR / "README.md").read_text(encoding="utf-8")
    assert model.aligned


@pytest.mark.parametrize(
    "name, kinds, least, near",
    [
        ("people_fcos_mobilenet_v2", ("boxes",), 18, 0.3),  # the file holds 16 bits
        ("people_mask_rcnn_mobilenet_v2", ("boxes", "masks"), 22, 0.8),  # and this one's were made on a GPU
    ],
)
def test_the_figures_of_the_detectors_come_out_again(name, kinds, least, near):
    """On 22 photographs with several people that they have not learnt from. Lesson 10 judges the one of scenes."""
    model, recipe = load_model(name)
    results = recipe["results"]
    found, truth = dataset_detections(model, Groups("test"), masks="masks" in kinds)
    for kind in kinds:
        for thresholds, key in ((0.5, f"ap50_{kind}"), (COCO_THRESHOLDS, f"ap_{kind}")):
            ap = 100 * average_precision(found, truth, 2, iou_threshold=thresholds, masks=kind == "masks")
            assert ap == pytest.approx(results[key], abs=near), key
    assert results["ap50_boxes"] > least
    assert recipe["command"] in (DATA_DIR / "README.md").read_text(encoding="utf-8")


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    """`safetensors`, `torch.save` and Python have their own words for a full disk; the file is named in any case."""
    import shutil

    from deeplab_teach import data_files

    path = tmp_path / "model.safetensors"
    path.write_bytes(b"what was there before")
    for error in (OSError(28, "No space left on device"), RuntimeError("PytorchStreamWriter failed writing file")):
        free = 10**12 if isinstance(error, OSError) else 10
        monkeypatch.setattr(shutil, "disk_usage", lambda folder, free=free: shutil._ntuple_diskusage(10**12, 0, free))
        message = r"model\.safetensors could not be written: the disk is full"
        with pytest.raises(OSError, match=message), data_files.atomic_write(path):
            raise error
        assert path.read_bytes() == b"what was there before" and list(tmp_path.iterdir()) == [path]
