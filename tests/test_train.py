"""Training: it learns, it repeats, it can be stopped and gone on with, and it says what is wrong."""

import copy
import re

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from deeplab_teach.check.lesson13 import set_poly_rates
from deeplab_teach.datasets import EmojiScenes
from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.heads import DeepLabV3Head, DeepLabV3PlusHead, FCNHead, LinearHead
from deeplab_teach.layers import conv_bn_relu
from deeplab_teach.losses import segmentation_loss
from deeplab_teach.models import SegmentationModel, build_model
from deeplab_teach.training import (
    dataset_confusion,
    evaluate,
    freeze,
    freeze_batch_norm,
    linear_probe,
    mean_recall,
    parameter_groups,
    runs,
    train,
)
from deeplab_teach.training.tasks import task_of

CLASSES = ("background", "cat", "bus")
SIZE = 32


class TinyBackbone(Backbone):
    """Two convolutions: the contract without the cost."""

    name = "tiny"

    def __init__(self, *, rate=1):
        super().__init__()
        self.feature_specs = {"c2": FeatureSpec(8, 4), "c5": FeatureSpec(16, 8)}
        self.early = nn.Sequential(nn.AvgPool2d(4), *conv_bn_relu(3, 8, 3))
        self.late = nn.Sequential(nn.MaxPool2d(2), *conv_bn_relu(8, 16, 3, rate=rate))

    def forward(self, x):
        self.check_image(x)
        early = self.early(x)
        return {"c2": early, "c5": self.late(early)}


def tiny_model(head=DeepLabV3PlusHead, seed=0, *, rate=1, **options):
    torch.manual_seed(seed)
    backbone = TinyBackbone(rate=rate)
    if head is DeepLabV3PlusHead:
        options = {"channels": 8, "low_level_channels": 4, "atrous_rates": (1, 2), **options}
    return SegmentationModel(backbone, head(backbone.feature_specs, len(CLASSES), **options))


def random_light(image, target):
    """An augmentation that draws from torch's random state, as torchvision's do."""
    return (image.float() * (0.6 + 0.4 * torch.rand(()))).to(torch.uint8), target


def scenes(length=8, **options):
    return EmojiScenes(length, size=SIZE, classes=CLASSES, **{"transforms": random_light, **options})


def val_scenes():
    return scenes(4, split="val", transforms=None)


class Stopping(Dataset):
    """A data set that is interrupted at the `at`-th image it is asked for, as by Ctrl-C."""

    def __init__(self, dataset, at):
        self.dataset, self.at, self.asked = dataset, at, 0

    def __repr__(self):
        return repr(self.dataset)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        self.asked += 1
        if self.asked == self.at:
            raise KeyboardInterrupt
        return self.dataset[index]


def run(model, dataset=None, **options):
    options = {"epochs": 3, "batch_size": 4, "device": "cpu", "progress": False, **options}
    return train(model, dataset or scenes(), **options)


def assert_same(a, b):
    a, b = a.state_dict(), b.state_dict()
    assert a.keys() == b.keys()
    assert [key for key in a if not torch.equal(a[key], b[key])] == []


def differs(a, b):
    return any(not torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


# ------------------------------------------------------------------------------------------------- it learns


@pytest.mark.parametrize("head", [LinearHead, FCNHead, DeepLabV3Head, DeepLabV3PlusHead])
def test_the_loss_falls_under_every_dense_head(head):
    model = tiny_model(head)
    options = {"lr_backbone": 0.02, "lr_head": 0.02}
    history = run(model, scenes(transforms=None), epochs=12, val_set=val_scenes(), **options)
    assert history[-1]["loss"] < 0.75 * history[0]["loss"]
    assert [row["epoch"] for row in history] == list(range(1, 13))
    assert all(0 <= row["miou"] <= 1 for row in history)
    assert history[-1]["miou"] == pytest.approx(evaluate(model, val_scenes()))
    assert not any(module.training for module in model.modules()), "what comes back is ready to predict"


def test_a_model_is_trained_where_it_is(monkeypatch):
    """Whoever has a GPU and does not ask for it stays on the CPU, where the lessons' own tensors are."""
    monkeypatch.setattr("deeplab_teach.training.loop.pick_device", lambda wanted: torch.device("meta"))
    model = tiny_model()
    run(model, epochs=1, device=None)
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}


