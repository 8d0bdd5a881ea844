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
from deeplab_teach.check.lesson03_inverted_residual import inverted_residual
from deeplab_teach.check.lesson03_multiply_adds import multiply_adds
from deeplab_teach.check.lesson03_separable_conv import separable_conv
from deeplab_teach.check.lesson04_confusion_matrix import confusion_matrix
from deeplab_teach.check.lesson04_convolutionalise import convolutionalise
from deeplab_teach.check.lesson04_mean_iou import mean_iou
from deeplab_teach.check.lesson05_dilated_kernel import dilated_kernel
from deeplab_teach.check.lesson05_make_stage import make_stage
from deeplab_teach.check.lesson05_plan_strides import plan_strides
from deeplab_teach.check.lesson06_aspp import aspp
from deeplab_teach.check.lesson06_image_pooling import image_pooling
from deeplab_teach.check.lesson06_valid_weights import valid_weights
from deeplab_teach.check.lesson07_decoder import decoder
from deeplab_teach.check.lesson07_is_deeplabv3plus import is_deeplabv3plus
from deeplab_teach.check.lesson07_trimap_band import trimap_band
from deeplab_teach.check.lesson08_adapt import adapt
from deeplab_teach.check.lesson08_fold_batch_norm import fold_batch_norm

# In the order of the lessons.
EXERCISES = {
    exercise.name: exercise
    for exercise in (
        *(split, tiny_head),
        *(conv_output_size, split_vgg, count_params),
        *(basic_block, receptive_field),
        *(separable_conv, multiply_adds, inverted_residual),
        *(convolutionalise, confusion_matrix, mean_iou),
        *(plan_strides, dilated_kernel, make_stage),
        *(image_pooling, aspp, valid_weights),
        *(decoder, trimap_band, is_deeplabv3plus),
        *(adapt, fold_batch_norm),
    )
}

__all__ = [
    "EXERCISES",
    "adapt",
    "aspp",
    "basic_block",
    "confusion_matrix",
    "conv_output_size",
    "convolutionalise",
    "count_params",
    "decoder",
    "dilated_kernel",
    "fold_batch_norm",
    "image_pooling",
    "inverted_residual",
    "is_deeplabv3plus",
    "make_stage",
    "mean_iou",
    "multiply_adds",
    "plan_strides",
    "progress",
    "receptive_field",
    "separable_conv",
    "split",
    "split_vgg",
    "tiny_head",
    "trimap_band",
    "valid_weights",
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
