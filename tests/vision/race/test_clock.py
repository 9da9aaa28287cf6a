"""Every second belongs to one stage; nothing is left on the modules."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from explorer.vision.race import clock
from explorer.vision.race.clock import Clock
from tests.toys import hook_count


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    made = Hands()
    monkeypatch.setattr(clock, "perf_counter", made)
    return made


class Waits(nn.Module):
    def __init__(self, hands: Hands, seconds: float) -> None:
        super().__init__()
        self.hands, self.seconds = hands, seconds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.hands.now += self.seconds
        return x


def test_a_stage_adds_up(hands: Hands) -> None:
    clock = Clock(torch.device("cpu"))
    for seconds in (2.0, 3.0):
        with clock.stage("head"):
            hands.now += seconds
    assert clock.seconds == {"head": 5.0}


def test_modules_count_for_their_stage_and_the_rest_for_another(hands: Hands) -> None:
    body, head = Waits(hands, 4), Waits(hands, 1)
    network = nn.Sequential(body, head, head, Waits(hands, 0.5))
    clock = Clock(torch.device("cpu"))
    with clock.watching({"network": (body,), "head": (head,)}, "suppression"):
        network(torch.zeros(1))
    assert clock.seconds == {"network": 4.0, "head": 2.0, "suppression": 0.5}
    assert hook_count(network) == 0


def test_an_error_inside_leaves_no_hook(hands: Hands) -> None:
    body = Waits(hands, 1)
    with pytest.raises(KeyError), Clock(torch.device("cpu")).watching({"network": (body,)}, "x"):
        raise KeyError
    assert hook_count(body) == 0
