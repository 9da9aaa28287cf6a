"""Sources in the window: cameras in the menu, films and their keys, devices that are given back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QLineEdit, QMenu

from explorer.core.settings import Settings
from explorer.live import cameras
from explorer.live.cameras import FoundCamera
from explorer.live.capture import Phase
from explorer.live.source import SourceSpec
from explorer.ui.board.canvas import Canvas
from explorer.ui.dialogs.screen_picker import Cover, ScreenPicker, native_rect
from explorer.ui.shell.actions import COMMANDS, FILM_COMMANDS
from explorer.ui.shell.window import Window
from tests.live.films import film as write
from tests.live.films import number_of

SECONDS = 30_000
FRAMES = 40
LEFT = Qt.MouseButton.LeftButton


class Frames:
    """Endless gray frames."""

    rate = 200.0
    duration = 0.0

    def __init__(self) -> None:
        self.count = self.opened = self.closed = 0

    def open(self) -> None:
        self.opened += 1

    def read(self) -> tuple[np.ndarray, float]:
        self.count += 1
        return np.full((48, 64, 3), self.count % 200, np.uint8), self.count / self.rate

    def seek(self, position: float) -> None: ...

    def step(self, position: float, frames: int) -> None: ...

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def window(qtbot: Any) -> Iterator[Window]:
    """Without views and networks: frames are shown as they are."""
    made = Window(Settings())
    made._begun = True  # private: a painted window begins by itself, which loads PyTorch
    made.complete()
    qtbot.addWidget(made)
    yield made
    made.close()


@pytest.fixture
def loaded(window: Window, qtbot: Any) -> Window:
    with qtbot.waitSignal(window.loaded, timeout=120_000):
        window.begin()
    return window


def follow(qtbot: Any, window: Window, source: Any) -> None:
    window.live.make = lambda _: source
    window.live.start(SourceSpec("camera", "0", title="Toy"))
    qtbot.waitUntil(lambda: window.live.shown is not None, timeout=SECONDS)


# -- cameras in the menu ---------------------------------------------------------------------------


def opened(qtbot: Any, window: Window, wanted: str) -> list[QAction]:
    """The entries of the Live menu when it is open and `wanted` is among them."""
    menu = window.live.cameras.menu
    menu.aboutToShow.emit()
    qtbot.waitUntil(lambda: wanted in [a.text() for a in menu.actions()], timeout=SECONDS)
    return menu.actions()


def test_cameras_are_listed_with_their_sizes(window: Window, qtbot: Any, monkeypatch) -> None:
    found = [
        FoundCamera("/dev/video0", "Desk", ((640, 480), (1280, 720))),
        FoundCamera("/dev/video2", "A & B", ((640, 480),)),
    ]
    monkeypatch.setattr(cameras, "cameras", lambda: tuple(found))
    actions = opened(qtbot, window, "Desk")
    assert [a.text() for a in actions[:2]] == ["Desk", "A && B"]
    sizes = actions[0].menu()
    assert isinstance(sizes, QMenu)
    assert [a.text() for a in sizes.actions()] == ["Automatic", "640 x 480", "1280 x 720"]
    chosen: list[SourceSpec] = []
    window.live.cameras.chosen.disconnect()
    window.live.cameras.chosen.connect(chosen.append)
    sizes.actions()[0].trigger()
    sizes.actions()[2].trigger()
    actions[1].trigger()
    assert [(s.where, s.size, s.name) for s in chosen] == [
        ("/dev/video0", None, "Desk"),
        ("/dev/video0", (1280, 720), "Desk"),
        ("/dev/video2", None, "A & B"),
    ]


def test_the_list_is_made_anew_each_time(window: Window, qtbot: Any, monkeypatch) -> None:
    for found, wanted in (
        ((), "No camera found"),
        ((FoundCamera("0", "Desk"),), "Desk"),
        ((FoundCamera("0", "Door"), FoundCamera("1", "Desk", ((1, 1), (2, 2)))), "Door"),
        ((), "No camera found"),
    ):
        monkeypatch.setattr(cameras, "cameras", lambda found=found: found)
        names = [a.text() for a in opened(qtbot, window, wanted)]
        assert names[: max(1, len(found))] == ([c.name for c in found] or [wanted])
        assert names.count(wanted) == 1
        assert "Looking for cameras…" not in names


def test_cameras_that_cannot_be_listed_are_none(window: Window, qtbot: Any, monkeypatch) -> None:
    def fails() -> None:
        raise OSError("no permission")

    monkeypatch.setattr(cameras, "cameras", fails)
    opened(qtbot, window, "No camera found")


def test_the_first_page_offers_what_can_be_followed(window: Window) -> None:
    menu = window.welcome.live.menu()
    assert menu is window.live.cameras.menu
    words = [action.text() for action in menu.actions() if action.isVisible()]
    assert {"Open film…", "Built-in moving scene", "Part of the screen…"} <= set(words)
    assert "camera" in window.welcome.live.text().lower()


# -- films -----------------------------------------------------------------------------------------


@pytest.fixture
def playing(window: Window, qtbot: Any, tmp_path: Path) -> Window:
    window.live.film(str(write(tmp_path / "film.avi", FRAMES)))
    qtbot.waitUntil(lambda: window.live.bar.film.film, timeout=SECONDS)
    window.live.look()
    return window


def newest(window: Window) -> int:
    capture = window.live.capture
    assert capture is not None
    shot = capture.slot.newest
    return -1 if shot is None else number_of((shot.pixels, 0.0))


def until(qtbot: Any, window: Window, number: int) -> None:
    qtbot.waitUntil(lambda: newest(window) == number, timeout=SECONDS)
    window.live.look()


def phase(window: Window) -> Phase:
    assert window.live.capture is not None
    return window.live.capture.status.phase


def test_keys_play_step_and_mark(playing: Window, qtbot: Any) -> None:
    window, film, act = playing, playing.live.bar.film, playing.actions_
    QTest.keyClick(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: phase(window) is Phase.PAUSED, timeout=SECONDS)
    QTest.keyClick(window, Qt.Key.Key_Home)
    until(qtbot, window, 0)
    for number in (1, 2, 3):
        act["film_on"].trigger()
        until(qtbot, window, number)
    act["film_back"].trigger()
    until(qtbot, window, 2)
    act["film_in"].trigger()
    assert film.playback.first == pytest.approx(0.2)
    for number in (3, 4, 5):
        act["film_on"].trigger()
        until(qtbot, window, number)
    act["film_out"].trigger()
    assert film.playback.last == pytest.approx(0.5)
    assert film.place.marks == pytest.approx((0.2 / 4.0, 0.5 / 4.0))
    assert not film.clear.isHidden()
    QTest.keyClick(window, Qt.Key.Key_Home)
    until(qtbot, window, 2)
    QTest.keyClick(window, Qt.Key.Key_End)
    until(qtbot, window, 5)
    before = window.live.capture.slot.newest.number
    QTest.keyClick(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.live.capture.slot.newest.number > before + 8, timeout=SECONDS)
    shots = [s for s in window.live.capture.slot.past if s.number > before]
    assert {number_of((s.pixels, 0.0)) for s in shots} == {2, 3, 4, 5}
    act["film_clear"].trigger()
    assert film.place.marks is None
    assert film.clear.isHidden()
    until(qtbot, window, 8)
    QTest.keyClick(window, Qt.Key.Key_Space)
    QTest.keyClick(window, Qt.Key.Key_End)
    until(qtbot, window, FRAMES - 1)


def test_marks_that_cross_replace_each_other(playing: Window) -> None:
    film = playing.live.bar.film
    film.at = 2.0
    film.mark_out()
    film.at = 3.0
    film.mark_in()
    assert (film.playback.first, film.playback.last) == (3.0, 0.0)
    film.at = 1.0
    film.mark_out()
    assert (film.playback.first, film.playback.last) == (0.0, 1.0)


def test_a_film_at_its_end_begins_again_with_space(playing: Window, qtbot: Any) -> None:
    film = playing.live.bar.film
    film.loop.click()
    QTest.keyClick(playing, Qt.Key.Key_End)
    qtbot.waitUntil(lambda: phase(playing) is Phase.ENDED, timeout=SECONDS)
    playing.live.look()
    assert film.play.toolTip() == "Play (Space)"
    QTest.keyClick(playing, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: 0 <= newest(playing) < FRAMES // 2, timeout=SECONDS)
    assert phase(playing) is Phase.PLAYING


def test_fields_and_buttons_keep_their_keys(playing: Window, qtbot: Any) -> None:
    playing.show()
    qtbot.waitExposed(playing)
    playing.activateWindow()
    film = playing.live.bar.film
    before = film.playback
    field = QLineEdit(playing)
    field.show()
    field.setFocus()
    qtbot.waitUntil(field.hasFocus, timeout=SECONDS)
    QTest.keyClicks(field, "in, out. ")
    QTest.keyClick(field, Qt.Key.Key_Home)
    assert field.text() == "in, out. "
    assert field.cursorPosition() == 0
    assert film.playback == before
    film.loop.setFocus()
    QTest.keyClick(film.loop, Qt.Key.Key_Space)
    assert film.playback.loop is False
    assert film.playback.paused is False
    # Elsewhere they are the film's.
    playing.board.setFocus()
    QTest.keyClick(playing, Qt.Key.Key_Comma)
    assert film.playback.paused


def test_a_short_press_of_space_on_the_picture_plays_and_a_long_one_pans(
    playing: Window, qtbot: Any
) -> None:
    playing.show()
    qtbot.waitExposed(playing)
    film = playing.live.bar.film
    canvas = playing.board.findChild(Canvas)
    canvas.setFocus()
    middle = canvas.viewport().rect().center()
    QTest.keyClick(canvas, Qt.Key.Key_Space)
    assert film.playback.paused
    QTest.keyPress(canvas, Qt.Key.Key_Space)
    QTest.mousePress(canvas.viewport(), LEFT, pos=middle)
    QTest.mouseMove(canvas.viewport(), middle + QPoint(30, 10))
    QTest.mouseRelease(canvas.viewport(), LEFT, pos=middle + QPoint(30, 10))
    QTest.keyRelease(canvas, Qt.Key.Key_Space)
    assert film.playback.paused  # as before
    QTest.keyClick(canvas, Qt.Key.Key_Space)
    assert not film.playback.paused


def test_film_keys_sleep_without_a_film(window: Window, qtbot: Any, tmp_path: Path) -> None:
    actions = window.actions_
    assert not any(actions[name].isEnabled() for name in FILM_COMMANDS)
    assert not window.live.film_key(Qt.Key.Key_Space)
    window.live.film(str(write(tmp_path / "film.avi", FRAMES)))
    qtbot.waitUntil(lambda: actions["film_in"].isEnabled(), timeout=SECONDS)
    assert all(actions[name].isEnabled() for name in FILM_COMMANDS)
    window.live.leave()
    assert not any(actions[name].isEnabled() for name in FILM_COMMANDS)


def test_keys_of_films_are_on_the_shortcut_sheet(window: Window) -> None:
    window.sheets.open_shortcuts()
    words = {label.text() for label in window.sheets.shortcuts.findChildren(QLabel)}
    listed = {c.title for c in COMMANDS if c.name in FILM_COMMANDS and c.keys}
    assert len(listed) == 5
    assert listed | {"Play or pause the film", "First and last frame of the film"} <= words


# -- devices are given back ------------------------------------------------------------------------


def test_a_device_that_no_view_follows_is_given_back(loaded: Window, qtbot: Any) -> None:
    source = Frames()
    follow(qtbot, loaded, source)
    loaded.study.set_view("deep_dream")  # it wants a picture that stands still
    shown = loaded.live.shown
    assert np.array_equal(loaded.study.image.pixels, shown.pixels), "what was seen last"
    qtbot.waitUntil(lambda: source.closed == 1, timeout=SECONDS)
    assert source.opened == 1
    loaded.study.cancel()
    loaded.live.toggle_freeze()  # going on opens it again, with a view that can follow
    qtbot.waitUntil(lambda: source.opened == 2, timeout=SECONDS)
    assert loaded.study.view.live
    loaded.study.set_view("deep_dream")
    qtbot.waitUntil(lambda: source.closed == 2, timeout=SECONDS)
    loaded.study.set_view("classify")  # as does a view that can follow
    qtbot.waitUntil(lambda: loaded.study.live and source.opened == 3, timeout=SECONDS)
    last = loaded.live.shown
    qtbot.waitUntil(lambda: loaded.live.shown is not last, timeout=SECONDS)
    assert "Stopped: no view" not in loaded.live.bar.phase.text()
    loaded.live.leave()
    qtbot.waitUntil(lambda: source.closed == 3, timeout=SECONDS)


def test_a_cancelled_look_gives_the_device_back(loaded: Window, qtbot: Any) -> None:
    source = Frames()
    follow(qtbot, loaded, source)
    loaded.study.cancel()
    qtbot.waitUntil(lambda: source.closed == 1, timeout=SECONDS)
    assert loaded.live.capture is None
    assert loaded.live.bar.isHidden()


def test_a_defect_gives_the_device_back(loaded: Window, qtbot: Any, monkeypatch) -> None:
    from explorer.engine.engine import Engine

    source = Frames()
    follow(qtbot, loaded, source)

    def broken(*args: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(Engine, "_whole", broken)  # private: a defect has no public door
    qtbot.waitUntil(lambda: source.closed == 1, timeout=SECONDS)
    assert loaded.live.capture is None


@pytest.mark.slow
def test_two_hundred_switches_leave_nothing_behind(loaded: Window, qtbot: Any) -> None:
    folder = Path("/proc/self/fd")
    follow(qtbot, loaded, Frames())
    loaded.live.leave()
    qtbot.waitUntil(lambda: not captures(), timeout=SECONDS)
    files = len(list(folder.iterdir())) if folder.exists() else 0
    sources: list[Frames] = []

    def make(_: SourceSpec) -> Frames:
        sources.append(Frames())
        return sources[-1]

    loaded.live.make = make
    for number in range(200):
        loaded.live.start(SourceSpec("camera", str(number), title=f"Camera {number}"))
        if number % 20 == 0:
            qtbot.waitUntil(lambda: loaded.live.shown is not None, timeout=SECONDS)
    assert loaded.study.image.name == "Camera 199"
    loaded.live.leave()
    qtbot.waitUntil(lambda: not captures(), timeout=SECONDS)
    assert len(sources) >= 10
    assert all(source.opened == source.closed == 1 for source in sources)
    assert (len(list(folder.iterdir())) if folder.exists() else 0) <= files


def captures() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "capture"]


# -- a part of the screen --------------------------------------------------------------------------


@pytest.fixture
def picker(qtbot: Any) -> Iterator[ScreenPicker]:
    from PySide6.QtCore import QObject

    owner = QObject()
    made = ScreenPicker(owner)
    made.open()
    yield made
    made.close()
    owner.deleteLater()


def drag(cover: Cover, begin: QPoint, end: QPoint) -> None:
    QTest.mousePress(cover, LEFT, pos=begin)
    QTest.mouseMove(cover, end)
    QTest.mouseRelease(cover, LEFT, pos=end)


def test_a_rectangle_is_dragged(picker: ScreenPicker, qtbot: Any) -> None:
    cover = picker.covers[0]
    corner = cover.screen().geometry().topLeft()
    with qtbot.waitSignal(picker.closed), qtbot.waitSignal(picker.chosen) as heard:
        drag(cover, QPoint(300, 200), QPoint(100, 80))  # from any corner
    left, top, width, height = (int(part) for part in heard.args[0].split(","))
    assert (left - corner.x(), top - corner.y()) == (100, 80)
    assert (width, height) == (201, 121)  # both ends are in it
    assert picker.covers == []


def test_a_click_is_no_rectangle_and_escape_cancels(picker: ScreenPicker, qtbot: Any) -> None:
    cover = picker.covers[0]
    chosen: list[str] = []
    picker.chosen.connect(chosen.append)
    drag(cover, QPoint(50, 50), QPoint(52, 51))
    assert picker.covers
    with qtbot.waitSignal(picker.closed):
        QTest.keyClick(cover, Qt.Key.Key_Escape)
    assert chosen == []


@pytest.mark.parametrize("by", ["key", "mouse"])
def test_the_whole_screen(picker: ScreenPicker, qtbot: Any, by: str) -> None:
    cover = picker.covers[0]
    whole = cover.native(cover.rect())
    with qtbot.waitSignal(picker.chosen) as heard:
        if by == "key":
            QTest.keyClick(cover, Qt.Key.Key_Return)
        else:
            QTest.mouseDClick(cover, LEFT, pos=QPoint(40, 40))
    assert heard.args[0].endswith(f",{whole.width()},{whole.height()}")


def test_it_is_dimmed_but_for_the_rectangle(picker: ScreenPicker) -> None:
    cover = picker.covers[0]
    cover.picture.fill(Qt.GlobalColor.white)
    QTest.mousePress(cover, LEFT, pos=QPoint(200, 300))
    QTest.mouseMove(cover, QPoint(400, 500))
    image = cover.grab().toImage()
    ratio = image.devicePixelRatio()
    assert image.pixelColor(round(300 * ratio), round(400 * ratio)).lightness() == 255
    assert image.pixelColor(round(100 * ratio), round(400 * ratio)).lightness() < 160
    QTest.mouseRelease(cover, LEFT, pos=QPoint(200, 300))


def test_screens_with_more_pixels_than_points() -> None:
    part = QRect(100, 50, 300, 200)
    assert native_rect(part, QPoint(0, 0), 1.0) == part
    assert native_rect(part, QPoint(1920, -200), 2.0) == QRect(2120, -100, 600, 400)
    assert native_rect(part, QPoint(0, 0), 1.25) == QRect(125, 62, 375, 250)


def test_where_it_cannot_be_read_the_window_says_so(window: Window, monkeypatch) -> None:
    monkeypatch.setattr("explorer.ui.live.live.why_not", lambda: "There is no screen to read.")
    said: list[str] = []
    monkeypatch.setattr(window.notices, "say", lambda words, *_: said.append(words))
    window.live.screen_dialog()
    assert said == ["There is no screen to read."]


def test_the_part_that_was_chosen_is_followed(window: Window, qtbot: Any, monkeypatch) -> None:
    monkeypatch.setattr("explorer.ui.live.live.why_not", str)
    asked: list[SourceSpec] = []
    window.live.make = lambda spec: asked.append(spec) or Frames()
    window.live.screen_dialog()
    qtbot.waitUntil(lambda: bool(window.live.picker.covers), timeout=SECONDS)
    drag(window.live.picker.covers[0], QPoint(10, 20), QPoint(209, 119))
    qtbot.waitUntil(lambda: bool(asked), timeout=SECONDS)
    assert asked[0].kind == "screen"
    assert asked[0].where.endswith(",200,100")
    assert window.live.bar.title.text() == "Screen, 200 x 100"
