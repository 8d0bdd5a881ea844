"""`python -m deeplab_teach train`: a backbone, a head and pictures in; a checkpoint that `load_model` reads out."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from . import Help
from .data import add_data_options, open_data, path, require_data_options

# Rates 2, 4, 6 instead of 6, 12, 18: the map of a 160 pixel scene at stride 16 is 10 by 10.
LESSON_OPTIONS = [("channels", 96), ("atrous_rates", [2, 4, 6])]


def add(commands: Any) -> None:
    """The command's options."""
    command = commands.add_parser(
        "train",
        help="train a segmentation or detection model on scenes, on photographs of people, or on yours",
        formatter_class=Help,
    )
    command.add_argument("--backbone", default="mobilenet_v2", help="such as mobilenet_v2, resnet50, vgg16, vit_small")
    command.add_argument(
        "--head",
        default="deeplabv3plus",
        help="linear, fcn, deeplabv3, deeplabv3plus; for boxes fcos, faster_rcnn, mask_rcnn",
    )
    command.add_argument("--output-stride", type=int, help="8, 16 or 32 (else 16, or the only one of the backbone)")
    command.add_argument(
        "--option",
        dest="options",
        type=option,
        action="append",
        metavar="NAME=VALUE",
        help="of the head, may be repeated (else, for the DeepLab heads, channels=96 and atrous_rates=2,4,6)",
    )
    command.add_argument("--aligned", action="store_true", help="scores where their places lie in the picture")
    command.add_argument("--auxiliary", metavar="MAP", help="a second head on this map, such as c4, while training")
    command.add_argument("--scratch", action="store_true", help="do not start from ImageNet weights")
    add_data_options(command, default="scenes")
    command.add_argument("--scenes", type=int, default=1600, help="scenes in one epoch")
    command.add_argument("--size", type=int, default=160, help="height and width of a scene, in pixels")
    command.add_argument("--augment", action="store_true", help="scenes: vary light and colours (photographs always)")
    command.add_argument("--crop", type=int, default=224, help="photographs: height and width of a crop, in pixels")
    command.add_argument(
        "--scale",
        type=float,
        nargs=2,
        default=(0.75, 2.0),
        metavar=("LOW", "HIGH"),
        help="photographs: their random size; at 1 one just fits into the crop",
    )
    group = command.add_argument_group("training")
    group.add_argument("--epochs", type=int, default=4, help="passes over the pictures")
    group.add_argument("--batch-size", type=int, default=8, help="pictures in a step, of all processes together")
    group.add_argument("--lr-backbone", type=float, default=6e-4, help="highest learning rate of the backbone")
    group.add_argument("--lr-head", type=float, default=3e-3, help="highest learning rate of all that is new")
    group.add_argument("--weight-decay", type=float, default=0.01, help="AdamW's")
    group.add_argument("--schedule", choices=["one_cycle", "poly"], default="one_cycle", help="how the rates fall")
    group.add_argument(
        "--freeze", nargs="*", default=[], metavar="PART", help="parts that stay as they are, such as backbone"
    )
    group.add_argument("--freeze-batch-norm", action="store_true", help="keep the backbone's running averages")
    group.add_argument("--mixed-precision", action="store_true", help="bfloat16 where it is safe, on a GPU")
    group.add_argument("--workers", type=int, default=0, help="processes that read pictures ahead")
    group.add_argument("--judge", action="store_true", help="photographs: also judge after each epoch")
    group.add_argument("--seed", type=int, default=0, help="another seed is another run")
    group.add_argument("--device", help="cpu, cuda or mps (else the best there is)")
    command.add_argument("--out", type=path, default=Path("runs/model.safetensors"), help="the checkpoint")
    command.add_argument("--json", action="store_true", help="print the results as JSON")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Train, judge, save. What can be known to fail fails before the first step."""
    import torch

    from deeplab_teach.checkpoint import save_model
    from deeplab_teach.data_files import require_writable
    from deeplab_teach.device import pick_device
    from deeplab_teach.training import distributed, freeze, freeze_batch_norm, train
    from deeplab_teach.weights import load_weights

    if args.out.suffix != ".safetensors":
        raise ValueError(f"--out must end in .safetensors, got {args.out}.")
    require_writable(args.out)
    require_data_options(args)
    require_known(args)
    device = pick_device(args.device)
    distributed.start(device)
    torch.manual_seed(args.seed)
    train_set, val_set, classes = _data(args)
    recipe = _recipe(args, classes)
    model = _model(args, recipe)
    if not args.scratch:
        load_weights(model.backbone, download=True)
    freeze(model, args.freeze)
    if args.freeze_batch_norm:
        freeze_batch_norm(model.backbone)
    state = args.out.with_suffix(".run")
    history = train(
        model,
        train_set,
        val_set if args.data == "scenes" or args.judge else None,
        epochs=args.epochs,
        batch_size=args.batch_size,
        lr_backbone=args.lr_backbone,
        lr_head=args.lr_head,
        weight_decay=args.weight_decay,
        schedule=args.schedule,
        mixed_precision=args.mixed_precision,
        workers=args.workers,
        seed=args.seed,
        device=device,
        run=state,
    )
    if not distributed.is_first():
        return
    results, words = _judged(args, model, val_set, classes, history)
    recipe |= {"results": results, "history": history}
    save_model(args.out, model, recipe, dtype=torch.float16)
    state.unlink()
    print(json.dumps({"checkpoint": str(args.out), **results}) if args.json else f"{words}. {args.out}")


def require_known(args: argparse.Namespace) -> None:
    """Raise a `ValueError` where a backbone has no published weights, or a head does not read such pictures."""
    from deeplab_teach.backbones import BACKBONES
    from deeplab_teach.weights import WEIGHTS

    if not args.scratch and args.backbone in BACKBONES and args.backbone not in WEIGHTS:
        raise ValueError(f"there are no published weights for {args.backbone}: train it from nothing with --scratch.")


def _data(args) -> tuple:
    """What to train on, what to judge on, and the names of the classes."""
    from deeplab_teach.datasets import (
        LESSON_CLASSES,
        EmojiScenes,
        detection_transforms,
        segmentation_transforms,
    )

    if args.data == "scenes":
        scenes = {"size": args.size, "seed": args.seed}
        jitter = _jitter if args.augment else None
        train_set = EmojiScenes(args.scenes, split="train", transforms=jitter, **scenes)
        return train_set, EmojiScenes(96, split="val", **scenes), list(LESSON_CLASSES)
    make = detection_transforms if is_detection(args.head) else segmentation_transforms
    train_set = open_data(args, "train", split=args.split, transforms=make(args.crop, scale=args.scale))
    val_set = open_data(args, "test")
    if is_detection(args.head):
        for key in ("boxes", "labels"):
            if key not in val_set[0][1]:
                raise ValueError(
                    f"the head {args.head!r} finds boxes, and the pictures of --data {args.data} have none."
                )
    return train_set, val_set, list(train_set.classes)


def is_detection(head: str) -> bool:
    """Whether a head, by name, finds boxes."""
    from deeplab_teach.heads import HEADS
    from deeplab_teach.models import RCNNS

    return head in RCNNS or getattr(HEADS.get(head), "task", None) == "detection"


def _recipe(args, classes) -> dict:
    from deeplab_teach.backbones import FIXED_STRIDES
    from deeplab_teach.models import RCNNS

    options = args.options
    if options is None:
        options = LESSON_OPTIONS if args.head in ("deeplabv3", "deeplabv3plus") else []
        if args.head in RCNNS:  # torchvision would enlarge each picture to 800 pixels
            options = [("min_size", args.crop), ("max_size", 2 * args.crop)]
    stride = args.output_stride
    if stride is None:
        stride = FIXED_STRIDES.get(args.backbone, 32 if is_detection(args.head) else 16)
    model = {"backbone": args.backbone, "head": args.head, "num_classes": len(classes), "output_stride": stride}
    model |= {"aligned": True} if args.aligned else {}
    model |= {"auxiliary": args.auxiliary} if args.auxiliary else {}
    recipe = {
        "model": model | dict(options),
        "classes": classes,
        "size": args.size if args.data == "scenes" else args.crop,
        "command": " ".join(["python -m deeplab_teach", *sys.argv[1:]]),
    }
    if args.data != "scenes":
        recipe["data"] = args.data
    return recipe


def _model(args, recipe):
    from deeplab_teach.models import Detector, SegmentationModel, build_model, is_rcnn

    try:
        model = build_model(**recipe["model"])
    except (TypeError, RuntimeError) as error:  # such as a word where a number belongs, or a negative width
        raise ValueError(f"--option: {args.head} cannot be built with {dict(args.options or ())} ({error}).") from error
    if args.data == "scenes" and not (isinstance(model, SegmentationModel | Detector) or is_rcnn(model)):
        raise ValueError(f"the head {args.head!r} gives no mask, and scenes are to be segmented: take another head.")
    return model


def _judged(args, model, val_set, classes, history) -> tuple[dict, str]:
    """The results as numbers and in words."""
    from deeplab_teach.datasets import EmojiScenes
    from deeplab_teach.training import evaluate

    from .evaluate import judged

    if args.data != "scenes":
        return judged(model, val_set, classes)
    unseen = EmojiScenes(96, split="test", size=args.size)
    if is_detection(args.head):
        known, known_words = judged(model, val_set, classes)
        held_out, words = judged(model, unseen, classes)
        results = {"known_styles": known, "held_out_style": held_out}
        return results, f"known styles: {known_words}; a held-out one: {words}"
    held_out = 100 * evaluate(model, unseen)
    known = 100 * history[-1]["miou"]
    results = {"miou_known_styles": known, "miou_held_out_style": held_out}
    return results, f"mIoU: {known:.1f} on known styles, {held_out:.1f} on a held-out one"


def _jitter(image, target):
    """Other light and colours, so that the network leans less on the exact colours of the drawings it has seen."""
    from torchvision.transforms import v2

    return v2.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.05)(image), target


def option(text: str) -> tuple[str, Any]:
    """`channels=96` -> ("channels", 96); `atrous_rates=2,4,6` -> ("atrous_rates", [2, 4, 6]); `2,` is a list of one."""
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} should read NAME=VALUE, for example channels=96")
    values = [_value(word) for word in value.split(",") if word]
    return key, values[0] if len(values) == 1 and "," not in value else values


def _value(word):
    """A number, true or false, or the word itself, such as the name of a feature map."""
    known = {"true": True, "false": False}
    if word.lower() in known:
        return known[word.lower()]
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word
