"""Run the lessons in fresh kernels, tidy what they printed, and store it.

    python tools/execute_notebooks.py             every lesson
    python tools/execute_notebooks.py 00 07       some of them
    python tools/execute_notebooks.py --check     run nothing: only say what is wrong with what is stored

For each lesson it prints the seconds and the kernel's peak memory, and says where they pass the limits. A lesson that
raises an error is left as it was. The exit status is 1 if anything is wrong.
"""

import argparse
import os
import re
import sys
import time
from pathlib import Path

import nbformat
import notebook_rules as rules
from kernels import let_kernels_use_files, loopback_works
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from deeplab_teach.data_files import atomic_write

MAX_GB = 2.0
MAX_SECONDS = 120
LONG_LESSONS, MAX_SECONDS_LONG = ("07", "09", "10", "11"), 240
KEPT_CELL_METADATA = ("tags", "jupyter", "slideshow", "editable", "deletable")
PROGRESS = re.compile(r"[^\r\n]*\d+%\|[^\r\n]*(?:\r|\n|$)|\x1b\[A")


def run(notebook, folder):
    """Execute every cell in a fresh kernel.

    Returns:
        Seconds, and the kernel's peak memory in GB (`None` where the system does not tell).
    """
    client = NotebookClient(
        notebook,
        timeout=1800,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=True,  # nbclient needs it for Output widgets; tidy() drops it
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    os.environ["DEEPLAB_TEACH_PROGRESS"] = ""  # stored outputs are those of somebody who has not begun
    start, peak = time.monotonic(), None
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
        peak = peak_memory(getattr(client.km.provisioner, "pid", None))
    return time.monotonic() - start, peak


def peak_memory(pid):
    """The largest resident size a process has had, in GB (Linux only)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.M)
    return int(found[1]) / 1e6 if found else None


def tidy(notebook):
    """Keep what a reader sees, drop what changes with the run or with the machine."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for index, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{index:02d}")
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k in KEPT_CELL_METADATA})
        if cell.cell_type == "code":
            cell.source = cell.source.rstrip("\n")
            cell.outputs = [kept for output in cell.outputs if (kept := tidy_output(output)) is not None]
    return notebook


def tidy_output(output):
    if rules.WIDGET_VIEW in output.get("data", {}):
        return None  # only a running kernel can show it; the lesson has a still picture beside it
    if output.output_type == "stream" and output.name == "stderr":
        output.text = PROGRESS.sub("", output.text)
        if not output.text.strip():
            return None
    if output.output_type == "execute_result":
        output.execution_count = None if output.execution_count is None else int(output.execution_count)
    output.pop("transient", None)
    return output


def limits(name, seconds, peak):
    """Sentences about a run that was too long or too large."""
    allowed = MAX_SECONDS_LONG if name.startswith(LONG_LESSONS) else MAX_SECONDS
    if seconds > allowed:
        yield f"ran {seconds:.0f} s, at most {allowed}"
    if peak is not None and peak > MAX_GB:
        yield f"the kernel's memory reached {peak:.2f} GB, at most {MAX_GB}"


def chosen(names):
    """The notebooks that the command line names: by number, file name or path; all without names."""
    every = [*rules.lessons(), *rules.appendices()]
    found = [
        path for path in every if not names or any(Path(name).name in (path.name[:2], path.name) for name in names)
    ]
    known = {part for path in every for part in (path.name[:2], path.name)}
    if unknown := [name for name in names if Path(name).name not in known]:
        raise SystemExit(
            f"no such lesson: {', '.join(unknown)}; there are: {', '.join(p.name for p in every) or 'none'}"
        )
    return found


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="00, or 00_title.ipynb; default: all")
    parser.add_argument("--check", action="store_true", help="run nothing, only check what is stored")
    args = parser.parse_args(argv)
    if not args.check and not loopback_works():
        let_kernels_use_files()
    wrong, total = 0, 0.0
    for path in chosen(args.names):
        notebook, found, line = nbformat.read(path, as_version=4), [], path.name
        if not args.check:
            try:
                seconds, peak = run(notebook, path.parent)
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                print(f"{path.name}: not stored, it failed:\n{error}", flush=True)
                wrong += 1
                continue
            total += seconds
            text = nbformat.writes(tidy(notebook)) + "\n"
            with atomic_write(path) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="\n")
            memory = "unknown" if peak is None else f"{peak:.2f} GB"
            line += f": {seconds:.0f} s, peak memory {memory}, {len(text.encode()) / 1e6:.2f} MB"
            found += limits(path.name, seconds, peak)
        found += rules.problems(notebook, path.name)
        print("\n  ".join([line, *found]) if found else f"{line}: good", flush=True)
        wrong += bool(found)
    if not args.check:
        print(f"{total:.0f} s in all")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
