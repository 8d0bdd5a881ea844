"""What all datasets that read files share: files that are looked for at once and decoded when they are asked for."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from torch.utils.data import Dataset


class FileDataset(Dataset):
    """A dataset whose `dataset[i]` is `(image, target)`; a subclass says how many there are and reads item i.

    Attributes:
        classes: names of the classes, "background" first; a label is an index into it.
        transforms: a callable applied to `(image, target)`, for example from `torchvision.transforms.v2`, or None.
    """

    classes: tuple[str, ...]
    transforms: Callable | None

    def __len__(self) -> int:
        raise NotImplementedError

    def read(self, position: int) -> tuple:
        """Item `position`, 0 or more, before the transforms."""
        raise NotImplementedError

    def __getitem__(self, index: int) -> tuple:
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):  # this also ends `for item in dataset`
            raise IndexError(f"This dataset has {len(self)} items, 0 to {len(self) - 1}; got index {index}.")
        image, target = self.read(position)
        return (image, target) if self.transforms is None else self.transforms(image, target)


def existing_folder(folder: str | os.PathLike, what: str) -> Path:
    """The folder as a path; `what` it is for is said where it is missing.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        beside = sorted(other.name for other in path.parent.iterdir() if other.is_dir()) if path.parent.is_dir() else []
        near = f"{path.parent} has the folders {', '.join(beside[:10])}" if beside else f"{path.parent} has no folder"
        raise FileNotFoundError(
            f"There is no folder {str(path)!r}, {what}, seen from {os.getcwd()!r}: {near}. Check spelling and folder."
        )
    return path


def require_none_missing(missing: Sequence[str], total: int, what: str, advice: str) -> None:
    """Raise a `FileNotFoundError` that counts what is missing and lists the first three.

    Raises:
        FileNotFoundError: `missing` is not empty.
    """
    if missing:
        more = ", ..." if len(missing) > 3 else ""
        raise FileNotFoundError(
            f"{len(missing)} of {total} {what} are missing: {', '.join(map(str, missing[:3]))}{more}. {advice}"
        )
