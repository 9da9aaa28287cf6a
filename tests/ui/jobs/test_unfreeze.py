"""The comparison of trainings in the real window: canceled, closed, its network after a restart."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox
from pytestqt.qtbot import QtBot

from explorer.core.network_info import NetworkSpec
from explorer.core.settings import Settings, data_folder
from explorer.core.step import Step
from explorer.core.values import FolderRef
from explorer.networks import catalog
from explorer.networks.entry import Entry, WeightsOption
from explorer.ui.jobs.background import BackgroundJobs, Phase
from explorer.ui.shell.bridge import Bridge, Ready
from explorer.ui.shell.window import Window
from explorer.views.learning.unfreeze.view import Params
from tests.evaluation.sets import RED, filled
from tests.views.inside.folders import colored, convolutions

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

WAIT = 60_000
LEFT = Qt.MouseButton.LeftButton
NAME = "mini-resnet"
MADE = "toy-on-photos-fine-tuned"


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(spec: NetworkSpec) -> Generator[Step[None], Any, Any]:
        yield Step(None, 0, 1, "making it")
        network = convolutions()
        network.extras["architecture"] = NAME
        return replace(network, info=replace(network.info, spec=spec))

    monkeypatch.setattr(catalog, "load", load)


def opened(qtbot: QtBot, photo: Path) -> Window:
    """The real window; what was made here in an earlier run of the program is listed."""
    option = WeightsOption("toy", "by hand", "shipped")
    toy = Entry(NAME, "Toy", "classification", "embedded", "A toy.", (option,))

    def start_up() -> Generator[Step[Any], Any, None]:
        from explorer.views import discover

        made = tuple(entry for entry in catalog.entries() if entry.family == "made")
        defaults = {"classification": NetworkSpec(NAME)}
        yield Step(Ready(discover(), (toy, *made), (("cpu", "CPU"),), defaults))

    new = Window(Settings(), bridge=Bridge(start_up=start_up))
    new.resize(1200, 800)
    with qtbot.waitSignal(new.loaded, timeout=WAIT):
        new.show()
    new.intake.open_paths([str(photo)])
    new.study.start_with(NetworkSpec(NAME))
    return new


def left(window: Window) -> None:
    window.close()
    window.bridge.deleteLater()
    window.deleteLater()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return filled(tmp_path / "photo.png", RED)


@pytest.fixture
def folder(tmp_path: Path) -> FolderRef:
    return FolderRef(str(colored(tmp_path / "photos")))


def started(qtbot: QtBot, window: Window, params: Params) -> Any:
    """A click on the button has begun the job."""
    window.study.set_view("unfreeze", params)
    buttons = window.inspector.action_buttons.buttons
    qtbot.waitUntil(lambda: "train" in buttons and buttons["train"].isEnabled(), timeout=WAIT)
    qtbot.mouseClick(buttons["train"], LEFT)
    (found,) = window.jobs.all
    qtbot.waitUntil(lambda: bool(found.value and found.value.learns), timeout=WAIT)
    return found


@pytest.mark.usefixtures("toy")
def test_canceling_ends_it_and_keeps_nothing(qtbot: QtBot, photo: Path, folder: FolderRef) -> None:
    window = opened(qtbot, photo)
    found = started(qtbot, window, Params(folder, steps=2000, most=2))
    place = data_folder() / "jobs" / found.job.id
    assert place.exists()
    steps = len(found.value.losses)
    window.study.cancel()
    assert window.jobs.all == ()
    qtbot.waitUntil(lambda: not place.exists(), timeout=WAIT)
    assert len(found.value.losses) <= steps + 1, "it answers within one step"
    assert not list(catalog.made.folder().glob("*.json"))
    left(window)
    bridge = Bridge()
    later = BackgroundJobs(bridge, None)
    later.restore()
    assert later.all == ()
    assert bridge.close()
    later.close()


@pytest.mark.usefixtures("toy")
def test_it_goes_on_after_closing_and_its_network_is_exported_and_deleted(
    qtbot: QtBot, photo: Path, folder: FolderRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = opened(qtbot, photo)
    found = started(qtbot, window, Params(folder, steps=30, most=2))
    left(window)  # the window is closed meanwhile
    assert found.phase is not Phase.DONE

    window = opened(qtbot, photo)
    qtbot.waitUntil(lambda: bool(window.jobs.all), timeout=WAIT)
    (again,) = window.jobs.all
    assert again.job.id == found.job.id
    qtbot.waitUntil(lambda: again.phase is Phase.DONE, timeout=WAIT)
    assert again.value.made == MADE
    left(window)

    window = opened(qtbot, photo)  # once more: the network survives
    panel = window.networks.panel
    window.networks.open()
    panel.cards.point_at(MADE)
    assert panel.export.isVisible()
    target = tmp_path / "out.safetensors"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    qtbot.mouseClick(panel.export, LEFT)
    qtbot.waitUntil(lambda: target.with_suffix(".json").exists(), timeout=WAIT)
    assert target.stat().st_size > 0
    assert "trained on 6 photos of photos" in target.with_suffix(".json").read_text("utf-8")
    window.networks.open()
    panel.cards.point_at(MADE)
    qtbot.mouseClick(panel.delete, LEFT)
    box = window.making.dialog
    assert isinstance(box, QMessageBox)
    delete = next(b for b in box.buttons() if box.buttonRole(b) is box.ButtonRole.DestructiveRole)
    qtbot.mouseClick(delete, LEFT)
    qtbot.waitUntil(lambda: not list(catalog.made.folder().glob("*.json")), timeout=WAIT)
    left(window)
