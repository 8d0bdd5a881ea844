"""The package from Python, without the lessons: names that load when they are asked for, and the README's example."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import deeplab_teach

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "torchvision", "matplotlib", "ipywidgets", "timm", "IPython", "PIL")
# What may be imported for a network alone: none of these draws, reads images or makes widgets.
LIGHT = (
    "features layers backbones heads necks models predict weights checkpoint losses metrics cost device speed papers"
)


def brought_by(code):
    """Which of the heavy libraries are loaded after `code` ran in a fresh process."""
    code = f"import sys\n{code}\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(run.stdout.split())


def test_importing_the_package_loads_nothing_heavy():
    assert brought_by("import deeplab_teach") == set()


def test_networks_load_without_pictures_and_widgets():
    assert brought_by("import deeplab_teach as dt\n" + "\n".join(f"dt.{name}" for name in LIGHT.split())) == {"torch"}


def test_what_draws_loads_what_it_needs():
    """And so the two tests above can fail."""
    assert {"torch", "torchvision", "matplotlib"} <= brought_by("import deeplab_teach as dt\ndt.plots")
    assert "ipywidgets" in brought_by("import deeplab_teach as dt\ndt.explore")


def test_every_public_name_is_there():
    assert set(dir(deeplab_teach)) == set(deeplab_teach.__all__)
    for name in deeplab_teach.__all__:
        assert getattr(deeplab_teach, name) is not None
    with pytest.raises(AttributeError, match="did you mean resnet50"):
        _ = deeplab_teach.resnet5
    with pytest.raises(AttributeError, match="dir\\(deeplab_teach\\) lists"):
        _ = deeplab_teach.xyz


def test_public_names_are_those_that_files_export():
    for file, names in deeplab_teach._FILES.items():
        module = getattr(deeplab_teach, file)
        missing = [name for name in names if name not in getattr(module, "__all__", names)]
        assert not missing, f"{file} does not export {missing}"


def test_no_function_hides_a_module():
    """`deeplab_teach.backbones.vgg` is one thing, whatever was imported before."""
    for folder in [ROOT / "deeplab_teach", *(path.parent for path in (ROOT / "deeplab_teach").glob("*/__init__.py"))]:
        name = ".".join(folder.relative_to(ROOT).parts)
        package = __import__(name, fromlist=["x"])
        public = set(getattr(package, "__all__", ())) - (
            set(deeplab_teach._FILES) if folder.name == "deeplab_teach" else set()
        )
        hidden = public & {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
        assert not hidden, f"{name} exports {hidden}, and has modules of that name"


def test_the_lines_of_the_readme(capsys):
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S).group(1)
    assert len([line for line in code.splitlines() if line]) <= 10
    names = {}
    exec(code, names)
    printed = capsys.readouterr().out
    assert "mobilenet_v2 FeatureSpec(channels=320, stride=16) -> DeepLabV3PlusHead" in printed
    assert "resnet50 FeatureSpec(channels=2048, stride=16) -> DeepLabV3PlusHead" in printed
    truth = names["target"]["semantic"]
    assert names["mask"].shape == (1, *truth.shape)
    assert (names["mask"][0] == truth.as_subclass(torch.Tensor)).float().mean() > 0.7
    assert type(names["model"].head) is type(names["swapped"].head)


SCRIPTS = sorted(
    path for folder in ("data", "benchmarks", "tools", "notebooks/images") for path in (ROOT / folder).glob("*.py")
)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_import_what_there_is(path):
    """Nobody runs them in a test, so a name that has moved would be found by the next maintainer."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "deeplab_teach":
            module = importlib.import_module(node.module)
            missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
            assert not missing, f"{node.module} has no {missing}"
