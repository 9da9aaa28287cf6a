import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.live.capture import Capture, Phase, Playback
from explorer.live.slot import Shot, Slot
from explorer.live.source import Lost


class Scripted:
    """Gives frames whose first pixel is their number; `script` decides what a read does."""

    def __init__(self, frames: int = 0, rate: float = 500.0) -> None:
        self.frames, self.rate = frames, rate
        self.duration = frames / rate if rate else 0.0
        self.next = 0
        self.opened = 0
        self.closed = 0
        self.seeks: list[float] = []
        self.script: Callable[[int], None] = lambda _: None

    def open(self) -> None:
        self.opened += 1
        self.script(-1)

    def read(self) -> tuple[np.ndarray, float] | None:
        self.script(self.next)
        if self.frames and self.next >= self.frames:
            return None
        number, self.next = self.next, self.next + 1
        return np.full((2, 2, 3), number % 256, np.uint8), number / self.rate

    def seek(self, position: float) -> None:
        self.seeks.append(position)
        self.next = round(position * self.rate)

    def step(self, position: float, frames: int) -> None:
        self.next = round(position * self.rate) + frames

    def close(self) -> None:
        self.closed += 1


class Watched:
    """A capture and the phases it went through."""

    def __init__(self, source: Scripted) -> None:
        self.source = source
        self.slot = Slot(seconds=1e9)
        self.heard: list[str] = []
        self._news: SimpleQueue[None] = SimpleQueue()
        made = threading.Event()
        self.capture = Capture(lambda: made.wait(10) and source, self.slot, self._heard)
        made.set()

    def _heard(self) -> None:
        self.heard.append(self.capture.status.message)
        self._news.put(None)

    def until(self, phase: Phase) -> None:
        while self.capture.status.phase is not phase:
            self._news.get(timeout=10)

    def shot(self, after: int = -1) -> Shot:
        found = self.slot.take(after, timeout=10)
        assert found is not None
        return found


@pytest.fixture
def watch():
    made: list[Watched] = []

    def begin(source: Scripted) -> Watched:
        made.append(Watched(source))
        return made[-1]

    yield begin
    for watched in made:
        assert watched.capture.stop(10)
        assert watched.source.closed


def test_frames_come_in_order_and_the_film_begins_anew(watch) -> None:
    watched = watch(Scripted(frames=4))
    numbers = []
    for after in range(6):
        watched.shot(after - 1)
    numbers = [int(s.pixels[0, 0, 0]) for s in watched.slot.past[:6]]
    assert numbers == [0, 1, 2, 3, 0, 1]
    assert [s.number for s in watched.slot.past[:6]] == list(range(6))


def test_without_a_loop_it_ends_and_can_go_on(watch) -> None:
    source = Scripted(frames=3)
    gate = threading.Event()
    source.script = lambda number: gate.wait(10) and None if number == 0 else None
    watched = watch(source)
    watched.capture.playback = Playback(loop=False)
    gate.set()
    watched.until(Phase.ENDED)
    assert [int(s.pixels[0, 0, 0]) for s in watched.slot.past] == [0, 1, 2]
    watched.capture.seek(1 / source.rate)
    assert int(watched.shot(2).pixels[0, 0, 0]) in (1, 2)


def test_in_and_out_points(watch) -> None:
    source = Scripted(frames=100)
    gate, inside = threading.Event(), threading.Event()

    def hold(number: int) -> None:
        if number == 0:
            inside.set()
            gate.wait(10)

    source.script = hold
    watched = watch(source)
    assert inside.wait(10)
    watched.capture.playback = Playback(first=10 / source.rate, last=12.0 / source.rate)
    watched.capture.seek(10 / source.rate)
    gate.set()
    for after in range(7):
        watched.shot(after)
    numbers = [int(s.pixels[0, 0, 0]) for s in watched.slot.past[1:7]]
    assert numbers == [10, 11, 12, 10, 11, 12]


