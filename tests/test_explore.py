"""The widgets: every control swept through its callback; the picture follows, and the sentence under it fits."""

import datetime
import html
import io
import re

import ipywidgets as widgets
import pytest
import torch
from PIL import Image
from torch import nn

from deeplab_teach import cost, explore, plots
from deeplab_teach.backbones import BACKBONES, FIXED_STRIDES, IMAGE_BACKBONES
from deeplab_teach.datasets import EmojiScenes
from deeplab_teach.explore import (
    answering,
    aspp_windows,
    borders,
    choose,
    conv_sizes,
    cost_of_kinds,
    cut_out,
    definition,
    layer_gradients,
    name_photo,
    neighbours,
    neighbours_viewer,
    outlines,
    picture_passes,
    places,
    play,
    proposals,
    rate_on_a_map,
    rates_in_a_row,
    row_passes,
    ruler,
    stages,
    swap_parts,
    thresholds,
    view_definition,
    view_swap,
    worst_first,
)
from deeplab_teach.explore.costs import kinds
from deeplab_teach.heads import HEADS
from deeplab_teach.metrics import trimap_band
from deeplab_teach.models import build_model
from deeplab_teach.plots.heat import UPSAMPLINGS


@pytest.fixture(autouse=True)
def coarse_pictures(monkeypatch):
    """What is drawn is tested elsewhere: here it is drawn small, which is fast."""
    monkeypatch.setitem(plots.STYLE, "figure.dpi", 40)


@pytest.fixture(autouse=True)
def one_run_per_model(monkeypatch):
    """`count` and `blocks` each run the same model on the meta device: here the second replays the first."""
    last, really = [None, None, []], cost.run_on_meta

    def run_on_meta(model, image_size, hook, inputs=None):
        if last[0] is not model or last[1] != image_size:
            last[:] = model, image_size, []
            really(model, image_size, lambda *call: last[2].append(call))
        for call in last[2]:
            hook(*call)

    monkeypatch.setattr(cost, "run_on_meta", run_on_meta)


def sentence_of(box):
    """The caption as a person reads it; it must be a paragraph of plain words."""
    text = html.unescape(re.fullmatch(r"<p [^>]*>([^<]*)</p>", box.caption.value)[1])
    assert re.fullmatch(r"[A-Za-z].*\.", text) and "nan" not in text and "<" not in text, text
    return text


def shown(box):
    return box.picture.layout.display != "none"


# ------------------------------------------------------------------------------------------------- play


def figure_of(value):
    return plots.draw_lines([0, 1], {"line": [0, value]}, "title", xlabel="x", ylabel="y")


def test_the_picture_follows_the_control():
    calls = []

    def draw(value):
        calls.append(value)
        return figure_of(value), f"The value is {value}."

    box = play(draw, value=widgets.IntSlider(value=1, min=0, max=5))
    assert calls == [1] and sentence_of(box) == "The value is 1."
    before = box.picture.value
    box.controls["value"].value = 4
    assert calls == [1, 4] and sentence_of(box) == "The value is 4." and box.picture.value != before
    box.controls["value"].description = "another name"
    assert calls == [1, 4], "only its value matters"
    box.controls["value"].value = 1
    assert box.picture.value == before


def test_what_does_not_exist_is_said_and_not_drawn():
    def draw(value):
        if value == 3:
            raise ValueError("three is <not> allowed.")
        return figure_of(value), f"The value is {value}."

    box = play(draw, value=widgets.IntSlider(value=1, min=0, max=5))
    assert shown(box)
    box.controls["value"].value = 3
    assert box.caption.value.count("<") == 2, "words of an error are no markup"
    assert "There is nothing to draw: three is <not> allowed." in html.unescape(box.caption.value)
    assert not shown(box), "the last picture belongs to another choice"
    box.controls["value"].value = 2
    assert shown(box) and sentence_of(box) == "The value is 2."


def test_impossible_from_the_start():
    def draw(value):
        raise ValueError("nothing is allowed.")

    box = play(draw, value=widgets.IntSlider())
    assert not shown(box) and "nothing is allowed." in sentence_of(box)


def test_other_errors_are_not_hidden():
    def draw(value):
        raise KeyError("a mistake of ours")

    with pytest.raises(KeyError):
        play(draw, value=widgets.IntSlider())


@pytest.mark.parametrize(("photo", "start"), [(False, b"\x89PNG"), (True, b"\xff\xd8\xff")])
def test_the_format_of_the_picture(photo, start):
    box = play(lambda value: (figure_of(value), "A line."), photo=photo, value=widgets.IntSlider(value=1))
    assert bytes(box.picture.value).startswith(start)
    assert box.picture.format == ("jpeg" if photo else "png")


# ------------------------------------------------------------------------------------------------- lesson 00


