"""Small pieces that both backbones and heads are made of, and the one rule of dilation."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from torch import Tensor, nn

OUTPUT_STRIDES = (8, 16, 32)


def conv_output_size(size: int, kernel_size: int, *, stride: int = 1, padding: int = 0, rate: int = 1) -> int:
    """How many places a convolution or a pool leaves along one side of a map of `size` places.

    `floor((size + 2 * padding - reach) / stride) + 1`, where a kernel reaches over `rate * (kernel_size - 1) + 1`
    places. (Dumoulin & Visin 2016, arXiv 1603.07285, relationship 15.)

    Raises:
        ValueError: the kernel is larger than the padded map, or a number is too small.
    """
    if min(size, kernel_size, stride, rate) < 1 or padding < 0:
        raise ValueError(
            f"size, kernel_size, stride and rate must be 1 or more and padding 0 or more, got {size}, {kernel_size}, "
            f"{stride}, {rate} and {padding}."
        )
    reach, _ = dilated_kernel(kernel_size, rate)
    if reach > size + 2 * padding:
        raise ValueError(f"a kernel that reaches over {reach} places does not fit into {size} + 2 * {padding}.")
    return (size + 2 * padding - reach) // stride + 1


def dilated_kernel(kernel_size: int, rate: int) -> tuple[int, int]:
    """How many places a dilated kernel reaches over, and the padding on each side that keeps the size of a map.

    Neighbouring weights lie `rate` places apart: `kernel_size - 1` such steps, and the first place (DeepLabv3, Chen et
    al. 2017, section 3.1). The padding is for a stride of 1 and an odd kernel: half of what the kernel sticks out.

    >>> dilated_kernel(3, 6)
    (13, 6)
    """
    reach = rate * (kernel_size - 1) + 1
    return reach, (reach - 1) // 2


def valid_weight_share(size: int, rate: int, kernel_size: int = 3) -> float:
    """Which share of a dilated kernel's weights reads the map and not the padding, on average over all its places.

    DeepLabv3 (Chen et al. 2017, section 3.3 and figure 4): as the rate grows towards the size of the map, a 3x3 kernel
    degenerates to a 1x1, whose share of weights is 1 / 9.

    Args:
        size: places along each side of a square map.
        rate: how many places apart neighbouring weights lie.
        kernel_size: weights along each side of the kernel, an odd number.

    Returns:
        A number in 0..1; 1 would be a kernel that never reads padding.
    """
    offsets = [rate * (i - kernel_size // 2) for i in range(kernel_size)]
    along_a_side = sum(max(0, size - abs(offset)) for offset in offsets) / (kernel_size * size)
    return along_a_side**2  # rows and columns are independent


def receptive_field(layers: Iterable[tuple[int, int, int]]) -> tuple[int, int]:
    """How many places of the input one output value reads, and how many apart two neighbouring outputs read.

    Args:
        layers: `(kernel_size, stride, rate)` of each convolution or pool, in order; along one side.

    Returns:
        `(field, step)`: the size of the receptive field, and the stride of the whole stack.

    >>> receptive_field([(3, 1, 1), (3, 1, 1)])
    (5, 1)
    """
    field, step = 1, 1
    for kernel_size, stride, rate in layers:
        field += rate * (kernel_size - 1) * step  # a later layer's neighbours lie `step` input places apart
        step *= stride
    return field, step


def conv_bn_relu(
    in_channels: int, out_channels: int, kernel_size: int = 3, *, stride: int = 1, rate: int = 1
) -> nn.Sequential:
    """Convolution, batch norm, ReLU; the map keeps its size, or has ceil(H / stride) rows.

    The padding grows with the rate (`dilated_kernel`). There is no bias, since the batch norm that follows has one
    of its own.

    Raises:
        ValueError: `kernel_size` is even: there is no middle, and the map would shrink.
    """
    _require_odd(kernel_size)
    _, padding = dilated_kernel(kernel_size, rate)
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, dilation=rate, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


def _require_odd(kernel_size):
    if kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd, so that the map keeps its size, got {kernel_size}.")


class SeparableConv2d(nn.Sequential):
    """Depthwise (3x3 by default), then pointwise 1x1, each followed by batch norm and ReLU (DeepLabv3+, section 3.1).

    The depthwise convolution looks around, one channel at a time; the pointwise one mixes the channels. Batch norm
    and ReLU after both is what the DeepLabv3+ heads do (released TensorFlow code, `split_separable_conv2d`).

    Raises:
        ValueError: `kernel_size` is even.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, *, rate: int = 1):
        _require_odd(kernel_size)
        _, padding = dilated_kernel(kernel_size, rate)
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


def plan_strides(strides: Sequence[int], output_stride: int) -> list[tuple[int, int, int]]:
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


def running_strides(plan: Iterable[tuple[int, int, int]]) -> list[int]:
    """Input pixels per step after each stage of a plan: `[2, 4, 8, 16, 16]` for the example above."""
    reached, result = 1, []
    for stride, _, _ in plan:
        reached *= stride
        result.append(reached)
    return result


def run_with_taps(modules: Iterable[nn.Module], x: Tensor, taps: dict[int, str]) -> dict[str, Tensor]:
    """Run modules one after the other, and give what comes out of some of them: `taps = {number of a module: key}`."""
    features = {}
    for i, module in enumerate(modules):
        x = module(x)
        if i in taps:
            features[taps[i]] = x
    return features