def test_a_paused_film_shows_the_frame_that_is_asked_for(watch) -> None:
    source = Scripted(frames=200)
    watched = watch(source)
    watched.capture.playback = Playback(paused=True)
    watched.until(Phase.PAUSED)
    last = watched.slot.newest
    watched.capture.seek(150 / source.rate)
    shot = watched.shot(last.number if last is not None else -1)
    assert int(shot.pixels[0, 0, 0]) == 150
    watched.until(Phase.PAUSED)
    assert watched.slot.take(after=shot.number) is None
    watched.capture.playback = Playback()
    watched.until(Phase.PLAYING)
    assert int(watched.shot(shot.number).pixels[0, 0, 0]) >= 151


def test_a_paused_film_is_stepped_frame_by_frame(watch) -> None:
    source = Scripted(frames=200)
    watched = watch(source)
    watched.capture.playback = Playback(paused=True)
    watched.until(Phase.PAUSED)
    watched.capture.seek(100 / source.rate)
    shot = None
    for by, wanted in ((0, 100), (1, 101), (1, 102), (-1, 101), (-20, 81)):
        if by:
            watched.capture.step(by)
        while shot is None or int(shot.pixels[0, 0, 0]) != wanted:
            shot = watched.shot(-1 if shot is None else shot.number)
    watched.until(Phase.PAUSED)
    assert watched.slot.take(after=shot.number) is None


def test_steps_that_come_at_once_add_up(watch) -> None:
    source = Scripted(frames=200)
    gate, inside = threading.Event(), threading.Event()
    watched = watch(source)
    watched.capture.playback = Playback(paused=True)
    watched.until(Phase.PAUSED)

    def hold(number: int) -> None:
        inside.set()
        gate.wait(10)

    source.script = hold
    watched.capture.seek(50 / source.rate)
    assert inside.wait(10)
    for _ in range(5):
        watched.capture.step(-1)
    gate.set()
    shot = watched.shot(watched.capture.slot.newest.number if watched.slot.newest else -1)
    while int(shot.pixels[0, 0, 0]) != 45:
        shot = watched.shot(shot.number)


def test_a_film_of_one_frame_is_not_read_faster_than_its_rate(watch) -> None:
    source = Scripted(frames=1, rate=20.0)
    watched = watch(source)
    for number in range(3):
        watched.shot(number - 1)
    shots = watched.slot.past
    assert all(b.at - a.at > 0.04 for a, b in pairwise(shots))


def test_an_in_point_behind_the_out_point_plays_one_frame(watch) -> None:
    source = Scripted(frames=100)
    watched = watch(source)
    watched.capture.playback = Playback(first=50 / source.rate, last=20 / source.rate)
    number = -1
    while int((shot := watched.shot(number)).pixels[0, 0, 0]) != 50:
        number = shot.number
    assert int(watched.shot(shot.number).pixels[0, 0, 0]) == 50


def test_a_film_that_gives_nothing_is_a_sentence(watch) -> None:
    source = Scripted(frames=1)
    source.frames, source.next = -1, 0
    source.read = lambda: None
    watched = watch(source)
    watched.until(Phase.FAILED)
    assert "no more frames" in watched.capture.status.message


def test_a_long_frame_is_no_hung_read(watch, monkeypatch) -> None:
    monkeypatch.setattr("explorer.live.capture.STALL_SECONDS", 0.0)
    source = Scripted(frames=2, rate=0.01)
    watched = watch(source)
    watched.shot()
    watched.until(Phase.PLAYING)
    assert watched.capture.status.phase is Phase.PLAYING


def test_a_source_that_cannot_be_opened_says_why(watch) -> None:
    source = Scripted()

    def refuse(number: int) -> None:
        raise ExplorerError("No camera was found.", "Connect one.")

    source.script = refuse
    watched = watch(source)
    watched.until(Phase.FAILED)
    assert watched.capture.status.message == "No camera was found."
    assert watched.capture.status.hint == "Connect one."


def test_any_failure_of_a_source_is_a_sentence(watch) -> None:
    source = Scripted()

    def fail(number: int) -> None:
        if number == 1:
            raise RuntimeError("broken driver")

    source.script = fail
    watched = watch(source)
    watched.until(Phase.FAILED)
    assert "broken driver" in watched.capture.status.message


