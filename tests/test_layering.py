"""Who may import whom: a file only from files above it, `backbones/` and `heads/` never from each other."""

import ast
from pathlib import Path

import pytest

import deeplab_teach

PACKAGE = Path(deeplab_teach.__file__).resolve().parent
# From the ground up. A new file gets its place here: as high in the list as what it imports allows.
ORDER = (
    "data_files",
    "grids",
    "wordpiece",
    "boxes",
    "regions",
    "features",
    "layers",
    "backbones",
    "heads",
    "necks",
    "models",
    "predict",
    "weights",
    "device",
    "checkpoint",
    "datasets",
    "losses",
    "metrics",
    "cost",
    "training",
    "speed",
    "export",
    "papers",
    "plots",
    "explore",
    "check",
    "commands",
    "doctor",
    "__main__",
)
# Pairs that the order would allow and the design does not.
FORBIDDEN = {("heads", "backbones"), ("features", "data_files"), ("layers", "data_files"), ("grids", "data_files")}
FORBIDDEN |= {("boxes", "data_files"), ("regions", "data_files")}
ONLY = {"weights": {"data_files"}}


def module_name(path, package=PACKAGE):
    """`.../deeplab_teach/heads/fcn.py` -> ("heads", "fcn"); a package's `__init__` -> the package itself."""
    parts = path.relative_to(package).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


def imported(source, module, is_package):
    """The course's own modules that a file imports, wherever in the file: tuples such as ("heads", "fcn")."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first, *rest = alias.name.split(".")
                if first == "deeplab_teach":
                    yield tuple(rest)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                here = module if is_package else module[:-1]
                base = here[: len(here) - node.level + 1]
            elif (node.module or "").split(".")[0] == "deeplab_teach":
                base = ()
            else:
                continue
            rest = [part for part in (node.module or "").split(".") if part and part != "deeplab_teach"]
            base = (*base, *rest)
            if base:
                yield base
            else:  # from deeplab_teach import heads, __version__
                yield from ((alias.name,) for alias in node.names if alias.name != "__version__")


def violations(source, module, *, is_package=False):
    """Sentences about the imports of one file that break the order."""
    layer = module[0]
    if layer not in ORDER:
        return [f"{layer} has no place in ORDER"] if layer != "__init__" else []
    found = []
    for target in imported(source, module, is_package):
        other = target[0] if target else "deeplab_teach"
        if other == layer:
            continue
        if other not in ORDER:
            found.append(f"{'.'.join(module)} imports {other} from the package's front door; name its file")
        elif ORDER.index(other) > ORDER.index(layer):
            found.append(f"{'.'.join(module)} imports {other}, which lies below it")
        elif (layer, other) in FORBIDDEN or (layer in ONLY and other not in ONLY[layer]):
            found.append(f"{'.'.join(module)} must not import {other}")
    return found


FILES = sorted(path for path in PACKAGE.rglob("*.py") if "data" not in path.relative_to(PACKAGE).parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: ".".join(module_name(path)))
def test_imports_go_upwards(path):
    source = path.read_text(encoding="utf-8")
    found = violations(source, module_name(path), is_package=path.name == "__init__.py")
    assert not found, "\n".join(found)


def test_a_wrong_import_is_named():
    bad = {
        "from deeplab_teach.models import SegmentationModel": ("heads", "fcn"),
        "from deeplab_teach.backbones.resnet import resnet50": ("heads", "fcn"),
        "from deeplab_teach import heads": ("backbones", "resnet"),
        "import deeplab_teach.heads.fcn": ("backbones", "resnet"),
        "from ..heads.fcn import FCNHead": ("backbones", "resnet"),
        "from .. import heads": ("backbones", "resnet"),
        "from .models import load": ("data_files",),
        "def f():\n    from deeplab_teach.plots import show": ("cost",),
        "from deeplab_teach.models import ImageClassifier": ("weights",),
        "from deeplab_teach import resnet50": ("plots",),
    }
    for source, module in bad.items():
        assert len(violations(source, module)) == 1, (module, source)
    assert violations("x = 1", ("brand_new",)) == ["brand_new has no place in ORDER"]


def test_a_right_import_passes():
    good = {
        "from deeplab_teach.features import FeatureSpec": ("heads", "fcn"),
        "from deeplab_teach.heads.deeplabv3 import ASPP": ("heads", "deeplabv3plus"),
        "from .resnet import resnet50": ("backbones", "xception"),
        "from ..features import Backbone": ("backbones", "resnet"),
        "from deeplab_teach import __version__, models": ("doctor",),
        "from deeplab_teach.data_files import sha256": ("weights",),
        "import torch\nfrom torch import nn": ("features",),
    }
    for source, module in good.items():
        assert violations(source, module) == [], (module, source)
    assert violations("from .classes import VOC_CLASSES", ("datasets",), is_package=True) == []
