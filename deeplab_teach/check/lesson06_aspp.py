"""Lesson 06: one map read at several rates, side by side."""

import torch
from torch import nn

from deeplab_teach.check.aspp_layers import explain, explain_parts
from deeplab_teach.check.attempt import Raised, Wrong, attempt, build, own_module_class
from deeplab_teach.check.compare import copy_weights, randomise, require_same, require_untouched
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.watch import is_random, require_gradients, run_watched
from deeplab_teach.heads import ASPP as Reference

BUILD, RUN = "ASPP({0}, {1}, channels={2})", "aspp(x)"
# in_channels, rates, channels, size. Layers of different kinds differ in the number of their weights.
CASES = ((7, (2, 3, 5), 4, (9, 11)), (11, (2,), 5, (8, 7)), (7, (3, 1, 4, 2), 3, (6, 10)), (9, (), 4, (5, 7)))


def _examine_aspp(answer):
    own_module_class(answer, "ASPP", nn.Module)
    for in_channels, rates, channels, size in CASES:
        aspp = _build(answer, in_channels, rates, channels)
        x = torch.randn(3, in_channels, *size) + torch.randn(3, in_channels, 1, 1)
        read = []
        try:
            _compare(aspp, Reference(in_channels, rates, channels=channels, dropout=0.0), x, read)
        except Wrong as wrong:
            sentence = explain(aspp, wrong, read, x, rates, channels)
            if sentence is None:
                raise
            raise (wrong.named(sentence) if isinstance(wrong, Raised) else Wrong(sentence)) from None
    wide = build(answer, "ASPP(3, (1,))", 3, (1,)).eval()
    width = attempt(RUN, wide, torch.randn(2, 3, 4, 5)).shape[1]
    if width != 256:
        raise Wrong(f"`ASPP(3, (1,))` makes {width} channels; without `channels` there are 256, as in the paper.")


def _build(answer, in_channels, rates, channels):
    try:
        return build(answer, BUILD.format(in_channels, rates, channels), in_channels, rates, channels=channels)
    except Raised as raised:
        if len(rates) != 3 and isinstance(raised.error, IndexError | ValueError):
            sentence = (
                f"Your module can be built with three rates and not with {len(rates)}: is their number written out?"
            )
            raise raised.named(sentence) from None
        raise


def _compare(aspp, reference, x, read):
    run_watched(RUN, aspp.eval(), x.clone(), read)  # a lazy layer has its weights only now
    for layer in aspp.modules():
        if isinstance(layer, nn.Dropout | nn.Dropout2d):
            layer.p = 0.0
    _make_alike(randomise(aspp))
    copy_weights(aspp, reference)
    for training in (False, True):
        given = x.clone()
        output = run_watched(RUN, aspp.train(training), given, read)
        require_untouched({"x": x}, {"x": given}, "its input `x`")
        if is_random(output, run_watched(RUN, aspp, x, read)):
            if training:
                break  # a dropout that is no module: there is nothing to compare with
            raise Wrong(
                "In evaluation mode your module gives something else each time: is a dropout at work? `nn.Dropout` "
                "knows the mode, `F.dropout` has to be told: `training=self.training`."
            )
        require_same(
            output,
            reference.train(training)(x),
            what=f"in {'training' if training else 'evaluation'} mode your output for a map {tuple(x.shape)}",
            axes="(N, channels, h, w)",
            mistakes=_mistakes(reference, x, read, output),
        )
    require_gradients(aspp, output)


def _make_alike(aspp):
    """The same values in all layers of one size: then it does not matter in which order they were made."""
    first = {}
    for name, value in aspp.state_dict().items():
        kind = name.rpartition(".")[2], value.numel()
        value.copy_(first.setdefault(kind, value).reshape(value.shape))


@torch.no_grad()
def _mistakes(reference, x, read, output):
    """`(sentence, the output after it)`. Batch norm runs again: it uses the batch, or changes nothing."""
    sentence = explain_parts(reference, x, read)
    if sentence:
        yield sentence, output
    conv, norm = reference.project[:2]
    joined = torch.cat([branch(x) for branch in reference.convs], dim=1)
    mixed = conv(joined)
    yield "The ReLU after the projection is missing.", norm(mixed)
    yield "The batch norm after the projection is not used.", mixed.relu()
    yield "Batch norm and ReLU after the projection are not used.", mixed
    yield "In the projection the ReLU stands before the batch norm; it comes after it.", norm(mixed.relu())
    yield "Your forward pass ends at the joined branches: the projection is not called.", joined


aspp = Exercise(
    name="aspp",
    lesson="06",
    minutes=12,
    statement=(
        "Write ASPP. On the same map, side by side: a 1x1 convolution; a 3x3 convolution for each of `atrous_rates`, "
        "which keeps the map's size; image pooling. Their results are joined along the channels in this order, and a "
        "last 1x1 convolution, the projection, makes `channels` of them. Batch norm and ReLU follow each convolution, "
        "which has no bias. `conv_bn_relu` and `ImagePooling` may be used; a dropout at the end may be there or not."
    ),
    stub='''class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: the same map, read at several rates side by side.

    in_channels: channels of the map.
    atrous_rates: a tuple, (6, 12, 18) in the paper; one 3x3 convolution for each rate.
    channels: of each branch, and of the result.
    forward(x: (N, in_channels, h, w)) -> (N, channels, h, w).
    """

    def __init__(self, in_channels, atrous_rates, channels=256):
        super().__init__()
        ...

    def forward(self, x):
        ...
''',
    hints=(
        "Each branch reads the same `x` and keeps its size, so that the results can lie side by side. How many "
        "channels are they together, for any number of rates? The projection reads as many.",
        "In `__init__` an `nn.ModuleList`: `conv_bn_relu` with a kernel of 1, in a loop one with a kernel of 3 and "
        "`rate=rate` for each rate, and `ImagePooling`. `forward` calls each with `x` and joins what they give with "
        "`torch.cat`, dim 1. The projection is one more `conv_bn_relu`.",
    ),
    reference=Reference,
    examine=_examine_aspp,
    moral=(
        "A 3x3 at rate 18 has as many weights as one at rate 1, and reaches over 37 places instead of 3: here a wider "
        "view costs no weights and no resolution."
    ),
)
