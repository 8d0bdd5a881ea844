"""Lesson 12: a plain ViT behind the contract, a mean that leaves padding out, and the word itself as a rule."""

import copy
import itertools
from dataclasses import replace

import torch
from torch import Tensor, nn

from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.functions import Call, alike, examine_function, kind_of_tensor, outcomes, same, shown
from deeplab_teach.check.mistakes import mistakes, with_mistake
from deeplab_teach.check.modules import require_output
from deeplab_teach.check.run import (
    NotAttempted,
    Raised,
    Wrong,
    a_kind,
    attempt,
    build,
    describe_error,
    outcome,
    own_function,
    own_module_class,
    random_size,
    require_filled,
    require_given,
)
from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.heads import ClassificationHead, FCNHead
from deeplab_teach.heads.classification import masked_mean as masked_mean_reference
from deeplab_teach.papers.words import CASES, ROLES, Case
from deeplab_teach.papers.words import role_of as role_of_reference


# --------------------------------------------------------------------------------------------------------- ViTFeatures
class PlainViT(Backbone):
    """Somebody's ViT behind the contract: its patch tokens as one map, `c4`, at the stride of a patch."""

    name = "vit"

    def __init__(self, vit: nn.Module):
        super().__init__()
        self.vit = vit
        self.feature_specs = {"c4": FeatureSpec(vit.embed_dim, vit.patch_size)}

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        self.check_image(x)
        rows, columns = x.shape[2] // self.vit.patch_size, x.shape[3] // self.vit.patch_size
        tokens = self.vit(x)[:, self.vit.num_prefix_tokens :]  # (N, T, C)
        return {"c4": tokens.transpose(1, 2).unflatten(2, (rows, columns))}  # (N, C, rows, columns)


class _ViT(nn.Module):
    """Somebody's ViT, without its blocks: each token is made of its own patch alone, and tells where it comes from."""

    def __init__(self, dim, patch_size, prefix):
        super().__init__()
        self.embed_dim, self.patch_size, self.num_prefix_tokens = dim, patch_size, prefix
        self.proj = nn.Conv2d(3, dim, patch_size, patch_size)
        self.prefix = nn.Parameter(torch.randn(1, prefix, dim))

    def forward(self, x):
        images = x.shape[0]
        return torch.cat([self.prefix.expand(images, -1, -1), self.proj(x).flatten(2).transpose(1, 2)], dim=1)


UNRELATED = "channels, patches, prefix tokens, images and their sides have nothing to do with each other"


def _examine_vit_features(answer):
    own_module_class(answer, "ViTFeatures", Backbone)
    _require_vit(answer)
    rows, columns = random_size(2, 6)
    sizes, dim = ((rows, columns), (columns, rows)), 8 * int(torch.randint(6, 12, ()))
    number, all_else = "the ViT says how many, `vit.num_prefix_tokens`", {"images": 3, "sizes": sizes}
    for plain, other, why, changed in (  # one after the other: what has changed is what the fault is about
        ("384 channels", dim, "the ViT says how many, `vit.embed_dim`", {"dim": dim}),
        ("patches of 16 pixels", 14, "the ViT says their side, `vit.patch_size`", {"patch": 14}),
        ("one prefix token", 0, number, {"prefix": 0}),
        ("one prefix token", 5, number, {"prefix": 5}),
        ("one image", 3, "each has a map of its own", {"images": 3}),
        ("square images", "others", "rows and columns follow from the height and the width of `x`", {"sizes": sizes}),
        ("one of all this changed", "several", UNRELATED, {"dim": dim + 8, "patch": 8, "prefix": 5, **all_else}),
        ("one of all this changed", "several", UNRELATED, {"dim": dim - 8, "patch": 32, "prefix": 0, **all_else}),
    ):
        try:
            _require_vit(answer, **changed)
        except (Wrong, NotAttempted) as difference:
            start = f"With {plain} your backbone is right, with {other} it is not: {why}."
            raise (
                difference.named(start) if isinstance(difference, Raised) else Wrong(f"{start} {difference}")
            ) from None


