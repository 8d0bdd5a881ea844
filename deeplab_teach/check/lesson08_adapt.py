"""Lesson 08: put somebody else's network behind the course's contract."""

import copy

import torch
from torch import Tensor

from deeplab_teach.backbones import AdaptedBackbone
from deeplab_teach.backbones.adapted import PROBE
from deeplab_teach.check.attempt import NotAttempted, Raised, Wrong, a_kind, attempt, build, own_module_class
from deeplab_teach.check.bodies import PLANS, Body, explain_error, require_as_it_was, require_registered
from deeplab_teach.check.compare import randomise, require_same, require_untouched
from deeplab_teach.check.declared import require_name, require_order, require_specs
from deeplab_teach.check.engine import Exercise
from deeplab_teach.features import Backbone
from deeplab_teach.heads import DeepLabV3PlusHead, LinearHead
from deeplab_teach.models import SegmentationModel

BUILD, RUN = "Adapted(body, name)", "backbone(x)"
BAD_IMAGES = {
    "an image without the batch dimension": lambda: torch.rand(3, 64, 64),
    "a uint8 image": lambda: torch.zeros(2, 3, 64, 64, dtype=torch.uint8),
    "a grey image": lambda: torch.rand(2, 1, 64, 64),
}


def _examine_adapt(answer):
    own_module_class(answer, "Adapted", Backbone)
    for plan in PLANS:
        body = randomise(Body(plan))
        due = AdaptedBackbone(body, plan.name).feature_specs
        probe = copy.deepcopy(body).eval()
        probe(torch.zeros(1, 3, PROBE, PROBE))
        shapes = probe.runs[-1]["maps"]  # on the blank image
        state = {key: value.clone() for key, value in body.state_dict().items()}
        training = [module.training for module in body.modules()]
        backbone = _call(body, build, answer, BUILD, body, plan.name)
        specs, name = (_attribute(backbone, key) for key in ("feature_specs", "name"))
        if specs is None and name is None and not list(backbone.children()):
            raise NotAttempted("its `__init__` is still empty")
        require_as_it_was(body, state, training)
        require_registered(backbone, body)
        require_name(name, plan.name)
        require_specs(specs, due, shapes, PROBE)
        require_order(specs, due, plan.order, "`feature_specs`")
        body.runs.clear()
        if _attribute(backbone, "feature_specs") != due or body.runs:
            raise Wrong(
                "Your `feature_specs` are measured whenever they are asked for; once, in `__init__`, is enough."
            )
        for training in (False, True):
            _examine_forward(backbone.train(training), body, due, plan)
        _require_image_checked(backbone.eval(), body)
        _require_head_fits(backbone, plan)


def _call(body, function, *args):
    """`build` or `attempt`, with a sentence in front of an error whose mistake is known."""
    try:
        return function(*args)
    except Raised as raised:
        sentence = explain_error(raised.error, body)
        raise (raised.named(sentence) if sentence else raised) from None


def _attribute(backbone, key):
    """An attribute of the learner's backbone, which may be a property; `None` if there is none."""
    return attempt(f"backbone.{key}", lambda: [getattr(backbone, key, None)])[0]


def _examine_forward(backbone, body, due, plan):
    declared, training = vars(backbone).get("feature_specs"), backbone.training
    x = torch.rand(2, 3, *plan.size)
    given = x.clone()
    body.runs.clear()
    maps = _call(body, attempt, RUN, backbone, given)
    runs = list(body.runs)
    require_untouched({"x": x}, {"x": given}, "its input `x`")
    if vars(backbone).get("feature_specs") is not declared:
        raise Wrong("Your `forward` sets `feature_specs` anew; a head was built from the first, so they must stay.")
    if len(runs) != 1:
        raise Wrong(f"Your `forward` runs the body {len(runs)} times. Once is enough: the measuring is done.")
    if body.training != training:
        raise Wrong(
            "After your `forward` the body is not in your backbone's mode: only `.train()` and `.eval()` set it."
        )
    if not isinstance(maps, dict):
        raise Wrong(f"Your `forward` gives {a_kind(maps)}; heads look their maps up by key, so it gives a dict.")
    if set(maps) != set(due):
        raise Wrong(f"Your `forward` gives {', '.join(map(str, maps))}; declared are {', '.join(due)}.")
    require_order(maps, due, plan.order, "the maps from your `forward`")
    with torch.no_grad():
        evaluated = body.eval()(x)
        right, normed = body.train(training)(x), body(backbone.normalize(x))
    mode = "training" if training else "evaluation"
    for key in due:
        what = f"your map `{key}` in {mode} mode"
        mistakes = [
            ("Your `forward` normalises the image. It is given normalised images, so that happens twice.", normed[key]),
            ("Your `forward` runs the body in eval mode in training too: its batch norms never learn.", evaluated[key]),
        ]
        swapped = f"Under `{key}` your `forward` gives the map `{{}}`: are sorted keys put beside unsorted maps?"
        mistakes += [(swapped.format(other), right[other]) for other in due]
        if isinstance(maps[key], Tensor) and (maps[key].shape, maps[key].dtype) == (right[key].shape, x.dtype):
            sentence = f"Y{what[1:]} is not what the body gives for this image; pass its maps on as they are."
            mistakes.append((sentence, maps[key]))
        require_same(maps[key], right[key], what=what, axes="(N, C, h, w)", mistakes=mistakes)
    if not runs[0]["gradients"]:
        raise Wrong(
            "Your `forward` runs the body without gradients, so it could not be trained. Only measuring needs none."
        )
    detached = [key for key, value in maps.items() if not value.requires_grad]
    if detached:
        raise Wrong(
            f"Your `forward` detaches `{detached[0]}`: no gradient gets back into the body, so it cannot learn."
        )


