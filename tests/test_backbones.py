"""What single backbones promise beyond the contract: where beta nets stride, what a text encoder reads."""

import copy

import pytest
import torch
from helpers import on_meta, random_features
from torch import nn

from deeplab_teach.backbones import (
    BACKBONES,
    AdaptedBackbone,
    alexnet,
    mobilenet_v2,
    resnet18,
    resnet50,
    resnet50_beta,
    resnet101_beta,
    text_encoder,
    vit_small,
    with_input_channels,
)
from deeplab_teach.backbones.transformer import SelfAttention
from deeplab_teach.backbones.vit import ViT
from deeplab_teach.cost import count
from deeplab_teach.features import Backbone, FeatureSpec, SequenceSpec, same_features
from deeplab_teach.heads import ClassificationHead, DeepLabV3PlusHead
from deeplab_teach.layers import conv_output_size, receptive_field
from deeplab_teach.necks import FPN, ChannelNorm, SimpleFeaturePyramid, with_pyramid

# --- the papers' ResNet


def units(backbone):
    """Stride and rate of each unit's 3x3, per stage."""
    stages = (backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4)
    return [[(unit.conv2.stride[0], unit.conv2.dilation[0]) for unit in stage] for stage in stages]


def test_a_beta_net_strides_in_the_last_unit_of_three_stages():
    first, second, third, last = units(on_meta(resnet50_beta))
    assert first == [(1, 1), (1, 1), (2, 1)]
    assert second == [(1, 1)] * 3 + [(2, 1)]
    assert third == [(1, 1)] * 5 + [(2, 1)]
    assert last == [(1, 1), (1, 2), (1, 4)], "the multi-grid holds at every output stride"


@pytest.mark.parametrize(
    ("output_stride", "third", "last"),
    [(16, [(1, 1)] * 6, [(1, 2), (1, 4), (1, 8)]), (8, [(1, 2)] * 6, [(1, 4), (1, 8), (1, 16)])],
)
def test_a_dilated_beta_net_runs_each_stage_at_the_rate_it_came_in(output_stride, third, last):
    plan = units(on_meta(resnet50_beta, output_stride=output_stride))
    assert plan[2:] == [third, last]
    assert plan[1] == [(1, 1)] * 3 + [(2 if output_stride == 16 else 1, 1)]


def test_multi_grid_can_be_chosen():
    assert [rate for _, rate in units(on_meta(resnet101_beta, multi_grid=(1, 1, 1)))[3]] == [1, 1, 1]
    assert [rate for _, rate in units(on_meta(resnet101_beta, multi_grid=(1, 2, 1), output_stride=16))[3]] == [2, 4, 2]
    with pytest.raises(ValueError, match=r"one rate to each of the 3 last units, got \(1, 2\)"):
        on_meta(resnet101_beta, multi_grid=(1, 2))


def test_where_a_beta_unit_only_strides_its_shortcut_has_no_weights():
    backbone = on_meta(resnet50_beta)
    assert isinstance(backbone.layer2[-1].downsample, nn.MaxPool2d)
    x = torch.arange(25.0).reshape(1, 1, 5, 5)
    assert torch.equal(backbone.layer2[-1].downsample(x), x[..., ::2, ::2])
    assert backbone.layer2[1].downsample is None


def test_the_maps_of_a_beta_net_are_what_goes_into_the_units_that_stride():
    backbone, inputs = resnet50_beta(output_stride=16).eval(), {}
    for key, layer in {"c2": backbone.layer1, "c3": backbone.layer2, "c4": backbone.layer3}.items():
        layer[-1].register_forward_pre_hook(lambda module, args, key=key: inputs.update({key: args[0]}))
    with torch.no_grad():
        features = backbone(torch.rand(1, 3, 33, 33))
    assert all(features[key] is inputs[key] for key in ("c2", "c3", "c4"))


def test_the_stem_of_a_beta_net_is_three_small_convolutions():
    stem = [module for module in on_meta(resnet101_beta).conv1 if isinstance(module, nn.Conv2d)]
    assert [(conv.out_channels, conv.kernel_size[0], conv.stride[0]) for conv in stem] == [
        (64, 3, 2),
        (64, 3, 1),
        (128, 3, 1),
    ]


# --- attention and ViT


