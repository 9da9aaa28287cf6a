"""Actions and networks made here, in the real window with a toy view."""

from __future__ import annotations

import itertools
import json
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMessageBox
from pytestqt.qtbot import QtBot

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.core.settings import Settings
from explorer.core.step import Step
from explorer.engine.scene import Scene
from explorer.engine.view import Action
from explorer.networks import catalog
from explorer.networks.entry import Entry
from explorer.networks.external import timm_models
from explorer.networks.made import NewNetwork
from explorer.ui.shell.bridge import Bridge, Ready
from explorer.ui.shell.window import Window
from explorer.views.predictions.classify import VIEW as CLASSIFY
from tests.evaluation.sets import RED, filled

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

WAIT = 60_000
LEFT = Qt.MouseButton.LeftButton
BASE = "squeezenet1_1"


def snapshot(scene: Scene, _params: Any) -> Generator[Step[None], Any, NewNetwork]:
    yield Step(None, 1, 2, "copying")
    return NewNetwork.of(scene.network, "My snapshot", note="A copy.")


def use_copy(scene: Scene, _params: Any) -> Generator[Step[None], Any, NewNetwork]:
    yield Step(None)
    return NewNetwork.of(scene.network, "In use at once", use=True)


def fail(_scene: Scene, _params: Any) -> Generator[Step[None], Any, NewNetwork]:
    yield Step(None)
    raise ExplorerError("There is nothing to keep yet.", "Train first.")


TOY = replace(
    CLASSIFY, name="toy", title="Toy", tasks=frozenset(),
    actions=(
        Action("snapshot", "Keep a snapshot", "Keeps the network as it is now.", snapshot),
        Action("use", "Fork", "Goes on with a copy.", use_copy),
        Action("fail", "Fail", "Never works.", fail),
    ),
)  # fmt: skip


def endless(scene: Scene, params: Any) -> Generator[Step[Any], Any, None]:
    """As a training that takes long."""
    *_, last = CLASSIFY.compute(scene, params)
    for number in itertools.count():
        yield Step(last.value, number, 0)


LONG = replace(TOY, name="long", title="Long", compute=endless)


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> Iterator[Window]:
    def start_up() -> Generator[Step[Any], Any, None]:
        defaults = {"classification": NetworkSpec(BASE)}
        views = {"toy": TOY, "classify": CLASSIFY, "long": LONG}
        yield Step(Ready(views, catalog.entries(), (("cpu", "CPU"),), defaults))

    new = Window(Settings(), wishes={"view": "toy", "network": BASE, "device": "cpu"},
                 bridge=Bridge(start_up=start_up))  # fmt: skip
    new.resize(1200, 800)
    with qtbot.waitSignal(new.loaded, timeout=WAIT):
        new.show()
    new.intake.open_paths([str(filled(tmp_path / "photo.png", RED))])
    buttons = new.inspector.action_buttons.buttons
    qtbot.waitUntil(lambda: bool(buttons) and buttons["snapshot"].isEnabled(), timeout=WAIT)
    yield new
    new.close()
    new.bridge.deleteLater()
    new.deleteLater()


def press(qtbot: QtBot, window: Window, name: str) -> None:
    qtbot.mouseClick(window.inspector.action_buttons.buttons[name], LEFT)
    assert window.making.running
    qtbot.waitUntil(lambda: not window.making.running, timeout=WAIT)


def made_here(window: Window) -> list[str]:
    ready = window.study.ready
    assert ready is not None
    return [entry.title for entry in ready.entries if entry.family == "made"]


def test_a_snapshot_joins_the_networks_and_can_be_used(qtbot: QtBot, window: Window) -> None:
    assert made_here(window) == []
    press(qtbot, window, "snapshot")
    qtbot.waitUntil(lambda: bool(window.notices.cards), timeout=WAIT)
    assert "My snapshot was added to the networks" in window.notices.texts[0]
    assert made_here(window) == ["My snapshot"]
    qtbot.mouseClick(window.notices.cards[0].buttons[0], LEFT)
    assert window.study.spec is not None
    assert window.study.spec.name == "my-snapshot"
    qtbot.waitUntil(lambda: not window.study.running, timeout=WAIT)
    assert window.study.info is not None
    assert window.study.info.title == "My snapshot"


def test_a_snapshot_is_listed_while_the_view_computes_on(qtbot: QtBot, window: Window) -> None:
    window.study.set_view("long")
    qtbot.waitUntil(lambda: window.study.board is not None, timeout=WAIT)
    press(qtbot, window, "snapshot")
    qtbot.waitUntil(lambda: made_here(window) == ["My snapshot"], timeout=WAIT)
    assert window.study.running
    window.study.cancel()


