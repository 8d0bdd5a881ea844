"""Exercises that name the mistake: `check.NAME(answer)`, `.hint()`, `.solution()`, and `check.progress()`.

`check.engine` says how an exercise is built and what strict mode is; each other file holds one exercise.
"""

import difflib

from deeplab_teach.check.engine import print_progress
from deeplab_teach.check.lesson00_split import split
from deeplab_teach.check.lesson00_tiny_head import tiny_head
from deeplab_teach.check.lesson01_conv_output_size import conv_output_size
from deeplab_teach.check.lesson01_count_params import count_params
from deeplab_teach.check.lesson01_split_vgg import split_vgg
from deeplab_teach.check.lesson02_basic_block import basic_block
from deeplab_teach.check.lesson02_receptive_field import receptive_field
from deeplab_teach.check.lesson07_decoder import decoder
from deeplab_teach.check.lesson07_is_deeplabv3plus import is_deeplabv3plus
from deeplab_teach.check.lesson07_trimap_band import trimap_band

# In the order of the lessons.
EXERCISES = {
    exercise.name: exercise
    for exercise in (
        *(split, tiny_head),
        *(conv_output_size, split_vgg, count_params),
        *(basic_block, receptive_field),
        *(decoder, trimap_band, is_deeplabv3plus),
    )
}

__all__ = [
    "EXERCISES",
    "basic_block",
    "conv_output_size",
    "count_params",
    "decoder",
    "is_deeplabv3plus",
    "progress",
    "receptive_field",
    "split",
    "split_vgg",
    "tiny_head",
    "trimap_band",
]


def progress(lesson: str | int | None = None) -> None:
    """Print how the exercises stand: of one lesson ("00"), or of the lessons whose checks have run here."""
    print_progress(EXERCISES, lesson)


def __dir__():
    return __all__


def __getattr__(name):
    near = difflib.get_close_matches(name, EXERCISES, n=2, cutoff=0.5)
    if near:
        raise AttributeError(f"there is no exercise {name!r}; did you mean {' or '.join(near)}?")
    raise AttributeError(f"there is no exercise {name!r}; there are: {', '.join(EXERCISES)}.")
