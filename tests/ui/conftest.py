"""Desks without a window, for the parts by themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from tests.ui.toy_desk import ToyDesk, ToyPanels


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
