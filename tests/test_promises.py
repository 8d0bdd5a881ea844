"""What the package promises to people who use it without the lessons; each of these was broken once, for somebody."""

import os
import random
import subprocess
import sys
import warnings

import matplotlib.colors
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.utils.data import Dataset

from deeplab_teach import __main__ as cli
from deeplab_teach import plots
from deeplab_teach.backbones import AdaptedBackbone, mobilenet_v2, resnet18, text_encoder
from deeplab_teach.backbones.resnet_beta import ResNetBeta
from deeplab_teach.backbones.vgg import VGG
from deeplab_teach.checkpoint import load_model, save_model
from deeplab_teach.cost import count
from deeplab_teach.data_files import seed_results
from deeplab_teach.datasets import EmojiScenes, segmentation_collate
from deeplab_teach.datasets.classes import class_colors
from deeplab_teach.device import pick_device
from deeplab_teach.doctor import shadowing
from deeplab_teach.features import Backbone, FeatureSpec, deep_key
from deeplab_teach.heads import HEADS, FCNHead, FCOSHead, LinearHead
from deeplab_teach.heads.fcn import convolutionalise
from deeplab_teach.layers import SeparableConv2d, conv_bn_relu, conv_output_size
from deeplab_teach.losses import segmentation_loss
from deeplab_teach.metrics import confusion_matrix, recall_by_size
from deeplab_teach.models import build_model, mask_rcnn
from deeplab_teach.necks import FPN
from deeplab_teach.papers.multi_scale import predict_multi_scale
from deeplab_teach.predict import predict_boxes, predict_classes, predict_mask, predict_places
from deeplab_teach.speed import folded
from deeplab_teach.training import evaluate, train
from deeplab_teach.weights import load_weights

CLASSES = ("background", "cat", "bus")
RECIPE = {"model": {"backbone": "resnet18", "head": "linear", "num_classes": 3, "output_stride": 32}}


def small(num_classes=3, head="linear", backbone="mobilenet_v2"):
    torch.manual_seed(0)
    return build_model(backbone, head, num_classes)


def scenes(length=4, **options):
    return EmojiScenes(length, size=64, classes=CLASSES, **options)


def run(model, dataset=None, **options):
    options = {"epochs": 1, "batch_size": 2, "device": "cpu", "progress": False, **options}
    return train(model, scenes() if dataset is None else dataset, **options)


class Items(Dataset):
    def __init__(self, *items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


# ------------------------------------------------------------------------------------------------- images


WRONG = {
    "bytes as floats": lambda image: 255 * image,
    "normalised already": lambda image: Backbone().normalize(image),
    "not a number": lambda image: image.clone().fill_(torch.nan),
    "one infinite value": lambda image: torch.where(torch.arange(image.shape[-1]) == 5, torch.inf, image),
}


@pytest.mark.parametrize("what", WRONG)
def test_images_outside_0_to_1_are_refused_at_every_door(what):
    image = WRONG[what](torch.rand(1, 3, 64, 64))
    message = r"images must lie in 0\.\.1, got .*divide 0\.\.255 images by 255, and do not normalise them"
    doors = [
        lambda: predict_mask(small(), image),
        lambda: predict_classes(small(head="classification"), image[0]),
        lambda: predict_places(small(head="classification"), image[0]),
        lambda: predict_boxes(small(head="fcos", backbone="resnet18"), image),
        lambda: evaluate(small(), Items((image[0], torch.zeros(64, 64, dtype=torch.int64)))),
    ]
    for door in doors:
        with pytest.raises(ValueError, match=message):
            door()


def test_what_a_bicubic_filter_adds_is_no_mistake():
    edges = F.interpolate((torch.rand(1, 3, 16, 16) > 0.5).float(), 64, mode="bicubic", antialias=True)
    assert edges.min() < 0 and edges.max() > 1
    Backbone().normalize(edges)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float", "array", "grey array", "palette", "plain mask"])
def test_whatever_a_dataset_gives_goes_one_road(kind):
    image, mask = torch.randint(0, 256, (3, 8, 6), dtype=torch.uint8), torch.randint(0, 3, (8, 6))
    due = image.float() / 255
    if kind == "uint16":
        image = (image.int() * 257).to(torch.uint16)
    if kind == "float":
        image = due.double()
    if kind == "array":
        image, mask = image.permute(1, 2, 0).numpy(), mask.numpy().astype(np.uint16)
    if kind == "grey array":
        image, due = image[0].numpy(), due[:1].expand(3, -1, -1)
    if kind == "palette":
        mask = Image.fromarray(mask.numpy().astype(np.uint8), mode="P")
    target = mask if kind in ("plain mask", "palette", "array") else {"semantic": mask[None]}
    images, masks = segmentation_collate([(image, target)])
    assert images.dtype == torch.float32 and masks.dtype == torch.int64
    torch.testing.assert_close(images[0], due, atol=1e-6, rtol=0)
    assert torch.equal(masks[0], torch.as_tensor(np.asarray(mask).copy()).long())


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([((8, 6), (8, 6)), ((6, 8), (6, 8))], r"differ in size \(6 x 8, 8 x 6\): give the dataset a transform"),
        ([((8, 6), (6, 8))], "an image of 8 x 6 has a mask of 6 x 8"),
        ([((8, 6), (3, 8, 6))], "was a picture of colours read in place of class numbers"),
    ],
)
def test_items_that_do_not_fit(items, message):
    batch = [(torch.rand(3, *size), torch.zeros(mask, dtype=torch.int64)) for size, mask in items]
    with pytest.raises(ValueError, match=message):
        segmentation_collate(batch)
    with pytest.raises(ValueError, match="needs the key 'semantic', a mask .*; it has boxes"):
        segmentation_collate([(batch[0][0], {"boxes": []})])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_of_other_precisions_are_evaluated(dtype):
    model = small().to(dtype)
    assert 0 <= evaluate(model, scenes(2)) <= 1
    assert predict_mask(model, torch.rand(1, 3, 64, 64)).dtype == torch.int64
    if dtype != torch.float64:
        with pytest.raises(ValueError, match="train in float32"):
            run(model)