def pairs():
    """Every backbone under one head, and every head on backbones of each kind (test_pairs.py tries all pairs)."""
    yield from ((backbone, "linear") for backbone in IMAGE_BACKBONES)
    for backbone in ("mobilenet_v2", "vgg11", "vit_small"):
        yield from ((backbone, head) for head in HEADS if head != "linear")


def test_every_backbone_and_every_head():
    box = swap_parts()
    controls = box.controls
    assert (controls["backbone"].options, controls["head"].options) == (tuple(IMAGE_BACKBONES), tuple(HEADS))
    pictures = {}
    for backbone, head in pairs():
        controls["backbone"].value, controls["head"].value = backbone, head
        text = sentence_of(box)
        stride = FIXED_STRIDES.get(backbone, 16)
        assert shown(box) and text.startswith(f"{backbone} ends in ") and f" channels at stride {stride}" in text
        assert ("no other output stride" in text) == (stride == 32)
        assert f"({HEADS[head].__name__})" in text
        assert ("Neck (" in text) == (head == "fcos" or (backbone, head) == ("vit_small", "deeplabv3plus"))
        answer = {"classification": "1000 scores.", "fully_connected": "1000 scores."}
        answer["fcos"] = "21 scores, a box, and how near its middle the place is."
        assert text.endswith(answer.get(head, "21 score maps of 160 x 160."))
        pictures[backbone, head] = box.picture.value
    assert len(set(pictures.values())) == len(pictures) == len(list(pairs())), "each pair has its own picture"


def test_every_output_stride_and_size():
    box = swap_parts()
    controls = box.controls
    controls["head"].value = "linear"
    controls["backbone"].value = "resnet18"  # the quickest
    assert sorted(controls["output_stride"].options) == [8, 16, 32]
    pictures, costs = [], []
    for output_stride in controls["output_stride"].options:  # 32, 16, 8
        controls["output_stride"].value = output_stride
        assert f"resnet18 ends in 512 channels at stride {output_stride}." in sentence_of(box)
        pictures.append(box.picture.value)
        costs.append(float(re.search(r"weights, ([\d.]+) billion", sentence_of(box))[1]))
    assert len(set(pictures)) == 3 and costs == sorted(set(costs)), "a denser map costs more"
    slider, pictures = controls["image_side"], []
    sides = range(slider.min, slider.max + 1, slider.step)
    assert len(sides) > 10
    for side in sides:
        slider.value = side
        assert sentence_of(box).endswith(f"21 score maps of {side} x {side}.")
        pictures.append(box.picture.value)
    assert len(set(pictures)) == len(sides)


def test_the_sentence_says_what_the_model_is():
    _, sentence = view_swap("resnet50", "classification", 32, 224)
    assert sentence.startswith("resnet50 ends in 2048 channels at stride 32.")
    assert "Backbone: 23.5 million weights, 4.09 billion multiply-adds." in sentence
    assert "Head (ClassificationHead): 2.0 million" in sentence  # 25.6 million in all, as published


def test_an_impossible_choice_is_a_sentence():
    box = swap_parts()
    box.controls["backbone"].value = "alexnet"
    text = sentence_of(box)
    assert text.startswith("There is nothing to draw: a decoder needs a feature map of stride 4;") and not shown(box)
    box.controls["backbone"].value = "resnet18"
    assert shown(box) and sentence_of(box).startswith("resnet18 ends in")


# ------------------------------------------------------------------------------------------------- lesson 01


def test_conv_sizes_swept():
    box = conv_sizes()
    controls = box.controls
    pictures = {box.picture.value}
    for name in controls:
        slider = controls[name]
        start = slider.value
        for value in range(slider.min, slider.max + 1, slider.step):
            slider.value = value
            text = sentence_of(box)
            options = {key: control.value for key, control in controls.items()}
            sizes = [options["size"]]
            for _ in range(options["layers"]):
                layer = nn.Conv1d(1, 1, options["kernel_size"], options["stride"], options["padding"])
                sizes.append(layer(torch.zeros(1, 1, sizes[-1])).shape[-1])
            assert shown(box) and text.startswith(f"Places: {' -> '.join(map(str, sizes))}. ")
            field = 1 + sum((options["kernel_size"] - 1) * options["stride"] ** i for i in range(options["layers"]))
            assert f"reads {field} place" in text
            pictures.add(box.picture.value)
        slider.value = start
    assert len(pictures) == 1 + sum(len(range(c.min, c.max + 1, c.step)) - 1 for c in controls.values())


def test_conv_sizes_that_do_not_fit():
    box = conv_sizes()
    box.controls["size"].value, box.controls["padding"].value = 8, 0
    box.controls["kernel_size"].value, box.controls["layers"].value = 7, 3
    assert "There is nothing to draw: a kernel that reaches over 7 places" in sentence_of(box) and not shown(box)