def _require_image_checked(backbone, body):
    for words, make in BAD_IMAGES.items():
        image = make()
        try:
            Backbone.check_image(backbone, image)
        except ValueError as error:
            due = str(error)
        body.runs.clear()
        try:
            attempt(RUN, backbone, image)
        except Raised as raised:
            if str(raised.error) == due and not body.runs:
                continue
            if not body.runs:
                raise raised.named(
                    f"Your `forward` refuses {words} in words of its own. `self.check_image(x)` says it alike for all."
                ) from None
            raise raised.named(
                f"Given {words}, your `forward` runs the body. Call `self.check_image(x)` first: it says in plain "
                "words what is the matter, and the body does not."
            ) from None
        raise Wrong(f"Your `forward` takes {words} without complaint: `self.check_image(x)` comes first.")


def _require_head_fits(backbone, plan):
    specs, x = backbone.feature_specs, torch.rand(2, 3, *plan.size)
    if any(spec.stride == 4 for spec in specs.values()):
        head = DeepLabV3PlusHead(specs, 3, channels=8, low_level_channels=4, atrous_rates=(1, 2))
    else:
        head = LinearHead(specs, 3)
    scores = attempt("SegmentationModel(backbone, head)(x)", SegmentationModel(backbone, head).eval(), x)
    if scores.shape != (2, 3, *plan.size):
        raise Wrong(f"With a head on it your backbone gives scores of shape {tuple(scores.shape)}.")


adapt = Exercise(
    name="adapt",
    lesson="08",
    minutes=15,
    statement=(
        "Wrap somebody else's network so that the course's heads fit it. `body` takes an image and gives a dict of "
        "maps, in the order in which it computed them. Your backbone measures channels and strides on a blank image "
        "of 256 x 256, leaves the body as it was, and gives the maps from high to low resolution."
    ),
    stub='''class Adapted(Backbone):
    """Somebody else's network behind the course's contract.

    body: images (N, 3, H, W) in, a dict of maps {key: (N, C, h, w)} out, in the order in
        which it computes them.
    name: what to call the backbone.
    Sets self.name and self.feature_specs: under each of the body's keys a
    FeatureSpec(channels, stride), from high to low resolution. Both numbers are ints, measured
    on one blank image of 256 x 256; the stride is the nearest whole number. The body stays
    as it was: its weights, its running averages, and which of its modules are training.
    forward(x) checks the image by self.check_image(x) and gives the maps {key: map}, in the
    order of self.feature_specs.
    """

    def __init__(self, body, name):
        super().__init__()
        ...

    def forward(self, x):
        ...
''',
    hints=(
        "All that a head must know can be read off the maps of one blank image: run the body once and look at their "
        "shapes. What would that run change in the body, and how do you keep it from doing so?",
        "Keep the body as an attribute. Note which modules are training, switch to eval mode, run the body on "
        "`torch.zeros(1, 3, 256, 256)` without gradients, restore the flags. Sort the maps by their rows, most first; "
        "channels are dim 1, the stride is `round(256 / rows)`. `forward` looks the maps up in the order of the specs.",
    ),
    reference=AdaptedBackbone,
    examine=_examine_adapt,
    moral="No head can tell now whose network it sits on: it reads the declaration and the maps, and nothing else.",
)
