"""The runs of lesson 07 over several seeds: what a single run before a learner's eyes cannot show.

    python tests/benchmarks/lesson07_seeds.py data/results/lesson07_seeds.json [SEED ...]

Each row is one training run exactly as the lesson makes it, and its mIoU in percent on 96 scenes whose style and
photographs the training never showed. Rows that the file already has are kept, so an interrupted call can go on.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from deeplab_teach.datasets import LESSON_CLASSES, EmojiScenes, segmentation_collate
from deeplab_teach.files import atomic_write
from deeplab_teach.metrics import confusion_matrix, mean_iou, trimap_target
from deeplab_teach.models import build_model, predict_mask
from deeplab_teach.train import train
from deeplab_teach.weights import load_weights

# name in the lesson -> (head, from ImageNet weights)
RUNS = {
    "DeepLabv3+": ("deeplabv3plus", True),
    "DeepLabv3+ from scratch": ("deeplabv3plus", False),
    "DeepLabv3 (no decoder)": ("deeplabv3", True),
}
WIDTHS = (1, 2, 4, 8)


def one_run(name, seed):
    head, pretrained = RUNS[name]
    classes = len(LESSON_CLASSES)
    torch.manual_seed(seed)
    model = build_model("mobilenet_v2", head, classes, channels=96, atrous_rates=(2, 4, 6))
    if pretrained:
        load_weights(model.backbone)
    start = time.perf_counter()
    train(model, EmojiScenes(400, seed=seed), num_classes=classes, epochs=4, seed=seed, progress=False)
    seconds = time.perf_counter() - start
    known, held_out = answers(model, "val"), answers(model, "test")
    return {
        "run": name,
        "seed": seed,
        "known": percent(*known),
        "held_out": percent(*held_out),
        "trimap": {w: percent(held_out[0], trimap_target(held_out[1], w)) for w in WIDTHS},
        "seconds": round(seconds),
    }


def answers(model, split):
    """What the model says of 96 scenes, and the truth: two `(96, 160, 160)`."""
    scenes = EmojiScenes(96, split=split)
    images, truth = segmentation_collate([scenes[i] for i in range(len(scenes))])
    return torch.cat([predict_mask(model, batch) for batch in images.split(16)]), truth


def percent(masks, truth):
    return round(100 * mean_iou(confusion_matrix(masks, truth, len(LESSON_CLASSES))), 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("seeds", type=int, nargs="*", default=[0, 1, 2])
    args = parser.parse_args()
    rows = json.loads(args.out.read_text()) if args.out.is_file() else []
    for seed in args.seeds:
        for name in RUNS:
            if any(row["run"] == name and row["seed"] == seed for row in rows):
                continue
            rows.append(one_run(name, seed))
            print(rows[-1], flush=True)
            with atomic_write(args.out) as temporary:
                temporary.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
