"""The command line: train, evaluate and predict work together, and every error is one line, not a traceback."""

import argparse
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from deeplab_teach import __main__ as cli
from deeplab_teach.checkpoint import load_model
from deeplab_teach.commands import train as train_command
from deeplab_teach.datasets import LESSON_CLASSES, EmojiScenes, class_colors
from deeplab_teach.datasets import scenes as scenes_module
from deeplab_teach.training import tasks

TINY = ["train", "--scratch", "--scenes", "4", "--batch-size", "2", "--epochs", "1", "--size", "32", "--device", "cpu"]
FCN = ["--backbone", "resnet18", "--head", "fcn", "--option", "channels=8"]


@pytest.fixture
def few_scenes(monkeypatch):
    """Validate on 4 scenes instead of 96: what they score does not matter here."""
    monkeypatch.setattr(scenes_module.EmojiScenes, "__len__", lambda self: min(self.length, 4))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A checkpoint made by the command itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes_module.EmojiScenes, "__len__", lambda self: min(self.length, 4))
        path = tmp_path_factory.mktemp("cli") / "new folder" / "model.safetensors"
        assert cli.main([*TINY, *FCN, "--augment", "--out", str(path)]) == 0
    return path


def fails(capsys, *argv):
    """The one line that a failing command leaves."""
    assert cli.main([str(word) for word in argv]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and len(err.splitlines()) == 1, err
    return err


# ------------------------------------------------------------------------------------------------- they work together


def test_train_leaves_one_checkpoint_that_loads(trained):
    assert [path.name for path in trained.parent.iterdir()] == ["model.safetensors"], "the state of the run is gone"
    model, recipe = load_model(trained)
    assert recipe["classes"] == list(LESSON_CLASSES) and recipe["size"] == 32
    assert recipe["model"] == {
        "backbone": "resnet18",
        "head": "fcn",
        "num_classes": len(LESSON_CLASSES),
        "output_stride": 16,
        "channels": 8,
    }
    assert model.head.conv[0].out_channels == 8
    assert recipe["command"].startswith("python -m deeplab_teach")


@pytest.mark.parametrize("head", ["linear", "fcn", "deeplabv3plus"])
def test_any_dense_head_trains_without_options(tmp_path, few_scenes, capsys, head):
    out = tmp_path / "model.safetensors"
    assert cli.main([*TINY, "--backbone", "resnet18", "--head", head, "--out", str(out)]) == 0
    line = capsys.readouterr().out
    assert line.startswith("mIoU: ") and "on known styles" in line and "on a held-out one" in line and str(out) in line
    options = load_model(out)[1]["model"]
    assert (options.get("channels"), options.get("atrous_rates")) == (
        (96, [2, 4, 6]) if head.startswith("deeplab") else (None, None)
    )


def test_evaluate_reads_it(trained, capsys):
    assert cli.main(["evaluate", str(trained), "--scenes", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["val", "test"]
    assert all("within 2 pixels of an outline" in line for line in lines)


def test_predict_reads_it_and_turns_the_picture_upright(trained, tmp_path, capsys):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: show it a quarter turn to the right
    Image.new("RGB", (60, 40), "gray").save(tmp_path / "photo.jpg", exif=exif)
    assert cli.main(["predict", str(tmp_path / "photo.jpg"), "--checkpoint", str(trained), "--show", "mask"]) == 0
    with Image.open(tmp_path / "photo.mask.png") as mask:
        assert mask.size == (40, 60) and mask.mode == "RGB"
        colours = {tuple(colour) for colour in np.asarray(mask).reshape(-1, 3).tolist()}
    assert colours <= {tuple(colour) for colour in class_colors(LESSON_CLASSES).tolist()}
    out = capsys.readouterr().out
    assert "photo.mask.png: " in out and "%" in out


def test_the_same_picture_rotated_by_its_exif_gets_the_same_mask(tmp_path):
    """With the shipped checkpoint, which knows up from down."""
    image = EmojiScenes(1, split="val")[0][0].permute(1, 2, 0).numpy()[:, :128]
    upright = Image.fromarray(image)
    upright.save(tmp_path / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "b.jpg", exif=exif, quality=97, subsampling=0)
    options = ["--show", "mask", "--checkpoint", "scenes_deeplabv3plus_mobilenet_v2"]
    for name in ("a.png", "b.jpg"):
        assert cli.main(["predict", str(tmp_path / name), *options, "--out", str(tmp_path / f"{name}.mask.png")]) == 0
    a, b = (np.asarray(Image.open(tmp_path / f"{name}.mask.png")) for name in ("a.png", "b.jpg"))
    assert a.shape == b.shape == (160, 128, 3)
    assert len(np.unique(a.reshape(-1, 3), axis=0)) > 1, "a mask of one colour would fit any rotation"
    assert (a == b).all(axis=2).mean() > 0.95


def test_predict_looks_at_a_smaller_copy_of_large_pictures(trained, tmp_path, capsys):
    Image.new("RGB", (300, 150)).save(tmp_path / "large.png")
    out = tmp_path / "there" / "mask.png"
    argv = ["predict", str(tmp_path / "large.png"), "--checkpoint", str(trained), "--max-side", "64", "--out", str(out)]
    assert cli.main(argv) == 0
    assert Image.open(out).size == (300, 150)
    assert "(looked at with 64 x 32 pixels)" in capsys.readouterr().out


def test_stopped_and_gone_on_with(tmp_path, capsys, few_scenes, monkeypatch):
    out = tmp_path / "model.safetensors"
    argv = [*TINY, *FCN, "--epochs", "2", "--out", str(out)]
    with monkeypatch.context() as patch:
        calls, evaluate = [], tasks.SEGMENTATION.evaluate

        def stop_in_epoch_2(*args, **options):
            calls.append(args)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return evaluate(*args, **options)

        patch.setattr(tasks, "SEGMENTATION", tasks.SEGMENTATION._replace(evaluate=stop_in_epoch_2))
        assert cli.main(argv) == 130
    err = capsys.readouterr().err
    assert "Traceback" not in err and "goes on" in err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["model.run"]
    assert len(torch.load(tmp_path / "model.run", weights_only=True)["history"]) == 1
    changed = [*argv, "--output-stride", "32"]
    assert "of another architecture" in fails(capsys, *changed)
    capsys.readouterr()
    assert cli.main(argv) == 0
    out, err = capsys.readouterr()
    assert "going on after epoch 1 of 2, from" in out + err
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_doctor(capsys):
    status = cli.main(["doctor"])
    out = capsys.readouterr().out
    for word in ("Packages", "Weights", "Data", "Machine", "torch"):
        assert word in out
    assert ("Every lesson can run here." in out) == (status == 0)
    assert ("BAD" in out) == (status == 1)


# ------------------------------------------------------------------------------------------------- errors


def test_from_the_shell():
    """With the command that imports least: a new process spends its time on that."""
    argv = [sys.executable, "-m", "deeplab_teach", "get-weights", "resnet19"]
    run = subprocess.run(argv, capture_output=True, text=True)
    assert run.returncode == 1 and run.stdout == ""
    assert run.stderr.startswith("error: there are no published weights called 'resnet19'")
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--backbone", "resnet19"], "unknown backbone 'resnet19'; there are: mobilenet_v2, "),
        (["--head", "deeplabv4"], "unknown head 'deeplabv4'; there are: "),
        (["--output-stride", "12"], "output_stride must be one of (8, 16, 32), got 12"),
        (["--head", "classification"], "the head 'classification' gives no mask"),
        (["--option", "chanels=8"], "the head 'deeplabv3plus' has no option chanels; it has: deep, "),
        (["--option", "channels=wide"], "--option: deeplabv3plus cannot be built with {'channels': 'wide'}"),
        (["--option", "atrous_rates=2"], "--option: deeplabv3plus cannot be built with {'atrous_rates': 2}"),
        (["--option", "deep=c9"], "deep='c9' is not a feature map of this backbone"),
        (["--scenes", "1"], "training needs batches of 2 images or more"),
        (["--scenes", "0"], "length must be a whole number, 1 or more; got 0"),
        (["--batch-size", "1"], "training needs batches of 2 images or more"),
        (["--epochs", "0"], "epochs must be 1 or more, got 0"),
        (["--size", "8"], "size must be a whole number, 32 or more; got 8"),
        (["--seed", "-1"], "seed must be a whole number, 0 or more; got -1"),
        (["--device", "abacus"], "device 'abacus' is not available here"),
        (["--out", "model.run"], "--out must end in .safetensors, got model.run"),
    ],
)
def test_train_says_what_is_wrong(capsys, tmp_path, monkeypatch, options, what):
    monkeypatch.chdir(tmp_path)
    backbone = [] if "--backbone" in options else ["--backbone", "resnet18"]
    assert what in fails(capsys, *TINY, *backbone, *options)
    assert list(tmp_path.rglob("*.safetensors")) == []


def test_files_that_are_not_what_they_should_be(capsys, tmp_path, trained):
    (tmp_path / "notes.txt").write_text("no picture, no weights")
    assert "notes.txt' is not an image" in fails(capsys, "predict", tmp_path / "notes.txt", "--checkpoint", trained)
    assert "--max-side must be 1 pixel or more" in fails(capsys, "predict", tmp_path / "notes.txt", "--max-side", "0")
    assert "not a whole safetensors file" in fails(capsys, "evaluate", tmp_path / "notes.txt")
    assert "no checkpoint 'nowhere'" in fails(capsys, "evaluate", "nowhere")
    assert "no published weights called 'resnet19'" in fails(capsys, "get-weights", "resnet19")
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    out = tmp_path / "notes.txt" / "mask.png"  # a file where a folder should be
    assert "notes.txt" in fails(capsys, "predict", tmp_path / "a.png", "--checkpoint", trained, "--out", out)


@pytest.mark.parametrize("argv", [[], ["fly"], ["train", "--option", "channels"], ["train", "--epochs", "many"]])
def test_words_that_are_no_command_line(argv, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(argv)
    assert stopped.value.code == 2
    assert "usage: python -m deeplab_teach" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("channels=96", ("channels", 96)),
        ("atrous_rates=2,4,6", ("atrous_rates", [2, 4, 6])),
        ("atrous_rates=2,", ("atrous_rates", [2])),
        ("atrous_rates=", ("atrous_rates", [])),
        ("separable=true", ("separable", True)),
        ("separable=False", ("separable", False)),
        ("dropout=0.25", ("dropout", 0.25)),
        ("deep=c4", ("deep", "c4")),
    ],
)
def test_options(text, pair):
    assert train_command.option(text) == pair
    assert type(train_command.option(text)[1]) is type(pair[1])


