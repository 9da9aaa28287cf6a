"""What is looked at, and what a change of it asks for: no more than it must."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from explorer.core.layers import UNTRAINED, Link, Text
from explorer.core.params import Point
from explorer.core.runner import Failure, State
from explorer.engine.answer import Side
from explorer.images.image import from_array
from explorer.live.slot import Shot, Slot
from explorer.ui.study.study import Study
from tests.ui.toy_desk import BARE, FINDER, INFO, SORTER, Params, ToyBridge, ToyDesk, photo


@pytest.fixture
def bridge(desk: ToyDesk) -> ToyBridge:
    return desk.bridge


@pytest.fixture
def study(desk: ToyDesk) -> Study:
    """Looks at a photo, which has been answered."""
    desk.study.set_image(photo())
    desk.bridge.answer()
    return desk.study


def test_the_first_photo_is_looked_at_with_the_first_view_and_its_network(
    desk: ToyDesk, bridge: ToyBridge
) -> None:
    study = desk.study
    study.set_image(photo())
    (ask,) = bridge.asked
    assert (ask.view.name, ask.spec.name, ask.image.name) == ("classify", "sorter", "cat.png")
    assert study.running
    assert study.board is None
    bridge.answer()
    assert not study.running
    assert study.board is not None
    assert study.board.summary == "from 0.50"


def test_a_network_that_was_chosen_before_the_first_view_brings_one_for_it(
    desk: ToyDesk, bridge: ToyBridge
) -> None:
    desk.study.use("finder")
    desk.study.set_image(photo())
    assert (bridge.asked[-1].view.name, bridge.asked[-1].spec) == ("find", FINDER)


def test_nothing_is_asked_before_the_networks_are_known(desk: ToyDesk, bridge: ToyBridge) -> None:
    early = Study(bridge, desk.main)
    early.set_image(photo())
    assert bridge.asked == []
    assert early.image is not None


def test_a_parameter_of_the_drawing_draws_the_last_answer_again(
    study: Study, bridge: ToyBridge
) -> None:
    study.set_params(replace(study.params, score=0.25))
    assert study.board is not None
    assert study.board.summary == "from 0.25"
    assert len(bridge.asked) == 1


def test_a_parameter_of_the_computation_asks_anew(study: Study, bridge: ToyBridge) -> None:
    study.set_params(replace(study.params, depth=4))
    assert [ask.params.depth for ask in bridge.asked] == [1, 4]
    assert study.running


def test_steering_reaches_what_runs_and_asks_anew_when_nothing_does(
    study: Study, bridge: ToyBridge
) -> None:
    study.set_params(replace(study.params, rate=0.5))
    assert len(bridge.asked) == 2, "nothing ran"
    study.set_params(replace(study.params, rate=0.75))
    assert [params.rate for params in bridge.steered] == [0.75]
    assert len(bridge.asked) == 2


def test_what_was_computed_belongs_to_its_own_parameters(study: Study, bridge: ToyBridge) -> None:
    study.set_params(replace(study.params, depth=4))
    study.set_params(replace(study.params, score=0.75))
    found = study.finished
    assert found is not None
    assert (found.params.depth, found.params.score) == (1, 0.75), "the new depth has no answer yet"


def test_a_view_brings_a_network_that_suits_it_along(study: Study, bridge: ToyBridge) -> None:
    moved: list[str] = []
    study.moved.connect(moved.append)
    study.set_view("find")
    assert study.spec == FINDER
    assert moved == ["Find needs a different network: using Finder."]
    assert bridge.asked[-1].view.name == "find"
    assert study.board is None, "what the other view drew is no answer of this one"


def test_a_network_brings_a_view_that_can_use_it_along(study: Study, bridge: ToyBridge) -> None:
    moved: list[str] = []
    study.moved.connect(moved.append)
    study.use("finder")
    assert study.view is not None
    assert study.view.name == "find"
    assert moved == ["Sort does not support Finder: showing Find instead."]


def test_an_answer_that_comes_too_late_is_not_shown(study: Study, bridge: ToyBridge) -> None:
    before = bridge.asked[-1]
    study.set_view("bare")
    bridge.answer(before, state=State.RUNNING)
    assert study.board is None
    bridge.answer()
    assert study.board is not None
    assert study.board.tables == ()


def test_random_weights_are_stamped_and_said_first(desk: ToyDesk, bridge: ToyBridge) -> None:
    desk.study.set_image(photo(notes=("The file is damaged.",)))
    bridge.answer(info=replace(INFO, state="untrained", notes=("3 tensors are missing.",)))
    board = desk.study.board
    assert board is not None
    stamps = [layer.text for layer in board.panes[0].layers if isinstance(layer, Text)]
    assert UNTRAINED in stamps
    assert "random weights" in board.notes[0]
    assert set(board.notes[1:]) == {"3 tensors are missing.", "The file is damaged."}


def test_a_failure_ends_it_and_the_last_picture_stays(study: Study, bridge: ToyBridge) -> None:
    board = study.board
    study.look()
    bridge.tell(State.FAILED, None, Failure("It broke.", "", "", expected=True))
    assert not study.running
    assert study.board is board


def test_looking_again_takes_nothing_from_before(study: Study, bridge: ToyBridge) -> None:
    study.look()
    study.look_again()
    assert [ask.fresh for ask in bridge.asked[-2:]] == [False, True]


def test_cancelling_keeps_the_last_picture(study: Study, bridge: ToyBridge) -> None:
    board = study.board
    study.look()
    study.cancel()
    assert not study.running
    assert study.board is board


def test_parameters_are_remembered_by_photo_and_view(study: Study) -> None:
    first, second = study.image, photo("dog.png", 120)
    assert first is not None
    study.set_params(replace(study.params, depth=4))
    study.set_image(second)
    assert study.params.depth == 4, "a new photo takes what was used last"
    study.set_params(replace(study.params, depth=6))
    study.set_image(first)
    assert study.params.depth == 4
    study.set_view("bare")
    assert study.params == Params()
    study.set_view("classify")
    assert study.params.depth == 4
    assert set(study.last_params) == {"classify", "bare"}


def test_a_link_leads_to_another_view_with_its_values(study: Study, bridge: ToyBridge) -> None:
    study.set_view("bare", Params(score=0.75, depth=2))
    study.set_view("classify")
    study.follow_link(Link("bare", {"depth": 7}, "Open"))
    assert bridge.asked[-1].view.name == "bare"
    assert study.params == Params(score=0.75, depth=7), "the others as they were used last"
    study.follow_link(Link("no such view", {}, "Open"))
    assert study.view is not None
    assert study.view.name == "bare"


def test_a_place_beside_a_smaller_photo_is_moved_onto_it(study: Study) -> None:
    study.set_params(replace(study.params, at=Point(55.0, 30.0)))
    study.set_image(photo("same size.png", 10))
    assert study.params.at == Point(55.0, 30.0)
    study.set_image(from_array(np.zeros((20, 20, 3), np.uint8), "small.png"))
    assert 0 <= study.params.at.x <= 20
    assert 0 <= study.params.at.y <= 20


def test_the_canvas_writes_one_parameter(study: Study) -> None:
    changed: list[None] = []
    study.params_changed.connect(lambda: changed.append(None))
    study.set_param("at", Point(1, 2))
    study.set_param("at", Point(1, 2))
    study.set_param("nothing", 3)
    assert study.params.at == Point(1, 2)
    assert len(changed) == 1


def test_views_beside_the_main_one_are_drawn_with_it(study: Study, bridge: ToyBridge) -> None:
    assert [view.name for view in study.offered()] == ["bare", "dream"]
    study.set_beside("bare", True)
    ask = bridge.asked[-1]
    assert [view.name for view, _ in ask.beside] == ["bare"]
    bridge.answer(beside=(Side(BARE, Params(), ask.image.pixels, 0.1),))
    assert study.board is not None
    assert len(study.board.panes) == 2
    study.look()
    bridge.answer(beside=(Side(BARE, Params(), None, 0.1, "Bare cannot do this."),))
    assert len(study.board.panes) == 1
    assert "Bare cannot do this." in study.board.notes
    study.set_beside("bare", False)
    assert study.beside == ()


def test_frames_are_followed_and_the_newest_is_the_picture(
    desk: ToyDesk, bridge: ToyBridge
) -> None:
    study, slot = desk.study, Slot()
    study.follow(slot, photo("Camera"))
    assert study.live
    assert bridge.followed == [slot]
    frame = photo("Camera", 0)
    shot = Shot(frame.pixels, 7, 0.0, 0.0)
    bridge.answer(replace(bridge.asked[-1], image=frame), state=State.RUNNING, shot=shot)
    assert study.image is frame
    assert study.running
    study.set_params(replace(study.params, depth=3))
    assert [params.depth for params in bridge.steered] == [3], "live, all changes are steered"
    assert "dream" not in [view.name for view in study.offered()]
    study.set_image(photo())
    assert not study.live


def test_a_view_that_cannot_follow_gives_way_to_the_natural_one(
    desk: ToyDesk, bridge: ToyBridge
) -> None:
    study, moved = desk.study, list[str]()
    study.moved.connect(moved.append)
    study.set_image(photo())
    study.set_view("dream")
    study.follow(Slot(), photo("Film"))
    assert study.view is not None
    assert study.view.name == "classify"
    assert bridge.asked[-1].view is study.view
    assert moved == ["Dream does not support films: showing Sort instead."]


def test_another_device_asks_anew(study: Study, bridge: ToyBridge) -> None:
    study.set_device("cpu", False, 5)
    assert bridge.asked[-1].spec == replace(SORTER, device="cpu")
    assert bridge.asked[-1].seed == 5
    asked = len(bridge.asked)
    study.set_device("cpu", False, 5)
    assert len(bridge.asked) == asked, "nothing has changed"


def test_no_photo_is_nothing_to_look_at(study: Study, bridge: ToyBridge) -> None:
    study.look()
    study.clear()
    assert not study.running
    assert (study.image, study.board, study.finished) == (None, None, None)
    asked = len(bridge.asked)
    study.look()
    assert len(bridge.asked) == asked


def test_what_is_shown_is_said_in_a_few_words(study: Study) -> None:
    assert study.title == "Sort · cat.png"
    assert study.subject == ("cat", "Sort", "Sorter")
    study.clear()
    assert study.title == "Sort"
