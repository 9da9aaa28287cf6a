"""A step is what the optimizer's formula says; stopping and going on changes no bit."""

from __future__ import annotations

from dataclasses import replace
from math import cos, pi

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explorer.core.errors import ExplorerError
from explorer.networks.embedded.small_net import SmallNet, Switches
from explorer.training.small.history import History
from explorer.training.small.learner import Learner, prepared, refresh_norms, scored, tensors_of
from explorer.training.small.network import scale_branches, with_identity_layers
from explorer.training.small.recipe import OPTIMIZERS, Recipe
from explorer.training.small.shapes import CLASSES
from explorer.vision.statistics.layers import Initialization
from tests.training.small.tiny import RECIPE, tiny

CPU = torch.device("cpu")


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("layers", [2, 3, 4, 5, 8, 20, 56])
@pytest.mark.parametrize("shortcuts", [False, True])
def test_a_network_has_the_layers_it_is_asked_for(layers: int, shortcuts: bool) -> None:
    network = SmallNet(5, layers, 4, Switches(shortcuts=shortcuts))
    found = [m for m in network.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))]
    assert len(found) == layers
    assert network(torch.zeros(2, 3, 24, 24)).shape == (2, 5)


def test_a_block_adds_its_input_where_shortcuts_are_on() -> None:
    switches = Switches(norm=False, shortcuts=True)
    network = SmallNet(2, 4, 4, switches)
    block = network.blocks[0]
    torch.nn.init.zeros_(block.second.conv.weight)
    torch.nn.init.zeros_(block.second.conv.bias)
    x = torch.rand(1, 4, 6, 6)
    torch.testing.assert_close(block(x), x)
    switches.shortcuts = False
    assert not block(x).any()


def test_the_branches_of_a_residual_network_share_one_unit_of_variance() -> None:
    network = SmallNet(3, 10, 4, Switches(shortcuts=True))
    scale_branches(network)
    scales = [block.second.norm.weight.detach() for block in network.blocks]
    assert len(scales) == 4
    assert all(bool((scale == 0.5).all()) for scale in scales)
    assert bool((network.blocks[0].first.norm.weight == 1).all())


@torch.no_grad()
def test_identity_layers_change_no_bit() -> None:
    network = SmallNet(5, 6, 4, Switches(norm=False)).eval()
    x = torch.randn(3, 3, 24, 24)
    assert torch.equal(with_identity_layers(network, 7)(x), network(x))


