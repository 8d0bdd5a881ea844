"""Lesson 00: cut a published classifier into backbone and head."""

import torch

from deeplab_teach.check.attempt import Raised, Wrong, attempt, own_function
from deeplab_teach.check.compare import randomise, require_same, require_tensor, same
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.parts import require_each_weight_once, require_own_weights, require_two_modules
from deeplab_teach.models import split_classifier


def _classifiers():
    """ResNets of torchvision's, of one block a stage: as ResNet-18 is built, then as ResNet-50; their images' size."""
    from torchvision.models import resnet
    from torchvision.models.resnet import BasicBlock, Bottleneck

    yield resnet.ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10), (64, 96)
    yield resnet.ResNet(Bottleneck, [1, 1, 1, 1], num_classes=7), (65, 97)


def _examine_split(answer):
    own_function(answer, "split(model)")
    for model, size in _classifiers():
        randomise(model).eval()
        x = torch.randn(2, 3, *size)
        layers = list(model.named_children())
        parts = attempt("split(model)", answer, model)
        if list(model.named_children()) != layers:
            raise Wrong(
                "Your `split` changes the model it is given: whoever uses `model` after you finds it in pieces. "
                "Put its layers into new modules and leave the model as it is."
            )
        require_two_modules(parts)
        require_own_weights(model, *parts, first="conv1.weight", last="fc.weight")
        features = _require_feature_map(model, x, parts[0])
        _require_scores(model, x, features, parts[1])
        require_each_weight_once(model, *parts)
        model.train()  # here batch norm uses the statistics of the batch at hand
        scores = attempt("head(backbone(x))", lambda x, parts=parts: parts[1].train()(parts[0].train()(x)), x)
        require_same(scores, model(x), what="`head(backbone(x))` in training mode", axes="(N, num_classes)")
        if not _trains(model.conv1.weight, scores):
            raise Wrong("No gradient reaches the first convolution: the backbone could not be trained. Is it detached?")


def _trains(weight, scores) -> bool:
    return scores.requires_grad and torch.autograd.grad(scores.sum(), weight, allow_unused=True)[0] is not None


@torch.no_grad()
def _stages(model, x, *, relu=True, maxpool=True):
    """What each stage of a ResNet gives, or would give without a part of its stem."""
    stages, y = {}, model.bn1(model.conv1(x))
    y = model.relu(y) if relu else y
    y = model.maxpool(y) if maxpool else y
    for name in ("layer1", "layer2", "layer3", "layer4"):
        stages[name] = y = getattr(model, name)(y)
    return stages


def _require_feature_map(model, x, backbone):
    features = attempt("backbone(x)", backbone, x.clone())
    what, stages = "your backbone's output", _stages(model, x)
    deepest = stages["layer4"]
    require_tensor(features, what)
    if same(features, model(x)):
        raise Wrong("Your backbone is the whole model: it already gives class scores. Where does the feature map end?")
    if features.shape[:2] == deepest.shape[:2] and features.dim() in (2, 4) and features.shape[2:].numel() == 1:
        raise Wrong(
            "Your backbone gives one number per channel, no places: the average over positions is still in it. "
            "A segmentation head needs to know where, so averaging is the head's first step."
        )
    if features.dim() == 2:
        raise Wrong("Your backbone flattens its map to one long row: no places are left. Flattening is the head's.")

    def mistakes():
        for name, stride in (("layer1", 4), ("layer2", 8), ("layer3", 16)):
            yield (
                f"Your backbone ends after `{name}`, at stride {stride}: the deepest stage, `layer4`, is not in it. "
                "Everything that still gives a map belongs to the backbone.",
                stages[name],
            )
        yield (
            "Your backbone leaves out the ReLU after the first batch norm: it has no weights but it does act.",
            _stages(model, x, relu=False)["layer4"],
        )
        yield (
            "Your backbone leaves out `maxpool`, so its map has stride 16 where the model's has 32.",
            _stages(model, x, maxpool=False)["layer4"],
        )

    require_same(features, deepest, what=what, axes="(N, C, H/32, W/32)", mistakes=mistakes())
    return features.detach()


def _require_scores(model, x, features, head):
    into_fc = []
    hook = model.fc.register_forward_pre_hook(lambda layer, inputs: into_fc.append(tuple(inputs[0].shape[1:])))
    try:
        scores = attempt("head(backbone(x))", head, features.clone())
    except Raised as raised:
        channels, places = features.shape[1], features.shape[2:].numel()
        if not into_fc and "dimension" in str(raised.error):
            raise raised.named("The average needs rows and columns: flatten after it, not before.") from None
        if into_fc == [(channels, 1, 1)]:
            sentence = "After the average an image is a (C, 1, 1) block, but `fc` wants a row of C: flatten in between."
            raise raised.named(sentence) from None
        if into_fc in ([tuple(features.shape[1:])], [(channels * places,)]):
            sentence = "Your head lost the average over positions: `fc` wants C numbers per image and was given a map."
            raise raised.named(sentence) from None
        raise
    finally:
        hook.remove()
    due = model(x)
    mistakes = (
        ("Your head gives probabilities: the model gives raw scores, so leave softmax out.", due.softmax(1)),
        ("Your head keeps the largest value of each channel; the model averages.", model.fc(features.amax((2, 3)))),
        ("Your head ends at the averaged channels: `fc`, which scores the classes, is missing.", features.mean((2, 3))),
    )
    require_same(scores, due, what="`head(backbone(x))`", axes="(N, num_classes)", mistakes=mistakes)


split = Exercise(
    name="split",
    lesson="00",
    minutes=8,
    statement=(
        "Cut a published classifier in two. `model` is a torchvision ResNet; return `backbone, head`, two modules made "
        "of the model's own layers, so that `backbone(x)` is a feature map (N, C, H/32, W/32) and `head(backbone(x))` "
        "equals `model(x)`. The model itself stays as it is."
    ),
    stub='''def split(model):
    """Cut a torchvision ResNet in two: `head(backbone(x))` equals `model(x)`.

    Returns `backbone, head`, two modules made of the model's own layers;
    `backbone(x)` is a feature map (N, C, H/32, W/32).
    """
    ...
''',
    hints=(
        "Print the model, or list `model.named_children()`: the layers stand in the order in which they run. Which is "
        "the last one whose output still has rows and columns?",
        "Cut before `avgpool`. Put what comes before into one `nn.Sequential` and the rest into another; between the "
        "average and `fc` the model flattens, which is a function call there and needs a layer here.",
    ),
    reference=split_classifier,
    examine=_examine_split,
    moral="The backbone ends where the places end; the average and `fc` are the classification head.",
)
