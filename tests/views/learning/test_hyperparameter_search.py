"""A search over two settings: its places, its measure, going on after a stop."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.training.small.learner import Learner
from explorer.training.small.recipe import Recipe
from explorer.views.learning.hyperparameter_search.searching import AXES, GRID, RANDOM, planned
from explorer.views.learning.hyperparameter_search.view import VIEW, Params
from tests.training.small.tiny import tiny
from tests.views.learning.small import cells, few_shapes, last, steps

__all__ = ["few_shapes"]

PARAMS = Params(side=2, steps=10, layers=3, width=4, blocks=2)


def test_a_grid_tries_few_values_of_each_and_random_many() -> None:
    trials = planned((GRID, RANDOM), 4, ("learning rate", "weight decay"), 3)
    assert [trial.method for trial in trials[:4]] == [GRID, RANDOM, GRID, RANDOM]
    grid = [trial.values for trial in trials if trial.method == GRID]
    free = [trial.values for trial in trials if trial.method == RANDOM]
    assert len(set(grid)) == len(free) == 16
    assert [len({value[axis] for value in grid}) for axis in (0, 1)] == [4, 4]
    assert [len({value[axis] for value in free}) for axis in (0, 1)] == [16, 16]
    rates = sorted({rate for rate, _ in grid})
    np.testing.assert_allclose(np.diff(np.log(rates)), np.log(1000) / 4, rtol=1e-9)
    assert trials == planned((GRID, RANDOM), 4, ("learning rate", "weight decay"), 3)


@pytest.mark.parametrize("name", AXES)
def test_both_ends_of_every_axis_can_be_trained(name: str) -> None:
    recipes = [AXES[name].put(Recipe(3, 4, steps=1), AXES[name].at(part)) for part in (0.0, 1.0)]
    assert recipes[0] != recipes[1]
    for recipe in recipes:
        assert Learner(tiny(), recipe, 0).train_step().loss > 0


def test_a_trial_is_the_mean_over_the_validation_blocks() -> None:
    result, board = last(VIEW, PARAMS)
    assert len(result.trials) == 8
    trial = result.trials[3]
    rate, decay = trial.values
    recipe = Recipe(3, 4, 10, rate=rate, decay=decay)
    found = []
    for block in (0, 1):
        learner = Learner(tiny(), recipe, 3, block=block)
        for _ in range(10):
            learner.train_step()
        found.append(learner.score().accuracy)
    assert trial.blocks == tuple(found)
    best = max(each.accuracy for each in result.trials)
    assert cells(board, "trials", "validation accuracy")[0] == round(best, 4)
    assert result.test is not None
    assert "on the test pictures" in board.summary
    heat = next(layer for layer in board.pane(GRID).layers if layer.name == GRID)
    assert len(np.unique(heat.values)) <= 4  # type: ignore[union-attr]
    assert not np.isnan(heat.values).any()  # type: ignore[union-attr]


def test_one_hyperparameter_twice_is_refused() -> None:
    with pytest.raises(ExplorerError, match="Both axes have the same hyperparameter"):
        list(itertools.islice(steps(VIEW, replace(PARAMS, y=PARAMS.x)), 1))


def test_a_map_is_empty_before_its_first_trial() -> None:
    first = next(iter(steps(VIEW, PARAMS)))
    board = VIEW.draw(first.value, PARAMS)
    heat = next(layer for layer in board.pane(RANDOM).layers if layer.name == RANDOM)
    assert np.isnan(heat.values).all()  # type: ignore[union-attr]
    assert board.summary == "The first trial is trained"
