"""Images to learn from: emoji scenes with exact labels, photographs of clear licence, and readers for your own."""

from .augment import detection_transforms, segmentation_transforms
from .batches import detection_collate, segmentation_collate
from .classes import LESSON_CLASSES, VOC_CLASSES, class_colors, voc_colors
from .coco import COCODetection
from .images import read_image
from .labelled_photos import Groups, Objects, People
from .mask_files import read_mask
from .mask_folders import MaskFolder, OxfordPets, VOCSegmentation
from .photos import PHOTOS, photo
from .scenes import EmojiScenes, EmojiThumbnails

__all__ = [
    "LESSON_CLASSES",
    "PHOTOS",
    "VOC_CLASSES",
    "COCODetection",
    "EmojiScenes",
    "EmojiThumbnails",
    "Groups",
    "MaskFolder",
    "Objects",
    "OxfordPets",
    "People",
    "VOCSegmentation",
    "class_colors",
    "detection_collate",
    "detection_transforms",
    "photo",
    "read_image",
    "read_mask",
    "segmentation_collate",
    "segmentation_transforms",
    "voc_colors",
]
