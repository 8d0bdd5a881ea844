"""Assignments: what nbgrader makes of them, and what it gives for answers, right, wrong and unruly."""

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import assignments
import nbformat
import points
import pytest
from answers import WRONG
from notebook_rules import section

from deeplab_teach import check

pytest.importorskip("nbgrader")
TESTS = Path(__file__).resolve().parent
NAME = "everything"
POINTS = {name: exercise.minutes for name, exercise in check.EXERCISES.items()}
TASKS = 10 * len(assignments.lessons())
NO_END = "had not come to an end"
# What people do to a grader, and the sentence that it gets; each in the answer cell of another exercise.
UNRULY = {
    "split": ("from deeplab_teach.models import split_classifier as split", "package's own"),
    "tiny_head": ("while True: pass", NO_END),
    "conv_output_size": ("import os\nos.kill(os.getpid(), 9)", "ended the kernel"),
    "vgg": ("import os\nos._exit(0)", "ended the kernel"),
    "basic_block": (
        "import time\nwhile True:\n    try: time.sleep(9)\n    except BaseException: pass",
        "not come to an end",
    ),
    "receptive_field": ("def receptive_field(*layers):\n    while True: pass", "does not come to an end"),
    "separable_conv": ("raise SystemExit", "is not defined"),
    "multiply_adds": ("import os\ndef multiply_adds(*a, **k): os.abort()", "ended the kernel"),
    "predict_places": ("def another_name(model, image): ...", "is not defined"),
    "pixel_loss": ("def pixel_loss(:", "is not defined"),
    "nms": ("exit()", "exit() ends nothing here"),  # the next one, right, must not pay for it
    "mean_iou": ("import sys\ndef mean_iou(confusion): sys.exit()", "SystemExit"),
}


