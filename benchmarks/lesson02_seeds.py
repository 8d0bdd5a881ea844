"""The runs of lesson 02's experiment over several seeds: how deep can a network be with and without shortcuts?

    python benchmarks/lesson02_seeds.py data/results/lesson02_seeds.json [SEED ...]

The network and its training are the lesson's own: its cells that define `Block`, `network` and `training_curve` are run
here. Each row is the mean training loss of the last 20 of 120 steps. "cut": the gradient of each parameter is cut to a
norm of at most 0.5.
"""

from functools import cache
from pathlib import Path

import nbformat
from seeds import collect

LESSON = Path(__file__).resolve().parents[1] / "notebooks" / "02_resnet.ipynb"
# name in the lesson -> (blocks in each of the three stages, with shortcuts, cut)
RUNS = {
    "8 layers, plain": (1, False, None),
    "8 layers, residual": (1, True, None),
    "56 layers, plain": (9, False, None),
    "56 layers, residual": (9, True, None),
    "56 layers, plain, cut": (9, False, 0.5),
    "56 layers, residual, cut": (9, True, 0.5),
}


@cache  # the lesson's cells are run once
def training_curve():
    """The lesson's function, from the lesson's cells."""
    cells = [cell.source for cell in nbformat.read(LESSON, 4).cells if cell.cell_type == "code"]
    namespace = {}
    exec("import torch\nfrom torch import nn", namespace)
    for name in ("class Block(", "def network(", "def training_curve("):
        exec(next(source for source in cells if name in source), namespace)
    return namespace["training_curve"]


def one_run(name, seed):
    blocks, residual, cut = RUNS[name]
    return {"loss": round(training_curve()(blocks, residual, seed=seed, cut=cut)[-1], 3)}


if __name__ == "__main__":
    collect(__doc__, RUNS, one_run)
