"""Images to learn from: emoji scenes with exact labels, photographs of clear licence, and a reader for your own."""

from .batches import detection_collate, segmentation_collate
from .classes import LESSON_CLASSES, VOC_CLASSES, class_colors, voc_colors
from .images import read_image
from .photos import PHOTOS, photo
from .scenes import EmojiScenes, EmojiThumbnails

__all__ = [
    "LESSON_CLASSES",
    "PHOTOS",
    "VOC_CLASSES",
    "EmojiScenes",
    "EmojiThumbnails",
    "class_colors",
    "detection_collate",
    "photo",
    "read_image",
    "segmentation_collate",
    "voc_colors",
]
