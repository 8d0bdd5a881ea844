"""One environment, written in several files: they must agree, and the wheel must carry the data."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from repository import published

from deeplab_teach import doctor, weights

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
SLUG = published(ROOT)[0]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def direct():
    """Every requirement that pyproject.toml names, extras included, the package itself left out."""
    extras = PROJECT["optional-dependencies"].values()
    found = [Requirement(line) for line in [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]]
    return [requirement for requirement in found if requirement.name != PROJECT["name"]]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins():
    """constraints.txt as {name: [requirement, ...]}; a package may have one pin for each range of Pythons."""
    table = {}
    for line in text("constraints.txt").splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            table.setdefault(canonical(requirement.name), []).append(requirement)
    return table


def pinned(requirements, **environment):
    """The versions that hold on one kind of machine."""
    return [
        next(iter(requirement.specifier)).version
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate(environment)
    ]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_every_direct_dependency_has_one_pin_within_its_bound(python, platform):
    table = pins()
    here = {"python_version": python, "python_full_version": f"{python}.5", "sys_platform": platform}
    for requirement in direct():
        versions = pinned(table.get(canonical(requirement.name), []), **here)
        assert len(versions) == 1, f"{requirement.name}: pins {versions} on Python {python}, {platform}"
        assert requirement.specifier.contains(versions[0]), f"{requirement} and its pin {versions[0]} disagree"


def test_pins_are_exact_and_name_no_machine():
    for requirements in pins().values():
        for requirement in requirements:
            assert [specifier.operator for specifier in requirement.specifier] == ["=="], str(requirement)
            assert not requirement.extras and not requirement.url, str(requirement)
    assert "://" not in text("constraints.txt")
    assert not re.search(r"^\s*--", text("constraints.txt"), re.M)


def test_makefile_pins_torch_and_torchvision_alike():
    named = dict(re.findall(r"^(TORCH|TORCHVISION) := (\S+)$", text("Makefile"), re.M))
    for name, version in named.items():
        assert pinned(pins()[name.lower()]) == [version], f"`make constraints` and constraints.txt disagree on {name}"
    assert len(named) == 2


def test_environment_yml_agrees():
    environment = yaml.safe_load(text("environment.yml"))
    *plain, pip = environment["dependencies"]
    assert environment["name"] == PROJECT["name"]
    python = Requirement(next(line for line in plain if line.startswith("python")))
    for version in ("3.10", "3.11", "3.12", "3.13", "3.14"):
        ours, theirs = python.specifier.contains(version), SpecifierSet(PROJECT["requires-python"]).contains(version)
        assert ours == theirs, f"Python {version}: environment.yml {ours}, pyproject.toml {theirs}"
    assert pip["pip"][:2] == [f"--extra-index-url {CPU_INDEX}", "-c constraints.txt"]
    folder, extras = re.fullmatch(r"-e (\.)\[(.*)\]", pip["pip"][2]).groups()
    assert folder == "." and set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    assert len(pip["pip"]) == 3, "what else is installed belongs in pyproject.toml"


def test_what_the_tests_need_is_installed_without_the_maintainers_tools():
    extras = PROJECT["optional-dependencies"]
    tools = {Requirement(line).name for line in extras["maintain"]} - {PROJECT["name"]}
    assert not tools & {Requirement(line).name for name in ("lab", "test", "dev") for line in extras[name]}
    assert "-e '.[dev]'" in text("Makefile") and "make test" in text(".ci/run")


def test_packages_are_listed_completely():
    setuptools = PYPROJECT["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "deeplab_teach").rglob("__init__.py")}
    found = {".".join(folder.parts) for folder in folders if "data" not in folder.parts}
    assert set(setuptools["packages"]) - {"deeplab_teach.data"} == found
    assert setuptools["package-dir"] == {"deeplab_teach.data": "data"}


def test_version_is_one():
    import deeplab_teach

    citation = yaml.safe_load(text("CITATION.cff"))
    assert PROJECT["version"] == deeplab_teach.__version__ == citation["version"]
    assert citation["repository-code"] == PROJECT["urls"]["Repository"]


def test_pages_name_the_same_repository():
    for name in ("README.md", "CONTRIBUTING.md"):
        slugs = set(
            re.findall(
                r"(?:colab\.research\.google\.com/github|//github\.com|mybinder\.org/v2/gh)/"
                r"([\w.-]+/[\w-]+)",
                text(name),
            )
        )
        assert slugs <= {SLUG}, f"{name} names {slugs}, pyproject.toml names {SLUG}"


def guide_pages():
    return [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").glob("*.md"))]


def test_links_of_the_pages_lead_somewhere():
    import notebook_rules as rules

    here = f"github/{SLUG}/blob/{rules.TAG}/"
    for name in ("README.md", "CONTRIBUTING.md", "data/README.md", *guide_pages()):
        if not (ROOT / name).is_file():
            continue
        for link in rules.links(text(name)):
            target = link.partition("#")[0]
            if here in link:
                target = link.partition(here)[2]
                path = ROOT / target
            elif re.match(r"[a-z]+:", link) or not target:
                continue
            else:
                path = (ROOT / name).parent / target
            if "notebooks" in path.parts and not rules.lessons():
                continue
            assert path.exists(), f"{name} links to {link}, which does not exist"


@pytest.fixture(scope="module")
def wheel_folder(tmp_path_factory):
    """The package as `pip install` would lay it out, unpacked from a freshly built wheel; no network is used."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ("deeplab_teach", "data"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-index"]
    command = [*pip, "--no-build-isolation", "--target", str(target), str(source)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return target


@pytest.mark.slow
def test_the_wheel_carries_the_data(wheel_folder):
    code = "from deeplab_teach.data_files import *; [data_path(n) for n in checksums()]; print(DATA_DIR)"
    environment = {**os.environ, "PYTHONPATH": str(wheel_folder)}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=wheel_folder
    )
    assert run.returncode == 0, run.stderr
    assert Path(run.stdout.strip()) == (wheel_folder / "deeplab_teach" / "data").resolve()


