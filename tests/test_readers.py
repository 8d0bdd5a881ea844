"""Readers of other people's data: the layouts there are, and what is said where files do not fit."""

import copy
import json
import pickle
import re
import struct
import sys
import zlib

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image, ImageDraw
from torch.utils.data import DataLoader
from torchvision import tv_tensors
from torchvision.transforms import v2

from deeplab_teach.datasets import (
    VOC_CLASSES,
    COCODetection,
    MaskFolder,
    OxfordPets,
    VOCSegmentation,
    class_colors,
    photo,
    read_mask,
    segmentation_collate,
    voc_colors,
)
from deeplab_teach.datasets.coco_segments import polygon_mask, rle_mask, segment_mask, unpack_counts

CLASSES = ("background", "cat", "cup")
NAMES = ("chelsea", "coffee", "china")
WIDTH, HEIGHT = 96, 64


def picture(name="coffee"):
    """A photograph of the course, 96 x 64 pixels."""
    return Image.fromarray(photo(name).permute(1, 2, 0).numpy()).resize((WIDTH, HEIGHT))


def numbers(dtype=np.uint8):
    """A mask with both classes and a border that is ignored."""
    mask = np.zeros((HEIGHT, WIDTH), dtype)
    mask[10:40, 20:60], mask[30:60, 50:90], mask[:3] = 1, 2, 255
    return mask


def palette_picture(mask, colors=None):
    image = Image.fromarray(mask.astype(np.uint8), mode="P")
    image.putpalette((voc_colors() if colors is None else colors).ravel().tolist())
    return image


