"""What a backbone declares, against what its maps measure."""

import math

from deeplab_teach.check.attempt import Wrong, a_kind
from deeplab_teach.features import FeatureSpec


def require_specs(specs, due: dict[str, FeatureSpec], shapes: dict[str, tuple], side: int) -> None:
    """Raise unless the learner's `feature_specs` are `due`, whatever their order.

    shapes: of the maps of one blank image with `side` rows and columns.
    """
    _require_kinds(specs, due)
    measured = [shapes[key] for key in due]
    channels, strides = ([getattr(specs[key], part) for key in due] for part in ("channels", "stride"))
    right = [spec.channels for spec in due.values()], [spec.stride for spec in due.values()]
    if (strides, channels) == right != (channels, strides):
        raise Wrong("Channels and stride are swapped: it is `FeatureSpec(channels, stride)`.")
    if channels != right[0]:
        for sentence, mistaken in _mistaken_channels(measured):
            if channels == mistaken:
                raise Wrong(sentence)
        key = next(key for key in due if specs[key].channels != due[key].channels)
        raise Wrong(
            f"`{key}` is declared with {specs[key].channels} channels and has {due[key].channels}. A number that is "
            "written out holds for one network only: read it off the map of the blank image."
        )
    if strides != right[1]:
        for sentence, mistaken in _mistaken_strides(measured, strides, side):
            if strides == mistaken:
                raise Wrong(sentence)
        key = next(key for key in due if specs[key].stride != due[key].stride)
        rows = shapes[key][2]
        raise Wrong(
            f"`{key}` is declared with the stride {specs[key].stride}. Of {side} rows {rows} are left, which makes "
            f"{side / rows:.4g} pixels a step, so a stride of {due[key].stride}. If you measured on an image of "
            "another size, divide its rows."
        )


def _require_kinds(specs, due):
    if specs is None or (isinstance(specs, dict) and not specs):
        raise Wrong(
            "After `__init__` there are no `feature_specs`. A head is built from them before the first image comes, so "
            "the measuring belongs there."
        )
    if not isinstance(specs, dict):
        raise Wrong(f"Your `feature_specs` are {a_kind(specs)}; asked is a dict, a FeatureSpec under each map's key.")
    if set(specs) != set(due):
        raise Wrong(
            f"Your `feature_specs` have the keys {', '.join(map(str, specs))}. The body calls its maps "
            f"{', '.join(sorted(due))}; each keeps its name."
        )
    for key, spec in specs.items():
        if not isinstance(spec, FeatureSpec):
            raise Wrong(
                f"`{key}` is declared by {a_kind(spec)}. Heads ask for `.channels` and `.stride`: a FeatureSpec."
            )
        for part in ("channels", "stride"):
            value = getattr(spec, part)
            if isinstance(value, float):
                raise Wrong(f"The {part} of `{key}` is a float, {round(value, 3)}. Asked is an int, the nearest one.")
            if type(value) is not int:
                raise Wrong(f"The {part} of `{key}` is {a_kind(value)}; asked is an int.")


def _mistaken_channels(shapes):
    """`(sentence, the channels after the mistake)`."""
    axes = "A map is (N, C, h, w): channels are dim 1."
    yield f"You declare the number of images as channels. {axes}", [shape[0] for shape in shapes]
    yield f"You declare the number of rows as channels. {axes}", [shape[2] for shape in shapes]


def _mistaken_strides(shapes, strides, side):
    """`(sentence, the strides after the mistake)`."""
    rows = [shape[2] for shape in shapes]
    yield "Your strides are numbers of rows; a stride says how many rows of the image make one row of the map.", rows
    for axis, words in ((0, "images"), (1, "channels")):
        for divide in (lambda a, b: round(a / b), lambda a, b: a // b):
            sentence = f"You divide {side} by the number of {words}. Of a map (N, C, h, w) the rows are dim 2."
            yield sentence, [divide(side, shape[axis]) for shape in shapes]
    rest = next((row for row in rows if side % row), rows[0])
    exact = f"{side} rows of the image over {rest} of the map are {side / rest:.4g}"
    nearest = "where padding makes a map a row longer or shorter, only the nearest whole number is the stride."
    yield f"You round down: {exact}, and {nearest}", [side // row for row in rows]
    yield f"You round up: {exact}, and {nearest}", [math.ceil(side / row) for row in rows]
    listing, doubled = ", ".join(map(str, strides)), [strides[0] * 2**i for i in range(len(strides))]
    real = ", ".join(str(round(side / row)) for row in rows)
    yield (
        f"You declare the strides {listing}; the maps have {real}. A network need not begin at any one stride, nor "
        "double it each time: divide the image's rows by the map's, of the very image that you ran.",
        doubled,
    )


def require_order(keys, due: dict[str, FeatureSpec], given: tuple[str, ...], what: str) -> None:
    """Raise unless `keys` go from high to low resolution, as those of `due` do; `given` is the order of the body."""
    if list(keys) == list(due):
        return
    listing = ", ".join(keys)
    why = "A head takes the last map for the deepest, so they must go from high to low resolution."
    for sentence, mistaken in (
        (f"The order of {what} is the body's own, {listing}.", given),
        (f"The order of {what} is from low to high resolution, {listing}.", list(due)[::-1]),
        (f"The order of {what} is the body's, backwards: {listing}.", given[::-1]),
        (f"The order of {what} is the alphabet's: {listing}.", sorted(due)),
        (f"The order of {what} is by channels, {listing}.", sorted(due, key=lambda key: due[key].channels)),
        (f"The order of {what} is by channels, {listing}.", sorted(due, key=lambda key: -due[key].channels)),
    ):
        if list(keys) == list(mistaken):
            raise Wrong(f"{sentence} {why}")
    raise Wrong(f"The order of {what} is {listing}. {why}")


def require_name(name, due: str) -> None:
    """Raise unless the learner's `name` is the one that it was given."""
    if name != due:
        got = (
            "no name" if name is None else f"the name {name!r}" if isinstance(name, str) else f"{a_kind(name)} as name"
        )
        raise Wrong(f"Built with the name {due!r}, your backbone has {got}: the contract asks for `self.name`.")
