"""A file of weights that is dropped is used with its network; where several fit, buttons ask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.networks import catalog
from explorer.ui.navigation.checkpoints import Checkpoints, is_checkpoint
from explorer.ui.photos.intake import Intake
from tests.ui.toy_desk import SORTER, ToyPanels, photo


@pytest.fixture
def intake(panels: ToyPanels) -> Intake:
    made = Intake(panels, panels.strip)
    made.checkpoint.connect(Checkpoints(panels).open)
    panels.study.set_image(photo())
    panels.bridge.answer()
    return made


def drop(
    intake: Intake, panels: ToyPanels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, *names: str
) -> None:
    monkeypatch.setattr(catalog, "guess", lambda _path: names)
    monkeypatch.setattr(catalog, "inspect", lambda path: Inside(path.name))
    intake.open_paths(["/runs/w.pth"])
    assert panels.notices.texts == ["Identifying the network of w.pth …"]
    qtbot.waitUntil(lambda: not panels.notices.texts)


@dataclass
class Found:
    """The same, as a sheet shows it."""

    facts: tuple[tuple[str, str], ...]
    names: tuple[str, ...]

    def lines(self) -> tuple[tuple[str, str], ...]:
        return self.facts


@dataclass
class Inside:
    """Stands for an `Inspection`."""

    name: str

    def text(self) -> str:
        return f"what is in {self.name}"


def words(panels: ToyPanels) -> list[str]:
    return [button.text() for button in panels.inspector.error.ways]


def test_its_network_is_used(
    intake: Intake, panels: ToyPanels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(intake, panels, qtbot, monkeypatch, "finder")
    assert panels.study.spec == NetworkSpec("finder", "/runs/w.pth")
    assert panels.strip.items == (), "it is no photo"
    assert panels.inspector.error.isHidden()


def test_where_several_fit_buttons_ask(
    intake: Intake, panels: ToyPanels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(intake, panels, qtbot, monkeypatch, "finder", "other")
    error = panels.inspector.error
    assert error.message == "w.pth matches Finder and Other equally well."
    assert words(panels) == ["Use Finder", "Use Other"]
    assert error.details.toPlainText() == "what is in w.pth"
    assert panels.study.spec == SORTER
    error.ways[1].click()
    assert panels.study.spec == NetworkSpec("other", "/runs/w.pth")
    assert error.isHidden()


def test_the_network_in_use_is_one_of_those_that_fit(
    intake: Intake, panels: ToyPanels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(intake, panels, qtbot, monkeypatch, "finder", SORTER.name)
    assert panels.study.spec == NetworkSpec(SORTER.name, "/runs/w.pth")


def test_what_fits_nothing_can_be_tried(
    intake: Intake, panels: ToyPanels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(intake, panels, qtbot, monkeypatch)
    assert panels.inspector.error.message == "w.pth matches no network of the catalog."
    assert words(panels) == ["Use Sorter", "Choose a network…"]
    panels.inspector.error.ways[0].click()
    assert panels.study.spec == NetworkSpec(SORTER.name, "/runs/w.pth")


def test_what_cannot_be_read_takes_nothing_away(
    intake: Intake, panels: ToyPanels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_path: Path) -> tuple[str, ...]:
        raise ExplorerError("w.pth is damaged.", "Choose another file.")

    monkeypatch.setattr(catalog, "guess", broken)
    intake.open_paths(["/runs/w.pth"])
    qtbot.waitUntil(lambda: not panels.inspector.error.isHidden())
    assert panels.inspector.error.message == "w.pth is damaged."
    assert panels.study.spec == SORTER
    assert panels.study.board is not None
    assert panels.notices.texts == []


def test_files_of_weights_are_told_by_their_names() -> None:
    assert all(is_checkpoint(f"a{suffix}") for suffix in (".pth", ".PT", ".ckpt", ".safetensors"))
    assert not any(is_checkpoint(name) for name in ("a.png", "a.mp4", "pth", "a.json"))


def test_what_is_in_a_file_is_shown_before_it_is_used(
    panels: ToyPanels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Checkpoints(panels)
    panels.study.set_image(photo())
    panels.bridge.answer()
    facts = (("Tensors", "3"), ("Looks like", "Finder"), ("Looks like", "Other"))
    monkeypatch.setattr(catalog, "inspect", lambda _path: Found(facts, ("finder", "other")))
    made.check("/runs/w.pth")
    qtbot.waitUntil(lambda: made.contents is not None)
    sheet = made.contents
    assert sheet is not None
    assert sheet.lines == facts
    assert [button.text() for button in sheet.buttons] == ["Use Finder", "Use Other"]
    assert panels.study.spec == SORTER, "nothing is loaded"
    assert panels.notices.texts == []
    qtbot.keyClick(sheet, Qt.Key.Key_Return)
    assert panels.study.spec == NetworkSpec("finder", "/runs/w.pth")
    assert made.contents is None


def test_what_fits_nothing_is_shown_too(
    panels: ToyPanels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Checkpoints(panels)
    monkeypatch.setattr(catalog, "inspect", lambda _path: Found((("Tensors", "3"),), ()))
    made.check("/runs/w.pth")
    qtbot.waitUntil(lambda: made.contents is not None)
    assert made.contents is not None
    assert [button.text() for button in made.contents.buttons] == ["Choose a network…"]
    qtbot.keyClick(made.contents, Qt.Key.Key_Escape)
    assert made.contents is None

    def broken(_path: Path) -> None:
        raise ExplorerError("w.pth is damaged.", "Choose another file.")

    monkeypatch.setattr(catalog, "inspect", broken)
    made.check("/runs/w.pth")
    qtbot.waitUntil(lambda: not panels.inspector.error.isHidden())
    assert panels.inspector.error.message == "w.pth is damaged."


@pytest.mark.parametrize("command", ["open_network", "check_network"])
def test_the_commands_ask_for_a_file(
    command: str, panels: ToyPanels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Checkpoints(panels)
    chosen = ["/runs/w.pth"]
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (chosen[0], ""))
    monkeypatch.setattr(catalog, "inspect", lambda _path: Found((), ("finder",)))
    monkeypatch.setattr(catalog, "guess", lambda _path: ("finder",))
    made.handlers()[command]()
    if command == "open_network":
        qtbot.waitUntil(lambda: panels.study.spec == NetworkSpec("finder", "/runs/w.pth"))
    else:
        qtbot.waitUntil(lambda: made.contents is not None)
    chosen[0] = ""
    made.handlers()[command]()
    assert panels.notices.texts == [], "nothing was chosen"


def test_a_program_runs_only_when_a_button_says_so(
    panels: ToyPanels, qtbot: QtBot, tmp_path: Path
) -> None:
    program = tmp_path / "net.py"
    program.write_text("def build():\n    return None\n\n\ndef model():\n    return None\n")
    made, intake, wanted = Checkpoints(panels), Intake(panels, panels.strip), []
    made.run_wanted.connect(wanted.append)
    intake.checkpoint.connect(made.open)
    intake.open_paths([str(program)])
    error = panels.inspector.error
    qtbot.waitUntil(lambda: not error.isHidden())
    assert error.message == "net.py is a program: to use its network, its code has to run."
    assert words(panels) == ["Run build()", "Run model()"]
    assert wanted == []
    error.ways[1].click()
    assert [spec.name for spec in wanted] == [f"{program}:model"]
    program.write_text("x = 1")
    intake.open_paths([str(program)])
    qtbot.waitUntil(lambda: "no function" in error.message)


def test_a_folder_with_a_configuration_and_weights_is_a_network(
    intake: Intake, panels: ToyPanels, tmp_path: Path
) -> None:
    assert not is_checkpoint(tmp_path), "a folder of photos"
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    intake.open_paths([str(tmp_path)])
    assert panels.study.spec == NetworkSpec("", str(tmp_path))
    assert panels.strip.items == ()
