"""What commands do to the study and the panels, and when they make sense."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from explorer.core.network_info import NetworkSpec
from explorer.core.runner import State
from explorer.core.settings import THEMES
from explorer.ui.board.pinned_result import PinnedResult
from explorer.ui.shell.actions import COMMANDS, FILM_COMMANDS, Actions
from explorer.ui.shell.commands import Commands
from tests.ui.toy_desk import ToyPanels, photo


@pytest.fixture
def actions(panels: ToyPanels) -> Actions:
    return Actions(panels.main, {})


@pytest.fixture
def pinned(panels: ToyPanels) -> PinnedResult:
    return PinnedResult(panels.board, "wipe", panels.main)


@pytest.fixture
def commands(panels: ToyPanels, pinned: PinnedResult, actions: Actions) -> Commands:
    made = Commands(panels, pinned, actions)
    handlers = made.handlers()
    rest = {c.name: int for c in COMMANDS if c.name not in handlers}
    actions.answer(handlers, rest)
    made.refresh()
    return made


def answered(panels: ToyPanels, name: str = "cat.png", **more: Any) -> None:
    panels.study.set_image(replace(photo(name), **more))
    panels.bridge.answer()


def enabled(actions: Actions) -> set[str]:
    names = ("save", "save_as", "copy_view", "load_truth", "save_truth", "compare", "compare_mode",
             "pause", "run", "next_frame")  # fmt: skip
    return {name for name in names if actions[name].isEnabled()}


def test_every_command_is_answered_once(panels: ToyPanels, actions: Actions) -> None:
    names = [command.name for command in COMMANDS]
    with pytest.raises(AssertionError):
        actions.answer(dict.fromkeys(names[1:], int))
    with pytest.raises(AssertionError):
        actions.answer(dict.fromkeys(names, int), {"open": int})


def test_what_makes_sense_is_enabled(
    panels: ToyPanels, commands: Commands, actions: Actions, pinned: PinnedResult
) -> None:
    study = panels.study
    assert enabled(actions) == set()
    study.set_image(photo())
    commands.refresh()
    assert enabled(actions) == {"load_truth", "run"}
    panels.bridge.answer()
    commands.refresh()
    assert enabled(actions) == {"load_truth", "run", "save", "save_as", "copy_view", "compare"}
    pinned.pin(study.board, study.subject)
    commands.refresh()
    assert "compare_mode" in enabled(actions)
    study.set_view("dream")
    commands.refresh()
    assert "pause" in enabled(actions)
    actions["pause"].setChecked(True)
    study.cancel()
    commands.refresh()
    assert "pause" not in enabled(actions)
    assert not actions["pause"].isChecked()


def test_a_file_with_many_pages_can_be_stepped_through(
    panels: ToyPanels, commands: Commands, actions: Actions
) -> None:
    answered(panels, frames=3)
    commands.refresh()
    assert "next_frame" in enabled(actions)


def test_escape_ends_what_runs_then_leaves_the_selection_then_the_full_screen(
    panels: ToyPanels, commands: Commands, actions: Actions
) -> None:
    answered(panels)
    actions["fullscreen"].trigger()
    assert panels.main.isFullScreen()
    panels.board.set_selection(("boxes", 1))
    panels.study.look()
    actions["cancel"].trigger()
    assert not panels.study.running
    assert panels.board.selection is not None
    actions["cancel"].trigger()
    assert panels.board.selection is None
    assert panels.main.isFullScreen()
    actions["cancel"].trigger()
    assert not panels.main.isFullScreen()


def test_compare_pins_and_lets_go(
    panels: ToyPanels, commands: Commands, actions: Actions, pinned: PinnedResult
) -> None:
    answered(panels)
    commands.refresh()
    actions["compare"].trigger()
    assert pinned.there
    actions["compare"].trigger()
    assert not pinned.there


def test_the_way_of_comparing_is_kept(
    panels: ToyPanels, commands: Commands, actions: Actions, pinned: PinnedResult
) -> None:
    answered(panels)
    pinned.pin(panels.study.board, panels.study.subject)
    answered(panels, "dog.png", key="dog")
    commands.refresh()
    actions["compare_mode"].trigger()
    assert panels.settings.preferences.compare == pinned.mode == "split"
    actions["compare_mode"].trigger()
    assert panels.settings.preferences.compare == pinned.mode == "wipe"


def test_a_photo_that_comes_to_be_compared_pins_what_is_shown(
    panels: ToyPanels, commands: Commands, pinned: PinnedResult
) -> None:
    commands.compare_arriving()
    assert not pinned.there, "there is nothing to compare with"
    answered(panels)
    commands.compare_arriving()
    assert pinned.there
    assert pinned.mode == "split"


def test_closing_the_photo_and_then_the_window(
    panels: ToyPanels, commands: Commands, actions: Actions
) -> None:
    panels.strip.add(["/a.png", "/b.png"])
    actions["close_photo"].trigger()
    assert panels.strip.items == ("/b.png",)
    assert panels.strip.current == "/b.png"
    actions["close_photo"].trigger()
    assert panels.strip.items == ()
    assert panels.main.isVisible()
    actions["close_photo"].trigger()
    assert not panels.main.isVisible()


def test_the_gallery_is_opened_at_its_first_sample(
    panels: ToyPanels, commands: Commands, actions: Actions
) -> None:
    actions["gallery"].trigger()
    assert panels.strip.current is None, "there are none yet"
    panels.strip.set_samples(["/one.png", "/two.png"])
    panels.docks["photos"].hide()
    actions["gallery"].trigger()
    assert panels.strip.current == "/one.png"
    assert panels.docks["photos"].isVisible()


def test_the_next_theme(panels: ToyPanels, commands: Commands, actions: Actions) -> None:
    seen = []
    for _ in range(3):
        actions["theme"].trigger()
        seen.append(panels.settings.preferences.theme)
    assert seen == ["light", "dark", "system"]


def test_every_theme_is_a_command(panels: ToyPanels, commands: Commands, actions: Actions) -> None:
    for word in ("dark", "light", "system"):
        actions[f"theme_{word}"].trigger()
        assert panels.settings.preferences.theme == word
        checked = [name for name in THEMES if actions[f"theme_{name}"].isChecked()]
        assert checked == [word]


def test_overlays_are_hidden_and_shown(
    panels: ToyPanels, commands: Commands, actions: Actions
) -> None:
    answered(panels)
    assert actions["overlays"].isChecked()
    actions["overlays"].trigger()
    assert not panels.board.view_state()["overlays"]
    actions["overlays"].trigger()
    assert panels.board.view_state()["overlays"]


def test_pausing_what_makes_a_film(panels: ToyPanels, commands: Commands, actions: Actions) -> None:
    panels.study.set_view("dream")
    panels.study.set_image(photo())
    panels.bridge.answer(state=State.RUNNING)
    commands.refresh()
    actions["pause"].trigger()
    actions["pause"].trigger()
    assert panels.bridge.paused == [True, False]


def test_looking_again(panels: ToyPanels, commands: Commands, actions: Actions) -> None:
    answered(panels)
    commands.refresh()
    actions["run"].trigger()
    assert panels.study.running


def test_a_checkpoint_is_used_for_the_network_it_is_meant_for(
    panels: ToyPanels, commands: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = ["", str(tmp_path / "weights.pth"), ""]
    starts: list[str] = []

    def ask(_parent: object, _title: str, start: str, _kinds: str) -> tuple[str, str]:
        starts.append(start)
        return found.pop(0), ""

    monkeypatch.setattr("explorer.ui.shell.commands.QFileDialog.getOpenFileName", ask)
    answered(panels)
    before = panels.study.spec
    commands.open_checkpoint("other")
    assert panels.study.spec == before, "the dialog was left"
    commands.open_checkpoint("other")
    assert panels.study.spec is not None
    path = str(tmp_path / "weights.pth")
    assert (panels.study.spec.name, panels.study.spec.weights) == ("other", path)
    commands.open_checkpoint("other")
    assert starts == ["", "", str(tmp_path)], "where the last one was"


def test_class_names_are_chosen_for_the_checkpoint_in_use(
    panels: ToyPanels, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ["", "/runs/classes.txt"]
    monkeypatch.setattr(
        "explorer.ui.shell.commands.QFileDialog.getOpenFileName",
        lambda *_: (found.pop(0), ""),
    )
    answered(panels)
    spec = NetworkSpec("other", "/runs/w.pth")
    panels.study.set_network(spec)
    commands.choose_classes()
    assert panels.study.spec == spec, "the dialog was left"
    commands.choose_classes()
    assert panels.study.spec == replace(spec, classes="/runs/classes.txt")


def test_the_layout_is_set_back(
    panels: ToyPanels, commands: Commands, actions: Actions, qtbot: QtBot
) -> None:
    panels.docks["inspector"].hide()
    panels.docks["photos"].setFloating(True)
    actions["reset_layout"].trigger()
    assert panels.docks["inspector"].isVisible()
    assert not panels.docks["photos"].isFloating()


def test_f_freezes_only_while_frames_are_followed(actions: Actions) -> None:
    def keys(name: str) -> list[str]:
        return [key.toString() for key in actions[name].shortcuts()]

    actions.set_live(True)
    assert (keys("fit"), keys("freeze")) == ([], ["F"])
    assert actions["record"].isEnabled()
    actions.set_film(True)
    assert all(actions[name].isVisible() for name in FILM_COMMANDS)
    actions.set_live(False)
    assert (keys("fit"), keys("freeze")) == (["F"], [])
    assert not actions["record"].isEnabled()
    assert not any(actions[name].isVisible() for name in FILM_COMMANDS)