def test_it_goes_on_when_the_camera_is_back(watch, monkeypatch) -> None:
    monkeypatch.setattr("explorer.live.capture.RETRY_SECONDS", 0.01)
    source = Scripted(rate=1000.0)
    source.duration = 0.0
    random = np.random.default_rng(0)
    gone = sorted(int(n) for n in random.choice(np.arange(5, 400), 50, replace=False))
    misses = {number: int(random.integers(0, 3)) for number in gone}
    state = {"refusals": 0, "lost": 0}

    def unplug(number: int) -> None:
        if number == -1 and state["refusals"]:
            state["refusals"] -= 1
            raise ExplorerError("No camera was found.", "Connect a camera.")
        if number in misses:
            state["refusals"] = misses.pop(number)
            state["lost"] += 1
            raise Lost("The camera delivers no frames.")

    source.script = unplug
    watched = watch(source)
    number = -1
    while number < 420:
        number = watched.shot(number).number
    assert state["lost"] == 50
    assert watched.heard.count("The camera delivers no frames.") == 50
    assert source.opened >= 51
    assert source.closed >= 50
    assert watched.capture.status.phase is Phase.PLAYING
    assert not watched.capture.status.message


def test_a_lost_camera_is_told(watch, monkeypatch) -> None:
    monkeypatch.setattr("explorer.live.capture.RETRY_SECONDS", 0.01)
    source = Scripted(rate=1000.0)
    source.duration = 0.0

    def unplug(number: int) -> None:
        if source.next >= 3:
            raise Lost("The camera delivers no frames.")

    source.script = unplug
    watched = watch(source)
    watched.until(Phase.LOST)
    assert watched.capture.status.message == "The camera delivers no frames."
    assert "back" in watched.capture.status.hint
    assert watched.slot.newest is not None


def test_a_hung_read_is_left_behind() -> None:
    hung, free = threading.Event(), threading.Event()
    source = Scripted()

    def hang(number: int) -> None:
        if number == 2:
            hung.set()
            free.wait(60)

    source.script = hang
    slot = Slot()
    capture = Capture(lambda: source, slot)
    assert hung.wait(10)
    assert not capture.stop(0.05)
    assert slot.closed
    assert source.closed == 0
    free.set()
    assert capture.stop(10)
    assert source.closed == 1  # by the thread that was left behind


def test_a_silent_source_reads_as_lost(monkeypatch) -> None:
    monkeypatch.setattr("explorer.live.capture.STALL_SECONDS", 0.0)
    hung, free = threading.Event(), threading.Event()
    source = Scripted()

    def hang(number: int) -> None:
        if number == 1:
            hung.set()
            free.wait(60)

    source.script = hang
    capture = Capture(lambda: source, Slot())
    assert hung.wait(10)
    assert capture.status.phase is Phase.LOST
    assert capture.status.message.startswith("No picture for")
    free.set()
    assert capture.stop(10)


class Held(Scripted):
    """Holds a file open, as a driver does."""

    def __init__(self, path: Path, held: list[int]) -> None:
        super().__init__(rate=5000.0)
        self.path, self.held = path, held
        self.file = None

    def open(self) -> None:
        super().open()
        assert not self.held, "the device is still somebody else's"
        self.held.append(id(self))
        self.file = self.path.open("rb")

    def close(self) -> None:
        super().close()
        if self.file is not None:
            self.file.close()
            self.held.remove(id(self))
            self.file = None


def handles() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_two_hundred_switches_leave_nothing_behind(tmp_path: Path) -> None:
    device = tmp_path / "device"
    device.write_bytes(b"x")
    random = np.random.default_rng(0)
    threads, files = threading.active_count(), handles()
    held: list[int] = []
    sources: list[Held] = []
    capture = None
    for wait in random.integers(0, 3, 200):
        source = Held(device, held)
        sources.append(source)
        before, slot = capture, Slot()
        if before is not None:
            before.stop(0.0)  # as the window does: it does not wait
        capture = Capture(lambda source=source: source, slot, after=before)
        if wait:  # some are replaced before they are open
            shot = slot.take(timeout=10)
            assert shot is not None
    assert capture is not None
    assert capture.stop(10)
    assert not held
    assert all(source.closed == source.opened <= 1 for source in sources)
    assert sum(source.opened for source in sources) >= 100
    assert threading.active_count() == threads
    assert handles() == files


def test_the_speed_of_a_film_is_sane() -> None:
    with pytest.raises(ValueError, match="speed"):
        Playback(speed=0)
