import numpy as np
import pytest
import torch

from explorer.evaluation.generated.pictures import (
    diversity,
    frechet_distance,
    pooled_features,
    sharpness,
    to_pixels,
)


def test_the_distance_of_two_normal_distributions_by_hand():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 2))
    rows = (rows - rows.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(rows.T)).T)
    other = rows * (2.0, 3.0) + (1.0, -2.0)
    # means: 1 + 4; spreads: (2 - 1)^2 + (3 - 1)^2
    assert frechet_distance(rows, other) == pytest.approx(10.0, abs=1e-6)
    assert frechet_distance(rows, rows) == pytest.approx(0.0, abs=1e-6)


def test_features_are_means_over_all_places():
    pictures = np.full((3, 8, 8, 3), 255, np.uint8)
    found = pooled_features(torch.nn.Identity(), pictures, batch=2)
    assert found.shape == (3, 3)
    np.testing.assert_allclose(found[0], found[2])


def test_equal_pictures_are_not_diverse_and_flat_ones_not_sharp():
    flat = np.full((4, 8, 8, 3), 90, np.uint8)
    assert diversity(flat) == 0
    assert sharpness(flat) == 0
    two = flat.copy()
    two[::2] += 30
    assert 0 < diversity(two) <= 30
    stripes = flat.copy()
    stripes[:, :, ::2] += 20
    assert sharpness(stripes) == pytest.approx(20)


def test_values_beyond_the_range_are_cut():
    found = to_pixels(torch.tensor([-2.0, -1.0, 0.0, 1.0, 3.0]).view(1, 1, 1, 5).repeat(1, 3, 1, 1))
    assert found[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]
