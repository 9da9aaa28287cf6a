"""Ensembles beside the single network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.training.small.data_set import drawn
from explorer.training.small.learner import Learner, scored, tensors_of
from explorer.training.small.recipe import Recipe
from explorer.views.learning.ensembles.building import (
    DECK,
    SINGLE,
    SNAP_AVERAGE,
    SNAP_WEIGHTS,
    TRUE_AVERAGE,
    TRUE_VOTE,
    Result,
    Row,
)
from explorer.views.learning.ensembles.view import VIEW, Params, compared
from tests.training.small.tiny import tiny
from tests.views.learning.small import SOURCE, cells, few_shapes, last

__all__ = ["few_shapes"]

PARAMS = Params(members=2, snapshots=3, share=0.5, steps=10, layers=4, width=4)


def test_the_rows_are_those_of_the_networks() -> None:
    result, board = last(VIEW, PARAMS)
    recipe = Recipe(4, 4, 10, rate=0.05, schedule="constant")
    pictures, labels = tensors_of(tiny().test, torch.device("cpu"))
    probabilities = []
    for seed in (3, 4):
        learner = Learner(tiny(), recipe, seed)
        for _ in range(10):
            learner.train_step()
        probabilities.append(scored(learner.network, pictures, labels).probabilities)
    right = [np.mean(p.argmax(axis=1) == labels.numpy()) for p in probabilities]
    mean = np.mean(np.mean(probabilities, axis=0).argmax(axis=1) == labels.numpy())
    assert result.singles.tolist() == right
    accuracies = {row.name: row.accuracy for row in result.rows}
    assert accuracies[SINGLE] == right[0]
    assert accuracies[TRUE_AVERAGE] == mean
    assert cells(board, "ensembles", "prediction") == list(DECK)
    assert cells(board, "ensembles", "members") == [1, 2, 2, 3, 3, 3]
    assert cells(board, "ensembles", "in the lecture") == list(DECK.values())
    assert cells(board, "ensembles", "rank in the lecture") == [6, 4, 5, 1, 3, 2]
    own = cells(board, "ensembles", "test accuracy")
    assert cells(board, "ensembles", "rank") == [1 + sum(o > v for o in own) for v in own]
    assert result.growth[SNAP_AVERAGE][:, 0].tolist() == [1, 2, 3]
    assert len(result.growth[SNAP_WEIGHTS]) == 3


def rows(**accuracies: float) -> Result:
    """100 test pictures; a row per name of the deck, in its order."""
    found = []
    for name, accuracy in zip(DECK, accuracies.values(), strict=True):
        found.append(Row(name, 2, np.arange(100) < 100 * accuracy))
    return Result("", rows=tuple(found))


def test_where_the_order_differs_from_the_lecture_it_is_said() -> None:
    same = rows(a=0.83, b=0.85, c=0.84, d=0.88, e=0.86, f=0.87)
    assert compared(same) == (
        "each is better than the single network, in the same order as in the lecture"
    )
    other = rows(a=0.83, b=0.90, c=0.82, d=0.88, e=0.86, f=0.87)
    words = compared(other)
    assert words.startswith(f"no better than the single network: {TRUE_VOTE}")
    assert words.endswith(f"{TRUE_VOTE}, in another order than in the lecture")
    assert compared(Result("")) == ""


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_each_ensemble_beats_the_single_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SOURCE, drawn)
    result, board = last(VIEW, VIEW.Params(), seed=0)
    print(board.summary)
    single, *others = result.rows
    assert len(others) == 5
    for row in others:
        assert row.accuracy > single.accuracy, row.name
