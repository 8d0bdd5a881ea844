"""Lesson 13: a dataset of one's own pictures, rates that fall, and faults in a tutorial that runs without an error."""

import contextlib
import os
import tempfile
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset

from deeplab_teach.backbones.resnet import BasicBlock, Bottleneck, ResNet
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.functions import alike, shown
from deeplab_teach.check.mistakes import mistakes, with_mistake
from deeplab_teach.check.planted import FAULTS, Tutorial
from deeplab_teach.check.run import (
    NotAttempted,
    Raised,
    Wrong,
    a_kind,
    attempt,
    is_nothing,
    is_stub,
    outcome,
    own_function,
    require_given,
)
from deeplab_teach.datasets import MaskFolder
from deeplab_teach.datasets.classes import voc_colors
from deeplab_teach.features import same_features
from deeplab_teach.metrics import mean_iou


# -------------------------------------------------------------------------------------------------------- photo_folder
class PhotoFolder(Dataset):
    """Photographs with a mask each: `root/images/NAME.jpg` (or .png) and `root/masks/NAME.png`.

    `d[i]` is the pair of the i-th name, in the order of `sorted`: the image, uint8 (3, H, W), RGB, and the mask, int64
    (H, W), with the numbers that its file stores. Masks without an image are passed over. Files are read when their
    item is asked for.
    """

    def __init__(self, root):
        self.root = Path(root)
        self.images = sorted(path for path in (self.root / "images").iterdir() if path.suffix in (".jpg", ".png"))

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        path = self.images[i]
        with Image.open(path) as photograph, Image.open(self.root / "masks" / f"{path.stem}.png") as mask:
            image, numbers = np.array(photograph.convert("RGB")), np.array(mask)  # (H, W, 3), (H, W)
        return torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(numbers).long()


