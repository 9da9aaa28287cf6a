"""The distance transform, against trying every displacement."""

import numpy as np
import pytest

from explorer.vision.dpm.transform import distance_transform


def brute_force(values, cost):
    """The same for one map (h, w), over all pairs of positions."""
    height, width = values.shape
    a, b, c, d = cost
    y, x = np.mgrid[:height, :width]
    best = np.full(values.shape, -np.inf)
    places = np.zeros((2, height, width), int)
    for row in range(height):
        for column in range(width):
            dx, dy = x - column, y - row
            worth = values - (a * dx + b * dy + c * dx**2 + d * dy**2)
            at = np.unravel_index(worth.argmax(), worth.shape)
            best[row, column] = worth[at]
            places[:, row, column] = at
    return best, places[1], places[0]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (8, 11), (13, 6)])
def test_it_is_the_best_of_all_displacements(size):
    rng = np.random.default_rng(sum(size))
    values = rng.normal(size=(3, *size)).astype(np.float32)
    costs = np.array([[0.0, 0.0, 0.01, 0.02], [0.3, -0.2, 0.1, 0.05], [-1.0, 1.5, 2.0, 0.4]])
    found, x, y = distance_transform(values, costs)
    for number, cost in enumerate(costs):
        best, across, down = brute_force(values[number].astype(np.float64), cost)
        np.testing.assert_allclose(found[number], best, atol=1e-5)
        np.testing.assert_array_equal(x[number], across)
        np.testing.assert_array_equal(y[number], down)


def test_one_peak_makes_a_parabola():
    values = np.full((1, 1, 5), -100.0, np.float32)
    values[0, 0, 3] = 2.0
    found, x, y = distance_transform(values, np.array([[0.5, 0.0, 1.0, 1.0]]))
    # displacements 3, 2, 1, 0, -1 to the peak: cost 0.5 dx + dx^2
    np.testing.assert_allclose(found[0, 0], [2 - 10.5, 2 - 5, 2 - 1.5, 2, 2 - 0.5])
    assert x[0, 0].tolist() == [3] * 5
    assert not y.any()
