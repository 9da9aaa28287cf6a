"""The crossing between threads: news arrives on the window's thread, stale news never does."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtCore import QObject
from shiboken6 import delete

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


class Listener(QObject):
    """Receives the news of the jobs it was named for."""

    def __init__(self) -> None:
        super().__init__()
        self.updates: list[Update] = []
        self.threads: set[threading.Thread] = set()

    def hear(self, update: Update) -> None:
        self.updates.append(update)
        self.threads.add(threading.current_thread())

    def over(self) -> bool:
        return bool(self.updates) and is_over(self.updates[-1])


@pytest.fixture
def bridge(qapp: object) -> Iterator[Bridge]:
    made = Bridge(start_up=start_up)
    yield made
    assert made.close()
    made.deleteLater()


@pytest.fixture
def listener(qapp: object) -> Listener:
    return Listener()


def test_the_start_up_job_runs_on_a_worker_and_ends_ready(
    qtbot: QtBot, bridge: Bridge, listener: Listener
) -> None:
    bridge.start(listener.hear)
    qtbot.waitUntil(listener.over, timeout=3000)
    assert listener.updates[-1].state is State.DONE
    assert listener.updates[-1].value is READY
    assert listener.threads == {threading.main_thread()}


def test_a_failing_start_up_is_told_and_the_worker_lives_on(
    qtbot: QtBot, listener: Listener
) -> None:
    def broken() -> Steps:
        raise ExplorerError("PyTorch cannot be loaded.", "Install it again.")
        yield

    bridge = Bridge(start_up=broken)
    bridge.start(listener.hear)
    qtbot.waitUntil(listener.over, timeout=3000)
    update = listener.updates[-1]
    assert update.key == START
    assert update.state is State.FAILED
    assert update.failure is not None
    assert "PyTorch cannot be loaded" in update.failure.message
    bridge.work("next", lambda _: start_up(), listener.hear)
    qtbot.waitUntil(lambda: listener.updates[-1].state is State.DONE, timeout=3000)
    assert bridge.close()


def test_only_the_newest_job_of_a_key_is_heard(
    qtbot: QtBot, bridge: Bridge, listener: Listener
) -> None:
    def job(number: int) -> Steps:
        for step in range(3):
            yield Step((number, step), step, 3)

    last = 0
    for number in range(50):
        last = bridge.work("look", lambda _, number=number: job(number), listener.hear)
    qtbot.waitUntil(listener.over, timeout=3000)
    assert {update.ticket for update in listener.updates} == {last}
    assert listener.updates[-1].value == (49, 2)


def test_news_goes_to_the_receiver_of_its_job_alone(
    qtbot: QtBot, bridge: Bridge, listener: Listener
) -> None:
    other = Listener()
    bridge.work("look", lambda _: iter_one("answer"), listener.hear)
    bridge.fetch("open", lambda _: iter_one("photo"), other.hear)
    qtbot.waitUntil(lambda: listener.over() and other.over(), timeout=3000)
    assert {update.value for update in listener.updates} == {"answer"}
    assert {update.value for update in other.updates} == {"photo"}


def test_the_last_receiver_of_a_key_hears_its_job(
    qtbot: QtBot, bridge: Bridge, listener: Listener
) -> None:
    other, go_on = Listener(), threading.Event()

    def held(_: Token) -> Steps:
        yield Step("first")
        go_on.wait(5)
        yield Step("too late")

    bridge.work("look", held, other.hear)
    qtbot.waitUntil(lambda: bool(other.updates), timeout=3000)
    bridge.work("look", lambda _: iter_one("second"), listener.hear)
    go_on.set()
    qtbot.waitUntil(listener.over, timeout=3000)
    assert [update.value for update in other.updates] == ["first"]


def test_a_receiver_may_submit_the_next_job_of_its_key(qtbot: QtBot, bridge: Bridge) -> None:
    class Chain(Listener):
        def hear(self, update: Update) -> None:
            super().hear(update)
            if is_over(update) and update.value < 3:
                number = update.value + 1
                bridge.work("look", lambda _: iter_one(number), self.hear)

    chain = Chain()
    bridge.work("look", lambda _: iter_one(1), chain.hear)
    qtbot.waitUntil(lambda: chain.over() and chain.updates[-1].value == 3, timeout=3000)


def test_a_deleted_receiver_is_passed_over_and_the_others_hear(
    qtbot: QtBot, bridge: Bridge, listener: Listener
) -> None:
    gone, go_on = Listener(), threading.Event()

    def held(_: Token) -> Steps:
        go_on.wait(5)
        yield Step("for nobody")

    bridge.work("look", held, gone.hear)
    delete(gone)  # as Qt deletes a widget whose parent is closed
    bridge.work("next", lambda _: iter_one("answer"), listener.hear)
    go_on.set()
    qtbot.waitUntil(lambda: listener.over() and not bridge.busy, timeout=3000)
    assert gone.updates == []


def test_a_job_does_not_keep_its_receiver_alive(qtbot: QtBot, bridge: Bridge) -> None:
    go_on = threading.Event()

    def held(_: Token) -> Steps:
        go_on.wait(5)
        yield Step("for nobody")

    forgotten = Listener()
    seen = weakref.ref(forgotten)
    bridge.work("look", held, forgotten.hear)
    del forgotten
    assert seen() is None
    go_on.set()
    qtbot.waitUntil(lambda: not bridge.busy, timeout=3000)


def test_a_receiver_that_fails_does_not_cost_the_others_their_news(
    qtbot: QtBot, bridge: Bridge, listener: Listener
) -> None:
    class Broken(Listener):
        def hear(self, update: Update) -> None:
            raise ZeroDivisionError("a defect")

    broken = Broken()
    with qtbot.captureExceptions() as caught:
        bridge.fetch("a", lambda _: iter_one(1), broken.hear)
        bridge.fetch("b", lambda _: iter_one(2), listener.hear)
        qtbot.waitUntil(lambda: listener.over() and not bridge.busy, timeout=3000)
    assert {kind for kind, *_ in caught} == {ZeroDivisionError}
    assert listener.updates[-1].value == 2


def test_only_bound_methods_of_qobjects_can_receive(bridge: Bridge) -> None:
    with pytest.raises(TypeError, match="bound method"):
        bridge.work("look", lambda _: iter_one(1), print)


def test_files_are_read_while_a_network_works(
    qtbot: QtBot, bridge: Bridge, listener: Listener
) -> None:
    going, go_on = threading.Event(), threading.Event()

    def forward(_: Token) -> Steps:
        going.set()
        go_on.wait(5)
        yield Step("done")

    network = Listener()
    bridge.work("look", forward, network.hear)
    assert going.wait(3)
    bridge.fetch("open", lambda _: iter_one("photo"), listener.hear)
    qtbot.waitUntil(listener.over, timeout=3000)
    assert bridge.busy
    assert network.updates == []
    go_on.set()
    qtbot.waitUntil(lambda: not bridge.busy, timeout=3000)


def test_closing_during_a_job_runs_its_clean_up_and_silences_it(
    qtbot: QtBot, listener: Listener
) -> None:
    bridge = Bridge(start_up=start_up)
    cleaned = threading.Event()

    def endless(_: Token) -> Steps:
        try:
            while True:
                yield Step("picture")
        finally:
            cleaned.set()

    bridge.work("look", endless, listener.hear)
    qtbot.waitUntil(lambda: bool(listener.updates), timeout=3000)
    assert bridge.close()
    assert cleaned.is_set()
    seen = len(listener.updates)
    qtbot.wait(1)
    assert len(listener.updates) == seen
    assert bridge.work("look", endless, listener.hear) == 0  # too late: nothing happens


def test_cancel_finds_the_runner_that_has_the_key(
    qtbot: QtBot, bridge: Bridge, listener: Listener
) -> None:
    def endless(_: Token) -> Steps:
        while True:
            yield Step("picture")

    bridge.work("a", endless, listener.hear)
    bridge.fetch("b", endless, listener.hear)
    for key in ("a", "b"):
        assert bridge.cancel(key)
        qtbot.waitUntil(
            lambda key=key: any(
                update.key == key and update.state is State.CANCELLED for update in listener.updates
            ),
            timeout=3000,
        )
    assert not bridge.cancel("a")


def iter_one(value: object) -> Steps:
    yield Step(value)
