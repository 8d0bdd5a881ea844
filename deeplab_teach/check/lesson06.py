"""Lesson 06: the average of the whole map, one map read at several rates, and the weights that read padding."""

from dataclasses import replace

import torch

from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.functions import examine_function
from deeplab_teach.check.mistakes import Mistake, mistakes
from deeplab_teach.check.modules import Case, examine_module
from deeplab_teach.check.run import a_kind, random_size
from deeplab_teach.heads.deeplabv3 import ASPP, ImagePooling
from deeplab_teach.layers import valid_weight_share


def _examine_image_pooling(answer):
    cases = [
        Case((c, channels), {}, tuple(torch.randn(n, c, h, w) + torch.randn(n, c, 1, 1) for n, h, w in sizes))
        for c, channels, sizes in (
            (7, 12, [(3, 5, 9), (1, 3, 4)]),
            (6, 4, [(5, 8, 3), (2, *random_size(2, 9)), (2, 1, 1)]),
            (9, 9, [(4, 6, 7)]),
        )
    ]
    axes = "(N, channels, h, w), with h and w of the map that came in"
    examine_module(answer, ImagePooling, "ImagePooling", cases, IMAGE_POOLING_MISTAKES, run="pooling(x)", axes=axes)


IMAGE_POOLING_MISTAKES = mistakes(r"""
You take the highest value of each channel; asked is the average over all places.
    AdaptiveAvgPool2d => AdaptiveMaxPool2d
You add up the places and do not divide by their number, so that a larger map gives larger values.
    super().forward(x) => super().forward(x * (x.shape[2] * x.shape[3]))
Your average runs over the channels (dim 1); average each channel over its places, dims 2 and 3.
    AdaptiveAvgPool2d(1) => Identity()
    super().forward(x) => super().forward(x.mean(1, keepdim=True))
Your average runs over the images (dim 0) as well: each image of a batch needs an average of its own.
    super().forward(x) => super().forward(x.mean(0, keepdim=True).expand(len(x), -1, -1, -1))
Your average runs over one axis only, so that each row or column keeps a value of its own: dims 2 and 3 both go.
    AdaptiveAvgPool2d(1) => AdaptiveAvgPool2d((1, None))
Your averages have lost their rows and columns, which a convolution wants: keep both axes, with size 1.
    AdaptiveAvgPool2d(1) => Identity()
    super().forward(x) => super().forward(x.mean((2, 3)))
Your module fails for a single image: does a `squeeze()` take the axis of the images too?
    AdaptiveAvgPool2d(1) => Identity()
    super().forward(x) => super().forward(x.mean((2, 3), keepdim=True).squeeze()[..., None, None])
Nothing is averaged: your module treats each place by itself.
    AdaptiveAvgPool2d(1) => Identity()
The average is not spread back. Every place of the map gets a copy, so that it can be joined with maps.
    F.interpolate(pooled, size=x.shape[-2:], mode="bilinear", align_corners=False) => pooled
You spread the average first and convolve each copy: h * w times the same work, and batch norm takes copies for values.
    AdaptiveAvgPool2d(1) => Identity()
    super().forward(x) => super().forward(x.mean((2, 3), keepdim=True).expand_as(x))
Your result is a square: rows and columns each have a size of their own.
    size=x.shape[-2:] => size=x.shape[2]
You average at the end, after the ReLU. It has cut off what is negative at each place by then: average first.
    AdaptiveAvgPool2d(1) => Identity()
    channels, 1) => channels, 1), nn.AdaptiveAvgPool2d(1)
In training your batch norm measures the spread over all places. Average first: then it measures how images differ.
    AdaptiveAvgPool2d(1) => Identity()
    channels, 1) => channels, 1)[:2], nn.AdaptiveAvgPool2d(1), nn.ReLU()
Your kernel is 3x3. After the average a channel is a single value, without neighbours: a 1x1 mixes the channels.
    channels, 1) => channels, 3)
Your convolution has a bias. The batch norm behind it subtracts the mean, and a bias with it: pass `bias=False`.
    *conv_bn_relu(in_channels, channels, 1) => nn.Conv2d(in_channels, channels, 1), nn.BatchNorm2d(channels), nn.ReLU()
There is no batch norm at work: it stands between the convolution and the ReLU.
    *conv_bn_relu(in_channels, channels, 1) => conv_bn_relu(in_channels, channels, 1)[0], nn.ReLU()
    or *conv_bn_relu(in_channels, channels, 1) => nn.Conv2d(in_channels, channels, 1), nn.ReLU()
The ReLU at the end is missing.
    channels, 1) => channels, 1)[:2]
Batch norm and ReLU are missing: both follow the convolution.
    channels, 1) => channels, 1)[:1]
The ReLU stands before the batch norm; it comes after it.
    channels, 1) => channels, 1)[::2], nn.BatchNorm2d(channels)
""")
# The package refuses one image in training at once; PyTorch only where a batch norm finds a single value.
UNREFUSED = ("if x.shape[0] == 1 and self[2].training", "if False")
IMAGE_POOLING_MISTAKES = tuple(replace(each, edits=(UNREFUSED, *each.edits)) for each in IMAGE_POOLING_MISTAKES)