def _require_vit(answer, dim=384, patch=16, prefix=1, images=1, sizes=((4, 4),)):
    """Raise unless the learner's class does right by one ViT, on images of some sizes in patches."""
    without_prefix = lambda: _require_vit(answer, dim, patch, 0, images, sizes)
    vit, call = _ViT(dim, patch, prefix), "backbone(x)"
    before = copy.deepcopy(vit)
    backbone = build(answer, "ViTFeatures(vit)", vit)
    _require_heads(answer, backbone)
    _require_declared(backbone, FeatureSpec(dim, patch))
    _require_held(backbone, vit)
    for rows, columns in sizes:
        leaf = torch.rand(images, 3, rows * patch, columns * patch, requires_grad=True)
        x, due = leaf * 1, PlainViT(vit)(leaf)
        found = outcome(call, attempt, call, backbone, x)
        require_given(found, call)
        if not torch.equal(x, leaf) or not alike(vit, before):
            raise Wrong(
                "Your code changes what it is given: the image, or the ViT's weights, its mode, or what is frozen in "
                "it. Others still need them as they were."
            )
        if not alike(found, due):
            _name_fault(found, due["c4"], vit, leaf, without_prefix)
        if not _gradients_agree(found["c4"], due["c4"], [leaf, *vit.parameters()]):
            raise Wrong(
                "Your map is right, but not all gradients get back through it, to the ViT and the image: is something "
                "detached, or run without gradients?"
            )
    for bad in (torch.zeros(3, 4 * patch, 4 * patch), torch.zeros(1, 1, 4 * patch, 4 * patch)):
        if not alike(*(outcome(call, each, bad) for each in (backbone, PlainViT(vit)))):
            raise Wrong("No `self.check_image(x)` comes first: call it, and it raises where `x` is no batch of images.")


def _require_heads(answer, backbone):
    """Raise unless a head of each kind can be built from what is declared."""
    try:
        for head in (ClassificationHead, FCNHead):
            head(backbone.feature_specs, 3)
    except Exception as error:
        require_filled(answer)
        raise Wrong(
            "No head can be built from your `feature_specs`: asked is a dict of one map that has rows and columns, "
            f'`{{"c4": FeatureSpec(channels, stride)}}`.\n{describe_error(error)}'
        ) from None


def _require_declared(backbone, due):
    if list(backbone.feature_specs) != ["c4"]:
        raise Wrong(f"You declare {', '.join(map(str, backbone.feature_specs))}; asked is one map, `c4`.")
    spec = backbone.feature_specs["c4"]
    if (spec.channels, spec.stride) != (due.channels, due.stride):
        if (spec.channels, spec.stride) == (due.stride, due.channels):
            raise Wrong("You declare channels and stride exchanged: it is `FeatureSpec(channels, stride)`.")
        raise Wrong(
            f"You declare {spec.channels} channels at stride {spec.stride}; it must be {due.channels} at "
            f"{due.stride}: the values of a token, and the pixels from one place of the map to the next."
        )
    if not isinstance(getattr(backbone, "name", None), str):
        raise Wrong("Your backbone has no `name`; every backbone has one, for what is said of it.")


def _require_held(backbone, vit):
    own, given = (dict(module.named_parameters()) for module in (backbone, vit))
    if missing := set(given.values()) - set(own.values()):
        name = next(name for name, value in given.items() if value in missing)
        raise Wrong(
            f"The ViT's weights, such as `{name}`, are not among your backbone's, and no optimiser would find them. "
            "Hold the ViT itself as an attribute: in no list, and no copy."
        )
    if more := [name for name, value in own.items() if value not in set(given.values())]:
        raise Wrong(f"Your backbone has a weight of its own, `{more[0]}`; asked are the ViT's tokens as they are.")


