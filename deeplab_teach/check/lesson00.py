"""Lesson 00: cut a published classifier into backbone and head; the smallest head that labels places."""

import copy

import torch
from torch import nn

from deeplab_teach.backbones.resnet import BasicBlock, Bottleneck, ResNet
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.functions import alike, same
from deeplab_teach.check.mistakes import mistakes, with_mistake
from deeplab_teach.check.modules import Case, examine_module, require_habits, require_output
from deeplab_teach.check.run import Raised, Wrong, attempt, own_function, random_size, require_given
from deeplab_teach.features import FeatureSpec
from deeplab_teach.heads import LinearHead
from deeplab_teach.models import split_classifier


class _Classifier(ResNet):
    """A ResNet with torchvision's layers in their order, only narrower, and batch norms that hide nothing."""

    def __init__(self, block, depths, num_classes):
        super().__init__("resnet", block, depths, width=8)
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(64 * block.expansion, num_classes)
        for value in self.state_dict().values():
            if value.dim() == 1:
                value.uniform_(0.5, 1.5)

    def forward(self, x):
        x = self.layer2(self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x))))))
        return self.fc(torch.flatten(self.avgpool(self.layer4(self.layer3(x))), 1))


def _examine_split(answer):
    own_function(answer, "split(model)")
    for block, depths, training in ((BasicBlock, (1, 1, 1, 1), False), (Bottleneck, (1, 2, 1, 1), True)):
        model = _Classifier(block, depths, int(torch.randint(2, 30, ()))).train(training)
        model.layer2.requires_grad_(training)  # somebody may have frozen a stage
        before, layers = copy.deepcopy(model), list(model.named_modules())
        parts = attempt("split(model)", answer, model)
        require_given(parts, "split(model)")
        if list(model.named_modules()) != layers or not alike(model, before):
            raise Wrong("Your `split` changes the model it is given: who uses it after you must find it as it was.")
        if not isinstance(parts, tuple | list) or [isinstance(part, nn.Module) for part in parts] != [True, True]:
            raise Wrong("Asked are two modules: `return backbone, head`. `nn.Sequential` makes one out of layers.")
        model.requires_grad_(True).eval()
        _require_values(model, parts)
        if not alike(model, before.requires_grad_(True).eval()):
            raise Wrong("Running your parts in eval mode changes the model: its mode, hooks or running averages.")
        _require_trainable(model, *parts)


def _require_values(model, parts):
    images = [torch.randn(n, 3, *random_size(66, 130)) for n in (2, 1)]
    due, found = _outputs(model, split_classifier, images), _outputs(model, lambda _: parts, images)
    if not alike(found, due):
        for mistake in SPLIT_MISTAKES:
            if alike(found, _outputs(model, with_mistake(split_classifier, mistake), images)):
                raise found.named(mistake.sentence) if isinstance(found, Raised) else Wrong(mistake.sentence)
        if isinstance(found, Raised):
            raise found
        for i, (value, right) in enumerate(zip(found, due, strict=True)):
            require_output(value, right, "`head(backbone(x))`" if i >= len(images) else "your backbone's output", "")


def _outputs(model, split, images):
    """The maps of all images, then the scores of all; or the first error."""
    backbone, head = split(model)
    try:
        maps = [attempt("backbone(x)", backbone.eval(), x.clone()) for x in images]
        return [*maps, *(attempt("head(backbone(x))", head.eval(), x) for x in maps)]
    except Raised as raised:
        return raised


def _require_trainable(model, backbone, head):
    """Each weight in one part; in training mode scores, gradients, and averages that learn once from each batch."""
    held = [id(value) for part in (backbone, head) for value in [*part.parameters(), *part.buffers()]]
    names = {id(value): name for name, value in [*model.named_parameters(), *model.named_buffers()]}
    if set(held) - set(names):
        raise Wrong("A part of yours holds a copy of the model's weights: what one learns, the other never sees.")
    require_habits(backbone), require_habits(head)
    for each, name in names.items():
        if (times := held.count(each)) != 1:
            raise Wrong(f"`{name}` is registered in {times} of your parts; each layer belongs to exactly one.")
    twin, x = copy.deepcopy(model).train(), torch.randn(2, 3, *random_size(66, 130))
    due, scores = twin(x), attempt("head(backbone(x))", lambda x: head.train()(backbone.train()(x)), x)
    require_output(scores, due, "`head(backbone(x))` in training mode", "")
    loss = scores.square().sum() + 0 * model.fc.bias.sum()  # so that there is a gradient at all
    grads = torch.autograd.grad(loss, list(model.parameters()), materialize_grads=True)
    if not all(map(same, grads, torch.autograd.grad(due.square().sum(), list(twin.parameters())))):
        raise Wrong("Not all weights get their gradients. Is something detached, or run without gradients?")
    if not alike(dict(model.state_dict()), dict(twin.state_dict())):
        raise Wrong("In training mode one run of yours teaches the batch norms twice: does a layer run twice?")


