"""The labelled photographs: their licences and splits, what the readers give, and views that keep labels in place."""

import contextlib
import importlib.util
import io
import re

import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from deeplab_teach.data_files import DATA_DIR, checksums
from deeplab_teach.datasets import (
    Groups,
    Objects,
    People,
    augment,
    detection_collate,
    detection_transforms,
    segmentation_collate,
    segmentation_transforms,
)
from deeplab_teach.metrics import trimap_band

# COCO's number of a licence -> its name, and where it can be read: a text beside the photographs or an address.
LICENCES = {
    4: ("CC BY 2.0", "CC-BY-2.0.txt", "https://creativecommons.org/licenses/by/2.0/"),
    5: ("CC BY-SA 2.0 (ShareAlike)", "CC-BY-SA-2.0.txt", "https://creativecommons.org/licenses/by-sa/2.0/"),
    7: ("no known copyright restrictions", None, "https://www.flickr.com/commons/usage/"),
}
SHARE_ALIKE = 5
SIZES = {("people", "yours"): 60, ("people", "train"): 62, ("people", "test"): 50}
SIZES |= {("objects", "train"): 78, ("objects", "test"): 22}


def reader(folder, split):
    return People(split) if folder == "people" else Objects(split)


@pytest.fixture(scope="module")
def credits():
    """The attribution of each photograph: its file -> licence, page, change."""
    text = (DATA_DIR / "licenses/COCO-photographs.txt").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.split("file | licence | Flickr page | changes\n")[1].splitlines()]
    assert len(rows) == len({row[0] for row in rows}), "a photograph has two rows"
    return {file: rest for file, *rest in rows}


@pytest.fixture(scope="module")
def items():
    """All photographs, read once."""
    return {key: list(reader(*key)) for key in SIZES}


def extent(mask):
    """The smallest box around the pixels of a mask."""
    rows, columns = mask.any(dim=1).nonzero(), mask.any(dim=0).nonzero()
    return [float(side) for side in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)]


def plain(tensor):
    return tensor.as_subclass(torch.Tensor)


# ------------------------------------------------------------------------------------------------- whose they are


def test_each_photograph_is_attributed(credits):
    assert set(credits) == {name for name in checksums() if re.match("(people|objects)/images/", name)}
    for folder, split in SIZES:
        for known in reader(folder, split).images:
            licence, page, change = credits[f"{folder}/images/{known['id']:012}.jpg"]
            assert licence == LICENCES[known["license"]][0] and page == known["flickr_page"]
            assert re.fullmatch(r"https://www\.flickr\.com/photo\.gne\?id=\d+", page)
            assert change == known["change"] in ("resized", "cropped, resized")
    assert len({page for _, page, _ in credits.values()}) == len(credits), "two photographs of one page"


def test_each_licence_can_be_read():
    text = (DATA_DIR / "licenses/COCO-photographs.txt").read_text(encoding="utf-8")
    titles = {"CC-BY-2.0.txt": "Attribution 2.0", "CC-BY-SA-2.0.txt": "Attribution-ShareAlike 2.0"}
    for name, file, address in LICENCES.values():
        assert f"\n{name}: {address}\n" in text
        if file:
            assert titles[file] in (DATA_DIR / "licenses" / file).read_text(encoding="utf-8")[:400]
    assert "CC-BY-4.0.txt" in text, "the annotations'"
    assert "Attribution 4.0 International" in (DATA_DIR / "licenses/CC-BY-4.0.txt").read_text(encoding="utf-8")[:400]


def test_share_alike_photographs_only_train():
    """Masks, figures and films are drawn from the other splits: they would inherit the licence."""
    split_of = {key: {known["license"] for known in reader(*key).images} for key in SIZES}
    assert {key for key, licences in split_of.items() if SHARE_ALIKE in licences} == {
        ("people", "train"),
        ("objects", "train"),
    }
    assert split_of["people", "train"] == {SHARE_ALIKE}


def test_how_to_have_a_photograph_removed():
    for name in ("README.md", "licenses/COCO-photographs.txt"):
        text = " ".join((DATA_DIR / name).read_text(encoding="utf-8").split()).replace("[", "").replace("](", " ")
        assert "Is one of them yours, or are you on it, and you want it removed? Open an issue" in text
        assert "https://github.com/deeplab-teach/deeplab_teach/issues" in text and "it will be taken out." in text


def test_they_are_small():
    size = {name: (DATA_DIR / name).stat().st_size for name in checksums()}
    assert sum(value for name, value in size.items() if name.startswith(("people/", "objects/"))) <= 9e6
    assert sum(size.values()) <= 45e6


