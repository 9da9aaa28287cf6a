"""Which cell a box came from, counted by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import helper

from explorer.core.errors import ExplorerError
from explorer.networks.onnx.outputs.decoders import Decoding
from explorer.networks.onnx.outputs.grids import Constants, cells_of, constants_of, fits
from explorer.networks.onnx.reading import read
from tests.networks.onnx_files import model_of, written

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (64, 96)
CELLS = 8 * 12 + 4 * 6 + 2 * 3
NONE = Constants()


def test_yolov8_stands_cell_by_cell() -> None:
    found = cells_of(Decoding("yolov8"), CELLS, SIZE, NONE)
    assert [(each.rows, each.columns, each.per_cell) for each in found.levels] == [
        (8, 12, 1), (4, 6, 1), (2, 3, 1)
    ]  # fmt: skip
    assert np.array_equal(found.order, np.arange(CELLS))
    row = 8 * 12 + 1 * 6 + 4  # the second level, row 1, column 4
    assert found.anchors[row].tolist() == [64, 16, 80, 32]
    assert not found.known


def test_yolov5_stands_anchor_by_anchor() -> None:
    sizes = tuple(np.array([[s, s], [2 * s, s], [s, 2 * s]], np.float32) for s in (10, 30, 90))
    found = cells_of(Decoding("yolov5"), 3 * CELLS, SIZE, Constants(sizes))
    assert [each.per_cell for each in found.levels] == [3, 3, 3]
    place = (2 * 12 + 5) * 3  # the first level, row 2, column 5
    assert found.order[place : place + 3].tolist() == [29, 96 + 29, 192 + 29]
    assert found.anchors[place + 1].tolist() == [34, 15, 54, 25]  # 20 x 10 around (44, 20)
    second = 3 * 96 + (3 * 6 + 1) * 3 + 2  # row 3, column 1, the third anchor
    assert found.order[second] == 3 * 96 + 2 * 24 + 19
    assert found.anchors[second].tolist() == [9, 26, 39, 86]  # 30 x 60 around (24, 56)
    assert found.known
    assert sorted(found.order) == list(range(3 * CELLS))
    assert not cells_of(Decoding("yolov5"), 3 * CELLS, SIZE, NONE).known


def test_levels_other_than_the_usual_ones() -> None:
    found = cells_of(Decoding("yolov5"), 5 * 6, SIZE, NONE)
    assert [(each.stride, each.per_cell) for each in found.levels] == [((32, 32), 5)]
    one = (np.ones((1, 2), np.float32),) * 2  # as many boxes: one anchor on each of two levels
    found = cells_of(Decoding("yolov5"), 24 + 6, SIZE, Constants(one))
    assert [(each.stride, each.per_cell) for each in found.levels] == [((16, 16), 1), ((32, 32), 1)]
    assert fits(SIZE, 24 + 6, "yolov8")
    assert not fits(SIZE, 7, "yolov8")
    with pytest.raises(ExplorerError, match="7 boxes do not stand on the cells of a 96 x 64"):
        cells_of(Decoding("yolox"), 7, SIZE, NONE)


def squares(rows: int, columns: int, sides: tuple[float, ...]) -> list[list[float]]:
    """Center and size, as parts of the image."""
    return [
        [(x + 0.5) / columns, (y + 0.5) / rows, side, side]
        for y in range(rows)
        for x in range(columns)
        for side in sides
    ]


def test_the_anchors_of_an_ssd_tell_its_levels() -> None:
    boxes = np.array([*squares(4, 6, (0.1, 0.2)), *squares(2, 3, (0.3, 0.4, 0.5))], np.float32)
    other = np.zeros((len(boxes) + 1, 4), np.float32)
    found = cells_of(Decoding("ssd"), len(boxes), SIZE, Constants(boxes=(other, boxes)))
    assert [(each.rows, each.columns, each.per_cell) for each in found.levels] == [
        (4, 6, 2), (2, 3, 3)
    ]  # fmt: skip
    assert np.allclose([each.stride for each in found.levels], [(16, 16), (32, 32)], atol=1e-4)
    at = (1 * 6 + 2) * 2 + 1  # row 1, column 2, the second anchor: 19.2 x 12.8 around (40, 24)
    assert np.allclose(found.anchors[at], [30.4, 17.6, 49.6, 30.4], atol=1e-4)
    assert found.known
    corners = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)
    same = cells_of(Decoding("ssd"), len(boxes), SIZE, Constants(boxes=(corners,)))
    assert np.allclose(same.anchors, found.anchors, atol=1e-4)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("boxes", "has selected them itself"),
        ("end-to-end", "has selected them itself"),
        ("detr", "comes from a query"),
        ("ssd", "The file has no anchors: none of its constants holds 30 boxes"),
    ],
)
def test_where_there_are_none_one_sentence_says_so(form: str, words: str) -> None:
    weights = np.random.default_rng(0).random((30, 4)).astype(np.float32)
    with pytest.raises(ExplorerError, match=words) as caught:
        cells_of(Decoding(form), 30, SIZE, Constants(boxes=(weights,)))
    assert caught.value.message.count(". ") == 0
    assert caught.value.hint


def anchored(path: Path, *, squared_twice: bool) -> Path:
    """w = (2 s)² anchor, as YOLOv5 exports it, or s² (4 anchor), as v7 does."""
    sizes = np.array([[10, 13], [16, 30], [33, 23]], np.float32).reshape(1, 3, 1, 1, 2)
    nodes = [helper.make_node("Sigmoid", ["image"], ["s"])]
    base = "s"
    if squared_twice:
        nodes.append(helper.make_node("Mul", ["s", "two"], ["base"]))
        base = "base"
    nodes += [
        helper.make_node("Pow", [base, "two"], ["square"]),
        helper.make_node("Mul", ["square", "sizes"], ["wh"]),
        helper.make_node("Add", ["wh", "grid"], ["out"]),
    ]
    constants = {
        "two": np.array(2, np.float32),
        "sizes": sizes if squared_twice else 4 * sizes,
        "grid": np.indices((2, 3)).transpose(1, 2, 0)[None, None].astype(np.float32) + 1,
    }
    model = model_of(
        nodes, given={"image": [1, 3, 2, 3, 2]}, made={"out": [1, 3, 2, 3, 2]}, constants=constants
    )
    return written(model, path)


@pytest.mark.parametrize("squared_twice", [True, False])
def test_the_anchors_of_a_yolo_are_constants_of_the_file(
    squared_twice: bool, tmp_path: Path
) -> None:
    found = constants_of(read(anchored(tmp_path / "a.onnx", squared_twice=squared_twice)))
    (sizes,) = found.sizes  # the grid, whose numbers differ from cell to cell, is none
    assert sizes.tolist() == [[10, 13], [16, 30], [33, 23]]
