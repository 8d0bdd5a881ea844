"""deeplab_teach: backbones, heads, and the one contract between them.

    import deeplab_teach as dt

    model = dt.build_model("mobilenet_v2", "deeplabv3plus", num_classes=21)

All that `dir(dt)` lists can be used so: nothing is loaded before it is asked for. To read the package, start with
`deeplab_teach.features`, which states the contract. `deeplab_teach.backbones` and `deeplab_teach.heads` obey it, and
`deeplab_teach.models` is the only place where the two meet. The lessons in `notebooks/` build each by hand.
"""

import importlib

__version__ = "0.1.0"

# The front door (PEP 562): file -> the public names in it. A file can be asked for by its name, too.
_FILES = {
    "data_files": (),
    "grids": ("Grid",),
    "boxes": ("box_iou", "nms"),
    "regions": ("paste_mask", "region_levels", "roi_align", "sampling_points"),
    "features": ("Backbone", "FeatureSpec", "SequenceBackbone", "SequenceSpec", "same_features"),
    "wordpiece": ("text_ids", "word_pieces"),
    "layers": ("conv_bn_relu", "conv_output_size", "plan_strides", "receptive_field"),
    "backbones": (
        *("AdaptedBackbone", "BACKBONES", "IMAGE_BACKBONES", "SEQUENCE_BACKBONES", "FIXED_STRIDES"),
        *("mobilenet_v2", "efficientnet_lite0", "efficientnet_lite2", "resnet18", "resnet34", "resnet50", "resnet101"),
        *("resnet152", "resnet50_beta", "resnet101_beta", "xception41", "xception65", "xception71", "vgg11"),
        *("vgg11_bn", "vgg13", "vgg16", "vgg16_bn", "vgg19", "alexnet", "vit_small", "text_encoder", "minilm"),
        "with_input_channels",
    ),
    "heads": (
        *("HEADS", "ClassificationHead", "FullyConnectedHead", "LinearHead", "FCNHead", "DeepLabV3Head"),
        *("DeepLabV3PlusHead", "FCOSHead", "ASPP", "ImagePooling"),
    ),
    "necks": ("FPN", "SimpleFeaturePyramid", "with_pyramid"),
    "models": (
        *("ImageClassifier", "SegmentationModel", "Detector", "ManyHeads", "build_model", "imagenet_classifier"),
        *("faster_rcnn", "mask_rcnn", "is_deeplabv3plus"),
    ),
    "predict": ("predict_boxes", "predict_classes", "predict_mask", "predict_places"),
    "weights": ("WEIGHTS", "load_weights"),
    "checkpoint": ("load_model", "save_model"),
    "datasets": (
        *("EmojiScenes", "EmojiThumbnails", "MaskFolder", "VOCSegmentation", "OxfordPets", "COCODetection", "photo"),
        *("read_image", "read_mask", "People", "Objects", "Groups"),
    ),
    "losses": ("fcos_loss", "segmentation_loss"),
    "metrics": ("average_precision", "confusion_matrix", "iou", "mean_iou", "trimap_band"),
    "cost": ("blocks", "count", "count_params", "multiply_adds"),
    "device": ("pick_device",),
    "training": (
        *("dataset_confusion", "evaluate", "evaluate_boxes", "freeze", "freeze_batch_norm", "linear_probe"),
        *("parameter_groups", "train"),
    ),
    "speed": ("folded",),
    "export": ("export_onnx",),
    "papers": (),
    "plots": (),
    "explore": (),
    "check": (),
    "commands": (),
    "doctor": (),
}
_HOME = {name: file for file, names in _FILES.items() for name in names}

__all__ = ["__version__", *_FILES, *_HOME]


def __dir__():
    return __all__


def __getattr__(name):
    if name in _FILES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOME:
        value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
        return value
    import difflib  # only here, so that importing the package needs next to nothing

    near = difflib.get_close_matches(name, __all__, n=2, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else "dir(deeplab_teach) lists what it has."
    raise AttributeError(f"deeplab_teach has no {name!r}; {hint}")
