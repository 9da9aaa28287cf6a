"""A step of each network leaves the other as it is; a run that was stopped goes on bit-equal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from explorer.networks.generative.plane import LIPSCHITZ
from explorer.training.adversarial import learner as module
from explorer.training.adversarial.history import GanHistory, look_at
from explorer.training.adversarial.learner import GanLearner, level_at
from explorer.training.adversarial.losses import discriminator_loss, generator_loss
from explorer.training.adversarial.recipe import GanRecipe
from explorer.training.adversarial.sources import Pictures, Plane, Source, centers, modes_of

POINTS = GanRecipe(batch=8, steps=20, r1=0.5)
PICTURES = GanRecipe(True, "hinge", batch=4, steps=20, augmented=0.5, rate_d=1e-3)


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WIDTHS", {4: 8, 8: 6, 16: 5, 32: 4})


def source(recipe: GanRecipe) -> Source:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), np.uint8)
    return Pictures("noise", pixels) if recipe.pictures else Plane()


def learner(recipe: GanRecipe, step: int = 0) -> GanLearner:
    found = GanLearner(source(recipe), recipe, 3)
    found.step = step
    return found


def weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize("recipe", [POINTS, PICTURES], ids=["points", "pictures"])
def test_a_step_of_each_leaves_the_weights_of_the_other(recipe: GanRecipe, spectral: bool) -> None:
    both = learner(replace(recipe, spectral=spectral), step=9)
    made, judged = weights(both.generator), weights(both.discriminator)
    both.discriminator_step()
    assert same(made, weights(both.generator))
    assert not same(judged, weights(both.discriminator))
    judged = weights(both.discriminator)
    both.generator_step()
    assert same(judged, weights(both.discriminator))
    assert not same(made, weights(both.generator))


@pytest.mark.parametrize(
    "recipe",
    [POINTS, replace(POINTS, loss="wasserstein", turns=2), replace(PICTURES, spectral=True)],
    ids=["R1", "WGAN-GP", "pictures"],
)
def test_a_restored_run_goes_on_bit_equal(recipe: GanRecipe) -> None:
    straight = learner(recipe)
    duels = [straight.train_step() for _ in range(8)]
    first = learner(recipe)
    for _ in range(4):
        first.train_step()
    second = learner(recipe)
    second.restore(first.state(), 4)
    torch.manual_seed(99)  # torch's own generator does not matter
    assert [second.train_step() for _ in range(4)] == duels[4:]
    assert same(straight.state(), second.state())


def test_the_losses_of_a_step_are_those_of_its_own_samples() -> None:
    both = learner(POINTS)
    torch.manual_seed(5)
    real, latents = Plane().batch(8), torch.randn(8, 16)
    with torch.no_grad():
        scores, others = both.scores(real), both.scores(both.generator(latents))
    torch.manual_seed(5)
    loss, penalty, mean, made = both.discriminator_step()
    assert loss == pytest.approx(float(discriminator_loss(scores, others, "minimax")), rel=1e-5)
    assert (mean, made) == pytest.approx((float(scores.mean()), float(others.mean())), rel=1e-4)
    assert penalty > 0


def test_a_pull_is_minus_the_derivative_of_the_loss() -> None:
    both = learner(POINTS)
    points = both.look(6)
    scores, pull = both.pull(points)
    small = 1e-2
    for row in range(3):
        moved = points[row : row + 1] + torch.tensor([[small, 0.0]])
        with torch.no_grad():
            ends = [
                generator_loss(both.scores(p), "minimax") for p in (points[row : row + 1], moved)
            ]
        assert pull[row, 0] == pytest.approx(-float(ends[1] - ends[0]) / small, abs=2e-3)
    assert scores.shape == (6,)


def test_a_spectral_norm_bounds_the_slope_of_the_scores() -> None:
    both = learner(replace(POINTS, spectral=True))
    for _ in range(10):
        both.train_step()
    scores = both.field(32, 2.0)
    slope = np.abs(np.diff(scores, axis=1)).max() / (4.0 / 32)
    assert 0 < slope <= LIPSCHITZ * 1.02


def test_growing_begins_at_4_pixels_and_stays_as_long_as_it_fades() -> None:
    assert level_at(0.0, 3) == 0.0
    sixth = module.GROWN / 6
    assert level_at(0.9 * sixth, 3) == 0.0
    assert level_at(1.5 * sixth, 3) == pytest.approx(0.5)
    assert level_at(2.5 * sixth, 3) == pytest.approx(1.0)
    assert level_at(1.0, 3) == 3.0
    both = learner(PICTURES)
    assert both.side == 4
    assert both.look(2).shape == (2, 3, 4, 4)
    both.step = 20
    assert both.look(2).shape == (2, 3, 32, 32)
    assert learner(replace(PICTURES, growing=False)).side == 32


def test_points_count_for_the_mode_that_they_are_near() -> None:
    points = np.concatenate([centers()[:3], centers()[:1] * 0.9, np.zeros((1, 2), np.float32)])
    np.testing.assert_allclose(modes_of(points), [0.4, 0.2, 0.2, 0, 0, 0, 0, 0], atol=1e-6)


@pytest.mark.parametrize("recipe", [POINTS, PICTURES], ids=["points", "pictures"])
def test_a_history_comes_back_from_its_tensors(recipe: GanRecipe) -> None:
    both, history = learner(recipe), GanHistory(2)
    for _ in range(3):
        if history.due(both.step, 20):
            history.look(both)
        history.taken.append(both.train_step())
    found = GanHistory.restored(history.tensors())
    assert found.taken == history.taken
    assert [look.step for look in found.looks] == [0, 2]
    for name in ("samples", "pull", "field", "made", "quality", "side"):
        np.testing.assert_array_equal(
            getattr(found.looks[1], name), getattr(history.looks[1], name), name
        )
    last = look_at(both)
    assert last.samples.dtype == (np.uint8 if recipe.pictures else np.float32)
