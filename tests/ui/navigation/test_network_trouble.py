"""A network that cannot be had takes nothing away, and there are ways on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from explorer.core.network_info import NetworkSpec
from explorer.core.runner import Failure, State
from explorer.networks.external import python_file
from explorer.ui.board.pinned_result import PinnedResult
from explorer.ui.navigation.network_trouble import NetworkTrouble
from explorer.ui.navigation.trail import Trail
from explorer.ui.shell.presenter import Presenter
from explorer.ui.study.study import Study
from tests.ui.toy_desk import FINDER, INFO, SORTER, ToyBridge, ToyPanels, photo

BROKEN = Failure("bad.pth is damaged.", "Choose another file.", "", True, "network")
MISFIT = replace(BROKEN, message="bad.pth does not fit.", instead=("finder", "nobody"))
FILE = NetworkSpec("other", "/bad.pth")


@pytest.fixture
def asked(panels: ToyPanels) -> list[str]:
    """Sort looks at a photo with its network; the names that a file is asked for."""
    names: list[str] = []
    NetworkTrouble(panels, Trail(panels.study, panels.strip, panels.main), names.append)
    Presenter(panels, PinnedResult(panels.board, "wipe", panels.main))
    panels.strip.add(["/a.png"])
    panels.study.set_image(photo())
    panels.bridge.answer()
    return names


def fail(bridge: ToyBridge, failure: Failure = BROKEN) -> None:
    bridge.tell(State.FAILED, None, failure)


def words(panels: ToyPanels) -> list[str]:
    return [button.text() for button in panels.inspector.error.ways]


def press(panels: ToyPanels, text: str) -> None:
    next(button for button in panels.inspector.error.ways if button.text() == text).click()


@pytest.mark.usefixtures("asked")
def test_the_working_network_stays_with_its_answer(panels: ToyPanels) -> None:
    study = panels.study
    study.set_network(FILE)
    questions = len(panels.bridge.asked)
    fail(panels.bridge)
    assert study.spec == SORTER
    assert study.board is not None
    assert not study.running
    assert len(panels.bridge.asked) == questions, "what was shown is shown, not computed"
    assert panels.networks.spec == SORTER
    error = panels.inspector.error
    assert error.message == BROKEN.message
    assert "Sorter is still in use." in error.hint
    assert words(panels) == ["Try again", "Choose a file…", "Use random weights"]
    (trail,) = panels.main.findChildren(Trail)
    assert not trail.can_go_back


def test_the_buttons_do_what_they_say(panels: ToyPanels, asked: list[str]) -> None:
    study = panels.study
    study.set_network(FILE)
    fail(panels.bridge)
    press(panels, "Try again")
    assert study.spec == FILE
    fail(panels.bridge)
    press(panels, "Choose a file…")
    assert asked == ["other"]
    study.set_network(FILE)
    fail(panels.bridge)
    press(panels, "Use random weights")
    assert study.spec == NetworkSpec("other", "none")


@pytest.mark.usefixtures("asked")
def test_a_file_of_another_architecture_can_be_used_with_it(panels: ToyPanels) -> None:
    study = panels.study
    study.set_network(FILE)
    fail(panels.bridge, MISFIT)
    assert words(panels)[0] == "Use Finder"
    press(panels, "Use Finder")
    assert study.spec == replace(FILE, name="finder")
    assert study.view is not None
    assert study.view.name == "find"


@pytest.mark.usefixtures("asked")
def test_a_view_that_was_brought_along_goes_with_its_network(panels: ToyPanels) -> None:
    study = panels.study
    study.set_network(replace(FINDER, weights="/bad.pth"))
    assert study.view is not None
    assert study.view.name == "find"
    fail(panels.bridge)
    assert study.view is not None
    assert study.view.name == "classify"
    assert study.spec == SORTER
    assert study.board is not None


@pytest.mark.usefixtures("asked")
def test_the_sentence_stays_until_another_network_or_photo_is_chosen(panels: ToyPanels) -> None:
    study = panels.study
    study.set_network(FILE)
    fail(panels.bridge)
    study.set_view("bare")
    panels.bridge.answer()
    assert panels.inspector.error.isVisible()
    panels.inspector.settle()
    assert not panels.inspector.error.isVisible()


def test_without_one_that_worked_the_usual_network_comes(panels: ToyPanels) -> None:
    study = panels.study
    NetworkTrouble(panels, Trail(study, panels.strip, panels.main), print)
    study.start_with(FILE)
    study.set_image(photo())
    fail(panels.bridge)
    assert study.spec == SORTER
    assert study.running
    fail(panels.bridge)
    assert study.spec == SORTER, "there is no other one to fall back on"
    assert not study.running


@pytest.mark.usefixtures("asked")
def test_a_view_that_fails_is_not_the_fault_of_the_network(panels: ToyPanels) -> None:
    study = panels.study
    study.use("other")
    panels.bridge.answer(info=replace(INFO, spec=NetworkSpec("other")))
    study.look()
    fail(panels.bridge, replace(BROKEN, about=""))
    assert study.spec == NetworkSpec("other")
    assert words(panels) == []


@pytest.mark.usefixtures("asked")
def test_another_device_that_fails_is_to_be_mended(panels: ToyPanels) -> None:
    failed: list[object] = []
    panels.study.network_failed.connect(lambda *news: failed.append(news))
    panels.study.set_device("tpu", False, 0)
    fail(panels.bridge)
    assert failed == []
    assert panels.study.device == "tpu"


def test_a_view_takes_the_network_that_was_used_last_for_its_task(study: Study) -> None:
    study.use("other")
    study.set_view("find")
    assert study.spec == FINDER
    study.set_view("classify")
    assert study.spec == SORTER, "the other one was never loaded"


@pytest.fixture
def study(panels: ToyPanels) -> Study:
    panels.study.set_image(photo())
    panels.bridge.answer()
    return panels.study


def test_going_back_to_a_task_brings_its_network_back(panels: ToyPanels, study: Study) -> None:
    study.use("other")
    panels.bridge.answer(info=replace(INFO, spec=NetworkSpec("other")))
    study.set_view("find")
    assert study.spec == FINDER
    view = study.views["classify"]
    assert study.network_for(view) == NetworkSpec("other")
    study.set_view("classify")
    assert study.spec == NetworkSpec("other")


@pytest.mark.usefixtures("asked")
def test_a_program_of_an_earlier_session_asks_before_it_runs(
    panels: ToyPanels, tmp_path: Path
) -> None:
    program = tmp_path / "net.py"
    program.write_text("def build():\n    return None\n")
    spec = NetworkSpec(f"{program}:build")
    panels.study.set_network(spec)
    fail(panels.bridge, replace(BROKEN, message="net.py is a program.", about="program"))
    assert panels.study.spec == SORTER
    assert words(panels) == ["Run its code"]
    assert not python_file.is_trusted(program)
    press(panels, "Run its code")
    assert python_file.is_trusted(program)
    assert panels.study.spec == spec