def test_the_networks_of_timm_come_when_the_catalog_is_opened(
    qtbot: QtBot, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    toy = replace(catalog.entries()[0], name="timm.toy", title="timm toy", family="timm")

    def entries(*, timm: bool = False) -> tuple[Entry, ...]:
        asked.append(timm)
        return (toy,)

    monkeypatch.setattr(timm_models, "installed", lambda: "1.0")
    monkeypatch.setattr(timm_models, "is_listed", lambda: False)
    monkeypatch.setattr(catalog, "entries", entries)
    window.networks.open()
    ready = window.study.ready
    qtbot.waitUntil(lambda: window.study.ready is not ready, timeout=WAIT)
    assert window.study.ready is not None
    assert window.study.ready.entries == (toy,)
    window.networks.popup.hide()
    window.networks.open()
    assert asked == [True], "once is enough"
    window.networks.popup.hide()


def test_a_network_may_ask_to_be_used_at_once(qtbot: QtBot, window: Window) -> None:
    press(qtbot, window, "use")
    qtbot.waitUntil(
        lambda: window.study.spec is not None and window.study.spec.name == "in-use-at-once",
        timeout=WAIT,
    )
    qtbot.waitUntil(lambda: not window.study.running, timeout=WAIT)


def test_a_failing_action_says_why_and_the_buttons_come_back(qtbot: QtBot, window: Window) -> None:
    press(qtbot, window, "fail")
    assert window.inspector.error.message == "There is nothing to keep yet."
    assert window.inspector.action_buttons.buttons["fail"].isEnabled()
    assert made_here(window) == []


def test_another_view_has_other_buttons(window: Window) -> None:
    assert window.inspector.action_buttons.isVisible()
    window.study.set_view("classify")
    assert not window.inspector.action_buttons.isVisible()
    assert not window.inspector.action_buttons.buttons


def test_it_is_renamed_exported_and_deleted_in_its_panel(
    qtbot: QtBot, window: Window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    press(qtbot, window, "snapshot")
    qtbot.waitUntil(lambda: made_here(window) == ["My snapshot"], timeout=WAIT)
    panel = window.networks.panel
    window.networks.open()
    panel.cards.point_at("my-snapshot")
    assert panel.rename.isVisible()
    qtbot.mouseClick(panel.rename, LEFT)
    assert not window.networks.popup.isVisible()
    dialog = window.making.dialog
    assert isinstance(dialog, QInputDialog)
    assert dialog.textValue() == "My snapshot"
    dialog.setTextValue("Better words")
    dialog.accept()
    qtbot.waitUntil(lambda: made_here(window) == ["Better words"], timeout=WAIT)

    target = tmp_path / "out.safetensors"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    window.networks.open()
    panel.cards.point_at("my-snapshot")
    qtbot.mouseClick(panel.export, LEFT)
    qtbot.waitUntil(lambda: any("out.safetensors" in t for t in window.notices.texts), timeout=WAIT)
    assert json.loads(target.with_suffix(".json").read_text("utf-8"))["title"] == "Better words"

    window.networks.open()
    panel.cards.point_at("my-snapshot")
    assert panel.delete.isEnabled()
    qtbot.mouseClick(panel.delete, LEFT)
    box = window.making.dialog
    assert isinstance(box, QMessageBox)
    assert "Better words" in box.text()
    delete = next(b for b in box.buttons() if box.buttonRole(b) is box.ButtonRole.DestructiveRole)
    qtbot.mouseClick(delete, LEFT)
    qtbot.waitUntil(lambda: made_here(window) == [], timeout=WAIT)


def test_what_is_in_use_cannot_be_deleted_and_torchvisions_neither(
    qtbot: QtBot, window: Window
) -> None:
    press(qtbot, window, "use")
    qtbot.waitUntil(
        lambda: window.study.spec is not None and window.study.spec.name == "in-use-at-once",
        timeout=WAIT,
    )
    panel = window.networks.panel
    window.networks.open()
    panel.cards.point_at("in-use-at-once")
    assert panel.delete.isVisible()
    assert not panel.delete.isEnabled()
    panel.cards.point_at("resnet18")
    assert not panel.delete.isVisible()
    window.networks.popup.hide()
    qtbot.waitUntil(lambda: not window.study.running, timeout=WAIT)