def save(image, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def fill(root, names=NAMES, images="images", masks="masks", suffix=".jpg", mask=None):
    """A folder of photographs and a folder of palette masks."""
    for name in names:
        save(picture(name), root / images / f"{name}{suffix}")
        save(palette_picture(numbers() if mask is None else mask), root / masks / f"{name}.png")
    return root


def stored(mask, folder, suffix=".png", **options):
    return save(mask, folder / f"mask{suffix}", **options)


def rotated():
    """EXIF data that say: turn by 90 degrees to show."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


# ------------------------------------------------------------------------------------------------- one mask file


def four_bits(mask, path):
    """A greyscale PNG of four bits a pixel: Pillow reads such numbers multiplied by 17."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + (row[::2] << 4 | row[1::2]).tobytes() for row in mask)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 4, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    return path


def colored(mask):
    return Image.fromarray(np.concatenate([class_colors(CLASSES), voc_colors()[255:]])[np.minimum(mask, 3)])


def with_alpha(image, alpha=255):
    image.putalpha(alpha)
    return image


KINDS = {
    "palette": lambda mask, folder: stored(palette_picture(mask), folder),
    "odd palette": lambda mask, folder: stored(palette_picture(mask, voc_colors()[::-1]), folder),
    "grey": lambda mask, folder: stored(Image.fromarray(mask), folder),
    "bitmap": lambda mask, folder: stored(Image.fromarray(mask), folder, ".bmp"),
    "16 bit": lambda mask, folder: stored(Image.fromarray(mask.astype(np.uint16)), folder),
    "32 bit": lambda mask, folder: stored(Image.fromarray(mask.astype(np.int32)), folder, ".tif"),
    "floats": lambda mask, folder: stored(Image.fromarray(mask.astype(np.float32)), folder, ".tif"),
    "grey and alpha": lambda mask, folder: stored(with_alpha(Image.fromarray(mask)), folder),
    "colours": lambda mask, folder: stored(colored(mask), folder),
    "colours and alpha": lambda mask, folder: stored(with_alpha(colored(mask)), folder),
}


@pytest.mark.parametrize("kind", KINDS)
def test_masks_of_every_kind_are_the_same_numbers(tmp_path, kind):
    mask = read_mask(KINDS[kind](numbers(), tmp_path), CLASSES)
    assert isinstance(mask, tv_tensors.Mask) and mask.dtype == torch.int64
    assert np.array_equal(mask.numpy(), numbers())


def test_few_bits_are_not_stretched(tmp_path):
    two = numbers() % 255
    assert np.array_equal(read_mask(four_bits(two, tmp_path / "mask.png"), CLASSES).numpy(), two)
    one = two == 1
    assert np.array_equal(read_mask(stored(Image.fromarray(one), tmp_path), CLASSES).numpy(), one)


def test_numbers_above_255_are_not_clipped(tmp_path):
    """Cityscapes' instances, for example, are class * 1000 + number."""
    wide = numbers(np.uint16)
    wide[wide == 1] = 26_001
    path = stored(Image.fromarray(wide), tmp_path)
    assert np.array_equal(read_mask(path, CLASSES, labels={26_001: 1}).numpy(), numbers())
    with pytest.raises(ValueError, match=r"mask.png' holds 26001: allowed are 0 to 2 \(background, cat, cup\) and 255"):
        read_mask(path, CLASSES)
    with pytest.raises(ValueError, match="for example labels={-3: 1}"):
        read_mask(stored(Image.fromarray(wide.astype(np.int32) - 3), tmp_path, ".tif"), CLASSES)


def test_a_mask_that_is_itself_turned(tmp_path):
    turned = Image.fromarray(numbers()).transpose(Image.Transpose.ROTATE_90)
    assert np.array_equal(read_mask(stored(turned, tmp_path, exif=rotated()), CLASSES).numpy(), numbers())


def test_labels_say_what_numbers_mean(tmp_path):
    path = stored(Image.fromarray(np.where(numbers() == 1, 255, 0).astype(np.uint8)), tmp_path)
    with pytest.raises(ValueError, match=r"mask.png' holds no other numbers than 0 and 255.*pass labels=\{255: 1\}"):
        read_mask(path, CLASSES)
    assert np.array_equal(read_mask(path, CLASSES, labels={255: 1}).numpy(), numbers() == 1)
    assert read_mask(path, CLASSES, labels={255: 255}).max() == 255
    path = stored(Image.fromarray(numbers()), tmp_path)
    swapped = read_mask(path, CLASSES, labels={1: 2, 2: 1}).numpy()  # at once, not one after the other
    assert (swapped == np.array([0, 2, 1])[numbers() % 255])[numbers() < 255].all() and swapped.max() == 255


@pytest.mark.parametrize("kind", ["palette", "colours"])
def test_where_255_has_its_own_colour_it_means_ignored(tmp_path, kind):
    mask = np.where(numbers() == 255, 255, 0)
    image = palette_picture(mask) if kind == "palette" else palette_picture(mask).convert("RGB")
    assert set(read_mask(stored(image, tmp_path), CLASSES).unique().tolist()) == {0, 255}


@pytest.mark.parametrize("labels", [{1: 3}, {1: -1}, {1: 1.0}, {"1": 1}, {1: None}, {True: 1}, [0, 1], 7])
def test_labels_that_are_none(tmp_path, labels):
    with pytest.raises(ValueError, match="labels must say which class .* classes 0 to 2 or 255"):
        MaskFolder(fill(tmp_path), classes=CLASSES, labels=labels)


def smooth():
    return colored(numbers()).resize((50, 50), Image.Resampling.BILINEAR)


WRONG_MASKS = {
    "jpeg": (lambda f: stored(Image.fromarray(numbers()), f, ".jpg"), r"mask.jpg' is a JPEG file.*as PNG"),
    "jpeg inside": (lambda f: stored(Image.fromarray(numbers()), f, format="JPEG"), "mask.png' is a JPEG file"),
    "smoothed": (lambda f: stored(smooth(), f), r"mask.png' has colours of no class: \(.* and \d+ more. Allowed are "),
    "smoothed, and the colours allowed": (
        lambda f: stored(smooth(), f),
        r"\(64, 0, 0\) cat, \(128, 192, 128\) cup, \(224, .*edges smoothed",
    ),
    "grey as colours": (
        lambda f: stored(Image.fromarray(numbers()).convert("RGB"), f),
        r"no class: \(1, 1, 1\), \(2, 2, 2\), \(255, 255, 255\)\. .*convert\(.L.\)",
    ),
    "transparent": (lambda f: stored(with_alpha(colored(numbers()), 0), f), "mask.png' has transparent pixels"),
    "fractions": (lambda f: stored(Image.fromarray(numbers() / np.float32(3)), f, ".tif"), "mask.tif' holds fractions"),
    "ink": (lambda f: stored(picture().convert("CMYK"), f, ".tif"), "mask.tif' stores CMYK pixels"),
    "text": (lambda f: [f / "mask.png", (f / "mask.png").write_text("<html>")][0], "mask.png' is not an image"),
    "empty": (lambda f: [f / "mask.png", (f / "mask.png").touch()][0], "mask.png' is not an image"),
    "cut short": (lambda f: cut(stored(picture(), f)), "mask.png' looks like an image but cannot be decoded"),
}


def cut(path):
    path.write_bytes(path.read_bytes()[:2000])
    return path


@pytest.mark.parametrize("what", WRONG_MASKS)
def test_masks_that_are_none(tmp_path, what):
    make, message = WRONG_MASKS[what]
    with pytest.raises(ValueError, match=message):
        read_mask(make(tmp_path), CLASSES)


def test_the_advice_for_grey_stored_as_colours(tmp_path):
    path = stored(Image.fromarray(numbers()).convert("RGB"), tmp_path)
    with pytest.raises(ValueError) as error:
        read_mask(path, CLASSES)
    exec(re.search(r"Image.open\(path\)\S+", str(error.value)).group(), {"Image": Image, "path": path})
    assert np.array_equal(read_mask(path, CLASSES).numpy(), numbers())


def test_a_mask_too_large(tmp_path, monkeypatch):
    path = stored(Image.fromarray(numbers()), tmp_path)
    monkeypatch.setattr("deeplab_teach.datasets.images.MAX_PIXELS", 1000)
    with pytest.raises(ValueError, match="mask.png' is too large: it has 96 x 64 pixels"):
        read_mask(path, CLASSES)


# ------------------------------------------------------------------------------------------------- a folder of masks


def test_a_folder_of_images_and_masks(tmp_path):
    fill(tmp_path, ["chelsea"], suffix=".PNG")
    fill(tmp_path, ["coffee", "china"])
    save(picture("camera").convert("L"), tmp_path / "images/grey.png")
    save(palette_picture(numbers()), tmp_path / "masks/grey.png")
    for passed_over in ("images/._coffee.jpg", "images/notes.txt", "masks/.DS_Store"):
        (tmp_path / passed_over).write_text("no picture")
    save(palette_picture(numbers()), tmp_path / "masks/without_image.png")
    dataset = MaskFolder(tmp_path, classes=CLASSES)
    assert [image.name for image, _ in dataset.pairs] == ["chelsea.PNG", "china.jpg", "coffee.jpg", "grey.png"]
    assert len(dataset) == 4 and dataset.classes == CLASSES
    assert re.fullmatch(r"MaskFolder\('.*', 4 images, 3 classes\)", repr(dataset))
    for image, target in dataset:
        assert isinstance(image, tv_tensors.Image) and image.shape == (3, HEIGHT, WIDTH) and image.dtype == torch.uint8
        assert isinstance(target["semantic"], tv_tensors.Mask) and set(target) == {"semantic"}
        assert np.array_equal(target["semantic"].numpy(), numbers())
    assert np.array_equal(dataset[0][0].permute(1, 2, 0).numpy(), np.asarray(picture("chelsea")))
    assert torch.equal(dataset[-1][0], dataset[3][0])
    for index in (4, -5):
        with pytest.raises(IndexError, match=f"4 items, 0 to 3; got index {index}"):
            dataset[index]


def test_folders_of_other_names(tmp_path):
    fill(tmp_path, images="a/photos", masks="b")
    assert len(MaskFolder(str(tmp_path), "a/photos", "b", classes=CLASSES)) == 3


def test_items_go_through_transforms_and_loaders(tmp_path):
    crop = v2.Compose([v2.RandomCrop((32, 48)), v2.RandomHorizontalFlip(p=1)])
    dataset = MaskFolder(fill(tmp_path), classes=CLASSES, transforms=crop)
    assert pickle.loads(pickle.dumps(dataset)).pairs == dataset.pairs
    loader = DataLoader(dataset, 3, collate_fn=segmentation_collate, num_workers=2)
    [(images, masks)] = list(loader)
    assert images.shape == (3, 3, 32, 48) and images.dtype == torch.float32 and 0.5 < images.max() <= 1
    assert masks.shape == (3, 32, 48) and masks.dtype == torch.int64


def shown(mask):
    """An image that shows its own mask: what moves one must move the other."""
    return Image.fromarray(np.repeat(mask[..., None], 3, axis=2))


def test_images_and_masks_move_together(tmp_path):
    save(shown(numbers()), tmp_path / "images/x.png")
    save(palette_picture(numbers()), tmp_path / "masks/x.png")
    moves = [v2.RandomCrop((40, 40)), v2.RandomHorizontalFlip(p=1), v2.Resize((128, 192), v2.InterpolationMode.NEAREST)]
    for transforms in (*moves, v2.Compose(moves)):
        image, target = MaskFolder(tmp_path, classes=CLASSES, transforms=transforms)[0]
        assert torch.equal(image[0].long(), target["semantic"].as_subclass(torch.Tensor))
        assert image.shape[1:] != (HEIGHT, WIDTH) or not np.array_equal(image[0], numbers())


def missing_masks(root, names):
    for name in names:
        (root / "masks" / f"{name}.png").unlink()


def suffixed(root):
    for path in list((root / "masks").iterdir()):
        path.rename(path.with_name(f"{path.stem}_mask.png"))


RULE = "An image and its mask have the same name up to the suffix"
WRONG_FOLDERS = {
    "no mask": (
        lambda root: missing_masks(root, ["coffee"]),
        rf"1 of 4 masks in '.*masks' are missing: coffee\. {RULE}",
    ),
    "no masks": (
        lambda root: [save(palette_picture(numbers()), root / "masks/a.png"), missing_masks(root, (*NAMES, "brick"))],
        r"4 of 4 masks in '.*masks' are missing: brick, chelsea, china, \.\.\.",
    ),
    "masks of other names": (suffixed, rf"missing: brick.*{RULE}.*rename brick_mask.png to brick.png"),
    "no folder": (
        lambda root: (root / "masks").rename(root / "labels"),
        "no folder '.*masks', the folder of the masks, .* has the folders images, labels",
    ),
    "nothing in it": (
        lambda root: [path.rename(path.with_suffix(".xyz")) for path in list((root / "images").iterdir())],
        "images', the folder of the images, has no pictures: no file ends with .jpg",
    ),
    "twice": (
        lambda root: save(picture(), root / "images/coffee.png"),
        "images' has coffee.jpg and coffee.png, which are of one name",
    ),
    "masks twice": (
        lambda root: save(palette_picture(numbers()), root / "masks/coffee.gif"),
        "masks' has coffee.gif and coffee.png",
    ),
}


@pytest.mark.parametrize("what", WRONG_FOLDERS)
def test_folders_that_do_not_fit(tmp_path, what):
    spoil, message = WRONG_FOLDERS[what]
    spoil(fill(tmp_path, (*NAMES, "brick")))
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        MaskFolder(tmp_path, classes=CLASSES)


def test_no_such_root(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder '.*nowhere', which must have images/ and masks/"):
        MaskFolder(tmp_path / "nowhere", classes=CLASSES)


@pytest.mark.parametrize(
    "classes",
    [
        "cat",
        ("cat", "background"),
        ("background", "cat", "cat"),
        (),
        ("background", 1),
        ["background", *map(str, range(255))],
    ],
)
def test_classes_begin_with_background(tmp_path, classes):
    with pytest.raises(ValueError, match='classes must be different names, "background" first'):
        MaskFolder(fill(tmp_path), classes=classes)


def test_files_are_decoded_when_they_are_asked_for(tmp_path):
    dataset = MaskFolder(fill(tmp_path), classes=CLASSES)
    (tmp_path / "images/china.jpg").write_text("no picture")
    cut(tmp_path / "masks/coffee.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    dataset[0]
    with pytest.raises(ValueError, match="china.jpg' is not an image"):
        dataset[1]
    with pytest.raises(ValueError, match="coffee.png' (is not|looks like) an image"):
        dataset[2]


def test_a_mask_of_another_size(tmp_path):
    dataset = MaskFolder(fill(tmp_path, ["coffee"]), classes=CLASSES)
    save(Image.fromarray(numbers()[:50]), tmp_path / "masks/coffee.png")
    with pytest.raises(
        ValueError, match=r"mask '.*coffee.png' has 96 x 50 pixels .* '.*coffee.jpg' has 96 x 64: .*shrunk"
    ):
        dataset[0]


def test_a_mask_drawn_before_the_photograph_was_turned(tmp_path):
    """Viewers turn such a photograph, and read_image too; a program that ignores EXIF data does not."""
    dataset = MaskFolder(fill(tmp_path, ["coffee"]), classes=CLASSES)
    save(picture(), tmp_path / "images/coffee.jpg", exif=rotated())
    with pytest.raises(ValueError, match=r"png' has 96 x 64 .*coffee.jpg' has 64 x 96: .*before its EXIF rotation"):
        dataset[0]
    save(Image.fromarray(np.rot90(numbers(), -1).copy()), tmp_path / "masks/coffee.png")
    image, target = dataset[0]
    assert image.shape[1:] == target["semantic"].shape == (WIDTH, HEIGHT)


# ------------------------------------------------------------------------------------------------- PASCAL VOC and pets


def voc(root, names=NAMES):
    fill(root, names, "JPEGImages", "SegmentationClass")
    for split, part in (("train", names[:2]), ("val", names[2:])):
        path = root / "ImageSets/Segmentation" / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(part) + "\n")
    return root


def test_voc_is_read_as_torchvision_reads_it(tmp_path):
    voc(tmp_path / "VOCdevkit/VOC2012")
    for split, count in (("train", 2), ("val", 1)):
        ours = VOCSegmentation(tmp_path / "VOCdevkit/VOC2012", split)
        theirs = torchvision.datasets.VOCSegmentation(tmp_path, image_set=split)
        assert len(ours) == len(theirs) == count and ours.classes == VOC_CLASSES
        assert f"split='{split}', {count} images, 21 classes" in repr(ours)
        for (image, target), (other, mask) in zip(ours, theirs, strict=True):
            assert np.array_equal(image.permute(1, 2, 0).numpy(), np.asarray(other))
            assert np.array_equal(target["semantic"].numpy(), np.asarray(mask))


@pytest.mark.parametrize("below", [".", "VOC2012", "VOCdevkit/VOC2012", "x/VOCdevkit/VOC2012"])
def test_voc_below_the_folder_named(tmp_path, below):
    assert len(VOCSegmentation(voc(tmp_path / below))) == 2
    assert len(VOCSegmentation(tmp_path)) == 2


def test_voc_of_your_own_classes(tmp_path):
    voc(tmp_path)
    (tmp_path / LIST).write_bytes(b"\xef\xbb\xbfchelsea\r\ncoffee\r\n\r\n")  # as from Windows' Notepad
    dataset = VOCSegmentation(tmp_path, classes=CLASSES, labels={2: 1}, transforms=v2.Resize((32, 48)))
    assert set(dataset[0][1]["semantic"].unique().tolist()) == {0, 1, 255} and dataset[1][0].shape == (3, 32, 48)
    with pytest.raises(ValueError, match=r"chelsea.png' holds 2: allowed are 0 to 1 \(background, cat\)"):
        VOCSegmentation(tmp_path, classes=CLASSES[:2])[0]


LIST = "ImageSets/Segmentation/train.txt"
WRONG_VOC = {
    "nothing": (lambda root: (root / "SegmentationClass").rename(root / "x"), "2012' lacks SegmentationClass"),
    "two": (lambda root: voc(root / "again"), r"Several folders have JPEGImages, .*VOC2012, .*VOC2012/again. Name one"),
    "split": (
        lambda root: (root / LIST).unlink(),
        "train.txt' for the split 'train'; there are: val",
    ),
    "empty": (lambda root: (root / LIST).write_text("\n"), "train.txt' is empty"),
    "image": (
        lambda root: (root / LIST).write_text("coffee\na\nb.jpg\nc\nd\n"),
        r"4 of 5 images in '.*JPEGImages' are missing: a, b.jpg, c, \.\.\.\. An image .* lists give it without",
    ),
    "mask": (
        lambda root: (root / "SegmentationClass/coffee.png").unlink(),
        "1 of 2 masks in '.*SegmentationClass' are missing: coffee",
    ),
}


@pytest.mark.parametrize("what", WRONG_VOC)
def test_voc_that_does_not_fit(tmp_path, what):
    spoil, message = WRONG_VOC[what]
    spoil(voc(tmp_path / "VOC2012"))
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        VOCSegmentation(tmp_path / "VOC2012")


def pets(root):
    trimap = np.full((HEIGHT, WIDTH), 2, np.uint8)
    trimap[10:50, 20:80], trimap[15:45, 25:75] = 3, 1
    for name in ("Abyssinian_1", "Egyptian_Mau_14"):
        save(picture("chelsea"), root / "images" / f"{name}.jpg", format="PNG" if "14" in name else "JPEG")
        save(Image.fromarray(trimap), root / "annotations/trimaps" / f"{name}.png")
    (root / "annotations/trimaps/._Abyssinian_1.png").write_text("Macintosh")
    (root / "images/Abyssinian_1.mat").write_text("matlab")
    (root / "annotations/trainval.txt").write_text("#Image CLASS-ID SPECIES BREED ID\nAbyssinian_1 1 1 1\n")
    (root / "annotations/test.txt").write_text("Egyptian_Mau_14 6 1 5\n")
    return root, trimap


@pytest.mark.parametrize("split", ["trainval", "test"])
def test_pets(tmp_path, split):
    _, trimap = pets(tmp_path / "oxford-iiit-pet")
    dataset = OxfordPets(tmp_path, split)
    image, target = dataset[0]
    assert len(dataset) == 1 and dataset.classes == ("background", "pet") and image.shape == (3, HEIGHT, WIDTH)
    assert np.array_equal(target["semantic"].numpy(), np.array([0, 1, 0, 255])[trimap])
    assert f"split='{split}'" in repr(dataset)


def test_pets_that_do_not_fit(tmp_path):
    with pytest.raises(ValueError, match="split must be trainval or test; got 'train'"):
        OxfordPets(tmp_path, "train")
    with pytest.raises(FileNotFoundError, match="lacks images, annotations/trimaps"):
        OxfordPets(tmp_path)
    root, _ = pets(tmp_path)
    (root / "annotations/trimaps/Abyssinian_1.png").unlink()
    with pytest.raises(FileNotFoundError, match="1 of 1 masks in '.*trimaps' are missing: Abyssinian_1"):
        OxfordPets(tmp_path)


# ------------------------------------------------------------------------------------------------- COCO

TRIANGLE = [10.0, 10.0, 50.2, 12.4, 30.7, 52.3]
SQUARES = [[60.0, 10.0, 80.0, 10.0, 80.0, 30.0, 60.0, 30.0], [60.0, 40.0, 70.0, 40.0, 70.0, 50.0, 60.0, 50.0]]
SMALL = [24.0, 15.0, 34.0, 15.0, 34.0, 25.0, 24.0, 25.0]
CROWD = {"size": [HEIGHT, WIDTH], "counts": [0, HEIGHT * 3, HEIGHT * (WIDTH - 3)]}


def annotation(number, image, category, bbox, segmentation, **more):
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": bbox,
        "segmentation": segmentation,
        **more,
    }


CONTENT = {
    "images": [
        {"id": 7, "file_name": "china.jpg", "width": WIDTH, "height": HEIGHT, "license": 4},
        {"id": 3, "file_name": "coffee.jpg", "width": WIDTH, "height": HEIGHT, "license": 5},
    ],
    "annotations": [
        annotation(1, 3, 44, [10.0, 10.0, 40.2, 42.3], [TRIANGLE], area=826.5, iscrowd=0),
        annotation(2, 3, 17, [24.0, 15.0, 10.0, 10.0], [SMALL], area=100.0, iscrowd=0),
        annotation(3, 3, 17, [60.0, 10.0, 20.0, 40.0], SQUARES, area=500.0, iscrowd=0),
        annotation(4, 3, 44, [0, 0, 3, HEIGHT], CROWD, area=192, iscrowd=1),
        annotation(5, 3, 44, [5.0, 5.0, 0.0, 8.0], [[5.0, 5.0, 5.0, 9.0, 5.0, 13.0]], area=0.0, iscrowd=0),
    ],
    "categories": [{"id": 44, "name": "bottle"}, {"id": 17, "name": "cat"}, {"id": 90, "name": "brush"}],
}


def coco(folder, change=None, **options):
    """COCO's form with two photographs, of which one has no objects; `change` spoils the content."""
    content = copy.deepcopy(CONTENT)
    for name in ("china", "coffee"):
        save(picture(name), folder / "images" / f"{name}.jpg")
    if change:
        change(content)
    (folder / "labels.json").write_text(json.dumps(content))
    return COCODetection(folder / "labels.json", folder / "images", **options)


def test_coco(tmp_path):
    dataset = coco(tmp_path)
    assert dataset.classes == ("background", "cat", "bottle", "brush")
    assert [(info["id"], info["license"]) for info in dataset.images] == [(3, 5), (7, 4)]
    assert re.fullmatch(r"COCODetection\('.*labels.json', 2 images, 4 objects, 4 classes\)", repr(dataset))
    image, target = dataset[0]
    assert np.array_equal(image.permute(1, 2, 0), np.asarray(Image.open(tmp_path / "images/coffee.jpg")))
    assert target["image_id"] == 3
    assert isinstance(target["boxes"], tv_tensors.BoundingBoxes) and target["boxes"].dtype == torch.float32
    assert target["boxes"].format.value == "XYXY" and target["boxes"].canvas_size == (HEIGHT, WIDTH)
    due = torch.tensor([[10, 10, 50.2, 52.3], [24, 15, 34, 25], [60, 10, 80, 50], [0, 0, 3, HEIGHT]])
    torch.testing.assert_close(target["boxes"].as_subclass(torch.Tensor), due)
    assert target["labels"].tolist() == [2, 1, 1, 2] and target["labels"].dtype == torch.int64
    assert target["iscrowd"].tolist() == [False, False, False, True]
    assert target["area"].tolist() == [826.5, 100, 500, 192] and target["area"].dtype == torch.float32
    masks, semantic = target["masks"].numpy(), target["semantic"].numpy()
    assert target["masks"].dtype == torch.uint8 and target["masks"].shape == (4, HEIGHT, WIDTH)
    assert [mask.sum() for mask in masks[1:]] == [100, 500, 192] and abs(int(masks[0].sum()) - 826) < 20
    assert masks[2, 10:30, 60:80].all() and masks[2, 40:50, 60:70].all() and masks[3, :, :3].all()
    assert target["semantic"].dtype == torch.int64 and isinstance(target["semantic"], tv_tensors.Mask)
    assert (semantic[15:25, 24:34] == 1).all(), "the small object lies on top of the larger one"
    assert (semantic[masks[0] > masks[1]] == 2).all() and (semantic[:, :3] == 255).all()
    assert (semantic[masks.max(axis=0) == 0] == 0).all()
    for index in (2, -3):
        with pytest.raises(IndexError, match=f"2 items, 0 to 1; got index {index}"):
            dataset[index]


@pytest.mark.parametrize(
    "transforms", [None, v2.RandomHorizontalFlip(p=1), v2.RandomCrop((32, 32)), v2.Resize((32, 48))]
)
def test_pictures_without_objects(tmp_path, transforms):
    image, target = coco(tmp_path, transforms=transforms)[-1]
    size = tuple(image.shape[1:])
    assert target["boxes"].shape == (0, 4) and target["masks"].shape == (0, *size)
    assert [tuple(target[key].shape) for key in ("labels", "iscrowd", "area")] == [(0,)] * 3
    assert target["semantic"].shape == size and not target["semantic"].any()


@pytest.mark.parametrize("asked", [["bottle", "brush"], ("background", "bottle", "brush")])
def test_some_classes_only(tmp_path, asked):
    dataset = coco(tmp_path, classes=asked)
    assert dataset.classes == ("background", "bottle", "brush") and len(dataset) == 2
    target = dataset[0][1]
    assert target["labels"].tolist() == [1, 1]
    assert set(target["semantic"].unique().tolist()) == {0, 1, 255}


def test_boxes_and_masks_move_with_the_image(tmp_path):
    def square(content):
        box = [20, 12, 40, 30]
        x, y, w, h = box
        content["annotations"] = [annotation(1, 7, 17, box, [[x, y, x + w, y, x + w, y + h, x, y + h]])]

    coco(tmp_path, square)
    white = np.zeros((HEIGHT, WIDTH), np.uint8)
    white[12:42, 20:60] = 255
    save(shown(white), tmp_path / "images/china.png")
    (tmp_path / "images/china.png").replace(tmp_path / "images/china.jpg")  # exact pixels, whatever the name
    crop = v2.Compose([v2.RandomCrop((48, 64)), v2.RandomHorizontalFlip(p=1)])
    for transforms in (v2.RandomHorizontalFlip(p=1), crop, v2.Resize((128, 192), v2.InterpolationMode.NEAREST)):
        dataset = COCODetection(tmp_path / "labels.json", tmp_path / "images", transforms=transforms)
        image, target = dataset[1]
        inside = image[0].numpy() == 255
        assert np.array_equal(target["masks"][0].numpy(), inside) and np.array_equal(target["semantic"].numpy(), inside)
        columns, rows = np.flatnonzero(inside.any(axis=0)), np.flatnonzero(inside.any(axis=1))
        assert target["boxes"].tolist() == [[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]]
        assert target["area"].tolist() == [1200]  # of the box, where the file does not say


def test_coco_in_a_loader(tmp_path):
    dataset = coco(tmp_path)
    batch = list(DataLoader(dataset, 2, collate_fn=segmentation_collate, num_workers=2))
    assert [tuple(part.shape) for part in batch[0]] == [(2, 3, HEIGHT, WIDTH), (2, HEIGHT, WIDTH)]
    assert torch.equal(batch[0][1][0], dataset[0][1]["semantic"].as_subclass(torch.Tensor))


def test_a_file_of_boxes_alone(tmp_path):
    def strip(content):
        for entry in content["annotations"]:
            entry["segmentation"] = []

    target = coco(tmp_path, strip)[0][1]
    assert len(target["boxes"]) == 4 and "masks" not in target and "semantic" not in target


def test_boxes_are_cut_at_the_border(tmp_path):
    def widen(content):
        content["annotations"][0]["bbox"] = [-0.4, 10, 96.9, 54.5]
        content["annotations"][1]["bbox"] = [96, 10, 1, 5]  # nothing of it is left

    boxes = coco(tmp_path, widen)[0][1]["boxes"]
    assert boxes[0].tolist() == [0, 10, 96, 64] and len(boxes) == 3


def entry(number, **change):
    return lambda content: content["annotations"][number].update(change)


WRONG_COCO = {
    "image": (entry(1, image_id=99), r"labels.json: annotation 2 of image 99: the file has no such image"),
    "category": (
        entry(1, category_id=1),
        "labels.json: annotation 2 of image 3 has the category 1; .* has 17 cat, 44",
    ),
    "outside": (
        entry(1, bbox=[200, 10, 20, 20]),
        r"annotation 2 of image 3 has the bbox \[200.*stands out of the picture of 96 x 64",
    ),
    "corners": (entry(1, bbox=[24, 15, 80, 25]), r"annotation 2 of image 3 .*boxes are \[x, y, width, height\]"),
    "not a number": (entry(1, bbox=[float("nan"), 1, 2, 3]), "annotation 2 of image 3 has the bbox"),
    "no box": (entry(1, bbox=[1, 2, 3]), "annotation 2 of image 3 must have a bbox of four numbers"),
    "some without": (entry(1, segmentation=[]), "annotation 2 of image 3 has no segmentation, and so 1 of 4"),
    "captions": (
        lambda content: content.update(annotations=[{"id": 1, "image_id": 3, "caption": "A cup."}]),
        "labels.json: an entry of 'annotations' has no category_id, bbox: .*A cup.*Captions",
    ),
    "no annotations": (
        lambda content: content.pop("annotations"),
        r"labels.json has no list 'annotations' \(it has images, categories\)",
    ),
    "same id": (lambda content: content["images"][0].update(id=3), "labels.json: two images have the same id"),
    "same name": (
        lambda content: content["categories"][0].update(name="cat"),
        "json: categories must have different",
    ),
    "no image": (lambda content: content["images"].clear(), "labels.json has no images"),
    "no file": (
        lambda content: [image.update(file_name="val/" + image["file_name"]) for image in content["images"]],
        r"2 of 2 images in '.*images' are missing: val/coffee.jpg, val/china.jpg. labels.json names them",
    ),
}


@pytest.mark.parametrize("what", WRONG_COCO)
def test_coco_that_does_not_fit(tmp_path, what):
    change, message = WRONG_COCO[what]
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        coco(tmp_path, change)


WRONG_SEGMENTS = {
    "odd": ([[1, 2, 3, 4, 5]], "a polygon must be a list x0, y0"),
    "words": ("polygon", "a polygon must be a list x0, y0"),
    "flat": ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "a polygon must be a list x0, y0"),
    "size": ({**CROWD, "size": [WIDTH, HEIGHT]}, r"has the size \[96, 64\]; it must have the picture's, \[64, 96\]"),
    "sum": ({**CROWD, "counts": [5, 7]}, "counts of its mask do not add up to the 6144 pixels"),
    "negative": ({**CROWD, "counts": [6150, -6]}, "counts of its mask do not add up"),
    "none": ({"size": [HEIGHT, WIDTH]}, "counts of its mask do not add up"),
}