def a_file(color="red"):
    buffer = io.BytesIO()
    Image.new("RGB", (90, 60), color).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "value", [({"name": "a.png", "content": memoryview(a_file())},), {"a.png": {"content": a_file(), "metadata": {}}}]
)
def test_an_uploaded_file_in_both_versions_of_ipywidgets(value):
    assert explore.uploaded(value) == a_file()
    assert explore.uploaded(type(value)()) is None


class Redness(nn.Module):
    """A classifier of two labels."""

    def __init__(self):
        super().__init__()
        self.backbone = BACKBONES["mobilenet_v2"](width_mult=0.35)

    def forward(self, x):
        return torch.stack([x[:, 0].mean((1, 2)), -x[:, 0].mean((1, 2))], dim=1)


def test_a_photo_of_ones_own_is_named():
    box = name_photo({"mine": Redness()}, ["red", "not red"])
    assert sentence_of(box).startswith("mine says "), "a photograph of the course's until one is uploaded"
    before = box.picture.value
    upload = {"name": "a.png", "type": "image/png", "size": 1, "content": memoryview(a_file())}
    upload["last_modified"] = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    box.controls["upload"].value = (upload,)
    assert sentence_of(box).startswith("mine says red (") and box.picture.value != before
    box.controls["upload"].value = ({**upload, "content": memoryview(a_file("blue"))},)
    assert sentence_of(box).startswith("mine says not red (")
    box.controls["upload"].value = ({**upload, "content": memoryview(b"no picture")},)
    assert "is not an image that can be read" in sentence_of(box) and not shown(box)


# ------------------------------------------------------------------------------------------------- lesson 02


def test_stages_swept():
    runs = []

    def counted(name):
        backbone = BACKBONES[name](width_mult=0.35) if name == "mobilenet_v2" else BACKBONES[name]()
        backbone.register_forward_hook(lambda *args: runs.append(name))
        return backbone.train()

    backbones = {name: counted(name) for name in ("mobilenet_v2", "efficientnet_lite0")}
    box = stages(backbones, ("chelsea", "camera"))
    controls = box.controls
    assert controls["stage"].options == ("c1", "c2", "c3", "c4", "c5")
    pictures = set()
    for name, photograph in (("mobilenet_v2", "chelsea"), ("mobilenet_v2", "camera"), ("efficientnet_lite0", "camera")):
        controls["backbone"].value, controls["photograph"].value = name, photograph
        for key, spec in backbones[name].feature_specs.items():
            controls["stage"].value = key
            for channel in (0, spec.channels - 1, min(spec.channels + 2, 319) if spec.channels < 320 else 7):
                controls["channel"].value = channel
                text = sentence_of(box)
                assert text.startswith(f"{key} of {name}: {spec.channels} channels at stride {spec.stride}, ")
                assert text.endswith(f"channel {channel % spec.channels} alone.")
                pictures.add(box.picture.value)
    assert len(pictures) == 3 * 5 * 3
    assert all(backbone.training for backbone in backbones.values()), "left in the mode they were in"
    assert len(runs) <= 2 * 2, "each backbone runs once per photograph"


# ------------------------------------------------------------------------------------------------- lesson 03


def test_costs_of_kinds_swept():
    box = cost_of_kinds()
    controls, pictures = box.controls, set()
    for control in controls.values():
        start = control.value
        values = control.options if hasattr(control, "options") else range(control.min, control.max + 1, control.step)
        for value in values:
            control.value = value
            options = {key: c.value for key, c in controls.items()}
            works = []
            for layers in kinds(
                *(options[key] for key in ("in_channels", "out_channels", "kernel_size", "expansion"))
            ).values():
                shape = (1, options["in_channels"], options["side"], options["side"])
                total, x = 0, torch.empty(shape, device="meta")
                for layer in layers:
                    x = layer(x)
                    total += cost.multiply_adds(layer, x.shape)
                assert x.shape == (1, options["out_channels"], options["side"], options["side"])
                works.append(total)
            shares = [round(100 * work / works[0]) for work in works[1:]]
            text = sentence_of(box)
            assert f"the separable one does {shares[0]} %." in text and text.endswith(f" does {shares[1]} %.")
            assert shown(box)
            pictures.add(box.picture.value)
        control.value = start
    assert len(pictures) == 1 + 6 + 6 + 3 + 15 + 7


# ------------------------------------------------------------------------------------------------- lesson 04


