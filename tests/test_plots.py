"""Figures: what is drawn is what the data say, every text can be read, and no picture is heavy."""

import base64
import io
import itertools

import matplotlib
import numpy as np
import pytest
import torch
from helpers import on_meta
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.text import Text
from PIL import Image
from torch import nn

from deeplab_teach import plots
from deeplab_teach.backbones import FIXED_STRIDES, resnet50
from deeplab_teach.backbones.mobilenetv2 import InvertedResidual
from deeplab_teach.backbones.resnet import BasicBlock, Bottleneck
from deeplab_teach.backbones.xception import XceptionBlock
from deeplab_teach.cost import Block, blocks, count, count_params
from deeplab_teach.datasets import LESSON_CLASSES, EmojiScenes
from deeplab_teach.metrics import trimap_band
from deeplab_teach.models import build_model
from deeplab_teach.papers import CASES, NETWORKS, role_of
from deeplab_teach.plots.blocks import has_shortcut
from deeplab_teach.plots.convolutions import draw_conv, draw_kernel
from deeplab_teach.plots.heat import UPSAMPLINGS
from deeplab_teach.plots.network import draw_network
from deeplab_teach.plots.passes import draw_passes, draw_row_passes
from deeplab_teach.plots.rulers import draw_ruler, stretched_places
from deeplab_teach.plots.style import outline
from deeplab_teach.regions import roi_align, sampling_points

