"""Answers to the exercises of lesson 13."""
# ruff: noqa: F401 (some names stand in the tables of slips only)

import contextlib
import copy
import functools
import glob
import math
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as T

from answers import right, slips, wrong
from deeplab_teach.check.lesson13 import PhotoFolder as Published
from deeplab_teach.check.lesson13 import planted_faults, set_poly_rates
from deeplab_teach.check.planted import FAULTS, Tutorial
from deeplab_teach.datasets import MaskFolder
from deeplab_teach.datasets.images import read_image
from deeplab_teach.features import same_features
from deeplab_teach.metrics import iou, mean_iou

# -------------------------------------------------------------------------------------------------------- photo_folder


@right("photo_folder")
class ByPaths(Dataset):
    def __init__(self, root):
        root = Path(root)
        paths = []
        for path in (root / "images").iterdir():
            if path.suffix in [".jpg", ".png"]:
                paths.append(path)
        self.paths = sorted(paths)
        self.masks = root / "masks"

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        path = self.paths[i]
        image = np.array(Image.open(path).convert("RGB"))
        mask = np.array(Image.open(self.masks / (path.stem + ".png")))
        return torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(mask).long()


slips(
    "photo_folder",
    ByPaths,
    r"""
Sort the names
    sorted(paths) => paths
Sort the names
    sorted(paths) => sorted(paths, key=lambda path: (len(path.name), path.name))
Sort the names
    sorted(paths) => sorted(paths, reverse=True)
Sort the names
    sorted(paths) => sorted(paths, key=lambda path: path.suffix)
files of other kinds are counted
    if path.suffix in [".jpg", ".png"] => if True
some of them .jpg and some .png
    in [".jpg", ".png"] => in [".jpg"]
the number of masks
    len(self.paths) => len(list(self.masks.glob("*.png")))
`len(d)` gives a float
    len(self.paths) => float(len(self.paths))
`len(d)` gives a list
    len(self.paths) => self.paths
the package's own
    root = Path(root)\n => MaskFolder.__init__(self, root, classes=("background", "cat"))\n
one of them only
    root = Path(root)\n => pass\n
one of them only
    root = Path(root)\n => root = Path(root + "/")\n
is a greyscale photograph
    image = np.array(Image.open(path).convert("RGB")) => image = np.array(Image.open(path))
    torch.from_numpy(image).permute(2, 0, 1) => (torch.from_numpy(image).permute(2, 0, 1) if image.ndim == 3 else
        torch.from_numpy(image))
is a greyscale photograph
    image = np.array(Image.open(path).convert("RGB")) => image = np.array(Image.open(path))
    torch.from_numpy(image).permute(2, 0, 1) => T.pil_to_tensor(Image.open(path))
is a greyscale photograph
    .convert("RGB") =>
is a greyscale photograph
    .convert("RGB") =>
    torch.from_numpy(image).permute(2, 0, 1) => torch.from_numpy(image.transpose(2, 0, 1))
channels last
    .permute(2, 0, 1) =>
lies on its side
    .permute(2, 0, 1) => .permute(2, 1, 0)
lies on its side
    torch.from_numpy(image).permute(2, 0, 1) => torch.from_numpy(image.T)
Is there a `reshape`
    .permute(2, 0, 1) => .reshape(3, *image.shape[:2])
has the shape (1, 3
    .permute(2, 0, 1) => .permute(2, 0, 1)[None]
is torch.float32; asked is uint8
    .permute(2, 0, 1) => .permute(2, 0, 1) / 255
is torch.float32; asked is uint8
    .permute(2, 0, 1) => .permute(2, 0, 1).float()
blue, green, red
    .permute(2, 0, 1) => .permute(2, 0, 1).flip(0)
The image of `d[
    torch.from_numpy(image).permute(2, 0, 1) => Image.open(path)
asked is a tensor
    torch.from_numpy(image).permute(2, 0, 1) => image
asked is a tensor
    torch.from_numpy(mask).long() => mask
wrong way round
    return torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(mask).long() => return (
        torch.from_numpy(mask).long(), torch.from_numpy(image).permute(2, 0, 1))
gives a tensor of shape
    , torch.from_numpy(mask).long() =>
gives a dict of 2
    return torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(mask).long() => return {
        "image": torch.from_numpy(image).permute(2, 0, 1), "mask": torch.from_numpy(mask).long()}
its colours
    (path.stem + ".png"))) => (path.stem + ".png")).convert("RGB"))
`convert('L')` replaces them
    (path.stem + ".png"))) => (path.stem + ".png")).convert("L"))
must not go through it
    torch.from_numpy(mask).long() => torch.from_numpy(mask) / 255
no other numbers than 0 and 1
    torch.from_numpy(mask).long() => (torch.from_numpy(mask) / 255).long()
no other numbers than 0 and 1
    torch.from_numpy(mask).long() => (torch.from_numpy(mask) > 0).long()
take the axis away
    torch.from_numpy(mask).long() => torch.from_numpy(mask).long()[None]
take the axis away
    torch.from_numpy(mask).long() => torch.from_numpy(mask).long()[..., None]
has the shape (
    torch.from_numpy(mask).long() => torch.from_numpy(mask).long().flatten()
is torch.uint8
    torch.from_numpy(mask).long() => torch.from_numpy(mask)
is torch.int32
    torch.from_numpy(mask).long() => torch.from_numpy(mask).int()
lies on its side
    torch.from_numpy(mask).long() => torch.from_numpy(mask).long().T
has 0 where its file stores 255
    torch.from_numpy(mask).long() => torch.from_numpy(np.where(mask == 255, 0, mask)).long()
has -1 where its file stores 255
    torch.from_numpy(mask).long() => torch.from_numpy(mask.view(np.int8)).long()
has the right shape but other numbers
    torch.from_numpy(mask).long() => torch.from_numpy(mask + 1).long()
has the right shape but other numbers
    torch.from_numpy(mask).long() => torch.from_numpy(mask).long().flip(0)
it would never end
    self.paths[i] => self.paths[i % len(self.paths)]
would never end
    path = self.paths[i] => path = self.paths[min(i, len(self.paths) - 1)]
yours raises another error
    self.paths = sorted(paths) => self.paths = dict(enumerate(sorted(paths)))
of which only the last begins the suffix
    path.stem + ".png" => path.name.split(".")[0] + ".png"
Your code looks for a file
    path.stem + ".png" => path.name
Your code looks for a file
    self.masks / (path.stem + ".png") => str(path).replace("images", "masks").replace(".jpg", ".png")
with the mask
    self.masks / (path.stem + ".png") => sorted(self.masks.glob("*.png"))[i]
with the mask
    self.masks / (path.stem + ".png") => next(self.masks.glob("*.png"))
yours takes
    def __init__(self, root) => def __init__(self, images, masks)
    root = Path(root) => root = Path(images).parent
""",
)


