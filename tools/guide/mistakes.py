"""What students get wrong in each exercise, and what the check says to them."""

import ast
import inspect
import sys
import textwrap

from deeplab_teach import check
from deeplab_teach.check.engine import Exercise, plain
from deeplab_teach.check.mistakes import Mistake

LONGEST = 70  # characters of an example; what needs more, nobody reads in a table
INTRODUCTION = """# What students get wrong, and what to say

For each exercise what is asked, how long it takes, the hints, and the mistakes that its check knows by name: what it
says, and what was written (the package's own code, and after the arrow what stood there instead). The sentences are
those that students read: say them with your own words, or ask the question behind them. Whoever makes two mistakes at
once is told the first. Where nothing stands at the right, no short change makes the mistake; "..." stands for values of
the student's.

This page is written by `make guide` from `deeplab_teach/check/`.
"""


def mistakes_page() -> str:
    parts, lesson = [INTRODUCTION], None
    for exercise in check.EXERCISES.values():
        if exercise.lesson != lesson:
            lesson = exercise.lesson
            parts.append(f"## Lesson {lesson}\n")
        parts.append(_section(exercise))
    return "\n".join(parts)


def _section(exercise: Exercise) -> str:
    lines = [f"### `check.{exercise.name}` ({exercise.minutes} minutes)", "", exercise.statement, ""]
    lines += [f"*Hint {number}:* {hint}\n" for number, hint in enumerate(exercise.hints, start=1)]
    lines += ["| what the check says | what was written |", "|---|---|"]
    lines += [f"| {_cell(sentence)} | {written} |" for sentence, written in known_mistakes(exercise).items()]
    return "\n".join([*lines, "", f"*When it is right:* {exercise.moral}", ""])


def known_mistakes(exercise: Exercise) -> dict[str, str]:
    """Each sentence of a check, with an example in Markdown; empty where no single edit makes the mistake."""
    module, found = sys.modules[exercise.examine.__module__], {}
    for function in _reached(exercise.examine, module):
        for name in _names(function.__code__):
            table = getattr(module, name, None)
            if isinstance(table, tuple) and table and isinstance(table[0], Mistake):
                for mistake in table:
                    found.setdefault(mistake.sentence, " and ".join(filter(None, map(_example, mistake.edits))))
        for sentence in _raised(function):
            found.setdefault(sentence, "")
    return found


def _reached(function, module):
    """The function and those of its module that it calls, itself or through others."""
    todo, seen = [function], []
    while todo:
        seen.append(todo.pop(0))
        for name in _names(seen[-1].__code__):
            value = getattr(module, name, None)
            if inspect.isfunction(value) and value.__module__ == module.__name__ and value not in seen + todo:
                todo.append(value)
    return seen


def _names(code):
    inner = [name for part in code.co_consts if inspect.iscode(part) for name in _names(part)]
    return [*code.co_names, *inner]


def _raised(function):
    """The sentences that a function raises itself, `raise Wrong("...")`; "..." where they have the student's values."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if "Wrong" in ast.unparse(call.func) or ast.unparse(call.func).endswith(".named"):
            yield from filter(None, map(_sentence, call.args))


def _sentence(node):
    if isinstance(node, ast.JoinedStr):
        return plain("".join(part.value if isinstance(part, ast.Constant) else "..." for part in node.values))
    return plain(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _example(edit: tuple[str, str]) -> str:
    old, new = (" ".join(text.split()) for text in edit)
    if len(new) > LONGEST:
        return ""
    return f"{_code(old)} → {_code(new) if new else 'nothing'}"


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{_cell(text)}{fence}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
