"""Ensembles of predictions and of weights, by hand."""

from __future__ import annotations

import numpy as np
import torch

from explorer.training.small.averaging import averaged, voted, with_mean_weights
from tests.toys import hook_count

MEMBERS = [
    np.array([[0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.5, 0.4, 0.1]], np.float32),
    np.array([[0.4, 0.6, 0.0], [0.3, 0.1, 0.6], [0.1, 0.6, 0.3]], np.float32),
    np.array([[0.4, 0.6, 0.0], [0.1, 0.0, 0.9], [0.2, 0.1, 0.7]], np.float32),
]


def test_the_average_counts_certainty_and_the_vote_does_not() -> None:
    assert averaged(MEMBERS).tolist() == [0, 2, 1]
    assert voted(MEMBERS).tolist() == [1, 2, 1]  # the last by its mean: one vote for each class


def test_mean_weights_are_a_network_of_their_own() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.BatchNorm1d(1))
    one = {name: torch.full_like(value, 1) for name, value in network.state_dict().items()}
    two = {name: torch.full_like(value, 3) for name, value in network.state_dict().items()}
    before = {name: value.clone() for name, value in network.state_dict().items()}
    mean = with_mean_weights(network, [one, two])
    assert all(bool((value == 2).all()) for value in mean.state_dict().values())
    assert all(torch.equal(before[n], v) for n, v in network.state_dict().items())
    assert hook_count(mean) == 0
