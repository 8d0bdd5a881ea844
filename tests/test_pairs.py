"""Every backbone under every head: what fits gives the promised shapes, what does not says why in one sentence."""

import pytest
import torch
from helpers import on_meta

from deeplab_teach.backbones import BACKBONES, FIXED_STRIDES, IMAGE_BACKBONES, SEQUENCE_BACKBONES
from deeplab_teach.cost import count
from deeplab_teach.heads import CLASSIFICATION_HEADS, DENSE_HEADS, DETECTION_HEADS, HEADS
from deeplab_teach.losses import fcos_loss
from deeplab_teach.models import FixedProposals, build_model, faster_rcnn, mask_rcnn
from deeplab_teach.necks import Pyramid

SIZE = (97, 129)
# Pairs that do not exist, and the sentence that says why.
IMPOSSIBLE = {("alexnet", "deeplabv3plus"): r"a feature map of stride 4; this backbone has c3 \(64 channels, stride 8"}
IMPOSSIBLE |= {
    (reader, head): "needs maps with rows and columns, and the backbone gives a row of text tokens"
    for reader in SEQUENCE_BACKBONES
    for head in HEADS
    if head != "classification"
}
IMPOSSIBLE |= {
    (reader, "fcos"): f"{reader} gives a row of text tokens: there is no pyramid to build"
    for reader in SEQUENCE_BACKBONES
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_pair_has_its_shapes_or_its_sentence(backbone, head):
    if (backbone, head) in IMPOSSIBLE:
        with pytest.raises(ValueError, match=IMPOSSIBLE[backbone, head]) as error:
            on_meta(build_model, backbone, head, 7)
        assert "\n" not in str(error.value)
        return
    model = on_meta(build_model, backbone, head, 7)
    if backbone in SEQUENCE_BACKBONES:
        assert model(torch.ones(2, 5, dtype=torch.int64, device="meta")).shape == (2, 7)
        return
    answer = model(torch.empty(2, 3, *SIZE, device="meta"))
    if head in CLASSIFICATION_HEADS:
        assert answer.shape == (2, 7)
    elif head in DENSE_HEADS:
        assert answer.shape == (2, 7, *SIZE)
    else:
        features = model.backbone(torch.empty(2, 3, *SIZE, device="meta"))
        places = sum(value.shape[2] * value.shape[3] for value in features.values())
        assert answer["cls_logits"].shape == (2, places, 7)
        assert answer["bbox_regression"].shape == (2, places, 4)
        assert answer["bbox_ctrness"].shape == (2, places, 1)
        assert answer["points"].shape == (places, 2)


@pytest.mark.parametrize("build", [faster_rcnn, mask_rcnn])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_inside_torchvisions_rcnn(backbone, build):
    def model():
        return build(BACKBONES[backbone](), 7)

    if backbone in SEQUENCE_BACKBONES:
        with pytest.raises(ValueError, match="there is no pyramid to build"):
            on_meta(model)
        return
    whole = on_meta(model)
    answer = FixedProposals(whole, proposals=5, detected=3).eval()(torch.empty(1, 3, *SIZE, device="meta"))
    assert [part.shape for part in answer["box"]] == [(5, 7), (5, 28)]
    if build is mask_rcnn:
        assert answer["mask"].shape == (3, 7, 28, 28)
    generator = whole.rpn.anchor_generator
    strides = [spec.stride for spec in whole.backbone.feature_specs.values()]
    assert [side for (side,) in generator.sizes] == [8 * stride for stride in strides]
    assert len(answer["rpn"][0]) == len(strides), "one map of proposals for each map of the pyramid"
    pooled = whole.roi_heads.box_roi_pool.featmap_names
    assert pooled == [key for key in whole.backbone.feature_specs if key <= "p5"]
    body = whole.backbone.backbone
    assert (tuple(whole.transform.image_mean), tuple(whole.transform.image_std)) == (body.mean, body.std)


def one_real_head(backbone):
    """The richest head that the backbone can carry."""
    return "deeplabv3" if backbone == "alexnet" else "deeplabv3plus"


@pytest.mark.parametrize("backbone", IMAGE_BACKBONES)
def test_one_pair_per_backbone_for_real(backbone):
    """Values, not only shapes: an image of odd sides, a gradient down to the first layer, and a batch of one."""
    head = one_real_head(backbone)
    model = build_model(backbone, head, 3, channels=32).eval()
    image = torch.randn(1, 3, *SIZE)
    logits = model(image)
    assert logits.shape == (1, 3, *SIZE) and logits.isfinite().all() and logits.std() > 0
    logits.square().mean().backward()
    first = next(p for name, p in model.backbone.named_parameters() if p.dim() == 4)
    assert first.grad.abs().sum() > 0, "no gradient reaches the first convolution"
    assert all(p.grad is not None for name, p in model.head.named_parameters())
    with torch.inference_mode():
        assert not torch.equal(model(image.flip(-1)), logits), "the answer depends on the image"


def test_text_for_real():
    model = build_model("text_encoder", "classification", 3).eval()
    scores = model(torch.tensor([[5, 6, 7, 0]]))
    scores.square().sum().backward()
    assert scores.shape == (1, 3) and model.backbone.token_embed.weight.grad[5].abs().sum() > 0
    assert model.backbone.token_embed.weight.grad[0].abs().sum() == 0, "nothing is learnt from padding"


@pytest.mark.parametrize("backbone", ["resnet18", "vit_small", "vgg11_bn"])
def test_detection_for_real(backbone):
    model = build_model(backbone, "fcos", 4).train()
    targets = [{"boxes": torch.tensor([[10.0, 20.0, 90.0, 80.0]]), "labels": torch.tensor([2])}]
    losses = fcos_loss(model(torch.randn(1, 3, *SIZE)), targets)
    sum(losses.values()).backward()
    first = next(p for name, p in model.backbone.named_parameters() if p.dim() == 4)
    assert first.grad.abs().sum() > 0
    assert not [name for name, p in model.named_parameters() if p.grad is None]


def test_a_neck_is_a_backbone_in_code_and_a_part_of_its_own_in_cost():
    model = on_meta(build_model, "resnet18", "fcos", 7)
    assert isinstance(model.backbone, Pyramid)
    cost = count(model, SIZE)
    assert list(cost.roles) == ["backbone", "neck", "head"]
    assert cost.roles["backbone"][1] == count(on_meta(BACKBONES["resnet18"]), SIZE).multiply_adds
    assert sum(work for _, work in cost.roles.values()) == cost.multiply_adds
    laterals = sum(width * 256 for width in (128, 256, 512)) + 3 * 256
    outputs = extras = 256 * 256 * 9 + 256
    assert cost.roles["neck"][0] == laterals + 3 * outputs + 2 * extras


def test_the_lists_written_by_hand():
    assert CLASSIFICATION_HEADS == ("classification", "fully_connected") and DETECTION_HEADS == ("fcos",)
    assert DENSE_HEADS == ("linear", "fcn", "deeplabv3", "deeplabv3plus")
    assert FIXED_STRIDES.keys() == {"alexnet", "vit_small", "text_encoder", "minilm"} | {
        *("vgg11", "vgg11_bn", "vgg13", "vgg16", "vgg16_bn", "vgg19")
    }
    assert len(IMAGE_BACKBONES) == 21 and not IMAGE_BACKBONES.keys() & SEQUENCE_BACKBONES.keys()


def test_any_head_fits_a_pyramid():
    """A pyramid is a backbone: DeepLabv3+ on an FPN reads p5 and p2."""
    from deeplab_teach.models import SegmentationModel
    from deeplab_teach.necks import FPN

    def build():
        pyramid = FPN(BACKBONES["resnet18"](), out_channels=32)
        return SegmentationModel(pyramid, HEADS["deeplabv3plus"](pyramid.feature_specs, 5, channels=32))

    model = on_meta(build)
    assert (model.head.deep, model.head.low_level) == ("p5", "p2")
    assert model(torch.empty(1, 3, *SIZE, device="meta")).shape == (1, 5, *SIZE)
