"""What each lesson is for, and how long it takes: its own words, gathered on one page."""

import nbformat
from notebook_rules import lessons, prose, section

INTRODUCTION = """# Objectives, lesson by lesson

What a student can do after each lesson, and the minutes that somebody needs who has never seen it. The words are the
lessons' own. This page is written by `make guide` from `notebooks/`.
"""


def objectives_page() -> str:
    parts = [INTRODUCTION]
    for path in lessons():
        notebook = nbformat.read(path, as_version=4)
        title = prose(notebook).splitlines()[0].removeprefix("# ")
        parts.append(f"## [{title}](../notebooks/{path.name})\n")
        parts += [section(notebook, heading).strip() + "\n" for heading in ("What you will be able to do", "Minutes")]
    return "\n".join(parts)
