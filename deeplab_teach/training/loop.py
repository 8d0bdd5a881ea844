"""A plain training loop that a person can watch, stop, and go on with."""

import os
import random
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler
from tqdm.auto import tqdm

from deeplab_teach.data_files import require_writable
from deeplab_teach.device import pick_device
from deeplab_teach.models import is_rcnn
from deeplab_teach.training import distributed
from deeplab_teach.training.freezing import is_frozen
from deeplab_teach.training.rates import SCHEDULES, falling, parameter_groups
from deeplab_teach.training.runs import resume_run, save_run
from deeplab_teach.training.tasks import task_of


def train(
    model: nn.Module,
    train_set: Dataset,
    val_set: Dataset | None = None,
    *,
    epochs: int = 4,
    batch_size: int = 8,
    lr_backbone: float = 6e-4,
    lr_head: float = 3e-3,
    weight_decay: float = 0.01,
    schedule: str = "one_cycle",
    mixed_precision: bool = False,
    workers: int = 0,
    seed: int = 0,
    device: str | torch.device | None = None,
    run: str | os.PathLike | None = None,
    progress: bool = True,
) -> list[dict]:
    """Train with AdamW and a learning rate that falls, by default five times gentler on the backbone than on the head.

    What is new learns at the head's rate: a pyramid between the two as well. What is frozen stays as it is: modules
    that are in eval mode and have no weight that requires a gradient keep their batch norms' running averages, too
    (`freeze`, `freeze_batch_norm`). In processes started by `torchrun` each takes its share of every batch.

    Args:
        model: trained in place; its backbone may hold pretrained weights. A `SegmentationModel`, a
            `Detector`, or torchvision's Faster or Mask R-CNN.
        train_set, val_set: give `(image, target)`, as `deeplab_teach.datasets.segmentation_collate` takes them, or
            `detection_collate` for a detector.
        epochs: passes over `train_set`.
        batch_size: images in a step, of all processes together; those left over at the end of an epoch are not used.
        lr_backbone, lr_head: the highest learning rates of the schedule.
        weight_decay: AdamW's.
        schedule: `"one_cycle"` warms up, then falls along a cosine; `"poly"` falls as (1 - step / steps) ** 0.9, as in
            the DeepLab papers.
        mixed_precision: compute in bfloat16 where it is safe, on a GPU; the weights stay float32.
        workers: processes that read images ahead; 0 reads them in this one.
        seed: of the order of the images, of dropout, and of transforms that use PyTorch's, NumPy's or Python's random
            numbers; the same seed gives the same run on the same computer.
        device: `"cpu"`, `"cuda"`, `"mps"`, where the model moves; `None` for where it is.
        run: a file that holds the state of the run after each epoch. If it is there, training goes on from it:
            an interrupted run loses at most the epoch it was in, and ends with the same weights as an unbroken one.
        progress: show a bar with loss and score.

    Returns:
        One `{"epoch", "loss", "miou"}` per epoch; `miou` is `None` without `val_set`. A detector has `ap50` instead.

    Raises:
        ValueError: no model that can be trained, one in half precision, no epoch, a batch of one image, labels out of
            range, a dataset of other classes than the model's, an unknown schedule, a device that is not there, or a
            `run` that is damaged or of another model, schedule or dataset.
        OSError: `run` cannot be written.
    """
    task = task_of(model)
    _require_trainable(model, train_set, epochs, batch_size)
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {schedule!r}.")
    if run:
        run = Path(run).expanduser()
        require_writable(run)
    device = next(model.parameters()).device if device is None else distributed.own_device(pick_device(device))
    model.to(device, memory_format=torch.channels_last)  # the layout that a CPU convolves fastest
    frozen = [module for module in model.modules() if is_frozen(module)]
    steps = len(train_set) // batch_size or 1
    optimizer = torch.optim.AdamW(parameter_groups(model, lr_backbone, lr_head), weight_decay=weight_decay)
    rates = falling(schedule, optimizer, [lr_backbone, lr_head], max(epochs * steps, 2))
    settings = {"epochs": epochs, "steps": steps, "batch_size": batch_size, "seed": seed}
    settings |= {"num_classes": _num_classes(model), "lr_backbone": lr_backbone, "lr_head": lr_head}
    settings |= {"weight_decay": weight_decay, "schedule": schedule, "data": _described(train_set)}
    history = resume_run(run, model, optimizer, rates, settings) if run and Path(run).is_file() else []
    shared = distributed.wrapped(model, device)
    precision = torch.autocast(device.type, torch.bfloat16, enabled=mixed_precision and device.type == "cuda")
    silent = not progress or not distributed.is_first()
    if history and not silent:
        tqdm.write(f"going on after epoch {len(history)} of {epochs}, from {run}")
    with tqdm(total=epochs * steps, initial=len(history) * steps, disable=silent, unit="step") as bar:
        for epoch in range(len(history), epochs):
            generator = _seeded(seed * 100_003 + epoch)  # each epoch its own, so that a run can go on
            order = RandomSampler(train_set, generator=generator)
            batches = BatchSampler(order, min(batch_size, len(train_set)), drop_last=True)
            loader = DataLoader(
                train_set,
                batch_sampler=distributed.own_share(batches),
                generator=generator,
                collate_fn=task.collate,
                num_workers=workers,
            )
            model.train()
            for module in frozen:
                module.train(False)
            losses = []
            for images, targets in loader:
                with precision:
                    loss = task.loss(shared, images, targets)
                loss, shown = distributed.weighted(loss, task.weight(targets))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                rates.step()
                losses.append(shown)
                if not silent:
                    bar.set_postfix_str(_status(losses[-20:], history, task), refresh=False)
                bar.update()
            score = None if val_set is None else distributed.by_the_first(lambda: task.evaluate(model, val_set))
            history.append({"epoch": epoch + 1, "loss": torch.stack(losses).mean().item(), task.score: score})
            bar.set_postfix_str(_status(losses[-20:], history, task))
            if run and distributed.is_first():
                save_run(run, model, optimizer, rates, settings, history)
    model.eval()
    return history


def _require_trainable(model, train_set, epochs, batch_size):
    """Whatever can be known to fail before the first step fails here."""
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
    if classes is not None and len(classes) != _num_classes(model):
        raise ValueError(
            f"the model has {_num_classes(model)} classes and the dataset {len(classes)} (background counts): build "
            "the model with num_classes=len(dataset.classes)."
        )


def _num_classes(model) -> int:
    if is_rcnn(model):  # the box predictor has a score for each class, background included
        return model.roi_heads.box_predictor.cls_score.out_features
    return model.num_classes


def _described(dataset) -> str:
    """What a run must find again: the dataset in words, if it has some, and its length."""
    words = repr(dataset) if type(dataset).__repr__ is not object.__repr__ else type(dataset).__name__
    return f"{words}, {len(dataset)} items"


def _seeded(seed) -> torch.Generator:
    """Every kind of random number that a dataset or a layer may draw starts from `seed`; the generator does, too."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def _status(losses, history, task):
    text = f"loss {torch.stack(losses).mean():.3f}"
    if not history or history[-1][task.score] is None:
        return text
    return f"{text}, {task.title} {100 * history[-1][task.score]:.1f}"
