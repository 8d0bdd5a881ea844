"""Things to play with: a thin shell of ipywidgets around the drawing functions of `plots`.

A `view_...` function gives a figure and a sentence for the values of its controls; a `..._viewer` makes one for your
models. `play` puts one of them under its controls, and every other function does so for a lesson (`uploaded` only
reads an upload control).
"""

from deeplab_teach.explore.alike import neighbours, neighbours_viewer
from deeplab_teach.explore.atrous import rate_on_a_map, rates_in_a_row, view_rate, view_row
from deeplab_teach.explore.boxes import answering, answering_viewer, thresholds, thresholds_viewer
from deeplab_teach.explore.budget import choice_viewer, choose
from deeplab_teach.explore.costs import cost_of_kinds, view_kinds
from deeplab_teach.explore.gradients import layer_gradients, layer_gradients_viewer
from deeplab_teach.explore.heat import places, places_viewer
from deeplab_teach.explore.outlines import borders, borders_viewer
from deeplab_teach.explore.own_words import definition, view_definition
from deeplab_teach.explore.passes import (
    picture_passes,
    picture_passes_viewer,
    row_passes,
    row_passes_viewer,
)
from deeplab_teach.explore.photos import name_photo, names_viewer, stages, stages_viewer, uploaded
from deeplab_teach.explore.ranked import worst_first, worst_first_viewer
from deeplab_teach.explore.regions import cut_out, cut_out_viewer, proposals, proposals_viewer
from deeplab_teach.explore.rulers import ruler, view_ruler
from deeplab_teach.explore.shell import play
from deeplab_teach.explore.sizes import conv_sizes, view_sizes
from deeplab_teach.explore.swap import swap_parts, view_swap
from deeplab_teach.explore.windows import aspp_windows, aspp_windows_viewer

__all__ = [
    "answering",
    "answering_viewer",
    "thresholds",
    "thresholds_viewer",
    "borders",
    "choose",
    "conv_sizes",
    "cost_of_kinds",
    "cut_out",
    "definition",
    "view_definition",
    "cut_out_viewer",
    "proposals",
    "proposals_viewer",
    "borders_viewer",
    "choice_viewer",
    "view_kinds",
    "names_viewer",
    "places_viewer",
    "view_rate",
    "view_row",
    "view_ruler",
    "view_sizes",
    "stages_viewer",
    "view_swap",
    "layer_gradients",
    "layer_gradients_viewer",
    "name_photo",
    "neighbours",
    "neighbours_viewer",
    "places",
    "picture_passes",
    "picture_passes_viewer",
    "play",
    "rate_on_a_map",
    "rates_in_a_row",
    "row_passes",
    "row_passes_viewer",
    "ruler",
    "stages",
    "swap_parts",
    "uploaded",
    "aspp_windows",
    "aspp_windows_viewer",
    "worst_first",
    "worst_first_viewer",
]
