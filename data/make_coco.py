"""Maintainer's script: write `data/people/` and `data/objects/`. Learners never need it, the pictures are committed.

The photographs and their labels are COCO's (Lin et al. 2014, arXiv 1405.0312; cocodataset.org): those whose
photographers allow it. With COCO 2017 on your disk:

    python data/make_coco.py --annotations instances_train2017.json instances_val2017.json --images train2017 val2017
    python data/make_sums.py

Looked at one by one before they went in. Left out: children seen close, whatever is private or embarrassing, masks that
are plainly wrong, second people without a label, large watermarks, politicians.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

HERE = Path(__file__).resolve().parent
PEOPLE_SIDE, OBJECTS_SIDE = 320, 416  # pixels on the long side
QUALITY = 88  # JPEG
LEAST = 0.03  # share of a picture that is the person
SHARE_ALIKE = 5
LICENCES = {
    4: ("CC BY 2.0", "https://creativecommons.org/licenses/by/2.0/"),
    5: ("CC BY-SA 2.0", "https://creativecommons.org/licenses/by-sa/2.0/"),
    7: ("no known copyright restrictions", "https://www.flickr.com/commons/usage/"),
}
# COCO's numbers of the photographs. ShareAlike ones are in "train" alone: nothing is drawn from them.
PEOPLE = {
    "train": """
        294 3553 19432 22479 32038 40036 49259 50811 53909 82696 88485 97278 102805 117719 122046 128654
        147415 158956 173008 179112 182805 192607 230819 253819 253956 261982 273760 284764 284991 293300
        309678 325991 340451 345252 346968 357888 360137 375493 384136 402774 404484 437351 441286 452784
        458223 467848 468505 473121 473869 476215 479953 499622 500716 501760 503755 513283 535306 553776
        564091 570664 579321 581317
    """,
    "yours": """
        86 436 22705 30504 37751 54164 76547 80671 83540 90956 118367 157601 160012 172877 173830 177015
        186624 187362 190007 193674 203639 205105 206025 213033 234748 248752 261732 261888 274219 281032
        288042 312720 313588 329827 352760 353027 356505 365208 366711 378116 378244 378454 389812 393226
        397133 398905 401416 427034 427077 456496 464786 489339 519208 527427 544444 546717 563349 566436
        571264 574520
    """,
    "test": """
        459 785 19924 33368 39551 54931 67534 80153 90284 142620 148739 161875 161879 165518 182441 183127
        185950 190140 192964 199055 212226 213255 220584 229553 239537 252507 257896 270908 312192 325838
        339823 343706 357742 367818 377368 389532 407002 476119 483667 488710 490515 529762 531036 537991
        547336 554595 556158 560880 576566 581206
    """,
}
OBJECTS = {
    "train": """
        30 71 72 73 89 92 127 194 208 257 308 309 360 389 450 471 491 508 520 540 599 626 629 30213 41888
        55299 58636 62554 78499 84284 99053 107438 116740 119828 121647 125870 159269 174632 175364 177977
        180239 196393 196610 205401 208901 212679 213148 216794 226111 229997 252639 255165 269314 294920
        319492 349184 349860 359219 360461 377575 403353 408805 415748 416256 425988 433998 434204 442450
        458756 460229 475678 516008 525891 551780 555009 557172 565248 568290
    """,
    "test": """
        165 529 542 544 790 126107 129648 166918 174375 183709 184324 204805 214753 231460 278528 303818
        352257 360452 423617 475546 520707 547503
    """,
}
CROPS = {397133: (63, 0, 640, 427)}  # left, top, right, bottom: a second person lies outside


def crop_around(image, person):
    """All of the picture if the person is large enough in it, else the largest part of it where that is so."""
    width, height = image["width"], image["height"]
    if image["id"] in CROPS:
        return CROPS[image["id"]]
    if person["area"] >= LEAST * width * height:
        return 0, 0, width, height
    x, y, w, h = person["bbox"]
    for long in range(max(width, height), 263, -4):
        for ratio in (width / height, 4 / 3, 1, 3 / 4, 16 / 10, 10 / 16):
            across, down = (long, long / ratio) if ratio >= 1 else (long * ratio, long)
            room = width >= across >= 1.1 * w and height >= down >= 1.1 * h
            if room and person["area"] >= 1.02 * LEAST * across * down:
                left = min(max(x + w / 2 - across / 2, 0), width - across)
                top = min(max(y + h / 2 - down / 2, 0), height - down)
                return tuple(round(side) for side in (left, top, left + across, top + down))
    raise ValueError(f"image {image['id']}: the person is too small for any part of the picture.")


def mask_of(annotation, width, height):
    """The pixels of an object: bool (H, W), from COCO's polygons or its run lengths, which go down the columns."""
    shape = annotation["segmentation"]
    if isinstance(shape, dict):
        values = np.arange(len(shape["counts"])) % 2
        return np.repeat(values, shape["counts"]).reshape(width, height).T.astype(bool)
    mask = Image.new("1", (width, height))
    for polygon in shape:
        ImageDraw.Draw(mask).polygon(polygon, fill=1)
    return np.asarray(mask)


