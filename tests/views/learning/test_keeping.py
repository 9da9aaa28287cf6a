"""Trainings that are left go on bit-equal, at each kind of place where they may be left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.step import Step
from explorer.core.storage.checkpoint import Checkpoint
from explorer.engine.view import View
from explorer.views.learning.depth.view import IDENTITY, INITIALIZATION
from explorer.views.learning.depth.view import VIEW as DEPTH
from explorer.views.learning.ensembles.view import VIEW as ENSEMBLES
from explorer.views.learning.hyperparameter_search.searching import GRID
from explorer.views.learning.hyperparameter_search.view import VIEW as SEARCH
from explorer.views.shared.learning import keeping
from explorer.views.shared.learning.keeping import Kept
from tests.views.learning.small import few_shapes, forget, last, left_after, steps

__all__ = ["few_shapes"]

SMALL = DEPTH.Params(shallow=4, deep=6, depth=4, base=3, added=2, width=4, steps=10, batch=8)
ENSEMBLE = ENSEMBLES.Params(members=2, snapshots=3, share=0.3, steps=10, layers=3, width=4)
TRIALS = SEARCH.Params(side=2, steps=10, layers=3, width=4, blocks=2, method=GRID)


@pytest.fixture(autouse=True)
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "WORTH_KEEPING", 1)


@pytest.mark.parametrize(
    ("view", "params", "places"),
    [
        (DEPTH, SMALL, (7,)),
        (DEPTH, replace(SMALL, show=INITIALIZATION), (13,)),
        (DEPTH, replace(SMALL, show=IDENTITY), (5, 20, 27)),
        (ENSEMBLES, ENSEMBLE, (7, 10, 16)),
        (SEARCH, TRIALS, (7, 13, 50, 85)),
    ],
)
def test_a_training_that_is_left_goes_on_bit_equal(
    view: View[Any, Any], params: Any, places: tuple[int, ...]
) -> None:
    straight, board = last(view, params)
    forget(view, params)
    assert view.data is not None
    whole = view.data(straight, params)
    for place in places:
        left_after(view, params, place)
        again = next(iter(steps(view, params)))
        assert again.done >= place - 1, "it goes on where it was"
    resumed, other = last(view, params)
    for key, value in view.data(resumed, params).items():
        np.testing.assert_array_equal(value, whole[key], key)
    assert other.summary == board.summary
    assert [table.rows for table in other.tables] == [table.rows for table in board.tables]
    first = next(iter(steps(view, params)))
    assert view.draw(first.value, params).summary == board.summary, "what is done is there at once"


def test_starting_over_begins_with_the_first_step() -> None:
    left_after(ENSEMBLES, ENSEMBLE, 6)
    assert len(next(iter(steps(ENSEMBLES, ENSEMBLE))).value.losses[0]) == 6
    forget(ENSEMBLES, ENSEMBLE)
    assert len(next(iter(steps(ENSEMBLES, ENSEMBLE))).value.losses[0]) == 1
    with pytest.raises(ExplorerError, match="No training with these settings is kept"):
        forget(ENSEMBLES, replace(ENSEMBLE, members=3))


def test_a_checkpoint_is_written_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed program loses no more than what came after it."""
    monkeypatch.setattr(keeping, "KEPT_EVERY", 0.0)
    generator = steps(DEPTH, SMALL)
    for _ in range(9):
        next(generator)
    again = next(iter(steps(DEPTH, SMALL)))
    assert again.done == 10
    assert keeping.KEPT_EVERY < 60


def test_a_kept_state_of_another_network_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Kept, "read", lambda _: Checkpoint({"done": 3}, {}))
    with pytest.raises(ExplorerError, match="does not fit its settings"):
        next(iter(steps(DEPTH, SMALL)))


def test_a_full_disk_does_not_end_a_training(caplog: pytest.LogCaptureFixture) -> None:
    def keep() -> None:
        raise ExplorerError("There is no space left.", "Delete something.")

    found = list(keeping.keeping((Step(number, number, 3) for number in range(3)), keep))
    assert [step.value for step in found] == [0, 1, 2]
    assert "There is no space left" in caplog.text


def test_what_fails_is_not_kept() -> None:
    """Its state may be that of half a step."""
    kept = []

    def failing() -> Any:
        yield Step(0, 0, 2)
        raise ExplorerError("It diverged.", "")

    with pytest.raises(ExplorerError, match="It diverged"):
        list(keeping.keeping(failing(), lambda: kept.append(1)))
    assert kept == []
