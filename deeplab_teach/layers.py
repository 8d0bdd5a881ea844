"""Small pieces that both backbones and heads are made of, and the one rule of dilation."""

from collections import OrderedDict

from torch import nn

OUTPUT_STRIDES = (8, 16, 32)


def conv_output_size(size: int, kernel_size: int, *, stride=1, padding=0, dilation=1) -> int:
    """How many places a convolution or a pool leaves along one side of a map of `size` places.

    `floor((size + 2 * padding - reach) / stride) + 1`, where a kernel reaches over `dilation * (kernel_size - 1) + 1`
    places. (Dumoulin & Visin 2016, arXiv 1603.07285, relationship 15.)

    Raises:
        ValueError: the kernel is larger than the padded map.
    """
    reach = dilation * (kernel_size - 1) + 1
    if reach > size + 2 * padding:
        raise ValueError(f"a kernel that reaches over {reach} places does not fit into {size} + 2 * {padding}.")
    return (size + 2 * padding - reach) // stride + 1


def receptive_field(layers) -> tuple[int, int]:
    """How many places of the input one output value reads, and how many apart two neighbouring outputs read.

    Args:
        layers: `(kernel_size, stride, dilation)` of each convolution or pool, in order; along one side.

    Returns:
        `(field, step)`: the size of the receptive field, and the stride of the whole stack.

    >>> receptive_field([(3, 1, 1), (3, 1, 1)])
    (5, 1)
    """
    field, step = 1, 1
    for kernel_size, stride, dilation in layers:
        field += dilation * (kernel_size - 1) * step  # a later layer's neighbours lie `step` input places apart
        step *= stride
    return field, step


def conv_bn_relu(in_channels, out_channels, kernel_size=3, *, stride=1, rate=1) -> nn.Sequential:
    """Convolution, batch norm, ReLU; the map keeps its size, or has ceil(H / stride) rows.

    The padding grows with the dilation (`rate * (kernel_size - 1) // 2`): a dilated 3x3 kernel spans `2 * rate + 1`
    pixels. There is no bias, since the batch norm that follows has one of its own.
    """
    padding = rate * (kernel_size - 1) // 2
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, dilation=rate, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


class SeparableConv2d(nn.Sequential):
    """Depthwise 3x3, then pointwise 1x1, each followed by batch norm and ReLU (DeepLabv3+, section 3.1).

    The depthwise convolution looks around, one channel at a time; the pointwise one mixes the channels. Batch norm
    and ReLU after both is what the DeepLabv3+ heads do (released TensorFlow code, `split_separable_conv2d`).
    """

    def __init__(self, in_channels, out_channels, kernel_size=3, *, rate=1):
        padding = rate * (kernel_size - 1) // 2
        super().__init__(
            OrderedDict(
                depthwise=nn.Conv2d(
                    in_channels,
                    in_channels,
                    kernel_size,
                    padding=padding,
                    dilation=rate,
                    groups=in_channels,
                    bias=False,
                ),
                depthwise_bn=nn.BatchNorm2d(in_channels),
                depthwise_relu=nn.ReLU(),
                pointwise=nn.Conv2d(in_channels, out_channels, 1, bias=False),
                pointwise_bn=nn.BatchNorm2d(out_channels),
                pointwise_relu=nn.ReLU(),
            )
        )


def plan_strides(strides, output_stride: int) -> list[tuple[int, int, int]]:
    """Which stages stride and which dilate, so that the whole network never strides by more than `output_stride`.

    A stage that would stride too far keeps its resolution instead, and from there on each kernel is spread out
    ("atrous", dilated) so that it still sees the same neighbours (DeepLabv3, Chen et al. 2017, section 3.1).

    Args:
        strides: the nominal stride of each stage, in order, the stem included. ResNet: `(2, 2, 2, 2, 2)`.
        output_stride: 8, 16 or 32.

    Returns:
        One `(stride, rate_in, rate_out)` per stage. Convolutions up to and including the one that would have strided
        run at `rate_in`, every later one of the stage at `rate_out`. With this rule published weights compute the
        same features on the denser grid, at the old positions.

    Raises:
        ValueError: `output_stride` is none of 8, 16, 32.

    >>> plan_strides((2, 2, 2, 2, 2), output_stride=16)
    [(2, 1, 1), (2, 1, 1), (2, 1, 1), (2, 1, 1), (1, 1, 2)]
    """
    if output_stride not in OUTPUT_STRIDES:
        raise ValueError(f"output_stride must be one of {OUTPUT_STRIDES}, got {output_stride!r}.")
    plan, reached, rate = [], 1, 1
    for stride in strides:
        rate_in = rate
        if reached * stride > output_stride:
            rate *= stride  # the stride is not taken; the kernels after it spread out instead
            stride = 1
        reached *= stride
        plan.append((stride, rate_in, rate))
    return plan


def require_output_stride(name: str, output_stride: int, only: int, reason: str) -> None:
    """Raise a `ValueError` unless `output_stride` is the one that a backbone without dilation has."""
    if output_stride != only:
        raise ValueError(f"{name} has output_stride={only} and no other, got {output_stride!r}: {reason}.")


def running_strides(plan) -> list[int]:
    """Input pixels per step after each stage of a plan: `[2, 4, 8, 16, 16]` for the example above."""
    reached, result = 1, []
    for stride, _, _ in plan:
        reached *= stride
        result.append(reached)
    return result
