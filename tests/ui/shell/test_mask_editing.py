"""A mask is drawn with the mouse: a box, strokes that are undone, and the IoU beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from explorer.core.settings import Settings
from explorer.ui.board.canvas import Canvas
from explorer.ui.shell.window import Window

ANSWER = 60_000
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> Iterator[Window]:
    rgb = np.full((120, 160, 3), 40, np.uint8)
    rgb[40:80, 50:110] = (220, 60, 40)
    place = tmp_path / "square.png"
    PIL.Image.fromarray(rgb).save(place)
    made = Window(Settings(), paths=[str(place)], wishes={"view": "mask_from_box"})
    made.resize(1300, 850)
    with qtbot.waitSignal(made.loaded, timeout=ANSWER):
        made.show()
    qtbot.waitUntil(lambda: answered(made), timeout=ANSWER)
    yield made
    made.close()
    made.deleteLater()


def answered(window: Window) -> bool:
    study = window.study
    return study.board is not None and not study.running


def canvas_of(window: Window, pane: str) -> Canvas:
    cell = window.board._cells[pane]  # private: a test stands in for the mouse
    return cell.canvas


def drag(canvas: Canvas, *places: tuple[float, float]) -> None:
    view, port = canvas.viewpoint, canvas.viewport()

    def at(x: float, y: float) -> QPoint:
        across, down = (x - view.x) * view.scale, (y - view.y) * view.scale
        return QPoint(round(port.width() / 2 + across), round(port.height() / 2 + down))

    QTest.mousePress(port, LEFT, pos=at(*places[0]))
    for place in places[1:]:
        QTest.mouseMove(port, at(*place))
    QTest.mouseRelease(port, LEFT, pos=at(*places[-1]))


def test_box_strokes_and_undo(window: Window, qtbot: QtBot) -> None:
    def agrees() -> bool | None:
        """Whether the edited mask is GrabCut's; None while it is computed."""
        board = window.study.board
        if not answered(window) or board is None:
            return None
        return "IoU 1.00 with GrabCut" in board.summary

    drag(canvas_of(window, "image"), (35, 25), (80, 60), (125, 95))
    qtbot.waitUntil(lambda: window.study.params.box is not None)
    qtbot.waitUntil(lambda: agrees() is True, timeout=ANSWER)
    drag(canvas_of(window, "result"), (60, 20), (80, 20), (100, 20))
    qtbot.waitUntil(lambda: window.study.params.strokes is not None)
    qtbot.waitUntil(lambda: agrees() is False, timeout=ANSWER)
    assert window.study.params.strokes.index()[20, 80] == 1
    window.actions_["undo"].trigger()
    qtbot.waitUntil(lambda: window.study.params.strokes is None)
    qtbot.waitUntil(lambda: agrees() is True, timeout=ANSWER)
