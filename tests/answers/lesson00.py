"""Answers to the exercises of lesson 00."""

import copy

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor

from answers import right, slips, wrong
from deeplab_teach.heads import LinearHead
from deeplab_teach.models import split_classifier

# --------------------------------------------------------------------------------------------------------------- split


@right("split")
def by_position(model):
    layers = list(model.children())
    return nn.Sequential(*layers[:-2]), nn.Sequential(layers[-2], nn.Flatten(), layers[-1])


slips(
    "split",
    by_position,
    r"""
one number per channel, no places
    [:-2]), nn.Sequential(layers[-2], => [:-1]), nn.Sequential(
?
    [:-2]), nn.Sequential(layers[-2], nn.Flatten(), layers[-1]) => [:-1], nn.Flatten()), layers[-1]
the whole model
    layers = list(model.children()) => return model, nn.Identity()
ends too early, at stride 16
    [:-2]), nn.Sequential(layers[-2], => [:-3]), nn.Sequential(*layers[-3:-1],
The two parts are swapped
    Sequential(*layers[:-2]), nn.Sequential( => Sequential(
    layers[-1]) => layers[-1]), nn.Sequential(*layers[:-2])
leaves out the ReLU after
    *layers[:-2] => *layers[:2], *layers[3:-2]
?
    *layers[:-2] => *layers[:3], *layers[4:-2]
flatten in between
    nn.Flatten(),  =>
given all places
    Sequential(layers[-2], => Sequential(
raised an error
    nn.Sequential(layers[-2], nn.Flatten(), layers[-1]) => layers[-1]
leave softmax out
    layers[-1]) => layers[-1], nn.Softmax(dim=1))
?
    , layers[-1]) => )
a copy of the model's weights
    model.children() => copy.deepcopy(model).children()
two modules
    , nn.Sequential(layers[-2], nn.Flatten(), layers[-1]) =>
two modules
    nn.Sequential(*layers[:-2]) => layers[:-2]
changes the model
    layers = list(model.children()) => layers = list(model.children())\n    model.fc = nn.Identity()
changes the model
    layers = list(model.children()) => layers = list(model.eval().children())
""",
)


@right("split")
def with_classes(model):
    class Backbone(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool)
            self.stages = nn.ModuleList([net.layer1, net.layer2, net.layer3, net.layer4])

        def forward(self, x):
            x = self.stem(x)
            for stage in self.stages:
                x = stage(x)
            return x

    class Head(nn.Module):
        def __init__(self, fc):
            super().__init__()
            self.fc = fc

        def forward(self, x):
            return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))

    return [Backbone(model), Head(model.fc)]


slips(
    "split",
    with_classes,
    r"""
`squeeze()` takes off every axis of size 1
    .flatten(1) => .squeeze()
registered in 2 of your parts
    self.stem = => self.net = net\n            self.stem =
plain list
    nn.ModuleList([net.layer1, net.layer2, net.layer3, net.layer4]) => [net.layer1, net.layer2, net.layer3, net.layer4]
registered in 0 of your parts
    nn.ModuleList( => lambda: (
    in self.stages: => in self.stages():
the batch norms twice
    x = stage(x) => stage(x)\n                x = stage(x)
Running your parts in eval mode changes
    return self.fc(F => return self.fc.train()(F
Is something detached, or run without gradients?
    x = stage(x) => x = stage(x.detach())
Is something detached, or run without gradients?
    x = self.stem(x) => with torch.no_grad():\n                x = self.stem(x)
in training mode has
    x = self.stem(x) => x = F.dropout(self.stem(x), 0.5, self.training)
has shape (1,
    class Backbone => kept = []\n\n    class Backbone
    return x => kept[:] = [x]\n            return x * 1
    _pool2d(x, 1) => _pool2d(kept[0], 1)
""",
)


@wrong("split", "the package's own `split_classifier`")
def calls_the_package(model):
    backbone, head = split_classifier(model)
    return backbone, head


@right("split")
def sharing_a_copy(model):
    """A copy that shares all tensors, with nothing in place of its last two layers."""
    body = copy.deepcopy(model, {id(value): value for value in [*model.parameters(), *model.buffers()]})
    del body.avgpool, body.fc
    return nn.Sequential(*body.children()), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(start_dim=1), model.fc)


@right("split")
def by_torchvision(model):
    class Body(nn.Module):
        def __init__(self):
            super().__init__()
            self.extract = create_feature_extractor(model, {"layer4": "map"})

        def forward(self, x):
            return self.extract(x)["map"]

    return Body(), nn.Sequential(model.avgpool, nn.Flatten(), model.fc)


# ----------------------------------------------------------------------------------------------------------- tiny_head


@right("tiny_head")
class Tiny(nn.Module):
    def __init__(self, feature_specs, num_classes):
        super().__init__()
        self.conv = nn.Conv2d(feature_specs["c5"].channels, num_classes, 1)

    def forward(self, features):
        return self.conv(features["c5"])


slips(
    "tiny_head",
    Tiny,
    r"""
reads the first map
    feature_specs["c5"] => feature_specs["c2" if "c2" in feature_specs else min(feature_specs)]
    features["c5"] => features["c2" if "c2" in features else min(features)]
swapped
    feature_specs["c5"].channels, num_classes => num_classes, feature_specs["c5"].channels
?
    .channels => .stride
your layer got all of it
    features["c5"] => features
looks at neighbours
    , 1) => , 3, padding=1)
has no bias to learn
    , 1) => , 1, bias=False)
probabilities (softmax)
    self.conv(features["c5"]) => self.conv(features["c5"]).softmax(dim=1)
?
    self.conv(features["c5"]) => torch.sigmoid(self.conv(features["c5"]))
a score may be negative
    self.conv(features["c5"]) => F.relu(self.conv(features["c5"]))
picks the best class
    self.conv(features["c5"]) => self.conv(features["c5"]).argmax(dim=1)
?
    self.conv(features["c5"]) => self.conv(features["c5"]).movedim(1, -1)
built for 320 channels
    feature_specs["c5"].channels => 320
changes what it is given
    feature_specs["c5"].channels => feature_specs.pop("c5").channels
no gradient reaches the input
    features["c5"] => features["c5"].detach()
No gradient leaves
    return self.conv => with torch.no_grad():\n            return self.conv
is there a dropout
    features["c5"] => F.dropout(features["c5"], 0.5, self.training)
is frozen
    def forward =>     self.conv.requires_grad_(False)\n\n    def forward
made anew in `forward`
    self.conv(features["c5"]) => nn.Conv2d(features["c5"].shape[1], 11, 1).to(features["c5"])(features["c5"])
""",
)


@wrong("tiny_head", "the package's own `LinearHead`")
class Inherits(LinearHead):
    pass


@right("tiny_head")
class LinearLayer(nn.Module):
    def __init__(self, specs, classes):
        super().__init__()
        self.score = nn.Linear(specs["c5"].channels, classes)

    def forward(self, maps):
        return self.score(maps["c5"].permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


@right("tiny_head")
class Weights(nn.Module):
    def __init__(self, feature_specs, num_classes):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(num_classes))
        self.weight = nn.Parameter(torch.randn(feature_specs["c5"].channels, num_classes) * 0.1)

    def forward(self, features):
        return torch.einsum("nchw,ck->nkhw", features["c5"], self.weight) + self.bias[:, None, None]


@right("tiny_head")
class LazyHead(nn.Sequential):
    def __init__(self, feature_specs, num_classes):
        super().__init__(nn.LazyConv2d(num_classes, (1, 1)))

    def forward(self, features):
        *_, deepest = features.values()
        return super().forward(deepest)