def test_places_swept():
    runs = []

    def counted(stride):
        model = build_model("mobilenet_v2", "classification", 7, output_stride=stride, hidden_channels=8).train()
        model.backbone.register_forward_hook(lambda *args: runs.append(stride))
        return model

    classifiers = {"coarse": counted(32), "fine": counted(16)}
    box = places(classifiers, [f"label {i}" for i in range(7)], ("chelsea", "camera"))
    controls, pictures = box.controls, set()
    for name, photograph in (("coarse", "chelsea"), ("coarse", "camera"), ("fine", "camera")):
        controls["classifier"].value, controls["photograph"].value = name, photograph
        for control, values in (
            ("rank", (2, 3, 4, 5, 1)),
            ("threshold", range(5, 96, 15)),
            ("upsampling", UPSAMPLINGS),
        ):
            for value in values:
                controls[control].value = value
                text = sentence_of(box)
                size = {"coarse": ("10 x 16", "10 x 10"), "fine": ("20 x 31", "20 x 20")}[name][photograph == "camera"]
                assert text.startswith(f"{name}, {photograph}: {size} places; the surest of them says label ")
                assert f"of the pixels reach {controls['threshold'].value} %." in text and shown(box)
                pictures.add(box.picture.value)
    assert len(pictures) > 30, "each choice has its own picture"
    assert len(runs) == 3, "each classifier runs once per photograph"
    assert all(model.training for model in classifiers.values())


# ------------------------------------------------------------------------------------------------- lessons 05 and 06


