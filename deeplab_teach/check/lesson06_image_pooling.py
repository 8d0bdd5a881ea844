"""Lesson 06: the average of the whole map, at every place."""

import itertools

import torch
from torch import Tensor, nn

from deeplab_teach.check.attempt import Raised, Wrong, build, own_module_class
from deeplab_teach.check.compare import copy_weights, randomise, require_same, require_untouched, same
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.watch import convolutions, is_random, require_gradients, run_watched
from deeplab_teach.heads import ImagePooling as Reference

BUILD, RUN = "ImagePooling({0}, {1})", "pooling(torch.randn{0})"
# in_channels, channels, images, size: all different, so that a wrong axis shows by its size.
CASES = ((7, 12, 3, (5, 9)), (6, 4, 5, (8, 3)), (9, 9, 4, (6, 7)), (8, 5, 1, (3, 4)))
CHANNELS_AVERAGED = "Your average runs over the channels (dim 1); average each channel over its places, dims 2 and 3."
FLAT = "Your averages have shape {}, and a convolution wants rows and columns too: keep both axes, with size 1."
IMAGES_AVERAGED = "Your average runs over the images (dim 0): each image of a batch needs an average of its own."
ONE_AXIS = {
    (2,): "You average down the columns only (dim 2), so that each column keeps a value of its own; dim 3 goes too.",
    (3,): "You average along the rows only (dim 3), so that each row keeps a value of its own; dim 2 goes too.",
}


def _examine_image_pooling(answer):
    own_module_class(answer, "ImagePooling", nn.Module)
    for in_channels, channels, images, size in CASES:
        pooling = build(answer, BUILD.format(in_channels, channels), in_channels, channels)
        x = torch.randn(images, in_channels, *size) + torch.randn(images, in_channels, 1, 1)
        read = []
        try:
            _compare(pooling, Reference(in_channels, channels), x, read)
        except Wrong as wrong:
            sentence = _explain_layers(pooling, in_channels, channels) or _explain_average(wrong, read, x)
            if sentence is None:
                raise
            raise (wrong.named(sentence) if isinstance(wrong, Raised) else Wrong(sentence)) from None


def _compare(pooling, reference, x, read):
    call = RUN.format(tuple(x.shape))
    run_watched(call, pooling.eval(), x.clone(), read)  # a lazy layer has its weights only now
    copy_weights(randomise(pooling), reference)
    for training in (False, True) if len(x) > 1 else (False,):
        given = x.clone()
        output = run_watched(call, pooling.train(training), given, read)
        require_untouched({"x": x}, {"x": given}, "its input `x`")
        if is_random(output, run_watched(call, pooling, x, read)):
            raise Wrong("Your module gives something else each time. Is there a dropout? ASPP's stands at its end.")
        expected = reference.train(training)(x)
        if isinstance(output, Tensor) and output.shape != expected.shape:
            _explain_shape(output, expected, x)
        require_same(
            output,
            expected,
            what=f"in {'training' if training else 'evaluation'} mode your output for a map {tuple(x.shape)}",
            axes="(N, channels, h, w)",
            mistakes=_mistakes(reference, x, output),
        )
    if len(x) > 1:
        require_gradients(pooling, output)


