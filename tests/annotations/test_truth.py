from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explorer.annotations.truth import LAYER, truth_name, truth_of, with_truth
from explorer.core.layers import Board, Pane, Picture
from explorer.core.params import Box, Pick, param
from explorer.render.board import render_pane


@dataclass(frozen=True, slots=True)
class Taking:
    other: int = param(1, "Other", "Other.", low=0, high=3)
    boxes: tuple[Box, ...] = param((), "Truth", "Truth.", pick=Pick.TRUTH)


@dataclass(frozen=True, slots=True)
class Plain:
    words: tuple[str, ...] = param((), "Words", "Words.", choices=("a", "b"))


def test_the_parameter_is_found() -> None:
    assert truth_name(Taking) == "boxes"
    assert truth_name(Plain) == ""
    assert truth_name(type(None)) == ""
    box = Box(1, 2, 3, 4)
    assert truth_of(Taking(boxes=(box,))) == (box,)
    assert truth_of(Plain(words=("a",))) == ()


def test_boxes_are_drawn_on_photos_only() -> None:
    black = Picture(np.zeros((40, 60, 3), np.uint8))
    board = Board((Pane("image", (60, 40), (black,)), Pane("map", (60, 40), (black,), frame="map")))
    boxes = (Box(10, 10, 50, 30, ""), Box(2, 2, 8, 8, "cat"))
    marked = with_truth(board, boxes)
    assert marked.panes[1] is board.panes[1]
    layer = marked.boxes(LAYER)
    assert layer is not None
    assert layer.labels == ("", "cat")
    picture = render_pane(marked.panes[0])
    assert (picture[20, 9:12] > 200).any(), "the left side of the first box is white"
    assert (picture[20, 20:40] == 0).all(), "and its inside is empty"
    assert with_truth(marked, boxes) is marked
    assert with_truth(board, ()) is board