class _Folder:
    """A folder of pictures on the disk, and what a dataset is to make of it.

    names: those of the images' files, sorted.
    images, masks: what the files hold, by the file's name.
    before: the images and masks that they held before they were written anew.
    """

    def __init__(self, root: Path, word: str, number: int):
        self.root, self.held_open = root, False
        drawn = sorted((1 + torch.randperm(9)[: number - 2]).tolist())
        # As numbers 2 and 9 come before 10 and 11; as names they come after them. Their own order is not at stake.
        self.names = sorted(f"{word}{i}{'.png' if i % 2 else '.jpg'}" for i in [*drawn, 10, 11])
        sides = torch.stack([20 + torch.randperm(20), 45 + torch.randperm(20)], dim=1).tolist()
        self.sizes = dict(zip([*self.names, f"{word}0.png"], sides, strict=False))  # the last is a mask alone
        self.grey = f"{word}10.jpg"
        for part, others in (("images", (".DS_Store", "notes.txt")), ("masks", (".DS_Store",))):
            (root / part).mkdir(parents=True)
            for other in others:
                (root / part / other).write_bytes(b"\x00\x00\x00\x01Bud1")
        self.images, self.masks = {}, {}
        self.write()

    def write(self):
        """Write all pictures, with new contents."""
        self.before = dict(self.images), dict(self.masks)
        for i, (name, (rows, columns)) in enumerate(reversed(self.sizes.items())):  # some systems list the newest first
            mask = torch.randint(0, 21, (rows // 4 + 1, columns // 4 + 1)).numpy().astype(np.uint8)
            mask = mask.repeat(4, axis=0).repeat(4, axis=1)[:rows, :columns]
            mask[:, :5], mask[:4, 3:] = 255, [[0], [1], [7], [20]]
            picture = Image.fromarray(mask)
            if i % 2:
                picture.putpalette(voc_colors().tobytes())
            own = f"{Path(name).stem}.png"
            self._save(picture, self.root / "masks" / own)
            self.masks[own] = torch.from_numpy(mask).long()
            if name in self.names:
                few = 255 * torch.rand(1, 1 if name == self.grey else 3, 3, 4)
                smooth = F.interpolate(few, size=(rows, columns), mode="bilinear")[0].permute(1, 2, 0)
                picture = Image.fromarray(smooth.numpy().astype(np.uint8).squeeze())
                self._save(picture, self.root / "images" / name)
                with Image.open(self.root / "images" / name) as stored:
                    self.images[name] = torch.from_numpy(np.array(stored.convert("RGB"))).permute(2, 0, 1)

    def _save(self, picture, path):
        """A new file by an old name: who has opened the former one goes on reading that."""
        try:
            path.unlink(missing_ok=True)
        except PermissionError:  # Windows keeps files that somebody has open
            self.held_open = True
        else:
            picture.save(path, quality=95, subsampling=0) if path.suffix == ".jpg" else picture.save(path)


def _examine_photo_folder(answer):
    _require_dataset_class(answer)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place, _listed_backwards(place):
        folders = [
            _Folder(Path(place, where), word, int(torch.randint(4, 8, ())))
            for where, word in (("holiday", "cat"), ("all images", "2024.05.03_"))
        ]
        made = []
        for folder, kind in zip(folders, (str, Path), strict=True):
            try:
                made.append(attempt("PhotoFolder(root)", answer, kind(folder.root)))
            except Raised as raised:
                if "unsupported operand" in str(raised.error) or "'str' object has no" in str(raised.error):
                    raise raised.named(
                        "`root` may come as a string or as a `Path`, and yours takes one of them only. `Path(root)` "
                        "makes a path of either."
                    ) from None
                raise
        for folder in folders:
            folder.write()
        for folder, dataset in zip(folders, made, strict=True):
            _require_length(dataset, folder)
            for i in (*range(len(folder.names)), *reversed(range(len(folder.names)))):
                _require_item(dataset, i, folder)
            _require_end(dataset, len(folder.names))


def _require_dataset_class(answer):
    if is_nothing(answer):
        raise NotAttempted(f"it was given {answer} in place of `PhotoFolder`")
    if not isinstance(answer, type):
        raise Wrong(
            f"You passed {a_kind(answer)} in place of a class. Pass the class itself, without parentheses: "
            "`PhotoFolder`."
        )
    if not issubclass(answer, Dataset):
        raise Wrong(f"Your class must inherit from PyTorch's `Dataset`: `class {answer.__name__}(Dataset):`.")
    for name in ("__init__", "__len__", "__getitem__"):
        method = getattr(answer, name, None)
        if method is None or method in (object.__init__, Dataset.__getitem__) or is_stub(method):
            raise NotAttempted(f"its `{name}` is still empty")


@contextlib.contextmanager
def _listed_backwards(place):
    """Below `place`, folders list their files from the last name to the first, as some system somewhere might."""
    listdir, scandir = os.listdir, os.scandir

    def inside(path):
        return isinstance(path, str | os.PathLike) and os.path.realpath(path).startswith(os.path.realpath(place))

    def listdir_backwards(path="."):
        return sorted(listdir(path), reverse=True) if inside(path) else listdir(path)

    def scandir_backwards(path="."):
        if not inside(path):
            return scandir(path)
        with scandir(path) as entries:
            return _Entries(sorted(entries, key=lambda entry: entry.name, reverse=True))

    os.listdir, os.scandir = listdir_backwards, scandir_backwards
    try:
        yield
    finally:
        os.listdir, os.scandir = listdir, scandir


class _Entries:
    """What `os.scandir` gives: an iterator that can be closed."""

    def __init__(self, entries):
        self.entries = iter(entries)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.entries)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def close(self):
        return None


def _require_length(dataset, folder):
    length, due = attempt("len(d)", dataset.__len__), len(folder.names)
    require_given([length], "len(d)")
    if not isinstance(length, Integral) or isinstance(length, bool):
        raise Wrong(f"`len(d)` gives {a_kind(length)}; asked is the number of photographs, an int.")
    if length == due + 1:
        raise Wrong(
            f"`len(d)` is {length}, the number of masks. There are {due} photographs; a mask without one is passed "
            "over."
        )
    if length == due + 2:
        raise Wrong(
            f"`len(d)` is {length}, and there are {due} photographs: files of other kinds are counted, too. Folders "
            "hold more than one puts there (`.DS_Store`, `notes.txt`): take the names that end in .jpg or .png."
        )
    if length != due:
        raise Wrong(
            f"`len(d)` is {length}, and there are {due} photographs in `images`, some of them .jpg and some .png."
        )


def _require_item(dataset, i, folder):
    """Raise `Wrong` unless `d[i]` is the i-th photograph with its own mask."""
    try:
        item = attempt(f"d[{i}]", dataset.__getitem__, i)
    except Raised as raised:
        if isinstance(raised.error, FileNotFoundError):
            raise raised.named(
                "Your code looks for a file that is not there. The mask of `images/NAME.jpg` is `masks/NAME.png`: a "
                "name may have dots in it, of which only the last begins the suffix (`Path.stem`), and the word "
                "`images` may stand elsewhere in the path, too."
            ) from None
        if folder.names[i] == folder.grey and ("dimensions" in str(raised.error) or "axes" in str(raised.error)):
            raise raised.named(_of_grey(folder.grey)) from None
        raise
    require_given([item], f"d[{i}]")
    if not isinstance(item, list | tuple) or len(item) != 2:
        raise Wrong(f"`d[{i}]` gives {a_kind(item)}; asked is a pair, (image, mask).")
    for each, what, how in zip(item, ("image", "mask"), ("permute(2, 0, 1)", "long()"), strict=True):
        if not isinstance(each, Tensor):
            raise Wrong(
                f"The {what} of `d[{i}]` is {a_kind(each)}; asked is a tensor. `torch.from_numpy(np.array(...))` makes "
                f"one of a picture, and after that comes `.{how}`."
            )
    image, mask = item
    if image.dim() == 2 and mask.dim() == 3:
        raise Wrong(f"`d[{i}]` is the wrong way round: the image comes first, then the mask.")
    name = folder.names[i]
    _require_image(image, i, name, folder)
    _require_mask(mask, i, name, folder)


def _require_image(image, i, name, folder):
    where, due, shape = f"The image of `d[{i}]`, `{name}`,", folder.images[name], tuple(image.shape)
    for other in folder.names:
        if other != name and folder.sizes[other] == _sides(image):
            raise Wrong(
                f"`d[{i}]` is the photograph `{other}`; in the order of `sorted` it is `{name}`. In which order a "
                "folder lists its files is the system's affair, and another computer's is another. Sort the names, as "
                "they are: a `10` comes before a `2`."
            )
    rows, columns = due.shape[1:]
    if shape in ((1, rows, columns), (rows, columns)):
        raise Wrong(f"{where} has the shape {shape}. {_of_grey(name)}")
    if shape == (rows, columns, 3):
        raise Wrong(
            f"{where} has the shape {shape}, channels last, as PIL and NumPy have them. PyTorch wants them first, "
            "(3, H, W): `.permute(2, 0, 1)`."
        )
    if shape == (3, columns, rows):
        raise Wrong(
            f"{where} lies on its side: its shape is {shape}, expected (3, {rows}, {columns}). `reshape` and `.T` do "
            "not keep rows and columns in their places; `.permute(2, 0, 1)` does."
        )
    if image.shape != due.shape:
        raise Wrong(f"{where} has the shape {shape}, expected {tuple(due.shape)}.")
    if image.dtype != torch.uint8:
        raise Wrong(
            f"{where} is {image.dtype}; asked is uint8, 0..255, as the file has it. (`ToTensor` and `/ 255` make "
            "floats. The training does that, for a whole batch at once.)"
        )
    if not _near(image, due, name):
        if _near(image.flip(0), due, name):
            raise Wrong(f"{where} has its channels in the order blue, green, red; asked is RGB.")
        if folder.held_open or _near(image, folder.before[0][name], name):
            raise _too_early()
        raise Wrong(
            f"{where} has the right shape but other values than its file. Is there a `reshape` where `permute` is "
            "meant?"
        )


def _of_grey(name):
    return (
        f"`{name}` is a greyscale photograph: PIL gives it rows and columns only. A network takes three channels of "
        "each image, and `convert('RGB')` makes them."
    )


def _too_early():
    return Wrong(
        "Your class reads its files, or opens them, when it is built: what has been written to the folder since then "
        "does not come out. With ten thousand photographs that takes minutes, and fills the memory. Keep the paths; "
        "open a file in `__getitem__`."
    )


def _near(image, due, name):
    """Equal; of a JPEG but for what decoders differ in."""
    return int((image.int() - due.int()).abs().max()) <= (12 if name.endswith(".jpg") else 0)


def _sides(value):
    """The rows and columns of an image or mask, whatever else it has."""
    return [side for side in value.shape if side > 3]


def _require_mask(mask, i, name, folder):
    own = f"{Path(name).stem}.png"
    where, due, shape = f"The mask of `d[{i}]`, `{own}`,", folder.masks[own], tuple(mask.shape)
    for other, size in folder.sizes.items():
        if other != name and size == _sides(mask):
            raise Wrong(
                f"`d[{i}]` is the photograph `{name}` with the mask `{Path(other).stem}.png`. Two lists that are gone "
                "through side by side fit only as long as nothing is missing in either; here is a mask without a "
                "photograph. Make the mask's path of the photograph's name."
            )
    rows, columns = due.shape
    if shape in ((1, rows, columns), (rows, columns, 1)):
        raise Wrong(f"{where} has the shape {shape}; asked is (H, W), one number for each pixel: take the axis away.")
    if shape in ((rows, columns, 3), (3, rows, columns)):
        raise Wrong(
            f"{where} has the shape {shape}: its colours. They only show it; the classes are the numbers that the file "
            "stores, one a pixel. Do not convert a mask."
        )
    if shape == (columns, rows):
        raise Wrong(f"{where} lies on its side: its shape is {shape}, expected ({rows}, {columns}).")
    if mask.shape != due.shape:
        raise Wrong(f"{where} has the shape {shape}, expected {tuple(due.shape)}.")
    if mask.dtype.is_floating_point:
        raise Wrong(
            f"{where} is {mask.dtype}. A class is a whole number, and `ToTensor` divides by 255 besides: a mask must "
            "not go through it."
        )
    if mask.dtype != torch.int64:
        raise Wrong(f"{where} is {mask.dtype}; PyTorch's cross-entropy takes labels as int64: `.long()`.")
    if not torch.equal(mask, due):
        _name_numbers(mask, due, where, folder.before[1][own])


def _name_numbers(mask, due, where, before):
    """Raise `Wrong`, by what the numbers of a mask have become."""
    luminance = torch.from_numpy(voc_colors().astype(float)) @ torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)
    if int((mask - luminance[due].round().long()).abs().max()) <= 1:
        raise Wrong(
            f"{where} has a palette, and its numbers have become the greys of its colours. The numbers are the "
            "classes; `convert('L')` replaces them by how bright they are shown."
        )
    if torch.equal(mask, before):
        raise _too_early()
    kept = due != 255
    if torch.equal(mask[kept], due[kept]):
        changed = int(mask[~kept][0])
        raise Wrong(
            f"{where} has {changed} where its file stores 255. That number marks pixels that do not count, and the "
            "loss looks for it: leave it as it is."
        )
    if 0 <= mask.min() and mask.max() <= 1:
        raise Wrong(
            f"{where} has no other numbers than 0 and 1; stored are the classes, 0 to 20, and 255. Was it divided by "
            "255 (`ToTensor`), or compared (`> 0`)?"
        )
    raise Wrong(f"{where} has the right shape but other numbers than its file stores.")


