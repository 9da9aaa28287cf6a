"""Recording beside what is followed: real times, nothing blocked, nothing lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Pane, Picture
from explorer.live.recording import recorder as recording
from explorer.live.recording import writer
from explorer.live.recording.messages import Frame, packed, weight
from explorer.live.recording.recorder import MOST_WAITING, FilmRecorder, Look
from explorer.live.recording.unfinished import recover, remembered
from explorer.live.recording.writer import FilmWriter
from explorer.live.slot import Shot
from explorer.saving.film_pieces import Pieces
from tests.live.films import number_of, numbered
from tests.live.recording.here import here
from tests.saving.test_mp4 import frames, shown

__all__ = ["here"]

pytestmark = pytest.mark.usefixtures("here")

SECONDS = 60.0
FRAME_BYTES = weight(packed(Frame(numbered(0))))


def shot(number: int, seconds: float, began: float) -> Shot:
    pixels = numbered(number)
    pixels.setflags(write=False)
    return Shot(pixels, number, began + seconds, seconds)


def look(number: int, seconds: float, began: float, **more: Any) -> Look:
    return Look(shot(number, seconds, began), **more)


def board(number: int) -> Board:
    return Board((Pane("image", (64, 48), (Picture(numbered(number)),)),))


@pytest.fixture
def began() -> float:
    """The time of the first frame: to come, so that no pause of the test is one of the film."""
    return time.perf_counter() + 1000.0


@pytest.fixture
def recorders() -> Iterator[list[FilmRecorder]]:
    made: list[FilmRecorder] = []
    yield made
    for recorder in made:
        recorder.stop()
        assert recorder.wait(SECONDS)


def give(recorder: FilmRecorder, given: Look) -> None:
    while not recorder.room:
        assert not recorder.status.over, recorder.status.problem
        threading.Event().wait(0.001)
    assert recorder.add(given)


def over(recorder: FilmRecorder, at: float) -> list[int]:
    """What the film shows at every tenth of a second, recorded up to that time."""
    recorder.stop(at)
    assert recorder.wait(SECONDS)
    return [number_of((frame, 0.0)) for frame in shown(recorder.path, 10)]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_frames_are_at_their_real_times(tmp_path: Path, began: float) -> None:
    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    # Late, early, two in one place, a long pause.
    for number, seconds in ((0, 0.0), (1, 0.12), (2, 0.29), (3, 0.31), (4, 0.8), (5, 0.9)):
        give(recorder, look(number, seconds, began))
    assert over(recorder, began + 1.2) == [0, 1, 1, 2, 2, 2, 2, 2, 4, 5, 5, 5]
    assert {path.name for path in tmp_path.iterdir()} == {"r.mp4", "r.jsonl"}


def test_what_is_drawn_is_painted_and_every_answer_has_a_line(tmp_path: Path, began: float) -> None:
    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    for number in range(5):
        give(recorder, look(
            number, number / 10, began, board=board(number + 100), view="toy", network="net",
            data=lambda n=number: {"count": n, "map": np.zeros((100, 100))},
        ))  # fmt: skip
    assert over(recorder, began + 0.5) == [100, 101, 102, 103, 104]
    lines = lines_of(tmp_path / "r.jsonl")
    assert [line["frame"] for line in lines] == list(range(5))
    assert [line["seconds"] for line in lines] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert [line["recorded"] for line in lines] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4], abs=1e-3)
    assert [line["data"]["count"] for line in lines] == list(range(5))
    assert lines[0]["data"]["map"] == {"shape": [100, 100], "dtype": "float64"}
    assert (lines[0]["view"], lines[0]["network"]) == ("toy", "net")
    assert recorder.status.lines == 5


def test_raw_frames_and_answers_come_apart(tmp_path: Path, began: float) -> None:
    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    for number in range(6):
        give(recorder, look(number, number / 10, began))
        if number % 3 == 0:
            answer = look(number, number / 10, began, filmed=False, data=lambda: {"a": 1})
            give(recorder, answer)
    assert over(recorder, began + 0.6) == list(range(6))
    assert [line["frame"] for line in lines_of(tmp_path / "r.jsonl")] == [0, 3]


def test_slow_data_leaves_frames_out_and_holds_nobody_up(tmp_path: Path, began: float) -> None:
    packing, go_on = threading.Event(), threading.Event()

    def slow() -> dict[str, Any]:
        packing.set()
        assert go_on.wait(SECONDS)
        return {}

    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    assert recorder.add(look(0, 0.0, began, board=board(0), data=slow))
    assert packing.wait(SECONDS)
    # The recorder hangs: what is handed over from now on must come back at once, taken or not.
    taken = [recorder.add(look(n, n / 10, began, board=board(n), data=dict)) for n in range(1, 101)]
    assert taken == [True] * MOST_WAITING + [False] * (100 - MOST_WAITING)
    assert recorder.status.left_out == 100 - MOST_WAITING
    assert not recorder.status.over
    go_on.set()
    seen = over(recorder, began + 10.0)
    assert seen[: MOST_WAITING + 1] == list(range(MOST_WAITING + 1))
    assert set(seen[MOST_WAITING + 1 :]) == {MOST_WAITING}
    assert len(seen) == 100
    assert len(frames(tmp_path / "r.mp4")[0]) == MOST_WAITING + 1  # what stands still is coded once
    assert len(lines_of(tmp_path / "r.jsonl")) == MOST_WAITING + 1


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("most", [0, 10**9])
def test_a_large_board_is_painted_before_it_is_handed_over(
    tmp_path: Path, began: float, monkeypatch: pytest.MonkeyPatch, most: int, whole: bool
) -> None:
    monkeypatch.setattr(recording, "MOST_BYTES", most)
    recorder = FilmRecorder(tmp_path / "r.mp4", 10, whole=whole)
    two = Board((*board(1).panes, Pane("other", (64, 48), (Picture(numbered(2)),))))
    give(recorder, look(0, 0.0, began, board=two))
    recorder.stop(began + 0.1)
    assert recorder.wait(SECONDS)
    (frame,) = frames(tmp_path / "r.mp4")[0]
    assert (frame.shape[1] > 64) == whole


class Gate:
    """Frames are encoded only while it is open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.encoding, self.open = threading.Event(), threading.Event()
        self.frames = 0
        add = Pieces.add

        def gated(pieces: Pieces, frame: np.ndarray, times: int = 1) -> None:
            self.encoding.set()
            assert self.open.wait(SECONDS)
            add(pieces, frame, times)
            self.frames += 1

        monkeypatch.setattr(Pieces, "add", gated)


