"""A block of layers that the learner writes as a class: running it, and comparing it with the reference."""

from torch import Tensor, nn

from deeplab_teach.check.attempt import Raised, Wrong, attempt, build
from deeplab_teach.check.compare import copy_weights, randomise, require_same, require_untouched

BIAS = (
    "A convolution of yours has a bias. The batch norm that follows subtracts the mean, and a bias with it, and adds a "
    "shift of its own: pass `bias=False`."
)


def build_block(answer: type, *sizes, **passed):
    """`(block, call)`: an instance of the learner's class, and the call that made it."""
    arguments = [*map(str, sizes), *(f"{key}={value}" for key, value in passed.items())]
    call = f"{answer.__name__}({', '.join(arguments)})"
    try:
        return build(answer, call, *sizes, **passed), call
    except Raised as raised:
        if "out_channels must be divisible by groups" in str(raised.error):
            raise raised.named(
                "The output channels of a convolution must be a multiple of its groups. Only the 3x3 has groups here, "
                "and it gives as many channels as it takes."
            ) from None
        if "in_channels must be divisible by groups" in str(raised.error):
            raise raised.named(
                "`groups` must divide the channels that a convolution reads. Depthwise means one group for each."
            ) from None
        raise


def run(block: nn.Module, call: str, x: Tensor):
    """`(output, error, used)` of one run: the output or the `Raised` (else None), and the layers in order of use.

    A layer that runs twice is in `used` twice; layers that call no others are meant, whatever they are inside of.
    """
    used = []
    leaves = [module for module in block.modules() if not list(module.children())]
    handles = [leaf.register_forward_pre_hook(lambda module, _: used.append(module)) for leaf in leaves]
    try:
        return attempt(call, block, x.clone()), None, used
    except Raised as error:
        return None, error, used
    finally:
        for handle in handles:
            handle.remove()


def explained(raised: Raised) -> Wrong:
    """The error of a run, with a sentence if layers do not fit each other."""
    text = str(raised.error)
    if "running_mean should contain" in text:
        return raised.named("A batch norm of yours is built for another number of channels than it is given.")
    if "channels, but got" in text:
        return raised.named(
            "A convolution of yours is built for another number of channels than it is given. Follow the channels from "
            "layer to layer."
        )
    return raised


def convolutions(block: nn.Module, used: list) -> list[nn.Conv2d]:
    """The block's convolutions in the order of their first use; as they were built, if not all of them ran."""
    built = [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
    ran = [layer for layer in dict.fromkeys(used) if layer in built]
    return ran if len(ran) == len(built) else built


def require_weights(block: nn.Module):
    if not list(block.state_dict()):
        raise Wrong(
            "Your class holds no weights. Layers are made in `__init__` and kept as attributes of `self`, each on its "
            "own or in an `nn.Sequential`; a plain list does not register them, and in `forward` they would be new "
            "each time."
        )


def require_no_bias(layers):
    if any(layer.bias is not None for layer in layers):
        raise Wrong(BIAS)


def require_norms(block: nn.Module, used: list, names: list[str]):
    """Raise unless each convolution has a batch norm of its own after it; `names` says what each is called."""
    kinds = (nn.GroupNorm, nn.LayerNorm, nn.BatchNorm1d, nn.InstanceNorm2d)
    for norm in block.modules():
        if isinstance(norm, kinds):
            raise Wrong(f"Asked is batch norm of a map, `nn.BatchNorm2d`; yours is `nn.{type(norm).__name__}`.")
    norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    if any(norm.weight is None or norm.running_mean is None for norm in norms):
        raise Wrong(
            "A batch norm of yours has no weights or no running statistics; `nn.BatchNorm2d(channels)` has both."
        )
    if any(norm.eps != 1e-5 for norm in norms):
        raise Wrong("A batch norm of yours has an `eps` of its own; asked is PyTorch's default.")
    if any(used.count(norm) > 1 for norm in norms):
        raise Wrong(
            "One batch norm of yours runs more than once. The maps of two convolutions differ in mean and spread, so "
            "each convolution needs a batch norm of its own."
        )
    steps = [layer for layer in used if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]
    all_ran = len([layer for layer in steps if layer not in norms]) == len(names)
    if all_ran and steps[0] in norms:
        raise Wrong("A batch norm stands before the first convolution of yours; it comes after a convolution.")
    if len(norms) < len(names):
        after = [next_one in norms for next_one in [*steps[1:], None]]
        followed = [has for layer, has in zip(steps, after, strict=True) if isinstance(layer, nn.Conv2d)]
        lacking = [name for name, has in zip(names, followed, strict=False) if not has]
        if len(followed) == len(names) and len(lacking) == len(names) - len(norms):
            which = " and the ".join(lacking) if norms else "any of your convolutions"
            raise Wrong(f"There is no batch norm after {'the ' if norms else ''}{which}.")
        raise Wrong(f"Each of the {len(names)} convolutions is followed by a batch norm; yours has {len(norms)}.")
    if len(norms) > len(names):
        raise Wrong(f"You have {len(norms)} batch norms, and asked is one after each of {len(names)} convolutions.")


def require_like(block: nn.Module, reference: nn.Module, call: str, x: Tensor, *, used, mistakes, axes: str, wider=1):
    """Raise unless the block gives what the reference gives with the same weights, in both modes, and can be trained.

    Args:
        mistakes: the function that makes `(sentence, output after it)` of the reference and `x`.
        wider: multiplies batch norm's random scales, so that a clamp has values to cut off.
    """
    randomise(block)
    for layer in block.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data *= wider
    for training in (False, True):
        copy_weights(_in_order(block, used), reference)
        given = x.clone()
        output = attempt(call, block.train(training), given)
        require_untouched({"x": x}, {"x": given}, "its input `x`")
        reference.train(training)
        what = f"your output in {'training' if training else 'evaluation'} mode"
        require_same(output, reference(x), what=what, axes=axes, mistakes=mistakes(reference, x))
    try:
        output.square().sum().backward()
    except RuntimeError as error:
        reason = str(error).partition(":")[0]
        raise Wrong(f"The output is right, but no gradient comes back from it: {reason}.") from None
    if any(parameter.grad is None for parameter in block.parameters()):
        raise Wrong("Some of your layers get no gradient: they are built but not used, or detached.")


def _in_order(block, used):
    """The layers that hold weights in the order of use, so that the order of `__init__` does not matter."""
    ordered = nn.Sequential(*dict.fromkeys(layer for layer in used if layer.state_dict()))
    return ordered if len(ordered.state_dict()) == len(block.state_dict()) else block