# The palette as its authors give it (Okabe and Ito 2008), without black and white.
OKABE_ITO = {"#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
SKIP = ("c2", "low_level_project", "decoder")
LIMIT = 120_000  # bytes: a lesson of a dozen figures stays well below its 1.5 MB


@pytest.fixture(scope="module")
def scenes():
    dataset = EmojiScenes(6, split="test")
    return [dataset[i] for i in range(6)]


def masks_of(scenes):
    return [target["semantic"].as_subclass(torch.Tensor) for _, target in scenes]


def readable(fig):
    """Assert that every text (and legend) lies inside the figure and that none covers another."""
    with matplotlib.rc_context(plots.STYLE):
        FigureCanvasAgg(fig).draw()
    legends = [*fig.legends, *(ax.get_legend() for ax in fig.axes if ax.get_legend())]
    others = {text for legend in legends for text in legend.findobj(Text)}
    for axis in (axis for ax in fig.axes for axis in (ax.xaxis, ax.yaxis)):
        others |= set(axis.findobj(Text)) - {axis.label}  # matplotlib places the numbers
    found = [t for t in fig.findobj(Text) if t.get_text().strip() and t.get_visible() and t not in others]
    boxes = [(text.get_text(), text.get_window_extent()) for text in found]
    boxes += [("legend", legend.get_window_extent()) for legend in legends]
    assert found
    for name, box in boxes:
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= fig.bbox.x1 + 1 and box.y1 <= fig.bbox.y1 + 1
        assert inside, f"{name!r} leaves the figure"
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        assert not a.shrunk(0.98, 0.9).overlaps(b.shrunk(0.98, 0.9)), f"{one!r} covers {other!r}"


def texts(fig):
    return [text.get_text() for text in fig.findobj(Text) if text.get_text()]


def decoded(data):
    return Image.open(io.BytesIO(data))


# ------------------------------------------------------------------------------------------------- look


def test_the_palette():
    roles = {role: colour for role, colour in plots.COLORS.items() if role != "input"}
    assert set(roles.values()) <= OKABE_ITO and len(set(roles.values())) == len(roles)
    grey = plots.COLORS["input"]
    assert grey[1:3] == grey[3:5] == grey[5:7]


@pytest.mark.parametrize("role", plots.COLORS)
def test_names_in_a_roles_colour_can_be_read(role):
    """Contrast on white of 3 or more, as WCAG asks of large and bold text."""
    channels = [int(plots.ink(plots.COLORS[role])[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 3


def test_masks_have_vocs_colours():
    mask = torch.tensor([[0, 1, 2], [3, 255, 7]])
    picture = plots.color_mask(mask, ["background", "person", "cat", "bus"])
    assert picture.shape == (3, 2, 3) and picture.dtype == torch.uint8
    assert picture.permute(1, 2, 0).tolist() == [
        [[0, 0, 0], [192, 128, 128], [64, 0, 0]],
        [[0, 128, 128], [255, 255, 255], [255, 255, 255]],  # ignored, and a label without a name
    ]


def test_an_overlay_tints_what_was_found_and_leaves_the_rest():
    image = torch.randint(0, 255, (3, 40, 50), dtype=torch.uint8)
    mask = torch.zeros(40, 50, dtype=torch.int64)
    mask[10:30, 20:40] = 1
    drawn = plots.overlay_mask(image, mask, ["background", "person"])
    assert torch.equal(drawn[:, mask == 0], image[:, mask == 0])
    color = torch.tensor([192, 128, 128], dtype=torch.uint8)
    assert torch.equal(drawn[:, 10, 20:40], color[:, None].expand(-1, 20)), "its outline"
    assert torch.equal(drawn[:, 20, 30], image[:, 20, 30] // 2 + color // 2), "its middle"
    assert torch.equal(plots.overlay_mask(image / 255, mask, ["background", "person"]), drawn)


@pytest.mark.parametrize("mask", [torch.zeros(2, 2, dtype=torch.uint8), torch.zeros(2, 2, dtype=torch.int32)])
def test_masks_of_any_whole_number_type(mask):
    assert plots.color_mask(mask + 255, ["background"]).min() == 255


def test_a_figure_is_not_shown_twice():
    import matplotlib.pyplot as plt

    plots.new_figure()
    assert plt.get_fignums() == []


# ------------------------------------------------------------------------------------------------- the X-ray


def rectangles(fig):
    return [patch for patch in fig.axes[0].patches if isinstance(patch, Rectangle)]


def box_of(fig, rows):
    """Rectangles by block name, in the order of `rows`; the first one stands for the image."""
    image, *others = rectangles(fig)
    assert len(others) == len(rows)
    return image, dict(zip((row.name for row in rows), others, strict=True))


@pytest.fixture(scope="module")
def model():
    return on_meta(build_model, "mobilenet_v2", "deeplabv3plus", 11, channels=96)


@pytest.mark.parametrize("size", [(160, 160), (161, 97)])
def test_the_network_is_drawn_from_its_real_shapes(size):
    real = build_model("resnet18", "deeplabv3plus", 11, channels=16).eval()
    with torch.no_grad():
        x = torch.zeros(1, 3, *size)
        features = real.backbone(x)
        scores = real.head(features)
    rows = blocks(real, size)
    fig = draw_network(rows, size, "title", skip=SKIP)
    written = texts(fig)
    for key, value in features.items():
        c, h, w = value.shape[1:]
        stride = real.backbone.feature_specs[key].stride
        assert key in written and f"{c}\n{h} x {w}\nstride {stride}" in written
    c, h, w = scores.shape[1:]
    assert f"{c}\n{h} x {w}\nstride 4" in written and "low level project" in written
    assert f"3\n{size[0]} x {size[1]}" in written and "title" in written
    image, drawn = box_of(fig, rows)
    by_name = {row.name: row for row in rows}
    for one, other in itertools.combinations(by_name, 2):
        a, b = drawn[one], drawn[other]
        for measure, i in ((Rectangle.get_width, 0), (Rectangle.get_height, 1)):
            left, right = by_name[one].shape[i], by_name[other].shape[i]
            if left == right:
                assert measure(a) == pytest.approx(measure(b)), (one, other)
            else:
                assert (measure(a) < measure(b)) == (left < right), (one, other)
    for name, row in by_name.items():
        assert to_hex(drawn[name].get_facecolor()).upper() == plots.COLORS[row.role]
    assert image.get_height() > max(box.get_height() for box in drawn.values())


def test_the_second_path_lies_below_and_joins(model):
    rows = blocks(model, (160, 160))
    fig = draw_network(rows, (160, 160), "title", skip=SKIP)
    _, drawn = box_of(fig, rows)
    middles = {name: box.get_y() + box.get_height() / 2 for name, box in drawn.items()}
    low = drawn["low_level_project"]
    assert all(abs(middle) < 1e-9 for name, middle in middles.items() if name != "low_level_project")
    assert low.get_y() + low.get_height() < min(box.get_y() for name, box in drawn.items() if box is not low)
    order = [drawn[name].get_x() for name in ("c1", "c2", "c3", "c4", "c5", "aspp", "decoder", "classifier")]
    assert order == sorted(order)
    centre = lambda box: box.get_x() + box.get_width() / 2
    ends = {round(float(x), 6) for line in fig.axes[0].lines for x in line.get_xdata()}
    assert {round(centre(drawn["c2"]), 6), round(centre(drawn["decoder"]), 6)} <= ends
    assert low.get_x() > centre(drawn["c2"]) and low.get_x() + low.get_width() < centre(drawn["decoder"])


def test_without_skip_all_stand_in_one_row(model):
    rows = blocks(model, (160, 160))
    _, drawn = box_of(draw_network(rows, (160, 160), "title"), rows)
    assert all(box.get_y() + box.get_height() / 2 == pytest.approx(0) for box in drawn.values())


def test_brackets_embrace_their_blocks(model):
    rows = blocks(model, (160, 160))
    spans = (("c1", "c5", "backbone: where"), ("aspp", "classifier", "head: what"), ("c5", "aspp", "DeepLabv3"))
    fig = draw_network(rows, (160, 160), "title", brackets=spans)
    _, drawn = box_of(fig, rows)
    assert len(fig.axes[0].lines) == 3
    heights = []
    for line, (first, last, label) in zip(fig.axes[0].lines, spans, strict=True):
        x, y = line.get_data()
        assert (min(x), max(x)) == (drawn[first].get_x(), drawn[last].get_x() + drawn[last].get_width())
        text = next(text for text in fig.axes[0].texts if text.get_text() == label)
        assert text.get_position()[0] == pytest.approx((min(x) + max(x)) / 2)
        heights.append(max(y))
        assert min(y) > max(box.get_y() + box.get_height() for box in drawn.values())
    assert heights[0] == heights[1] > heights[2], "side by side on one line; what would cover it goes below"
    readable(fig)


def test_a_classifier_gives_scores_without_a_place():
    model = on_meta(build_model, "resnet18", "classification", 1000)
    rows = blocks(model, (160, 160))
    fig = draw_network(rows, (160, 160), "title")
    assert "1000\nscores" in texts(fig)
    _, drawn = box_of(fig, rows)
    assert drawn["classifier"].get_height() < min(drawn[key].get_height() for key in ("c1", "c5"))


def test_the_image_itself_at_the_left(model, scenes):
    image = scenes[0][0]
    fig = draw_network(blocks(model, (160, 160)), (160, 160), "title", image=image, skip=SKIP)
    (shown,) = fig.axes[0].images
    assert np.array_equal(shown.get_array(), image.permute(1, 2, 0).numpy())


def test_a_neck_has_its_own_colour_and_name():
    neck, head = Block("p2", "neck", (8, 40, 40), 4, ("c2",)), Block("out", "head", (3, 40, 40), 4, ("p2",))
    rows = [Block("c2", "backbone", (8, 40, 40)), neck, head]
    fig = draw_network(rows, (160, 160), "title")
    assert {"backbone", "neck", "head"} <= set(texts(fig))
    assert to_hex(box_of(fig, rows)[1]["p2"].get_facecolor()).upper() == plots.COLORS["neck"]


@pytest.mark.parametrize("size", [96, 160, 512])
@pytest.mark.parametrize(("backbone", "output_stride"), [("mobilenet_v2", 16), ("resnet101", 8)])
def test_every_word_of_the_x_ray_can_be_read(backbone, output_stride, size):
    model = on_meta(build_model, backbone, "deeplabv3plus", 21, output_stride=output_stride)
    fig = draw_network(blocks(model, (size, size)), (size, size), f"{backbone} under deeplabv3plus", skip=SKIP)
    readable(fig)
    assert len(plots.encode(fig)[1]) < LIMIT


# ------------------------------------------------------------------------------------------------- pictures and masks


def test_masks_under_their_images(scenes):
    truth = masks_of(scenes)
    prediction = [mask.roll(4, 0) for mask in truth]
    rows = {"truth": truth, "prediction": prediction}
    fig = plots.draw_masks([image for image, _ in scenes], rows, LESSON_CLASSES, "Six scenes it never saw")
    drawn = [ax.images[0].get_array() for ax in fig.axes]
    assert len(drawn) == 18
    for i, (image, _) in enumerate(scenes):
        assert np.array_equal(drawn[i], image.permute(1, 2, 0).numpy())
        lines = outline(truth[i]).numpy()
        for j, masks in ((1, truth), (2, prediction)):
            picture, labels = np.asarray(drawn[6 * j + i]), masks[i].numpy()
            assert picture[lines].max() == 0, "the true outline is black in every row"
            elsewhere = picture[(labels == 0) & ~lines]
            assert (elsewhere == elsewhere[:, :1]).all() and elsewhere.min() >= 0.7, "background: a pale grey image"
            colours = plots.color_mask(masks[i], LESSON_CLASSES).permute(1, 2, 0).numpy() / 255
            inside = (labels > 0) & ~lines
            assert np.abs(picture[inside] - colours[inside]).max() <= 0.25, "near the colour of the class"
    assert [ax.get_ylabel() for ax in fig.axes[::6]] == ["image", "truth", "prediction"]
    found = sorted(set(torch.stack(truth).unique().tolist()))
    assert [text.get_text() for text in fig.legends[0].get_texts()] == [LESSON_CLASSES[i] for i in found if i]
    readable(fig)
    kind, data = plots.encode(fig, photo=True)
    assert kind == "image/jpeg" and len(data) < LIMIT and decoded(data).format == "JPEG"


def test_only_classes_that_occur_are_named(scenes):
    mask = torch.zeros(160, 160, dtype=torch.int64)
    mask[:9], mask[9:20] = 255, 3
    fig = plots.draw_masks([scenes[0][0]], {"truth": [mask]}, LESSON_CLASSES, "One")
    assert [text.get_text() for text in fig.legends[0].get_texts()] == [LESSON_CLASSES[3]]
    drawn = np.asarray(fig.axes[1].images[0].get_array())
    assert drawn[:9].min() == 1, "what does not count is white"
    assert (drawn[20:] == drawn[20:, :, :1]).all(), "no outline around it"


def test_a_mask_of_nothing_but_ignored_pixels(scenes):
    mask = torch.full((160, 160), 255)
    plots.encode(plots.draw_masks([scenes[0][0]], {"truth": [mask]}, LESSON_CLASSES, "Nothing is known here"))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_long_titles_and_many_classes_in_a_narrow_figure(scenes, count):
    mask = (torch.arange(160 * 160) % len(LESSON_CLASSES)).reshape(160, 160)
    images = [image for image, _ in scenes[:count]]
    title = "A scene from a style of drawing that the network never saw while it was trained"
    readable(plots.draw_masks(images, {"truth": [mask] * count}, LESSON_CLASSES, title))


def test_wrong_pixels_in_the_band_are_marked_and_no_others(scenes):
    image, truth = scenes[1][0], masks_of(scenes)[1]
    predictions = {"with decoder": truth.roll(2, 0), "without decoder": truth.roll(5, 1), "perfect": truth}
    band = trimap_band(truth, 3)
    fig = plots.draw_errors(image, truth, predictions, band, LESSON_CLASSES, "Within 3 pixels of an outline")
    assert len(fig.axes) == 5
    vermilion = np.array([0xD5, 0x5E, 0x00]) / 255
    for ax, (name, mask) in zip(fig.axes[2:], predictions.items(), strict=True):
        picture = np.asarray(ax.images[0].get_array())
        wrong = ((mask != truth) & band).numpy()
        assert np.array_equal(np.isclose(picture, vermilion, atol=1e-4).all(axis=2), wrong)
        right = band.numpy() & ~wrong & (mask > 0).numpy() & ~outline(truth).numpy()
        colours = plots.color_mask(mask, LESSON_CLASSES).permute(1, 2, 0).numpy() / 255
        assert np.abs(picture[right] - colours[right]).max() <= 0.25, "in the band as predicted"
        assert picture[~band.numpy()].min() >= 0.7, "outside the band pale"
        share = 100 * wrong.sum() / band.sum().item()
        assert ax.get_title() == f"{name}\n{share:.0f} % of the band wrong"
    assert "0 % of the band wrong" in fig.axes[-1].get_title()
    assert not any("nan" in text for text in texts(fig))
    readable(fig)
    assert len(plots.encode(fig, photo=True)[1]) < LIMIT


def test_an_empty_band_has_nothing_wrong(scenes):
    mask = torch.zeros(160, 160, dtype=torch.int64)
    fig = plots.draw_errors(scenes[0][0], mask, {"model": mask}, mask.bool(), LESSON_CLASSES, "Nothing there")
    assert fig.axes[-1].get_title() == "model\n0 % of the band wrong"


def test_each_picture_has_its_label(scenes):
    images, labels = [image for image, _ in scenes[:3]], ["Egyptian cat .71\ntabby .20", "espresso .99", "a guess .12"]
    fig = plots.draw_labelled(images, labels, "One label per image")
    assert [ax.get_xlabel() for ax in fig.axes] == labels
    for ax, image in zip(fig.axes, images, strict=True):
        assert np.array_equal(ax.images[0].get_array(), image.permute(1, 2, 0).numpy())
    readable(fig)


@pytest.mark.parametrize("count", [1, 7, 8])
def test_a_sheet_shows_every_image_once_with_its_number(scenes, count):
    images = [scenes[i % 4][0][:, : 160 - 20 * i] for i in range(count)]  # of eight heights
    fig = plots.draw_sheet(images, "All of them", columns=4)
    (ax,) = fig.axes
    assert [text.get_text() for text in ax.texts] == [str(i) for i in range(count)]
    assert len(ax.images) == count and ax.get_ylim() == (-(-count // 4) - 0.5, -0.5)
    for i, (drawn, image) in enumerate(zip(ax.images, images, strict=True)):
        left, right, bottom, top = drawn.get_extent()
        assert i % 4 - 0.5 < left < right < i % 4 + 0.5 and i // 4 - 0.5 < top < bottom < i // 4 + 0.5, "in its cell"
        assert (bottom - top) / (right - left) == pytest.approx(image.shape[-2] / image.shape[-1]), "not stretched"
        assert np.array_equal(drawn.get_array(), image.permute(1, 2, 0).numpy())
    assert len(plots.encode(fig, photo=True)[1]) < LIMIT


def test_guesses_are_bars_of_their_probability(scenes):
    rows = {
        "mobilenet_v2": [("Egyptian cat", 0.7), ("a label that is far too long to be written beside a bar", 0.1)],
        "efficientnet_lite0": [("tabby", 0.4), ("lynx", 0.02)],
    }
    fig = plots.draw_guesses(scenes[0][0], rows, "What is this?")
    for ax, (name, guesses) in zip(fig.axes[1:], rows.items(), strict=True):
        assert ax.get_title() == name
        assert [patch.get_width() for patch in ax.patches] == [pytest.approx(100 * p) for _, p in guesses]
        assert ax.get_xlim() == (0, 100), "the same scale in every figure"
    assert len(fig.axes[1].get_yticklabels()[1].get_text()) <= 20
    readable(fig)


def filled(fig):
    """Of each row of a drawn convolution, from the input up: the places that are read, by their position."""
    blue = plots.COLORS["backbone"].lower()
    squares = [
        (patch.get_x() + 0.36, round(patch.get_y() + 0.16), to_hex(patch.get_facecolor()))
        for patch in fig.axes[0].patches
    ]
    rows = sorted({row for _, row, _ in squares})
    return [[round(x, 3) for x, y, color in squares if y == row and color == blue] for row in rows]


def test_a_drawn_convolution_reads_what_the_real_one_reads():
    """Against a real convolution of ones: which input values change the middle output?"""
    layers = [(3, 2, 1, 1), (3, 1, 2, 2)]
    fig = draw_conv(16, layers, "Two layers")
    x = torch.zeros(1, 1, 16, requires_grad=True)
    out = x
    for kernel_size, stride, padding, dilation in layers:
        out = torch.nn.functional.conv1d(out, torch.ones(1, 1, kernel_size), None, stride, padding, dilation)
    out[0, 0, (out.shape[-1] - 1) // 2].backward()
    expected = x.grad[0, 0].nonzero().flatten().tolist()
    assert [place for place in filled(fig)[0] if place >= 0] == expected
    assert [text.get_text() for text in fig.axes[0].texts] == ["input: 16", "layer 1: 8", f"layer 2: {out.shape[-1]}"]
    readable(fig)


def test_padding_is_hollow():
    fig = draw_conv(5, [(3, 1, 2, 1)], "Padded")
    hollow = [patch for patch in fig.axes[0].patches if patch.get_linestyle() == ":"]
    assert len(hollow) == 4
    assert filled(draw_conv(5, [(7, 1, 3, 1)], "Wide"))[0] == [-1, 0, 1, 2, 3, 4, 5], "a kernel may read padding"


@pytest.mark.parametrize("size, layers", [(8, [(3, 1, 0, 1)] * 3), (24, [(7, 3, 3, 1)] * 2), (20, [(3, 1, 2, 2)] * 3)])
def test_any_stack_can_be_read(size, layers):
    readable(draw_conv(size, layers, "A stack"))


def test_a_kernel_that_does_not_fit():
    with pytest.raises(ValueError, match=r"reaches over 7 places does not fit into 3 \+ 2 \* 1"):
        draw_conv(3, [(7, 1, 1, 1)], "Too small")


@pytest.mark.parametrize("backbone", ["resnet50", "vgg16", "vit_small"])
@pytest.mark.parametrize("size", [160, 512])
def test_a_detectors_many_blocks_can_be_read(backbone, size):
    model = on_meta(build_model, backbone, "fcos", 21, output_stride=FIXED_STRIDES.get(backbone, 16))
    fig = draw_network(blocks(model, (size, size)), (size, size), f"{backbone} under fcos")
    readable(fig)
    written = " ".join(text.get_text() for text in fig.axes[0].texts)
    assert "bbox" in written and "ctrness" in written and "stride 32" in written


def test_a_pyramid_stands_under_its_backbone_and_the_head_beside_both():
    rows = blocks(on_meta(build_model, "resnet50", "fcos", 21), (160, 160))
    _, drawn = box_of(draw_network(rows, (160, 160), "title"), rows)
    middle = {
        name: (box.get_x() + box.get_width() / 2, box.get_y() + box.get_height() / 2) for name, box in drawn.items()
    }
    for number in "345":
        assert middle[f"p{number}"] == pytest.approx((middle[f"c{number}"][0], middle["p7"][1]), abs=0.4)
        assert middle[f"p{number}"][1] < middle[f"c{number}"][1]
    assert middle["p5"][0] < middle["p6"][0] < middle["p7"][0] < middle["class_tower"][0]
    assert middle["class_tower"][1] == middle["cls_logits"][1] > middle["box_tower"][1] == middle["bbox_reg"][1]
    assert middle["bbox_ctrness"][1] < middle["bbox_reg"][1], "it reads the tower too, not the boxes"


def test_strides_are_the_declared_ones():
    """AlexNet rounds down: 19 rows of 160 pixels, and yet a stride of 8."""
    fig = draw_network(
        blocks(on_meta(build_model, "alexnet", "fully_connected", 10), (160, 160)), (160, 160), "AlexNet"
    )
    under = [text.get_text() for text in fig.axes[0].texts if "19 x 19" in text.get_text()]
    assert under == ["64\n19 x 19\nstride 8"]


def test_feature_maps_at_their_own_resolution(scenes):
    features = {"c2": torch.randn(1, 24, 40, 40), "c5": torch.randn(1, 320, 10, 7)}
    fig = plots.draw_features(scenes[0][0], features, "What each stage answers to")
    for ax, (key, value) in zip(fig.axes[1:], features.items(), strict=False):
        torch.testing.assert_close(torch.tensor(ax.images[0].get_array().tolist()), value[0].abs().mean(dim=0))
        assert ax.get_title() == f"{key}\n{value.shape[1]} channels, {value.shape[2]} x {value.shape[3]}"
    assert len(plots.encode(fig, photo=True)[1]) < LIMIT


def test_bars_of_cost_add_up(model):
    costs = {"DeepLabv3+": count(model, (160, 160)), "again": count(model, (320, 320))}
    fig = plots.draw_costs(costs, "What it costs")
    for ax, column, scale in zip(fig.axes, (0, 1), (1e6, 1e9), strict=True):
        bars = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
        assert len(bars) == 4
        for (backbone, head), cost in zip((bars[:2], bars[2:]), costs.values(), strict=True):
            assert backbone.get_width() == pytest.approx(cost.part("backbone")[column] / scale)
            assert head.get_width() == pytest.approx(cost.part("head")[column] / scale)
            assert head.get_x() == pytest.approx(backbone.get_width()), "one after the other"
            assert to_hex(backbone.get_facecolor()).upper() == plots.COLORS["backbone"]
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["DeepLabv3+", "again"]
    readable(fig)


def test_lines_are_named_at_their_ends():
    lines = {"with decoder": [0.3, 0.4, 0.5], "without": [0.2, 0.3, 0.4]}
    fig = plots.draw_lines([1, 2, 4], lines, "mIoU near outlines", xlabel="width, pixels", ylabel="mIoU")
    assert [list(line.get_ydata()) for line in fig.axes[0].lines] == list(lines.values())
    ends = {text.get_text(): text.xy for text in fig.axes[0].texts}
    assert ends == {"with decoder": (4, 0.5), "without": (4, 0.4)}
    readable(fig)


# ------------------------------------------------------------------------------------------------- charts


def test_bars_are_made_of_their_parts():
    rows = {"ordinary": {"both": 9.0}, "separable": {"around": 1.0, "mixes": 2.5}}
    fig = plots.draw_bars(rows, "Two layers", xlabel="million multiply-adds")
    widths = [patch.get_width() for patch in fig.axes[0].patches if patch.get_width()]
    assert widths == [9.0, 1.0, 2.5]
    assert {" 9.0", " 3.5"} <= set(texts(fig))
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["both", "around", "mixes"]
    readable(fig)
    assert not plots.draw_bars({"a": {"x": 1.0}}, "One part", xlabel="x").legends, "one part needs no legend"


POINTS = {"mobilenet_v2": (0.3, 13), "efficientnet_lite0": (0.385, 15), "resnet18": (1.8, 28), "resnet50": (4.1, 60)}


@pytest.mark.parametrize("log", [False, True, "x"])
def test_points_have_their_names_beside_them(log):
    line = ([0.3, 4.1], [5, 60], "as fast as ResNet-50")
    fig = plots.draw_points(POINTS, "Time", xlabel="work", ylabel="ms", log=log, faded=("resnet18",), line=line)
    ax = fig.axes[0]
    dots = {(dot.get_xdata()[0], dot.get_ydata()[0]): dot for dot in ax.lines if dot.get_marker() == "o"}
    assert list(dots) == list(POINTS.values())
    assert to_hex(dots[1.8, 28].get_color()).upper() == plots.COLORS["input"]
    assert {text.get_text(): text.xy for text in ax.texts} == POINTS
    assert (ax.get_xscale(), ax.get_yscale()) == (("log" if log else "linear"), ("log" if log is True else "linear"))
    readable(fig)


def test_points_close_together_can_still_be_read():
    points = {f"network {i}": (1 + 0.02 * i, 2 + 0.01 * i) for i in range(4)}
    readable(plots.draw_points(points | {"far": (3, 4)}, "Crowded", xlabel="x", ylabel="y"))


# ------------------------------------------------------------------------------------------------- overlays


def test_boxes_where_they_are(scenes):
    images = [image for image, _ in scenes[:3]]
    truth = [{key: target[key] for key in ("boxes", "labels")} for _, target in scenes[:3]]
    found = [each | {"scores": torch.linspace(0.9, 0.4, len(each["boxes"]))} for each in truth]
    fig = plots.draw_boxes(images, {"truth": truth, "found": found}, LESSON_CLASSES, "Boxes")
    assert [fig.axes[i].get_ylabel() for i in (0, 3)] == ["truth", "found"]
    for ax, objects in zip(fig.axes, [*truth, *found], strict=True):
        frames = {(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in ax.patches}
        boxes = objects["boxes"].as_subclass(torch.Tensor)
        assert frames == {(a - 0.5, b - 0.5, c - a, d - b) for a, b, c, d in boxes.tolist()}
        words = sorted(text.get_text().split()[0] for text in ax.texts)
        assert words == sorted(LESSON_CLASSES[label] for label in objects["labels"])
    many = {"boxes": torch.rand(30, 4), "labels": torch.ones(30, dtype=torch.int64)}
    assert not plots.draw_boxes(images[:1], {"": [many]}, LESSON_CLASSES, "Many").axes[0].texts


def test_places_that_answer_have_their_boxs_colour():
    places = {
        "points": torch.tensor([[0.0, 0], [8, 0], [0, 8], [8, 8], [0, 0]]),
        "strides": torch.tensor([8.0, 8, 8, 8, 16]),
        "levels": torch.tensor([0.0, 0, 0, 0, 1]),
    }
    boxes = torch.tensor([[4.0, 4, 12, 12], [6, -3, 9, 3]])
    fig = plots.draw_places(torch.rand(3, 16, 16), places, ("p3", "p4"), "Who answers?", boxes=boxes)
    assert [ax.get_title() for ax in fig.axes] == [
        "p3, stride 8\n4 places, 2 answer",
        "p4, stride 16\n1 places, 0 answer",
    ]
    dots = fig.axes[0].collections[1]
    edges = [to_hex(p.get_edgecolor()) for p in fig.axes[0].patches]
    drawn = dict(zip(map(tuple, dots.get_offsets().tolist()), map(to_hex, dots.get_facecolors()), strict=True))
    assert drawn == {(8.0, 0.0): edges[1], (8.0, 8.0): edges[0]} and edges[0] != edges[1]


def test_the_four_distances_of_a_place():
    fig = plots.draw_distances(torch.rand(3, 64, 64), torch.tensor([20.0, 30]), torch.tensor([10.0, 5, 60, 50]), "Four")
    assert {text.get_text() for text in fig.axes[0].texts} >= {"left 10", "top 25", "right 40", "bottom 20"}


def test_a_pyramid_is_drawn_from_its_maps():
    features = {f"c{i}": torch.rand(1, 8 * i, 64 // 2**i, 96 // 2**i) for i in (3, 4, 5)}
    maps = {f"p{i}": torch.rand(1, 4, max(1, 64 // 2**i), max(1, 96 // 2**i)) for i in (3, 4, 5, 6, 7)}
    fig = plots.draw_pyramid(torch.rand(3, 64, 96), features, maps, "Pyramid")
    (ax,) = fig.axes
    assert len(ax.images) == 1 + 3 + 5
    drawn = [torch.tensor(image.get_array().tolist()) for image in ax.images[1:]]
    for value, picture in zip([*features.values(), *maps.values()], drawn, strict=True):
        assert torch.allclose(picture, value[0].mean(dim=0))
    words = [text.get_text() for text in ax.texts]
    assert words.count("1x1") == 3 and words.count("enlarged, added") == 2 and words.count("3x3, stride 2") == 2
    assert "c5\n40 channels\n2 x 3" in words and "p3\n4 channels\n8 x 12" in words
    readable(fig)


def some_masks(count, height, width):
    """Masks that overlap: rectangles, each from another corner."""
    masks = torch.zeros(count, height, width, dtype=torch.bool)
    for i in range(count):
        masks[i, i : i + height // 2, i : i + width // 2] = True
    return masks


def test_each_instance_has_its_colour_and_the_first_lies_on_top():
    image, masks = torch.full((3, 40, 60), 0.5), some_masks(2, 40, 60)
    fig = plots.draw_instances(
        [image] * 2, {"truth": [masks[:0], masks], "found": [masks, masks]}, "Masks", names=["a"]
    )
    assert [ax.get_ylabel() for ax in fig.axes] == ["truth", "", "found", ""] and fig.axes[0].get_title() == "a"
    none, both = (torch.tensor(fig.axes[i].images[0].get_array().tolist()) for i in (0, 1))
    assert torch.allclose(none, torch.tensor(0.5))
    first, second = (torch.tensor(to_rgb(color)) for color in plots.OBJECTS[:2])
    below = 0.45 * 0.5 + 0.55 * second
    assert torch.allclose(both[10, 10], 0.45 * below + 0.55 * first), "in both masks: the first one on top"
    assert torch.allclose(both[20, 30], second), "an outline in full colour"
    readable(fig)


def test_sampling_points_over_the_map_and_what_comes_out():
    features, box = torch.rand(4, 10, 12), torch.tensor([13.0, 9, 50, 38])
    fig = plots.draw_sampling(torch.rand(3, 40, 48), features, box, 4, 7, "Sampling", rounded=True)
    on_image, on_map, out = fig.axes
    points = sampling_points(box[None] / 4, 7).reshape(-1, 2)
    assert torch.allclose(torch.tensor(on_map.collections[0].get_offsets().tolist()), points)
    (frame,) = on_map.patches
    left, top = frame.get_xy()
    assert (left, top, left + frame.get_width(), top + frame.get_height()) == (3, 2, 12, 10)
    drawn = torch.tensor(out.images[0].get_array().tolist())
    assert torch.allclose(drawn, roi_align(features, box[None], 4, 7)[0].abs().mean(dim=0))
    assert on_image.get_title() == "the region, 37 x 29 pixels"
    readable(fig)


def test_a_region_through_both_heads():
    mask, pasted = torch.rand(28, 28), torch.zeros(40, 48)
    pasted[5:20, 5:20] = 1
    squares = torch.rand(4, 7, 7), torch.rand(4, 14, 14)
    boxes = torch.tensor([[3.0, 4, 20, 22], [4, 5, 21, 24]])
    scores = [("dog", 0.75), ("cat", 0.2)]
    fig = plots.draw_region(torch.rand(3, 40, 48), *boxes, squares, scores, mask, pasted, "Region")
    assert [bar.get_width() for bar in fig.axes[2].patches] == [75, 20]
    assert [text.get_text() for text in fig.axes[2].texts] == ["dog 75 %", "cat 20 %"]
    assert torch.equal(torch.tensor(fig.axes[6].images[0].get_array().tolist()), mask)
    assert fig.axes[1].get_title() == "4 x 7 x 7" and fig.axes[5].get_title() == "4 x 14 x 14"
    readable(fig)


def test_two_stages_from_their_tensors():
    features = {f"c{i}": torch.rand(1, 8 * i, 64 // 2**i, 96 // 2**i) for i in (2, 3, 4, 5)}
    maps = {f"p{i}": torch.rand(1, 4, max(1, 64 // 2**i), max(1, 96 // 2**i)) for i in (2, 3, 4, 5, 6)}
    regions = torch.rand(3, 4, 7, 7), torch.rand(3, 4, 14, 14)
    masks, pasted = torch.rand(3, 28, 28), some_masks(3, 64, 96)
    proposals = torch.tensor([[0.0, 0, 48, 32], [10, 10, 90, 60]])
    fig = plots.draw_two_stages(
        torch.rand(3, 64, 96), features, maps, proposals, regions, ["a", "b", "c"], masks, pasted, "Two stages"
    )
    (ax,) = fig.axes
    small = [torch.tensor(im.get_array().tolist()) for im in ax.images if im.get_array().ndim == 2]
    due = [value[0].mean(dim=0) for value in (*features.values(), *maps.values())]
    due += [each for i in range(3) for each in (*(size[i].mean(dim=0) for size in regions), masks[i])]
    assert len(small) == len(due) and all(torch.allclose(a, b) for a, b in zip(small, due, strict=True))
    words = {text.get_text() for text in ax.texts}
    assert {"RPN: proposals", "c2", "p6", "(i) backbone, in the paper's words", "once for each region"} <= words
    assert len([p for p in ax.patches if p.get_linewidth() == 0.4]) == 2
    readable(fig)


def test_many_heads_each_with_the_map_that_it_reads():
    features = {f"c{i}": torch.rand(1, 8 * i, 64 // 2**i, 96 // 2**i) for i in (3, 4, 5)}
    pyramid = {f"p{i}": torch.rand(1, 4, 64 // 2**i, 96 // 2**i) for i in (3, 4, 5)}
    heads = {
        "classes": ("c5", ["cat, 90 %", "dog, 2 %"]),
        "mask": ("c4", torch.rand(3, 64, 96)),
        "boxes": ("pyramid", torch.rand(3, 64, 96)),
    }
    fig = plots.draw_many_heads(torch.rand(3, 64, 96), features, pyramid, heads, "Many heads")
    (ax,) = fig.axes
    small = [torch.tensor(im.get_array().tolist()) for im in ax.images if im.get_array().ndim == 2]
    due = [value[0].mean(dim=0) for value in (*features.values(), *pyramid.values())]
    assert len(small) == len(due) and all(torch.allclose(a, b) for a, b in zip(small, due, strict=True))
    assert len([im for im in ax.images if im.get_array().ndim == 3]) == 3, "the image and two pictures as answers"
    words = {text.get_text() for text in ax.texts}
    assert {"classes", "mask", "boxes", "cat, 90 %\ndog, 2 %", "neck: FPN", "backbone, once"} <= words
    readable(fig)


def test_a_spread_shows_every_run_and_the_mean():
    series = {
        "frozen": {"20": [30.0, 40.0], "80": [50.0]},
        "fine-tuned": {"20": [45.0, 46.0], "80": [60.0, 62.0, 64.0]},
    }
    fig = plots.draw_spread(series, "Spread", xlabel="photographs", ylabel="IoU, %")
    (ax,) = fig.axes
    dots = [line for line in ax.lines if line.get_marker() == "o" and line.get_linestyle() == "None"]
    assert [list(line.get_ydata()) for line in dots] == [[30, 40], [50], [45, 46], [60, 62, 64]]
    assert [text.get_text() for text in ax.texts] == ["35", "50", "46", "62"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["20", "80"]
    assert all(abs(line.get_xdata()[0] - round(line.get_xdata()[0])) < 0.5 for line in dots), "each at its group"
    readable(fig)
    with pytest.raises(ValueError, match="6 colours for 7 series"):
        plots.draw_spread({str(i): {"a": [1.0]} for i in range(7)}, "Too many", xlabel="x", ylabel="y")


def test_patches_show_what_lies_around_a_place():
    images = [torch.rand(3, 96, 128) for _ in range(3)]
    fig = plots.draw_patches(images, [(64, 48), (64, 48), (0, 95)], ["chosen", "0.9", "0.8"], "Patches")
    whole, middle, corner = (torch.tensor(ax.images[0].get_array().tolist()).permute(2, 0, 1) for ax in fig.axes)
    assert torch.allclose(whole, images[0]) and torch.allclose(middle, images[1][:, 8:88, 24:104])
    assert torch.allclose(corner, images[2][:, 16:96, 0:80]), "a square that would end outside is moved"
    assert fig.axes[0].patches[0].get_bbox().extents.tolist() == [24, 8, 104, 88]
    marks = [tuple(float(v[0]) for v in ax.lines[0].get_data()) for ax in fig.axes]
    assert marks == [(64, 48), (40, 40), (0, 79)], "the cross is on the place itself"
    readable(fig)


def test_heat_at_its_own_resolution():
    image, places = torch.rand(3, 64, 96), torch.rand(2, 3)
    fig = plots.draw_heat(image, {"stride 32": places, "stride 16": torch.rand(4, 6)}, "Heat")
    assert torch.equal(torch.tensor(fig.axes[1].images[0].get_array().tolist()), places)
    assert fig.axes[1].get_title() == "stride 32\n2 x 3 places"
    readable(fig)


@pytest.mark.parametrize("mode", UPSAMPLINGS)
def test_what_is_below_the_threshold_is_darkened(mode):
    image, places = torch.full((3, 8, 8), 200, dtype=torch.uint8), torch.tensor([[0.0, 1.0]])
    fig = plots.draw_found(image, places, 0.5, mode, "Found")
    drawn = np.asarray(fig.axes[2].images[0].get_array())
    assert np.allclose(drawn[:, 4:], 200 / 255) and np.allclose(drawn[:, :4], 200 / 255 / 4)
    readable(fig)
    with pytest.raises(ValueError, match="nearest, bilinear, got 'cubic'"):
        plots.upsample(places, (8, 8), "cubic")


@pytest.mark.parametrize("size, rate, row, column", [(10, 6, 3, 3), (10, 12, 0, 9), (65, 36, 40, 64), (5, 1, 2, 2)])
def test_a_kernel_on_a_map(size, rate, row, column):
    fig = draw_kernel(size, rate, row, column, "A kernel")
    patches = [patch for patch in fig.axes[0].patches if to_hex(patch.get_facecolor()) == "#009e73"]
    inside = [(row + y, column + x) for y in (-rate, 0, rate) for x in (-rate, 0, rate)]
    inside = [place for place in inside if all(0 <= i < size for i in place)]
    centres = [(round(p.get_y() + p.get_height() / 2), round(p.get_x() + p.get_width() / 2)) for p in patches]
    assert sorted(centres) == sorted(inside)
    counts = torch.tensor(fig.axes[1].images[0].get_array().tolist())
    read = torch.nn.functional.conv2d(torch.ones(1, 1, size, size), torch.ones(1, 1, 3, 3), padding=rate, dilation=rate)
    assert torch.equal(counts.float(), read[0, 0])
    readable(fig)


def test_a_row_of_passes_shows_its_numbers_and_what_one_reads():
    rows = [[1, 2, 0, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    fig = draw_row_passes(rows, 2, 1, "Two passes")
    bold = {(round(p.get_x() + 0.36), round(p.get_y() + 0.19)) for p in fig.axes[0].patches if p.get_linewidth() > 2}
    assert bold == {(1, 2), (-1, 1), (1, 1), (3, 1), *((x, 0) for x in range(-2, 5))}
    numbers = [text.get_text() for text in fig.axes[0].texts if text.get_position()[1] == 2]
    assert numbers == ["8", "9", "10", "11", "after the second"]
    one = [text.get_text() for text in draw_row_passes(rows, 1, 0, "One pass").axes[0].texts]
    assert "8" in one and "9" not in one and "5" not in one
    readable(fig)


def test_passes_fill_a_finer_map(scenes):
    passes = {(i, j): torch.full((5, 5), 0.25 * (2 * i + j)) for i in range(2) for j in range(2)}
    fig = draw_passes(scenes[0][0], passes, 2, "Four passes")
    maps = [ax.images[0].get_array() for ax in fig.axes[4:8]]
    assert [int(np.isfinite(np.ma.filled(value, np.nan)).sum()) for value in maps] == [25, 50, 75, 100]
    assert fig.axes[2].get_title() == "16 up, 0 left" and np.ma.filled(maps[3])[1, 0] == 0.5
    moved = torch.as_tensor(fig.axes[3].images[0].get_array())
    assert torch.equal(moved[0, 0], scenes[0][0][:, 16, 16])
    readable(fig)


def test_the_ruler_draws_places_where_they_look():
    fig = draw_ruler(65, 16, "65 pixels")
    looks, plain, corners = (
        [float(x) for x in line.get_xdata()] for line in fig.axes[0].lines if line.get_marker() == "o"
    )
    assert looks == corners == [0, 16, 32, 48, 64] and plain == stretched_places(65, 5, align_corners=False)
    assert plain[0] == 6 and plain[2] == 32
    readable(fig)
    moved = draw_ruler(224, 32, "TensorFlow's padding", first=31.0)
    line = next(line for line in moved.axes[0].lines if line.get_marker() == "o")
    assert [float(x) for x in line.get_xdata()] == [31, 63, 95, 127, 159, 191, 223]
    readable(moved)


# ------------------------------------------------------------------------------------------------- words


def texts_of(fig):
    return [text.get_text().replace("\n", " ") for text in fig.findobj(Text)]


def test_tokens_in_rows():
    patch = torch.rand(3, 16, 16)
    fig = plots.draw_tokens({"a photograph": [patch, patch], "a text": ["[CLS]", "cat", None]}, "Tokens")
    (ax,) = fig.axes
    assert len(ax.images) == 2 and len(ax.patches) == 5
    assert {"a photograph", "a text", "[CLS]", "cat", "[PAD]"} <= set(texts_of(fig))
    assert [to_hex(square.get_edgecolor()) for square in ax.patches] == 4 * [plots.COLORS["backbone"].lower()] + [
        plots.COLORS["input"].lower()
    ]
    readable(fig)


def test_a_cloud_names_some_of_its_points():
    points, first = torch.rand(30, 2), torch.arange(30) < 10
    groups = {"animals": first, "others": ~first}
    fig = plots.draw_cloud(points, groups, {3: "cat"}, "Names", xlabel="x", ylabel="y")
    drawn = [line.get_xdata() for line in fig.axes[0].lines]
    assert [len(x) for x in drawn] == [10, 20, 1] and drawn[2][0] == points[3, 0].item()
    assert "cat" in texts_of(fig)
    readable(fig)


def test_every_part_of_every_network_stands_in_its_colour():
    fig = plots.draw_parts(NETWORKS, "Networks")
    boxes = [patch for patch in fig.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    roles = [role for network in NETWORKS for _, role in network.parts]
    assert [to_hex(box.get_facecolor()) for box in boxes] == [
        plots.COLORS.get(role, "#BDBDBD").lower() for role in roles
    ]
    words = {" ".join(words.split()) for network in NETWORKS for words, _ in network.parts}
    assert words <= set(texts_of(fig))
    readable(fig)


def test_a_definition_is_tried_on_all_parts():
    fig = plots.draw_definition(CASES, ["reads_input", "gives_features"], "A definition")
    texts = texts_of(fig)
    said = sum(case.reads_input and case.gives_features for case in CASES)
    course = [role_of(case) for case in CASES]
    assert texts.count("backbone") == said + course.count("backbone")
    assert texts.count("no") == 20 - said - course.count("backbone") and "neck" not in texts
    assert len(fig.axes[0].patches) == 2
    readable(fig)


# ------------------------------------------------------------------------------------------------- show


@pytest.fixture
def shell():
    """An IPython shell, so that `display` has somewhere to publish to."""
    from traitlets.config import Config

    yield InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    InteractiveShell.clear_instance()


@pytest.mark.parametrize(("photo", "kind", "form"), [(False, "image/png", "PNG"), (True, "image/jpeg", "JPEG")])
def test_a_figure_brings_its_alternative_text(shell, photo, kind, form):
    fig = plots.draw_lines([0, 1], {"a line": [0, 1]}, "A line", xlabel="x", ylabel="y")
    alt = "A line that rises from zero to one."
    with capture_output() as captured:
        plots.show(fig, alt, photo=photo)
    assert captured.stdout == captured.stderr == ""
    picture, caption = captured.outputs
    assert set(picture.data) == {kind, "text/plain"} and picture.data["text/plain"] == alt
    assert picture.metadata == {kind: {"alt": alt}}
    assert decoded(base64.b64decode(picture.data[kind])).format == form
    assert caption.data["text/markdown"] == f"*{alt}*"


# ------------------------------------------------------------------------------------------------- mechanisms


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(64, 64, 3, padding=1)

    def forward(self, x):
        return self.conv(x)


def test_blocks_are_as_wide_as_their_channels_and_cost_what_they_cost():
    drawn = {
        "plain": Plain(),
        "bottleneck": Bottleneck(256, 64),
        "inverted": InvertedResidual(64, 64),
        "Xception": XceptionBlock(256, (256, 256, 256)),
    }
    fig = plots.draw_blocks(drawn, 14, "Four blocks")
    readable(fig)
    shapes = [patch.get_xy() for patch in fig.axes[0].patches]
    widths = [(round(s[1][0] - s[0][0], 4), round(s[2][0] - s[3][0], 4)) for s in shapes]  # below, above
    scale = 1.4 / 384
    due = [(64, 64), (256, 64), (64, 64), (64, 256), (64, 384), (384, 384), (384, 64), *[(256, 256)] * 6]
    assert widths == [(round(a * scale, 4), round(b * scale, 4)) for a, b in due]
    for block in drawn.values():
        cost = count_params(block)
        assert any(f"{cost / 1e3:,.0f} thousand parameters" in text for text in texts(fig))
    work = 14 * 14 * (256 * 64 + 64 * 64 * 9 + 64 * 256)
    assert any(text.endswith(f"\n{work / 1e6:,.0f} million multiply-adds") for text in texts(fig))
    assert texts(fig).count("shortcut") == 3


@pytest.mark.parametrize(
    ("block", "due"),
    [
        (Plain(), False),
        (BasicBlock(8, 8), True),
        (Bottleneck(8, 8), True),  # by a convolution
        (InvertedResidual(8, 8, stride=2), False),
        (InvertedResidual(8, 8), True),
        (XceptionBlock(8, (8, 8, 8), last=True), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_shortcut_is_what_comes_through_without_weights(block, due):
    before = {key: value.clone() for key, value in block.state_dict().items()}
    assert has_shortcut(block) == due
    assert block.training and all(torch.equal(before[key], value) for key, value in block.state_dict().items())


def test_wiring_has_a_line_for_each_kernel():
    layers = {
        "ordinary": nn.Conv2d(4, 4, 3, padding=1),
        "depthwise": nn.Conv2d(4, 4, 3, padding=1, groups=4),
        "pointwise": nn.Conv2d(4, 6, 1),
        "two groups": nn.Conv2d(4, 2, 3, groups=2),
    }
    fig = plots.draw_wiring(layers, "Which channel goes where")
    readable(fig)
    for ax, layer in zip(fig.axes, layers.values(), strict=True):
        assert len(ax.lines) * layer.kernel_size[0] ** 2 == layer.weight.numel()
        assert ax.get_title().endswith(f"\n{layer.weight.numel()} weights")
    x = torch.rand(1, 4, 5, 5, requires_grad=True)
    for o in range(2):  # the lines go where the values come from
        seen = torch.autograd.grad(layers["two groups"](x)[0, o].sum(), x)[0].abs().sum(dim=(0, 2, 3)) > 0
        lines = {line.get_xdata()[0] for line in fig.axes[3].lines if line.get_xdata()[1] == o + 1}
        assert lines == set(seen.nonzero().flatten().tolist())


def test_each_weight_of_a_row_has_a_colour():
    conv, linear = nn.Conv1d(1, 1, 3, padding=1), nn.Linear(6, 4)
    fig = plots.draw_weights(6, {"convolution": conv, "linear layer": linear}, "Shared or not")
    readable(fig)
    for ax, layer in zip(fig.axes, (conv, linear), strict=True):
        x = torch.rand(1, 6, requires_grad=True)
        due = set()
        for o, value in enumerate(layer(x).flatten()):
            seen = torch.autograd.grad(value, x, retain_graph=True)[0].flatten().nonzero().flatten().tolist()
            due |= {(i, o) for i in seen}
        assert {tuple(line.get_xdata()) for line in ax.lines} == due
        colours = {to_hex(line.get_color()) for line in ax.lines}
        assert len(colours) == layer.weight.numel()


def test_neighbours_read_other_places_at_rate_two():
    fig = plots.draw_neighbours(15, ((1, 1, 1), (2, 2, 2), (1, 2, 3)), "What two neighbours read")
    readable(fig)
    counts = []
    for ax in fig.axes:
        colours = [to_hex(patch.get_facecolor()) for patch in ax.patches if patch.get_fill()]
        assert len(colours) == 15 * 15 and len(ax.patches) == 15 * 15 + 2
        counts.append([colours.count(colour) for colour in ("#56b4e9", "#cc79a7", "#444444")])
    assert counts == [[7, 7, 42], [49, 49, 0], [13, 13, 156]]


def test_rates_are_those_of_the_convolutions():
    stages = {f"output stride {s}": [resnet50(output_stride=s).layer4] for s in (32, 16, 8)}
    fig = plots.draw_rates(stages, "The last stage")
    readable(fig)
    words = [text for text in texts(fig) if "rate" in text and "The" not in text]
    assert words == ["stride 2\nrate 1", "rate 1", "rate 1", "rate 1", "rate 2", "rate 2", "rate 2", "rate 4", "rate 4"]


def test_where_no_rate_is_above_one_the_strides_are_named():
    network = resnet50()
    fig = plots.draw_rates({"ResNet-50": [network.layer1, network.layer2]}, "Two stages")
    readable(fig)
    boxes = [patch.get_x() for patch in fig.axes[0].patches if isinstance(patch, Rectangle)]
    assert [text for text in texts(fig) if text.startswith("stride")] == [f"stride {1 + (i == 3)}" for i in range(7)]
    gaps = [b - a for a, b in itertools.pairwise(boxes)]
    assert max(gaps) == gaps[2] and len({round(gap, 6) for gap in gaps}) == 2, "a gap between the stages"


def test_a_swap_lights_what_reads_the_backbone():
    with torch.device("meta"):
        models = {name: build_model(name, "deeplabv3plus", 5, channels=16) for name in ("mobilenet_v2", "resnet18")}
    fig = plots.draw_swap(models, "One head, two backbones")
    readable(fig)
    boxes = [patch for patch in fig.axes[0].patches if to_hex(patch.get_facecolor()) == "#e69f00"]
    lit = [patch for patch in boxes if patch.get_alpha() == 1]
    names = [key.rpartition(".")[0] for key, m in models["resnet18"].head.named_modules() if isinstance(m, nn.Conv2d)]
    assert len(boxes) == 2 * len(names) and len(lit) == 6, "five branches of ASPP and the path from c2"


def test_fields_and_places_over_a_photograph():
    fields = {"c1": (7, 2), "c5": (427, 32)}
    fig = plots.draw_fields(torch.rand(3, 300, 450), fields, "How far one value sees")
    for ax, (field, stride) in zip(fig.axes, fields.values(), strict=True):
        box = ax.patches[0]
        middle = (box.get_x() + field / 2, box.get_y() + field / 2)
        assert box.get_width() == field and middle in set(map(tuple, ax.lines[0].get_xydata().tolist()))
        assert len(ax.lines[0].get_xdata()) == -(-300 // stride) * -(-450 // stride)


def test_single_channels_spread_over_a_map():
    features = {"c1": torch.rand(1, 16, 12, 18), "c5": torch.rand(1, 100, 3, 5)}
    fig = plots.draw_channels(features, "One channel each", count=4)
    readable(fig)
    for i, (value, channel) in enumerate([(features["c1"], c) for c in (0, 4, 8, 12)]):
        drawn = fig.axes[i].images[0]
        assert np.array_equal(drawn.get_array(), value[0, channel].numpy())
        assert drawn.norm.vmin == -drawn.norm.vmax, "0 is white"
    assert [ax.get_title() for ax in fig.axes[4:]] == ["0", "25", "50", "75"]


def test_a_stack_of_maps_is_true_to_scale():
    features = {"c1": torch.rand(1, 4, 50, 80), "c2": torch.rand(1, 8, 25, 40)}
    fig = plots.draw_stack(torch.rand(3, 100, 160), features, "A pyramid")
    readable(fig)
    sides = [(image.get_extent()[1] * 2, image.get_extent()[3] * 2) for image in fig.axes[0].images]
    assert sides == [(160, 100), (80, 50), (40, 25)]


def test_intersection_and_union_in_three_colours():
    truth, mask = torch.zeros(40, 60, dtype=torch.bool), torch.zeros(40, 60, dtype=torch.bool)
    truth[5:25, 5:25], mask[5:25, 15:45] = True, True
    fig = plots.draw_iou(torch.rand(3, 40, 60), truth, mask, "bus", "How much of it")
    readable(fig)
    assert fig.axes[2].get_title() == f"{20 * 10} of {20 * 40} pixels: 25 %"
    assert fig.axes[0].get_title() == "the true bus: 400 pixels"
    picture = np.asarray(fig.axes[2].images[0].get_array())
    assert np.array_equal((picture.std(axis=2) < 1e-3), (~(truth ^ mask)).numpy()), "grey in both and in none"
    empty = torch.zeros_like(truth)
    assert plots.draw_iou(torch.rand(3, 40, 60), empty, empty, "bus", "t").axes[2].get_title().startswith("0 of 0")


def test_a_confusion_matrix_in_shares_of_each_row():
    confusion = torch.tensor([[90, 10, 0], [2, 6, 0], [0, 0, 0]])
    fig = plots.draw_confusion(confusion, ("background", "cat", "dog"), "Who is taken for whom")
    readable(fig)
    shares = np.asarray(fig.axes[0].images[0].get_array())
    assert np.allclose(shares, [[90, 10, 0], [25, 75, 0], [0, 0, 0]])
    assert [text.get_text() for text in fig.axes[0].texts] == ["90", "10", "25", "75"]


def test_a_level_to_compare_with_and_a_logarithmic_axis():
    lines = {"deep": [400.0, 20.0, 1.0], "shallow": [0.5, 0.6, 0.7]}
    fig = plots.draw_lines([1, 2, 3], lines, "Sizes", xlabel="layer", ylabel="size", log=True, level=(2.3, "guessing"))
    readable(fig)
    ax = fig.axes[0]
    assert ax.get_yscale() == "log" and list(ax.lines[0].get_ydata()) == [2.3, 2.3] and "guessing" in texts(fig)
