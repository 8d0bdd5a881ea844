"""Training and judging: one plain loop for heads of segmentation and detection, and what it can be told."""

from .evaluation import dataset_confusion, dataset_detections, evaluate, evaluate_boxes
from .freezing import freeze, freeze_batch_norm
from .loop import train
from .probes import linear_probe, mean_recall
from .rates import parameter_groups

__all__ = [
    "dataset_confusion",
    "dataset_detections",
    "evaluate",
    "evaluate_boxes",
    "freeze",
    "freeze_batch_norm",
    "linear_probe",
    "mean_recall",
    "parameter_groups",
    "train",
]
