"""Desks without a window, for the parts by themselves."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from explorer.core.settings import Settings
from explorer.ui.shell.window import Window
from tests.ui.toy_desk import READY, ReadyBridge, ToyDesk, ToyPanels


@pytest.fixture(autouse=True)
def collected_between_tests() -> Iterator[None]:
    """As in the program, garbage is never collected within an event: a widget would die in it."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def desk(qtbot: QtBot) -> Iterator[ToyDesk]:
    made = ToyDesk(qtbot)
    yield made
    made.close()


@pytest.fixture
def panels(qtbot: QtBot) -> Iterator[ToyPanels]:
    made = ToyPanels(qtbot)
    yield made
    made.close()


@pytest.fixture
def toy_window(qtbot: QtBot) -> Iterator[Window]:
    """The real window over a bridge whose answers a test gives, with the toy views."""
    made = Window(Settings(), bridge=ReadyBridge())
    made.resize(1440, 900)
    made.show()
    qtbot.waitExposed(made)
    made.set_ready(READY)
    qtbot.waitUntil(lambda: bool(made.welcome.tiles))
    yield made
    made.close()
    made.deleteLater()
