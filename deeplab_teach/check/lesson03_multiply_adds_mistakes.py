"""Lesson 03: what the count of a layer's multiply-adds is after a known mistake."""

from math import prod


def conv_mistakes():
    """`(sentence, the count after the mistake)`, of a layer and the shape of its output."""

    def count(m, s, *, times=None, window=None, depth=None):
        """Output values, times weights in a window, times channels that one value reads: one of them mistaken."""
        times, window = prod(s) if times is None else times, prod(m.kernel_size) if window is None else window
        return times * window * (m.in_channels // m.groups if depth is None else depth)

    yield "Your function gives 0 for convolutions: do you ask for the kind of layer rightly?", lambda m, s: 0
    yield from _common(count, "for each place of the map, and for each image")
    yield (
        "The rows and columns are left out: every weight is used again at each place of the map.",
        lambda m, s: count(m, s, times=s[0] * s[1]),
    )
    yield (
        "The groups are left out: in yours each output channel reads all input channels. With groups it reads only "
        "those of its own group.",
        lambda m, s: count(m, s, depth=m.in_channels),
    )
    yield (
        "Groups and batch are left out: an output channel reads the input channels of its own group only, and axis 0 "
        "of `output_shape` is the number of images.",
        lambda m, s: count(m, s, times=prod(s[1:]), depth=m.in_channels),
    )
    twice = (
        "You divide by the groups twice. They cut the channels that one output value reads, not the number of values."
    )
    yield twice, lambda m, s: count(m, s) / m.groups
    yield twice, lambda m, s: count(m, s) // m.groups
    yield twice, lambda m, s: count(m, s, depth=m.in_channels // m.groups // m.groups)
    yield (
        "You multiply by the groups: more groups mean fewer weights for each output value, not more.",
        lambda m, s: count(m, s, depth=m.in_channels * m.groups),
    )
    for side, (name, lines) in enumerate((("height", "rows"), ("width", "columns"))):
        yield (
            f"Only the {name} of the kernel is counted: one of 3 rows and 5 columns has 15 weights for a channel.",
            lambda m, s, side=side: count(m, s, window=m.kernel_size[side]),
        )
        yield (
            f"You square the {name} of the kernel. A kernel need not be square: `kernel_size` has both sides.",
            lambda m, s, side=side: count(m, s, window=m.kernel_size[side] ** 2),
        )
        yield (
            f"You square the number of {lines} of the map. A map need not be square: `output_shape` has both sides.",
            lambda m, s, side=side: count(m, s, times=s[0] * s[1] * s[2 + side] ** 2),
        )
    yield (
        "Height and width of the kernel are added; multiply them.",
        lambda m, s: count(m, s, window=sum(m.kernel_size)),
    )
    yield (
        "The size of the kernel is left out: an output value reads a whole window, not one place.",
        lambda m, s: count(m, s, window=1),
    )
    yield (
        "The input channels are left out: an output value reads its window in every channel of its group.",
        lambda m, s: count(m, s, depth=1),
    )
    for groups in (1, 0):
        yield (
            "The output's channels stand where the input's should: `output_shape` has the output's already.",
            lambda m, s, groups=groups: count(m, s, depth=m.out_channels // m.groups**groups),
        )
    yield (
        "The channels of the output are left out: each of them is computed.",
        lambda m, s: count(m, s, times=prod(s) // s[1]),
    )
    strided = "The stride has its part in `output_shape` already: each output value is computed once."
    yield strided, lambda m, s: count(m, s) // prod(m.stride)
    yield strided, lambda m, s: count(m, s) * prod(m.stride)
    yield (
        "You take axes 1 and 2 for height and width; the axes of a map are (N, C, H, W).",
        lambda m, s: count(m, s, times=s[0] * m.out_channels * s[1] * s[2]),
    )


def linear_mistakes():
    def count(m, s, *, times=None):
        return (prod(s) if times is None else times) * m.in_features

    yield "Your function gives 0 for linear layers: they multiply and add as well.", lambda m, s: 0
    yield from _common(count, "for each row that goes into a linear layer")
    yield (
        "Of a linear layer's output only the batch is counted: (2, 7, 10) has 14 rows, not 2.",
        lambda m, s: count(m, s, times=s[0] * s[-1]),
    )
    yield (
        "Only two axes of a linear layer's output are counted; its values are the product of all axes.",
        lambda m, s: count(m, s, times=s[0] * s[1]),
    )
    yield "Each value of a linear layer's output reads all input features; yours leaves them out.", lambda m, s: prod(s)
    yield (
        "In your linear layer the output features stand where the input features should.",
        lambda m, s: prod(s) * m.out_features,
    )
    yield (
        "The output features of a linear layer are left out: each of them reads all input features.",
        lambda m, s: count(m, s, times=prod(s[:-1])),
    )


def _common(count, when):
    """Of both kinds of layer."""

    def with_bias(m, n):
        return 0 if m.bias is None else n

    apart = "You count multiplications and additions apart; one of each, together, is a single multiply-add."
    yield apart, lambda m, s: 2 * count(m, s)
    yield apart, lambda m, s: 2 * count(m, s) - prod(s)
    yield apart, lambda m, s: 2 * count(m, s) + with_bias(m, prod(s))
    yield (
        "The batch is left out: axis 0 of `output_shape` is the number of images, and each is computed.",
        lambda m, s: count(m, s, times=prod(s[1:])),
    )
    yield (
        f"You count weights, and those are used again and again: once {when}.",
        lambda m, s: m.weight.numel(),
    )
    yield (
        f"You count parameters: the bias is only added, and weights are used again and again, once {when}.",
        lambda m, s: sum(p.numel() for p in m.parameters()),
    )
    bias = "The bias is counted: it is only added, and an addition without a multiplication does not count here."
    for n in (lambda m, s: prod(s), lambda m, s: len(m.weight)):
        yield bias, lambda m, s, n=n: count(m, s) + with_bias(m, n(m, s))
        yield bias, lambda m, s, n=n: count(m, s) + n(m, s)
    yield (
        "The channels or features of the output are counted twice: `output_shape` has them already.",
        lambda m, s: count(m, s) * len(m.weight),
    )
