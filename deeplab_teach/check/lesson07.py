"""Lesson 07: the forward pass of DeepLabv3+'s head, the band along the outlines, and what makes a model DeepLabv3+."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from deeplab_teach import heads, metrics, models
from deeplab_teach.backbones import mobilenet_v2
from deeplab_teach.backbones.resnet import BasicBlock, ResNet
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.functions import Call, alike, examine_function, outcomes
from deeplab_teach.check.mistakes import mistakes, with_mistake
from deeplab_teach.check.modules import Case, examine_module
from deeplab_teach.check.run import BARRED, Raised, Wrong, a_kind, own_function, random_size
from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.heads import DeepLabV3PlusHead


def _as_head(forward):
    return type("MyHead", (DeepLabV3PlusHead,), {"forward": forward})


def _examine_decoder(answer):
    if isinstance(answer, type):  # a reloaded module has a class of the same name, with a forward pass of its own
        twins = (each for each in answer.__mro__ if each.__module__ == DeepLabV3PlusHead.__module__)
        BARRED.set((*BARRED.get(), *(twin.forward for twin in twins)))
    plain = {"c2": FeatureSpec(7, 4), "c5": FeatureSpec(8, 16)}
    even = {f"c{i}": FeatureSpec(6, 2**i) for i in range(1, 6)}  # a name that is written out runs, and shows
    keys, size = {"low_level": "c3", "deep": "c4"}, random_size(2, 6)
    small = {"channels": 6, "low_level_channels": 5, "atrous_rates": (1, 2), "dropout": 0.0}
    maps = lambda n, specs, *sizes: {
        key: torch.randn(n, specs[key].channels, *size) for key, size in zip(specs, sizes, strict=True)
    }
    one, other = [(17, 25), (9, 13), (5, 7), (3, 4), (2, 2)], [(9, 9), (9, 9), (6, 5), (3, 3), (2, 2)]
    cases = [
        Case((even, 5), small | keys, (maps(2, even, *one), maps(1, even, *other))),
        Case((plain, 5), small | {"separable": True}, (maps(2, plain, [4 * side - 1 for side in size], size),)),
        Case((plain, 5), small | {"channels": 4}, (maps(2, plain, (7, 9), (2, 3)), maps(1, plain, (25, 33), (7, 9)))),
    ]
    axes = "(N, num_classes, h, w) on the early map's grid; `SegmentationModel` makes the image's size of it"
    rest = {"run": "head(features)", "base": DeepLabV3PlusHead, "axes": axes, "adapt": _as_head}
    examine_module(answer, DeepLabV3PlusHead.forward, "MyHead", cases, DECODER_MISTAKES, **rest)


DECODER_MISTAKES = mistakes(r"""
You enlarge by a factor of 4. Sizes round up: of 97 rows stride 16 leaves 7, stride 4 leaves 25. Pass `size=`.
    size=low.shape[-2:] => scale_factor=4
You resize with `align_corners=True`; the course never does.
    align_corners=False => align_corners=True
You resize to the nearest value, which makes steps; the paper resizes bilinearly.
    , mode="bilinear", align_corners=False =>