@right("photo_folder")
class ByStrings(Dataset):
    """With `os.path` and strings, torchvision's function for the photograph and bytes for the mask."""

    def __init__(self, root):
        self.root = root
        self.names = sorted(
            name for name in os.listdir(os.path.join(root, "images")) if name.lower().endswith((".jpg", ".png"))
        )

    def __len__(self):
        return len(self.names)

    def __getitem__(self, i):
        if i >= len(self):
            raise IndexError(i)
        name = self.names[i]
        image = T.pil_to_tensor(Image.open(os.path.join(self.root, "images", name)).convert("RGB"))
        with Image.open(os.path.join(self.root, "masks", os.path.splitext(name)[0] + ".png")) as file:
            mask = torch.frombuffer(bytearray(file.tobytes()), dtype=torch.uint8).reshape(file.height, file.width)
        return image, mask.to(torch.long)


slips(
    "photo_folder",
    ByStrings,
    r"""
Sort the names
    sorted( => list(
one of them only
    os.path.join(root, "images") => root + "/images"
is a greyscale photograph
    .convert("RGB") =>
lies on its side
    .reshape(file.height, file.width) => .reshape(file.size)
""",
)


@right("photo_folder")
class ByStems(Dataset):
    """What is in both folders; with the package's reader, torchvision's classes of tensors, and a list for the pair."""

    def __init__(self, root, folders=("images", "masks")):
        pictures, masks = (
            {os.path.splitext(os.path.basename(path))[0]: path for path in glob.glob(f"{root}/{folder}/*.*")}
            for folder in folders
        )
        self.pairs = [(pictures[stem], masks[stem]) for stem in sorted(set(pictures) & set(masks))]

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        picture, mask = self.pairs[index]
        return [read_image(picture), tv_tensors.Mask(T.pil_to_tensor(Image.open(mask))[0].to(torch.int64))]


