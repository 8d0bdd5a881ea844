"""The runs of lesson 08 over several seeds: one head on three backbones, from scratch and from published weights.

    python benchmarks/lesson08_seeds.py data/results/lesson08_seeds.json 0 1 2
    python data/make_sums.py

Scenes: lesson 07's run, the backbone at several learning rates (the head at 0.003); mIoU in percent on 96 scenes of
known styles, and on 96 whose style and photographs the training never showed. People: 300 steps of 8 crops of 224
pixels from 122 photographs, each backbone at the rate that was best on the scenes' known styles, or "gentler", at a
third of it; IoU of "person" in percent on the 50 of `test`, everywhere and within 2 pixels of an outline. "scenes"
weights are the course's checkpoint's backbone.

Batch norms move their averages by 0.1 a step in every backbone. EfficientNet-Lite's come with 0.01, made for long
training; the runs "slow norms" leave it so.
"""

import torch
from seeds import HEAD, answers, collect, percent, person, train
from torch import nn

from deeplab_teach.checkpoint import load_model
from deeplab_teach.datasets import LESSON_CLASSES, EmojiScenes, People, segmentation_transforms
from deeplab_teach.models import build_model
from deeplab_teach.training import dataset_confusion
from deeplab_teach.weights import load_weights

# Learning rates of each backbone; the one in the middle was the best.
TRIED = {
    "mobilenet_v2": (2e-4, 6e-4, 2e-3),
    "efficientnet_lite0": (6e-4, 2e-3, 6e-3),
    "efficientnet_lite2": (6e-4, 2e-3, 6e-3),
}
# Of each run: what is labelled, the backbone, where its weights are from, its rate, how fast its norms follow.
RUNS = {f"scenes: {name}, {rate:g}": ("scenes", name, "imagenet", rate, 0.1) for name in TRIED for rate in TRIED[name]}
for name, (_, rate, _) in TRIED.items():
    RUNS |= {f"people: {name}, {source}": ("people", name, source, rate, 0.1) for source in ("imagenet", "scratch")}
    RUNS[f"scenes: {name}, scratch"] = ("scenes", name, "scratch", rate, 0.1)
    RUNS[f"people: {name}, gentler"] = ("people", name, "imagenet", TRIED[name][0], 0.1)
    if name != "mobilenet_v2":
        RUNS[f"scenes: {name}, slow norms"] = ("scenes", name, "imagenet", rate, 0.01)
RUNS["people: mobilenet_v2, scenes"] = ("people", "mobilenet_v2", "scenes", 6e-4, 0.1)


def model_of(name, source, momentum, num_classes):
    model = build_model(name, "deeplabv3plus", num_classes, output_stride=16, **HEAD)
    if source == "imagenet":
        load_weights(model.backbone)
    if source == "scenes":
        model.backbone.load_state_dict(load_model("scenes_deeplabv3plus_mobilenet_v2")[0].backbone.state_dict())
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = momentum
    return model


def one_run(run, seed):
    data, name, source, rate, momentum = RUNS[run]
    torch.manual_seed(seed)
    rates = {"lr_backbone": rate, "lr_head": 3e-3}
    if data == "scenes":
        model = model_of(name, source, momentum, len(LESSON_CLASSES))
        train(model, EmojiScenes(400, seed=seed), epochs=4, seed=seed, **rates)
        return {"known": percent(*answers(model, "val")), "held_out": percent(*answers(model, "test"))}
    model = model_of(name, source, momentum, 2)
    people = People("yours+train", transforms=segmentation_transforms(224))
    train(model, people, epochs=20, seed=seed, **rates)
    test = People("test")
    whole, near = (person(dataset_confusion(model, test, trimap_width=width)) for width in (None, 2))
    return {"person": whole, "near": near}


if __name__ == "__main__":
    collect(__doc__, RUNS, one_run)
