"""The command line on pictures of every layout, end to end: train, go on after a stop, evaluate, predict."""

import argparse
import json
import os
import runpy
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deeplab_teach import __main__ as cli
from deeplab_teach.checkpoint import load_model
from deeplab_teach.commands import train as train_command
from deeplab_teach.commands.data import open_data
from deeplab_teach.data_files import data_path
from deeplab_teach.datasets import MaskFolder, labelled_photos
from deeplab_teach.training import evaluate, tasks

QUICK = ["--scratch", "--backbone", "resnet18", "--epochs", "1", "--batch-size", "2", "--crop", "64", "--device", "cpu"]
COUNT = 10
FEW = 5  # of the larger ones in COCO's format


def photographs():
    """The numbers of ten of the course's photographs of people."""
    return [image["id"] for image in labelled_photos.People("yours").images[:COUNT]]


def parts(number):
    return data_path(f"people/images/{number:012}.jpg"), data_path(f"people/masks/{number:012}.png")


@pytest.fixture(scope="module")
def voc(tmp_path_factory):
    root = tmp_path_factory.mktemp("voc") / "VOCdevkit" / "VOC2012"
    lists = root / "ImageSets" / "Segmentation"
    for folder in (root / "JPEGImages", root / "SegmentationClass", lists):
        folder.mkdir(parents=True)
    for number in photographs():
        image, mask = parts(number)
        shutil.copy(image, root / "JPEGImages" / f"{number}.jpg")
        shutil.copy(mask, root / "SegmentationClass" / f"{number}.png")
    names = [str(number) for number in photographs()]
    (lists / "train.txt").write_text("\n".join(names[:8]))
    (lists / "val.txt").write_text("\n".join(names[8:]))
    return ["--data", "voc", "--root", str(root.parent), "--classes", "background,person"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("folder")
    for name in ("images", "masks"):
        (root / name).mkdir()
    for number in photographs():
        image, mask = parts(number)
        shutil.copy(image, root / "images" / f"{number}.jpg")
        shutil.copy(mask, root / "masks" / f"{number}.png")
    return ["--data", "folder", "--root", str(root), "--classes", "background,person"]


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    root = tmp_path_factory.mktemp("pets")
    for name in ("images", "annotations/trimaps"):
        (root / name).mkdir(parents=True)
    for number in photographs():
        image, mask = parts(number)
        shutil.copy(image, root / "images" / f"Pet_{number}.jpg")
        trimap = np.where(np.asarray(Image.open(mask)) == 1, 1, 2).astype(np.uint8)
        Image.fromarray(trimap).save(root / "annotations" / "trimaps" / f"Pet_{number}.png")
    lines = [f"Pet_{number} 1 1 1" for number in photographs()]
    (root / "annotations" / "trainval.txt").write_text("\n".join(lines[:8]))
    (root / "annotations" / "test.txt").write_text("\n".join(lines[8:]))
    return ["--data", "pets", "--root", str(root)]


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    """Photographs with several things, in COCO's format."""
    root = tmp_path_factory.mktemp("coco")
    content = json.loads(data_path("objects/instances_test.json").read_text(encoding="utf-8"))
    content["images"] = content["images"][:FEW]
    kept = {image["id"] for image in content["images"]}
    content["annotations"] = [each for each in content["annotations"] if each["image_id"] in kept]
    for image in content["images"]:
        shutil.copy(data_path(f"objects/images/{image['file_name']}"), root)
    (root / "all.json").write_text(json.dumps(content))
    return ["--data", "coco", "--root", str(root), "--annotations", str(root / "all.json"), "--classes", "person"]


@pytest.fixture
def few_groups(monkeypatch):
    monkeypatch.setattr(labelled_photos.Groups, "__len__", lambda self: 6)
    return ["--data", "groups"]


@pytest.fixture
def few_people(monkeypatch):
    monkeypatch.setattr(labelled_photos.People, "__len__", lambda self: min(len(self.images), 6))
    return ["--data", "people"]


def runs(*argv):
    assert cli.main([str(word) for word in argv]) == 0


def fails(capsys, *argv):
    assert cli.main([str(word) for word in argv]) == 1
    err = capsys.readouterr().err.splitlines()
    assert err[-1].startswith("error: "), err
    return err[-1]


@pytest.mark.parametrize("layout", ["voc", "folder", "pets", "coco", "few_people"])
def test_masks_from_end_to_end(layout, request, tmp_path, capsys):
    data, out = request.getfixturevalue(layout), tmp_path / "model.safetensors"
    runs("train", *QUICK, *data, "--head", "fcn", "--aligned", "--freeze", "backbone.conv1", "--out", out)
    said = capsys.readouterr().out
    classes = ["background", "pet" if layout == "pets" else "person"]
    assert said.startswith("mIoU ") and f"({classes[0]} " in said and str(out) in said
    model, recipe = load_model(out)
    assert model.aligned and recipe["classes"] == classes and len(recipe["history"]) == 1
    runs("evaluate", out, *data, "--json")
    found = json.loads(capsys.readouterr().out)["test"]
    assert found["miou"] == pytest.approx(recipe["results"]["miou"], abs=0.5)  # the file holds 16 bits
    assert set(found["classes"]) <= set(classes) and 0 <= found["miou_within_2"] <= 100
    picture = parts(photographs()[0])[0]
    runs("predict", picture, "--checkpoint", out, "--out", tmp_path / "seen.png")
    with Image.open(picture) as image, Image.open(tmp_path / "seen.png") as seen:
        assert seen.size == image.size and seen.mode == "RGB"


@pytest.mark.parametrize(
    ("layout", "head"),
    [("coco", "fcos"), ("coco", "mask_rcnn"), ("few_people", "faster_rcnn"), ("few_groups", "mask_rcnn")],
)
def test_boxes_from_end_to_end(layout, head, request, tmp_path, capsys):
    data, out = request.getfixturevalue(layout), tmp_path / "model.safetensors"
    runs("train", *QUICK, *data, "--head", head, "--freeze-batch-norm", "--out", out)
    assert capsys.readouterr().out.startswith("AP50 of boxes ")
    runs("evaluate", out, *data, "--json")
    found = json.loads(capsys.readouterr().out)["test"]
    kinds = ("boxes", "masks") if head == "mask_rcnn" else ("boxes",)
    assert list(found) == [f"{name}_{kind}" for kind in kinds for name in ("ap50", "ap")]
    assert all(0 <= value <= 100 for value in found.values())
    picture = parts(photographs()[0])[0]
    runs("predict", picture, "--checkpoint", out, "--threshold", "0", "--out", tmp_path / "seen.png")
    with Image.open(picture) as image, Image.open(tmp_path / "seen.png") as seen:
        assert seen.size == image.size


def test_a_detector_of_scenes_is_judged_on_both_styles(tmp_path, capsys):
    out = tmp_path / "model.safetensors"
    small = ["--option", "out_channels=64", "--option", "depth=1", "--scenes", "4", "--size", "64"]
    runs("train", *QUICK, "--data", "scenes", "--head", "fcos", *small, "--out", out)
    said = capsys.readouterr().out
    assert said.startswith("known styles: AP50 of boxes ") and "; a held-out one: AP50" in said
    model, recipe = load_model(out)
    assert model.backbone.out_channels == 64
    assert list(recipe["results"]) == ["known_styles", "held_out_style"]
    assert all(list(figures) == ["ap50_boxes", "ap_boxes"] for figures in recipe["results"].values())


def test_a_stopped_run_on_photographs_ends_as_an_unbroken_one(few_people, tmp_path, monkeypatch, capsys):
    argv = ["train", *QUICK, *few_people, "--head", "linear", "--epochs", "2", "--judge"]
    runs(*argv, "--out", tmp_path / "whole.safetensors")
    with monkeypatch.context() as patch:
        calls = []

        def stop(*args):
            calls.append(args)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return 0.5

        patch.setattr(tasks, "SEGMENTATION", tasks.SEGMENTATION._replace(evaluate=stop))
        assert cli.main([*argv, "--out", str(tmp_path / "broken.safetensors")]) == 130
    assert "other settings (data: " in fails(capsys, *argv, "--split", "test", "--out", tmp_path / "broken.safetensors")
    runs(*argv, "--out", tmp_path / "broken.safetensors")
    whole, broken = (load_model(tmp_path / f"{name}.safetensors")[0].state_dict() for name in ("whole", "broken"))
    assert all(torch.equal(value, broken[key]) for key, value in whole.items())


def in_two_processes(*argv):
    """What `torchrun` starts, on this computer alone."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
            probe.listen(1)
            socket.create_connection(("127.0.0.1", int(port)), timeout=5).close()
        except OSError:
            pytest.skip("processes cannot speak to each other here: the network is cut, the computer's own included")
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-addr", "127.0.0.1"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [*start, "--master-port", port, *map(str, argv)]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_two_processes_take_the_steps_of_one(tmp_path):
    """The same batches, shared out: losses and weights are those of one process, up to the order of sums."""
    argv = ["train", "--scratch", "--backbone", "resnet18", "--head", "linear", "--scenes", "8", "--size", "64"]
    argv += ["--epochs", "2", "--batch-size", "4", "--device", "cpu", "--freeze-batch-norm"]
    said = in_two_processes("-m", "deeplab_teach", *argv, "--out", tmp_path / "two.safetensors")
    assert said.count("mIoU: ") == 1, "one of them speaks"
    runs(*argv, "--out", tmp_path / "one.safetensors")
    (one, recipe_one), (two, recipe_two) = (load_model(tmp_path / f"{name}.safetensors") for name in ("one", "two"))
    losses = [[epoch["loss"] for epoch in recipe["history"]] for recipe in (recipe_one, recipe_two)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for key, value in one.state_dict().items():
        assert torch.allclose(value, two.state_dict()[key], atol=1e-3), key


UNEVEN = """
import torch
from torch.utils.data import Dataset
from deeplab_teach.models import build_model
from deeplab_teach.training import distributed, freeze_batch_norm, train

class Uneven(Dataset):
    def __len__(self): return 8
    def __getitem__(self, i):
        g = torch.Generator().manual_seed(i)
        mask = torch.randint(0, 2, (64, 64), generator=g)
        mask[: 8 * i] = 255  # the later, the less is labelled
        return torch.rand(3, 64, 64, generator=g), mask

distributed.start(torch.device("cpu"))
torch.manual_seed(distributed.rank())  # whatever a process begins with, all go on with the first one's weights
model = build_model("resnet18", "linear", 2)
freeze_batch_norm(model)
history = train(model, Uneven(), epochs=2, batch_size=4, progress=False, device="cpu")
if distributed.is_first():
    print([epoch["loss"] for epoch in history])
"""


def test_a_pixel_counts_the_same_in_every_process(tmp_path, capsys):
    """One half of a batch may have few labelled pixels: a mean of means would give each of them too much say."""
    script = tmp_path / "uneven.py"
    script.write_text(UNEVEN)
    two = json.loads(in_two_processes(script).strip().splitlines()[-1])
    runpy.run_path(str(script))
    one = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert one == pytest.approx(two, rel=1e-4)


# ------------------------------------------------------------------------------------------------- what goes wrong


def test_what_is_missing_is_said_with_its_name(voc, folder, coco, tmp_path, capsys):
    train = ["train", *QUICK, "--out", tmp_path / "model.safetensors"]
    assert "--data voc needs --root" in fails(capsys, *train, "--data", "voc")
    assert "--data coco needs --annotations" in fails(capsys, *train, "--data", "coco", "--root", tmp_path)
    assert "--data folder needs --classes" in fails(capsys, *train, "--data", "folder", "--root", tmp_path)
    (tmp_path / "empty").mkdir()
    empty = fails(capsys, *train, "--data", "folder", "--root", tmp_path / "empty", "--classes", "background,cat")
    assert "empty" in empty and "images" in empty
    root = tmp_path / "own"
    shutil.copytree(folder[3], root)
    lost, wrong = sorted((root / "masks").iterdir())[:2]
    lost.unlink()
    assert lost.stem in fails(capsys, *train, "--data", "folder", "--root", root, "--classes", "background,person")
    shutil.copy(wrong, lost)
    with Image.open(wrong) as mask:
        values = np.asarray(mask) * 7
    Image.fromarray(values.astype(np.uint8)).save(wrong)
    said = fails(capsys, *train, "--data", "folder", "--root", root, "--classes", "background,person")
    assert wrong.name in said and "7" in said and "background" in said
    assert "finds boxes" in fails(capsys, *train, *voc, "--head", "fcos")
    assert not (tmp_path / "model.safetensors").exists()


def test_a_split_to_train_on_is_not_judged_on(few_people, tmp_path, capsys):
    """`--split` names what is trained on; what is judged on stays the usual part."""
    args = cli.parser().parse_args(["train", *few_people, "--split", "yours"])
    train_set, val_set, _ = train_command._data(args)
    assert (train_set.split, val_set.split) == ("yours", "test")


def test_masks_that_mark_an_object_with_255(folder, tmp_path, capsys):
    """The commonest export there is: refused with the option that reads it, and read with that option."""
    root = tmp_path / "own"
    shutil.copytree(folder[3], root)
    for path in (root / "masks").iterdir():
        with Image.open(path) as mask:
            values = np.asarray(mask) * 255
        Image.fromarray(values.astype(np.uint8)).save(path)
    argv = ["train", *QUICK, "--head", "linear", "--out", tmp_path / "a.safetensors"]
    argv += ["--data", "folder", "--root", root, "--classes", "background,person"]
    assert "--labels 255=1" in fails(capsys, *argv)
    runs(*argv, "--labels", "255=1")


def test_a_folder_that_its_owner_has_divided(folder, tmp_path, capsys):
    """Pictures that belong together stay together only if their owner can say so."""
    for part, numbers in (("train", photographs()[:6]), ("test", photographs()[6:])):
        for kind, suffix in (("images", "jpg"), ("masks", "png")):
            (tmp_path / part / kind).mkdir(parents=True)
            for number in numbers:
                shutil.copy(Path(folder[3], kind, f"{number}.{suffix}"), tmp_path / part / kind)
    args = argparse.Namespace(data="folder", root=tmp_path, classes=["background", "person"], labels=None)
    for part, numbers in (("train", photographs()[:6]), ("test", photographs()[6:])):
        pictures = open_data(args, part)
        assert len(pictures) == len(numbers)
        for (image, target), number in zip(pictures, sorted(numbers, key=str), strict=True):  # files by their names
            with Image.open(parts(number)[1]) as mask:
                assert np.array_equal(target["semantic"], np.asarray(mask)) and image.shape[-2:] == mask.size[::-1]
    assert len(open_data(args, "test", split="train")) == 6
    out = tmp_path / "model.safetensors"
    data = ["--data", "folder", "--root", tmp_path, "--classes", "background,person"]
    runs("train", *QUICK, *data, "--head", "linear", "--out", out)
    capsys.readouterr()
    runs("evaluate", out, "--root", tmp_path, "--json")
    miou = 100 * evaluate(load_model(out)[0], MaskFolder(tmp_path / "test", classes=["background", "person"]))
    assert json.loads(capsys.readouterr().out)["test"]["miou"] == pytest.approx(miou, abs=0.1)
    shutil.rmtree(tmp_path / "test")
    assert str(tmp_path / "test") in fails(capsys, "evaluate", out, *data)
    (tmp_path / "images").mkdir()
    assert "both images/ and train/" in fails(capsys, "evaluate", out, *data)


def test_a_part_that_cannot_be_frozen(few_people, tmp_path, capsys):
    out = ["--out", tmp_path / "model.safetensors"]
    said = fails(capsys, "train", *QUICK, *few_people, "--head", "fcn", "--freeze", "backbone.stage1", *out)
    assert "no part 'backbone.stage1'" in said and "backbone.layer1" in said


def test_a_folder_of_pictures(tmp_path, capsys):
    for number in photographs()[:2]:
        shutil.copy(parts(number)[0], tmp_path)
    checkpoint = ["--checkpoint", "scenes_deeplabv3plus_mobilenet_v2"]
    for _ in range(2):  # the second time it must not look at what it has drawn
        runs("predict", tmp_path, *checkpoint)
        assert len(list(tmp_path.glob("*.overlay.png"))) == 2 and len(list(tmp_path.iterdir())) == 4
    runs("predict", tmp_path, *checkpoint, "--show", "mask", "--out", tmp_path / "masks")
    assert sorted(path.suffixes for path in (tmp_path / "masks").iterdir()) == [[".mask", ".png"]] * 2
    capsys.readouterr()
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    said = fails(capsys, "predict", tmp_path, *checkpoint, "--out", tmp_path / "rest")
    assert "1 of 3 pictures could not be read: broken.jpg" in said and len(list((tmp_path / "rest").iterdir())) == 2
    (tmp_path / "broken.jpg").unlink()
    near = fails(capsys, "predict", tmp_path, "--checkpoint", "scenes_deeplabv3plus_mobilenetv2")
    assert near.endswith("Did you mean scenes_deeplabv3plus_mobilenet_v2?")
    (tmp_path / "none").mkdir()
    assert "has no pictures" in fails(capsys, "predict", tmp_path / "none", *checkpoint)
    assert "name a folder" in fails(capsys, "predict", tmp_path, *checkpoint, "--out", tmp_path / "a.png")
