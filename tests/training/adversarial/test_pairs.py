"""Two players on one pair: each step changes one of them, and lambda decides what is minimized."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from explorer.training.adversarial.pairs import PairLearner


def pair() -> tuple[Tensor, Tensor]:
    made = torch.Generator().manual_seed(0)
    return tuple(torch.rand(1, 3, 48, 64, generator=made) * 2 - 1 for _ in range(2))  # type: ignore[return-value]


def weights(module: nn.Module) -> list[Tensor]:
    return [values.detach().clone() for values in module.parameters()]


def equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_player_is_changed_by_its_own_step_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = PairLearner(*pair(), seed=0)
    step, seen = learner._step, []

    def watched(player: int, loss: Tensor) -> None:
        before = [weights(each) for each in (learner.generator, learner.discriminator)]
        step(player, loss)
        after = [weights(each) for each in (learner.generator, learner.discriminator)]
        assert not equal(before[player], after[player])
        assert equal(before[1 - player], after[1 - player])
        seen.append(player)

    monkeypatch.setattr(learner, "_step", watched)
    learner.advance(100.0, 1.0)
    assert seen == [1, 0]


def test_equal_seeds_give_equal_steps_and_leave_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    one, other, third = (PairLearner(*pair(), seed=seed) for seed in (3, 3, 4))
    assert one.advance(100.0, 1.0) == other.advance(100.0, 1.0) != third.advance(100.0, 1.0)
    assert torch.equal(one.made()[0], other.made()[0])
    assert torch.equal(torch.get_rng_state(), state)


def test_the_first_losses_are_those_of_the_weights_it_begins_with() -> None:
    given, wanted = pair()
    learner = PairLearner(given, wanted, seed=1)
    for values in learner.discriminator.layers[-1].parameters():
        nn.init.zeros_(values)
    found = learner.advance(0.0, 0.0)
    two = torch.tensor(2.0).log()
    assert found.discriminator == pytest.approx(float(2 * two), abs=1e-6), "all scores are 0"
    assert 0 < found.l1 < 2


def test_by_l1_the_picture_comes_closer() -> None:
    given, _ = pair()
    learner = PairLearner(given, torch.full_like(given, 0.5), seed=0)
    before = (learner.made()[0] - 0.5).abs().mean()
    first, *_, last = (learner.advance(100.0, 0.0).l1 for _ in range(12))
    assert last < first / 2
    assert (learner.made()[0] - 0.5).abs().mean() < before


def test_without_both_losses_the_generator_stays() -> None:
    learner = PairLearner(*pair(), seed=0)
    before = weights(learner.generator)
    learner.advance(0.0, 0.0)
    assert equal(before, weights(learner.generator))
