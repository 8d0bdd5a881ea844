"""Answers to the exercises of lesson 04."""

import copy

import numpy as np
import torch
import torch.nn.functional as F

from answers import right, slips, wrong
from deeplab_teach.metrics import iou as package_iou

# ------------------------------------------------------------------------------------------------------ predict_places


@right("predict_places")
def by_einsum(model, image):
    modes = {part: part.training for part in model.modules()}
    model.eval()
    with torch.no_grad():
        x = model.backbone.normalize(image)[None]
        features = model.backbone(x)
        maps = model.head.conv(features[model.head.deep])[0]
        linear = model.head.classifier
        scores = torch.einsum("kc,chw->khw", linear.weight, maps) + linear.bias[:, None, None]
    for part, mode in modes.items():
        part.training = mode
    return scores.softmax(0)


slips(
    "predict_places",
    by_einsum,
    r"""
The image is not normalised
    model.backbone.normalize(image)[None] => image[None]
normalised by ImageNet's mean
    model.backbone.normalize(image)[None] => ((image - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) /
        torch.tensor([0.229, 0.224, 0.225])[:, None, None])[None]
You read `c5`
    [model.head.deep] => ['c5']
You read `c5`
    features[model.head.deep] => list(features.values())[-1]
The head's own `conv`
    model.head.conv(features[model.head.deep]) => features[model.head.deep]
The bias of the linear layer
    + linear.bias[:, None, None] =>
These are raw scores
    scores.softmax(0) => scores
runs over the places
    scores.softmax(0) => scores.flatten(1).softmax(-1).view_as(scores)
`squeeze()` removes
    [model.head.deep])[0] => [model.head.deep])
    scores = torch.einsum("kc,chw->khw", linear.weight, maps) + linear.bias[:, None, None] => scores = F.conv2d(maps,
        linear.weight[..., None, None], linear.bias).squeeze()
is averaged first in yours
    scores.softmax(0) => scores.mean((1, 2)).softmax(0)
is averaged first in yours
    scores = torch.einsum("kc,chw->khw", linear.weight, maps) + linear.bias[:, None, None] => scores = model(x)[0]
likeliest class of each place
    softmax(0) => argmax(0)
in training mode: its batch norms
    model.eval() => pass
?
    model.eval() => model.backbone.eval()
changes what it is given
    in modes.items(): => in ():
changes what it is given
    for part, mode in modes.items():\n        part.training = mode => model.train(modes[model])
changes what it is given
    return scores => model.requires_grad_(False)\n    return scores
leaves them off
    with torch.no_grad(): => torch.set_grad_enabled(False)\n    if True:
it must be (5, 3, 4)
    return scores.softmax(0) => return F.interpolate(scores[None], image.shape[1:], mode='bilinear')[0].softmax(0)
?
    softmax(0) => softmax(1)
?
    scores.softmax(0) => scores.sigmoid()
?
    return scores.softmax(0) => return scores.softmax(0).permute(1, 2, 0)
""",
)


@wrong("predict_places", "a way through your function")
def returns_sometimes(model, image):
    if image.shape[1] != 19:
        return by_einsum(model, image)


@right("predict_places")
def asks_the_head_at_each_place(model, image):
    """A copy of the model may be changed at will; the head gets maps of a single place."""
    model = copy.deepcopy(model).eval()
    features = model.backbone(model.backbone.normalize(image[None]))[model.head.deep]
    rows, columns = map(range, features.shape[-2:])
    place = lambda i, j: model.head({model.head.deep: features[:, :, i : i + 1, j : j + 1]})[0].softmax(dim=0)
    return torch.stack([torch.stack([place(i, j) for j in columns], dim=1) for i in rows], dim=1)