def test_rates_in_a_row_swept():
    box = rates_in_a_row()
    controls, pictures = box.controls, set()
    for control in controls.values():
        start = control.value
        for value in range(control.min, control.max + 1, control.step):
            control.value = value
            size, kernel, rate, layers = (controls[key].value for key in ("size", "kernel_size", "rate", "layers"))
            text = sentence_of(box)
            assert text.startswith(f"Places: {size} -> {size}, ") and shown(box)
            conv = nn.Conv1d(1, 1, kernel, dilation=rate, bias=False)
            nn.init.ones_(conv.weight)
            x = torch.zeros(1, 1, 201, requires_grad=True)
            out = x
            for _ in range(layers):
                out = conv(out)
            out[0, 0, out.shape[-1] // 2].backward()
            read = x.grad[0, 0].nonzero().flatten()
            field = (read[-1] - read[0] + 1).item()
            assert text.endswith(f"a field of {field}, and reads {len(read)} of them.")
            pictures.add(box.picture.value)
        control.value = start
    assert len(pictures) == 1 + 24 + 2 + 5 + 2


ROW = torch.tensor([[[1.0, 2.0, 0.0, 3.0, 1.0, 0.0, 2.0, 0.0]]])
FIRST, SECOND = torch.tensor([[[1.0, 2.0, 1.0]]]), torch.tensor([[[1.0, 1.0, 1.0]]])


def test_row_passes_swept():
    """What the sentence says is read is what a gradient reaches, in a network whose stride is left out."""
    box, pictures = row_passes(ROW, FIRST, SECOND), set()
    for passes in (1, 2):
        for place in range(8):
            box.controls["passes"].value, box.controls["place"].value = passes, place
            pictures.add(box.picture.value)
            missing = f"One pass has no place {place}. " if passes == 1 and place % 2 else ""
            place -= place % 2 if passes == 1 else 0
            dense = torch.zeros(1, 1, 8, requires_grad=True)
            ring = nn.functional.pad(dense, (2, 2), mode="circular")
            nn.functional.conv1d(ring, SECOND, dilation=2)[0, 0, place].backward()
            *others, last = dense.grad[0, 0].nonzero().flatten().tolist()
            words = f"Place {place} on top reads places {', '.join(map(str, others))} and {last} below"
            assert sentence_of(box).startswith(missing + words)
    assert len(pictures) == 4 + 8


def test_picture_passes_swept(scenes):
    passes = {(i, j): torch.full((5, 5), (4 * i + j) / 16) for i in range(4) for j in range(4)}
    box, pictures = picture_passes(scenes[0][0], passes, 4), set()
    for count in range(1, 17):
        box.controls["count"].value = count
        assert sentence_of(box) == f"After {count} passes {count / 16:.0%} of the finer map's places are there."
        pictures.add(box.picture.value)
    assert len(pictures) == 16


def test_aspp_windows_swept():
    """The sentence against a convolution of ones over ones, which counts the weights that are on the map."""
    image, rates = torch.rand(3, 150, 97), (1, 3, 6)
    box = aspp_windows(image, BACKBONES["mobilenet_v2"](output_stride=16), rates)
    ones, kernel = torch.ones(1, 1, 10, 7), torch.ones(1, 1, 3, 3)
    counted = {rate: nn.functional.conv2d(ones, kernel, padding=rate, dilation=rate)[0, 0] for rate in rates}
    assert (box.controls["row"].max, box.controls["column"].max) == (9, 6)
    for row in range(10):
        for column in (0, 1, 3, 6):
            box.controls["row"].value, box.controls["column"].value = row, column
            said = {int(rate): int(count) for count, rate in re.findall(r"(\d) at rate (\d)", sentence_of(box))}
            assert said == {rate: int(count[row, column]) for rate, count in counted.items()}
    assert shown(box)


def test_ruler_swept():
    """The sentence against PyTorch itself: a map that holds its own places, stretched, and read where they look."""
    box, exact = ruler(), []
    for stride in (8, 16, 32):
        box.controls["stride"].value = stride
        for size in (33, 60, 64, 65, 129):
            box.controls["size"].value = size
            count = -(-size // stride)
            text = sentence_of(box)
            off = [float(number) for number in re.findall(r"up to (\d+\.\d)", text)]
            assert len(off) == 2 and shown(box)
            exact += [(size, stride)] * (off[1] == 0)
            where = torch.arange(count).float()[None, None]
            for align_corners, said in zip((False, True), off, strict=True):
                drawn = nn.functional.interpolate(where, size=size, mode="linear", align_corners=align_corners)[0, 0]
                # Between the outermost places a stretched map of 0, 1, 2, ... rises by the same everywhere.
                inner = ((drawn > 0) & (drawn < count - 1)).nonzero().flatten()
                slope = (drawn[inner[-1]] - drawn[inner[0]]) / (inner[-1] - inner[0])
                places = inner[0] + (torch.arange(count) - drawn[inner[0]]) / slope
                assert (places - stride * torch.arange(count)).abs().max().item() == pytest.approx(said, abs=0.06)
    assert exact == [(33, 8), (65, 8), (129, 8), (33, 16), (65, 16), (129, 16), (33, 32), (65, 32), (129, 32)]


def test_layer_gradients_swept():
    calls = []

    def measure(blocks, shortcuts):
        calls.append((blocks, shortcuts))
        return [2.0 ** (0 if shortcuts else layer) for layer in range(6 * blocks, -1, -1)]

    box = layer_gradients(measure)
    for blocks in (1, 2):
        for shortcuts in (False, True):
            box.controls["blocks"].value, box.controls["shortcuts"].value = blocks, shortcuts
            text, times = sentence_of(box), 1 if shortcuts else 2 ** (6 * blocks)
            assert text.startswith(f"{'With' if shortcuts else 'Without'} shortcuts, {6 * blocks + 1} convolutions: ")
            assert f"1.0 at the last one, {times}.0 at the first, {times} times as much" in text and shown(box)
    box.controls["blocks"].value = 1
    assert len(calls) == len(set(calls)), "nothing is measured twice"


def test_rates_on_a_map_swept():
    box = rate_on_a_map()
    controls, pictures = box.controls, set()
    for control in controls.values():
        start = control.value
        for value in range(control.min, control.max + 1, 5 if control.max > 40 else 1):
            control.value = value
            size, rate, row, column = (controls[key].value for key in ("size", "rate", "row", "column"))
            row, column = min(row, size - 1), min(column, size - 1)
            conv = nn.Conv2d(1, 1, 3, padding=rate, dilation=rate, bias=False)
            nn.init.ones_(conv.weight)
            read = conv(torch.ones(1, 1, size, size))[0, 0]
            text = sentence_of(box)
            assert text.startswith(
                f"At row {row}, column {column}, {read[row, column]:.0f} of the 9 weights read the map"
            )
            assert f"{100 * read.mean() / 9:.0f} %" in text and shown(box)
            pictures.add((size, rate, row, column, box.picture.value))
        control.value = start
    assert len({picture for *_, picture in pictures}) == len({tuple(choice) for *choice, _ in pictures})


# ------------------------------------------------------------------------------------------------- lesson 07


@pytest.fixture
def scenes():
    return EmojiScenes(3, split="test", size=64)


@pytest.fixture
def runs(monkeypatch, scenes):
    """Models that only shift the truth, and the list of what was run."""
    truths = {scenes[i][0].float().div(255).sum().item(): scenes[i][1]["semantic"] for i in range(len(scenes))}
    runs = []

    def predict(model, images):
        key = images.sum().item()
        truth = next(mask for total, mask in truths.items() if total == pytest.approx(key, rel=1e-6))
        runs.append((model, key))
        return truth.as_subclass(torch.Tensor)[None].roll(model, 1)

    monkeypatch.setattr(outlines, "predict_mask", predict)
    return runs


def test_borders_swept(scenes, runs):
    box = borders({"with decoder": 1, "without": 4}, scenes, scenes.classes)
    scene, width = box.controls["scene"], box.controls["width"]
    assert (scene.min, scene.max) == (0, 2), "every scene can be chosen, and none that is not there"
    pictures = {(scene.value, width.value): box.picture.value}
    for i in (1, 2, 0):
        scene.value = i
        for w in range(width.min, width.max + 1) if i == 0 else (1, 5, 12):
            width.value = w
            text = sentence_of(box)
            truth = scenes[i][1]["semantic"].as_subclass(torch.Tensor)
            band = trimap_band(truth, w)
            shares = [100 * ((truth.roll(n, 0) != truth) & band).sum().item() / band.sum().item() for n in (1, 4)]
            assert text.startswith(f"Scene {i}. ") and f"within {w} pixels of an outline" in text
            assert text.endswith(f": with decoder {shares[0]:.0f} %, without {shares[1]:.0f} %.")
            pictures[i, w] = box.picture.value
    assert len(set(pictures.values())) == len(pictures), "each choice has its own picture"
    assert len(pictures) == 12 + 6
    assert len(runs) == len(set(runs)) == 2 * 3, "each model runs once per scene"


def test_borders_of_one_scene_without_an_outline(runs, monkeypatch, scenes):
    image, target = scenes[0]
    target["semantic"] = target["semantic"] * 0
    monkeypatch.setattr(outlines, "predict_mask", lambda model, images: torch.zeros(1, 64, 64, dtype=torch.int64))
    box = borders({"model": 1}, [(image, target)], scenes.classes)
    assert sentence_of(box).endswith("model 0 %.")


def test_borders_leaves_the_models_in_their_mode(scenes):
    model = build_model("resnet18", "linear", len(scenes.classes)).train()
    box = borders({"untrained": model}, scenes, scenes.classes)
    assert shown(box) and model.training


# ------------------------------------------------------------------------------------------------- lesson 08

CANDIDATES = {
    "small": {"params": 3.5, "work": 0.3, "milliseconds": 15, "top1": 71.9},
    "middle": {"params": 11.7, "work": 1.8, "milliseconds": 30, "top1": 69.8},
    "large": {"params": 44.5, "work": 7.8, "milliseconds": 110, "top1": 77.4},
}


def test_budgets_swept():
    box = choose(CANDIDATES)
    assert sentence_of(box).startswith(
        "Within 140 million"
    ) and "small, middle, large. The most accurate" in sentence_of(box)
    for key, control in box.controls.items():
        start = control.value
        for value in control.options:
            control.value = value
            left = [name for name, row in CANDIDATES.items() if row[key] <= value]
            text = sentence_of(box)
            if left:
                best = max(left, key=lambda name: CANDIDATES[name]["top1"])
                assert f": {', '.join(left)}. " in text and f"is {best}, " in text
            else:
                assert text.startswith("No backbone stays within ")
            assert shown(box)
        control.value = start


# ------------------------------------------------------------------------------------------------- lesson 09

PYRAMID = ("p3", "p4", "p5", "p6", "p7")


def places_of(detector):
    """Where the places of a detector's maps lie on a scene."""
    with torch.inference_mode():
        return detector.eval()(torch.zeros(1, 3, 160, 160))


def test_who_answers_swept():
    detector = build_model("resnet18", "fcos", 3, out_channels=64, depth=1)
    box = answering(torch.rand(3, 160, 160), places_of(detector), PYRAMID)
    controls, maps = box.controls, set()
    for name, values in (("x", (0, 40, 160)), ("y", (0, 160, 80)), ("width", (4, 30, 160)), ("height", (160, 70, 4))):
        start = controls[name].value
        for value in (*values, start):
            controls[name].value = value
            text = sentence_of(box)
            assert shown(box) and (text.startswith("No place answers") or "places answer, of p" in text)
    for side in (20, 60, 150):
        controls["width"].value = controls["height"].value = side
        maps.add(re.search("of (p.*);", sentence_of(box))[1])
    assert maps == {"p3", "p4"}, "the larger one is answered for on the coarser map"
    controls["x"].value, controls["width"].value, controls["height"].value = 84, 4, 4
    assert sentence_of(box).startswith("No place answers"), "between the places"


def test_thresholds_swept():
    scenes = EmojiScenes(3, split="test")
    torch.manual_seed(0)
    detector = build_model("resnet18", "fcos", len(scenes.classes), out_channels=64, depth=1)
    torch.nn.init.constant_(detector.head.cls_logits.bias, 2.0)  # so that it finds something
    torch.nn.init.constant_(detector.head.bbox_reg.bias, 2.0)
    box = thresholds(detector.train(), scenes, scenes.classes)
    kept = []
    for value in (10, 60, 100):
        box.controls["overlap"].value = value
        there, every, left = map(int, re.findall(r"(\d+) (?:objects|boxes|are left)", sentence_of(box)))
        assert there == len(scenes[1][1]["boxes"]) and left <= every
        kept.append(left)
    assert kept == sorted(kept) and kept[0] < kept[-1]
    box.controls["score"].value = 90
    assert " 0 boxes score 90 % or more; 0 are left" in sentence_of(box)
    for scene in range(3):
        box.controls["scene"].value = scene
        assert sentence_of(box).startswith(f"Scene {scene}: ")
    assert detector.training


# ------------------------------------------------------------------------------------------------- lesson 10


def maps_of_regions():
    maps = {f"p{i}": torch.rand(1, 4, 160 // 2**i, 160 // 2**i) for i in (2, 3, 4, 5)}
    return maps, {f"p{i}": 2**i for i in (2, 3, 4, 5)}


def test_cut_out_swept():
    box = cut_out(torch.rand(3, 160, 160), *maps_of_regions())
    controls = box.controls
    for name, values in (("x", (0, 160, 80)), ("y", (160, 0, 80)), ("width", (4, 160, 90)), ("height", (160, 4, 90))):
        for value in values:
            controls[name].value = value
            assert "is cut out of p" in sentence_of(box) or sentence_of(box).startswith("There is nothing to draw")
    controls["width"].value, controls["height"].value = 92, 90
    text = sentence_of(box)
    assert text.startswith("A region of 92 x 90 pixels is cut out of p2, stride 4: 23.0 x 22.5 places become 7 x 7")
    assert text.endswith("the border that moves most would move by 2.0 pixels.") and shown(box)
    for side, name in ((111, "p2"), (112, "p3"), (160, "p3")):
        controls["width"].value = controls["height"].value = side
        assert f"cut out of {name}" in sentence_of(box)
    controls["x"].value, controls["width"].value = 160, 4
    assert "less than 4 pixels of the region are inside" in sentence_of(box)


def test_proposals_swept():
    truth = torch.tensor([[10.0, 10, 50, 50], [80, 80, 120, 140]])
    boxes = torch.cat([truth[:1] + 3, torch.tensor([[0.0, 0, 160, 160]]), truth[1:], torch.rand(9, 4).cumsum(dim=1)])
    box = proposals(torch.rand(3, 160, 160), boxes, truth)
    caught = []
    for count in (1, 2, 5, 10):
        box.controls["count"].value = count
        shown_count, hit, of = map(int, re.findall(r"\d+", sentence_of(box))[:3])
        assert (shown_count, of) == (count, 2) and shown(box)
        caught.append(hit)
    assert caught == [1, 1, 2, 2]


# ------------------------------------------------------------------------------------------------- lesson 11


@pytest.fixture(scope="module")
def few_channels():
    return BACKBONES["mobilenet_v2"](width_mult=0.35).eval()


def test_neighbours_swept(few_channels):
    images = [torch.rand(3, 96, 128) for _ in range(4)]
    box = neighbours(few_channels, images, x=40, y=40)
    for name, values in (("stage", few_channels.feature_specs), ("x", (0, 127, 64)), ("y", (0, 95, 48))):
        for value in values:
            box.controls[name].value = value
            channels = few_channels.feature_specs[box.controls["stage"].value].channels
            assert f"by its {channels} channels of" in sentence_of(box) and "the 3 most like it" in sentence_of(box)
            assert shown(box)


def test_the_nearest_neighbour_of_a_place_is_the_same_place_of_the_same_picture(few_channels, monkeypatch):
    images = [torch.rand(3, 96, 128) for _ in range(4)]
    drawn = {}
    monkeypatch.setattr(plots, "draw_patches", lambda images, places, names, title: drawn.update(locals()))
    view = neighbours_viewer(few_channels, [*images, images[0].clone()])
    view("c4", 70, 20)
    assert torch.equal(drawn["images"][1], images[0]) and drawn["names"][1] == "1.00"
    assert drawn["places"][0] == drawn["places"][1] == (72, 24), "the middles of places, 16 pixels apart"
    assert len(drawn["images"]) == 5 and not any(name == "1.00" for name in drawn["names"][2:])


# ------------------------------------------------------------------------------------------------- a definition


def test_every_definition_gets_a_picture_and_a_sentence():
    box = definition()
    assert "U-Net" in box.caption.value and "BERT" in box.caption.value
    box.controls["reads_image"].value = False
    for key in ("reads_input", "exchanged"):
        before = box.picture.value
        box.controls[key].value = True
        assert box.picture.value != before
    assert "The same four parts" in box.caption.value
    box.controls["learnt_elsewhere"].value = True
    assert "from scratch" in box.caption.value and "U-Net" not in box.caption.value
    nothing = view_definition()[1]
    assert nothing.count(";") == 5, "whoever asks nothing calls all ten a backbone, six of them wrongly"
    assert "BERT" in view_definition(called=True)[1]
    with pytest.raises(ValueError, match="may ask reads_input, .*; got because"):
        view_definition(because=True)


# ------------------------------------------------------------------------------------------------- lesson 13


def test_worst_first_swept(scenes):
    masks = [scenes[i][1]["semantic"].as_subclass(torch.Tensor) for i in range(3)]
    masks[2] = masks[2] * 0
    box = worst_first(scenes, masks, torch.tensor([50.0, 87.6, 12.4]))
    place = box.controls["place"]
    assert (place.value, place.min, place.max) == (1, 1, 3), "it opens at the worst, and every place can be chosen"
    pictures = set()
    for value, number, score in ((1, 2, 12), (2, 0, 50), (3, 1, 88)):
        place.value = value
        pictures.add(box.picture.value)
        share = 100 * (scenes[number][1]["semantic"] == 1).double().mean().item()
        assert sentence_of(box) == (
            f"Photograph {number}, number {value} of 3 from below: {score} %. {scenes.classes[1].capitalize()} fills "
            f"{share:.1f} % of it, {0.0 if number == 2 else share:.1f} % was found."
        )
    assert len(pictures) == 3


def test_worst_first_leaves_out_what_has_no_score_and_takes_names(scenes):
    masks = [scenes[i][1]["semantic"].as_subclass(torch.Tensor) for i in range(3)]
    box = worst_first(scenes, masks, [50.0, float("nan"), 12.4], numbers=[17, 4, 40])
    said = []
    for place in range(box.controls["place"].min, box.controls["place"].max + 1):
        box.controls["place"].value = place
        said.append(sentence_of(box).split(":")[0])
    assert said == ["Photograph 40, number 1 of 2 from below", "Photograph 17, number 2 of 2 from below"]


# ------------------------------------------------------------------------------------------------- old ipywidgets


def test_nothing_that_ipywidgets_7_lacks(scenes, runs):
    """Colab has ipywidgets 7.7: only these widgets, and of their traits only these, which it knows too."""
    known = {
        widgets.Checkbox: {"description", "style", "layout", "value"},
        widgets.Dropdown: {"description", "style", "layout", "options", "value"},
        widgets.SelectionSlider: {"description", "style", "layout", "options", "value", "continuous_update"},
        widgets.IntSlider: {"description", "style", "layout", "value", "min", "max", "step", "continuous_update"},
        widgets.FileUpload: {"accept", "multiple", "style", "layout"},  # style and layout are objects of its own
    }
    boxes = (swap_parts(), borders({"model": 1}, scenes, scenes.classes), conv_sizes(), name_photo({}, []))
    tiny = build_model("mobilenet_v2", "classification", 7)
    boxes += (cost_of_kinds(), places({"tiny": tiny}, range(7), ("chelsea",)), rates_in_a_row(), rate_on_a_map())
    boxes += (row_passes(ROW, FIRST, SECOND), picture_passes(scenes[0][0], {(0, 0): torch.ones(2, 2)}, 2), ruler())
    boxes += (choose(CANDIDATES), definition(), layer_gradients(lambda blocks, shortcuts: [1.0, 2.0]))
    boxes += (aspp_windows(scenes[0][0] / 255, BACKBONES["mobilenet_v2"](), (1, 2, 3)),)
    detector = build_model("resnet18", "fcos", len(scenes.classes), out_channels=64, depth=1)
    boxes += (answering(scenes[0][0], places_of(detector), PYRAMID), thresholds(detector, scenes, scenes.classes))
    boxes += (cut_out(scenes[0][0], *maps_of_regions()), proposals(scenes[0][0], torch.rand(9, 4), torch.rand(2, 4)))
    boxes += (neighbours(BACKBONES["mobilenet_v2"](width_mult=0.35).eval(), [scenes[0][0] / 255] * 2, x=40, y=40),)
    boxes += (worst_first(scenes, [torch.zeros(64, 64, dtype=torch.int64)] * 3, [1.0, 2.0, 3.0]),)
    boxes += (stages({"tiny": BACKBONES["mobilenet_v2"](width_mult=0.35)}, ("chelsea",)),)
    for box in boxes:
        for control in box.controls.values():
            fresh = type(control)(options=[1]) if "options" in known[type(control)] else type(control)()
            private = {"comm", "keys", "log"}
            changed = {
                name
                for name in control.trait_names()
                if not name.startswith("_") and name not in private and getattr(control, name) != getattr(fresh, name)
            }
            assert changed - {"index", "label"} <= known[type(control)], changed
        assert type(box.picture) is widgets.Image and type(box.caption) is widgets.HTML
        assert list(box.children[1:]) == [box.picture, box.caption]
        assert list(box.children[0].children) == list(box.controls.values())
