"""Lesson 05: a stage whose dilation leaves published weights the features that they were trained for."""

import re
from math import prod

import torch
from torch import nn

from deeplab_teach.backbones.resnet import BasicBlock, Bottleneck
from deeplab_teach.backbones.resnet import make_stage as reference
from deeplab_teach.check.attempt import Raised, Wrong, a_kind, attempt, own_function
from deeplab_teach.check.compare import copy_weights, randomise, require_same, require_tensor, same
from deeplab_teach.check.engine import Exercise

# block, in_channels, channels, depth, (stride, rate_in, rate_out), or () for the defaults
CASES = (
    *((BasicBlock, 6, 10, 3, settings) for settings in ((2, 1, 1), (1, 1, 2), (1, 2, 4))),
    *((Bottleneck, 6, 3, 4, settings) for settings in ((2, 1, 1), (1, 1, 2), (1, 3, 6))),
    (BasicBlock, 6, 8, 1, (2, 1, 1)),
    (BasicBlock, 10, 10, 2, ()),
)
# What the blocks of a stage are, the right way first: "first block | later blocks | last block, if it is another".
# Letters: n in_channels, c channels, e expansion; s stride; i rate_in, o rate_out. Neighbours are multiplied.
WIDTHS = {
    "n c | ce c": "right",
    "n c | n c": "Later blocks are built for `in_channels` in yours, but they get another block's output.",
    "n c | c c": "Your later blocks are built for `channels`; a block's output has `block.expansion` times as many.",
    "n c | 4c c": "Your later blocks are built for 4 * channels: a Bottleneck's output, not a BasicBlock's.",
    "n c | ne c": "Your later blocks are built for a multiple of `in_channels`; a block's output is one of `channels`.",
    "n ce | ce ce; n ce | cee ce": "You multiply `channels` before you pass it on; a block widens by itself.",
    "ce c | ce c; c c | ce c; c c | c c": "Your first block is not built for `in_channels`, the stage's input.",
    "c n | ce c": "`in_channels` and `channels` are swapped in your first block.",
}
STRIDES = {
    "s | 1": "right",
    "s | s": "All your blocks stride. Three that stride by 2 leave an eighth of the rows: only the first one may.",
    "1 | 1": "The stride is not used: no block of yours strides.",
    "1 | 1 | s": "Your last block strides. In published networks it is the first; the others work on the smaller map.",
    "1 | s": "All your blocks but the first stride; it is the other way round.",
    "2 | 1": "Your first block has a stride of 2, whatever `stride` is.",
}
RATES = {
    "i o | o o": "right",
    "1 1 | 1 1": "No block of yours is dilated: the rates are not passed on.",
    "o o | o o": "Your first block is dilated by the new rate throughout, so published weights compute other features. "
    "Its first 3x3 is the one that would have strided: up to that place the map is as it was, at rate_in.",
    "i i | i i": "Your whole stage stays at rate_in. After its first 3x3 the map is denser than the weights know it, "
    "so all later ones must reach further.",
    "i o | i o": "Your later blocks begin at rate_in again; all their convolutions come after the place of the stride.",
    "i i | o o": "Your first block stays at rate_in throughout; its second 3x3 comes after the place of the stride.",
    "1 o | 1 o; 1 o | o o": "rate_in is not used: your first 3x3 has rate 1, also after a dilated stage.",
    "i o | 1 o": "Your later blocks are given rate_out only, so each of them begins at rate 1 again.",
    "i o | 1 1": "Only your first block is given rates; the later ones run at rate 1.",
    "i 1 | i 1; i 1 | o 1; o 1 | o 1": "rate_out is not passed on: the second 3x3 of a BasicBlock has rate 1.",
    "o i | i i; o i | o o; o i | o i": "rate_in and rate_out are swapped: a stage begins with rate_in.",
    "1 1 | o o": "Your first block is not dilated at all; it should begin at rate_in and end at rate_out.",
    "i o | o o | i o": "Your last block begins at rate_in; only the first one does.",
}