def test_a_step_of_plain_sgd_is_the_gradient_times_the_rate() -> None:
    recipe = replace(RECIPE, optimizer="SGD", schedule="constant", decay=0.1, norm=False)
    learner, twin = (Learner(tiny(), recipe, 3) for _ in range(2))
    x, labels = tensors_of(tiny().split(0)[0], CPU)
    rows = learner._rows(recipe.batch)
    loss = F.cross_entropy(twin.network(prepared(x[rows])), labels[rows])
    weights = dict(twin.network.named_parameters())
    gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
    taken = learner.train_step()
    assert taken.loss == pytest.approx(float(loss.detach()), rel=1e-6)
    for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
        now = learner.network.get_parameter(name)
        if gradient is None:
            assert torch.equal(now, weight), "a norm that is switched off stays as it is"
        else:
            expected = weight - recipe.rate * (gradient + 0.1 * weight)
            torch.testing.assert_close(now, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("clipping", ["by value", "by norm"])
def test_clipping_limits_the_step(clipping: str) -> None:
    recipe = replace(
        RECIPE, optimizer="SGD", schedule="constant", decay=0.0, clipping=clipping, limit=0.001,
        rate=1.0,
    )  # fmt: skip
    learner = Learner(tiny(), recipe, 3)
    before = {n: weight.detach().clone() for n, weight in learner.network.named_parameters()}
    taken = learner.train_step()
    assert taken.norm > 0.01
    moved = [w.detach() - before[name] for name, w in learner.network.named_parameters()]
    if clipping == "by value":
        largest = max(float(each.abs().max()) for each in moved)
    else:
        largest = float(torch.cat([each.flatten() for each in moved]).norm())
    assert largest == pytest.approx(0.001, rel=0.01)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_that_was_stopped_goes_on_bit_equal(optimizer: str) -> None:
    recipe = replace(
        RECIPE, optimizer=optimizer, keep=0.7,
        augmentation=(("shift", 0.5), ("noise", 0.3), ("mirror", 1.0)),
    )  # fmt: skip
    straight = Learner(tiny(), recipe, 3)
    taken = [straight.train_step() for _ in range(6)]
    stopped = Learner(tiny(), recipe, 3)
    for _ in range(3):
        stopped.train_step()
    resumed = Learner(tiny(), recipe, 3)
    resumed.restore(stopped.state(), 3)
    assert [resumed.train_step() for _ in range(3)] == taken[3:]
    assert equal(resumed.state(), straight.state())


def test_looking_inside_changes_nothing() -> None:
    learner, other = (Learner(tiny(), RECIPE, 3) for _ in range(2))
    for _ in range(3):
        learner.flow()
        learner.score()
        learner.train_step()
        other.train_step()
    assert equal(learner.state(), other.state())
    assert not any(weight.grad is not None for weight in learner.network.parameters())


def test_changes_reach_the_next_step_without_starting_over() -> None:
    learner = Learner(tiny(), replace(RECIPE, schedule="constant"), 3)
    learner.train_step()
    before = learner.state()
    learner.change(replace(learner.recipe, rate=0.5, norm=False, shortcuts=True))
    assert equal(before, learner.state()), "weights and momentum stay"
    assert learner.train_step().rate == 0.5
    assert learner.network.switches == Switches(norm=False, shortcuts=True)
    learner.change(replace(learner.recipe, initialization="too large"))
    stem = learner.network.get_parameter("stem.conv.weight")
    assert float(stem.detach().std()) == pytest.approx(2 * (2 / 75) ** 0.5, rel=0.15)
    assert learner.step == 2


def test_a_batch_is_another_part_of_the_same_pictures_until_all_were_used() -> None:
    learner = Learner(tiny(), RECIPE, 3)  # 128 pictures, 8 a step
    rows = []
    for _ in range(16):
        rows += learner._rows(8).tolist()
        learner.step += 1
    assert sorted(rows) == list(range(128))


def first_gradients(how: Initialization) -> float:
    recipe = Recipe(norm=False, initialization=how)
    layers = Learner(tiny(), recipe, 0).flow()
    assert len(layers) == recipe.layers
    assert layers[0].weights is not None
    return layers[0].weights


def test_too_small_weights_starve_the_gradient_and_he_does_not() -> None:
    """Each of the seven convolutions halves the signal, and the gradient on its way back."""
    he, small = first_gradients("He"), first_gradients("too small")
    assert he > 0.1
    assert small < he / 50
    assert first_gradients("too large") > 50 * he


def test_the_averages_of_norms_are_those_of_the_pictures() -> None:
    learner = Learner(tiny(), RECIPE, 3)
    x, labels = tensors_of(tiny().split(0)[0], CPU)
    refresh_norms(learner.network, x)
    network = learner.network
    assert isinstance(network, SmallNet)
    with torch.no_grad():
        mean = network.stem.conv(prepared(x)).mean(dim=(0, 2, 3))
    torch.testing.assert_close(network.stem.norm.running_mean, mean, rtol=1e-4, atol=1e-5)
    assert network.stem.norm.momentum == 0.1
    assert scored(network, x, labels).probabilities.shape == (128, len(CLASSES))


def test_schedules() -> None:
    def rates(schedule: str) -> list[float]:
        recipe = Recipe(steps=100, rate=1.0, schedule=schedule)
        return [recipe.rate_at(step) for step in (0, 5, 50, 80, 100)]

    assert rates("constant") == [1.0] * 5
    assert rates("steps") == pytest.approx([1.0, 1.0, 0.1, 0.01, 0.01])
    falling = [(1 + cos(pi * part)) / 2 for part in (0, 0.05, 0.5, 0.8, 1)]
    assert rates("cosine") == pytest.approx(falling)
    warm = rates("warm-up and cosine")
    assert warm[0] < warm[1] < 1
    assert warm[2:] == sorted(warm[2:], reverse=True)


def test_a_recipe_survives_json_and_says_how_another_differs() -> None:
    recipe = replace(RECIPE, augmentation=(("rotate", 0.5),), norm=False)
    assert Recipe.of(recipe.plain()) == recipe
    assert RECIPE.differences(recipe) == "batch norm off, augmentation rotate 0.5"
    for bad in ({"layers": "many"}, {"other": 1}, {"norm": 3}, {"rate": None}):
        with pytest.raises(ExplorerError, match="settings of this run"):
            Recipe.of(bad)


def test_a_history_survives_being_kept_and_thins_itself() -> None:
    learner, history = Learner(tiny(), RECIPE, 3), History(every=1)
    for step in range(70):
        if history.due(step, 1000):
            learner.step = step
            history.look(learner, learner.score())
    assert history.every == 2
    assert [each.step for each in history.moments] == list(range(0, 70, 2))
    again = History.restored(history.tensors())
    assert again.every == 2
    for old, new in zip(history.moments, again.moments, strict=True):
        assert (old.step, old.loss, old.accuracy) == (new.step, new.loss, new.accuracy)
        np.testing.assert_array_equal(old.gradients, new.gradients)
        assert old.gradients.sum() > 0
