"""Which pictures a command trains or judges on: `--data` and what belongs to it, the same for all commands."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Where nothing else is said: what is trained on, what is judged on.
SPLITS = {
    "scenes": ("train", "val"),
    "people": ("yours+train", "test"),
    "objects": ("train", "test"),
    "groups": ("train", "test"),
    "voc": ("train", "val"),
    "pets": ("trainval", "test"),
}
OWN = ("voc", "pets", "folder", "coco")  # these need --root
HELD_OUT = 5  # of a folder that is not divided every fifth picture is judged on, and the others trained on


def add_data_options(command: argparse.ArgumentParser, *, default: str | None) -> None:
    """`--data`, `--root`, `--split`, `--annotations`, `--classes`; `None` for a command that asks the checkpoint."""
    group = command.add_argument_group("pictures")
    known = "" if default else "; else what the checkpoint was trained on"
    group.add_argument(
        "--data",
        choices=[*SPLITS, "folder", "coco"],
        default=default,
        help="scenes: emoji on photographs; people, objects, groups (people who may be several): the course's "
        f"photographs; voc, pets, folder (images/ and masks/ with the same names), coco: yours, with --root{known}",
    )
    group.add_argument("--root", type=path, metavar="FOLDER", help="of voc, pets, folder; of coco's pictures")
    group.add_argument("--annotations", type=path, metavar="JSON", help="coco: the file with boxes and masks")
    group.add_argument(
        "--split",
        help="which part, else the usual one (people: yours, train, test, or yours+train; voc: train, val; of a "
        "folder train/ and test/ in it; else of folder and coco every fifth picture is kept for judging)",
    )
    group.add_argument(
        "--classes",
        type=lambda text: [name.strip() for name in text.split(",")],
        metavar="A,B,...",
        help="voc, folder: all names, background first; coco, objects: names to keep, else all",
    )
    group.add_argument(
        "--labels",
        type=_pair,
        nargs="*",
        metavar="STORED=CLASS",
        help="voc, folder: which class a number in a mask means, such as 255=1 where 255 marks the object",
    )


def _pair(text: str) -> tuple[int, int]:
    stored, equals, label = text.partition("=")
    if not equals or not stored.isdigit() or not label.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} should read STORED=CLASS, for example 255=1")
    return int(stored), int(label)


def path(text: str) -> Path:
    """A path as the command line has it; `~` is the home folder."""
    return Path(text).expanduser()


def require_data_options(args: argparse.Namespace) -> None:
    """Raise a `ValueError` unless what `--data` needs is there."""
    if args.data in OWN and args.root is None:
        raise ValueError(f"--data {args.data} needs --root, the folder of the pictures: no file remembers it.")
    if args.data == "coco" and args.annotations is None:
        raise ValueError("--data coco needs --annotations, the JSON file, beside --root, the folder of the pictures.")
    if args.data == "folder" and not args.classes:
        raise ValueError("--data folder needs --classes, for example --classes background,cat.")


def open_data(
    args: argparse.Namespace, part: str, *, split: str | None = None, transforms: Callable | None = None
) -> Any:
    """The pictures to train on (`part` is `"train"`) or to judge on (`"test"`); `split` in place of the usual one.

    Raises:
        ValueError, FileNotFoundError: as the reader of the data does.
    """
    from deeplab_teach import datasets

    require_data_options(args)
    own: dict[str, Any] = {"transforms": transforms}
    if args.classes and args.data in ("voc", "folder", "coco", "objects"):
        own["classes"] = args.classes
    if args.labels and args.data in ("voc", "folder"):
        own["labels"] = dict(args.labels)
    split = split or SPLITS.get(args.data, ("", ""))[part == "test"]
    if args.data == "people":
        return datasets.People(split, transforms=transforms)
    if args.data == "objects":
        return datasets.Objects(split, **own)
    if args.data == "groups":
        return datasets.Groups(split, transforms=transforms)
    if args.data == "voc":
        return datasets.VOCSegmentation(args.root, split, **own)
    if args.data == "pets":
        return datasets.OxfordPets(args.root, split, transforms=transforms)
    if args.data == "folder":
        if not (args.root / "train").is_dir():
            return Part(datasets.MaskFolder(args.root, **own), part)
        if (args.root / "images").is_dir():
            raise ValueError(
                f"{args.root} holds both images/ and train/: move one away, so that it is clear what counts."
            )
        return datasets.MaskFolder(args.root / (split or part), **own)  # its owner has divided it
    if args.data == "coco":
        return Part(datasets.COCODetection(args.annotations, args.root, **own), part)
    raise ValueError(f"scenes are drawn, not read: {args.data!r}.")


class Part:
    """Every fifth picture of a dataset, to judge on, or all others, to train on."""

    def __init__(self, dataset: Any, part: str):
        self.dataset, self.part, self.classes = dataset, part, dataset.classes
        every = range(len(dataset))
        self.indices = [i for i in every if (i % HELD_OUT == HELD_OUT - 1) == (part == "test")]
        if not self.indices:
            raise ValueError(f"{dataset!r} is too small to keep every fifth picture for judging: 5 or more are needed.")

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple:
        return self.dataset[self.indices[index]]

    def __repr__(self) -> str:
        return f"{self.part} part of {self.dataset!r}"
