"""Answers to the exercises of lesson 07."""
# ruff: noqa: F401 (some names stand in the tables of slips only)

import importlib.util

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import deeplab_teach.heads.deeplabv3plus
from answers import right, slips, wrong
from deeplab_teach.heads import ClassificationHead, DeepLabV3Head, DeepLabV3PlusHead, FCNHead, LinearHead
from deeplab_teach.metrics import trimap_band as published_band
from deeplab_teach.models import SegmentationModel
from deeplab_teach.models import is_deeplabv3plus as published_rule

# ------------------------------------------------------------------------------------------------------------- decoder


@right("decoder")
class Steps(DeepLabV3PlusHead):
    def forward(self, features):
        fine = self.low_level_project(features[self.low_level])
        deep = self.aspp(features[self.deep])
        deep = F.interpolate(deep, size=fine.shape[2:], mode="bilinear", align_corners=False)
        both = torch.cat([deep, fine], dim=1)
        return self.classifier(self.decoder(both))


slips(
    "decoder",
    Steps,
    r"""
by a factor of 4
    size=fine.shape[2:] => scale_factor=4
must match except in dimension 1
    deep = F.interpolate(deep, size=fine.shape[2:], mode="bilinear", align_corners=False) => pass
`align_corners=True`
    align_corners=False => align_corners=True
the nearest value
    , mode="bilinear", align_corners=False =>
shrink the early map
    deep = F.interpolate(deep, size=fine => fine = F.interpolate(fine, size=deep
?
    deep = self.aspp(features[self.deep]) => deep = features[self.deep]
    cat([deep, fine] => cat([self.aspp(deep), fine]
in the other order
    [deep, fine] => [fine, deep]
You add the two maps
    torch.cat([deep, fine], dim=1) => deep + fine
The early map is left out
    torch.cat([deep, fine], dim=1) => deep
as the backbone gives it
    self.low_level_project(features[self.low_level]) => features[self.low_level]
does not go through ASPP
    self.aspp(features[self.deep]) => features[self.deep]
`self.decoder`, the two 3x3 convolutions, is left out
    self.decoder(both) => both
stops before the class scores
    self.classifier(self.decoder(both)) => self.decoder(both)
probabilities (softmax)
    self.classifier(self.decoder(both)) => torch.softmax(self.classifier(self.decoder(both)), dim=1)
?
    self.classifier(self.decoder(both)) => self.classifier(self.decoder(both)).argmax(dim=1)
which maps it reads
    [self.deep] => ["c5"]
    [self.low_level] => ["c2"]
which maps it reads
    [self.deep] => ["c5"]
which maps it reads
    [self.low_level] => ["c2"]
makes the image's size of it
    self.classifier(self.decoder(both)) => F.interpolate(self.classifier(self.decoder(both)), scale_factor=4)
no gradient reaches the input
    self.aspp(features[self.deep]) => self.aspp(features[self.deep]).detach()
changes its input in place
    both = => features["scores"] = fine\n        both =
is a tuple of 2
    (self.decoder(both)) => (self.decoder(both)), both
a number type is written out
    (self.decoder(both)) => (self.decoder(both)).float()
in Steps.forward, line 3:  deep = self.asp(features[self.deep])
    self.aspp( => self.asp(
?
    deep = F.interpolate => self.size = getattr(self, "size", fine.shape[2:])\n        deep = F.interpolate
    size=fine.shape[2:] => size=self.size
running averages of your batch norms
    both = => self.aspp(features[self.deep])\n        both =
another output each time
    (both) => (F.dropout(both, 0.5, self.training))
""",
)


spec = importlib.util.spec_from_file_location(DeepLabV3PlusHead.__module__, deeplab_teach.heads.deeplabv3plus.__file__)
reloaded = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reloaded)


@wrong("decoder", "the package's own `DeepLabV3PlusHead.forward`")
class CallsTheTwin(reloaded.DeepLabV3PlusHead):
    def forward(self, features):
        return super().forward(features)


@wrong("decoder", "must inherit from `DeepLabV3PlusHead`")
class NotInherited(nn.Module):
    def forward(self, features):
        return features["c5"]


@right("decoder")
class InheritsTheTwin(reloaded.DeepLabV3PlusHead):
    def forward(self, maps):
        where = self.low_level_project(maps[self.low_level])
        what = F.interpolate(self.aspp(maps[self.deep]), tuple(where.shape[-2:]), mode="bilinear")
        return self.classifier(self.decoder(torch.hstack((what, where))))


