"""Lesson 04: a linear layer made into a 1x1 convolution."""

import re

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from deeplab_teach.check.attempt import Raised, Wrong, a_kind, attempt, own_function
from deeplab_teach.check.compare import require_same, require_untouched, same
from deeplab_teach.check.engine import Exercise
from deeplab_teach.heads import convolutionalise as reference

RUN = "convolutionalise(linear)"
# in_features, out_features, bias: 98 is also 2 channels of a 7x7 map; 5 and 5 let swapped axes fit.
CASES = ((98, 6, True), (5, 5, True), (7, 4, False))


def _examine_convolutionalise(answer):
    own_function(answer, RUN)
    for in_features, out_features, bias in CASES:
        linear = nn.Linear(in_features, out_features, bias=bias)
        before = {name: (value, value.detach().clone()) for name, value in linear.named_parameters()}
        conv = _run(answer, linear)
        _require_linear_stays(linear, before, conv)
        _require_conv(conv, linear)
        _require_sizes(conv, linear)
        _require_values(conv, linear)
        _require_copy(conv, linear)
        x = torch.randn(2, in_features, 4, 6)
        given = x.clone()
        value = attempt("convolutionalise(linear)(x)", conv, given)
        require_untouched({"x": x}, {"x": given}, "the map that your layer is given")
        due = linear(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        require_same(value, due, what="what your layer gives for a map", axes="(N, out_features, H, W)")


def _run(answer, linear):
    try:
        return attempt(RUN, answer, linear)
    except Raised as raised:
        for pattern, sentence in _errors(linear):
            if re.search(pattern, str(raised.error)):
                raise raised.named(sentence) from None
        raise


def _errors(linear):
    """`(what PyTorch's message contains, the mistake behind it)`."""
    yield (
        "cannot assign .* as parameter",
        "A layer takes only an `nn.Parameter` as its weight or bias: that is how it knows what training may change. "
        "A tensor that was cut, viewed or cloned from a parameter is none any more.",
    )
    yield (
        "leaf Variable",
        "PyTorch refuses to change a weight in place while it records for gradients. Filling the weight of a new layer "
        "is no step to be recorded: `torch.no_grad()` says so.",
    )
    yield (
        r"broadcast shape|expanded size of the tensor \(1\)|tensor a \(1\)|mismatch for weight.*Size\(\[\d+, \d+\]\) f",
        "The weight of a linear layer has two axes, that of a convolution four: a kernel has rows and columns too.",
    )
    into, out = linear.in_features, linear.out_features
    either = ((into, out), (out, into))
    yield (
        "|".join(rf"\({a}\) must match .*\({b}\)|Size\(\[{a}, {b}.*Size\(\[{b}, {a}" for a, b in either),
        "What comes in and what goes out are mixed up. `nn.Conv2d` is built from the channels in and the channels out; "
        "its weight has them in the other order, the same as the weight of a linear layer.",
    )
    if linear.bias is None:
        yield "NoneType", "This `linear` has no bias: its `linear.bias` is None. Then the convolution has none either."
    yield (
        "Boolean value of Tensor",
        "A tensor of several values is neither true nor false. Whether `linear` has a bias, `is not None` tells; and "
        "the argument `bias` of a layer takes that answer, True or False, not the values.",
    )
    yield (
        "'Linear' object has no attribute '(in|out)_channels'",
        "A linear layer has no channels: it calls its sizes `in_features` and `out_features`.",
    )


def _require_linear_stays(linear, before, conv):
    after = dict(linear.named_parameters())
    if after.keys() == before.keys() and type(linear) is nn.Linear:
        pairs = [(after[name], *before[name]) for name in before]
        if all(now is old and now.requires_grad and torch.equal(now, values) for now, old, values in pairs):
            return
    if conv is linear:
        raise Wrong("You change `linear` and return it. Others may still use it as it was: make a new layer.")
    raise Wrong("Your function changes the `linear` that it is given. Others may still use it: make a new layer.")


def _require_conv(conv, linear):
    if isinstance(conv, nn.Conv2d) and "_parameters" in vars(conv):
        return
    if isinstance(conv, type):
        raise Wrong(f"You return the class {conv.__name__}. Call it with the sizes: asked is one layer, built.")
    if isinstance(conv, Tensor) and conv.numel() == linear.weight.numel():
        raise Wrong("You return the weights, a tensor. Asked is a layer, an `nn.Conv2d`, that holds them.")
    if conv is linear:
        raise Wrong("You return `linear` itself. Asked is a new layer, an `nn.Conv2d`.")
    if isinstance(conv, nn.Linear):
        raise Wrong("You return an `nn.Linear`, which reads the last axis of a map. Asked is an `nn.Conv2d`.")
    if isinstance(conv, nn.Module) and "_parameters" in vars(conv):
        inner = [module for module in conv.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
        if any(isinstance(module, nn.Conv2d) for module in inner):
            raise Wrong(f"Your convolution is wrapped in a {type(conv).__name__}; return the `nn.Conv2d` alone.")
        if inner:
            raise Wrong(
                f"Your {type(conv).__name__} still holds a linear layer. It may give the same scores, but asked is an "
                "`nn.Conv2d`, which reads a map as it is, without moving its axes."
            )
    if callable(conv) and not isinstance(conv, nn.Module):
        raise Wrong(
            f"You return {a_kind(conv)}. Asked is a layer, an `nn.Conv2d`: it holds its weights, so that an optimiser "
            "finds them and `state_dict()` saves them."
        )
    raise Wrong(f"You return {a_kind(conv)}. Asked is a layer, an `nn.Conv2d`.")


def _require_sizes(conv, linear):
    for name in ("weight", "bias"):
        value = getattr(conv, name, None)
        if is_lazy(value) or (value is None and name == "weight"):
            raise Wrong("Your convolution has no weight yet: build it with the number of channels that come in.")
        if value is not None and not isinstance(value, nn.Parameter):
            raise Wrong(f"The {name} of your convolution is a plain tensor; only an `nn.Parameter` is ever trained.")
    into, out, shape = linear.in_features, linear.out_features, tuple(conv.weight.shape)
    if len(shape) != 4:
        raise Wrong(
            f"The weight of your convolution has shape {shape}: a kernel has rows and columns, so there must be four "
            "axes. PyTorch does not notice before the layer is used."
        )
    if conv.groups != 1:
        raise Wrong("Your convolution has groups: each output then reads some of the channels only, not all of them.")
    for outer, inner, *kernel in ((conv.out_channels, conv.in_channels, *conv.kernel_size), shape):
        if (outer, inner) == (into, out) != (out, into):
            raise Wrong("The channels are swapped: what comes in is `in_features`; `out_features` is what goes out.")
        size = "x".join(map(str, kernel))
        if kernel != [1, 1] and inner * kernel[0] * kernel[-1] == into:
            raise Wrong(
                f"Your kernel is {size} and reads {inner} channel{'s' * (inner > 1)}: that suits a linear layer which "
                "reads a whole flattened map. Here `linear` reads the channels of one place, so the kernel is 1x1."
            )
        if kernel != [1, 1]:
            raise Wrong(f"Your kernel is {size}: it reads the neighbours too. One place at a time needs a kernel of 1.")
        if (outer, inner) != (out, into):
            raise Wrong(f"Your convolution makes {outer} channels out of {inner}; `linear` makes {out} out of {into}.")
    if tuple(conv.stride) != (1, 1):
        raise Wrong("Your convolution strides, so it leaves places out; asked is an answer at each place.")
    if conv.padding not in ((0, 0), "same", "valid"):
        raise Wrong("Your convolution pads the map: a kernel of 1 would answer at places that are outside of it.")
    if linear.bias is None and conv.bias is not None:
        raise Wrong("Your convolution has a bias where `linear` has none: training would then learn one.")
    if linear.bias is not None and conv.bias is None:
        raise Wrong("Your convolution has no bias, but `linear` has one; it must come along.")


def _require_values(conv, linear):
    for name, value in conv.named_parameters():
        due = getattr(linear, name, None)
        if due is not None and (value.dtype != due.dtype or value.device != due.device):
            kinds = f"{value.dtype} on {value.device}, in `linear` {due.dtype} on {due.device}"
            raise Wrong(f"The {name} is of another kind: in your layer {kinds}.")
    due = linear.weight[:, :, None, None]
    copied = linear.bias is None or same(conv.bias, linear.bias)
    if same(conv.weight, linear.weight.T.reshape(due.shape)):
        raise Wrong("The weights are transposed: a linear layer has them as (out, in) already, like a convolution.")
    random = "a new layer begins with random numbers, and what `linear` has learnt is lost."
    if not same(conv.weight, due) and not copied:
        raise Wrong(f"Neither the weights nor the bias of your layer are those of `linear`: {random}")
    if not same(conv.weight, due):
        raise Wrong(f"The weights of your layer are not those of `linear`, one by one and in their order: {random}")
    if not copied:
        raise Wrong("The weights are right, the bias is not: it must have the shape and the values of `linear.bias`.")


def _require_copy(conv, linear):
    own = dict(conv.named_parameters())
    for name, value in linear.named_parameters():
        if own[name].untyped_storage().data_ptr() == value.untyped_storage().data_ptr():
            raise Wrong(
                f"The {name} of your layer lies in the same memory as that of `linear`: train one of them and the "
                "other changes too. Asked is a copy."
            )
        if not own[name].requires_grad:
            raise Wrong(f"The {name} of your layer is frozen (`requires_grad` is False): it could not be trained.")
    if own.keys() - {"weight", "bias"}:
        raise Wrong(f"Your layer holds more than its weight and bias: {', '.join(own.keys() - {'weight', 'bias'})}.")


convolutionalise = Exercise(
    name="convolutionalise",
    lesson="04",
    minutes=7,
    statement=(
        "Make a 1x1 convolution out of a linear layer: a new layer with a copy of its weights and, if it has one, of "
        "its bias. `linear` stays as it is, and training one of the two must not change the other."
    ),
    stub='''def convolutionalise(linear):
    """A linear layer as a 1x1 convolution: at each place of a map it gives the same scores.

    linear: an nn.Linear, with a bias or without. It stays as it is.
    Returns a new nn.Conv2d with a copy of the weights (and of the bias, if there is one).
    """
    ...
''',
    hints=(
        "At one place of a map a 1x1 convolution does what a linear layer does with a row: each output is a weighted "
        "sum of all inputs. So both hold the same numbers. In which shape does each of them keep its weight?",
        "Build an `nn.Conv2d` from `in_features`, `out_features`, a kernel size of 1, and a bias only if there is one. "
        "Under `torch.no_grad()` copy the weight into it, with two axes of size 1 added at its end, then the bias.",
    ),
    reference=reference,
    examine=_examine_convolutionalise,
    moral="No number is new: a classifier that could label an image now scores every place of a map.",
)
