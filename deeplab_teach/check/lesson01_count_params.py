"""Lesson 01: count the parameters of a network."""

import torch
from torch import nn

from deeplab_teach.check.attempt import Wrong, a_kind, attempt, own_function
from deeplab_teach.check.engine import Exercise
from deeplab_teach.cost import count_params as reference


def _network():
    """Batch norm, a frozen layer, a layer used twice, one inside another, and a weight without a layer."""
    shared = nn.Conv2d(7, 7, 3)
    inner = nn.Sequential(nn.Conv2d(5, 7, 3), nn.BatchNorm2d(7), nn.ReLU(), shared)
    network = nn.Sequential(nn.Conv2d(3, 5, 3), inner, shared, nn.Flatten(), nn.Linear(7, 6))
    for parameter in network[0].parameters():
        parameter.requires_grad = False
    network.register_parameter("scale", nn.Parameter(torch.ones(4)))
    return network


def _examine_count_params(answer):
    own_function(answer, "count_params(module)")
    plain = nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Linear(8, 2))
    for module in (plain, _network(), nn.ReLU()):
        before = [parameter.clone() for parameter in module.parameters()]
        value = attempt("count_params(module)", answer, module)
        if isinstance(value, torch.Tensor) and value.dim() == 0:
            raise Wrong("Your function returns a tensor; asked is an int. `.item()` makes one of it.")
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong(f"Your function returns {a_kind(value)}; asked is an int, the number of learnt values.")
        if any(not torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True)):
            raise Wrong("Your function changes the weights of the network that it counts.")
        due = reference(module)
        if value == due:
            continue
        for sentence, mistaken in _mistakes(module):
            if value == mistaken:
                raise Wrong(sentence)
        network = str(module).replace("\n", "\n    ")
        raise Wrong(f"For\n    {network}\nyour function gives {value}; it has {due}.")


def _mistakes(module):
    """`(sentence, the count after the mistake)`."""
    parameters = list(module.parameters())
    state = module.state_dict()
    twice = [p for m in module.modules() for p in m.parameters(recurse=False)]
    with_repeats = sum(p.numel() for child in module.children() for p in child.parameters()) if len(state) else 0
    yield (
        "You count tensors, not the values in them: a kernel of 8x3x5x5 is one tensor and 600 values.",
        len(parameters),
    )
    yield "You count layers, not the values in them.", len(list(module.children()))
    yield "You count layers, not the values in them.", len([m for m in module.modules() if not list(m.children())])
    yield (
        "Batch norm's running mean, variance and counter are counted too: they are measured, not learnt. "
        "`state_dict()` holds them beside the parameters.",
        sum({id(v): v.numel() for v in module.state_dict(keep_vars=True).values()}.values()),
    )
    yield (
        "You add up `state_dict()`: it holds batch norm's running statistics, which are not learnt, and a layer that "
        "is used twice under both of its names.",
        sum(value.numel() for value in state.values()),
    )
    yield (
        "Frozen values are left out: `requires_grad=False` keeps a value from being trained further, but the network "
        "has it all the same.",
        sum(p.numel() for p in parameters if p.requires_grad),
    )
    yield (
        "Only weights are counted; the biases are learnt too.",
        sum(p.numel() for name, p in module.named_parameters() if name.endswith("weight")),
    )
    yield (
        "Batch norm's weight and bias are left out: they are learnt, like those of a convolution.",
        sum(
            p.numel() for m in _unique(module) if not isinstance(m, nn.BatchNorm2d) for p in m.parameters(recurse=False)
        ),
    )
    yield (
        "Only convolutions and linear layers are counted; batch norm and single parameters are learnt too.",
        sum(p.numel() for m in _unique(module) if isinstance(m, nn.Conv2d | nn.Linear) for p in m.parameters()),
    )
    yield (
        "Values of inner layers are counted again at every level: `parameters()` already goes into the modules inside.",
        sum(p.numel() for m in module.modules() for p in m.parameters()),
    )
    yield (
        "A layer that is used twice is counted twice; its values are stored and learnt once.",
        with_repeats + sum(p.numel() for p in module.parameters(recurse=False)),
    )
    yield (
        "Parameters that belong to the network itself, not to one of its layers, are left out.",
        sum(p.numel() for child in _unique(module)[1:] for p in child.parameters(recurse=False)),
    )
    yield (
        "Only the outermost layers are looked into: a layer inside another one is missed.",
        sum(p.numel() for child in set(module.children()) for p in child.parameters(recurse=False)),
    )
    yield (
        "Only what belongs to the network itself is counted, nothing of its layers.",
        sum(p.numel() for p in module.parameters(recurse=False)),
    )
    yield "You add up the sizes of the first axis only; multiply all sizes of a tensor.", sum(p.shape[0] for p in twice)
    yield "You add up the sizes of the axes; multiply them.", sum(sum(p.shape) for p in parameters)


def _unique(module):
    return list(dict.fromkeys(module.modules()))


count_params = Exercise(
    name="count_params",
    lesson="01",
    minutes=5,
    statement=(
        "Count the learnt values of a network, biases and batch norm's scale and shift included. What is measured and "
        "not learnt does not count, and a layer that is used twice counts once."
    ),
    stub='''def count_params(module):
    """The number of learnt values of a module, an int.

    Counted: every weight and bias of every layer inside, frozen ones too.
    Not counted: batch norm's running statistics. A layer used twice counts once.
    """
    ...
''',
    hints=(
        "A module knows its learnt values, those of all layers inside it included, and gives each once. A tensor knows "
        "how many values it has.",
        "Go through `module.parameters()` and add up `numel()` of each.",
    ),
    reference=reference,
    examine=_examine_count_params,
    moral="The same count, once for the backbone and once for the head, is what this lesson is about.",
)
