"""The emoji scenes: the same seed gives the same scene, every label is exact, and the test split is really held out."""

import hashlib
import re
import shutil

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision import tv_tensors
from torchvision.transforms import v2

from deeplab_teach import data_files
from deeplab_teach.datasets import (
    LESSON_CLASSES,
    PHOTOS,
    VOC_CLASSES,
    EmojiScenes,
    EmojiThumbnails,
    class_colors,
    photo,
    segmentation_collate,
    sprites,
    voc_colors,
)
from deeplab_teach.datasets.paint import Canvas, Cutout
from deeplab_teach.datasets.sprites import TEST_STYLES, TRAIN_STYLES, drawn_classes, sprite_names


def same(a, b):
    """Whether two (image, target) items are equal in every tensor."""
    return torch.equal(a[0], b[0]) and all(torch.equal(a[1][key], b[1][key]) for key in a[1])


def keep_list(batch):
    return batch


# ---------------------------------------------------------------------------------------------- reproducible


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_scene_depends_on_its_index_and_not_on_the_order(split):
    forwards = EmojiScenes(8, split=split, seed=3)
    backwards = EmojiScenes(500, split=split, seed=3)
    items = {index: backwards[index] for index in reversed(range(8))}
    np.random.seed(99)  # the global random state must not matter
    assert all(same(forwards[index], items[index]) for index in range(8))
    assert same(forwards[-1], items[7])


def test_workers_make_the_same_scenes():
    dataset = EmojiScenes(12, seed=5)
    loader = DataLoader(dataset, batch_size=4, num_workers=2, collate_fn=keep_list)
    items = [item for batch in loader for item in batch]
    assert len(items) == 12
    assert all(same(item, dataset[index]) for index, item in enumerate(items))


def test_seed_split_and_index_each_change_the_scene():
    base = EmojiScenes(20)
    first = base[0][0]
    assert not any(torch.equal(first, base[index][0]) for index in range(1, 20))
    assert not torch.equal(first, EmojiScenes(20, seed=1)[0][0])
    assert not torch.equal(first, EmojiScenes(20, split="val")[0][0])
    assert not torch.equal(first, EmojiScenes(20, split="test")[0][0])


def test_scene_zero_has_not_changed():
    """Checkpoints and the lessons' numbers were made on these scenes; a change of the painter shows here."""
    for split, names, first_box in (
        ("train", ["bus", "person", "cat"], [2, 63, 85, 160]),
        ("test", ["dog"], [0, 86, 64, 157]),
    ):
        target = EmojiScenes(1, split=split)[0][1]
        assert [LESSON_CLASSES[label] for label in target["labels"]] == names
        assert (target["boxes"][0] - torch.tensor(first_box)).abs().max() <= 2  # Pillow versions resample differently


# ---------------------------------------------------------------------------------------------- exact labels


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("size", [64, 160, 193])
def test_boxes_masks_and_semantic_agree(split, size):
    seen = 0
    for image, target in EmojiScenes(25, split=split, size=size, objects=(0, 6), seed=size):
        count = len(target["labels"])
        seen += count
        assert type(image) is tv_tensors.Image and image.dtype == torch.uint8 and image.shape == (3, size, size)
        assert image.is_contiguous()
        boxes, masks, semantic = target["boxes"], target["masks"], target["semantic"]
        assert type(boxes) is tv_tensors.BoundingBoxes and boxes.dtype == torch.float32 and boxes.shape == (count, 4)
        assert boxes.format is tv_tensors.BoundingBoxFormat.XYXY and boxes.canvas_size == (size, size)
        assert type(masks) is tv_tensors.Mask and masks.dtype == torch.uint8 and masks.shape == (count, size, size)
        assert type(semantic) is tv_tensors.Mask and semantic.dtype == torch.int64 and semantic.shape == (size, size)
        assert target["labels"].dtype == torch.int64

        assert count == 0 or masks.sum(dim=0).max() == 1, "two masks share a pixel"
        expected = torch.zeros(size, size, dtype=torch.int64)
        for label, mask, box in zip(target["labels"], masks, boxes, strict=True):
            assert 1 <= label < len(LESSON_CLASSES)
            expected[mask.bool()] = label
            x1, y1, x2, y2 = box.int().tolist()
            inside = mask[y1:y2, x1:x2]
            assert inside.sum() == mask.sum() >= 64 * (size / 160) ** 2 - 1
            for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
                assert edge.any(), "the box is larger than its mask"
        assert torch.equal(semantic.as_subclass(torch.Tensor), expected)
    assert seen > 30


