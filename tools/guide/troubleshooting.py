"""Every diagnosis of `python -m deeplab_teach doctor`, brought about for real and written down with its remedy."""

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from unittest import mock

from packaging.requirements import Requirement

from deeplab_teach import doctor
from deeplab_teach import weights as weight_files

INTRODUCTION = """# When something does not work

First ask the course itself, in a terminal in the environment in which the lessons run:

```
python -m deeplab_teach doctor
```

It says `ok`, `note` or `BAD`, and what to do. Below are its diagnoses, each with what you see in a lesson when it
holds. They were brought about and written down by `make guide`, so the words are the doctor's own; `...` stands for a
folder of yours.
"""


def without(folder: str | Path, findings: Iterable) -> list:
    """The same with "..." for a folder of this computer."""
    return [(mark, text.replace(str(folder), "..."), remedy) for mark, text, remedy in findings]


def package(name: str, bound: str, version: str | None, *, optional: bool = False):
    """What is said of a package in this version, or of one that is not there."""

    def found(asked):
        if version is None:
            raise metadata.PackageNotFoundError(asked)
        return version

    with mock.patch.object(metadata, "version", found):
        return [doctor.package(Requirement(name + bound), optional=optional)]


def course_missing():
    with mock.patch.object(metadata, "requires", side_effect=metadata.PackageNotFoundError("deeplab_teach")):
        return [finding for finding in doctor.packages() if finding[0] == doctor.BAD]


def broken_torch():
    with mock.patch("importlib.import_module", side_effect=RuntimeError("operator torchvision::nms does not exist")):
        return [doctor.import_problem()]


def hidden_module():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "random.py").touch()
        return without(folder, doctor.shadowing(folder))


@contextlib.contextmanager
def weight_folder() -> Iterator[Path]:
    """A cache of PyTorch's that is empty."""
    with tempfile.TemporaryDirectory() as folder, mock.patch("torch.hub.get_dir", return_value=folder):
        checkpoints = Path(folder, "checkpoints")
        checkpoints.mkdir()
        yield checkpoints


def weights_missing():
    with weight_folder():
        return [finding for finding in doctor.weights() if " mobilenet_v2 " in f" {finding[1]} "]


def weights_damaged():
    with weight_folder() as checkpoints:
        (checkpoints / weight_files.WEIGHTS["mobilenet_v2"].file).write_bytes(b"half a download")
        return without(checkpoints, (finding for finding in doctor.weights() if finding[1].startswith("mobilenet_v2")))


def data_missing():
    with mock.patch.object(doctor, "checksums", side_effect=FileNotFoundError):
        return without(doctor.DATA_DIR.parent, doctor.data())


def data_damaged():
    with (
        mock.patch.object(doctor, "checksums", return_value={"photos/coffee.jpg": ""}),
        mock.patch.object(doctor, "data_path", side_effect=ValueError),
    ):
        return list(doctor.data())


def little_memory():
    with mock.patch.object(doctor, "total_memory", return_value=2.1):
        return [finding for finding in doctor.machine() if "memory" in finding[1]]


# What is seen in a lesson, and how the doctor comes to its diagnosis.
CASES: list[tuple[str, Callable[[], list]]] = [
    (
        "`No module named 'deeplab_teach'`: the kernel is another Python than the course was installed into",
        course_missing,
    ),
    ("`No module named 'safetensors'`, or another package's", lambda: package("safetensors", ">=0.4", None)),
    (
        "A function or an argument is unknown, in a cell that you have not changed",
        lambda: package("torchvision", ">=0.21", "0.15.2"),
    ),
    ("There is no command `jupyter lab`", lambda: package("jupyterlab", ">=4.2", None, optional=True)),
    ("Lesson 12 asks for `tokenizers`", lambda: package("tokenizers", ">=0.20", None, optional=True)),
    ("`import torchvision` ends with an error about an operator", broken_torch),
    ("`module 'random' has no attribute 'Random'`, or the like of a module that everybody has", hidden_module),
    ("`The weights of 'mobilenet_v2' ... are not on this computer`", weights_missing),
    ("`The weight file ... is damaged`: a download was cut short", weights_damaged),
    ("`The course's data folder is missing`", data_missing),
    ("`The data file ... is damaged`", data_damaged),
    ("The kernel restarts by itself in the middle of a lesson", little_memory),
]

OTHERS = """## What the doctor cannot see

- **A control does not move anything.** The page was opened as a stored notebook, on GitHub or without a kernel. Run
  the cell.
- **A cell waits for minutes.** Training cells say how long they take. If the computer does other work, they take as
  much longer.
- **My numbers differ in the last digits.** Sums are rounded in another order by other processors and versions; the
  texts say where that matters.
- **In Colab nothing is left the next day.** A runtime forgets its files: keep the notebook in Drive (*File, Save a
  copy in Drive*). What `check.progress()` remembers lies in `.deeplab_teach_progress.json` beside the notebook:
  download it, or keep it in a mounted Drive.
- **`check` says wrong and I do not see why.** It prints your line. `check.NAME.hint()`, called twice, gives two
  hints.
- **Fonts or letters are missing in a figure.** Harmless; matplotlib builds its list of fonts at the first import,
  which takes a minute once.
"""


def troubleshooting_page() -> str:
    parts = [INTRODUCTION]
    for seen, diagnose in CASES:
        parts.append(f"## {seen}\n")
        for mark, text, remedy in diagnose():
            parts += ["```", f"{mark:4}  {text}"]
            parts += [f"      do: {remedy}"] if remedy else []
            parts.append("```\n")
    return "\n".join([*parts, OTHERS])