SPLIT_MISTAKES = mistakes(r"""
Your backbone gives one number per channel, no places: averaging is the head's first step.
    return backbone, head => return nn.Sequential(backbone, head[0]), head[1:]
Your backbone is the whole model: it already gives class scores. Where does the feature map end?
    return backbone, head => return model, nn.Identity()
Your backbone ends too early, at stride 16: all that still gives a map belongs to it, `layer4` too.
    return backbone, head => return backbone[:-1], nn.Sequential(backbone[-1], head)
The two parts are swapped: the backbone (image in) comes first, the head second.
    return backbone, head => return head, backbone
Your backbone leaves out the ReLU after the first batch norm: it has no weights but it does act.
    backbone = nn => layers.pop("relu")\n    backbone = nn
After the average an image is a (C, 1, 1) block, but `fc` wants a row of C: flatten in between.
    nn.Flatten(), layers => layers
Your head lost the average over positions: `fc` wants C numbers per image and was given all places.
    nn.Sequential(layers.pop("avgpool"), nn => layers.pop("avgpool") and nn.Sequential(nn
With a single image your scores lose their first axis: `squeeze()` takes off every axis of size 1.
    nn.Flatten() => type("Squeeze", (nn.Module,), dict(forward=lambda _, x: x.squeeze()))()
Your head gives probabilities: the model gives raw scores, so leave softmax out.
    layers.pop("fc")) => layers.pop("fc"), nn.Softmax(1))
""")

split = Exercise(
    minutes=8,
    statement="""Cut a torchvision ResNet in two: return `backbone, head`, modules of its own layers, so that
        `backbone(x)` is a map (N, C, H/32, W/32) and `head(backbone(x))` equals `model(x)`. `model` stays as it is.""",
    hints=(
        """Print the model, or list `model.named_children()`: the layers stand in the order in which they run. Which is
        the last one whose output still has rows and columns?""",
        """Cut before `avgpool`: what comes before into one `nn.Sequential`, the rest into another. Between the average
        and `fc` the model flattens, which is a function call there and needs a layer here: `nn.Flatten()`.""",
    ),
    reference=split_classifier,
    examine=_examine_split,
    moral="""The backbone ends where the places end; the average and `fc` are the classification head.""",
)


def _examine_tiny_head(answer):
    channels, classes = torch.randint(12, 40, (2,)).tolist()
    cases = []
    for table, num_classes, (rows, columns) in (  # channels and stride of each map
        ({"c2": (20, 4), "c3": (20, 8), "c5": (20, 16)}, 11, (7, 9)),  # reading another map runs, and shows
        ({"c1": (44, 2), "c4": (12, 16), "c5": (channels, 16)}, classes, random_size(2, 8)),
    ):
        inputs = tuple(
            {key: torch.randn(n, c, h * 16 // stride, w * 16 // stride) for key, (c, stride) in table.items()}
            for n, h, w in ((2, rows, columns), (1, columns + 1, rows))
        )
        cases.append(Case(({key: FeatureSpec(*pair) for key, pair in table.items()}, num_classes), inputs=inputs))
    axes = "(N, num_classes, h, w), one score per class at each position of `c5`"
    examine_module(answer, LinearHead, "TinyHead", cases, TINY_HEAD_MISTAKES, run="head(features)", axes=axes)


TINY_HEAD_MISTAKES = mistakes(r"""
Your head reads the first map, not the deepest, `c5`: early maps know edges and colours, not things.
    dense_key(feature_specs, deep) => next(iter(feature_specs))
Your convolution is built for 320 channels, which is one backbone's width; ask `feature_specs` for it.
    feature_specs[self.deep].channels => 320
Your convolution takes in `num_classes` channels: are its first two arguments swapped?
    (feature_specs[self.deep].channels, num_classes, 1) => (num_classes, feature_specs[self.deep].channels, 1)
`features` is a dictionary of maps, and your layer got all of it: look up the one it reads.
    features[self.deep] => features
Your kernel is 3x3: each answer looks at neighbours too. Asked is what a position's own channels say.
    , 1) => , 3, padding=1)
Your layer has no bias to learn: some classes are simply more frequent, and the bias is where that goes.
    , 1) => , 1, bias=False)
Your head gives probabilities (softmax). Asked are raw scores: the loss applies softmax by itself.
    (features[self.deep]) => (features[self.deep]).softmax(1)
Your head applies a ReLU to the scores: a score may be negative.
    (features[self.deep]) => (features[self.deep]).relu()
Your head already picks the best class (argmax): nothing could be learnt from that. Give raw scores.
    (features[self.deep]) => (features[self.deep]).argmax(1)
""")

tiny_head = Exercise(
    minutes=7,
    statement="""Write the smallest head that labels places: a module `TinyHead(feature_specs, num_classes)` whose
        `forward` takes the backbone's features and classifies each position of the deepest map, `c5`, with one 1x1
        convolution (with its bias). It gives raw scores (N, num_classes, h, w) and must fit any backbone.""",
    hints=(
        """A 1x1 convolution is a linear classifier applied at every position. How many numbers does it read at one
        position of `c5`, how many does it give, and who tells the head?""",
        """In `__init__` an `nn.Conv2d(feature_specs["c5"].channels, num_classes, 1)`; `forward` gives it that map.""",
    ),
    reference=LinearHead,
    examine=_examine_tiny_head,
    moral="""Your head never asks which backbone it sits on: the declared channels are all it needs.""",
)