def _require_end(dataset, length):
    call = f"d[{length}]"
    try:
        attempt(call, dataset.__getitem__, length)
    except Raised as raised:
        if isinstance(raised.error, IndexError):
            return
        raise raised.named(
            f"`len(d)` is {length}, so there is no `{call}`. A `for` loop asks for it all the same, and takes an "
            "IndexError for the end; yours raises another error."
        ) from None
    raise Wrong(
        f"`len(d)` is {length}, and yet `{call}` gives something. A `for` loop over a dataset goes on until an index "
        "raises an IndexError: over yours it would never end."
    )


photo_folder = Exercise(
    minutes=15,
    statement="""Write a dataset of your own pictures: `images/NAME.jpg` (or .png) and `masks/NAME.png` below `root`, a
        string or a `Path`. `d[i]` is (image, mask) of the i-th photograph, in the order of `sorted`: uint8 (3, H, W),
        RGB, and int64 (H, W), the numbers as they are stored, 255 too. Names may hold dots. There may be files of other
        kinds, and masks without a photograph; both are passed over. Past the end it raises an IndexError. A file is
        read when its item is asked for.""",
    hints=(
        """`__init__` needs the photographs' paths and nothing else: which files are photographs, and in which order?
        The path of a mask can be made of its photograph's when it is asked for. What does PIL give for a palette PNG
        if you do not convert it?""",
        """`sorted` over the paths in `Path(root) / "images"` whose `suffix` is .jpg or .png. In `__getitem__`:
        `path.stem` is the name; `np.array` of a photograph converted to RGB is (H, W, 3), that of a mask as it was
        opened is (H, W). Then `torch.from_numpy`, for the one `.permute(2, 0, 1)`, for the other `.long()`.""",
    ),
    reference=PhotoFolder,
    examine=_examine_photo_folder,
    barred=(MaskFolder,),
    moral="""What is wrong here no later step finds out: a network learns from the mask of another photograph without a
        word. The package's own, `MaskFolder`, refuses besides what leaves a doubt.""",
)


