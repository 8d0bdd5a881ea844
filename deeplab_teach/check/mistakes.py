"""A known mistake is data: a sentence, and an edit of the reference's own source that makes the mistake.

An answer that gives what the edited reference gives, in every case of a check, has made that mistake. `edited` makes
the function or class; a test holds for every mistake that its edits apply exactly once, that they change what comes
out, and that no two sentences claim the same.
"""

import inspect
import linecache
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Mistake:
    """sentence: what the learner is told.

    edits: `(old, new)` pairs, applied to the reference's source; each `old` stands there once.
    made: in place of edits, where they would be clumsy: the function or class with the mistake.
    """

    sentence: str
    edits: tuple[tuple[str, str], ...] = ()
    made: Callable | None = None


def mistakes(table: str, *made: tuple[str, Callable]) -> tuple[Mistake, ...]:
    """A table of mistakes: a sentence at the margin, and under it, indented by 4, its edits `old => new`.

    A line indented by more goes on with the one above it, after a space, and so does a second line at the margin; a
    line break in the source is written `\\n`.
    An edit after `or ` begins another way to the same mistake.
    `made` are `(sentence, function or class)`, for what no edit says plainly; they come last.
    """
    edited = (Mistake(sentence, tuple(edits)) for sentence, edits in read_table(table))
    return (*edited, *(Mistake(sentence, made=function) for sentence, function in made))


def read_table(table: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """`(sentence, [(old, new), ...])` of each mistake in a table."""
    rows, lines = [], []
    for line in table.strip("\n").splitlines():
        indent = len(line) - len(line.lstrip())
        if lines and (indent > 4 or (indent == 0 == lines[-1][0])):
            lines[-1] = (lines[-1][0], f"{lines[-1][1]} {line.strip()}")
        else:
            lines.append((indent, line[indent:]))
    for indent, line in lines:
        if indent == 0:
            rows.append((line, []))
            continue
        if line.startswith("or "):
            rows.append((rows[-1][0], []))
        old, _, new = line.removeprefix("or ").replace("\\n", "\n").partition(" =>")
        rows[-1][1].append((old, new.removeprefix(" ")))
    return rows


def with_mistake(reference: Callable, mistake: Mistake) -> Callable:
    """The reference with a mistake in it."""
    return mistake.made or edited(reference, mistake.edits)


@cache
def edited(reference: Callable, edits: tuple[tuple[str, str], ...]) -> Callable:
    """A function or class made of the source of `reference` after `edits`; the reference itself stays as it is.

    Raises:
        ValueError: an `old` does not stand in the source exactly once.
    """
    source = textwrap.dedent(inspect.getsource(reference))
    for old, new in edits:
        if source.count(old) != 1:
            raise ValueError(f"{old!r} stands {source.count(old)} times in {reference.__qualname__}, must be once.")
        source = source.replace(old, new)
    return compiled(source, reference)


def compiled(source: str, reference: Callable) -> Callable:
    """The function or class that `source` defines, in the surroundings of `reference`; not taken for the package's."""
    filename = f"<{reference.__name__} {abs(hash(source))}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace = dict(vars(sys.modules[reference.__module__]), __name__="an answer")
    exec(compile(source, filename, "exec"), namespace)
    made = namespace[reference.__name__]
    made.__module__ = "an answer"
    return made
