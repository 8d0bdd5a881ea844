"""Run every lesson on the course's wheel alone, among the versions that other computers have.

    python tools/other_computers.py colab      what Colab has, environments/colab.txt
    python tools/other_computers.py oldest     the oldest of everything that pyproject.toml allows
    python tools/other_computers.py colab 00 07    these lessons alone

An environment is built once by uv, in `.venv-colab` or `.venv-oldest` (about 5 GB each on Linux). The wheel is
installed as the first cell of a lesson installs the course, the versions are compared before and after, and the lessons
are run by nbval in an empty folder.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from notebook_rules import ROOT, appendices, lessons

PYTHONS = {"colab": "3.12", "oldest": "3.11"}
RUNNERS = ["nbval>=0.11", "pytest>=8", "pytest-xdist>=3.6", "pip"]  # beside what the environment itself has
SANITIZE = ROOT / "tests" / "nbval_sanitize.cfg"


def uv(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "uv", *map(str, arguments)], text=True, **{"check": True, **options})


def interpreter(version: str) -> str:
    """A Python of this version, if uv finds one here; else the one that runs this."""
    here = uv("python", "find", version, check=False, capture_output=True)
    if here.returncode == 0:
        return here.stdout.strip()
    print(f"no Python {version} here: taking {sys.executable}", flush=True)
    return sys.executable


def environment(name: str) -> Path:
    """The Python of an environment, built if it is not there."""
    folder = ROOT / f".venv-{name}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / ".ready").is_file():
        uv("venv", "--quiet", "--clear", "--python", interpreter(PYTHONS[name]), folder)
        wanted = ["-r", ROOT / "environments" / "colab.txt"]
        if name == "oldest":
            wanted = ["--resolution", "lowest-direct", "-r", ROOT / "pyproject.toml", "--extra", "lab"]
        uv("pip", "install", "--quiet", "--python", python, *wanted)
        uv("pip", "install", "--quiet", "--python", python, *RUNNERS)
        (folder / ".ready").touch()
    return python


def versions(python: Path) -> dict[str, str]:
    """What is installed, the course itself left out: `{"numpy": "2.1.3", ...}`."""
    lines = uv("pip", "freeze", "--quiet", "--python", python, stdout=subprocess.PIPE).stdout.splitlines()
    pairs = (line.partition("==")[::2] for line in lines if "==" in line)
    return {package: version for package, version in pairs if package != "deeplab-teach"}


def build_wheel(folder: Path) -> Path:
    uv("build", "--wheel", "--quiet", "--out-dir", folder, ROOT)
    return next(folder.glob("*.whl"))


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """A line for each package whose version is another one, or that came or went."""
    names = sorted(set(before) | set(after))
    return [f"{name}: {before.get(name)} -> {after.get(name)}" for name in names if before.get(name) != after.get(name)]


def run(name: str, numbers: list[str]) -> int:
    """Exit status: 0 if all lessons passed and no version changed."""
    python = environment(name)
    with tempfile.TemporaryDirectory() as scratch:
        before = versions(python)
        wheel = build_wheel(Path(scratch))
        pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall"]  # as in a first cell
        subprocess.run([*pip, wheel], check=True)
        subprocess.run([python, "-m", "deeplab_teach", "get-weights"], check=True, cwd=scratch)
        other = changed(before, versions(python))
        print(f"{name}: installing the course changed the versions of:", ", ".join(other) or "none", flush=True)
        here = Path(scratch, "lessons")
        here.mkdir()
        for path in [*lessons(), *appendices()]:
            if not numbers or path.name[:2] in numbers:
                shutil.copy(path, here)
        command = [python, "-m", "pytest", ".", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "--nbval"]
        command += ["--nbval-current-env", "--nbval-sanitize-with", SANITIZE, "--nbval-cell-timeout=1800", "-q"]
        settings = {"DEEPLAB_TEACH_PROGRESS": "", "OMP_WAIT_POLICY": "passive", "JUPYTER_PREFER_ENV_PATH": "1"}
        status = subprocess.run(command, cwd=here, env=os.environ | settings).returncode
    return status or bool(other)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=PYTHONS)
    parser.add_argument("lessons", nargs="*", metavar="NN", help="such as 00 07; all without it")
    arguments = parser.parse_args()
    sys.exit(run(arguments.name, arguments.lessons))
