"""Answers to the exercises of lesson 12."""
# ruff: noqa: F401 (some names stand in the tables of slips only)

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from answers import right, slips, wrong
from deeplab_teach.check.lesson12 import PlainViT
from deeplab_teach.features import Backbone, FeatureSpec, SequenceSpec
from deeplab_teach.heads.classification import masked_mean as published_mean
from deeplab_teach.papers import CASES
from deeplab_teach.papers import role_of as published_role

# --------------------------------------------------------------------------------------------------------- ViTFeatures


@right("ViTFeatures")
class StepByStep(Backbone):
    name = "vit"

    def __init__(self, vit):
        super().__init__()
        self.vit = vit
        self.feature_specs = {"c4": FeatureSpec(vit.embed_dim, vit.patch_size)}

    def forward(self, x):
        self.check_image(x)
        n, _, height, width = x.shape
        rows = height // self.vit.patch_size
        columns = width // self.vit.patch_size
        tokens = self.vit(x)
        tokens = tokens[:, self.vit.num_prefix_tokens :]
        tokens = tokens.transpose(1, 2)
        return {"c4": tokens.reshape(n, -1, rows, columns)}


slips(
    "ViTFeatures",
    StepByStep,
    r"""
channels and stride exchanged
    FeatureSpec(vit.embed_dim, vit.patch_size) => FeatureSpec(vit.patch_size, vit.embed_dim)
With 384 channels your backbone is right
    FeatureSpec(vit.embed_dim, => FeatureSpec(384,
With 384 channels your backbone is right
    reshape(n, -1, => reshape(n, 384,
With patches of 16 pixels your backbone is right, with 14 it is not
    FeatureSpec(vit.embed_dim, vit.patch_size) => FeatureSpec(vit.embed_dim, 16)
With patches of 16 pixels your backbone is right, with 14 it is not
    height // self.vit.patch_size => height // 16
    width // self.vit.patch_size => width // 16
You declare 384 channels at stride 32; it must be 384 at 16
    FeatureSpec(vit.embed_dim, vit.patch_size) => FeatureSpec(vit.embed_dim, 32)
You declare 384 channels at stride 1; it
    FeatureSpec(vit.embed_dim, vit.patch_size) => FeatureSpec(stride=1, channels=vit.embed_dim)
You declare tokens; asked is one map
    {"c4": FeatureSpec => {"tokens": FeatureSpec
You declare c4, c5; asked is one map
    {"c4": FeatureSpec(vit.embed_dim, vit.patch_size)} => dict.fromkeys(("c4", "c5"), FeatureSpec(vit.embed_dim, 16))
the backbone gives a row of text tokens
    FeatureSpec(vit.embed_dim => SequenceSpec(vit.embed_dim
No head can be built from your `feature_specs`
    {"c4": FeatureSpec(vit.embed_dim, vit.patch_size)} => {"c4": (vit.embed_dim, vit.patch_size)}
No head can be built from your `feature_specs`
    {"c4": FeatureSpec(vit.embed_dim, vit.patch_size)} => FeatureSpec(vit.embed_dim, vit.patch_size)
object has no attribute 'feature_specs'
    self.feature_specs = => self.specs =
has no `name`
    name = "vit"\n => \n
are not among your backbone's
    self.vit = vit\n => self.parts = [vit]\n
    tokens = self.vit(x)\n => self.__dict__["vit"] = self.parts[0]\n        tokens = self.vit(x)\n
    rows = height // self.vit => rows = height // self.parts[0]
    columns = width // self.vit => columns = width // self.parts[0]
are not among your backbone's
    self.vit = vit\n => self.vit = copy.deepcopy(vit)\n
has a weight of its own, `norm.weight`
    self.vit = vit\n => self.vit = vit\n        self.norm = nn.LayerNorm(vit.embed_dim)\n
changes what it is given
    self.vit = vit\n => self.vit = vit.requires_grad_(False)\n
changes what it is given
    tokens = self.vit(x) => tokens = self.vit.eval()(x)
changes what it is given
    n, _, height => x.sub_(0.5)\n        n, _, height
not all gradients get back
    tokens = self.vit(x) => with torch.no_grad():\n            tokens = self.vit(x)
not all gradients get back
    tokens = self.vit(x) => with torch.inference_mode():\n            tokens = self.vit(x)
not all gradients get back
    self.vit(x) => self.vit(x.detach())
not all gradients get back
    tokens.reshape(n, -1, rows, columns) => tokens.reshape(n, -1, rows, columns).data
Without prefix tokens your backbone is right
    tokens = tokens[:, self.vit.num_prefix_tokens :] => pass
Without prefix tokens your backbone is right
    tokens[:, self.vit.num_prefix_tokens :] => tokens[self.vit.num_prefix_tokens :]
You leave out tokens at the end
    tokens[:, self.vit.num_prefix_tokens :] => tokens[:, : -self.vit.num_prefix_tokens]
You leave out tokens at the end
    tokens[:, self.vit.num_prefix_tokens :] => tokens[:, : rows * columns]
With one prefix token your backbone is right, with 0 it is not
    tokens[:, self.vit.num_prefix_tokens :] => tokens[:, 1:]
With one prefix token your backbone is right, with 5 it is not
    tokens[:, self.vit.num_prefix_tokens :] => tokens[:, min(self.vit.num_prefix_tokens, 1) :]
one token more than
    tokens[:, self.vit.num_prefix_tokens :] => tokens[:, self.vit.num_prefix_tokens + 1 :]
one token more than
    tokens[:, self.vit.num_prefix_tokens :] => tokens[:, self.vit.num_prefix_tokens + 1 :]
    reshape(n, -1, rows, columns) => view(n, self.vit.embed_dim, rows, columns)
Without prefix tokens your backbone is right
    tokens = tokens[:, self.vit.num_prefix_tokens :] => pass
    reshape(n, -1, rows, columns) => view(n, self.vit.embed_dim, rows, columns)
the channels of a token lie side by side
    tokens = tokens.transpose(1, 2) => pass
Rows and columns of your map are exchanged
    reshape(n, -1, rows, columns) => reshape(n, -1, columns, rows)
Rows and columns of your map are exchanged
    reshape(n, -1, rows, columns) => reshape(n, -1, columns, rows).mT
Rows and columns of your map are exchanged
    reshape(n, -1, rows, columns) => reshape(n, -1, rows, columns).transpose(2, 3)
Rows and columns of your map are exchanged
    n, _, height, width => n, _, width, height
With square images your backbone is right, with others it is not
    rows = height // self.vit.patch_size => rows = width // self.vit.patch_size
With square images your backbone is right, with others it is not
    tokens = tokens.transpose(1, 2) => rows = columns = int(tokens.shape[1] ** 0.5)\n        tokens = tokens.mT
With one of all this changed your backbone is right, with several it is not
    return {"c4": => if n > 1 and rows != columns:\n            rows, columns = columns, rows\n        return {"c4":
With one image your backbone is right, with 3 it is not
    reshape(n, -1, => reshape(1, -1,
With one image your backbone is right, with 3 it is not
    return {"c4": => if n == 1:\n            return {"c4":
With one image your backbone is right, with 3 it is not
    tokens.reshape(n, -1, rows, columns) => tokens.flip(0).reshape(n, -1, rows, columns)
its channels last
    tokens = tokens.transpose(1, 2)\n => \n
    tokens.reshape(n, -1, rows, columns) => tokens.unflatten(1, (rows, columns))
expected a dict
    {"c4": tokens.reshape(n, -1, rows, columns)} => tokens.reshape(n, -1, rows, columns)
has the keys c5; asked are c4
    {"c4": tokens. => {"c5": tokens.
has the keys cls, c4; asked are c4
    {"c4": tokens.reshape => {"cls": tokens[:, :, 0], "c4": tokens.reshape
gives is a function, expected a dict
    return { => return lambda: {
has shape (1, 384, 16), expected (1, 384, 4, 4): (N, C, rows, columns)
    tokens.reshape(n, -1, rows, columns) => tokens
has shape (384, 4, 4)
    reshape(n, -1, rows, columns) => reshape(-1, rows, columns)
holds values that are no token's
    tokens = tokens.transpose(1, 2) => tokens = F.layer_norm(tokens, tokens.shape[2:]).transpose(1, 2)
In row 0, column 0 your map, of the right shape, holds the token of the patch in row 3, column 3
    tokens = tokens.transpose(1, 2) => tokens = tokens.transpose(1, 2).flip(2)
In row 0, column 1 your map, of the right shape, holds the token of the patch in row 0, column 0
    tokens = tokens.transpose(1, 2) => tokens = tokens[:, [0, *range(rows * columns - 1)]].transpose(1, 2)
holds prefix token 0, which stands for no patch
    tokens = tokens[:, self.vit.num_prefix_tokens :] => tokens = tokens[:, [*range(1, rows * columns), 0]]
normalises the image
    self.vit(x) => self.vit(self.normalize(x))
without `x =`
    n, _, height, width => x = self.check_image(x)\n        n, _, height, width
No `self.check_image(x)` comes first
    self.check_image(x)\n => \n
No `self.check_image(x)` comes first
    self.check_image(x)\n => self.vit(x)\n        self.check_image(x)\n
With square images
    rows = height // self.vit.patch_size => self.rows = rows = getattr(self, "rows", height // self.vit.patch_size)
torch.float64 for an input of torch.float32
    tokens.reshape(n => tokens.double().reshape(n
""",
)


