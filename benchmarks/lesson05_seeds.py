"""The runs of lesson 05 over several seeds: what a denser map is worth.

    python benchmarks/lesson05_seeds.py data/results/lesson05_seeds.json [SEED ...]

An FCN on MobileNetV2, trained whole at each output stride. mIoU in percent on 96 scenes whose style and photographs the
training never showed, over all pixels and within a few pixels of an outline.
"""

from seeds import answers, collect, percent, trained

from deeplab_teach.metrics import trimap_target

# name in the lesson -> output stride
RUNS = {"output stride 32": 32, "output stride 16": 16, "output stride 8": 8}
WIDTHS = (2, 4)


def one_run(name, seed):
    masks, truth = answers(trained("mobilenet_v2", "fcn", seed, output_stride=RUNS[name], channels=96), "test")
    return {
        "held_out": percent(masks, truth),
        "trimap": {w: percent(masks, trimap_target(truth, w)) for w in WIDTHS},
    }


if __name__ == "__main__":
    collect(__doc__, RUNS, one_run)
