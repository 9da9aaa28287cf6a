"""Shallow and deep networks side by side."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from explorer.networks.embedded.small_net import SmallNet
from explorer.training.small.data_set import drawn
from explorer.training.small.learner import Learner
from explorer.training.small.network import scale_branches
from explorer.training.small.recipe import Recipe
from explorer.views.learning.depth.view import IDENTITY, INITIALIZATION, VIEW, Params
from tests.training.small.tiny import tiny
from tests.views.learning.small import SOURCE, cells, few_shapes, last, steps

__all__ = ["few_shapes"]

PARAMS = Params(shallow=4, deep=8, depth=6, base=4, added=3, width=4, steps=10, batch=8)


def test_the_four_networks_are_trained_on_the_same_batches() -> None:
    result, board = last(VIEW, PARAMS)
    assert [lane.layers for lane in result.lanes] == [4, 8, 4, 8]
    assert result.lanes[0].weights == result.lanes[2].weights
    recipe = Recipe(4, 4, 10, 8, "He", norm=True, shortcuts=True, rate=0.05, decay=0.0001)
    learner = Learner(tiny(), recipe, 3)
    assert isinstance(learner.network, SmallNet)
    scale_branches(learner.network)
    losses = [learner.train_step().loss for _ in range(10)]
    assert result.lanes[2].losses.tolist() == losses
    assert cells(board, "networks", "layers") == [4, 8, 4, 8]
    assert len(board.panes) == 4


def test_by_initialization_without_batch_norm() -> None:
    result, board = last(VIEW, Params(show=INITIALIZATION, depth=6, width=4, steps=10, batch=8))
    glorot, he = result.lanes
    assert (glorot.name, he.name) == ("Glorot, 6 layers", "He, 6 layers")
    assert 0 < glorot.flow[0, 0] < he.flow[0, 0], "each layer halves the mean square"
    assert "6 layers: training loss" in board.summary


def test_identity_layers_begin_where_the_shallow_network_ended() -> None:
    found = Params(show=IDENTITY, base=4, added=3, width=4, steps=10, batch=8)
    result, board = last(VIEW, found)
    shallow, random, built = result.lanes
    assert result.difference == 0.0
    np.testing.assert_array_equal(built.looks[0, 1:], shallow.looks[-1, 1:])
    assert [lane.layers for lane in result.lanes] == [4, 7, 7]
    assert (built.first, random.first) == (10, 0)
    assert [len(lane.losses) for lane in result.lanes] == [10, 20, 10]
    assert random.looks[-1, 0] == built.looks[-1, 0] == 20
    assert random.looks[0, 1] != shallow.looks[0, 1]
    assert "identity layers: 0" in board.summary


def test_closing_stops_after_a_step_of_one_network() -> None:
    generator = steps(VIEW, PARAMS)
    step = next(generator)
    assert [len(lane.losses) for lane in step.value.lanes] == [1, 0, 0, 0]
    assert VIEW.draw(step.value, PARAMS).pane("flow_1").title == "plain, 8 layers"
    generator.close()  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_plain_56_layers_train_worse_than_20_and_with_shortcuts_they_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SOURCE, drawn)
    result, _ = last(VIEW, Params(steps=100), seed=0)
    plain, deep, residual, deep_residual = (lane.loss(40) for lane in result.lanes)
    print(plain, deep, residual, deep_residual)
    assert deep > plain + 0.1
    assert deep_residual < residual + 0.1
    assert deep_residual < deep - 0.1


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_he_trains_30_relu_layers_and_glorot_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SOURCE, drawn)
    result, _ = last(VIEW, Params(show=INITIALIZATION, steps=200), seed=0)
    glorot, he = (lane.loss(40) for lane in result.lanes)
    print(glorot, he)
    assert glorot > 2.05, "chance among eight classes: 2.08"
    assert he < 1.8


@pytest.mark.parametrize("depth", [22, 30])
def test_he_keeps_the_gradient_of_deep_relu_networks_and_glorot_loses_it(depth: int) -> None:
    """Glorot's is a factor of 2 per two layers too small, forward and back."""
    params = Params(show=INITIALIZATION, depth=depth, steps=10, width=4, batch=4)
    (*_, second) = itertools.islice(steps(VIEW, params), 2)
    glorot, he = (lane.flow[0] for lane in second.value.lanes)
    assert len(he) == depth
    assert he[1:-1].max() / he[1:-1].min() < 100
    assert glorot[depth // 2] < he[depth // 2] / 2 ** (depth / 2 - 4)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_depth_from_identity_layers_does_not_hurt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SOURCE, drawn)
    result, _ = last(VIEW, Params(show=IDENTITY, steps=150), seed=0)
    shallow, random, built = (lane.loss(40) for lane in result.lanes)
    print(shallow, built, random)
    assert result.difference == 0.0
    assert built < shallow
    assert built < random
