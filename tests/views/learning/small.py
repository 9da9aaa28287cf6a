"""Views of small trainings, on a few shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from explorer.core.layers import Board
from explorer.core.step import Step
from explorer.engine.scene import Scene
from explorer.engine.view import View
from tests.training.small.tiny import tiny

SOURCE = "explorer.views.shared.learning.source.drawn"


@pytest.fixture(autouse=True)
def few_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiny()
    monkeypatch.setattr(SOURCE, lambda: data)


def steps(view: View[Any, Any], params: Any, seed: int = 3) -> Iterator[Step[Any]]:
    return view.compute(Scene(None, None, seed), params)


def last(view: View[Any, Any], params: Any, seed: int = 3) -> tuple[Any, Board]:
    (*_, step) = steps(view, params, seed)
    assert step.done == step.total
    return step.value, view.draw(step.value, params)


def left_after(view: View[Any, Any], params: Any, done: int, seed: int = 3) -> Any:
    """The first value at or behind `done`; then the computation is closed, as with the window.

    The test makes `keeping.WORTH_KEEPING` small.
    """
    generator = view.compute(Scene(None, None, seed), params)
    step = next(generator)
    while step.done < done:
        step = next(generator)
    generator.close()
    return step.value


def forget(view: View[Any, Any], params: Any, seed: int = 3) -> None:
    """The action "Start over"."""
    (action,) = (each for each in view.actions if each.name == "start_over")
    assert action.run is not None
    list(action.run(Scene(None, None, seed), params))


def cells(board: Board, table: str, column: str) -> list[Any]:
    found = next(each for each in board.tables if each.name == table)
    return [row[found.columns.index(column)] for row in found.rows]
