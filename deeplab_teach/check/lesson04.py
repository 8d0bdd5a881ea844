"""Lesson 04: the map that a classifier already knows, the loss of a mask, and how good a mask is."""

import torch
from torch import nn

from deeplab_teach.backbones.resnet import BasicBlock, ResNet
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.functions import Call, alike, examine_function, kind_of_tensor
from deeplab_teach.check.mistakes import edited, mistakes
from deeplab_teach.check.run import Wrong, a_kind, random_size
from deeplab_teach.heads.classification import ClassificationHead
from deeplab_teach.losses import segmentation_loss
from deeplab_teach.metrics import confusion_matrix as confusion_matrix_reference
from deeplab_teach.metrics import iou
from deeplab_teach.metrics import mean_iou as mean_iou_reference
from deeplab_teach.models import ImageClassifier
from deeplab_teach.predict import predict_places as predict_places_reference


def _examine_predict_places(answer):
    mixed = _classifier(training=True, hidden_channels=32, dropout=0.5)
    mixed.backbone.layer2.eval()  # as a frozen batch norm
    calls = [
        (_classifier(), torch.rand(3, 70, 100)),
        (_classifier(training=True, deep="c3", hidden_channels=8, dropout=0.9), torch.rand(3, 19, 30)),
        (_classifier(other_scale=True, classes=3), torch.rand(3, 150, 20)),
        (_classifier(other_scale=True, classes=7, hidden_channels=32), torch.rand(3, *random_size(64, 99))),
        (mixed, torch.rand(3, 40, 99)),
    ]
    reference, example, kind = predict_places_reference, "predict_places(model, image)", kind_of_tensor
    advice = "Asked are, at each place of the map that the head averages, the probabilities of all classes."
    examine_function(answer, reference, example, calls, PLACES_MISTAKES, kind=kind, advice=advice)


def _classifier(*, classes=5, training=False, other_scale=False, **head):
    """A small one. Running it in training mode changes what comes out, but its batch norms learn nothing from it."""
    backbone = ResNet("small", BasicBlock, (1, 1, 1, 1), width=4)
    if other_scale:
        backbone.mean, backbone.std = (0.3, 0.6, 0.2), (0.4, 0.2, 0.5)
    model = ImageClassifier(backbone, ClassificationHead(backbone.feature_specs, classes, **head))
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum, part.num_batches_tracked = 0.0, None
            for value in (part.weight.data, part.bias.data, part.running_mean, part.running_var):
                value.uniform_(0.5, 1.5)
    nn.init.normal_(model.head.classifier.weight)
    return model.train(training)


PLACES_MISTAKES = mistakes(r"""
You run the model, or a part of it, in training mode: its batch norms measure this one image. All of it to eval mode.
    with evaluating(model): => if True:
The image is not normalised: the backbone wants it on the scale that it was trained on.
    prepared(model, image[None]) => image[None]
The image is normalised by ImageNet's mean and spread. Each backbone knows its own: `normalize`.
    prepared(model, image[None]) => type(model.backbone).normalize(type(model.backbone), image[None])
You read `c5`, the deepest map, whatever the head reads; `head.deep` names its map.
    [model.head.deep] => ['c5']
The head's own `conv`, which widens the map before the average, is left out.
    model.head.conv(model => (model
The bias of the linear layer is left out.
    convolutionalise(model.head.classifier).to(maps)(maps) => (model.head.classifier.weight @ maps.transpose(1, 2))
        .transpose(1, 2)
These are raw scores; asked are probabilities, so the softmax is missing.
    [0].softmax(dim=0) => [0]
Your softmax runs over the places; at each place the classes are to add up to 1: dim 0 of the map.
    [0].softmax(dim=0) => [0].flatten(1).softmax(dim=1).reshape(-1, *maps.shape[2:])
`squeeze()` removes the map's row too where it has only one. Take the first of the batch: `[0]`.
    (maps)[0] => (maps).squeeze()
The image, or its map, is averaged first in yours: then there is one answer for the whole image. Ask at each place.
    (maps)[0].softmax(dim=0) => (maps)[0].mean(dim=(1, 2)).softmax(dim=0)
You give the likeliest class of each place; asked are the probabilities of all.
    .softmax(dim=0) => .argmax(dim=0)
""")

