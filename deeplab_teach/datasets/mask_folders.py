"""Photographs with a mask file each: your own folders, PASCAL VOC, and Oxford-IIIT Pets."""

import os
from collections.abc import Callable, Mapping, Sequence

from .classes import VOC_CLASSES, own_classes
from .file_dataset import FileDataset, existing_folder, require_none_missing
from .images import SUFFIXES, read_image, require_size
from .mask_files import check_labels, read_mask

VOC_PARTS = ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation")
PETS_PARTS = ("images", "annotations/trimaps")


class _Pairs(FileDataset):
    """Image files and mask files. The readers below differ in where the files lie and what the numbers mean."""

    split: str | None = None

    def __init__(self, root, pairs, *, classes, labels, transforms):
        self.root, self.pairs, self.transforms = root, pairs, transforms
        self.classes = own_classes(classes)
        self.labels = check_labels(labels, self.classes)

    def __len__(self):
        return len(self.pairs)

    def read(self, position):
        image_path, mask_path = self.pairs[position]
        image = read_image(image_path)
        mask = read_mask(mask_path, self.classes, labels=self.labels)
        require_size(image, image_path, mask.shape, f"the mask {str(mask_path)!r}")
        return image, {"semantic": mask}

    def __repr__(self):
        split = f"split={self.split!r}, " if self.split else ""
        return f"{type(self).__name__}({str(self.root)!r}, {split}{len(self)} images, {len(self.classes)} classes)"


class MaskFolder(_Pairs):
    """Your own photographs in one folder and a mask for each in another: `images/cat.jpg` and `masks/cat.png`.

    An image and its mask have the same name up to the suffix. A mask without an image is passed over. `dataset[i]` is
    `(image, target)`:

    - image: `tv_tensors.Image`, uint8 (3, H, W), RGB, as `read_image` gives it.
    - target["semantic"]: `tv_tensors.Mask`, int64 (H, W), index into `classes`, 0 is background, 255 is ignored.

    `dataset.pairs[i]` are the paths of the two files. Look at a few items before you train: a mask of the right size
    that lies upside down, as after a rotation by EXIF data, cannot be told from a right one.

    Args:
        root: the folder with the two folders.
        images: the folder of the images, below `root`.
        masks: the folder of the masks, below `root`.
        classes: names of the classes, "background" first.
        labels: which class a stored number means where it is not the class itself, for example `{255: 1}`.
        transforms: a callable applied to `(image, target)`, for example from `torchvision.transforms.v2`.

    Raises:
        FileNotFoundError: a folder or a mask is missing.
        ValueError: an argument is out of range, a folder is empty, or two files have the same name up to the suffix.
            Whether a file can be read as `read_image` and `read_mask` demand is seen when its item is asked for.
    """

    def __init__(
        self,
        root: str | os.PathLike,
        images: str = "images",
        masks: str = "masks",
        *,
        classes: Sequence[str],
        labels: Mapping[int, int] | None = None,
        transforms: Callable | None = None,
    ):
        root = existing_folder(root, f"which must have {images}/ and {masks}/")
        pairs = _pair_up(None, root / images, root / masks)
        super().__init__(root, pairs, classes=classes, labels=labels, transforms=transforms)


class VOCSegmentation(_Pairs):
    """PASCAL VOC's segmentation, or your own data in its layout, which many labelling programs export.

        JPEGImages/2007_000032.jpg
        SegmentationClass/2007_000032.png
        ImageSets/Segmentation/train.txt    one name a line, without suffix

    Items as those of `MaskFolder`. Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge" (2010).

    Args:
        root: the folder of the year (VOCdevkit/VOC2012), or one at most three levels above it.
        split: name of the list: "train", "val" or "trainval" in VOC's own.
        classes: names of the classes, "background" first.
        labels, transforms: as for `MaskFolder`.

    Raises:
        FileNotFoundError: a folder, the list, an image or a mask is missing.
        ValueError: an argument is out of range, several folders below `root` have this layout, or the list is empty.
    """

    def __init__(
        self,
        root: str | os.PathLike,
        split: str = "train",
        *,
        classes: Sequence[str] = VOC_CLASSES,
        labels: Mapping[int, int] | None = None,
        transforms: Callable | None = None,
    ):
        root = _find(root, VOC_PARTS)
        pairs = _pair_up(
            _names(root / "ImageSets/Segmentation" / f"{split}.txt"), root / "JPEGImages", root / "SegmentationClass"
        )
        super().__init__(root, pairs, classes=classes, labels=labels, transforms=transforms)
        self.split = split