image_pooling = Exercise(
    minutes=8,
    statement="""Write ASPP's image pooling: average each channel over the whole map, whatever its size; a 1x1
        convolution without bias from `in_channels` to `channels`, batch norm, ReLU; then spread the result back, so
        that every place of the map holds a copy of it.""",
    hints=(
        "Follow the shapes: (N, in_channels, h, w) becomes (N, in_channels, 1, 1), then (N, channels, 1, 1), then "
        "(N, channels, h, w). Only the step in the middle has weights.",
        "`x.mean(dim=(2, 3), keepdim=True)` averages; then convolution, batch norm and ReLU; then `expand(-1, -1, h, "
        "w)`, or `nn.functional.interpolate` with `size=x.shape[2:]`, makes the copies.",
    ),
    reference=ImagePooling,
    examine=_examine_image_pooling,
    moral="Train it with two images or more: of a single value a channel batch norm cannot measure a spread.",
)


def _examine_aspp(answer):
    rates = tuple(torch.randint(1, 6, (2,)).tolist())
    cases = [
        Case((c, rates), {"channels": width} if width else {}, tuple(torch.randn(n, c, *size) for n, size in sizes))
        for c, rates, width, sizes in (
            (6, (2,), 4, [(2, (5, 7))]),  # a small one first: most mistakes are told apart here
            (7, (3, 2, 5), 4, [(2, (9, 11)), (1, (12, 10))]),
            (5, (2, 2, *rates), 4, [(2, random_size(6, 11))]),
            (3, (7, 1), 5, [(3, (4, 5))]),  # a rate beyond the map
            (3, (), None, [(2, (4, 3))]),
        )
    ]
    axes = "(N, channels, h, w), with 256 channels if nothing is said"
    examine_module(answer, ASPP, "ASPP", cases, ASPP_MISTAKES, run="aspp(x)", axes=axes, adapt=_as_asked)


def _as_asked(aspp):
    class Asked(aspp):
        def __init__(self, in_channels, atrous_rates, channels=256):
            super().__init__(in_channels, atrous_rates, channels=channels, dropout=0.0)

    return Asked


