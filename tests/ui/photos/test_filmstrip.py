"""The filmstrip: lazy thumbnails, two sources, one current item, and a thread that ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from explorer.core.errors import ExplorerError
from explorer.images.sources import gallery
from explorer.ui.photos.filmstrip import Filmstrip
from explorer.ui.photos.thumbnails import WAITING, Thumbnails
from explorer.ui.photos.tiles import ErrorRole, PixmapRole

# The offscreen platform has no window manager to tell about sizes and pop-ups, and says so.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")
LEFT = Qt.MouseButton.LeftButton


class Heard:
    def __init__(self, strip: Filmstrip) -> None:
        self.items: list[object] = []
        strip.current_changed.connect(self.take)

    def take(self, item: object) -> None:
        self.items.append(item)


@pytest.fixture
def strip(qtbot: QtBot) -> Iterator[Filmstrip]:
    made = Filmstrip()
    qtbot.addWidget(made)
    made.resize(144, 500)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close_worker()


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    paths = []
    for number in range(4):
        path = tmp_path / f"photo {number}.png"
        PIL.Image.new("RGB", (40 + number, 30), (40 * number, 90, 160)).save(path)
        paths.append(str(path))
    return paths


def test_added_photos_get_thumbnails(strip: Filmstrip, qtbot: QtBot, photos: list[str]) -> None:
    heard = Heard(strip)
    strip.add(photos)
    assert heard.items == [photos[0]]
    index = strip.photos.index(2)
    qtbot.waitUntil(lambda: index.data(PixmapRole) is not None)
    assert index.data(PixmapRole).width() == 42
    assert index.data() == "photo 2.png"


def test_the_same_photo_is_listed_once(strip: Filmstrip, photos: list[str]) -> None:
    strip.add(photos[:2])
    strip.add([photos[1], photos[2]])
    assert list(strip.items) == photos[:3]
    assert strip.current == photos[1]


def test_next_and_previous_stop_at_the_ends(strip: Filmstrip, photos: list[str]) -> None:
    strip.add(photos)
    heard = Heard(strip)
    strip.previous()
    for _ in range(9):
        strip.next()
    assert heard.items == photos[1:]
    strip.previous()
    assert strip.current == photos[2]


def test_a_click_selects(strip: Filmstrip, qtbot: QtBot, photos: list[str]) -> None:
    strip.add(photos)
    view = strip.view
    place = view.visualRect(strip.photos.index(1)).center()
    qtbot.mouseClick(view.viewport(), LEFT, pos=place)
    assert strip.current == photos[1]
    qtbot.keyClick(view, Qt.Key.Key_Down)
    assert strip.current == photos[2]


def test_removing_moves_on_to_the_neighbor(
    strip: Filmstrip, qtbot: QtBot, photos: list[str]
) -> None:
    strip.add(photos[:3])
    strip.select(1)
    heard = Heard(strip)
    qtbot.keyClick(strip.view, Qt.Key.Key_Delete)
    assert list(strip.items) == [photos[0], photos[2]]
    assert strip.current in (photos[0], photos[2])
    assert strip.view.currentIndex().row() == list(strip.items).index(strip.current)
    strip.remove_current()
    strip.remove_current()
    strip.remove_current()
    assert strip.items == ()
    assert heard.items[-1] is None
    assert Path(photos[1]).exists()


def test_the_gallery_is_a_source_of_its_own(strip: Filmstrip, qtbot: QtBot) -> None:
    samples = gallery()
    strip.set_samples(samples)
    assert strip.select_item(samples[-1])
    assert strip.current is samples[-1]
    index = strip.samples.index(len(samples) - 1)
    qtbot.waitUntil(lambda: index.data(PixmapRole) is not None)
    strip.remove_current()
    assert strip.samples.rowCount() == len(samples)
    assert strip.items == ()


def test_the_empty_strip_says_what_comes_here(strip: Filmstrip, photos: list[str]) -> None:
    assert strip.empty.isVisible()
    strip.add(photos)
    assert not strip.empty.isVisible()
    strip.clear()
    assert strip.empty.isVisible()
    assert strip.current is None


def test_a_file_that_is_no_picture(strip: Filmstrip, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "words.png"
    path.write_text("no picture")
    strip.add([str(path), str(tmp_path / "missing.png"), str(tmp_path)])
    for row in range(3):
        index = strip.photos.index(row)
        qtbot.waitUntil(lambda index=index: bool(index.data(PixmapRole) or index.data(ErrorRole)))
        assert index.data(ErrorRole)
        assert index.data(Qt.ItemDataRole.ToolTipRole).count("\n") == 1


def test_a_hundred_thousand_paths_are_instant(strip: Filmstrip) -> None:
    paths = [f"/nowhere/{number:06}.jpg" for number in range(100_000)]
    began = time.perf_counter()
    strip.add(paths)
    strip.select(99_999)
    strip.grab()
    assert time.perf_counter() - began < 2.0
    assert strip.thumbnails.waiting <= WAITING


def test_a_wide_strip_lies_down(strip: Filmstrip, photos: list[str]) -> None:
    strip.add(photos)
    strip.resize(700, 150)
    first, second = (strip.view.visualRect(strip.photos.index(row)) for row in (0, 1))
    assert first.y() == second.y()
    assert first.x() < second.x()


def test_the_menu_copies_the_path(strip: Filmstrip, qtbot: QtBot, photos: list[str]) -> None:
    strip.add(photos)
    view = strip.view
    place = view.visualRect(strip.photos.index(1)).center()
    view.customContextMenuRequested.emit(place)
    menu = strip.findChild(QMenu)
    assert menu is not None
    words = [action.text() for action in menu.actions() if action.text()]
    assert words == ["Show in folder", "Copy path", "Remove from the list", "Remove all"]
    menu.actions()[1].trigger()
    assert QGuiApplication.clipboard().text() == photos[1]
    menu.close()


def test_names_that_are_not_utf8(strip: Filmstrip) -> None:
    strip.add(["/nowhere/\udcff.png", "/nowhere/\x00.png", "relative.png", ""])
    strip.grab()
    assert strip.photos.index(0).data() == "?.png"


class SlowMaker:
    """Makes thumbnails only when it is told to; remembers the order."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.order: list[object] = []

    def __call__(self, item: object, size: int) -> NDArray[np.uint8]:
        self.gate.wait(5)
        self.order.append(item)
        if item == "bad":
            raise ExplorerError("It is bad.", "Choose another.")
        return np.zeros((4, 6, 3), np.uint8)


