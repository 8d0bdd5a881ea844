"""`python -m deeplab_teach evaluate`: how good a checkpoint is, on the pictures it was made for or on yours."""

import argparse
import json
from typing import Any

from . import Help
from .data import add_data_options, open_data


def add(commands: Any) -> None:
    """The command's options."""
    command = commands.add_parser(
        "evaluate",
        help="mIoU or average precision of a checkpoint",
        formatter_class=Help,
    )
    command.add_argument(
        "checkpoint", nargs="?", default="scenes_deeplabv3plus_mobilenet_v2", help="a file, or a shipped one's name"
    )
    add_data_options(command, default=None)
    command.add_argument("--scenes", type=int, default=96, help="how many, for a model of scenes")
    command.add_argument("--near", type=int, default=2, metavar="PIXELS", help="how near an outline is near")
    command.add_argument(
        "--multi-scale", action="store_true", help="average over 0.5 to 1.75 times the size and over mirror images"
    )
    command.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    command.add_argument("--json", action="store_true", help="print the results as JSON")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the figures of each part of the data."""
    from deeplab_teach.checkpoint import load_model
    from deeplab_teach.datasets import EmojiScenes

    model, recipe = load_model(args.checkpoint, device=args.device)
    classes = recipe["classes"]
    args.data = args.data or recipe.get("data", "scenes")
    if args.data == "scenes":
        sets = {
            split: EmojiScenes(args.scenes, split=split, classes=classes, size=recipe["size"])
            for split in ("val", "test")
        }
    else:
        args.classes = args.classes or classes
        dataset = open_data(args, "test", split=args.split)
        if list(dataset.classes) != list(classes):
            raise ValueError(
                f"the checkpoint knows {', '.join(classes)}, and the pictures have {', '.join(dataset.classes)}: "
                "choose with --classes, or take other pictures."
            )
        sets = {args.split or "test": dataset}
    every = {}
    for name, dataset in sets.items():
        every[name], words = judged(model, dataset, classes, near=args.near, multi_scale=args.multi_scale)
        if not args.json:
            print(f"{name}: {words}")
    if args.json:
        print(json.dumps(every))


def judged(model, dataset, classes, *, near: int = 2, multi_scale: bool = False) -> tuple[dict[str, Any], str]:
    """A model's figures over a dataset, in percent: as numbers, and in words."""
    from deeplab_teach.metrics import COCO_THRESHOLDS, average_precision, iou, mean_iou
    from deeplab_teach.models import SegmentationModel, is_rcnn
    from deeplab_teach.papers.multi_scale import predict_multi_scale
    from deeplab_teach.predict import predict_mask
    from deeplab_teach.training import dataset_confusion, dataset_detections, evaluate_boxes

    if not isinstance(model, SegmentationModel):
        results: dict[str, Any] = {}
        found, truth = dataset_detections(model, dataset)
        for name, thresholds in (("ap50", 0.5), ("ap", COCO_THRESHOLDS)):
            ap = average_precision(found, truth, len(classes), iou_threshold=thresholds)
            results[f"{name}_boxes"] = 100 * ap
        if is_rcnn(model) and model.roi_heads.has_mask():  # of masks only one image's fit into memory
            for name, thresholds in (("ap50", 0.5), ("ap", COCO_THRESHOLDS)):
                results[f"{name}_masks"] = 100 * evaluate_boxes(model, dataset, iou_threshold=thresholds, masks=True)
        titles = {"ap50_boxes": "AP50 of boxes", "ap_boxes": "AP", "ap50_masks": "AP50 of masks", "ap_masks": "AP"}
        return results, ", ".join(f"{titles[key]} {value:.1f}" for key, value in results.items())
    predict = predict_multi_scale if multi_scale else predict_mask
    whole = dataset_confusion(model, dataset, predict=predict)
    border = dataset_confusion(model, dataset, predict=predict, trimap_width=near)
    results = {"miou": 100 * mean_iou(whole), f"miou_within_{near}": 100 * mean_iou(border)}
    per_class = {}
    for name, everywhere, at_border in zip(classes, iou(whole).tolist(), iou(border).tolist(), strict=True):
        if everywhere == everywhere:  # not nan: the class is there
            per_class[name] = {"iou": 100 * everywhere, f"iou_within_{near}": 100 * at_border}
    results["classes"] = per_class
    each = ", ".join(f"{name} {row['iou']:.1f}" for name, row in per_class.items())
    words = f"mIoU {results['miou']:.1f}, within {near} pixels of an outline {results[f'miou_within_{near}']:.1f}"
    return results, f"{words} ({each})"
