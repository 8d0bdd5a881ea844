"""The runs of lesson 10 over several seeds: what a single run before a learner's eyes cannot show.

    python benchmarks/lesson10_seeds.py data/results/lesson10_seeds.json 0 1 2 3 4
    python data/make_sums.py

Scenes and people: the shipped checkpoints' commands with other seeds; AP50 and AP of boxes and of masks, in percent.
`proposals`: AP50 of the boxes on the held-out style when the second stage looks at fewer proposals. `ImageNet
backbone`: the trained heads on the backbone's weights of before the training. "scenes, ...": trained and judged with
another way to cut regions out (`CUTS`). "mask head last" begins with the shipped checkpoint and trains a new mask
head, as the lesson does. Checkpoints stay in runs/; a run that was interrupted goes on.
"""

import time
from unittest import mock

import torch
from seeds import ap, by_command, checkpoint_of, collect, results_of, train
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import roi_align, roi_pool

from deeplab_teach.__main__ import main
from deeplab_teach.checkpoint import load_model
from deeplab_teach.commands.evaluate import judged
from deeplab_teach.datasets import LESSON_CLASSES, EmojiScenes
from deeplab_teach.device import pick_device
from deeplab_teach.training import freeze
from deeplab_teach.weights import load_weights

WIDTHS = "--option out_channels=96 --option box_channels=128 --option mask_channels=96"
PROPOSALS = (
    "--option rpn_pre_nms_top_n_train=400 --option rpn_post_nms_top_n_train=200 --option rpn_pre_nms_top_n_test=400 "
    "--option rpn_post_nms_top_n_test=200 --option box_batch_size_per_image=64"
)
COMMON = f"--head mask_rcnn {WIDTHS} {PROPOSALS} --option anchor_scale=4"
SCENES = f"{COMMON} --option min_size=160 --option max_size=320 --scenes 1600 --epochs 5"
PEOPLE = (
    f"{COMMON} --option min_size=320 --option max_size=640 --data groups --crop 320 --lr-backbone 3e-4 "
    "--lr-head 1.5e-3 --epochs 50"
)
KEPT = ("backbone", "rpn", "roi_heads.box_head", "roi_heads.box_predictor")
FEWER = (5, 10, 20, 50, 100, 200)


def round_pool(maps, boxes, output_size, spatial_scale, sampling_ratio):
    """RoIPool (Girshick 2015): borders and bins rounded to places of the map, and the largest value of each bin."""
    return roi_pool(maps, boxes, output_size, spatial_scale)


def round_align(maps, boxes, output_size, spatial_scale, sampling_ratio):
    """RoIAlign of a region whose borders are rounded to places of the map."""
    boxes = torch.cat([boxes[:, :1], (boxes[:, 1:] * spatial_scale).round() / spatial_scale], dim=1)
    return roi_align(maps, boxes, output_size, spatial_scale, sampling_ratio)


def half_a_place_less(maps, boxes, output_size, spatial_scale, sampling_ratio):
    """RoIAlign with a place's value in the middle of its square, not at its corner."""
    return roi_align(maps, boxes, output_size, spatial_scale, sampling_ratio, aligned=True)


CUTS = {"scenes, RoIPool": round_pool, "scenes, rounded": round_align, "scenes, aligned": half_a_place_less}
RUNS = ("scenes", *CUTS, "people", "mask head last")


def cut_by(function):
    """Inside of it torchvision's models cut their regions out with `function`."""
    return mock.patch("torchvision.ops.poolers.roi_align", function)


def held_out(model):
    """AP50 and AP of boxes and masks on 96 scenes of a style that training never showed."""
    results, _ = judged(model, EmojiScenes(96, split="test"), LESSON_CLASSES)
    return {key: round(value, 1) for key, value in results.items()}


def with_fewer(model):
    """AP50 of the boxes on the held-out style, for each number of proposals that reach the second stage."""
    scores, before = {}, model.rpn._post_nms_top_n["testing"]
    for count in FEWER:
        model.rpn._post_nms_top_n["testing"] = count
        scores[str(count)] = ap(model, EmojiScenes(96, split="test"))["ap50"]
    model.rpn._post_nms_top_n["testing"] = before
    return scores


def one_run(name, seed):
    if name == "mask head last":
        return mask_head_last(seed)
    checkpoint = f"{name.replace(', ', '_').lower()}_mask_rcnn_mobilenet_v2"
    path = checkpoint_of(checkpoint, seed)
    if name == "people":
        return by_command(PEOPLE, checkpoint, seed)
    if name in CUTS:
        if not path.is_file():  # in this process, where regions are cut out in another way
            with cut_by(CUTS[name]):
                main(["train", *SCENES.split(), "--seed", str(seed), "--out", str(path)])
        return results_of(path)
    row = by_command(SCENES, checkpoint, seed)
    model, _ = load_model(path, device=pick_device())
    row["proposals"] = with_fewer(model)
    load_weights(model.backbone, download=True)  # of the same shapes, and not those that the heads have learnt to read
    return row | {"ImageNet backbone": ap(model, EmojiScenes(96, split="test"))}


def mask_head_last(seed):
    """The lesson's live run: everything of the shipped Mask R-CNN stays, and a new mask head learns."""
    model, recipe = load_model("scenes_mask_rcnn_mobilenet_v2", device=pick_device())
    width, classes = recipe["model"]["mask_channels"], len(LESSON_CLASSES)
    torch.manual_seed(seed)
    model.roi_heads.mask_head = MaskRCNNHeads(model.backbone.out_channels, (width,) * 4, dilation=1)
    model.roi_heads.mask_predictor = MaskRCNNPredictor(width, width, classes)
    model.to(pick_device())
    before = held_out(model)
    freeze(model, KEPT)
    start = time.perf_counter()
    train(model, EmojiScenes(400, seed=seed), epochs=2, lr_head=2e-3, seed=seed)
    seconds = time.perf_counter() - start
    return {"before": before, "after": held_out(model), "seconds": round(seconds)}


if __name__ == "__main__":
    collect(__doc__, RUNS, one_run)
