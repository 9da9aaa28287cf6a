"""Ctrl+Z in a field: what is being typed, and once that is taken, the window's own steps."""

from __future__ import annotations

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from explorer.ui.form.numbers import NumberField
from explorer.ui.shell.window import Window
from tests.ui.toy_desk import look

CONTROL = Qt.KeyboardModifier.ControlModifier


def test_a_field_keeps_undo_for_what_is_being_typed_only(qtbot: QtBot, toy_window: Window) -> None:
    w = toy_window
    look(w)
    w.activateWindow()
    field = next(f for f in w.inspector.form.findChildren(NumberField) if f.isVisible())
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)
    before, shown = w.study.params, field.text()
    field.selectAll()
    qtbot.keyClicks(field, "3")
    qtbot.keyClick(field, Qt.Key.Key_Z, CONTROL)
    assert field.text() == shown, "the letters"
    field.selectAll()
    qtbot.keyClicks(field, "3")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    after = w.study.params
    assert after != before
    qtbot.keyClick(field, Qt.Key.Key_Z, CONTROL)
    assert w.study.params == before, "the step"
    assert field.text() == shown
    assert field.hasFocus()
    qtbot.keyClick(field, Qt.Key.Key_Z, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    assert w.study.params == after