def test_what_is_predicted_can_be_changed_and_trained_on():
    scores = predict_places(small(head="classification"), torch.rand(3, 64, 64))
    scores += 1
    weight = torch.ones((), requires_grad=True)
    (weight * scores).sum().backward()
    assert weight.grad is not None
    mask = predict_mask(small(), torch.rand(1, 3, 64, 64))
    mask[0, 0] = 1


# ------------------------------------------------------------------------------------------------- heads and layers


@pytest.mark.parametrize("build", [lambda: deep_key({}), lambda: LinearHead({}, 3)])
def test_no_map_at_all(build):
    with pytest.raises(ValueError, match="feature_specs is empty"):
        build()


def test_no_map_for_a_detector():
    with pytest.raises(ValueError, match="maps of one width, got none"):
        FCOSHead({}, 3)


@pytest.mark.parametrize("num_classes", [0, -1, 2.0, True, "3"])
@pytest.mark.parametrize("head", HEADS)
def test_an_impossible_number_of_classes(head, num_classes):
    specs = {"c2": FeatureSpec(32, 4), "c5": FeatureSpec(32, 16)}
    with pytest.raises(ValueError, match="num_classes must be"):
        HEADS[head](specs, num_classes)
    assert HEADS[head](specs, np.int64(3)).num_classes == 3


@pytest.mark.parametrize("layer", [conv_bn_relu, SeparableConv2d])
def test_an_even_kernel_would_shrink_the_map(layer):
    with pytest.raises(ValueError, match="kernel_size must be odd, .*got 2"):
        layer(3, 4, 2)


@pytest.mark.parametrize("wrong", [{"stride": 0}, {"rate": 0}, {"padding": -1}, {"kernel_size": 0}])
def test_a_convolution_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="must be 1 or more"):
        conv_output_size(**{"size": 9, "kernel_size": 3} | wrong)


# ------------------------------------------------------------------------------------------------- other networks


class ChannelsLast(nn.Module):
    def forward(self, x):
        return {"c4": F.avg_pool2d(x, 16).permute(0, 2, 3, 1), "c5": F.avg_pool2d(x, 32).permute(0, 2, 3, 1)}


class OneSize(nn.Module):
    def forward(self, x):
        return {"c5": F.avg_pool2d(x, 32) + torch.zeros(1, 3, 7, 7)}


