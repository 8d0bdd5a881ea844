"""Lesson 03: which layers a learner's MobileNetV2 block has, and what is wrong with them."""

from deeplab_teach.check.attempt import Wrong
from deeplab_teach.check.blocks import require_no_bias


def explain_kinds(convs, call, in_channels, out_channels, expansion):
    """What the convolutions are called, in order; `Wrong` if there are others than asked for."""
    names = ["first 1x1 convolution", "depthwise convolution", "last 1x1 convolution"][expansion == 1 :]
    if not convs:
        raise Wrong(f"Your block has no `nn.Conv2d`; asked are {len(names)}, one after the other.")
    large = [conv.kernel_size != (1, 1) for conv in convs]
    if large == [name.startswith("depthwise") for name in names]:
        kernel = convs[-2].kernel_size
        if kernel != (3, 3):
            raise Wrong(f"Your depthwise convolution has the kernel {kernel}; asked is 3x3.")
        return names
    if expansion == 1 and large == [False, True, False]:
        raise Wrong(
            "With an expansion of 1 nothing is widened, so the first 1x1 convolution is left out, with its batch norm "
            "and activation; yours is still there."
        )
    shapes = [(conv.in_channels, conv.out_channels) for conv in convs if conv.kernel_size == (1, 1)]
    if len(convs) > len(names) and large.count(True) == 1 and (in_channels, out_channels) in shapes:
        raise Wrong(
            f"After `{call}` there is a 1x1 convolution from the block's input channels to its output channels. In a "
            "ResNet such a one stands on the shortcut; here the shortcut is the input itself, or there is none."
        )
    if large == [True, False] and expansion != 1:
        raise Wrong("The first 1x1 convolution, which makes the map wide, is missing.")
    if large == [False, True] and expansion != 1:
        raise Wrong("The last 1x1 convolution, which makes the map narrow again, is missing.")
    if large.count(True) > 1:
        raise Wrong("More than one of your convolutions looks around. Only the depthwise one does; others are 1x1.")
    if True not in large:
        raise Wrong("All of your convolutions are 1x1, so no place sees its neighbours: the depthwise one is 3x3.")
    kinds = ", ".join("x".join(map(str, conv.kernel_size)) for conv in convs)
    wanted = "a depthwise 3x3 and a 1x1" if expansion == 1 else "a 1x1, a depthwise 3x3 and a 1x1"
    raise Wrong(f"After `{call}` the convolutions of your block are {kinds}; asked are {wanted}, in this order.")


def explain_widths(convs, call, in_channels, out_channels, expansion):
    look = convs[-2]
    wide, due = look.in_channels, in_channels * expansion
    says = f"After `{call}` your 3x3 convolution has `in_channels={wide}`"
    if wide != due:
        if wide == out_channels * expansion:
            raise Wrong(
                f"{says}: you widen by the output's channels, {out_channels}. The expansion multiplies the input's."
            )
        if wide == in_channels and look.out_channels == due:
            raise Wrong("Your 3x3 convolution makes the map wide; that is the task of the 1x1 before it.")
        if wide == in_channels:
            raise Wrong(f"{says}, as many as the block: the expansion is not used.")
        if wide == in_channels * 6:
            raise Wrong(f"{says}: a 6 is written out where `expansion` belongs.")
        if wide < in_channels:
            raise Wrong(f"{says}, fewer than the block. In this block the middle is wide and the ends are narrow.")
        raise Wrong(f"{says}; with {in_channels} at the input and an expansion of {expansion} it must be {due}.")
    if look.groups == 1:
        raise Wrong(
            f"Your 3x3 convolution has no `groups`, so each of its output channels reads all {wide} channels. "
            "Depthwise means that it reads a single one."
        )
    if look.groups != wide:
        raise Wrong(
            f"Your 3x3 convolution has {look.groups} groups and reads {wide} channels. Depthwise means one group for "
            "each channel of the wide map."
        )
    if look.out_channels != wide:
        raise Wrong(f"Your depthwise convolution makes {look.out_channels} channels of {wide}; it gives what it takes.")
    if any(conv.groups != 1 for conv in convs if conv is not look):
        raise Wrong("A 1x1 convolution of yours has groups; the 1x1 ones are there to mix all channels.")


def explain_settings(convs, call, stride, has_size):
    look = convs[-2]
    require_no_bias(convs)
    strides = [conv.stride[0] for conv in convs]
    if strides.count(stride) > 1 and stride != 1:
        raise Wrong("More than one of your convolutions strides; only the depthwise one does.")
    if look.stride != (stride, stride):
        if stride != 1 and strides[-1] == stride:
            raise Wrong(
                "Your last 1x1 convolution strides: it drops most of what the depthwise one has just computed. It is "
                "the depthwise one that strides."
            )
        if stride != 1 and strides[0] == stride:
            raise Wrong(
                "Your first 1x1 convolution strides: it drops places before anything has looked at them. It is the "
                "depthwise one that strides."
            )
        raise Wrong(f"After `{call}` the stride of your depthwise convolution is {look.stride[0]}, not {stride}.")
    if look.dilation != (1, 1):
        raise Wrong("Your depthwise convolution is dilated; asked is an ordinary 3x3.")
    if any(conv.padding not in ((0, 0), "same", "valid") for conv in convs if conv is not look):
        raise Wrong("A 1x1 convolution of yours has padding: it reads no neighbour, so that only adds a frame.")
    if not has_size and look.padding == (0, 0):
        raise Wrong("Your 3x3 has no padding, so the map loses places at its border: padding=1 keeps them.")
    if not has_size and look.padding not in ((1, 1), "same"):
        raise Wrong(f"Your 3x3 has a padding of {look.padding[0]}; a 3x3 reaches one place beyond its middle.")