@right("predict_places")
def with_a_hook(model, image):
    """Let the model run as it is, and catch what comes out of the head's `conv`."""
    seen, before = [], [(part, part.training) for part in model.modules()]
    handle = model.head.conv.register_forward_hook(lambda module, given, out: seen.append(out.detach().clone()))
    try:
        model.eval()(model.backbone.normalize(image)[None])
    finally:
        handle.remove()
        [part.train(mode) for part, mode in before]
    scores = model.head.classifier(seen[0].permute(0, 2, 3, 1))
    return torch.exp(scores - scores.logsumexp(-1, keepdim=True)).permute(0, 3, 1, 2)[0]


# ---------------------------------------------------------------------------------------------------------- pixel_loss


@right("pixel_loss")
def with_torch(logits, target, ignore_index=255):
    return F.cross_entropy(logits, target.long(), ignore_index=ignore_index)


@right("pixel_loss")
def by_gather(logits, target, ignore_index=255):
    target = target.long()
    kept = target != ignore_index
    known = torch.where(kept, target, 0)
    log_p = F.log_softmax(logits, dim=1)
    each = -log_p.gather(1, known[:, None])[:, 0]
    return each[kept].mean()


slips(
    "pixel_loss",
    with_torch,
    r"""
whatever `ignore_index` says; it may be another
    ignore_index=ignore_index => ignore_index=255
?
    , ignore_index=255): => , ignore_index=-100):
PyTorch's own default is -100
    , ignore_index=ignore_index) => )
Labels may be uint8
    target.long() => target
A softmax comes before
    cross_entropy(logits => cross_entropy(logits.softmax(1)
the sum over the pixels
    ignore_index=ignore_index) => ignore_index=ignore_index, reduction='sum')
returns a float; asked is a tensor
    ignore_index=ignore_index) => ignore_index=ignore_index).item()
but not its gradient
    ignore_index=ignore_index) => ignore_index=ignore_index).detach()
torch.float32; it must be torch.float64
    cross_entropy(logits => cross_entropy(logits.float()
?
    F.cross_entropy(logits => F.nll_loss(logits.softmax(1)
is infinite where scores differ
    F.cross_entropy(logits => F.nll_loss(torch.log(logits.softmax(1))
""",
)
slips(
    "pixel_loss",
    by_gather,
    r"""
the number of all pixels
    each[kept].mean() => (each * kept).mean()
taken for class 0
    each[kept].mean() => each.mean()
what is no class, whatever
    kept = target != ignore_index => kept = target < logits.shape[1]
mean of each image
    each[kept].mean() => torch.stack([loss[mask].mean() for loss, mask in zip(each, kept)]).mean()
mean of each image
    each[kept].mean() => ((each * kept).sum((1, 2)) / kept.sum((1, 2))).mean()
?
    each[kept].mean() => torch.stack([each[kept & (target == label)].mean() for label in target[kept].unique()]).mean()
The minus is missing
    -log_p => log_p
Your softmax does not run over the classes
    dim=1) => dim=-1)
but not its gradient
    return each => log_p = log_p.detach() * 1 + 0 * log_p\n    return each[kept].mean() * 0.5 + 0.5 * each.detach()
but not its gradient
    return each[kept].mean() => return torch.tensor(each[kept].mean().item(), dtype=logits.dtype)
it must be ()
    each[kept].mean() => each[kept].mean()[None]
changes what it is given
    kept = target != ignore_index => kept = target != ignore_index\n    target[~kept] = 0
yours takes
    , ignore_index=255): => ):
    kept = target != ignore_index => kept = target != 255
""",
)


@right("pixel_loss")
def by_one_hot(logits, target, ignore_index=255):
    """The classes last, and only the pixels that count."""
    classes = logits.shape[1]
    kept = target.reshape(-1) != ignore_index
    rows = logits.permute(0, 2, 3, 1).reshape(-1, classes)[kept]
    true = F.one_hot(target.reshape(-1)[kept].to(torch.int64), classes).to(rows.dtype)
    return (torch.logsumexp(rows, 1) - (rows * true).sum(1)).sum() / kept.sum()


