"""How this course is graded: nbgrader reads this file wherever it is started in this folder.

A submission runs in a kernel of its own. The checks take their random sizes and values from `secret_seed.txt`, give
neither hints nor solutions, and stop an answer after 20 seconds. A cell that does not come to an end, or that ends the
kernel, loses what it was to give; the kernel is started anew, and the next exercise has its chance.
"""

import os
import sys
import tempfile
from pathlib import Path

from jupyter_core.utils import run_sync
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbformat.v4 import new_output
from nbgrader.apps.baseapp import NbGrader  # noqa: F401  (nbgrader's own classes need it first)
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    Execute,
    IgnorePattern,
    LimitOutput,
    SaveAutoGrades,
)

c = get_config()  # noqa: F821  (nbgrader gives it)
here = Path(__file__).resolve().parent

# nbgrader calls a program of its own by name: it lies beside this Python, whether the environment is activated or not.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
c.CourseDirectory.course_id = "deeplab_teach"
os.environ["DEEPLAB_TEACH_SEED"] = (here / "secret_seed.txt").read_text(encoding="utf-8").strip()
os.environ["DEEPLAB_TEACH_HIDE"] = "1"
os.environ["DEEPLAB_TEACH_PROGRESS"] = ""
os.environ["DEEPLAB_TEACH_TIME_LIMIT"] = "20"

if os.name == "posix":  # kernels are reached through files in a folder of yours alone: no network, no other user
    folder = tempfile.TemporaryDirectory(prefix="nbgrader-")
    c.AsyncKernelManager.transport, c.AsyncKernelManager.ip = "ipc", str(Path(folder.name, "kernel"))

# Answer cells are stubs as they stand; what is between BEGIN SOLUTION and END SOLUTION goes.
c.ClearSolutions.code_stub = {"python": ""}
c.OverwriteCells.add_missing_cells = True


class OneByOne(Execute):
    """Run a notebook; a cell that never ends, or ends the kernel, costs no other cell its run."""

    def preprocess_cell(self, cell, resources, index):
        try:
            return super().preprocess_cell(cell, resources, index)
        except CellTimeoutError:
            said = f"This cell had not come to an end after {self.timeout} seconds and was stopped."
        except DeadKernelError:
            said = "This cell ended the kernel (exit, quit, or too little memory)."
        said += " What it was to define is not there."
        cell.outputs.append(new_output("error", ename="Stopped", evalue=said, traceback=[said]))
        run_sync(self._anew)()
        return cell, resources

    async def _anew(self):
        self.kc.stop_channels()
        await self.km.restart_kernel(now=True)
        await self.async_start_new_kernel_client()


c.Execute.timeout = 60
c.Execute.interrupt_on_timeout = False  # a loop may swallow an interrupt: the kernel goes
c.Autograde.autograde_preprocessors = [
    OneByOne,
    IgnorePattern,
    ClearMetadataPreprocessor,
    LimitOutput,
    SaveAutoGrades,
    AssignLatePenalties,
    CheckCellMetadata,
]
