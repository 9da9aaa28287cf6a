"""Each property that the runner promises."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from explorer.core.errors import Cancelled, ExplorerError
from explorer.core.runner import Runner, State, Token, Update, lower_priority, measuring
from explorer.core.step import Step

WAIT = 20.0


class Inbox:
    """Collects updates on the test's thread; `until` waits for a condition without sleeping."""

    def __init__(self) -> None:
        self.notified = 0
        self.woken = threading.Event()
        self.updates: list[Update] = []
        self.runner = Runner(self.wake)

    def wake(self) -> None:
        self.notified += 1
        self.woken.set()

    def until(self, ready: Callable[[list[Update]], bool]) -> list[Update]:
        while not ready(self.updates):
            assert self.woken.wait(WAIT), f"nothing came; so far {self.updates}"
            self.woken.clear()
            self.updates += self.runner.take()
        return self.updates

    def ended(self, key: str) -> Update:
        self.until(
            lambda updates: any(u.key == key and u.state is not State.RUNNING for u in updates)
        )
        return next(u for u in self.updates if u.key == key and u.state is not State.RUNNING)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    inbox = Inbox()
    yield inbox
    assert inbox.runner.close(), "the runner's thread did not end"


def counting(to: int) -> Callable[[Token], Generator[Step[int], Any, None]]:
    def start(_token: Token) -> Generator[Step[int], Any, None]:
        for n in range(1, to + 1):
            yield Step(n, n, to, f"step {n}")

    return start


def test_the_last_step_is_the_answer(inbox: Inbox) -> None:
    ticket = inbox.runner.submit("a", counting(5))
    done = inbox.ended("a")
    assert (done.ticket, done.state, done.value, done.steps) == (ticket, State.DONE, 5, 5)
    assert done.seconds >= 0.0
    assert not inbox.runner.busy


def test_latest_wins_and_the_last_value_always_shows(inbox: Inbox) -> None:
    started: list[int] = []
    gate = threading.Event()

    def job(n: int) -> Callable[[Token], Generator[Step[int], Any, None]]:
        def start(_token: Token) -> Generator[Step[int], Any, None]:
            started.append(n)
            gate.wait(WAIT)
            yield Step(n)

        return start

    last = 0
    for n in range(200):
        last = inbox.runner.submit("slider", job(n))
    gate.set()
    inbox.until(lambda updates: any(u.state is State.DONE for u in updates))
    assert inbox.updates[-1].value == 199
    assert inbox.updates[-1].ticket == last
    assert len(started) <= 3, "replaced jobs must not run"
    assert all(u.ticket == last for u in inbox.updates), "stale news must not be delivered"


def test_another_key_is_not_replaced(inbox: Inbox) -> None:
    inbox.runner.submit("a", counting(3))
    inbox.runner.submit("b", counting(4))
    assert inbox.ended("a").value == 3
    assert inbox.ended("b").value == 4


def endless(
    closed: threading.Event, running: threading.Event
) -> Callable[[Token], Generator[Step[int], Any, None]]:
    def start(_token: Token) -> Generator[Step[int], Any, None]:
        n = 0
        try:
            while True:
                n += 1
                yield Step(n, 0, 0)
                running.set()
        finally:
            closed.set()

    return start


def test_cancel_closes_the_generator_and_keeps_the_last_value(inbox: Inbox) -> None:
    closed, running = threading.Event(), threading.Event()
    inbox.runner.submit("dream", endless(closed, running))
    assert running.wait(WAIT)
    assert inbox.runner.cancel("dream")
    assert closed.wait(WAIT), "its finally did not run"
    update = inbox.ended("dream")
    assert update.state is State.CANCELLED
    assert update.value >= 1
    assert not inbox.runner.cancel("dream")


def test_cancel_inside_a_step_through_the_token(inbox: Inbox) -> None:
    inside = threading.Event()

    def start(token: Token) -> Generator[Step[int], Any, None]:
        yield Step(1)
        inside.set()
        while not token.cancelled:  # stands for a forward whose hooks ask the token
            threading.Event().wait(0.001)
        raise Cancelled

    inbox.runner.submit("a", start)
    assert inside.wait(WAIT)
    inbox.runner.cancel("a")
    assert inbox.ended("a").state is State.CANCELLED
    inbox.runner.submit("b", counting(2))
    assert inbox.ended("b").value == 2, "the thread lives on"


def test_back_pressure_one_notification_until_the_inbox_is_taken(inbox: Inbox) -> None:
    finished = threading.Event()

    def start(_token: Token) -> Generator[Step[int], Any, None]:
        for n in range(1000):
            yield Step(n, n, 1000)
        finished.set()

    inbox.runner.submit("fast", start)
    assert finished.wait(WAIT)
    while inbox.runner.busy:
        threading.Event().wait(0.001)
    updates = inbox.runner.take()
    assert inbox.notified == 1, "one wake-up however many steps"
    assert [u.value for u in updates] == [999], "only the newest is kept"


