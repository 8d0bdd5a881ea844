"""Answers to the exercises of lesson 11."""
# ruff: noqa: F401 (some names stand in the tables of slips only)

import copy
import itertools

import torch
import torch.nn.functional as F
from torch import nn

from answers import right, slips, wrong
from deeplab_teach.check.lesson11 import frozen_backbone
from deeplab_teach.models import Detector, ManyHeads
from deeplab_teach.models import answer_together as published_together
from deeplab_teach.necks import Pyramid, without_pyramid
from deeplab_teach.training import freeze, freeze_batch_norm
from deeplab_teach.training import parameter_groups as published_groups

# ----------------------------------------------------------------------------------------------------- freeze_backbone


@right("freeze_backbone")
def in_a_loop(model):
    model.requires_grad_(True)
    model.train()
    for parameter in model.backbone.parameters():
        parameter.requires_grad = False
    model.backbone.eval()
    learning = []
    for parameter in model.parameters():
        if parameter.requires_grad:
            learning.append(parameter)
    return learning


slips(
    "freeze_backbone",
    in_a_loop,
    r"""
its batch norms are in training mode
    model.backbone.eval() => pass
then a `train()` of the whole model puts it back
    model.train()\n => \n
    learning = [] => model.train()\n    learning = []
Every weight of the backbone still gets a gradient
    parameter.requires_grad = False => pass
The whole model is in eval mode
    model.backbone.eval() => model.eval()
(A model may come in eval mode.)
    model.train()\n => \n
(A model may come with its head frozen.)
    model.requires_grad_(True)\n => \n
`model` is in eval mode
    model.train()\n => model.training = False\n    model.head.train()\n    (model.auxiliary or model.head).train()\n
Nothing in the model can learn any more
    in model.backbone.parameters() => in model.parameters()
`auxiliary.conv.0.weight` gets no gradient
    in model.backbone.parameters() => in [p for name, p in model.named_parameters() if not name.startswith("head")]
The backbone's batch norms still get gradients
    parameter.requires_grad = False => parameter.requires_grad = parameter.dim() == 1
`backbone.layer4.0.bn1.bias` still gets a gradient
    in model.backbone.parameters() => in list(model.backbone.parameters())[:-9]
`training` is False of the backbone itself
    model.backbone.eval() => model.backbone.training = False
`head.conv.0.weight` stands 2 times in your list
    return learning => return [*learning, *model.head.parameters()]
`auxiliary.conv.0.weight` learns and is missing
    return learning => return list(model.head.parameters())
holds weights of the backbone
    return learning => return list(model.parameters())
Your list holds copies
    return learning => return [each.detach().clone().requires_grad_() for each in learning]
returns nothing
    return learning => pass
holds a tuple of 2
    return learning => return [pair for pair in model.named_parameters() if pair[1].requires_grad]
You return a generator
    return learning => return filter(lambda each: each.requires_grad, model.parameters())
You return a single module
    return learning => return model
leaves other weights in the model
    model.train()\n => model.train()\n    model.backbone = copy.deepcopy(model.backbone)\n
but the backbone does not use them
    model.backbone.eval() => [setattr(each, "momentum", 0.0) for each in model.backbone.modules()]
but the backbone does not use them
    model.backbone.eval() => [setattr(each, "track_running_stats", False) for each in model.backbone.modules()]
changes the model for good
    model.backbone.eval() => model.backbone.eval().forward = torch.no_grad()(model.backbone.forward)
""",
)


@right("freeze_backbone")
def with_the_packages_freeze(model):
    model.requires_grad_(True)
    model.train()
    freeze(model, ["backbone"])
    return [each for name, each in model.named_parameters() if not name.startswith("backbone.")]


slips(
    "freeze_backbone",
    with_the_packages_freeze,
    r"""
batch norms only
    freeze(model, ["backbone"]) => freeze_batch_norm(model.backbone)
""",
)


@right("freeze_backbone")
def norms_one_by_one(model):
    """What is in eval mode besides the batch norms is of no account."""
    model.requires_grad_(True).train()
    model.backbone.requires_grad_(False)
    for part in model.backbone.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()
    inside = set(model.backbone.parameters())
    return tuple(parameter for parameter in model.parameters() if parameter not in inside)


@wrong("freeze_backbone", "the package's own")
def the_packages_backbone(model):
    return frozen_backbone(model)


# ---------------------------------------------------------------------------------------------------- parameter_groups