@right("pixel_loss")
def by_weights(logits, target, ignore_index=255):
    """A hand-made softmax; ignored labels are clamped, and weigh nothing."""
    labels = target.to(torch.int64)
    weight = labels.ne(ignore_index).to(logits.dtype)
    shifted = logits - logits.amax(dim=1, keepdim=True)
    log_p = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
    picked = torch.take_along_dim(log_p, labels.clamp(0, logits.size(1) - 1).unsqueeze(1), dim=1).squeeze(1)
    return -(weight * picked).sum() / weight.sum()


# ---------------------------------------------------------------------------------------------------- confusion_matrix


@right("confusion_matrix")
def by_number(prediction, target, num_classes, ignore_index=255):
    kept = target != ignore_index
    true, said = target[kept].long(), prediction[kept].long()
    numbers = true * num_classes + said
    return torch.bincount(numbers, minlength=num_classes**2).reshape(num_classes, num_classes)


@right("confusion_matrix")
def by_pixel(prediction, target, num_classes, ignore_index=255):
    table = torch.zeros((num_classes, num_classes), dtype=torch.long)
    for s, t in zip(prediction.flatten().tolist(), target.flatten().tolist(), strict=True):
        if t != ignore_index:
            table[t, s] += 1
    return table


@right("confusion_matrix")
def by_class(prediction, target, num_classes, ignore_index=255):
    kept = target != ignore_index
    table = torch.empty(num_classes, num_classes, dtype=torch.int64)
    for i in range(num_classes):
        for j in range(num_classes):
            table[i, j] = (kept & (target == i) & (prediction == j)).sum()
    return table


slips(
    "confusion_matrix",
    by_number,
    r"""
Rows and columns are swapped
    true * num_classes + said => said * num_classes + true
overflow where the labels are uint8
    target[kept].long(), prediction[kept].long() => target[kept], prediction[kept]
as class 0, as if
    kept = target != ignore_index\n => kept = target == target\n    target = target.long().where(target != ignore_index,
        0)\n
The row of counts is too short
    , minlength=num_classes**2) => )
Ignored pixels are not taken out
    target != ignore_index => target == target
You leave out the label 255
    target != ignore_index => target != 255
You leave out labels beyond the classes
    target != ignore_index => target < num_classes
You leave out labels beyond the classes
    target != ignore_index => (target >= 0) & (target < num_classes)
You also leave out pixels whose prediction
    target != ignore_index => (target != ignore_index) & (prediction != ignore_index)
No cell of yours exceeds 1
    return torch.bincount(numbers, minlength=num_classes**2).reshape(num_classes, num_classes) => m =
        torch.zeros(num_classes, num_classes, dtype=torch.int64)\n    m[true, said] += 1\n    return m
torch.float32; it must be torch.int64, although
    .reshape(num_classes, num_classes) => .reshape(num_classes, num_classes).float()
changes what it is given
    kept = target != ignore_index => kept = target != ignore_index\n    target[~kept] = 0
?
    .reshape(num_classes, num_classes) =>
?
    .reshape(num_classes, num_classes) => .reshape(num_classes, num_classes) / kept.sum()
?
    target != ignore_index => prediction != ignore_index
?
    kept = target => prediction, target = (x[0] if x.dim() == 3 else x for x in (prediction, target))\n    kept = target
?
    ignore_index=255): => ignore_index=0):
""",
)
slips(
    "confusion_matrix",
    by_pixel,
    r"""
Rows and columns are swapped
    table[t, s] => table[s, t]
index 255 is out of bounds
    if t != ignore_index: => if True:
You leave out the label 255
    t != ignore_index => t != 255
No cell of yours exceeds 1
    += 1 => = 1
?
    table[t, s] += 1\n    return table => table[t, s] += 1\n            return table
torch.uint8; it must be
    dtype=torch.long => dtype=torch.uint8
""",
)


@right("confusion_matrix")
def by_numpy(prediction, target, num_classes, ignore_index=255):
    table = np.zeros((num_classes, num_classes), dtype=np.int64)
    kept = target.numpy() != ignore_index
    np.add.at(table, (target.numpy()[kept], prediction.numpy()[kept]), 1)
    return torch.from_numpy(table)


