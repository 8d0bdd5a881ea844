"""The runs of lesson 08 over several seeds: the same head on each backbone that has pretrained weights here.

    python benchmarks/lesson08_seeds.py data/results/lesson08_seeds.json [SEED ...]

mIoU in percent on 96 scenes of known styles, and on 96 whose style and photographs the training never showed.
"""

from seeds import HEAD, answers, collect, percent, trained

RUNS = ("mobilenet_v2", "efficientnet_lite0")


def one_run(name, seed):
    model = trained(name, "deeplabv3plus", seed, **HEAD)
    return {"known": percent(*answers(model, "val")), "held_out": percent(*answers(model, "test"))}


if __name__ == "__main__":
    collect(__doc__, RUNS, one_run)