@pytest.mark.slow
def test_the_wheel_carries_every_module(wheel_folder):
    def modules(folder):
        return {
            path.relative_to(folder) for path in folder.rglob("*.py") if "data" not in path.relative_to(folder).parts
        }

    assert modules(wheel_folder / "deeplab_teach") == modules(ROOT / "deeplab_teach")


@pytest.mark.slow
def test_a_lesson_runs_on_the_wheel_alone(wheel_folder, tmp_path):
    """In an empty folder; `make test-colab` runs all of them, among other versions."""
    shutil.copy(next((ROOT / "notebooks").glob("01_*.ipynb")), tmp_path)
    command = [sys.executable, "-m", "pytest", ".", "-q", "--nbval", "--nbval-current-env", "-p", "kernels_by_files"]
    command += ["--nbval-sanitize-with", str(ROOT / "tests" / "nbval_sanitize.cfg"), "--nbval-cell-timeout=1800"]
    search = os.pathsep.join([str(wheel_folder), str(ROOT / "tools")])
    settings = {"PYTHONPATH": search, "DEEPLAB_TEACH_PROGRESS": "", "PYTEST_ADDOPTS": ""}
    run = subprocess.run(command, cwd=tmp_path, env=os.environ | settings, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-3000:]


# ------------------------------------------------------------------------------------------------------ doctor


def test_doctor_finds_nothing_missing_here():
    text, status = doctor.report()
    assert status == 0 and "BAD" not in text, text
    for word in (
        "Python",
        "torch",
        "mobilenet_v2",
        "efficientnet_lite0",
        "efficientnet_lite2",
        "files, all whole",
        "CPU cores",
        "GB of memory",
    ):
        assert word in text


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("COLAB_RELEASE_TAG", "Save a copy in Drive"),
        ("KAGGLE_KERNEL_RUN_TYPE", "Save Version"),
        ("BINDER_SERVICE_HOST", "File, Download"),
    ],
)
def test_on_a_computer_that_forgets_it_is_said_how_to_keep_work(monkeypatch, capsys, variable, words):
    """By the doctor, and where the first cell of a lesson brings the weights."""
    from deeplab_teach.__main__ import main

    assert not list(doctor.hosted()) and words not in doctor.report()[0]
    monkeypatch.setenv(variable, "x")
    assert words in doctor.report()[0]
    main(["get-weights", "mobilenet_v2"])
    assert words in capsys.readouterr().out


def test_a_gpu_changes_nothing_in_the_lessons_and_the_doctor_says_so(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a fast one")
    text, status = doctor.report()
    assert "GPU: a fast one (the lessons stay on the CPU" in text and status == 0


def test_doctor_names_missing_weights_and_the_command(monkeypatch):
    monkeypatch.setattr(weights.WeightFile, "locate", lambda self: None)
    text, status = doctor.report()
    assert status == 1 and "BAD   mobilenet_v2 is not here" in text
    assert "do: python -m deeplab_teach get-weights mobilenet_v2" in text


def test_doctor_names_damaged_weights_and_data(monkeypatch, tmp_path):
    broken = tmp_path / "weights.pth"
    broken.write_bytes(b"not weights")
    monkeypatch.setattr(weights.WeightFile, "locate", lambda self: broken)
    monkeypatch.setattr(doctor, "checksums", lambda: {"photos/nothing.jpg": "0" * 64})
    text, status = doctor.report()
    assert status == 1 and "mobilenet_v2 is damaged" in text
    assert "1 of 1 files missing or damaged: photos/nothing.jpg" in text and "do: git checkout -- data" in text


def test_doctor_names_old_and_missing_packages(monkeypatch):
    monkeypatch.setattr(
        doctor.metadata, "requires", lambda name: ["torch>=999", 'jupyterlab>=4; extra == "lab"', "numpy"]
    )
    version = doctor.metadata.version

    def without_jupyterlab(name):
        if name == "jupyterlab":
            raise doctor.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(doctor.metadata, "version", without_jupyterlab)
    text, status = doctor.report()
    assert status == 1 and 'do: python -m pip install "torch>=999"' in text
    assert "note  jupyterlab is not installed" in text


def test_doctor_names_builds_that_do_not_fit(monkeypatch):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(doctor.importlib, "import_module", broken)
    text, status = doctor.report()
    assert status == 1 and "cannot be imported: operator torchvision::nms" in text and "both from one place" in text
