"""Every figure of the course: a `draw_...` function takes data and gives a figure, `show` puts it into a lesson.

| file | draws |
|---|---|
| `style` | nothing by itself: the palette, an empty figure, a legend of classes, `show` |
| `images` | images with labels, guesses, feature maps, receptive fields |
| `masks` | masks over their images, beside the truth; errors near outlines; intersection and union |
| `heat` | a map of scores laid over its photograph |
| `boxes` | boxes on images; the places that answer for them |
| `charts` | bars of costs, curves, points that stand for models, a confusion matrix |
| `blocks` | the blocks of backbones side by side, each convolution as wide as its channels |
| `wiring` | which channel, or value of a row, is joined to which, and by which weight |
| `rates` | rates along a stage, and what two neighbours read through them |
| `swap` | one head on several backbones: which weights take another shape |
| `convolutions` | which places a convolution reads, along a row and on a map |
| `passes` | one network's answers to a picture that is moved, interleaved |
| `rulers` | where the places of a map lie, and where stretching draws them |
| `windows` | what ASPP reads at one place, on the photograph |
| `regions` | where RoIAlign reads, and what two heads make of one region |
| `many_heads` | several heads on one backbone, and what each reads |
| `two_stages` | Mask R-CNN's figure, from its real tensors |
| `pyramid` | the maps of a backbone above each other; an FPN between backbone and head |
| `words` | tokens in a row, names as points, networks cut into the parts that their authors name |
| `network` | the X-ray of a model: its feature maps to scale, backbone, neck and head in their colours |
"""

from deeplab_teach.plots.blocks import draw_blocks
from deeplab_teach.plots.boxes import draw_boxes, draw_distances, draw_places
from deeplab_teach.plots.charts import draw_bars, draw_confusion, draw_costs, draw_lines, draw_points, draw_spread
from deeplab_teach.plots.convolutions import draw_conv, draw_kernel, weights_that_read
from deeplab_teach.plots.heat import draw_found, draw_heat, upsample
from deeplab_teach.plots.images import (
    draw_channels,
    draw_features,
    draw_fields,
    draw_guesses,
    draw_labelled,
    draw_patches,
    draw_sheet,
)
from deeplab_teach.plots.many_heads import draw_many_heads
from deeplab_teach.plots.masks import draw_errors, draw_instances, draw_iou, draw_masks
from deeplab_teach.plots.network import draw_network
from deeplab_teach.plots.passes import draw_passes, draw_row_passes
from deeplab_teach.plots.pyramid import draw_pyramid, draw_stack
from deeplab_teach.plots.rates import draw_neighbours, draw_rates
from deeplab_teach.plots.regions import draw_region, draw_sampling
from deeplab_teach.plots.rulers import draw_ruler, stretched_places
from deeplab_teach.plots.style import (
    COLORS,
    OBJECTS,
    STYLE,
    class_legend,
    color_mask,
    encode,
    hide_axes,
    ink,
    new_figure,
    overlay_mask,
    set_title,
    show,
    tint_mask,
    to_image,
)
from deeplab_teach.plots.swap import draw_swap
from deeplab_teach.plots.two_stages import draw_two_stages
from deeplab_teach.plots.windows import draw_windows
from deeplab_teach.plots.wiring import draw_weights, draw_wiring
from deeplab_teach.plots.words import draw_cloud, draw_definition, draw_parts, draw_tokens

__all__ = [
    "COLORS",
    "OBJECTS",
    "STYLE",
    "class_legend",
    "color_mask",
    "overlay_mask",
    "draw_bars",
    "draw_blocks",
    "draw_boxes",
    "draw_channels",
    "draw_cloud",
    "draw_confusion",
    "draw_conv",
    "draw_costs",
    "draw_definition",
    "draw_distances",
    "draw_errors",
    "draw_features",
    "draw_fields",
    "draw_found",
    "draw_guesses",
    "draw_heat",
    "draw_instances",
    "draw_iou",
    "draw_kernel",
    "draw_labelled",
    "draw_lines",
    "draw_many_heads",
    "draw_masks",
    "draw_neighbours",
    "draw_network",
    "draw_parts",
    "draw_passes",
    "draw_patches",
    "draw_places",
    "draw_points",
    "draw_pyramid",
    "draw_rates",
    "draw_region",
    "draw_row_passes",
    "draw_ruler",
    "draw_sampling",
    "draw_sheet",
    "draw_spread",
    "draw_stack",
    "draw_swap",
    "draw_tokens",
    "draw_two_stages",
    "draw_weights",
    "draw_windows",
    "draw_wiring",
    "encode",
    "hide_axes",
    "ink",
    "new_figure",
    "set_title",
    "show",
    "stretched_places",
    "tint_mask",
    "to_image",
    "upsample",
    "weights_that_read",
]