def test_no_validation_no_miou():
    assert [row["miou"] for row in run(tiny_model(), epochs=1)] == [None]


def test_same_seed_same_run_other_seed_another():
    models = [tiny_model() for _ in range(3)]
    histories = []
    for model, seed, noise in zip(models, (0, 0, 1), (5, 6, 7), strict=True):
        torch.manual_seed(noise)  # what happened before in the session must not matter
        histories.append(run(model, epochs=2, seed=seed))
    assert_same(models[0], models[1])
    assert histories[0] == histories[1]
    assert differs(models[0], models[2])


@pytest.mark.parametrize(("frozen", "trained"), [("backbone", "head"), ("head", "backbone")])
def test_backbone_and_head_have_their_own_rates(frozen, trained):
    model = tiny_model()
    before = copy.deepcopy(model)
    run(model, epochs=1, **{f"lr_{frozen}": 0.0})
    assert not differs(getattr(model, frozen), getattr(before, frozen))
    assert differs(getattr(model, trained), getattr(before, trained))


def test_the_rates_are_those_asked_for_and_fall_towards_the_end(tmp_path):
    run(tiny_model(), run=tmp_path / "a.run", lr_backbone=1e-3, lr_head=2e-3, weight_decay=0.05)
    groups = torch.load(tmp_path / "a.run", weights_only=True)["optimizer"]["param_groups"]
    assert [group["max_lr"] for group in groups] == [1e-3, 2e-3]
    assert [group["weight_decay"] for group in groups] == [0.05, 0.05]
    assert all(group["lr"] < group["max_lr"] / 5 for group in groups), "one cycle, as long as the run"


@pytest.mark.parametrize("length", [2, 3, 5, 9])
def test_data_that_do_not_fill_their_batches(length):
    history = run(tiny_model(), scenes(length), epochs=2)
    assert len(history) == 2 and all(row["loss"] > 0 for row in history)


def test_one_epoch_of_one_step():
    assert len(run(tiny_model(), scenes(2), epochs=1)) == 1


# ------------------------------------------------------------------------------------------------- what is seen


def test_the_bar_shows_loss_and_miou(capsys):
    run(tiny_model(), epochs=2, val_set=val_scenes(), progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"4/4 .*loss \d\.\d{3}, mIoU \d+\.\d", err), err


def test_without_progress_it_is_silent(capsys):
    run(tiny_model(), epochs=1, val_set=val_scenes())
    assert capsys.readouterr() == ("", "")


# ------------------------------------------------------------------------------------------------- stopped and gone on


@pytest.fixture(scope="module")
def unbroken():
    model = tiny_model()
    return model, run(model, val_set=val_scenes())


def test_a_run_file_changes_nothing(unbroken, tmp_path):
    model = tiny_model()
    assert run(model, val_set=val_scenes(), run=tmp_path / "a.run") == unbroken[1]
    assert_same(model, unbroken[0])


@pytest.mark.parametrize("at", [9, 13, 16])  # the first, a middle and the last image of epoch 2
def test_interrupted_and_resumed_equals_unbroken(unbroken, tmp_path, at):
    path = tmp_path / "deep" / "a.run"
    with pytest.raises(KeyboardInterrupt):
        run(tiny_model(), Stopping(scenes(), at), val_set=val_scenes(), run=path)
    state = torch.load(path, weights_only=True)
    assert state["history"] == unbroken[1][:1], "the whole epoch before is kept"
    assert [file.name for file in path.parent.iterdir()] == ["a.run"]
    model = tiny_model(seed=123)  # its weights come from the file
    torch.manual_seed(99)
    counting = Stopping(scenes(), None)
    assert run(model, counting, val_set=val_scenes(), run=path) == unbroken[1]
    assert counting.asked == 16, "epochs 2 and 3 were left"
    assert_same(model, unbroken[0])


