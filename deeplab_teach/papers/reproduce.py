"""Count what the papers counted, and say row by row whether the figures agree."""

from dataclasses import dataclass
from functools import cache

import torch

from deeplab_teach.cost import count
from deeplab_teach.papers.counting import scaled_size, tensorflow_count
from deeplab_teach.papers.tables import TABLES, Row

TOLERANCE = 0.004  # of the paper's figure; or less than one unit of its last printed digit


@dataclass(frozen=True)
class Result:
    """One row of a paper and what we count: `ours` in the row's unit, `None` where it is not reproduced."""

    row: Row
    ours: float | None

    @property
    def difference(self) -> float | None:
        """Of ours from the paper's, as a fraction of the paper's."""
        return None if self.ours is None else self.ours / float(self.row.paper) - 1

    @property
    def agrees(self) -> bool:
        if self.ours is None:
            return False
        digits = len(self.row.paper.partition(".")[2])
        return abs(self.difference) <= TOLERANCE or abs(self.ours - float(self.row.paper)) < 10**-digits

    @property
    def verdict(self) -> str:
        """`"agrees"`, `"disagrees because ..."`, or why it was not tried."""
        if self.agrees:
            return "agrees"
        if self.ours is None:
            return self.row.reason
        return f"disagrees because {self.row.reason}" if self.row.reason else "disagrees, and we do not know why"


def reproduce(names=None, *, per_parameter=0.0) -> list[Result]:
    """Count every row of the tables called `names`, keys of `TABLES`; of all without names.

    Args:
        per_parameter: `deeplab_teach.papers.counting.PER_PARAMETER` adds what TensorFlow's profiler adds.

    Raises:
        ValueError: an unknown table.
    """
    names = list(TABLES) if names is None else list(names)
    if unknown := [name for name in names if name not in TABLES]:
        raise ValueError(f"there is no table {', '.join(unknown)}; there are: {', '.join(TABLES)}.")

    models, builders = {}, {row.key: row.build for rows in TABLES.values() for row in rows}

    @cache  # rows of several columns and tables share a model and sizes
    def cost(key, size, tensorflow):
        if key not in models:
            models.clear()  # one at a time: they stand next to each other in the tables
            with torch.device("meta"):
                models[key] = builders[key]()
        if tensorflow:
            return tensorflow_count(models[key], size, per_parameter=per_parameter)
        return count(models[key], size)

    def ours(row):
        if row.build is None:
            return None
        if row.unit == "M":
            return cost(row.key, row.image_size, row.tensorflow).params / 1e6
        sizes = [scaled_size(row.image_size, scale) for scale in row.scales]
        total = sum(cost(row.key, size, row.tensorflow).multiply_adds for size in sizes)
        return (2 if row.flip else 1) * total / 1e9

    return [Result(row, ours(row)) for name in names for row in TABLES[name]]


def report(results: list[Result]) -> str:
    """The results as a table of text."""
    lines, table = [], None
    for result in results:
        if result.row.table != table:
            table = result.row.table
            lines += ["", table, f"{'':60}{'paper':>10}{'ours':>12}{'difference':>12}"]
        row = result.row
        ours = "-" if result.ours is None else f"{result.ours:.3f} {row.unit}"
        difference = "" if result.difference is None else f"{100 * result.difference:+.2f} %"
        lines.append(f"{row.label:60}{row.paper + ' ' + row.unit:>10}{ours:>12}{difference:>12}  {result.verdict}")
    return "\n".join(lines[1:])
