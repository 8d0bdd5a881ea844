"""An exercise: what is asked, two hints, the package's own answer, and an examination that names the mistake.

In a lesson:

    check.tiny_head(TinyHead)      prints "not attempted", "wrong" and how, or "right"
    check.tiny_head.hint()         prints the first hint; called again, the second
    check.tiny_head.solution()     prints the package's own source
    check.progress()               prints how the exercises stand

For graders, by the environment:

    DEEPLAB_TEACH_STRICT=1         a check raises `AssertionError` unless the answer is right; one that is not attempted
                                   fails too
    DEEPLAB_TEACH_SEED=secret      the random sizes and values of the checks, the same for all and known to nobody
    DEEPLAB_TEACH_HIDE=1           no hints and no solutions
    DEEPLAB_TEACH_VERDICTS=FILE    each verdict is added to the file, a line of JSON each
    DEEPLAB_TEACH_TIME_LIMIT=20    seconds for a check
    DEEPLAB_TEACH_PROGRESS=FILE    where progress is remembered; empty for nowhere

`check.NAME.judge(answer)` gives the verdict as an object and prints nothing. A check calls the learner's code; it
recognises the package's own answer handed in, wrapped or called, but no copy of its text: a pasted `solution()` cannot
be told from honest work. Nor is it a wall against somebody who attacks the check itself.
"""

import inspect
import json
import os
import textwrap
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from deeplab_teach.check import progress_file, run
from deeplab_teach.check.run import NotAttempted, Wrong

NOT_ATTEMPTED, WRONG, RIGHT = "not attempted", "wrong", "right"
MARKS = {NOT_ATTEMPTED: "[  ]", WRONG: "[!!]", RIGHT: "[ok]"}


@dataclass(frozen=True)
class Verdict:
    """What a check found: `state` is one of the three, `message` the text for the learner."""

    exercise: str
    state: str
    message: str


