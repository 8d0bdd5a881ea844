"""`python -m deeplab_teach predict`: what a checkpoint sees in pictures of yours."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import Help
from .data import path

OWN_OUTPUT = (".overlay.png", ".mask.png")


def add(commands: Any) -> None:
    """The command's options."""
    command = commands.add_parser(
        "predict",
        help="what a checkpoint sees in pictures of yours, drawn over them or as a mask",
        formatter_class=Help,
    )
    command.add_argument("pictures", type=path, nargs="+", metavar="PICTURE", help="pictures, or folders of pictures")
    command.add_argument(
        "--checkpoint", default="people_deeplabv3plus_mobilenet_v2", help="a file, or a shipped one's name"
    )
    command.add_argument("--max-side", type=int, default=480, help="look at larger pictures in this size, in pixels")
    command.add_argument(
        "--show", choices=["overlay", "mask"], default="overlay", help="colours over the picture, or the mask alone"
    )
    command.add_argument("--threshold", type=float, default=0.5, help="detectors: least score of a box")
    command.add_argument(
        "--out", type=path, help="a folder, or for one picture a .png (else beside each picture, NAME.overlay.png)"
    )
    command.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Draw each picture in its own size, and say what was found."""
    from torchvision.transforms.v2 import functional as T

    from deeplab_teach.checkpoint import load_model
    from deeplab_teach.data_files import atomic_write, require_writable

    if args.max_side < 1:
        raise ValueError(f"--max-side must be 1 pixel or more, got {args.max_side}.")
    pictures = list(_pictures(args.pictures))
    outs = [_out(args, picture, len(pictures)) for picture in pictures]
    if clash := next((out for i, out in enumerate(outs) if out in outs[:i]), None):
        raise ValueError(f"two pictures would be written to {clash}: give them other names, or leave out --out.")
    for out in outs:
        require_writable(out)
    model, recipe = load_model(args.checkpoint, device=args.device)
    broken = []
    for picture, out in zip(pictures, outs, strict=True):
        try:
            drawn, words = _drawn(args, picture, model, recipe["classes"])
        except (ValueError, OSError) as error:  # the other pictures are still wanted
            if len(pictures) == 1:
                raise
            broken.append(picture.name)
            print(f"left out: {error}", file=sys.stderr)
            continue
        with atomic_write(out) as temporary:
            T.to_pil_image(drawn).save(temporary, format="PNG")
        print(f"{out}: {words}")
    if broken:
        raise ValueError(f"{len(broken)} of {len(pictures)} pictures could not be read: {', '.join(broken)}.")


def _pictures(places) -> Iterator[Path]:
    """The pictures themselves; of a folder those in it, but not what this command has written there."""
    from deeplab_teach.datasets.images import SUFFIXES

    for place in places:
        if not place.is_dir():
            yield place
            continue
        found = sorted(each for each in place.iterdir() if each.suffix.lower() in SUFFIXES)
        found = [each for each in found if not each.name.endswith(OWN_OUTPUT) and not each.name.startswith(".")]
        if not found:
            raise ValueError(f"the folder {place} has no pictures: no file ends with {', '.join(SUFFIXES)}.")
        yield from found


def _out(args, picture, count) -> Path:
    name = f"{picture.stem}.{args.show}.png"
    if args.out is None:
        return picture.with_name(name)
    if args.out.is_dir() or (not args.out.suffix and not args.out.is_file()):
        return args.out / name
    if args.out.suffix.lower() != ".png":
        raise ValueError(f"--out must end in .png or be a folder, got {args.out}: others may change the colours.")
    if count > 1:
        raise ValueError(f"--out is one file, {args.out}, and there are {count} pictures: name a folder.")
    return args.out


def _drawn(args, picture, model, classes):
    """What was found, drawn over the picture in its own size (3, H, W) uint8, and in words."""
    from torch.nn.functional import interpolate
    from torchvision.transforms.v2 import functional as T

    from deeplab_teach.datasets import read_image
    from deeplab_teach.models import SegmentationModel
    from deeplab_teach.plots import color_mask, overlay_mask
    from deeplab_teach.predict import predict_mask

    image = read_image(picture)
    size = image.shape[-2:]
    small = image
    if max(size) > args.max_side:
        factor = args.max_side / max(size)
        small = T.resize(image, [max(1, round(side * factor)) for side in size], antialias=True)
    shrunk = "" if small.shape == image.shape else f" (looked at with {small.shape[-1]} x {small.shape[-2]} pixels)"
    if not isinstance(model, SegmentationModel):
        return _boxes_drawn(args, image, small, model, classes, shrunk)
    labels = predict_mask(model, small[None].float() / 255)
    mask = interpolate(labels[None].float(), size, mode="nearest-exact")[0, 0].long().cpu()  # the picture's own size
    drawn = overlay_mask(image, mask, classes) if args.show == "overlay" else color_mask(mask, classes)
    found = [f"{classes[i]} {100 * (mask == i).float().mean():.0f} %" for i in mask.unique().tolist()]
    return drawn, f"{', '.join(found)}{shrunk}"


def _boxes_drawn(args, image, small, model, classes, shrunk):
    """Boxes with their names and scores over the picture."""
    import torch
    from torchvision.utils import draw_bounding_boxes

    from deeplab_teach.predict import detect

    answer = detect(model, small.as_subclass(torch.Tensor).float() / 255)
    kept = answer["scores"] >= args.threshold
    boxes, scores, labels = (answer[key][kept].cpu() for key in ("boxes", "scores", "labels"))
    names = [f"{classes[i]} {100 * score:.0f} %" for i, score in zip(labels.tolist(), scores.tolist(), strict=True)]
    boxes = boxes * (image.shape[-1] / small.shape[-1])
    canvas = image.as_subclass(torch.Tensor) if args.show == "overlay" else torch.zeros_like(image)
    drawn = draw_bounding_boxes(canvas, boxes, names, colors="orange", width=max(2, max(image.shape) // 200))
    return drawn, f"{', '.join(names) or 'nothing'}{shrunk}"
