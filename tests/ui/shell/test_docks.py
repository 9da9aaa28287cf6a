"""Panels keep their size over a window that was small for a while."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from explorer.core.settings import Preferences
from explorer.ui.shell.layout import DockSizes
from explorer.ui.shell.window import Window
from explorer.ui.widgets.small_widgets import IconButton
from tests.ui.toy_desk import look


def sizes(window: Window) -> tuple[int, int, int]:
    docks = window.docks
    return docks["photos"].width(), docks["inspector"].width(), docks["results"].height()


def steady(window: Window) -> bool:
    """The window has had its size for a moment."""
    found = window.findChild(DockSizes)
    assert isinstance(found, DockSizes)
    return found.steady


def test_shrinking_to_the_minimum_and_back(qtbot: QtBot, toy_window: Window) -> None:
    w = toy_window
    look(w)
    qtbot.waitUntil(lambda: steady(w))
    w.resizeDocks([w.docks["photos"], w.docks["inspector"]], [220, 400], Qt.Orientation.Horizontal)
    w.resizeDocks([w.docks["results"]], [300], Qt.Orientation.Vertical)
    before = (220, 400, 300)
    QApplication.processEvents()
    qtbot.waitUntil(lambda: sizes(w) == before)
    w.resize(1, 1)
    qtbot.waitUntil(lambda: sizes(w) < before)
    w.resize(1440, 900)
    qtbot.waitUntil(lambda: sizes(w) == before)


def test_the_results_can_take_half_of_the_window(qtbot: QtBot, toy_window: Window) -> None:
    w = toy_window
    look(w)
    QApplication.processEvents()
    w.resizeDocks([w.docks["results"]], [w.height() // 2], Qt.Orientation.Vertical)
    qtbot.waitUntil(lambda: w.docks["results"].height() >= w.height() // 2 - 2)


def test_a_panel_floats_as_a_window_and_comes_back(qtbot: QtBot, toy_window: Window) -> None:
    w = toy_window
    look(w)
    dock = w.docks["results"]
    title = dock.titleBarWidget()
    button = title.findChildren(IconButton)[0]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert dock.isVisible()
    assert dock.isWindow()
    assert dock.windowType() is Qt.WindowType.Window, "not a frameless tool window"
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert not dock.isFloating()
    assert dock.isVisible()
    assert w.dockWidgetArea(dock) is Qt.DockWidgetArea.BottomDockWidgetArea


def test_panels_grow_and_shrink_with_the_text(qtbot: QtBot, toy_window: Window) -> None:
    w = toy_window
    look(w)
    qtbot.waitUntil(lambda: steady(w))
    before = sizes(w)
    try:
        w.apply_preferences(replace(Preferences(), text_size=150))
        qtbot.waitUntil(lambda: steady(w) and sizes(w)[1] > before[1] * 1.2)
        assert w.board.width() >= 0.4 * w.width(), "the picture keeps its room"
        w.apply_preferences(replace(Preferences(), text_size=100))
        qtbot.waitUntil(lambda: steady(w) and max(map(abs, np.subtract(sizes(w), before))) <= 3)
    finally:
        w.apply_preferences(replace(Preferences(), text_size=100))
