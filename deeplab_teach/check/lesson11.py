"""Lesson 11: a backbone that stands still, a learning rate for each part, and many heads that one run answers."""

import copy
import itertools
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from deeplab_teach.backbones.resnet import BasicBlock, ResNet
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.functions import alike, same
from deeplab_teach.check.mistakes import mistakes, with_mistake
from deeplab_teach.check.modules import require_output
from deeplab_teach.check.run import (
    Raised,
    Wrong,
    a_kind,
    attempt,
    describe_error,
    is_nothing,
    own_function,
    random_size,
    require_given,
)
from deeplab_teach.heads import ClassificationHead, FCNHead, FCOSHead, LinearHead
from deeplab_teach.models import Detector, ImageClassifier, ManyHeads, SegmentationModel
from deeplab_teach.models import answer_together as answer_together_reference
from deeplab_teach.necks import FPN, SimpleFeaturePyramid, without_pyramid
from deeplab_teach.training import freeze
from deeplab_teach.training import parameter_groups as parameter_groups_reference


class _Backbone(ResNet):
    """A small ResNet that counts its runs and notes the modes it is put into; its batch norms hide nothing."""

    def __init__(self, output_stride=32):
        super().__init__("resnet", BasicBlock, (1, 1, 1, 1), width=8, output_stride=output_stride)
        self.runs, self.modes = 0, []
        for value in self.state_dict().values():
            if value.dim() == 1:
                value.uniform_(0.5, 1.5)

    def train(self, mode=True):
        self.modes.append(mode)
        return super().train(mode)

    def forward(self, x):
        self.runs += 1
        return super().forward(x)


def _dense_model(backbone, *, auxiliary=True):
    specs, classes = backbone.feature_specs, int(torch.randint(2, 9, ()))
    second = FCNHead(specs, classes, deep="c4") if auxiliary else None
    return SegmentationModel(backbone, FCNHead(specs, classes), auxiliary=second)


def _losses(answers) -> Tensor:
    """A number that depends on all that a model, or several, gave."""
    if isinstance(answers, Tensor):
        return answers.sigmoid().square().sum()
    return sum(map(_losses, answers.values() if isinstance(answers, dict) else answers))


# ----------------------------------------------------------------------------------------------------- freeze_backbone
def frozen_backbone(model: nn.Module) -> list[nn.Parameter]:
    """Prepare a model so that a training changes all of it but the backbone; give the parameters that learn.

    No weight of the backbone gets a gradient, and its batch norms neither normalise by a batch nor learn from one. All
    else is in training mode and learns: that comes first, since it reaches every part and would undo the other.
    """
    model.requires_grad_(True).train()
    model.backbone.requires_grad_(False).eval()
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _examine_freeze_backbone(answer):
    call = "freeze_backbone(model)"
    own_function(answer, call)
    for auxiliary, training in ((True, True), (False, False)):
        model = _dense_model(_Backbone(), auxiliary=auxiliary).train(training)
        model.backbone.layer1.requires_grad_(training)  # somebody may have frozen a stage, or the head
        model.head.requires_grad_(training)
        model.backbone.modes.clear()
        before, held = copy.deepcopy(model), _identities(model)
        given = attempt(call, answer, model)
        if is_nothing(given) and not alike(model, before):
            raise Wrong(
                "Your function prepares the model and returns nothing; asked is, besides, the list of the parameters "
                "that still learn: an optimiser takes them."
            )
        require_given(given, call)
        _require_list(given)
        if _identities(model) != held or not alike(dict(model.state_dict()), dict(before.state_dict())):
            raise Wrong(
                "Your function leaves other weights in the model than it found. It must hold the same ones, with the "
                "same values and running averages: change modes and `requires_grad`, nothing else."
            )
        x = torch.randn(3, 3, *random_size(40, 70))
        _require_prepared(model, before, x)
        _require_all_that_learn(model, given)
        _require_only_prepared(model, before, x)


def _identities(model):
    return {name: id(value) for name, value in model.named_parameters()}


