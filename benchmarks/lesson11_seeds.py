"""The runs of lesson 11 over several seeds: how many photographs, what is frozen, at which rates, with which help.

    python benchmarks/lesson11_seeds.py data/results/lesson11_seeds.json 0 1 2 3 4
    python data/make_sums.py

An FCN at output stride 16 on MobileNetV2, 300 steps of 8 crops of photographs of people, whatever their number; another
seed draws other photographs. IoU of "person" on the 50 photographs of `test`, in percent, everywhere and within 2
pixels of an outline. `moved`: how far the backbone's running averages went, as a share of their own size.
"""

import torch
from seeds import collect
from torch.utils.data import Subset

from deeplab_teach.datasets import People, segmentation_transforms
from deeplab_teach.metrics import iou
from deeplab_teach.models import build_model
from deeplab_teach.training import dataset_confusion, freeze, freeze_batch_norm, train
from deeplab_teach.weights import load_weights

STEPS, BATCH = 300, 8
SIZES = (20, 80, 122)
# Of each run: what is done, and with how many photographs.
RUNS = {f"{how}, {count}": (how, count) for count in SIZES for how in ("scratch", "frozen", "fine-tuned")}
RUNS |= {f"{how}, 80": (how, 80) for how in ("same rate", "all gentle", "a hundredth", "norms frozen", "norms moving")}
RUNS |= {"norms moving, 20": ("norms moving", 20)}
RUNS |= {f"auxiliary, {count}": ("auxiliary", count) for count in (20, 122)}
RUNS |= {f"{how}, 122": (how, 122) for how in ("scratch with auxiliary", "scratch for long")}
GENTLE, USUAL = 6e-4, 3e-3
RATES = {"same rate": (USUAL, USUAL), "all gentle": (GENTLE, GENTLE), "a hundredth": (USUAL / 100, USUAL)}


def averages(backbone):
    return {key: value.cpu().clone() for key, value in backbone.state_dict().items() if "running" in key}


def photographs(count, seed):
    """`count` of the 122, drawn by `seed`, cropped for training."""
    people = People("yours+train", transforms=segmentation_transforms(224))
    chosen = torch.randperm(len(people), generator=torch.Generator().manual_seed(seed))[:count].tolist()
    part = Subset(people, chosen)
    part.classes = people.classes
    return part


def one_run(name, seed):
    how, count = RUNS[name]
    torch.manual_seed(seed)
    auxiliary = "c4" if "auxiliary" in how else None
    model = build_model("mobilenet_v2", "fcn", 2, output_stride=16, aligned=True, auxiliary=auxiliary)
    if not how.startswith("scratch"):
        load_weights(model.backbone)
    if how == "frozen":
        freeze(model, ["backbone"])
    if how == "norms moving":  # no gradient either, but in training mode: each batch moves the running averages
        model.backbone.requires_grad_(False)
    if how == "norms frozen":  # the other way round: all weights learn but those of the norms
        freeze_batch_norm(model.backbone)
    before = averages(model.backbone)
    steps = 4 * STEPS if how == "scratch for long" else STEPS
    of_backbone, of_head = RATES.get(how, (GENTLE, USUAL))
    part, epochs = photographs(count, seed), round(steps / (count // BATCH))
    train(model, part, epochs=epochs, lr_backbone=of_backbone, lr_head=of_head, seed=seed, progress=False)
    after = averages(model.backbone)
    moved = sum((after[k] - before[k]).abs().sum() for k in before) / sum(before[k].abs().sum() for k in before)
    test = People("test")
    whole, near = (100 * iou(dataset_confusion(model, test, trimap_width=width)) for width in (None, 2))
    row = {"person": round(whole[1].item(), 1), "near": round(near[1].item(), 1)}
    return row | ({} if how.startswith("scratch") else {"moved": round(moved.item(), 3)})


if __name__ == "__main__":
    collect(__doc__, RUNS, one_run)
