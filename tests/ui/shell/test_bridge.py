"""The crossing between threads: news arrives on the window's thread, stale news never does."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from explorer.core.errors import ExplorerError
from explorer.core.runner import State, Token, Update
from explorer.core.step import Step
from explorer.ui.shell.bridge import START, Bridge, Ready, is_over

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

Steps = Generator[Step[Any], Any, None]
READY = Ready({}, (), ("cpu",), {})


def start_up() -> Steps:
    yield Step(None, 0, 2, "importing")
    yield Step(READY, 2, 2)


@pytest.fixture
def bridge(qapp: object) -> Iterator[Bridge]:
    made = Bridge(start_up=start_up)
    yield made
    assert made.close()
    made.deleteLater()


def test_the_start_up_job_runs_on_a_worker_and_says_ready(qtbot: QtBot, bridge: Bridge) -> None:
    got: list[tuple[object, threading.Thread]] = []
    bridge.ready.connect(lambda ready: got.append((ready, threading.current_thread())))
    with qtbot.waitSignal(bridge.ready, timeout=3000):
        bridge.start()
    assert got == [(READY, threading.main_thread())]


def test_a_failing_start_up_is_told_and_the_worker_lives_on(qtbot: QtBot) -> None:
    def broken() -> Steps:
        raise ExplorerError("PyTorch cannot be loaded.", "Install it again.")
        yield

    bridge = Bridge(start_up=broken)
    with qtbot.waitSignal(bridge.updated, timeout=3000) as told:
        bridge.start()
    update = told.args[0]
    assert update.key == START
    assert update.state is State.FAILED
    assert "PyTorch cannot be loaded" in update.failure.message
    with qtbot.waitSignal(bridge.updated, timeout=3000, check_params_cb=is_over):
        bridge.work("next", lambda _: start_up())
    assert bridge.close()


def test_only_the_newest_job_of_a_key_is_heard(qtbot: QtBot, bridge: Bridge) -> None:
    got: list[Update] = []
    bridge.updated.connect(got.append)

    def job(number: int) -> Steps:
        for step in range(3):
            yield Step((number, step), step, 3)

    last = 0
    for number in range(50):
        last = bridge.work("look", lambda _, number=number: job(number))
    qtbot.waitUntil(lambda: bool(got) and got[-1].state is State.DONE, timeout=3000)
    assert {update.ticket for update in got} == {last}
    assert got[-1].value == (49, 2)


def test_files_are_read_while_a_network_works(qtbot: QtBot, bridge: Bridge) -> None:
    going, go_on = threading.Event(), threading.Event()

    def forward(_: Token) -> Steps:
        going.set()
        go_on.wait(5)
        yield Step("done")

    bridge.work("look", forward)
    assert going.wait(3)

    def is_file(update: Update) -> bool:
        return update.key == "open" and is_over(update)

    with qtbot.waitSignal(bridge.updated, timeout=3000, check_params_cb=is_file):
        bridge.fetch("open", lambda _: iter_one("photo"))
    assert bridge.busy
    go_on.set()
    qtbot.waitUntil(lambda: not bridge.busy, timeout=3000)


def test_closing_during_a_job_runs_its_clean_up_and_silences_it(qtbot: QtBot) -> None:
    bridge = Bridge(start_up=start_up)
    got: list[Update] = []
    cleaned = threading.Event()

    def endless(_: Token) -> Steps:
        try:
            while True:
                yield Step("picture")
        finally:
            cleaned.set()

    bridge.work("look", endless)
    bridge.updated.connect(got.append)
    qtbot.waitUntil(lambda: bool(got), timeout=3000)
    assert bridge.close()
    assert cleaned.is_set()
    seen = len(got)
    qtbot.wait(1)
    assert len(got) == seen
    assert bridge.work("look", endless) == 0  # too late: nothing happens


def test_cancel_finds_the_runner_that_has_the_key(qtbot: QtBot, bridge: Bridge) -> None:
    def endless(_: Token) -> Steps:
        while True:
            yield Step("picture")

    bridge.work("a", endless)
    bridge.fetch("b", endless)
    for key in ("a", "b"):

        def cancelled(update: Update, key: str = key) -> bool:
            return update.key == key and update.state is State.CANCELLED

        with qtbot.waitSignal(bridge.updated, timeout=3000, check_params_cb=cancelled):
            assert bridge.cancel(key)
    assert not bridge.cancel("a")


def iter_one(value: object) -> Steps:
    yield Step(value)
