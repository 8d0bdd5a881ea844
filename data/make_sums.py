"""Maintainer's script: write `data/SHA256SUMS`, one line a data file, in the format of the `sha256sum` command.

Run it after any file below `data/` was added or changed: `python data/make_sums.py`. It leaves out itself, the other
scripts, README.md and SHA256SUMS. `sha256sum -c SHA256SUMS`, run inside `data/`, checks the same thing by hand.
"""

from pathlib import Path

from deeplab_teach.data_files import sha256

HERE = Path(__file__).resolve().parent


def data_files(folder=HERE):
    """Every file that SHA256SUMS must list, as sorted paths below `folder` with forward slashes."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    names = (path.relative_to(folder).as_posix() for path in files)
    return sorted(n for n in names if n not in ("README.md", "SHA256SUMS") and not n.endswith((".py", ".tmp")))


if __name__ == "__main__":
    lines = [f"{sha256(HERE / name)}  {name}\n" for name in data_files()]
    (HERE / "SHA256SUMS").write_text("".join(lines), encoding="utf-8", newline="\n")
    print(f"SHA256SUMS: {len(lines)} files")
