"""Shared by all tests: seeds, figures without a window, no network where a test says so, kernels without a network."""

import os
import random
import socket
import tempfile

import matplotlib
import numpy as np
import pytest

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


def loopback_works():
    """Whether a program may talk to itself over 127.0.0.1; behind `unshare -n` it may not."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=2).close()
    except OSError:
        return False
    return True


def let_kernels_use_files():
    """Make Jupyter talk to its kernels through socket files instead of 127.0.0.1."""
    from jupyter_client.manager import KernelManager

    folder, init = tempfile.mkdtemp(prefix="kernels-"), KernelManager.__init__

    def with_files(self, *args, **kwargs):
        init(self, *args, **{"transport": "ipc", "ip": f"{folder}/{id(self)}", **kwargs})

    KernelManager.__init__ = with_files


def pytest_configure(config):
    if not loopback_works():
        let_kernels_use_files()
