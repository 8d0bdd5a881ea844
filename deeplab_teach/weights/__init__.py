"""Published weights: where they come from, whether they are whole, and under which names our models know them."""

from deeplab_teach.weights.download import fetch
from deeplab_teach.weights.load import fill, load_weights, rename, require_fit
from deeplab_teach.weights.table import LESSON_WEIGHTS, WEIGHTS, HubFile, WeightFile, weight_file

__all__ = [
    "LESSON_WEIGHTS",
    "WEIGHTS",
    "HubFile",
    "WeightFile",
    "fetch",
    "fill",
    "load_weights",
    "rename",
    "require_fit",
    "weight_file",
]