def test_maps_with_channels_last_are_no_maps():
    with pytest.raises(ValueError, match=r"mine gives c4 \(1, 16, 16, 3\).*Are channels last"):
        AdaptedBackbone(ChannelsLast(), "mine")


def test_a_net_of_one_size_is_no_backbone():
    with pytest.raises(ValueError, match="mine fails on an image of 256 x 256 .*takes images of any size"):
        AdaptedBackbone(OneSize(), "mine")


class ByHand(nn.Module):
    """A convolution by a parameter, and attention by matrix products: work that no layer does."""

    def __init__(self, attend):
        super().__init__()
        self.conv, self.weight, self.attend = nn.Conv2d(3, 8, 3), nn.Parameter(torch.rand(8, 8, 3, 3)), attend

    def forward(self, x):
        x = self.conv(x)
        if self.attend:
            tokens = x.flatten(2)
            return (tokens @ tokens.transpose(1, 2)).softmax(-1) @ tokens
        return F.conv2d(x, self.weight)


@pytest.mark.parametrize("attend", [True, False])
def test_work_outside_of_layers_is_told(attend):
    with pytest.warns(UserWarning, match=r"\d+% of the multiply-adds are not counted: PyTorch's own counter"):
        count(ByHand(attend), (32, 32))


def test_what_is_counted_whole_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        count(build_model("resnet18", "deeplabv3plus", 3), (64, 64))


def test_a_norm_that_does_more_than_normalise_is_not_folded():
    class NormAct(nn.BatchNorm2d):
        def forward(self, x):
            return super().forward(x).relu()

    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), NormAct(4), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)).eval()
    fast = folded(model)
    assert isinstance(fast[1], NormAct) and isinstance(fast[3], nn.Identity)


# ------------------------------------------------------------------------------------------------- training


def test_a_frozen_backbone_stays_as_it_is():
    model = small()
    model.backbone.requires_grad_(False).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    run(model)
    moved = [key for key, value in model.state_dict().items() if not torch.equal(value, before[key])]
    assert moved and all(key.startswith("head.") for key in moved)


def test_a_frozen_stage_stays_and_the_others_learn():
    model = small(backbone="resnet18")
    model.backbone.layer1.requires_grad_(False).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    run(model)
    moved = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert not any(key.startswith("backbone.layer1.") for key in moved)
    assert "backbone.bn1.running_mean" in moved and "backbone.layer2.0.conv1.weight" in moved


def test_a_batch_of_ignored_pixels_teaches_nothing_and_spoils_nothing():
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = segmentation_loss(logits, torch.full((2, 4, 4), 255))
    loss.backward()
    assert loss.item() == 0 and torch.equal(logits.grad, torch.zeros_like(logits))
    unknown = (torch.rand(3, 64, 64), torch.full((64, 64), 255))
    history = run(small(), Items(unknown, unknown, *(scenes(2)[i] for i in range(2))), epochs=2)
    assert all(np.isfinite(row["loss"]) for row in history)


@pytest.mark.parametrize("draw", [random.random, np.random.rand, lambda: torch.rand(()).item()])
def test_the_same_seed_is_the_same_run_whoever_draws(draw):
    darker = lambda image, target: ((image * draw()).to(torch.uint8), target)
    losses = []
    for _ in range(2):
        draw()  # whatever has been drawn before
        losses.append(run(small(), scenes(transforms=darker))[0]["loss"])
    assert losses[0] == losses[1]


def test_a_new_pyramid_learns_at_the_heads_rate(monkeypatch):
    rates = {}
    monkeypatch.setattr(
        torch.optim,
        "AdamW",
        lambda groups, **options: (
            rates.update({id(p): group["lr"] for group in groups for p in group["params"]})
            or torch.optim.SGD([{**group} for group in groups], lr=0.1)
        ),
    )
    model = small(head="deeplabv3plus", backbone="vit_small")
    run(model, lr_backbone=1e-4, lr_head=1e-2)
    of = lambda part: {rates[id(p)] for p in part.parameters()}
    assert of(model.backbone.backbone) == {1e-4} and of(model.head) == of(model.backbone.output) == {1e-2}
    assert len(rates) == len(list(model.parameters()))


def test_no_text_is_made_for_a_bar_that_nobody_sees(monkeypatch):
    from deeplab_teach.training import loop

    calls = []
    monkeypatch.setattr(loop, "_status", lambda *args: calls.append(args) or "")
    run(small(), epochs=2)
    assert len(calls) == 2, "one for each epoch, none for a step"