@right("parameter_groups")
def by_identity(model, lr_backbone, lr_head):
    ids = {id(p) for p in without_pyramid(model.backbone).parameters()}
    old, new = [], []
    for p in model.parameters():
        if p.requires_grad:
            (old if id(p) in ids else new).append(p)
    return [{"params": old, "lr": lr_backbone}, {"params": new, "lr": lr_head}]


slips(
    "parameter_groups",
    by_identity,
    r"""
The two rates are exchanged
    "params": old => "params": new
    {"params": new, "lr": lr_head} => {"params": old, "lr": lr_head}
All of your parameters learn at one rate
    lr_head}] => lr_backbone}]
The pyramid's weights learn at the backbone's rate
    without_pyramid(model.backbone) => model.backbone
The auxiliary head learns at the backbone's rate
    {id(p) for p in without_pyramid(model.backbone).parameters()} => {id(p) for name, p in model.named_parameters() if
        not name.startswith("head.")}
`auxiliary.conv.0.weight` is in none of your groups
    in model.parameters(): => in [*model.backbone.parameters(), *model.head.parameters()]:
is frozen (`requires_grad` is False), and yet
    p.requires_grad => True
`backbone.conv1.weight` is in your groups 2 times
    "params": new => "params": [*old, *new]
`backbone.conv1.weight` learns at 0.01 in yours; it must be `lr_backbone`
    "lr": lr_backbone => "lr": 0.01
has no `lr`
    , "lr": lr_backbone} => }
has the keys parameters, lr
    {"params": old => {"parameters": old
A group of yours is a list
    return [{"params": old, "lr": lr_backbone}, {"params": new, "lr": lr_head}] => return [old, new]
You return a dict of 2
    return [{"params": old, "lr": lr_backbone}, {"params": new, "lr": lr_head}] => return {"params": old + new,
        "lr": lr_backbone}
`params` of one of your groups is a single module
    "params": new => "params": model.head
holds a tuple of 2
    "params": new => "params": list(model.head.named_parameters())
Your groups hold copies
    "params": new => "params": copy.deepcopy(new)
changes the model
    old, new = => model.backbone.requires_grad_(True)\n    old, new =
does not take your groups
    "params": new => "params": set(new)
compares their values
    {id(p) for p in without_pyramid(model.backbone).parameters()} => list(without_pyramid(model.backbone).parameters())
    id(p) in ids => p in ids
compares their values
    {id(p) for p in without_pyramid(model.backbone).parameters()} => list(model.head.parameters())
    id(p) in ids => p not in ids
""",
)


@wrong("parameter_groups", "`auxiliary.conv.0.weight` is in none of your groups")
def as_one_writes_it(model, lr_backbone, lr_head):
    return [
        {"params": model.backbone.parameters(), "lr": lr_backbone},
        {"params": model.head.parameters(), "lr": lr_head},
    ]


@right("parameter_groups")
def a_group_for_each(model, lr_backbone, lr_head):
    """One group for each parameter, with settings of its own."""
    backbone = set(without_pyramid(model.backbone).parameters())
    return [
        {"lr": lr_backbone if each in backbone else lr_head, "params": each, "weight_decay": 0.0 * each.dim()}
        for each in reversed(list(model.parameters()))
        if each.requires_grad
    ]


@right("parameter_groups")
def with_generators(model, lr_backbone, lr_head):
    backbone = without_pyramid(model.backbone)
    ids = list(map(id, backbone.parameters()))
    others = filter(lambda each: id(each) not in ids and each.requires_grad, model.parameters())
    first = {"params": (each for each in backbone.parameters() if each.requires_grad), "lr": lr_backbone}
    return first, dict(params=others, lr=lr_head)


slips(
    "parameter_groups",
    with_generators,
    r"""
gone through already
    return first => ids = [id(each) for each in first["params"]]\n    return first
""",
)


@right("parameter_groups")
def by_the_name(model, lr_backbone, lr_head):
    """The backbone's parameters are named after the backbone, wherever it is."""
    start = "backbone.backbone." if isinstance(model.backbone, Pyramid) else "backbone."
    named = [pair for pair in model.named_parameters() if pair[1].requires_grad]
    groups = {lr_backbone: [], lr_head: []}
    for name, parameter in named:
        groups[lr_backbone if name.startswith(start) else lr_head].append(parameter)
    return [{"params": params, "lr": lr} for lr, params in groups.items() if params]


slips(
    "parameter_groups",
    by_the_name,
    r"""
The pyramid's weights learn at the backbone's rate
    "backbone.backbone." if isinstance(model.backbone, Pyramid) else "backbone." => "backbone."
The pyramid's weights learn at the backbone's rate
    isinstance(model.backbone, Pyramid) => isinstance(model, Detector)
""",
)