slips(
    "photo_folder",
    ByStems,
    r"""
Sort the names
    sorted(set(pictures) & set(masks)) => [stem for stem in pictures if stem in masks]
take the axis away
    [0].to(torch.int64) => .to(torch.int64)
with the mask
    [(pictures[stem], masks[stem]) for stem in sorted(set(pictures) & set(masks))] => list(zip(sorted(
        pictures[stem] for stem in pictures if stem in masks), sorted(masks.values())))
the number of masks
    sorted(set(pictures) & set(masks)) => sorted(masks)
    pictures[stem], => pictures.get(stem),
files of other kinds
    [(pictures[stem], masks[stem]) for stem in sorted(set(pictures) & set(masks))] => [(stem, stem) for stem in
        sorted(os.listdir(f"{root}/images"))]
""",
)


@right("photo_folder")
class WithMemory(Dataset):
    """An item that was read once is kept."""

    def __init__(self, root):
        self.files = sorted([*Path(root, "images").glob("*.jpg"), *Path(root, "images").glob("*.png")])
        self.read = functools.cache(self._read)

    def __len__(self):
        return len(self.files)

    def _read(self, i):
        image = Image.open(self.files[i]).convert("RGB")
        mask = Image.open(self.files[i].parents[1] / "masks" / self.files[i].with_suffix(".png").name)
        pixels = torch.tensor(np.asarray(image), dtype=torch.uint8).movedim(-1, 0).contiguous()
        return pixels, torch.tensor(np.asarray(mask).astype("int64"))

    def __getitem__(self, i):
        return self.read(i)


slips(
    "photo_folder",
    WithMemory,
    r"""
when it is built
    self.read = functools.cache(self._read) => self.read = [self._read(i) for i in range(len(self.files))].__getitem__
when it is built
    self.read = functools.cache(self._read) => self.opened = [Image.open(path) for path in self.files]
    self.read(i) => (lambda pair: (torch.tensor(np.asarray(self.opened[i].convert("RGB"))).movedim(-1, 0),
        pair[1]))(self._read(i))
when it is built
    self.read = functools.cache(self._read) => self.masks = [self._read(i)[1] for i in range(len(self.files))]
    self.read(i) => (self._read(i)[0], self.masks[i])
Sort the names
    sorted([*Path(root, "images").glob("*.jpg"), *Path(root, "images").glob("*.png")]) => [*sorted(Path(
        root, "images").glob("*.jpg")), *sorted(Path(root, "images").glob("*.png"))]
other values than its file
    .convert("RGB") => .convert("L").convert("RGB")
""",
)


@wrong("photo_folder", "must inherit")
class NoDataset:
    def __init__(self, root): ...


@wrong("photo_folder")
class OneForAll(Dataset):
    """Its paths belong to the class, and the folder that comes last has them."""

    paths: list = []

    def __init__(self, root):
        self.paths.clear()
        self.paths.extend(sorted(Path(root, "images").glob("*.*g")))

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        path = self.paths[i]
        mask = np.array(Image.open(path.parents[1] / "masks" / (path.stem + ".png")))
        return T.pil_to_tensor(Image.open(path).convert("RGB")), torch.from_numpy(mask).long()


# ---------------------------------------------------------------------------------------------------------- poly_rates


@right("poly_rates")
def in_a_loop(optimizer, step, steps, power=0.9):
    factor = max(1 - step / steps, 0.0) ** power
    for group in optimizer.param_groups:
        start = group["initial_lr"]
        group["lr"] = start * factor