@right("confusion_matrix")
def with_a_row_more(prediction, target, num_classes, ignore_index=255):
    """The ignored pixels are counted too, in a row that is cut off."""
    true = torch.where(target == ignore_index, num_classes, target.long()).reshape(-1)
    cells = torch.zeros(num_classes + 1, num_classes)
    cells.index_put_((true, prediction.reshape(-1).long()), torch.ones(()), accumulate=True)
    return cells[:-1].round().to(torch.int64)


# ------------------------------------------------------------------------------------------------------------ mean_iou


@right("mean_iou")
def of_the_table(confusion):
    hit = confusion.diagonal()
    row, column = confusion.sum(dim=1), confusion.sum(dim=0)
    values = hit / (row + column - hit)
    return values.nanmean().item()


slips(
    "mean_iou",
    of_the_table,
    r"""
makes your mean nan
    nanmean => mean
counts as 0 in your mean
    values.nanmean() => values.nan_to_num(0).mean()
counts as 1 in your mean
    hit / (row + column - hit) => (hit + 1e-9) / (row + column - hit + 1e-9)
A class that is never true
    values.nanmean() => values[row > 0].mean()
?
    values.nanmean() => values[column > 0].mean()
whose intersection is empty
    values.nanmean() => values[values > 0].mean()
that is pixel accuracy
    values.nanmean() => (confusion.trace() / confusion.sum())
by that of all unions
    hit / (row + column - hit) => hit.sum() / (row + column - hit).sum()
?
    values.nanmean() => (values.nan_to_num() * row / row.sum()).sum()
You add up the classes
    nanmean => nansum
that is its recall
    (row + column - hit) => row
that is its recall
    (row + column - hit) => row.clamp(min=1)
its precision
    hit / (row + column - hit) => (hit / column).nan_to_num()
The intersection is in your union twice
    (row + column - hit) => (row + column)
that is Dice
    hit / (row + column - hit) => 2 * hit / (row + column)
Brackets are missing
    (row + column - hit) => row + column - hit
Brackets are missing
    (row + column - hit) => column + row - hit
The background is left out
    values.nanmean() => values[1:].nanmean()
a tensor of shape (); asked is the mean
    .item() =>
a list of 3; asked is the mean
    values.nanmean().item() => values.tolist()
changes what it is given
    hit = confusion.diagonal() => hit = confusion.fill_diagonal_(1).diagonal()
it must be 0.
    values.nanmean().item() => round(values.nanmean().item(), 3)
?
    hit / (row + column - hit) => hit / (row + row - hit)
?
    hit = confusion.diagonal() => confusion = confusion.int()\n    hit = confusion.diagonal()
""",
)


@wrong("mean_iou", "the package's own `mean_iou`")
def mean_of_the_package(confusion):
    return package_iou(confusion).nanmean().item()


@wrong("mean_iou", "something of type float32; asked is the mean")
def of_numpys_kind(confusion):
    return np.float32(of_the_table(confusion))


@right("mean_iou")
def in_loops(confusion):
    rows, values = confusion.tolist(), []
    for i, row in enumerate(rows):
        union = sum(row) + sum(other[i] for other in rows) - row[i]
        if union > 0:
            values.append(row[i] / union)
    return sum(values) / len(values)


@right("mean_iou")
def by_numpy_mean(confusion):
    table = confusion.numpy()
    hit = np.diag(table)
    with np.errstate(invalid="ignore"):
        return np.nanmean(hit / (table.sum(axis=0) + table.sum(axis=1) - hit))


@right("mean_iou")
def of_hits_and_errors(confusion):
    """Hits, missed and wrongly found pixels; a little number against 0 / 0."""
    hit = confusion.diagonal()
    union = hit + (confusion.sum(dim=1) - hit) + (confusion.sum(dim=0) - hit)
    return ((hit / (union + 1e-9)).sum() / (union != 0).sum()).item()