def test_an_option_without_a_value():
    with pytest.raises(argparse.ArgumentTypeError, match="'channels' should read NAME=VALUE"):
        train_command.option("channels")


@pytest.mark.parametrize("name", ["doctor", "get-weights", "train", "evaluate", "predict", "papers"])
def test_each_command_calls_its_own_function(name):
    argv = [name, "photo.jpg"] if name == "predict" else [name]
    args = cli.parser().parse_args(argv)
    home = getattr(cli, name.replace("-", "_"))
    assert args.run is getattr(home, "run", home), "no option of a command may be called `run`"
    assert name in cli.__doc__


def test_papers_counts_a_table(capsys):
    assert cli.main(["papers", "mobilenetv2_table7"]) == 0
    out = capsys.readouterr().out
    assert "MobileNetV2, no ASPP, OS 16, 1 scale" in out and out.rstrip().endswith("9 of 9 figures agree.")
    assert cli.main(["papers", "mobilenetv2_table7", "--per-parameter"]) == 0
    assert "2.748 G" in capsys.readouterr().out  # 2.742 and 2.5 per parameter
    assert "there is no table table9; there are: " in fails(capsys, "papers", "table9")


@pytest.mark.parametrize(
    ("backbone", "head", "stride"), [("vgg11_bn", "linear", 32), ("vit_small", "deeplabv3plus", 16)]
)
def test_train_takes_the_only_output_stride_there_is(tmp_path, few_scenes, backbone, head, stride):
    out = tmp_path / "model.safetensors"
    assert cli.main([*TINY, "--backbone", backbone, "--head", head, "--out", str(out)]) == 0
    assert load_model(out)[1]["model"]["output_stride"] == stride


def test_a_backbone_without_published_weights(capsys):
    assert "train it from nothing with --scratch" in fails(capsys, "train", "--backbone", "resnet50_beta")


def test_a_width_that_cannot_be(capsys):
    assert "cannot be built with" in fails(capsys, "train", "--scratch", "--option", "channels=-1")
