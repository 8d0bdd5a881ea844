"""Lesson 00: the smallest head that labels places."""

import torch
from torch import Tensor, nn

from deeplab_teach.check.attempt import Raised, Wrong, attempt, build, own_module_class
from deeplab_teach.check.compare import copied, copy_weights, require_same, require_untouched, same
from deeplab_teach.check.engine import Exercise
from deeplab_teach.features import FeatureSpec
from deeplab_teach.heads import LinearHead

BUILD, RUN = "TinyHead(feature_specs, num_classes)", "head(features)"


def _examine_tiny_head(answer):
    own_module_class(answer, "TinyHead", nn.Module)
    random_width, random_classes = torch.randint(8, 400, ()).item(), torch.randint(2, 30, ()).item()
    rows, columns = torch.randint(2, 12, (2,)).tolist()
    for low, channels, num_classes, size in (
        (320, 320, 11, (7, 9)),  # equal widths: reading another map runs, and shows
        (24, 2048, 5, (5, 4)),
        (64, 512, 21, (6, 7)),
        (16, random_width, random_classes, (rows, columns)),
    ):
        specs = {"c2": FeatureSpec(low, 4), "c3": FeatureSpec(low, 8), "c5": FeatureSpec(channels, 16)}
        features = {
            key: torch.randn(2, spec.channels, *(n * 16 // spec.stride for n in size)) for key, spec in specs.items()
        }
        head = _build(answer, dict(specs), num_classes)
        _explain_widths(head, specs, num_classes)
        given = copied(features)
        logits = _run(head.eval(), given)
        require_untouched(features, given, "its input `features`")
        _explain_layers(head, logits, size)
        _compare_tiny(head, specs, num_classes, features, logits)
        _require_gradient(head, features)


def _build(answer, specs, num_classes):
    try:
        return build(answer, BUILD, specs, num_classes)
    except Raised as raised:
        if "'dict' object has no attribute" in str(raised.error):
            raise raised.named("`feature_specs` is a dictionary: look up a map by its key, in brackets.") from None
        raise


def _run(head, features):
    try:
        return attempt(RUN, head, features)
    except Raised as raised:
        if isinstance(raised.error, TypeError) and "dict" in str(raised.error):
            sentence = "`features` is a dictionary of maps, and your layer got all of it: look up the one it reads."
            raise raised.named(sentence) from None
        raise


def _weights(head):
    return [p for p in head.parameters() if not isinstance(p, nn.UninitializedParameter)]


def _explain_widths(head, specs, num_classes):
    matrices = [p for p in _weights(head) if p.dim() >= 2]
    if len(matrices) != 1:
        return
    made, read = matrices[0].shape[:2]
    due = specs["c5"].channels
    if read != due:
        others = [key for key, spec in specs.items() if spec.channels == read]
        if others:
            raise Wrong(f"Your head is built for the {read} channels of `{others[0]}`; the deepest map is `c5`.")
        if (made, read) == (due, num_classes):
            raise Wrong("Your convolution takes in `num_classes` channels: are its first two arguments swapped?")
        if read == specs["c5"].stride:
            raise Wrong("Your head takes the stride of `c5` for its number of channels.")
        raise Wrong(
            f"Your head reads a literal {read} channels: it broke on a backbone whose `c5` has {due}. "
            "The backbone declares its width; ask `feature_specs`."
        )
    if made != num_classes:
        raise Wrong(f"Your head makes {made} maps where `num_classes` is {num_classes}: is the number written out?")


def _explain_layers(head, logits, size):
    weights = _weights(head)
    matrices = [p for p in weights if p.dim() >= 2]
    if not matrices:
        raise Wrong(
            "Your head holds no weights, so it cannot learn. Create the layer once, in `__init__`, as an attribute "
            "(`self.something`); one made in `forward` or kept in a plain list is not registered."
        )
    if len(matrices) > 1 or len(weights) > 2:
        raise Wrong(f"Your head holds {len(weights)} weight tensors; asked is a single layer, one 1x1 convolution.")
    kernel = tuple(matrices[0].shape[2:])
    if any(n > 1 for n in kernel):
        shape = f"{kernel[0]}x{kernel[-1]}"
        if isinstance(logits, Tensor) and logits.dim() == 4 and logits.shape[2] < size[0]:
            raise Wrong(f"Your kernel is {shape} without padding, so the map shrinks. Asked is a 1x1 convolution.")
        raise Wrong(
            f"Your kernel is {shape}: each answer looks at neighbours too. Here each position is to be judged from "
            "its own channels alone, to see what the backbone already put there."
        )
    if len(weights) == 1:
        raise Wrong("Your layer has no bias: some classes are simply more frequent, and the bias is where that goes.")


def _compare_tiny(head, specs, num_classes, features, logits):
    reference = LinearHead(specs, num_classes).eval()
    copy_weights(head, reference)
    with torch.no_grad():
        expected = reference(features)
        mistakes = [
            ("Your head averages over the positions: one answer per image, not one per position.", averaged)
            for averaged in (expected.mean((2, 3)), expected.mean((2, 3), keepdim=True))
        ]
        mistakes += [
            (
                f"Your head reads `{key}`, not the deepest map `c5`: early maps know edges and colours, not things.",
                reference.classifier(features[key]),
            )
            for key, spec in specs.items()
            if key != "c5" and spec.channels == specs["c5"].channels
        ]
    mistakes += [
        ("Your head gives probabilities (softmax). Asked are raw scores: the loss applies softmax by itself.", p)
        for p in (expected.softmax(1), expected.log_softmax(1), expected.sigmoid())
    ]
    mistakes += [
        ("Your head applies a ReLU to the scores: a score may be negative.", expected.relu()),
        ("Your head already picks the best class (argmax): nothing could be learnt from that. Give raw scores.",)
        + (expected.argmax(1),),
        ("The class scores must be dim 1, (N, num_classes, h, w); yours are last.", expected.permute(0, 2, 3, 1)),
    ]
    axes = "(N, num_classes, h, w), one score per class at each position of `c5`"
    if isinstance(logits, Tensor) and logits.dim() == 4 and logits.shape[2] > expected.shape[2]:
        sentence = (
            f"Your head resizes its map: {tuple(logits.shape)}, where `c5` gives {tuple(expected.shape)}. A head "
            "answers on its map's own grid; `SegmentationModel` resizes to the image."
        )
        mistakes.append((sentence, logits))
    require_same(logits, expected, what="your head's output", axes=axes, mistakes=mistakes)
    trained = attempt(RUN, head.train(), copied(features))
    if not isinstance(trained, Tensor) or not same(trained, expected):
        raise Wrong("In training mode your head gives something else than in evaluation mode: is there a dropout?")


def _require_gradient(head, features):
    deepest = features["c5"].clone().requires_grad_()
    logits = attempt(RUN, head, {**copied(features), "c5": deepest})
    if not logits.requires_grad:
        raise Wrong("No gradient leaves your head: it could not be trained. Is there a `no_grad` or a `detach`?")
    logits.sum().backward()
    if deepest.grad is None:
        raise Wrong("No gradient reaches the backbone: the features are detached on their way through your head.")


tiny_head = Exercise(
    name="tiny_head",
    lesson="00",
    minutes=8,
    statement=(
        "Write the smallest head that labels places: a module `TinyHead(feature_specs, num_classes)` whose `forward` "
        "takes the backbone's features and classifies each position of the deepest map, `c5`, with one 1x1 "
        "convolution (with its bias). It gives raw scores (N, num_classes, h, w) and must fit any backbone."
    ),
    stub='''class TinyHead(nn.Module):
    """One 1x1 convolution that classifies each position of `c5`.

    feature_specs: what the backbone declares, such as {"c5": FeatureSpec(channels=320, stride=16)}.
    forward(features) -> raw scores (N, num_classes, h, w).
    """

    def __init__(self, feature_specs, num_classes):
        super().__init__()
        ...

    def forward(self, features):
        ...
''',
    hints=(
        "A 1x1 convolution is a linear classifier applied at every position. How many numbers does it read at one "
        "position of `c5`, how many does it give, and who tells the head?",
        'Make an `nn.Conv2d` in `__init__`, from `feature_specs["c5"].channels` to `num_classes`, kernel size 1; '
        "`forward` looks up that map and applies the convolution, nothing else.",
    ),
    reference=LinearHead,
    examine=_examine_tiny_head,
    moral="Your head never asks which backbone it sits on: the declared channels are all it needs.",
)
