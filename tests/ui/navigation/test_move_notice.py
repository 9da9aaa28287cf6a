"""What the program has chosen by itself is said, until it is no longer true."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QAbstractButton

from explorer.ui.navigation.move_notice import MoveNotice
from explorer.ui.navigation.trail import Trail
from tests.ui.toy_desk import ToyPanels, photo

WORDS = "Find needs a different network: using Finder."


@pytest.fixture
def moves(panels: ToyPanels) -> MoveNotice:
    """A photo that is classified; the view is changed to one that takes another network."""
    strip, study = panels.strip, panels.study
    trail = Trail(study, strip, panels.main)
    made = MoveNotice(panels, trail)
    strip.add(["/a.png"])
    study.set_image(photo())
    panels.bridge.answer()
    study.set_view("find")
    return made


def test_it_is_said_and_can_be_undone(panels: ToyPanels, moves: MoveNotice) -> None:
    assert panels.notices.texts == [WORDS]
    buttons = panels.notices.cards[0].findChildren(QAbstractButton)
    (undo,) = [button for button in buttons if button.text() == "Undo"]
    undo.click()
    assert panels.study.view is not None
    assert panels.study.view.name == "classify"
    assert panels.notices.texts == []


def test_it_goes_when_the_user_goes_on(panels: ToyPanels, moves: MoveNotice) -> None:
    panels.study.set_view("bare")
    assert panels.notices.texts == []


def test_the_place_that_it_leads_to_is_no_going_on(panels: ToyPanels, moves: MoveNotice) -> None:
    moves.expect(True)
    panels.study.set_view("bare")
    assert panels.notices.texts == [WORDS]


def test_a_network_that_cannot_be_had_ends_it(panels: ToyPanels, moves: MoveNotice) -> None:
    panels.study.network_failed.emit(panels.study.spec, None)
    assert panels.notices.texts == []
