"""Maintainer's script: render the emoji of `SPRITES` into `data/sprites/<style>/<class>__<emoji>.png`.

Learners never need it, the sprites are committed. It reads four npm packages that somebody unpacked into one folder:

    npm install --prefix art @lobehub/fluent-emoji-3d @iconify-json/fluent-emoji-flat @iconify-json/twemoji \
        @iconify-json/noto
    python data/make_sprites.py art/node_modules
    python data/make_sums.py

Each sprite is RGBA, cropped to what is visible, its longest side 96 pixels. Needs Pillow and resvg_py.
"""

import argparse
import io
import json
from pathlib import Path

from PIL import Image

SIDE = 96  # pixels, longest side of a sprite
RENDER = 256  # pixels; drawn larger and shrunk, which gives smoother edges
HERE = Path(__file__).resolve().parent

# PASCAL VOC class -> {name of the emoji: Unicode code points}. The same emoji are drawn in every style.
SPRITES = {
    "person": {
        "man": "1f468-1f3fd",
        "woman": "1f469-1f3ff",
        "girl": "1f467-1f3fb",
        "old-woman": "1f475-1f3fc",
        "construction-worker": "1f477-1f3fe",
        "person-standing": "1f9cd-1f3fb",
        "person-walking": "1f6b6-1f3fe",
        "person-running": "1f3c3-1f3fd",
    },
    "bird": {
        "bird": "1f426",
        "duck": "1f986",
        "owl": "1f989",
        "parrot": "1f99c",
        "eagle": "1f985",
        "dove": "1f54a",
    },
    "cat": {"cat": "1f408", "cat-face": "1f431", "black-cat": "1f408-200d-2b1b", "grinning-cat": "1f63a"},
    "dog": {"dog": "1f415", "dog-face": "1f436", "poodle": "1f429", "guide-dog": "1f9ae"},
    "horse": {"horse": "1f40e", "horse-face": "1f434"},
    "cow": {"cow": "1f404", "cow-face": "1f42e", "ox": "1f402"},
    "sheep": {"ewe": "1f411", "ram": "1f40f"},
    "car": {
        "automobile": "1f697",
        "oncoming-automobile": "1f698",
        "taxi": "1f695",
        "police-car": "1f693",
        "sport-utility-vehicle": "1f699",
        "racing-car": "1f3ce",
    },
    "bus": {"bus": "1f68c", "oncoming-bus": "1f68d", "trolleybus": "1f68e", "minibus": "1f690"},
    "train": {
        "locomotive": "1f682",
        "railway-car": "1f683",
        "high-speed-train": "1f684",
        "bullet-train": "1f685",
        "train": "1f686",
        "light-rail": "1f688",
        "tram": "1f68a",
    },
    "motorbike": {"motorcycle": "1f3cd", "motor-scooter": "1f6f5"},
    "bicycle": {"bicycle": "1f6b2"},
    "boat": {
        "sailboat": "26f5",
        "speedboat": "1f6a4",
        "motor-boat": "1f6e5",
        "ferry": "26f4",
        "passenger-ship": "1f6f3",
        "ship": "1f6a2",
    },
    "aeroplane": {
        "airplane": "2708",
        "small-airplane": "1f6e9",
        "airplane-departure": "1f6eb",
        "airplane-arrival": "1f6ec",
    },
    "bottle": {
        "baby-bottle": "1f37c",
        "bottle-with-popping-cork": "1f37e",
        "lotion-bottle": "1f9f4",
        "sake": "1f376",
    },
    "chair": {"chair": "1fa91", "seat": "1f4ba"},
    "sofa": {"couch-and-lamp": "1f6cb"},
    "tvmonitor": {"television": "1f4fa", "desktop-computer": "1f5a5"},
    "pottedplant": {"potted-plant": "1fab4"},
}

