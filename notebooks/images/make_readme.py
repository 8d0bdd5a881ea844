"""Draw the picture at the top of the README: python notebooks/images/make_readme.py"""

import io
from pathlib import Path

from PIL import Image
from torchvision.transforms.v2.functional import center_crop

from deeplab_teach import plots
from deeplab_teach.checkpoint import load_model
from deeplab_teach.cost import blocks
from deeplab_teach.data_files import atomic_write
from deeplab_teach.datasets import People
from deeplab_teach.plots.network import draw_network
from deeplab_teach.predict import predict_mask


def main():
    model, recipe = load_model("people_deeplabv3plus_mobilenet_v2")
    people = People("test")  # photographs that it has not learnt from, none of them ShareAlike
    numbers = [photograph["id"] for photograph in people.images]
    images = [people[numbers.index(number)][0] for number in (785, 239537, 229553, 142620, 367818)]
    masks = [predict_mask(model, image[None] / 255)[0] for image in images]
    above = plots.draw_masks(images, {"prediction": masks}, recipe["classes"], "What it sees, and what it answers")
    square = center_crop(images[0], min(images[0].shape[-2:]))
    below = draw_network(
        blocks(model, square.shape[-2:]),
        tuple(square.shape[-2:]),
        "Which part is the backbone? The blue one. Swap it, and the orange one stays.",
        image=square,
        skip=("c2", "low_level_project", "decoder"),
        brackets=(("c1", "c5", "backbone"), ("aspp", "classifier", "head")),
    )
    parts = [Image.open(io.BytesIO(plots.encode(fig)[1])).convert("RGB") for fig in (above, below)]
    width = max(part.width for part in parts)
    whole = Image.new("RGB", (width, sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        whole.paste(part, ((width - part.width) // 2, top))
        top += part.height
    with atomic_write(Path(__file__).parent / "readme.png") as temporary:
        whole.quantize(256).save(temporary, format="PNG", optimize=True)


if __name__ == "__main__":
    main()