def _require_list(given):
    if isinstance(given, Iterator):
        raise Wrong(
            "You return a generator, which is empty as soon as somebody has gone through it once: whoever counts the "
            "weights leaves none for the optimiser. Make it a list."
        )
    if not isinstance(given, list | tuple):
        raise Wrong(f"You return {a_kind(given)}; asked is a list of parameters.")
    if other := [each for each in given if not isinstance(each, Tensor)]:
        raise Wrong(
            f"Your list holds {a_kind(other[0])}; asked are the parameters alone, as `model.parameters()` gives them: "
            "no names, no modules, no groups."
        )


def _require_prepared(model, before, x):
    """A step of training: what gets a gradient, which averages move, and what the backbone gives meanwhile."""
    if not any(value.requires_grad for value in model.parameters()):
        raise Wrong(
            "Nothing in the model can learn any more. Freeze `model.backbone` alone: the head is to learn. (A model "
            "may come with its head frozen.)"
        )
    inside = set(model.backbone.modules())
    if not any(part.training for part in model.modules()):
        raise Wrong(
            "The whole model is in eval mode: the head's batch norms would keep the averages that they begin with, and "
            "its dropout would drop nothing. Only the backbone is to be in it. (A model may come in eval mode.)"
        )
    if idle := [name for name, part in model.named_modules() if not part.training and part not in inside]:
        raise Wrong(
            f"`{'.'.join(filter(None, ['model', idle[0]]))}` is in eval mode. All but the backbone must be in training "
            "mode, the model itself too: in eval mode it does not even ask its auxiliary head."
        )
    loss = _losses(attempt("model(x)", model, x))
    if loss.requires_grad:
        loss.backward()
    weights = dict(model.backbone.named_parameters())
    others = {name: each for name, each in model.named_parameters() if not name.startswith("backbone.")}
    if still := [name for name, value in others.items() if value.grad is None]:
        raise Wrong(f"`{still[0]}` gets no gradient and cannot learn: only what is in `model.backbone` may be frozen.")
    learning = {name for name, value in weights.items() if value.grad is not None}
    norms = {f"{name}.{each}" for name, part in _norms(model.backbone) for each in ("weight", "bias")}
    if learning == set(weights):
        raise Wrong(
            "Every weight of the backbone still gets a gradient. `eval()` does not stop that, nor does leaving the "
            "weights out of your list: `requires_grad_(False)` does."
        )
    if learning == norms:
        raise Wrong(
            "The backbone's batch norms still get gradients: their scale and shift are weights too. Freeze all "
            "parameters of the backbone, not only those of its convolutions."
        )
    if learning == set(weights) - norms:
        raise Wrong("You freeze the backbone's batch norms only; its convolutions still get gradients.")
    if learning:
        raise Wrong(f"`backbone.{min(learning)}` still gets a gradient: all weights of the backbone must stand still.")
    averages = dict(before.backbone.named_buffers())
    if not all(torch.equal(value, averages[name]) for name, value in model.backbone.named_buffers() if value.dim()):
        _name_moved(model.backbone)
    with torch.no_grad():
        if not alike(model.backbone(x), before.backbone.eval()(x)):
            raise Wrong(
                "The running averages stand still, but the backbone does not use them: its batch norms normalise by "
                "each batch's own mean and variance, so that an image's features depend on its neighbours in the "
                "batch. In eval mode they use what they have learnt, and learn no more."
            )


def _norms(module):
    return [row for row in module.named_modules() if isinstance(row[1], nn.BatchNorm2d)]


def _name_moved(backbone):
    if backbone.training and False in backbone.modes:
        raise Wrong(
            "The backbone is put into eval mode, and then a `train()` of the whole model puts it back, with all its "
            "parts: its running averages move. First `train()`, then `eval()`."
        )
    if not backbone.training:
        raise Wrong(
            "`training` is False of the backbone itself, but not of the batch norms in it, and their running averages "
            "move: `eval()` reaches all parts."
        )
    raise Wrong(
        "The backbone's weights stand still, and yet its features change: its batch norms are in training mode, so "
        "with every batch their running averages move. No gradient is needed for that, so `requires_grad_(False)` does "
        "not stop it; eval mode does."
    )


