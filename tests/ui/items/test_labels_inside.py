"""The window draws labels inside boxes as files do."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from explorer.core.layers import Boxes, Pane
from explorer.ui.board.canvas import Canvas
from explorer.ui.board.pan_zoom import Viewpoint

BOXES = Boxes(
    np.array([(20, 10, 180, 70), (220, 10, 380, 70)], np.float32),
    np.array([(20, 60, 160), (20, 60, 160)], np.uint8),
    labels=("Conv 3 x 3\n64 x 7 x 7", "Add"),
    width=1.0,
    fill=1.0,
    letters=14.0,
    name="graph",
)


@pytest.fixture
def canvas(qtbot: QtBot) -> Iterator[Canvas]:
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(640, 480)
    with qtbot.waitExposed(canvas):
        canvas.show()
    yield canvas
    canvas.set_pane(None)


def ink(canvas: Canvas, scale: float) -> np.ndarray:
    """(row, column) of white pixels, in the pane's units."""
    canvas.set_viewpoint(Viewpoint(200, 40, scale))
    image = canvas.viewport().grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    width, height = image.width(), image.height()
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(height, width, 4)[..., :3]
    spots = np.argwhere((pixels > 200).all(axis=2))
    corner = canvas.from_pane(0, 0)
    return (spots - [corner.y(), corner.x()]) / scale


def inside(spots: np.ndarray, row: int) -> np.ndarray:
    x0, y0, x1, y1 = BOXES.xyxy[row]
    y, x = spots.T
    return spots[(x > x0 + 2) & (x < x1 - 2) & (y > y0 + 2) & (y < y1 - 2)]


def test_labels_lie_in_the_middle_and_grow(canvas: Canvas) -> None:
    canvas.set_pane(Pane("p", (400, 80), (BOXES,)))
    for scale in (1.0, 1.5):
        spots = ink(canvas, scale)
        for row, middle in ((0, 100), (1, 300)):
            found = inside(spots, row)
            assert len(found) > 10
            assert (found[:, 1].min() + found[:, 1].max()) / 2 == pytest.approx(middle, abs=4)
    high = [np.ptp(inside(ink(canvas, scale), 1)[:, 0]) for scale in (1.0, 1.5)]
    assert high[1] == pytest.approx(high[0], rel=0.3), "in the pane's units they stay"


def test_too_small_letters_are_not_drawn(canvas: Canvas) -> None:
    canvas.set_pane(Pane("p", (400, 80), (BOXES,)))
    assert len(inside(ink(canvas, 0.25), 0)) == 0


def test_a_selection_leaves_the_other_boxes_as_bright(canvas: Canvas) -> None:
    canvas.set_pane(Pane("p", (400, 80), (BOXES,)))
    before = inside(ink(canvas, 1.0), 0)
    canvas.set_selected(("graph", 1))
    np.testing.assert_array_equal(inside(ink(canvas, 1.0), 0), before)
