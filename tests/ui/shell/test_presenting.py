"""In front of people: full screen, larger text, other colors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from explorer.core.color_sets import choose_color_set
from explorer.core.colormaps import class_colors
from explorer.core.layers import Board, Pane, Points
from explorer.core.settings import Preferences
from explorer.ui.board.pane_view import PaneView
from explorer.ui.items.item_images import small_font
from explorer.ui.shell.layout import DockTitle
from explorer.ui.shell.window import Window
from explorer.ui.widgets import fonts, theme
from explorer.ui.widgets.small_widgets import Label
from tests.ui.toy_desk import look


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    font = app.font()
    yield
    fonts.set_text_size(app, 100)
    app.setFont(font)
    choose_color_set("standard")


def panels(window: Window) -> list[bool]:
    parts = (window.menuBar(), window.status, *window.docks.values())
    return [part.isVisible() for part in parts]


def test_full_screen_is_the_canvas_and_the_toolbar(qtbot: QtBot, toy_window: Window) -> None:
    w = toy_window
    look(w)
    w.docks["photos"].hide()
    before = panels(w)
    assert before == [True, True, False, True, True]
    w.activateWindow()
    qtbot.waitUntil(w.isActiveWindow)
    w.board.setFocus()
    qtbot.keyClick(w, Qt.Key.Key_F11)
    qtbot.waitUntil(w.isFullScreen)
    assert panels(w) == [False] * 5
    assert w.menus.toolbar.isVisible()
    look(w)  # another answer brings no panel back
    assert panels(w) == [False] * 5
    w.restore.save()  # nor is the full screen remembered as the layout
    qtbot.keyClick(w, Qt.Key.Key_F11)
    qtbot.waitUntil(lambda: not w.isFullScreen())
    qtbot.waitUntil(lambda: panels(w) == before)


def test_text_grows_at_once_and_shrinks_back(qtbot: QtBot, toy_window: Window) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    theme.apply(app, "light")  # a style sheet holds on to fonts
    w = toy_window
    look(w)
    texts = (w.status.network, w.inspector.title, w.inspector.form, w.menuBar())
    plain = [each.font().pointSizeF() for each in texts]
    for percent in (150, 200, 125, 100):
        w.apply_preferences(replace(Preferences(), text_size=percent))
        wanted = pytest.approx([size * percent / 100 for size in plain], rel=0.02)
        qtbot.waitUntil(lambda w=wanted: [each.font().pointSizeF() for each in texts] == w)


def test_class_colors_change_on_what_is_shown(qtbot: QtBot, toy_window: Window) -> None:
    def dots(result: object, params: object) -> Board:
        points = Points(np.array([[5.0, 5.0]], np.float32), class_colors(1))
        return Board((Pane("image", (60, 40), (points,)),))

    w = toy_window
    ready = w.study.ready
    assert ready is not None
    view = replace(ready.views["classify"], draw=dots)
    w.set_ready(replace(ready, views={**ready.views, "classify": view}))
    look(w)
    w.apply_preferences(replace(Preferences(), colors="high_contrast"))
    board = w.study.board
    assert board is not None
    (layer,) = board.panes[0].layers
    assert isinstance(layer, Points)
    assert layer.colors.tolist() == class_colors(1, "high_contrast").tolist()


def test_every_font_follows_text_size_and_theme(qtbot: QtBot, toy_window: Window) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    theme.apply(app, "light")
    w = toy_window
    look(w)
    titles = w.findChildren(DockTitle)
    head = w.inspector.title
    plain = titles[0].findChildren(Label)[0].font().pointSizeF(), head.font().pointSizeF()
    preferences = Preferences(theme="light")
    for percent, dress in ((150, "light"), (150, "dark"), (100, "light"), (100, "dark")):
        preferences = replace(preferences, text_size=percent, theme=dress)
        w.apply_preferences(preferences)
        w.inspector.set_notes((f"a note at {percent}",))  # comes at this size, stays for the next
        w.inspector.set_notes(("hidden",) if percent == 150 else ())
        labels = [title.findChildren(Label)[0] for title in titles]
        wanted = pytest.approx([size * percent / 100 for size in plain], rel=0.01)
        assert [labels[0].font().pointSizeF(), head.font().pointSizeF()] == wanted
        own = [label for label in w.findChildren(Label) if label.property("explorer_own_font")]
        others = [label for label in w.findChildren(Label) if label not in own]
        size = app.font().pointSizeF()
        assert {round(label.font().pointSizeF() / size, 2) for label in others} == {1.0}


def test_marks_on_pictures_follow_the_text_size(qtbot: QtBot, toy_window: Window) -> None:
    w = toy_window
    look(w)
    before = small_font(QApplication.font()).pointSizeF()
    (pane, *_) = w.board.findChildren(PaneView)
    caption = pane.caption_height
    w.apply_preferences(replace(Preferences(), text_size=200))
    assert small_font(QApplication.font()).pointSizeF() == pytest.approx(2 * before)
    qtbot.waitUntil(lambda: pane.caption_height > 1.5 * caption - 5)
