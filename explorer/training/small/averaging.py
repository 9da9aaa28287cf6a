"""Several networks as one: predictions averaged, a vote among them, weights averaged."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    Probabilities = NDArray[np.float32]


def averaged(members: Sequence[Probabilities]) -> NDArray[np.int64]:
    """(N,) the class with the largest mean probability; members are (N, classes)."""
    found: NDArray[np.int64] = np.mean(members, axis=0).argmax(axis=1)
    return found


def voted(members: Sequence[Probabilities]) -> NDArray[np.int64]:
    """(N,) the class that most members give; between equal counts the mean probability decides."""
    mean = np.mean(members, axis=0)
    votes = np.zeros(mean.shape, np.float64)
    for member in members:
        votes[np.arange(len(mean)), member.argmax(axis=1)] += 1
    # Means are at most 1: they decide nothing but between equal counts.
    found: NDArray[np.int64] = (votes + 0.5 * mean).argmax(axis=1)
    return found


def with_mean_weights(network: nn.Module, states: Sequence[Mapping[str, Tensor]]) -> nn.Module:
    """A copy with the mean of several states' weights.

    Its running statistics are means, too, and are none of its own: `refresh_norms` sets them.
    """
    own = copy.deepcopy(network)
    mean = {
        name: torch.stack([state[name].double() for state in states]).mean(dim=0).to(value.dtype)
        for name, value in own.state_dict().items()
    }
    own.load_state_dict(mean)
    return own