def test_interrupted_while_evaluating(unbroken, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tiny_model(), val_set=Stopping(val_scenes(), 6), run=tmp_path / "a.run")
    model = tiny_model()
    assert run(model, val_set=val_scenes(), run=tmp_path / "a.run") == unbroken[1]
    assert_same(model, unbroken[0])


def test_interrupted_while_writing(unbroken, tmp_path, monkeypatch):
    path, calls, save = tmp_path / "a.run", [], torch.save

    def half(state, target):
        calls.append(target)
        save(state, target)
        if len(calls) == 2:
            target.write_bytes(target.read_bytes()[:1000])
            raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(KeyboardInterrupt):
        run(tiny_model(), val_set=val_scenes(), run=path)
    assert len(calls) == 2 and [file.name for file in tmp_path.iterdir()] == ["a.run"]
    model = tiny_model()
    assert run(model, val_set=val_scenes(), run=path) == unbroken[1]
    assert_same(model, unbroken[0])


def test_a_finished_run_is_not_trained_again(unbroken, tmp_path):
    run(tiny_model(), val_set=val_scenes(), run=tmp_path / "a.run")
    model, counting = tiny_model(seed=5), Stopping(scenes(), None)
    assert run(model, counting, val_set=val_scenes(), run=tmp_path / "a.run") == unbroken[1]
    assert counting.asked == 0
    assert_same(model, unbroken[0])


@pytest.fixture(scope="module")
def run_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "a.run"
    run(tiny_model(), run=path, epochs=1)
    return path


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (lambda: tiny_model(LinearHead), "names or shapes"),
        (lambda: tiny_model(channels=4), "names or shapes"),
        (lambda: tiny_model(rate=2), "strides or rates"),  # another output stride: the same parameters
        (lambda: tiny_model(atrous_rates=(1, 3)), "strides or rates"),
    ],
)
def test_resumed_with_another_architecture(run_file, model, what):
    model = model()
    before = copy.deepcopy(model)
    with pytest.raises(ValueError, match=rf"a\.run was of another architecture: it has other {what}"):
        run(model, run=run_file, epochs=1)
    assert_same(model, before)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"epochs": 2}, "epochs: 1 there, 2 here"),
        ({"batch_size": 2}, "batch_size: 4 there, 2 here"),
        ({"seed": 7}, "seed: 0 there, 7 here"),
        ({"lr_head": 0.5}, r"lr_head: 0\.003 there, 0\.5 here"),
        ({"lr_backbone": 0.5}, "lr_backbone"),
        ({"weight_decay": 0.5}, "weight_decay"),
    ],
)
def test_resumed_with_other_settings(run_file, options, what):
    with pytest.raises(ValueError, match=f"other settings.*{what}"):
        run(tiny_model(), run=run_file, **{"epochs": 1, **options})


def test_resumed_with_other_data(run_file):
    with pytest.raises(ValueError, match="steps: 2 there, 3 here"):
        run(tiny_model(), scenes(12), run=run_file, epochs=1)