def _name_fault(found, due, vit, leaf, without_prefix):
    """Raise with what is wrong with what the learner's `forward` gives or raises."""
    for mistake in VIT_FEATURES_MISTAKES:
        if alike(found, outcome("backbone(x)", with_mistake(PlainViT, mistake)(vit), leaf * 1)):
            raise found.named(mistake.sentence) if isinstance(found, Raised) else Wrong(mistake.sentence)
    if vit.num_prefix_tokens == 1 and _passes(without_prefix):
        sentence = (
            "Without prefix tokens your backbone is right, with one it is not: leave out the first "
            "`vit.num_prefix_tokens` of each image, along the second axis of (N, P + T, C)."
        )
        raise found.named(sentence) if isinstance(found, Raised) else Wrong(sentence)
    if isinstance(found, Raised):
        raise found
    value = found.get("c4") if isinstance(found, dict) and len(found) == 1 else None
    if isinstance(value, Tensor) and (value.shape, value.dtype) == (due.shape, due.dtype):
        _name_place(value, vit(leaf), vit.num_prefix_tokens)
    require_output(found, {"c4": due}, "what your `forward` gives", "(N, C, rows, columns)")


def _passes(test):
    try:
        test()
    except (Wrong, NotAttempted):
        return False
    return True


def _name_place(found, tokens, prefix):
    """Raise with the first place of a map that does not hold its own patch's token, and with what it holds."""
    images, _, rows, columns = found.shape
    for image, row, column in itertools.product(range(images), range(rows), range(columns)):
        held = next((i for i, token in enumerate(tokens[image]) if same(found[image, :, row, column], token)), None)
        if held == prefix + row * columns + column:
            continue
        what = "values that are no token's"
        if held is not None:
            of_patch = f"the token of the patch in row {(held - prefix) // columns}, column {(held - prefix) % columns}"
            what = of_patch if held >= prefix else f"prefix token {held}, which stands for no patch"
        raise Wrong(
            f"In row {row}, column {column} your map, of the right shape, holds {what}; it must be the token of the "
            "patch in that row and column."
        )


def _gradients_agree(found, due, learning):
    """Whether what all places say reaches whatever learns, as it should."""
    weight = torch.randn_like(due)
    losses = [(each * weight).sum() + 0 * learning[0].sum() for each in (found, due)]  # so that there is a gradient
    return all(map(same, *(torch.autograd.grad(loss, learning, materialize_grads=True) for loss in losses)))


VIT_FEATURES_MISTAKES = mistakes(r"""
`reshape` and `view` move nothing, so in your map the channels of a token lie side by side as if they were places:
exchange tokens and channels first, by `transpose`.
    tokens.transpose(1, 2).unflatten(2, (rows, columns)) => tokens.reshape(len(x), -1, rows, columns)
Rows and columns of your map are exchanged: the patches come row by row, and a map is (N, C, rows, columns).
    (2, (rows, columns)) => (2, (columns, rows))
    or (2, (rows, columns)) => (2, (columns, rows)).transpose(2, 3)
    or (2, (rows, columns)) => (2, (rows, columns)).transpose(2, 3)
You leave out tokens at the end, which are patches: those that stand for none come first.
    [:, self.vit.num_prefix_tokens :] => [:, : -self.vit.num_prefix_tokens]
You leave out one token more than `vit.num_prefix_tokens`: a slice holds the place that it begins with.
    [:, self.vit.num_prefix_tokens :] => [:, self.vit.num_prefix_tokens + 1 :]
    or [:, self.vit.num_prefix_tokens :] => [:, self.vit.num_prefix_tokens + 1 :]
    .unflatten(2, (rows, columns)) => .reshape(len(x), -1, rows, columns)
    or [:, self.vit.num_prefix_tokens :] => [:, self.vit.num_prefix_tokens + 1 :]
    .unflatten(2, (rows, columns)) => .reshape(len(x), self.vit.embed_dim, rows, columns)
Your map has its channels last; they are the second axis, before rows and columns.
    tokens.transpose(1, 2).unflatten(2, (rows, columns)) => tokens.unflatten(1, (rows, columns))
Your `forward` normalises the image. It is given normalised images, so that happens twice.
    self.vit(x) => self.vit(self.normalize(x))
`check_image` returns nothing: call it on a line of its own, without `x =`.
    self.check_image(x) => x = self.check_image(x)
""")

