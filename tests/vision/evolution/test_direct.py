"""Pixels that mutate, against numbers worked out by hand."""

import numpy as np
import pytest
import torch

from explorer.vision.evolution.direct import (
    DirectEncoding,
    mutation_rate,
    polynomial_mutation,
)

CPU = torch.device("cpu")


def test_polynomial_mutation_by_hand() -> None:
    values = np.full(5, 0.5, np.float32)
    uniform = np.array([0.0, 0.25, 0.5, 0.75, 1.0 - 1e-12])
    moved = polynomial_mutation(values, uniform)
    step = 1 - 0.5 ** (1 / 16)  # u = 1/4 and 3/4
    np.testing.assert_allclose(moved, [0.0, 0.5 - step, 0.5, 0.5 + step, 1.0], atol=1e-6)
    assert moved.dtype == np.float32
    weaker = polynomial_mutation(values, uniform, strength=1.0)
    assert weaker[1] == pytest.approx(0.5 - (1 - 0.5**0.5))


def test_the_rate_halves_every_thousand_generations() -> None:
    assert mutation_rate(0) == mutation_rate(999) == pytest.approx(0.1)
    assert mutation_rate(1000) == pytest.approx(0.05)
    assert mutation_rate(3500) == pytest.approx(0.0125)


def test_a_mutation_changes_a_tenth_and_leaves_the_parent() -> None:
    encoding = DirectEncoding(32)
    rng = np.random.default_rng(0)
    parent = encoding.random(rng)
    before = parent.copy()
    child = encoding.mutated(parent, rng, 0)
    np.testing.assert_array_equal(parent, before)
    assert 0.07 < (child != parent).mean() < 0.13
    assert child.min() >= 0
    assert child.max() <= 1
    late = encoding.mutated(parent, rng, 100_000)
    assert (late != parent).sum() == 1, "at least one number, however small the rate"


def test_a_picture_has_the_genome_in_its_corners() -> None:
    genome = np.arange(12, dtype=np.float32).reshape(3, 2, 2) / 12
    (picture,) = DirectEncoding(2).pictures([genome], (8, 6), CPU)
    assert picture.shape == (3, 8, 6)
    np.testing.assert_allclose(picture[:, [0, 0, -1, -1], [0, -1, 0, -1]], genome.reshape(3, 4))
    flat = DirectEncoding(2, 1).pictures([np.full((1, 2, 2), 0.3, np.float32)] * 2, (5, 5), CPU)
    assert flat.shape == (2, 1, 5, 5)
    np.testing.assert_allclose(flat, 0.3, atol=1e-6)
