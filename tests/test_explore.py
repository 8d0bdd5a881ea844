"""The widgets: every control swept through its callback; the picture follows, and the sentence under it fits."""

import html
import itertools
import re

import ipywidgets as widgets
import pytest
import torch

from deeplab_teach import explore, plots
from deeplab_teach.backbones import BACKBONES
from deeplab_teach.datasets import EmojiScenes
from deeplab_teach.explore import borders, draw_swap, play, swap_parts
from deeplab_teach.heads import HEADS
from deeplab_teach.metrics import trimap_band


@pytest.fixture(autouse=True)
def coarse_pictures(monkeypatch):
    """What is drawn is tested elsewhere: here it is drawn small, which is fast."""
    monkeypatch.setitem(plots.STYLE, "figure.dpi", 40)


def sentence_of(box):
    """The caption as a person reads it; it must be a paragraph of plain words."""
    text = html.unescape(re.fullmatch(r"<p [^>]*>([^<]*)</p>", box.caption.value)[1])
    assert re.fullmatch(r"[A-Za-z].*\.", text) and "nan" not in text and "<" not in text, text
    return text


def shown(box):
    return box.picture.layout.display != "none"


# ------------------------------------------------------------------------------------------------- play


def figure_of(value):
    return plots.draw_lines([0, 1], {"line": [0, value]}, "title", xlabel="x", ylabel="y")


def test_the_picture_follows_the_control():
    calls = []

    def draw(value):
        calls.append(value)
        return figure_of(value), f"The value is {value}."

    box = play(draw, value=widgets.IntSlider(value=1, min=0, max=5))
    assert calls == [1] and sentence_of(box) == "The value is 1."
    before = box.picture.value
    box.controls["value"].value = 4
    assert calls == [1, 4] and sentence_of(box) == "The value is 4." and box.picture.value != before
    box.controls["value"].description = "another name"
    assert calls == [1, 4], "only its value matters"
    box.controls["value"].value = 1
    assert box.picture.value == before


def test_what_does_not_exist_is_said_and_not_drawn():
    def draw(value):
        if value == 3:
            raise ValueError("three is <not> allowed.")
        return figure_of(value), f"The value is {value}."

    box = play(draw, value=widgets.IntSlider(value=1, min=0, max=5))
    assert shown(box)
    box.controls["value"].value = 3
    assert box.caption.value.count("<") == 2, "words of an error are no markup"
    assert "This combination does not exist: three is <not> allowed." in html.unescape(box.caption.value)
    assert not shown(box), "the last picture belongs to another choice"
    box.controls["value"].value = 2
    assert shown(box) and sentence_of(box) == "The value is 2."


def test_impossible_from_the_start():
    def draw(value):
        raise ValueError("nothing is allowed.")

    box = play(draw, value=widgets.IntSlider())
    assert not shown(box) and "nothing is allowed." in sentence_of(box)


def test_other_errors_are_not_hidden():
    def draw(value):
        raise KeyError("a mistake of ours")

    with pytest.raises(KeyError):
        play(draw, value=widgets.IntSlider())


@pytest.mark.parametrize(("photo", "start"), [(False, b"\x89PNG"), (True, b"\xff\xd8\xff")])
def test_the_format_of_the_picture(photo, start):
    box = play(lambda value: (figure_of(value), "A line."), photo=photo, value=widgets.IntSlider(value=1))
    assert box.picture.value.startswith(start)
    assert box.picture.format == ("jpeg" if photo else "png")


# ------------------------------------------------------------------------------------------------- lesson 00


def pairs():
    """All pairs of backbone and head, each differing from the one before in one of the two only."""
    for i, backbone in enumerate(BACKBONES):
        for head in list(HEADS)[:: 1 if i % 2 == 0 else -1]:
            yield backbone, head


def test_every_backbone_under_every_head(monkeypatch):
    """Every pair through the callbacks, and every output stride on the way."""
    box = swap_parts()
    controls = box.controls
    assert (controls["backbone"].options, controls["head"].options) == (tuple(BACKBONES), tuple(HEADS))
    assert list(controls["output_stride"].options) == [32, 16, 8]
    controls["backbone"].value, controls["head"].value = next(pairs())
    seen, pictures, last = set(), {}, (box.picture.value, box.caption.value)
    for (backbone, head), output_stride in zip(pairs(), itertools.cycle((16, 8, 32)), strict=False):
        with controls["output_stride"].hold_trait_notifications():
            pass
        controls["backbone"].value, controls["head"].value = backbone, head
        seen.add((backbone, head))
        text = sentence_of(box)
        assert shown(box) and text.startswith(f"{backbone} gives the head "), text
        assert f"({HEADS[head].__name__})" in text
        assert "Answer: 1000 scores." in text if head == "classification" else "21 score maps of 160 x 160." in text
        pictures[backbone, head] = box.picture.value
        del output_stride
    assert len(seen) == len(BACKBONES) * len(HEADS)
    assert len(set(pictures.values())) == len(pictures), "each pair has its own picture"
    assert last