ViTFeatures = Exercise(
    minutes=12,
    statement="""Put somebody's ViT behind the contract: one map, `c4`, (N, C, rows, columns), of its patch tokens,
        rightly declared. `vit(x)` gives (N, P + T, C): first P = `vit.num_prefix_tokens` tokens that stand for no
        patch, then one for each patch, row by row. C is `vit.embed_dim`; a patch has `vit.patch_size` pixels along a
        side. Images are whole patches, not always square.""",
    hints=(
        """How far apart are two places of the map, in pixels of the image? That is the stride. And how many patches fit
        into the image from top to bottom, how many from left to right?""",
        """Rows and columns: the image's height and width, each `//` the side of a patch. Take the tokens from place P
        on, exchange tokens and channels with `.transpose(1, 2)`, and split the last axis in two: `.unflatten(2, ...)`.
        """,
    ),
    reference=PlainViT,
    examine=_examine_vit_features,
    moral="""Tokens and maps hold the same values in another order: whatever head reads a map reads this ViT, at one
        stride.""",
)


# --------------------------------------------------------------------------------------------------------- masked_mean
def _examine_masked_mean(answer):
    example = "masked_mean(x, kept)"
    own_function(answer, example)
    calls = _masked_calls()
    try:
        examine_function(answer, masked_mean_reference, example, calls, MASKED_MEAN_MISTAKES, kind=kind_of_tensor)
    except Raised as raised:
        raise _named(raised, outcome(example, attempt, example, answer, *calls[0].args)) from None
    for call in calls[:2]:
        x, *kept = call.args
        leaf = x.clone().requires_grad_()
        if not _gradients_agree(attempt(example, answer, leaf * 1, *kept), masked_mean_reference(leaf, *kept), [leaf]):
            raise Wrong(
                "Your mean is right, but not all of its gradient gets back to `x` and so to the backbone: is something "
                "detached, or run without gradients?"
            )


def _masked_calls() -> list[Call]:
    x, place = torch.randn(3, 5, 7), torch.arange(7)
    padded = place < torch.tensor([[3], [7], [2]])  # padding at the end, as in a batch of texts
    apart = torch.tensor([[1, 0, 1, 1, 0, 0, 1], [0, 0, 1, 0, 0, 0, 0], [0, 1, 1, 0, 1, 1, 1]]).bool()
    square, some = torch.randn(4, 4, 4), torch.rand(4, 4) < 0.5
    some[:, 1], some[0, 2], some[1, 2] = True, True, False
    whole = torch.randint(-8, 9, (2, 8, 4)).half()  # whole numbers, and 1, 2 or 4 of them: exact however one counts
    return [
        Call((x, padded)),
        Call((x,)),
        Call((x, apart)),
        Call((x.relu(), apart.flip(1))),  # zeros among the values that count
        Call((x[:2], torch.ones(2, 7, dtype=torch.bool))),
        Call((x, None)),
        Call((square, some)),  # all axes are of one length: whoever takes one for another gets no error
        Call((square[:1], some[:1])),
        Call((x[:, :1], apart)),
        Call((torch.randn(2, 3, 6).double(), apart[:2, :6])),
        Call((whole, place[:4] < torch.tensor([[2], [1]]))),
        Call((whole, None)),
    ]