@pytest.mark.parametrize("split", ["train", "test"])
def test_pixels_far_from_objects_are_the_background(split):
    """The same scene without objects: outside the objects' surroundings nothing may have changed."""
    with_objects = EmojiScenes(20, split=split, seed=2)
    without = EmojiScenes(20, split=split, seed=2, objects=(0, 0))
    for (image, target), (background, empty) in zip(with_objects, without, strict=True):
        assert empty["masks"].shape[0] == 0 and empty["boxes"].shape == (0, 4) and not empty["semantic"].any()
        difference = (image.int() - background.int()).abs().amax(dim=0)
        labelled = target["semantic"] > 0
        # Edges are soft and wires thin: where alpha is below one half, a faint trace may lie outside the mask.
        near = torch.nn.functional.max_pool2d(labelled[None].float(), 7, stride=1, padding=3)[0].bool()
        assert difference[~near].max() <= 40 and (difference[~near] > 8).float().mean() < 1e-3
        # And a labelled pixel shows the object: few can equal the background by chance.
        assert (difference[labelled] > 0).float().mean() > 0.95


def square(side, color):
    return Cutout(
        np.full((side, side, 3), color, dtype=np.float32),
        np.ones((side, side, 1), np.float32),
        np.ones((side,) * 2, bool),
    )


def test_the_later_object_is_on_top_and_nothing_is_hidden():
    canvas = Canvas(np.zeros((40, 40, 3), dtype=np.float32))
    assert canvas.paste(square(10, 50), 5, 5, min_pixels=4)
    assert canvas.paste(square(10, 200), 10, 10, min_pixels=4)
    assert canvas.owner[7, 7] == 1 and canvas.owner[12, 12] == 2 and canvas.owner[30, 30] == 0
    assert canvas.image[12, 12, 0] == 200 and canvas.image[7, 7, 0] == 50
    assert canvas.visible.tolist() == [75, 100] == np.bincount(canvas.owner.ravel())[1:].tolist()
    before = canvas.owner.copy(), canvas.image.copy()
    assert not canvas.paste(square(10, 99), 3, 3, min_pixels=4), "leaves the first object 11 of its 100 pixels"
    assert not canvas.paste(square(10, 99), 38, 0, min_pixels=4), "shows 20 of 100 pixels"
    assert not canvas.paste(square(10, 99), 60, 0, min_pixels=4), "is outside"
    assert not canvas.paste(square(3, 99), 30, 30, min_pixels=10), "is too small to be asked for"
    assert np.array_equal(before[0], canvas.owner) and np.array_equal(before[1], canvas.image)


def test_every_object_shows_a_quarter_of_itself(monkeypatch):
    """Seen through the canvas itself, on crowded scenes."""
    canvases = []
    original = Canvas.__init__
    monkeypatch.setattr(Canvas, "__init__", lambda self, image: (original(self, image), canvases.append(self))[0])
    for _, target in EmojiScenes(30, objects=(8, 8), object_px=(60, 110)):
        counts = target["masks"].sum(dim=(1, 2)).tolist()
        assert counts == canvases[-1].visible.tolist()
        assert all(count >= max(64, 0.25 * area) for count, area in zip(counts, canvases[-1].areas, strict=True))


# ------------------------------------------------------------------------------------------------- held out


def files_used(monkeypatch, split):
    """Names of the data files that scenes and thumbnails of a split read."""
    used = set()
    sprites.clear_caches()
    real = sprites.data_path
    with monkeypatch.context() as patch:
        patch.setattr(sprites, "data_path", lambda name: (used.add(name), real(name))[1])
        for classes in (LESSON_CLASSES, ("background", *drawn_classes())):
            for _ in EmojiScenes(250, split=split, size=64, classes=classes):
                pass
            for _ in EmojiThumbnails(250, split=split, size=32, classes=classes):
                pass
    sprites.load_sprite.cache_clear()
    sprites.load_background.cache_clear()
    return used


def test_the_test_split_shares_no_file_with_the_others(monkeypatch):
    train, val, test = (files_used(monkeypatch, split) for split in ("train", "val", "test"))
    assert not (train | val) & test
    assert {name.split("/")[1] for name in test if name.startswith("sprites/")} == set(TEST_STYLES)
    assert {name.split("/")[1] for name in train | val if name.startswith("sprites/")} == set(TRAIN_STYLES)
    for used, split in ((train, "train"), (val, "train"), (test, "test")):
        photos = {name.removeprefix("photos/").removesuffix(".jpg") for name in used if name.startswith("photos/")}
        assert photos == {name for name, entry in PHOTOS.items() if entry.background == split}


