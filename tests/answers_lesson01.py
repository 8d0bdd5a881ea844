"""Answers to the exercises of lesson 01: wrong ones, each with a phrase of its message, and right ones."""

import copy
import math

import torch
from torch import nn

WRONG = {"conv_output_size": {}, "split_vgg": {}, "count_params": {}}


def wrong(name, phrase):
    def register(answer):
        WRONG[name][answer.__name__.strip("_")] = (answer, phrase)
        return answer

    return register


# ------------------------------------------------------------------------------------------------- conv_output_size


@wrong("conv_output_size", "You do not round")
def not_rounded(size, kernel_size, stride=1, padding=0, dilation=1):
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride + 1


@wrong("conv_output_size", "You round up")
def rounded_up(size, kernel_size, stride=1, padding=0, dilation=1):
    return math.ceil((size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1


@wrong("conv_output_size", "nearest whole number")
def rounded(size, kernel_size, stride=1, padding=0, dilation=1):
    return round((size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1


@wrong("conv_output_size", "The first position of the kernel is not counted")
def without_one(size, kernel_size, stride=1, padding=0, dilation=1):
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride


@wrong("conv_output_size", "The first position is divided by the stride too")
def one_inside(size, kernel_size, stride=1, padding=0, dilation=1):
    return (size + 2 * padding - dilation * (kernel_size - 1)) // stride


@wrong("conv_output_size", "The padding is counted once")
def padding_once(size, kernel_size, stride=1, padding=0, dilation=1):
    return (size + padding - dilation * (kernel_size - 1) - 1) // stride + 1


@wrong("conv_output_size", "The padding is subtracted")
def padding_subtracted(size, kernel_size, stride=1, padding=0, dilation=1):
    return (size - 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1


@wrong("conv_output_size", "The padding is left out")
def no_padding(size, kernel_size, stride=1, padding=0, dilation=1):
    return (size - dilation * (kernel_size - 1) - 1) // stride + 1


@wrong("conv_output_size", "The dilation is left out")
def no_dilation(size, kernel_size, stride=1, padding=0, dilation=1):
    return (size + 2 * padding - kernel_size) // stride + 1


@wrong("conv_output_size", "there are only 2 gaps")
def whole_dilation(size, kernel_size, stride=1, padding=0, dilation=1):
    return (size + 2 * padding - dilation * kernel_size) // stride + 1


@wrong("conv_output_size", "The stride is left out")
def no_stride(size, kernel_size, stride=1, padding=0, dilation=1):
    return size + 2 * padding - dilation * (kernel_size - 1)


@wrong("conv_output_size", "only divide by the stride")
def only_stride(size, kernel_size, stride=1, padding=0, dilation=1):
    return size // stride


@wrong("conv_output_size", "The size of the kernel is left out")
def no_kernel(size, kernel_size, stride=1, padding=0, dilation=1):
    return (size + 2 * padding - 1) // stride + 1


@wrong("conv_output_size", '"SAME" padding')
def same_padding(size, kernel_size, stride=1, padding=0, dilation=1):
    return math.ceil(size / stride)


@wrong("conv_output_size", "a float; a number of places is an int")
def floor_gives_a_float(size, kernel_size, stride=1, padding=0, dilation=1):
    return float((size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1) + 1


@wrong("conv_output_size", "are the defaults 1, 0, 1?")
def other_defaults(size, kernel_size, stride=1, padding=1, dilation=1):
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1


@wrong("conv_output_size", "gives a tuple of 2; asked is a number of places")
def both_sides(size, kernel_size, stride=1, padding=0, dilation=1):
    return size, size


@wrong("conv_output_size", "and the right answer is 55")
def another_formula(size, kernel_size, stride=1, padding=0, dilation=1):
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 3


@wrong("conv_output_size", "right for a kernel of 3 only")
def reach_of_three(size, kernel_size, stride=1, padding=0, dilation=1):
    return (size + 2 * padding - kernel_size - 2 * (dilation - 1)) // stride + 1


@wrong("conv_output_size", "With a dilation of 1 it must be the kernel size itself")
def reach_added(size, kernel_size, stride=1, padding=0, dilation=1):
    return (size + 2 * padding - kernel_size - dilation) // stride + 1


def by_trying(size, kernel_size, stride=1, padding=0, dilation=1):
    """Place the kernel again and again, as long as it fits."""
    places, start = 0, -padding
    while start + dilation * (kernel_size - 1) < size + padding:
        places, start = places + 1, start + stride
    return places


def by_pytorch(size, kernel_size, stride=1, padding=0, dilation=1):
    layer = nn.Conv1d(1, 1, kernel_size, stride, padding, dilation)
    return layer(torch.zeros(1, 1, size)).shape[-1]


# ------------------------------------------------------------------------------------------------- split_vgg


@wrong("split_vgg", "ends after `avgpool`")
def pool_in_backbone(model):
    return nn.Sequential(model.features, model.avgpool), nn.Sequential(nn.Flatten(), model.classifier)


@wrong("split_vgg", "flattens its map to one long row")
def flatten_in_backbone(model):
    return nn.Sequential(model.features, model.avgpool, nn.Flatten()), model.classifier


@wrong("split_vgg", "ends among the linear layers")
def only_the_last_linear(model):
    body = nn.Sequential(model.features, model.avgpool, nn.Flatten(), *model.classifier[:-1])
    return body, model.classifier[-1]


@wrong("split_vgg", "a linear layer wants a row: flatten it")
def no_flatten(model):
    return model.features, nn.Sequential(model.avgpool, model.classifier)


@wrong("split_vgg", "lost `avgpool`")
def no_pool(model):
    return model.features, nn.Sequential(nn.Flatten(), model.classifier)


@wrong("split_vgg", "swapped: the backbone (image in) comes first")
def swapped(model):
    return nn.Sequential(model.avgpool, nn.Flatten(), model.classifier), model.features


@wrong("split_vgg", "the whole model")
def whole(model):
    return model, nn.Identity()


@wrong("split_vgg", "leaves out the last pool")
def last_pool_in_head(model):
    head = nn.Sequential(model.features[-1], model.avgpool, nn.Flatten(), model.classifier)
    return model.features[:-1], head


@wrong("split_vgg", "expected are two modules")
def three_parts(model):
    return model.features, model.avgpool, model.classifier


@wrong("split_vgg", "holds a copy of the model's weights")
def copied(model):
    model = copy.deepcopy(model)
    return model.features, nn.Sequential(model.avgpool, nn.Flatten(), model.classifier)


@wrong("split_vgg", "freshly built layers have learnt nothing")
def fresh(model):
    head = nn.Sequential(model.avgpool, nn.Flatten(), nn.LazyLinear(5))
    head(model.features(torch.zeros(1, 3, 32, 32)))
    return model.features, head


@wrong("split_vgg", "changes the model it is given")
def takes_apart(model):
    classifier, model.classifier = model.classifier, nn.Identity()
    return model.features, nn.Sequential(model.avgpool, nn.Flatten(), classifier)


@wrong("split_vgg", "leaves out the ReLUs between the linear layers")
def linears_only(model):
    linear = [layer for layer in model.classifier if isinstance(layer, nn.Linear)]
    return model.features, nn.Sequential(model.avgpool, nn.Flatten(), *linear)


@wrong("split_vgg", "Are the `Dropout` layers")
def no_dropout(model):
    layers = [layer for layer in model.classifier if not isinstance(layer, nn.Dropout)]
    return model.features, nn.Sequential(model.avgpool, nn.Flatten(), *layers)


@wrong("split_vgg", "leave softmax out")
def probabilities(model):
    return model.features, nn.Sequential(model.avgpool, nn.Flatten(), model.classifier, nn.Softmax(1))


@wrong("split_vgg", "is in both parts")
def in_both(model):
    head = nn.Sequential(model.avgpool, nn.Flatten(), model.classifier)
    head.features = nn.Identity()
    body = nn.Sequential(model.features)
    body.register_module("head", head)
    body.forward = lambda x: model.features(x)
    return body, head


@wrong("split_vgg", "keep axis 0, the images")
def flattens_the_batch(model):
    return model.features, nn.Sequential(model.avgpool, nn.Flatten(0), model.classifier)


@wrong("split_vgg", "use `model.avgpool`")
def another_grid(model):
    return model.features, nn.Sequential(nn.AdaptiveAvgPool2d(7), nn.Flatten(), model.classifier)


@wrong("split_vgg", "write `nn.Flatten()`")
def class_of_flatten(model):
    return model.features, nn.Sequential(model.avgpool, nn.Flatten, model.classifier)


def layer_by_layer(model):
    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.classifier = model.classifier
            self.grid = model.avgpool.output_size

        def forward(self, x):
            return self.classifier(nn.functional.adaptive_avg_pool2d(x, self.grid).reshape(len(x), -1))

    return [nn.Sequential(*model.features), Head()]


# ------------------------------------------------------------------------------------------------- count_params


@wrong("count_params", "You count tensors")
def tensors(module):
    return len(list(module.parameters()))


@wrong("count_params", "You count layers")
def layers(module):
    return len(list(module.children()))


@wrong("count_params", "it holds batch norm's running statistics")
def state(module):
    return sum(value.numel() for value in module.state_dict().values())


@wrong("count_params", "Batch norm's running mean, variance and counter")
def with_buffers(module):
    return sum(p.numel() for p in module.parameters()) + sum(b.numel() for b in module.buffers())


@wrong("count_params", "Frozen values are left out")
def trainable(module):
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


@wrong("count_params", "Only weights are counted")
def weights(module):
    return sum(p.numel() for name, p in module.named_parameters() if "weight" in name)


@wrong("count_params", "Batch norm's weight and bias are left out")
def without_norms(module):
    counted = [m for m in module.modules() if not isinstance(m, nn.BatchNorm2d)]
    return sum(p.numel() for m in counted for p in m.parameters(recurse=False))


@wrong("count_params", "Only convolutions and linear layers are counted")
def layers_with_kernels(module):
    kinds = (nn.Conv2d, nn.Linear)
    return sum(p.numel() for m in module.modules() if isinstance(m, kinds) for p in m.parameters())


@wrong("count_params", "counted twice")
def by_recursion(module):
    return sum(p.numel() for p in module.parameters(recurse=False)) + sum(map(by_recursion, module.children()))


@wrong("count_params", "belong to the network itself")
def only_leaves(module):
    leaves = [m for m in module.modules() if not list(m.children())]
    return sum(p.numel() for m in leaves for p in m.parameters())


@wrong("count_params", "Only what belongs to the network itself")
def own(module):
    return sum(p.numel() for p in module.parameters(recurse=False))


@wrong("count_params", "the first axis only")
def first_axis(module):
    return sum(len(p) for p in module.parameters())


@wrong("count_params", "the sizes of the axes; multiply")
def added_axes(module):
    return sum(sum(p.shape) for p in module.parameters())


@wrong("count_params", "returns a tensor; asked is an int")
def as_tensor(module):
    return torch.tensor(sum(p.numel() for p in module.parameters()))


@wrong("count_params", "returns a float; asked is an int")
def millions(module):
    return sum(p.numel() for p in module.parameters()) / 1e6


@wrong("count_params", "`parameters()` already goes into the modules inside")
def each_level_again(module):
    return sum(p.numel() for m in module.modules() for p in m.parameters())


def by_names(module):
    total = 0
    for _, value in module.named_parameters():
        size = 1
        for axis in value.shape:
            size *= axis
        total += size
    return total


RIGHT = [
    ("conv_output_size", by_trying),
    ("conv_output_size", by_pytorch),
    ("split_vgg", layer_by_layer),
    ("count_params", by_names),
]
