"""Shared by all tests: seeds, figures without a window, no network where a test says so, kernels without a network."""

import os
import random
import socket

import matplotlib
import numpy as np
import pytest
from kernels import let_kernels_use_files, loopback_works

os.environ["DEEPLAB_TEACH_PROGRESS"] = ""  # tests and the kernels that they start forget what was right before
matplotlib.use("Agg")  # not through MPLBACKEND: the lessons' kernels would inherit that and draw nothing


@pytest.fixture(autouse=True)
def seeded():
    """Every test starts from the same random state, in whatever order the tests run."""
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def offline(monkeypatch):
    """Connections fail at once, as they do without a network: for tests of what the messages say then."""

    def refuse(*args, **kwargs):
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def pytest_configure(config):
    if not loopback_works():
        let_kernels_use_files()
