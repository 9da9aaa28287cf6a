"""Back and forward through photos, views and networks; undo stays where the user is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytestqt.qtbot import QtBot

from explorer.core.params import Effect
from explorer.core.runner import State
from explorer.images.image import Image
from explorer.live.slot import Slot
from explorer.ui.navigation.trail import Place, Trail
from explorer.ui.shell.history import Edits
from tests.ui.toy_desk import SORTER, ToyPanels, photo

A, B = "/a.png", "/b.png"
PHOTOS = {A: photo("a.png", 10), B: photo("b.png", 200)}


@pytest.fixture
def trail(panels: ToyPanels) -> Trail:
    """Two photos; the first one is looked at and has been answered."""
    strip, study = panels.strip, panels.study

    def read(item: object) -> None:
        image: Image | None = PHOTOS.get(str(item))
        if image is not None:
            study.set_image(image)

    strip.current_changed.connect(read)
    made = Trail(study, strip, panels.main)
    strip.add([A, B])
    strip.select_item(A)
    panels.bridge.answer()
    return made


def where(panels: ToyPanels) -> tuple[str, str, str]:
    study = panels.study
    assert study.image is not None
    assert study.view is not None
    assert study.spec is not None
    return study.image.name, study.view.name, study.spec.name


def test_back_and_forward_walk_views_photos_and_networks(panels: ToyPanels, trail: Trail) -> None:
    assert not trail.can_go_back
    panels.study.set_view("find")
    panels.strip.select_item(B)
    panels.study.use("sorter")
    assert where(panels) == ("b.png", "classify", "sorter")
    seen = []
    while trail.can_go_back:
        trail.back()
        seen.append(where(panels))
    assert seen == [
        ("b.png", "find", "finder"), ("a.png", "find", "finder"), ("a.png", "classify", "sorter"),
    ]  # fmt: skip
    for _ in range(3):
        trail.forward()
    assert where(panels) == ("b.png", "classify", "sorter")
    assert not trail.can_go_forward


def test_a_step_aside_ends_the_way_forward(panels: ToyPanels, trail: Trail) -> None:
    panels.study.set_view("find")
    trail.back()
    assert trail.can_go_forward
    panels.study.set_view("bare")
    assert not trail.can_go_forward


def test_what_was_answered_is_shown_again_without_a_question(
    panels: ToyPanels, trail: Trail
) -> None:
    board = panels.study.board
    panels.study.set_view("bare")
    panels.bridge.answer()
    asked = len(panels.bridge.asked)
    trail.back()
    assert len(panels.bridge.asked) == asked
    assert not panels.study.running
    assert panels.study.board is not None
    assert board is not None
    assert panels.study.board.summary == board.summary
    assert panels.study.board.tables, "what Sort draws"


def test_a_long_computation_is_never_started_by_going_back(panels: ToyPanels, trail: Trail) -> None:
    rested: list[bool] = []
    panels.study.rested.connect(lambda: rested.append(panels.study.answer is None))
    panels.study.set_view("dream")
    panels.study.set_view("bare")
    asked = len(panels.bridge.asked)
    trail.back()
    assert where(panels)[1] == "dream"
    assert rested == [True], "there was no step of it yet"
    assert not panels.study.running
    assert len(panels.bridge.asked) == asked
    panels.study.look()
    panels.bridge.answer(state=State.RUNNING)
    panels.study.set_view("find")
    asked = len(panels.bridge.asked)
    trail.back()
    assert len(panels.bridge.asked) == asked
    assert panels.study.answer is not None, "the step that it was left at"
    assert rested == [True, False]


def test_an_answer_with_other_settings_is_asked_for_anew(panels: ToyPanels, trail: Trail) -> None:
    study = panels.study
    study.set_params(replace(study.params, depth=5))  # asks, and is not answered
    study.set_view("bare")
    trail.back()
    assert study.running
    assert panels.bridge.asked[-1].params.depth == 5


def test_a_photo_that_was_closed_is_passed_over(panels: ToyPanels, trail: Trail) -> None:
    panels.strip.select_item(B)
    panels.study.set_view("bare")
    panels.strip.remove_current()
    assert panels.strip.current == A
    trail.back()
    assert where(panels)[:2] == ("a.png", "classify")


def test_frames_are_no_place_and_are_left_for_the_photo(panels: ToyPanels, trail: Trail) -> None:
    panels.strip.deselect()
    panels.study.follow(Slot(), photo("Camera"))
    panels.study.set_view("bare")
    here = trail.here
    assert here is not None
    assert here.view == "classify"
    trail.go(here)
    assert where(panels) == ("a.png", "classify", "sorter")
    assert not panels.study.live


def test_a_move_of_the_program_is_taken_back_in_one_step(panels: ToyPanels, trail: Trail) -> None:
    places: list[Place | None] = []
    panels.study.moved.connect(lambda _: places.append(trail.here))
    panels.study.use("finder")
    assert where(panels)[1:] == ("find", "finder")
    (before,) = places
    assert before is not None
    trail.return_to(before)
    assert where(panels)[1:] == ("classify", "sorter")
    assert trail.can_go_forward
    assert not trail.can_go_back


def test_a_network_that_cannot_be_had_is_no_place(panels: ToyPanels, trail: Trail) -> None:
    panels.study.use("other")
    panels.study.set_view("bare")
    panels.study.set_network(SORTER)
    trail.forget(replace(SORTER, name="other"))
    trail.back()
    assert where(panels)[1:] == ("classify", "sorter")
    assert not trail.can_go_back


def test_undo_walks_the_steps_of_what_is_looked_at(
    panels: ToyPanels, trail: Trail, qtbot: QtBot
) -> None:
    study, form = panels.study, panels.inspector.form
    edits = Edits(study, form, panels.board, panels.main)
    study.subject_changed.emit()

    def change(**values: object) -> None:
        form.changed.emit(replace(study.params, **values), Effect.COMPUTE)

    change(depth=7)
    study.set_view("bare")
    assert not edits.group.canUndo(), "the step belongs to the other view"
    change(depth=2)
    change(score=0.25)
    edits.group.undo()
    edits.group.undo()
    edits.group.undo()
    assert where(panels)[1] == "bare"
    assert (study.params.depth, study.params.score) == (1, 0.5)
    study.set_view("classify")
    assert study.params.depth == 7
    edits.group.undo()
    assert study.params.depth == 1
    edits.group.redo()
    assert study.params.depth == 7
