"""Answers to the exercises of lesson 04: wrong ones, each with a phrase of its message, and right ones."""

import copy
import statistics

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

WRONG = {"convolutionalise": {}, "confusion_matrix": {}, "mean_iou": {}}


def wrong(name, phrase):
    def register(answer):
        WRONG[name][answer.__name__.strip("_")] = (answer, phrase)
        return answer

    return register


# ------------------------------------------------------------------------------------------------- convolutionalise


def empty_like(linear, **settings):
    return nn.Conv2d(linear.in_features, linear.out_features, **{"kernel_size": 1, "bias": has_bias(linear)} | settings)


def has_bias(linear):
    return linear.bias is not None


def right_conv(linear, **settings):
    conv = empty_like(linear, **settings)
    conv.weight.data.copy_(linear.weight.data[:, :, None, None])
    if has_bias(linear):
        conv.bias.data.copy_(linear.bias.data)
    return conv


@wrong("convolutionalise", "neither true nor false")
def asks_the_bias_itself(linear):
    conv = nn.Conv2d(linear.in_features, linear.out_features, 1, bias=linear.bias is not None)
    with torch.no_grad():
        conv.weight.copy_(linear.weight[:, :, None, None])
        if linear.bias:
            conv.bias.copy_(linear.bias)
    return conv


@wrong("convolutionalise", "Neither the weights nor the bias")
def nothing_copied(linear):
    return empty_like(linear)


@wrong("convolutionalise", "The weights of your layer are not those of `linear`")
def weight_not_copied(linear):
    conv = right_conv(linear)
    nn.init.normal_(conv.weight)
    return conv


@wrong("convolutionalise", "the bias is not: it must have")
def bias_not_copied(linear):
    conv = right_conv(linear)
    if has_bias(linear):
        nn.init.zeros_(conv.bias)
    return conv


@wrong("convolutionalise", "no bias, but `linear` has one")
def bias_lost(linear):
    conv = empty_like(linear, bias=False)
    conv.weight.data = linear.weight.data.clone()[..., None, None]
    return conv


@wrong("convolutionalise", "has a bias where `linear` has none")
def bias_made_up(linear):
    conv = empty_like(linear, bias=True)
    conv.weight.data = linear.weight.data.clone()[..., None, None]
    conv.bias.data = linear.bias.data.clone() if has_bias(linear) else torch.zeros(linear.out_features)
    return conv


@wrong("convolutionalise", "`linear.bias` is None")
def always_copies_the_bias(linear):
    conv = nn.Conv2d(linear.in_features, linear.out_features, 1)
    conv.weight.data = linear.weight.data.clone()[..., None, None]
    conv.bias.data = linear.bias.data.clone()
    return conv


@wrong("convolutionalise", "takes that answer, True or False")
def bias_as_argument(linear):
    return nn.Conv2d(linear.in_features, linear.out_features, 1, bias=linear.bias)


@wrong("convolutionalise", "The weights are transposed")
def transposed(linear):
    conv = right_conv(linear)
    conv.weight.data = linear.weight.data.T.reshape(conv.weight.shape).clone()
    return conv


@wrong("convolutionalise", "in the other order, the same as")
def transposed_by_copy(linear):
    conv = empty_like(linear)
    with torch.no_grad():
        conv.weight.copy_(linear.weight.T[:, :, None, None])
    return conv


@wrong("convolutionalise", "What comes in and what goes out are mixed up")
def transposed_by_slice(linear):
    conv = empty_like(linear)
    conv.weight.data[:] = linear.weight.data.T[:, :, None, None]
    return conv


@wrong("convolutionalise", "Your code raised an error when the check called")
def state_for_a_large_kernel(linear):
    conv = empty_like(linear, kernel_size=3)
    conv.load_state_dict({key: v[:, :, None, None] if v.dim() == 2 else v for key, v in linear.state_dict().items()})
    return conv


@wrong("convolutionalise", "The channels are swapped")
def channels_swapped(linear):
    conv = nn.Conv2d(linear.out_features, linear.in_features, 1, bias=has_bias(linear))
    conv.weight = nn.Parameter(linear.weight.detach().clone()[:, :, None, None])
    return conv


@wrong("convolutionalise", "mixed up. `nn.Conv2d` is built from the channels in")
def channels_swapped_at_load(linear):
    conv = nn.Conv2d(linear.out_features, linear.in_features, 1, bias=has_bias(linear))
    conv.load_state_dict({key: v[:, :, None, None] if v.dim() == 2 else v for key, v in linear.state_dict().items()})
    return conv