# ---------------------------------------------------------------------------------------------------------- poly_rates
def set_poly_rates(optimizer, step, steps, power=0.9):
    """Give each group of an optimiser its learning rate for a step: the "poly" schedule of the DeepLab papers.

    A group begins with its own `initial_lr`, and its rate falls to 0 at `steps`, where it stays.
    """
    left = max(0, 1 - step / steps)  # of the way
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * left**power


class _Rates:
    """An optimiser whose groups have begun with rates of their own, and calls that follow one another on it.

    to_the_end: whether no call goes past the last step.
    """

    def __init__(self, kind, number, *, to_the_end=False):
        self.kind, self.starts = kind, (0.1 + torch.rand(number, dtype=torch.float64)).tolist()
        self.steps = steps = int(torch.randint(40, 100, ()))
        middle, late = int(torch.randint(5, steps // 2, ())), int(torch.randint(steps // 2, steps - 2, ()))
        self.asked = [(middle, {}), (0, {}), (late, {}), (steps, {}), (1, {}), (steps + middle, {}), (middle, {})]
        self.asked += [(late, {"power": power}) for power in (0.5, 1, 2.0)] + [(steps + 1, {"power": 2})]
        self.asked = [(step, options) for step, options in self.asked if step <= steps or not to_the_end]

    def followed(self, function, call, *, own=False):
        """The groups' settings before, and after each call: a dict each; or at last the error of a call."""
        weights = [nn.Parameter(torch.ones(2)) for _ in self.starts]
        groups = [{"params": [weight], "lr": start} for weight, start in zip(weights, self.starts, strict=True)]
        optimizer = self.kind(groups, lr=3.0)
        for weight, group in zip(weights, optimizer.param_groups, strict=True):
            weight.grad = torch.ones(2)
            group["initial_lr"] = group["lr"]
            group["lr"] *= 0.37  # as an earlier step left it
        rows = [_settings(optimizer)]
        given = []
        for step, options in self.asked:
            value = outcome(call, *(() if own else (attempt, call)), function, optimizer, step, self.steps, **options)
            if isinstance(value, Raised):
                return [*rows, value], given
            given.append(value)
            rows.append(_settings(optimizer))
            if not own and not all(torch.equal(weight.detach(), torch.ones(2)) for weight in weights):
                raise Wrong("Your function moves the weights (`optimizer.step()`). It is to set rates, nothing else.")
        return rows, given


def _settings(optimizer):
    """Of each group all that it holds but the parameters, numbers as floats."""
    groups = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    return [
        {key: float(value) if _is_number(value) else a_kind(value) for key, value in group.items()} for group in groups
    ]


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool)


def _examine_poly_rates(answer):
    call = "poly_rates(optimizer, step, steps)"
    own_function(answer, call)
    cases = [_Rates(torch.optim.SGD, 3), _Rates(torch.optim.AdamW, 2), _Rates(torch.optim.SGD, 1)]
    found, given = map(list, zip(*(case.followed(answer, call) for case in cases), strict=True))
    due = [case.followed(set_poly_rates, call, own=True)[0] for case in cases]
    if alike(found, due):
        return
    _name_schedule(cases, found, call)
    inner = [_Rates(torch.optim.SGD, 3, to_the_end=True)]  # who stumbles past the end as well is told the other first
    within = [case.followed(answer, call)[0] for case in inner]
    _name_schedule(inner, within, call)
    if alike(within, [case.followed(set_poly_rates, call, own=True)[0] for case in inner]):
        sentence = "Up to the last step your rates are right; past it they must stay at 0, and do not."
        raised = next((rows[-1] for rows in found if isinstance(rows[-1], Raised)), None)
        raise raised.named(sentence) if raised else Wrong(sentence)
    for case, rows, values, right in zip(cases, found, given, due, strict=True):
        if isinstance(rows[-1], Raised):
            raise rows[-1]
        if alike(rows, [rows[0]] * len(rows)):
            returned = "" if is_nothing(values[0]) else f" You return {a_kind(values[0])}, which nobody reads."
            raise Wrong(
                f"No group's `lr` changes.{returned} An optimiser reads its rates from the dicts in "
                "`optimizer.param_groups`: write them there."
            )
        _name_rate(case, rows, right)


def _name_schedule(cases, found, call):
    """Raise `Wrong` with the first known mistake that sets the same rates."""
    if alike(found, [case.followed(set_poly_rates, call, own=True)[0] for case in cases]):
        return
    for mistake in POLY_RATES_MISTAKES:
        function = with_mistake(set_poly_rates, mistake)
        if alike(found, [case.followed(function, call, own=True)[0] for case in cases]):
            raised = next((rows[-1] for rows in found if isinstance(rows[-1], Raised)), None)
            raise raised.named(mistake.sentence) if raised else Wrong(mistake.sentence)


def _name_rate(case, rows, right):
    """Raise `Wrong` with the first setting of a group that is not as it should be."""
    for (step, options), after, due in zip(case.asked, rows[1:], right[1:], strict=True):
        where = f"After `poly_rates(optimizer, {', '.join([f'{step}, {case.steps}', *_words(options)])})`"
        if len(after) != len(due):
            raise Wrong(
                f"{where} `param_groups` is a list of {len(after)}; it was one of {len(due)}, and must stay so."
            )
        for i, (group, wanted) in enumerate(zip(after, due, strict=True)):
            for key, value in wanted.items():
                now = group.get(key)
                if alike(now, value):
                    continue
                if key != "lr":
                    raise Wrong(f"{where} `{key}` of group {i} is not what it was. Set `lr`, and leave all else.")
                raise Wrong(
                    f"{where} group {i}, whose `initial_lr` is {shown(wanted['initial_lr'])}, has as its `lr` "
                    f"{shown(now) if _is_number(now) else now}; it must be {shown(value)}."
                )
            if set(group) - set(wanted):
                raise Wrong(f"{where} group {i} has a new entry, `{min(set(group) - set(wanted))}`. Set `lr` alone.")


def _words(options):
    return [f"{key}={value}" for key, value in options.items()]


POLY_RATES_MISTAKES = mistakes(r"""
You multiply the present rate. It has fallen already, and falls once more at each call: begin at `initial_lr` each time.
    group["initial_lr"] * left**power => group["lr"] * left**power
    or group["lr"] = group["initial_lr"] * left**power => group["lr"] *= left**power
Only the first group gets its rate; a group is a part of the model, and all of them fall.
    in optimizer.param_groups: => in optimizer.param_groups[:1]:
All of your groups get the rate of the first one. Each has an `initial_lr` of its own: the backbone's is smaller.
    group["initial_lr"] * => optimizer.param_groups[0]["initial_lr"] *
All of your groups get the rate of the last one. Each has an `initial_lr` of its own: compute the rate inside the loop.
    group["initial_lr"] * => optimizer.param_groups[-1]["initial_lr"] *
Your groups all begin at the optimiser's default, `optimizer.defaults["lr"]`, which only counts where a group has none.
    group["initial_lr"] * => optimizer.defaults["lr"] *
`//` divides to a whole number: `step // steps` is 0 until the last step, so your rates stay at their highest.
    step / steps => step // steps
Your power is taken of the share that is done: (step / steps) ** power. Asked is the power of what is left.
    left**power => (1 - min(1, step / steps) ** power)
`**` binds more tightly than `/`, so that your power is that of `steps` alone. Put the whole bracket under it.
    1 - step / steps => 1 - step / steps**power
    left**power => left
Your power is taken of the rate as well. It belongs to the share alone: initial_lr * (share ** power).
    group["initial_lr"] * left**power => (group["initial_lr"] * left)**power
Your rates rise: (step / steps) ** power begins at 0. The share that is left is 1 - step / steps.
    1 - step / steps => min(1, step / steps)
Your rates fall along a straight line: the power is missing.
    left**power => left
A power of 0.9 is written out where `power` belongs.
    left**power => left**0.9
The share is multiplied by `power`; asked is the share to the power: `**`.
    left**power => left * power
You write the new rate into `initial_lr` as well, so that the next call begins lower. Set `lr` alone.
    group["lr"] = group["initial_lr"] => group["lr"] = group["initial_lr"] = group["initial_lr"]
You write the new rate into `initial_lr`, which is where a group began. An optimiser steps by `lr`.
    group["lr"] = => group["initial_lr"] =
Past the last step, 1 - step / steps is below 0, and a power of it is a complex number, or rises. Stay at 0 there.
    max(0, 1 - step / steps) => (1 - step / steps)
    or max(0, 1 - step / steps) => (1 - step / steps)
    left**power => max(0, left**power)
    or max(0, 1 - step / steps) => (1 - step / steps)
    left**power => max(0.0, left**power)
    or max(0, 1 - step / steps) => abs(1 - step / steps)
Past the last step yours leaves the rate as it was before. It must be 0 there, whatever was asked before.
    left = max => if step > steps:\n        return\n    left = max
    or left = max => if step >= steps:\n        return\n    left = max
You count the steps from 1: step 0 has the whole rate, and only at `steps` is nothing left.
    step / steps => (step + 1) / steps
You take the last step, steps - 1, for the end. At step 0 the whole is left, and only at `steps` itself nothing.
    step / steps => step / (steps - 1)
""")

poly_rates = Exercise(
    minutes=8,
    statement="""Set the learning rates of a step as the DeepLab papers do ("poly"): each group of the optimiser gets
        its own `initial_lr`, times what is left of the way, 1 - step / steps, to the power `power`. From the last step
        on it is 0. Nothing is returned, and nothing else is changed; the calls may come in any order.""",
    defaults={"power": 0.9},
    hints=(
        """`optimizer.param_groups` is a list of dicts, and what you write into them is what the optimiser reads at its
        next step. Which entry does it read, and which one tells where the group began? What becomes of the share that
        is left once step is larger than steps?""",
        """First the share, `1 - step / steps`, but no less than 0 (`max`). Then a loop over the groups: `group["lr"]`
        becomes `group["initial_lr"]` times the share to the power. In Python a power is `**`.""",
    ),
    reference=set_poly_rates,
    examine=_examine_poly_rates,
    moral="""PyTorch has it as `PolynomialLR`. Written out it can be read, asked for any step, and taken up again where
        a training was broken off.""",
)


# ------------------------------------------------------------------------------------------------------------ diagnose
def planted_faults(tutorial):
    """The names of the faults that a tutorial has, a set; each is looked for by what it does."""
    found = set()
    if not all(same_features(tutorial.before_dilation, tutorial.backbone).values()):
        found.add("rate")
    image = torch.full((3, 64, 96), 200, dtype=torch.uint8)  # one colour: resizing plays no part
    mask = torch.zeros(64, 96, dtype=torch.int64)
    mask[:, 48:] = 5  # an edge between two classes with others between them
    x, labels = tutorial.prepare(image, mask)
    if not set(labels.unique().tolist()) <= {0, 5}:
        found.add("labels")
    due = tutorial.backbone.normalize(image / 255)
    if not torch.allclose(x[:, 0, 0], due[:, 0, 0], atol=1e-3):
        found.add("normalisation")
    confusion = torch.tensor([[1, 1], [0, 8]])  # half of the background is found
    if abs(tutorial.score(confusion) - mean_iou(confusion)) > 1e-3:
        found.add("background")
    norms = [part for part in tutorial.model.modules() if isinstance(part, nn.BatchNorm2d)]
    if tutorial.batch_size == 1 and any(norm.training for norm in norms):
        found.add("batch norm")
    return found


class _Narrow(ResNet):
    """A small ResNet; `modes` holds the mode of each run, whichever copy of it ran."""

    modes: list[bool] = []

    def __init__(self, output_stride, block=BasicBlock):
        super().__init__("resnet", block, (1, 1, 1, 2), width=8, output_stride=output_stride)

    def forward(self, x):
        self.modes.append(self.training)
        return super().forward(x)


class _NarrowBottlenecks(_Narrow):
    """One that expects other colours, too."""

    mean, std = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)

    def __init__(self, output_stride):
        super().__init__(output_stride, Bottleneck)


