"""The runs of lesson 06 over several seeds: an FCN head against ASPP, by the size of the objects.

    python benchmarks/lesson06_seeds.py data/results/lesson06_seeds.json [SEED ...]

"... no pooling": what image pooling gives is replaced by zeros; "... all rates 1": the same weights, without windows.
mIoU in percent on 96 scenes whose style and photographs the training never showed, and for small, medium and large
objects there the share of their pixels that got the right label, in percent.
"""

import torch
from seeds import HEAD, answers, collect, percent, trained

from deeplab_teach.datasets import EmojiScenes
from deeplab_teach.heads import DeepLabV3Head
from deeplab_teach.metrics import recall_by_size


class WithoutPooling(DeepLabV3Head):
    def __init__(self, feature_specs, num_classes, *, deep, channels, atrous_rates):
        super().__init__(feature_specs, num_classes, deep=deep, channels=channels, atrous_rates=atrous_rates)
        self.aspp.convs[-1].register_forward_hook(lambda _, inputs, pooled: torch.zeros_like(pooled))


ON_C3 = {"channels": 96, "atrous_rates": (3, 6, 9), "deep": "c3"}
# name in the lesson -> (head, its options)
RUNS = {
    "FCN on c5": ("fcn", {"channels": 96}),
    "ASPP on c5": ("deeplabv3", HEAD),
    "ASPP on c5, rates too large": ("deeplabv3", {**HEAD, "atrous_rates": (6, 12, 18)}),
    "FCN on c3": ("fcn", {"channels": 96, "deep": "c3"}),
    "ASPP on c3": ("deeplabv3", ON_C3),
    "ASPP on c3, all rates 1": ("deeplabv3", {**ON_C3, "atrous_rates": (1, 1, 1)}),
    "ASPP on c3, no pooling": (WithoutPooling, ON_C3),
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
