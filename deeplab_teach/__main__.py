"""The command line: `python -m deeplab_teach doctor | get-weights | train | evaluate | predict | export | papers`."""

import os
import sys

if __name__ == "__main__":
    # `python -m` looks for modules in the current folder first: a `random.py` of yours there would pass for Python's.
    sys.path[:] = [folder for folder in sys.path if folder not in ("", os.getcwd())]

import argparse
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from deeplab_teach.commands import export

# Rates 2, 4, 6 instead of 6, 12, 18: the map of a 160 pixel scene at stride 16 is 10 by 10.
LESSON_OPTIONS = [("channels", 96), ("atrous_rates", [2, 4, 6])]


def doctor(args: argparse.Namespace) -> int:
    from deeplab_teach import doctor

    return doctor.main()


def get_weights(args: argparse.Namespace) -> None:
    from deeplab_teach.weights import LESSON_WEIGHTS, fetch

    for name in args.names or LESSON_WEIGHTS:
        print(f"{name}: {fetch(name).name} is here and whole")


def train(args: argparse.Namespace) -> None:
    import torch

    from deeplab_teach.backbones import BACKBONES, FIXED_STRIDES
    from deeplab_teach.checkpoint import save_model
    from deeplab_teach.data_files import require_writable
    from deeplab_teach.datasets import LESSON_CLASSES, EmojiScenes
    from deeplab_teach.models import SegmentationModel, build_model
    from deeplab_teach.training import evaluate, train
    from deeplab_teach.weights import WEIGHTS, load_weights

    if args.out.suffix != ".safetensors":
        raise ValueError(f"--out must end in .safetensors, got {args.out}.")
    require_writable(args.out)
    if args.output_stride is None:
        args.output_stride = FIXED_STRIDES.get(args.backbone, 16)
    if args.options is None:
        args.options = LESSON_OPTIONS if args.head in ("deeplabv3", "deeplabv3plus") else []
    num_classes = len(LESSON_CLASSES)
    recipe = {
        "model": {
            "backbone": args.backbone,
            "head": args.head,
            "num_classes": num_classes,
            "output_stride": args.output_stride,
            **dict(args.options),
        },
        "classes": list(LESSON_CLASSES),
        "size": args.size,
        "command": " ".join(["python -m deeplab_teach", *sys.argv[1:]]),
    }
    if not args.scratch and args.backbone in BACKBONES and args.backbone not in WEIGHTS:
        raise ValueError(f"there are no published weights for {args.backbone}: train it from nothing with --scratch.")
    torch.manual_seed(args.seed)
    try:
        model = build_model(**recipe["model"])
    except (TypeError, RuntimeError) as error:  # such as a word where a number belongs, or a negative width
        raise ValueError(f"--option: {args.head} cannot be built with {dict(args.options)} ({error}).") from error
    if not isinstance(model, SegmentationModel):
        raise ValueError(f"the head {args.head!r} gives no mask, and scenes are to be segmented: take another head.")
    if not args.scratch:
        load_weights(model.backbone, download=True)
    scenes = {"size": args.size, "seed": args.seed}
    history = train(
        model,
        EmojiScenes(args.scenes, split="train", transforms=_jitter if args.augment else None, **scenes),
        EmojiScenes(96, split="val", **scenes),
        epochs=args.epochs,
        batch_size=args.batch_size,
        seed=args.seed,
        device=args.device,
        run=args.out.with_suffix(".run"),
    )
    held_out = evaluate(model, EmojiScenes(96, split="test", size=args.size))
    save_model(args.out, model, recipe, dtype=torch.float16)
    args.out.with_suffix(".run").unlink()
    print(f"mIoU: {100 * history[-1]['miou']:.1f} on known styles, {100 * held_out:.1f} on a held-out one. {args.out}")


def _jitter(image, target):
    """Other light and colours, so that the network leans less on the exact colours of the drawings it has seen."""
    from torchvision.transforms import v2

    return v2.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.05)(image), target


def evaluate(args: argparse.Namespace) -> None:
    from deeplab_teach.checkpoint import load_model
    from deeplab_teach.datasets import EmojiScenes
    from deeplab_teach.training import evaluate

    model, recipe = load_model(args.checkpoint)
    classes, size = recipe["classes"], recipe["size"]
    for split in ("val", "test"):
        scenes = EmojiScenes(args.scenes, split=split, classes=classes, size=size)
        whole = evaluate(model, scenes)
        border = evaluate(model, scenes, trimap_width=2)
        print(f"{split}: mIoU {100 * whole:.1f}, within 2 pixels of an outline {100 * border:.1f}")