class _Watched(Tutorial):
    """A tutorial that notes what it is asked, or a copy of it.

    frozen: which batch norms are in eval mode: "none", those of the "backbone", or "all".
    """

    prepared: list[tuple[Tensor, Tensor, Tensor]] = []  # image, mask, labels
    scored: list[tuple[Tensor, float]] = []

    def __init__(self, faults=(), *, frozen="none", batch_size=None, make_backbone=_Narrow):
        size, classes = 21 + 2 * int(torch.randint(4, ())), int(torch.randint(2, 9, ()))
        super().__init__(faults, make_backbone=make_backbone, num_classes=classes, size=size)
        self.frozen, self.batch_size = frozen, batch_size or self.batch_size
        for part in {"none": nn.Identity(), "backbone": self.backbone, "all": self.model}[frozen].modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
        for notes in (self.prepared, self.scored, _Narrow.modes):
            notes.clear()

    def prepare(self, image, mask):
        x, labels = super().prepare(image, mask)
        self.prepared.append((image, mask, labels))
        return x, labels

    def score(self, confusion):
        value = super().score(confusion)
        self.scored.append((confusion, value))
        return value


_Watched.__name__ = _Watched.__qualname__ = "Tutorial"  # as an error names it


def _examine_diagnose(answer):
    call = "diagnose(tutorial)"
    own_function(answer, call)
    cases = [
        *((faults, {}) for faults in ((), *((fault,) for fault in FAULTS))),
        ((), {"frozen": "all", "batch_size": 1}),
        (("batch norm",), {"frozen": "backbone"}),
        ((), {"make_backbone": _NarrowBottlenecks, "batch_size": 16}),
        *(((fault,), {"make_backbone": _NarrowBottlenecks}) for fault in ("normalisation", "rate")),
        *((pair, {}) for pair in (("labels", "normalisation"), ("rate", "batch norm"), ("labels", "background"))),
        (FAULTS, {}),
        (("rate", "labels", "normalisation", "background"), {"frozen": "all", "batch_size": 1}),
    ]
    given = []
    for faults, options in cases:
        tutorial = _Watched(faults, **options)
        before = _state(tutorial)
        try:
            given.append(attempt(call, answer, tutorial))
        except Raised as raised:
            if "slice step cannot be zero" in str(raised.error):
                raise raised.named(
                    "`same_features(a, b)` takes the coarser backbone first: `before_dilation`, then `backbone`, whose "
                    "maps are denser."
                ) from None
            raise
        _require_unchanged(tutorial, before)
        if not is_nothing(given[-1]):  # whether there is an answer at all shows at the end
            _require_found(given[-1], faults, tutorial)
    require_given(given, call)
    for (faults, _), names in zip(cases, given, strict=True):
        if is_nothing(names):
            raise Wrong(f"Of {_about(faults)} you return {names}. Where nothing is found, the set is empty: `set()`.")