def test_attention_by_hand():
    attention = SelfAttention(6, 2).double()
    x = torch.randn(1, 4, 6, dtype=torch.float64)
    query, key, value = attention.qkv(x)[0].split(6, dim=1)
    heads = []
    for part in (slice(0, 3), slice(3, 6)):
        weights = (query[:, part] @ key[:, part].T / 3**0.5).softmax(dim=1)
        heads.append(weights @ value[:, part])
    torch.testing.assert_close(attention(x)[0], attention.proj(torch.cat(heads, dim=1)))


def test_a_token_that_is_not_kept_is_read_by_nobody():
    attention = SelfAttention(8, 2).eval()
    x = torch.randn(2, 5, 8)
    kept = torch.ones(2, 5, dtype=torch.bool)
    kept[0, 3:] = False
    out = attention(x, kept)
    x[0, 3:] = 100.0
    changed = attention(x, kept)
    torch.testing.assert_close(out[0, :3], changed[0, :3])
    torch.testing.assert_close(out[1], attention(x)[1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 100, "num_heads": 6}, "dim must be a multiple of num_heads, got dim=100 and num_heads=6"),
        ({"dim": 96, "num_heads": 6, "image_size": 100}, "image_size must be a multiple of the patches' 16, got 100"),
    ],
)
def test_a_vit_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        on_meta(ViT, "vit", depth=1, **options)


# --- text


@pytest.fixture
def reader():
    return text_encoder(vocab_size=50, dim=16, depth=2, num_heads=2, max_length=12).eval()


def test_text_obeys_the_contract(reader):
    features = reader(torch.randint(1, 50, (3, 7)))
    assert list(features) == list(reader.feature_specs) == ["tokens"]
    assert features["tokens"].shape == (3, 16, 7) and reader.feature_specs["tokens"] == SequenceSpec(16, 1)


def test_padding_changes_nothing_and_is_declared(reader):
    short = torch.randint(1, 50, (2, 5))
    long = torch.cat([short, torch.zeros(2, 4, dtype=torch.int64)], dim=1)
    features = reader(long)
    assert features["mask"].tolist() == [[True] * 5 + [False] * 4] * 2
    torch.testing.assert_close(features["tokens"][..., :5], reader(short)["tokens"], rtol=1e-4, atol=1e-5)


def test_the_same_classification_head_reads_text(reader):
    head = ClassificationHead(reader.feature_specs, 4).eval()
    short = torch.randint(1, 50, (2, 5))
    padded = torch.cat([short, torch.zeros(2, 4, dtype=torch.int64)], dim=1)
    scores = head(reader(short))
    assert scores.shape == (2, 4)
    torch.testing.assert_close(head(reader(padded)), scores, rtol=1e-4, atol=1e-5)


def test_masked_mean_by_hand():
    head = ClassificationHead({"tokens": SequenceSpec(1, 1)}, 1)
    with torch.no_grad():
        head.classifier.weight.fill_(1.0)
        head.classifier.bias.fill_(0.0)
    features = {"tokens": torch.tensor([[[1.0, 3.0, 100.0]]]), "mask": torch.tensor([[True, True, False]])}
    assert head(features).item() == 2.0


def test_an_encoder_without_a_padding_id_keeps_every_token():
    reader = text_encoder(vocab_size=5, dim=8, depth=1, num_heads=2, padding_id=None).eval()
    assert "mask" not in reader(torch.zeros(1, 3, dtype=torch.int64))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.rand(1, 3, 32, 32), r"integer ids of shape \(N, T\), got torch.float32 \(1, 3, 32, 32\)"),
        (torch.tensor([1, 2, 3]), r"integer ids of shape \(N, T\), got torch.int64 \(3,\)"),
        (torch.ones(1, 13, dtype=torch.int64), "texts must have 1 to 12 tokens, got 13"),
        (torch.ones(1, 0, dtype=torch.int64), "texts must have 1 to 12 tokens, got 0"),
        (torch.tensor([[1, 50]]), r"ids must be in 0\.\.49, got 1\.\.50"),
        (torch.tensor([[-1, 2]]), r"ids must be in 0\.\.49, got -1\.\.2"),
        (torch.tensor([[1, 2], [0, 0]]), r"padding \(id 0\) alone"),
    ],
)
def test_what_is_no_text(reader, ids, message):
    with pytest.raises(ValueError, match=message):
        reader(ids)


# --- sizes