def test_the_newest_question_comes_first_and_old_ones_are_forgotten(qtbot: QtBot) -> None:
    maker = SlowMaker()
    thumbnails = Thumbnails(maker=maker)
    for number in range(200):
        assert thumbnails.get(number, number) is None
    maker.gate.set()
    qtbot.waitUntil(lambda: thumbnails.waiting == 0)
    qtbot.waitUntil(lambda: thumbnails.peek(199) is not None)
    thumbnails.close()
    assert len(maker.order) <= WAITING + 2
    first = maker.order.index(199)
    assert maker.order[first : first + 4] == [199, 198, 197, 196]


def test_an_error_becomes_a_sentence(qtbot: QtBot) -> None:
    maker = SlowMaker()
    maker.gate.set()
    thumbnails = Thumbnails(maker=maker)
    with qtbot.waitSignal(thumbnails.ready):
        thumbnails.get("bad", "bad")
    thumb = thumbnails.peek("bad")
    thumbnails.close()
    assert thumb is not None
    assert thumb.pixmap is None
    assert thumb.error == "It is bad. Choose another."


def test_closing_twice_and_asking_afterwards_is_harmless(qtbot: QtBot) -> None:
    thumbnails = Thumbnails(maker=SlowMaker())
    thumbnails.close()
    thumbnails.close()
    assert thumbnails.get(1, 1) is None
    assert threading.active_count() >= 1


def test_the_current_photo_stays_whole_in_a_lower_strip(
    strip: Filmstrip, qtbot: QtBot, photos: list[str]
) -> None:
    strip.set_items(photos)
    strip.select(3)
    view = strip.view

    def whole() -> bool:
        return view.viewport().rect().contains(view.visualRect(view.currentIndex()))

    qtbot.waitUntil(whole)
    strip.resize(144, 380)
    qtbot.waitUntil(whole)
    view.verticalScrollBar().setValue(0)  # the user looks at others
    assert not whole()
    strip.resize(144, 300)
    QApplication.processEvents()
    assert view.verticalScrollBar().value() == 0
