"""What the benchmarks of the lessons share: runs over several seeds, kept in a file as they come."""

import argparse
import json
from pathlib import Path

import torch

from deeplab_teach.data_files import atomic_write
from deeplab_teach.datasets import LESSON_CLASSES, EmojiScenes, segmentation_collate
from deeplab_teach.metrics import confusion_matrix, mean_iou
from deeplab_teach.models import build_model
from deeplab_teach.predict import predict_mask
from deeplab_teach.training import train
from deeplab_teach.weights import load_weights

HEAD = {"channels": 96, "atrous_rates": (2, 4, 6)}  # the lessons' DeepLab head


def trained(backbone, head, seed, *, pretrained=True, output_stride=16, **options):
    """A model after the training run of lessons 04 and 07: 400 scenes, four times, 8 at a time."""
    classes = len(LESSON_CLASSES)
    torch.manual_seed(seed)
    model = build_model(backbone, head, classes, output_stride=output_stride, **options)
    if pretrained:
        load_weights(model.backbone)
    train(model, EmojiScenes(400, seed=seed), epochs=4, seed=seed, progress=False)
    return model


def answers(model, split):
    """What the model says of 96 scenes, and the truth: two `(96, 160, 160)`."""
    scenes = EmojiScenes(96, split=split)
    images, truth = segmentation_collate([scenes[i] for i in range(len(scenes))])
    return torch.cat([predict_mask(model, batch).cpu() for batch in images.split(16)]), truth


def percent(masks, truth):
    return round(100 * mean_iou(confusion_matrix(masks, truth, len(LESSON_CLASSES))), 1)


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
            rows.append({"run": name, "seed": seed, **one_run(name, seed)})
            print(rows[-1], flush=True)
            with atomic_write(args.out) as temporary:
                temporary.write_text(json.dumps(rows, indent=1) + "\n")