ASPP_MISTAKES = mistakes(r"""
Your module has 256 channels whatever `channels` says.
    conv3x3 = => channels = 256\n        conv3x3 =
The image pooling is missing: every place is also told the average of the whole map.
    ImagePooling(in_channels, channels), =>
The 1x1 branch is missing: beside the rates, a 1x1 convolution reads each place by itself.
    conv_bn_relu(in_channels, channels, 1), =>
The projection is missing: a last 1x1 convolution mixes the branches and makes `channels` of them.
    self.project(branches) => branches
The image pooling is not spread back: its single place cannot lie beside the places of a map.
    ImagePooling(in_channels, channels) => nn.Sequential(*ImagePooling(in_channels, channels))
Your branches are added up; join them along the channels, so that the projection can weigh each.
    torch.cat([conv(x) for conv in self.convs], dim=1) => sum(conv(x) for conv in self.convs)
    len(self.convs) * channels => channels
Your branches are joined along another axis: the channels are dim 1.
    dim=1) => dim=0)
Your branches stand one after the other. Side by side each of them reads the map itself.
    [conv(x) for conv in self.convs] => [x := conv(x) for conv in self.convs]
    or [conv(x) for conv in self.convs] => (lambda y: [self.convs[0](x), *[y := c(y) for c in self.convs[1:-1]],
        self.convs[-1](x)])(x)
    or (conv3x3(in_channels, => (conv3x3(channels,
    [conv(x) for conv in self.convs] => (lambda y: [*[y := c(y) for c in self.convs[:-1]], self.convs[-1](x)])(x)
Your branches are joined in another order. Trained weights fit one: the 1x1, the rates as given, the image pooling.
    for conv in self.convs] => for conv in self.convs[::-1]]
    or for conv in self.convs] => for conv in [self.convs[-1], *self.convs[:-1]]]
Your module takes three rates and no other number of them.
    for rate in atrous_rates => for rate in [atrous_rates[i] for i in range(3)]
    or conv3x3 = => one, two, three = atrous_rates\n        conv3x3 =
Your projection reads 5 * channels, which fits three rates only; take the number of branches.
    len(self.convs) * channels => 5 * channels
Of two equal rates, as in (2, 2), yours makes one branch; each makes one of its own.
    for rate in atrous_rates => for rate in dict.fromkeys(atrous_rates)
One 3x3 convolution serves all rates; each rate has one of its own, with its own weights.
    nn.Dropout(dropout),\n        ) => nn.Dropout(dropout))\n        for branch in self.convs[2:-1]: branch[0].weight =
        self.convs[1][0].weight
One batch norm serves several branches. Their maps differ in mean and spread: each needs one of its own.
    nn.Dropout(dropout),\n        ) => nn.Dropout(dropout))\n        for branch in self.convs[1:-1]: branch[1] =
        self.convs[0][1]
The rates do not reach your 3x3 convolutions as they are given: the dilation of each is its own rate.
    rate=rate => rate=1
    or for rate in atrous_rates => for rate in (6, 12, 18)
A 3x3 convolution of yours changes the size of the map: its padding must be as wide as its rate.
    conv3x3(in_channels, channels, 3, rate=rate) => nn.Sequential(nn.Conv2d(in_channels, channels, 3, dilation=rate))
    or conv3x3(in_channels, channels, 3, rate=rate) => nn.Sequential(nn.Conv2d(in_channels, channels, 3, padding=1,
        dilation=rate))
Your projection is a 3x3 convolution; asked is a 1x1, which mixes the branches at each place.
    * channels, channels, 1) => * channels, channels, 3)
Batch norm and ReLU are missing after your projection.
    *conv_bn_relu(len(self.convs) * channels, channels, 1) => nn.Conv2d(len(self.convs) * channels, channels, 1,
        bias=False)
""")
_ROWS = "[(row, 0) for row in [*self.convs[:-1], self.project]]"
_ROWS = (f"{_ROWS} + [(self.convs[-1], 1)]", _ROWS, "[(row, 0) for row in self.convs[1:-1]]", "[(self.project, 0)]")
ASPP_MISTAKES += tuple(
    Mistake(
        sentence,
        (("nn.Dropout(dropout),\n        )", f"nn.Dropout(dropout))\n        for row, i in {rows}: {change}"),),
    )
    for sentence, change in (
        (
            "A convolution of yours has a bias. The batch norm behind it subtracts the mean, and a bias with it.",
            "row[i].bias = nn.Parameter(row[i].weight[:, 0, 0, 0] * 1)",
        ),
        ("A batch norm is missing: each convolution has one of its own.", "row[i + 1] = nn.Identity()"),
        ("A ReLU is missing: one follows each batch norm, the projection's too.", "row[i + 2] = nn.Identity()"),
        ("A ReLU stands before its batch norm; it comes after it.", "row[i + 1], row[i + 2] = row[i + 2], row[i + 1]"),
    )
    for rows in _ROWS
)

aspp = Exercise(
    minutes=12,
    statement="""Write ASPP. On the same map, side by side: a 1x1 convolution; a 3x3 convolution for each of
        `atrous_rates`, which keeps the map's size; image pooling. Their results are joined along the channels in this
        order, and a last 1x1 convolution, the projection, makes `channels` of them. Batch norm and ReLU follow each
        convolution, which has no bias; a dropout is left out. `conv_bn_relu` and `ImagePooling` may be used.""",
    defaults={"channels": 256},
    hints=(
        "Each branch reads the same `x` and keeps its size, so that the results can lie side by side. How many "
        "channels are they together, for any number of rates? The projection reads as many.",
        "In an `nn.ModuleList`: `conv_bn_relu` with a kernel of 1, one with a kernel of 3 and `rate=rate` for each "
        "rate, `ImagePooling`. Call each with `x`, `torch.cat` the results in dim 1; then one more `conv_bn_relu`.",
    ),
    reference=ASPP,
    as_answer=_as_asked,
    examine=_examine_aspp,
    moral="A 3x3 at rate 18 reaches over 37 places instead of 3, with as many weights and no resolution lost.",
)


