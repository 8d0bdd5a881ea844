"""How this course is graded: nbgrader reads this file wherever it is started in this folder.

A submission runs in a kernel of its own. The checks take their random sizes and values from `secret_seed.txt`, give
neither hints nor solutions, and stop an answer after 20 seconds. A cell that does not come to an end, or that ends the
kernel, loses what it was to give; the kernel is started anew, and the next exercise has its chance.
"""

import os
import sys
import tempfile
import warnings
from pathlib import Path

import nbformat
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, Execute, NbGraderPreprocessor, OverwriteCells

c = get_config()  # noqa: F821  (nbgrader gives it)
here = Path(__file__).resolve().parent
warnings.filterwarnings("ignore", module="nbgrader", message="Object of type")  # of its database, without meaning

c.CourseDirectory.course_id = "deeplab_teach"
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "*.pyc",
    "__pycache__",
    "feedback",
    ".deeplab_teach_progress.json",
]
# nbgrader calls a program of its own by name: it lies beside this Python, whether the environment is activated or not.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
if os.name == "posix":  # kernels are reached through files in a folder of yours alone: no network, no other user
    folder = tempfile.TemporaryDirectory(prefix="nbgrader-")
    c.AsyncKernelManager.transport, c.AsyncKernelManager.ip = "ipc", str(Path(folder.name, "kernel"))

# Answer cells are stubs as they stand; what is between BEGIN SOLUTION and END SOLUTION goes.
c.ClearSolutions.code_stub = {"python": ""}


class PutBack(NbGraderPreprocessor):
    """Cells of the released notebook that a submission lacks, each after the one that it followed.

    And copies of cells become plain cells: what nbgrader leaves in them would end the grading of the whole class.
    """

    def preprocess(self, nb, resources):
        for cell in nb.cells:
            if "nbgrader" in cell.metadata and not cell.metadata.nbgrader:
                del cell.metadata["nbgrader"]
        asked = resources["nbgrader"]
        released = here / "release" / asked["assignment"] / f"{asked['notebook']}.ipynb"
        place = 0
        for cell in nbformat.read(released, as_version=4).cells:
            there = [number for number, own in enumerate(nb.cells) if grade_id(own) == grade_id(cell)]
            if grade_id(cell) is None:
                continue
            if not there:
                nb.cells.insert(place, cell)
                there = [place]
            place = there[0] + 1
        return nb, resources


def grade_id(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


class OneByOne(Execute):
    """Run a notebook; a cell that never ends, or ends the kernel, costs no other cell its run."""

    settings = {
        "DEEPLAB_TEACH_SEED": (here / "secret_seed.txt").read_text(encoding="utf-8").strip(),
        "DEEPLAB_TEACH_HIDE": "1",
        "DEEPLAB_TEACH_PROGRESS": "",
        "DEEPLAB_TEACH_TIME_LIMIT": "20",
    }
    # `exit()` would end the kernel a moment later, in the middle of another exercise.
    before = """import sys
get_ipython().ask_exit = lambda: sys.exit("exit() ends nothing here, and what stands after it was not run")
get_ipython().InteractiveTB.set_mode({mode!r})"""

    def start_new_kernel(self, **kwargs):
        return super().start_new_kernel(env=os.environ | self.settings, **kwargs)

    def preprocess_cell(self, cell, resources, index):
        gives_points = cell.metadata.get("nbgrader", {}).get("grade", False)
        try:
            run_sync(self._prepare)("Minimal" if gives_points else "Context")
            return super().preprocess_cell(cell, resources, index)
        except CellTimeoutError:
            said = f"This cell had not come to an end after {self.timeout} seconds and was stopped."
        except DeadKernelError:
            said = "This cell ended the kernel, or there was too little memory."
        said += " What it was to define is not there."
        cell.outputs.append(new_output("error", ename="Stopped", evalue=said, traceback=[said]))
        run_sync(self._anew)()
        return cell, resources

    async def _prepare(self, mode):
        await self.kc.execute(self.before.format(mode=mode), silent=True, reply=True, timeout=self.timeout)

    async def _anew(self):
        self.kc.stop_channels()
        await self.km.restart_kernel(now=True)
        await self.async_start_new_kernel_client()


c.Execute.timeout = 60
c.Execute.interrupt_on_timeout = False  # a loop may swallow an interrupt: the kernel goes


def steps(converter, name="preprocessors"):
    """What nbgrader does of itself, in order."""
    return list(converter.class_traits()[name].default())


sanitize, grade, feedback = (
    steps(Autograde, "sanitize_preprocessors"),
    steps(Autograde, "autograde_preprocessors"),
    steps(GenerateFeedback),
)
sanitize.insert(sanitize.index(OverwriteCells), PutBack)
grade[grade.index(Execute)] = OneByOne
feedback[1:1] = [ClearHiddenTests, ClearMarkScheme]  # after the points, before the page
c.Autograde.sanitize_preprocessors, c.Autograde.autograde_preprocessors = sanitize, grade
c.GenerateFeedback.preprocessors = feedback
