"""Training a segmentation model: a plain loop that a person can watch, stop, and go on with."""

import os
import random
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from deeplab_teach.data_files import atomic_write, require_writable
from deeplab_teach.datasets import segmentation_collate
from deeplab_teach.device import pick_device
from deeplab_teach.losses import segmentation_loss
from deeplab_teach.metrics import confusion_matrix, mean_iou, trimap_target
from deeplab_teach.models import SegmentationModel, require_kind
from deeplab_teach.necks import Pyramid
from deeplab_teach.predict import evaluating, prepared


@torch.no_grad()
def evaluate(
    model: SegmentationModel, dataset: Dataset, *, batch_size: int = 16, trimap_width: int | None = None
) -> float:
    """mIoU of a model over a dataset, in 0..1; with `trimap_width`, only over the pixels that lie near an outline.

    Args:
        dataset: gives `(image, target)`, as `deeplab_teach.datasets.segmentation_collate` takes them.
        trimap_width: in pixels; `None` for all pixels.

    Raises:
        ValueError: no segmentation model, or labels that the model has no class for.
    """
    require_kind(model, SegmentationModel)
    total = torch.zeros(model.num_classes, model.num_classes, dtype=torch.int64)
    with evaluating(model):
        for images, labels in DataLoader(dataset, batch_size, collate_fn=segmentation_collate):
            logits = model(prepared(model, images))
            if trimap_width is not None:
                labels = trimap_target(labels, trimap_width)
            total += confusion_matrix(logits.argmax(dim=1).cpu(), labels, model.num_classes)
    return mean_iou(total)


def train(
    model: SegmentationModel,
    train_set: Dataset,
    val_set: Dataset | None = None,
    *,
    epochs: int = 4,
    batch_size: int = 8,
    lr_backbone: float = 6e-4,
    lr_head: float = 3e-3,
    weight_decay: float = 0.01,
    seed: int = 0,
    device: str | torch.device | None = None,
    run: str | os.PathLike | None = None,
    progress: bool = True,
) -> list[dict]:
    """Train with AdamW and a one-cycle learning rate, by default five times gentler on the backbone than on the head.

    What is new learns at the head's rate: a pyramid between the two as well. What is frozen stays as it is: modules
    that are in eval mode and have no weight that requires a gradient keep their batch norms' running averages, too.

    Args:
        model: trained in place, on `device`; its backbone may hold pretrained weights.
        train_set, val_set: give `(image, target)`, as `deeplab_teach.datasets.segmentation_collate` takes them.
        epochs: passes over `train_set`.
        batch_size: images in a step; those left over at the end of an epoch are not used in it.
        lr_backbone, lr_head: the highest learning rates of the one-cycle schedule.
        weight_decay: AdamW's.
        seed: of the order of the images, of dropout, and of transforms that use PyTorch's, NumPy's or Python's random
            numbers; the same seed gives the same run on the same computer.
        device: `"cpu"`, `"cuda"`, `"mps"`; `None` for the best there is.
        run: a file that holds the state of the run after each epoch. If it is there, training goes on from it:
            an interrupted run loses at most the epoch it was in, and ends with the same weights as an unbroken one.
        progress: show a bar with loss and mIoU.

    Returns:
        One `{"epoch", "loss", "miou"}` per epoch; `miou` is `None` without `val_set`.

    Raises:
        ValueError: no segmentation model, one in half precision, no epoch, a batch of one image, labels out of range, a
            dataset of other classes than the model's, a device that is not there, or a `run` that is damaged or of
            another model or schedule.
        OSError: `run` cannot be written.
    """
    _require_trainable(model, train_set, epochs, batch_size)
    if run:
        run = Path(run).expanduser()
        require_writable(run)
    device = pick_device(device)
    model.to(device, memory_format=torch.channels_last)  # the layout that CPU and GPU convolve fastest
    frozen = [module for module in model.modules() if _is_frozen(module)]
    steps = len(train_set) // batch_size or 1
    pretrained, new = _parameters(model)
    optimizer = torch.optim.AdamW(
        [{"params": pretrained, "lr": lr_backbone}, {"params": new, "lr": lr_head}], weight_decay=weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=[lr_backbone, lr_head], total_steps=max(epochs * steps, 2)
    )
    settings = {"epochs": epochs, "steps": steps, "batch_size": batch_size, "seed": seed}
    settings |= {"num_classes": model.num_classes, "lr_backbone": lr_backbone, "lr_head": lr_head}
    settings |= {"weight_decay": weight_decay}
    history = _resume(run, model, optimizer, schedule, settings) if run and Path(run).is_file() else []
    with tqdm(total=epochs * steps, initial=len(history) * steps, disable=not progress, unit="step") as bar:
        for epoch in range(len(history), epochs):
            loader = DataLoader(
                train_set,
                min(batch_size, len(train_set)),
                shuffle=True,
                drop_last=True,
                generator=_seeded(seed * 100_003 + epoch),  # each epoch its own, so that a run can go on
                collate_fn=segmentation_collate,
            )
            model.train()
            for module in frozen:
                module.train(False)
            losses = []
            for images, labels in loader:
                images = prepared(model, images).to(memory_format=torch.channels_last)
                loss = segmentation_loss(model(images), labels.to(device))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                losses.append(loss.detach())
                if progress:
                    bar.set_postfix_str(_status(losses[-20:], history), refresh=False)
                bar.update()
            miou = None if val_set is None else evaluate(model, val_set)
            history.append({"epoch": epoch + 1, "loss": torch.stack(losses).mean().item(), "miou": miou})
            bar.set_postfix_str(_status(losses[-20:], history))
            if run:
                _save(run, model, optimizer, schedule, settings, history)
    model.eval()
    return history