@pytest.mark.parametrize("size", [7, 16, 33, 224])
@pytest.mark.parametrize("kernel_size, stride, padding, rate", [(3, 2, 1, 1), (1, 2, 0, 1), (5, 1, 4, 2), (7, 3, 3, 1)])
def test_output_sizes_are_pytorchs(size, kernel_size, stride, padding, rate):
    layer = nn.Conv1d(1, 1, kernel_size, stride, padding, rate)
    options = {"stride": stride, "padding": padding, "rate": rate}
    if rate * (kernel_size - 1) + 1 > size + 2 * padding:
        with pytest.raises(ValueError, match="does not fit"):
            conv_output_size(size, kernel_size, **options)
    else:
        assert conv_output_size(size, kernel_size, **options) == layer(torch.zeros(1, 1, size)).shape[-1]


@pytest.mark.parametrize("layers", [[(3, 1, 1)], [(3, 2, 1), (3, 1, 2), (1, 2, 1)], [(7, 2, 1), (3, 2, 1), (3, 1, 1)]])
def test_receptive_fields_are_what_a_gradient_reaches(layers):
    def apply(x):
        for kernel_size, stride, rate in layers:
            x = nn.functional.conv1d(x, torch.ones(1, 1, kernel_size), None, stride, 0, rate)
        return x

    x = torch.zeros(1, 1, 64, requires_grad=True)
    reached = []
    for place in (0, 1):
        (grad,) = torch.autograd.grad(apply(x)[0, 0, place], x)
        reached.append(grad[0, 0].nonzero().flatten())
    field, step = receptive_field(layers)
    assert reached[0][-1] - reached[0][0] + 1 == field
    assert reached[1][0] - reached[0][0] == step


# --- pyramids


def test_an_fpn_by_hand():
    """Top-down: each map is its own 1x1 plus the coarser one, enlarged to its size."""
    backbone = mobilenet_v2().eval()
    fpn = FPN(backbone, keys=["c4", "c5"], out_channels=8).eval()
    image = torch.randn(1, 3, 97, 70)
    with torch.no_grad():
        features, pyramid = backbone(image), fpn(image)
        c4, c5 = (conv(features[key]) for conv, key in zip(fpn.lateral, ("c4", "c5"), strict=True))
        rows = torch.arange(c4.shape[2]) * c5.shape[2] // c4.shape[2]  # the nearest coarse row of each fine one
        columns = torch.arange(c4.shape[3]) * c5.shape[3] // c4.shape[3]
        torch.testing.assert_close(pyramid["p4"], fpn.output[0](c4 + c5[:, :, rows][..., columns]))
        torch.testing.assert_close(pyramid["p5"], fpn.output[1](c5))


@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize("extra", [None, "pool", "convs"])
def test_a_pyramid_obeys_the_contract(output_stride, extra):
    fpn = on_meta(lambda: FPN(resnet50(output_stride=output_stride), extra=extra))
    last = {8: [4, 8, 8, 8], 16: [4, 8, 16, 16], 32: [4, 8, 16, 32]}[output_stride]
    more = {None: [], "pool": [2], "convs": [2, 4]}[extra]
    assert [spec.stride for spec in fpn.feature_specs.values()] == last + [output_stride * i for i in more]
    assert list(fpn.feature_specs) == ["p2", "p3", "p4", "p5", "p6", "p7"][: 4 + len(more)]
    assert fpn.out_channels == 256 and fpn.name == "resnet50_fpn"
    for size in ((97, 129), (160, 96)):
        features = fpn(torch.empty(2, 3, *size, device="meta"))
        expected = random_features(fpn.feature_specs, size, device="meta")
        assert {key: value.shape for key, value in features.items()} == {k: v.shape for k, v in expected.items()}


def test_channel_norm_is_a_layer_norm_at_each_place():
    norm = ChannelNorm(5, eps=1e-6)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = torch.randn(2, 5, 3, 4)
    out = norm(x)
    for place in ((0, 1, 2), (1, 0, 3)):
        expected = nn.functional.layer_norm(x[place[0], :, place[1], place[2]], (5,), norm.weight, norm.bias, 1e-6)
        torch.testing.assert_close(out[place[0], :, place[1], place[2]], expected)


