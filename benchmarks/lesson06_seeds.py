"""The runs of lesson 06 over several seeds: an FCN head against ASPP, by the size of the objects.

    python benchmarks/lesson06_seeds.py data/results/lesson06_seeds.json [SEED ...]

mIoU in percent on 96 scenes whose style and photographs the training never showed, and for small, medium and large
objects there the share of their pixels that got the right label, in percent.
"""

from seeds import HEAD, answers, collect, percent, trained

from deeplab_teach.datasets import EmojiScenes
from deeplab_teach.metrics import recall_by_size

# name in the lesson -> (head, its options)
RUNS = {
    "FCN on c5": ("fcn", {"channels": 96}),
    "ASPP on c5": ("deeplabv3", HEAD),
    "ASPP on c5, rates too large": ("deeplabv3", {**HEAD, "atrous_rates": (6, 12, 18)}),
    "FCN on c3": ("fcn", {"channels": 96, "deep": "c3"}),
    "ASPP on c3": ("deeplabv3", {"channels": 96, "atrous_rates": (3, 6, 9), "deep": "c3"}),
}


def one_run(name, seed):
    head, options = RUNS[name]
    masks, truth = answers(trained("mobilenet_v2", head, seed, **options), "test")
    scenes = EmojiScenes(96, split="test")
    shares, counts = recall_by_size(masks, [scenes[i][1] for i in range(96)])
    return {
        "held_out": percent(masks, truth),
        "by_size": [round(100 * share, 1) for share in shares],
        "objects": counts,
    }


if __name__ == "__main__":
    collect(__doc__, RUNS, one_run)