@pytest.mark.parametrize("head", ["fcos", "classification"])
def test_only_segmentation_models_have_masks_to_be_judged(head):
    model = small(head=head, backbone="resnet18")
    doors = [lambda model: evaluate(model, scenes())]
    if head == "classification":
        doors.append(run)  # nor is a classifier trained by what trains masks and boxes
    for door in doors:
        with pytest.raises(ValueError, match="needs one of type SegmentationModel"):
            door(model)


@pytest.mark.parametrize("num_classes", [2, 21])
def test_classes_that_differ_are_seen_before_the_first_step(num_classes, monkeypatch):
    model = small(num_classes)
    monkeypatch.setattr(type(model), "forward", lambda self, x: pytest.fail("a step was made"))
    with pytest.raises(ValueError, match=f"the model has {num_classes} classes and the dataset 3"):
        run(model)


@pytest.mark.parametrize("where", ["a folder", "below a file"])
def test_a_place_that_cannot_be_written_is_seen_before_the_first_step(where, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    place = tmp_path if where == "a folder" else tmp_path / "file" / "model.run"
    model = small()
    monkeypatch.setattr(type(model), "forward", lambda self, x: pytest.fail("a step was made"))
    with pytest.raises(OSError, match="is a folder|cannot be written"):
        run(model, run=place)
    out = place if where == "a folder" else place.with_suffix(".safetensors")
    with pytest.raises(OSError, match="is a folder|cannot be written"):
        save_model(out, build_model(**RECIPE["model"]), RECIPE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


# ------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("wrap", [torch.compile, nn.DataParallel, lambda m: torch.compile(nn.DataParallel(m))])
def test_what_is_wrapped_around_a_model_is_not_saved(wrap, tmp_path):
    model = build_model(**RECIPE["model"])
    path = save_model(tmp_path / "model.safetensors", wrap(model), RECIPE)
    loaded = load_model(path)[0].state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in model.state_dict().items())


def test_what_could_not_be_loaded_is_not_saved(tmp_path):
    model, out = build_model("resnet18", "linear", 11), tmp_path / "model.safetensors"
    with pytest.raises(ValueError, match=r"head\.classifier\.weight is \(11, 512, 1, 1\)"):
        save_model(out, model, RECIPE)
    with pytest.raises(ValueError, match="the recipe builds no model of this course"):
        save_model(out, model, {"classes": []})
    assert list(tmp_path.iterdir()) == []


def test_the_hint_for_other_classes_is_right():
    """1000 published classes into 3: what the message says is what helps."""
    model = build_model("mobilenet_v2", "classification", 3)
    with pytest.raises(ValueError, match=r"`load_weights\(model\.backbone, 'mobilenet_v2'\)`") as error:
        load_weights(model)
    before = model.backbone.state_dict()["features.0.0.weight"].clone()
    exec(str(error.value).split("`")[1], {"model": model, "load_weights": load_weights})
    assert not torch.equal(model.backbone.state_dict()["features.0.0.weight"], before)


def test_a_device_that_is_not_there(tmp_path):
    path = save_model(tmp_path / "model.safetensors", build_model(**RECIPE["model"]), RECIPE)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="device 'cuda' is not available here"):
            load_model(path, device="cuda")
    assert next(load_model(path, device=None)[0].parameters()).device.type == pick_device().type