@right("decoder")
class InOneGo(DeepLabV3PlusHead):
    def forward(self, features):
        fine = self.low_level_project.forward(features[self.low_level])
        deep = nn.Upsample(fine.shape[2:], mode="bilinear")(self.aspp(x=features[self.deep]))
        both = fine.new_empty(len(fine), deep.shape[1] + fine.shape[1], *fine.shape[2:])
        both[:, : deep.shape[1]], both[:, deep.shape[1] :] = deep, fine
        return self.classifier.forward(self.decoder.forward(both))


@right("decoder")
class OwnLayers(DeepLabV3PlusHead):
    """The layers under other names; the last convolution by hand."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.mix, self.last, self.decoder, self.classifier = self.decoder, self.classifier, None, None

    def forward(self, features):
        early = nn.Sequential(*self.low_level_project)(features[self.low_level])
        late = F.interpolate(self.aspp(features[self.deep]), early.size()[2:], mode="bilinear")
        mixed = self.mix(torch.cat((late, early), 1))
        return torch.einsum("kc,nchw->nkhw", self.last.weight[..., 0, 0], mixed) + self.last.bias[:, None, None]


# --------------------------------------------------------------------------------------------------------- trimap_band


@right("trimap_band")
def by_pooling(labels, width, ignore_index=255):
    x = labels.reshape(-1, 1, labels.shape[-2], labels.shape[-1]).float()
    size = 2 * width + 1
    top = F.max_pool2d(x, size, stride=1, padding=width)
    low = -F.max_pool2d(-x, size, stride=1, padding=width)
    band = (top != low).view(labels.shape)
    return band & (labels != ignore_index)


slips(
    "trimap_band",
    by_pooling,
    r"""
the side with the lower label
    top != low => x != top
the side with the higher label
    top != low => x != low
?
    != ignore_index) => != ignore_index) & (labels != 0)
where two objects touch
    x = labels. => x = (labels > 0).
Inside and outside are swapped
    top != low => top == low
`width` pixels wide as a whole
    size = 2 * width + 1 => width = width // 2\n    size = 2 * width + 1
one pixel too wide
    size = 2 * width + 1 => width += 1\n    size = 2 * width + 1
?
    size = 2 * width + 1 => size, width = 3, 1
border of the image counts
    size = => x, size, padding = F.pad(x, [width] * 4), 0, 0\n    size =
    top = F.max_pool2d(x, size, stride=1, padding=width) => top = F.max_pool2d(x, size, stride=1)
    low = -F.max_pool2d(-x, size, stride=1, padding=width) => low = -F.max_pool2d(-x, size, stride=1)
Ignored pixels are in your band
    & (labels != ignore_index) =>
255 is written out
    != ignore_index => != 255