def test_a_question_is_answered_while_a_dream_runs(inbox: Inbox) -> None:
    closed, running = threading.Event(), threading.Event()
    inbox.runner.submit("dream", endless(closed, running))
    assert running.wait(WAIT)
    inbox.runner.submit("question", counting(3))
    assert inbox.ended("question").value == 3
    assert inbox.runner.busy, "the dream goes on"


def test_a_live_job_takes_turns_and_does_not_starve_the_rest(inbox: Inbox) -> None:
    order: list[str] = []

    def job(name: str, steps: int) -> Callable[[Token], Generator[Step[int], Any, None]]:
        def start(_token: Token) -> Generator[Step[int], Any, None]:
            for n in range(steps):
                order.append(name)
                yield Step(n)

        return start

    gate = threading.Event()

    def hold(_token: Token) -> Generator[Step[int], Any, None]:
        gate.wait(WAIT)
        yield Step(0)

    inbox.runner.submit("hold", hold)
    inbox.runner.submit("camera", job("camera", 40), live=True)
    inbox.runner.submit("dream", job("dream", 10))
    gate.set()
    inbox.ended("dream")
    inbox.ended("camera")
    both = order[: 2 * 10]
    assert abs(both.count("camera") - both.count("dream")) <= 2, order


def listed(order: list[str], name: str, steps: int) -> Callable[[Token], Any]:
    def start(_token: Token) -> Generator[Step[int], Any, None]:
        for n in range(steps):
            order.append(name)
            yield Step(n)

    return start


def held(inbox: Inbox) -> threading.Event:
    """The runner is busy until this is set: what is submitted meanwhile waits."""
    gate, holding = threading.Event(), threading.Event()

    def hold(_token: Token) -> Generator[Step[int], Any, None]:
        holding.set()
        gate.wait(WAIT)
        yield Step(0)

    inbox.runner.submit("hold", hold)
    assert holding.wait(WAIT)
    return gate


def test_background_jobs_stand_behind_every_question(inbox: Inbox) -> None:
    order: list[str] = []
    gate = held(inbox)
    inbox.runner.submit("first", listed(order, "first", 6), background=True)
    inbox.runner.submit("question", listed(order, "question", 3))
    inbox.runner.submit("second", listed(order, "second", 6), background=True)
    gate.set()
    inbox.ended("first")
    inbox.ended("second")
    assert order[:3] == ["question"] * 3, "submitted in between, answered before both"
    assert order[3:] == ["first", "second"] * 6, "they take turns with each other"


def test_a_question_breaks_into_a_background_job_and_does_not_end_it(inbox: Inbox) -> None:
    closed, running = threading.Event(), threading.Event()
    inbox.runner.submit("work", endless(closed, running), background=True)
    assert running.wait(WAIT)
    inbox.runner.submit("question", counting(3))
    assert inbox.ended("question").value == 3
    running.clear()
    assert running.wait(WAIT), "the work goes on"
    assert not closed.is_set()


def test_a_paused_question_does_not_hold_up_the_background(inbox: Inbox) -> None:
    closed, running = threading.Event(), threading.Event()
    inbox.runner.submit("dream", endless(closed, running))
    assert running.wait(WAIT)
    inbox.runner.pause("dream", True)
    inbox.runner.submit("work", counting(3), background=True)
    assert inbox.ended("work").value == 3


def test_live_and_background_take_turns(inbox: Inbox) -> None:
    order: list[str] = []
    gate = held(inbox)
    inbox.runner.submit("camera", listed(order, "camera", 40), live=True)
    inbox.runner.submit("work", listed(order, "work", 10), background=True)
    gate.set()
    inbox.ended("work")
    inbox.ended("camera")
    assert abs(order[:20].count("camera") - order[:20].count("work")) <= 2, order


def test_steering_hands_the_newest_parameters_to_the_next_step(inbox: Inbox) -> None:
    gate, first = threading.Event(), threading.Event()

    def start(_token: Token) -> Generator[Step[Any], Any, None]:
        first.set()
        gate.wait(WAIT)
        got = yield Step("start")
        yield Step(got)
        again = yield Step(got)
        assert again is None, "a value is handed over once"

    inbox.runner.submit("dream", start)
    assert first.wait(WAIT)
    inbox.runner.steer("dream", "old")
    inbox.runner.steer("dream", "new")
    gate.set()
    assert inbox.ended("dream").value == "new"
    assert not inbox.runner.steer("dream", "late")