def test_the_simple_pyramid_by_hand():
    """Enlarged by transposed convolutions, halved by a pool, cut to the image, then 1x1, norm, 3x3, norm."""
    body = ViT("vit", dim=16, depth=1, num_heads=2, image_size=64).eval()
    pyramid = SimpleFeaturePyramid(body, out_channels=8).eval()
    for norm in (module for module in pyramid.modules() if isinstance(module, ChannelNorm)):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
    image = torch.randn(1, 3, 50, 70)
    with torch.no_grad():
        c4, maps = body(image)["c4"], pyramid(image)
        first, norm, _, second = pyramid.resize[0]
        quadruple = second(nn.functional.gelu(norm(first(c4))))
        halved = torch.stack([c4[..., 2 * i : 2 * i + 2, :].amax(2) for i in range(2)], dim=2)
        halved = torch.stack([halved[..., 2 * i : 2 * i + 2].amax(3) for i in range(3)], dim=3)
        scaled = {"p2": quadruple, "p3": pyramid.resize[1](c4), "p4": c4, "p5": halved}
        sizes = {"p2": (13, 18), "p3": (7, 9), "p4": (4, 5), "p5": (2, 3)}
        for (key, value), output in zip(scaled.items(), pyramid.output, strict=True):
            narrow, norm1, conv, norm2 = output
            rows, columns = sizes[key]
            expected = norm2(conv(norm1(narrow(value[..., :rows, :columns]))))
            torch.testing.assert_close(maps[key], expected, msg=key)
            assert maps[key].shape[2:] == sizes[key]


@pytest.mark.parametrize("size", [(97, 129), (160, 96), (33, 50)])
def test_the_simple_pyramid_obeys_the_contract(size):
    pyramid = on_meta(lambda: SimpleFeaturePyramid(vit_small()))
    assert list(pyramid.feature_specs.items()) == [(f"p{i}", FeatureSpec(256, 2**i)) for i in (2, 3, 4, 5)]
    features = pyramid(torch.empty(2, 3, *size, device="meta"))
    expected = random_features(pyramid.feature_specs, size, device="meta")
    assert {key: value.shape for key, value in features.items()} == {k: v.shape for k, v in expected.items()}


def test_a_pyramid_scales_images_as_its_backbone():
    assert on_meta(lambda: SimpleFeaturePyramid(vit_small())).mean == (0.5, 0.5, 0.5)
    assert on_meta(lambda: FPN(alexnet())).min_side == 63


def test_with_pyramid_chooses_what_fits():
    assert isinstance(on_meta(lambda: with_pyramid(vit_small())), SimpleFeaturePyramid)
    assert list(on_meta(lambda: with_pyramid(mobilenet_v2(), finest=8)).feature_specs) == ["p3", "p4", "p5"]
    assert list(on_meta(lambda: with_pyramid(alexnet())).feature_specs) == ["p3", "p4", "p5"]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: FPN(resnet50(), keys=["c4", "c9"]), "c9: no map of resnet50, which has c1, c2, c3, c4, c5"),
        (lambda: FPN(vit_small()), "joins two maps or more, got c4 of vit_small. On a ViT's single map put a Simple"),
        (lambda: FPN(resnet50(), keys=["c5"]), "joins two maps or more, got c5 of resnet50"),
        (lambda: FPN(resnet50(), keys=["c5", "c4"]), "each once, fine to coarse; got c5, c4"),
        (lambda: FPN(resnet50(), keys=["c4", "c4"]), "each once, fine to coarse; got c4, c4"),
        (lambda: FPN(resnet50(), extra="conv"), 'extra must be None, "pool" or "convs", got .conv.'),
        (lambda: SimpleFeaturePyramid(resnet50()), "must have stride 16; resnet50's c5 has 32"),
        (lambda: with_pyramid(text_encoder()), "text_encoder gives a row of text tokens: there is no pyramid"),
    ],
)
def test_pyramids_that_cannot_be(build, message):
    with pytest.raises(ValueError, match=message):
        on_meta(build)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_vit_in_half_precision_at_another_size(dtype):
    backbone = ViT("vit", dim=16, depth=1, num_heads=2, image_size=64).to(dtype).eval()
    with torch.no_grad():
        assert backbone(torch.rand(1, 3, 80, 48, dtype=dtype))["c4"].dtype == dtype


