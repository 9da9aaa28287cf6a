"""Descriptors of patches, their vocabulary, and a linear SVM on histograms."""

from __future__ import annotations

import numpy as np

from explorer.vision.classic.visual_words import (
    descriptors,
    histogram,
    svm_predictions,
    vocabulary,
)


def stripes(number: int, *, across: bool) -> np.ndarray:
    """(80, 80, 3) uint8 with edges of one direction."""
    rows = np.indices((80, 80))[0 if across else 1] + number
    gray = np.where(rows // 5 % 2, 220, 30).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)


def test_descriptors_have_unit_length_where_there_is_an_edge() -> None:
    found = descriptors(stripes(0, across=True))
    assert found.dtype == np.float32
    assert found.shape[1] == 128
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-3)
    flat = descriptors(np.full((40, 60, 3), 7, np.uint8))
    assert np.isfinite(flat).all()
    assert len(flat)


def test_directions_of_edges_are_told_apart() -> None:
    photos = [stripes(k, across=bool(k % 2)) for k in range(12)]
    found = [descriptors(photo) for photo in photos]
    labels = np.array([k % 2 for k in range(12)], np.int64)
    centers = vocabulary(found[:6], 10, seed=0)
    counts = np.stack([histogram(one, centers) for one in found])
    np.testing.assert_allclose((counts**2).sum(axis=1), 1.0, atol=1e-5)
    answers = svm_predictions(counts[:6], labels[:6], counts[6:], seed=0)
    np.testing.assert_array_equal(answers, labels[6:])
    np.testing.assert_array_equal(vocabulary(found[:6], 10, seed=0), centers)


def test_a_histogram_counts_the_nearest_center() -> None:
    centers = np.eye(3, 128, dtype=np.float32)
    rows = centers[[0, 0, 0, 2]]
    np.testing.assert_allclose(histogram(rows, centers), np.sqrt([0.75, 0.0, 0.25]))


def test_there_are_no_more_words_than_descriptors() -> None:
    assert len(vocabulary([np.eye(3, 128, dtype=np.float32)], 100, seed=0)) == 3