slips(
    "poly_rates",
    in_a_loop,
    r"""
You multiply the present rate
    start * factor => group["lr"] * factor
You multiply the present rate
    group["lr"] = start * factor => group["lr"] *= factor
You multiply the present rate
    start * factor => group["lr"] * factor
    max(1 - step / steps, 0.0) ** power => (1 - step / steps) ** power
Only the first group
    in optimizer.param_groups: => in optimizer.param_groups[:1]:
Only the first group
    start * factor => start * factor\n        return
the rate of the first one
    group["initial_lr"] => optimizer.param_groups[0]["initial_lr"]
the rate of the last one
    group["lr"] = start * factor => pass\n    for group in optimizer.param_groups:\n        group["lr"] = start * factor
the optimiser's default
    group["initial_lr"] => optimizer.defaults["lr"]
`//` divides to a whole number
    step / steps => step // steps
of the share that is done
    max(1 - step / steps, 0.0) ** power => 1 - min(step / steps, 1) ** power
that of `steps` alone
    max(1 - step / steps, 0.0) ** power => max(1 - step / steps ** power, 0)
Your power is taken of the rate
    ** power => ** 1
    start * factor => (start * factor) ** power
Your rates rise
    max(1 - step / steps, 0.0) => min(1, step / steps)
Your rates rise
    max(1 - step / steps, 0.0) => (step / steps)
the power is missing
    ** power =>
the power is missing
    max(1 - step / steps, 0.0) ** power => 1 - step / steps
A power of 0.9 is written out
    ** power => ** 0.9
multiplied by `power`
    ** power => * power
into `initial_lr` as well
    group["lr"] = start * factor => group["lr"] = group["initial_lr"] = start * factor
where a group began
    group["lr"] = start => group["initial_lr"] = start
Stay at 0 there
    max(1 - step / steps, 0.0) => (1 - step / steps)
Stay at 0 there
    max(1 - step / steps, 0.0) ** power => max((1 - step / steps) ** power, 0.0)
past it they must stay at 0
    max(1 - step / steps, 0.0) ** power => math.pow(1 - step / steps, power)
past it they must stay at 0
    max(1 - step / steps, 0.0) => max(1 - step / steps, 1e-3 * (step > steps))
Stay at 0 there
    max(1 - step / steps, 0.0) => abs(1 - step / steps)
leaves the rate as it was
    factor = => if step > steps:\n        return\n    factor =
leaves the rate as it was
    factor = => if step >= steps:\n        return\n    factor =
You count the steps from 1
    step / steps => (step + 1) / steps
for the end
    step / steps => step / (steps - 1)
You return a list of 3, which nobody reads
    max(1 - step / steps, 0.0) ** power\n => max(1 - step / steps, 0.0) ** power\n    return [
        group["initial_lr"] * factor for group in optimizer.param_groups]\n
No group's `lr` changes
    group["lr"] = start => lr = start
No group's `lr` changes
    group["lr"] = start => optimizer.lr = start
has a new entry, `learning_rate`
    group["lr"] = start * factor => group["lr"] = start * factor\n        group["learning_rate"] = start * factor
`weight_decay` of group 0 is not what it was
    group["lr"] = start * factor => group["lr"] = start * factor\n        group["weight_decay"] = 0.1
`initial_lr` of group 0 is not what it was
    group["lr"] = start * factor => group["lr"] = start * factor\n        group["initial_lr"] = 0.9 * start
has as its `lr` a tensor of shape ()
    start * factor => torch.tensor(start * factor)
it must be
    ** power => ** (power / 2)
must stay so
    factor = => optimizer.param_groups = optimizer.param_groups[:1]\n    factor =
moves the weights
    factor = => optimizer.step()\n    factor =
raised an error
    group["initial_lr"] => group["first_lr"]
raised an error
    optimizer.param_groups: => optimizer.groups:
yours takes
    in_a_loop(optimizer, step, steps => in_a_loop(optimizer, share
    step / steps => share
keep that default
    power=0.9 => power=0.5
""",
)