@wrong("parameter_groups", "the package's own")
def the_packages_groups(model, lr_backbone, lr_head):
    return published_groups(model, lr_backbone, lr_head)


# ----------------------------------------------------------------------------------------------------- answer_together


@right("answer_together")
def loop_over_models(models, x):
    first = next(iter(models.values()))
    backbone = without_pyramid(first.backbone)
    features = backbone(x)
    size = x.shape[-2:]
    answers = {}
    for name, model in models.items():
        if model.backbone is backbone:
            answers[name] = model.answer(features, size)
        else:
            maps = model.backbone.pyramid(features, size)
            answers[name] = model.answer(maps, size)
    return answers


slips(
    "answer_together",
    loop_over_models,
    r"""
once for each model: that is what `model(x)` costs
    features = backbone(x) => features = None
    model.answer(features, size) => model(x)
    maps = model.backbone.pyramid(features, size) => pass
    model.answer(maps, size) => model(x)
once for each model
    features = backbone(x) => pass
    model.answer(features, size) => model.answer(backbone(x), size)
    model.backbone.pyramid(features, size) => model.backbone(x)
A pyramid need not run it again
    model.backbone.pyramid(features, size) => model.backbone(x)
stand on runs 0 times
    first = next => models = copy.deepcopy(models)\n    first = next
what the head says at the places of its map
    model.answer(features, size) => model.head(features)
    model.answer(maps, size) => model.head(maps)
the model `label` has shape
    model.answer(features, size) => F.interpolate(model.head(features), size=size, mode="bilinear",
        align_corners=False) if name != "label" else model.head(features)[:, :1]
but other values
    model.answer(features, size) => F.interpolate(model.head(features), size=size, mode="bilinear",
        align_corners=False) if name != "label" else model.head(features)
that of a map
    model.backbone.pyramid(features, size) => model.backbone.pyramid(features, features["c5"].shape[-2:])
that of a map
    size = x.shape[-2:] => size = features["c5"].shape[-2:]
height, then width
    size = x.shape[-2:] => size = (x.shape[-1], x.shape[-2])
There is no `p2` among the backbone's own maps
    maps = model.backbone.pyramid(features, size) => maps = features
There is no `p5` among the backbone's own maps
    if model.backbone is backbone: => if not isinstance(model, Detector):
There is no `c5` among the maps of a pyramid
    model.answer(maps, size) => model.answer(maps, size)\n            features = maps
A backbone has no `pyramid`
    if model.backbone is backbone: => if False:
There is no `c5` among the maps of a pyramid
    without_pyramid(first.backbone) => first.backbone
asked is a dict
    return answers => return list(answers.values())
Your dict has the names mask
    return answers => return {"mask": answers["mask"]}
not all of their gradients get back
    features = backbone(x) => with torch.no_grad():\n        features = backbone(x)
not all of their gradients get back
    features = backbone(x) => features = {key: value.detach() for key, value in backbone(x).items()}
into another mode
    features = backbone(x) => [model.eval() for model in models.values()]\n    features = backbone(x)
changes what it is given
    features = backbone(x) => x.sub_(x.mean())\n    features = backbone(x)
changes what it is given
    return answers => models.pop("mask")\n    return answers
missing 1 required positional argument
    model.answer(features, size) => model.answer(features)
""",
)


@right("answer_together")
def asking_what_kind(models, x):
    """In two steps: first which maps, then the answers; the names in another order."""
    body = list(models.values())[-1].backbone
    body = body.backbone if isinstance(body, Pyramid) else body
    shared, size = body.forward(x), tuple(x.shape[2:])
    maps = {}
    for name in sorted(models):
        own = models[name].backbone
        maps[name] = own.pyramid(shared, size) if hasattr(own, "pyramid") else shared
    return {name: models[name].answer(maps[name], size=size) for name in maps}


@right("answer_together")
def with_all_maps_in_one(models, x):
    """The maps of a pyramid are put beside those of the backbone, for the heads to choose from."""
    _, _, h, w = x.shape
    features, answers = None, {}
    for name, model in models.items():
        features = features or dict(without_pyramid(model.backbone)(x))
        if isinstance(model.backbone, Pyramid):
            features.update(model.backbone.pyramid(features, (h, w)))
        answers[name] = model.answer(features, (h, w))
    return answers


@wrong("answer_together", "the package's own")
def in_one_model(models, x):
    return ManyHeads(models)(x)


@wrong("answer_together", "the package's own")
def the_packages_together(models, x):
    return published_together(models, x)