def _require_all_that_learn(model, given):
    names = {id(value): name for name, value in model.named_parameters()}
    held = [id(value) for value in given]
    if set(held) - set(names):
        raise Wrong("Your list holds copies, not the model's own parameters: the model would learn nothing.")
    if any(names[each].startswith("backbone.") for each in held):
        raise Wrong("Your list holds weights of the backbone. They are frozen: only what learns belongs in it.")
    for each, name in names.items():
        if not name.startswith("backbone.") and each not in held:
            raise Wrong(f"`{name}` learns and is missing from your list: no optimiser would move it.")
        if held.count(each) > 1:
            raise Wrong(f"`{name}` stands {held.count(each)} times in your list. An optimiser takes it once.")


def _require_only_prepared(model, before, x):
    """Thawed again, the model must learn as if nobody had ever frozen it."""
    model.load_state_dict(before.state_dict())
    found = []
    for each in (model, before):
        for part in each.modules():
            part.training = True
        each.requires_grad_(True).zero_grad()
        torch.manual_seed(0)  # of the dropout
        _losses(each(x)).backward()
        found.append([[value.grad for value in each.parameters()], dict(each.state_dict())])
    if not alike(*found):
        raise Wrong(
            "Your function changes the model for good: thawed again (`model.train()`, `requires_grad_(True)`) it does "
            "not learn as it did before. Change modes and `requires_grad`, nothing else."
        )


freeze_backbone = Exercise(
    minutes=8,
    statement="""Prepare a model, in whatever mode it is, for training its head on a frozen backbone: no weight of the
        backbone gets a gradient, and no running average of its batch norms moves. All else is in training mode and
        learns. Return the list of the parameters that learn, each once.""",
    hints=(
        """Two things can change in a backbone while batches go through it: weights, by their gradients, and running
        averages, which need none. Which switch is for which? And which switch would undo one of them, if it came
        later?""",
        """First the whole model: `.requires_grad_(True)` and `.train()`. Then, on `model.backbone` alone,
        `.requires_grad_(False)` and `.eval()`. What learns is what has `requires_grad` among all the model's
        parameters: the head's are not all there are.""",
    ),
    reference=frozen_backbone,
    examine=_examine_freeze_backbone,
    moral="""A frozen backbone gives the same features whatever is trained on it, so they can be kept, or shared by many
        heads. Remember that every `model.train()` puts it back into training mode.""",
)


# ---------------------------------------------------------------------------------------------------- parameter_groups
def _examine_parameter_groups(answer):
    call = "parameter_groups(model, lr_backbone, lr_head)"
    own_function(answer, call)
    frozen, dilated = _dense_model(_Backbone()), _Backbone(16).requires_grad_(False)
    freeze(frozen, ["backbone.conv1", "backbone.layer1", "head.conv"])
    pyramid, plain = FPN(_Backbone(), out_channels=32, extra="convs"), SimpleFeaturePyramid(dilated, out_channels=8)
    for model in (
        _dense_model(_Backbone()),
        Detector(pyramid, FCOSHead(pyramid.feature_specs, int(torch.randint(2, 9, ())), depth=1)),
        frozen,
        SegmentationModel(plain, LinearHead(plain.feature_specs, 3)),  # its backbone has nothing that learns
    ):
        rates, before = (torch.rand(2) * 1e-3).tolist(), copy.deepcopy(model)
        groups = _groups(answer, call, model, *rates)
        if not alike(model, before):
            raise Wrong("Your function changes the model: its modes, or what is frozen. Leave it as it is.")
        found, due = _rates(groups, model), _rates(parameter_groups_reference(model, *rates), model)
        if found != due:
            for mistake in PARAMETER_GROUPS_MISTAKES:
                if found == _rates(with_mistake(parameter_groups_reference, mistake)(model, *rates), model):
                    raise Wrong(mistake.sentence)
            _name_difference(found, due, dict(zip(rates, ("`lr_backbone`", "`lr_head`"), strict=True)), model)
        try:
            torch.optim.AdamW(groups)
        except Exception as error:
            raise Wrong(f"`torch.optim.AdamW` does not take your groups:\n{describe_error(error)}") from None


