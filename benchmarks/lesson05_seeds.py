"""The runs of lesson 05 over several seeds: the same features on three grids, and networks trained for each grid.

    python benchmarks/lesson05_seeds.py data/results/lesson05_seeds.json 0 1 2 3 4
    python data/make_sums.py

mIoU in percent on 96 scenes whose style and photographs the training never showed, over all pixels and within a few
pixels of an outline. "frozen": the backbone of the shipped checkpoint is left as it is, and one 1x1 convolution is
trained on its last map, as in the lesson, with each place laid `shift` pixels beside the pixel that it is computed at.
"trained": an FCN trained as a whole, aligned; "asked at 8": the one of output stride 16 afterwards, its backbone built
for 8 and its head's rate doubled.
"""

import copy
import functools

import torch
import torch.nn.functional as F
from seeds import answers, collect, percent, trained
from torch import nn

from deeplab_teach.backbones import mobilenet_v2
from deeplab_teach.checkpoint import load_model
from deeplab_teach.datasets import LESSON_CLASSES, EmojiScenes, segmentation_collate
from deeplab_teach.grids import Grid, resample
from deeplab_teach.metrics import trimap_target

CHECKPOINT = "scenes_deeplabv3plus_mobilenet_v2"  # trained at output stride 16, its scores stretched
ASKED = "trained at 16, asked at 8"
STRIDES = (32, 16, 8)
SHIFTS = (0, 3.5, 7.5, 11.5, 15.5)  # pixels; stretched scores lie (stride - 1) / 2 beside: 15.5, 7.5, 3.5
TRAINED = {f"trained at {stride}": stride for stride in STRIDES}
FROZEN = {f"frozen at {stride}, shift {shift}": (stride, shift) for shift in SHIFTS for stride in STRIDES}


def scenes(count, split, seed=0):
    dataset = EmojiScenes(count, split=split, seed=seed)
    return segmentation_collate([dataset[i] for i in range(count)])


@functools.cache
def fcn(output_stride, seed):
    return trained("mobilenet_v2", "fcn", seed, output_stride=output_stride, channels=96, aligned=True)


def asked_at_8(model):
    """The same weights on a grid twice as fine: the backbone planned anew, and the head's 3x3 on every second place."""
    finer = copy.deepcopy(model)
    finer.backbone = mobilenet_v2(output_stride=8).eval()
    finer.backbone.load_state_dict(model.backbone.state_dict())
    finer.head.conv[0].dilation = finer.head.conv[0].padding = (2, 2)
    return finer


@functools.cache
def features(output_stride, seed):
    """What the checkpoint's backbone says of 400 scenes and of the 96 that are asked about, and the labels."""
    backbone = mobilenet_v2(output_stride=output_stride).eval()
    backbone.load_state_dict(load_model(CHECKPOINT)[0].backbone.state_dict())
    sides = []
    for images, labels in (scenes(400, "train", seed), scenes(96, "test")):
        with torch.no_grad():
            maps = [backbone(backbone.normalize(few))["c5"].half() for few in images.split(16)]
        sides.append((torch.cat(maps), labels))
    return sides


def frozen(output_stride, shift, seed):
    (maps, labels), (test_maps, truth) = features(output_stride, seed)
    grid = Grid(output_stride, shift, shift)
    torch.manual_seed(seed)
    head = nn.Conv2d(maps.shape[1], len(LESSON_CLASSES), 1)
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3, weight_decay=0.01)
    for _ in range(200):
        batch = torch.randint(0, len(maps), (16,))
        loss = F.cross_entropy(resample(head(maps[batch].float()), grid, labels.shape[-2:]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.inference_mode():
        scores = [resample(head(few.float()), grid, truth.shape[-2:]) for few in test_maps.split(16)]
    return torch.cat([few.argmax(dim=1) for few in scores]), truth


def asked(name, seed):
    """What is said of the 96 scenes, and the truth."""
    if name in TRAINED:
        return answers(fcn(TRAINED[name], seed), "test")
    if name == ASKED:
        return answers(asked_at_8(fcn(16, seed)), "test")
    return frozen(*FROZEN[name], seed)


def one_run(name, seed):
    masks, truth = asked(name, seed)
    near = {width: percent(masks, trimap_target(truth, width)) for width in (2, 4)}
    return {"held_out": percent(masks, truth), "near": near}


if __name__ == "__main__":
    collect(__doc__, [*FROZEN, *TRAINED, ASKED], one_run)
