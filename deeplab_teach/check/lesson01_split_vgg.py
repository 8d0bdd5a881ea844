"""Lesson 01: cut torchvision's VGG-16 into backbone and head."""

import torch
from torch import Tensor, nn

from deeplab_teach.check.attempt import Raised, Wrong, attempt, own_function
from deeplab_teach.check.compare import require_same, require_tensor, same
from deeplab_teach.check.engine import Exercise
from deeplab_teach.check.parts import require_each_weight_once, require_own_weights, require_two_modules
from deeplab_teach.models import split_vgg as reference


class _VGG(nn.Module):
    """Made as torchvision's VGG is, only narrower: at its width a VGG-16 has 138 million parameters."""

    def __init__(self, channels, grid, num_classes):
        super().__init__()
        layers, width = [], 3
        for out in channels:
            layers += [nn.Conv2d(width, out, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2, 2)]
            width = out
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(grid)
        self.classifier = nn.Sequential(
            *(nn.Linear(width * grid * grid, 24), nn.ReLU(True), nn.Dropout(0.5)),
            *(nn.Linear(24, 16), nn.ReLU(True), nn.Dropout(0.5)),
            nn.Linear(16, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def _examine_split_vgg(answer):
    own_function(answer, "split_vgg(model)")
    for channels, grid, size in (((8, 12), 3, (32, 44)), ((6, 9, 10), 2, (40, 24))):
        model = _VGG(channels, grid, 7).eval()
        x = torch.randn(2, 3, *size)
        layers = list(model.named_modules())
        try:
            parts = attempt("split_vgg(model)", answer, model)
        except Raised as raised:
            if "is not a Module subclass" in str(raised.error) and "Flatten" in str(raised.error):
                raise raised.named("A layer is made by calling its class: write `nn.Flatten()`.") from None
            raise
        if layers != list(model.named_modules()):
            raise Wrong(
                "Your `split_vgg` changes the model it is given: whoever uses `model` after you finds it in pieces. "
                "Put its layers into new modules and leave the model as it is."
            )
        require_two_modules(parts)
        require_own_weights(model, *parts, first="features.0.weight", last="classifier.6.weight")
        features = _require_feature_map(model, x, parts[0])
        _require_scores(model, x, features, parts[1])
        require_each_weight_once(model, *parts)
        _require_dropout(model, x, *parts)


@torch.no_grad()
def _require_feature_map(model, x, backbone):
    features = attempt("backbone(x)", backbone, x.clone())
    due, what = model.features(x), "your backbone's output"
    require_tensor(features, what)
    if same(features, model(x)):
        raise Wrong("Your backbone is the whole model: it already gives class scores. Where does the feature map end?")
    pooled = model.avgpool(due)
    if features.dim() == 2:
        if same(features, pooled.flatten(1)) or same(features, due.flatten(1)):
            raise Wrong("Your backbone flattens its map to one long row: no places are left. Flattening is the head's.")
        raise Wrong(
            "Your backbone ends among the linear layers: it gives a row of numbers, no map. Only the last linear layer "
            "scores classes, but the ones before it have already mixed all places."
        )
    mistakes = (
        (
            "Your backbone ends after `avgpool`, so its map has the same size for every image. That is what the linear "
            "layers need, so it belongs to the head.",
            pooled,
        ),
        (
            "Your backbone leaves out the last pool, so its map has half the stride of the model's.",
            model.features[:-1](x),
        ),
    )
    require_same(features, due, what=what, axes="(N, C, H/stride, W/stride)", mistakes=mistakes)
    return features.detach()


def _require_scores(model, x, features, head):
    entered = []
    hook = model.classifier[0].register_forward_pre_hook(lambda _, inputs: entered.append(tuple(inputs[0].shape[1:])))
    try:
        scores = attempt("head(backbone(x))", head, features.clone())
    except Raised as raised:
        grid = model.avgpool(features).shape[1:]
        if entered == [tuple(grid)]:
            sentence = (
                f"After the average an image is a {tuple(grid)} block, and a linear layer wants a row: flatten it."
            )
        elif entered == [(features[0].numel(),)] or entered == [tuple(features.shape[1:])]:
            sentence = (
                "Your head lost `avgpool`: the first linear layer wants the values of a fixed grid, and the map of "
                "this image has another size."
            )
        elif len(entered) == 1 and len(entered[0]) == 0:
            sentence = (
                "You flatten the images of the batch into one row too: keep axis 0, the images, as `nn.Flatten()` does."
            )
        elif len(entered) == 1:
            sentence = (
                f"The linear layers are given {entered[0][-1]} values and want {grid.numel()}. The check tries small "
                "VGGs "
                "whose grid is not 7 x 7: use `model.avgpool`, not a new pool."
            )
        else:
            raise
        raise raised.named(sentence) from None
    finally:
        hook.remove()
    with torch.no_grad():
        due, flat = model(x), model.avgpool(features).flatten(1)
        linear = [layer for layer in model.classifier if isinstance(layer, nn.Linear)]
        mistakes = (
            ("Your head gives probabilities: the model gives raw scores, so leave softmax out.", due.softmax(1)),
            (
                "Your head leaves out the ReLUs between the linear layers: they have no weights but they do act.",
                linear[2](linear[1](linear[0](flat))),
            ),
        )
    require_same(scores, due, what="`head(backbone(x))`", axes="(N, num_classes)", mistakes=mistakes)


def _require_dropout(model, x, backbone, head):
    """In training mode the same random numbers must drop the same values."""
    results = []
    for run in (model.train(), lambda x: head.train()(backbone.train()(x))):
        torch.manual_seed(5)
        results.append(attempt("head(backbone(x))", run, x))
    if not same(results[1], results[0]):
        raise Wrong(
            "In training mode `head(backbone(x))` differs from `model(x)`: VGG's head drops half of its values then. "
            "Are the `Dropout` layers of `classifier` all in your head?"
        )
    if torch.autograd.grad(results[1].sum(), model.features[0].weight, allow_unused=True)[0] is None:
        raise Wrong("No gradient reaches the first convolution: the backbone could not be trained. Is it detached?")


split_vgg = Exercise(
    name="split_vgg",
    lesson="01",
    minutes=7,
    statement=(
        "Cut torchvision's VGG in two. `model` has `features`, `avgpool` and `classifier`; return `backbone, head`, "
        "two modules made of the model's own layers, so that `backbone(x)` is a feature map and `head(backbone(x))` "
        "equals `model(x)`. The model itself stays as it is."
    ),
    stub='''def split_vgg(model):
    """Cut torchvision's VGG in two: `head(backbone(x))` equals `model(x)`.

    model: has `features` (convolutions and pools), `avgpool` (to a fixed grid)
        and `classifier` (three linear layers).
    Returns `backbone, head`, two modules made of the model's own layers;
    `backbone(x)` is a feature map (N, C, H/32, W/32).
    """
    ...
''',
    hints=(
        "Ask of each part: does its output still have rows and columns that grow with the image? The backbone is "
        "all parts for which it is true.",
        "`model.features` is the backbone already. Three things follow in the head, and the middle one is no layer of "
        "the model: between `avgpool` and `classifier` the map becomes one row.",
    ),
    reference=reference,
    examine=_examine_split_vgg,
    moral="Of VGG-16's 138 million parameters the backbone has 15; you have just cut off the other 124.",
)
