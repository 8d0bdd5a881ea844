"""Several processes that train one model (`torchrun`): each takes its share of a batch, and all take the same step.

Without `torchrun` there is one process, which is the first of one, and nothing here does anything.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this one is: 0 for the first."""
    return dist.get_rank() if count() > 1 else 0


def is_first() -> bool:
    """Whether this process is the one that shows, judges and writes."""
    return rank() == 0


def start(device: torch.device) -> None:
    """Meet the other processes, if `torchrun` has started this one."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")


def own_device(device: torch.device) -> torch.device:
    """This process's own GPU where there are several."""
    if device.type == "cuda" and count() > 1:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    return device


class _Shared(DistributedDataParallel):
    """PyTorch's wrapper, which averages gradients over all processes, with the model's own names still in reach."""

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.module, name)


def wrapped(model: nn.Module, device: torch.device) -> nn.Module:
    """The model, or what keeps its copies in all processes alike; on a GPU batch norms measure over all of them."""
    if count() == 1:
        return model
    if device.type == "cuda":
        _synchronise_batch_norms(model)
    return _Shared(model)


def _synchronise_batch_norms(model):
    """Those that are trained become `SyncBatchNorm`, in place: the caller's model is the one that is trained."""
    for name, module in list(model.named_modules()):
        if type(module) is nn.BatchNorm2d and module.training:
            model.set_submodule(name, nn.SyncBatchNorm.convert_sync_batchnorm(module))


def own_share(batches: Iterable[list[int]]) -> Iterable[list[int]]:
    """Of each batch of indices those that this process reads."""
    return batches if count() == 1 else _Share(batches)


class _Share:
    def __init__(self, batches):
        self.batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            yield batch[rank() :: count()]

    def __len__(self) -> int:
        return len(self.batches)


def weighted(loss: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """A process's mean loss as its part of the mean over all processes: `(to go back from, to show)`.

    Gradients are averaged over processes, each counting the same. So that a pixel counts the same, and not a process, a
    mean over few pixels is made smaller and one over many larger.
    """
    if count() == 1:
        return loss, loss.detach()
    total = loss.new_tensor(weight)
    dist.all_reduce(total)
    loss = loss * (weight * count() / total.clamp(min=1))
    shown = loss.detach() / count()
    dist.all_reduce(shown)
    return loss, shown


def by_the_first(work: Callable[[], Any]) -> Any:
    """What the first process has worked out, told to all."""
    if count() == 1:
        return work()
    answer = [work() if is_first() else None]
    dist.broadcast_object_list(answer)
    return answer[0]