predict_places = Exercise(
    minutes=10,
    statement="""Show the map that a classifier already knows: the probability of each class at each place of the map
        that its head averages. Afterwards the model is as it was, the mode of each of its modules too.""",
    hints=(
        """The head reads one map and takes three steps: it may widen the map, it averages, it asks one linear layer.
        Leave out the second. And what do an image and a model need before any prediction?""",
        """Eval mode, each module's mode noted before; `backbone.normalize`. Of the map `head.deep`: `head.conv`, then
        `head.classifier` as a 1x1 convolution or by `einsum`, with its bias; a softmax over the classes.""",
    ),
    reference=predict_places_reference,
    examine=_examine_predict_places,
    moral="""No weight is new: whoever averages a map and asks one linear layer has a map of answers all along.""",
)


def _examine_pixel_loss(answer):
    calls = [
        _scores_and_labels(4, (2, 5, 7), 255),
        _scores_and_labels(3, (1, *random_size(4, 8)), 255),
        _scores_and_labels(4, (3, 4, 6), 1),
        _scores_and_labels(3, (2, 6, 5), 0, dtype=torch.float64),
        _scores_and_labels(4, (2, 5, 4), 99),
        _scores_and_labels(300, (1, 3, 4), 255),
        _scores_and_labels(5, (2, 3, 4), 255, kind=torch.uint8),
        Call((torch.randn(2, 3, 4, 5), torch.randint(0, 3, (2, 4, 5)))),
        _scores_and_labels(3, (2, 4, 5), 255, scale=300.0),
    ]
    negative = [_scores_and_labels(3, (2, 4, 6), -1), _scores_and_labels(6, (1, 1, 5), -100)]
    example, kind = "pixel_loss(logits, target)", kind_of_tensor
    advice = "It is the mean, over the pixels that are not ignored, of minus the log of the true class's probability."
    for these, named in ((calls, LOSS_MISTAKES), (negative, ())):
        examine_function(answer, segmentation_loss, example, these, named, kind=kind, advice=advice)
    for call in calls[:4]:
        gradients = []
        for loss in (answer, segmentation_loss):
            logits = call.args[0].clone().requires_grad_()
            value = loss(logits * 1, call.args[1].clone(), **call.kwargs)
            gradients.append(value.requires_grad and torch.autograd.grad(value, logits, allow_unused=True)[0])
        if not alike(*gradients):
            raise Wrong("Your loss is right, but not its gradient: is there a `no_grad`, `detach` or new tensor?")


def _scores_and_labels(classes, size, ignored, *, kind=torch.int64, dtype=torch.float32, scale=2.0):
    """A call with few ignored pixels in the first image and more in the others; some of them are always there."""
    n, *sides = size
    target = torch.randint(0, classes, size)
    target[torch.rand(size) < torch.linspace(0.1, 0.6, n)[:, None, None]] = ignored
    target[:, 0, :2] = torch.tensor([ignored, 2])  # 2 is never the ignored one
    logits = scale * torch.randn(n, classes, *sides, dtype=dtype)
    return Call((logits, target.to(kind)), {} if ignored == 255 else {"ignore_index": ignored})


