"""Answers that people give to the exercises, wrong and right; a file a lesson.

A wrong answer carries a phrase of the sentence that it should get; an empty phrase says only that it must be caught.
Right answers are written in other ways than the package's own.
"""

import importlib
from pathlib import Path

from deeplab_teach.check.mistakes import edited, read_table

WRONG: dict[str, dict[str, tuple]] = {}
RIGHT: list[tuple[str, str, object]] = []


def wrong(exercise: str, phrase: str = ""):
    """Register the function or class below as a wrong answer."""

    def register(answer):
        _add(exercise, answer.__name__.strip("_"), answer, phrase)
        return answer

    return register


def right(exercise: str):
    """Register the function or class below as a right answer."""

    def register(answer):
        RIGHT.append((exercise, answer.__name__.strip("_"), answer))
        return answer

    return register


def slips(exercise: str, answer, table: str) -> None:
    """Wrong answers, each a slip of the pen in a right one: a table as in `check.mistakes`, a phrase for a sentence.

    A phrase of `?` stands for none.
    """
    count = len(RIGHT)
    for phrase, edits in read_table(table):
        label = "; ".join(" ".join(new.split())[:40] or f"without {old.strip()[:30]}" for old, new in edits)
        phrase = "" if phrase == "?" else phrase
        _add(exercise, f"{answer.__name__}: {label}", edited(answer, tuple(edits)), phrase)
    del RIGHT[count:]  # the source that was edited may have said `@right`


def _add(exercise, label, answer, phrase):
    known = WRONG.setdefault(exercise, {})
    while label in known:
        label += "'"
    known[label] = (answer, phrase)


for path in sorted(Path(__file__).parent.glob("lesson*.py")):
    importlib.import_module(f"answers.{path.stem}")
