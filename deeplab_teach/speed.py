"""Making a network faster without changing its answers, and measuring whether it is."""

import contextlib
import copy
import statistics
import time

import torch
from torch import Tensor, nn

from deeplab_teach.cost import run_on_meta
from deeplab_teach.features import image_channels
from deeplab_teach.predict import evaluating


def fold_batch_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution that does what `norm(conv(x))` does in eval mode (Jacob et al. 2018, arXiv 1712.05877, 3.2).

    With its running averages fixed, batch norm multiplies each channel by a number and adds another. Both can be done
    by the convolution itself: the first in its weights, the second in its bias. New layer; the two given stay.

    Raises:
        ValueError: the two do not fit, or the batch norm keeps no running averages.
    """
    if norm.num_features != conv.out_channels:
        raise ValueError(f"a batch norm of {norm.num_features} channels does not follow one of {conv.out_channels}.")
    if norm.running_var is None:
        raise ValueError("a batch norm without running averages depends on the batch: it cannot be folded.")
    folded = copy.deepcopy(conv).requires_grad_(True)
    with torch.no_grad():
        scale = torch.rsqrt(norm.running_var + norm.eps)  # (out_channels,)
        scale = scale if norm.weight is None else scale * norm.weight
        folded.weight.mul_(scale[:, None, None, None])
        shift = -norm.running_mean if conv.bias is None else conv.bias - norm.running_mean
        shift = shift * scale if norm.bias is None else shift * scale + norm.bias
        folded.bias = nn.Parameter(shift)
    return folded


def folded(model: nn.Module) -> nn.Module:
    """A copy of a model in eval mode, in which each batch norm that reads a convolution's output is folded into it.

    Which do is seen from one run on the meta device. Only for inference: there is nothing left to normalise by. Classes
    derived from batch norm, such as timm's with an activation inside, stay as they are.

    Raises:
        ValueError: a convolution is read by something else besides its batch norm, so that the answer would change.
    """
    original, model = model, copy.deepcopy(model).eval()
    made_by, pairs, kept = {}, [], []  # id of an output -> name of its convolution

    def record(name, module, inputs, output):
        if isinstance(module, nn.Conv2d):
            kept.append(output)  # as long as it lives its id is its own
            made_by[id(output)] = name
        elif type(module) is nn.BatchNorm2d and id(inputs[0]) in made_by:  # a subclass may do more, as timm's does
            pairs.append((made_by[id(inputs[0])], name))

    run_on_meta(model, (64, 64), record)
    for conv_name, norm_name in pairs:
        conv, norm = model.get_submodule(conv_name), model.get_submodule(norm_name)
        model.set_submodule(conv_name, fold_batch_norm(conv, norm))
        model.set_submodule(norm_name, nn.Identity().eval())
    _require_same_answer(original, model)
    return model


@torch.no_grad()
def _require_same_answer(original, model):
    parameter = next(original.parameters())
    x = torch.rand(1, image_channels(original), 64, 64).to(parameter)
    with evaluating(original):
        due, found = original(x), model(x)
    pairs = [(due[key], found[key]) for key in due] if isinstance(due, dict) else [(due, found)]
    for a, b in pairs:
        if not torch.allclose(a, b, rtol=1e-2, atol=1e-3 * a.abs().max().item()):
            raise ValueError("folding would change the answer: a convolution's output is used beside its batch norm.")


@torch.inference_mode()
def seconds(models: dict[str, nn.Module], x: Tensor, *, rounds: int = 5) -> dict[str, float]:
    """How long each of several models takes for `x`: the median of some rounds, in seconds.

    The models take turns, so that whatever else the computer does hits all of them alike; compare by ratios. Each runs
    once before the clock starts.
    """
    taken = {name: [] for name in models}
    with contextlib.ExitStack() as stack:
        for model in models.values():
            stack.enter_context(evaluating(model))
            model(x)
        for _ in range(rounds):
            for name, model in models.items():
                _finish(x)
                start = time.perf_counter()
                model(x)
                _finish(x)
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in taken.items()}


def _finish(x):
    """A GPU is told what to do and works on; the clock must wait for it."""
    if x.device.type != "cpu":
        torch.accelerator.synchronize()