LOSS_MISTAKES = mistakes(r"""
You divide by the number of all pixels; divide by that of the pixels which are not ignored.
    .long(), ignore_index=ignore_index) => .long(), ignore_index=ignore_index, reduction='sum') / target.numel()
Ignored pixels are taken for class 0. Nobody knows what they are: leave them out.
    target.long(), ignore_index=ignore_index => target.long().where(target != ignore_index, 0)
You leave out the label 255 whatever `ignore_index` says; it may be another number, and a class too.
    .long(), ignore_index=ignore_index => .long(), ignore_index=255
You leave out what is no class, whatever `ignore_index` says; it may be a class.
    target.long(), ignore_index=ignore_index => target.long().where(target < logits.shape[1], -100)
`ignore_index` is not used in yours: PyTorch's own default is -100, and 255 is no class.
    .long(), ignore_index=ignore_index => .long()
You take the mean of each image, and of these the mean: pixels weigh unequally. Take one mean over all pixels.
    return F => return sum(F.cross_entropy(x[None], y[None].long(), ignore_index=ignore_index)
        for x, y in zip(logits, target)) / len(target)\n    return F
You return the sum over the pixels; asked is their mean, or large images would weigh more.
    .long(), ignore_index=ignore_index => .long(), ignore_index=ignore_index, reduction='sum'
A softmax comes before the cross-entropy, which takes one itself: give it the raw scores.
    F.cross_entropy(logits => F.cross_entropy(logits.softmax(dim=1)
Your softmax does not run over the classes, which are dim 1.
    F.cross_entropy(logits => F.nll_loss(logits.log_softmax(dim=-1)
The logarithm of a softmax is infinite where scores differ by 100. `log_softmax` takes both in one step.
    F.cross_entropy(logits => F.nll_loss(logits.softmax(dim=1).log()
The minus is missing: this number would have to grow for the network to get better.
    return F => return -F
Labels may be uint8, as a mask file has them; PyTorch's cross-entropy wants int64: `.long()`.
    target.long() => target
""")

pixel_loss = Exercise(
    minutes=8,
    statement="""Compute the loss of a segmentation network: the cross-entropy of each pixel, averaged over all pixels
        of the batch whose label is not `ignore_index`. Scores may be large, and gradients must flow back to them.""",
    defaults={"ignore_index": 255},
    hints=(
        """Of a single pixel the loss is minus the logarithm of the softmax, at its true class. Which pixels are summed,
        and by which number is the sum divided?""",
        """`F.cross_entropy` does it all: give it raw scores, int64 labels and your `ignore_index`. By hand:
        `log_softmax` over dim 1, `gather` the true class (any where ignored), the mean where a bool mask says so.""",
    ),
    reference=segmentation_loss,
    examine=_examine_pixel_loss,
    moral="""With all pixels as the divisor, a batch with wide ignored rims would train more weakly.""",
)


def _examine_confusion_matrix(answer):
    calls = [
        _label_maps(4, (5, 7), 255),
        _label_maps(4, (7, 5), 255, last=False),
        _label_maps(5, (3, 6, 4), 255),
        _label_maps(3, (1, *random_size(3, 8)), 99),
        _label_maps(4, (8, 6), 0),
        _label_maps(300, (9, 8), 255),
        _label_maps(21, (9, 11), 255, kinds=(torch.uint8, torch.uint8)),
        _label_maps(21, (2, 7, 11), 2, kinds=(torch.int64, torch.uint8)),
        Call((torch.randint(0, 3, (4, 6)), torch.randint(0, 3, (4, 6)), 3)),
    ]
    example, kind = "confusion_matrix(prediction, target, num_classes)", kind_of_tensor
    advice = "Rows are true classes, columns predicted ones."
    for these, named in ((calls, CONFUSION_MISTAKES), ([_label_maps(3, (5, 6), -1)], ())):
        examine_function(answer, confusion_matrix_reference, example, these, named, kind=kind, advice=advice)


def _label_maps(classes, size, ignored, *, last=True, kinds=(torch.int64, torch.int64)):
    """A call with predictions and labels, a fifth of them ignored; `last`: whether the last class occurs."""
    prediction, target = torch.randint(0, classes - (not last), (2, *size))
    target[torch.rand(size) < 0.2] = ignored
    target[..., 0, 0], target[..., -1, -1], prediction[..., 0, 0] = ignored, 1, 1
    options = {} if ignored == 255 else {"ignore_index": ignored}
    return Call((prediction.to(kinds[0]), target.to(kinds[1]), classes), options)


