"""Lesson 07: what makes a model DeepLabv3+."""

from dataclasses import dataclass

import torch
from torch import nn

from deeplab_teach.backbones import mobilenet_v2, resnet18
from deeplab_teach.check.attempt import Raised, Wrong, a_kind, attempt, own_function
from deeplab_teach.check.engine import Exercise
from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.heads import ClassificationHead, DeepLabV3Head, DeepLabV3PlusHead, FCNHead, LinearHead
from deeplab_teach.models import ImageClassifier, SegmentationModel
from deeplab_teach.models import is_deeplabv3plus as reference


class _Unknown(Backbone):
    """A backbone that nobody has heard of; its maps have other names."""

    def __init__(self, **_):
        super().__init__()
        self.name = "unknown"
        self.feature_specs = {"p2": FeatureSpec(8, 4), "p5": FeatureSpec(16, 16)}
        self.stem = nn.Conv2d(3, 8, 3, stride=4)
        self.body = nn.Conv2d(8, 16, 3, stride=4)


class _OwnDecoder(DeepLabV3PlusHead):
    """As the learner's in this lesson's first exercise."""


@dataclass
class _Case:
    words: str
    backbone: str
    model: nn.Module
    has_aspp: bool = False


def _cases():
    """Models on the meta device, which holds shapes and no values: nothing is computed or stored."""
    backbones = {
        "MobileNetV2": mobilenet_v2,
        "ResNet-18": resnet18,
        "a backbone of somebody's own": _Unknown,
    }
    heads = (
        ("DeepLabv3+", DeepLabV3PlusHead, {}),
        ("DeepLabv3+ with separable convolutions", DeepLabV3PlusHead, {"separable": True}),
        ("DeepLabv3+ with a forward pass of your own (a subclass, such as `MyHead`)", _OwnDecoder, {}),
        ("DeepLabv3 (ASPP, no decoder)", DeepLabV3Head, {}),
        ("FCN", FCNHead, {}),
        ("a single 1x1 convolution per position", LinearHead, {}),
        ("a classifier (one label per image)", ClassificationHead, {}),
    )
    with torch.device("meta"):
        for backbone, factory in backbones.items():
            body = factory(output_stride=16)
            for head, build, options in heads:
                whole = ImageClassifier if build is ClassificationHead else SegmentationModel
                model = whole(body, build(body.feature_specs, 5, **options))
                yield _Case(f"{head} on {backbone}", backbone, model, "DeepLab" in head)


def _examine_is_deeplabv3plus(answer):
    own_function(answer, "is_deeplabv3plus(model)")
    cases, answers = list(_cases()), []
    for case in cases:
        try:
            value = attempt("is_deeplabv3plus(model)", answer, case.model)
        except Raised as raised:
            raise raised.named(f"Your function fails on {case.words}.") from None
        if not isinstance(value, bool):
            raise Wrong(f"Your function returns {a_kind(value)}; asked is `True` or `False`.")
        answers.append(value)
    due = [reference(case.model) for case in cases]
    if answers == due:
        return
    _name_the_rule(cases, answers, due)
    case, given = next((c, a) for c, a, d in zip(cases, answers, due, strict=True) if a != d)
    raise Wrong(f"Your function says {given} for {case.words}. Which part of a model makes it DeepLabv3+?")


def _name_the_rule(cases, answers, due):
    """Raise if the answers follow a wrong rule that can be recognised from them."""
    if all(answers) or not any(answers):
        raise Wrong(
            f"Your function says {answers[0]} for every model, for {cases[0].words} as for {cases[-1].words} alike."
        )
    if answers == [not d for d in due]:
        raise Wrong("Your function is right about every model, the other way round: True and False are swapped.")
    if answers == [case.has_aspp for case in cases]:
        raise Wrong("Your function says True for DeepLabv3 as well: it has ASPP too. What did the plus add?")
    if answers == [isinstance(case.model, SegmentationModel) for case in cases]:
        raise Wrong("Your function says True for every model that labels pixels, FCN included.")
    said = {}
    for case, answer in zip(cases, answers, strict=True):
        said.setdefault(case.backbone, set()).add(answer)
    if all(len(values) == 1 for values in said.values()):
        true = ", ".join(name for name, values in said.items() if True in values)
        raise Wrong(
            f"Your function looks at the backbone: True on {true}, whatever sits on it. The backbone is the part that "
            "can be swapped; the same one carries a classifier."
        )
    for backbone in said:
        rows = [(a, d) for c, a, d in zip(cases, answers, due, strict=True) if c.backbone == backbone]
        if not any(a for a, _ in rows) and all(not a or d for a, d in zip(answers, due, strict=True)):
            raise Wrong(
                f"Your function says False for every model on {backbone}, DeepLabv3+ too: any backbone will do."
            )


is_deeplabv3plus = Exercise(
    name="is_deeplabv3plus",
    lesson="07",
    minutes=5,
    statement=(
        "Put the answer to the course's first question into code: is this model DeepLabv3+? `model` is an "
        "`ImageClassifier` or a `SegmentationModel`, with a `.backbone` and a `.head`; return True or False."
    ),
    stub='''def is_deeplabv3plus(model):
    """Whether `model` (with a `.backbone` and a `.head`) is DeepLabv3+: True or False."""
    ...
''',
    hints=(
        "Swap the backbone of a DeepLabv3+ in your mind, then put another head on its backbone. After which of the two "
        "is it still DeepLabv3+?",
        "One part decides, and it is not the backbone. Ask `isinstance` for that part's class.",
    ),
    reference=reference,
    examine=_examine_is_deeplabv3plus,
    moral="The head makes the name; the backbone is the part that can be swapped.",
)
