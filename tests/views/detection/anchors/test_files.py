"""The anchors of detectors that are ONNX files; one sentence where they have none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import helper

import explorer
from explorer.core.errors import ExplorerError
from explorer.core.params import Point
from tests.networks.onnx_files import constant_detector, model_of, written

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (64, 96)
PHOTO = np.zeros((*SIZE, 3), np.uint8)


def look(path: Path, **params: Any) -> Any:
    return explorer.look("anchors", PHOTO, network=str(path), **params)


def ssd(path: Path, *, apart: bool) -> Path:
    """Default boxes of two sizes on 4 x 6 cells; one is moved by a quarter of its width."""
    middles = [((x + 0.5) / 6, (y + 0.5) / 4) for y in range(4) for x in range(6)]
    boxes = np.array([[*m, s, s] for m in middles for s in (0.25, 0.5)], np.float32)
    offsets = np.zeros_like(boxes)
    at = (2 * 6 + 3) * 2 + 1  # row 2, column 3, the second anchor
    offsets[at] = [0.25, 0, 0, np.log(0.5)]
    scores = np.zeros((1, len(boxes), 5), np.float32)
    scores[..., 0], scores[0, at, 2] = 1, 0.6
    constants = {"offsets": offsets[None], "fixed": scores, "zero": np.zeros((), np.float32)}
    if apart:
        constants |= {"middle": boxes[None, :, :2], "side": boxes[None, :, 2:]}
    else:
        constants |= {
            "priors": boxes[None], "0": np.array([0]), "2": np.array([2]), "4": np.array([4]),
            "axis": np.array([2]),
        }  # fmt: skip
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["none"]),
        helper.make_node("Add", ["offsets", "none"], ["t"]),
        helper.make_node("Split", ["t"], ["txy", "twh"], axis=2),
        *([] if apart else [
            helper.make_node("Slice", ["priors", "0", "2", "axis"], ["middle"]),
            helper.make_node("Slice", ["priors", "2", "4", "axis"], ["side"]),
        ]),
        helper.make_node("Mul", ["txy", "side"], ["dxy"]),
        helper.make_node("Add", ["middle", "dxy"], ["xy"]),
        helper.make_node("Exp", ["twh"], ["grown"]),
        helper.make_node("Mul", ["side", "grown"], ["wh"]),
        helper.make_node("Mul", ["wh", "half"], ["reach"]),
        helper.make_node("Sub", ["xy", "reach"], ["low"]),
        helper.make_node("Add", ["xy", "reach"], ["high"]),
        helper.make_node("Concat", ["low", "high"], ["boxes"], axis=2),
        helper.make_node("Add", ["fixed", "none"], ["scores"]),
    ]  # fmt: skip
    count = len(boxes)
    model = model_of(
        nodes, given={"image": [1, 3, *SIZE]},
        made={"scores": [1, count, 5], "boxes": [1, count, 4]},
        constants={**constants, "half": np.array(0.5, np.float32)},
        metadata={"names": "{0: 'a', 1: 'b', 2: 'c', 3: 'd'}", "task": "detect"},
    )  # fmt: skip
    return written(model, path)


@pytest.mark.parametrize("apart", [False, True])
def test_an_ssd(apart: bool, tmp_path: Path) -> None:
    found = look(ssd(tmp_path / "ssd.onnx", apart=apart))
    assert "Level 1 (stride 16), row 2, column 3" in found.summary
    assert "48 x 32 with best class 0.60, b" in found.summary
    row = found.board.tables[0].rows[0]
    assert row[:3] == ("48 x 32", 0.6, "b")
    assert list(row[3:7]) == pytest.approx([0.25, 0, 0, round(float(np.log(0.5)), 2)])
    at = (2 * 6 + 3) * 2 + 1
    assert found.data["anchors"][at] == pytest.approx([32, 24, 80, 56], abs=1e-3)
    assert found.data["moved"][at] == pytest.approx([44, 32, 92, 48], abs=1e-3)


def test_a_yolo(tmp_path: Path) -> None:
    cells = 8 * 12 + 4 * 6 + 2 * 3
    answer = np.zeros((1, 8, cells), np.float32)
    row = 8 * 12 + 1 * 6 + 4
    answer[0, :4, row] = [70, 26, 40, 32]
    answer[0, 6, row] = 0.75
    path = constant_detector(tmp_path / "v8.onnx", answer, SIZE)
    found = look(path, place=Point(66.0, 17.0), tile=1)
    assert "row 1, column 4: the highest-scoring of its 1 anchors: 16 x 16" in found.summary
    assert found.data["labels"][row] == 3
    assert found.data["moved"][row].tolist() == [50, 10, 90, 42]
    assert found.data["level"].tolist() == [0] * 96 + [1] * 24 + [2] * 6


def test_boxes_that_the_network_has_selected_have_none(tmp_path: Path) -> None:
    path = constant_detector(tmp_path / "end.onnx", np.zeros((1, 20, 6), np.float32), SIZE)
    with pytest.raises(ExplorerError, match="have no anchors and no cells") as caught:
        look(path)
    assert "yolov5, yolov8, yolox or ssd" in caught.value.hint
