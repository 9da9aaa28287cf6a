"""What a view computes of a folder goes on in the background while something else is shown."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from explorer.core.layers import Board
from explorer.core.network_info import NetworkSpec
from explorer.core.params import FolderRef, param
from explorer.core.settings import Settings
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.images.image import from_array
from explorer.networks import catalog
from explorer.networks.entry import Entry, WeightsOption
from explorer.ui.jobs.background import Phase
from explorer.ui.shell.bridge import Bridge, Ready
from explorer.ui.shell.window import Window
from tests.evaluation.sets import color_network

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

WAIT = 60_000


@dataclass(frozen=True, slots=True)
class Params:
    folder: FolderRef | None = param(None, "Folder", "Photos.")


class Toy:
    """A view whose work ends when it is let, and counts how often it was begun."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.begun = self.ended = 0
        self.view = View(
            name="toy_index", title="Toy index", group=Group.INSIDE, summary="A toy.",
            explanation="", reference="", Params=Params, compute=self.compute,
            draw=lambda result, _: Board((), summary=result), live=False, keeps=True,
        )  # fmt: skip

    def compute(self, _scene: Any, _params: Params) -> Generator[Step[str], Any, None]:
        self.begun += 1
        while not self.let.wait(0.005):
            yield Step("so far", 1, 4, "1 of 4 photos")
        self.ended += 1
        yield Step("all", 4, 4, "4 of 4 photos")


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    made = Toy()
    monkeypatch.setattr("explorer.jobs.viewing.find", lambda _name: made.view)
    return made


@pytest.fixture
def window(qtbot: QtBot, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Window]:
    option = WeightsOption("toy", "by hand", "shipped")
    entry = Entry("classification", "Toy", "classification", "embedded", "A toy.", (option,))

    def load(spec: NetworkSpec) -> Generator[Step[None], Any, Any]:
        yield Step(None, 0, 1, "making it")
        return color_network(spec.name)

    def start_up() -> Generator[Step[Any], Any, None]:
        from explorer.views import discover

        views = {**discover(), toy.view.name: toy.view}
        spec = NetworkSpec(entry.name)
        yield Step(Ready(views, (entry,), (("cpu", "CPU"),), {entry.task: spec}))

    monkeypatch.setattr(catalog, "load", load)
    new = Window(Settings(), bridge=Bridge(start_up=start_up))
    new.resize(1200, 800)
    with qtbot.waitSignal(new.loaded, timeout=WAIT):
        new.show()
    new.study.start_with(NetworkSpec("classification"))
    new.study.set_image(from_array(np.full((16, 24, 3), 80, np.uint8), "a photo"))
    yield new
    toy.let.set()
    new.close()
    new.bridge.deleteLater()


def test_it_continues_while_something_else_is_shown(
    window: Window, toy: Toy, qtbot: QtBot, tmp_path: Path
) -> None:
    study, strip, command = window.study, window.inspector.strip, window.actions_["background"]
    study.set_view("classify")
    qtbot.waitUntil(lambda: study.board is not None and not study.running, timeout=WAIT)
    assert not command.isEnabled()
    assert strip.background.isHidden()

    study.set_view("toy_index")
    study.set_param("folder", FolderRef(str(tmp_path)))
    qtbot.waitUntil(lambda: not strip.background.isHidden(), timeout=WAIT)
    assert command.isEnabled()
    strip.background.click()
    (found,) = window.jobs.all
    assert found.job.title == f"Toy index · {tmp_path.name}"
    assert found.job.params["set"] == {"folder": str(tmp_path)}
    qtbot.waitUntil(lambda: found.phase is Phase.RUNNING and not study.running, timeout=WAIT)

    study.set_view("classify")
    toy.let.set()
    qtbot.waitUntil(lambda: found.phase is Phase.DONE, timeout=WAIT)
    assert toy.ended == 1
    assert study.view is not None
    assert study.view.name == "classify"
    qtbot.waitUntil(lambda: bool(window.notices.cards), timeout=WAIT)
    assert "Finished: Toy index" in window.notices.cards[-1].notice.text

    window.job_list.show_wanted.emit(found.job.id)
    qtbot.waitUntil(lambda: study.board is not None and study.board.summary == "all", timeout=WAIT)
    assert study.view.name == "toy_index"
    assert study.params.folder == FolderRef(str(tmp_path))


def test_asked_for_twice_it_is_one_job(window: Window, toy: Toy, qtbot: QtBot) -> None:
    for _ in range(2):
        window.study.set_view("toy_index")
        window.study.look()
        qtbot.waitUntil(lambda: window.actions_["background"].isEnabled(), timeout=WAIT)
        window.actions_["background"].trigger()
        assert not window.study.running or window.study.can_leave
    assert len(window.jobs.all) == 1
