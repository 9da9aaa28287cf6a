"""Where a question goes, without a study: to the engine, to frames, or to a background job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QObject, Signal
from pytestqt.qtbot import QtBot

from explorer.core.runner import State, Update
from explorer.engine.view import BackgroundJob
from explorer.live.slot import Slot
from explorer.ui.study.asking import Asking
from explorer.ui.study.choice import Choice
from tests.ui.toy_desk import BARE, READY, SORT, SORTER, Params, ToyBridge, photo

JOB = BackgroundJob("toy", lambda spec, params: {}, lambda params: (SORTER, Params()))
LONG = replace(BARE, name="long", job=JOB)


class Listener(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.states: list[State] = []

    def hear(self, update: Update) -> None:
        self.states.append(update.state)


class ToyJobLook(QObject):
    """Writes down what is asked of it."""

    news = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.said: list[Any] = []
        self.job_id = ""
        self.there = True

    def look(self, view: Any, spec: Any, params: Any, seed: int, *, start: bool) -> bool:
        self.said.append(("look", view.name, start))
        self.job_id = "1" if self.there else ""
        return self.there

    def forget(self) -> None:
        self.said.append("forget")

    def leave(self) -> None:
        self.said.append("leave")
        self.job_id = ""

    def cancel(self) -> None:
        self.said.append("cancel")

    def pause(self, on: bool) -> None:
        self.said.append(("pause", on))


@pytest.fixture
def bridge(qtbot: QtBot) -> Iterator[ToyBridge]:
    made = ToyBridge()
    yield made
    assert made.close()
    made.deleteLater()


@pytest.fixture
def choice(qtbot: QtBot) -> Choice:
    made = Choice()
    made.set_ready(READY)
    made.view, made.spec, made.image, made.params = SORT, SORTER, photo(), Params()
    return made


@pytest.fixture
def listener(qtbot: QtBot) -> Listener:
    return Listener()


def test_a_question_goes_to_the_engine_with_the_views_beside_it(
    bridge: ToyBridge, choice: Choice, listener: Listener
) -> None:
    choice.beside = ("bare",)
    Asking(bridge, listener.hear).ask(choice, fresh=True)
    (asked,) = bridge.asked
    assert (asked.view, asked.spec, asked.fresh) == (SORT, SORTER, True)
    assert asked.beside == ((BARE, Params()),)
    bridge.answer()
    assert listener.states == [State.DONE]


def test_frames_are_followed(bridge: ToyBridge, choice: Choice, listener: Listener) -> None:
    choice.slot = Slot()
    Asking(bridge, listener.hear).ask(choice)
    assert bridge.followed == [choice.slot]


def test_a_view_with_a_job_is_asked_through_it(
    bridge: ToyBridge, choice: Choice, listener: Listener
) -> None:
    asking, jobs = Asking(bridge, listener.hear), ToyJobLook()
    choice.view = LONG
    assert not asking.by_job(choice), "nobody does jobs: it is asked as any other"
    asking.follow_jobs(jobs)  # type: ignore[arg-type]
    assert asking.by_job(choice)
    assert asking.ask_job(choice, fresh=True, start=False)
    assert jobs.said == ["forget", ("look", "long", False)]
    assert asking.job_id == "1"
    assert bridge.asked == []
    jobs.there = False
    assert not asking.ask_job(choice)
    choice.slot = Slot()
    assert not asking.by_job(choice), "frames are followed at once"


def test_pause_and_cancel_reach_what_runs(
    bridge: ToyBridge, choice: Choice, listener: Listener
) -> None:
    asking, jobs = Asking(bridge, listener.hear), ToyJobLook()
    asking.follow_jobs(jobs)  # type: ignore[arg-type]
    asking.ask(choice)
    asking.pause(True)
    assert (bridge.paused, jobs.said) == ([True], [])
    asking.cancel()
    assert listener.states == [State.CANCELLED]
    choice.view = LONG
    asking.ask_job(choice)
    asking.pause(True)
    assert bridge.paused == [True], "the job, not the engine"
    assert jobs.said[-1] == ("pause", True)
    asking.leave()
    assert asking.job_id == ""


def test_an_action_needs_a_photo_and_a_network(
    bridge: ToyBridge, choice: Choice, listener: Listener
) -> None:
    choice.image = None
    assert not Asking(bridge, listener.hear).act(None, choice, listener.hear)  # type: ignore[arg-type]