def test_a_text_encoder_can_be_compiled_whole():
    """Whether a text holds padding depends on values that a compiler does not see: then the mask is always given."""
    reader = text_encoder(vocab_size=50, dim=16, depth=1, num_heads=2).eval()
    ids = torch.randint(1, 50, (2, 5))
    with torch.no_grad():
        exported = torch.export.export(reader, (ids,)).module()(ids)
    assert exported["mask"].all()
    torch.testing.assert_close(exported["tokens"], reader(ids)["tokens"])


@pytest.mark.parametrize("wrong", [{"vocab_size": 0}, {"max_length": 0}])
def test_a_text_encoder_of_nothing(wrong):
    with pytest.raises(ValueError, match="must be 1 or more"):
        text_encoder(**wrong)


def test_text_has_no_map_for_a_1x1_convolution():
    with pytest.raises(ValueError, match="hidden_channels needs a map with rows and columns"):
        ClassificationHead({"tokens": SequenceSpec(8, 1)}, 3, hidden_channels=16)


# ------------------------------------------------------------------------------------------------- others' networks


class Foreign(nn.Module):
    """Somebody else's network: maps in no order, a batch norm, names of its own."""

    def __init__(self):
        super().__init__()
        self.fine = nn.Sequential(nn.Conv2d(3, 5, 3, 4, 1), nn.BatchNorm2d(5))
        self.deep = nn.Conv2d(5, 7, 3, 4, 1)

    def forward(self, x):
        fine = self.fine(x)
        return {"deep": self.deep(fine), "fine": fine}


def test_an_adapted_backbone_obeys_the_contract():
    body = Foreign()
    body.fine[1].eval()
    before = body.fine[1].running_mean.clone()
    backbone = AdaptedBackbone(body, "foreign", mean=(0.5, 0.5, 0.5))
    assert backbone.feature_specs == {"fine": FeatureSpec(5, 4), "deep": FeatureSpec(7, 16)}
    assert body.training and not body.fine[1].training and torch.equal(body.fine[1].running_mean, before)
    assert backbone.mean == (0.5, 0.5, 0.5) and backbone.std == Backbone.std and backbone.name == "foreign"
    features = backbone(torch.rand(2, 3, 97, 65))
    assert list(features) == ["fine", "deep"] and features["deep"].shape == (2, 7, 7, 5)
    with pytest.raises(ValueError, match="takes float images"):
        backbone(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))


def test_an_adapted_backbone_of_a_list():
    class Listed(Foreign):
        def forward(self, x):
            return list(super().forward(x).values())

    backbone = AdaptedBackbone(Listed(), "listed", keys=("c4", "c2"))
    assert backbone.feature_specs == {"c2": FeatureSpec(5, 4), "c4": FeatureSpec(7, 16)}
    with pytest.raises(ValueError, match="got keys=None for 2 maps"):
        AdaptedBackbone(Listed(), "listed")
    with pytest.raises(ValueError, match=r"got keys=\('c4',\) for 2 maps"):
        AdaptedBackbone(Listed(), "listed", keys=("c4",))
    with pytest.raises(ValueError, match="a dict or a list of maps, and one gives a Tensor"):
        AdaptedBackbone(nn.Conv2d(3, 4, 1), "one")


def test_a_classifier_is_no_backbone():
    class Scores(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 4)

        def forward(self, x):
            return {"scores": self.layer(x.mean((2, 3)))}

    with pytest.raises(ValueError, match=r"maps of shape \(N, C, h, w\), and this one gives scores \(1, 4\)"):
        AdaptedBackbone(Scores(), "scores")


def test_a_head_on_torchvisions_and_timms():
    import timm
    import torchvision
    from torchvision.models.feature_extraction import create_feature_extractor

    theirs = torchvision.models.resnet18(weights=None)
    ours = resnet18()
    ours.load_state_dict({key: value for key, value in theirs.state_dict().items() if not key.startswith("fc.")})
    taps = {f"layer{i}": f"c{i + 1}" for i in (1, 2, 3, 4)}
    adapted = AdaptedBackbone(create_feature_extractor(theirs, taps), "torchvision's").eval()
    assert adapted.feature_specs == {key: spec for key, spec in ours.feature_specs.items() if key != "c1"}
    x = torch.rand(1, 3, 97, 65)
    with torch.no_grad():
        due = ours.eval()(x)
        assert all(torch.equal(value, due[key]) for key, value in adapted(x).items())
    body = timm.create_model("mobilenetv3_small_050", pretrained=False, features_only=True)
    backbone = AdaptedBackbone(body, "timm's", keys=("c1", "c2", "c3", "c4", "c5"))
    assert [spec.stride for spec in backbone.feature_specs.values()] == [2, 4, 8, 16, 32]
    head = DeepLabV3PlusHead(backbone.feature_specs, 5, channels=8).eval()
    with torch.no_grad():
        assert head(backbone.eval()(x)).shape == (1, 5, 25, 17)


