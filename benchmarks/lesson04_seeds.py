"""The run of lesson 04 over several seeds: an FCN on MobileNetV2, after one minute of training.

    python benchmarks/lesson04_seeds.py data/results/lesson04_seeds.json [SEED ...]

mIoU in percent on 96 scenes of known styles, and on 96 whose style and photographs the training never showed.
"""

from seeds import answers, collect, percent, trained

# name in the lesson -> output stride
RUNS = {"FCN": 32}


def one_run(name, seed):
    model = trained("mobilenet_v2", "fcn", seed, output_stride=RUNS[name], channels=96)
    return {"known": percent(*answers(model, "val")), "held_out": percent(*answers(model, "test"))}


if __name__ == "__main__":
    collect(__doc__, RUNS, one_run)