@pytest.mark.parametrize("what", WRONG_SEGMENTS)
def test_segmentations_that_do_not_fit(tmp_path, what):
    segmentation, message = WRONG_SEGMENTS[what]
    dataset = coco(tmp_path, entry(1, segmentation=segmentation))
    with pytest.raises(ValueError, match=rf"labels.json: annotation 2 of image 3: .*{message}"):
        dataset[0]


@pytest.mark.parametrize("text", ["", "{", '{"images": [', "\xff"])
def test_a_file_that_is_not_json(tmp_path, text):
    coco(tmp_path)
    (tmp_path / "labels.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match="labels.json is not JSON, or only a part of it"):
        COCODetection(tmp_path / "labels.json", tmp_path / "images")


def test_other_files_and_folders(tmp_path):
    coco(tmp_path)
    (tmp_path / "results.json").write_text('[{"image_id": 3, "category_id": 44, "bbox": [1, 2, 3, 4], "score": 0.9}]')
    with pytest.raises(ValueError, match="results.json holds a list, as a file of results does"):
        COCODetection(tmp_path / "results.json", tmp_path / "images")
    with pytest.raises(FileNotFoundError, match="no file '.*other.json', seen from"):
        COCODetection(tmp_path / "other.json", tmp_path / "images")
    with pytest.raises(FileNotFoundError, match="no folder '.*val2017', the folder of the images.* the folders images"):
        COCODetection(tmp_path / "labels.json", tmp_path / "val2017")
    with pytest.raises(ValueError, match=r"categories of .*labels.json \(cat, bottle, brush\); it has no 'dog'"):
        coco(tmp_path, classes=["cat", "dog"])


def test_a_picture_of_another_size_than_the_file_says(tmp_path):
    dataset = coco(tmp_path)
    save(picture(), tmp_path / "images/coffee.jpg", exif=rotated())
    message = r"image 3 of .*labels.json has 96 x 64 pixels .*coffee.jpg' has 64 x 96: .*before its EXIF rotation"
    with pytest.raises(ValueError, match=message):
        dataset[0]
    save(picture().resize((48, 32)), tmp_path / "images/coffee.jpg")
    with pytest.raises(ValueError, match=r"coffee.jpg' has 48 x 32: .*shrunk"):
        dataset[0]


def test_polygons():
    assert polygon_mask([[2, 1, 5, 1, 5, 3, 2, 3]], 4, 7).astype(int).tolist() == [
        [0, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, 1, 1, 0, 0],
        [0, 0, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ]
    assert polygon_mask([[-9, -9, 99, -9, 99, 99, -9, 99]], 4, 7).all(), "what lies outside is cut off"
    assert not polygon_mask([[1, 1, 5, 3], []], 4, 7).any(), "two corners have no area"
    ring = polygon_mask([[0, 0, 9, 0, 9, 9, 0, 9, 0, 0, 3, 3, 6, 3, 6, 6, 3, 6, 3, 3]], 9, 9)
    assert ring.sum() == 72 and not ring[3:6, 3:6].any(), "one outline that goes round a hole"
    assert polygon_mask([[0, 0, 9, 0, 9, 9, 0, 9], [3, 3, 6, 3, 6, 6, 3, 6]], 9, 9).all(), "two polygons are joined"


def test_polygons_agree_with_pillow_on_a_finer_grid():
    for seed in range(5):
        radii, angles = np.random.default_rng(seed).uniform(10, 30, 24), np.linspace(0, 2 * np.pi, 24, endpoint=False)
        corners = np.stack([48 + radii * np.cos(angles), 32 + radii * np.sin(angles)], axis=1)
        fine = Image.new("1", (WIDTH * 25, HEIGHT * 25))
        ImageDraw.Draw(fine).polygon((25 * corners).ravel().tolist(), fill=1)
        due, mask = np.asarray(fine)[12::25, 12::25], polygon_mask([corners.ravel().tolist()], HEIGHT, WIDTH)
        assert (mask & due).sum() / (mask | due).sum() > 0.98


def test_corners_are_rounded_as_in_pycocotools():
    """The string is what pycocotools makes of the polygon; eight pixels differ where corners are not rounded."""
    polygon = [6.28, 0.8, 11.78, 5.14, 11.74, 5.31, 0.08, 6.95]
    due = rle_mask({"size": [9, 12], "counts": "6171O1O1O001001O1O001O5"}, 9, 12)
    assert np.array_equal(polygon_mask([polygon], 9, 12), due)


def test_packed_counts():
    """The string is from pycocotools: a disc of radius 2.5 in a picture of 7 x 9."""
    mask = np.hypot(*np.indices((7, 9)) - np.array([3, 4])[:, None, None]) < 2.5
    packed = {"size": [7, 9], "counts": "`0332O0001N="}
    assert np.array_equal(rle_mask(packed, 7, 9), mask)
    assert np.array_equal(segment_mask({**packed, "counts": packed["counts"].encode()}, 7, 9), mask)


# ------------------------------------------------------------------------------------------------- pycocotools


def test_masks_equal_those_of_pycocotools():
    reference = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    for _ in range(20):
        noise = rng.random((HEIGHT, WIDTH)) < rng.uniform(0.01, 0.6)
        packed = reference.encode(np.asfortranarray(noise.astype(np.uint8)))
        assert np.array_equal(rle_mask(packed, HEIGHT, WIDTH), noise)
        columns = np.concatenate([[0], noise.T.ravel(), [0]])
        runs = np.diff(np.concatenate([[0], np.flatnonzero(np.diff(columns)), [noise.size]])).tolist()
        plain = reference.frPyObjects({"size": [HEIGHT, WIDTH], "counts": runs}, HEIGHT, WIDTH)
        assert unpack_counts(plain["counts"]) == runs
        center, angles = rng.uniform(0, 640, (2, 2, 1)), np.sort(rng.uniform(0, 2 * np.pi, (2, 40)))
        outlines = center + rng.uniform(80, 120, (2, 1, 40)) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        polygons = outlines.transpose(0, 2, 1).reshape(2, 80).tolist()
        due = reference.decode(reference.merge(reference.frPyObjects(polygons, 480, 640))).astype(bool)
        mask = polygon_mask(polygons, 480, 640)
        assert due.sum() < 500 or (mask & due).sum() / (mask | due).sum() >= 0.99


def test_targets_equal_those_of_torchvision(tmp_path):
    pytest.importorskip("pycocotools")
    ours = coco(tmp_path)
    theirs = torchvision.datasets.CocoDetection(tmp_path / "images", tmp_path / "labels.json")
    theirs = torchvision.datasets.wrap_dataset_for_transforms_v2(theirs, target_keys="all")
    image, target = ours[0]
    other_image, other = theirs[0]
    kept = [0, 1, 2, 3]  # torchvision keeps the box without width
    assert np.array_equal(image.permute(1, 2, 0), np.asarray(other_image))
    torch.testing.assert_close(
        target["boxes"].as_subclass(torch.Tensor), other["boxes"].as_subclass(torch.Tensor)[kept]
    )
    names = {category["id"]: category["name"] for category in CONTENT["categories"]}
    assert [ours.classes[label] for label in target["labels"]] == [names[key] for key in other["labels"][kept].tolist()]
    for mask, due in zip(target["masks"].numpy(), other["masks"].numpy()[kept], strict=True):
        assert (mask & due).sum() / (mask | due).sum() >= 0.97
    assert ours[1][1]["image_id"] == theirs[1][1]["image_id"] == 7


def test_pycocotools_is_not_needed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    packed = {"size": [HEIGHT, WIDTH], "counts": "0P6Pj5"}
    assert coco(tmp_path, entry(3, segmentation=packed))[0][1]["masks"][3].sum() == 192
