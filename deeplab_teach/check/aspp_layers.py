"""What is wrong with the layers of an ASPP that is not right, and with what they were given (lesson 06)."""

import torch
from torch import nn

from deeplab_teach.check.attempt import Raised
from deeplab_teach.check.blocks import BIAS
from deeplab_teach.check.compare import same
from deeplab_teach.check.watch import convolutions


def explain(aspp, wrong, read, x, rates, channels) -> str | None:
    """The mistake, if the layers show it.

    Args:
        wrong: what the check would say.
        read: `(convolution, what it was given)`, in the order of the calls; an error ends it.
    """
    due = (len(rates) + 2) * channels
    return (
        _explain_registration(aspp)
        or _explain_widths(aspp, channels)
        or _explain_rates(aspp, rates, due)
        or _explain_series(aspp, read, x.shape[1], channels)
        or _explain_sizes(aspp, wrong)
        or _explain_joining(read, x, channels, due)
        or _explain_pointwise(aspp, read, x.shape[1], channels, due)
        or _explain_norms(aspp)
    )


def _explain_registration(aspp) -> str | None:
    for name, value in vars(aspp).items():
        if not isinstance(value, list | tuple | dict) or name == "_modules":
            continue
        if any(isinstance(layer, nn.Module) for layer in (value.values() if isinstance(value, dict) else value)):
            return (
                f"`self.{name}` is a plain {type(value).__name__}: its layers are not registered, so neither an "
                "optimiser nor `state_dict()` finds their weights. `nn.ModuleList` registers what it holds."
            )
    if not aspp.state_dict():
        return "Your module holds no weights. Create its layers in `__init__`, as attributes or in an `nn.ModuleList`."
    return None


def _explain_widths(aspp, channels) -> str | None:
    found = convolutions(aspp)
    if any(conv.bias is not None for conv in found):
        return BIAS
    made = {conv.out_channels for conv in found} - {channels}
    if made:
        how = f"makes {max(made)} channels. Each branch makes `channels`, {channels} here, and so does the projection."
        return f"A convolution of yours {how}"
    return None


def _explain_rates(aspp, rates, due) -> str | None:
    large = convolutions(aspp, 3)
    if any(conv.in_channels == due for conv in large):
        return "Your projection is a 3x3 convolution; asked is a 1x1, which mixes the branches at each place."
    others = [conv.kernel_size[0] for conv in convolutions(aspp) if conv.kernel_size not in ((1, 1), (3, 3))]
    if others:
        how = "; has a rate become the kernel size?" if set(others) <= set(rates) else "."
        return f"A convolution of yours is {others[0]}x{others[0]}, asked are 1x1 and 3x3{how}"
    if len(rates) > 1 and len(large) == 1:
        return f"One 3x3 convolution serves all {len(rates)} rates; each rate has one of its own, with its own weights."
    if len(large) != len(rates):
        return (
            f"Built with atrous_rates={rates}, your module has {len(large)} 3x3 convolutions. There is one for each "
            "rate, however many there are."
        )
    dilations = [conv.dilation[0] for conv in large]
    if sorted(dilations) != sorted(rates):
        how = "The rates do not reach your 3x3 convolutions" if set(dilations) == {1} else "Your rates are others"
        return f"{how}: with atrous_rates={rates} their dilations are {', '.join(map(str, dilations))}."
    if any(conv.stride != (1, 1) for conv in large):
        return "A 3x3 convolution of yours strides. A rate spreads its weights (`dilation`) and keeps every place."
    return None


def _explain_series(aspp, read, in_channels, channels) -> str | None:
    reads = {conv.in_channels for conv in convolutions(aspp, 3)} - {in_channels, 0}  # 0: lazy, and never run
    if reads - {channels}:
        return f"Your 3x3 convolutions read {max(reads)} channels; the map has `in_channels`, {in_channels} here."
    given = {value.shape[1] for conv, value in read[-1:] if conv.in_channels == in_channels and value.dim() == 4}
    pooled = {conv.in_channels for conv, value in read if value.shape[2:] == (1, 1)}
    if reads or given == {channels} or channels in pooled:
        return (
            f"A branch of yours reads the {channels} channels that another one made: they stand one after the other. "
            f"Side by side they all read the map, with its {in_channels} channels."
        )
    return None


def _explain_sizes(aspp, wrong) -> str | None:
    """Which branch has a size of its own, if there was an error for that."""
    text = str(wrong.error) if isinstance(wrong, Raised) else ""
    if "Sizes of tensors must match" in text and ("size 1 " in text or "size 1." in text):
        return "The image pooling is not spread back: its single place cannot lie beside the places of a map."
    if "Sizes of tensors must match" not in text and "Kernel size can't be greater" not in text:
        return None
    for conv in convolutions(aspp, 3):
        padding = 0 if isinstance(conv.padding, str) else conv.padding[0]
        if conv.padding != "same" and padding != conv.dilation[0]:
            return (
                f"The 3x3 convolution at rate {conv.dilation[0]} has a padding of {padding}, so its map has another "
                "size and cannot lie beside the others. For each rate another padding keeps the size."
            )
    return None


