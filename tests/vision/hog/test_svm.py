"""The SVM ends where scikit-learn's does, and where two examples can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from explorer.vision.hog.svm import BIAS_SCALE, LinearSvm


def clouds(count: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.where(np.arange(count) % 3 == 0, 1, -1)
    features = 4 * (random.normal(size=(count, 6)) + 0.8 * labels[:, None])
    return features.astype(np.float32), labels


def trained(svm: LinearSvm, epochs: int = 600) -> LinearSvm:
    random = np.random.default_rng(1)
    for _ in range(epochs):
        if svm.epoch(random.permutation(len(svm.labels))) < 1e-4:
            break
    return svm


def test_equals_scikit_learn() -> None:
    features, labels = clouds()
    ours = trained(LinearSvm(features, labels, 0.02))
    theirs = LinearSVC(
        C=0.02, loss="hinge", dual=True, intercept_scaling=BIAS_SCALE, tol=1e-6, max_iter=100_000,
        random_state=0,
    ).fit(features, labels)  # fmt: skip
    np.testing.assert_allclose(ours.weights, theirs.coef_[0], atol=2e-3)
    assert ours.bias == pytest.approx(theirs.intercept_[0], abs=2e-3)
    np.testing.assert_allclose(
        ours.margins(features), theirs.decision_function(features), atol=1e-2
    )


def test_the_objectives_meet() -> None:
    features, labels = clouds()
    svm = LinearSvm(features, labels, 0.02)
    first = svm.objective()
    assert first.dual == 0
    assert first.primal == pytest.approx(0.02 * len(labels))
    trained(svm)
    last = svm.objective()
    assert last.dual <= last.primal + 1e-3
    assert last.primal == pytest.approx(last.dual, rel=1e-2)


def test_two_examples_by_hand() -> None:
    """At x = +1 and -1 the bias is 0 and the weight 1: both lie on the margin."""
    svm = trained(LinearSvm(np.array([[1.0], [-1.0]], np.float32), np.array([1, -1]), 100.0))
    assert svm.weights[0] == pytest.approx(1, abs=1e-3)
    assert svm.bias == pytest.approx(0, abs=1e-3)
    assert svm.alpha.sum() == pytest.approx(1, abs=1e-2)


def test_examples_that_are_added_count() -> None:
    features, labels = clouds()
    whole = trained(LinearSvm(features, labels, 0.02))
    parts = trained(LinearSvm(features[:50], labels[:50], 0.02), 5)
    parts.add(features[50:], labels[50:])
    assert len(trained(parts).labels) == len(labels)
    np.testing.assert_allclose(parts.weights, whole.weights, atol=2e-3)


def test_an_example_far_behind_the_margin_changes_nothing() -> None:
    features = np.array([[1.0], [-1.0], [-9.0]], np.float32)
    svm = trained(LinearSvm(features, np.array([1, -1, -1]), 100.0))
    assert svm.alpha[2] == 0
    assert svm.weights[0] == pytest.approx(1, abs=1e-3)