@right("poly_rates")
def with_branches(optimizer, step, steps, power=0.9):
    """A list is returned besides, for whoever wants to print it; and at the end the rate is an int."""
    for i in range(len(optimizer.param_groups)):
        group = optimizer.param_groups[i]
        if step >= steps:
            group["lr"] = 0
        else:
            group.update(lr=group["initial_lr"] * ((steps - step) / steps) ** power)
    return [group["lr"] for group in optimizer.param_groups]


@right("poly_rates")
def with_numpy(optimizer, step, steps, power=0.9):
    left = np.clip(1 - step / steps, 0, None)
    for group in optimizer.state_dict()["param_groups"]:
        own = optimizer.param_groups[group["params"][0]]
        own["lr"] = np.power(left, power) * own["initial_lr"]


@right("poly_rates")
def by_logarithm(optimizer, step, steps, power=0.9):
    left = torch.tensor(max(steps - step, 0), dtype=torch.float64) / steps
    rates = [group["initial_lr"] * (power * left.log()).exp().item() for group in optimizer.param_groups]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


@wrong("poly_rates", "the package's own")
def the_packages_rates(optimizer, step, steps, power=0.9):
    set_poly_rates(optimizer, step, steps, power)


# ------------------------------------------------------------------------------------------------------------ diagnose


@right("diagnose")
def by_one_edge(tutorial):
    faults = set()
    same = same_features(tutorial.before_dilation, tutorial.backbone)
    if not all(same.values()):
        faults.add("rate")
    image = torch.full((3, 100, 120), 60, dtype=torch.uint8)
    mask = torch.zeros(100, 120, dtype=torch.int64)
    mask[50:] = 5
    x, labels = tutorial.prepare(image, mask)
    if any(label not in (0, 5) for label in labels.unique()):
        faults.add("labels")
    expected = tutorial.backbone.normalize(image / 255)[:, 0, 0]
    if (x[:, 0, 0] - expected).abs().max() > 0.01:
        faults.add("normalisation")
    confusion = torch.tensor([[10, 90, 0], [0, 50, 0], [0, 0, 50]])
    if abs(tutorial.score(confusion) - mean_iou(confusion)) > 1e-4:
        faults.add("background")
    training = [m.training for m in tutorial.model.modules() if isinstance(m, nn.BatchNorm2d)]
    if tutorial.batch_size == 1 and any(training):
        faults.add("batch norm")
    return faults


