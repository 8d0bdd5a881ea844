"""Copies of the lessons to write into: `make lab` opens `my_notebooks/`, and `git pull` never meets your answers.

    python tools/working_copy.py

A lesson that you have not touched follows the course: after a `git pull` it is copied anew. One that you have written
into stays yours; if the course's has changed since, that is said, and the new one is in `notebooks/`. To begin a lesson
again, delete your copy.
"""

import hashlib
import json
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORD = ".as_copied.json"  # file -> SHA-256 of the course's file when it was copied, or said to be new
FOLDERS = (".ipynb_checkpoints", "__pycache__")


def update(source: Path, target: Path) -> list[str]:
    """Bring the copies in `target` up to date with `source`; returns what a person should know, a sentence each."""
    target.mkdir(exist_ok=True)
    record = target / RECORD
    copied = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    words = []
    for original in sorted(source.rglob("*")):
        name = original.relative_to(source).as_posix()
        if not original.is_file() or name.startswith(".") or set(FOLDERS) & set(original.parts):
            continue
        mine, now = target / name, _digest(original)
        if mine.is_file() and copied.get(name) != _digest(mine):  # yours
            if copied.get(name) != now:
                words.append(
                    f"{name} has changed in the course. Yours stays as it is; the new one is in {source.name}/."
                )
                copied[name] = now  # said once
            continue
        if copied.get(name) != now or not mine.is_file():
            mine.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(original, mine)
            copied[name] = now
    temporary = record.with_suffix(".tmp")
    temporary.write_text(json.dumps(copied, indent=1), encoding="utf-8")
    temporary.replace(record)
    return words


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    print("Your copies of the lessons are in my_notebooks/; git does not see them, and `git pull` leaves them alone.")
    for sentence in update(ROOT / "notebooks", ROOT / "my_notebooks"):
        print(sentence)