def _require_trainable(model, train_set, epochs, batch_size):
    """Whatever can be known to fail before the first step fails here."""
    require_kind(model, SegmentationModel)
    if len(train_set) < 2 or batch_size < 2:
        raise ValueError(
            f"training needs batches of 2 images or more, got batch_size={batch_size} and {len(train_set)} images: "
            "image pooling and batch norm measure a spread, and one value has none."
        )
    if epochs < 1:
        raise ValueError(f"epochs must be 1 or more, got {epochs}.")
    if (dtype := next(model.parameters()).dtype) in (torch.float16, torch.bfloat16):
        raise ValueError(f"small steps vanish in {dtype}: train in float32 (`model.float()`).")
    classes = getattr(train_set, "classes", None)
    if classes is not None and len(classes) != model.num_classes:
        raise ValueError(
            f"the model has {model.num_classes} classes and the dataset {len(classes)} (background counts): build the "
            "model with num_classes=len(dataset.classes)."
        )


def _is_frozen(module) -> bool:
    parameters = list(module.parameters())
    return not module.training and bool(parameters) and not any(each.requires_grad for each in parameters)


def _parameters(model) -> tuple[list, list]:
    """Those of the backbone itself, which may be pretrained, and all others: of a pyramid on it and of the head."""
    body = model.backbone
    while isinstance(body, Pyramid):
        body = body.backbone
    pretrained = list(body.parameters())
    known = {id(parameter) for parameter in pretrained}
    return pretrained, [parameter for parameter in model.parameters() if id(parameter) not in known]


def _seeded(seed) -> torch.Generator:
    """Every kind of random number that a dataset or a layer may draw starts from `seed`; the generator does, too."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def _status(losses, history):
    text = f"loss {torch.stack(losses).mean():.3f}"
    return text if not history or history[-1]["miou"] is None else f"{text}, mIoU {100 * history[-1]['miou']:.1f}"


def _shapes(state: dict) -> dict:
    return {key: tuple(value.shape) for key, value in state.items()}


def _strides(model) -> dict:
    """Stride and rate of each convolution: the same parameters at another output stride are another model."""
    return {name: (m.stride, m.dilation) for name, m in model.named_modules() if isinstance(m, torch.nn.Conv2d)}


def _save(run, model, optimizer, schedule, settings, history):
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


def _resume(run, model, optimizer, schedule, settings) -> list[dict]:
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
