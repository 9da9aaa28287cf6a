"""The empty canvas: says what to do and passes on what was asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from explorer.images.sources import gallery
from explorer.ui.panels.welcome import MOST_SAMPLES, Welcome
from explorer.ui.photos.filmstrip import key_of
from explorer.ui.photos.thumbnails import Thumbnails
from explorer.ui.widgets import fonts, theme
from tests.ui.fitting import cut_words

# The offscreen platform has no window manager to tell about sizes and pop-ups, and says so.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def thumbnails(qtbot: QtBot) -> Iterator[Thumbnails]:
    made = Thumbnails()
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def welcome(qtbot: QtBot, thumbnails: Thumbnails) -> Welcome:
    made = Welcome()
    qtbot.addWidget(made)
    made.set_samples(gallery(), thumbnails)
    made.resize(800, 700)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_it_says_what_to_do(welcome: Welcome) -> None:
    words = " ".join(label.text() for label in welcome.findChildren(QLabel))
    for part in ("Drop a photo here", "paste one", "Open a photo", "Ctrl+V", "? shortcuts"):
        assert part in words


def test_samples_are_shown_and_chosen(
    welcome: Welcome, thumbnails: Thumbnails, qtbot: QtBot
) -> None:
    assert len(welcome.tiles) == MOST_SAMPLES
    tile = welcome.tiles[2]
    qtbot.waitUntil(lambda: thumbnails.peek(key_of(tile.item)) is not None)
    with qtbot.waitSignal(welcome.sample_chosen) as heard:
        qtbot.mouseClick(tile, LEFT)
    assert heard.args == [tile.item]
    with qtbot.waitSignal(welcome.sample_chosen):
        qtbot.keyClick(welcome.tiles[0], Qt.Key.Key_Return)


def test_the_buttons_ask(welcome: Welcome, qtbot: QtBot) -> None:
    with qtbot.waitSignal(welcome.open_requested):
        qtbot.mouseClick(welcome.open, LEFT)
    with qtbot.waitSignal(welcome.folder_requested):
        qtbot.mouseClick(welcome.folder, LEFT)


def test_a_drag_lights_it_up(welcome: Welcome) -> None:
    dark = welcome.grab().toImage().pixelColor(400, 30)
    welcome.set_drag_active(True)
    assert welcome.grab().toImage().pixelColor(400, 30) != dark
    welcome.set_drag_active(False)
    assert welcome.grab().toImage().pixelColor(400, 30) == dark


def test_samples_may_be_replaced(welcome: Welcome, thumbnails: Thumbnails) -> None:
    welcome.set_samples((), thumbnails)
    welcome.set_samples(gallery()[:1], thumbnails)
    assert len(welcome.tiles) == 1
    welcome.grab()


@pytest.mark.parametrize("size", [(1000, 620), (760, 560), (1400, 800)])
@pytest.mark.parametrize("percent", [100, 150])
def test_nothing_is_cut_in_a_small_window(
    welcome: Welcome, qtbot: QtBot, size: tuple[int, int], percent: int
) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    font = app.font()
    try:
        fonts.set_text_size(app, percent)
        welcome.resize(*size)

        def whole() -> bool:
            shown = [tile for tile in welcome.tiles if tile.isVisible()]
            rooms = [tile.geometry() for tile in shown]
            return (
                all(tile.height() >= tile.sizeHint().height() for tile in shown)
                and welcome.tiles[0].isVisible()
                and not any(a.intersects(b) for n, a in enumerate(rooms) for b in rooms[:n])
                and cut_words(welcome) == []
            )

        qtbot.waitUntil(whole)
        assert welcome.open.isVisible()
    finally:
        fonts.set_text_size(app, 100)
        app.setFont(font)


@pytest.mark.parametrize("look", ["light", "dark"])
def test_the_button_with_the_focus_is_framed_in_the_color_of_the_theme(
    qapp: QApplication, qtbot: QtBot, welcome: Welcome, look: str
) -> None:
    theme.apply(qapp, look)
    welcome.activateWindow()
    for button in (welcome.open, welcome.folder):
        button.setFocus(Qt.FocusReason.TabFocusReason)
        qtbot.waitUntil(button.hasFocus)
        for each in (welcome.open, welcome.folder):
            image = each.grab().toImage()
            edge = [image.pixelColor(x, image.height() // 2) for x in range(4)]
            framed = [color.name() == theme.colors()["focus"] for color in edge]
            assert framed == [each is button, each is button, False, False]
            ground = "soft" if each is button else "button"
            assert edge[3].name() == theme.colors()[ground], "the icon is drawn for this ground"