slips(
    "diagnose",
    by_one_edge,
    r"""
takes the coarser backbone first
    same_features(tutorial.before_dilation, tutorial.backbone) => same_features(tutorial.backbone,
        tutorial.before_dilation)
a dict counts as true
    not all(same.values()) => not same
a dict counts as true
    not all(same.values()) => not all(same)
a dict counts as true
    not all(same.values()) => not any(same.values())
a dict counts as true
    not all(same.values()) => not same["c4"]
a tutorial whose only fault is "rate" you find no fault
    faults.add("rate") => pass
a tutorial without a fault you find "rate"
    not all(same.values()) => all(same.values())
You do not run its backbones
    same = same_features(tutorial.before_dilation, tutorial.backbone) => pass
    not all(same.values()) => any(m.dilation != (1, 1) for m in tutorial.backbone.modules() if isinstance(m, nn.Conv2d))
You do not run its backbones
    same = same_features(tutorial.before_dilation, tutorial.backbone) => pass
    not all(same.values()) => tutorial.backbone.layer4[0].conv1.dilation != (1, 1)
You do not run its backbones
    same = same_features(tutorial.before_dilation, tutorial.backbone) => pass
    not all(same.values()) => tutorial.backbone.layer4[1].conv1.dilation != (2, 2)
You run a backbone in training mode
    same = same_features(tutorial.before_dilation, tutorial.backbone) => pair = copy.deepcopy((
        tutorial.before_dilation, tutorial.backbone))\n    x = torch.randn(2, 3, 65, 65)\n    same = {
        "c5": torch.allclose(pair[0](x)["c5"], pair[1](x)["c5"][..., ::2, ::2], atol=1e-3)}
every second one in both directions
    same = same_features(tutorial.before_dilation, tutorial.backbone) => pair = copy.deepcopy((
        tutorial.before_dilation, tutorial.backbone))\n    x = torch.randn(2, 3, 65, 65)\n    same = {
        "c5": pair[0].eval()(x)["c5"].mean() == pair[1].eval()(x)["c5"].mean()}
the mode of its networks
    same = same_features(tutorial.before_dilation, tutorial.backbone) => tutorial.backbone.eval()\n    same =
        same_features(tutorial.before_dilation, tutorial.backbone)
the mode of its networks
    return faults => tutorial.model.eval()\n    return faults
its weights or its settings
    return faults => tutorial.model(torch.randn(2, 3, 65, 65))\n    return faults
its weights or its settings
    return faults => tutorial.batch_size = 8\n    return faults
its weights or its settings
    same = same_features(tutorial.before_dilation, tutorial.backbone) => tutorial.backbone =
        copy.deepcopy(tutorial.backbone).eval()\n    same = same_features(tutorial.before_dilation, tutorial.backbone)
You do not call `prepare`
    x, labels = tutorial.prepare(image, mask) => x, labels = torch.zeros(3, 1, 1), mask
You do not call `prepare`: feed it a mask
    x, labels = tutorial.prepare(image, mask) => pass
    any(label not in (0, 5) for label in labels.unique()) => False
    (x[:, 0, 0] - expected).abs().max() > 0.01 => False
has one number everywhere
    mask[50:] = 5 => pass
the very size that `prepare` resizes to
    (100, 120, dtype => (tutorial.size, tutorial.size, dtype
    (3, 100, 120) => (3, tutorial.size, tutorial.size)
    mask[50:] => mask[10:]
neighbours as numbers
    mask[50:] = 5 => mask[50:] = 1
    in (0, 5) => in (0, 1)
the classes too near
    mask[50:] = 5 => mask[0, 0] = 2
    in (0, 5) => in (0, 2)
labels of your mask that are not in it
    any(label not in (0, 5) for label in labels.unique()) => labels.max() > 5
labels of your mask that are not in it
    any(label not in (0, 5) for label in labels.unique()) => any(label == 255 for label in labels.unique())
Its labels hold no number that the mask has not
    any(label not in (0, 5) for label in labels.unique()) => len(labels.unique()) > 1
a tutorial whose only fault is "normalisation" you find no fault
    (x[:, 0, 0] - expected).abs().max() > 0.01 => False
is not what `tutorial.backbone.normalize` makes
    (x[:, 0, 0] - expected).abs().max() > 0.01 => (x[:, 0, 0] - expected).max() > 5
but for rounding: the last digits may differ
    (x[:, 0, 0] - expected).abs().max() > 0.01 => not torch.equal(x, tutorial.backbone.normalize(image /
        255)[:, :1, :1].expand_as(x))
but for rounding: the last digits may differ
    expected = tutorial.backbone.normalize(image / 255)[:, 0, 0] => expected = image[:, 0, 0] / 255
Feed an image of one colour
    image = torch.full((3, 100, 120), 60, dtype=torch.uint8) => image = torch.randint(256, (3, 100, 120)).byte()
Feed an image of one colour
    image = torch.full((3, 100, 120), 60, dtype=torch.uint8) => image = torch.randint(256, (3, 100, 120)).byte()
    (x[:, 0, 0] - expected).abs().max() > 0.01 => not torch.allclose(x, tutorial.backbone.normalize(F.interpolate(
        image[None] / 255, size=(tutorial.size, tutorial.size), mode="bilinear"))[0], atol=1e-3)
this one's are not ImageNet's
    expected = tutorial.backbone.normalize(image / 255)[:, 0, 0] => expected = (image[:, 0, 0] / 255 - torch.tensor([
        0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
this one's are not ImageNet's
    (x[:, 0, 0] - expected).abs().max() > 0.01 => torch.allclose(x[:, 0, 0], image[:, 0, 0] / 255 * 2 - 1, atol=1e-3)
You do not call `score`
    abs(tutorial.score(confusion) - mean_iou(confusion)) > 1e-4 => False
its IoU is that of the others
    torch.tensor([[10, 90, 0], [0, 50, 0], [0, 0, 50]]) => torch.eye(3)
its IoU is that of the others
    torch.tensor([[10, 90, 0], [0, 50, 0], [0, 0, 50]]) => torch.ones(4, 4)
its IoU is that of the others
    torch.tensor([[10, 90, 0], [0, 50, 0], [0, 0, 50]]) => torch.tensor([[8, 2], [2, 8]])
its IoU is that of the others
    torch.tensor([[10, 90, 0], [0, 50, 0], [0, 0, 50]]) => torch.tensor([[0, 0, 0], [0, 9, 1], [0, 2, 8]])
the mean over all classes is 0.48
    > 1e-4 => > 0.5
but for rounding.
    abs(tutorial.score(confusion) - mean_iou(confusion)) > 1e-4 => tutorial.score(confusion) != iou(
        confusion.double()).mean()
all its batch norms are in eval mode
    tutorial.batch_size == 1 and any(training) => tutorial.batch_size == 1
all its batch norms are in eval mode
    tutorial.batch_size == 1 and any(training) => tutorial.batch_size == 1 and tutorial.model.training
with batches of 8 images
    tutorial.batch_size == 1 and any(training) => any(training)
with batches of 16 images
    tutorial.batch_size == 1 and any(training) => tutorial.batch_size != 8 and any(training)
with batches of 8 images
    tutorial.batch_size == 1 and any(training) => tutorial.batch_size == 1 or any(training)
those of its head are not
    tutorial.model.modules() => tutorial.backbone.modules()
those of its head are not
    any(training) => all(training)
each image is its own statistics
    faults.add("batch norm") => pass
You name a fault "normalization"
    faults.add("normalisation") => faults.add("normalization")
You name a fault "batch_norm"
    faults.add("batch norm") => faults.add("batch_norm")
you return None
    return faults => return faults or None
You return a dict
    return faults => return dict.fromkeys(FAULTS, False)
You return a string
    return faults => return ", ".join(faults)
Your set holds an int
    return faults => return {FAULTS.index(fault) for fault in faults}
raised an error
    return faults => return tutorial.faults
raised an error
    return faults => return set(tutorial.__planted)
raised an error
    tutorial.prepare(image, mask) => tutorial.prepare(image)
raised an error
    mask[50:] = 5 => mask = mask[None]
yours takes
    def by_one_edge(tutorial) => def by_one_edge(backbone, model)
""",
)


