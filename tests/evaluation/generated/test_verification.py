import numpy as np
import pytest

from explorer.evaluation.generated.verification import roc


def test_rates_and_area_by_hand():
    found = roc(np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False]))
    np.testing.assert_allclose(found.true_positives, [0, 0.5, 0.5, 1, 1])
    np.testing.assert_allclose(found.false_positives, [0, 0, 0.5, 0.5, 1])
    # of the four pairs of a hit and a miss three are in order
    assert found.area == pytest.approx(0.75)
    threshold, rate = found.best()
    assert (threshold, rate) == (0.9, 0.75)


def test_equal_similarities_are_worth_a_half():
    found = roc(np.full(6, 0.3), np.array([True, False] * 3))
    assert found.area == pytest.approx(0.5)