@dataclass(repr=False)
class Exercise:
    """One exercise of a lesson; calling it checks an answer and prints the verdict.

    minutes: how long it may take.
    statement: what is asked; the code to start from stands in the lesson.
    hints: two; the first gives an idea, the second nearly the line.
    reference: the package's own function or class, which `solution()` shows.
    examine: takes the answer; raises `Wrong` or `NotAttempted`, or returns when it is right.
    moral: one sentence for whoever got it right.
    defaults: of the arguments that a call may leave out.
    blanks: what the blanks hold, where the package's own code is of another form.
    barred: what an answer must not call besides the reference.
    as_answer: makes of a changed reference an answer of the form that is asked for; for the tests of the check itself.

    `name` and `lesson` are those under which it stands: `aspp` in `lesson06.py` is `check.aspp`, of lesson "06".
    `verdict` is that of the last call.
    """

    minutes: int
    statement: str
    hints: tuple[str, str]
    reference: Callable
    examine: Callable
    moral: str
    defaults: dict = field(default_factory=dict)
    blanks: str = ""
    barred: tuple = ()
    as_answer: Callable = lambda made: made
    name: str = field(default="", init=False)
    lesson: str = field(default="", init=False)
    verdict: Verdict | None = field(default=None, init=False)
    state: str = field(default=NOT_ATTEMPTED, init=False)
    wrong_tries: int = field(default=0, init=False)
    hints_shown: int = field(default=0, init=False)

    def __post_init__(self):
        """Texts are written over several lines; what a learner reads is wrapped anew."""
        self.statement, self.moral = plain(self.statement), plain(self.moral)
        self.hints = tuple(map(plain, self.hints))

    def __call__(self, answer=...) -> None:
        """Check an answer and print the verdict."""
        must_be_right, report = is_set("STRICT"), os.environ.get("DEEPLAB_TEACH_VERDICTS")
        self.verdict = verdict = self.judge(answer)
        if report:
            with open(report, "a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(verdict)) + "\n")
        if must_be_right and verdict.state != RIGHT:
            raise AssertionError(f"{self.name}: {verdict.message}")
        self._remember(verdict, keep=not must_be_right)
        print(wrapped(f"{MARKS[verdict.state]} {self.name}: {verdict.message}"))

    def judge(self, answer: object) -> Verdict:
        """The verdict on an answer; nothing is printed or remembered."""
        hidden = is_set("HIDE")
        barred = run.BARRED.set((self.reference, *self.barred))
        try:
            with run.isolated():
                run.in_time(lambda: self._examine(answer))
        except NotAttempted as reason:
            stuck = "" if hidden else f"\nStuck? check.{self.name}.hint()"
            return Verdict(self.name, NOT_ATTEMPTED, f"not attempted ({reason}).{stuck}")
        except Wrong as mistake:
            return Verdict(self.name, WRONG, f"wrong. {mistake}")
        except KeyboardInterrupt:
            raise  # the learner's own wish; one raised by an answer is a `Wrong` by now
        except (Exception, SystemExit, run.Stopped) as error:
            return Verdict(self.name, WRONG, f"wrong. {run.escaped(error)}")
        finally:
            run.BARRED.reset(barred)
        own = "" if hidden else f"\nThe package's own: check.{self.name}.solution()"
        return Verdict(self.name, RIGHT, f"right. {self.moral}{own}")

    def _examine(self, answer):
        run.require_own(answer, self.reference)
        require_defaults(answer, self.defaults)
        self.examine(answer)

    def _remember(self, verdict, keep):
        """What was right once stays right; a later wrong run is only a try."""
        self.recall()
        self.wrong_tries += verdict.state == WRONG
        if self.state != RIGHT and verdict.state != NOT_ATTEMPTED:
            self.state = verdict.state
        if keep and verdict.state != NOT_ATTEMPTED:
            progress_file.save(self.name, self.state, self.wrong_tries)

    def recall(self) -> None:
        """Take over what is remembered from before the kernel was started."""
        row = progress_file.load().get(self.name, {})
        if row.get("state") == RIGHT or (self.state == NOT_ATTEMPTED and row.get("state") == WRONG):
            self.state = row["state"]
        if isinstance(row.get("tries"), int):
            self.wrong_tries = max(self.wrong_tries, row["tries"])

    def hint(self) -> None:
        """Print the first hint; called again, the second."""
        if is_set("HIDE"):
            print("Hints are switched off here.")
            return
        number = min(self.hints_shown + 1, len(self.hints))
        self.hints_shown = number
        print(wrapped(f"Hint {number} of {len(self.hints)}: {self.hints[number - 1]}"))

    def solution(self) -> None:
        """Print the package's own source: the very code that the check compares with."""
        if is_set("HIDE"):
            print("Solutions are switched off here.")
            return
        print(f"# The blanks, in order: {plain(self.blanks)}\n" * bool(self.blanks), end="")
        print(f"# {self.reference.__module__}.{self.reference.__qualname__}")
        print(textwrap.dedent(inspect.getsource(self.reference)), end="")

    def __repr__(self) -> str:
        return wrapped(f"check.{self.name} (lesson {self.lesson}, about {self.minutes} minutes): {self.statement}")


def require_defaults(answer: object, defaults: dict) -> None:
    """Raise `Wrong` unless the answer's arguments have the defaults that are promised."""
    takes = run.signature_of(answer)
    for name, value in defaults.items():
        if takes and name in takes.parameters and takes.parameters[name].default != value:
            raise Wrong(f"The lesson promises `{name}={value!r}`, for calls that leave it out; keep that default.")


def is_set(switch: str) -> bool:
    """Whether the environment has `DEEPLAB_TEACH_<switch>` switched on."""
    return os.environ.get(f"DEEPLAB_TEACH_{switch}", "") not in ("", "0")


def print_progress(exercises: dict[str, Exercise], lesson: str | int | None = None) -> None:
    """Print how the exercises stand: of one lesson, or a line for each lesson and the exercises that are begun."""
    lessons = sorted({exercise.lesson for exercise in exercises.values()})
    for exercise in exercises.values():
        exercise.recall()
    if lesson is not None:
        wanted = str(lesson).zfill(2)
        if wanted not in lessons:
            raise ValueError(f"there are exercises for lessons {', '.join(lessons)}, got {lesson!r}.")
        lessons = [wanted]
    for number in lessons:
        rows = [exercise for exercise in exercises.values() if exercise.lesson == number]
        print(f"Lesson {number}: {sum(row.state == RIGHT for row in rows)} of {len(rows)} right")
        for row in rows:
            if lesson is not None or row.state != NOT_ATTEMPTED:
                tries = f", {row.wrong_tries} {'try' if row.wrong_tries == 1 else 'tries'}" * (row.state == WRONG)
                print(f"  {MARKS[row.state]} {row.name}: {row.state}{tries}")


def plain(text: str) -> str:
    return " ".join(text.split())


def wrapped(text: str) -> str:
    """Prose in lines of at most 100 characters; indented lines (a learner's error) stay as they are."""
    lines = (line if line.startswith(" ") else textwrap.fill(line, 100) for line in text.splitlines())
    return "\n".join(lines)
