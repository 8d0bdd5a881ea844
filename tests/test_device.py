"""The device picker: the best there is, or exactly what was asked for, or a plain error."""

import pytest
import torch

from deeplab_teach.device import pick_device


@pytest.fixture
def computer(monkeypatch):
    """Pretend to be on a computer with these accelerators."""

    def build(*, cuda=0, mps=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return build


@pytest.mark.parametrize(
    ("there", "best"),
    [({}, "cpu"), ({"mps": True}, "mps"), ({"cuda": 1}, "cuda"), ({"cuda": 2, "mps": True}, "cuda")],
)
def test_the_best_there_is(computer, there, best):
    computer(**there)
    assert pick_device() == torch.device(best)
    assert pick_device("cpu") == torch.device("cpu"), "the processor can always be asked for"


@pytest.mark.parametrize("wanted", ["cpu", "cpu:0", "cuda", "cuda:1", "mps", torch.device("cpu")])
def test_what_was_asked_for(computer, wanted):
    computer(cuda=2, mps=True)
    assert pick_device(wanted) == torch.device(wanted)


@pytest.mark.parametrize("wanted", ["cuda", "cuda:0", "mps", "gpu", "", "cpu:one", "CPU"])
def test_what_is_not_there(computer, wanted):
    computer()
    with pytest.raises(ValueError, match=rf"^device '{wanted}' is not available here; there are: cpu\.$"):
        pick_device(wanted)


def test_a_gpu_too_many(computer):
    computer(cuda=2)
    with pytest.raises(ValueError, match="device 'cuda:2' is not available here; there are: cuda, cpu"):
        pick_device("cuda:2")