# What to keep of a drawing: (left, top, right, bottom), in fractions of its visible part. Some emoji show more than
# their object (a boat's water, an aeroplane's runway), and a label must not call water "boat".
KEEP = {
    "sailboat": {"fluent3d": (0, 0, 1, 0.80), "fluentflat": (0, 0, 1, 0.79), "twemoji": (0, 0, 1, 0.83)},
    "speedboat": {"fluent3d": (0, 0, 1, 0.60), "fluentflat": (0, 0, 1, 0.60), "twemoji": (0, 0, 1, 0.46)},
    "motor-boat": {"fluent3d": (0, 0, 1, 0.69), "fluentflat": (0, 0, 1, 0.70), "twemoji": (0, 0, 1, 0.43)},
    "ferry": {"fluent3d": (0, 0, 1, 0.86), "fluentflat": (0, 0, 1, 0.88), "twemoji": (0, 0, 1, 0.64)},
    "passenger-ship": {"fluent3d": (0, 0, 1, 0.89), "fluentflat": (0, 0, 1, 0.90), "twemoji": (0, 0, 1, 0.58)},
    "ship": {"fluent3d": (0, 0, 1, 0.87), "fluentflat": (0, 0, 1, 0.87), "twemoji": (0, 0, 1, 0.83)},
    "high-speed-train": {"fluent3d": (0, 0, 1, 0.58), "fluentflat": (0, 0, 1, 0.66)},
    "airplane-arrival": {
        "fluent3d": (0, 0, 1, 0.75),
        "fluentflat": (0, 0, 1, 0.76),
        "twemoji": (0, 0, 1, 0.58),
        "noto": (0, 0, 1, 0.61),
    },
    "airplane-departure": {
        "fluent3d": (0, 0, 1, 0.75),
        "fluentflat": (0, 0, 1, 0.76),
        "twemoji": (0, 0, 1, 0.55),
        "noto": (0, 0, 1, 0.55),
    },
    "couch-and-lamp": {
        "fluent3d": (0, 0.54, 0.83, 1),
        "fluentflat": (0, 0.54, 0.82, 1),
        "twemoji": (0, 0.37, 0.92, 1),
        "noto": (0, 0.47, 1, 1),
    },
    "desktop-computer": {
        "fluent3d": (0, 0, 1, 0.80),
        "fluentflat": (0, 0, 1, 0.80),
        "twemoji": (0, 0, 1, 0.83),
        "noto": (0, 0, 1, 0.83),
    },
    "sake": {
        "fluent3d": (0.52, 0, 1, 1),
        "fluentflat": (0.46, 0, 1, 1),
        "twemoji": (0.46, 0, 1, 1),
        "noto": (0.34, 0, 1, 1),
    },
}


def same(code):
    """Code points without the variation selector fe0f, which some packages write and others leave out."""
    return "-".join(part for part in code.lower().split("-") if part != "fe0f")


def bitmap_art(folder):
    """{code points: path} of a package that ships one picture a file."""
    return {same(path.stem): path for path in folder.glob("*.webp")}


def draw_bitmap(path):
    return Image.open(path).convert("RGBA")


def vector_art(folder):
    """{code points: SVG text} of an iconify package: `icons.json` holds the drawings, `chars.json` their names."""
    table = json.loads((folder / "icons.json").read_text(encoding="utf-8"))
    names = json.loads((folder / "chars.json").read_text(encoding="utf-8"))
    art = {}
    for code, name in names.items():
        icon = table["icons"].get(name) or table["icons"].get(table.get("aliases", {}).get(name, {}).get("parent"))
        if icon is None:
            continue
        width = icon.get("width", table.get("width", 16))
        height = icon.get("height", table.get("height", 16))
        art[same(code)] = (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="0 0 {width} {height}" width="{width}" height="{height}">{icon["body"]}</svg>'
        )
    return art


def draw_vector(svg):
    import resvg_py

    png = resvg_py.svg_to_bytes(svg_string=svg, width=RENDER, height=RENDER)
    return Image.open(io.BytesIO(bytes(png))).convert("RGBA")


# style -> (folder below node_modules, how to list its art, how to draw one)
STYLES = {
    "fluent3d": ("@lobehub/fluent-emoji-3d/assets", bitmap_art, draw_bitmap),
    "fluentflat": ("@iconify-json/fluent-emoji-flat", vector_art, draw_vector),
    "twemoji": ("@iconify-json/twemoji", vector_art, draw_vector),
    "noto": ("@iconify-json/noto", vector_art, draw_vector),
}


def crop_to_visible(picture):
    visible = picture.getchannel("A").point(lambda alpha: 255 if alpha > 8 else 0).getbbox()
    if visible is None:
        raise ValueError("the drawing is empty")
    return picture.crop(visible)


def crop_and_shrink(picture, keep=(0, 0, 1, 1)):
    """Cut an RGBA picture to the visible part of `keep`, then shrink it to `SIDE` pixels on the longest side."""
    picture = crop_to_visible(picture)
    sides = picture.size * 2
    picture = crop_to_visible(picture.crop([round(part * side) for part, side in zip(keep, sides, strict=True)]))
    scale = SIDE / max(picture.size)
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    # Shrinking premultiplied colours keeps the (black) colour of transparent pixels out of the edges.
    return picture.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path, help="folder with the unpacked npm packages (node_modules)")
    parser.add_argument("--out", type=Path, default=HERE / "sprites", help="default: %(default)s")
    args = parser.parse_args()
    for style, (folder, list_art, draw) in STYLES.items():
        art = list_art(args.packages / folder)
        (args.out / style).mkdir(parents=True, exist_ok=True)
        for old in (args.out / style).glob("*.png"):
            old.unlink()
        missing, count = [], 0
        for kind, emoji in SPRITES.items():
            for name, code in emoji.items():
                if same(code) not in art:
                    missing.append(name)
                    continue
                sprite = crop_and_shrink(draw(art[same(code)]), KEEP.get(name, {}).get(style, (0, 0, 1, 1)))
                sprite.save(args.out / style / f"{kind}__{name}.png", optimize=True)
                count += 1
        print(f"{style}: {count} sprites" + (f", not in this style: {', '.join(missing)}" if missing else ""))


if __name__ == "__main__":
    main()
