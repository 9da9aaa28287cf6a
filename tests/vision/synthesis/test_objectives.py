"""Objectives by hand, and that they compose like numbers."""

from __future__ import annotations

import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.vision.synthesis import objectives
from explorer.vision.synthesis.objectives import Answers

MAP = torch.arange(8.0).view(1, 2, 2, 2)
LOGITS = torch.tensor([[1.0, 3.0, 2.0]])


def value(objective, picture=None, **outputs):
    outputs = {"map": MAP, objectives.LOGITS: LOGITS, **outputs}
    picture = torch.full((1, 3, 2, 2), 0.5) if picture is None else picture
    return float(objective(Answers(picture, outputs)))


def test_layers_by_hand() -> None:
    assert value(objectives.energy("map")) == pytest.approx(float((MAP**2).mean()))
    assert value(objectives.channels("map", (1,))) == pytest.approx(5.5)
    assert value(objectives.neuron("map", 1, 0, 1)) == 5.0
    assert value(objectives.neuron("map", 0)) == 3.0
    assert value(objectives.neuron("map", 0, 9, 9)) == 3.0, "the last cell"
    assert value(objectives.neuron(objectives.LOGITS, 1)) == 3.0
    assert value(objectives.direction("map", torch.tensor([3.0, 4.0]))) == pytest.approx(
        float((0.6 * MAP[:, 0] + 0.8 * MAP[:, 1]).mean())
    )
    assert value(objectives.all_scores()) == pytest.approx(2.0)
    assert value(objectives.probability(1)) == pytest.approx(
        float(torch.log_softmax(LOGITS, 1)[0, 1])
    )
    with pytest.raises(ExplorerError, match="has 2 channels"):
        value(objectives.channels("map", (2,)))


def test_distances_by_hand() -> None:
    assert value(objectives.feature_distance("map", MAP)) == 0.0
    assert value(objectives.feature_distance("map", 2 * MAP)) == pytest.approx(0.25)
    assert value(objectives.style_distance("map", MAP)) == 0.0
    # The cells are (0, 4), (1, 5), (2, 6), (3, 7); each goes best with the guide's larger one.
    guide = torch.tensor([1.0, 1.0, 0.0, 2.0]).view(1, 2, 2, 1).permute(0, 1, 3, 2)
    best = torch.tensor([[0.0, 4.0], [1.0, 5.0], [2.0, 6.0], [3.0, 7.0]])
    columns = guide.flatten(2)[0]
    wanted = float((best @ columns).amax(1).mean())
    assert value(objectives.guided("map", guide)) == pytest.approx(wanted)


def test_a_batch_has_a_channel_each_and_is_alike_or_not() -> None:
    batch = torch.cat([MAP, 10 * MAP])
    assert value(objectives.channel_each("map", (0, 1)), map=batch) == pytest.approx(1.5 + 55)
    assert value(objectives.similarity("map"), map=batch) == pytest.approx(1.0)
    assert value(objectives.similarity("map"), map=MAP) == 0.0
    apart = torch.zeros(2, 2, 1, 1)
    apart[0, 0] = apart[1, 1] = 1
    assert value(objectives.similarity("map"), map=apart) == 0.0


def test_priors_by_hand() -> None:
    picture = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])
    assert value(objectives.total_variation(2.0), picture) == pytest.approx(2 / 4)
    assert value(objectives.alpha_norm(6.0), picture) == pytest.approx(1.0)
    assert value(objectives.alpha_norm(6.0)) == 0.0
    assert value(objectives.distance(1 - picture), picture) == pytest.approx(1.0)
    assert objectives.total_variation().layers == frozenset()


def test_they_compose_like_numbers() -> None:
    one, two = objectives.channels("map", (0,)), objectives.all_scores()  # 1.5 and 2
    assert value(one + two) == 3.5
    assert value(one - two) == -0.5
    assert value(one * two) == 3.0
    assert value(one / two) == 0.75
    assert value(2 * one + 1 - two / 4) == 3.5
    assert value(-one) == -1.5
    assert value(1 - one) == -0.5
    assert (one + two).layers == {"map", objectives.LOGITS}
    assert value(objectives.total([one, two, one])) == 5.0


def test_named_parts_are_noted() -> None:
    answers = Answers(torch.zeros(1, 3, 2, 2), {"map": MAP})
    objective = 3 * objectives.channels("map", (0,)).named("first") + 1
    assert float(objective(answers)) == 5.5
    assert {name: float(part) for name, part in answers.noted.items()} == {"first": 1.5}
