"""The dialog that asks for an address: typed and confirmed, or left."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QInputDialog, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from explorer.ui.dialogs.address import ask_address

# The offscreen platform says this whenever a window with limits to its size is shown.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


@pytest.fixture
def owner(qtbot: QtBot) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.mark.parametrize(("key", "heard"), [
    (Qt.Key.Key_Return, ["rtsp://camera"]), (Qt.Key.Key_Escape, []),
])  # fmt: skip
def test_what_is_confirmed_is_told_and_the_dialog_is_gone(
    qtbot: QtBot, owner: QWidget, key: Qt.Key, heard: list[str]
) -> None:
    told: list[str] = []
    ask_address(owner, "Open a stream", "Address:", "Connect", told.append)
    dialog = owner.findChild(QInputDialog)
    assert dialog is not None
    assert (dialog.windowTitle(), dialog.okButtonText()) == ("Open a stream", "Connect")
    field = dialog.findChild(QLineEdit)
    assert field is not None
    qtbot.keyClicks(field, "rtsp://camera")
    qtbot.keyClick(field, key)
    assert told == heard
    qtbot.waitUntil(lambda: owner.findChild(QInputDialog) is None)
