"""The course elsewhere: among other versions, and published at another place."""

import re
import subprocess
import tomllib
from pathlib import Path

import other_computers
import pytest
import repository
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ELSEWHERE = ("somebody/their-fork", "v2.0")


def colab():
    lines = (ROOT / "environments" / "colab.txt").read_text(encoding="utf-8").splitlines()
    return {part.name: part for part in map(Requirement, (line for line in lines if line and line[0] != "#"))}


def test_colabs_versions_are_exact_and_within_the_bounds():
    """Within them, so that installing the course there need change none."""
    bounds = {each.name: each for each in map(Requirement, PROJECT["dependencies"])}
    for name, requirement in colab().items():
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        assert name not in bounds or bounds[name].specifier.contains(specifier.version), name
    weights = {name for name in bounds if name.startswith("efficientnet")}  # which `get-weights` brings
    assert set(bounds) - weights <= set(colab())


def test_changes_of_versions_are_seen():
    before = {"numpy": "2.1.3", "torch": "2.11.0", "gone": "1"}
    after = {"numpy": "2.2.0", "torch": "2.11.0", "new": "3"}
    assert other_computers.changed(before, after) == ["gone: 1 -> None", "new: None -> 3", "numpy: 2.1.3 -> 2.2.0"]
    assert other_computers.changed(before, before) == []


# --- published elsewhere ----------------------------------------------------------------------------------------------


def files_that_name_it():
    slug, _ = repository.published()
    run = subprocess.run(["git", "grep", "-lIF", slug], cwd=ROOT, capture_output=True, text=True)
    if run.returncode:
        pytest.skip("no git checkout")
    return [ROOT / name for name in run.stdout.splitlines()]


def test_every_place_is_rewritten_and_comes_back():
    here = repository.published()
    names = [path.name for path in files_that_name_it()]
    assert {"README.md", "pyproject.toml", "CITATION.cff", "00_what_is_a_backbone.ipynb"} <= set(names)
    for path in files_that_name_it():
        text = path.read_text(encoding="utf-8")
        there = repository.rewritten(text, here, ELSEWHERE)
        assert repository.rewritten(text, here, here) == text
        assert here[0] not in there and repository.rewritten(there, ELSEWHERE, here) == text, path.name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://colab.research.google.com/github/a/b/blob/main/x.ipynb", "github/c/d/blob/v2/x.ipynb"),
        ("mybinder.org/v2/gh/a/b/main?urlpath=lab", "mybinder.org/v2/gh/c/d/v2?urlpath=lab"),
        ("    %pip install -q --no-deps git+https://github.com/a/b\\n", "git+https://github.com/c/d@v2\\n"),
        ("https://github.com/a/b/issues", "https://github.com/c/d/issues"),
        ('tag = "main"', 'tag = "v2"'),
        ("https://github.com/a/b-other", "https://github.com/a/b-other"),
    ],
)
def test_badges_install_cells_and_links(text, expected):
    there = repository.rewritten(text, ("a/b", "main"), ("c/d", "v2"))
    assert expected in there
    assert repository.rewritten(there, ("c/d", "v2"), ("a/b", "main")) == text


def test_the_tag_stands_in_one_place():
    slug, tag = repository.published()
    for path in files_that_name_it():
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(rf"{re.escape(slug)}/blob/([\w.-]+)/", text)) <= {tag}, path.name
