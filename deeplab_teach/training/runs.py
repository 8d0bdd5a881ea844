"""The state of a training run in a file: written after each epoch, taken up again if all else is the same."""

import os

import torch

from deeplab_teach.data_files import atomic_write


def _shapes(state: dict) -> dict:
    return {key: tuple(value.shape) for key, value in state.items()}


def _strides(model) -> dict:
    """Stride and rate of each convolution: the same parameters at another output stride are another model."""
    return {name: (m.stride, m.dilation) for name, m in model.named_modules() if isinstance(m, torch.nn.Conv2d)}


def save_run(run, model, optimizer, schedule, settings: dict, history: list[dict]) -> None:
    """Write the state, whole or not at all."""
    state = {
        "model": model.state_dict(),
        "strides": _strides(model),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "settings": settings,
        "history": history,
    }
    with atomic_write(run) as temporary:
        torch.save(state, temporary)


def resume_run(run, model, optimizer, schedule, settings) -> list[dict]:
    path = os.fspath(run)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        saved_model, strides, saved_settings = dict(state["model"]), state.get("strides"), dict(state["settings"])
        shapes = _shapes(saved_model)
        optimizer_state, schedule_state, history = state["optimizer"], state["schedule"], list(state["history"])
    except Exception as error:  # bytes that are no file of PyTorch's raise anything
        raise ValueError(
            f"{path} is not the state of a training run, or is damaged ({type(error).__name__}). "
            "Delete it to start anew, or give another file."
        ) from error
    differing = [
        f"{key}: {saved_settings[key]} there, {value} here"
        for key, value in settings.items()
        if saved_settings.get(key, value) != value
    ]
    other = None
    if shapes != _shapes(model.state_dict()):
        other = "names or shapes of parameters"
    elif strides not in (None, _strides(model)):
        other = "strides or rates"
    if other:
        raise ValueError(
            f"the run in {path} was of another architecture: it has other {other} than this model. "
            "Build the same model to go on with it, or give another file for a new run."
        )
    if differing:
        raise ValueError(
            f"the run in {path} had other settings ({'; '.join(differing)}), so going on with it would be neither run. "
            "Use the same settings, or give another file for a new run."
        )
    model.load_state_dict(saved_model)
    optimizer.load_state_dict(optimizer_state)
    schedule.load_state_dict(schedule_state)
    return history