# ------------------------------------------------------------------------------------------------- splits


def test_splits_share_no_photograph():
    numbers = {key: [known["id"] for known in reader(*key).images] for key in SIZES}
    assert {key: len(value) for key, value in numbers.items()} == SIZES
    every = [number for value in numbers.values() for number in value]
    assert len(set(every)) == len(every) == 272


def test_the_script_names_the_photographs_that_are_there():
    spec = importlib.util.spec_from_file_location("make_coco", DATA_DIR / "make_coco.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for folder, table in (("people", script.PEOPLE), ("objects", script.OBJECTS)):
        for split, numbers in table.items():
            assert sorted(map(int, numbers.split())) == sorted(each["id"] for each in reader(folder, split).images)


def test_several_splits_are_joined_in_order():
    both = People("yours+train")
    assert len(both) == 122 and both.images == People("yours").images + People("train").images
    assert People("train+yours").images[0] == People("train").images[0]
    assert repr(both) == "People(split='yours+train', 122 photographs)"


@pytest.mark.parametrize("split", ["", "val", "Yours", "yours+", "yours+yours", "train, test"])
def test_splits_of_people_that_are_none(split):
    message = f"split must be one of yours, train, test, or several with + between; got {split!r}."
    with pytest.raises(ValueError, match=re.escape(message)):
        People(split)


def test_splits_of_objects_that_are_none():
    with pytest.raises(ValueError, match="split must be one of train, test; got 'yours'"):
        Objects("yours")
    with pytest.raises(ValueError, match="it has no 'people'"):
        Objects("test", classes=("people",))


def test_splits_of_groups_that_are_none():
    with pytest.raises(ValueError, match="split must be one of train, test; got 'yours'"):
        Groups("yours")


# ------------------------------------------------------------------------------------------------- what is read


@pytest.mark.parametrize("split", ["yours", "train", "test"])
def test_people(items, split):
    for image, target in items["people", split]:
        height, width = image.shape[1:]
        assert type(image) is tv_tensors.Image and image.dtype == torch.uint8 and max(height, width) == 320
        boxes, masks, semantic = target["boxes"], target["masks"], target["semantic"]
        assert boxes.canvas_size == semantic.shape == masks.shape[1:] == (height, width)
        assert (type(masks), masks.dtype) == (tv_tensors.Mask, torch.uint8) and semantic.dtype == torch.int64
        assert set(semantic.unique().tolist()) == {0, 1}
        assert torch.equal(plain(semantic) == 1, plain(masks[0]).bool())
        assert boxes.tolist() == [extent(masks[0])] and target["labels"].tolist() == [1]
        assert masks.float().mean() >= 0.03, "the person is too small"


@pytest.mark.parametrize("split", ["train", "test"])
def test_objects(items, split):
    gaps = []
    for image, target in items["objects", split]:
        assert max(image.shape) == 416 and target["masks"].shape[1:] == image.shape[1:]
        assert set(target["labels"].tolist()) <= set(range(1, 81))
        for mask, box in zip(plain(target["masks"]), plain(target["boxes"]), strict=True):
            if mask.any():
                gaps.append((torch.tensor(extent(mask)) - box).abs().max().item())
    assert sum(gap <= 1.5 for gap in gaps) > 0.95 * len(gaps) > 300 and max(gaps) < 10, "COCO's boxes are a little off"


def test_what_the_page_says_of_objects(items):
    """data/README.md: in `train` 20 with people and 35 not ShareAlike; in `test` several people on each, 172 in all."""
    people = lambda split: [
        ((target["labels"] == 1) & ~target["iscrowd"]).sum().item() for _, target in items["objects", split]
    ]
    assert sum(count > 0 for count in people("train")) == 20
    assert sum(known["license"] != SHARE_ALIKE for known in Objects("train").images) == 35
    assert min(people("test")) > 1 and sum(people("test")) == 172


def test_groups_join_all_photographs_with_people():
    """122 of one person and the 20 others to train; the 22 with several people to judge; "person" is class 1."""
    train, test = Groups("train", transforms=detection_transforms(96)), Groups("test")
    assert (len(train), len(test)) == (122 + 20, 22)
    assert train.classes == test.classes == ("background", "person")
    images, targets = detection_collate([train[0], train[121], train[122], train[141], test[0]])
    assert {tuple(image.shape) for image in images[:4]} == {(3, 96, 96)}
    assert all(set(target["labels"].tolist()) <= {1} for target in targets)
    several = Groups("train")
    assert all(len(several[i][1]["boxes"]) > 0 for i in range(118, 142)), "none without a person"
    assert "142 photographs" in repr(train)


def test_they_become_batches(items):
    images, labels = segmentation_collate(items["people", "test"][:1])
    assert images.shape[0] == 1 and labels.unique().tolist() == [0, 1]
    _, targets = detection_collate(items["objects", "test"])
    assert sum(len(target["boxes"]) for target in targets) == 358, "367 less 8 crowds and a sliver"
    classes = Objects("test").classes
    assert len(classes) == 81 and classes[:2] == ("background", "person")
    one = Objects("test", classes=("person",))[0][1]
    first = items["objects", "test"][0][1]
    assert one["labels"].unique().tolist() == [1] and len(one["labels"]) == (first["labels"] == 1).sum()


@pytest.mark.parametrize("split", ["train", "test"])
def test_pycocotools_reads_the_same(items, split):
    coco_file = pytest.importorskip("pycocotools.coco")
    with contextlib.redirect_stdout(io.StringIO()):
        coco = coco_file.COCO(str(DATA_DIR / f"objects/instances_{split}.json"))
    dataset = Objects(split)
    assert [coco.cats[i]["name"] for i in sorted(coco.cats)] == list(dataset.classes[1:])
    for known, (_, target) in zip(dataset.images, items["objects", split], strict=True):
        rows = coco.loadAnns(coco.getAnnIds(imgIds=known["id"]))
        assert [dataset.classes[label] for label in target["labels"]] == [
            coco.cats[row["category_id"]]["name"] for row in rows
        ]
        assert [bool(row["iscrowd"]) for row in rows] == target["iscrowd"].tolist()
        theirs = torch.tensor([row["bbox"] for row in rows]).reshape(-1, 4)
        theirs[:, 2:] += theirs[:, :2]
        torch.testing.assert_close(plain(target["boxes"]), theirs, rtol=0, atol=0.11)  # those beyond the border are cut
        for row, mask in zip(rows, plain(target["masks"]).bool(), strict=True):
            other = torch.from_numpy(coco.annToMask(row)).bool()
            differing, union = (mask ^ other).sum().item(), (mask | other).sum().item()
            assert differing < 0.05 * union or differing <= 8, row["id"]  # some are of ten pixels in all
            assert differing == 0 or not row["iscrowd"], "counts are exact"


# ------------------------------------------------------------------------------------------------- views for training


@pytest.fixture
def own_colors(monkeypatch):
    """Views that leave the colours alone, which here say what a pixel is."""
    monkeypatch.setattr(augment.v2, "ColorJitter", lambda **_: v2.Identity())


def agree(white, mask):
    """Whether a picture is white where its mask is, but for two pixels along outlines and border, which mix."""
    clear = ~trimap_band(mask.long(), 2) & (mask != 255)
    return (white != (mask == 1))[2:-2, 2:-2][clear[2:-2, 2:-2]].sum() <= 40  # what is thinner than a pixel


def test_views_of_masks_have_the_size_of_the_crop():
    for scale in ((0.75, 2.0), (0.3, 0.3), (3.0, 3.0)):
        dataset = People("yours", transforms=segmentation_transforms(97, scale=scale))
        for image, target in (dataset[i] for i in range(3)):
            assert image.shape == (3, 97, 97) and image.dtype == torch.uint8 and type(image) is tv_tensors.Image
            assert target.keys() == {"semantic"} and target["semantic"].shape == (97, 97)
            assert target["semantic"].dtype == torch.int64 and set(target["semantic"].unique().tolist()) <= {0, 1, 255}


def test_image_and_mask_move_together(items, own_colors):
    """The picture is white where the person is: so must its view be, and grey where the label is 255."""
    view, seen, padded = segmentation_transforms(160), 0, 0
    grey = torch.tensor(augment.GREY, dtype=torch.uint8)[:, None, None]
    for _, target in items["people", "yours"][:30]:
        drawn = tv_tensors.Image(plain(target["semantic"]).expand(3, -1, -1).to(torch.uint8) * 255)
        image, moved = view(drawn, {"semantic": target["semantic"]})
        image, labels = plain(image), plain(moved["semantic"])
        assert torch.equal((image == grey).all(dim=0), labels == 255)
        assert agree(image[0] > 127, labels)
        seen += (labels == 1).any().item()
        padded += (labels == 255).any().item()
    assert seen > 20 and 5 < padded < 30


def test_the_scale_is_that_of_the_picture_in_the_crop():
    picture = tv_tensors.Image(torch.full((3, 100, 200), 200, dtype=torch.uint8))
    target = {"semantic": tv_tensors.Mask(torch.ones(100, 200, dtype=torch.int64))}
    for scale, pixels in {1: 80 * 160, 0.75: 60 * 120, 2: 160 * 160}.items():
        labels = segmentation_transforms(160, scale=(scale, scale))(picture, target)[1]["semantic"]
        assert (labels == 1).sum() == pixels and (labels == 255).sum() == 160 * 160 - pixels
    sizes = {segmentation_transforms(160)(picture, target)[1]["semantic"].eq(1).sum().item() for _ in range(20)}
    assert len(sizes) > 10 and min(sizes) >= 60 * 119


def test_sides_and_colours_change():
    picture = torch.full((3, 64, 64), 100, dtype=torch.uint8)
    mask = torch.zeros(64, 64, dtype=torch.int64)
    mask[:, :32] = 1
    view = segmentation_transforms(64, scale=(1, 1))
    views = [view(tv_tensors.Image(picture), {"semantic": tv_tensors.Mask(mask)}) for _ in range(20)]
    masks = {tuple(target["semantic"][0].tolist()) for _, target in views}
    assert masks == {tuple(mask[0].tolist()), tuple(mask[0].flip(0).tolist())}
    levels = {image[0, 0, 0].item() for image, _ in views}
    assert len(levels) > 10 and 55 <= min(levels) < 90 and 110 < max(levels) <= 145


@pytest.mark.parametrize("make", [segmentation_transforms, detection_transforms])
def test_a_seed_gives_a_view(items, make):
    view, item = make(128), items["people", "yours"][0]

    def seen(seed):
        torch.manual_seed(seed)
        return view(*item)

    first, again, other = seen(3), seen(3), seen(4)
    assert torch.equal(first[0], again[0]) and not torch.equal(first[0], other[0])
    for key, value in first[1].items():
        assert torch.equal(value, again[1][key])


def drawn_objects(target):
    """The three largest objects in red, green and blue, named 1, 2, 3, each box its mask's extent."""
    largest = target["masks"].sum(dim=(1, 2)).argsort(descending=True)[:3]
    masks = plain(target["masks"])[largest]
    image = tv_tensors.Image(masks * 255)
    boxes = torch.tensor([extent(mask) for mask in masks])
    return image, {
        "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=image.shape[1:]),
        "labels": torch.tensor([1, 2, 3]),
        "masks": tv_tensors.Mask(masks),
        "iscrowd": torch.tensor([False, True, False]),
        "area": torch.zeros(3),
    }


def test_boxes_labels_and_masks_move_together_and_leave_together(items, own_colors):
    view, gone, cut, whole = detection_transforms(160), 0, 0, []
    for _, target in [item for item in items["objects", "train"] if len(item[1]["labels"]) >= 3]:
        image, moved = view(*drawn_objects(target))
        assert image.shape == (3, 160, 160) and moved.keys() == {"boxes", "labels", "masks", "iscrowd"}
        labels = moved["labels"].tolist()
        assert len(moved["boxes"]) == len(moved["masks"]) == len(labels) == len(set(labels))
        assert moved["iscrowd"].tolist() == [label == 2 for label in labels]
        beyond = (plain(image) == torch.tensor(augment.GREY)[:, None, None]).all(dim=0)
        for label in {1, 2, 3} - set(labels):
            gone += 1
            shown = (plain(image)[label - 1] > 127) & ~beyond
            if shown.any():  # a sliver at the border
                x1, y1, x2, y2 = extent(shown)
                assert min(x2 - x1, y2 - y1) < 6
        for label, mask, box in zip(labels, plain(moved["masks"]).bool(), plain(moved["boxes"]), strict=True):
            assert agree(plain(image)[label - 1] > 127, mask)
            x1, y1, x2, y2 = box.tolist()
            assert 0 <= x1 <= x2 - 4 <= 156 and 0 <= y1 <= y2 - 4 <= 156
            if mask.any():
                difference = torch.tensor(extent(mask)) - box
                inward = difference * torch.tensor([1, 1, -1, -1])
                assert inward.min() > -2, "the mask stands out of its box"
                if min(x1, y1) > 0 and max(x2, y2) < 160:  # what a crop cuts may show less than its box
                    whole.append(inward.max() < 2)
                else:
                    cut += 1
    assert gone > 10 and cut > 40
    assert sum(whole) > 0.95 * len(whole) > 40, "a part thinner than a pixel may be lost, and seldom is"


def test_views_feed_a_detector():
    dataset = Objects("train", classes=("person",), transforms=detection_transforms(96))
    images, targets = detection_collate([dataset[i] for i in range(12)])
    assert all(image.shape == (3, 96, 96) for image in images)
    assert all(target.keys() == {"boxes", "labels", "masks"} for target in targets)
