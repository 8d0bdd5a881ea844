"""The check engine: right answers in several styles pass, and each wrong answer gets a sentence of its own."""

import copy
import functools
import inspect
import itertools
import random
import re
import textwrap

import answers_lesson01
import answers_lesson02
import answers_lesson03
import answers_lesson04
import answers_lesson05
import answers_lesson06
import answers_lesson08
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from deeplab_teach import check
from deeplab_teach.check.engine import NOT_ATTEMPTED, RIGHT, WRONG
from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.heads import DeepLabV3Head, DeepLabV3PlusHead, LinearHead
from deeplab_teach.metrics import trimap_band as band_of
from deeplab_teach.models import SegmentationModel

NAMES = list(check.EXERCISES)
REFERENCES = {name: exercise.reference for name, exercise in check.EXERCISES.items()} | {"decoder": DeepLabV3PlusHead}


@pytest.fixture(autouse=True)
def fresh_state(monkeypatch):
    """Exercises remember what was tried; no test should see another's."""
    monkeypatch.delenv("DEEPLAB_TEACH_STRICT", raising=False)
    for exercise in check.EXERCISES.values():
        exercise.state, exercise.wrong_tries, exercise.hints_shown, exercise.checked = NOT_ATTEMPTED, 0, 0, False


def stub_of(name):
    namespace = {"nn": nn, "DeepLabV3PlusHead": DeepLabV3PlusHead, "Backbone": Backbone}
    known = {*namespace, "__builtins__"}
    exec(check.EXERCISES[name].stub, namespace)
    return next(value for key, value in namespace.items() if key not in known)


# --- wrong answers ----------------------------------------------------------------------------------------------------
# exercise -> {what a person did: (the answer, a phrase of the message)}

# The lessons whose answers lie in files of their own.
ANSWERS = (
    answers_lesson01,
    answers_lesson02,
    answers_lesson03,
    answers_lesson04,
    answers_lesson05,
    answers_lesson06,
    answers_lesson08,
)
WRONG_ANSWERS = {name: {} for name in NAMES}
for module in ANSWERS:
    WRONG_ANSWERS |= module.WRONG


def wrong(name, phrase):
    def register(answer):
        WRONG_ANSWERS[name][answer.__name__.strip("_")] = (answer, phrase)
        return answer

    return register


@wrong("split", "one number per channel, no places")
def pool_in_backbone(model):
    layers = list(model.children())
    return nn.Sequential(*layers[:-1]), nn.Sequential(nn.Flatten(), layers[-1])


@wrong("split", "ends after `layer3`, at stride 16")
def cut_too_early(model):
    layers = list(model.children())
    return nn.Sequential(*layers[:-3]), nn.Sequential(*layers[-3:-1], nn.Flatten(), layers[-1])


@wrong("split", "flatten in between")
def no_flatten(model):
    layers = list(model.children())
    return nn.Sequential(*layers[:-2]), nn.Sequential(*layers[-2:])


@wrong("split", "lost the average over positions")
def no_pool(model):
    layers = list(model.children())
    return nn.Sequential(*layers[:-2]), nn.Sequential(nn.Flatten(), layers[-1])


@wrong("split", "swapped: the backbone (image in) comes first")
def swapped_parts(model):
    layers = list(model.children())
    return nn.Sequential(*layers[-2:]), nn.Sequential(*layers[:-2])


@wrong("split", "flatten after it, not before")
def flattened_too_early(model):
    layers = list(model.children())
    return nn.Sequential(*layers[:-2]), nn.Sequential(nn.Flatten(), *layers[-2:])


@wrong("split", "freshly built layers have learnt nothing")
def fresh_model(model):
    from torchvision.models import resnet18

    layers = list(resnet18(weights=None).children())
    return nn.Sequential(*layers[:-2]), nn.Sequential(layers[-2], nn.Flatten(), layers[-1])


@wrong("split", "holds a copy of the model's weights")
def copied_model(model):
    layers = list(copy.deepcopy(model).children())
    return nn.Sequential(*layers[:-2]), nn.Sequential(layers[-2], nn.Flatten(), layers[-1])


@wrong("split", "expected are two modules")
def one_part(model):
    return nn.Sequential(*list(model.children())[:-2])


@wrong("split", "the whole model")
def whole_model(model):
    return model, nn.Identity()


@wrong("split", "changes the model it is given")
def takes_the_model_apart(model):
    fc, model.fc = model.fc, nn.Identity()
    return model, fc