def _groups(answer, call, model, *rates):
    """The learner's groups, with a list in place of each generator."""
    try:
        groups = attempt(call, answer, model, *rates)
    except Raised as raised:
        if "size of tensor" in str(raised.error) or "Boolean value of Tensor" in str(raised.error):
            raise raised.named(
                "`in`, of a list of tensors, compares their values, place by place. Compare which tensors they are: "
                "by `id(parameter)`, or with a set in place of the list."
            ) from None
        raise
    require_given(groups, call)
    if not isinstance(groups, list | tuple):
        raise Wrong(f"You return {a_kind(groups)}; asked is a list of groups, `{{'params': [...], 'lr': ...}}` each.")
    gone = False
    own, found = {id(value) for value in model.parameters()}, []
    for group in groups:
        if not isinstance(group, dict) or "params" not in group:
            what = f"has the keys {', '.join(map(str, group))}" if isinstance(group, dict) else f"is {a_kind(group)}"
            raise Wrong(f"A group of yours {what}; each must be a dict of `params`, a list, and `lr`, a number.")
        if "lr" not in group:
            raise Wrong(
                "A group of yours has no `lr`: it would learn at the rate that the optimiser has for whatever has none."
            )
        params = group["params"]
        if isinstance(params, Tensor):  # PyTorch takes a single one, too
            params = [params]
        if isinstance(params, Iterator):
            params = list(itertools.islice(params, 10_000))
            gone = gone or not params
        if isinstance(params, nn.Module) or not isinstance(params, Iterable):
            raise Wrong(f"`params` of one of your groups is {a_kind(params)}; it must be a list of parameters.")
        if other := [each for each in params if not isinstance(each, Tensor)]:
            raise Wrong(
                f"`params` of one of your groups holds {a_kind(other[0])}; it must hold parameters alone, without "
                "their names."
            )
        if {id(value) for value in params} - own:
            raise Wrong("Your groups hold copies, not the model's own parameters: the model would learn nothing.")
        found.append(group | {"params": params})
    if gone and any(value.requires_grad and id(value) not in _held(found) for value in model.parameters()):
        raise Wrong(
            "`params` of one of your groups is a generator that your function has gone through already: now it is "
            "empty. Make a list of it first."
        )
    return found


def _held(groups):
    return {id(value) for group in groups for value in group["params"]}


def _rates(groups, model):
    """{name: the rates of the groups that it stands in}"""
    rates = [(id(value), group["lr"]) for group in groups for value in group["params"]]
    return {name: [lr for each, lr in rates if each == id(value)] for name, value in model.named_parameters()}


def _name_difference(found, due, words, model):
    """Raise `Wrong` with the first parameter that learns at another rate than it should."""
    name = next(name for name in due if found[name] != due[name])
    if not due[name]:
        raise Wrong(f"`{name}` is frozen (`requires_grad` is False), and yet in one of your groups. Leave it out.")
    if not found[name]:
        raise Wrong(
            f"`{name}` is in none of your groups, so that it would never learn. All of `model.parameters()` that "
            "require a gradient must be there; what is not the backbone's own is new, whatever part it is in."
        )
    if len(found[name]) > 1:
        raise Wrong(f"`{name}` is in your groups {len(found[name])} times. An optimiser takes each parameter once.")
    came, is_due = (words.get(rates[0], rates[0]) for rates in (found[name], due[name]))
    raise Wrong(f"`{name}` learns at {came} in yours; it must be {is_due}.")


