"""How the exercises stand, remembered in a small file beside the notebooks."""

import json
import os
from pathlib import Path

from deeplab_teach.data_files import atomic_write

FILE = ".deeplab_teach_progress.json"


def progress_file() -> Path | None:
    """Where progress is kept: DEEPLAB_TEACH_PROGRESS names a file, or nothing to keep none.

    Without it: beside the notebooks, if the kernel runs in a folder that holds some; else nowhere.
    """
    named = os.environ.get("DEEPLAB_TEACH_PROGRESS")
    if named is not None:
        return Path(named) if named else None
    here = Path.cwd()
    return here / FILE if next(here.glob("*.ipynb"), None) else None


def load() -> dict[str, dict]:
    """`{exercise: {"state": ..., "tries": ...}}`; nothing where no file can be read."""
    path = progress_file()
    try:
        rows = json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}  # a damaged file costs the memory of it, never a check
    return {name: row for name, row in rows.items() if isinstance(row, dict)} if isinstance(rows, dict) else {}


def save(name: str, state: str, tries: int) -> None:
    """Remember one exercise; what other kernels wrote about others stays."""
    path = progress_file()
    if path is None:
        return
    rows = load() | {name: {"state": state, "tries": tries}}
    try:
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    except OSError:
        pass  # a folder that cannot be written: progress then lasts as long as the kernel
