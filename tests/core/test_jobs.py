"""Background jobs on the disk: kept, taken up again, and never more than what is registered."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.core import jobs
from explorer.core.errors import Cancelled, ExplorerError
from explorer.core.jobs import Job, JobStore, Work
from explorer.core.runner import Runner, State, Token
from explorer.core.step import Step
from explorer.core.storage.checkpoint import Checkpoint

KINDS = {"sum": "tests.core.test_jobs:summing"}


def summing(work: Work, params: Mapping[str, Any]) -> Generator[Step[int], Any, None]:
    """Adds 1 + 2 + … + `to`; its state is how far it is, and the numbers it has seen."""
    seen: list[int] = []
    if work.resumed is not None:
        seen = work.resumed.arrays["seen"].tolist()
        assert work.resumed.content == {"sum": sum(seen)}
    work.keep(lambda: Checkpoint({"sum": sum(seen)}, {"seen": np.array(seen, np.int64)}))
    while len(seen) < params["to"]:
        if len(seen) + 1 == params.get("fails at"):
            raise ExplorerError("That number is not allowed.")
        seen.append(len(seen) + 1)
        if len(seen) == params.get("dies at"):
            os.kill(os.getpid(), signal.SIGKILL)
        yield Step(sum(seen), len(seen), params["to"], f"plus {seen[-1]}")


@pytest.fixture
def store(tmp_path: Path) -> Generator[JobStore, None, None]:
    made = JobStore(tmp_path / "jobs", KINDS)
    yield made
    made.close()


def values(store: JobStore, job: Job) -> list[int]:
    return [step.value for step in store.steps(job, None, Token(), lambda: True)]


def broken_off(store: JobStore, job: Job, after: int, *, wanted: bool = True) -> list[int]:
    steps = store.steps(job, None, Token(), lambda: wanted)
    found = [next(steps).value for _ in range(after)]
    steps.close()
    return found


def test_a_finished_job_leaves_nothing(store: JobStore, tmp_path: Path) -> None:
    job = store.new("sum", "Adding", {"to": 4})
    assert values(store, job) == [1, 3, 6, 10]
    assert not any((tmp_path / "jobs").iterdir())


def test_what_was_broken_off_goes_on_where_it_was(store: JobStore, tmp_path: Path) -> None:
    job = store.new("sum", "Adding", {"to": 5})
    assert broken_off(store, job, 3) == [1, 3, 6]
    store.close()
    later = JobStore(tmp_path / "jobs", KINDS)
    (again,) = later.claim()
    assert again == job
    assert values(later, again) == [10, 15]
    assert later.claim() == []
    later.close()


def test_a_cancelled_job_keeps_nothing(store: JobStore) -> None:
    job = store.new("sum", "Adding", {"to": 5})
    assert broken_off(store, job, 2, wanted=False) == [1, 3]
    assert store.state(job) is None
    store.remove(job)
    store.close()
    assert store.claim() == []


def test_a_failed_job_is_kept_for_another_try(store: JobStore) -> None:
    job = store.new("sum", "Adding", {"to": 5, "fails at": 3})
    with pytest.raises(ExplorerError, match="not allowed"):
        values(store, job)
    store.close()
    assert store.claim() == [job]


def test_it_is_kept_at_most_every_minute(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(jobs.time, "monotonic", lambda: now[0])
    written: list[int] = []
    real = JobStore.save_state

    def save_state(self: JobStore, job: Job, state: Checkpoint) -> None:
        written.append(int(state.content["sum"]))
        real(self, job, state)

    monkeypatch.setattr(JobStore, "save_state", save_state)
    steps = store.steps(store.new("sum", "Adding", {"to": 300}), None, Token(), lambda: True)
    for _ in steps:
        now[0] += 1.0
    assert written == [n * (n + 1) // 2 for n in (60, 120, 180, 240, 300)]


def test_a_killed_program_loses_only_what_came_after_the_last_checkpoint(tmp_path: Path) -> None:
    code = """