PARAMETER_GROUPS_MISTAKES = mistakes(r"""
The two rates are exchanged: the backbone learns at `lr_head`, and all others at `lr_backbone`.
    pretrained], "lr": lr_backbone} => pretrained], "lr": lr_head}
    not in pretrained], "lr": lr_head} => not in pretrained], "lr": lr_backbone}
All of your parameters learn at one rate; the backbone's have one of their own.
    pretrained], "lr": lr_backbone} => pretrained], "lr": lr_head}
    or not in pretrained], "lr": lr_head} => not in pretrained], "lr": lr_backbone}
The pyramid's weights learn at the backbone's rate in yours. They are new: what came pretrained is below the pyramid.
    without_pyramid(model.backbone).parameters() => model.backbone.parameters()
The auxiliary head learns at the backbone's rate in yours. It is as new as the head, and has as much to learn.
    without_pyramid(model.backbone).parameters()} => model.parameters()}
        - {id(each) for each in model.head.parameters()}
""")

parameter_groups = Exercise(
    minutes=8,
    statement="""Give the parameters of a model as PyTorch's optimisers take them: a list of groups `{"params": [...],
        "lr": ...}`. The backbone's own learn at `lr_backbone`, all others at `lr_head`: the head, an auxiliary head, a
        pyramid on the backbone. Each parameter that learns is in one group; frozen ones are in none.""",
    hints=(
        """Begin with what you can name, the backbone's own parameters; the others are all that are left of
        `model.parameters()`. How do you find out whether a parameter is one of the backbone's, without comparing the
        numbers in it?""",
        """Make a set of `id(p)` of all `p` in `without_pyramid(model.backbone).parameters()`. Then go through
        `model.parameters()` twice: those that have `requires_grad` and are in the set, those that have it and are not.
        """,
    ),
    reference=parameter_groups_reference,
    examine=_examine_parameter_groups,
    moral="""What is pretrained takes small steps, so that it keeps what it knows; what is new takes large ones, for it
        has everything to learn.""",
)


# ----------------------------------------------------------------------------------------------------- answer_together
def _examine_answer_together(answer):
    call = "answer_together(models, x)"
    own_function(answer, call)
    backbone = _Backbone(16)
    specs, fpn, plain = backbone.feature_specs, FPN(backbone, out_channels=32), SimpleFeaturePyramid(backbone)
    classes = int(torch.randint(2, 9, ()))
    known = {
        "label": ImageClassifier(backbone, ClassificationHead(specs, classes)),
        "mask": SegmentationModel(backbone, LinearHead(specs, classes)),
        "aligned": SegmentationModel(backbone, LinearHead(specs, 3, deep="c3"), aligned=True),
        "boxes": Detector(fpn, FCOSHead(fpn.feature_specs, classes, depth=1)),
        "parts": SegmentationModel(plain, LinearHead(plain.feature_specs, 4)),
    }
    for names, training in (("label mask aligned boxes", False), ("boxes parts aligned label mask", True)):
        models = {name: known[name].train(training) for name in names.split()}
        _require_together(answer, call, models, torch.randn(2, 3, *random_size(49, 80)))


def _require_together(answer, call, models, x):
    backbone, given = without_pyramid(next(iter(models.values())).backbone), (dict(models), x.clone())
    modes = [part.training for model in models.values() for part in model.modules()]
    backbone.runs = 0
    try:
        found = attempt(call, answer, *given)
    except Raised as raised:
        _name_error(raised, backbone)
        raise
    runs = backbone.runs
    require_given(found, call)
    if not isinstance(found, dict):
        raise Wrong(f"You return {a_kind(found)}; asked is a dict: each model's name, and what the model answers.")
    if set(found) != set(models):
        raise Wrong(f"Your dict has the names {', '.join(map(str, found))}; the models' are {', '.join(models)}.")
    if [part.training for model in models.values() for part in model.modules()] != modes:
        raise Wrong("Your function puts models into another mode (`train`, `eval`). Ask each in the mode it is in.")
    if given[0] != models or not torch.equal(given[1], x):
        raise Wrong("Your function changes what it is given, the dict of models or the images; others still need it.")
    if runs == len(models):
        raise Wrong(
            f"The backbone runs {runs} times, once for each model: that is what `model(x)` costs. Run it once, before "
            "the loop; `model.answer(maps, size)` goes on from there."
        )
    if runs != 1:
        raise Wrong(
            f"The backbone that the models stand on runs {runs} times; asked is once. A pyramid need not run it again: "
            "its `pyramid(features, size)` begins with the maps that you have."
        )
    found, due = {name: found[name] for name in models}, answer_together_reference(models, x)
    if not alike(found, due):
        for mistake in ANSWER_TOGETHER_MISTAKES:
            if alike(found, with_mistake(answer_together_reference, mistake)(models, x)):
                raise Wrong(mistake.sentence)
        for name, right in due.items():
            require_output(found[name], right, f"what you give for the model `{name}`", "")
    weights = list(backbone.parameters())
    grads, right_grads = (
        torch.autograd.grad(_losses(each) + 0 * weights[0].sum(), weights, materialize_grads=True)
        for each in (found, due)
    )
    if not all(map(same, grads, right_grads)):
        raise Wrong(
            "The answers are right, but not all of their gradients get back to the backbone, so that the heads could "
            "not train it. Is something detached, or run under `no_grad`?"
        )


