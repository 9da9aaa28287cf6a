"""The middle of the window: one of two pages, and the frame that says where to drop."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from explorer.ui.panels.page import WELCOME_SIDE, Page
from tests.ui.toy_desk import ToyPanels


@pytest.fixture
def page(panels: ToyPanels) -> Page:
    made = Page(panels.welcome)
    made.add_board(panels.board)
    panels.main.setCentralWidget(made)
    return made


def test_only_the_page_that_is_shown_asks_for_room(panels: ToyPanels, page: Page) -> None:
    page.show_board(False)
    assert page.stack.currentWidget() is panels.welcome
    assert panels.welcome.minimumWidth() == WELCOME_SIDE
    page.show_board(True)
    assert page.stack.currentWidget() is panels.board
    assert panels.welcome.minimumWidth() == 0


def test_the_frame_lies_over_the_canvas_only(qtbot: QtBot, panels: ToyPanels, page: Page) -> None:
    page.show_board(False)
    page.set_drag_active(True)
    assert page.drop_frame.isHidden(), "the welcome page has its own"
    page.show_board(True)
    page.set_drag_active(True)
    assert page.drop_frame.isVisible()
    assert page.drop_frame.size() == panels.board.size()
    page.set_drag_active(False)
    assert not page.drop_frame.isVisible()


def test_a_bar_stands_below_the_picture(qtbot: QtBot, page: Page) -> None:
    bar = QLabel("bar")
    page.add_bar(bar)
    qtbot.waitUntil(lambda: bar.y() >= page.stack.geometry().bottom())
