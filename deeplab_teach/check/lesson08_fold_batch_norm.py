"""Lesson 08: fold a batch norm into the convolution before it."""

import copy

import torch
from torch import nn

from deeplab_teach.check.attempt import Raised, Wrong, a_kind, attempt, describe_error, own_function
from deeplab_teach.check.compare import same
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.folding import mistaken_biases, mistaken_weights
from deeplab_teach.speed import fold_batch_norm as reference

CALL = "fold_batch_norm(conv, norm)"
CASES = (  # Conv2d's arguments, size of an image
    ((4, 4, 4), {}, (9, 11)),  # every axis of the weight has four places: scaling along another one runs, and shows
    ((6, 5, (3, 2)), {"stride": (2, 1), "padding": 1, "bias": False}, (9, 11)),
    ((6, 9, (3, 5)), {"groups": 3, "dilation": 2, "padding": (2, 4), "padding_mode": "reflect"}, (8, 13)),
    ((8, 8, 3), {"groups": 8, "padding": 1, "bias": False}, (7, 6)),
)
ATTRIBUTES = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")


def _pair(arguments, options):
    """A convolution and its batch norm, in eval mode; what norms do is fixed, so that messages can show numbers."""
    conv = nn.Conv2d(*arguments, **options)
    norm = nn.BatchNorm2d(conv.out_channels, eps=1e-3)
    with torch.no_grad():
        for value, first, last in (
            (conv.bias, 0.3, -0.7),
            (norm.running_mean, -1.4, 2.1),
            (norm.running_var, 0.002, 0.03),  # small, so that `eps` shows
            (norm.weight, 0.5, 1.7),
            (norm.bias, 0.8, -1.2),
        ):
            if value is not None:
                value.copy_(torch.linspace(first, last, len(value)))
        norm.weight[1] *= -1
    return conv.eval(), norm.eval()


def _examine_fold_batch_norm(answer):
    own_function(answer, CALL)
    for arguments, options, size in CASES:
        conv, norm = _pair(arguments, options)
        before = [copy.deepcopy(module.state_dict()) for module in (conv, norm)]
        layer = _run(answer, conv, norm)
        _require_layer(layer, conv, norm, before)
        x = torch.randn(2, conv.in_channels, *size)
        failure = ""
        try:
            if same(layer(x), norm(conv(x))):
                continue
        except Exception as error:
            failure = describe_error(error)
        _require_same_arguments(layer, conv)
        _require_same_values(answer, layer, conv, norm)
        raise Wrong(f"Weight and bias of your layer are right, but it does not compute what {conv} would.\n{failure}")


def _run(answer, conv, norm):
    try:
        return attempt(CALL, answer, conv, norm)
    except Raised as raised:
        text, sentence = str(raised.error), f"Your function fails on {conv}."
        if conv.bias is None and "NoneType" in text:
            sentence = (
                "The `bias` of a convolution without one is None, and nothing can be done with None: it counts as 0."
            )
        elif "a leaf Variable that requires grad" in text:
            sentence = (
                "PyTorch records gradients while you write into a weight. Do it without gradients, or make a new one."
            )
        elif "cannot assign" in text and "Parameter" in text:
            sentence = "A layer's weight and bias must be parameters: wrap what you computed, `nn.Parameter(...)`."
        elif conv.groups > 1 and "size" in text:
            sentence = (
                f"Your function fails on a convolution with groups={conv.groups}: does the new layer have them too?"
            )
        raise raised.named(sentence) from None


def _require_layer(layer, conv, norm, before):
    changed = [_changed(module, state) for module, state in zip((conv, norm), before, strict=True)]
    if changed[0] and layer is conv:
        raise Wrong(
            "You write into the convolution that you are given and return it. The network it belongs to is another one "
            "now: its batch norm would act twice. Make a new layer."
        )
    if changed[0]:
        raise Wrong(
            "Your function returns a new layer but changes the given convolution too: do both hold the same tensor? "
            "The network it belongs to still needs it as it was."
        )
    if changed[1]:
        raise Wrong("Your function changes the batch norm that it is given; only read from it.")
    if layer is conv:
        raise Wrong("Your function returns the given convolution, unchanged.")
    if isinstance(layer, nn.Module) and any(isinstance(m, nn.BatchNorm2d) for m in layer.modules()):
        raise Wrong(
            "You return a module with a batch norm still in it, so nothing is saved; asked is one `nn.Conv2d` alone."
        )
    if not isinstance(layer, nn.Conv2d):
        raise Wrong(f"Your function returns {a_kind(layer)}; asked is one layer, an `nn.Conv2d` that has a bias.")
    if layer.weight is None or isinstance(layer, nn.LazyConv2d):
        raise Wrong("Your layer has no weight yet.")
    if layer.bias is None:
        raise Wrong("Your layer has no bias. What batch norm adds to each channel needs a place, whatever `conv` had.")


