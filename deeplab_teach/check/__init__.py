"""Exercises that name the mistake: `check.NAME(answer)`, `.hint()`, `.solution()`, and `check.progress()`.

`engine` says how an exercise is built and what graders can set; `run` calls the learner's code, `functions` and
`modules` compare what it gives, `mistakes` makes known mistakes, and `planted` a tutorial with faults; each other file
holds the exercises of one lesson.
"""

import difflib
import importlib
import pkgutil

from deeplab_teach.check.engine import Exercise, print_progress

# In the order of the lessons: whatever exercises there are in whatever `lessonNN.py`.
LESSONS = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name.startswith("lesson"))
EXERCISES: dict[str, Exercise] = {}
for _lesson in LESSONS:
    for _name, _value in vars(importlib.import_module(f"{__name__}.{_lesson}")).items():
        if isinstance(_value, Exercise):
            _value.name, _value.lesson = _name, _lesson.removeprefix("lesson")
            EXERCISES[_name] = _value

__all__ = ["EXERCISES", "progress", *EXERCISES]


def progress(lesson: str | int | None = None) -> None:
    """Print how the exercises stand: of one lesson ("00"), or of all; what was right once is remembered."""
    print_progress(EXERCISES, lesson)


def __dir__():
    return __all__


def __getattr__(name):
    if name in EXERCISES:
        return EXERCISES[name]
    near = difflib.get_close_matches(name, EXERCISES, n=2, cutoff=0.5)
    if near:
        raise AttributeError(f"there is no exercise {name!r}; did you mean {' or '.join(near)}?")
    raise AttributeError(f"there is no exercise {name!r}; there are: {', '.join(EXERCISES)}.")