CONFUSION_MISTAKES = mistakes(r"""
Rows and columns are swapped: a row is a true class, a column a predicted one.
    .reshape(num_classes, num_classes) => .reshape(num_classes, num_classes).T
Your numbers for the pairs overflow where the labels are uint8, which end at 255: make them int64 first.
    target[kept].long() * num_classes + prediction[kept].long() => target[kept] * num_classes + prediction[kept]
Ignored pixels are not taken out before you count; their label has no row in the matrix.
    target != ignore_index => target == target
You leave out the label 255 whatever `ignore_index` says; it may be another number, and a class too.
    target != ignore_index => target != 255
    or target != ignore_index => target != 255
    torch.bincount(pairs, minlength=num_classes**2) => torch.zeros(num_classes, num_classes).long().index_put(
        (pairs // num_classes, pairs % num_classes), torch.tensor(1), accumulate=True)
You leave out labels beyond the classes, whatever `ignore_index` says; where it is a class, it is still counted.
    target != ignore_index => target < num_classes
Ignored pixels are counted as class 0, as if they were background. Nobody knows what they are: leave them out.
    kept = target != ignore_index => kept = target == target\n    target = target.where(target != ignore_index, 0)
You also leave out pixels whose prediction is `ignore_index`; a predicted 0 is an answer like any other.
    target != ignore_index => (target != ignore_index) & (prediction != ignore_index)
The row of counts is too short: `bincount` ends it at the largest number that it meets. See `minlength`.
    , minlength=num_classes**2 =>
No cell of yours exceeds 1: `matrix[a, b] += 1` adds only once where a pair comes several times.
    .reshape(num_classes, num_classes) => .reshape(num_classes, num_classes).clamp(max=1)
""")

confusion_matrix = Exercise(
    minutes=10,
    statement="""Count the pixels of an image, or of a batch, by their true class (row) and their predicted class
        (column), without those whose true label is `ignore_index`.""",
    defaults={"ignore_index": 255},
    hints=(
        """Every pixel that counts belongs to one cell of the matrix. Take the others out of both maps first. Number the
        cells row by row: what is the number of the cell for a given true and predicted class?""",
        """One mask keeps the known pixels of both maps, as int64. The cell's number is the true class times
        `num_classes` plus the predicted one; `torch.bincount` counts them (with `minlength`); then `reshape`.""",
    ),
    reference=confusion_matrix_reference,
    examine=_examine_confusion_matrix,
    moral="""Such matrices can be added: sum them over all images and compute a score once, at the end.""",
)


def _examine_mean_iou(answer):
    everywhere = [[[50, 2, 3], [4, 20, 1], [6, 5, 9]], [[61, 5], [9, 40]], torch.randint(1, 5000, (23, 23)).tolist()]
    empty = [
        [[90, 4, 0, 7], [8, 30, 0, 2], [0, 0, 0, 0], [5, 1, 0, 12]],  # class 2 occurs nowhere
        [[60, 3, 0, 2], [1, 40, 0, 6], [9, 2, 0, 4], [7, 5, 0, 30]],  # class 2 is never predicted
        [[60, 3, 8, 2], [1, 40, 4, 6], [0, 0, 0, 0], [7, 5, 2, 30]],  # class 2 is predicted, never true
        [[25, 3, 1], [2, 0, 7], [4, 5, 33]],  # class 1 is never where it was predicted
        [[0, 0, 0, 0], [0, 70, 6, 3], [0, 2, 10, 5], [0, 8, 1, 22]],  # class 0 occurs nowhere
        [[3_000_000_000, 7], [2_000_000_000, 5_000_000_000]],  # of a large data set
    ]
    for tables, named in ((everywhere, SCORE_MISTAKES), (empty, ABSENT_MISTAKES)):
        calls = [(torch.tensor(rows),) for rows in tables]
        examine_function(answer, mean_iou_reference, "mean_iou(confusion)", calls, named, kind=_kind_of_mean)
    if sentence := _kind_of_mean(answer(*calls[0])):  # a number of numpy's
        raise Wrong(sentence)


