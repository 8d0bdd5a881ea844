"""Maintainer's script: write `data/photos/*.jpg`. Learners never need it, the photographs are committed.

It reads pictures that three packages carry, so nothing is fetched from a website:

    pip install scikit-image OpenEXR
    pip download --no-deps scikit-learn && unzip scikit_learn*.whl 'sklearn/datasets/images/*' -d art
    npm install --prefix art @pmndrs/assets
    python data/make_photos.py --sklearn art/sklearn/datasets/images --hdri art/node_modules/@pmndrs/assets/hdri
    python data/make_sums.py

Sources and licences: data/README.md. What each photograph is used for: deeplab_teach/datasets/photos.py.
"""

import argparse
import base64
import re
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
LONG_SIDE = 640  # pixels
QUALITY = 90  # JPEG

SKIMAGE = {  # our name -> file in skimage/data
    "astronaut": "astronaut.png",
    "brick": "brick.png",
    "camera": "camera.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "hubble": "hubble_deep_field.jpg",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
}
SKLEARN = {"china": "china.jpg", "flower": "flower.jpg"}
PANORAMAS = (
    *("apartment", "bridge", "city", "dawn", "esplanade", "forest", "hall", "lab"),
    *("night", "park", "sky", "sunrise", "venice", "warehouse", "workshop"),
)


def save(picture, path):
    picture = picture.convert("RGB")
    picture.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    picture.save(path, quality=QUALITY, optimize=True)


def read_panorama(path):
    """The middle band (no zenith, no nadir) of a 512 x 256 high-dynamic-range panorama, as an ordinary photograph."""
    import OpenEXR
    from scipy.ndimage import maximum_filter

    packed = re.search(r"base64,([A-Za-z0-9+/=]+)", path.read_text(encoding="ascii"))[1]
    with tempfile.TemporaryDirectory() as folder:
        exr = Path(folder) / "panorama.exr"
        exr.write_bytes(base64.b64decode(packed))
        channels = OpenEXR.File(str(exr)).channels()
        light = np.array(channels.get("RGB", channels.get("RGBA")).pixels, dtype=np.float64)[..., :3]
    light = np.nan_to_num(light, nan=6e4, posinf=6e4).clip(None, 6e4)
    # The packed format rings around lamps and the sun: black or negative light there. Give such pixels the maximum of
    # their neighbours.
    brightest = maximum_filter(light, size=(7, 7, 1))
    doubtful = (light.max(axis=2) < 0.4 * np.median(light)) | (brightest.max(axis=2) > 300 * np.median(light))
    rings = (light <= 0).any(axis=2) & doubtful
    light = np.where(rings[:, :, None], brightest, light.clip(0))
    light *= 0.35 / np.median(light)
    light = light * (1 + light / 9) / (1 + light)  # Reinhard's curve: 3 times the median is white
    srgb = np.where(light < 0.0031308, 12.92 * light, 1.055 * light.clip(0, 1) ** (1 / 2.4) - 0.055)
    return Image.fromarray((srgb.clip(0, 1) * 255).round().astype(np.uint8)[40:216])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sklearn", type=Path, help="folder with scikit-learn's china.jpg and flower.jpg")
    parser.add_argument("--hdri", type=Path, help="the folder hdri/ of the npm package @pmndrs/assets")
    parser.add_argument("--out", type=Path, default=HERE / "photos", help="default: %(default)s")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    import skimage

    for name, file in SKIMAGE.items():
        save(Image.open(Path(skimage.__file__).parent / "data" / file), args.out / f"{name}.jpg")
    for name, file in SKLEARN.items() if args.sklearn else ():
        save(Image.open(args.sklearn / file), args.out / f"{name}.jpg")
    for name in PANORAMAS if args.hdri else ():
        save(read_panorama(args.hdri / f"{name}.exr.js"), args.out / f"{name}.jpg")
    print(f"{len(list(args.out.glob('*.jpg')))} photographs in {args.out}")


if __name__ == "__main__":
    main()