@pytest.mark.parametrize("memory", [10**9, FRAME_BYTES * 3, 0])
def test_what_cannot_be_encoded_yet_waits_and_nothing_is_dropped(
    tmp_path: Path, began: float, monkeypatch: pytest.MonkeyPatch, memory: int
) -> None:
    monkeypatch.setattr(writer, "MEMORY_BYTES", memory)
    gate = Gate(monkeypatch)
    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    for number in range(60):
        give(recorder, look(
            number, number / 10, began, board=board(number + 100), data=lambda n=number: {"n": n},
        ))  # fmt: skip
    assert gate.encoding.wait(SECONDS)
    while recorder.status.frames < 60:
        threading.Event().wait(0.001)
    status = recorder.status
    assert (status.encoded, status.lines, status.left_out) == (0, 0, 0)
    gate.open.set()
    assert over(recorder, began + 6.0) == list(range(100, 160))
    assert [line["data"]["n"] for line in lines_of(tmp_path / "r.jsonl")] == list(range(60))
    status = recorder.status
    assert (status.encoded, status.lines, status.left_out) == (60, 60, 0)
    assert {path.name for path in tmp_path.iterdir()} == {"r.mp4", "r.jsonl"}


def test_when_the_spool_is_nearly_full_both_threads_encode(
    tmp_path: Path, began: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MEMORY_BYTES", FRAME_BYTES * 4)
    monkeypatch.setattr(writer, "FILE_BYTES", FRAME_BYTES * 4)
    monkeypatch.setattr(FilmWriter, "_encode_lazily", lambda *_: None)  # it gets no processor
    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    for number in range(60):
        give(recorder, look(number, number / 10, began))
        while (status := recorder.status).frames <= number or number - status.encoded > 6:
            threading.Event().wait(0.0005)
    assert recorder.status.encoded >= 60 - 8
    assert over(recorder, began + 6.0) == list(range(60))
    assert recorder.status.left_out == 0


def test_what_the_spool_has_no_room_for_is_dropped_and_counted(
    tmp_path: Path, began: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MEMORY_BYTES", FRAME_BYTES * 2)
    monkeypatch.setattr(writer, "FILE_BYTES", FRAME_BYTES * 2)
    monkeypatch.setattr(writer, "NEARLY_FULL", 2.0)
    gate = Gate(monkeypatch)
    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    give(recorder, look(0, 0.0, began))
    assert gate.encoding.wait(SECONDS)  # one is being encoded
    for number in range(1, 11):
        give(recorder, look(number, number / 10, began))
    while recorder.status.left_out < 6:
        threading.Event().wait(0.001)
    gate.open.set()
    seen = over(recorder, began + 1.1)
    assert seen == [0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 4]
    assert recorder.status.left_out == 6


def test_canceled_the_film_ends_with_the_last_encoded_frame(
    tmp_path: Path, began: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    for number in range(30):
        give(recorder, look(number, number / 10, began, data=dict))
    while recorder.status.frames < 30:
        threading.Event().wait(0.001)
    recorder.stop(began + 3.0)
    recorder.cancel()
    gate.open.set()
    assert recorder.wait(SECONDS)
    status = recorder.status
    assert status.problem is None
    assert 1 <= status.encoded < 30
    assert status.left_out == 30 - status.encoded
    found = [number_of((frame, 0.0)) for frame in frames(tmp_path / "r.mp4")[0]]
    assert found == list(range(status.encoded))
    assert len(lines_of(tmp_path / "r.jsonl")) == status.encoded == status.lines
    assert {path.name for path in tmp_path.iterdir()} == {"r.mp4", "r.jsonl"}


def test_a_full_disk_is_a_sentence_and_what_was_written_stays(
    tmp_path: Path, began: float, monkeypatch: pytest.MonkeyPatch, recorders: list[FilmRecorder]
) -> None:
    commit = Pieces.commit

    def full(self: Pieces, frames: int, memory: bytes | None = None) -> None:
        if len(self._records) == 2:
            raise ExplorerError("r.mp4 could not be written: No space left on device.", "Free it.")
        commit(self, frames, memory)

    monkeypatch.setattr(Pieces, "commit", full)
    told = threading.Event()
    recorder = FilmRecorder(tmp_path / "r.mp4", 10, notify=told.set)
    recorders.append(recorder)
    number = 0
    while not recorder.status.over:
        if recorder.add(look(number, number / 10, began)):
            number += 1
        else:
            threading.Event().wait(0.001)
    assert told.wait(SECONDS)
    status = recorder.status
    assert status.over
    assert status.problem is not None
    assert "No space left" in status.problem.message
    assert recorder.wait(SECONDS)
    assert len(frames(tmp_path / "r.mp4")[0]) == 40  # two pieces of two seconds


def test_a_view_whose_data_fails_ends_the_recording_with_a_sentence(
    tmp_path: Path, began: float, recorders: list[FilmRecorder]
) -> None:
    def broken() -> dict[str, Any]:
        raise ZeroDivisionError("by zero")

    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    recorders.append(recorder)
    give(recorder, look(0, 0.0, began, data=broken))
    assert recorder.wait(SECONDS)
    assert recorder.status.problem is not None
    assert "by zero" in recorder.status.problem.message
    assert list(tmp_path.iterdir()) == []


def test_what_came_before_a_defect_is_in_the_film(
    tmp_path: Path, began: float, monkeypatch: pytest.MonkeyPatch, recorders: list[FilmRecorder]
) -> None:
    def broken() -> dict[str, Any]:
        raise ZeroDivisionError("by zero")

    gate = Gate(monkeypatch)
    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    recorders.append(recorder)
    for number in range(5):
        give(recorder, look(number, number / 10, began))
    give(recorder, look(5, 0.5, began, data=broken))
    while recorder.status.problem is None:
        threading.Event().wait(0.001)
    assert not recorder.add(look(6, 0.6, began))
    gate.open.set()
    assert recorder.wait(SECONDS)
    assert [number_of((frame, 0.0)) for frame in frames(tmp_path / "r.mp4")[0]] == list(range(5))


def test_a_folder_that_is_not_there_is_a_sentence(
    tmp_path: Path, recorders: list[FilmRecorder]
) -> None:
    recorder = FilmRecorder(tmp_path / "none" / "r.mp4", 10)
    recorders.append(recorder)
    assert recorder.wait(SECONDS)
    assert recorder.status.problem is not None
    assert "could not be written" in recorder.status.problem.message
    assert not recorder.add(look(0, 0.0, 0.0))


def test_without_a_frame_nothing_is_written(tmp_path: Path) -> None:
    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    recorder.stop()
    assert recorder.wait(SECONDS)
    assert recorder.status.problem is not None
    assert "Nothing was recorded" in recorder.status.problem.message
    assert list(tmp_path.iterdir()) == []


def test_the_film_that_is_there_stays_until_the_new_one_is_whole(
    tmp_path: Path, began: float
) -> None:
    (tmp_path / "r.mp4").write_bytes(b"old")
    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    give(recorder, look(0, 0.0, began))
    while not remembered():
        threading.Event().wait(0.001)
    assert list(recover()) == []  # it is at it
    assert (tmp_path / "r.mp4").read_bytes() == b"old"
    assert over(recorder, began + 0.3) == [0, 0, 0]
    assert remembered() == []


def test_while_nothing_comes_the_last_frame_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorders: list[FilmRecorder]
) -> None:
    monkeypatch.setattr(writer, "TICK_SECONDS", 0.01)
    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    recorders.append(recorder)
    give(recorder, look(0, 0.0, time.perf_counter() - 8.0))
    while recorder.status.bytes == 0:  # the frames of the pause are on the disk before it ends
        assert not recorder.status.over
        threading.Event().wait(0.005)
    recorder.stop()
    assert recorder.wait(SECONDS)
    assert len(shown(tmp_path / "r.mp4", 10)) >= 80
    assert len(frames(tmp_path / "r.mp4")[0]) < 20
