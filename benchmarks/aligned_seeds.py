"""Scores stretched over the image, or each where its place lies: what it is worth, on scenes and on photographs.

    python benchmarks/aligned_seeds.py data/results/aligned_seeds.json 0 1
    python data/make_sums.py

A run is a head on the pretrained MobileNetV2, trained and judged with or without `aligned`. Scenes: the recipe of
lessons 04 and 07, mIoU on known styles (`val`) and on the held-out one (`test`). People: 400 steps on the 122
photographs, IoU of "person" on the 50 of `test`. `near` is within 2 pixels of an outline. A run takes two to five
minutes on two cores.
"""

import torch
from seeds import HEAD, collect, train, trained

from deeplab_teach.datasets import EmojiScenes, People, segmentation_transforms
from deeplab_teach.metrics import iou
from deeplab_teach.models import build_model
from deeplab_teach.training import dataset_confusion
from deeplab_teach.weights import load_weights

HEADS = (("fcn", 32), ("fcn", 16), ("deeplabv3plus", 16))
RUNS = {}  # name -> what is trained on, head, output stride, aligned
for pictures in ("scenes", "people"):
    for head, stride in HEADS:
        for aligned in (False, True):
            how = "aligned" if aligned else "stretched"
            RUNS[f"{pictures}: {head} at {stride}, {how}"] = (pictures, head, stride, aligned)


def judged(model, dataset):
    """IoU of each class everywhere and near outlines, in percent."""
    whole, near = (100 * iou(dataset_confusion(model, dataset, trimap_width=width)) for width in (None, 2))
    return whole, near


def one_run(name, seed):
    pictures, head, output_stride, aligned = RUNS[name]
    options = {"aligned": aligned} | (HEAD if head == "deeplabv3plus" else {})
    if pictures == "scenes":
        model = trained("mobilenet_v2", head, seed, output_stride=output_stride, **options)
        row = {}
        for split in ("val", "test"):
            whole, near = judged(model, EmojiScenes(96, split=split))
            row |= {split: round(whole.mean().item(), 1), f"{split} near": round(near.mean().item(), 1)}
        return row
    torch.manual_seed(seed)
    model = build_model("mobilenet_v2", head, 2, output_stride=output_stride, **options)
    load_weights(model.backbone)
    photographs = People("yours+train", transforms=segmentation_transforms(224))
    train(model, photographs, epochs=27, seed=seed)
    whole, near = judged(model, People("test"))
    return {"person": round(whole[1].item(), 1), "near": round(near[1].item(), 1)}


if __name__ == "__main__":
    collect(__doc__, RUNS, one_run)
