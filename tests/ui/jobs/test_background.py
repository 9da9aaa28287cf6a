"""Background jobs of the window: listed, rested, canceled, taken up again by the next run."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from explorer.core.errors import ExplorerError
from explorer.core.jobs import JobStore, Work
from explorer.core.step import Step
from explorer.core.storage.checkpoint import Checkpoint
from explorer.ui.jobs.background import BackgroundJobs, Phase
from explorer.ui.jobs.job_list import JobButton, JobList
from explorer.ui.shell.bridge import Bridge

WAIT = 20_000
KINDS = {"count": "tests.ui.jobs.test_background:counting"}
LEFT = Qt.MouseButton.LeftButton

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


def counting(work: Work, params: Mapping[str, Any]) -> Generator[Step[int], Any, None]:
    """Counts up to `to` (0 = for ever); "fails at" says where it fails, the first time."""
    done = 0 if work.resumed is None else int(work.resumed.arrays["done"])
    work.keep(lambda: Checkpoint({}, {"done": np.array(done)}))
    while not params["to"] or done < params["to"]:
        done += 1
        if done == params.get("fails at") and work.resumed is None:
            raise ExplorerError("There is no such number.", "Try another one.")
        yield Step(done, done, params["to"], f"number {done}")


class Made:
    """The jobs of one run of the program."""

    def __init__(self, folder: Path) -> None:
        self.bridge = Bridge()
        self.store = JobStore(folder, KINDS)
        self.jobs = BackgroundJobs(self.bridge, store=self.store)
        self.owner: QWidget | None = None  # of the list

    def quit(self) -> None:
        assert self.bridge.close()
        self.jobs.close()
        self.jobs.deleteLater()
        self.bridge.deleteLater()


@pytest.fixture
def made(qtbot: QtBot, tmp_path: Path) -> Iterator[Made]:
    del qtbot
    run = Made(tmp_path / "jobs")
    yield run
    run.quit()


def phase(made: Made, job_id: str) -> Phase | None:
    found = made.jobs.find(job_id)
    return found.phase if found is not None else None


def started(qtbot: QtBot, made: Made, **params: Any) -> str:
    job_id = made.jobs.start("count", "Counting", {"to": 0, **params})
    qtbot.waitUntil(lambda: phase(made, job_id) is not Phase.WAITING, timeout=WAIT)
    return job_id


def test_a_job_runs_to_its_end_and_stays_listed(qtbot: QtBot, made: Made, tmp_path: Path) -> None:
    with qtbot.waitSignal(made.jobs.ended, timeout=WAIT) as heard:
        job_id = made.jobs.start("count", "Counting", {"to": 50})
    assert heard.args == [job_id]
    found = made.jobs.find(job_id)
    assert found is not None
    assert (found.phase, found.value, found.share) == (Phase.DONE, 50, 1.0)
    assert not list((tmp_path / "jobs").glob("*/*"))
    made.jobs.cancel(job_id)
    assert made.jobs.all == ()


def test_it_rests_and_goes_on(qtbot: QtBot, made: Made) -> None:
    job_id = started(qtbot, made)
    made.jobs.pause(job_id)
    assert phase(made, job_id) is Phase.PAUSED
    qtbot.waitUntil(lambda: not made.bridge.busy or phase(made, job_id) is Phase.PAUSED)
    found = made.jobs.find(job_id)
    assert found is not None
    made.jobs.pause(job_id, False)
    before = found.value
    qtbot.waitUntil(lambda: found.value > before, timeout=WAIT)
    assert phase(made, job_id) is Phase.RUNNING


def test_what_runs_at_the_end_goes_on_at_the_next_start(qtbot: QtBot, tmp_path: Path) -> None:
    first = Made(tmp_path / "jobs")
    running = started(qtbot, first)
    resting = started(qtbot, first)
    first.jobs.pause(resting)
    gone = started(qtbot, first)
    first.jobs.cancel(gone)
    counted = first.jobs.find(running)
    assert counted is not None
    qtbot.waitUntil(lambda: counted.value > 3, timeout=WAIT)
    reached = counted.value
    first.quit()
    second = Made(tmp_path / "jobs")
    second.jobs.restore()
    qtbot.waitUntil(lambda: phase(second, running) is Phase.RUNNING, timeout=WAIT)
    again = second.jobs.find(running)
    assert again is not None
    assert again.value >= reached, "not from the beginning"
    assert phase(second, resting) is Phase.PAUSED
    assert phase(second, gone) is None
    second.jobs.pause(resting, False)
    qtbot.waitUntil(lambda: phase(second, resting) is Phase.RUNNING, timeout=WAIT)
    second.quit()


def test_what_is_said_just_before_the_end_is_kept_to(qtbot: QtBot, tmp_path: Path) -> None:
    first = Made(tmp_path / "jobs")
    gone, resting = started(qtbot, first), started(qtbot, first)
    first.jobs.cancel(gone)
    first.jobs.pause(resting)
    first.quit()
    later = JobStore(tmp_path / "jobs", KINDS)
    (left,) = later.claim()
    later.close()
    assert (left.id, left.paused) == (resting, True)


def test_a_failed_job_says_why_and_can_be_tried_again(qtbot: QtBot, made: Made) -> None:
    with qtbot.waitSignal(made.jobs.ended, timeout=WAIT):
        job_id = made.jobs.start("count", "Counting", {"to": 9, "fails at": 4})
    found = made.jobs.find(job_id)
    assert found is not None
    assert found.phase is Phase.FAILED
    assert found.failure is not None
    assert found.failure.message == "There is no such number."
    made.store.save_state(found.job, Checkpoint({}, {"done": np.array(4)}))
    with qtbot.waitSignal(made.jobs.ended, timeout=WAIT):
        made.jobs.pause(job_id, False)
    assert (found.phase, found.value) == (Phase.DONE, 9)


# -- the list


def test_jobs_that_have_ended_do_not_pile_up(
    qtbot: QtBot, made: Made, shown: JobList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explorer.ui.jobs.background.MOST_OVER", 3)
    going = started(qtbot, made)
    made.jobs.pause(going)
    ended = []
    for number in range(6):
        with qtbot.waitSignal(made.jobs.ended, timeout=WAIT):
            ended.append(made.jobs.start("count", "Counting", {"to": 5, "fails at": number}))
    assert [found.job.id for found in made.jobs.all] == [going, *ended[-3:]]
    assert set(shown.rows) == {going, *ended[-3:]}


@pytest.fixture
def shown(qtbot: QtBot, made: Made) -> JobList:
    owner = QWidget()
    qtbot.addWidget(owner)
    owner.show()
    made.owner = owner
    return JobList(owner, made.jobs, {"count"}.__contains__)


def test_the_list_is_worked_by_keys_alone(qtbot: QtBot, made: Made, shown: JobList) -> None:
    first, second = started(qtbot, made), started(qtbot, made)
    shown.open_above(shown.parentWidget())
    qtbot.waitExposed(shown)
    row = shown.rows[first]
    assert QApplication.focusWidget() is row.pause
    qtbot.keyClick(row.pause, Qt.Key.Key_Space)
    assert phase(made, first) is Phase.PAUSED
    assert "Paused" in row.words.text()
    assert row.pause.accessibleName() == "Resume: Counting"
    qtbot.keyClick(row.pause, Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is row.cancel
    qtbot.keyClick(row.cancel, Qt.Key.Key_Space)
    assert list(shown.rows) == [second]
    assert QApplication.focusWidget() is shown.rows[second].cancel
    qtbot.keyClick(shown.rows[second].cancel, Qt.Key.Key_Space)
    assert not shown.rows
    assert shown.nothing.isVisible()
    qtbot.keyClick(shown, Qt.Key.Key_Escape)
    assert not shown.isVisible()


def test_a_row_says_how_far_it_is(qtbot: QtBot, made: Made, shown: JobList) -> None:
    job_id = started(qtbot, made, to=10**9)
    found, row = made.jobs.find(job_id), shown.rows[job_id]
    assert found is not None
    qtbot.waitUntil(lambda: "number" in row.words.text(), timeout=WAIT)
    assert "0%" in row.words.text()
    assert row.bar.maximum() == 1000
    with qtbot.waitSignal(shown.show_wanted, timeout=WAIT) as heard:
        qtbot.mouseClick(row.show_button, LEFT)
    assert heard.args == [job_id]


def test_the_button_is_there_while_there_is_a_job(qtbot: QtBot, made: Made) -> None:
    button = JobButton(made.jobs)
    qtbot.addWidget(button)
    assert not button.isVisibleTo(button.parentWidget())
    job_id = started(qtbot, made)
    assert button.text().startswith("1 job")
    made.jobs.pause(job_id)
    assert button.text().endswith("paused")
    other = started(qtbot, made)
    assert button.text().startswith("2 jobs")
    for each in (job_id, other):
        made.jobs.cancel(each)
    assert not button.isVisible()
