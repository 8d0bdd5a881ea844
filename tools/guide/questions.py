"""The question bank and the concept test: `docs/questions.toml` as pages, the options in an order of their own."""

import random
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "docs" / "questions.toml"
LETTERS = "abcd"


@dataclass(frozen=True)
class Question:
    """A question as it is printed: `right` is the letter of the right option."""

    lesson: str
    text: str
    options: tuple[str, ...]
    right: str
    why: str
    misconception: str = ""


def questions(kind: str) -> list[Question]:
    """All of a kind, `"bank"` or `"concept"`.

    The right options are dealt evenly over the letters, in an order that follows from the kind alone.
    """
    rows = tomllib.loads(SOURCE.read_text(encoding="utf-8"))[kind]
    dice = random.Random(kind)
    places = [number % len(LETTERS) for number in range(len(rows))]
    dice.shuffle(places)
    return [_dealt(row, place, dice) for row, place in zip(rows, places, strict=True)]


def _dealt(row, place, dice):
    options = dice.sample(row["wrong"], k=len(row["wrong"]))
    options.insert(place, row["right"])
    rest = {key: row[key] for key in ("lesson", "text", "why")} | {"misconception": row.get("misconception", "")}
    return Question(options=tuple(options), right=LETTERS[place], **rest)


def _asked(number, question):
    lines = [f"**{number}.** {question.text.strip()}", ""]
    lines += [f"- ({letter}) {option}" for letter, option in zip(LETTERS, question.options, strict=True)]
    return "\n".join([*lines, ""])


def bank_page() -> str:
    return _page("bank", BANK_INTRODUCTION, "why", lambda question: question.why.strip()) + "\n"


def concept_page() -> str:
    about = "misconception that it asks for"
    return "\n".join([_page("concept", CONCEPT_INTRODUCTION, about, lambda each: each.misconception), "", SCORING])


def _page(kind: str, introduction: str, about: str, said_of: Callable[[Question], str]) -> str:
    """All questions of a kind, then their key, whose last column `about` is `said_of` each."""
    asked = list(enumerate(questions(kind), start=1))
    parts = [introduction.format(count=len(asked)), *(_asked(*row) for row in asked)]
    parts += ["## Key\n", f"| question | right | lesson | {about} |", "|---|---|---|---|"]
    parts += [f"| {number} | {each.right} | {each.lesson} | {said_of(each)} |" for number, each in asked]
    return "\n".join(parts)


BANK_INTRODUCTION = """# Question bank

{count} questions for tests, beside the lessons' own quizzes. The key at the end says which lesson answers each; print
the page without it.

This page is written by `make guide` from `docs/questions.toml`; the right options are dealt evenly over the letters.
"""
CONCEPT_INTRODUCTION = """# Concept test, before and after

{count} questions that can be asked before the first lesson and again after the last. They ask for ideas, not for
words of the course; the wrong options are what people believe. Fifteen minutes, on paper, no computer, no marks: say
so, and say that nobody can know all of it. Give no answers back after the first time.

This page is written by `make guide` from `docs/questions.toml`.
"""
SCORING = """## Scoring

One point a question, no deduction. For the class as a whole, with the means *before* and *after* in percent of the
points, the **normalised gain** (R. Hake, *Interactive-engagement versus traditional methods*, American Journal of
Physics 66, 1998) says how much of what could be learnt was learnt:

    gain = (after - before) / (100 - before)

Use only students who took both. Below 0.3 is what lectures alone reached in that study, 0.3 to 0.7 what courses with
much work by the students reached; those were courses on mechanics, so take them as a rough measure. With n students
the gain of a class is uncertain by some 1 / sqrt(n) of the spread between students: do not compare two classes of
fifteen by a tenth.

Then go question by question: a wrong option that more than a fifth still choose afterwards is a misconception that
your course left alone. The key says where the lessons treat it.
"""
