"""The runs of lesson 09 over several seeds: what a single run before a learner's eyes cannot show.

    python benchmarks/lesson09_seeds.py data/results/lesson09_seeds.json 0 1 2 3 4
    python data/make_sums.py

Scenes: FCOS as the lesson trains it, from ImageNet weights, from nothing, and on an FPN whose maps get nothing from
the coarser ones; AP50 and AP in percent, on 96 scenes of known styles and on 96 whose style and photographs the
training never showed. `broken`: AP50 on the first 48 of these after three swaps that raise no error (section 9).
People: the shipped detector's command with other seeds, judged on 22 photographs with several people; its checkpoints
stay in runs/.
"""

import copy
import time
from unittest import mock

import torch
from seeds import ap, by_command, collect, train

from deeplab_teach.backbones import efficientnet_lite0
from deeplab_teach.datasets import LESSON_CLASSES, EmojiScenes, detection_collate
from deeplab_teach.features import FeatureSpec
from deeplab_teach.heads.fcos import detections
from deeplab_teach.metrics import average_precision
from deeplab_teach.models import build_model
from deeplab_teach.predict import detect
from deeplab_teach.weights import load_weights

FCOS = {"out_channels": 96, "depth": 2}
PEOPLE = (
    "--head fcos --option out_channels=96 --option depth=2 --data groups --crop 320 --scale 0.3 1.5 "
    "--lr-backbone 3e-4 --lr-head 1.5e-3 --epochs 60"
)
RUNS = ("FCOS", "FCOS from scratch", "FCOS without the way down", "people")


def ap50(model, ask=detect):
    """In percent, on 48 held-out scenes; `ask(model, image)` gives the boxes."""
    scenes, found, truth = EmojiScenes(96, split="test"), [], []
    for i in range(48):
        (image,), (objects,) = detection_collate([scenes[i]], judging=True)
        found.append(ask(model, image))
        truth.append(objects)
    return round(100 * average_precision(found, truth, len(LESSON_CLASSES)), 1)


@torch.no_grad()
def in_training_mode(model, image):
    twin = copy.deepcopy(model).train()
    return detections(twin(twin.backbone.normalize(image[None])), image.shape[-2:])[0]


def broken(model):
    """AP50 after each of the three swaps that raise no error, and mended where that needs no training."""
    scores = {"as it is": ap50(model)}
    finer = copy.deepcopy(model)
    finer.backbone.backbone.features[0][0].stride = (1, 1)
    scores["stride, not declared"] = ap50(finer)
    finer.head.feature_specs = {
        key: FeatureSpec(spec.channels, spec.stride // 2) for key, spec in model.head.feature_specs.items()
    }
    scores["stride, declared"] = ap50(finer)
    other, lite = copy.deepcopy(model), efficientnet_lite0()
    for words, mean, std in (("not normalised", (0.0,) * 3, (1.0,) * 3), ("as Lite0", lite.mean, lite.std)):
        other.backbone.mean, other.backbone.std = mean, std
        scores[words] = ap50(other)
    return scores | {"in training mode": ap50(model, in_training_mode)}


def one_run(name, seed):
    if name == "people":
        return by_command(PEOPLE, "people_fcos_mobilenet_v2", seed)
    if name == "FCOS without the way down":
        with mock.patch("deeplab_teach.necks.top_down", list):
            return on_scenes(name, seed)
    return on_scenes(name, seed)


def on_scenes(name, seed):
    torch.manual_seed(seed)
    model = build_model("mobilenet_v2", "fcos", len(LESSON_CLASSES), **FCOS)
    if name != "FCOS from scratch":
        load_weights(model.backbone)
    start = time.perf_counter()
    history = train(model, EmojiScenes(400, seed=seed), epochs=6, seed=seed)
    seconds = time.perf_counter() - start
    known, held_out = (ap(model, EmojiScenes(96, split=split)) for split in ("val", "test"))
    row = {"known": known, "held_out": held_out, "loss": round(history[-1]["loss"], 3), "seconds": round(seconds)}
    return row | ({"broken": broken(model)} if name == "FCOS" else {})


if __name__ == "__main__":
    collect(__doc__, RUNS, one_run)
