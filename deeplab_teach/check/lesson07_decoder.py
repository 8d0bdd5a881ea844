"""Lesson 07: the forward pass of DeepLabv3+'s head."""

import re

import torch
import torch.nn.functional as F
from torch import Tensor

from deeplab_teach.check.attempt import Raised, Wrong, attempt, build, own_module_class
from deeplab_teach.check.compare import copied, copy_weights, randomise, require_same, require_untouched
from deeplab_teach.check.engine import Exercise
from deeplab_teach.features import FeatureSpec
from deeplab_teach.heads import DeepLabV3PlusHead

RUN = "head(features)"
CHANNELS, LOW_CHANNELS, NUM_CLASSES = 16, 6, 5
PARTS = {
    "aspp": "ASPP",
    "low_level_project": "the 1x1 convolution that narrows the early map (`self.low_level_project`)",
    "decoder": "the two 3x3 convolutions (`self.decoder`)",
    "classifier": "the last convolution, which makes class scores (`self.classifier`)",
}


def _examine_decoder(answer):
    own_module_class(answer, "MyHead", DeepLabV3PlusHead)
    rows, columns = torch.randint(2, 9, (2,)).tolist()
    plain = {"c2": FeatureSpec(10, 4), "c5": FeatureSpec(12, 16)}
    # Every map has the same width here, so that a name written out runs, and shows.
    even = {f"c{i}": FeatureSpec(9, 2**i) for i in range(1, 6)}
    for specs, keys, sizes in (
        (plain, {}, {"c2": (25, 33), "c5": (7, 9)}),  # 97x129 pixels: odd, and 4 * 7 is not 25
        (even, {"low_level": "c3", "high": "c4"}, {f"c{i}": (97 // 2**i + 1, 65 // 2**i + 1) for i in range(1, 6)}),
        (plain, {}, {"c2": (4 * rows - 1, 4 * columns), "c5": (rows, columns)}),
    ):
        options = {"channels": CHANNELS, "low_level_channels": LOW_CHANNELS, "atrous_rates": (1, 2), "dropout": 0.0}
        options |= keys
        head = build(answer, "MyHead(feature_specs, num_classes, channels=...)", dict(specs), NUM_CLASSES, **options)
        reference = DeepLabV3PlusHead(specs, NUM_CLASSES, **options)
        randomise(head)
        features = {key: torch.randn(2, spec.channels, *sizes[key]) for key, spec in specs.items()}
        for training in (False, True):
            copy_weights(head, reference)
            _compare(head.train(training), reference.train(training), features)
        _require_gradients(head, features)


def _compare(head, reference, features):
    calls, given = {}, copied(features)
    failure = logits = None
    hooks = [
        getattr(head, name).register_forward_pre_hook(
            lambda _, inputs, name=name: calls.update({name: [*inputs, None][0]})
        )
        for name in PARTS
    ]
    try:
        logits = attempt(RUN, head, given)
    except Raised as raised:
        failure = raised
    finally:
        for hook in hooks:
            hook.remove()
    with torch.no_grad():
        steps = _steps(reference, features)
    if failure:
        sentence = _explain_error(failure.error, head, steps, calls)
        raise failure.named(sentence) if sentence else failure
    require_untouched(features, given, "its input `features`")
    mode = "training" if head.training else "evaluation"
    require_same(
        logits,
        steps["logits"],
        what=f"your head's output in {mode} mode",
        axes="(N, num_classes, h, w) on the grid of the early map",
        mistakes=_mistakes(reference, features, steps, calls, logits),
    )


def _steps(reference, features):
    """What each part of the reference gives. It runs once, for batch norm learns from every run."""
    steps = {}
    hooks = [
        getattr(reference, name).register_forward_hook(lambda _, __, output, name=name: steps.update({name: output}))
        for name in PARTS
    ]
    steps["logits"] = reference(features)
    for hook in hooks:
        hook.remove()
    return steps


def _explain_error(error, head, steps, calls) -> str | None:
    """The mistake behind an error, where the check knows it."""
    text = str(error)
    high, low = tuple(steps["aspp"].shape[2:]), tuple(steps["low_level_project"].shape[2:])
    if "decoder" not in calls and "Sizes of tensors must match" in text:
        sizes = {int(number) for number in re.findall(r"size (\d+)", text)}
        if sizes & {4 * high[0], 4 * high[1]}:
            return (
                f"You resize by the factor 4: {high} becomes {(4 * high[0], 4 * high[1])}, but the early map is {low}. "
                "Sizes round up at each stride, so resize to the other map's size, never by a factor."
            )
        if sizes & set(high):
            return f"You join maps of different sizes, {high} and {low}: one must be resized first."
    if "decoder" not in calls and "must match the size of tensor" in text:
        return (
            f"You add the two maps. They have {CHANNELS} and {LOW_CHANNELS} channels and say different things: "
            "put them side by side along the channels instead."
        )
    into, raw = calls.get("decoder"), head.low_level_project[0].in_channels
    if not isinstance(into, Tensor) or into.dim() != 4 or into.shape[1] == CHANNELS + LOW_CHANNELS:
        return None
    width = into.shape[1]
    if width == CHANNELS:
        return f"Only {CHANNELS} channels reach the decoder: the early map, which brings the outlines, is left out."
    if "low_level_project" not in calls:
        return (
            f"The early map reaches the decoder with all its {raw} channels: it is not narrowed to {LOW_CHANNELS} "
            "first, and would outweigh ASPP's."
        )
    if "aspp" not in calls:
        return "The deepest map reaches the decoder raw: it does not go through ASPP."
    return f"The decoder expects {CHANNELS} + {LOW_CHANNELS} channels and was given {width}."


@torch.no_grad()
def _mistakes(reference, features, steps, calls, logits):
    """`(sentence, what the head would give after it)`, from the reference's own steps."""
    high, low, due = steps["aspp"], steps["low_level_project"], steps["logits"]
    size = low.shape[2:]
    up = F.interpolate(high, size=size, mode="bilinear", align_corners=False)

    def finish(*maps):
        # Running the parts again is safe: evaluation changes nothing, and training uses the batch at hand.
        return reference.classifier(reference.decoder(torch.cat(maps, dim=1)))

    for sentence, how in (
        ("You resize with `align_corners=True`; the course never does.", {"mode": "bilinear", "align_corners": True}),
        ("You resize to the nearest value, which makes steps; the paper resizes bilinearly.", {"mode": "nearest"}),
        ("You resize bicubically; the paper resizes bilinearly.", {"mode": "bicubic"}),
    ):
        yield sentence, finish(F.interpolate(high, size=size, **how), low)
    yield (
        "You join the maps in the other order: ASPP's channels come first. Convolutions know their inputs by place.",
        finish(low, up),
    )
    yield "Zeros stand where the early map should be: the outlines never arrive.", finish(up, torch.zeros_like(low))
    yield (
        "You shrink the early map to the deep one's size, so the output stays coarse. The outlines are in the early "
        "map: enlarge the deep one.",
        finish(high, F.interpolate(low, size=high.shape[2:], mode="bilinear", align_corners=False)),
    )
    yield "Your head stops before the class scores: `self.classifier` is not called.", steps["decoder"]
    yield "The two 3x3 convolutions (`self.decoder`) are left out.", reference.classifier(up)
    yield "Your head gives probabilities (softmax). Asked are raw scores.", due.softmax(1)
    yield "Your head gives log-probabilities. Asked are raw scores.", due.log_softmax(1)
    yield "Your head already picks the best class (argmax). Asked are raw scores.", due.argmax(1)
    for literal in ({"low_level": "c2"}, {"high": "c5"}, {"low_level": "c2", "high": "c5"}):
        keys = {"low_level": reference.low_level, "high": reference.high} | literal
        y, x = reference.low_level_project(features[keys["low_level"]]), reference.aspp(features[keys["high"]])
        x = F.interpolate(x, size=y.shape[2:], mode="bilinear", align_corners=False)
        names = " and ".join(f"`{name}`" for name in literal.values())
        yield (
            f"Your head reads {names} by a name written out, but it was built with low_level='{reference.low_level}' "
            f"and high='{reference.high}'. It keeps those names: use them.",
            finish(x, y),
        )
    if isinstance(logits, Tensor) and logits.dim() == 4 and logits.shape[2] > due.shape[2]:
        yield (
            "Your head enlarges its scores beyond the early map's grid. Resizing to the image is "
            "`SegmentationModel`'s work, the same for every head.",
            logits,
        )
    yield from ((f"Your forward pass never calls {PARTS[name]}.", logits) for name in PARTS if name not in calls)


def _require_gradients(head, features):
    logits = attempt(RUN, head, copied(features))
    if not logits.requires_grad:
        raise Wrong("No gradient leaves your head: it could not be trained. Is there a `no_grad` or a `detach`?")
    head.zero_grad()
    logits.square().sum().backward()
    for name, words in PARTS.items():
        if all(p.grad is None for p in getattr(head, name).parameters()):
            raise Wrong(f"No gradient reaches {words}: it would never learn. Is something detached on the way?")


decoder = Exercise(
    name="decoder",
    lesson="07",
    minutes=12,
    statement=(
        "Write the forward pass of DeepLabv3+'s head. `MyHead` inherits the layers from `DeepLabV3PlusHead`: "
        "`self.aspp`, `self.low_level_project`, `self.decoder`, `self.classifier`, and the keys of the two maps it "
        "reads, `self.high` and `self.low_level`. It gives raw scores on the early map's grid."
    ),
    stub='''class MyHead(DeepLabV3PlusHead):
    """DeepLabv3+'s head with a forward pass of your own; the layers are inherited.

    self.aspp, self.low_level_project, self.decoder, self.classifier: the layers.
    self.high, self.low_level: the keys of the two feature maps it reads.
    forward(features) -> raw scores (N, num_classes, h, w), on the grid of the `low_level` map.
    """

    def forward(self, features):
        ...
''',
    hints=(
        "Two maps meet: the deep one knows what, the early one knows where. Each goes through a layer of its own; then "
        "they must have the same size; then they lie side by side along the channels.",
        "Five steps: narrow the early map; ASPP on the deep one; `F.interpolate` the result to the early map's size "
        "(`size=`, bilinear, `align_corners=False`); `torch.cat` along dim 1, ASPP's first; decoder and classifier.",
    ),
    reference=DeepLabV3PlusHead.forward,
    examine=_examine_decoder,
    moral="Nothing in it names a backbone: two keys and their channels are all that changes when it is swapped.",
)