def _changed(module, state):
    now = module.state_dict()
    return now.keys() != state.keys() or any(not torch.equal(state[key], now[key]) for key in state)


def _require_same_arguments(layer, conv):
    for name in ATTRIBUTES:
        got, due = getattr(layer, name), getattr(conv, name)
        if got != due:
            raise Wrong(f"Your layer has {name}={got!r}, the given one {name}={due!r}: it must be passed on.")
    for part, shape in (("weight", tuple(conv.weight.shape)), ("bias", (conv.out_channels,))):
        value, dtype = getattr(layer, part), conv.weight.dtype
        if value.shape != shape or value.dtype != dtype:
            raise Wrong(
                f"Your {part} is {value.dtype} of shape {tuple(value.shape)}; it must be {dtype} of shape {shape}."
            )
        if not value.isfinite().all():
            raise Wrong(f"Your {part} contains NaN or infinity.")


@torch.no_grad()
def _require_same_values(answer, layer, conv, norm):
    """Raise if the weight, or else the bias, is another than the reference's, and say why."""
    right = reference(conv, norm)
    for part, mistakes in (("weight", mistaken_weights), ("bias", mistaken_biases)):
        value, due = getattr(layer, part), getattr(right, part)
        if same(value, due):
            continue
        for sentence, mistaken in mistakes(conv, norm):
            if same(value, mistaken):
                raise Wrong(sentence)
        if _ignores_averages(answer, conv, norm, part):
            raise Wrong(
                f"Your {part} does not depend on the running averages of `norm`. Eval mode uses those, not the "
                "statistics of a batch or of the weights; and what a new layer begins with is random."
            )
        i = next((i for i in range(len(due)) if not same(value[i], due[i])), 0)
        if part == "bias":
            raise Wrong(
                f"For {conv} the bias of channel {i} is {value[i]:.4g} in yours and must be {due[i]:.4g}: what "
                "`norm(conv(x))` gives for an image of zeros."
            )
        given = conv.weight[i]
        got, factor = ((v[i] * given).sum() / given.square().sum() for v in (value, due))
        if same(value[i], given * got):
            raise Wrong(
                f"For {conv} the weights of channel {i} are multiplied by {got:.4g} in yours, and must be by "
                f"{factor:.4g}. Which number does `norm` divide that channel by, and which does it multiply it by?"
            )
        raise Wrong(
            f"For {conv} the weights of channel {i} are not the given ones times one number; it must be {factor:.4g} "
            "for all of them."
        )


def _ignores_averages(answer, conv, norm, part) -> bool:
    """Whether the learner's function makes the same of a norm with other averages, if chance falls alike."""
    other, results = copy.deepcopy(norm), []
    other.running_mean += 1
    other.running_var *= 3
    for each in (norm, other):
        torch.manual_seed(0)
        results.append(getattr(attempt(CALL, answer, conv, each), part, None))
    return all(isinstance(value, torch.Tensor) for value in results) and same(*results)


fold_batch_norm = Exercise(
    name="fold_batch_norm",
    lesson="08",
    minutes=10,
    statement=(
        "Make one convolution that does what a convolution and the batch norm after it do in eval mode: scale the "
        "weights, and put all that is added into the bias. `conv` may have a bias or none, groups, stride, padding, "
        "dilation and another padding mode; `norm` has weight, bias and running averages. Both stay as they are."
    ),
    stub='''def fold_batch_norm(conv, norm):
    """One convolution that does what `norm(conv(x))` does in eval mode.

    conv: an nn.Conv2d of any stride, padding, dilation and groups, with a bias or without.
    norm: the nn.BatchNorm2d behind it, with weight, bias and running averages.
    Returns a new nn.Conv2d that has a bias; the two given ones stay as they are.
    """
    ...
''',
    hints=(
        "In eval mode batch norm does the same to each value of a channel: it subtracts a number, divides, multiplies "
        "and adds. Write that out for conv(x) = w * x + a. What stands before x now, and what stands alone?",
        "scale = norm.weight / sqrt(norm.running_var + norm.eps), one number per output channel. The weights are "
        "multiplied by it along their first axis; the bias is (a - running mean) * scale + norm.bias, with a = 0 where "
        "`conv` has none. `copy.deepcopy(conv)` keeps stride, padding, dilation and groups.",
    ),
    reference=reference,
    examine=_examine_fold_batch_norm,
    moral=(
        "The folded network answers the same, usually in less time; but it has nothing left to normalise by, so train "
        "first."
    ),
)
