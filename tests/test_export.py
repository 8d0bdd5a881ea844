"""ONNX files answer as the models they were made from, or are not kept."""

import json
import math
import sys

import pytest
import torch
from helpers import randomise_batch_norm
from torch import nn

from deeplab_teach import __main__ as cli
from deeplab_teach import export
from deeplab_teach.backbones import ViT
from deeplab_teach.backbones.efficientnet_lite import Conv2dSame
from deeplab_teach.checkpoint import load_model
from deeplab_teach.datasets import LESSON_CLASSES, photo
from deeplab_teach.export import PACKAGES, compare, export_onnx
from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.models import build_model
from deeplab_teach.predict import predict_mask


@pytest.fixture
def packages():
    for name in PACKAGES:
        pytest.importorskip(name)


class Same(Backbone):
    """Two convolutions whose padding depends on the image's size."""

    name = "same"

    def __init__(self):
        super().__init__()
        self.feature_specs = {"c2": FeatureSpec(8, 4)}
        self.convs = nn.Sequential(Conv2dSame(3, 8, 3, stride=2), nn.ReLU(), Conv2dSame(8, 8, 5, stride=2))

    def forward(self, x):
        self.check_image(x)
        return {"c2": self.convs(x)}


def tiny(kind="same"):
    torch.manual_seed(0)
    if kind == "same":
        return build_model(Same(), "linear", 3, aligned=True)
    vit = ViT("vit_tiny", dim=32, depth=1, num_heads=2, image_size=64)
    model = build_model(vit, "deeplabv3plus", 3, aligned=True, channels=16, atrous_rates=(2,))
    return randomise_batch_norm(model)


# ------------------------------------------------------------------------------------- without the packages


@pytest.mark.parametrize("name", PACKAGES)
def test_a_missing_package_is_named(name, monkeypatch, tmp_path, capsys):
    for other in PACKAGES[: PACKAGES.index(name)]:
        monkeypatch.setitem(sys.modules, other, nn)  # there, whatever it is
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=rf'ONNX needs {name}: pip install "deeplab_teach\[export\]"'):
        export_onnx(tmp_path / "new folder" / "model.onnx", tiny())
    assert cli.main(["export", "--out", str(tmp_path / "model.onnx")]) == 1
    assert f"error: ONNX needs {name}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("head", "kind"), [("classification", "ImageClassifier"), ("fcos", "Detector"), (None, "Linear")]
)
def test_what_gives_no_mask_is_refused(head, kind, tmp_path):
    model = build_model("resnet18", head, 3) if head else nn.Linear(3, 3)
    with pytest.raises(ValueError, match=f"only a SegmentationModel of images is exported .*got a {kind}.*Detectors"):
        export_onnx(tmp_path / "model.onnx", model)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("model.pt", {}, r"ends in \.onnx, got '.*model\.pt'"),
        ("model.onnx", {"recipe": {"classes": ["background", "cat"]}}, "has 2 classes, and the model scores 3"),
        ("model.onnx", {"size": (32, 64)}, r"64 pixels or more, got \(32, 64\)"),
    ],
)
def test_arguments_are_checked_first(name, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        export_onnx(tmp_path / name, tiny(), **options)


@pytest.mark.parametrize(("kernel", "stride", "rate"), [(3, 1, 1), (5, 1, 2), (3, 2, 1), (5, 2, 1), (1, 3, 1)])
def test_same_padding_is_that_of_tensorflow(kernel, stride, rate):
    """TensorFlow's own formula rounds up, which the file could not do for any size."""
    conv = Conv2dSame(1, 1, kernel, stride, dilation=rate)
    for size in range(1, 70):
        rows = math.ceil(size / stride)
        assert conv.padding_along(0, size) == max((rows - 1) * stride + (kernel - 1) * rate + 1 - size, 0)


# ---------------------------------------------------------------------------------------- with the packages


@pytest.mark.parametrize("kind", ["same", pytest.param("vit", marks=pytest.mark.slow)])
def test_any_number_of_images_of_any_size(kind, packages, tmp_path, capsys):
    model = tiny(kind).double().train()
    path = export_onnx(tmp_path / "model.onnx", model, {"classes": ["background", "cat", "bus"]}, size=(96, 128))
    assert capsys.readouterr() == ("", "")
    assert model.training and next(model.parameters()).dtype == torch.float64, "the model stays as it was"
    difference, same = compare(path, model)
    assert difference < 1e-4 and same > 0.999
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == ["background", "cat", "bus"]
    assert [axis.shape for axis in (*session.get_inputs(), *session.get_outputs())] == [
        ["batch", 3, "height", "width"],
        ["batch", 3, "height", "width"],
    ]
    for shape in [(3, 3, 4, 4), (1, 3, 33, 250)]:  # one place in the deepest map, and many
        images = torch.rand(shape)
        scores = torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
        with torch.no_grad():
            due = model.float().eval()(model.backbone.normalize(images))
        torch.testing.assert_close(scores, due, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("found", [(0.5, 1.0), (1e-7, 0.9), (math.nan, 0.0)])
def test_a_file_that_answers_otherwise_is_not_kept(found, packages, monkeypatch, tmp_path):
    monkeypatch.setattr(export, "compare", lambda path, model: found)
    monkeypatch.setattr(torch.onnx, "export", lambda *args, **kwargs: Program())
    (tmp_path / "model.onnx").write_text("an older file")
    with pytest.raises(ValueError, match=r"does not answer as the model does.*It was not kept"):
        export_onnx(tmp_path / "model.onnx", tiny())
    assert [path.read_text() for path in tmp_path.iterdir()] == ["an older file"]


class Program:
    def save(self, path, **options):
        path.write_text("a wrong file")


def test_what_pytorch_cannot_write(packages, tmp_path):
    class Branches(Same):
        def forward(self, x):
            return super().forward(x if x.mean() > 0 else -x)

    with pytest.raises(ValueError, match="PyTorch cannot write same with this head as ONNX: "):
        export_onnx(tmp_path / "model.onnx", build_model(Branches(), "linear", 3))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_command(packages, tmp_path, capsys):
    out = tmp_path / "model.onnx"
    assert cli.main(["export", "--out", str(out)]) == 0
    printed, errors = capsys.readouterr()
    assert printed.startswith(f"{out}: ") and "MB; scores differ" in printed and "161 x 203, 97 x 320" in printed
    assert len(printed.splitlines()) == 1 and errors == ""
    import onnxruntime

    image = photo("coffee")[None].float() / 255
    session = onnxruntime.InferenceSession(out)
    scores = torch.from_numpy(session.run(None, {"images": image.numpy()})[0])
    mask = predict_mask(load_model("scenes_deeplabv3plus_mobilenet_v2")[0], image)
    assert (scores.argmax(dim=1) == mask).float().mean() > 0.999
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == list(LESSON_CLASSES)
