"""Lesson 03: the multiply-adds of one layer."""

from numbers import Integral, Real

import torch
from torch import nn

from deeplab_teach.check.attempt import NotAttempted, Raised, Wrong, a_kind, attempt, own_function
from deeplab_teach.check.compare import name_mistake
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.lesson03_multiply_adds_mistakes import conv_mistakes, linear_mistakes
from deeplab_teach.cost import multiply_adds as reference


def _cases():
    """Layers with the shapes of their outputs: convolutions, linear layers, and layers that do not count."""
    convolutions = [
        (nn.Conv2d(3, 8, (3, 5), stride=2, padding=(1, 2)), (1, 8, 14, 22)),
        (nn.Conv2d(8, 20, (1, 7), groups=4, bias=False), (2, 20, 6, 10)),
        (nn.Conv2d(10, 10, (5, 3), padding="same", groups=10), (3, 10, 6, 14)),
        (nn.Conv2d(7, 15, 1, bias=False), torch.Size((2, 15, 4, 6))),
    ]
    linear = [(nn.Linear(30, 11), (1, 11)), (nn.Linear(9, 5, bias=False), (2, 5)), (nn.Linear(14, 6), (2, 7, 6))]
    free = [(nn.BatchNorm2d(8), (1, 8, 14, 22)), (nn.ReLU(), (1, 8, 14, 22))]
    free += [(nn.MaxPool2d(3, stride=2, padding=1), (1, 8, 7, 11)), (nn.AdaptiveAvgPool2d(1), (2, 20, 1, 1))]
    return convolutions, linear, free


def _examine_multiply_adds(answer):
    own_function(answer, "multiply_adds(layer, output_shape)")
    kinds = _cases()
    for cases, mistakes in zip(kinds, (conv_mistakes, linear_mistakes, None), strict=True):
        got = [_count(answer, *case, first=case is kinds[0][0]) for case in cases]
        due = [reference(*case) for case in cases]
        if got != due:
            name_mistake(got, cases, mistakes() if mistakes else ())
            _explain_other(cases, got, due)
        for value in got:
            if not isinstance(value, Integral):
                raise Wrong(
                    f"The number is right, but it is {a_kind(value)} and no int: `//` divides to an int, `/` does not."
                )


def _count(answer, layer, shape, *, first):
    """What the answer gives for one layer; errors that come of its kind have a name."""
    before, weights = repr(layer), [value.clone() for value in layer.state_dict().values()]
    call = f"multiply_adds({layer}, {tuple(shape)})"
    try:
        value = attempt(call, answer, layer, shape)
    except NotAttempted:
        if first:
            raise
        is_free = not isinstance(layer, nn.Conv2d | nn.Linear)
        wanted = "the number 0, for a layer that does not count" if is_free else "an int for this layer too"
        raise Wrong(f"`{call}` gives no number; asked is {wanted}.") from None
    except Raised as raised:
        if sentence := _reason(raised.error, layer, shape):
            raise raised.named(sentence) from None
        raise
    state = layer.state_dict().values()
    if repr(layer) != before or any(not torch.equal(a, b) for a, b in zip(weights, state, strict=True)):
        raise Wrong("Your function changes the layer that it counts.")
    if isinstance(value, torch.Tensor) and value.dim() == 0:
        raise Wrong("Your function returns a tensor; asked is an int. `.item()` makes one of it.")
    if isinstance(value, tuple) and len(value) > 2:
        raise Wrong(
            f"`{call}` gives a tuple of {len(value)}: a pair such as `kernel_size`, times a number, is the pair again "
            "and again. Multiply the numbers in it."
        )
    if isinstance(value, bool) or not isinstance(value, Real):
        raise Wrong(f"`{call}` gives {a_kind(value)}; asked is an int, the number of multiply-adds.")
    return value


def _reason(error, layer, shape):
    """What is the matter, for the errors that have something to do with what the function was given."""
    if isinstance(layer, nn.Conv2d) and isinstance(error, TypeError) and "'tuple'" in str(error):
        return (
            "A tuple is used like a number: `kernel_size` of a convolution is a pair (height, width), and "
            "`output_shape` lists the sizes of all axes."
        )
    if "'tuple' object has no attribute" in str(error):
        return "Your code asks a plain tuple for what it does not have: `output_shape` is a tuple of numbers."
    if isinstance(layer, nn.Linear) and isinstance(error, ValueError | IndexError):
        return f"The output of a linear layer need not have four axes: here its shape is {tuple(shape)}."
    if f"'{type(layer).__name__}' object has no attribute" in str(error):
        return "Not every layer has the same attributes: ask first of which kind it is. Most kinds do not count at all."
    return None


def _explain_other(cases, got, due):
    """A mistake that is not known: whether the output's size counts at all, and the first layer that differs."""
    sizes = [getattr(layer, "weight", torch.empty(0)).numel() for layer, _ in cases]
    if all(isinstance(value, Integral) and size and value % size == 0 for value, size in zip(got, sizes, strict=True)):
        for images in ([1] * len(cases), [shape[0] for _, shape in cases]):
            times = {value / size / n for value, size, n in zip(got, sizes, images, strict=True)}
            if len(times) == 1 and times != {0} and max(got) < 2**50:
                raise Wrong(
                    f"Every weight is used {times.pop():g} times{'' if images[0] == max(images) else ' per image'} in "
                    "yours, whatever the output: how often it is used follows from `output_shape`."
                )
    for (layer, shape), value, right in zip(cases, got, due, strict=True):
        if value != right and right:
            raise Wrong(
                f"For `{layer}`, whose output is {tuple(shape)}, yours gives {_shown(value)}; it is {right}. How many "
                "values has the output, and how many weights does each of them meet?"
            )
        if value != right:
            raise Wrong(
                f"`nn.{type(layer).__name__}` is counted, with {_shown(value)}. Only convolutions and linear layers "
                "are: for any other layer the number is 0."
            )


def _shown(value):
    return "a number of more than 30 digits" if isinstance(value, Integral) and abs(value) > 10**30 else value


multiply_adds = Exercise(
    name="multiply_adds",
    lesson="03",
    minutes=10,
    statement=(
        "Count the multiply-adds of one layer on its own: of an `nn.Conv2d`, groups and kernels that are not square "
        "included, and of an `nn.Linear`; any other layer gives 0. One multiplication with the addition that follows "
        "it counts once, and a bias does not count. `output_shape` is the shape of what the layer gives, batch "
        "included."
    ),
    stub='''def multiply_adds(layer, output_shape):
    """The multiply-adds of one layer on its own, an int.

    layer: an `nn.Conv2d` or an `nn.Linear`; for a layer of any other kind the number is 0.
    output_shape: shape of what the layer gives, batch included: (1, 64, 56, 56) after a
        convolution; (1, 1000) or (2, 7, 10) after a linear layer.
    One multiplication and the addition after it count once. A bias is not counted.
    """
    ...
''',
    hints=(
        "Look at a single value of the output. Each weight that it meets is one multiply-add: how many are they in a "
        "convolution with groups, and how many in a linear layer? And how many such values does the output have?",
        "The number of output values is the product of `output_shape`. A value of a convolution meets height times "
        "width of the kernel, times in_channels / groups as a whole number; one of a linear layer meets `in_features`.",
    ),
    reference=reference,
    examine=_examine_multiply_adds,
    moral=(
        "Added up over all layers this is the cost that papers put into their tables. How long a network takes, only a "
        "clock tells."
    ),
)