def _examine_make_stage(answer):
    own_function(answer, "make_stage(block, in_channels, channels, depth)")
    stages = [_built(answer, case) for case in CASES]
    counts, depths = [len(stage) for stage in stages], [case[3] for case in CASES]
    for more, words in ((1, "many"), (-1, "few")):
        if counts == [depth + more for depth in depths]:
            raise Wrong(f"Your stage has one block too {words}: `depth` counts all blocks, the first one as well.")
    for case, count in zip(CASES, counts, strict=True):
        if count != case[3]:
            raise Wrong(f"The stage of `{_call(case)}` has {count} blocks, and `depth` is {case[3]}.")
    _compare([[_widths(block) for block in stage] for stage in stages], WIDTHS, "(in_channels, channels)")
    strides = [[max(block.conv1.stride, block.conv2.stride)[:1] for block in stage] for stage in stages]
    _compare(strides, STRIDES, "stride")
    _compare([[_rates(block) for block in stage] for stage in stages], RATES, "3x3 rates")
    for block in (BasicBlock, Bottleneck):
        _require_identity(answer, block)
    for case, stage in zip(CASES, stages, strict=True):
        _require_same_features(case, stage)


def _settings(case):
    return dict(zip(("stride", "rate_in", "rate_out"), case[4], strict=False))


def _call(case):
    block, *numbers, _ = case
    words = [f"{name}={value}" for name, value in _settings(case).items()]
    return f"make_stage({', '.join([block.__name__, *map(str, numbers), *words])})"


def _built(answer, case):
    try:
        stage = attempt(_call(case), answer, *case[:4], **_settings(case))
    except Raised as raised:
        text = str(raised.error)
        if f"{case[0].__name__}.__init__() " in text:
            words = "A block takes `in_channels` and `channels`, and by name `stride`, `rate_in` and `rate_out`."
            raise raised.named(words) from None
        if re.fullmatch(r"(list|tuple|map|\S*<genexpr>) is not a Module subclass", text):
            raise raised.named("`nn.Sequential` takes blocks one by one: a star unpacks what holds them.") from None
        raise
    _require_blocks(stage, case[0])
    return stage


def _require_blocks(stage, kind):
    asked = "asked is an `nn.Sequential` of `depth` blocks"
    if isinstance(stage, nn.ModuleList):
        raise Wrong(f"An `nn.ModuleList` holds blocks, but it does not run one after the other; {asked}.")
    if isinstance(stage, list | tuple):
        raise Wrong(f"Your function returns {a_kind(stage)}, which is no module and has no weights; {asked}.")
    if not isinstance(stage, nn.Sequential):
        raise Wrong(f"Your function returns {a_kind(stage)}; {asked}.")
    for i, block in enumerate(stage):
        if isinstance(block, BasicBlock | Bottleneck) and not isinstance(block, kind):
            raise Wrong(f"You build a {type(block).__name__}, whatever `block` is. Call the class that you are given.")
        if not isinstance(block, kind):
            raise Wrong(f"Element {i} of your stage is {a_kind(block)}, not a {kind.__name__}; {asked} in a row.")
    if len(list(stage.parameters())) < sum(len(list(block.parameters())) for block in stage):
        raise Wrong(
            "The same block stands in your stage more than once (a list times a number repeats the object), so these "
            "places share one set of weights. Build a new block for each place."
        )


def _widths(block):
    return block.conv1.in_channels, block.conv1.out_channels


def _rates(block):
    return tuple(conv.dilation[0] for conv in (block.conv1, block.conv2) if conv.kernel_size == (3, 3))


def _expected(way, case, size):
    block, n, c, depth, settings = case
    known = dict(zip("nce124sio", (n, c, block.expansion, 1, 2, 4, *(settings or (1, 1, 1))), strict=True))
    first, later, *last = ([prod(known[x] for x in word) for word in part.split()] for part in way.split("|"))
    return [tuple(row[:size]) for row in ([first] + [later] * (depth - 1))[: depth - len(last)] + last]