def _state(tutorial):
    """All that can be changed about a tutorial: its networks' modes, their values and gradients, what it holds."""
    networks = nn.ModuleList([tutorial.model, tutorial.before_dilation])
    values = torch.cat([value.flatten().double() for value in networks.state_dict().values()])
    learns = [(value.requires_grad, value.grad is None) for value in networks.parameters()]
    held = {key: value if isinstance(value, int) else id(value) for key, value in vars(tutorial).items()}
    return [part.training for part in networks.modules()], values, learns, held


def _require_unchanged(tutorial, before):
    now = _state(tutorial)
    if not alike(now, before):
        what = "the mode of its networks (`train`, `eval`)" if now[0] != before[0] else "its weights or its settings"
        raise Wrong(
            f"Your function leaves the tutorial changed: {what}. Who looks for faults must add none. Work on a copy, "
            "`copy.deepcopy(...)`, as `same_features` does."
        )


def _require_found(names, faults, tutorial):
    """Raise `Wrong` unless these are the names of the faults that a tutorial has."""
    if not isinstance(names, set | frozenset | list | tuple):
        raise Wrong(f"You return {a_kind(names)}; asked is a set of names.")
    if other := [each for each in names if not isinstance(each, str)]:
        raise Wrong(f"Your set holds {a_kind(other[0])}; asked are names, strings.")
    if other := sorted(set(names) - set(FAULTS)):
        allowed = ", ".join(f'"{name}"' for name in FAULTS)
        raise Wrong(f'You name a fault "{other[0]}". The five are called {allowed}.')
    for fault in FAULTS:
        if (fault in names) != (fault in faults):
            words = " and ".join(f'"{name}"' for name in FAULTS if name in names) or "no fault"
            raise Wrong(f"In {_about(faults)} you find {words}. {WHY[fault](tutorial, fault in faults)}")