def predict(args: argparse.Namespace) -> None:
    from torch.nn.functional import interpolate
    from torchvision.transforms.v2 import functional as T

    from deeplab_teach.checkpoint import load_model
    from deeplab_teach.data_files import atomic_write, require_writable
    from deeplab_teach.datasets import read_image
    from deeplab_teach.plots import color_mask
    from deeplab_teach.predict import predict_mask

    out = args.out or args.image.with_suffix(".mask.png")
    if out.suffix.lower() != ".png":
        raise ValueError(f"--out must end in .png, got {out}: other formats may change the colours of a mask.")
    require_writable(out)
    model, recipe = load_model(args.checkpoint)
    small = read_image(args.image, max_side=args.max_side)
    image = read_image(args.image)
    labels = predict_mask(model, small[None].float() / 255)
    mask = interpolate(labels[None].float(), image.shape[-2:], mode="nearest-exact")[0, 0].long()  # the image's size
    with atomic_write(out) as temporary:
        T.to_pil_image(color_mask(mask, recipe["classes"])).save(temporary, format="PNG")
    found = [f"{recipe['classes'][i]} {100 * (mask == i).float().mean():.0f} %" for i in mask.unique().tolist()]
    shrunk = "" if small.shape == image.shape else f" (looked at with {small.shape[-1]} x {small.shape[-2]} pixels)"
    print(f"{out}: {', '.join(found)}{shrunk}")


def papers(args: argparse.Namespace) -> None:
    from deeplab_teach.papers import report, reproduce
    from deeplab_teach.papers.counting import PER_PARAMETER

    results = reproduce(args.tables or None, per_parameter=PER_PARAMETER if args.per_parameter else 0)
    print(report(results))
    tried = [result for result in results if result.ours is not None]
    print(f"\n{sum(result.agrees for result in tried)} of {len(tried)} figures agree.")


def _path(text) -> Path:
    return Path(text).expanduser()


def _option(text):
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
        with suppress(ValueError):
            return kind(word)
    return word


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="python -m deeplab_teach", description=__doc__)
    commands = result.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("doctor", help="what is installed and there, and what to do about what is missing")
    command.set_defaults(run=doctor)

    command = commands.add_parser("get-weights", help="bring pretrained weights and check them")
    command.add_argument("names", nargs="*", metavar="NAME", help="default: those the lessons need")
    command.set_defaults(run=get_weights)

    command = commands.add_parser("train", help="train a segmentation model on emoji scenes")
    command.add_argument("--backbone", default="mobilenet_v2")
    command.add_argument("--head", default="deeplabv3plus")
    command.add_argument("--output-stride", type=int, help="8, 16 or 32; default: 16, or the only one of the backbone")
    command.add_argument(
        "--option",
        dest="options",
        type=_option,
        action="append",
        metavar="NAME=VALUE",
        help="of the head, may be repeated; for the DeepLab heads the default is channels=96 and atrous_rates=2,4,6",
    )
    command.add_argument("--scratch", action="store_true", help="do not start from ImageNet weights")
    command.add_argument("--augment", action="store_true", help="vary light and colours")
    command.add_argument("--scenes", type=int, default=1600, help="scenes in one epoch")
    command.add_argument("--epochs", type=int, default=4)
    command.add_argument("--batch-size", type=int, default=8)
    command.add_argument("--size", type=int, default=160, help="height and width of a scene in pixels")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--device")
    command.add_argument("--out", type=_path, default=Path("runs/model.safetensors"))
    command.set_defaults(run=train)

    command = commands.add_parser("evaluate", help="mIoU of a checkpoint on known and held-out scenes")
    command.add_argument("checkpoint", nargs="?", default="scenes_deeplabv3plus_mobilenet_v2")
    command.add_argument("--scenes", type=int, default=96)
    command.set_defaults(run=evaluate)

    command = commands.add_parser("predict", help="segment a picture of yours into a coloured mask")
    command.add_argument("image", type=_path)
    command.add_argument("--checkpoint", default="scenes_deeplabv3plus_mobilenet_v2")
    command.add_argument("--max-side", type=int, default=480, help="look at larger pictures in this size")
    command.add_argument("--out", type=_path, help="a .png of the picture's own size; default: beside the picture")
    command.set_defaults(run=predict)

    export.add(commands)

    command = commands.add_parser("papers", help="count what the papers' tables count, and compare row by row")
    command.add_argument("tables", nargs="*", metavar="TABLE", help="default: all")
    command.add_argument("--per-parameter", action="store_true", help="add what TensorFlow's profiler adds")
    command.set_defaults(run=papers)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot write a letter of a file's name writes `?` for it
            stream.reconfigure(errors="replace")
    try:
        return args.run(args) or 0
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; `train` with the same options goes on after the last whole epoch", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
