"""Histograms are numpy's, and saturated channels are those at the limit of their layer."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from explorer.vision.channels.values import Limits, histograms


@pytest.mark.parametrize(
    ("module", "low", "high"),
    [
        (nn.ReLU6(), None, 6.0),
        (nn.Hardtanh(-2, 3), -2.0, 3.0),
        (nn.Sigmoid(), None, 1.0),
        (nn.Tanh(), -1.0, 1.0),
        (nn.ReLU(), None, None),
        (nn.Conv2d(1, 1, 1), None, None),
        (
            nn.Sequential(nn.Conv2d(1, 1, 1), nn.Sequential(nn.BatchNorm2d(1), nn.ReLU6())),
            None,
            6.0,
        ),
        (nn.Sequential(), None, None),
    ],
)
def test_limits(module: nn.Module, low: float | None, high: float | None) -> None:
    assert Limits.of(module) == Limits(low, high)


def test_more_than_half_of_the_cells_at_the_limit_are_saturated() -> None:
    maps = np.zeros((4, 2, 4), np.float32)
    maps[1].flat[:5] = 6.0
    maps[2].flat[:4] = 6.0
    maps[3] = 5.0
    assert Limits(high=6.0).saturated(maps).tolist() == [False, True, False, False]
    assert not Limits().saturated(maps).any()
    both = np.array([[[-1.0, 1.0, 0.999]], [[0.5, -1.0, 0.0]]], np.float32)
    assert Limits(-1.0, 1.0).saturated(both).tolist() == [True, False]


def test_histograms_are_numpys() -> None:
    maps = np.random.default_rng(0).normal(size=(5, 7, 9)).astype(np.float32)
    low, high = maps.min(axis=(1, 2)), maps.max(axis=(1, 2))
    found = histograms(maps, low, high, 8)
    for channel, values in enumerate(maps):
        edges = np.linspace(float(low[channel]), float(high[channel]), 9)
        np.testing.assert_array_equal(found[channel], np.histogram(values, edges)[0])
    assert (found.sum(axis=1) == 63).all()


def test_a_constant_channel_and_values_that_are_not_finite() -> None:
    maps = np.array([[[2.0, 2.0]], [[np.nan, 1.0]]], np.float32)
    found = histograms(maps, np.array([2.0, 0.0], np.float32), np.array([2.0, 1.0], np.float32), 4)
    assert found.tolist() == [[2, 0, 0, 0], [0, 0, 0, 1]]
