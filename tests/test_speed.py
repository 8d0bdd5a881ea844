"""Faster, with the same answers: folded batch norms, and the clock."""

import pytest
import torch
from helpers import randomise_batch_norm
from torch import nn

from deeplab_teach.backbones import efficientnet_lite0, mobilenet_v2, resnet18, xception41
from deeplab_teach.heads import DeepLabV3PlusHead
from deeplab_teach.models import SegmentationModel
from deeplab_teach.speed import fold_batch_norm, folded, seconds

CONVS = [
    {"in_channels": 4, "out_channels": 6, "kernel_size": 3},
    {"in_channels": 4, "out_channels": 8, "kernel_size": 3, "groups": 4, "bias": False, "stride": 2, "padding": 1},
    {
        "in_channels": 4,
        "out_channels": 4,
        "kernel_size": (1, 3),
        "dilation": 2,
        "padding_mode": "reflect",
        "padding": 2,
    },
]


def shaken(norm):
    """Averages of its own, and a scale and a shift where it has them."""
    torch.nn.init.normal_(norm.running_mean)
    torch.nn.init.uniform_(norm.running_var, 0.01, 2)
    for value in norm.parameters():
        torch.nn.init.normal_(value)
    return norm.eval()


@pytest.mark.parametrize("options", CONVS)
@pytest.mark.parametrize("affine", [True, False])
def test_one_convolution_in_place_of_two_layers(options, affine):
    conv, norm = nn.Conv2d(**options), shaken(nn.BatchNorm2d(options["out_channels"], eps=1e-2, affine=affine))
    before = conv.weight.clone(), norm.running_mean.clone()
    x = torch.randn(2, 4, 9, 11)
    torch.testing.assert_close(fold_batch_norm(conv, norm)(x), norm(conv(x)), rtol=1e-4, atol=1e-5)
    assert torch.equal(conv.weight, before[0]) and torch.equal(norm.running_mean, before[1])


def test_what_cannot_be_folded():
    with pytest.raises(ValueError, match="of 3 channels does not follow one of 4"):
        fold_batch_norm(nn.Conv2d(2, 4, 1), nn.BatchNorm2d(3))
    with pytest.raises(ValueError, match="depends on the batch"):
        fold_batch_norm(nn.Conv2d(2, 4, 1), nn.BatchNorm2d(4, track_running_stats=False))


@pytest.mark.parametrize("build", [mobilenet_v2, efficientnet_lite0, resnet18, xception41])
def test_a_whole_model_folded(build):
    backbone = build(output_stride=16)
    model = SegmentationModel(backbone, DeepLabV3PlusHead(backbone.feature_specs, 5, channels=8))
    randomise_batch_norm(model)
    model.train()
    lean = folded(model)
    assert model.training and not lean.training
    assert not any(isinstance(module, nn.BatchNorm2d) for module in lean.modules())
    x = torch.randn(1, 3, 65, 97)
    with torch.no_grad():
        due = model.eval()(x)
        assert ((lean(x) - due).norm() / due.norm()).item() < 1e-4


class Shared(nn.Module):
    """A batch norm after a ReLU reads no convolution's output, one after a linear layer neither."""

    def __init__(self):
        super().__init__()
        self.conv, self.late, self.first = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.BatchNorm2d(3)

    def forward(self, x):
        return self.late(self.conv(self.first(x)).relu())


def test_only_what_reads_a_convolution_is_folded():
    lean = folded(Shared())
    assert isinstance(lean.late, nn.BatchNorm2d) and isinstance(lean.first, nn.BatchNorm2d)


class Split(nn.Module):
    """The convolution's output is read twice, once without the batch norm."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x):
        y = self.conv(x)
        return self.norm(y) + 10 * y


class Twice(nn.Module):
    """One convolution, two batch norms after it."""

    def __init__(self):
        super().__init__()
        self.conv, self.a, self.b = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, x):
        return self.a(self.conv(x)) + self.b(self.conv(x))


@pytest.mark.parametrize("build", [Split, Twice])
def test_the_answer_is_checked(build):
    """Where folding would change the answer, an error says so."""
    model = build()
    randomise_batch_norm(model)
    with pytest.raises(ValueError, match="would change the answer"):
        folded(model)


def test_the_clock():
    class Slow(nn.Module):
        def forward(self, x):
            for _ in range(30):
                x = x @ x * 1e-3
            return x

    taken = seconds({"slow": Slow(), "fast": nn.Identity()}, torch.rand(400, 400), rounds=3)
    assert list(taken) == ["slow", "fast"] and taken["slow"] > taken["fast"] > 0