def test_a_home_folder_by_its_sign(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save_model("~/model.safetensors", build_model(**RECIPE["model"]), RECIPE)
    assert (tmp_path / "model.safetensors").is_file()
    load_model("~/model.safetensors")
    run(small(), run="~/model.run")
    assert (tmp_path / "model.run").is_file()


# ------------------------------------------------------------------------------------------------- own classes


def test_classes_of_your_own_have_colours():
    names = ["background", "road", "cat", "sky"]
    colors = class_colors(names)
    assert len({tuple(color) for color in colors.tolist()}) == 4
    assert (colors[[0, 2]] == class_colors(["background", "cat"])).all(), "VOC's names keep VOC's colours"
    mask = torch.arange(4)[:, None].expand(4, 5)
    assert torch.equal(plots.color_mask(mask, names)[:, :, 0].T, torch.as_tensor(colors))
    plots.draw_masks([torch.rand(3, 4, 5)], {"mask": [mask]}, names, "Mine")
    with pytest.raises(ValueError, match="class names must be different"):
        class_colors(["road", "road"])


def test_every_pixel_can_count():
    labels = torch.tensor([[0, 1], [2, 2]])
    assert torch.equal(confusion_matrix(labels, labels, 3, ignore_index=None).diagonal(), torch.tensor([1, 1, 2]))
    with pytest.raises(ValueError, match="labels must be in"):
        confusion_matrix(labels, labels + 253, 3, ignore_index=None)


# ------------------------------------------------------------------------------------------------- drawing


def test_a_dark_style_leaves_dark_words_on_the_white_card():
    features = {"c5": torch.rand(1, 4, 3, 3)}
    draws = [
        lambda: plots.draw_features(torch.rand(3, 9, 9), features, "Title"),
        lambda: plots.draw_lines([1, 2], {"a": [1, 2]}, "Title", xlabel="x", ylabel="y"),
        lambda: plots.draw_conv(8, [(3, 1, 1, 1)], "Title"),
    ]
    for draw in draws:
        with plt.style.context("dark_background"):
            fig = draw()
        words = [*fig.findobj(matplotlib.text.Text)]
        dark = [sum(matplotlib.colors.to_rgb(word.get_color())) < 2.2 for word in words if word.get_text()]
        assert dark and all(dark)


def test_a_neck_has_its_own_colour_in_the_bars():
    costs = {"fcos": count(build_model("resnet18", "fcos", 3), (64, 64))}
    fig = plots.draw_costs(costs, "Cost")
    drawn = {matplotlib.colors.to_hex(bar.get_facecolor()).upper() for bar in fig.axes[0].patches}
    assert drawn == {plots.COLORS[role].upper() for role in ("backbone", "neck", "head")}
    assert sum(bar.get_width() for bar in fig.axes[1].patches) == pytest.approx(costs["fcos"].multiply_adds / 1e9)


# ------------------------------------------------------------------------------------------------- the command line


def test_a_mask_has_the_size_of_its_picture(tmp_path, capsys):
    Image.fromarray(np.random.randint(0, 255, (200, 250, 3), dtype=np.uint8)).save(tmp_path / "фото.jpg")
    assert cli.main(["predict", str(tmp_path / "фото.jpg"), "--max-side", "100"]) == 0
    assert Image.open(tmp_path / "фото.overlay.png").size == (250, 200)
    assert "(looked at with 100 x 80 pixels)" in capsys.readouterr().out


def test_a_mask_is_no_jpeg(tmp_path, capsys):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    assert cli.main(["predict", str(tmp_path / "a.png"), "--out", str(tmp_path / "m.jpg")]) == 1
    assert "--out must end in .png" in capsys.readouterr().err
    assert not (tmp_path / "m.jpg").exists()


def test_a_terminal_that_cannot_write_a_name(tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "фото.png")
    argv = [sys.executable, "-m", "deeplab_teach", "predict", str(tmp_path / "фото.png")]
    environment = os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(argv, capture_output=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert b"????.overlay.png" in done.stdout and (tmp_path / "фото.overlay.png").is_file()


def test_the_doctor_sees_files_that_hide_modules(tmp_path):
    assert list(shadowing(tmp_path)) == []
    for name in ("random.py", "copy.py", "torch.py", "mine.py"):
        (tmp_path / name).write_text("")
    hidden = [text for _, text, _ in shadowing(tmp_path)]
    assert ["hides the module `copy`" in hidden[0], len(hidden)] == [True, 3]
    command = [sys.executable, "-m", "deeplab_teach", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1 and "random.py hides the module `random`" in done.stdout, done.stderr


def test_an_upload_that_is_no_image_is_told_as_such():
    import ipywidgets as widgets

    from deeplab_teach.explore import names_viewer
    from deeplab_teach.explore.shell import play

    upload = widgets.FileUpload()
    draw = lambda upload: names_viewer({}, [])(({"content": b"no image"},))
    box = play(draw, upload=upload)
    assert "There is nothing to draw: " in box.caption.value and "is not an image" in box.caption.value


def test_a_model_of_ones_own_parts():
    """`build_model` takes what is built already, and a class of one's own."""

    class Mine(LinearHead):
        pass

    backbone = mobilenet_v2(output_stride=8)
    model = build_model(backbone, Mine, 5)
    assert model.backbone is backbone and type(model.head) is Mine and model.num_classes == 5
    detector = build_model(resnet18(), "fcos", 3)
    assert list(detector.backbone.feature_specs) == ["p3", "p4", "p5", "p6", "p7"]
    with pytest.raises(ValueError, match="leave output_stride out"):
        build_model(backbone, Mine, 5, output_stride=16)
    with pytest.raises(ValueError, match="declares its task, one of classification, segmentation, detection; Linear"):
        build_model(backbone, nn.Linear, 5)


def test_doors_that_a_reading_of_the_docstrings_found(tmp_path):
    """Each promised a `ValueError` or a value, and gave something else."""
    cases = [
        (lambda: AdaptedBackbone(Gives({"c2": None}), "mine"), "and mine gives c2: NoneType"),
        (lambda: AdaptedBackbone(Gives({}), "mine"), "and mine gives nothing"),
        (lambda: AdaptedBackbone(Gives(None), "mine"), "mine gives a NoneType"),
        (lambda: AdaptedBackbone(Gives({"a": torch.zeros(1, 2, 8, 8)}), "mine", keys=["c2"]), "names its own: a"),
        (lambda: AdaptedBackbone(Gives([torch.zeros(1, 2, 8, 8)] * 2), "mine", keys=["c1", "c1"]), "one key for each"),
        (lambda: VGG("vgg12"), "unknown VGG 'vgg12'"),
        (lambda: text_encoder(dim=-4), "dim must be 1 or more"),
        (lambda: text_encoder(depth=0), "depth must be 1 or more"),
        (lambda: ResNetBeta("mine", (1, 1, 1, 1), multi_grid=(1,)), "2 units or more"),
        (lambda: segmentation_loss(torch.zeros(3, 4, 4), torch.zeros(3, 4, 4).long()), "logits must be of shape"),
        (lambda: conv_output_size(-3, 1, padding=2), "size, kernel_size"),
        (lambda: predict_multi_scale(build_model("resnet18", "classification", 3), torch.rand(1, 3, 64, 64)), "Segm"),
        (
            lambda: predict_places(build_model("text_encoder", "classification", 3), torch.rand(3, 64, 64)),
            "image class",
        ),
        (lambda: plots.draw_bars({"a": dict.fromkeys("bcde", 1.0)}, "t", xlabel="x"), "at most 3 different parts"),
        (
            lambda: plots.draw_lines([1, 2], dict.fromkeys("abcdef", [1, 2]), "t", xlabel="x", ylabel="y"),
            "for 6 curves",
        ),
    ]
    model = build_model(**RECIPE["model"])
    for recipe, message in (
        ({"model": {**RECIPE["model"], "backbone": "nothing"}}, "builds no model"),
        ({**RECIPE, "classes": {1, 2}}, "what JSON can"),
    ):
        cases.append((lambda recipe=recipe: save_model(tmp_path / "a.safetensors", model, recipe), message))
    cases.append((lambda: save_model(tmp_path / "a.bin", model, RECIPE), r"ends in \.safetensors"))
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
    assert list(tmp_path.iterdir()) == []


class Gives(nn.Module):
    """A body that gives what it was made with."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return self.value


def test_values_that_a_reading_of_the_docstrings_found():
    assert convolutionalise(nn.Linear(3, 4).half()).weight.dtype == torch.float16
    truth = [{"masks": torch.zeros(1, 4, 4), "labels": torch.ones(1).long()}]
    shares, counts = recall_by_size(torch.zeros(1, 4, 4).long(), truth)
    assert counts == [0, 0, 0] and all(np.isnan(shares))
    assert seed_results("2") == seed_results("02")
    three = FPN(mobilenet_v2(), keys=["c2", "c3", "c4"], extra="pool")
    assert mask_rcnn(three, 3).roi_heads.box_roi_pool.featmap_names == ["p2", "p3", "p4"]

    class Plain(FCNHead):
        def __init__(self, feature_specs, num_classes, **options):
            super().__init__(feature_specs, num_classes, **options)

    assert build_model("resnet18", Plain, 3, channels=7).head.classifier.in_channels == 7
