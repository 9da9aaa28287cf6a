"""What the page is about: welcome, a photo, frames, and the photo again."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QPushButton

from explorer.ui.navigation.current_item import CurrentItem
from explorer.ui.panels.page import Page
from tests.ui.toy_desk import ToyPanels, photo

A = "/a.png"


class ToyLive(QObject):
    followed = Signal(bool)
    previewed = Signal(object)
    gave_up = Signal()

    def __init__(self, bar: QPushButton) -> None:
        super().__init__()
        self.bar = bar
        self.stops = 0
        self.photo_again: Any = None

    def stop_for_photo(self) -> None:
        self.stops += 1


class ToyRestore:
    def __init__(self) -> None:
        self.docks = False

    def show_docks(self, shown: bool) -> None:
        self.docks = shown


class ToyIntake:
    def __init__(self) -> None:
        self.chosen: list[object] = []

    def choose(self, item: object) -> None:
        self.chosen.append(item)


class Around:
    """A current item with toys around it."""

    def __init__(self, panels: ToyPanels) -> None:
        self.page = Page(panels.welcome)
        self.page.add_board(panels.board)
        panels.main.setCentralWidget(self.page)
        self.live = ToyLive(QPushButton(self.page))
        self.restore, self.intake = ToyRestore(), ToyIntake()
        self.item = CurrentItem(panels, self.page, self.restore, self.intake, self.live)  # type: ignore[arg-type]
        self.item.show_page()

    @property
    def on_board(self) -> bool:
        return self.page.stack.currentIndex() == 1


@pytest.fixture
def around(panels: ToyPanels) -> Around:
    panels.strip.add([A], select=False)
    return Around(panels)


def test_the_docks_come_with_an_item_and_the_canvas_with_its_photo(
    panels: ToyPanels, around: Around
) -> None:
    assert (around.on_board, around.restore.docks) == (False, False)
    panels.strip.select_item(A)
    assert (around.on_board, around.restore.docks) == (False, True), "it is being read"
    panels.study.set_image(photo())
    assert around.on_board
    assert around.live.stops == 1


def test_without_an_item_the_welcome_page_is_back(panels: ToyPanels, around: Around) -> None:
    panels.strip.select_item(A)
    panels.study.set_image(photo())
    panels.bridge.answer()
    assert panels.study.board is not None
    panels.board.set_board(panels.study.board)
    around.item.choose(None)
    assert (around.on_board, around.restore.docks) == (False, False)
    assert panels.study.image is None
    assert panels.board.board is None


def test_what_cannot_be_shown_clears_the_page_and_stays_the_item(
    panels: ToyPanels, around: Around
) -> None:
    panels.strip.select_item(A)
    panels.study.set_image(photo())
    around.item.clear()
    assert (around.on_board, around.restore.docks) == (False, True)
    assert panels.study.image is None


def test_frames_take_the_place_of_the_photo_which_comes_back(
    panels: ToyPanels, around: Around
) -> None:
    assert not around.live.photo_again(), "there was none"
    panels.strip.select_item(A)
    around.live.followed.emit(True)
    assert panels.strip.current is None
    assert around.intake.chosen == [None]
    assert around.restore.docks
    assert around.live.photo_again()
    assert panels.strip.current == A


def test_a_source_that_gives_nothing_leaves_the_welcome_page(
    panels: ToyPanels, around: Around
) -> None:
    around.live.followed.emit(True)
    around.item.show_page()
    assert around.restore.docks
    around.live.gave_up.emit()
    assert not around.restore.docks


def test_the_first_frame_takes_the_focus_off_the_buttons(panels: ToyPanels, around: Around) -> None:
    around.item.choose(around.live)
    panels.study.set_image(photo())
    button = QPushButton(around.live.bar)
    button.show()
    around.live.bar.show()
    button.setFocus()
    assert panels.main.focusWidget() is button
    around.live.previewed.emit(photo())
    assert panels.main.focusWidget() is not button
