"""Tab and Shift+Tab reach every control of the window, in reading order, and it can be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QWidget,
)
from pytestqt.qtbot import QtBot

from explorer.core.layers import Board, Pane, Picture
from explorer.ui.dialogs.overlay import Overlay
from explorer.ui.shell.window import Window
from explorer.ui.widgets import theme
from explorer.ui.widgets.tab_order import bring_into_sight, stops
from tests.toy_views import EVERY_KIND
from tests.ui.toy_desk import READY, answer, look

CONTROLS = (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit)


@pytest.fixture
def window(qtbot: QtBot, toy_window: Window) -> Window:
    theme.apply(QApplication.instance(), "light")
    every = replace(EVERY_KIND, draw=picture)
    toy_window.set_ready(replace(READY, views={**READY.views, every.name: every}))
    toy_window.activateWindow()
    qtbot.waitUntil(toy_window.isActiveWindow)
    return toy_window


def picture(result: Any, params: object) -> Board:
    height, width = result.shape[:2]
    return Board((Pane("image", (width, height), (Picture(result),)),))


def focus() -> QWidget:
    found = QApplication.focusWidget()
    assert found is not None
    return found


def walk(qtbot: QtBot, key: Qt.Key) -> list[QWidget]:
    """Everything that Tab comes by until it is where it began."""
    qtbot.keyClick(focus(), key)
    ring = [focus()]
    while True:
        qtbot.keyClick(focus(), key)
        if focus() in ring:
            assert focus() is ring[0], f"trapped at {named(focus())} after {list(map(named, ring))}"
            return ring
        ring.append(focus())


def named(widget: QWidget) -> str:
    words = widget.accessibleName() or getattr(widget, "text", str)()
    return f"{type(widget).__name__} {words}".strip()


def controls(root: QWidget) -> list[QWidget]:
    """What a mouse can work: it must be in the ring, but for what belongs to another control."""
    return [
        child
        for child in root.findChildren(QWidget)
        if isinstance(child, CONTROLS)
        and child.isVisible()
        and child.isEnabled()
        and child.window() is root.window()
        and child.focusProxy() is None
        and not isinstance(child.parentWidget(), QLineEdit)  # its clear button: Esc or Delete
        and not child.objectName().startswith("qt_")  # Qt's own corner and scroll buttons
        and not _passed_over(child)
    ]


def _passed_over(child: QWidget) -> bool:
    """Of several buttons of which one is down, that one is the stop; arrows reach the others."""
    group = child.group() if isinstance(child, QAbstractButton) else None
    return group is not None and group.exclusive() and group.checkedButton() is not child


def check(qtbot: QtBot, root: QWidget, least: int) -> list[QWidget]:
    ring = walk(qtbot, Qt.Key.Key_Tab)
    assert len(ring) >= least
    missing = [named(each) for each in controls(root) if each not in ring]
    assert not missing, f"Tab does not reach {missing}"
    back = walk(qtbot, Qt.Key.Key_Backtab)
    at = back.index(ring[0])
    assert [*reversed(back[at + 1 :] + back[: at + 1])] == ring, "Shift+Tab goes another way"
    nameless = [each for each in ring if named(each) == type(each).__name__]
    assert not nameless, f"no name for a screen reader: {nameless}"
    unseen = [named(each) for each in ring if not seen(each)]
    assert not unseen, f"the focus cannot be seen on {unseen}"
    return ring


def seen(widget: QWidget) -> bool:
    """Whether it, or the frame around it, looks different with the focus."""
    bring_into_sight(widget)
    widget.setFocus(Qt.FocusReason.TabFocusReason)
    assert widget.hasFocus(), named(widget)
    with_focus = drawn(widget)
    widget.clearFocus()
    without = drawn(widget)
    widget.setFocus(Qt.FocusReason.TabFocusReason)
    return with_focus != without


def drawn(widget: QWidget) -> QImage:
    QApplication.processEvents()
    area = widget.rect().translated(widget.mapTo(widget.window(), QPoint()))
    return widget.window().grab(area.adjusted(-4, -4, 4, 4)).toImage()


def test_the_start_page(qtbot: QtBot, window: Window) -> None:
    window.setFocus()
    ring = check(qtbot, window, 15)
    names = [named(each) for each in ring]
    order = ["View", "Network", "Open photos…", "Open a folder…"]
    at = [next(i for i, name in enumerate(names) if word in name) for word in order]
    assert at == sorted(at)
    assert ring.index(window.welcome.tiles[0]) < ring.index(window.welcome.open)


def test_a_photo_is_open(qtbot: QtBot, window: Window) -> None:
    look(window)
    window.board.canvas("image").setFocus()
    ring = check(qtbot, window, 20)
    start = ring.index(next(w for w in stops(window) if window.menus.toolbar.isAncestorOf(w)))
    ring = ring[start:] + ring[:start]
    parts = [window.views, window.strip, window.board, window.results, window.inspector.form]
    firsts = [next(i for i, w in enumerate(ring) if part.isAncestorOf(w)) for part in parts]
    assert firsts == sorted(firsts), "toolbar, photos, canvas, results, inspector"


def test_a_form_with_every_kind(qtbot: QtBot, window: Window) -> None:
    look(window, EVERY_KIND.name)
    form = window.inspector.form
    form.set_value("choice", "fancy")
    qtbot.waitUntil(lambda: answer(window))
    next(iter(form.rows.values())).editor.widgets[0].setFocus()
    ring = check(qtbot, window, 40)
    inside = [form.isAncestorOf(each) for each in ring]
    entries = [at for at, now in enumerate(inside) if now and not inside[at - 1]]
    assert len(entries) == 1, "the form is read in one go"
    ring = ring[entries[0] :] + ring[: entries[0]]
    tops = [w.mapTo(form, QPoint()).y() for w in ring if form.isAncestorOf(w)]
    line = 30
    assert all(after >= before - line for before, after in pairwise(tops))


def test_what_is_below_the_edge_scrolls_into_sight(qtbot: QtBot, window: Window) -> None:
    window.resize(1000, 700)
    look(window, EVERY_KIND.name)
    form = window.inspector.form
    next(iter(form.rows.values())).editor.widgets[0].setFocus()
    for _ in range(60):
        qtbot.keyClick(focus(), Qt.Key.Key_Tab)
        if form.isAncestorOf(focus()):
            assert not focus().visibleRegion().isEmpty(), named(focus())


def test_the_focus_goes_on_from_where_a_click_left_it(qtbot: QtBot, window: Window) -> None:
    look(window)
    text = window.inspector.explanation
    text.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # as text that Tab passes by
    text.setFocus()
    qtbot.keyClick(focus(), Qt.Key.Key_Backtab)
    assert window.inspector.isAncestorOf(focus())


Open = Callable[[Window], Any]


@pytest.mark.parametrize(
    "open_it",
    [
        lambda w: w.sheets.open_preferences(),
        lambda w: w.sheets.open_shortcuts(),
        lambda w: w.sheets.open_palette(),
    ],
    ids=["preferences", "shortcuts", "palette"],
)
def test_sheets_keep_the_focus_within(qtbot: QtBot, window: Window, open_it: Open) -> None:
    look(window)
    open_it(window)
    sheet = next(each for each in window.findChildren(Overlay) if each.isVisible())
    ring = check(qtbot, sheet, 1)
    assert all(sheet.isAncestorOf(each) for each in ring)
    qtbot.keyClick(focus(), Qt.Key.Key_Escape)
    assert not sheet.isVisible()


@pytest.mark.parametrize("which", ["views", "networks"])
def test_pop_ups_keep_the_focus_within(qtbot: QtBot, window: Window, which: str) -> None:
    look(window)
    picker = getattr(window, which)
    picker.open()
    ring = check(qtbot, picker.popup, 1)
    assert all(picker.popup.isAncestorOf(each) for each in ring)
    picker.popup.hide()
    assert stops(window)