def _compare(found, ways, what):
    """Raise `Wrong` unless the blocks of all cases are built in the first of the ways."""
    for way, sentence in ways.items():
        for one in way.split(";"):
            due = [_expected(one, case, len(rows[0])) for case, rows in zip(CASES, found, strict=True)]
            if sentence == "right":
                right = due
            if found == due:
                if sentence == "right":
                    return
                raise Wrong(sentence)
    for case, rows, expected in zip(CASES, found, right, strict=True):
        for i, (yours, due) in enumerate(zip(rows, expected, strict=True)):
            if yours != due:
                yours, due = (values if len(values) > 1 else values[0] for values in (yours, due))
                raise Wrong(f"In `{_call(case)}` block {i} (the first is 0) has {what} = {yours}; expected is {due}.")


@torch.no_grad()
def _require_identity(answer, kind):
    strides, dilates = ((kind, 6, 5, 3, settings) for settings in ((2, 1, 1), (1, 1, 2)))
    sparse, dense = randomise(_built(answer, strides)).eval(), _built(answer, dilates).eval()
    copy_weights(sparse, dense)
    for size in ((9, 14), (12, 7)):
        x = torch.randn(2, 6, *size)
        due, value = attempt("stage(x)", sparse, x.clone()), attempt("stage(x)", dense, x.clone())
        for output in (due, value):
            require_tensor(output, "your stage's output")
        if value.dim() != 4 or not same(value[..., ::2, ::2], due):
            raise Wrong(
                f"With the same weights `{_call(strides)}` and `{_call(dilates)}` must agree at every other row and "
                "column of the larger map. Yours do not, although the blocks are right: what else does the stage do?"
            )


@torch.no_grad()
def _require_same_features(case, stage):
    due, x = reference(*case[:4], **_settings(case)).eval(), torch.randn(2, case[1], 9, 12)
    copy_weights(randomise(stage).eval(), due)
    given = x.clone()
    output = attempt("stage(x)", stage, given)
    if not torch.equal(given, x):
        raise Wrong("Your stage changes its input in place; others read it too.")
    axes = "(N, channels * expansion, H/stride, W/stride), rounded up"
    require_same(output, due(x), what=f"the output of `{_call(case)}`", axes=axes)


make_stage = Exercise(
    name="make_stage",
    lesson="05",
    minutes=6,
    statement=(
        "Build a stage of `depth` blocks, so that weights trained with a stride compute the same features without it. "
        "The 3x3 convolutions up to and including the one that may stride run at rate_in, all later ones of the stage "
        "at rate_out. `block` is BasicBlock or Bottleneck; of the blocks only the first may stride."
    ),
    stub='''def make_stage(block, in_channels, channels, depth, stride=1, rate_in=1, rate_out=1):
    """A stage of `depth` blocks, of which the first may stride, as an nn.Sequential.

    block: a class; `block(in_channels, channels, stride=..., rate_in=..., rate_out=...)`
        builds one. Its first 3x3 takes the stride and is dilated by rate_in; a second 3x3,
        if it has one, by rate_out. It puts out channels * block.expansion channels.
    in_channels: of the stage's input.
    channels: the same for all blocks.
    rate_in, rate_out: the stage's 3x3 convolutions run at rate_in up to and including the
        one that may stride (or would have, without dilation), all later ones at rate_out.
    """
    ...
''',
    hints=(
        "Only one convolution of the stage would have strided. In which block is it? Go on from there: what does each "
        "later block get as input, how many channels and on which grid?",
        "The first block gets `in_channels`, the stride and both rates. Each later one gets what a block puts out, no "
        "stride, and for both of its rates the one at which the first has ended.",
    ),
    reference=reference,
    examine=_examine_make_stage,
    moral="At the positions that both maps have, published weights now give what they gave with the stride.",
)
