"""A pytest plugin for processes of their own: `-p kernels_by_files` does what `conftest.py` does for our tests."""

from kernels import let_kernels_use_files, loopback_works


def pytest_configure(config):
    if not loopback_works():
        let_kernels_use_files()
