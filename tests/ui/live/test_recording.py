"""Recording in the window: the button, the files, and that nothing is lost."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog

from explorer.core.errors import ExplorerError
from explorer.core.settings import Settings
from explorer.live.recording import unfinished
from explorer.live.recording.recorder import FilmRecorder, Look
from explorer.live.recording.writer import RecordStatus
from explorer.live.slot import Shot
from explorer.saving.film_pieces import Pieces, folder_of
from explorer.ui.live import writing
from explorer.ui.live.recording import Handover, RecordingControls
from explorer.ui.shell.window import Window
from tests.live.films import numbered
from tests.live.recording.here import here
from tests.marks import by_hand
from tests.saving.test_mp4 import frames
from tests.ui.live.test_live import SECONDS, Frames, follow, number, window

__all__ = ["here", "window"]

pytestmark = pytest.mark.usefixtures("here")


def answer_dialog(monkeypatch: pytest.MonkeyPatch, path: Path, kind: int = 0) -> list[str]:
    """The next file dialogs answer with that; what they proposed is returned."""
    proposed: list[str] = []

    def ask(_: object, __: str, start: str, kinds: str) -> tuple[str, str]:
        proposed.append(start)
        return str(path), kinds.split(";;")[kind]

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    return proposed


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def said(window: Window) -> str:
    return " ".join(window.notices.texts)


def wait_for_lines(qtbot: Any, window: Window, count: int) -> None:
    recorder = window.live.recording.recorder
    assert recorder is not None
    qtbot.waitUntil(lambda: recorder.status.lines >= count, timeout=SECONDS)


@pytest.mark.parametrize("kind", [0, 1])
def test_the_button_records_what_is_followed(
    window: Window, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: int
) -> None:
    proposed = answer_dialog(monkeypatch, tmp_path / "mine")
    follow(qtbot, window, Frames())
    part = window.live.recording.controls
    assert not part.button.isChecked()
    qtbot.mouseClick(part.button, Qt.MouseButton.LeftButton)
    sheet = window.live.recording.sheet
    assert not part.button.isChecked(), "nothing is recorded before there is a place"
    sheet.what.setCurrentIndex(kind)
    sheet.go_on.click()
    assert proposed[0].endswith(".mp4")
    assert part.button.isChecked()
    assert not part.dot.isHidden()
    wait_for_lines(qtbot, window, 5)
    qtbot.waitUntil(lambda: bool(re.match(r"\d+:\d\d", part.words.text())), timeout=SECONDS)
    qtbot.mouseClick(part.button, Qt.MouseButton.LeftButton)
    assert part.dot.isHidden()
    assert not part.button.isChecked()
    film, lines = tmp_path / "mine.mp4", tmp_path / "mine.jsonl"
    qtbot.waitUntil(lambda: film.exists() and lines.exists(), timeout=SECONDS)
    qtbot.waitUntil(lambda: "mine.mp4" in said(window), timeout=SECONDS)
    found = frames(film)[0]
    assert len(found) >= 2
    assert found[0].shape == (48, 64, 3)
    entries = lines_of(lines)
    assert len(entries) >= 5
    numbers = [entry["frame"] for entry in entries]
    assert numbers == sorted(set(numbers))
    assert {entry["view"] for entry in entries} == {window.study.view.name}
    assert all(entry["data"] for entry in entries)
    assert window.study.live
    assert unfinished.remembered() == []


def test_a_closed_dialog_records_nothing(
    window: Window, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    follow(qtbot, window, Frames())
    window.actions_["record"].trigger()
    window.live.recording.sheet.go_on.click()
    assert window.live.recording.recorder is None
    window.actions_["record"].trigger()
    window.live.recording.sheet.close_sheet()
    assert window.live.recording.recorder is None
    assert not window.live.recording.controls.button.isChecked()


def test_views_beside_are_recorded_when_that_is_wanted(
    window: Window, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_dialog(monkeypatch, tmp_path / "both.mp4")
    follow(qtbot, window, Frames())
    window.live.recording.toggle()
    assert not window.live.recording.sheet.beside.isVisible(), "there are none"
    window.live.recording.sheet.close_sheet()
    study = window.study
    own = len(study.board.panes)
    study.set_beside("feature_maps", True)
    qtbot.waitUntil(lambda: len(study.board.panes) == own + 1, timeout=SECONDS)
    window.live.recording.toggle()
    assert window.live.recording.sheet.beside.isChecked()
    window.live.recording.sheet.go_on.click()
    wait_for_lines(qtbot, window, 3)
    window.live.recording.stop()
    qtbot.waitUntil((tmp_path / "both.mp4").exists, timeout=SECONDS)
    height, width, _ = frames(tmp_path / "both.mp4")[0][0].shape
    assert width > 64, "wider than the frame alone"
    assert height > 0


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """No frame is encoded before it is set."""
    opened = threading.Event()
    add = Pieces.add

    def gated(pieces: Pieces, frame: np.ndarray, times: int = 1) -> None:
        assert opened.wait(SECONDS / 1000)
        add(pieces, frame, times)

    monkeypatch.setattr(Pieces, "add", gated)
    yield opened
    opened.set()


def record_frames(qtbot: Any, window: Window, film: Path, count: int) -> FilmRecorder:
    """Records so many frames, none of which can be encoded yet."""
    follow(qtbot, window, Frames())
    window.live.recording.start(str(film))
    recorder = window.live.recording.recorder
    assert recorder is not None
    qtbot.waitUntil(lambda: recorder.status.frames >= count, timeout=SECONDS)
    return recorder


def recorded(film: Path) -> int:
    """How many frames with their data are in a film; one that is shown long is coded repeatedly."""
    numbers = [entry["frame"] for entry in lines_of(film.with_suffix(".jsonl"))]
    assert numbers == sorted(set(numbers))
    assert len(frames(film)[0]) >= len(numbers)
    return len(numbers)


def press(window: Window, words: str) -> None:
    (button,) = [b for card in window.notices.cards for b in card.buttons if b.text() == words]
    button.click()


def test_what_is_not_encoded_yet_is_written_after_the_end(
    window: Window, qtbot: Any, tmp_path: Path, gate: threading.Event
) -> None:
    film = tmp_path / "mine.mp4"
    recorder = record_frames(qtbot, window, film, 5)
    window.live.recording.toggle()
    qtbot.waitUntil(lambda: "Writing the film: 0 of " in said(window), timeout=SECONDS)
    assert not film.exists()
    assert window.study.live, "what is followed goes on"
    gate.set()
    qtbot.waitUntil(lambda: "Recorded" in said(window), timeout=SECONDS)
    assert "Writing" not in said(window)
    assert "dropped" not in said(window)
    assert recorder.status.encoded == recorder.status.frames
    assert recorded(film) == recorder.status.frames


def test_writing_can_be_canceled_and_the_film_so_far_stays(
    window: Window, qtbot: Any, tmp_path: Path, gate: threading.Event
) -> None:
    film = tmp_path / "mine.mp4"
    recorder = record_frames(qtbot, window, film, 5)
    window.live.recording.toggle()
    qtbot.waitUntil(lambda: "Writing the film" in said(window), timeout=SECONDS)
    press(window, "Cancel")
    gate.set()
    qtbot.waitUntil(lambda: "Recorded" in said(window), timeout=SECONDS)
    status = recorder.status
    assert 1 <= status.encoded < status.frames
    assert f"{status.frames - status.encoded:,} frames were dropped" in said(window)
    assert recorded(film) == status.encoded
    assert not folder_of(film).exists()


@pytest.mark.parametrize("answer", ["", "Keep open", *by_hand("Close now", "again")])
def test_a_window_that_is_closed_waits_for_the_film(
    window: Window, qtbot: Any, tmp_path: Path, gate: threading.Event, answer: str
) -> None:
    film = tmp_path / "mine.mp4"
    window.show()
    recorder = record_frames(qtbot, window, film, 5)
    assert not window.close()
    assert window.isVisible()
    assert "The window closes when it is done." in said(window)
    if answer == "again":
        # The thread that encodes hangs at the gate: it is opened while the window waits.
        threading.Timer(0.1, gate.set).start()
        assert window.close()
    elif answer:
        press(window, answer)
        gate.set()
    else:
        gate.set()
    if answer == "Keep open":
        qtbot.waitUntil(lambda: "Recorded" in said(window), timeout=SECONDS)
        assert window.isVisible()
    else:
        qtbot.waitUntil(lambda: not window.isVisible(), timeout=SECONDS)
    count = recorder.status.encoded
    assert recorded(film) == count
    assert not folder_of(film).exists()
    if answer == "Close now":
        assert count < recorder.status.frames
    else:
        assert count == recorder.status.frames


def test_a_program_that_must_end_keeps_what_is_encoded(
    window: Window, qtbot: Any, tmp_path: Path, gate: threading.Event, monkeypatch: Any
) -> None:
    monkeypatch.setattr(writing, "CLOSE_SECONDS", 1.0)
    film = tmp_path / "mine.mp4"
    recorder = record_frames(qtbot, window, film, 5)
    threading.Timer(1.2, gate.set).start()
    window.finish()  # as at the end of the program, after a signal
    assert recorder.status.over
    assert 1 <= recorded(film) < recorder.status.frames
    assert not folder_of(film).exists()


def test_it_can_be_recorded_only_while_live(window: Window, qtbot: Any) -> None:
    record = window.actions_["record"]
    assert not record.isEnabled()
    follow(qtbot, window, Frames())
    assert record.isEnabled()
    window.live.leave()
    assert not record.isEnabled()


@pytest.mark.parametrize("how", ["leave", "close", "other", "photo", "freeze", "fail"])
def test_nothing_is_lost_however_it_ends(
    window: Window, qtbot: Any, tmp_path: Path, how: str
) -> None:
    source = Frames()
    follow(qtbot, window, source)
    film = tmp_path / "mine.mp4"
    window.live.recording.start(str(film))
    wait_for_lines(qtbot, window, 3)
    if how == "leave":
        window.live.leave()
    elif how == "close":
        window.close()
    elif how == "other":
        follow(qtbot, window, Frames(), "Other")
    elif how == "photo":
        window.live.stop_for_photo()
    elif how == "fail":
        source.refuses = "It is broken."
        source.unplugged.set()
        window.live.recording.toggle()
    else:
        window.live.toggle_freeze()
        shown = number(window)
        window.live.toggle_freeze()
        qtbot.waitUntil(lambda: number(window) > shown + 3, timeout=SECONDS)
        window.live.recording.toggle()
    qtbot.waitUntil(film.exists, timeout=SECONDS)
    assert len(frames(film)[0]) >= 1
    qtbot.waitUntil((tmp_path / "mine.jsonl").exists, timeout=SECONDS)
    assert len(lines_of(tmp_path / "mine.jsonl")) >= 3
    assert window.live.recording.recorder is None


def test_a_full_disk_is_said_and_live_goes_on(
    window: Window, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise ExplorerError("mine.mp4 could not be written: No space left on device.", "Free it.")

    follow(qtbot, window, Frames())
    monkeypatch.setattr(Pieces, "commit", full)
    window.live.recording.start(str(tmp_path / "mine.mp4"))
    qtbot.waitUntil(lambda: "No space left" in said(window), timeout=SECONDS)
    assert window.live.recording.recorder is None
    assert not window.live.recording.controls.button.isChecked()
    shown = number(window)
    qtbot.waitUntil(lambda: number(window) > shown + 3, timeout=SECONDS)


def test_what_a_killed_program_has_left_is_found_at_the_next_start(
    qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPLORER_HOME", str(tmp_path / "home"))
    film = tmp_path / "mine.mp4"
    pieces = Pieces(film, film.with_suffix(".jsonl"), 10.0, {"recording": True})
    for n in range(20):
        pieces.add(numbered(n))
        pieces.line("{}")
    pieces.commit(20)
    pieces.release()  # as the system does when the program is killed
    unfinished.remember(film)
    made = Window(Settings())
    qtbot.addWidget(made)
    try:
        with qtbot.waitSignal(made.loaded, timeout=120_000):
            made.begin()
        qtbot.waitUntil(lambda: "mine.mp4" in said(made), timeout=SECONDS)
    finally:
        made.close()
    assert len(frames(film)[0]) == 20
    assert not folder_of(film).exists()
    assert unfinished.remembered() == []


def test_what_the_bar_says(qtbot: Any) -> None:
    part = RecordingControls()
    qtbot.addWidget(part)
    part.show_status(RecordStatus(seconds=65.4, bytes=2_500_000))
    assert part.words.text() == "1:05 · 2.5 MB"
    part.show_status(RecordStatus(seconds=3.0, bytes=3_200_000_000, left_out=1234))
    assert part.words.text() == "0:03 · 3.20 GB · 1,234 dropped"
    assert "Stop" in part.button.toolTip()
    part.show_status(None)
    assert part.words.isHidden()
    assert "Record" in part.button.toolTip()
    assert np.all([part.button.icon().isNull()]) is np.False_


class Slots:
    """A capture whose slot holds the frames of those numbers."""

    def __init__(self) -> None:
        self.slot = self
        self.past: tuple[Shot, ...] = ()

    def hold(self, numbers: range) -> None:
        self.past = tuple(Shot(numbered(n), n, float(n), float(n)) for n in numbers)


class Taker:
    """A recorder that has room for so many."""

    def __init__(self) -> None:
        self.room = 100
        self.taken: list[int] = []
        self.missed = 0

    def add(self, look: Look) -> bool:
        self.room -= 1
        self.taken.append(look.shot.number)
        return True

    def leave_out(self, count: int) -> None:
        self.missed += count


def test_every_frame_is_handed_over_once_and_what_was_missed_is_counted() -> None:
    taker, capture = Taker(), Slots()
    feed: Any = Handover(capture, 4).give  # type: ignore[arg-type]
    for numbers in (range(2, 8), range(5, 10)):
        capture.hold(numbers)
        feed(taker, capture)
    assert taker.taken == [5, 6, 7, 8, 9]
    taker.room = 2
    capture.hold(range(8, 14))
    feed(taker, capture)
    assert taker.taken[5:] == [10, 11]
    taker.room = 100
    feed(taker, capture)
    assert taker.taken[7:] == [12, 13]
    assert taker.missed == 0
    capture.hold(range(20, 22))
    feed(taker, capture)
    assert taker.taken[9:] == [20, 21]
    assert taker.missed == 6
    again = Slots()
    again.hold(range(2))  # the source was opened anew: its numbers begin again
    feed(taker, again)
    assert taker.taken[11:] == [0, 1]
    assert taker.missed == 6
