"""An exercise: what is asked, two hints, the package's own answer, and an examination that names the mistake.

In a lesson:

    check.tiny_head(TinyHead)      prints "not attempted", "wrong" and how, or "right"
    check.tiny_head.hint()         prints the first hint; called again, the second
    check.tiny_head.solution()     prints the package's own source
    check.progress()               prints how the lesson's exercises stand

With `DEEPLAB_TEACH_STRICT=1` in the environment (for graders) a check raises `AssertionError` with its message unless
the answer is right: one that is not attempted fails too.
"""

import inspect
import os
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field

from deeplab_teach.check.attempt import NotAttempted, Wrong, isolated

NOT_ATTEMPTED, WRONG, RIGHT = "not attempted", "wrong", "right"
MARKS = {NOT_ATTEMPTED: "[  ]", WRONG: "[!!]", RIGHT: "[ok]"}


@dataclass(frozen=True)
class Verdict:
    """What a check found: `state` is one of the three, `message` the text for the learner."""

    state: str
    message: str


@dataclass(repr=False)
class Exercise:
    """One exercise of a lesson; calling it checks an answer and prints the verdict.

    name: as in `check.NAME`.
    lesson: its number, "00".
    minutes: how long it may take.
    statement: what is asked.
    stub: the code that the learner starts from, its body `...`.
    hints: two; the first gives an idea, the second nearly the line.
    reference: the package's own function or class, which `solution()` shows.
    examine: takes the answer; raises `Wrong` or `NotAttempted`, or returns when it is right.
    moral: one sentence for whoever got it right.
    """

    name: str
    lesson: str
    minutes: int
    statement: str
    stub: str
    hints: tuple[str, str]
    reference: Callable
    examine: Callable
    moral: str
    state: str = field(default=NOT_ATTEMPTED, init=False)
    wrong_tries: int = field(default=0, init=False)
    hints_shown: int = field(default=0, init=False)
    checked: bool = field(default=False, init=False)

    def __call__(self, answer=...) -> None:
        """Check an answer and print the verdict."""
        verdict = self.judge(answer)
        self.state, self.checked = verdict.state, True
        self.wrong_tries += verdict.state == WRONG
        if strict() and verdict.state != RIGHT:
            raise AssertionError(f"{self.name}: {verdict.message}")
        print(_wrapped(f"{MARKS[verdict.state]} {self.name}: {verdict.message}"))

    def judge(self, answer) -> Verdict:
        """The verdict on an answer; nothing is printed or remembered."""
        try:
            with isolated():
                self.examine(answer)
        except NotAttempted as reason:
            return Verdict(NOT_ATTEMPTED, f"not attempted ({reason}).\nStuck? check.{self.name}.hint()")
        except Wrong as mistake:
            return Verdict(WRONG, f"wrong. {mistake}")
        except Exception as error:
            error.add_note(f"This is a fault of check.{self.name}, which could not judge the answer; please report it.")
            raise
        return Verdict(RIGHT, f"right. {self.moral}\nThe package's own: check.{self.name}.solution()")

    def hint(self) -> None:
        """Print the first hint; called again, the second."""
        number = min(self.hints_shown + 1, len(self.hints))
        self.hints_shown = number
        print(_wrapped(f"Hint {number} of {len(self.hints)}: {self.hints[number - 1]}"))

    def solution(self) -> None:
        """Print the package's own source: the very code that the check compares with."""
        print(f"# {self.reference.__module__}.{self.reference.__qualname__}")
        print(textwrap.dedent(inspect.getsource(self.reference)), end="")

    def __repr__(self) -> str:
        return _wrapped(f"check.{self.name} (lesson {self.lesson}, about {self.minutes} minutes): {self.statement}")


def strict() -> bool:
    """Whether `DEEPLAB_TEACH_STRICT` asks for checks that raise."""
    return os.environ.get("DEEPLAB_TEACH_STRICT", "") not in ("", "0")


def print_progress(exercises: dict[str, Exercise], lesson=None) -> None:
    """Print how the exercises of one lesson stand; by default of the lessons that were checked here, or of all."""
    lessons = sorted({exercise.lesson for exercise in exercises.values()})
    if lesson is not None:
        wanted = str(lesson).zfill(2)
        if wanted not in lessons:
            raise ValueError(f"there are exercises for lessons {', '.join(lessons)}, got {lesson!r}.")
        lessons = [wanted]
    else:
        lessons = sorted({exercise.lesson for exercise in exercises.values() if exercise.checked}) or lessons
    for number in lessons:
        rows = [exercise for exercise in exercises.values() if exercise.lesson == number]
        print(f"Lesson {number}: {sum(row.state == RIGHT for row in rows)} of {len(rows)} right")
        for row in rows:
            tries = f", {row.wrong_tries} {'try' if row.wrong_tries == 1 else 'tries'}" if row.state == WRONG else ""
            print(f"  {MARKS[row.state]} {row.name}: {row.state}{tries}")


def _wrapped(text: str) -> str:
    """Prose in lines of at most 100 characters; indented lines (a learner's error) stay as they are."""
    lines = (line if line.startswith(" ") else textwrap.fill(line, 100) for line in text.splitlines())
    return "\n".join(lines)
