"""The instructor's guide: its pages are as the code is, and its questions keep the rules of the quizzes."""

import collections
import re
import tomllib
from pathlib import Path

import guide
import pytest
from guide import diagram, mistakes, questions, troubleshooting
from notebook_rules import lessons

from deeplab_teach import check

DOCS = Path(__file__).resolve().parent.parent / "docs"
FIELDS = {"lesson", "text", "right", "wrong", "why"}


@pytest.mark.parametrize("name", guide.PAGES)
def test_a_page_is_what_the_code_says(name):
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == guide.PAGES[name]().rstrip() + "\n", f"docs/{name} is of another code: run `make guide`"


def test_each_exercise_has_its_mistakes():
    for exercise in check.EXERCISES.values():
        assert len(mistakes.known_mistakes(exercise)) >= 4, exercise.name


def test_no_page_names_a_folder_of_this_computer():
    for path in DOCS.glob("*.md"):
        assert not re.search(r"(?<![\w.])/(?:tmp|root|home|work|Users|private)/", path.read_text("utf-8")), path.name


def test_each_diagnosis_is_the_doctors_and_has_a_remedy():
    for seen, diagnose in troubleshooting.CASES:
        findings = diagnose()
        assert len(findings) == 1 and all(remedy for _, _, remedy in findings), seen


# --- questions --------------------------------------------------------------------------------------------------------


def rows(kind):
    return tomllib.loads((DOCS / "questions.toml").read_text(encoding="utf-8"))[kind]


@pytest.mark.parametrize(("kind", "count"), [("bank", 40), ("concept", 12)])
def test_questions_are_complete(kind, count):
    assert len(rows(kind)) == count == len({row["text"] for row in rows(kind)})
    for row in rows(kind):
        assert set(row) == FIELDS | ({"misconception"} if kind == "concept" else set()), row["text"]
        assert len({row["right"], *row["wrong"]}) == 4, row["text"]
        assert row["lesson"] in {path.name[:2] for path in lessons()}
    if kind == "bank":
        asked = collections.Counter(row["lesson"] for row in rows(kind))
        assert set(asked) == {path.name[:2] for path in lessons()} and min(asked.values()) >= 2


@pytest.mark.parametrize("kind", ["bank", "concept"])
def test_no_guess_by_letter_or_by_length_passes(kind):
    asked = questions.questions(kind)
    letters = collections.Counter(question.right for question in asked)
    assert set(letters) == set("abcd") and max(letters.values()) - min(letters.values()) <= 1
    longest = [
        question
        for question in asked
        if max(question.options, key=len) == question.options["abcd".index(question.right)]
    ]
    assert len(longest) <= 0.4 * len(asked)


@pytest.mark.parametrize("kind", ["bank", "concept"])
def test_the_key_is_right_wherever_the_options_stand(kind):
    for row, question in zip(rows(kind), questions.questions(kind), strict=True):
        assert question.options["abcd".index(question.right)] == row["right"]
        assert set(question.options) == {row["right"], *row["wrong"]}


# --- the diagram ------------------------------------------------------------------------------------------------------


def test_the_diagrams_words_are_the_glossarys():
    assert set(diagram.WORDS) <= set(diagram.meanings())


@pytest.mark.slow
def test_the_diagram_is_one_page_and_nothing_leaves_it(tmp_path):
    fig = diagram.diagram()
    assert tuple(fig.get_size_inches()) == diagram.A4
    fig.canvas.draw()
    page = fig.bbox
    for text in [*fig.texts, *fig.axes[0].texts]:
        box = text.get_window_extent()
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()
    diagram.write_diagram(tmp_path)
    assert (tmp_path / "diagram.pdf").read_bytes().startswith(b"%PDF")
    assert (DOCS / "diagram.pdf").is_file() and (DOCS / "diagram.png").is_file()
