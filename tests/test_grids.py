"""Where the places of a map lie: what backbones declare against what a gradient reaches; what `aligned` does."""

import pytest
import torch
import torch.nn.functional as F
from helpers import randomise_batch_norm
from torch import nn

from deeplab_teach.backbones import IMAGE_BACKBONES, AdaptedBackbone, mobilenet_v2, resnet18, vgg11, vit_small
from deeplab_teach.features import Backbone
from deeplab_teach.grids import Grid, interleave, of_patches, resample, through_grid
from deeplab_teach.heads import HEADS, FCNHead
from deeplab_teach.models import SegmentationModel, build_model
from deeplab_teach.necks import FPN, SimpleFeaturePyramid


def made_plain(backbone):
    """The same geometry, and nothing else: kernels that read their middle, averages for maxima, no activation."""
    for name, module in list(backbone.named_modules()):
        parent = backbone.get_submodule(name.rpartition(".")[0])
        if isinstance(module, nn.MaxPool2d):
            options = {"stride": module.stride, "padding": module.padding, "ceil_mode": module.ceil_mode}
            setattr(parent, name.rpartition(".")[2], nn.AvgPool2d(module.kernel_size, **options))
        elif isinstance(module, nn.ReLU | nn.ReLU6 | nn.BatchNorm2d | nn.Dropout):
            setattr(parent, name.rpartition(".")[2], nn.Identity())
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            middle = torch.zeros(module.kernel_size)
            rows, columns = (slice((k - 1) // 2, k // 2 + 1) for k in module.kernel_size)  # of an even one, two
            middle[rows, columns] = 1 / module.weight.shape[1]
            module.weight.data.copy_(middle.expand_as(module.weight))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for name, module in backbone.named_modules():
        if name.endswith(("attn.proj", "mlp.fc2")):  # a token then keeps what its own patch gave it
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    return backbone.double().eval()


def found_grids(backbone, size, keys=None):
    """The middle of what two neighbouring places of each map have seen, along both sides: a `Grid` per map."""
    image = torch.full((1, 3, *size), 0.1, dtype=torch.float64).requires_grad_()
    found = {}
    for key, value in backbone(image).items():
        if keys and key not in keys:
            continue
        i, j = value.shape[-2] // 2, value.shape[-1] // 2
        middles = []
        for row, column in ((i, j), (i + 1, j + 1)):
            (grad,) = torch.autograd.grad(value[0, :, row, column].sum(), image, retain_graph=True)
            weights = grad[0].sum(0).abs()
            rows, columns = (torch.arange(n, dtype=torch.float64) for n in size)
            middles.append(
                ((weights.sum(1) @ rows / weights.sum()).item(), (weights.sum(0) @ columns / weights.sum()).item())
            )
        (top, left), (below, right) = middles
        assert below - top == pytest.approx(right - left, abs=0.02)
        stride = round(below - top)
        found[key] = Grid(stride, top - i * stride, left - j * stride)
    return found


def same_grids(found, declared):
    assert found.keys() == declared.keys()
    for key, grid in found.items():
        due = declared[key]
        assert grid.stride == due.stride, key
        assert (grid.top, grid.left) == pytest.approx((due.top, due.left), abs=0.05), key


SIZES = [(128, 128), (129, 129), (134, 143)]  # even: padding of "SAME" on one side; 32 k + 1: on both; neither
SMALL = ("mobilenet_v2", "efficientnet_lite0", "resnet18", "resnet50", "xception41", "vgg11", "vgg11_bn", "alexnet")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [*SMALL, "efficientnet_lite2", "vit_small", "resnet50_beta"])
def test_places_lie_where_the_backbone_says(name, size):
    backbone = made_plain(IMAGE_BACKBONES[name]())
    if name == "vit_small":
        nn.init.zeros_(backbone.pos_embed)
        backbone.norm = nn.Identity()
    same_grids(found_grids(backbone, size), backbone.grids(size))


@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite0", "resnet18", "xception41"])
def test_dilation_moves_no_place(name, output_stride):
    backbone = made_plain(IMAGE_BACKBONES[name](output_stride=output_stride))
    same_grids(found_grids(backbone, (96, 109)), backbone.grids((96, 109)))


def test_every_backbone_is_of_a_kind_that_was_measured():
    with torch.device("meta"):
        measured = {type(IMAGE_BACKBONES[name]()) for name in (*SMALL, "vit_small", "resnet50_beta")}
        assert {type(make()) for make in IMAGE_BACKBONES.values()} == measured


def test_maps_on_top_of_a_pyramid():
    """Only of the topmost map and those above it can a gradient tell: the others carry coarser maps as well."""
    for body in (resnet18(), vgg11()):
        pyramid = made_plain(FPN(body, keys=["c4", "c5"], extra="convs"))
        declared, found = pyramid.grids((200, 231)), found_grids(pyramid, (200, 231), ("p5", "p6"))
        same_grids(found, {key: declared[key] for key in ("p5", "p6")})
        assert declared["p4"] == body.grids((200, 231))["c4"]
    vit = vit_small()
    assert SimpleFeaturePyramid(vit).grids((64, 64)) == {f"p{i}": of_patches(2**i) for i in (2, 3, 4, 5)}


@pytest.mark.parametrize(("rows", "columns"), [(5, 7), (1, 4)])
def test_resample_keeps_values_at_their_places(rows, columns):
    maps = torch.randn(2, 3, rows, columns, dtype=torch.float64)
    for grid in (Grid(8), Grid(8, 3, 7)):
        out = resample(maps, grid, (60, 61))
        assert out.dtype == maps.dtype
        held = out[:, :, int(grid.top) :: 8, int(grid.left) :: 8][..., :rows, :columns]
        assert torch.allclose(held, maps, atol=1e-5)
        assert torch.allclose(out[..., 0, 0], maps[..., 0, 0], atol=1e-5)  # before the first place its value goes on


def test_resample_against_interpolate():
    maps = torch.randn(1, 2, 6, 9)
    borders = F.interpolate(maps, size=(96, 144), mode="bilinear", align_corners=False)
    assert torch.allclose(resample(maps, of_patches(16), (96, 144)), borders, atol=1e-5)
    places = F.interpolate(maps, size=(81, 129), mode="bilinear", align_corners=True)
    assert torch.allclose(resample(maps, Grid(16), (81, 129)), places, atol=1e-5)
    finer = F.interpolate(maps, size=(24, 36), mode="bilinear", align_corners=False)
    assert torch.allclose(resample(maps, of_patches(16), (24, 36), onto=of_patches(4)), finer, atol=1e-5)
    assert resample(maps.half(), Grid(16), (50, 50)).dtype == torch.float16


@pytest.mark.parametrize("head", [head for head in HEADS if HEADS[head].task == "segmentation"])
@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite0", "vgg11"])
def test_scores_stand_where_their_places_lie(name, head):
    options = {"channels": 8} if head.startswith("deeplab") else {}
    model = randomise_batch_norm(build_model(name, head, 3, aligned=True, **options)).eval()
    image = torch.rand(1, 3, 130, 157)
    with torch.no_grad():
        grids, features = model.backbone.grids((130, 157)), model.backbone(image)
        args = (features, grids) if head == "deeplabv3plus" else (features,)
        coarse, scores = model.head(*args), model(image)
    grid = grids[model.head.answers_on]
    assert scores.shape == (1, 3, 130, 157)
    for i in range(coarse.shape[-2]):
        for j in range(coarse.shape[-1]):
            row, column = grid.top + i * grid.stride, grid.left + j * grid.stride
            if row == int(row) and row < 130 and column < 157:
                assert torch.allclose(scores[..., int(row), int(column)], coarse[..., i, j], atol=1e-4)


def test_at_513_pixels_aligned_is_what_the_papers_do():
    """513 = 16 * 32 + 1: outermost places lie on outermost pixels, and `align_corners=True` is right."""
    model = randomise_batch_norm(build_model("mobilenet_v2", "fcn", 3, aligned=True)).eval()
    image = torch.rand(1, 3, 129, 129)
    with torch.no_grad():
        due = F.interpolate(model.head(model.backbone(image)), size=(129, 129), mode="bilinear", align_corners=True)
        assert torch.allclose(model(image), due, atol=1e-4)
        model.aligned = False
        assert not torch.allclose(model(image), due, atol=1e-2)


def test_the_decoder_lays_place_on_place():
    model = randomise_batch_norm(build_model("mobilenet_v2", "deeplabv3plus", 3, aligned=True, channels=8)).eval()
    seen = {}
    model.head.aspp.register_forward_hook(lambda _, __, out: seen.update(deep=out))
    model.head.decoder.register_forward_pre_hook(lambda _, args: seen.update(joined=args[0][:, :8]))
    image = torch.rand(1, 3, 129, 161)
    with torch.no_grad():
        model(image)
        assert torch.allclose(seen["joined"][..., ::4, ::4], seen["deep"], atol=1e-5)
        model.aligned = False
        model(image)
        assert not torch.allclose(seen["joined"][..., ::4, ::4], seen["deep"], atol=1e-3)


def test_what_aligned_cannot_do_is_said():
    with pytest.raises(ValueError, match="aligned and auxiliary are of dense heads.*fcos does detection"):
        build_model("resnet18", "fcos", 3, aligned=True)
    backbone = resnet18()
    head = FCNHead(backbone.feature_specs, 3)
    del head.answers_on
    with pytest.raises(ValueError, match="on which map's grid FCNHead answers.*answers_on"):
        SegmentationModel(backbone, head, aligned=True)
    stranger = AdaptedBackbone(resnet18(), "mine")
    with pytest.raises(ValueError, match=r"where the places of mine's maps lie.*grid_of=Grid"):
        build_model(stranger, "fcn", 3, aligned=True)
    known = AdaptedBackbone(resnet18(), "mine", grid_of=Grid)
    assert known.grids((99, 99)) == backbone.grids((99, 99))
    assert build_model(known, "fcn", 3, aligned=True)(torch.rand(2, 3, 65, 65)).shape == (2, 3, 65, 65)


def test_a_backbone_of_your_own_is_taken_for_a_centred_one():
    class Mine(Backbone):
        name = "mine"
        feature_specs = mobilenet_v2().feature_specs

    assert Mine().grids((10, 10)) == {key: Grid(spec.stride) for key, spec in Mine.feature_specs.items()}


def test_a_graph_of_an_aligned_model_takes_images_of_any_number_and_size():
    model = build_model("resnet18", "fcn", 3, aligned=True).eval()
    free = {axis: torch.export.Dim.DYNAMIC for axis in (0, 2, 3)}
    run = torch.export.export(model, (torch.zeros(2, 3, 96, 128),), dynamic_shapes=(free,)).module()
    for shape in ((1, 3, 65, 97), (3, 3, 130, 64)):
        images = torch.rand(shape)
        assert torch.allclose(run(images), model(images), atol=1e-5)


def on_a_ring(backbone):
    """Opposite borders of the picture joined, so that a picture that is moved loses nothing."""
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            module.padding_mode = "circular"
    return randomise_batch_norm(backbone).eval()


@pytest.mark.parametrize("output_stride", [16, 8])
@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18", "xception41"])
def test_a_dilated_network_is_several_passes_of_the_strided_one(name, output_stride):
    """The one picture of lesson 05: passes over a picture that is moved, interleaved."""
    factory = IMAGE_BACKBONES[name]
    torch.manual_seed(0)
    coarse = on_a_ring(factory())
    fine = on_a_ring(factory(output_stride=output_stride))
    fine.load_state_dict(coarse.state_dict())
    if name == "resnet18":  # its pool pads with what is smaller than everything: on a ring there is no such border
        coarse.maxpool = fine.maxpool = nn.AvgPool2d(2)
    image, steps = torch.rand(1, 3, 64, 96), 32 // output_stride
    with torch.inference_mode():
        passes = {}
        for i in range(steps):
            for j in range(steps):
                moved = image.roll((-i * output_stride, -j * output_stride), (2, 3))
                passes[i, j] = coarse(moved)["c5"]
        found, due = fine(image)["c5"], interleave(passes, steps)
    assert found.shape == due.shape
    assert (found - due).abs().max() <= 1e-5 * due.abs().max()


def test_passes_that_are_missing_are_nan():
    fine = interleave({(1, 0): torch.ones(2, 3)}, 2)
    assert fine.shape == (4, 6) and torch.equal(fine[1::2, ::2], torch.ones(2, 3)) and fine.isnan().sum() == 18


@pytest.mark.parametrize(
    ("passes", "words"),
    [
        ({}, "no pass"),
        ({(0, 2): torch.ones(2, 2)}, r"0 to 1 of them; got \(0, 2\)"),
        ({(0, 0): torch.ones(2, 2), (0, 1): torch.ones(2, 3)}, r"one size; got \(2, 2\) and \(2, 3\)"),
    ],
)
def test_passes_that_cannot_be_interleaved(passes, words):
    with pytest.raises(ValueError, match=words):
        interleave(passes, 2)


def test_labels_through_a_grid():
    labels = torch.zeros(2, 16, 16, dtype=torch.int64)
    labels[0, :, 8:] = 2  # half of the picture, along the border of squares
    labels[1, 3, :], labels[1, :, 5] = 1, 1  # thin lines
    assert torch.equal(through_grid(labels, 1, 3), labels)
    coarse = through_grid(labels, 4, 3)
    assert torch.equal(coarse[0], labels[0]) and coarse.dtype == labels.dtype
    assert (coarse[1] == 1).sum() < (labels[1] == 1).sum(), "lines thinner than half a square are lost"
    checkerboard = (torch.arange(16) % 2).expand(1, 16, 16)
    assert through_grid(checkerboard, 2, 2).unique().numel() == 1
