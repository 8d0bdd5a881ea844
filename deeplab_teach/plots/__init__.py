"""Every figure of the course: a `draw_...` function takes data and gives a figure, `show` puts it into a lesson.

| file | draws |
|---|---|
| `style` | nothing by itself: the palette, an empty figure, a legend of classes, `show` |
| `images` | images with labels, guesses, feature maps |
| `masks` | masks under their images, beside the truth; errors near outlines |
| `heat` | a map of scores laid over its photograph |
| `boxes` | boxes on images; the places that answer for them |
| `charts` | bars of costs, curves, points that stand for models |
| `convolutions` | which places a convolution reads, along a row and on a map |
| `passes` | one network's answers to a picture that is moved, interleaved |
| `rulers` | where the places of a map lie, and where stretching draws them |
| `windows` | what ASPP reads at one place, on the photograph |
| `regions` | where RoIAlign reads, and what two heads make of one region |
| `many_heads` | several heads on one backbone, and what each reads |
| `two_stages` | Mask R-CNN's figure, from its real tensors |
| `pyramid` | an FPN between backbone and head, from its real maps |
| `words` | tokens in a row, names as points, networks cut into the parts that their authors name |
| `network` | the X-ray of a model: its feature maps to scale, backbone, neck and head in their colours |
"""

from deeplab_teach.plots.boxes import draw_boxes, draw_distances, draw_places
from deeplab_teach.plots.charts import draw_bars, draw_costs, draw_lines, draw_points, draw_spread
from deeplab_teach.plots.convolutions import draw_conv, draw_kernel, weights_that_read
from deeplab_teach.plots.heat import draw_found, draw_heat, upsample
from deeplab_teach.plots.images import draw_features, draw_guesses, draw_labelled, draw_patches, draw_sheet
from deeplab_teach.plots.many_heads import draw_many_heads
from deeplab_teach.plots.masks import draw_errors, draw_instances, draw_masks
from deeplab_teach.plots.network import draw_network
from deeplab_teach.plots.passes import draw_passes, draw_row_passes
from deeplab_teach.plots.pyramid import draw_pyramid
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
from deeplab_teach.plots.two_stages import draw_two_stages
from deeplab_teach.plots.windows import draw_windows
from deeplab_teach.plots.words import draw_cloud, draw_definition, draw_parts, draw_tokens

__all__ = [
    "COLORS",
    "OBJECTS",
    "STYLE",
    "class_legend",
    "color_mask",
    "overlay_mask",
    "draw_bars",
    "draw_boxes",
    "draw_cloud",
    "draw_conv",
    "draw_costs",
    "draw_definition",
    "draw_distances",
    "draw_errors",
    "draw_features",
    "draw_found",
    "draw_guesses",
    "draw_heat",
    "draw_instances",
    "draw_kernel",
    "draw_labelled",
    "draw_lines",
    "draw_many_heads",
    "draw_masks",
    "draw_network",
    "draw_parts",
    "draw_passes",
    "draw_patches",
    "draw_places",
    "draw_points",
    "draw_pyramid",
    "draw_region",
    "draw_row_passes",
    "draw_ruler",
    "draw_windows",
    "draw_sampling",
    "draw_sheet",
    "draw_spread",
    "draw_tokens",
    "draw_two_stages",
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
