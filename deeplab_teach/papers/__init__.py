"""The papers' tables as data, and the count that reproduces them: `python -m deeplab_teach papers`."""

from deeplab_teach.papers.compare import Result, report, reproduce
from deeplab_teach.papers.counting import scaled_size, tensorflow_count, tensorflow_multiply_adds
from deeplab_teach.papers.multi_scale import predict_multi_scale
from deeplab_teach.papers.tables import SCALES, TABLES, Row

__all__ = [
    "SCALES",
    "TABLES",
    "Result",
    "Row",
    "predict_multi_scale",
    "report",
    "reproduce",
    "scaled_size",
    "tensorflow_count",
    "tensorflow_multiply_adds",
]
