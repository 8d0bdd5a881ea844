"""The course's own files: where they lie, whether they are whole, and how to write one safely."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

FULL = 1_000_000  # bytes: with less on a disk, whatever failed while writing failed for want of room
_PACKAGE = Path(__file__).resolve().parent
# An installed wheel carries the folder inside the package; a checkout has it beside the package.
DATA_DIR = _PACKAGE / "data" if (_PACKAGE / "data").is_dir() else _PACKAGE.parent / "data"


def sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def checksums() -> dict[str, str]:
    """Every file of `data/` with its SHA-256, read from `data/SHA256SUMS`: `{"photos/coffee.jpg": "..."}`."""
    table = DATA_DIR / "SHA256SUMS"
    if not table.is_file():
        raise FileNotFoundError(
            f"The course's data folder is missing: looked for {table}. Install the package from its repository "
            "(pip install .), or run the lessons from a checkout."
        )
    lines = table.read_text(encoding="utf-8").splitlines()
    return {name.lstrip("*"): digest for digest, name in (line.split(maxsplit=1) for line in lines if line)}


@cache
def data_path(name: str) -> Path:
    """Path of one file of `data/`, its SHA-256 checked (once per process).

    Args:
        name: path below `data/` with forward slashes, for example `"photos/coffee.jpg"`.

    Raises:
        FileNotFoundError: there is no such file; the message says where it was looked for.
        ValueError: the file is damaged; the message says how to restore it.
    """
    sums = checksums()
    if name not in sums:
        folder = name.rsplit("/", 1)[0] + "/" if "/" in name else ""
        near = sorted(n for n in sums if n.startswith(folder))[:20]
        raise FileNotFoundError(f"data/ has no file {name!r}. There are, for example: {', '.join(near) or 'none'}.")
    path = DATA_DIR / name
    if not path.is_file():
        raise FileNotFoundError(
            f"The data file {name!r} is missing: looked for {path}. Restore it with "
            f"`git checkout -- data/{name}`, or reinstall the package."
        )
    if (found := sha256(path)) != sums[name]:
        raise ValueError(
            f"The data file {path} is damaged: its SHA-256 is {found[:12]}..., it should be {sums[name][:12]}... . "
            f"Restore it with `git checkout -- data/{name}`, or reinstall the package."
        )
    return path


def seed_results(of: str) -> list[dict]:
    """What a benchmark recorded over several seeds: a row per run and seed, `{"run", "seed", ...}`.

    "05" is `benchmarks/lesson05_seeds.py`, "aligned" `benchmarks/aligned_seeds.py`.
    """
    name = f"lesson{of:0>2}" if of.isdigit() else of
    return json.loads(data_path(f"results/{name}_seeds.json").read_text(encoding="utf-8"))


def require_writable(path: str | os.PathLike) -> None:
    """Raise an `OSError` in words unless a file can be written at `path`: to be asked before hours of work.

    Missing folders on the way to it are made.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it.")
    try:
        with atomic_write(path.with_name(f".{path.name}.try")) as temporary:
            temporary.write_bytes(b"")
        path.with_name(f".{path.name}.try").unlink()
    except OSError as error:
        raise OSError(f"{path} cannot be written ({error.strerror or error}); name another place.") from error


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside `path`; move it into place only if the block ends without an error.

    An interrupted run, or a full disk, therefore leaves either the whole old file or the whole new one, never half of
    one. Missing folders on the way to `path` are made.

    Raises:
        OSError: the disk is full, or the place cannot be written; the message names `path`.
    """
    path = Path(path).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, 0o644)  # mkstemp makes files that only their owner can read
        os.replace(name, path)
    except Exception as error:
        # Libraries say "no space left" in words of their own, which do not name the file that was meant.
        if shutil.disk_usage(path.parent).free < FULL or getattr(error, "errno", None) == errno.ENOSPC:
            raise OSError(
                f"{path} could not be written: the disk is full ({error}). Make room and run it again; what was there "
                "before is unharmed."
            ) from error
        raise
    finally:
        Path(name).unlink(missing_ok=True)
