"""`python -m deeplab_teach doctor`: what is installed, which weights and data are here, what to do about the rest."""

import importlib
import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from deeplab_teach import __version__
from deeplab_teach.data_files import DATA_DIR, checksums, data_path

OK, NOTE, BAD = "ok", "note", "BAD"
Finding = tuple[str, str, str | None]  # mark, text, and what to do about it
ON_A_GPU = "the lessons stay on the CPU, so that figures are those of the text; `train` takes a `device`"
# Imported to see that they work, in this order; the others are only looked up.
IMPORTED = ("torch", "torchvision")
SHOWN = ("torch", "torchvision", "numpy", "matplotlib", "ipywidgets", "safetensors", "jupyterlab", "tokenizers")


def report() -> tuple[str, int]:
    """All findings as text, and 0 if every lesson can run, 1 if something is missing or damaged."""
    parts = (("Packages", packages), ("Weights", weights), ("Data", data), ("Machine", machine))
    lines, status = [f"deeplab_teach {__version__}"], 0
    for title, part in parts:
        lines += ["", title]
        for mark, text, remedy in part():
            lines.append(f"  {mark:4}  {text}")
            lines += [f"        do: {remedy}"] if remedy else []
            status |= mark == BAD
    closing = "Something is missing: see the lines marked BAD." if status else "Every lesson can run here."
    return "\n".join([*lines, "", closing]), int(status)


def packages() -> Iterator[Finding]:
    """Versions against the bounds of pyproject.toml, each finding `(mark, text, remedy or None)`."""
    version = platform.python_version()
    yield OK, f"Python {version}", None  # an older one than the course needs could not install it
    try:
        required = [Requirement(text) for text in metadata.requires("deeplab_teach") or ()]
    except metadata.PackageNotFoundError:
        yield BAD, "the course's package is not installed", 'python -m pip install -e ".[lab]"'
        return
    for requirement in required:
        if requirement.name not in SHOWN:
            continue
        optional = requirement.marker is not None
        if optional and not requirement.marker.evaluate({"extra": "lab"}):
            continue
        yield package(requirement, optional=optional)
    shadows = list(shadowing())
    yield from shadows
    if not shadows and (problem := import_problem()) is not None:
        yield problem


def shadowing(folder: str | os.PathLike | None = None) -> Iterator[Finding]:
    """Files of yours that hide a module: `random.py` beside a notebook is what `import random` finds there."""
    folder = Path.cwd() if folder is None else Path(folder)
    hidden = {*sys.stdlib_module_names, *SHOWN, "deeplab_teach", "PIL", "IPython", "tqdm"}
    for path in sorted(folder.glob("*.py")):
        if path.stem in hidden:
            yield BAD, f"{path} hides the module `{path.stem}`: whoever imports that here gets this file", "rename it"


def package(requirement: Requirement, *, optional: bool) -> Finding:
    name, bound = requirement.name, str(requirement.specifier)
    remedy = f'python -m pip install "{name}{bound}"'
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        if optional:
            what_for = "to cut text into pieces, in lesson 12" if name == "tokenizers" else "to open the lessons"
            return NOTE, f"{name} is not installed (needed {what_for} on this computer)", remedy
        return BAD, f"{name} is not installed", remedy
    fits = requirement.specifier.contains(version, prereleases=True)
    return (OK if fits else BAD), f"{name} {version} ({bound} is needed)", None if fits else remedy


def import_problem() -> Finding | None:
    """Builds of torch and torchvision from two places install side by side and fail only when they are imported."""
    for name in IMPORTED:
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever a broken binary raises
            words = (str(error).strip() or type(error).__name__).splitlines()[0][:100]
            remedy = "python -m pip install --force-reinstall torch torchvision   (both from one place)"
            return BAD, f"{name} is installed and cannot be imported: {words}", remedy
    return None


def weights() -> Iterator[Finding]:
    """Which weight files are here, each checked by its hash; those the lessons need must be."""
    try:
        from deeplab_teach.weights import LESSON_WEIGHTS, WEIGHTS
    except ImportError as error:
        yield BAD, f"cannot be looked for: {error}", None
        return
    for name, entry in WEIGHTS.items():
        command = f"python -m deeplab_teach get-weights {name}"
        path = entry.locate()
        needed = name in LESSON_WEIGHTS
        if path is None and needed:
            yield BAD, f"{name} is not here", command
        elif path is not None:
            try:
                entry.check(path)
                yield OK, f"{name}: {path}", None
            except ValueError:
                yield BAD, f"{name} is damaged: {path}", f"delete that file, then {command}"
    others = [name for name, entry in WEIGHTS.items() if name not in LESSON_WEIGHTS and entry.locate() is None]
    if others:
        yield NOTE, f"not here, downloaded when asked for: {', '.join(others)}", None


def data() -> Iterator[Finding]:
    """Every file of `data/` against its checksum."""
    remedy = "git checkout -- data   (or install the package again)"
    try:
        names = list(checksums())
    except FileNotFoundError:
        yield BAD, f"there is no data folder at {DATA_DIR}", remedy
        return
    wrong = []
    for name in names:
        try:
            data_path(name)
        except (FileNotFoundError, ValueError):
            wrong.append(name)
    if wrong:
        shown = ", ".join(wrong[:5]) + (" ..." if len(wrong) > 5 else "")
        yield BAD, f"{len(wrong)} of {len(names)} files missing or damaged: {shown}", remedy
    else:
        yield OK, f"{len(names)} files, all whole: {DATA_DIR}", None


def machine() -> Iterator[Finding]:
    """Cores, memory and accelerator. Nothing here is needed: a GPU only makes the lessons faster."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield OK, f"{platform.system()} {platform.machine()}, {cores} CPU cores", None
    if (memory := total_memory()) is not None:
        few = memory < 3.5
        yield (
            NOTE if few else OK,
            f"{memory:.1f} GB of memory (a lesson needs up to 2 GB)",
            "close other programs while a lesson runs" if few else None,
        )
    try:
        import torch
    except Exception:  # said above, under Packages
        return
    if torch.cuda.is_available():
        yield OK, f"GPU: {torch.cuda.get_device_name()} ({ON_A_GPU})", None
    elif torch.backends.mps.is_available():
        yield OK, f"GPU: Apple's, through MPS ({ON_A_GPU})", None
    else:
        yield OK, "no GPU: the lessons run on the CPU, as they are meant to", None
    yield from ((NOTE, text, None) for text in hosted())


def hosted() -> Iterator[str]:
    """What to know on a computer that forgets: one of Colab's, Kaggle's or Binder's."""
    if "COLAB_RELEASE_TAG" in os.environ:
        yield (
            "Colab forgets this runtime. Keep the notebook: File, Save a copy in Drive (or File, Download).\n"
            "        Keep what check.progress() remembers: mount your Drive (the folder at the left) and run first\n"
            "        %env DEEPLAB_TEACH_PROGRESS=/content/drive/MyDrive/deeplab_teach.json"
        )
    elif "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        yield "Kaggle forgets this session. Keep the notebook: Save Version. (The first cell needs Internet: On.)"
    elif "BINDER_SERVICE_HOST" in os.environ:
        yield "Binder forgets everything ten minutes after you leave. Keep the notebook: File, Download."


def total_memory() -> float | None:
    """Memory of the computer in GB, or `None` where it cannot be learned."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        pass
    try:
        import psutil
    except ImportError:
        return None
    return psutil.virtual_memory().total / 1e9


def main() -> int:
    """Print the report; the exit status for the command line."""
    text, status = report()
    print(text)
    return status