@wrong("ViTFeatures", "the package's own")
class Inherits(PlainViT):
    pass


@wrong("ViTFeatures", "does not call `super().__init__()`")
class WithoutSuper(Backbone):
    def __init__(self, vit):
        self.feature_specs = {"c4": FeatureSpec(vit.embed_dim, vit.patch_size)}

    def forward(self, x):
        return {"c4": x}


@right("ViTFeatures")
class Folded(Backbone):
    """From the end, and with `fold`, which lays columns out as places."""

    def __init__(self, network):
        super().__init__()
        self.name = "somebody's"
        self.add_module("body", network)
        self.side = network.patch_size
        self.feature_specs = dict(c4=FeatureSpec(stride=self.side, channels=network.embed_dim))

    def forward(self, images):
        Backbone.check_image(self, images)
        size = [side // self.side for side in images.shape[-2:]]
        tokens = self.body.forward(images)[:, -math.prod(size) :]
        return {"c4": F.fold(tokens.permute(0, 2, 1), size, 1)}


@right("ViTFeatures")
class RowByRow(Backbone):
    name = "vit"

    def __init__(self, vit, key="c4"):
        super().__init__()
        self.key, self.vit = key, vit
        self.feature_specs = {key: FeatureSpec(vit.embed_dim, vit.patch_size)}

    def forward(self, x):
        self.check_image(x)
        columns = math.ceil(x.size(3) / self.vit.patch_size)
        _, patches = self.vit(x).tensor_split([self.vit.num_prefix_tokens], dim=1)
        return {self.key: torch.stack([row.mT for row in patches.split(columns, dim=1)], dim=2)}


@right("ViTFeatures")
class PlaceByPlace(Backbone):
    name = "vit"

    def __init__(self, vit):
        super().__init__()
        self.vit = vit
        self.feature_specs = {"c4": FeatureSpec(vit.embed_dim, vit.patch_size)}

    def forward(self, x):
        self.check_image(x)
        side, number = self.vit.patch_size, self.vit.num_prefix_tokens
        tokens = self.vit(x)
        out = x.new_zeros(len(x), self.feature_specs["c4"].channels, x.shape[-2] // side, x.shape[-1] // side)
        for row in range(out.shape[2]):
            for column in range(out.shape[3]):
                out[:, :, row, column] = tokens[:, number]
                number += 1
        return {"c4": out}


slips(
    "ViTFeatures",
    PlaceByPlace,
    r"""
Rows and columns of your map are exchanged
    = tokens[:, number] => = tokens[:, self.vit.num_prefix_tokens + column * out.shape[2] + row]
those that stand for none come first
    side, number = self.vit.patch_size, self.vit.num_prefix_tokens => side, number = self.vit.patch_size, 0
not all gradients get back
    = tokens[:, number] => = tokens[:, number].detach()
""",
)

# --------------------------------------------------------------------------------------------------------- masked_mean


@right("masked_mean")
def weighted(x, kept=None):
    if kept is None:
        return x.mean(dim=2)
    weight = kept.unsqueeze(1).to(x.dtype)
    total = (x * weight).sum(dim=2)
    count = weight.sum(dim=2)
    return total / count


slips(
    "masked_mean",
    weighted,
    r"""
over all tokens, whatever the mask says
    total / count => x.mean(dim=2)
over all tokens, whatever the mask says
    if kept is None => if True
divide by the number of all
    (x * weight).sum(dim=2) => (x * weight).mean(dim=2)
    total / count => total
divide by the number of all
    weight.sum(dim=2) => weight.shape[2]
but sum up all of them
    (x * weight).sum(dim=2) => x.sum(dim=2)
the whole batch keeps
    weight.sum(dim=2) => kept.sum()
together: each text has a mean
    total / count => x.transpose(1, 2)[kept].mean(dim=0)
together: each text has a mean
    total / count => x.transpose(1, 2)[kept].mean(dim=0, keepdim=True).repeat(len(x), 1)
You give the sum
    total / count => total
turned round
    kept.unsqueeze(1) => kept.logical_not().unsqueeze(1)
over the channels
    x.mean(dim=2) => x.mean(dim=1)
    (x * weight).sum(dim=2) => (x * weight).sum(dim=1)
    weight.sum(dim=2) => weight.sum(dim=1)
over the channels
    x.mean(dim=2) => x.mean(dim=1)
    total / count => x.mean(dim=1)
gives the shape (3, 7); it must be (3, 5)
    x.mean(dim=2) => x.mean(dim=1)
gives the shape (5, 7); it must be (3, 5)
    x.mean(dim=2) => x.mean(dim=0)
keep the axis of the tokens
    x.mean(dim=2) => x.mean(dim=2, keepdim=True)
    (x * weight).sum(dim=2) => (x * weight).sum(dim=2, keepdim=True)
    weight.sum(dim=2) => weight.sum(dim=2, keepdim=True)
gives the shape (3, 5, 1)
    x.mean(dim=2) => x.mean(dim=2, keepdim=True)
other values
    x.mean(dim=2) => x.amax(dim=2)
with None you cannot calculate
    if kept is None => if kept is False
with None you cannot calculate
    if kept is None: => if False:
    kept.unsqueeze(1).to(x.dtype) => (1 - (~kept[:, None]).to(x))
Your code raised an error when the check called `masked_mean(x, kept)`.
    total = (x * weight) => total = (x * weight + None)
wants one answer for all its places
    if kept is None => if not kept
though other calls give something
    return x.mean(dim=2) => pass\n    else:
    weight = kept.un =>     weight = kept.un
    total = =>     total =
    count = =>     count =
    return total =>     return total
Two shapes do not go together
    kept.unsqueeze(1) => kept
Two shapes do not go together
    kept.unsqueeze(1) => kept.unsqueeze(2)
Two shapes do not go together
    weight.sum(dim=2) => kept.sum(dim=1)
Two shapes do not go together
    kept.unsqueeze(1).to(x.dtype) => kept.to(x.dtype).expand_as(x)
A mask in brackets
    total / count => x[kept].mean(dim=0)
the values that are not 0
    weight.sum(dim=2) => (x * weight).ne(0).sum(dim=2)
the values that are not 0
    weight.sum(dim=2) => torch.count_nonzero(x * weight, dim=2)
torch.float32; it must be torch.float16
    (x * weight) => (x.float() * weight)
    weight.sum(dim=2) => weight.float().sum(dim=2)
torch.float32; it must be torch.float16, although the values are right
    .to(x.dtype) => .float()
torch.float64; it must be torch.float32
    total / count => total / count.double()
changes what it is given
    total = (x * weight).sum(dim=2) => total = x.mul_(weight).sum(dim=2)
changes what it is given
    total = => x.masked_fill_(~kept.unsqueeze(1), 0)\n    total =
only implemented on integer and Boolean-type tensors
    .to(x.dtype) => .to(x.dtype)\n    weight = 1 - ~weight
not all of its gradient gets back
    total = (x * weight) => total = (x.detach() * weight)
not all of its gradient gets back
    return x.mean(dim=2) => return x.detach().mean(dim=2)
not all of its gradient gets back
    return total / count => with torch.inference_mode():\n        return (x * weight).sum(dim=2) / count
other values
    total / count => total / (count + 1)
other values
    weight.sum(dim=2) => weight.sum(dim=2).clamp(min=2)
other values
    total / count => total.softmax(dim=1)
asked is a tensor
    total / count => (total / count).tolist()
keep that default
    kept=None => kept=True
yours takes
    x, kept=None => x
?
    total / count => (total / count)[0]
?
    (x * weight).sum(dim=2) => (x * weight).sum(dim=[*x.shape].index(kept.shape[1]))
""",
)


@right("masked_mean")
def text_by_text(x, kept=None):
    means = []
    for number, tokens in enumerate(x):
        means.append(tokens.mean(dim=1) if kept is None else tokens[:, kept[number]].mean(dim=1))
    return torch.stack(means)


slips(
    "masked_mean",
    text_by_text,
    r"""
as many as are kept
    tokens[:, kept[number]] => tokens[:, : kept[number].sum()]
turned round
    kept[number] => ~kept[number]
""",
)


@right("masked_mean")
def as_a_product(x, kept=None):
    """The weights of the tokens sum to 1."""
    n, _, t = x.shape
    kept = x.new_ones(n, t) if kept is None else kept.type_as(x)
    return torch.einsum("nct,nt->nc", x, kept / kept.sum(1, keepdim=True))


slips(
    "masked_mean",
    as_a_product,
    r"""
divide by the number of all
    kept / kept.sum(1, keepdim=True) => kept / t
You give the sum
    kept / kept.sum(1, keepdim=True) => kept
    x.new_ones(n, t) if => x.new_full((n, t), 1 / t) if
other values
    kept / kept.sum(1, keepdim=True) => kept / kept.sum(0, keepdim=True)
other values
    kept / kept.sum(1, keepdim=True) => kept.softmax(1)
""",
)


@wrong("masked_mean", "gives the shape (3, 3); it must be (3, 1)")
def as_a_product_that_is_squeezed(x, kept=None):
    kept = torch.ones_like(x[:, 0]) if kept is None else kept.to(x)
    return (x @ kept[:, :, None]).squeeze() / kept.sum(1, keepdim=True)


@right("masked_mean")
def without_what_is_missing(x, kept=None):
    """Padding counts as missing, and the mean goes over the rest."""
    if kept is not None:
        x = x.masked_fill(~kept[:, None, :], float("nan"))
    return x.nanmean(-1)


@right("masked_mean")
def with_pooling_for_images(x, kept=None):
    x = x.permute(2, 0, 1)  # (T, N, C)
    if kept is None:
        return x.sum(0) / len(x)
    mask = kept.T[..., None]
    return torch.where(mask, x, 0).sum(0) / mask.sum(0)


@wrong("masked_mean", "but not all of its gradient")
def by_numbers(x, kept=None):
    values = x.detach().numpy()
    weight = np.ones_like(values) if kept is None else kept.numpy()[:, None].repeat(x.shape[1], 1)
    return torch.from_numpy(np.average(values.astype("float64"), axis=2, weights=weight)).to(x)


@wrong("masked_mean", "the package's own")
def the_packages_mean(x, kept=None):
    return published_mean(x, kept)


# ------------------------------------------------------------------------------------------------------------- role_of


@right("role_of")
def one_after_the_other(part):
    if part.reads_input and part.gives_features and part.exchanged:
        return "backbone"
    if part.reads_input:
        return "none"
    if part.gives_features:
        return "neck"
    if part.gives_answer:
        return "head"
    return "none"


slips(
    "role_of",
    one_after_the_other,
    r"""
You call "BERT without its output layer" none of the three; it is a backbone. It reads the text
    part.reads_input and part.gives_features => part.reads_image and part.gives_features
asks for an image
    part.reads_input and part.gives_features => part.reads_input and part.reads_image and part.gives_features
asks for an image
    if part.reads_input and => if part.reads_image and
    if part.reads_input: => if part.reads_image:
You call "contracting path of U-Net, as published in 2015" a backbone; it is none of the three. It reads the image
    and part.exchanged =>
takes all that reads the input
    and part.exchanged =>
You call "ResNet-50 in a Mask R-CNN that is trained from scratch (2019)" none of the three; it is a backbone.
    and part.exchanged => and part.learnt_elsewhere and part.exchanged
has learnt another task first
    and part.exchanged => and part.learnt_elsewhere
The ten parts are right, but not by this rule. You call none of the three what reads the input, an image,
    and part.exchanged => and part.exchanged and part.several_heads
several kinds of head over a backbone
    and part.exchanged => and part.exchanged and part.several_heads
several kinds of head over a backbone
    and part.exchanged => and part.several_heads
does not ask what a backbone gives
    and part.gives_features and => and
You call "FPN, between ResNet-50 and FCOS" a backbone; it is a neck. It reads c3
    return "neck" => return "backbone"
calls all that gives features a backbone
    if part.reads_input and => if part.gives_features or
does not ask what a backbone reads
    part.reads_input and part.gives_features => part.gives_features
You call "contracting path of U-Net, as published in 2015" a neck; it is none of the three.
    if part.reads_input:\n        return "none"\n => \n
what necks and heads read
    if part.reads_input:\n        return "none"\n => \n
what a head reads
    if part.reads_input: => if part.reads_input and not part.gives_answer:
more of a neck
    if part.gives_features: => if part.gives_features and part.exchanged:
more of a neck
    if part.gives_features: => if part.gives_features and part.several_heads:
more of a head
    if part.gives_answer: => if part.gives_answer and not part.exchanged:
more of a head
    if part.gives_answer: => if part.gives_answer and not part.learnt_elsewhere:
never says "none"
    if part.reads_input:\n        return "none" => if part.reads_input:\n        return "neck"
    return "none"\n => return "head"\n
never says "none"
    if part.reads_input:\n        return "none"\n => \n
    "head"\n    return "none" => "head"\n    return "head"
You call "quantization module of wav2vec 2.0" a head
    if part.gives_answer: => if not part.gives_features:
says 'body' of "ResNet-101 up to c5
    return "backbone" => return "body"
says 'Head' of "decoder of DeepLabv3+
    return "head" => return "Head"
gives None for "quantization module of wav2vec 2.0"
    "head"\n    return "none" => "head"
gives None for "contracting path of U-Net
    if part.reads_input:\n        return "none" => if part.reads_input:\n        return
gives a bool
    return "neck" => return True
gives a tuple of 2
    return "head" => return "head", "none"
a neck; it is a head
    "neck" => "head"
    return "head"\n    return => return "neck"\n    return
has no attribute 'reads_features'
    if part.gives_features: => if part.reads_features and part.gives_features:
goes by names
    if part.reads_input and part.gives_features and part.exchanged: => if "backbone" in part.called:
goes by names
    if part.reads_input and => if "backbone" in part.called or part.reads_input and
    if part.gives_features: => if part.gives_features or "Network" in part.called:
goes by names
    if part.reads_input: => if "U-Net" in part.part:
goes by names
    if part.gives_answer: => if "answer: " in part.because:
goes by names
    if part.gives_answer: => if "decoder" in part.called:
cannot assign
    if part.reads_input: => part.called = "x"\n    if part.reads_input:
changes what it is given
    if part.reads_input: => object.__setattr__(part, "called", "")\n    if part.reads_input:
""",
)


@right("role_of")
def by_conditions(part):
    """Each role with what it asks for; the first that has all of it."""
    asked = {
        "backbone": [part.reads_input, part.gives_features, part.exchanged],
        "neck": [not part.reads_input, part.gives_features],
        "head": [not part.reads_input, part.gives_answer],
    }
    return next((role for role, conditions in asked.items() if all(conditions)), "none")


slips(
    "role_of",
    by_conditions,
    r"""
You call "contracting path of U-Net, as published in 2015" a neck
    "neck": [not part.reads_input, => "neck": [
what a neck reads
    "neck": [not part.reads_input, => "neck": [
what a head reads
    "head": [not part.reads_input, => "head": [
StopIteration
    if all(conditions)), "none") => if all(conditions)))
never says "none"
    if all(conditions)), "none") => if all(conditions)), "neck")
more of a neck
    "neck": [not => "neck": [not part.learnt_elsewhere, not
more of a head
    "head": [not => "head": [not part.learnt_elsewhere, not part.exchanged, not
The ten parts are right, but not by this rule
    "head": [not => "head": [part.learnt_elsewhere == part.exchanged, not
""",
)


@right("role_of")
def in_one_table(part):
    match (part.reads_input, part.gives_features, part.gives_answer):
        case (True, True, False):
            return ("none", "backbone")[part.exchanged]
        case (False, True, False):
            return "neck"
        case (False, False, True):
            return "head"
        case _:
            return "none"


@right("role_of")
def as_one_says_it(case):
    reads_features = not case.reads_input
    is_head = reads_features and case.gives_answer
    is_neck = reads_features and case.gives_features and not is_head
    is_backbone = case.reads_input and case.gives_features and case.exchanged
    return "backbone" * is_backbone or "neck" * is_neck or "head" * is_head or "none"


TABLE = {case.part: published_role(case) for case in CASES}


@wrong("role_of", "goes by names")
def by_a_table(part):
    return TABLE[part.part]


@wrong("role_of", "goes by names")
def by_a_table_and_a_guess(part):
    return TABLE.get(part.part, "none")


@wrong("role_of", "goes by names")
def by_the_authors_word(part):
    for role in ("backbone", "neck", "head"):
        if role in part.called:
            return role
    return "none"


@wrong("role_of", 'You call "ResNet-101 up to c5, in DeepLabv3+" none of the three; it is a backbone.')
def none_at_all(part):
    return "none"


@wrong("role_of", "the package's own")
def the_packages_role(part):
    return published_role(part)