@wrong("convolutionalise", "Your kernel is 7x7 and reads 2 channels")
def kernel_of_the_map(linear):
    conv = nn.Conv2d(linear.in_features // 49, linear.out_features, 7)
    conv.weight.data = linear.weight.data.clone().view(linear.out_features, -1, 7, 7)
    conv.bias.data = linear.bias.data.clone()
    return conv


@wrong("convolutionalise", "Your kernel is 1x98 and reads 1 channel:")
def kernel_of_the_row(linear):
    conv = nn.Conv2d(1, linear.out_features, (1, linear.in_features), bias=has_bias(linear))
    conv.weight.data = linear.weight.data.clone()[:, None, None]
    return conv


@wrong("convolutionalise", "Your kernel is 3x3")
def kernel_of_three(linear):
    conv = empty_like(linear, kernel_size=3, padding=1)
    conv.weight.data.zero_()[:, :, 1, 1] = linear.weight.data
    return conv


@wrong("convolutionalise", "Your convolution strides")
def strides(linear):
    return right_conv(linear, stride=2)


@wrong("convolutionalise", "Your convolution pads the map")
def pads(linear):
    return right_conv(linear, padding=1)


@wrong("convolutionalise", "has groups")
def grouped(linear):
    return nn.Conv2d(linear.in_features, linear.out_features, 1, groups=2)


@wrong("convolutionalise", "makes 6 channels out of 6; `linear` makes 6 out of 98")
def same_channels(linear):
    return nn.Conv2d(linear.out_features, linear.out_features, 1, bias=has_bias(linear))


@wrong("convolutionalise", "You return a function")
def as_function(linear):
    return lambda x: F.conv2d(x, linear.weight[:, :, None, None], linear.bias)


@wrong("convolutionalise", "You return the weights, a tensor")
def only_the_weight(linear):
    return linear.weight[:, :, None, None]


@wrong("convolutionalise", "You return a tensor of shape (1, 6, 4, 4)")
def applied(linear):
    return right_conv(linear)(torch.zeros(1, linear.in_features, 4, 4))


@wrong("convolutionalise", "You return a tuple of 2")
def weight_and_bias(linear):
    return linear.weight[:, :, None, None], torch.zeros(1)


@wrong("convolutionalise", "You return `linear` itself")
def unchanged(linear):
    return linear


@wrong("convolutionalise", "change `linear` and return it")
def reshapes_linear(linear):
    linear.weight = nn.Parameter(linear.weight.detach()[:, :, None, None])
    return linear


@wrong("convolutionalise", "changes the `linear` that it is given")
def zeroes_linear(linear):
    conv = right_conv(linear)
    linear.weight.data.zero_()
    return conv


@wrong("convolutionalise", "how it knows what training may change")
def plain_view(linear):
    conv = empty_like(linear)
    conv.weight = linear.weight.view(linear.out_features, linear.in_features, 1, 1)
    return conv


@wrong("convolutionalise", "is a plain tensor")
def plain_attribute(linear):
    conv = empty_like(linear)
    del conv.weight
    conv.weight = linear.weight.detach().clone()[:, :, None, None]
    return conv


class Permuted(nn.Module):
    def __init__(self, linear):
        super().__init__()
        self.linear = linear

    def forward(self, x):
        return self.linear(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


@wrong("convolutionalise", "Your Permuted still holds a linear layer")
def permuted(linear):
    return Permuted(copy.deepcopy(linear))


@wrong("convolutionalise", "You return an `nn.Linear`, which reads the last axis")
def copied_linear(linear):
    return copy.deepcopy(linear)


@wrong("convolutionalise", "is wrapped in a Sequential")
def wrapped(linear):
    return nn.Sequential(right_conv(linear), nn.ReLU())


@wrong("convolutionalise", "a single module, a Conv1d")
def one_axis(linear):
    return nn.Conv1d(linear.in_features, linear.out_features, 1)


@wrong("convolutionalise", "You return the class Conv2d")
def class_only(linear):
    return nn.Conv2d


@wrong("convolutionalise", "has no weight yet")
def lazy(linear):
    return nn.LazyConv2d(linear.out_features, 1)


@wrong("convolutionalise", "The weight of your layer lies in the same memory")
def shared_view(linear):
    conv = right_conv(linear)
    conv.weight = nn.Parameter(linear.weight[:, :, None, None])
    return conv


@wrong("convolutionalise", "The bias of your layer lies in the same memory")
def shared_bias(linear):
    conv = right_conv(linear)
    conv.bias = linear.bias
    return conv


@wrong("convolutionalise", "it could not be trained")
def frozen(linear):
    return right_conv(linear).requires_grad_(False)


@wrong("convolutionalise", "torch.float64 on cpu, in `linear` torch.float32")
def doubled(linear):
    return right_conv(linear).double()


@wrong("convolutionalise", "`torch.no_grad()` says so")
def records_the_copy(linear):
    conv = empty_like(linear)
    conv.weight.copy_(linear.weight[:, :, None, None])
    return conv


@wrong("convolutionalise", "two axes, that of a convolution four")
def two_axes(linear):
    conv = empty_like(linear)
    with torch.no_grad():
        conv.weight.copy_(linear.weight)
    return conv


@wrong("convolutionalise", "size mismatch for weight")
def state_as_it_is(linear):
    conv = empty_like(linear)
    conv.load_state_dict(linear.state_dict())
    return conv


@wrong("convolutionalise", "has shape (6, 98): a kernel has rows and columns, so")
def weight_of_two_axes(linear):
    conv = right_conv(linear)
    conv.weight = nn.Parameter(linear.weight.detach().clone())
    return conv


@wrong("convolutionalise", "`in_features` and `out_features`")
def linear_with_channels(linear):
    return nn.Conv2d(linear.in_channels, linear.out_channels, 1)


@wrong("convolutionalise", "other values than the reference with the same weights")
def with_a_hook(linear):
    conv = right_conv(linear)
    conv.register_forward_hook(lambda module, inputs, output: output.relu())
    return conv


def by_state_dict(linear):
    conv = nn.Conv2d(linear.in_features, linear.out_features, kernel_size=(1, 1), bias=linear.bias is not None)
    conv.load_state_dict({key: v[:, :, None, None] if v.dim() == 2 else v for key, v in linear.state_dict().items()})
    return conv


def by_parameters(linear):
    out_features, in_features = linear.weight.shape
    conv = nn.Conv2d(in_features, out_features, 1)
    conv.weight = nn.Parameter(linear.weight.clone().reshape(out_features, in_features, 1, 1))
    conv.bias = None if linear.bias is None else nn.Parameter(linear.bias.clone())
    return conv


def by_deepcopy(linear):
    linear = copy.deepcopy(linear)
    conv = nn.Conv2d(linear.in_features, linear.out_features, 1, padding="same", bias=False)
    conv.weight.data = linear.weight.data.unsqueeze(-1).unsqueeze(-1)
    conv.bias = linear.bias
    return conv


# ------------------------------------------------------------------------------------------------- confusion_matrix


def pairs_of(prediction, target, num_classes):
    """Every pixel that it is given, counted by the number of its pair."""
    pairs = target.flatten().long() * num_classes + prediction.flatten().long()
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def right_matrix(prediction, target, num_classes, ignore_index=255):
    kept = target != ignore_index
    return pairs_of(prediction[kept], target[kept], num_classes)


def by_class(prediction, target, num_classes, kept):
    rows = [[(kept & (target == i) & (prediction == j)).sum() for j in range(num_classes)] for i in range(num_classes)]
    return torch.tensor(rows)


@wrong("confusion_matrix", "Rows and columns are swapped")
def predicted_rows(prediction, target, num_classes, ignore_index=255):
    kept = target != ignore_index
    return pairs_of(target[kept], prediction[kept], num_classes)


@wrong("confusion_matrix", "as class 0, as if they were background")
def ignored_as_background(prediction, target, num_classes, ignore_index=255):
    return pairs_of(prediction, target.where(target != ignore_index, 0), num_classes)


@wrong("confusion_matrix", "as the last class")
def ignored_as_last(prediction, target, num_classes, ignore_index=255):
    return pairs_of(prediction, target.where(target != ignore_index, num_classes - 1), num_classes)


@wrong("confusion_matrix", "moved to the nearest class")
def clamped(prediction, target, num_classes, ignore_index=255):
    return pairs_of(prediction, target.long().clamp(0, num_classes - 1), num_classes)


@wrong("confusion_matrix", "predicted right. Nobody knows that")
def ignored_as_right(prediction, target, num_classes, ignore_index=255):
    return pairs_of(prediction, target.where(target != ignore_index, prediction), num_classes)


@wrong("confusion_matrix", "Ignored pixels are not taken out before you count")
def ignored_not_dropped(prediction, target, num_classes, ignore_index=255):
    return pairs_of(prediction, target, num_classes)


@wrong("confusion_matrix", "index 255 is out of bounds")
def ignored_as_index(prediction, target, num_classes, ignore_index=255):
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    for p, t in zip(prediction.flatten().tolist(), target.flatten().tolist(), strict=True):
        matrix[t, p] += 1
    return matrix


@wrong("confusion_matrix", "Class values must be smaller than num_classes")
def ignored_one_hot(prediction, target, num_classes, ignore_index=255):
    true, predicted = F.one_hot(target.flatten(), num_classes), F.one_hot(prediction.flatten(), num_classes)
    return true.T @ predicted


@wrong("confusion_matrix", "`ignore_index` is not used in yours")
def ignore_index_unused(prediction, target, num_classes, ignore_index=255):
    return by_class(prediction, target, num_classes, torch.ones_like(target, dtype=torch.bool))


@wrong("confusion_matrix", "You leave out the label 255 whatever `ignore_index` says")
def hard_coded(prediction, target, num_classes, ignore_index=255):
    return right_matrix(prediction, target, num_classes, 255)


@wrong("confusion_matrix", "You look for `ignore_index` in the prediction")
def ignore_in_prediction(prediction, target, num_classes, ignore_index=255):
    kept = prediction != ignore_index
    return pairs_of(prediction[kept], target[kept], num_classes)


@wrong("confusion_matrix", "in the prediction; it is the target that says")
def ignore_in_prediction_by_class(prediction, target, num_classes, ignore_index=255):
    return by_class(prediction, target, num_classes, prediction != ignore_index)


@wrong("confusion_matrix", "You also leave out pixels whose prediction is `ignore_index`")
def ignore_in_both(prediction, target, num_classes, ignore_index=255):
    return by_class(prediction, target, num_classes, (target != ignore_index) & (prediction != ignore_index))


@wrong("confusion_matrix", "only if target and prediction both are")
def ignore_in_either(prediction, target, num_classes, ignore_index=255):
    return by_class(prediction, target, num_classes, (target != ignore_index) | (prediction != ignore_index))


@wrong("confusion_matrix", "turn the condition round")
def inverted(prediction, target, num_classes, ignore_index=255):
    return by_class(prediction, target, num_classes, target == ignore_index)


@wrong("confusion_matrix", "have a row of their own")
def extra_class(prediction, target, num_classes, ignore_index=255):
    return pairs_of(prediction, target.where(target != ignore_index, num_classes), num_classes + 1)


@wrong("confusion_matrix", "You divide the counts")
def shares(prediction, target, num_classes, ignore_index=255):
    matrix = right_matrix(prediction, target, num_classes, ignore_index)
    return matrix / matrix.sum(dim=1, keepdim=True)


@wrong("confusion_matrix", "You return a score per class")
def accuracies(prediction, target, num_classes, ignore_index=255):
    matrix = right_matrix(prediction, target, num_classes, ignore_index)
    return matrix.diagonal() / matrix.sum(dim=1).clamp(min=1)


@wrong("confusion_matrix", "You count `prediction[0]` and `target[0]` only")
def first_image(prediction, target, num_classes, ignore_index=255):
    if target.dim() == 3:
        prediction, target = prediction[0], target[0]
    return right_matrix(prediction, target, num_classes, ignore_index)


@wrong("confusion_matrix", "one matrix per image")
def per_image(prediction, target, num_classes, ignore_index=255):
    if target.dim() == 2:
        return right_matrix(prediction, target, num_classes, ignore_index)
    return torch.stack([right_matrix(p, t, num_classes, ignore_index) for p, t in zip(prediction, target, strict=True)])


@wrong("confusion_matrix", "overflow when the labels are uint8")
def overflow(prediction, target, num_classes, ignore_index=255):
    kept = target != ignore_index
    pairs = target[kept] * num_classes + prediction[kept]
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


@wrong("confusion_matrix", "Make them int64 before you use them")
def indexed_with_uint8(prediction, target, num_classes, ignore_index=255):
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    kept = target != ignore_index
    ones = torch.ones(int(kept.sum()), dtype=torch.int64)
    return matrix.index_put_((target[kept], prediction[kept]), ones, accumulate=True)


@wrong("confusion_matrix", "one_hot is only applicable to index tensor")
def one_hot_of_uint8(prediction, target, num_classes, ignore_index=255):
    kept = target != ignore_index
    return F.one_hot(target[kept], num_classes).T @ F.one_hot(prediction[kept], num_classes)


@wrong("confusion_matrix", "The background is left out")
def no_background(prediction, target, num_classes, ignore_index=255):
    return right_matrix(prediction, target, num_classes, ignore_index)[1:, 1:]


@wrong("confusion_matrix", "begin with class 1")
def from_class_one(prediction, target, num_classes, ignore_index=255):
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    for i in range(1, num_classes):
        for j in range(1, num_classes):
            matrix[i - 1, j - 1] = ((target == i) & (prediction == j) & (target != ignore_index)).sum()
    return matrix


@wrong("confusion_matrix", "The last class is left out")
def no_last_class(prediction, target, num_classes, ignore_index=255):
    return by_class(prediction, target, num_classes - 1, target != ignore_index)


@wrong("confusion_matrix", "See `minlength`")
def no_minlength(prediction, target, num_classes, ignore_index=255):
    kept = target != ignore_index
    pairs = target[kept].long() * num_classes + prediction[kept].long()
    return torch.bincount(pairs).reshape(num_classes, num_classes)


@wrong("confusion_matrix", "beyond the last cell")
def times_21(prediction, target, num_classes, ignore_index=255):
    kept = target != ignore_index
    pairs = target[kept].long() * 21 + prediction[kept].long()
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


@wrong("confusion_matrix", "Your code raised an error when the check called")
def back_into_shape(prediction, target, num_classes, ignore_index=255):
    kept = target != ignore_index
    return pairs_of(prediction[kept].reshape(prediction.shape), target[kept].reshape(target.shape), num_classes)


@wrong("confusion_matrix", "in one long row")
def not_reshaped(prediction, target, num_classes, ignore_index=255):
    return right_matrix(prediction, target, num_classes, ignore_index).flatten()


@wrong("confusion_matrix", "`bincount` counts a flat row")
def not_flat(prediction, target, num_classes, ignore_index=255):
    return torch.bincount(target * num_classes + prediction, minlength=num_classes**2)


@wrong("confusion_matrix", "No cell of yours exceeds 1")
def assigned_once(prediction, target, num_classes, ignore_index=255):
    matrix, kept = torch.zeros(num_classes, num_classes, dtype=torch.int64), target != ignore_index
    matrix[target[kept].long(), prediction[kept].long()] += 1
    return matrix


@wrong("confusion_matrix", "Each pixel is counted twice")
def twice(prediction, target, num_classes, ignore_index=255):
    return 2 * right_matrix(prediction, target, num_classes, ignore_index)


@wrong("confusion_matrix", "cannot tell them apart")
def both_ways(prediction, target, num_classes, ignore_index=255):
    matrix = right_matrix(prediction, target, num_classes, ignore_index)
    return matrix + matrix.T


@wrong("confusion_matrix", "only the pixels that were predicted right")
def diagonal_only(prediction, target, num_classes, ignore_index=255):
    return right_matrix(prediction, target, num_classes, ignore_index).diagonal().diag()


@wrong("confusion_matrix", "You count only the mistakes")
def mistakes_only(prediction, target, num_classes, ignore_index=255):
    return by_class(prediction, target, num_classes, (target != ignore_index) & (target != prediction))


@wrong("confusion_matrix", "each pair of a true and a predicted class")
def per_class(prediction, target, num_classes, ignore_index=255):
    return torch.bincount(target[target != ignore_index].long(), minlength=num_classes)


@wrong("confusion_matrix", "You add the two labels")
def labels_added(prediction, target, num_classes, ignore_index=255):
    pairs = (target + prediction)[target != ignore_index]
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


@wrong("confusion_matrix", "changes its input `target` in place")
def writes_into_target(prediction, target, num_classes, ignore_index=255):
    target[target == ignore_index] = 0
    return pairs_of(prediction, target, num_classes)


@wrong("confusion_matrix", "changes its input `prediction` in place")
def writes_into_prediction(prediction, target, num_classes, ignore_index=255):
    kept = target != ignore_index
    prediction[~kept] = 0
    return pairs_of(prediction[kept], target[kept], num_classes)


@wrong("confusion_matrix", "differ in length in yours")
def target_only(prediction, target, num_classes, ignore_index=255):
    target = target[target != ignore_index]
    return torch.bincount(target * num_classes + prediction.flatten(), minlength=num_classes**2)


@wrong("confusion_matrix", "with a single mask.\n    IndexError")
def target_first(prediction, target, num_classes, ignore_index=255):
    target = target[target != ignore_index]
    prediction = prediction[target != ignore_index]
    return pairs_of(prediction, target, num_classes)


@wrong("confusion_matrix", "compared with the prediction of another one")
def target_only_zipped(prediction, target, num_classes, ignore_index=255):
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    for t, p in zip(target[target != ignore_index].tolist(), prediction.flatten().tolist(), strict=False):
        matrix[t, p] += 1
    return matrix


@wrong("confusion_matrix", "The right counts, but as torch.float32")
def floats(prediction, target, num_classes, ignore_index=255):
    return right_matrix(prediction, target, num_classes, ignore_index).float()


@wrong("confusion_matrix", "is something of type ndarray, expected a tensor")
def as_numpy(prediction, target, num_classes, ignore_index=255):
    return right_matrix(prediction, target, num_classes, ignore_index).numpy()


@wrong("confusion_matrix", "torch.sparse_coo on cpu; asked is a dense tensor")
def sparse(prediction, target, num_classes, ignore_index=255):
    return right_matrix(prediction, target, num_classes, ignore_index).to_sparse()


@wrong("confusion_matrix", "has shape (21, 21), expected (3, 3)")
def always_21(prediction, target, num_classes, ignore_index=255):
    return right_matrix(prediction, target, 21, ignore_index)


@wrong(
    "confusion_matrix", "you give: [[3, 1, 0], [0, 3, 1], [1, 0, 2]]\n    expected: [[3, 1, 0], [0, 2, 1], [1, 0, 2]]"
)
def one_too_many(prediction, target, num_classes, ignore_index=255):
    matrix = right_matrix(prediction, target, num_classes, ignore_index)
    matrix[1, 1] += 1
    return matrix


@wrong(
    "confusion_matrix", "right for a tiny image, not for an image without ignored pixels: row 0, column 0 is 1 in yours"
)
def one_too_few(prediction, target, num_classes, ignore_index=255):
    matrix = right_matrix(prediction, target, num_classes, ignore_index)
    return matrix - int(target.shape[-1] > 4)


@wrong("confusion_matrix", "fails for a batch of 3 images")
def images_only(prediction, target, num_classes, ignore_index=255):
    height, width = target.shape
    return right_matrix(prediction, target, num_classes, ignore_index)


@wrong("confusion_matrix", "ignore_index=0)`, but yours takes")
def no_keyword(prediction, target, num_classes):
    return right_matrix(prediction, target, num_classes)


@wrong("confusion_matrix", "has no attribute 'ignored'")
def a_typo(prediction, target, num_classes, ignore_index=255):
    return pairs_of(prediction, target.ignored(ignore_index), num_classes)


def matrix_by_class(prediction, target, num_classes, ignore_index=255):
    return by_class(prediction, target, num_classes, target != ignore_index)


def matrix_by_pixel(prediction, target, num_classes, ignore_index=255):
    matrix = torch.zeros((num_classes, num_classes), dtype=torch.long)
    for p, t in zip(prediction.flatten(), target.flatten(), strict=True):
        if t != ignore_index:
            matrix[int(t)][int(p)] += 1
    return matrix


def matrix_by_one_hot(prediction, target, num_classes, ignore_index=255):
    kept = target != ignore_index
    true, predicted = target[kept].long(), prediction[kept].long()
    return F.one_hot(true, num_classes).T @ F.one_hot(predicted, num_classes)


def matrix_by_index_put(prediction, target, num_classes, ignore_index=255):
    kept = target.reshape(-1).ne(ignore_index).nonzero().squeeze(1)
    index = target.reshape(-1)[kept].to(torch.int64), prediction.reshape(-1)[kept].to(torch.int64)
    return torch.zeros(num_classes, num_classes).index_put_(index, torch.tensor(1.0), accumulate=True).to(torch.int64)


def matrix_by_numpy(prediction, target, num_classes, ignore_index=255):
    matrix = np.zeros((num_classes, num_classes), dtype=np.int64)
    kept = (target != ignore_index).numpy()
    np.add.at(matrix, (target.numpy()[kept], prediction.numpy()[kept]), 1)
    return torch.from_numpy(matrix)


# ------------------------------------------------------------------------------------------------- mean_iou


def counts(confusion):
    return confusion.diagonal(), confusion.sum(dim=1), confusion.sum(dim=0)


def ious(confusion):
    hit, true, predicted = counts(confusion)
    return hit / (true + predicted - hit)


@wrong("mean_iou", "Brackets are missing")
def without_brackets(confusion):
    hit = confusion.diagonal()
    return (hit / confusion.sum(0) + confusion.sum(1) - hit).nanmean().item()


@wrong("mean_iou", "takes the same axis twice")
def one_axis_twice(confusion):
    hit = confusion.diagonal()
    return (hit / (confusion.sum(1) + confusion.sum(1) - hit)).nanmean().item()


@wrong("mean_iou", "`//` does not")
def whole_numbers_and_nanmean(confusion):
    hit = confusion.diagonal()
    union = confusion.sum(0) + confusion.sum(1) - hit
    return (hit // union.clamp(min=1)).nanmean().item()


@wrong("mean_iou", "that is its accuracy (recall)")
def class_accuracy(confusion):
    hit, true, _ = counts(confusion)
    return (hit / true).nanmean().item()


@wrong("mean_iou", "that is its precision")
def precision(confusion):
    hit, _, predicted = counts(confusion)
    return (hit / predicted.clamp(min=1)).mean().item()


@wrong("mean_iou", "that is pixel accuracy")
def pixel_accuracy(confusion):
    return (confusion.trace() / confusion.sum()).item()


@wrong("mean_iou", "The intersection is in your union twice")
def no_subtraction(confusion):
    hit, true, predicted = counts(confusion)
    return (hit / (true + predicted)).nanmean().item()


@wrong("mean_iou", "that is Dice")
def dice(confusion):
    hit, true, predicted = counts(confusion)
    return (2 * hit / (true + predicted)).nan_to_num(0).mean().item()


@wrong("mean_iou", "The intersection is missing in your union")
def only_errors(confusion):
    hit, true, predicted = counts(confusion)
    return (hit / (true + predicted - 2 * hit)).nanmean().item()


@wrong("mean_iou", "You divide by the number of all pixels")
def of_all_pixels(confusion):
    return (confusion.diagonal() / confusion.sum()).mean().item()


@wrong("mean_iou", "counts as 0 in your mean")
def absent_as_zero(confusion):
    return ious(confusion).nan_to_num(0).mean().item()


@wrong("mean_iou", "counts as 1 in your mean")
def absent_as_one(confusion):
    hit, true, predicted = counts(confusion.double())
    return ((hit + 1e-9) / (true + predicted - hit + 1e-9)).mean().item()


@wrong("mean_iou", "You return nan")
def nan(confusion):
    return ious(confusion).mean().item()


@wrong("mean_iou", "A class that is never true is left out")
def true_classes(confusion):
    return ious(confusion)[confusion.sum(dim=1) > 0].mean().item()


@wrong("mean_iou", "A class that was never predicted is left out")
def predicted_classes(confusion):
    return ious(confusion)[confusion.sum(dim=0) > 0].mean().item()


@wrong("mean_iou", "Only classes that are both true and predicted")
def true_and_predicted(confusion):
    return ious(confusion)[(confusion.sum(dim=0) > 0) & (confusion.sum(dim=1) > 0)].mean().item()


@wrong("mean_iou", "whose intersection is empty are left out")
def without_zeros(confusion):
    values = ious(confusion)
    return values[values > 0].mean().item()


@wrong("mean_iou", "frequency-weighted IoU")
def weighted(confusion):
    return (ious(confusion).nan_to_num(0) * confusion.sum(dim=1) / confusion.sum()).sum().item()


@wrong("mean_iou", "sum of all intersections by the sum of all unions")
def of_totals(confusion):
    hit, true, predicted = counts(confusion)
    return hit.sum().item() / (true + predicted - hit).sum().item()


@wrong("mean_iou", "The background is left out")
def no_background_in_mean(confusion):
    return ious(confusion)[1:].nanmean().item()


@wrong("mean_iou", "You take the median")
def median(confusion):
    return statistics.median(value for value in ious(confusion).tolist() if value == value)


@wrong("mean_iou", "You add up the classes")
def added(confusion):
    return ious(confusion).nansum().item()


@wrong("mean_iou", "You divide by 21")
def by_21(confusion):
    return ious(confusion).nansum().item() / 21


@wrong("mean_iou", "You give percent")
def percent(confusion):
    return 100 * ious(confusion).nanmean().item()


@wrong("mean_iou", "You round the result")
def rounded(confusion):
    return round(ious(confusion).nanmean().item(), 3)


@wrong("mean_iou", "what is lacking to 1")
def lacking(confusion):
    return 1 - ious(confusion).nanmean().item()


@wrong("mean_iou", "rounds down to whole numbers")
def whole_numbers(confusion):
    hit, true, predicted = counts(confusion)
    values = [i // u for i, u in zip(hit.tolist(), (true + predicted - hit).tolist(), strict=True) if u]
    return sum(values) / len(values)


@wrong("mean_iou", "PyTorch takes no mean of whole numbers")
def mean_of_whole_numbers(confusion):
    hit, true, predicted = counts(confusion)
    return (hit // (true + predicted - hit)).mean().item()


@wrong("mean_iou", "has an empty union: leave it out before you divide")
def zero_division(confusion):
    hit, true, predicted = (values.tolist() for values in counts(confusion))
    values = [i / (t + p - i) for i, t, p in zip(hit, true, predicted, strict=True)]
    return sum(values) / len(values)


@wrong("mean_iou", "is it the union that you divide by?")
def zero_division_by_row(confusion):
    hit, true, predicted = (values.tolist() for values in counts(confusion))
    values = [i / t for i, t, p in zip(hit, true, predicted, strict=True) if t + p > 0]
    return sum(values) / len(values)


@wrong("mean_iou", "returns a tensor; asked is a Python float")
def as_tensor(confusion):
    return ious(confusion).nanmean()


@wrong("mean_iou", "a tensor of shape (3,), a number for each class")
def of_each_class(confusion):
    return ious(confusion)


@wrong("mean_iou", "a list of 3, a number for each class")
def list_of_each_class(confusion):
    return ious(confusion).tolist()


@wrong("mean_iou", "returns a string")
def as_text(confusion):
    return f"{ious(confusion).nanmean():.3f}"


@wrong("mean_iou", "changes its input `confusion` in place")
def zeroes_the_diagonal(confusion):
    hit, errors = confusion.diagonal().clone(), confusion.fill_diagonal_(0)
    return (hit / (hit + errors.sum(dim=0) + errors.sum(dim=1))).nanmean().item()


@wrong("mean_iou", "you give 0.7600; the right answer is 0.5897")
def roots(confusion):
    return ious(confusion).sqrt().nanmean().item()


@wrong("mean_iou", "yours takes `(prediction, target)`")
def of_maps(prediction, target):
    return (prediction == target).float().mean().item()


def mean_in_loops(confusion):
    rows, values = confusion.tolist(), []
    for i, row in enumerate(rows):
        union = sum(row) + sum(other[i] for other in rows) - row[i]
        if union > 0:
            values.append(row[i] / union)
    return sum(values) / len(values)


def mean_by_mask(confusion):
    hit = torch.diag(confusion).float()
    union = confusion.sum(0) + confusion.sum(1) - hit
    return float((hit[union > 0] / union[union > 0]).mean())


def mean_by_numpy(confusion):
    matrix = confusion.numpy()
    hit = np.diag(matrix)
    with np.errstate(invalid="ignore"):
        return np.nanmean(hit / (matrix.sum(axis=0) + matrix.sum(axis=1) - hit))


def mean_of_sums(confusion):
    """Hits, missed and wrongly found pixels; a little number against 0 / 0."""
    hit = confusion.diagonal()
    missed, wrongly = confusion.sum(dim=1) - hit, confusion.sum(dim=0) - hit
    union = hit + missed + wrongly
    return ((hit / (union + 1e-9)).sum() / (union != 0).sum()).item()


RIGHT = [
    ("convolutionalise", by_state_dict),
    ("convolutionalise", by_parameters),
    ("convolutionalise", by_deepcopy),
    ("confusion_matrix", right_matrix),
    ("confusion_matrix", matrix_by_class),
    ("confusion_matrix", matrix_by_pixel),
    ("confusion_matrix", matrix_by_one_hot),
    ("confusion_matrix", matrix_by_index_put),
    ("confusion_matrix", matrix_by_numpy),
    ("mean_iou", mean_in_loops),
    ("mean_iou", mean_by_mask),
    ("mean_iou", mean_by_numpy),
    ("mean_iou", mean_of_sums),
]
