"""Layers of shapes refuse wrong arrays, and say which box lies where."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from explorer.core.layers import (
    Boxes,
    Grid,
    Lines,
    Points,
    Text,
    box_beside,
    boxes_at,
    frame_widths,
)

RED = np.array([[255, 0, 0]], np.uint8)


@pytest.mark.parametrize(("wrong", "words"), [
    (lambda: Boxes(np.zeros((1, 5), np.float32), RED), r"Boxes.xyxy .* got shape \(1, 5\)"),
    (lambda: Boxes(np.zeros((1, 4)), RED), "Boxes.xyxy .*float64"),  # type: ignore[arg-type]
    (lambda: Boxes(np.zeros((2, 4), np.float32), RED), r"must be \(2, 3\) .* shape \(1, 3\)"),
    (lambda: Boxes(np.zeros((1, 4), np.float32), RED, labels=("a", "b")), "2 entries for 1 boxes"),
    (lambda: Points(np.zeros((1, 3), np.float32), RED), r"Points.xy .* got shape \(1, 3\)"),
    (lambda: Points(np.zeros((2, 2), np.float32), RED), r"Points.colors must be \(2, 3\)"),
    (lambda: Lines(np.zeros(4, np.float32), RED), r"Lines.segments .* got shape \(4,\)"),
    (lambda: Lines(np.zeros((2, 4), np.float32), RED), r"Lines.colors must be \(2, 3\)"),
    (lambda: Grid(np.zeros(2), np.zeros(2, np.float32), (0, 0, 1, 1)), "Grid.xs"),  # type: ignore[arg-type]
    (lambda: Text("one\ntwo", (0, 0), swatches=((0, 0, 0),) * 3), "3 swatches for 2 lines"),
])  # fmt: skip
def test_wrong_arrays_are_named(wrong: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wrong()


def test_hit_testing_gives_the_smallest_box_first() -> None:
    boxes = np.array(
        [[0, 0, 100, 100], [10, 10, 20, 20], [15, 15, 60, 60], [90, 90, 95, 95]], np.float32
    )
    assert boxes_at(boxes, 16, 16).tolist() == [1, 2, 0]
    assert boxes_at(boxes, 100, 100).tolist() == [0], "the border belongs to the box"
    assert boxes_at(boxes, 200, 200).tolist() == []
    assert boxes_at(boxes, 101, 50, slack=2).tolist() == [0]
    assert boxes_at(np.zeros((0, 4), np.float32), 1, 1).tolist() == []


def test_frames_are_thinner_on_small_boxes_and_never_thinner_than_one() -> None:
    boxes = np.array([[0, 0, 100, 90], [0, 0, 30, 100], [50, 50, 44, 44]], np.float32)
    assert frame_widths(4.0, boxes).tolist() == [4.0, 2.5, 1.0], "corners may be swapped"
    assert frame_widths(0.5, boxes).tolist() == [0.5, 0.5, 0.5]


def test_keys_survive_hidden_boxes() -> None:
    boxes = Boxes(np.zeros((2, 4), np.float32), np.repeat(RED, 2, 0), keys=(7, 3))
    assert (boxes.key(1), boxes.row(3), boxes.row(5)) == (3, 1, None)
    plain = Boxes(np.zeros((2, 4), np.float32), np.repeat(RED, 2, 0))
    assert (plain.key(1), plain.row(1), plain.row(2)) == (1, 1, None)


def test_the_tile_beside_another_one() -> None:
    # 0 1 2
    # 3 4
    x, y = np.array([0, 10, 20, 0, 10]), np.array([0, 0, 0, 8, 8])
    tiles = np.stack([x, y, x + 10, y + 8], axis=1).astype(np.float32)
    assert box_beside(tiles, 0, 1, 0) == 1
    assert box_beside(tiles, 1, 1, 0) == 2
    assert box_beside(tiles, 1, -1, 0) == 0
    assert box_beside(tiles, 0, 0, 1) == 3
    assert box_beside(tiles, 4, 0, -1) == 1
    assert box_beside(tiles, 2, 1, 0) is None
    assert box_beside(tiles, 2, 0, 1) is None, "nothing is below it"
    assert box_beside(tiles[:1], 0, 1, 0) is None
