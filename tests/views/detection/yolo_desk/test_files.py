"""The cells of YOLOs that are ONNX files, with numbers that were computed by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import explorer
from explorer.core.errors import ExplorerError
from explorer.core.params import Point
from explorer.views.detection.yolo_desk.view import VIEW
from tests.networks.onnx_files import constant_detector

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (64, 96)
CELLS = 8 * 12 + 4 * 6 + 2 * 3
PHOTO = np.zeros((*SIZE, 3), np.uint8)
"""As large as the input: the frames are equal."""


def look(path: Path, **params: Any) -> Any:
    return explorer.look("yolo_desk", PHOTO, network=str(path), **params)


def test_yolov8(tmp_path: Path) -> None:
    answer = np.zeros((1, 8, CELLS), np.float32)
    row = 8 * 12 + 1 * 6 + 4  # stride 16, row 1, column 4: its middle is (72, 24)
    answer[0, :4, row] = [70, 26, 40, 32]  # x 50 to 90, y 10 to 42
    answer[0, 6, row] = 0.75
    path = constant_detector(tmp_path / "v8.onnx", answer, SIZE)
    found = look(path)
    assert found.summary.startswith(
        "Stride 16 (map 2 of 3), row 1, column 4, box 1: c with score 0.75"
    )
    table = found.board.tables[0]
    ((name, *numbers),) = table.rows
    # 72 - 50 = 22 pixels are 1.375 cells, 24 - 10 = 14 are 0.875, 90 - 72 = 18 are 1.125
    assert name == "box 1"
    assert numbers == pytest.approx(
        [70, 26, 40, 32, 1.375, 0.875, 1.125, 1.125, 50, 10, 90, 42, "c", 0.75]
    )
    assert found.data["numbers"].shape == (4, 6, 4)
    assert found.data["cell_boxes"][1, 4, 0].tolist() == [50, 10, 90, 42]
    assert found.data["labels"].tolist() == [3]
    first = look(path, level=1, place=Point(17.0, 9.0))
    assert "Stride 8 (map 1 of 3), row 1, column 2" in first.summary
    assert first.board.panes[-1].title == "4 of the 8 x 12 x 8 numbers: click a map"


def test_yolov5_with_its_anchors(tmp_path: Path) -> None:
    answer = np.zeros((1, 3 * CELLS, 9), np.float32)
    row = 3 * (8 * 12 + 4 * 6) + 1 * 6 + 1 * 3 + 2  # stride 32, anchor 2, row 1, column 2
    answer[0, row] = [72, 40, 60, 24, 0.8, 0, 0, 0, 0.5]
    sizes = {
        f"sizes{at}": np.array([[s, s], [2 * s, s], [s, 2 * s]], np.float32).reshape(1, 3, 1, 1, 2)
        for at, s in enumerate((10, 20, 30))
    }
    path = constant_detector(tmp_path / "v5.onnx", answer, SIZE, **sizes)
    found = look(path)
    assert "Stride 32 (map 3 of 3), row 1, column 2, anchor 2: d with score 0.40" in found.summary
    rows = found.board.tables[0].rows
    assert [each[0] for each in rows] == ["anchor 1", "anchor 2", "anchor 3"]
    # 72 / 32 - 2 = 0.25, 40 / 32 - 1 = 0.25, 60 / 60 = 1 and 24 / 30 = 0.8 of the anchor
    assert list(rows[1][1:]) == pytest.approx(
        [72, 40, 60, 24, 0.8, 0.25, 0.25, 1.0, 0.8, 42, 28, 102, 52, "d", 0.4]
    )
    priors = found.board.boxes("priors of the cell")
    assert priors is not None
    assert priors.xyxy[1].tolist() == [50, 33, 110, 63]  # 60 x 30 around (80, 48)


def test_yolox(tmp_path: Path) -> None:
    answer = np.zeros((1, CELLS, 9), np.float32)
    answer[..., 2:4] = -3
    row = 5 * 12 + 7  # stride 8, row 5, column 7
    answer[0, row] = [0.5, 0.25, np.log(3), np.log(2), 0.9, 1, 0, 0, 0]
    found = look(constant_detector(tmp_path / "x.onnx", answer, SIZE))
    assert "Stride 8 (map 1 of 3), row 5, column 7, box 1: a with score 0.90" in found.summary
    ((_, *numbers),) = found.board.tables[0].rows
    assert numbers[5:9] == pytest.approx([7.5, 5.25, 3, 2], abs=1e-3)
    # (60, 42) in pixels, 24 wide and 16 high
    assert numbers[9:13] == pytest.approx([48, 34, 72, 50], abs=0.1)


def test_only_files_with_cells_are_offered(tmp_path: Path) -> None:
    answer = np.zeros((1, 8, CELLS), np.float32)
    cells = explorer.load(str(constant_detector(tmp_path / "v8.onnx", answer, SIZE)))
    assert VIEW.takes(cells.info)
    ended = np.zeros((1, 20, 6), np.float32)
    other = constant_detector(tmp_path / "end.onnx", ended, SIZE)
    assert not VIEW.takes(explorer.load(str(other)).info)
    with pytest.raises(ExplorerError, match="are no numbers of cells"):
        look(other)