You shrink the early map to the deep one's size, and lose the outlines that are in it: enlarge the deep one.
    x = F.interpolate(x, size=low => low = F.interpolate(low, size=x
You join the maps in the other order: ASPP's channels come first. Convolutions know their inputs by place.
    [x, low] => [low, x]
You add the two maps. They have different channels and say different things: `torch.cat` puts them side by side.
    torch.cat([x, low], dim=1) => x + low
The early map is left out: it brings the outlines, and `self.decoder` expects its channels too.
    torch.cat([x, low], dim=1) => x
The early map is joined as the backbone gives it: `self.low_level_project` comes first, lest it outweigh ASPP's.
    self.low_level_project(features[self.low_level]) => features[self.low_level]
The deep map does not go through ASPP (`self.aspp`).
    self.aspp(features[self.deep]) => features[self.deep]
`self.decoder`, the two 3x3 convolutions, is left out.
    self.decoder(torch.cat([x, low], dim=1)) => torch.cat([x, low], dim=1)
Your head stops before the class scores: `self.classifier` comes last.
    self.classifier(x) => x
Your head gives probabilities (softmax). Asked are raw scores.
    self.classifier(x) => self.classifier(x).softmax(1)
Your head does not ask `self.deep` and `self.low_level` which maps it reads; other backbones give others.
    features[self.deep] => features["c5"]
    features[self.low_level] => features["c2"]
    or features[self.deep] => features["c5"]
    or features[self.low_level] => features["c2"]
""")

decoder = Exercise(
    minutes=15,
    statement="""Write the forward pass of DeepLabv3+'s head. `MyHead` inherits the layers from `DeepLabV3PlusHead`:
        `self.aspp`, `self.low_level_project`, `self.decoder`, `self.classifier`, and the keys of the two maps it reads,
        `self.deep` and `self.low_level`. It gives raw scores on the early map's grid.""",
    hints=(
        "Two maps meet. Each goes through a layer of its own; then they need the same size, and lie side by side.",
        "Narrow one; ASPP; `F.interpolate` (`size=`, bilinear); `torch.cat`, ASPP's first; decoder; classifier.",
    ),
    reference=DeepLabV3PlusHead.forward,
    examine=_examine_decoder,
    as_answer=_as_head,
    moral="Nothing in it names a backbone: two keys and their channels are all that changes when it is swapped.",
)


def _examine_trimap_band(answer):
    scene = torch.zeros(23, 29, dtype=torch.int64)
    scene[6:17, 6:16], scene[9:13, 11:14] = 3, 8  # an object inside another
    scene[17:, 20:], scene[3:15, 20:24] = 12, 255  # an object cut off by the border, and ignored pixels
    blobs = F.interpolate(torch.randint(0, 4, (1, 1, 5, 6)).double(), random_size(16, 25))[0, 0].long()
    blobs[torch.rand(blobs.shape) < 0.01] = 255
    taken = torch.where(scene == 0, 255, torch.where(scene == 255, 6, scene))  # 255 is the label of the wall here
    steps = torch.tensor([1, 2, 3, *[44] * 4, *[300] * 4, *[2048] * 4, *[2049] * 4])  # not all fit a byte, or a half
    calls = [
        *((scene, 3), (scene, 1), (blobs, 2), (blobs, 5), (scene[None, :12], 4), (scene[8:11, :12], 5)),
        *((torch.full((5, 6), 4), 2), (torch.full((2, 4, 5), 255), 1), (steps.repeat(3, 1), 1)),
        *(Call((taken, 2), {"ignore_index": 6}), Call((scene[2:20], 3), {"ignore_index": 0})),
        Call((torch.where(scene == 12, -1, scene), 2), {"ignore_index": -1}),
        (torch.stack([scene, scene.flip(1), torch.full_like(scene, 7)]), 2),
    ]
    examine_function(answer, metrics.trimap_band, "trimap_band(labels, width)", calls, TRIMAP_BAND_MISTAKES)


TRIMAP_BAND_MISTAKES = mistakes(r"""
Only the side with the lower label is in your band: pixels on both sides of an outline belong to it.
    (highest != lowest) => (highest != values)
Only the side with the higher label is in your band: pixels on both sides of an outline belong to it.
    (highest != lowest) => (values != lowest)
Your band has the outlines of objects against the background (0) only; where two objects touch is one too.
    highest = => values = (values > 0).float()\n    highest =
Inside and outside are swapped: you mark the known pixels that are far from every outline.
    highest != lowest => highest == lowest
Your window is `width` pixels wide as a whole; `width` to the left and to the right of its middle are asked.
    2 * width + 1, "stride": 1, "padding": width => 2 * (width // 2) + 1, "stride": 1, "padding": width // 2
Your band is one pixel too wide on each side. Outlines run between pixels: the two that touch there are 1 apart.
    2 * width + 1, "stride": 1, "padding": width => 2 * width + 3, "stride": 1, "padding": width + 1
The border of the image counts as an outline in yours: nothing outside of it may count, not even zeros.
    "padding": width} => "padding": 0}\n    values = F.pad(values, (width,) * 4)
Ignored pixels are in your band: nobody knows their label, so they are never counted.
    & (labels != ignore_index) =>
255 is written out where `ignore_index` belongs.
    != ignore_index => != 255
Where labels end and ignored pixels begin there is an outline too; your band has none there.
    (values, **window) => (values.masked_fill(values == ignore_index, -1e9), **window)
    (-values, **window) => (-values.masked_fill(values == ignore_index, 1e9), **window)
Your function is right for (N, H, W) only. A single (H, W) is taken for a batch of rows; it needs a batch axis too.
    labels[..., None, :, :].float() if labels.dim() == 3 else labels[None, None].float() => labels[:, None].float()
Your function is right for a single (H, W) only. A batch (N, H, W) gets one axis too many.
    labels[..., None, :, :].float() if labels.dim() == 3 else labels[None, None].float() => labels[None, None].float()
""")

trimap_band = Exercise(
    minutes=15,
    statement="""Mark the pixels near an outline: in the square of 2 * width + 1 pixels around them some label differs
        from another. `labels` is (H, W) or (N, H, W) int64; the result is bool, of the same shape. The image's border
        is no outline. `ignore_index` pixels are never in the band, but where they begin there is an outline.""",
    defaults={"ignore_index": 255},
    hints=(
        "If all labels in a window are equal, the highest is the lowest too. Which layer gives the highest?",
        """`F.max_pool2d` (of floats, (N, 1, H, W)), stride 1, with a padding that keeps the size, gives the highest
        label; of the negated labels, the lowest, negated. The band: these two differ, and the label is known.""",
    ),
    reference=metrics.trimap_band,
    examine=_examine_trimap_band,
    moral="Scored on this band alone, a model without a decoder cannot hide its coarse outlines.",
)


def _models():
    """`{in words: model}`: DeepLabv3+ and other heads, as they are now, should their module have been reloaded."""
    resnet = ResNet("resnet18", BasicBlock, (1, 1, 1, 1), width=4, output_stride=16)
    mobile, unknown = mobilenet_v2(width_mult=0.1), Backbone()
    unknown.feature_specs = {"p2": FeatureSpec(8, 4), "p5": FeatureSpec(16, 16)}
    unknown.name, mobile.name = "unknown", "mobilenet_v2"
    subclass = type("Finer", (type("MyHead", (heads.DeepLabV3PlusHead,), {}),), {})
    namesake = type("NotDeepLabV3PlusHead", (nn.Module,), {})()  # of another kind; its layers' names are the same
    namesake.low_level, namesake.deep, namesake.low_level_project = "p2", "p5", nn.Conv2d(1, 1, 1)
    namesake.aspp, namesake.decoder = heads.ASPP(4, (1,), channels=4), nn.Conv2d(1, 1, 1)
    holder = lambda specs, classes: nn.Sequential(heads.DeepLabV3PlusHead(specs, classes, channels=4))
    on = lambda body, head, **options: models.SegmentationModel(body, head(body.feature_specs, 5, **options))
    return {
        "DeepLabv3+ on MobileNetV2": on(mobile, heads.DeepLabV3PlusHead, channels=4),
        "DeepLabv3+ on a backbone of somebody's own": on(unknown, heads.DeepLabV3PlusHead, channels=4),
        "DeepLabv3+ with separable convolutions": on(resnet, heads.DeepLabV3PlusHead, channels=4, separable=True),
        "DeepLabv3+ with a forward pass of your own, a subclass": on(resnet, subclass, channels=4),
        "DeepLabv3 (ASPP, no decoder)": on(unknown, heads.DeepLabV3Head, channels=4),
        "FCN": on(resnet, heads.FCNHead, channels=4),
        "another head with a layer `decoder`": models.SegmentationModel(unknown, namesake),
        "a head of another class that holds DeepLabv3+'s": on(unknown, holder),
        "a single 1x1 convolution per position": on(unknown, heads.LinearHead),
        "a classifier": models.ImageClassifier(mobile, heads.ClassificationHead(mobile.feature_specs, 5)),
    }


def _examine_is_deeplabv3plus(answer):
    run, reference, cases = "is_deeplabv3plus(model)", models.is_deeplabv3plus, _models()
    own_function(answer, run)
    found = outcomes(answer, [Call((model,)) for model in cases.values()], run)
    for mistake in IS_DEEPLABV3PLUS_MISTAKES:
        if alike(found, [with_mistake(reference, mistake)(model) for model in cases.values()]):
            raise Wrong(mistake.sentence)
    of_backbone = {model.backbone: value for model, value in zip(cases.values(), found, strict=True)}
    by_backbone = alike(found, [of_backbone[model.backbone] for model in cases.values()])
    for words, value in zip(cases, found, strict=True):
        if isinstance(value, Raised):
            raise value.named(f"Your function fails on {words}.")
        if not isinstance(value, bool | np.bool_):
            raise Wrong(f"Your function gives {a_kind(value)} for {words}; asked is `True` or `False`.")
        if value != words.startswith("DeepLabv3+") and by_backbone:
            raise Wrong("Your function looks at the backbone alone: the part that can be swapped.")
        if value != words.startswith("DeepLabv3+"):
            why = "Which part of a model makes it DeepLabv3+?" if value else "Any backbone will do, and any subclass."
            raise Wrong(f"Your function says {value} for {words}. {why}")


IS_DEEPLABV3PLUS_MISTAKES = mistakes(r"""
Your function says True for every model, a classifier included.
    isinstance(model, SegmentationModel) and isinstance(model.head, DeepLabV3PlusHead) => True
Your function says False for every model. Is it `model` as a whole that you ask about? Ask about one of its parts.
    isinstance(model, SegmentationModel) and isinstance(model.head, DeepLabV3PlusHead) => False
Your function says True for every model that labels pixels, FCN included.
    and isinstance(model.head, DeepLabV3PlusHead) =>
Your function is right about every model, the other way round: True and False are swapped.
    isinstance(model, SegmentationModel) and isinstance => not isinstance
Your function says True for DeepLabv3 as well: it has ASPP too. What did the plus add?
    isinstance(model.head, DeepLabV3PlusHead) => hasattr(model.head, "aspp")
Your function says True for another head with a layer `decoder`. No list of layers or heads decides: ask for the class.
    isinstance(model.head, DeepLabV3PlusHead) => hasattr(model.head, "decoder")
Your function knows a class, or its name, but not all subclasses of it, such as one of `MyHead`: ask `isinstance`.
    isinstance(model.head, DeepLabV3PlusHead) => type(model.head) is DeepLabV3PlusHead
""")

is_deeplabv3plus = Exercise(
    minutes=5,
    statement="""Is this model DeepLabv3+? `model` is an `ImageClassifier` or a `SegmentationModel`. Return True if its
        `.head` is a `DeepLabV3PlusHead` or a subclass of it, else False: the answer to the course's first question.""",
    hints=(
        "Swap a DeepLabv3+'s backbone in your mind; then put another head on it. When is it still DeepLabv3+?",
        "One part decides, and it is not the backbone. Ask `isinstance` for that part's class.",
    ),
    reference=models.is_deeplabv3plus,
    examine=_examine_is_deeplabv3plus,
    moral="The head makes the name; the backbone is the part that can be swapped.",
)
