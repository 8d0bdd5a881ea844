"""A pretrained backbone for pictures of one channel, or of more than three."""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from deeplab_teach.features import Backbone


def with_input_channels(
    backbone: Backbone, channels: int, *, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
) -> Backbone:
    """A copy of a backbone for images `(N, channels, H, W)`; of its weights only those of the first convolution change.

    - One channel, grey: the kernel's three slices are added up. A grey picture, shown three times, gave
      the same (up to what the three colours' means and standard deviations differ by).
    - Four and more: red, green and blue come first and keep their slices; what is new begins at zero, so that the
      features are as before until training makes something of it.

    Load published weights before, not after: they are for three channels. A model that was built with
    such a backbone is not made anew by `load_model`, whose recipes know three channels alone.

    Args:
        backbone: alone, or under a pyramid.
        channels: 1, or 4 and more.
        mean, std: of each channel, of pictures in 0..1, for `normalize`. `None`: for grey the mean of the three
            colours', for each new channel 0.5 and 0.25.

    Raises:
        ValueError: another number of channels, not as many means as channels, or a backbone that does not begin with a
            convolution of three channels.
    """
    if isinstance(channels, bool) or not isinstance(channels, int) or (channels != 1 and channels < 4):
        raise ValueError(f"channels must be 1 (grey) or 4 and more (red, green, blue and others), got {channels!r}.")
    new = copy.deepcopy(backbone)
    name, first = next(((n, m) for n, m in new.named_modules() if isinstance(m, nn.Conv2d)), ("", None))
    if first is None or first.in_channels != 3 or first.groups != 1:
        raise ValueError("with_input_channels needs a backbone that begins with a convolution of three channels.")
    convolution = copy.deepcopy(first)
    convolution.in_channels = channels
    with torch.no_grad():
        if channels == 1:
            weight = first.weight.sum(dim=1, keepdim=True)  # (C, 1, k, k)
        else:
            new_slices = first.weight.new_zeros(len(first.weight), channels - 3, *first.kernel_size)
            weight = torch.cat([first.weight, new_slices], dim=1)  # (C, channels, k, k)
    convolution.weight = nn.Parameter(weight, requires_grad=first.weight.requires_grad)
    new.set_submodule(name, convolution)
    for module in new.modules():
        if isinstance(module, Backbone):  # the backbone, and a pyramid on it
            _tell(module, channels, mean, std)
    return new


def _tell(backbone, channels, mean, std):
    """Write down how many channels there are, and their means and standard deviations."""
    backbone.in_channels = channels
    for key, given, other in (("mean", mean, 0.5), ("std", std, 0.25)):
        before = getattr(backbone, key)
        usual = (sum(before) / 3,) if channels == 1 else (*before, *(channels - 3) * (other,))
        if given is not None and len(given) != channels:
            raise ValueError(f"{key} must have a number for each of the {channels} channels, got {given!r}.")
        setattr(backbone, key, usual if given is None else tuple(given))
