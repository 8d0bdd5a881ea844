"""Which processor to compute on."""

import torch


def pick_device(wanted: str | torch.device | None = None) -> torch.device:
    """`wanted` if it can be had; with `None` the best there is: an NVIDIA GPU, an Apple GPU, else the CPU.

    Raises:
        ValueError: the wanted device is not there; the message lists those that are.
    """
    there = ["cpu"]
    if torch.backends.mps.is_available():
        there.insert(0, "mps")
    if torch.cuda.is_available():
        there.insert(0, "cuda")
    if wanted is None:
        return torch.device(there[0])
    kind, _, number = str(wanted).partition(":")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if kind not in there or (number and not (number.isdigit() and int(number) < count)):
        raise ValueError(f"device {str(wanted)!r} is not available here; there are: {', '.join(there)}.")
    return torch.device(wanted)