def _examine_valid_weights(answer):
    draw = lambda low, high: int(torch.randint(low, high, ()))
    calls = [
        *((9, 2), (33, 6), (6, 1), (12, 4), (12, 5), (7, 6), (7, 7), (7, 10), (1, 1), (1, 3)),
        *((15, 3, 5), (8, 5, 5), (7, 8, 5), (6, 3, 5), (5, 2, 1), (4, 9, 1), (20, 3, 7)),
        (draw(2, 30), draw(1, 12)),
        (draw(2, 30), draw(1, 12), 2 * draw(0, 5) + 1),
    ]
    example, kind = "valid_weight_share(size, rate, kernel_size)", _kind_of_share
    advice = "Shift the kernel along a row of places; count for each weight at how many of them it reads the map."
    examine_function(answer, valid_weight_share, example, calls, VALID_WEIGHTS_MISTAKES, kind=kind, advice=advice)


def _kind_of_share(value):
    if type(value) is float:
        return None
    hint = ": `.item()` makes one of a tensor" if hasattr(value, "item") else ""
    return f"Your function gives {a_kind(value)}; asked is a float in 0..1{hint}."


VALID_WEIGHTS_MISTAKES = mistakes(r"""
You give the share along one side. A weight reads the map only if both its row and its column lie on it.
    along_a_side**2 => along_a_side
You count a weight as soon as its row or its column lies on the map. It reads the map where both do.
    along_a_side**2 => 1 - (1 - along_a_side) ** 2
You square before you average, which counts the places of the diagonal alone: average along a side first.
    along_a_side**2 => sum((sum(0 <= p + o < size for o in offsets) / kernel_size) ** 2 for p in range(size)) / size
You give per cent; asked is a share in 0..1.
    along_a_side**2 => 100 * along_a_side**2
You count weights; asked is a share, so divide by their number, and by that of the places.
    along_a_side**2 => (kernel_size * along_a_side) ** 2
You give the share on the padding; asked is the share on the map.
    along_a_side**2 => 1 - along_a_side**2
You look at one place only, a corner or the middle; asked is the average over all places.
    along_a_side**2 => (sum(0 <= offset < size for offset in offsets) / kernel_size) ** 2
    or along_a_side**2 => (sum(0 <= size // 2 + offset < size for offset in offsets) / kernel_size) ** 2
You give the share of places where the whole kernel lies on the map. A part of a kernel counts too.
    along_a_side**2 => (max(0, size - 2 * offsets[-1]) / size) ** 2
Yours is 1 at every rate. Without padding it would be; with it, count every weight at every place.
    along_a_side**2 => 1.0
The rate is left out: a larger one spreads the weights apart.
    [rate * => [1 *
Yours is right for a 3x3 kernel only: `kernel_size` is left out.
    offsets = => kernel_size = 3\n    offsets =
Your kernel begins at its place; it is centred there, so as many weights lie before the place as after it.
    (i - kernel_size // 2) => i
Where the rate exceeds the size, weights count below zero in yours. One that never reads the map counts 0.
    max(0, size - abs(offset)) => (size - abs(offset))
Beyond the map, where only the weight in the middle reads it, yours is wrong: that weight is one of kernel_size**2.
    return along_a_side**2 => return 0.0 if rate >= size else along_a_side**2
You count the centre weight alone too early: another still reads the map until it lies `size` places off.
    return along_a_side**2 => return 1 / kernel_size**2 if 2 * offsets[-1] >= size else along_a_side**2
    or return along_a_side**2 => return 1 / kernel_size**2 if offsets[-1] >= size else along_a_side**2
You round. Give the share as it is; rounding is for whoever prints it.
    return along_a_side**2 => return round(along_a_side**2, 2)
""")

valid_weights = Exercise(
    minutes=10,
    statement="""Centre a dilated kernel at each place of a square map in turn; the map is padded so that it keeps its
        size. Compute which share of the kernel's kernel_size**2 weights reads the map and not the padding, on average
        over all places: a float in 0..1.""",
    defaults={"kernel_size": 3},
    hints=(
        "Take one row, and one weight `o` places to the right of the kernel's middle. Shift the kernel along all "
        "`size` places: at how many of them does this weight read the map? And if `o` is larger than the row?",
        "A weight at offset `o` reads the row at size - |o| places, never fewer than 0; offsets are multiples of the "
        "rate, as many below 0 as above. Divide the sum by kernel_size * size. Columns are like rows: square it.",
    ),
    reference=valid_weight_share,
    examine=_examine_valid_weights,
    moral="On 33 x 33 places a 3x3 at rate 18 reads with 40 % of its weights: so ASPP sees the whole by an average.",
)