def test_all_classes_are_drawn_in_all_styles():
    for name in drawn_classes():
        emoji = [{file.split("/")[-1] for file in sprite_names(name, style)} for style in (*TRAIN_STYLES, *TEST_STYLES)]
        assert emoji[0] and all(other == emoji[0] for other in emoji), name
    assert set(LESSON_CLASSES[1:]) <= set(drawn_classes())
    assert len(drawn_classes()) >= 16


def test_every_class_appears_about_equally_often():
    labels = torch.cat([target["labels"] for _, target in EmojiScenes(400, size=64)])
    counts = torch.bincount(labels, minlength=11)[1:]
    assert counts.min() > 0.5 * counts.float().mean()


# --------------------------------------------------------------------------------------------- data on disk


def test_sums_list_every_file_and_every_file_is_right():
    names = {
        path.relative_to(data_files.DATA_DIR).as_posix() for path in data_files.DATA_DIR.rglob("*") if path.is_file()
    }
    names = {n for n in names if n not in ("README.md", "SHA256SUMS") and not n.endswith((".py", ".pyc", ".tmp"))}
    sums = data_files.checksums()
    assert set(sums) == names, "run python data/make_sums.py"
    for name, digest in sums.items():
        assert hashlib.sha256((data_files.DATA_DIR / name).read_bytes()).hexdigest() == digest, name


def test_every_file_is_described():
    readme = (data_files.DATA_DIR / "README.md").read_text(encoding="utf-8")
    for name in data_files.checksums():
        folder = name.rsplit("/", 1)[0]
        assert f"`{folder}/`" in readme, f"data/README.md says nothing about {folder}/"
    rows = dict(re.findall(r"^\| (\w+) \|.*\| ([\w-]+) \|$", readme, re.MULTILINE))
    assert rows == {name: entry.background or "-" for name, entry in PHOTOS.items()} | {"photo": "use"}
    assert {f"photos/{name}.jpg" for name in PHOTOS} == {n for n in data_files.checksums() if n.startswith("photos/")}


def test_data_stays_small():
    by_folder = {}
    for name in data_files.checksums():
        folder = name.split("/")[0]
        by_folder[folder] = by_folder.get(folder, 0) + (data_files.DATA_DIR / name).stat().st_size
    assert by_folder["sprites"] < 3e6 and by_folder["photos"] < 2e6


@pytest.fixture
def copied_data(tmp_path, monkeypatch):
    """A copy of the data that a test may damage."""
    copy = tmp_path / "data"
    shutil.copytree(data_files.DATA_DIR, copy, ignore=shutil.ignore_patterns("checkpoints"))
    monkeypatch.setattr(data_files, "DATA_DIR", copy)
    sprites.clear_caches()
    yield copy
    monkeypatch.undo()
    sprites.clear_caches()


def test_a_damaged_photograph_is_named(copied_data):
    path = copied_data / "photos" / "coffee.jpg"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"coffee\.jpg is damaged.*git checkout"):
        photo("coffee")


def test_a_missing_sprite_is_named(copied_data):
    for path in (copied_data / "sprites" / "noto").glob("cat__*.png"):
        path.unlink()
    dataset = EmojiScenes(5, split="test", classes=("background", "cat"))
    with pytest.raises(FileNotFoundError, match=r"sprites/noto/cat__.*missing.*git checkout"):
        dataset[0]


def test_a_missing_data_folder_is_explained(copied_data, monkeypatch):
    monkeypatch.setattr(data_files, "DATA_DIR", copied_data / "nowhere")
    sprites.clear_caches()
    with pytest.raises(FileNotFoundError, match="data folder is missing"):
        EmojiScenes(5)


# ----------------------------------------------------------------------------------------------- using them


def test_a_flip_moves_image_boxes_and_masks_together():
    plain = EmojiScenes(6, objects=(2, 4))
    flipped = EmojiScenes(6, objects=(2, 4), transforms=v2.RandomHorizontalFlip(p=1.0))
    for (image, target), (image2, target2) in zip(plain, flipped, strict=True):
        assert torch.equal(image2, image.flip(-1))
        assert torch.equal(target2["masks"], target["masks"].flip(-1))
        assert torch.equal(target2["semantic"], target["semantic"].flip(-1))
        x1, y1, x2, y2 = target["boxes"].unbind(dim=1)
        assert torch.equal(target2["boxes"].as_subclass(torch.Tensor), torch.stack([160 - x2, y1, 160 - x1, y2], dim=1))