def _about(faults):
    """A tutorial in words, by what was planted in it."""
    has = [f'"{fault}"' for fault in FAULTS if fault in faults]
    if not has:
        return "a tutorial without a fault"
    if len(has) == 1:
        return f"a tutorial whose only fault is {has[0]}"
    if len(has) == len(FAULTS):
        return "a tutorial with all five faults"
    return f"a tutorial with the faults {', '.join(has[:-1])} and {has[-1]}"


def _why_rate(tutorial, missed):
    if not _Narrow.modes:
        return (
            "You do not run its backbones, and rates alone do not tell: a last stage that dilates is right. What "
            "counts is whether the weights still compute the same features."
        )
    if missed:
        return (
            "Its weights compute other features than before dilation. `same_features` gives a dict with True or False "
            "for each map, and a dict counts as true whatever stands in it: ask whether all its values are True."
        )
    if any(_Narrow.modes):
        return (
            "You run a backbone in training mode, where batch norm measures each grid anew, so that equal weights give "
            "other features. `same_features` compares in eval mode, on copies."
        )
    return (
        "Its backbones give the same features at the places that both have, every second one in both directions, but "
        "for rounding: `same_features` allows for that."
    )


def _why_labels(tutorial, missed):
    if not tutorial.prepared:
        return "You do not call `prepare`: feed it a mask that you know, and look at the labels."
    if not missed:
        return (
            "Its labels hold no number that the mask has not. (The nearest pixel can be chosen in more than one way: "
            "ask which numbers there are, not where.)"
        )
    masks = [mask for _, mask, _ in tutorial.prepared]
    made = [set(labels.unique().tolist()) - set(mask.unique().tolist()) for _, mask, labels in tutorial.prepared]
    if new := sorted(set().union(*made)):
        return f"`prepare` has made labels of your mask that are not in it: {', '.join(map(str, new[:4]))}."
    if all(mask.min() == mask.max() for mask in masks):
        return "Your mask has one number everywhere. Labels are spoilt at edges: let two classes meet."
    if all(mask.shape == (tutorial.size, tutorial.size) for mask in masks):
        return "Your mask has the very size that `prepare` resizes to, so that nothing is resized. Take a larger one."
    if all((mask.unique().diff() == 1).all() for mask in masks):
        return (
            "The classes in your mask are neighbours as numbers. What is between 0 and 1 is rounded to 0 or 1, and "
            "looks sound: let classes meet that have others between them, as 0 and 5."
        )
    return (
        "On your mask its way of resizing makes no number that was not there: the edges are too few, or the classes "
        "too near as numbers. Let 0 and 5 meet, or 0 and 255."
    )