def _named(raised, with_mask):
    """An error with the mistake behind it, where the error tells."""
    text = str(raised.error)
    if "NoneType" in text and not isinstance(with_mask, Raised):
        return raised.named("Without a mask, `kept` is None, and all tokens count; with None you cannot calculate.")
    if "Boolean value" in text:
        return raised.named("`if`, of a mask, wants one answer for all its places. Ask whether `kept is None`.")
    if "shape of the mask" in text:
        return raised.named(
            "A mask in brackets must have the axes of what it picks from; and it puts what it picks from all texts "
            "into one row, where nobody knows any more which text had how many."
        )
    if "size of tensor" in text or "expanded size" in text:
        return raised.named(
            "Two shapes do not go together. PyTorch lines axes up from the last one on: `kept`, (N, T), wants an axis "
            "for the channels, (N, 1, T), and a number for each text, (N,), wants one too, (N, 1)."
        )
    return raised


def _first_places(x, kept=None):
    counts = [x.shape[2]] * len(x) if kept is None else kept.sum(dim=1).tolist()
    return torch.stack([row[:, :count].mean(dim=1) for row, count in zip(x, counts, strict=True)])


MASKED_MEAN_MISTAKES = mistakes(
    r"""
Your mean is over all tokens, whatever the mask says: padding counts like words.
    (x * weight).sum(dim=2) / weight.sum(dim=2) => x.mean(dim=2)
You leave out the tokens that do not count, but divide by the number of all: divide by the number that is kept.
    / weight.sum(dim=2) => / x.shape[2]
You divide by the number of tokens that are kept, but sum up all of them: padding may not go into the sum.
    (x * weight).sum(dim=2) / weight.sum(dim=2) => x.sum(dim=2) / weight.sum(dim=2)
You divide by the number of tokens that the whole batch keeps: each text has a number of its own.
    / weight.sum(dim=2) => / weight.sum()
Your mean is over the tokens that all texts keep, together: each text has a mean of its own.
    return (x * weight).sum(dim=2) / weight.sum(dim=2) => return x.transpose(1, 2)[kept].mean(dim=0)
    or (x * weight).sum(dim=2) / weight.sum(dim=2) => ((x * weight).sum(dim=(0, 2)) / weight.sum()).expand(len(x), -1)
You give the sum of the tokens that are kept; a mean is divided by their number.
    (x * weight).sum(dim=2) / weight.sum(dim=2) => (x * weight).sum(dim=2)
The mask is turned round: `kept` is True where a token counts.
    kept[:, None] => (~kept)[:, None]
Your mean is over the channels. It is asked over the tokens, the last axis.
    return x.mean(dim=tuple(range(2, x.dim()))) => return x.mean(dim=1)
    (x * weight).sum(dim=2) / weight.sum(dim=2) => x.mean(dim=1)
    or return x.mean(dim=tuple(range(2, x.dim()))) => return x.mean(dim=1)
    (x * weight).sum(dim=2) / weight.sum(dim=2) => (x * weight).mean(dim=1)
    or return x.mean(dim=tuple(range(2, x.dim()))) => return x.mean(dim=1)
    (x * weight).sum(dim=2) / weight.sum(dim=2) => (x * weight).sum(dim=1) / weight.sum(dim=1)
Your means keep the axis of the tokens, with one place left: asked is (N, C).
    dim=tuple(range(2, x.dim())) => dim=2, keepdim=True
    (x * weight).sum(dim=2) / weight.sum(dim=2) => ((x * weight).sum(dim=2) / weight.sum(dim=2))[:, :, None]
You count the values that are not 0. A token that is kept may have a 0 among its values: count by the mask.
    / weight.sum(dim=2) => / ((x * weight) != 0).sum(dim=2)
""",
    (
        "You take the first tokens, as many as are kept. The mask says which: padding may also come first.",
        _first_places,
    ),
)