def resized_mask(mask, size):
    """A pixel belongs to the object if more than half of what it covers did."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)
    return np.asarray(grey) > 127


def run_lengths(mask):
    """COCO's uncompressed form: how many zeros, ones, zeros ... down the columns."""
    flat = np.concatenate([[0], mask.T.ravel().astype(np.int8), [2]])
    ends = np.flatnonzero(np.diff(flat))
    counts = np.diff(np.concatenate([[0], ends])).tolist()
    return {"size": list(mask.shape), "counts": counts}


def read(image, folders):
    name = Path(image["file_name"]).name
    path = next(path for folder in folders if (path := folder / name).is_file())
    return Image.open(path).convert("RGB")


def shrunk(picture, long_side):
    scale = long_side / max(picture.size)
    return picture.resize(tuple(round(side * scale) for side in picture.size), Image.Resampling.LANCZOS)


def credit(image, split, change):
    """What an attribution needs, of one picture."""
    number = image["flickr_url"].rsplit("/", 1)[1].split("_")[0]
    return {
        "split": split,
        "license": image["license"],
        "flickr_page": f"https://www.flickr.com/photo.gne?id={number}",
        "change": change,
    }


def make_people(images, annotations, folders):
    rows = []
    for split, numbers in PEOPLE.items():
        for number in map(int, numbers.split()):
            image = images[number]
            if split != "train" and image["license"] == SHARE_ALIKE:
                raise ValueError(f"image {number} is ShareAlike: it may only be in train.")
            people = [each for each in annotations[number] if each["category_id"] == 1]
            person = max(people, key=lambda each: each["area"])
            window = crop_around(image, person)
            whole = window == (0, 0, image["width"], image["height"])
            picture = shrunk(read(image, folders).crop(window), PEOPLE_SIDE)
            left, top, right, bottom = window
            mask = resized_mask(mask_of(person, image["width"], image["height"])[top:bottom, left:right], picture.size)
            ys, xs = np.nonzero(mask)
            picture.save(HERE / f"people/images/{number:012}.jpg", quality=QUALITY, optimize=True)
            labels = Image.fromarray(mask.astype(np.uint8), mode="P")
            labels.putpalette([0, 0, 0, 192, 128, 128])  # VOC's colours of background and person
            labels.save(HERE / f"people/masks/{number:012}.png", optimize=True)
            rows.append(
                {
                    "id": number,
                    "width": picture.width,
                    "height": picture.height,
                    "box": [int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1],
                    **credit(image, split, "resized" if whole else "cropped, resized"),
                }
            )
    write_json(HERE / "people/people.json", {"classes": ["background", "person"], "images": rows})
    return rows