def _kind_of_mean(value):
    asked = "asked is the mean over the classes as a Python float; see `.item()`."
    return None if isinstance(value, float) else f"Your function returns {a_kind(value)}; {asked}"


SCORE_MISTAKES = mistakes(r"""
You count all pixels at once: that is pixel accuracy, in which a large background hides the small classes.
    iou(confusion).nanmean() => (confusion.trace() / confusion.sum())
You divide the sum of all intersections by that of all unions: large classes weigh more. Divide class by class.
    iou(confusion).nanmean() => (confusion.trace() / (2 * confusion.sum() - confusion.trace()))
You divide by the class's row: that is its recall. The union also has the pixels that were wrongly taken for it.
    iou(confusion) => (confusion.diagonal() / confusion.sum(dim=1))
You divide by the class's column: that is its precision. The union also has the pixels of the class that were missed.
    iou(confusion) => (confusion.diagonal() / confusion.sum(dim=0))
The intersection is in your union twice: it is part of the row and of the column, so one of them must go.
    iou(confusion) => (confusion.diagonal() / (confusion.sum(dim=1) + confusion.sum(dim=0)))
Twice the intersection, divided by row and column: that is Dice (the F1 score), which is kinder than IoU.
    iou(confusion) => (2 * confusion.diagonal() / (confusion.sum(dim=1) + confusion.sum(dim=0)))
Brackets are missing around your union: `/` comes before `+`. A mean IoU can never exceed 1.
    iou(confusion) => (confusion.diagonal() / confusion.sum(dim=1) + confusion.sum(dim=0) - confusion.diagonal())
    or iou(confusion) => (confusion.diagonal() / confusion.sum(dim=0) + confusion.sum(dim=1) - confusion.diagonal())
You add up the classes; divide by the number of those that occur.
    nanmean => nansum
The background is left out of your mean; class 0 counts like any other.
    iou(confusion) => iou(confusion)[1:]
""")
ABSENT_MISTAKES = mistakes(r"""
A class that occurs nowhere has an IoU of 0 / 0, which makes your mean nan. Leave it out.
    nanmean => mean
A class that occurs nowhere counts as 0 in your mean. Nothing was done wrong with it: leave it out.
    nanmean() => nan_to_num(0).mean()
A class that occurs nowhere counts as 1 in your mean. Nothing was found either: leave it out.
    nanmean() => nan_to_num(1).mean()
A class that is never true is left out of your mean even if it was predicted. Its union is not empty: its IoU is 0.
    iou(confusion) => iou(confusion)[confusion.sum(dim=1) > 0]
Classes whose intersection is empty are left out of your mean. An IoU of 0 counts; only an empty union has none.
    iou(confusion) => iou(confusion)[confusion.diagonal() > 0]
""")

mean_iou = Exercise(
    minutes=7,
    statement="""Compute the mean IoU from a confusion matrix, as a Python float: the intersection of each class divided
        by its union, then the mean over the classes that occur, be it as truth or as prediction.""",
    hints=(
        """The pixels of a class are its row, those predicted as it are its column. In which cell do the two meet, and
        how often is that cell in the sum of both?""",
        """`confusion.diagonal()` holds the intersections; a sum over each axis, added, less the diagonal, the unions.
        Divide where the union is not empty (or use a mean that skips nan), and end with `.item()`.""",
    ),
    reference=mean_iou_reference,
    examine=_examine_mean_iou,
    moral="""All classes count the same: to miss a small one altogether costs as much as to miss a large one.""",
    barred=(iou,),
    as_answer=lambda made: type(made)(made.__code__, {**made.__globals__, "iou": edited(iou, ())}),
)
