"""The papers' tables as data, the count that reproduces them (`python -m deeplab_teach papers`), and their words."""

from deeplab_teach.papers.compare import Result, report, reproduce
from deeplab_teach.papers.counting import scaled_size, tensorflow_count, tensorflow_multiply_adds
from deeplab_teach.papers.multi_scale import predict_multi_scale
from deeplab_teach.papers.tables import SCALES, TABLES, Row
from deeplab_teach.papers.words import CASES, NETWORKS, Case, Network, role_of

__all__ = [
    "CASES",
    "NETWORKS",
    "SCALES",
    "TABLES",
    "Case",
    "Network",
    "Result",
    "Row",
    "predict_multi_scale",
    "report",
    "reproduce",
    "role_of",
    "scaled_size",
    "tensorflow_count",
    "tensorflow_multiply_adds",
]