def test_a_crop_and_resize_keeps_labels_whole():
    transforms = v2.Compose([v2.RandomResizedCrop(96, antialias=True), v2.ToDtype(torch.float32, scale=True)])
    for image, target in EmojiScenes(6, transforms=transforms):
        assert image.shape == (3, 96, 96) and image.dtype == torch.float32 and 0 <= image.min() <= image.max() <= 1
        labels = {0, *target["labels"].tolist()}
        assert target["semantic"].shape == (96, 96) and set(target["semantic"].unique().tolist()) <= labels


def test_collate_gives_a_batch_for_segmentation():
    dataset = EmojiScenes(4, size=64)
    images, masks = next(iter(DataLoader(dataset, batch_size=4, collate_fn=segmentation_collate)))
    assert type(images) is torch.Tensor and images.shape == (4, 3, 64, 64) and images.dtype == torch.float32
    assert 0 <= images.min() and 0.1 < images.max() <= 1
    assert type(masks) is torch.Tensor and masks.shape == (4, 64, 64) and masks.dtype == torch.int64
    assert torch.equal(masks[2], dataset[2][1]["semantic"].as_subclass(torch.Tensor))
    scaled = EmojiScenes(4, size=64, transforms=v2.ToDtype(torch.float32, scale=True))
    assert torch.allclose(segmentation_collate([scaled[i] for i in range(4)])[0], images)


def test_thumbnails_have_one_label_each():
    dataset = EmojiThumbnails(60, size=48)
    assert dataset.classes == LESSON_CLASSES[1:] and "background" not in dataset.classes
    labels = [label for _, label in dataset]
    assert set(labels) == set(range(10)) and all(type(label) is int for label in labels)
    image, label = dataset[7]
    assert image.shape == (3, 48, 48) and image.dtype == torch.uint8
    assert torch.equal(image, EmojiThumbnails(8, size=48)[7][0]) and label == EmojiThumbnails(8, size=48)[7][1]
    assert EmojiThumbnails(8, size=48, transforms=v2.ToDtype(torch.float32, scale=True))[7][0].max() <= 1


def test_a_dataset_ends():
    dataset = EmojiScenes(3, size=32)
    assert len(dataset) == len(list(dataset)) == 3
    for index in (3, -4):
        with pytest.raises(IndexError, match="3 items"):
            dataset[index]
    assert "train" in repr(dataset)


@pytest.mark.parametrize("kind", [EmojiScenes, EmojiThumbnails])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "tset"}, "train, val, test; got 'tset'"),
        ({"size": 16}, "size must be a whole number, 32 or more; got 16"),
        ({"size": 64.0}, "size must be a whole number"),
        ({"length": 0}, "length must be a whole number, 1 or more; got 0"),
        ({"seed": -1}, "seed must be"),
        ({"classes": ("background", "kat")}, "Class names must be.*got .*kat"),
        ({"classes": ("background", "cat", "cat")}, "different"),
        ({"classes": ("background", "diningtable")}, "that has sprites.*diningtable"),
        ({"classes": ("background",)}, "at least one"),
        ({"classes": ()}, "Class names"),
    ],
)
def test_bad_arguments_are_explained(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**{"length": 5, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objects": (3, 1)}, r"objects must be.*got \(3, 1\)"),
        ({"objects": 3}, "objects must be"),
        ({"object_px": (4, 90)}, "object_px must be.*16"),
        ({"classes": ("cat", "dog")}, 'first of classes must be "background"'),
    ],
)
def test_bad_scene_arguments_are_explained(arguments, message):
    with pytest.raises(ValueError, match=message):
        EmojiScenes(5, **arguments)


# -------------------------------------------------------------------------------------- classes, photographs


def test_the_palette_is_vocs():
    colors = voc_colors()
    assert colors.shape == (256, 3) and colors.dtype == np.uint8 and len(np.unique(colors, axis=0)) == 256
    known = {"background": (0, 0, 0), "aeroplane": (128, 0, 0), "person": (192, 128, 128), "tvmonitor": (0, 64, 128)}
    for name, color in known.items():
        assert tuple(colors[VOC_CLASSES.index(name)]) == color
    assert tuple(colors[255]) == (224, 224, 192)  # "void", drawn around VOC's objects
    assert class_colors(LESSON_CLASSES).shape == (11, 3)
    assert tuple(class_colors(LESSON_CLASSES)[1]) == known["person"]
    assert tuple(class_colors(["kat"])[0]) == tuple(colors[len(VOC_CLASSES)]), "your own names come after VOC's"


def test_photographs_can_be_read():
    for name in PHOTOS:
        image = photo(name)
        assert type(image) is tv_tensors.Image and image.dtype == torch.uint8 and image.shape[0] == 3
        assert max(image.shape) <= 640 and image.float().std() > 5
    with pytest.raises(ValueError, match="chelsea.*got 'lena'"):
        photo("lena")
