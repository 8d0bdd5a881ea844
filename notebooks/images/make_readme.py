"""Draw the picture at the top of the README: python notebooks/images/make_readme.py"""

import io
from pathlib import Path

from PIL import Image

from deeplab_teach import plots
from deeplab_teach.checkpoint import load_model
from deeplab_teach.cost import blocks
from deeplab_teach.data_files import atomic_write
from deeplab_teach.datasets import EmojiScenes, segmentation_collate
from deeplab_teach.plots.network import draw_network
from deeplab_teach.predict import predict_mask


def main():
    model, recipe = load_model("scenes_deeplabv3plus_mobilenet_v2")
    scenes = EmojiScenes(12, split="test")
    images, _ = segmentation_collate([scenes[i] for i in (1, 2, 5, 6, 7)])
    masks = predict_mask(model, images)
    above = plots.draw_masks(images, {"prediction": masks}, recipe["classes"], "What it sees, and what it answers")
    below = draw_network(
        blocks(model),
        (160, 160),
        "Which part is the backbone? The blue one. Swap it, and the orange one stays.",
        image=images[0],
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
        whole.quantize(128).save(temporary, format="PNG", optimize=True)


if __name__ == "__main__":
    main()