@right("diagnose")
def by_many_edges(tutorial):
    """Random classes, a colour each, features by hand, and a list."""
    names = []
    pair = copy.deepcopy((tutorial.before_dilation, tutorial.backbone))
    with torch.no_grad():
        noise = torch.randn(2, 3, 97, 97)
        coarse, dense = (net.eval()(noise)["c5"] for net in pair)
    if (coarse - dense[..., ::2, ::2]).abs().max() > 1e-3 * coarse.abs().max():
        names.append("rate")
    numbers = torch.tensor([0, 7, 15, 255])
    mask = numbers[torch.randint(4, (2 * tutorial.size, 3 * tutorial.size))]
    x, labels = tutorial.prepare(torch.zeros(3, *mask.shape, dtype=torch.uint8), mask)
    if not torch.isin(labels, numbers).all():
        names.append("labels")
    black = -torch.tensor(tutorial.backbone.mean) / torch.tensor(tutorial.backbone.std)
    if not torch.allclose(x.mean(dim=(1, 2)), black, atol=1e-3):
        names.append("normalisation")
    counts = torch.randint(5, 50, (7, 7))
    counts[0, 0] = 0
    if not np.isclose(tutorial.score(counts), mean_iou(counts)):
        names.append("background")
    if tutorial.batch_size < 2:
        for part in tutorial.model.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.training:
                names.append("batch norm")
                break
    return names


