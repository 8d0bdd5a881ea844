"""A model cut in two: what must hold of the two parts, whichever network it is."""

from torch import nn

from deeplab_teach.check.attempt import Wrong, a_kind
from deeplab_teach.check.compare import same

PARTS = ("backbone", "head")


def require_two_modules(parts):
    if isinstance(parts, nn.Module) or not isinstance(parts, tuple | list) or len(parts) != 2:
        raise Wrong(f"Your function returns {a_kind(parts)}; expected are two modules: `return backbone, head`.")
    for part, name in zip(parts, PARTS, strict=True):
        if not isinstance(part, nn.Module):
            raise Wrong(
                f"Your {name} is {a_kind(part)}, expected an `nn.Module`: only a module tells its weights to an "
                "optimiser. `nn.Sequential` makes one out of layers."
            )


def _names(model, part):
    """The model's parameter names that a part holds, and the part's parameters that are not the model's."""
    own = {id(value): name for name, value in model.named_parameters()}
    held = list(part.parameters())
    return {own[id(value)] for value in held if id(value) in own}, [value for value in held if id(value) not in own]


def require_own_weights(model, backbone, head, *, first: str, last: str) -> None:
    """Raise unless all weights are the model's; `first` and `last` name its first and its last layer's weight."""
    (in_backbone, foreign_b), (in_head, foreign_h) = _names(model, backbone), _names(model, head)
    if last in in_backbone - in_head and first in in_head - in_backbone:
        raise Wrong("The two parts are swapped: the backbone (image in) comes first, the head second.")
    for name, foreign in (("backbone", foreign_b), ("head", foreign_h)):
        if foreign:
            values = [value.detach() for value in model.parameters()]
            is_copy = all(any(same(value.detach(), other) for other in values) for value in foreign)
            if is_copy:
                raise Wrong(f"Your {name} holds a copy of the model's weights. Take the layers themselves, no copies.")
            raise Wrong(
                f"Your {name} holds weights that are not the model's: freshly built layers have learnt nothing. "
                "Take the layers out of `model`."
            )


def require_each_weight_once(model, backbone, head):
    every = {name for name, _ in model.named_parameters()}
    first, second = _names(model, backbone)[0], _names(model, head)[0]
    if first & second:
        raise Wrong(
            f"`{min(first & second)}` is in both parts. The numbers agree, but then the head travels with the "
            "backbone: each layer belongs to exactly one part."
        )
    if every - first - second:
        raise Wrong(
            f"`{min(every - first - second)}` is used but registered in neither part, so an optimiser would not see "
            "it. Layers in a plain list or a closure are not registered: use `nn.Sequential`, or attributes."
        )
