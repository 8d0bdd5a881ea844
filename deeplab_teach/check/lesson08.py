"""Lesson 08: somebody else's network behind the course's contract, and a batch norm folded away."""

import copy

import torch
from torch import Tensor, nn

from deeplab_teach.backbones import AdaptedBackbone
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.functions import Call, alike, name_mistake, outcomes, same, shown, told
from deeplab_teach.check.mistakes import Mistake, edited, mistakes, with_mistake
from deeplab_teach.check.modules import require_output
from deeplab_teach.check.run import Raised, Wrong, attempt, build, own_function, own_module_class
from deeplab_teach.features import Backbone
from deeplab_teach.speed import fold_batch_norm as fold_reference


class Body(nn.ModuleDict):
    """Somebody else's network: {key: (channels, stride, padding)} of its maps, in its order."""

    def __init__(self, maps: dict):
        layer = lambda c, stride, padding: nn.Sequential(nn.Conv2d(3, c, 3, stride, padding), nn.BatchNorm2d(c))
        super().__init__({key: layer(*row) for key, row in maps.items()})

    def forward(self, x: Tensor) -> dict:
        return {key: layer(x) for key, layer in self.items()}


def _watched(answer, body, training, size) -> dict:
    """What comes of an answer: values, each under what to say where the reference's is another."""
    runs, frozen, modes = [], [*body.values()][-1], lambda: [part.training for part in body.modules()]
    body.train(training), frozen.eval().requires_grad_(False)
    body.register_forward_hook(lambda module, args, maps: runs.append(maps))  # copies of the body have it as well
    backbone = build(answer, "Adapted(body, name)", body, "".join(body))
    declare = lambda: {key: getattr(spec, "__dict__", spec) for key, spec in backbone.feature_specs.items()}
    measured, declared, kept, maps, gradients = copy.deepcopy(body), declare(), [], [], []
    for training, shape in ((False, (1, 3, *size)), (True, (3, 3, *size[::-1]))):
        torch.manual_seed(0), backbone.train(training), frozen.eval(), body.zero_grad(), runs.clear()
        before, leaf = modes(), torch.rand(shape, requires_grad=True)
        maps.append(attempt("backbone(x)", backbone, x := leaf * 1))
        kept += [torch.equal(x, leaf), modes() == before, declare() == declared]
        kept += [list(map(list, runs)) in ([], [list(body)])]  # none: `forward` has called its `forward`
        found = [part for part in getattr(maps[-1], "values", list)() if getattr(part, "requires_grad", False)]
        sum((part.sigmoid().sum() for part in found), 0 * leaf.sum()).backward()
        gradients += [leaf.grad, *(value.grad for value in body.parameters())]
    no_images = [Call((torch.zeros(shape),)) for shape in ((3, 64, 48), (2, 1, 64, 48), (1, 3, 0, 48))]
    return {
        "You measure in training mode, which moves the body's averages: use eval mode.": dict(measured.named_buffers()),
        "Your `__init__` changes the body: a module's `training` (restore each), what is frozen, a hook.": measured,
        "Hold the body as an attribute: in no list, no copy.": {*backbone.parameters()} == {*body.parameters()},
        "Your backbone has the name {0}, and must have {1}: set `self.name`.": backbone.name,
        "You declare {0}; it must be {1}: ints, from high to low, the stride is 256 / rows, rounded.": declared,
        "Run the body once, and in `forward` change nothing: `x`, the body's dict and modes, the specs.": kept,
        "": maps,  # `require_output` has the words
        "The maps are right, but not all gradients get back to the body: it cannot be trained.": gradients,
        "No `self.check_image(x)` comes first: call it, it raises.": outcomes(backbone, no_images, "backbone(x)"),
    }


def _examine_adapt(answer):
    own_module_class(answer, "Adapted", Backbone)
    n, example = int(torch.randint(5, 9, ())), "Adapted(body, name)"
    watching = lambda network: lambda *case: _watched(network, *case)
    calls = [
        Call((Body({"a": (n, 4, 1), "b": (9, 8, 1), "c": (14, 16, 1)}), False, (97, 65))),
        Call((Body({"b": (9, 3, 1), "y": (11, 20, 1), "x": (n, 6, 0), "z": (7, 2, 0)}), True, (50, 75))),
    ]
    found, due = (outcomes(watching(e), calls, example, own=True) for e in (answer, edited(AdaptedBackbone, ())))
    known = [Mistake(row.sentence, made=watching(with_mistake(AdaptedBackbone, row))) for row in ADAPT_MISTAKES]
    name_mistake(found, calls, None, example, () if alike(found, due) else known)
    for seen, right in zip(found, due, strict=True):
        if isinstance(seen, Raised):
            raise seen
        for sentence, value in seen.items():
            for own, maps in () if sentence else zip(value, right[sentence], strict=True):
                require_output(own, maps, "what your `forward` gives", "(N, C, h, w)")
            if not alike(value, right[sentence]):
                raise Wrong(sentence.format(value, right[sentence]))