there is an outline too; your band has none there
    (-x, => (-torch.where(x == ignore_index, 1e6, x),
    (x, => (torch.where(x == ignore_index, -1.0, x),
?
    top = F.max_pool2d(x, size, stride=1, padding=width) => top = F.avg_pool2d(x, size, 1, width, False, False)
    low = -F.max_pool2d(-x, size, stride=1, padding=width) => low = x
gives the shape (1, 1, 23, 29)
    .view(labels.shape) =>
right for (N, H, W) only
    labels.reshape(-1, 1, labels.shape[-2], labels.shape[-1]) => labels.unsqueeze(1)
right for a single (H, W) only
    labels.reshape(-1, 1, labels.shape[-2], labels.shape[-1]) => labels[None, None]
?
    .float() => .byte().float()
gives torch.int64; it must be torch.bool, although the values are right
    return band & (labels != ignore_index) => return (band & (labels != ignore_index)).long()
type ndarray
    return band & (labels != ignore_index) => return (band & (labels != ignore_index)).numpy()
changes what it is given
    return => labels[labels == ignore_index] = 0\n    return
the package's own `trimap_band`
    return band & (labels != ignore_index) => return published_band(labels, width, ignore_index=ignore_index)
?
    ignore_index=255 => ignore_index=-100
?
    size = 2 * width + 1 => size, width = (1, 2 * width + 1), (0, width)
?
    .float() => .bfloat16()
?
    return band & (labels != ignore_index) => return (band & (labels != ignore_index)).squeeze()
?
    labels != ignore_index => labels < ignore_index
""",
)


@right("trimap_band")
def by_shifts(labels, width, ignore_index=255, looks_at=lambda y, x: True):
    pad = F.pad(labels.reshape(-1, 1, *labels.shape[-2:]).double(), (width,) * 4, mode="constant", value=-7).long()
    rows, columns = labels.shape[-2:]
    band = torch.zeros_like(labels, dtype=torch.bool)
    for y, x in np.ndindex(2 * width + 1, 2 * width + 1):
        if looks_at(y - width, x - width):
            other = pad[:, 0, y : y + rows, x : x + columns].reshape(labels.shape)
            band |= (other != labels) & (other != -7)
    return band & (labels != ignore_index)


@wrong("trimap_band", "of all values differ")
def diamond(labels, width, ignore_index=255):
    return by_shifts(labels, width, ignore_index, lambda y, x: abs(y) + abs(x) <= width)


@wrong("trimap_band", "of all values differ")
def disc(labels, width, ignore_index=255):
    return by_shifts(labels, width, ignore_index, lambda y, x: y * y + x * x <= width * width)


@right("trimap_band")
def by_each_label(values, width, ignore_index=255):
    """A mask for each label, dilated in `width` small steps: where two of them meet is the band."""
    met = torch.zeros(values.shape, dtype=torch.int64)
    for label in values.unique():
        mask = (values == label)[..., None, :, :].float()
        for _ in range(width):
            mask = F.max_pool2d(mask, 3, 1, 1)
        met += mask.squeeze(-3).long()
    return (met > 1).logical_and(values.ne(ignore_index))


@right("trimap_band")
def by_numpy(labels, width, *, ignore_index=255):
    given = labels.numpy()
    flat = given.reshape(-1, *given.shape[-2:])
    band = np.zeros(flat.shape, dtype=bool)
    for n, i, j in np.ndindex(*flat.shape):
        window = flat[n, max(0, i - width) : i + width + 1, max(0, j - width) : j + width + 1]
        band[n, i, j] = window.min() < window.max() and flat[n, i, j] != ignore_index
    return torch.from_numpy(band.reshape(given.shape))


# ---------------------------------------------------------------------------------------------------- is_deeplabv3plus


OTHERS = (DeepLabV3Head, FCNHead, LinearHead, ClassificationHead)


@right("is_deeplabv3plus")
def by_class(model):
    return isinstance(model.head, DeepLabV3PlusHead)


slips(
    "is_deeplabv3plus",
    by_class,
    r"""
True for every model, a classifier
    isinstance(model.head, DeepLabV3PlusHead) => isinstance(model.head, nn.Module)
False for every model
    model.head, => model,
True for every model that labels pixels
    model.head, DeepLabV3PlusHead => model, SegmentationModel
True and False are swapped
    isinstance => not isinstance
it has ASPP too
    isinstance(model.head, DeepLabV3PlusHead) => "aspp" in dict(model.head.named_children())
another head with a layer `decoder`
    isinstance(model.head, DeepLabV3PlusHead) => not isinstance(model.head, OTHERS)
another head with a layer `decoder`
    isinstance(model.head, DeepLabV3PlusHead) => hasattr(model.head, "decoder")
not all subclasses of it
    isinstance(model.head, DeepLabV3PlusHead) => type(model.head) is DeepLabV3PlusHead
?
    isinstance(model.head, DeepLabV3PlusHead) => "DeepLabV3Plus" in str(model)
?
    isinstance(model.head, DeepLabV3PlusHead) => model.head.__class__.__name__.startswith("DeepLabV3")
the backbone alone
    isinstance(model.head, DeepLabV3PlusHead) => "c2" in model.backbone.feature_specs
Any backbone will do
    DeepLabV3PlusHead) => DeepLabV3PlusHead) and model.backbone.name in ("mobilenet_v2", "resnet18", "resnet101")
an int for
    isinstance(model.head, DeepLabV3PlusHead) => int(isinstance(model.head, DeepLabV3PlusHead))
fails on DeepLabv3 (ASPP, no decoder)
    isinstance(model.head, DeepLabV3PlusHead) => len(model.head.decoder) == 2
says True for FCN
    DeepLabV3PlusHead) => (DeepLabV3PlusHead, FCNHead))
changes what it is given
    return => model.requires_grad_(False)\n    return
the package's own `is_deeplabv3plus`
    isinstance(model.head, DeepLabV3PlusHead) => published_rule(model)
?
    isinstance(model.head, DeepLabV3PlusHead) => True if isinstance(model.head, DeepLabV3PlusHead) else None
""",
)


@right("is_deeplabv3plus")
def as_numpy(model):
    return np.bool_(issubclass(type(model.head), DeepLabV3PlusHead))


@right("is_deeplabv3plus")
def by_modules(model):
    return any(isinstance(part, DeepLabV3PlusHead) for part in model.children())