masked_mean = Exercise(
    minutes=8,
    statement="""The mean over the tokens of each text: `x` is (N, C, T), the result (N, C), of the same dtype. `kept`,
        bool (N, T), says which tokens count, at least one in each text; without it, or with None, all do. Nothing is
        changed in place, and gradients get through.""",
    defaults={"kept": None},
    hints=(
        """A mean is a sum divided by a number. Which tokens may not go into the sum, and what is the number for a text
        of which two tokens are kept?""",
        """Turn the mask into zeros and ones of the kind of `x`, with an axis for the channels, (N, 1, T). Multiply, sum
        over the tokens, and divide by the sum of the zeros and ones over the tokens, which is (N, 1).""",
    ),
    reference=masked_mean_reference,
    examine=_examine_masked_mean,
    moral="""A text's mean does not depend any more on how long its neighbours in the batch are; and one head serves
        images and texts.""",
)


# ------------------------------------------------------------------------------------------------------------- role_of
IN_WORDS = {"backbone": "a backbone", "neck": "a neck", "head": "a head", "none": "none of the three"}


def _examine_role_of(answer):
    call = "role_of(part)"
    own_function(answer, call)
    parts = [*CASES, *_made_up()]
    found, due = outcomes(answer, [Call((part,)) for part in parts], call), list(map(role_of_reference, parts))
    for part, value, right in zip(parts, found, due, strict=True):
        if isinstance(value, str) and value == right:
            continue
        about = f'"{part.part}"' if part in CASES else f"what {_marks(part)}"
        if value is None or value is Ellipsis:
            raise Wrong(
                f"Your function gives {value} for {about}, and something for others: does a way through it end without "
                "a `return`?"
            )
        if not isinstance(value, str | Raised):
            raise Wrong(f"Your function gives {a_kind(value)} for {about}; asked is a string, {_listed(ROLES)}.")
        if isinstance(value, str) and value not in ROLES:
            raise Wrong(f"Your function says {shown(value)} of {about}; asked is {_listed(ROLES)}.")
        if _goes_by_names(answer, call, part):
            raise Wrong(
                "Your function goes by names: under another name, or another word of its authors, the same part gets "
                "another role. Ask what a part reads, what it gives, and what was done with it."
            )
        if isinstance(value, Raised):
            raise value
        said, is_ = IN_WORDS[value], IN_WORDS[right]
        told = [f"You call {about} {said}; it is {is_}.", part.because]
        if part not in CASES:
            told = [f"The ten parts are right, but not by this rule. You call {said} {about}; it is {is_}."]
        if "none" not in found:
            told.append('Your function never says "none", and some parts are none of the three.')
        known = [row.sentence for row in ROLE_OF_MISTAKES if alike(found, list(map(_with(row), parts)))]
        raise Wrong(" ".join(told + known[:1]))


def _with(mistake):
    return with_mistake(role_of_reference, mistake)


def _made_up() -> list[Case]:
    """Parts of each kind that there can be, under names and words that say nothing of them."""
    gives = ({"gives_features": True}, {"gives_answer": True}, {})
    reads = ({"reads_input": True, "reads_image": True}, {}, {"reads_input": True})
    parts = []
    for read, give, *rest in itertools.product(reads, gives, *[(True, False)] * 3):
        marks = dict(zip(("learnt_elsewhere", "exchanged", "several_heads"), rest, strict=True))
        other = CASES[len(parts) % len(CASES)]
        parts.append(Case(other.part, other.called, **read, **give, **marks))
    return parts


def _marks(part: Case) -> str:
    """What can be said of a part, in words."""
    image = "an image" if part.reads_image else "which is no image"
    reads = f"the input, {image}," if part.reads_input else "features,"
    gives = "the answer" if part.gives_answer else "features" if part.gives_features else "neither features nor answer"
    learnt = f"was {'' if part.learnt_elsewhere else 'not '}learnt on another task first"
    exchanged = f"was {'' if part.exchanged else 'never '}exchanged"
    heads = f"stood under {'several kinds' if part.several_heads else 'one kind'} of head"
    return f"reads {reads} gives {gives}, {learnt}, {exchanged} and {heads}"