def _explain_joining(read, x, channels, due) -> str | None:
    """What reached the projection, if the branches were joined in another way."""
    for conv, value in read[-1:]:
        count, shape, (images, in_channels, rows, columns) = due // channels, tuple(value.shape), x.shape
        if len(shape) == 5:
            return "`torch.stack` gives the branches a new axis. Asked is `torch.cat`, along the channels (dim 1)."
        if conv.kernel_size != (1, 1) or conv.in_channels == in_channels:
            return None
        axes = {
            (count * images, channels, rows, columns): "images (dim 0)",
            (images, channels, count * rows, columns): "rows (dim 2)",
            (images, channels, rows, count * columns): "columns (dim 3)",
        }
        if shape in axes:
            return f"Your branches are joined along the {axes[shape]}; asked is along the channels, dim 1."
        if shape == (images, channels, rows, columns):
            return (
                f"Your projection is given {channels} channels, as many as one branch makes: the branches are added "
                f"up, or only one of them arrives. Joined along the channels they make {due}."
            )
    return None


def _explain_pointwise(aspp, read, in_channels, channels, due) -> str | None:
    """What is wrong with the 1x1 convolutions."""
    small = [conv for conv in convolutions(aspp, 1) if conv.in_channels == in_channels]
    wide = [conv for conv in convolutions(aspp, 1) if conv.in_channels not in (in_channels, 0)]
    if len(small) == 1:
        if any(value.shape[2:] == (1, 1) for conv, value in read if conv is small[0]):
            return "The 1x1 branch is missing: beside the rates, a 1x1 convolution reads each place by itself."
        return "The image pooling is missing: none of your convolutions reads the average of the whole map."
    if not small and len(wide) == 1:
        return "Two branches are missing: a 1x1 convolution and the image pooling stand beside the rates."
    if len(small) == 2 and not wide:
        return (
            "The projection is missing: a last 1x1 convolution with batch norm and ReLU, which mixes the branches' "
            f"{due} channels and makes {channels} of them."
        )
    for conv in wide:
        if conv.in_channels == 5 * channels != due:
            return f"Your projection reads 5 * channels, which fits three rates. Here {due // channels} branches meet."
        if conv.in_channels != due:
            return (
                f"A 1x1 convolution of yours reads {conv.in_channels} channels. Here the map has {in_channels}, and "
                f"the projection reads all that the branches make, {due}."
            )
    for conv, value in read[-1:]:
        if conv in wide and value.dim() == 4 and value.shape[1] != due:
            why = "which branch is not joined?" if value.shape[1] < due else "what else is joined?"
            return f"Your projection is given {value.shape[1]} channels, and the branches make {due}: {why}"
    return None


def _explain_norms(aspp) -> str | None:
    norms, count = sum(isinstance(m, nn.BatchNorm2d) for m in aspp.modules()), len(convolutions(aspp))
    if norms >= count:
        return None
    return (
        f"Your module has {count} convolutions, but a batch norm for {norms} of them only. Each is followed by one of "
        "its own and a ReLU, that of the projection too."
    )


@torch.no_grad()
def explain_parts(reference, x, read) -> str | None:
    """Which branch is not what it should be, from what the projection was given; the weights agree."""
    conv, norm = reference.project[:2]
    joined = next((value for layer, value in reversed(read) if layer.in_channels == conv.in_channels), None)
    branches = [branch(x) for branch in reference.convs]
    if joined is None or joined.shape != torch.cat(branches, dim=1).shape:
        return None
    names = [f"the 3x3 at rate {branch[0].dilation[0]}" for branch in reference.convs[1:-1]]
    names = ["the 1x1", *names, "the image pooling"]
    parts = joined.split(norm.num_features, dim=1)
    found = [next((name for name, due in zip(names, branches, strict=True) if same(part, due)), None) for part in parts]
    if found == names:
        return None
    if None not in found and set(found) == set(names):
        return (
            f"Your branches are joined in another order: {', '.join(found)}. A convolution knows its inputs by place, "
            "and trained weights fit one order: the 1x1, the rates as they are given, the image pooling."
        )
    if None not in found:
        missing = next(name for name in names if name not in found)
        return f"One of the joined branches stands there twice, and {missing} not at all."
    i = found.index(None)
    how = next((how for how, mistaken in _branch_mistakes(reference.convs[i], x) if same(parts[i], mistaken)), None)
    return f"Branch {i + 1} of {len(names)}, {names[i]}, {how or 'gives other values than it should'}."


def _branch_mistakes(branch, x):
    """`(words, what the branch gives after the mistake)`."""
    conv, norm = list(branch)[-3:-1]
    is_pooling = len(branch) == 4
    small = x.mean((2, 3), keepdim=True) if is_pooling else x
    for how, value in (
        ("has no ReLU", norm(conv(small))),
        ("has no batch norm that is used", conv(small).relu()),
        ("has neither batch norm nor ReLU", conv(small)),
        ("has its ReLU before its batch norm", norm(conv(small).relu())),
        ("takes the highest value, not the average", norm(conv(x.amax((2, 3), keepdim=True))).relu()),
        ("averages nothing", norm(conv(x)).relu()),
        ("averages over the images as well", norm(conv(x.mean((0, 2, 3), keepdim=True).expand_as(small))).relu()),
    )[: 7 if is_pooling else 4]:
        yield how, value.expand(-1, -1, *x.shape[2:])