def nbgrader(course, *arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DEEPLAB_TEACH")}
    command = [sys.executable, "-m", "nbgrader", *arguments]
    run = subprocess.run(command, cwd=course, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr[-4000:]


def answered(notebook, source_of):
    """A student's notebook: `source_of(name, stub)` gives what stands in the answer cell of each exercise."""
    notebook = nbformat.from_dict(notebook)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = source_of(cell.metadata.nbgrader.grade_id, cell.source)
    return notebook


def taken_from_the_tests(expression):
    """The source of an answer cell that takes one of the tests' own answers, under the name that the stub has."""
    header = f"import sys\n\nsys.path.insert(0, {str(TESTS)!r})\nfrom answers import RIGHT, WRONG\n"
    asked = re.compile(r"^(?:def|class) (\w+)", re.M)
    return lambda name, stub: f"{header}\n{asked.findall(stub)[-1]} = {expression(name)}"


def right_one(name):
    return f"next(answer for exercise, _, answer in RIGHT if exercise == {name!r})"


def wrong_one(name, number):
    """Label and phrase of the `number`-th wrong answer that is to get a sentence of its own."""
    named = [(label, phrase) for label, (_, phrase) in WRONG[name].items() if phrase]
    return named[number % len(named)]


def wrong_ones(number):
    return taken_from_the_tests(lambda name: f"WRONG[{name!r}][{wrong_one(name, number)[0]!r}][0]")


def unruly(notebook):
    """Whoever does not answer as asked: as in `UNRULY`, cells deleted, overwritten, copied; the rest right."""
    right = taken_from_the_tests(right_one)
    notebook = answered(notebook, lambda name, stub: UNRULY.get(name, (right(name, stub),))[0])
    copied = next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "decode")
    notebook.cells.insert(notebook.cells.index(copied), nbformat.from_dict(copied))
    for cell in list(notebook.cells):
        match cell.metadata.get("nbgrader", {}).get("grade_id"):
            case "aspp-points" | "paste_mask-text" | "paste_mask" | "paste_mask-points":
                notebook.cells.remove(cell)
            case "trimap_band-points":
                cell.source = "pass"
            case "trimap_band":
                cell.source = "trimap_band = None"
    return notebook


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course folder whose one assignment has the exercises of all lessons, graded for five students."""
    course = tmp_path_factory.mktemp("course")
    assignments.make(course, together=NAME)
    with open(course / "nbgrader_config.py", "a", encoding="utf-8") as config:  # so as not to wait long for the unruly
        config.write('c.Execute.timeout = 30\nOneByOne.settings["DEEPLAB_TEACH_TIME_LIMIT"] = "5"\n')
    nbgrader(course, "generate_assignment", NAME)
    released = nbformat.read(course / "release" / NAME / f"{NAME}.ipynb", as_version=4)
    students = {
        "untouched": released,
        "solved": answered(released, taken_from_the_tests(right_one)),
        "wrong0": answered(released, wrong_ones(0)),
        "wrong1": answered(released, wrong_ones(1)),
        "unruly": unruly(nbformat.from_dict(released)),
    }
    for student, notebook in students.items():
        folder = course / "submitted" / student / NAME
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / f"{NAME}.ipynb")
    nbgrader(course, "autograde", NAME)
    nbgrader(course, "generate_feedback", NAME)
    return course


def scores(course, student):
    """Points by exercise."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        grades = book.find_submission_notebook(NAME, NAME, student).grades
        return {grade.name.removesuffix("-points"): grade.auto_score for grade in grades if "-points" in grade.name}


def feedback(course, student):
    """What the student reads, as one line without marks."""
    page = (course / "feedback" / student / NAME / f"{NAME}.html").read_text(encoding="utf-8")
    return " ".join(html.unescape(re.sub(r"<style.*?</style>|<[^>]*>", " ", page, flags=re.S)).split())


@pytest.mark.slow
def test_a_solved_notebook_gets_full_marks_and_waits_for_the_open_tasks(graded):
    from nbgrader.api import Gradebook

    assert scores(graded, "solved") == POINTS
    with Gradebook(f"sqlite:///{graded / 'gradebook.db'}") as book:
        submission = book.find_submission(NAME, "solved")
        assert (submission.score, submission.max_score) == (sum(POINTS.values()), sum(POINTS.values()) + TASKS)
        assert submission.needs_manual_grade


@pytest.mark.slow
def test_an_untouched_notebook_gets_nothing(graded):
    assert set(scores(graded, "untouched").values()) == {0}
    assert "not attempted" in feedback(graded, "untouched")


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
def test_wrong_answers_get_nothing_and_the_feedback_has_the_diagnosis(graded, number):
    assert set(scores(graded, f"wrong{number}").values()) == {0}
    page = feedback(graded, f"wrong{number}")
    missing = [phrase for name in POINTS if (phrase := " ".join(wrong_one(name, number)[1].split())) not in page]
    assert not missing


@pytest.mark.slow
def test_the_unruly_lose_their_own_exercise_and_no_other(graded):
    lost = set(UNRULY) | {"trimap_band", "paste_mask"}
    assert scores(graded, "unruly") == {name: 0 if name in lost else points for name, points in POINTS.items()}
    page = feedback(graded, "unruly")
    assert not [(name, sentence) for name, (_, sentence) in UNRULY.items() if sentence not in page]


@pytest.mark.slow
def test_students_see_neither_solutions_nor_hidden_tests_nor_marking_schemes(graded):
    released = (graded / "release" / NAME / f"{NAME}.ipynb").read_text(encoding="utf-8")
    source = (graded / "source" / NAME / f"{NAME}.ipynb").read_text(encoding="utf-8")
    for words in ("BEGIN SOLUTION", "The package's own, ", "HIDDEN TESTS", "MARK SCHEME", "no points"):
        assert words in source and words not in released
    stubs = [
        cell.source for cell in nbformat.reads(released, 4).cells if cell.metadata.get("nbgrader", {}).get("solution")
    ]
    assert len(stubs) == len(POINTS) and all("..." in stub for stub in stubs)


@pytest.mark.slow
@pytest.mark.parametrize("student", ["solved", "unruly"])
def test_the_feedback_tells_neither_hidden_tests_nor_marking_schemes(graded, student):
    page = feedback(graded, student)
    assert "MARK SCHEME" not in page and "HIDDEN TESTS" not in page and "Written before the measurement" not in page


@pytest.mark.slow
def test_the_seed_is_secret_and_the_same_for_all(graded):
    seed = (graded / "secret_seed.txt").read_text(encoding="utf-8").strip()
    assert re.fullmatch(r"[0-9a-f]{32}", seed)
    assert not [path for path in (graded / "release").rglob("*") if path.is_file() and seed in path.read_text("utf-8")]


@pytest.mark.slow
def test_the_report_says_who_is_missing_and_what_waits(graded):
    (graded / "submitted" / "absent").mkdir(exist_ok=True)
    renamed = graded / "submitted" / "renamed" / NAME
    renamed.mkdir(parents=True, exist_ok=True)
    (renamed / f"{NAME} (1).ipynb").write_text("{}")
    said = points.report(graded)
    state = {row["student"]: row["state"] for row in points.rows(graded)}
    assert state["absent"] == "not handed in" and state["solved"] == "waits for you: open task"
    assert state["renamed"].startswith(f"no file {NAME}.ipynb in")
    assert f"solved       {NAME}  {sum(POINTS.values()):6.1f} of {sum(POINTS.values()) + TASKS}" in said
    table = (graded / "points.csv").read_text(encoding="utf-8")
    assert all(name in table.splitlines()[0] for name in POINTS)


# --- the folder itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", assignments.lessons(), ids=lambda path: path.stem[:2])
def test_every_exercise_of_a_lesson_is_found(path):
    lesson = assignments.read_lesson(path)
    wanted = [name for name, exercise in check.EXERCISES.items() if exercise.lesson == lesson.number]
    assert [asked.name for asked in lesson.exercises] == wanted
    assert all(
        asked.text.startswith("### Exercise") and "check." not in asked.stub.split("\n")[-1]
        for asked in lesson.exercises
    )
    assert lesson.open_task.startswith("### Open task")
    minutes = [int(re.search(r"\((\d+) minutes\)", asked.text).group(1)) for asked in lesson.exercises]
    assert minutes == [POINTS[name] for name in wanted], "the text's minutes are the check's"
    said = section(nbformat.read(path, as_version=4), "Minutes")
    assert f"exercises {sum(minutes)}" in said, said
    assert len(assignments.rubric(lesson.number)) > 300


def test_one_assignment_a_lesson_and_what_was_changed_stays(tmp_path):
    assignments.make(tmp_path, ["04", "06"])
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    notebooks = ["source/lesson04/lesson04.ipynb", "source/lesson06/lesson06.ipynb"]
    assert files == ["nbgrader_config.py", "secret_seed.txt", *notebooks]
    seed, mine = (tmp_path / "secret_seed.txt").read_text(), tmp_path / notebooks[0]
    mine.write_text("mine")
    said = assignments.make(tmp_path, ["04", "06"])
    assert mine.read_text() == "mine" and (tmp_path / "secret_seed.txt").read_text() == seed
    assert [sentence for sentence in said if sentence.startswith("kept")] == [
        f"kept {mine}: it differs from what the course has now. Delete it to have that."
    ]


@pytest.mark.parametrize(
    ("numbers", "together", "words"),
    [(["4"], None, "there are lessons 00, 01"), (["04"], "mid term", "letters, digits")],
)
def test_what_cannot_be_made_is_said(tmp_path, numbers, together, words):
    with pytest.raises(ValueError, match=words):
        assignments.make(tmp_path / "course", numbers, together)
    assert not (tmp_path / "course").exists()
