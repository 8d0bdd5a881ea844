"""A segmentation model as an ONNX file, for programs without PyTorch; compared with PyTorch before it is kept."""

import copy
import importlib
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab_teach.data_files import atomic_write, require_writable
from deeplab_teach.features import SequenceBackbone, image_channels
from deeplab_teach.models import SegmentationModel

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
# What a file is tried on: images, height, width. Other sizes than it was made with, even and odd, tall and wide.
TRIED = ((2, 161, 203), (1, 97, 320))
LARGEST_DIFFERENCE = 1e-3  # of the largest score
SAME_LABELS = 0.999  # of the pixels


class _FromImages(nn.Module):
    """Images in 0..1 -> scores: what the model does, and before it what its backbone does to colours."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(self.model.backbone.normalize(images))


def export_onnx(
    path: str | os.PathLike, model: nn.Module, recipe: dict | None = None, *, size: tuple[int, int] = (320, 320)
) -> Path:
    """Write a segmentation model as ONNX, whole or not at all.

    The file takes `images`, float32 `(N, 3, H, W)` RGB in 0..1, and gives `scores`, float32 `(N, num_classes, H, W)`.
    N, H and W are free. Colours are normalised inside. Nothing tests there whether the images lie in 0..1.

    Args:
        path: ends in `.onnx`.
        model: a `SegmentationModel`, aligned or not, of any precision, on any device; it stays as it is.
        recipe: as `load_model` gives it; its `classes` go into the file's metadata, as a JSON list of names.
        size: height and width of the images that the network is followed on.

    Returns:
        `path`, with `~` written out.

    Raises:
        ValueError: another ending; no segmentation model of images; other classes than scores; a package of
            `deeplab_teach[export]` is missing; PyTorch cannot write the model; or the file answers something else than
            the model, tried with onnxruntime on images of other sizes (`TRIED`). Then it is not kept.
        OSError: `path` cannot be written.
    """
    _require_exportable(model)
    classes = (recipe or {}).get("classes")
    if classes is not None and len(classes) != model.num_classes:
        raise ValueError(f"the recipe has {len(classes)} classes, and the model scores {model.num_classes}.")
    if len(size) != 2 or min(size) < 64:
        raise ValueError(f"size must be a height and a width of 64 pixels or more, got {size!r}.")
    if Path(path).suffix != ".onnx":
        raise ValueError(f"an ONNX file's name ends in .onnx, got {os.fspath(path)!r}.")
    _require_packages()
    require_writable(path)
    with _quiet():
        try:
            program = torch.onnx.export(
                _reference(model),
                (torch.zeros(2, image_channels(model), *size),),  # two images: what is 1 while it is followed stays 1
                input_names=["images"],
                output_names=["scores"],
                dynamic_shapes=({0: "batch", 2: "height", 3: "width"},),
                dynamo=True,
                verbose=False,
            )
        except Exception as error:  # whatever PyTorch's exporter raises on somebody's network
            reason = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
            raise ValueError(
                f"PyTorch cannot write {model.backbone.name} with this head as ONNX: {reason[0]}"
            ) from error
    if classes is not None:
        program.model.metadata_props["classes"] = json.dumps(list(classes))
    with atomic_write(path) as temporary:
        program.save(temporary, external_data=False)
        difference, same = compare(temporary, model)
        if not (difference <= LARGEST_DIFFERENCE and same >= SAME_LABELS):  # written so that it catches NaN, too
            raise ValueError(
                f"the ONNX file does not answer as the model does: scores differ by up to {difference:.1e} of the "
                f"largest (allowed: {LARGEST_DIFFERENCE:.0e}), {100 * same:.2f} % of the labels are the same (wanted: "
                f"{100 * SAME_LABELS:.1f} %). It was not kept. Some step of the network depends on the image's size."
            )
    return Path(path).expanduser()


@torch.no_grad()
def compare(path: str | os.PathLike, model: nn.Module) -> tuple[float, float]:
    """How far the scores of an ONNX file, run by onnxruntime, lie from the model's, on images of the sizes of `TRIED`.

    Returns:
        The largest difference as a share of the largest score, and the share of pixels with the same label. NaN and 0
        if the file fails, or answers in another shape.

    Raises:
        ValueError: as `export_onnx`.
    """
    _require_exportable(model)
    _require_packages()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is told by what is returned
    session = onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
    reference, generator = _reference(model), torch.Generator().manual_seed(0)
    differences, same = [], []
    channels = image_channels(model)
    for count, height, width in TRIED:
        # Colours that differ from place to place, and noise.
        patches = torch.rand(count, channels, 8, 8, generator=generator)
        noise = torch.rand(count, channels, height, width, generator=generator)
        images = (F.interpolate(patches, (height, width)) + noise) / 2
        due = reference(images)  # (N, num_classes, H, W)
        try:
            found = torch.from_numpy(session.run(["scores"], {"images": images.numpy()})[0])
        except Exception:  # onnxruntime's own errors have no class in common
            return float("nan"), 0.0
        if found.shape != due.shape:
            return float("nan"), 0.0
        differences.append((found - due).abs().max() / due.abs().max())
        same.append((found.argmax(dim=1) == due.argmax(dim=1)).float().mean())
    return torch.stack(differences).max().item(), torch.stack(same).min().item()


def _require_exportable(model):
    if not isinstance(model, SegmentationModel) or isinstance(model.backbone, SequenceBackbone):
        raise ValueError(
            "only a SegmentationModel of images is exported (build_model with the head linear, fcn, deeplabv3 or "
            f"deeplabv3plus), got a {type(model).__name__}. Detectors and classifiers are not handled; of a compiled "
            "model give what it was made from."
        )


def _require_packages():
    for name in PACKAGES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ValueError(f'ONNX needs {name}: pip install "deeplab_teach[export]" ({error}).') from error


def _reference(model) -> nn.Module:
    """A copy that takes images in 0..1, in eval mode, in float32, on the CPU."""
    return _FromImages(copy.deepcopy(model)).float().cpu().eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings that PyTorch's exporter gives about itself."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