def half_of(path):
    return path.read_bytes()[: path.stat().st_size // 2]


@pytest.mark.parametrize("damage", [lambda path: b"", lambda path: b"no run at all", half_of])
def test_a_damaged_run_file(run_file, tmp_path, damage):
    path = tmp_path / "bad.run"
    path.write_bytes(content := damage(run_file))
    with pytest.raises(ValueError, match=r"bad\.run is not the state of a training run") as caught:
        run(tiny_model(), run=path, epochs=1)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert path.read_bytes() == content, "what is there is the learner's to delete"


@pytest.mark.parametrize("missing", ["model", "optimizer", "schedule", "settings", "history"])
def test_a_run_file_with_a_part_missing(run_file, tmp_path, missing):
    state = torch.load(run_file, weights_only=True)
    del state[missing]
    torch.save(state, tmp_path / "part.run")
    with pytest.raises(ValueError, match="is not the state of a training run"):
        run(tiny_model(), run=tmp_path / "part.run", epochs=1)


# ------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(("length", "batch_size"), [(8, 1), (1, 8), (8, 0)])
def test_a_batch_of_one(length, batch_size):
    with pytest.raises(ValueError, match=f"batches of 2 images or more, got batch_size={batch_size} and {length} im"):
        run(tiny_model(), scenes(length), batch_size=batch_size)


@pytest.mark.parametrize("epochs", [0, -1])
def test_no_epoch(epochs):
    with pytest.raises(ValueError, match=f"epochs must be 1 or more, got {epochs}"):
        run(tiny_model(), epochs=epochs)


class Relabelled(Dataset):
    """The same scenes, one pixel of each with another label."""

    def __init__(self, label):
        self.label = label

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if not 0 <= index < 4:
            raise IndexError(index)
        image, target = scenes(4)[index]
        target["semantic"][0, 0] = self.label
        return image, target


@pytest.mark.parametrize("label", [3, 17, -1])
def test_labels_out_of_range(label):
    with pytest.raises(ValueError, match=rf"labels must be in 0\.\.2 or 255 \(ignored\), got {label}\."):
        run(tiny_model(), Relabelled(label))


def test_ignored_pixels_are_allowed():
    assert run(tiny_model(), Relabelled(255), epochs=1)[0]["loss"] > 0


def test_a_device_that_is_not_there():
    with pytest.raises(ValueError, match="device 'abacus' is not available here; there are:.*cpu"):
        run(tiny_model(), device="abacus")


# ------------------------------------------------------------------------------------------------- evaluate


class Marked(Dataset):
    """Images whose red tells the label and whose green tells which pixels the oracle below gets wrong."""

    def __init__(self, wrong_near_outlines=None, count=5):
        self.items = []
        for i in range(count):
            label = torch.zeros(24, 20, dtype=torch.int64)
            label[6 : 12 + i, 5:15] = 1 + i % 2
            label[0, 0] = 255
            outline = torch.zeros(24, 20, dtype=torch.bool)  # two pixels on both sides of the outline
            outline[4 : 14 + i, 3:17] = True
            outline[8 : 10 + i, 7:13] = False
            outline[:3, :3] = True
            wrong = torch.zeros_like(outline)
            if wrong_near_outlines is not None:
                wrong = outline if wrong_near_outlines else ~outline
            image = torch.stack([label, wrong.long(), torch.zeros_like(label)]).to(torch.uint8)
            self.items.append((image, {"semantic": label}))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


class Oracle(nn.Module):
    """Reads the truth off the image, and is wrong where the image says so."""

    class Eyes(nn.Module):
        def normalize(self, images):
            return images

    def __init__(self):
        super().__init__()
        self.num_classes = 3
        self.backbone = self.Eyes()
        self.norms = nn.ModuleList(nn.BatchNorm2d(1) for _ in range(2))
        self.modes = []

    def forward(self, x):
        self.modes.append(any(module.training for module in self.modules()))
        label, wrong = (x[:, :2] * 255).round().long().unbind(dim=1)
        label = label.where(label != 255, 0)
        return nn.functional.one_hot((label + wrong) % 3, 3).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_a_perfect_model(batch_size):
    assert evaluate(Oracle(), Marked(), batch_size=batch_size) == 1.0


def test_every_image_counts():
    dataset = Marked()
    image, target = dataset.items[-1]
    dataset.items[-1] = (image * 0, target)  # the last one, in a batch of its own, all background
    assert evaluate(Oracle(), dataset, batch_size=4) < 0.95


def test_the_trimap_looks_near_outlines_only():
    everywhere, near = (evaluate(Oracle(), Marked(False), trimap_width=width) for width in (None, 2))
    assert near == 1.0 and everywhere < 0.6
    everywhere, near = (evaluate(Oracle(), Marked(True), trimap_width=width) for width in (None, 2))
    assert near == 0.0 and everywhere > 0.1


def test_evaluating_leaves_each_module_in_its_mode():
    model = Oracle().train()
    model.norms[0].eval()  # frozen on purpose
    evaluate(model, Marked())
    assert model.modes == [False]
    assert model.training and not model.norms[0].training and model.norms[1].training
    model.num_classes = 2
    with pytest.raises(ValueError, match=r"labels must be in 0\.\.1"):
        evaluate(model, Marked())
    assert model.training and not model.norms[0].training, "also after an error"


def test_evaluating_changes_no_weight():
    model = tiny_model().train()
    before = copy.deepcopy(model)
    evaluate(model, val_scenes())
    assert_same(model, before)


def test_the_state_of_a_run_is_small_and_plain(run_file):
    """Loadable without running code (`weights_only`), and nothing in it but what `train` says."""
    state = torch.load(run_file, weights_only=True)
    assert set(state) == {"model", "strides", "optimizer", "schedule", "settings", "history"}
    assert runs._strides(tiny_model()) == state["strides"]


# ------------------------------------------------------------------------------------------------- schedules, freezing


@pytest.mark.parametrize("schedule", ["one_cycle", "poly"])
def test_the_rates_of_a_schedule(schedule, monkeypatch):
    rates, step = [], torch.optim.AdamW.step

    def noting(self, *args, **options):
        rates.append([group["lr"] for group in self.param_groups])
        return step(self, *args, **options)

    monkeypatch.setattr(torch.optim.AdamW, "step", noting)
    run(tiny_model(), schedule=schedule, lr_backbone=1e-3, lr_head=2e-3)
    steps = len(rates)
    assert all(head == pytest.approx(2 * backbone) for backbone, head in rates)
    of_head = [head for _, head in rates]
    if schedule == "poly":  # DeepLab's: (1 - step / steps) ** 0.9
        assert of_head == pytest.approx([2e-3 * (1 - i / steps) ** 0.9 for i in range(steps)])
    else:
        peak = of_head.index(max(of_head))
        assert 0 < peak < steps / 2 and of_head == sorted(of_head[:peak]) + sorted(of_head[peak:], reverse=True)


def test_the_poly_rates_of_lesson_13_are_pytorchs():
    """At every step of two groups, and past the last one, for three powers."""
    for power in (0.9, 0.5, 2):
        optimizers = []
        for _ in range(2):
            groups = [{"params": [nn.Parameter(torch.ones(1))], "lr": rate} for rate in (0.01, 0.2)]
            optimizers.append(torch.optim.SGD(groups))
        schedule = torch.optim.lr_scheduler.PolynomialLR(optimizers[0], total_iters=30, power=power)
        for group in optimizers[1].param_groups:
            group["initial_lr"] = group["lr"]
        for step in range(33):
            set_poly_rates(optimizers[1], step, 30, power)
            due, found = ([group["lr"] for group in optimizer.param_groups] for optimizer in optimizers)
            assert found == pytest.approx(due, rel=1e-9, abs=1e-12), (power, step)
            optimizers[0].step()
            schedule.step()


def test_an_unknown_schedule():
    with pytest.raises(ValueError, match="schedule must be one of one_cycle, poly, got 'step'"):
        run(tiny_model(), schedule="step")


def test_an_auxiliary_head_adds_to_the_loss():
    model = build_model("resnet18", "fcn", 3, auxiliary="c4", dropout=0.0).train()
    model.auxiliary.dropout.p = 0.0
    images, labels = torch.rand(2, 3, 64, 64), torch.randint(3, (2, 64, 64))
    scores, auxiliary = model(model.backbone.normalize(images))
    loss = task_of(model).loss(model, images, labels)
    due = segmentation_loss(scores, labels) + 0.4 * segmentation_loss(auxiliary, labels)
    assert loss.item() == pytest.approx(due.item())
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_linear_probe_reads_what_one_layer_can_read():
    """Each class counts alike, one of a hundredth too; the scale and the place of a feature do not matter."""
    torch.manual_seed(0)
    labels = (torch.rand(4000) < 0.01).long()
    features = torch.stack([1e-3 * (labels + 0.3 * torch.randn(4000)), 500 + torch.randn(4000)], dim=1)
    answer = linear_probe(features[:2000], labels[:2000], 2)
    assert mean_recall(answer(features[2000:]), labels[2000:], 2) > 0.9
    assert mean_recall(torch.zeros_like(labels), labels, 2) == 0.5
    with pytest.raises(ValueError, match="no label is 2:"):
        mean_recall(labels, labels, 3)
    again, other = (linear_probe(features[:2000], labels[:2000], 2, seed=seed) for seed in (0, 1))
    assert torch.equal(again(features), answer(features)) and not torch.equal(other(features), answer(features))


def test_a_probe_cannot_read_what_is_not_there():
    torch.manual_seed(0)
    labels, noise = torch.randint(3, (6000,)), torch.randn(6000, 8)
    answer = linear_probe(noise[:3000], labels[:3000], 3)
    assert abs(mean_recall(answer(noise[3000:]), labels[3000:], 3) - 1 / 3) < 0.04


def test_a_probe_wants_a_place_of_each_class():
    for labels in (torch.zeros(10, dtype=torch.int64), torch.full((10,), 2)):
        with pytest.raises(ValueError, match="labels must be 0..1, each of them; got"):
            linear_probe(torch.randn(10, 4), labels, 2)


def test_frozen_parts_are_in_no_parameter_group():
    model = build_model("mobilenet_v2", "linear", 3, auxiliary="c4")
    freeze(model, ["backbone.features.0", "head"])
    backbone, others = parameter_groups(model, 1e-4, 1e-2)
    assert (backbone["lr"], others["lr"]) == (1e-4, 1e-2)
    ids = {id(p) for p in model.backbone.features[1:].parameters()}
    assert {id(p) for p in backbone["params"]} == ids and len(backbone["params"]) == len(ids)
    assert [id(p) for p in others["params"]] == [id(p) for p in model.auxiliary.parameters()]


def test_frozen_parts_stay():
    model = tiny_model()
    part = next(name for name, module in model.backbone.named_children() if list(module.parameters()))
    freeze(model, [f"backbone.{part}"])
    freeze_batch_norm(model.backbone)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    run(model)
    moved = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    norms = {name for name, module in model.backbone.named_modules() if isinstance(module, torch.nn.BatchNorm2d)}
    assert any(key.startswith("head.") for key in moved)
    assert not any(key.startswith(f"backbone.{part}.") for key in moved)
    assert not any(key.removeprefix("backbone.").rpartition(".")[0] in norms for key in moved)
    with pytest.raises(ValueError, match=r"no part 'backbone\.nothing'.*there are: backbone\."):
        freeze(model, ["head", "backbone.nothing"])
    assert all(parameter.requires_grad for parameter in model.head.parameters()), "one name is wrong: nothing is frozen"
    freeze(model, "backbone")
    assert not any(parameter.requires_grad for parameter in model.backbone.parameters())


def test_workers_read_the_same_pictures():
    histories = [run(tiny_model(), scenes(transforms=None), workers=workers) for workers in (0, 1)]
    assert histories[0] == histories[1]


def test_pictures_of_several_sizes_are_judged_in_batches_of_one_size(monkeypatch):
    class Sizes(Dataset):
        sizes = ((32, 40), (32, 40), (32, 40), (40, 32), (32, 40))

        def __len__(self):
            return len(self.sizes)

        def __getitem__(self, i):
            return torch.full((3, *self.sizes[i]), i / 10), torch.full(self.sizes[i], i % 2)

    seen = []
    total = dataset_confusion(
        tiny_model(),
        Sizes(),
        batch_size=2,
        predict=lambda model, images: (
            seen.append(tuple(images.shape)) or torch.zeros(len(images), *images.shape[-2:]).long()
        ),
    )
    assert [shape[0] for shape in seen] == [2, 1, 1, 1]
    assert total.sum() == 5 * 32 * 40 and total[0, 0] == 3 * 32 * 40 and total[1, 0] == 2 * 32 * 40
