"""Saving and loading our own models: safetensors, with the recipe of the model in the file's header."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from deeplab_teach.files import atomic_write, checksums, data_path
from deeplab_teach.models import build_model
from deeplab_teach.weights import fill


def save_model(path, model, recipe: dict, *, dtype=torch.float32) -> Path:
    """Write a model's weights and its recipe, whole or not at all.

    Args:
        path: ends in `.safetensors`.
        model: made by `build_model(**recipe["model"])`.
        recipe: what is needed to build and use it again: `{"model": {...}, "classes": [...], ...}`.
        dtype: of the stored floats; `torch.float16` halves the file.
    """
    state = {
        key: value.to(dtype if value.is_floating_point() else value.dtype).contiguous().cpu()
        for key, value in model.state_dict().items()
    }
    with atomic_write(path) as temporary:
        save_file(state, temporary, metadata={"recipe": json.dumps(recipe)})
    return Path(path)


def load_model(source, *, device="cpu"):
    """Build the model a file was made from and fill it; returns `(model, recipe)`, the model in eval mode.

    Args:
        source: the name of a shipped checkpoint (`"scenes_deeplabv3plus_mobilenet_v2"`) or a path.

    Raises:
        FileNotFoundError: no such file; the message lists the shipped ones.
        ValueError: not a checkpoint of this project, or damaged.
    """
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
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"the recipe in {path} builds no model of this course: {error}") from error
    fill(model, state, f"the weights in {path}")  # float16 values are widened to the model's float32 here
    return model.to(device).eval(), recipe


def _find(source) -> Path:
    shipped = [Path(name).stem for name in checksums() if name.startswith("checkpoints/")]
    if str(source) in shipped:
        return data_path(f"checkpoints/{source}.safetensors")
    if Path(source).is_file():
        return Path(source)
    raise FileNotFoundError(
        f"There is no checkpoint {str(source)!r}: neither a file nor one of the shipped ones ({', '.join(shipped)}). "
        "`python -m deeplab_teach train` makes one."
    )
