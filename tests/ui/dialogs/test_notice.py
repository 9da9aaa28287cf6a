"""Notices: whole, beside the picture, one below the other, and gone after a while."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QHBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from explorer.ui.dialogs.notice import WIDTH, Notice, Notices

LONG = "Detections needs another kind of network than the one in use: Mini Faster R-CNN is used."


def host_of(qtbot: QtBot) -> tuple[QWidget, QWidget, QWidget]:
    """A window with a picture and a panel right of it."""
    host, picture, panel = QWidget(), QWidget(), QWidget()
    panel.setFixedWidth(300)
    layout = QHBoxLayout(host)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    layout.addWidget(picture, 1)
    layout.addWidget(panel)
    host.resize(900, 600)
    qtbot.addWidget(host)
    host.show()
    qtbot.waitExposed(host)
    return host, picture, panel


def places(notices: Notices, host: QWidget) -> list[QRect]:
    return [QRect(card.mapTo(host, QPoint()), card.size()) for card in notices.cards]


def test_every_notice_has_the_room_that_its_words_need(qtbot: QtBot) -> None:
    host, *_ = host_of(qtbot)
    notices = Notices(host)
    for words in (LONG, "Two.", LONG.upper()):
        notices.say(words)

    def whole() -> None:
        for card in notices.cards:
            assert card.height() >= card.heightForWidth(card.width()), card.notice.text

    qtbot.waitUntil(whole)
    for above, below in pairwise(places(notices, host)):
        assert above.bottom() < below.top()


def test_they_lie_over_the_panel_and_not_over_the_picture(qtbot: QtBot) -> None:
    host, picture, panel = host_of(qtbot)
    notices = Notices(host, room=picture, column=panel)
    notices.say(LONG)
    assert notices.geometry().left() == panel.x()
    assert notices.geometry().bottom() == panel.geometry().bottom()
    panel.hide()
    qtbot.waitUntil(lambda: notices.geometry().right() == host.rect().right())
    assert notices.width() == WIDTH
    panel.show()
    qtbot.waitUntil(lambda: notices.geometry().left() == panel.x())


def test_a_notice_goes_with_its_time_or_its_button(qtbot: QtBot) -> None:
    host, *_ = host_of(qtbot)
    notices, done = Notices(host), []
    notices.say("Soon gone.", seconds=0.01)
    notices.show_notice(Notice("Stays.", actions=(("Do", lambda: done.append(1)),)))
    qtbot.waitUntil(lambda: notices.texts == ["Stays."])
    notices.cards[0].buttons[0].click()
    assert done == [1]
    assert notices.texts == []
    assert notices.isHidden()


def test_what_answers_the_user_is_said_every_time(qtbot: QtBot) -> None:
    host, *_ = host_of(qtbot)
    notices = Notices(host)
    for kind in ("info", "warning"):
        for _ in range(2):
            notices.say(f"Saved {kind}.", kind)
            assert notices.texts == [f"Saved {kind}."]
            notices.clear()
    notices.say("The same.", seconds=1)
    notices.say("Another.")
    notices.say("The same.", seconds=100)  # it is the newest now, and has its own time
    assert notices.texts == ["Another.", "The same."]
    assert notices.cards[-1].notice.seconds == 100


def test_a_defect_is_not_said_with_every_paint(qtbot: QtBot) -> None:
    host, *_ = host_of(qtbot)
    notices = Notices(host)
    notices.say("Something went wrong.", "error", details="Traceback")
    notices.clear()
    notices.say("Something went wrong.", "error", details="Traceback")
    assert notices.texts == []