slips(
    "diagnose",
    by_many_edges,
    r"""
the mode of its networks
    copy.deepcopy((tutorial.before_dilation, tutorial.backbone)) => tutorial.before_dilation, tutorial.backbone
You run a backbone in training mode
    net.eval()(noise) => net.train()(noise)
neighbours as numbers
    torch.tensor([0, 7, 15, 255]) => torch.arange(4)
its weights or its settings
    pair = => tutorial.extra = True\n    pair =
""",
)


@right("diagnose")
def as_the_tutorial_should(tutorial):
    """Beside a sound way of one's own: resized likewise, and compared pixel by pixel."""
    sides, generator = (200, 150), torch.Generator().manual_seed(0)
    image = torch.randint(256, (3, *sides), generator=generator, dtype=torch.uint8)
    mask = torch.randint(21, sides, generator=generator)
    x, labels = tutorial.prepare(image, mask)
    smooth = T.resize(image / 255, [tutorial.size] * 2, antialias=True)
    rows, columns = ((torch.arange(tutorial.size) * side / tutorial.size).long() for side in sides)
    confusion = torch.tensor([[0, 5], [0, 5]])
    iou_each = confusion.diagonal() / (confusion.sum(0) + confusion.sum(1) - confusion.diagonal())
    states = {norm.training for norm in tutorial.model.modules() if type(norm) is nn.BatchNorm2d}
    wrong = {
        "rate": False in same_features(tutorial.before_dilation, tutorial.backbone).values(),
        "labels": not torch.equal(labels, mask[rows][:, columns]),
        "normalisation": not torch.allclose(x, tutorial.backbone.normalize(smooth), atol=1e-2),
        "background": abs(tutorial.score(confusion) - iou_each.mean()) > 1e-6,
        "batch norm": True in states and tutorial.batch_size == 1,
    }
    return frozenset(name for name, found in wrong.items() if found)


slips(
    "diagnose",
    as_the_tutorial_should,
    r"""
Its labels hold no number that the mask has not
    torch.arange(tutorial.size) * side => (torch.arange(tutorial.size) + 0.5) * side
Feed an image of one colour
    antialias=True => antialias=False
Feed an image of one colour
    image / 255, [tutorial => image, [tutorial
    backbone.normalize(smooth) => backbone.normalize(smooth / 255)
    atol=1e-2 => atol=1e-4
as `mean_iou` gives it, but for rounding
    iou_each.mean() => iou_each[1:].mean()
""",
)


@right("diagnose")
def on_a_copy(tutorial):
    """The whole tutorial is copied, and may then be changed; what trains is tried."""
    mine = copy.deepcopy(tutorial)
    found = {"rate"} if not same_features(mine.before_dilation, mine.backbone)["c5"] else set()
    stripes = (torch.arange(64) // 8 % 2 * 200).expand(64, 64)
    white = torch.full((3, 64, 64), 255, dtype=torch.uint8)
    x, labels = mine.prepare(white, stripes)
    found |= {"labels"} - ({"labels"} if set(labels.flatten().tolist()) == {0, 200} else set())
    if not (mine.backbone.normalize(torch.ones(3, 1, 1)) - x).abs().mean() < 0.05:
        found.add("normalisation")
    found |= set() if mine.score(torch.tensor([[0, 1], [0, 1]])) == 0.25 else {"background"}
    if mine.batch_size == 1:
        before = {name: value.clone() for name, value in mine.model.named_buffers()}
        mine.model(torch.randn(1, 3, 65, 65))
        if not all(torch.equal(value, before[name]) for name, value in mine.model.named_buffers()):
            found.add("batch norm")
    return found


slips(
    "diagnose",
    on_a_copy,
    r"""
has one number everywhere
    % 2 * 200 => % 2 * 0
    {0, 200} => {0}
neighbours as numbers
    % 2 * 200 => % 2
    {0, 200} => {0, 1}
its IoU is that of the others
    torch.tensor([[0, 1], [0, 1]])) == 0.25 => torch.tensor([[1, 1], [1, 1]])) == mean_iou(torch.ones(2, 2))
""",
)


@wrong("diagnose", "the package's own")
def the_packages_diagnosis(tutorial):
    return planted_faults(tutorial)
