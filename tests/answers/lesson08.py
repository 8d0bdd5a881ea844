"""Answers to the exercises of lesson 08."""

import copy
from collections import OrderedDict

import numpy as np
import torch
from torch import nn
from torch.nn.utils import fusion

from answers import right, slips, wrong
from deeplab_teach.backbones import AdaptedBackbone
from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.predict import evaluating

# --------------------------------------------------------------------------------------------------------------- adapt


@right("adapt")
class Flags(Backbone):
    def __init__(self, body, name):
        super().__init__()
        self.body = body
        self.name = name
        flags = {module: module.training for module in body.modules()}
        body.eval()
        with torch.no_grad():
            maps = body(torch.zeros(1, 3, 256, 256))
        for module, flag in flags.items():
            module.training = flag
        keys = sorted(maps, key=lambda key: maps[key].shape[2], reverse=True)
        self.feature_specs = {key: FeatureSpec(maps[key].shape[1], round(256 / maps[key].shape[2])) for key in keys}

    def forward(self, x):
        self.check_image(x)
        maps = self.body(x)
        return {key: maps[key] for key in self.feature_specs}


slips(
    "adapt",
    Flags,
    r"""
Channels and stride are swapped
    maps[key].shape[1], round(256 / maps[key].shape[2]) => round(256 / maps[key].shape[2]), maps[key].shape[1]
You declare {'a': {'channels': 64, 'stride': 4}
    maps[key].shape[1] => maps[key].shape[2]
round the stride down
    round(256 / maps[key].shape[2]) => int(256 / maps[key].shape[2])
'stride': 4.0
    round(256 / maps[key].shape[2]) => 256 / maps[key].shape[2]
?
    self.feature_specs = {key: FeatureSpec => self.feature_specs = {FeatureSpec
in the order of the body
    keys = sorted(maps, key=lambda key: maps[key].shape[2], reverse=True) => keys = maps
from high to low
    , reverse=True) => )
from your `forward` in the order of the body
    return {key: maps[key] for key in self.feature_specs} => return maps
`z`, has shape
    return {key: maps[key] for key in self.feature_specs} => return dict(zip(self.feature_specs, maps.values()))
is a list of 3, expected a dict
    return {key: maps[key] for key in self.feature_specs} => return [maps[key] for key in self.feature_specs]
normalises the image
    self.body(x) => self.body(self.normalize(x))
in eval mode in training too
    self.body(x) => self.body.eval()(x)
change nothing
    self.body(x) => self.body.train(self.training)(x)
change nothing
    maps = self.body(x) => maps = self.body(x)\n        self.feature_specs = dict.fromkeys(maps, FeatureSpec(3, 2))
change nothing
    return {key: maps[key] for => return {key: maps.pop(key) for
Run the body once
    maps = self.body(x) => maps = {key: self.body(x)[key] for key in self.feature_specs}
without `x =`
    self.check_image(x) => x = self.check_image(x)
No `self.check_image(x)` comes first
    self.check_image(x)\n => \n
No `self.check_image(x)` comes first
    self.check_image(x)\n        maps = self.body(x) => maps = self.body(x)\n        self.check_image(x)
You measure in training mode
    body.eval() => pass
a module's `training` (restore each)
    module.training = flag => module.training = flags[body]
Hold the body as an attribute
    self.body = body => self.body = copy.deepcopy(body)
Hold the body as an attribute
    self.body = body => self.bodies = [body]
    self.body(x) => self.bodies[0](x)
has the name Body
    self.name = name => self.name = type(body).__name__
not all gradients get back
    self.body(x) => self.body(x.detach())
""",
)


@wrong("adapt", "the package's own `AdaptedBackbone`")
class Inherits(AdaptedBackbone):
    pass


@right("adapt")
class OnACopy(Backbone):
    def __init__(self, network, label, side=256):
        super().__init__()
        self.name, self.network = label, network
        maps = copy.deepcopy(network).eval()(torch.rand(2, 3, side, side))
        rows, self.feature_specs = {key: value.shape[3] for key, value in maps.items()}, OrderedDict()
        for key in np.array(list(rows))[np.argsort([-number for number in rows.values()])].tolist():
            stride = np.rint(side / rows[key]).astype(np.int64)
            self.feature_specs[key] = FeatureSpec(stride=stride, channels=maps[key].size(1))

    def forward(self, images):
        Backbone.check_image(self, images)
        given = self.network.forward(images)
        return OrderedDict((key, given[key]) for key in self.feature_specs)