def _name_error(raised, backbone):
    """Raise the error by name, where maps went to who does not read them."""
    key = str(raised.error.args[0]) if isinstance(raised.error, KeyError) else ""
    if key in ("p2", "p3", "p4", "p5"):
        raise raised.named(
            f"There is no `{key}` among the backbone's own maps: it is a pyramid's. A model that stands on a pyramid "
            "reads its maps, whatever kind of model it is: `model.backbone.pyramid(features, size)` makes them."
        )
    if key in backbone.feature_specs:
        raise raised.named(
            f"There is no `{key}` among the maps of a pyramid: they are for the one model that stands on it. Run the "
            "backbone below it, `without_pyramid(model.backbone)`, also where the first model has a pyramid, and keep "
            "its maps for the other models."
        )
    if isinstance(raised.error, AttributeError) and "'pyramid'" in str(raised.error):
        raise raised.named(
            "A backbone has no `pyramid`. Where `model.backbone` is the shared backbone itself, the model reads the "
            "maps as they are."
        )


ANSWER_TOGETHER_MISTAKES = mistakes(r"""
You give what the head says at the places of its map; `model.answer(maps, size)` brings it to the images' size as well.
    model.answer(maps, size) => model.head(maps)
A size is height, then width: `x.shape[-2:]`. You have exchanged them.
    (x.shape[-2], x.shape[-1]) => (x.shape[-1], x.shape[-2])
`size` is that of the images, `x.shape[-2:]`, also for a pyramid; you give that of a map.
    model.backbone.pyramid(features, size) => model.backbone.pyramid(features, features["c5"].shape[-2:])
    or model.backbone.pyramid(features, size) => model.backbone.pyramid(features, features["c1"].shape[-2:])
    or model.answer(maps, size) => model.answer(maps, [*maps.values()][-1].shape[-2:])
    or (x.shape[-2], x.shape[-1]) => features["c5"].shape[-2:]
    features, size = backbone(x), => features = backbone(x)\n    size =
""")

answer_together = Exercise(
    minutes=10,
    statement="""Ask several models, `{name: model}`, about the same images, `x`. All stand on one backbone, some with a
        pyramid in between. Give `{name: answer}`, the same as `model(x)` of each, but run the backbone once.""",
    hints=(
        """`model(x)` does two things: it runs the backbone, and it makes an answer of the maps. Do the first once, for
        all. Which backbone is it, if the first model stands on a pyramid?""",
        """`backbone = without_pyramid(...)` of any model's; then `features = backbone(x)`. In a loop: if
        `model.backbone` is that backbone, its maps are the features; if not, `.pyramid(features, size)` of
        `model.backbone` makes them. Both this and `model.answer` take the images' size, `x.shape[-2:]`.""",
    ),
    reference=answer_together_reference,
    examine=_examine_answer_together,
    barred=(ManyHeads,),
    moral="""The backbone's work is done once, however many models stand on it; each costs its head, and its pyramid if
        it has one.""",
)