def test_pause_stops_the_steps_and_goes_on(inbox: Inbox) -> None:
    closed, running = threading.Event(), threading.Event()
    inbox.runner.submit("dream", endless(closed, running))
    assert running.wait(WAIT)
    inbox.runner.pause("dream", True)
    inbox.runner.submit("fence", counting(1))
    inbox.ended("fence")  # by now no step of the dream is under way
    running.clear()
    inbox.runner.submit("fence 2", counting(50))
    inbox.ended("fence 2")
    assert not running.is_set(), "a paused job takes no step"
    inbox.runner.pause("dream", False)
    assert running.wait(WAIT)


def test_errors_come_back_and_the_thread_lives_on(
    inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    def start(_token: Token) -> Generator[Step[int], Any, None]:
        yield Step(7)
        raise RuntimeError("shapes cannot be multiplied (1x4 and 5x6)")

    inbox.runner.submit("bad", start)
    update = inbox.ended("bad")
    assert update.state is State.FAILED
    assert update.value == 7, "the last good result stays"
    assert update.failure is not None
    assert not update.failure.expected
    assert "shapes cannot be multiplied" in update.failure.message
    assert "Traceback" in update.failure.traceback
    inbox.runner.submit("good", counting(1))
    assert inbox.ended("good").state is State.DONE


def test_an_error_for_the_user_keeps_its_sentence_and_hint(inbox: Inbox) -> None:
    def start(_token: Token) -> Generator[Step[int], Any, None]:
        error = ExplorerError("The file is empty.", "Choose another one.", instead=("a", "b"))
        error.about = "network"
        raise error
        yield

    inbox.runner.submit("bad", start)
    failure = inbox.ended("bad").failure
    assert failure is not None
    assert (failure.about, failure.instead) == ("network", ("a", "b"))
    assert (failure.message, failure.hint, failure.expected) == (
        "The file is empty.",
        "Choose another one.",
        True,
    )


def test_a_generator_whose_clean_up_fails_does_not_end_the_thread(inbox: Inbox) -> None:
    running = threading.Event()

    def start(_token: Token) -> Generator[Step[int], Any, None]:
        try:
            while True:
                yield Step(1)
                running.set()
        finally:
            raise ValueError("clean-up")

    inbox.runner.submit("bad", start)
    assert running.wait(WAIT)
    inbox.runner.cancel("bad")
    inbox.runner.submit("good", counting(1))
    assert inbox.ended("good").state is State.DONE


def test_close_cancels_and_joins() -> None:
    inbox = Inbox()
    closed, running = threading.Event(), threading.Event()
    inbox.runner.submit("dream", endless(closed, running))
    inbox.runner.submit("waiting", counting(3))
    assert running.wait(WAIT)
    assert inbox.runner.close(timeout=3.0)
    assert closed.is_set(), "the running job's finally did not run"
    with pytest.raises(RuntimeError):
        inbox.runner.submit("late", counting(1))
    assert inbox.runner.close(), "closing twice is fine"


def test_while_something_is_measured_no_other_runner_takes_a_step() -> None:
    began = threading.Event()
    measured: list[bool] = []

    def other(_token: Token) -> Generator[Step[int], Any, None]:
        began.set()
        yield Step(1)

    def measure(_token: Token) -> Generator[Step[int], Any, None]:
        with measuring():
            second.submit("other", other)
            measured.append(began.wait(0.2))  # as long as the measurement takes
        yield Step(1)

    first, second = Runner(lambda: None, "first"), Runner(lambda: None, "second")
    try:
        first.submit("measure", measure)
        assert began.wait(10), "it goes on afterwards"
        assert measured == [False]
    finally:
        assert first.close()
        assert second.close()


def test_a_measurement_that_fails_opens_the_gate() -> None:
    with pytest.raises(ZeroDivisionError), measuring(), measuring():
        _ = 1 / 0
    runner, done = Runner(lambda: None), threading.Event()

    def job(_token: Token) -> Generator[Step[int], Any, None]:
        done.set()
        yield Step(1)

    try:
        runner.submit("job", job)
        assert done.wait(10)
    finally:
        assert runner.close()


@pytest.mark.skipif(sys.platform != "linux", reason="there a thread has a priority of its own")
def test_a_thread_gives_others_priority() -> None:
    found: dict[str, int] = {}

    def look(name: str, **how: bool) -> None:
        lower_priority(**how)
        found[name] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    for name, how in (("lower", {}), ("least", {"least": True})):
        thread = threading.Thread(target=look, args=(name,), kwargs=how)
        thread.start()
        thread.join()
    assert found["lower"] >= 10
    assert found["least"] == 19
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