@right("adapt")
class Sorted(Backbone):
    def __init__(self, body, name):
        super().__init__()
        self.add_module("model", body)
        self.name = str(name)
        with evaluating(body), torch.inference_mode():
            maps = body(torch.zeros(1, 3, 256, 256))
        specs = [(k, FeatureSpec(m.size(1), int(256 / m.size(3) + 0.5))) for k, m in maps.items()]
        self.feature_specs = dict(sorted(specs, key=lambda pair: pair[1].stride))

    def forward(self, x):
        self.check_image(x)
        return dict(sorted(self.model(x).items(), key=lambda item: -item[1][0, 0].numel()))


# ----------------------------------------------------------------------------------------------------- fold_batch_norm


@right("fold_batch_norm")
def fold(conv, norm):
    layer = copy.deepcopy(conv)
    with torch.no_grad():
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        layer.weight *= scale.view(-1, 1, 1, 1)
        own = torch.zeros_like(scale) if conv.bias is None else conv.bias
        layer.bias = nn.Parameter((own - norm.running_mean) * scale + norm.bias)
    return layer


slips(
    "fold_batch_norm",
    fold,
    r"""
`eps` is left out
    norm.running_var + norm.eps => norm.running_var
You add `eps` to the root
    torch.sqrt(norm.running_var + norm.eps) => (norm.running_var.sqrt() + norm.eps)
?
    torch.sqrt(norm.running_var + norm.eps) => (norm.running_var + norm.eps)
`norm.weight` is left out
    norm.weight / => 1 /
The weight of your Conv2d(4, 4
    layer.weight *= scale.view(-1, 1, 1, 1) => pass
The weight of your Conv2d(4, 4
    scale.view(-1, 1, 1, 1) => scale.view(-1, 1, 1)
along their columns
    layer.weight *= scale.view(-1, 1, 1, 1) => layer.weight = nn.Parameter(conv.weight * scale)
`conv.bias` is left out
    torch.zeros_like(scale) if conv.bias is None else conv.bias => 0
The bias of your Conv2d(4, 4
    own - norm.running_mean => own + norm.running_mean
`norm.bias` is left out
    * scale + norm.bias => * scale
`norm.bias` is scaled
    (own - norm.running_mean) * scale + norm.bias => (own - norm.running_mean + norm.bias) * scale
bias=False); asked is Conv2d(4, 4
    return layer => layer.bias = None\n    return layer
it counts as 0
    torch.zeros_like(scale) if conv.bias is None else conv.bias => conv.bias
Do it inside `torch.no_grad()`
    with torch.no_grad(): => if True:
cannot assign 'torch.FloatTensor' as parameter
    nn.Parameter((own - norm.running_mean) * scale + norm.bias) => (own - norm.running_mean) * scale + norm.bias
changes what it is given
    copy.deepcopy(conv) => copy.copy(conv)
changes what it is given
    scale = norm.weight => norm.requires_grad_(False)\n        scale = norm.weight
cannot be trained
    torch.no_grad() => torch.inference_mode()
padding_mode=reflect
    return layer => layer.padding_mode = "zeros"\n    return layer
torch.float32; it must be torch.float64
    copy.deepcopy(conv) => copy.deepcopy(conv).float()
    * scale + norm.bias => * scale.float() + norm.bias
You return <Sequential>
    return layer => return nn.Sequential(conv, norm)
the package's own `fold_batch_norm`
    return layer => from deeplab_teach.speed import fold_batch_norm as f\n    return f(conv, norm)
""",
)


@right("fold_batch_norm")
def renewed(conv, norm):
    """Into a layer that is built from the settings of `conv`."""
    names = ["in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode"]
    layer = nn.Conv2d(**{name: getattr(conv, name) for name in names}, dtype=conv.weight.dtype)
    gamma, deviation = norm.weight.data, (norm.running_var + norm.eps) ** 0.5
    layer.weight.data = torch.einsum("oihw,o->oihw", conv.weight.data, gamma / deviation)
    layer.bias.data = norm.bias.data - gamma * norm.running_mean / deviation
    if conv.bias is not None:
        layer.bias.data += gamma * conv.bias.data / deviation
    return layer


@wrong("fold_batch_norm", "cannot be trained")
def as_it_comes(conv, norm):
    return fusion.fuse_conv_bn_eval(conv, norm)


@right("fold_batch_norm")
def by_asking(conv, norm):
    """What the norm adds is its answer to zeros; what it multiplies by, its answer to ones less that."""
    layer, zeros = copy.deepcopy(conv), torch.zeros(1, conv.out_channels, 1, 1).type_as(conv.weight)
    with torch.no_grad():
        shift = norm(zeros if conv.bias is None else zeros + conv.bias.view(1, -1, 1, 1))
        layer.weight.mul_((norm(zeros + 1) - norm(zeros)).view(-1, 1, 1, 1))
    layer.bias = nn.Parameter(shift.flatten())
    return layer


@right("fold_batch_norm")
def pytorchs(conv, norm):
    return fusion.fuse_conv_bn_eval(conv, norm).train().requires_grad_()
