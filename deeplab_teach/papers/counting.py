"""Multiply-adds as TensorFlow counted them for the DeepLab papers.

There a convolution of rate r runs as SpaceToBatch: the map is cut into r x r coarser ones, a plain convolution runs on
each, and they are put together again. For that its sides are rounded UP to multiples of r, and the rounded map is what
is counted. For a whole network of the papers at 513 pixels that is up to 11 % more (rates up to 36 on a map of 65), and
at other scales up to 46 %.
"""

import math
from collections.abc import Sequence

from torch import nn

from deeplab_teach.cost import Cost, count, multiply_adds

# TensorFlow's profiler also counts about this many operations per parameter, once per graph.
PER_PARAMETER = 2.5


def tensorflow_multiply_adds(module: nn.Module, output_shape: Sequence[int], input_shape: Sequence[int] = ()) -> int:
    """As `deeplab_teach.cost.multiply_adds`, but a dilated convolution's map is rounded up to multiples of its rate."""
    if isinstance(module, nn.Conv2d) and max(module.dilation) > 1:
        sides = zip(output_shape[-2:], module.dilation, strict=True)
        output_shape = (*output_shape[:-2], *(rate * math.ceil(side / rate) for side, rate in sides))
    return multiply_adds(module, output_shape, input_shape)


def tensorflow_count(model: nn.Module, image_size: tuple[int, int] = (513, 513), *, per_parameter: float = 0.0) -> Cost:
    """Cost of a model on one image, counted TensorFlow's way; `PER_PARAMETER` adds its profiler's surplus.

    The surplus belongs to no layer: it is in the sum and not in `modules` or `roles`.
    """
    cost = count(model, image_size, layer_cost=tensorflow_multiply_adds)
    surplus = round(per_parameter * cost.params)
    return Cost(cost.params, cost.multiply_adds + surplus, cost.modules, cost.roles)


def scaled_size(image_size: Sequence[int], scale: float) -> tuple[int, int]:
    """The papers' size of an image at a scale: `(n - 1) * scale + 1`, so that 513 becomes 257, 385, 641, ..."""
    height, width = (round((side - 1) * scale) + 1 for side in image_size)
    return height, width
