"""The course's photographs: what each shows and what it may be used for. Sources and licences: data/README.md."""

from typing import NamedTuple

from torchvision import tv_tensors

from deeplab_teach.data_files import data_path

from .images import read_image


class Photo(NamedTuple):
    """One line about a photograph; `background` is `"train"`, `"test"` or None (not a background for scenes)."""

    title: str
    background: str | None


# A background must not show an object of a class, which would stand there unlabelled: no cat, no people. Training and
# test backgrounds are different photographs.
PHOTOS = {
    "astronaut": Photo("Astronaut Eileen Collins (NASA)", None),
    "camera": Photo("A photographer at his camera, black and white", None),
    "chelsea": Photo("Chelsea, a tabby cat", None),
    "coffee": Photo("A cup of espresso on a wooden table", None),
    "coins": Photo("Greek coins from Pompeii, black and white", None),
    "retina": Photo("The retina of a human eye", None),
    "apartment": Photo("An empty flat, panorama", "train"),
    "brick": Photo("A brick pavement, black and white", "train"),
    "city": Photo("A city square, panorama", "train"),
    "dawn": Photo("Rocky hills at dawn, panorama", "train"),
    "esplanade": Photo("A shopping arcade, panorama", "train"),
    "forest": Photo("A forest path, panorama", "train"),
    "grass": Photo("Cut grass, black and white", "train"),
    "hall": Photo("A ballroom, panorama", "train"),
    "hubble": Photo("The Hubble eXtreme Deep Field (NASA)", "train"),
    "park": Photo("A green meadow, panorama", "train"),
    "rocket": Photo("A rocket on its pad at night (SpaceX)", "train"),
    "sky": Photo("Clouds over a calm sea, panorama", "train"),
    "warehouse": Photo("An empty warehouse, panorama", "train"),
    "bridge": Photo("A covered footbridge, panorama", "test"),
    "china": Photo("A temple at the Summer Palace, Beijing", "test"),
    "flower": Photo("A dahlia", "test"),
    "gravel": Photo("Gravel, black and white", "test"),
    "lab": Photo("A workshop with electric machines, panorama", "test"),
    "night": Photo("A dry plain at night, panorama", "test"),
    "sunrise": Photo("Fields at sunrise, panorama", "test"),
    "venice": Photo("A quay in Venice at dusk, panorama", "test"),
    "workshop": Photo("A factory hall, panorama", "test"),
}


def photo(name: str) -> tv_tensors.Image:
    """One of the course's photographs as an RGB image, `tv_tensors.Image` uint8 (3, H, W), long side <= 640 pixels.

    Args:
        name: a key of `PHOTOS`, for example `"chelsea"`.

    Raises:
        ValueError: there is no photograph of that name, or its file is damaged.
        FileNotFoundError: its file is missing.
    """
    if name not in PHOTOS:
        raise ValueError(f"A photograph's name must be one of {', '.join(sorted(PHOTOS))}; got {name!r}.")
    return read_image(data_path(f"photos/{name}.jpg"))


def backgrounds(split: str) -> tuple[str, ...]:
    """Names of the photographs that serve as `"train"` or `"test"` backgrounds, in a fixed order."""
    return tuple(name for name, entry in PHOTOS.items() if entry.background == split)
