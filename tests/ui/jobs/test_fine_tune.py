"""Fine-tuning in the real window: a look at the folder first, then a job that makes a network."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from explorer.core.network_info import NetworkSpec
from explorer.core.settings import Settings
from explorer.core.step import Step
from explorer.core.values import FolderRef
from explorer.networks import catalog
from explorer.networks.entry import Entry, WeightsOption
from explorer.ui.jobs.background import BackgroundJobs, Phase
from explorer.ui.shell.bridge import Bridge, Ready
from explorer.ui.shell.window import Window
from explorer.views.learning.fine_tune.view import Params
from tests.training.tuning.own_folders import coco, three_photos, tunable_network

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

WAIT = 60_000
LEFT = Qt.MouseButton.LeftButton
NAME = "lite-fasterrcnn"


@pytest.fixture
def window(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Window]:
    """The real window with a toy for the detector, and for whatever is made of it."""
    option = WeightsOption("toy", "by hand", "shipped")
    entry = Entry(NAME, "Toy detector", "detection", "embedded", "A toy.", (option,))

    def load(spec: NetworkSpec) -> Generator[Step[None], Any, Any]:
        yield Step(None, 0, 1, "making it")
        network = tunable_network()
        network.extras["architecture"] = NAME
        return replace(network, info=replace(network.info, spec=spec))

    def start_up() -> Generator[Step[Any], Any, None]:
        from explorer.views import discover

        defaults = {"detection": NetworkSpec(NAME)}
        yield Step(Ready(discover(), (entry,), (("cpu", "CPU"),), defaults))

    monkeypatch.setattr(catalog, "load", load)
    new = Window(Settings(), bridge=Bridge(start_up=start_up))
    new.resize(1200, 800)
    with qtbot.waitSignal(new.loaded, timeout=WAIT):
        new.show()
    new.study.start_with(NetworkSpec(NAME))
    yield new
    new.close()
    new.bridge.deleteLater()
    new.deleteLater()


@pytest.fixture
def folder(tmp_path: Path) -> FolderRef:
    return FolderRef(str(coco(tmp_path / "own", three_photos())))


def surveyed(qtbot: QtBot, window: Window, folder: FolderRef, **params: Any) -> None:
    """The view on a folder; its survey is done."""
    window.study.set_view("fine_tune", Params(folder, **params))
    qtbot.waitUntil(lambda: not window.study.running, timeout=WAIT)


def test_a_folder_is_looked_at_and_the_button_starts(
    qtbot: QtBot, window: Window, folder: FolderRef
) -> None:
    window.study.set_view("fine_tune")
    qtbot.waitUntil(window.inspector.error.isVisible, timeout=WAIT)
    assert "No folder is chosen" in window.inspector.error.message
    window.inspector.form.set_value("folder", folder)
    qtbot.waitUntil(lambda: window.study.board is not None, timeout=WAIT)
    qtbot.waitUntil(lambda: not window.study.running, timeout=WAIT)
    assert not window.inspector.error.isVisible()
    assert window.jobs.all == (), "looking starts nothing"
    assert "2 training photos, 1 held out" in window.results.summary
    assert any("New rows in the last layer: dog" in note for note in window.inspector.notes)
    window.study.set_param("steps", 1)
    qtbot.waitUntil(lambda: not window.study.running, timeout=WAIT)
    assert window.jobs.all == ()

    buttons = window.inspector.action_buttons.buttons
    assert [button.text() for button in buttons.values()] == ["Train", "Use this network"]
    qtbot.mouseClick(buttons["train"], LEFT)
    (found,) = window.jobs.all
    assert found.job.title == f"{NAME} on own"
    assert window.study.job_id == found.job.id
    with qtbot.waitSignal(window.jobs.ended, timeout=WAIT):
        pass
    assert found.phase is Phase.DONE
    assert "in the catalog as toy-on-own" in window.results.summary
    assert window.study.board is not None
    assert [pane.title for pane in window.study.board.panes] == [
        f"{found.value.shown[0].name}: {word}" for word in ("before", "after")
    ]
    qtbot.waitUntil(
        lambda: any("under Made here" in card.notice.text for card in window.notices.cards),
        timeout=WAIT,
    )
    qtbot.mouseClick(buttons["use"], LEFT)
    qtbot.waitUntil(
        lambda: window.study.spec is not None and window.study.spec.name == "toy-on-own",
        timeout=WAIT,
    )


def test_without_a_finished_training_there_is_nothing_to_use(
    qtbot: QtBot, window: Window, folder: FolderRef
) -> None:
    surveyed(qtbot, window, folder)
    qtbot.mouseClick(window.inspector.action_buttons.buttons["use"], LEFT)
    qtbot.waitUntil(window.inspector.error.isVisible, timeout=WAIT)
    assert "no network from a training with these settings" in window.inspector.error.message


def test_other_settings_leave_a_running_training_alone(
    qtbot: QtBot, window: Window, folder: FolderRef
) -> None:
    surveyed(qtbot, window, folder, minutes=600.0)
    window.study.begin_job()
    (found,) = window.jobs.all
    qtbot.waitUntil(lambda: found.value is not None and found.value.steps > 0, timeout=WAIT)
    window.study.set_param("minutes", 300.0)
    qtbot.waitUntil(lambda: window.study.job_id == "", timeout=WAIT)
    qtbot.waitUntil(lambda: not window.study.running, timeout=WAIT)
    assert window.jobs.all == (found,)
    assert not found.phase.over
    window.study.set_param("minutes", 600.0)
    assert window.study.job_id == found.job.id, "it is found again"
    window.study.pause(True)
    assert found.phase is Phase.PAUSED
    window.study.cancel()
    assert window.jobs.all == ()


def test_the_next_run_of_the_program_goes_on_with_it(
    qtbot: QtBot, window: Window, folder: FolderRef
) -> None:
    surveyed(qtbot, window, folder, minutes=600.0)
    window.study.begin_job()
    (found,) = window.jobs.all
    qtbot.waitUntil(lambda: found.value is not None and found.value.steps > 0, timeout=WAIT)
    window.finish()
    reached = found.value.steps
    bridge = Bridge()
    later = BackgroundJobs(bridge, window)
    later.restore()
    qtbot.waitUntil(lambda: len(later.all) == 1, timeout=WAIT)
    (again,) = later.all
    qtbot.waitUntil(lambda: again.value is not None and again.value.steps > 0, timeout=WAIT)
    assert again.value.steps >= reached
    later.cancel(again.job.id)
    assert bridge.close()
    later.close()
