"""Published weights into our models: under which names they know each tensor, and what to say when they do not fit."""

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from deeplab_teach.weights.download import fetch
from deeplab_teach.weights.table import WeightFile, weight_file


def rename(state: dict, entry: WeightFile) -> dict:
    """Published names -> the names in a whole model of ours (`backbone....`, `head....`); unused ones left out."""
    renamed = {}
    for key, value in state.items():
        if key.startswith(entry.unused):
            continue
        old, new = next((pair for pair in entry.renames if key.startswith(pair[0])), ("", ""))
        renamed[new + key[len(old) :]] = value
    return renamed


def load_weights(model: nn.Module, name: str | None = None, *, download: bool = False) -> nn.Module:
    """Fill a model with published weights; every tensor must find its place.

    Args:
        model: a backbone (takes the backbone's part of the file), a pyramid (fills the backbone under it), or a whole
            `ImageClassifier` / `SegmentationModel`.
        name: a key of `WEIGHTS`; `None` for the name of the model's backbone.
        download: bring the file if it is not on this computer.

    Returns:
        The same model, for `model = load_weights(resnet50())`.

    Raises:
        ValueError: unknown name, damaged file, or weights that do not fit; the message says which.
        FileNotFoundError: the file is not here, or could not be had.
    """
    is_whole = hasattr(model, "backbone") and hasattr(model, "head")
    target = model if is_whole else _innermost(model)
    name = name or getattr(_innermost(model), "name", None)
    entry = weight_file(name)
    if is_whole and hasattr(model.backbone, "backbone"):
        raise ValueError(
            f"the weights of {name!r} have no pyramid: load them into model.backbone, which fills what is below."
        )
    path = fetch(str(name)) if download else entry.locate()
    if path is None:
        places = " and ".join(str(place) for place in entry.places())
        raise FileNotFoundError(
            f"The weights of {name!r} (file {entry.file}) are not on this computer: looked for {places}. "
            f"Bring them with `python -m deeplab_teach get-weights {name}`, or pass download=True."
        )
    state = rename(_read(entry.check(path, name), name), entry)
    if not is_whole:  # the published head is left out on purpose
        prefix = "backbone."
        state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    hint = f" The backbone fits: `load_weights(model.backbone, {name!r})` takes only its weights."
    fill(target, state, f"the weights of {name!r}", hint)
    return model


def _innermost(model):
    """The backbone itself, under a head or a pyramid or both."""
    while hasattr(model, "backbone"):
        model = model.backbone
    return model


def _read(path, name) -> dict:
    """The tensors of a file, by name. Neither format can run code."""
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            again = f"delete it and run `python -m deeplab_teach get-weights {name}`"
            raise ValueError(f"The weight file {path.resolve()} is damaged ({error}): {again}.") from error
    return torch.load(path, map_location="cpu", weights_only=True)


def fill(model: nn.Module, state: dict, what: str, hint: str = "") -> None:
    """`load_state_dict`, strict, with an error a person can act on: see `require_fit`."""
    require_fit(model, state, what, hint)
    if any(value.is_meta for value in model.state_dict().values()):
        raise ValueError("a model on the meta device has no memory for weights: build it without torch.device('meta').")
    model.load_state_dict(state)


def require_fit(model: nn.Module, state: dict, what: str, hint: str = "") -> None:
    """Raise a `ValueError` that says which tensors are missing, left over or of another shape.

    hint: ends it where the difference lies in the head alone.
    """
    ours = model.state_dict()
    # Files from before 2018 lack batch norm's counter of batches; PyTorch then leaves it as it is.
    missing = [key for key in ours if key not in state and not key.endswith(".num_batches_tracked")]
    extra = [key for key in state if key not in ours]
    shapes = [
        f"{key} is {tuple(value.shape)} in the file and {tuple(ours[key].shape)} in the model"
        for key, value in state.items()
        if key in ours and value.shape != ours[key].shape
    ]
    problems = []
    for label, rows in (("not in the file: ", missing), ("not in the model: ", extra), ("other shape: ", shapes)):
        if rows:
            problems.append(label + ", ".join(rows[:3]) + (f" and {len(rows) - 3} more" if len(rows) > 3 else ""))
    if problems:
        if not all(text.startswith("head.") for text in (*missing, *extra, *shapes)):
            hint = ""
        raise ValueError(f"{what} do not fit this model; {'; '.join(problems)}.{hint}")
