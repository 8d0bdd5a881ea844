"""An instructor's course folder for nbgrader, made of the lessons' exercises and open tasks.

    python tools/assignments.py course                                 an assignment for each lesson
    python tools/assignments.py course --lessons 04 06                 for these alone
    python tools/assignments.py course --lessons 00 01 --together quiz1    one assignment of several lessons

Each exercise becomes three cells: what is asked, an answer cell, and a cell that gives points, as many as the exercise
takes minutes. That cell runs `check.NAME(answer)`, which the student sees, and a hidden assertion. An open task is
graded by hand; its marking scheme is that of `docs/rubrics.md`. `docs/grading.md` says how to go on from here.

What is in the folder already, and was changed there, stays as it is.
"""

import argparse
import inspect
import re
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebook_rules import REPOSITORY, ROOT, TAG, lessons

from deeplab_teach import check
from deeplab_teach.data_files import atomic_write

RUBRICS = ROOT / "docs" / "rubrics.md"
ONLINE = f"{REPOSITORY}/blob/{TAG}/notebooks/"
TASK_POINTS = 10
CALL = re.compile(r"^check\.(\w+)\((\w+)\)$", re.M)
RELATIVE = re.compile(r"(?<=\]\()(?![a-z]+:|#)(?=[^)\s]+\))")


@dataclass
class Asked:
    """An exercise of a lesson: its text, the cell to start from, and what `check.NAME` is called with."""

    text: str
    stub: str
    name: str
    answer: str


@dataclass
class Lesson:
    """What an assignment needs of a lesson."""

    number: str
    title: str
    file: str
    first_cell: str
    exercises: list[Asked]
    open_task: str


def read_lesson(path: Path) -> Lesson:
    """The exercises and the open task of a lesson, as they stand in its notebook."""
    cells = nbformat.read(path, as_version=4).cells
    exercises, text, open_task = [], "", ""
    for cell in cells:
        if cell.cell_type == "markdown":
            parts = re.split(r"^(?=### (?:Exercise|Open task))", cell.source, flags=re.M)
            if len(parts) > 1:
                text = parts[-1]
                if text.startswith("### Open task"):
                    open_task = text
        elif (call := CALL.search(cell.source)) and text.startswith("### Exercise"):
            stub = cell.source[: call.start()].rstrip()
            exercises.append(Asked(text, stub, *call.groups()))
            text = ""
    title = re.match(r"# \d\d · (.*)", cells[0].source).group(1)
    first_cell = next(cell.source for cell in cells if cell.cell_type == "code")
    return Lesson(path.name[:2], title, path.name, first_cell, exercises, open_task)


def build(name: str, parts: list[Lesson]) -> nbformat.NotebookNode:
    """The instructor's version of an assignment: `nbgrader generate_assignment` makes the students' of it."""
    links = " and ".join(f"[lesson {part.number}, {part.title}]({ONLINE}{part.file})" for part in parts)
    opening = f"""# Assignment: {name}

The exercises of {links}. Work through the lesson first: *section 3* means its section 3.

Replace each `...` and run the cell, then the one below it: it says *not attempted*, *wrong* and how, or *right*. After
you hand in, the same is asked again with other sizes and values. Each answer must run on its own, imports included. You
may add cells; leave those that are here. An exercise has as many points as minutes, an open task ten."""
    cells = [new_markdown_cell(opening), new_code_cell(parts[0].first_cell)]
    for part in parts:
        if len(parts) > 1:
            cells.append(new_markdown_cell(f"## Lesson {part.number}: {part.title}"))
        for asked in part.exercises:
            cells += exercise_cells(asked)
        cells += task_cells(part)
    notebook = new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    for number, cell in enumerate(cells):
        cell.id = f"{name}-{number}"[-64:]  # the same each time, so that nothing changes that nobody changed
    return notebook


