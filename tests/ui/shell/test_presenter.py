"""What the study says is seen on the widgets, without a window around them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytestqt.qtbot import QtBot

from explorer.core.params import Point
from explorer.core.runner import Failure, State
from explorer.live.slot import Shot, Slot
from explorer.ui.board.canvas import Mode
from explorer.ui.board.pinned_result import PinnedResult
from explorer.ui.shell.presenter import Presenter
from explorer.ui.widgets.small_widgets import Label
from tests.ui.toy_desk import SORTER, ToyPanels, photo


@pytest.fixture
def pinned(panels: ToyPanels) -> PinnedResult:
    return PinnedResult(panels.board, "wipe", panels.main)


@pytest.fixture
def presenter(panels: ToyPanels, pinned: PinnedResult) -> Presenter:
    panels.views.set_views(tuple(panels.study.views.values()))
    assert panels.study.ready is not None
    panels.networks.set_entries(panels.study.ready.entries)
    return Presenter(panels, pinned)


def listed(panels: ToyPanels) -> str:
    """From which score on the table lists."""
    table = panels.results.tab("found")
    return str(table.model().index(0, 1).data())


def test_the_answer_is_on_the_canvas_and_in_the_panels(
    panels: ToyPanels, presenter: Presenter
) -> None:
    panels.study.set_image(photo(notes=("The file is damaged.",)))
    panels.bridge.answer()
    assert panels.board.board is panels.study.board
    assert panels.inspector.notes == ("The file is damaged.",)
    assert panels.inspector.title.text() == "Sort"
    assert panels.inspector.form.params == panels.study.params
    assert panels.networks.spec == SORTER
    assert panels.main.windowTitle() == "cat.png — Convnet Explorer"
    assert panels.refreshes > 0


def test_the_status_bar_says_network_and_time(panels: ToyPanels, presenter: Presenter) -> None:
    panels.study.set_image(photo())
    assert panels.status.network.text() == "Sorter"
    panels.bridge.answer()
    assert panels.status.network.text() == "Sorter  ·  cpu  ·  float32"
    assert panels.status.time.text() == "250 ms"
    panels.study.look()
    panels.bridge.answer(steps=10)
    assert panels.status.time.text() == "40.0 steps/s  ·  250 ms"


def test_results_are_there_when_there_is_something_to_list(
    panels: ToyPanels, presenter: Presenter
) -> None:
    dock = panels.docks["results"]
    panels.study.set_image(photo())
    panels.bridge.answer()
    assert not dock.isHidden()
    panels.study.set_view("bare")
    panels.bridge.answer()
    assert dock.isHidden(), "no empty area"
    panels.study.set_view("classify")
    panels.bridge.answer()
    assert not dock.isHidden()


def test_results_that_the_user_has_closed_stay_closed(
    panels: ToyPanels, presenter: Presenter
) -> None:
    dock = panels.docks["results"]
    panels.study.set_image(photo())
    panels.bridge.answer()
    dock.toggleViewAction().trigger()
    assert dock.isHidden()
    panels.study.look()
    panels.bridge.answer()
    assert dock.isHidden()


def test_a_photo_is_shown_plain_while_its_answer_takes_long(
    panels: ToyPanels, presenter: Presenter, qtbot: QtBot
) -> None:
    panels.study.set_image(photo(notes=("The file is damaged.",)))
    qtbot.waitUntil(lambda: panels.board.board is not None, timeout=5000)
    assert panels.study.board is None
    assert panels.board.board is not None
    assert [pane.size for pane in panels.board.board.panes] == [(60, 40)]
    assert panels.inspector.notes == ("The file is damaged.",)


def test_a_failure_is_a_sentence_and_the_photo_is_shown(
    panels: ToyPanels, presenter: Presenter
) -> None:
    panels.study.set_image(photo())
    problem = Failure("The network has no boxes.", "Choose a detector.", "", expected=True)
    panels.bridge.tell(State.FAILED, None, problem)
    assert panels.inspector.error.message == "The network has no boxes."
    assert not panels.inspector.error.isHidden()
    assert panels.board.board is not None


def test_a_stream_of_steps_paints_the_picture_at_once_and_the_tables_at_its_end(
    panels: ToyPanels, presenter: Presenter
) -> None:
    study = panels.study
    study.set_view("dream")
    study.set_image(photo())
    panels.bridge.answer(state=State.RUNNING)
    assert listed(panels) == "0.500", "the first result is listed at once"
    study.set_params(replace(study.params, score=0.25))
    assert panels.board.board is not None
    assert panels.board.board.summary == "from 0.25"
    assert listed(panels) == "0.500"
    panels.bridge.answer()
    assert listed(panels) == "0.250"


def test_what_is_pinned_is_compared_with_the_next_answer(
    panels: ToyPanels, presenter: Presenter, pinned: PinnedResult
) -> None:
    study = panels.study
    study.set_image(photo())
    panels.bridge.answer()
    pinned.pin(study.board, study.subject)
    assert panels.board.cell("image").compare is None, "A itself is shown plain"
    study.set_image(photo("dog.png", 120))
    panels.bridge.answer()
    assert panels.board.cell("image").compare == "wipe"


def test_a_place_is_clicked_on_the_canvas_of_a_view_that_takes_one(
    panels: ToyPanels, presenter: Presenter
) -> None:
    study = panels.study
    study.set_image(photo())
    panels.bridge.answer()
    assert panels.board.canvas("image").mode is Mode.POINT
    study.set_param("at", Point(3, 4))
    assert panels.inspector.form.params.at == Point(3, 4)


def test_live_frames_are_no_progress(panels: ToyPanels, presenter: Presenter) -> None:
    study = panels.study
    study.follow(Slot(), photo("Camera"))
    refreshes = panels.refreshes
    for number in range(3):
        shot = Shot(study.image.pixels, number, 0.0, 0.0)
        panels.bridge.answer(state=State.RUNNING, shot=shot)
    assert panels.status.time.text() == ""
    assert panels.inspector.strip.words.text() == ""
    assert panels.inspector.strip.cancel.isHidden()
    assert panels.main.windowTitle() == "Camera — Convnet Explorer"
    assert panels.refreshes > refreshes


def test_a_frame_before_any_answer_is_shown_plain(panels: ToyPanels, presenter: Presenter) -> None:
    panels.study.follow(Slot(), photo("Camera", 40))
    presenter.preview(photo("Camera", 200))
    assert panels.board.board is not None
    assert int(panels.board.grab_rgb().max()) >= 200


def test_without_a_photo_the_title_is_the_programs(panels: ToyPanels, presenter: Presenter) -> None:
    panels.study.set_image(photo())
    panels.study.clear()
    assert panels.main.windowTitle() == "Convnet Explorer"


def test_a_view_without_a_photo_leaves_nothing_of_another_view(
    panels: ToyPanels, presenter: Presenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    panels.study.set_image(photo(notes=("The file is damaged.",)))
    panels.bridge.answer()
    assert panels.board.board is not None
    monkeypatch.setattr(type(panels.study), "wants_photo", False)
    assert panels.study.view is not None
    names = [name for name in panels.study.views if name != panels.study.view.name]
    panels.study.set_view(names[0])
    problem = Failure("No data set is chosen.", "Choose a folder.", "", expected=True)
    panels.bridge.tell(State.FAILED, None, problem)
    assert panels.board.board is None
    hints = [label.text() for label in panels.board.findChildren(Label) if not label.isHidden()]
    assert hints == ["No data set is chosen. Choose a folder."]
    assert panels.results.summary == ""
    assert panels.inspector.notes == ()
