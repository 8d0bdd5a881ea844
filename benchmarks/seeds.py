"""What the benchmarks of the lessons share: runs over several seeds, kept in a file as they come."""

import argparse
import functools
import json
import subprocess
import sys
from pathlib import Path

import torch

from deeplab_teach import training
from deeplab_teach.checkpoint import load_model
from deeplab_teach.data_files import atomic_write
from deeplab_teach.datasets import LESSON_CLASSES, EmojiScenes, segmentation_collate
from deeplab_teach.device import pick_device
from deeplab_teach.metrics import COCO_THRESHOLDS, average_precision, confusion_matrix, iou, mean_iou
from deeplab_teach.models import build_model
from deeplab_teach.predict import predict_mask
from deeplab_teach.training import dataset_detections
from deeplab_teach.weights import load_weights

HEAD = {"channels": 96, "atrous_rates": (2, 4, 6)}  # the lessons' DeepLab head

DEVICE = pick_device()  # benchmarks train on a GPU where there is one
train = functools.partial(training.train, progress=False, device=DEVICE)
# What is added to a row that was not made on a CPU.
ELSEWHERE = {} if DEVICE.type == "cpu" else {"device": DEVICE.type}


def trained(backbone, head, seed, *, pretrained=True, output_stride=16, **options):
    """A model after the training run of lessons 04 and 07: 400 scenes, four times, 8 at a time."""
    classes = len(LESSON_CLASSES)
    torch.manual_seed(seed)
    model = build_model(backbone, head, classes, output_stride=output_stride, **options)
    if pretrained:
        load_weights(model.backbone)
    train(model, EmojiScenes(400, seed=seed), epochs=4, seed=seed)
    return model


def answers(model, split, size=160):
    """What the model says of 96 scenes, and the truth: two `(96, size, size)`."""
    scenes = EmojiScenes(96, split=split, size=size)
    images, truth = segmentation_collate([scenes[i] for i in range(len(scenes))])
    return torch.cat([predict_mask(model, batch).cpu() for batch in images.split(16)]), truth


def percent(masks, truth):
    return round(100 * mean_iou(confusion_matrix(masks, truth, len(LESSON_CLASSES))), 1)


def person(confusion):
    """IoU of "person", the second of two classes, in percent."""
    return round(100 * iou(confusion)[1].item(), 1)


def ap(model, dataset):
    """AP50 and AP of the boxes that a detector finds, in percent."""
    found, truth = dataset_detections(model, dataset)
    classes = len(dataset.classes)
    each = (average_precision(found, truth, classes, iou_threshold=threshold) for threshold in (0.5, COCO_THRESHOLDS))
    return dict(zip(("ap50", "ap"), (round(100 * value, 1) for value in each), strict=True))


def by_command(options, name, seed):
    """What `python -m deeplab_teach train` reaches with these options; a run that was interrupted goes on."""
    path = checkpoint_of(name, seed)
    if not path.is_file():
        command = [sys.executable, "-m", "deeplab_teach", "train", *options.split(), "--seed", str(seed)]
        subprocess.run([*command, "--out", str(path)], check=True)
    return results_of(path)


def checkpoint_of(name, seed):
    """Where a run of `by_command` keeps its checkpoint."""
    return Path("runs", f"{name}_seed{seed}.safetensors")


def results_of(path):
    """The figures in a checkpoint's header, to a tenth."""
    results = load_model(path)[1]["results"]
    return json.loads(json.dumps(results), parse_float=lambda text: round(float(text), 1))


def collect(doc, runs, one_run):
    """The command line of a benchmark: `one_run(name, seed)` for each name in `runs` and each seed.

    Rows that the file already has are kept, so that an interrupted call can go on.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("seeds", type=int, nargs="*", default=[0, 1, 2])
    args = parser.parse_args()
    rows = json.loads(args.out.read_text()) if args.out.is_file() else []
    for seed in args.seeds:
        for name in runs:
            if any(row["run"] == name and row["seed"] == seed for row in rows):
                continue
            rows.append({"run": name, "seed": seed, **one_run(name, seed), **ELSEWHERE})
            print(rows[-1], flush=True)
            with atomic_write(args.out) as temporary:
                temporary.write_text(json.dumps(rows, indent=1) + "\n")
