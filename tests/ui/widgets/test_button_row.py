"""A row of buttons has words where there is room for them, else icons alone."""

from __future__ import annotations

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from explorer.ui.widgets.button_row import ButtonRow, TextButton


def test_words_go_and_come_back_with_the_room(qtbot: QtBot) -> None:
    buttons = [TextButton("save", words, "what it does") for words in ("Load…", "Save…", "Clear")]
    row = ButtonRow(buttons)
    qtbot.addWidget(row)
    row.resize(400, 30)
    row.show()
    kinds = Qt.ToolButtonStyle
    assert {button.toolButtonStyle() for button in buttons} == {kinds.ToolButtonTextBesideIcon}
    row.resize(row.minimumSizeHint())
    assert {button.toolButtonStyle() for button in buttons} == {kinds.ToolButtonIconOnly}
    assert [button.accessibleName() for button in buttons] == ["Load", "Save", "Clear"]
    buttons[0].hide()
    row.resize(400, 30)
    assert {button.toolButtonStyle() for button in buttons} == {kinds.ToolButtonTextBesideIcon}