def exercise_cells(asked: Asked) -> list[nbformat.NotebookNode]:
    exercise = check.EXERCISES[asked.name]
    source = inspect.getsource(exercise.reference).rstrip()
    own = "\n".join(f"# {line}".rstrip() for line in source.splitlines())
    solution = f"# The package's own, {exercise.reference.__module__}:\n{own}"
    answer = f"{asked.stub}\n### BEGIN SOLUTION\n{solution}\n### END SOLUTION"
    points = f"""from deeplab_teach import check

check.{asked.name}({asked.answer})
### BEGIN HIDDEN TESTS
assert check.{asked.name}.verdict.state == "right", "no points: what the check says stands above"
### END HIDDEN TESTS"""
    return [
        marked(new_markdown_cell(absolute(asked.text)), f"{asked.name}-text", locked=True),
        marked(new_code_cell(answer), asked.name, solution=True),
        marked(new_code_cell(points), f"{asked.name}-points", grade=True, locked=True, points=exercise.minutes),
    ]


def task_cells(part: Lesson) -> list[nbformat.NotebookNode]:
    text = f"""{absolute(part.open_task)}

Work in a copy of the lesson, where a cell is a start (*above* and *below* are the lesson's). Report here, in cells that
you add: what you changed, what you had expected, your figures and their spread, what follows from them and what does
not.
### BEGIN MARK SCHEME
{rubric(part.number)}
### END MARK SCHEME"""
    task = marked(new_markdown_cell(text), f"open-{part.number}", locked=True, task=True, points=TASK_POINTS)
    return [task, new_markdown_cell("*Your report:*")]


def rubric(number: str) -> str:
    """The marking scheme of a lesson's open task: the general part of `docs/rubrics.md`, then the lesson's own."""
    general, *sections = re.split(r"^## ", RUBRICS.read_text(encoding="utf-8"), flags=re.M)
    own = next(section for section in sections if section.startswith(number)).partition("\n\n")[2].strip()
    if own.startswith("Instead of"):
        return own
    return general.partition("\n\n")[2].strip() + "\n\nHere: " + own


def marked(cell, grade_id, *, grade=False, solution=False, locked=False, task=False, points=None):
    """A cell with nbgrader's metadata (schema 3)."""
    roles = {"grade": grade, "solution": solution, "locked": locked, "task": task}
    cell.metadata.nbgrader = {"grade_id": grade_id, "schema_version": 3, **roles}
    if points is not None:
        cell.metadata.nbgrader["points"] = points
    return cell


def absolute(text: str) -> str:
    """Links into the course, made to work from anywhere."""
    return RELATIVE.sub(ONLINE, text).rstrip()


def write(path: Path, text: str) -> str:
    """Write a file unless it is there and differs; returns what was done, for a person."""
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        return f"kept {path}: it differs from what the course has now. Delete it to have that."
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return f"wrote {path}"


def make(course: Path, numbers: list[str] | None = None, together: str | None = None) -> list[str]:
    """Write the course folder; returns a sentence for each file.

    Raises:
        ValueError: a lesson that is not there, or a name that nbgrader does not take.
    """
    found = {path.name[:2]: path for path in lessons()}
    if unknown := sorted(set(numbers or ()) - set(found)):
        raise ValueError(f"there are lessons {', '.join(found)}; got {', '.join(unknown)}.")
    if together and not re.fullmatch(r"[A-Za-z0-9_-]+", together):
        raise ValueError(f"an assignment's name has letters, digits, - and _ alone; got {together!r}.")
    parts = [read_lesson(found[number]) for number in numbers or found]
    assignments = {together: parts} if together else {f"lesson{part.number}": [part] for part in parts}
    said = [write(course / "nbgrader_config.py", (ROOT / "tools" / "nbgrader_config.py").read_text(encoding="utf-8"))]
    seed = course / "secret_seed.txt"
    if not seed.is_file():
        said.append(write(seed, secrets.token_hex(16) + "\n"))
        seed.chmod(0o600)
    for name, lessons_in_it in assignments.items():
        text = nbformat.writes(build(name, lessons_in_it)) + "\n"
        said.append(write(course / "source" / name / f"{name}.ipynb", text))
    return said


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("course", type=Path, help="the folder to make")
    parser.add_argument("--lessons", nargs="*", metavar="NN", help="such as 04 06; all without it")
    parser.add_argument("--together", metavar="NAME", help="one assignment of this name, in place of one a lesson")
    arguments = parser.parse_args()
    try:
        print(*make(arguments.course, arguments.lessons, arguments.together), sep="\n")
    except ValueError as error:
        sys.exit(str(error))