def _listed(words) -> str:
    *most, last = (f'"{word}"' for word in words)
    return f"{', '.join(most)} or {last}"


def _goes_by_names(answer, call, part):
    """Whether the same part gets another role under the names of others."""
    named = [replace(part, part=case.part, called=case.called, because=case.because) for case in CASES]
    found = [outcome(call, attempt, call, answer, each) for each in named]
    return not all(alike(found[0], value) for value in found)


ROLE_OF_MISTAKES = mistakes(r"""
Your rule asks for an image. The input may as well be a text or a sound.
    part.gives_features and part.exchanged => part.reads_image and part.gives_features and part.exchanged
    or if part.reads_input: => if part.reads_image:
Your rule takes all that reads the input and gives features for a backbone: were others put in its place?
    part.gives_features and part.exchanged => part.gives_features
Your rule asks that a backbone has learnt another task first. That is usual; a backbone that is trained from scratch is
one as well.
    part.gives_features and part.exchanged => part.gives_features and part.learnt_elsewhere and part.exchanged
    or part.gives_features and part.exchanged => part.gives_features and part.learnt_elsewhere
Your rule wants several kinds of head over a backbone. One may be all that was tried.
    part.gives_features and part.exchanged => part.gives_features and part.exchanged and part.several_heads
    or part.gives_features and part.exchanged => part.gives_features and part.several_heads
Your rule does not ask what a backbone gives: a whole network can be exchanged, too.
    part.gives_features and part.exchanged => part.exchanged
Your rule calls all that gives features a backbone. A part that reads another's features is a neck.
    return "neck" => return "backbone"
    or if part.reads_input: => if part.gives_features:\n        return "backbone"\n    if part.reads_input:
Your rule does not ask what a backbone reads. A part that reads another's features is a neck, also if it was exchanged.
    if part.reads_input: => if part.reads_input or part.gives_features and part.exchanged:
Your rule does not ask what a neck reads: it reads features. A part that reads the input is none.
    part.exchanged else "none" => part.exchanged else "neck" if part.gives_features else "none"
Your rule does not ask what necks and heads read: both read features. A part that reads the input is neither.
    part.exchanged else "none" => part.exchanged else "neck" if part.gives_features else "head" if part.gives_answer
        else "none"
Your rule does not ask what a head reads: it reads features. What makes the answer out of the input is a whole network.
    if part.reads_input: => if part.reads_input and not part.gives_answer:
Your rule asks more of a neck than that it reads features and gives features.
    "neck" if part.gives_features => "neck" if part.gives_features and part.exchanged
    or "neck" if part.gives_features => "neck" if part.gives_features and part.several_heads
    or "neck" if part.gives_features => "neck" if part.gives_features and not part.learnt_elsewhere
Your rule asks more of a head than that it reads features and gives the answer.
    if part.gives_answer: => if part.gives_answer and not part.learnt_elsewhere:
    or if part.gives_answer: => if part.gives_answer and not part.exchanged:
    or if part.gives_answer: => if part.gives_answer and not (part.exchanged or part.learnt_elsewhere):
""")

role_of = Exercise(
    minutes=10,
    statement="""Say of a part which role it plays, by this rule. A backbone reads the input, gives features, and was
        exchanged for others while the rest stayed as it was. A neck reads features and gives features. A head reads
        features and gives the answer. What is none of the three is "none". A part reads the input or features.""",
    hints=(
        """Begin with what a part reads: that alone leaves a part two roles of the four, or three. And does the rule
        ask what the input is, or what the authors say?""",
        """If `part.reads_input`, it is a backbone or none: two more marks must be True. If not, it reads
        features, and what it gives decides between the other three.""",
    ),
    reference=role_of_reference,
    examine=_examine_role_of,
    moral="""The word names a role, not an architecture. BERT plays it without the word; the left half of U-Net has the
        look, and plays it only since others are put in its place.""",
)