def _why_normalisation(tutorial, missed):
    if not tutorial.prepared:
        return "You do not call `prepare`: feed it an image that you know, and look at `x`."
    if tutorial.backbone.mean[0] == 0.5:
        return (
            "Mean and standard deviation belong to the backbone, and this one's are not ImageNet's: "
            "`tutorial.backbone.normalize` knows them."
        )
    if missed:
        return "Its `x` is not what `tutorial.backbone.normalize` makes of the image, divided by 255 and resized."
    if all(image.min() == image.max() for image, _, _ in tutorial.prepared):
        return (
            "Its `x` is what `tutorial.backbone.normalize` makes of the image, but for rounding: the last digits may "
            "differ. Compare with a tolerance."
        )
    return (
        "Its `x` is right. Where an image has edges, `x` depends on how it is resized, and yours is resized otherwise. "
        "Feed an image of one colour: then resizing plays no part."
    )


def _why_background(tutorial, missed):
    if not tutorial.scored:
        return "You do not call `score`: feed it a confusion matrix of which you know the mean IoU."
    if not missed:
        return "Its `score` is the mean over all classes, as `mean_iou` gives it, but for rounding."
    pairs = [(value, mean_iou(confusion)) for confusion, value in tutorial.scored]
    if all(abs(value - due) < 1e-3 or value != value for value, due in pairs):
        return (
            "With your matrix it makes no difference whether background counts: its IoU is that of the others. Take a "
            "matrix in which background is found worse than they are."
        )
    value, due = max(pairs, key=lambda pair: abs(pair[0] - pair[1]))
    return f"Of a matrix of yours its `score` is {value:.3f}; the mean over all classes is {due:.3f}."


def _why_batch_norm(tutorial, missed):
    if tutorial.batch_size > 1:
        return f"It trains with batches of {tutorial.batch_size} images, from which batch norms can measure."
    if not missed:
        return (
            "It trains with single images, but all its batch norms are in eval mode: they use averages learnt before, "
            "and a single image harms nothing. Neither `batch_size` nor `model.training` tells that; each batch norm's "
            "own `training` does."
        )
    if tutorial.frozen == "backbone":
        return (
            "It trains with single images; the backbone's batch norms are in eval mode, and those of its head are not. "
            "Ask all batch norms of `model`: one in training mode is enough."
        )
    return "It trains with single images while its batch norms are in training mode: each image is its own statistics."


WHY = {
    "rate": _why_rate,
    "labels": _why_labels,
    "normalisation": _why_normalisation,
    "background": _why_background,
    "batch norm": _why_batch_norm,
}

diagnose = Exercise(
    minutes=25,
    statement="""Find out which of five faults a tutorial has, and return their names as a set. "rate": the dilated
        backbone no longer computes the features that its weights were trained for. "labels": a resized mask holds
        classes that were not in it. "normalisation": images are scaled for another backbone. "background": the mean IoU
        leaves class 0 out. "batch norm": it trains with single images while any batch norm is in training mode. Leave
        the tutorial as it is.""",
    hints=(
        """Each fault shows in what a part does with an input that you choose, and of which you know what must come out.
        At which edge does a wrongly resized mask give itself away? With which image does resizing play no part? In
        which confusion matrix does it matter whether background counts?""",
        """All values of `same_features(before_dilation, backbone)` must be True. Feed `prepare` an image of one colour
        and a mask in which 0 and 5 meet; compare with `backbone.normalize` and a tolerance, and look for numbers other
        than 0 and 5. Feed `score` a matrix with half of the background missed. For the last one ask `batch_size` and
        the `training` of each `nn.BatchNorm2d` in `model`.""",
    ),
    reference=planted_faults,
    examine=_examine_diagnose,
    moral="""A few lines find what no error message tells. Keep them: your own code can have these faults as well.""",
)
