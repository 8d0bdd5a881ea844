"""`python -m deeplab_teach export`: a checkpoint as an ONNX file."""

import argparse
from pathlib import Path
from typing import Any

from .data import path


def add(commands: Any) -> None:
    """The command's options."""
    command = commands.add_parser("export", help="write a segmentation checkpoint as ONNX, and compare the two")
    command.add_argument(
        "checkpoint", nargs="?", default="scenes_deeplabv3plus_mobilenet_v2", help="a file, or a shipped one's name"
    )
    command.add_argument("--out", type=path, default=Path("runs/model.onnx"), help="a .onnx (default: %(default)s)")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the file; print where it is, how large, and how far its scores lie from PyTorch's."""
    from deeplab_teach.checkpoint import load_model
    from deeplab_teach.export import TRIED, compare, export_onnx

    model, recipe = load_model(args.checkpoint)
    out = export_onnx(args.out, model, recipe)
    difference, _ = compare(out, model)
    sizes = ", ".join(f"{height} x {width}" for _, height, width in TRIED)
    print(
        f"{out}: {out.stat().st_size / 1e6:.1f} MB; scores differ from PyTorch's by {difference:.0e} of the largest at "
        f"most (images of {sizes})"
    )