def _explain_layers(pooling, in_channels, channels) -> str | None:
    """What is wrong with the layers of an answer that is not right."""
    weights = pooling.state_dict()
    if not weights:
        return (
            "Your module holds no weights, so it cannot learn. Create its layers once, in `__init__`, as attributes "
            "(`self.something`); those made in `forward` or kept in a plain list are not registered."
        )
    for conv in convolutions(pooling):
        if conv.bias is not None:
            return (
                "Your convolution has a bias. The batch norm that follows subtracts the mean, and a bias with it, and "
                "adds a shift of its own: pass `bias=False`."
            )
        if conv.kernel_size != (1, 1):
            return (
                f"Your kernel is {conv.kernel_size[0]}x{conv.kernel_size[1]}. After the average each channel is a "
                "single value, without neighbours: a 1x1 convolution mixes the channels."
            )
        built, due = (conv.in_channels, conv.out_channels), (in_channels, channels)
        if built != due and built[0]:  # 0: lazy, and never run
            how = ": its first two arguments are swapped" if built == due[::-1] else f", asked is {due[0]} to {due[1]}"
            return f"`{BUILD.format(*due)}` builds a convolution from {built[0]} to {built[1]} channels{how}."
    norms = [m for m in pooling.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    if any(norm.num_features == in_channels != channels for norm in norms):
        return f"Your batch norm is built for the {in_channels} channels of the map; it comes after the convolution."
    if len(weights) < 5 and not norms:
        return "There is no batch norm in your module: it stands between the convolution and the ReLU."
    return None


def _explain_average(wrong, read, x) -> str | None:
    """The wrong average, from the shape of what it gave to the convolution."""
    shape = tuple(read[0][1].shape) if read else ()
    if len(x) == 1:
        squeezed = (
            "Your module works for several images and not for a single one: does a `squeeze()` take its axis too?"
        )
        return squeezed if len(shape) in (1, 2, 3) else None
    if isinstance(wrong, Raised) and "Output size is too small" in str(wrong.error):
        size = tuple(x.shape[2:])
        return f"The window of your pool is larger than the map, {size}: average over the whole map, whatever its size."
    if shape == (*x.shape[:2], 1):
        return FLAT.format(shape)
    for count, keepdim in itertools.product((1, 2, 3, 4), (True, False)):
        for axes in itertools.combinations(range(4), count):
            if read and shape == tuple(x.mean(axes, keepdim=keepdim).shape) and (axes, keepdim) != ((2, 3), True):
                flat = FLAT.format(shape) if axes == (2, 3) else ONE_AXIS.get(axes)
                return CHANNELS_AVERAGED if 1 in axes else IMAGES_AVERAGED if 0 in axes else flat
    if len(shape) == 4 and shape[2:] not in ((1, 1), tuple(x.shape[2:])):
        return f"Your convolution reads {shape[2]} x {shape[3]} places; the average over the whole map is a single one."
    return None


def _explain_shape(output, expected, x):
    got, (images, channels, rows, columns) = tuple(output.shape), expected.shape
    if got in ((images, channels, 1, 1), (images, channels)):
        raise Wrong(
            f"Your result has shape {got}: the average is not spread back. Every place of the map gets a copy, "
            f"{tuple(expected.shape)}, so that it can be joined with maps."
        )
    if got == (images, channels, columns, rows):
        raise Wrong(f"Rows and columns are swapped in your result: {got[2:]} for a map of {(rows, columns)}.")
    if got in ((images, channels, rows, rows), (images, channels, columns, columns)):
        places = f"{got[2]} x {got[3]} places for a map of {rows} x {columns}"
        raise Wrong(f"Your result is a square, {places}: rows and columns each have a size of their own.")
    if got == (1, *expected.shape[1:]):
        raise Wrong(IMAGES_AVERAGED)
    if got == (images, x.shape[1] + channels, rows, columns):
        raise Wrong("You join the average with the map itself; asked is the average alone. ASPP does the joining.")
    if got[:2] == (images, channels) and len(got) == 4:
        places = f"{got[2]} x {got[3]} places for a map of {rows} x {columns}"
        raise Wrong(f"Your result has {places}. Is a size written out? Take it from the map that came in.")


@torch.no_grad()
def _mistakes(reference, x, output):
    """`(sentence, the output after it)`. In training batch norm hides some: evaluation comes first."""
    _, conv, norm, _ = reference

    def spread(small):
        return small.expand(len(x), -1, *x.shape[2:])

    def finish(pooled):
        return spread(norm(conv(pooled)).relu())

    mean, highest = x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    yield "You take the highest value of each channel; asked is the average over all places.", finish(highest)
    yield (
        "You add up the places and do not divide by their number, so that a larger map gives larger values.",
        finish(x.sum((2, 3), keepdim=True)),
    )
    yield IMAGES_AVERAGED, finish(x.mean((0, 2, 3), keepdim=True).expand_as(mean))
    for axis, sentence in ONE_AXIS.items():
        yield sentence, finish(x.mean(axis, keepdim=True))
    yield "The ReLU at the end is missing.", spread(norm(conv(mean)))
    yield "The batch norm is not used.", spread(conv(mean)).relu()
    yield "Batch norm and ReLU are not used: they follow the convolution.", spread(conv(mean))
    yield "The ReLU stands before the batch norm; it comes after it.", spread(norm(conv(mean).relu()))
    yield "Two ReLUs stand in your module; there is one, after the batch norm.", spread(norm(conv(mean).relu()).relu())
    each = norm(conv(x)).relu()
    yield (
        "You average at the end, after the ReLU. It has cut off what is negative at each place by then; average first.",
        spread(each.mean((2, 3), keepdim=True)),
    )
    yield (
        "In training your batch norm comes before the average, and measures the spread over all places. Average "
        "first: then it measures how the images differ.",
        spread(norm(conv(x)).mean((2, 3), keepdim=True).relu()),
    )
    yield "Nothing is averaged: your module treats each place by itself.", each
    finite = output.shape == each.shape and output.isfinite().all()
    if finite and not same(output, spread(output[..., :1, :1])):
        yield "Your result differs from place to place; an average over the whole map is the same for all.", output


image_pooling = Exercise(
    name="image_pooling",
    lesson="06",
    minutes=8,
    statement=(
        "Write ASPP's image pooling: average each channel over the whole map, whatever its size; a 1x1 convolution "
        "without bias from `in_channels` to `channels`, batch norm, ReLU; then spread the result back, so that every "
        "place of the map holds a copy of it."
    ),
    stub='''class ImagePooling(nn.Module):
    """The average of the whole map, mixed by a 1x1 convolution, at every place.

    in_channels, channels: of the map and of the result.
    forward(x: (N, in_channels, h, w)) -> (N, channels, h, w), for any h and w.
    """

    def __init__(self, in_channels, channels):
        super().__init__()
        ...

    def forward(self, x):
        ...
''',
    hints=(
        "Follow the shapes: (N, in_channels, h, w) becomes (N, in_channels, 1, 1), then (N, channels, 1, 1), then "
        "(N, channels, h, w). Only the step in the middle has weights.",
        "`x.mean(dim=(2, 3), keepdim=True)` averages; then convolution, batch norm and ReLU; then `F.interpolate` with "
        "`size=x.shape[2:]`, or `expand`, makes the copies.",
    ),
    reference=Reference,
    examine=_examine_image_pooling,
    moral=(
        "Train it with two images or more: of a single one each channel leaves a single value, and batch norm cannot "
        "measure a spread."
    ),
)