ADAPT_MISTAKES = mistakes(r"""
Channels and stride are swapped: it is FeatureSpec(channels, stride).
    FeatureSpec( => (lambda channels, stride: FeatureSpec(stride, channels))(
You round the stride down: 256 rows over 86 are 2.98, and the nearest whole number is 3.
    round(PROBE / => int(PROBE /
Your `feature_specs` are in the order of the body. A head takes the last map for the deepest: sort them by their rows.
    maps = dict(sorted => dict(sorted
The maps come from your `forward` in the order of the body, not in that of `feature_specs`.
    {key: maps[key] for key in self.feature_specs} => maps
Your `forward` normalises the image. It is given normalised images, so that happens twice.
    self.body(x) => self.body(self.normalize(x))
Your `forward` runs the body in eval mode in training too: its batch norms never learn.
    self.body(x) => self.body.eval()(x)
`check_image` returns nothing: call it on a line of its own, without `x =`.
    self.check_image(x) => x = self.check_image(x)
""")

adapt = Exercise(
    minutes=15,
    statement="""Wrap somebody else's network so that the course's heads fit it: measure channels and strides of its
        maps on a blank image of 256 x 256, leave it as it was, and give the maps from high to low resolution.""",
    hints=(
        "Run the body on one blank image: all is in the shapes of the maps. What would that run change in the body?",
        "Measure `copy.deepcopy(body).eval()`; sort the maps by their rows, most first; the stride is 256 / rows.",
    ),
    reference=AdaptedBackbone,
    examine=_examine_adapt,
    moral="No head can tell now whose network it sits on: it reads the declaration and the maps, and nothing else.",
)


def _pair(*arguments, eps=1e-3, dtype=None, **options) -> Call:
    """A convolution and a batch norm, of which some weights are below 0 and one variance is near it."""
    conv = nn.Conv2d(*arguments, **options, dtype=dtype)
    norm = nn.BatchNorm2d(conv.out_channels, eps, dtype=dtype)
    norm.weight.data.normal_(), norm.bias.data.normal_(), norm.running_mean.normal_()
    norm.running_var.uniform_(0.005, 0.03)[0] = 1e-4
    return Call((conv.eval(), norm.eval()))


def _examine_fold(answer):
    example = "fold_batch_norm(conv, norm)"
    own_function(answer, example)
    calls = [
        _pair(4, 4, 4),  # each axis of the weight has four places: scaling along another one runs, and shows
        _pair(6, 5, (3, 2), stride=(2, 1), padding=1, bias=False, dilation=int(torch.randint(1, 3, ()))),
        _pair(6, 9, (3, 5), groups=3, dilation=2, padding=(2, 4), padding_mode="reflect", eps=1e-5),
        _pair(4, 6, 3, bias=False, eps=1e-2, dtype=torch.float64),
    ]
    found, due = (outcomes(each, calls, example, own=each is fold_reference) for each in (answer, fold_reference))
    found = [layer.eval() if isinstance(layer, nn.Conv2d) else layer for layer in found]  # its mode is of no account
    name_mistake(found, calls, fold_reference, example, FOLD_MISTAKES)
    for layer, right in zip(found, due, strict=True):
        if isinstance(layer, Raised):
            raise layer
        if str(layer) != str(right):
            raise Wrong(f"You return {shown(layer)}; asked is {right}: one layer, with a bias and `conv`'s settings.")
        for (part, value), asked in zip(layer.named_parameters(), right.parameters(), strict=True):
            if not same(value, asked):
                raise Wrong(f"The {part} of your {layer} is wrong: {told(value, asked)}")
            if not value.requires_grad or value.is_inference():
                raise Wrong(f"The {part} of your layer cannot be trained: no `requires_grad`, or an inference tensor.")


FOLD_MISTAKES = mistakes(r"""
`eps` is left out: batch norm adds it to the variance, and where that is small it counts.
    norm.running_var + norm.eps => norm.running_var
You add `eps` to the root; batch norm adds it to the variance, under the root.
    torch.rsqrt(norm.running_var + norm.eps) => 1 / (norm.running_var.sqrt() + norm.eps)
`norm.weight` is left out: it multiplies each channel.
    scale * norm.weight => scale
You multiply the weights along their columns; the output channels are the first axis: `scale[:, None, None, None]`.
    weight.mul_(scale[:, None, None, None]) => weight.mul_(scale)
`conv.bias` is left out: what a convolution adds is normalised too.
    else conv.bias - norm.running_mean => else -norm.running_mean
The `bias` of a convolution without one is None, and nothing can be done with None: it counts as 0.
    -norm.running_mean if conv.bias is None else conv.bias => conv.bias
`norm.bias` is left out: it is added at the end.
    shift * scale + norm.bias => shift * scale
`norm.bias` is scaled; it is added after everything else.
    shift * scale + norm.bias => (shift + norm.bias) * scale
PyTorch records gradients while you write into a weight. Do it inside `torch.no_grad()`.
    with torch.no_grad(): => if True:
""")

fold_batch_norm = Exercise(
    minutes=10,
    statement="""Make one convolution that does what any convolution and the batch norm after it do in eval mode: scale
        the weights, and put all that is added into the bias. Both stay as they are.""",
    hints=(
        "Write out norm(w * x + a) for one channel, in eval mode. What stands before x now, and what stands alone?",
        """With scale = norm.weight / sqrt(running_var + eps) the weights are multiplied along their first axis; the
        bias is (a - running_mean) * scale + norm.bias. Copy `conv`, and write inside `torch.no_grad()`.""",
    ),
    reference=fold_reference,
    examine=_examine_fold,
    moral="The folded network answers the same, usually in less time; it cannot normalise any more, so train first.",
)
