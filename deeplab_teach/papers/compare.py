"""Count what the papers counted, and say row by row whether the figures agree."""

from collections.abc import Sequence
from dataclasses import dataclass

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
        if self.ours is None or self.difference is None:
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


def reproduce(names: Sequence[str] | None = None, *, per_parameter: float = 0.0) -> list[Result]:
    """Count every row of the tables called `names`, keys of `TABLES`; of all without names.

    Args:
        per_parameter: `deeplab_teach.papers.counting.PER_PARAMETER` adds what TensorFlow's profiler adds.

    Raises:
        ValueError: an unknown table.
    """
    names = list(TABLES) if names is None else [names] if isinstance(names, str) else list(names)
    if unknown := [name for name in names if name not in TABLES]:
        raise ValueError(f"there is no table {', '.join(unknown)}; there are: {', '.join(TABLES)}.")
    rows = [row for name in names for row in TABLES[name]]
    costs = {}  # (key of a model, size) -> its cost there, since rows share models and sizes
    for key in dict.fromkeys(row.key for row in rows if row.build is not None):
        same_model = [row for row in rows if row.key == key]
        with torch.device("meta"):
            model = same_model[0].build()
        for size in {size for row in same_model for size in _sizes(row)}:
            if same_model[0].tensorflow:
                costs[key, size] = tensorflow_count(model, size, per_parameter=per_parameter)
            else:
                costs[key, size] = count(model, size)
    return [Result(row, _ours(row, costs)) for row in rows]


def _sizes(row):
    return [scaled_size(row.image_size, scale) for scale in row.scales]


def _ours(row, costs):
    """The row's figure, in its unit, from the costs of its model at each of its sizes."""
    if row.build is None:
        return None
    if row.unit == "M":
        return costs[row.key, row.image_size].params / 1e6
    total = sum(costs[row.key, size].multiply_adds for size in _sizes(row))
    return (2 if row.flip else 1) * total / 1e9


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