@wrong("split", "expected an `nn.Module`")
def functions(model):
    layers = list(model.children())
    return (lambda x: nn.Sequential(*layers[:-2])(x)), nn.Sequential(layers[-2], nn.Flatten(), layers[-1])


@wrong("split", "leaves out the ReLU")
def no_relu(model):
    layers = list(model.children())
    return nn.Sequential(*layers[:2], *layers[3:-2]), nn.Sequential(layers[-2], nn.Flatten(), layers[-1])


@wrong("split", "leaves out `maxpool`")
def no_maxpool(model):
    layers = list(model.children())
    return nn.Sequential(*layers[:3], *layers[4:-2]), nn.Sequential(layers[-2], nn.Flatten(), layers[-1])


@wrong("split", "is in both parts")
def shared_head(model):
    class Backbone(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            return nn.Sequential(*list(self.model.children())[:-2])(x)

    return Backbone(), nn.Sequential(model.avgpool, nn.Flatten(), model.fc)


@wrong("split", "registered in neither part")
def plain_list(model):
    class Backbone(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = list(model.children())[:-2]

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    return Backbone(), nn.Sequential(model.avgpool, nn.Flatten(), model.fc)


@wrong("split", "No gradient reaches the first convolution")
def detached(model):
    class Body(nn.Sequential):
        def forward(self, x):
            return super().forward(x).detach()

    return Body(*list(model.children())[:-2]), nn.Sequential(model.avgpool, nn.Flatten(), model.fc)


@wrong("split", "gives probabilities")
def softmax_in_head(model):
    layers = list(model.children())
    return nn.Sequential(*layers[:-2]), nn.Sequential(layers[-2], nn.Flatten(), layers[-1], nn.Softmax(1))


class Tiny(nn.Module):
    """A right answer for wrong ones to start from."""

    def __init__(self, feature_specs, num_classes):
        super().__init__()
        self.conv = nn.Conv2d(feature_specs["c5"].channels, num_classes, 1)

    def forward(self, features):
        return self.conv(features["c5"])


@wrong("tiny_head", "a literal 320 channels: it broke on a backbone whose `c5` has 2048")
class Literal320(Tiny):
    def __init__(self, feature_specs, num_classes):
        nn.Module.__init__(self)
        self.conv = nn.Conv2d(320, num_classes, 1)


@wrong("tiny_head", "are its first two arguments swapped")
class SwappedArguments(Tiny):
    def __init__(self, feature_specs, num_classes):
        nn.Module.__init__(self)
        self.conv = nn.Conv2d(num_classes, feature_specs["c5"].channels, 1)


@wrong("tiny_head", "`features` is a dictionary of maps")
class WholeDictionary(Tiny):
    def forward(self, features):
        return self.conv(features)


@wrong("tiny_head", "`feature_specs` is a dictionary")
class SpecsByAttribute(Tiny):
    def __init__(self, feature_specs, num_classes):
        nn.Module.__init__(self)
        self.conv = nn.Conv2d(feature_specs.c5.channels, num_classes, 1)


@wrong("tiny_head", "a literal 2048 channels: it broke on a backbone whose `c5` has 320")
class Literal2048(Tiny):
    def __init__(self, feature_specs, num_classes):
        nn.Module.__init__(self)
        self.conv = nn.Conv2d(2048, num_classes, 1)


@wrong("tiny_head", "the stride of `c5`")
class StrideForChannels(Tiny):
    def __init__(self, feature_specs, num_classes):
        nn.Module.__init__(self)
        self.conv = nn.Conv2d(feature_specs["c5"].stride, num_classes, 1)


@wrong("tiny_head", "makes 11 maps where `num_classes` is 5")
class ElevenClasses(Tiny):
    def __init__(self, feature_specs, num_classes):
        nn.Module.__init__(self)
        self.conv = nn.Conv2d(feature_specs["c5"].channels, 11, 1)


@wrong("tiny_head", "makes 21 maps where `num_classes` is 11")
class TwentyOneClasses(Tiny):
    def __init__(self, feature_specs, num_classes):
        nn.Module.__init__(self)
        self.conv = nn.Conv2d(feature_specs["c5"].channels, 21, 1)


@wrong("tiny_head", "reads `c2`, not the deepest map")
class ReadsFirstMap(Tiny):
    def forward(self, features):
        return self.conv(next(iter(features.values())))


@wrong("tiny_head", "built for the 24 channels of `c2`")
class BuiltForFirstMap(Tiny):
    def __init__(self, feature_specs, num_classes):
        nn.Module.__init__(self)
        self.conv = nn.Conv2d(feature_specs["c2"].channels, num_classes, 1)


@wrong("tiny_head", "gives probabilities (softmax)")
class Softmax(Tiny):
    def forward(self, features):
        return super().forward(features).softmax(dim=1)


@wrong("tiny_head", "picks the best class (argmax)")
class Argmax(Tiny):
    def forward(self, features):
        return super().forward(features).argmax(dim=1)


@wrong("tiny_head", "3x3 without padding, so the map shrinks")
class Shrinks(Tiny):
    def __init__(self, feature_specs, num_classes):
        nn.Module.__init__(self)
        self.conv = nn.Conv2d(feature_specs["c5"].channels, num_classes, 3)


@wrong("tiny_head", "looks at neighbours")
class Padded3x3(Tiny):
    def __init__(self, feature_specs, num_classes):
        nn.Module.__init__(self)
        self.conv = nn.Conv2d(feature_specs["c5"].channels, num_classes, 3, padding=1)


@wrong("tiny_head", "averages over the positions")
class Averages(Tiny):
    def forward(self, features):
        return self.conv(features["c5"].mean(dim=(2, 3), keepdim=True)).flatten(1)


@wrong("tiny_head", "resizes its map")
class Upsamples(Tiny):
    def forward(self, features):
        return F.interpolate(super().forward(features), scale_factor=16)


@wrong("tiny_head", "has no bias")
class NoBias(Tiny):
    def __init__(self, feature_specs, num_classes):
        nn.Module.__init__(self)
        self.conv = nn.Conv2d(feature_specs["c5"].channels, num_classes, 1, bias=False)


@wrong("tiny_head", "asked is a single layer")
class TwoLayers(Tiny):
    def __init__(self, feature_specs, num_classes):
        nn.Module.__init__(self)
        width = feature_specs["c5"].channels
        self.conv = nn.Sequential(nn.Conv2d(width, width, 1), nn.Conv2d(width, num_classes, 1))


@wrong("tiny_head", "holds no weights")
class NewEachTime(nn.Module):
    def __init__(self, feature_specs, num_classes):
        super().__init__()
        self.width, self.num_classes = feature_specs["c5"].channels, num_classes

    def forward(self, features):
        return nn.Conv2d(self.width, self.num_classes, 1)(features["c5"])


@wrong("tiny_head", "mat1 and mat2 shapes cannot be multiplied")
class LinearOnFlattened(nn.Module):
    def __init__(self, feature_specs, num_classes):
        super().__init__()
        self.fc = nn.Linear(feature_specs["c5"].channels, num_classes)

    def forward(self, features):
        return self.fc(features["c5"].flatten(1))


@wrong("tiny_head", "changes its input `features` in place")
class ReluOnTheInput(Tiny):
    def forward(self, features):
        return self.conv(features["c5"].relu_())


@wrong("tiny_head", "the features are detached")
class Detached(Tiny):
    def forward(self, features):
        return self.conv(features["c5"].detach())


@wrong("tiny_head", "is there a dropout")
class DropsOut(Tiny):
    def forward(self, features):
        return self.conv(F.dropout(features["c5"], 0.5, self.training))


@wrong("tiny_head", "contains NaN")
class MakesNaN(Tiny):
    def forward(self, features):
        return super().forward(features).log()


@wrong("tiny_head", "does not call `super().__init__()`")
class NoSuperInit(Tiny):
    def __init__(self, feature_specs, num_classes):
        self.width = feature_specs["c5"].channels


@wrong("tiny_head", "yours takes `(feature_specs)`")
class NoNumClasses(Tiny):
    def __init__(self, feature_specs):
        super().__init__(feature_specs, 11)


class Own(DeepLabV3PlusHead):
    """A right decoder in steps, for wrong ones to change one of."""

    def forward(self, features):
        low = self.low_level_project(features[self.low_level])
        x = self.resize(self.aspp(features[self.high]), low)
        return self.finish(self.join(x, low))

    def resize(self, x, low):
        return F.interpolate(x, size=low.shape[2:], mode="bilinear", align_corners=False)

    def join(self, x, low):
        return torch.cat([x, low], dim=1)

    def finish(self, x):
        return self.classifier(self.decoder(x))


@wrong("decoder", "by the factor 4: (7, 9) becomes (28, 36), but the early map is (25, 33)")
class FactorFour(Own):
    def resize(self, x, low):
        return F.interpolate(x, scale_factor=4, mode="bilinear", align_corners=False)


@wrong("decoder", "join maps of different sizes")
class NotResized(Own):
    def resize(self, x, low):
        return x


@wrong("decoder", "nearest value")
class Nearest(Own):
    def resize(self, x, low):
        return F.interpolate(x, size=low.shape[2:])


@wrong("decoder", "`align_corners=True`")
class AlignCorners(Own):
    def resize(self, x, low):
        return F.interpolate(x, size=low.shape[2:], mode="bilinear", align_corners=True)


@wrong("decoder", "in the other order")
class OtherOrder(Own):
    def join(self, x, low):
        return torch.cat([low, x], dim=1)


@wrong("decoder", "You add the two maps")
class Adds(Own):
    def join(self, x, low):
        return x + low


@wrong("decoder", "with all its 10 channels")
class NotProjected(Own):
    def forward(self, features):
        low = features[self.low_level]
        return self.finish(self.join(self.resize(self.aspp(features[self.high]), low), low))


@wrong("decoder", "the early map, which brings the outlines, is left out")
class NoLowLevel(Own):
    def join(self, x, low):
        return x


@wrong("decoder", "Zeros stand where the early map should be")
class ZeroLowLevel(Own):
    def join(self, x, low):
        return torch.cat([x, torch.zeros_like(low)], dim=1)


@wrong("decoder", "does not go through ASPP")
class NoASPP(Own):
    def forward(self, features):
        low = self.low_level_project(features[self.low_level])
        return self.finish(self.join(self.resize(features[self.high], low), low))


@wrong("decoder", "shrink the early map")
class Coarse(Own):
    def forward(self, features):
        low = self.low_level_project(features[self.low_level])
        x = self.aspp(features[self.high])
        return self.finish(self.join(x, self.resize(low, x)))


@wrong("decoder", "beyond the early map's grid")
class ToTheImage(Own):
    def finish(self, x):
        return F.interpolate(super().finish(x), scale_factor=4, mode="bilinear", align_corners=False)


@wrong("decoder", "reads `c2` and `c5` by a name written out")
class LiteralKeys(Own):
    def forward(self, features):
        low = self.low_level_project(features["c2"])
        return self.finish(self.join(self.resize(self.aspp(features["c5"]), low), low))


@wrong("decoder", "`self.classifier` is not called")
class NoClassifier(Own):
    def finish(self, x):
        return self.decoder(x)


@wrong("decoder", "gives probabilities (softmax)")
class SoftmaxScores(Own):
    def finish(self, x):
        return super().finish(x).softmax(1)


@wrong("decoder", "No gradient reaches ASPP")
class FrozenASPP(Own):
    def resize(self, x, low):
        return super().resize(x.detach(), low)


@wrong("decoder", "No gradient reaches the 1x1 convolution that narrows the early map")
class FrozenLowLevel(Own):
    def join(self, x, low):
        return torch.cat([x, low.detach()], dim=1)


@wrong("decoder", "The decoder expects 16 + 6 channels and was given 12")
class ShrinksChannels(Own):
    def join(self, x, low):
        return torch.cat([low, low], dim=1)


@wrong("decoder", "must inherit from `DeepLabV3PlusHead`")
class NotInherited(nn.Module):
    def forward(self, features):
        return features["c5"]


@wrong("decoder", "in MyForward.forward, line 2:  return self.asp(features[self.high])")
class MyForward(DeepLabV3PlusHead):
    def forward(self, features):
        return self.asp(features[self.high])


def extremes(labels, radius, padding=None):
    values = labels.reshape(-1, 1, *labels.shape[-2:]).float()
    if padding is not None:
        values = F.pad(values, (radius,) * 4, value=padding)
    window = {"kernel_size": 2 * radius + 1, "stride": 1, "padding": 0 if padding is not None else radius}
    high, low = F.max_pool2d(values, **window), -F.max_pool2d(-values, **window)
    return high.reshape(labels.shape), low.reshape(labels.shape)


@wrong("trimap_band", "Only one side of each outline")
def one_side(labels, width, ignore_index=255):
    return (labels != extremes(labels, width)[1]) & (labels != ignore_index)


@wrong("trimap_band", "1 wide on each side of an outline where width=3")
def window_of_width(labels, width, ignore_index=255):
    high, low = extremes(labels, width // 2)
    return (high != low) & (labels != ignore_index)


@wrong("trimap_band", "4 wide on each side of an outline where width=3")
def one_too_wide(labels, width, ignore_index=255):
    high, low = extremes(labels, width + 1)
    return (high != low) & (labels != ignore_index)


@wrong("trimap_band", "The border of the image counts as an outline")
def zero_padding(labels, width, ignore_index=255):
    high, low = extremes(labels, width, padding=0)
    return (high != low) & (labels != ignore_index)


@wrong("trimap_band", "Ignored pixels are in your band")
def ignored_in_band(labels, width, ignore_index=255):
    high, low = extremes(labels, width)
    return high != low


@wrong("trimap_band", "your band has none there")
def no_outline_of_the_unknown(labels, width, ignore_index=255):
    known = labels != ignore_index
    high = extremes(labels.where(known, -1), width)[0]
    low = extremes(labels.where(known, 300), width)[1]
    return (high != low) & known


@wrong("trimap_band", "Inside and outside are swapped: you mark")
def inverted(labels, width, ignore_index=255):
    return ~band_of(labels, width, ignore_index=ignore_index)


@wrong("trimap_band", "is a diamond")
def diamond(labels, width, ignore_index=255):
    return shifted(labels, width, ignore_index, lambda y, x: abs(y) + abs(x) <= width)


@wrong("trimap_band", "is a disc")
def disc(labels, width, ignore_index=255):
    return shifted(labels, width, ignore_index, lambda y, x: y * y + x * x <= width * width)


@wrong("trimap_band", "along the rows only")
def horizontal(labels, width, ignore_index=255):
    return shifted(labels, width, ignore_index, lambda y, x: y == 0)


@wrong("trimap_band", "but as torch.int64")
def as_int(labels, width, ignore_index=255):
    return band_of(labels, width, ignore_index=ignore_index).long()


@wrong("trimap_band", "You return the labels of the band")
def as_labels(labels, width, ignore_index=255):
    return labels.where(band_of(labels, width, ignore_index=ignore_index), ignore_index)


@wrong("trimap_band", "the axes of size 1")
def leftover_axes(labels, width, ignore_index=255):
    return band_of(labels, width, ignore_index=ignore_index)[None, None]


@wrong("trimap_band", "changes its input `labels` in place")
def in_place(labels, width, ignore_index=255):
    band = band_of(labels, width, ignore_index=ignore_index)
    labels[labels == ignore_index] = 0
    return band


@wrong("trimap_band", "not implemented for 'Long'")
def no_float(labels, width, ignore_index=255):
    return torch.softmax(labels, dim=0) > 0  # PyTorch itself raises NotImplementedError here: that is an attempt


@wrong("trimap_band", "something of type ndarray")
def as_numpy(labels, width, ignore_index=255):
    return band_of(labels, width, ignore_index=ignore_index).numpy()


@wrong("trimap_band", "your band is too wide")
def everything(labels, width, ignore_index=255):
    return labels != ignore_index


@wrong("trimap_band", "your band is too narrow")
def nothing(labels, width, ignore_index=255):
    return torch.zeros_like(labels, dtype=torch.bool)


@wrong("trimap_band", "ignore_index=6")
def no_keyword(labels, width):
    return band_of(labels, width)


def shifted(labels, width, ignore_index, looks_at):
    """The band by shifting the labels: nothing in common with pooling."""
    pad = F.pad(labels.reshape(-1, 1, *labels.shape[-2:]).float(), (width,) * 4, mode="replicate").long()
    rows, columns = labels.shape[-2:]
    band = torch.zeros_like(labels, dtype=torch.bool)
    inside = F.pad(torch.ones(rows, columns, dtype=torch.bool), (width,) * 4)
    for y, x in itertools.product(range(-width, width + 1), repeat=2):
        if looks_at(y, x):
            window = (..., slice(width + y, width + y + rows), slice(width + x, width + x + columns))
            band |= (pad[window].reshape(labels.shape) != labels) & inside[window]
    return band & (labels != ignore_index)


@wrong("is_deeplabv3plus", "looks at the backbone: True on ResNet-18")
def by_backbone(model):
    return getattr(model.backbone, "name", "").startswith("resnet")


@wrong("is_deeplabv3plus", "DeepLabv3 as well: it has ASPP too")
def has_aspp(model):
    return hasattr(model.head, "aspp")


@wrong("is_deeplabv3plus", "looks at the backbone: True on MobileNetV2, ResNet-18, whatever")
def has_c2(model):
    return "c2" in model.backbone.feature_specs


@wrong("is_deeplabv3plus", "every model that labels pixels")
def any_segmentation(model):
    return isinstance(model, SegmentationModel)


@wrong("is_deeplabv3plus", "says True for every model")
def always(model):
    return True


@wrong("is_deeplabv3plus", "says False for every model")
def never(model):
    return False


@wrong("is_deeplabv3plus", "returns a string")
def in_words(model):
    return "yes" if isinstance(model.head, DeepLabV3PlusHead) else "no"


@wrong("is_deeplabv3plus", "returns a tensor")
def as_tensor(model):
    return torch.tensor(isinstance(model.head, DeepLabV3PlusHead))


@wrong("is_deeplabv3plus", "True and False are swapped")
def negated(model):
    return not isinstance(model.head, DeepLabV3PlusHead)


@wrong("is_deeplabv3plus", "False for every model on a backbone of somebody's own")
def known_backbones_only(model):
    return isinstance(model.head, DeepLabV3PlusHead) and model.backbone.name in ("mobilenet_v2", "resnet18")


@wrong("is_deeplabv3plus", "False for DeepLabv3+ with a forward pass of your own")
def exact_class(model):
    return type(model.head) is DeepLabV3PlusHead


@wrong("is_deeplabv3plus", "fails on DeepLabv3 (ASPP, no decoder) on MobileNetV2")
def assumes_decoder(model):
    return len(model.head.decoder) == 2


CASES = [(name, label) for name in NAMES for label in WRONG_ANSWERS[name]]


@functools.cache
def verdict_on(name, label):
    return check.EXERCISES[name].judge(WRONG_ANSWERS[name][label][0])


@pytest.mark.parametrize(("name", "label"), CASES, ids=[f"{name}-{label}" for name, label in CASES])
def test_wrong_answers_are_named(name, label, capsys):
    answer, phrase = WRONG_ANSWERS[name][label]
    verdict = verdict_on(name, label)
    assert verdict.state == WRONG, verdict
    assert phrase in verdict.message

    check.EXERCISES[name](answer)  # other seeds and sizes, the same words
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(lines).split() == f"[!!] {name}: {verdict.message}".split()
    assert all(len(line) <= 100 for line in lines if not line.startswith(" "))
    assert not re.search("0x[0-9a-f]{6}", verdict.message)  # an address would change from run to run


@pytest.mark.parametrize(("name", "answer", "phrase"), answers_lesson05.ALSO_WRONG)
def test_other_ways_to_the_same_mistake_get_the_same_sentence(name, answer, phrase):
    verdict = check.EXERCISES[name].judge(answer)
    assert verdict.state == WRONG, verdict
    assert phrase in verdict.message


@pytest.mark.parametrize("name", NAMES)
def test_wrong_answers_get_messages_of_their_own(name):
    messages = [verdict_on(name, label).message for label in WRONG_ANSWERS[name]]
    assert len(messages) >= 6
    assert len(set(messages)) == len(messages)


@pytest.mark.parametrize("name", NAMES)
def test_no_message_or_hint_contains_the_answer(name):
    """The learner's own line is echoed after an error; nothing else of the source may appear."""
    told = [verdict_on(name, label).message.partition("\n")[0] for label in WRONG_ANSWERS[name]]
    asked_for = "return backbone, head"
    told += [*check.EXERCISES[name].hints, check.EXERCISES[name].statement, check.EXERCISES[name].stub]
    source, docstring = inspect.getsource(REFERENCES[name]), REFERENCES[name].__doc__ or ""
    lines = {line.partition("#")[0].strip() for line in source.splitlines() if line.strip() not in docstring}
    lines = {line for line in lines if len(line) > 20 and not line.startswith(("def ", "class ", asked_for))}
    assert len(lines) >= 1
    assert not [line for line in lines for text in told if line in text]


# --- right answers ----------------------------------------------------------------------------------------------------


def split_by_hand(model):
    class Body(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(model.conv1, model.bn1, model.relu, model.maxpool)
            self.stages = nn.ModuleList([model.layer1, model.layer2, model.layer3, model.layer4])

        def forward(self, x):
            x = self.stem(x)
            for stage in self.stages:
                x = stage(x)
            return x

    class Scores(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = model.fc

        def forward(self, x):
            return self.fc(x.mean(dim=(2, 3)))

    return [Body(), Scores()]


class ByLinear(nn.Module):
    def __init__(self, specs, classes):
        super().__init__()
        self.linear = nn.Linear(specs["c5"].channels, classes)

    def forward(self, maps):
        return self.linear(maps["c5"].permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ByFunction(nn.Module):
    def __init__(self, specs, classes):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(classes))
        self.weight = nn.Parameter(torch.randn(classes, specs["c5"].channels) * 0.01)

    def forward(self, maps):
        return torch.einsum("kc,nchw->nkhw", self.weight, maps["c5"]) + self.bias[:, None, None]


def with_decoder(model):
    return bool(getattr(getattr(model, "head", None), "decoder", False))


class InOneGo(DeepLabV3PlusHead):
    def forward(self, features):
        fine = self.low_level_project.forward(features[self.low_level])
        deep = nn.Upsample(fine.shape[2:], mode="bilinear")(self.aspp(x=features[self.high]))
        both = fine.new_empty(len(fine), deep.shape[1] + fine.shape[1], *fine.shape[2:])
        both[:, : deep.shape[1]], both[:, deep.shape[1] :] = deep, fine
        return self.classifier.forward(self.decoder.forward(both))


RIGHT_ANSWERS = [
    ("split", split_by_hand),
    ("split", lambda m: (nn.Sequential(*list(m.children())[:-2]), nn.Sequential(m.avgpool, nn.Flatten(1), m.fc))),
    ("tiny_head", Tiny),
    ("tiny_head", ByLinear),
    ("tiny_head", ByFunction),
    ("decoder", Own),
    ("decoder", InOneGo),
    ("trimap_band", lambda labels, width, ignore_index=255: shifted(labels, width, ignore_index, lambda y, x: True)),
    ("is_deeplabv3plus", with_decoder),
    *(answer for module in ANSWERS for answer in module.RIGHT),
    *REFERENCES.items(),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT_ANSWERS)
def test_right_answers_pass_whatever_their_style(name, answer):
    for _ in range(2):  # fresh seeds and sizes each time
        verdict = check.EXERCISES[name].judge(answer)
        assert verdict.state == RIGHT, verdict.message


# --- not attempted ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_untouched_stub_is_not_attempted(name, capsys):
    for answer in (stub_of(name), None, ...):
        assert check.EXERCISES[name](answer) is None
    check.EXERCISES[name]()
    assert capsys.readouterr().out.count("not attempted") == 4
    assert check.EXERCISES[name].state == NOT_ATTEMPTED


def not_implemented(*_, **__):
    raise NotImplementedError("later")


def forgot_return(model, *_, **__):
    _ = type(model)


def half_a_stub(model):
    backbone, head = ..., ...
    return backbone, head


class NothingYet(nn.Module):
    pass


class EmptyForward(Tiny):
    def forward(self, features):
        """Classify."""
        raise NotImplementedError


class EmptyInit(nn.Module):
    def __init__(self, feature_specs, num_classes): ...

    def forward(self, features):
        return self.conv(features["c5"])


class EmptyDecoder(DeepLabV3PlusHead): ...


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("split", not_implemented),
        ("split", forgot_return),
        ("split", half_a_stub),
        ("tiny_head", NothingYet),
        ("tiny_head", EmptyForward),
        ("tiny_head", EmptyInit),
        ("decoder", EmptyDecoder),
        ("trimap_band", not_implemented),
        ("trimap_band", forgot_return),
        ("is_deeplabv3plus", forgot_return),
        ("is_deeplabv3plus", lambda model: NotImplemented),
    ],
)
def test_other_ways_of_not_attempting(name, answer):
    verdict = check.EXERCISES[name].judge(answer)
    assert verdict.state == NOT_ATTEMPTED, verdict.message


def test_a_missing_return_is_suspected():
    assert "is a `return` missing?" in check.split.judge(forgot_return).message


# --- the engine -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", ["text", 3, torch.ones(2), nn.ReLU(), (1, 2), {}, dict, len])
def test_answers_of_another_kind_get_a_sentence(name, answer):
    verdict = check.EXERCISES[name].judge(answer)
    assert verdict.state == WRONG
    assert "Traceback" not in verdict.message


def test_an_error_is_shown_with_the_learners_line():
    verdict = check.trimap_band.judge(raises_deep_inside)
    assert "RuntimeError" in verdict.message
    assert verdict.message.endswith("in helper, line 3:  return torch.stack([labels, rows])  # here")
    assert "attempt.py" not in verdict.message


def raises_deep_inside(labels, width, ignore_index=255):
    return helper(labels)


def helper(labels):
    rows = labels[1:]
    return torch.stack([labels, rows])  # here


def test_an_error_in_a_notebook_cell_is_shown_with_its_line():
    IPython = pytest.importorskip("IPython.core.interactiveshell")
    shell = IPython.InteractiveShell()
    shell.run_cell("def is_deeplabv3plus(model):\n    # cell\n    return model.heda is None\n", store_history=False)
    message = check.is_deeplabv3plus.judge(shell.user_ns["is_deeplabv3plus"]).message
    assert "AttributeError" in message
    assert "in is_deeplabv3plus, line 3:  return model.heda is None" in message


def test_an_error_without_source_still_names_the_line():
    namespace = {}
    exec("def is_deeplabv3plus(model):\n    return model['head']", namespace)
    message = check.is_deeplabv3plus.judge(namespace["is_deeplabv3plus"]).message
    assert message.endswith("in is_deeplabv3plus, line 2")


@pytest.mark.parametrize("name", NAMES)
def test_strict_mode_raises_unless_right(name, monkeypatch, capsys):
    monkeypatch.setenv("DEEPLAB_TEACH_STRICT", "1")
    answer, phrase = next(iter(WRONG_ANSWERS[name].values()))
    with pytest.raises(AssertionError) as error:
        check.EXERCISES[name](answer)
    assert phrase in str(error.value)
    with pytest.raises(AssertionError, match="not attempted"):
        check.EXERCISES[name](stub_of(name))
    check.EXERCISES[name](REFERENCES[name])
    assert "right" in capsys.readouterr().out
    monkeypatch.setenv("DEEPLAB_TEACH_STRICT", "0")
    check.EXERCISES[name](answer)


@pytest.mark.parametrize("name", NAMES)
def test_hints_come_one_after_the_other(name, capsys):
    shown = []
    for _ in range(3):
        check.EXERCISES[name].hint()
        shown.append(capsys.readouterr().out)
    assert shown[0].startswith("Hint 1 of 2: ")
    assert shown[1].startswith("Hint 2 of 2: ")
    assert shown[2] == shown[1]


@pytest.mark.parametrize("name", NAMES)
def test_solution_is_the_packages_own_source(name, capsys):
    exercise = check.EXERCISES[name]
    exercise.solution()
    heading, _, source = capsys.readouterr().out.partition("\n")
    assert heading.startswith("# deeplab_teach.")
    assert source == textwrap.dedent(inspect.getsource(exercise.reference))
    told = [line.strip() for line in source.splitlines() if len(line.strip()) > 3]  # brackets tell nothing
    assert told[-1] not in exercise.stub


def test_progress(capsys):
    check.split(one_part)
    check.split(one_part)
    check.tiny_head(Tiny)
    capsys.readouterr()
    check.progress()
    here = capsys.readouterr().out
    assert here == "Lesson 00: 1 of 2 right\n  [!!] split: wrong, 2 tries\n  [ok] tiny_head: right\n"
    check.progress(lesson="00")
    assert capsys.readouterr().out == here
    check.progress(7)
    assert capsys.readouterr().out.startswith("Lesson 07: 0 of 3 right\n  [  ] decoder: not attempted\n")
    with pytest.raises(ValueError, match="lessons 00, 01, 02, 03, 04, 05, 06, 07, 08"):
        check.progress("99")


def test_progress_lists_all_before_anything_was_checked(capsys):
    check.progress()
    assert all(name in capsys.readouterr().out for name in ["split"])


def test_a_typo_is_met_with_the_near_name():
    with pytest.raises(AttributeError, match="did you mean tiny_head"):
        _ = check.tiny_haed
    with pytest.raises(AttributeError, match="there are: split, tiny_head"):
        _ = check.xyz
    assert set(NAMES) < set(dir(check))


@pytest.mark.parametrize("name", NAMES)
def test_checks_leave_no_trace(name):
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(), torch.get_num_threads()
    answer = REFERENCES[name]
    with torch.no_grad():
        assert check.EXERCISES[name].judge(answer).state == RIGHT
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        assert check.EXERCISES[name].judge(answer).state == RIGHT
    after = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(), torch.get_num_threads()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_the_reference_head_fits_the_specs_of_the_stub():
    head = LinearHead({"c5": FeatureSpec(channels=320, stride=32)}, 3)
    assert head({"c5": torch.zeros(1, 320, 2, 2)}).shape == (1, 3, 2, 2)
    assert not isinstance(DeepLabV3Head({"c5": FeatureSpec(8, 16)}, 3, channels=4), DeepLabV3PlusHead)
