"""The answer that is shown, without a window: drawn, left, and found again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from explorer.engine.answer import Answer, Ask, Side
from explorer.ui.study.shown import Shown, drawn_params
from tests.ui.toy_desk import BARE, DREAM, INFO, SORT, SORTER, Params, photo

PHOTO = photo()


def ask(view: Any = SORT, **params: Any) -> Ask:
    return Ask(view, SORTER, PHOTO, Params(**params), 0)


def answer(asked: Ask, *sides: Side) -> Answer:
    """The photo is the result."""
    return Answer(asked, INFO, asked.params, PHOTO.pixels, beside=sides)


def test_the_board_follows_what_is_only_drawn() -> None:
    shown = Shown()
    assert shown.draw(Params(), ()) is None
    assert shown.take(answer(ask(depth=2)), whole=True)
    board = shown.draw(Params(score=0.25, depth=7), ())
    assert board is not None
    assert board is shown.board
    assert board.summary == "from 0.25"
    assert shown.finished is not None
    assert shown.finished.params == Params(score=0.25, depth=2), "7 has not been computed"


def test_parameters_of_the_drawing_are_taken_from_the_form() -> None:
    found = answer(ask(depth=2, score=0.5))
    assert drawn_params(found, Params(depth=3, score=0.75, rate=0.9)) == Params(
        depth=2, score=0.75, rate=0.1
    )


def test_an_answer_without_a_result_is_nothing_to_draw() -> None:
    shown, found = Shown(), answer(ask())
    assert not shown.take(replace(found, result=None), whole=False)
    assert shown.take(found, whole=False)
    assert not shown.take(found, whole=True), "the same one once more"


def test_a_view_beside_it_keeps_its_place_until_its_next_answer() -> None:
    shown, asked = Shown(), ask()
    side = Side(BARE, Params(), PHOTO.pixels, 0.1)
    shown.take(answer(asked, side), whole=True)
    shown.draw(asked.params, ("bare",))
    shown.take(answer(asked), whole=False)
    board = shown.draw(asked.params, ("bare",))
    assert board is not None
    assert [pane.name for pane in board.panes] == ["image", "bare image"]
    shown.drop_side("bare")
    board = shown.draw(asked.params, ("bare",))
    assert board is not None
    assert [pane.name for pane in board.panes] == ["image"]


def test_a_board_that_cannot_be_drawn_leaves_the_one_before() -> None:
    def broken(*_: object) -> Any:
        raise ZeroDivisionError

    shown = Shown()
    shown.take(answer(ask()), whole=True)
    before = shown.draw(Params(), ())
    shown.take(answer(ask(replace(SORT, draw=broken))), whole=True)
    with pytest.raises(ZeroDivisionError):
        shown.draw(Params(), ())
    assert shown.board is before
    assert shown.finished is not None
    assert shown.finished.view is SORT


def test_an_answer_is_found_again_after_it_was_left() -> None:
    shown, whole = Shown(), answer(ask(depth=2))
    shown.take(whole, whole=True)
    shown.forget()
    assert (shown.answer, shown.board, shown.finished) == (None, None, None)
    assert shown.kept(ask(depth=2)) is whole
    assert shown.kept(ask(depth=2, score=0.9)) is whole, "the score is only drawn"
    assert shown.kept(ask(depth=3)) is None
    assert shown.kept(replace(ask(depth=2), seed=1)) is None


def test_what_was_on_the_way_is_kept_of_a_film_only() -> None:
    shown = Shown()
    for view in (SORT, DREAM):
        shown.take(answer(ask(view)), whole=False)
        shown.forget()
    assert shown.kept(ask(SORT)) is None
    assert shown.kept(ask(DREAM)) is not None


def test_a_kept_answer_has_the_views_beside_it_that_are_wanted_now() -> None:
    shown, side = Shown(), Side(BARE, Params(), PHOTO.pixels, 0.1)
    both = replace(ask(), beside=((BARE, Params()),))
    shown.take(answer(both, side), whole=True)
    shown.forget()
    assert shown.kept(both) is not None
    assert shown.kept(ask()) is None
    shown.take(answer(ask(DREAM)), whole=True)
    shown.forget()
    assert shown.kept(replace(ask(DREAM), beside=((BARE, Params()),))) is not None, "a film is long"


def test_a_network_that_has_changed_leaves_no_answer() -> None:
    shown, question = Shown(), ask()
    shown.take(answer(question), whole=True)
    shown.forget()
    assert shown.kept(question) is not None
    shown.drop("another")
    assert shown.kept(question) is not None
    shown.take(answer(question), whole=True)
    shown.drop(SORTER.name)
    shown.forget()
    assert shown.kept(question) is None
