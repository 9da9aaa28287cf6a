"""The preferences: what is chosen is told at once, and every value can be seen."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMainWindow
from pytestqt.qtbot import QtBot

from explorer.core.settings import Preferences
from explorer.ui.dialogs.preferences import PreferencesSheet
from explorer.ui.widgets import theme


@pytest.fixture
def sheet(qtbot: QtBot, qapp: QApplication) -> PreferencesSheet:
    theme.apply(qapp, "light")
    main = QMainWindow()
    qtbot.addWidget(main)
    main.resize(900, 700)
    main.show()
    made = PreferencesSheet(main, Preferences(seed=42), ("cpu", "cuda:0"))
    made.open(made.theme)
    qtbot.waitExposed(main)
    return made


def test_the_seed_can_be_seen_and_changed(sheet: PreferencesSheet, qtbot: QtBot) -> None:
    field = sheet.seed.lineEdit()
    assert field.text() == "42"
    assert field.width() > sheet.seed.width() // 2
    heard: list[Preferences] = []
    sheet.changed.connect(heard.append)
    field.selectAll()
    qtbot.keyClicks(sheet.seed, "7")
    qtbot.keyClick(sheet.seed, Qt.Key.Key_Return)
    assert [preferences.seed for preferences in heard] == [7]


def test_what_is_chosen_is_told_with_all_the_rest(sheet: PreferencesSheet) -> None:
    heard: list[Preferences] = []
    sheet.changed.connect(heard.append)
    sheet.compare.setCurrentIndex(sheet.compare.findData("split"))
    sheet.half.click()
    sheet.half.click()
    sheet.live_runtime.setCurrentIndex(sheet.live_runtime.findData("torch"))
    assert heard == [
        Preferences(seed=42, compare="split"),
        Preferences(seed=42, compare="split", half=True),
        Preferences(seed=42, compare="split"),
        Preferences(seed=42, compare="split", live_runtime="torch"),
    ]


def test_the_devices_of_this_computer_are_offered(sheet: PreferencesSheet) -> None:
    words = [sheet.device.itemData(row) for row in range(sheet.device.count())]
    assert words == ["auto", "cpu", "cuda:0"]
