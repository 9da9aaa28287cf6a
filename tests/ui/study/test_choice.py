"""What is chosen, without anybody who asks about it: which views and networks go together."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytestqt.qtbot import QtBot

from explorer.core.network_info import LayerInfo
from explorer.core.params import Box
from explorer.live.slot import Slot
from explorer.ui.study.choice import Choice
from tests.ui.toy_desk import BARE, DREAM, FIND, FINDER, INFO, READY, SORT, SORTER, Params, photo


@pytest.fixture
def choice(qtbot: QtBot) -> Choice:
    """A photo, and a view that classifies it."""
    made = Choice()
    made.set_ready(READY)
    made.view, made.spec, made.image = SORT, SORTER, photo()
    made.params = Params()
    return made


def test_nothing_is_chosen_at_first(qtbot: QtBot) -> None:
    empty = Choice()
    assert (empty.title, empty.subject, empty.truth) == ("", ("", "", ""), ())
    assert empty.views == {}
    assert empty.entry(SORTER) is None
    assert empty.wants_photo
    assert not empty.live


def test_what_is_chosen_is_named(choice: Choice) -> None:
    assert choice.title == "Sort · cat.png"
    assert choice.subject == ("cat", "Sort", "Sorter")


def test_a_view_takes_the_network_in_use_where_it_suits(choice: Choice) -> None:
    assert choice.network_for(BARE) == SORTER
    assert choice.network_for(FIND) == FINDER
    assert choice.network_for(replace(FIND, tasks=frozenset({"segmentation"}))) is None


def test_a_view_that_shows_most_with_a_task_brings_its_network(choice: Choice) -> None:
    said: list[str] = []
    choice.moved.connect(said.append)
    suppress = replace(BARE, name="suppress", title="Suppress", best="detection")
    assert choice.network_for(suppress) == FINDER
    assert choice.network_for(replace(BARE, best="segmentation")) == SORTER, "there is none"
    choice.bring_network(suppress)
    assert said == ["Suppress shows more with a network for detection: using Finder."]
    choice.view = suppress
    choice.bring_network(suppress)
    assert len(said) == 1


def test_a_view_that_needs_a_part_brings_a_network_that_has_it(choice: Choice) -> None:
    said: list[str] = []
    choice.moved.connect(said.append)
    masks = replace(SORT, name="masks", title="Masks", parts=("mask",), begins_with=FINDER.name)
    assert choice.network_for(masks) == SORTER, "nothing is known of it yet"
    choice.take_info(replace(INFO, spec=SORTER))
    assert choice.network_for(masks) == FINDER
    choice.bring_network(masks)
    assert said == ["Masks needs a different network: using Finder."]
    layer = LayerInfo("mask", "Conv2d", 0, leaf=True, parameters=1)
    choice.spec = SORTER
    choice.take_info(replace(INFO, spec=SORTER, layers=(layer,)))
    assert choice.network_for(masks) == SORTER


def test_the_network_that_was_used_last_for_a_task_is_taken_again(choice: Choice) -> None:
    other = replace(SORTER, name="other")
    choice.take_info(replace(INFO, spec=other))
    choice.spec = FINDER
    assert choice.network_for(SORT) == other


def test_the_network_to_begin_with_is_put_on_the_chosen_device(choice: Choice) -> None:
    choice.device, choice.half = "cuda", True
    choice.start_with(FINDER)
    assert choice.spec == replace(FINDER, device="cuda", half=True)


def test_beside_a_view_stand_others_that_suit_the_network(choice: Choice) -> None:
    assert choice.offered() == (BARE, DREAM)
    choice.slot = Slot()
    assert choice.offered() == (BARE,), "a dream does not follow frames"
    choice.beside = ("dream", "bare")
    assert [(view.name, params) for view, params in choice.sides] == [("bare", Params())]


def test_a_loaded_network_is_told_once(choice: Choice, qtbot: QtBot) -> None:
    told: list[object] = []
    choice.params_changed.connect(lambda: told.append(choice.info))
    choice.take_info(None)
    choice.take_info(INFO)
    choice.take_info(INFO)
    assert told == [INFO]


def test_ground_truth_belongs_to_the_photo(choice: Choice) -> None:
    image = choice.image
    assert image is not None
    box = Box(1, 2, 3, 4)
    choice.photo_truth.put(image.key, (box,))
    assert choice.truth == (box,)
    choice.image = photo("dog.png", 120)
    assert choice.truth == ()


def test_the_question_is_what_is_chosen(choice: Choice) -> None:
    choice.beside, choice.seed = ("bare",), 7
    ask = choice.question(fresh=True)
    assert (ask.view, ask.spec, ask.image, ask.seed) == (SORT, SORTER, choice.image, 7)
    assert ask.params is choice.params
    assert [view.name for view, _ in ask.beside] == ["bare"]
    assert ask.fresh
    assert not choice.question().fresh