class OxfordPets(_Pairs):
    """Oxford-IIIT Pets: 37 breeds of cats and dogs; the mask says what is pet, the pet's border is ignored.

        images/Abyssinian_1.jpg
        annotations/trimaps/Abyssinian_1.png    1 pet, 2 background, 3 border
        annotations/trainval.txt                a line a picture: Abyssinian_1 1 1 1 (class, species, breed)

    Items as those of `MaskFolder`, with the classes "background" and "pet". Parkhi et al., "Cats and Dogs" (2012).

    Args:
        root: the folder with images/ and annotations/, or one at most three levels above it.
        split: "trainval" or "test".
        transforms: as for `MaskFolder`.

    Raises:
        FileNotFoundError: a folder, the list, an image or a trimap is missing.
        ValueError: another split, or several folders below `root` have this layout.
    """

    def __init__(self, root: str | os.PathLike, split: str = "trainval", *, transforms: Callable | None = None):
        if split not in ("trainval", "test"):
            raise ValueError(f"split must be trainval or test; got {split!r}.")
        root = _find(root, PETS_PARTS)
        names = [line.split()[0] for line in _names(root / "annotations" / f"{split}.txt")]
        pairs = _pair_up(names, root / "images", root / "annotations/trimaps")
        classes, labels = ("background", "pet"), {1: 1, 2: 0, 3: 255}
        super().__init__(root, pairs, classes=classes, labels=labels, transforms=transforms)
        self.split = split


def _find(root, parts):
    """The one folder that has all `parts`: `root`, or one at most three levels below."""
    root = existing_folder(root, f"which must have {', '.join(parts)}")
    levels = ("", "*/", "*/*/", "*/*/*/")
    folders = {first.parent for level in levels for first in root.glob(level + parts[0])}
    found = sorted(folder for folder in folders if all((folder / part).is_dir() for part in parts))
    if not found:
        lacks = ", ".join(part for part in parts if not (root / part).is_dir())
        raise FileNotFoundError(
            f"No folder has {', '.join(parts)}: {str(root)!r} lacks {lacks}, and nothing at most three levels below it "
            "has all. Name the folder where the archive was unpacked."
        )
    if len(found) > 1:
        raise ValueError(f"Several folders have {', '.join(parts)}: {', '.join(map(str, found))}. Name one of them.")
    return found[0]


def _names(path):
    """The lines of a list of names, without blank ones and comments."""
    if not path.is_file():
        there = ", ".join(sorted(other.stem for other in path.parent.glob("*.txt"))) or "none"
        raise FileNotFoundError(f"There is no list {str(path)!r} for the split {path.stem!r}; there are: {there}.")
    lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    names = [line for line in lines if line and not line.startswith("#")]
    if not names:
        raise ValueError(f"The list {str(path)!r} is empty; each line must have the name of an image.")
    return names


def _by_name(folder, what):
    """The pictures of a folder by their name without suffix; hidden files and files of other kinds are passed over."""
    found = {}
    for path in sorted(existing_folder(folder, what).iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in found:
            raise ValueError(
                f"{str(folder)!r} has {found[path.stem].name} and {path.name}, which are of one name up to the suffix: "
                "which of them is meant cannot be known. Rename or remove one."
            )
        found[path.stem] = path
    if not found:
        raise ValueError(f"{str(folder)!r}, {what}, has no pictures: no file ends with {', '.join(SUFFIXES)}.")
    return found


def _pair_up(names, image_folder, mask_folder):
    """The paths of the image and the mask of each name; of all images in the folder if `names` is None."""
    images, masks = _by_name(image_folder, "the folder of the images"), _by_name(mask_folder, "the folder of the masks")
    rule = "An image and its mask have the same name up to the suffix"
    rule += "" if names is None else ", and lists give it without one"
    names = list(images if names is None else names)
    missing = [name for name in names if name not in images]
    require_none_missing(missing, len(names), f"images in {str(image_folder)!r}", f"{rule}.")
    missing = [name for name in names if name not in masks]
    near = next((mask for name in missing[:1] for stem, mask in masks.items() if name.lower() in stem.lower()), None)
    advice = f"; rename {near.name} to {missing[0]}{near.suffix}, and the others alike." if near else "."
    require_none_missing(missing, len(names), f"masks in {str(mask_folder)!r}", rule + advice)
    return [(images[name], masks[name]) for name in names]