def make_objects(images, annotations, categories, folders):
    rows = []
    for split, numbers in OBJECTS.items():
        kept = {"images": [], "annotations": [], "categories": categories}
        for number in map(int, numbers.split()):
            image = images[number]
            if split != "train" and image["license"] == SHARE_ALIKE:
                raise ValueError(f"image {number} is ShareAlike: it may only be in train.")
            picture = shrunk(read(image, folders), OBJECTS_SIDE)
            scale = picture.width / image["width"], picture.height / image["height"]
            row = {"id": number, "file_name": f"{number:012}.jpg", "width": picture.width, "height": picture.height}
            row |= credit(image, split, "resized")
            kept["images"].append(row)
            rows.append(row)
            picture.save(HERE / f"objects/images/{number:012}.jpg", quality=QUALITY, optimize=True)
            for each in annotations[number]:
                shape = each["segmentation"]
                if isinstance(shape, dict):
                    mask = mask_of(each, image["width"], image["height"])
                    shape = run_lengths(resized_mask(mask, picture.size))
                else:
                    shape = [[round(v * scale[i % 2], 1) for i, v in enumerate(polygon)] for polygon in shape]
                kept["annotations"].append(
                    {
                        "id": each["id"],
                        "image_id": number,
                        "category_id": each["category_id"],
                        "iscrowd": each["iscrowd"],
                        "area": round(each["area"] * scale[0] * scale[1], 1),
                        "bbox": [round(v * scale[i % 2], 1) for i, v in enumerate(each["bbox"])],
                        "segmentation": shape,
                    }
                )
        write_json(HERE / f"objects/instances_{split}.json", kept)
    return rows


def write_json(path, value):
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n", encoding="utf-8", newline="\n")


def write_credits(people, objects):
    lines = [
        "The photographs of people/ and objects/",
        "=======================================",
        "",
        "From COCO 2017 (cocodataset.org): photographs by users of Flickr under the licences that they chose. The",
        "boxes and masks are COCO's annotations, by the COCO Consortium, CC BY 4.0 (text: CC-BY-4.0.txt), resized with",
        "the pictures. A photograph's page on Flickr names its author. ShareAlike photographs are marked: a changed",
        "copy of one keeps its licence (text: CC-BY-SA-2.0.txt). They serve for training alone.",
        "",
        "Is one of them yours, or are you on it, and you want it removed? Open an issue with its file's name at",
        "https://github.com/deeplab-teach/deeplab_teach/issues: it will be taken out.",
        "",
    ]
    for number, (name, address) in LICENCES.items():
        mark = " (ShareAlike)" if number == SHARE_ALIKE else ""
        lines.append(f"{name}{mark}: {address}")
    lines += ["", "file | licence | Flickr page | changes"]
    for folder, rows in (("people", people), ("objects", objects)):
        for row in rows:
            name = f"{folder}/images/{row['id']:012}.jpg"
            mark = " (ShareAlike)" if row["license"] == SHARE_ALIKE else ""
            lines.append(f"{name} | {LICENCES[row['license']][0]}{mark} | {row['flickr_page']} | {row['change']}")
    (HERE / "licenses/COCO-photographs.txt").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotations", type=Path, nargs="+", required=True, help="COCO's instances_*.json")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="folders with COCO's photographs")
    args = parser.parse_args()
    chosen = {int(number) for table in (PEOPLE, OBJECTS) for text in table.values() for number in text.split()}
    images, annotations, categories = {}, {number: [] for number in chosen}, []
    for path in args.annotations:
        content = json.loads(path.read_text(encoding="utf-8"))
        categories = content["categories"]
        images |= {image["id"]: image for image in content["images"] if image["id"] in chosen}
        for each in content["annotations"]:
            if each["image_id"] in chosen:
                annotations[each["image_id"]].append(each)
    for folder in ("people/images", "people/masks", "objects/images"):
        (HERE / folder).mkdir(parents=True, exist_ok=True)
    people = make_people(images, annotations, args.images)
    objects = make_objects(images, annotations, categories, args.images)
    write_credits(people, objects)
    print(f"{len(people)} photographs of one person, {len(objects)} of several things")


if __name__ == "__main__":
    main()
