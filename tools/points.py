"""How the students of an nbgrader course stand: who handed in, what waits for a person, points by exercise.

    python tools/points.py course

prints a line for each student and assignment, and what each exercise brought; `course/points.csv` has all points.
"""

import argparse
import csv
import sys
from collections import defaultdict
from pathlib import Path

from deeplab_teach.data_files import atomic_write

ABOUT = ("student", "assignment", "state", "points", "of")  # of a row; the rest are exercises


def rows(course: Path) -> list[dict]:
    """A row for each student and assignment: `ABOUT`, then the points of each exercise, `None` where a person must say.

    Students are those of the gradebook and those with a folder in `submitted/`.
    """
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        known = {student.id for student in book.students}
        known |= {path.name for path in (course / "submitted").glob("[!.]*") if path.is_dir()}
        return [
            {"student": student, "assignment": assignment.name, **standing(course, book, assignment, student)}
            for assignment in sorted(book.assignments, key=lambda each: each.name)
            for student in sorted(known)
        ]


def standing(course: Path, book, assignment, student: str) -> dict:
    """How one student stands in one assignment."""
    from nbgrader.api import MissingEntry

    handed_in = course / "submitted" / student / assignment.name
    if not handed_in.is_dir():
        return {"state": "not handed in"}
    for name in (f"{notebook.name}.ipynb" for notebook in assignment.notebooks):
        if not (handed_in / name).is_file():
            return {"state": f"no file {name} in {handed_in}"}
    ungraded = {"state": "not graded, or it failed: autograde with --student says why"}
    if not (course / "autograded" / student / assignment.name).is_dir():
        return ungraded
    try:
        submission = book.find_submission(assignment.name, student)
    except MissingEntry:
        return ungraded
    state = "waits for you: open task" if submission.needs_manual_grade else "graded"
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
    points = {grade.name.removesuffix("-points"): None if grade.needs_manual_grade else grade.score for grade in grades}
    return {"state": state, "points": submission.score, "of": submission.max_score, **points}


def means(found: list[dict]) -> dict[str, float]:
    """Mean points of each exercise over those who are graded."""
    points = defaultdict(list)
    for row in found:
        for name, value in row.items():
            if name not in ABOUT and value is not None:
                points[name].append(value)
    return {name: sum(values) / len(values) for name, values in points.items()}


def report(course: Path) -> str:
    """The table as text; writes `points.csv`."""
    found = rows(course)
    columns = list(dict.fromkeys(name for row in found for name in row))
    with atomic_write(course / "points.csv") as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(found)
    lines = [
        f"{row['student']:12} {row['assignment']:12} "
        + (f"{row['points']:5.1f} of {row['of']:.0f}   " if "points" in row else " " * 14)
        + row["state"]
        for row in found
    ]
    lines += ["", "mean points"] + [f"  {name:20} {value:.1f}" for name, value in means(found).items()]
    return "\n".join([*lines, "", f"All points: {course / 'points.csv'}"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("course", type=Path)
    course = parser.parse_args().course
    if not (course / "gradebook.db").is_file():
        sys.exit(f"{course} has no gradebook.db: `nbgrader generate_assignment` makes it. See docs/grading.md.")
    print(report(course))