# --- other channels than red, green and blue


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "efficientnet_lite0", "vgg11_bn", "vit_small"])
def test_new_channels_change_nothing_at_first(name):
    torch.manual_seed(0)
    backbone = BACKBONES[name]().eval()
    wider = with_input_channels(backbone, 5)
    picture = torch.rand(1, 5, 65, 97)
    found, due = wider(wider.normalize(picture)), backbone(backbone.normalize(picture[:, :3]))
    assert all(torch.allclose(found[key], due[key], atol=1e-5) for key in due)
    assert wider.feature_specs == backbone.feature_specs and wider.in_channels == 5 and backbone.in_channels == 3


@torch.no_grad()
def test_grey_is_what_three_equal_channels_were():
    torch.manual_seed(0)
    backbone = BACKBONES["efficientnet_lite0"]().eval()  # one mean for all colours: exactly the same
    grey = with_input_channels(backbone, 1)
    picture = torch.rand(2, 1, 64, 96)
    found, due = grey(grey.normalize(picture)), backbone(backbone.normalize(picture.expand(-1, 3, -1, -1)))
    assert all(torch.allclose(found[key], due[key], atol=1e-4 * due[key].abs().max()) for key in due)
    assert not torch.equal(found["c5"], 0 * found["c5"])


def test_the_new_channel_learns_and_the_costs_know_it():
    backbone = with_input_channels(resnet18(), 4, mean=(0.4, 0.4, 0.4, 0.2), std=(0.2, 0.2, 0.2, 0.1))
    assert backbone.mean == (0.4, 0.4, 0.4, 0.2) and backbone.std[3] == 0.1
    backbone(backbone.normalize(torch.rand(2, 4, 64, 64)))["c5"].sum().backward()
    assert backbone.conv1.weight.grad[:, 3].abs().sum() > 0
    work = 64 * 32 * 32 * 49
    assert count(backbone, (64, 64)).multiply_adds == count(resnet18(), (64, 64)).multiply_adds + work
    assert count(with_pyramid(backbone), (64, 64)).roles["backbone"][1] == count(backbone, (64, 64)).multiply_adds


@torch.no_grad()
def test_a_pyramid_takes_them_too_above_or_below():
    torch.manual_seed(0)
    picture, plain = torch.rand(1, 4, 64, 64), with_pyramid(resnet18()).eval()
    below, above = copy.deepcopy(plain), with_input_channels(plain, 4)
    below = with_input_channels(below.backbone, 4)
    due = plain(plain.normalize(picture[:, :3]))
    found = above(above.normalize(picture))
    assert all(torch.allclose(found[key], due[key], atol=1e-5) for key in due)
    wrapped = with_pyramid(below)
    assert wrapped.in_channels == 4 and len(wrapped(wrapped.normalize(picture))) == len(due)
    assert same_features(below, below) == dict.fromkeys(below.feature_specs, True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: with_input_channels(resnet18(), True), "channels must be 1"),
        (lambda: with_input_channels(resnet18(), 4.0), "channels must be 1"),
        (lambda: with_input_channels(resnet18(), 2), "channels must be 1"),
        (lambda: with_input_channels(resnet18(), 3), "channels must be 1"),
        (lambda: with_input_channels(resnet18(), 4, mean=(0.5,)), "mean must have a number for each of the 4 channels"),
        (lambda: with_input_channels(with_input_channels(resnet18(), 1), 4), "begins with a convolution of three"),
        (lambda: with_input_channels(resnet18(), 4)(torch.rand(1, 3, 64, 64)), r"\(N, 4, H, W\)"),
        (lambda: with_input_channels(resnet18(), 1).normalize(torch.rand(3, 8, 8)), r"of shape \(..., 1, H, W\)"),
        (lambda: resnet18()(torch.rand(1, 4, 64, 64)), "alpha channel out with .* see .*with_input_channels"),
    ],
)
def test_channels_that_do_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()
