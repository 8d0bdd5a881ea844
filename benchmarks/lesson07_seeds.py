"""The runs of lesson 07 over several seeds: what a single run before a learner's eyes cannot show.

    python benchmarks/lesson07_seeds.py data/results/lesson07_seeds.json [SEED ...]

Each row is one training run as the lesson makes it, with other scenes for each seed: the seconds it took, and mIoU in
percent on 96 scenes of known styles, on 96 whose style and photographs the training never showed, and there within a
few pixels of an outline.

"more steps": the same by the project's command, ten times as long; "... and scenes": of 2,000 scenes, not 400, in as
many steps; "..., scenes and colours": these with light and colours varied.
"""

import time

from seeds import HEAD, answers, by_command, collect, percent, trained

from deeplab_teach.metrics import trimap_target

# name in the lesson -> (head, from ImageNet weights)
RUNS = {
    "DeepLabv3+": ("deeplabv3plus", True),
    "DeepLabv3+ from scratch": ("deeplabv3plus", False),
    "DeepLabv3 (no decoder)": ("deeplabv3", True),
}
LONGER = {
    "more steps": "--scenes 400 --epochs 40 --batch-size 8",
    "more steps and scenes": "--scenes 2000 --epochs 8 --batch-size 8",
    "more steps, scenes and colours": "--scenes 2000 --epochs 8 --batch-size 8 --augment",
}
WIDTHS = (1, 2, 4, 8)


def one_run(name, seed):
    if name in LONGER:
        results = by_command(LONGER[name], f"lesson07_{name.replace(' ', '_')}", seed)
        return {"known": results["miou_known_styles"], "held_out": results["miou_held_out_style"]}
    head, pretrained = RUNS[name]
    start = time.perf_counter()
    model = trained("mobilenet_v2", head, seed, pretrained=pretrained, **HEAD)
    seconds = time.perf_counter() - start
    known, held_out = answers(model, "val"), answers(model, "test")
    return {
        "known": percent(*known),
        "held_out": percent(*held_out),
        "trimap": {w: percent(held_out[0], trimap_target(held_out[1], w)) for w in WIDTHS},
        "seconds": round(seconds),
    }


if __name__ == "__main__":
    collect(__doc__, RUNS | LONGER, one_run)