import pathlib, sys
from explorer.core import jobs
from explorer.core.runner import Token
jobs.SAVE_SECONDS = 0.0
store = jobs.JobStore(pathlib.Path(sys.argv[1]), {"sum": "tests.core.test_jobs:summing"})
job = store.new("sum", "Adding", {"to": 6, "dies at": 4})
for _ in store.steps(job, None, Token(), lambda: True):
    pass
"""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    folder = tmp_path / "jobs"
    ended = subprocess.run([sys.executable, "-c", code, str(folder)], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    store = JobStore(folder, KINDS)
    (job,) = store.claim()
    state = store.state(job)
    assert state is not None
    assert state.arrays["seen"].tolist() == [1, 2, 3], "the fourth was never finished"
    harmless = Job(job.id, job.kind, job.title, {"to": 6})
    assert values(store, harmless) == [10, 15, 21]
    store.close()


def test_another_running_program_keeps_its_jobs(store: JobStore, tmp_path: Path) -> None:
    job = store.new("sum", "Adding", {"to": 5})
    broken_off(store, job, 1)
    other = JobStore(tmp_path / "jobs", KINDS)
    assert other.claim() == []
    store.close()
    assert other.claim() == [job]
    other.close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "[" * 10_000,
        '{"id": "JOB", "kind": "os:system", "title": "x", "params": {}}',
        '{"id": "another", "kind": "sum", "title": "x", "params": {}}',
        '{"id": "JOB", "kind": "sum", "title": 7, "params": {}}',
        '{"id": "JOB", "kind": "sum", "title": "x", "params": [1]}',
        '{"id": "JOB", "kind": "sum", "title": "x", "params": {}, "run": "rm"}',
    ],
)
def test_what_is_no_job_of_ours_is_left_alone(store: JobStore, tmp_path: Path, text: str) -> None:
    place = tmp_path / "jobs" / "JOB" / jobs.DESCRIPTION
    place.parent.mkdir(parents=True)
    place.write_text(text)
    assert store.claim() == []
    assert place.read_text() == text


def test_only_registered_kinds_are_made(store: JobStore) -> None:
    with pytest.raises(ValueError, match="os:system"):
        store.new("os:system", "x", {})


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut short", b"\x80\x04pickle"])
def test_a_damaged_state_counts_as_none(store: JobStore, tmp_path: Path, damage: bytes) -> None:
    job = store.new("sum", "Adding", {"to": 3})
    broken_off(store, job, 2)
    (tmp_path / "jobs" / job.id / jobs.STATE).write_bytes(damage)
    assert values(store, job) == [1, 3, 6]


def test_a_pickle_in_a_state_is_not_run(store: JobStore, tmp_path: Path) -> None:
    job = store.new("sum", "Adding", {"to": 3})
    store.save(job)
    evil = np.array([Path(tmp_path)], dtype=object)
    np.savez(tmp_path / "jobs" / job.id / jobs.STATE, seen=evil, content=np.array("{}"))
    assert store.state(job) is None


def test_a_full_disk_does_not_end_the_work(
    store: JobStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "jobs").write_text("a file where the folder should be")
    assert values(store, store.new("sum", "Adding", {"to": 3})) == [1, 3, 6]
    assert "not safe from a restart" in caplog.text


def test_on_the_runner_a_cancel_inside_a_step_keeps_the_state(store: JobStore) -> None:
    job = store.new("sum", "Adding", {"to": 10})

    def start(token: Token) -> Generator[Step[Any], Any, None]:
        steps = store.steps(job, None, token, lambda: True)
        for _ in range(3):
            yield next(steps)
        steps.throw(Cancelled())

    runner = Runner(lambda: None)
    runner.submit("job", start, background=True)
    while runner.busy:
        threading.Event().wait(0.001)
    (update,) = runner.take()
    assert runner.close()
    assert update.state is State.CANCELLED
    state = store.state(job)
    assert state is not None
    assert state.content == {"sum": 6}


def test_the_description_is_plain(store: JobStore, tmp_path: Path) -> None:
    job = store.new("sum", "Über", {"to": 2})
    store.save(job)
    content = json.loads((tmp_path / "jobs" / job.id / jobs.DESCRIPTION).read_bytes())
    assert content == {
        "id": job.id, "kind": "sum", "title": "Über", "params": {"to": 2}, "paused": False,
    }  # fmt: skip
