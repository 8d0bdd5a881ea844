"""Lesson 02: how much of the image one value of a map has seen."""

from deeplab_teach.check.attempt import Wrong, a_kind, attempt, own_function
from deeplab_teach.check.compare import name_mistake
from deeplab_teach.check.engine import Exercise
from deeplab_teach.layers import receptive_field as reference

CASES = (
    [(3, 1, 1)],
    [(3, 1, 1), (3, 1, 1)],
    [(3, 2, 1), (3, 1, 1)],
    [(7, 2, 1), (3, 2, 1), (3, 1, 1), (3, 1, 1)],  # a ResNet's stem and its first block
    [(3, 2, 1), (3, 1, 2), (1, 2, 1), (5, 1, 1)],
    [(1, 4, 1), (3, 1, 3)],
    [],
)


def _examine_receptive_field(answer):
    own_function(answer, "receptive_field(layers)")
    answers = []
    for layers in CASES:
        given = list(layers)
        value = attempt("receptive_field(layers)", answer, given)
        if given != layers:
            raise Wrong("Your function changes the list it is given.")
        if isinstance(value, int | float):
            raise Wrong(
                "Your function returns one number; asked are two: the receptive field and the step, `(field, step)`."
            )
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise Wrong(f"Your function returns {a_kind(value)}; asked is a pair `(field, step)`.")
        answers.append(tuple(value))
    due = [reference(layers) for layers in CASES]
    if answers != due:
        name_mistake(answers, [(layers,) for layers in CASES], _mistakes())
    for layers, got, right in zip(CASES, answers, due, strict=True):
        if got != right:
            raise Wrong(
                f"For layers = {layers} you give {got}; the right answer is {right}. Do the layers one by one: add, "
                "then stride."
            )


def _fold(grow, advance=lambda step, stride: step * stride, start=(1, 1)):
    """The function that a rule for one layer makes: `grow(kernel, stride, dilation, step)` is what it adds."""

    def field(layers):
        total, step = start
        for kernel, stride, dilation in layers:
            total, step = total + grow(kernel, stride, dilation, step), advance(step, stride)
        return total, step

    return field


def _mistakes():
    def late(layers):  # the stride of a layer already counts for itself
        total, step = 1, 1
        for kernel, stride, dilation in layers:
            step *= stride
            total += dilation * (kernel - 1) * step
        return total, step

    right = _fold(lambda k, s, d, step: d * (k - 1) * step)
    yield "Field and step are swapped: the field comes first.", lambda layers: right(layers)[::-1]
    yield (
        "A layer adds its whole kernel; but its first weight reads a place that is counted already: kernel_size - 1.",
        _fold(lambda k, s, d, step: d * k * step),
    )
    yield (
        "Strides do not change the field in yours. After a stride of 2 neighbouring places lie 2 input places apart, "
        "and every later kernel reaches twice as far.",
        _fold(lambda k, s, d, step: d * (k - 1)),
    )
    yield "The dilation is left out.", _fold(lambda k, s, d, step: (k - 1) * step)
    yield (
        "A layer's own stride makes its own kernel reach further in yours. The kernel reads the map below, whose "
        "places are still as close as before: use the step first, then multiply it.",
        late,
    )
    yield (
        "You begin at 0: without any layer a place has seen itself, one place.",
        _fold(lambda k, s, d, step: d * (k - 1) * step, start=(0, 1)),
    )
    yield (
        "Strides are added; two strides of 2 make 4 only by luck, three make 8 and not 6. Multiply them.",
        _fold(lambda k, s, d, step: d * (k - 1) * step, advance=lambda step, s: step + s - 1),
    )
    yield (
        "The step stays 1 in yours: it is the product of all strides.",
        _fold(lambda k, s, d, step: d * (k - 1) * step, advance=lambda step, s: 1),
    )
    yield (
        "The step is multiplied by the dilation; only strides move neighbours apart.",
        lambda layers: _fold(lambda k, s, d, step: d * (k - 1) * step)([(k, s * d, d) for k, s, d in layers]),
    )
    yield (
        "You go through the layers from the last to the first with the rule for the first to the last.",
        lambda layers: right(layers[::-1]),
    )


receptive_field = Exercise(
    name="receptive_field",
    lesson="02",
    minutes=8,
    statement=(
        "Compute along one side how many input places one output value has seen, and how far apart two neighbouring "
        "output values look. `layers` lists (kernel_size, stride, dilation) of each layer, in order."
    ),
    stub='''def receptive_field(layers):
    """What one output value of a stack of layers has seen, along one side.

    layers: (kernel_size, stride, dilation) of each layer, from the input up.
    Returns (field, step): how many input places it has seen, and how many input places
    two neighbouring output values lie apart.
    """
    ...
''',
    hints=(
        "Keep two numbers and update them layer by layer: how much has been seen, and how far apart neighbours lie. "
        "Without any layer both are 1.",
        "A kernel has kernel_size - 1 gaps, each `dilation` places of the map below, and each of those is `step` input "
        "places. Add that first; then the stride moves the neighbours apart.",
    ),
    reference=reference,
    examine=_examine_receptive_field,
    moral=(
        "A value of torchvision's ResNet-50 in `c5` has seen 427 pixels along each side: more than a 224 pixel "
        "image has."
    ),
)
