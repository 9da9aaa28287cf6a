"""The process itself: it writes the film, outlives the program, and may be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.core.layers import Board, Boxes, Pane, Picture
from explorer.live.recording import recorder as recording
from explorer.live.recording.painting import rendered
from explorer.live.recording.recorder import FilmRecorder
from explorer.live.recording.unfinished import remembered
from explorer.saving.film_pieces import folder_of
from tests.live.films import number_of, numbered
from tests.live.recording.test_recorder import SECONDS, give, look, over
from tests.saving.test_mp4 import frames

BEGAN = 1000.0
RED = np.array([[255, 0, 0]], np.uint8)

posix = pytest.mark.skipif(sys.platform == "win32", reason="sends signals")


def test_a_film_is_written_and_painted_as_in_the_program(tmp_path: Path) -> None:
    boxes = Boxes(np.array([[5.0, 5.0, 40.0, 30.0]], np.float32), RED, ("dog",))
    boards = [
        Board((Pane("image", (64, 48), (Picture(numbered(number)), boxes)),))
        for number in (40, 41, 42)
    ]
    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    for number, board in enumerate(boards):
        give(recorder, look(number, number / 10, BEGAN, board=board, data=lambda: {"count": 1}))
    recorder.stop(BEGAN + 0.3)
    assert recorder.wait(SECONDS)
    status = recorder.status
    assert status.problem is None
    assert (status.frames, status.encoded, status.lines, status.left_out) == (3, 3, 3, 0)
    for board, frame in zip(boards, frames(tmp_path / "r.mp4")[0], strict=True):
        assert np.abs(frame.astype(int) - rendered(board)).mean() < 8  # lossy
    assert recorder.process is not None
    assert recorder.process.returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"r.mp4", "r.jsonl"}


def test_a_folder_of_the_user_is_not_where_its_packages_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    give(recorder, look(7, 0.0, BEGAN))
    assert over(recorder, BEGAN + 0.1) == [7]


def test_without_a_process_there_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    ended = threading.Event()
    recorder = FilmRecorder(tmp_path / "r.mp4", 10, notify=ended.set)
    assert ended.wait(SECONDS)
    assert recorder.wait(SECONDS)
    problem = recorder.status.problem
    assert problem is not None
    assert "cannot start" in problem.message
    assert not recorder.add(look(0, 0.0, BEGAN))


@posix
@pytest.mark.parametrize("committed", [True, False])
def test_of_a_killed_process_all_but_the_last_seconds_are_there(
    tmp_path: Path, committed: bool
) -> None:
    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    count = 45 if committed else 1
    for number in range(count):
        give(recorder, look(number, number / 10, BEGAN, data=dict))
    while recorder.status.encoded < count:
        threading.Event().wait(0.002)
    assert recorder.process is not None
    recorder.process.kill()
    assert recorder.wait(SECONDS)
    assert recorder.status.over
    problem = recorder.status.problem
    assert problem is not None
    assert "ended by the system" in problem.message
    assert remembered() == []
    assert not folder_of(tmp_path / "r.mp4").exists()
    if committed:
        assert "part recorded before" in problem.hint
        found = [number_of((frame, 0.0)) for frame in frames(tmp_path / "r.mp4")[0]]
        assert found == list(range(len(found)))
        assert len(found) >= 20
    else:
        assert "Nothing was recorded" in problem.hint
        assert list(tmp_path.iterdir()) == []


PROGRAM = """
import sys, threading
from pathlib import Path
from explorer.live.recording.recorder import FilmRecorder
from tests.live.recording.test_recorder import give, look

recorder = FilmRecorder(Path(sys.argv[1]), 10)
for number in range(30):
    give(recorder, look(number, number / 10, 1000.0, data=dict))
while recorder.room < 12 or recorder.status.frames < 30:
    threading.Event().wait(0.002)
print("handed over", flush=True)
threading.Event().wait(600)
"""


@posix
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_of_a_killed_program_all_that_was_handed_over_is_there(tmp_path: Path, how: int) -> None:
    film = tmp_path / "r.mp4"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    command: list[Any] = [sys.executable, "-c", PROGRAM, film]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True,
    ) as program:  # fmt: skip
        assert program.stdout is not None
        assert program.stdout.readline() == "handed over\n"
        os.killpg(program.pid, signal.SIGKILL if how == signal.SIGKILL else how)
        if how == signal.SIGINT:
            program.kill()
    while folder_of(film).exists() or not film.exists():
        threading.Event().wait(0.005)
    found = [number_of((frame, 0.0)) for frame in frames(film)[0]]
    assert found == list(range(30))
    while remembered():
        threading.Event().wait(0.005)


def test_the_pipe_holds_a_frame(tmp_path: Path) -> None:
    recorder = FilmRecorder(tmp_path / "r.mp4", 10)
    give(recorder, look(0, 0.0, BEGAN))
    while recorder.status.frames < 1:
        threading.Event().wait(0.002)
    assert recorder.process is not None
    if sys.platform == "linux":
        import fcntl

        assert recorder.process.stdin is not None
        size = fcntl.fcntl(recorder.process.stdin.fileno(), fcntl.F_GETPIPE_SZ)
        assert size == recording.PIPE_BYTES
    recorder.stop(BEGAN + 0.1)
    assert recorder.wait(SECONDS)
