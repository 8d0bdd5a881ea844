"""Saving and loading our own models: safetensors, with the recipe of the model in the file's header."""

import difflib
import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from deeplab_teach.data_files import atomic_write, checksums, data_path, require_writable
from deeplab_teach.device import pick_device
from deeplab_teach.models import build_model
from deeplab_teach.weights import fill, require_fit


def save_model(path: str | os.PathLike, model: nn.Module, recipe: dict, *, dtype: torch.dtype = torch.float32) -> Path:
    """Write a model's weights and its recipe, whole or not at all.

    Args:
        path: ends in `.safetensors`.
        model: made by `build_model(**recipe["model"])`; compiled or in a `DataParallel`, what is inside is saved.
        recipe: what is needed to build and use it again: `{"model": {...}, "classes": [...], ...}`, of what JSON holds.
        dtype: of the stored floats; `torch.float16` halves the file.

    Returns:
        `path`, with `~` written out.

    Raises:
        ValueError: another ending; the recipe is not JSON, or builds no model, or one of other weights, so that the
            file could never be loaded.
        OSError: `path` cannot be written.
    """
    require_writable(path)
    if Path(path).suffix != ".safetensors":
        raise ValueError(f"a checkpoint's name ends in .safetensors, got {os.fspath(path)!r}.")
    model = _bare(model)
    try:
        header = json.dumps(recipe)
    except TypeError as error:
        raise ValueError(f"a recipe holds what JSON can: numbers, texts, lists and dicts ({error}).") from error
    try:
        with torch.device("meta"):
            twin = build_model(**recipe["model"])
    except (ValueError, KeyError, TypeError, RuntimeError) as error:  # a negative width is a RuntimeError
        raise ValueError(f"the recipe builds no model of this course: {error}") from error
    require_fit(twin, model.state_dict(), "the model's weights and the recipe's model")
    state = {
        key: value.to(dtype if value.is_floating_point() else value.dtype).contiguous().cpu()
        for key, value in model.state_dict().items()
    }
    with atomic_write(path) as temporary:
        save_file(state, temporary, metadata={"recipe": header})
    return Path(path).expanduser()


def _bare(model):
    """The model itself, out of what `torch.compile` and `DataParallel` wrap around it."""
    for name in ("_orig_mod", "module", "_orig_mod"):
        model = getattr(model, name, model)
    return model


def load_model(source: str | Path, *, device: str | torch.device | None = "cpu") -> tuple[nn.Module, dict]:
    """Build the model a file was made from and fill it; returns `(model, recipe)`, the model in eval mode.

    Args:
        source: the name of a shipped checkpoint (`"scenes_deeplabv3plus_mobilenet_v2"`) or a path.
        device: `"cpu"`, `"cuda"`, `"mps"`; `None` for the best there is.

    Raises:
        FileNotFoundError: no such file; the message lists the shipped ones.
        ValueError: not a checkpoint of this project, or damaged; a device that is not there.
    """
    device = pick_device(device)
    path = _find(source)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is not a whole safetensors file ({error}); train or download it again.") from error
    if "recipe" not in metadata:
        raise ValueError(f"{path} holds weights but no recipe of a model: it was not written by this project.")
    try:
        recipe = json.loads(metadata["recipe"])
        model = build_model(**recipe["model"])
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"the recipe in {path} builds no model of this course: {error}") from error
    fill(model, state, f"the weights in {path}")  # float16 values are widened to the model's float32 here
    return model.to(device).eval(), recipe


def _find(source) -> Path:
    shipped = [Path(name).stem for name in checksums() if name.startswith("checkpoints/")]
    if str(source) in shipped:
        return data_path(f"checkpoints/{source}.safetensors")
    path = Path(source).expanduser()
    if path.is_file():
        return path
    near = difflib.get_close_matches(path.stem, shipped, n=1)
    raise FileNotFoundError(
        f"There is no checkpoint {str(source)!r}: neither a file nor one of the shipped ones ({', '.join(shipped)}). "
        + (f"Did you mean {near[0]}?" if near else "`python -m deeplab_teach train` makes one.")
    )
