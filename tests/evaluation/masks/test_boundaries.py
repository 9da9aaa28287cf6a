"""Boundary F against distances between all pairs of border pixels."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.evaluation.masks.boundaries import border, boundary_scores


def by_pairs(truth: np.ndarray, predicted: np.ndarray, label: int, limit: float) -> float | None:
    """F with nested loops."""

    def edge(classes: np.ndarray) -> list[tuple[int, int]]:
        found = []
        for y, x in np.argwhere(classes == label).tolist():
            beside = [(y + dy, x + dx) for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0))]
            inside = [
                p for p in beside if 0 <= p[0] < classes.shape[0] and 0 <= p[1] < classes.shape[1]
            ]
            if any(classes[p] not in (label, -1) for p in inside):
                found.append((y, x))
        return found

    def near(these: list[tuple[int, int]], those: list[tuple[int, int]]) -> float:
        hits = [any(np.hypot(y - v, x - u) <= limit for v, u in those) for y, x in these]
        return float(np.mean(hits)) if hits else 0.0

    true, found = edge(truth), edge(predicted)
    if not true:
        return None
    precision, recall = near(found, true), near(true, found)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize("reach", [0.0075, 0.06, 0.15])
def test_equals_all_pairs(reach: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(6):
        coarse = rng.integers(-1, 3, (2, 4, 5))
        truth, predicted = np.kron(coarse, np.ones((1, 4, 4), int)).astype(np.int32)
        predicted = np.where(truth < 0, -1, predicted).astype(np.int32)
        truth = np.where(predicted < 0, -1, truth).astype(np.int32)
        limit = reach * np.hypot(16, 20)
        expected = {k: by_pairs(truth, predicted, k, limit) for k in range(3) if (truth == k).any()}
        known = {k: value for k, value in expected.items() if value is not None}
        assert boundary_scores(truth, predicted, reach) == pytest.approx(known)


def test_a_shifted_square_by_hand() -> None:
    truth = np.zeros((100, 100), np.int32)
    truth[20:60, 20:60] = 1
    assert border(truth, 1).sum() == 4 * 39
    assert boundary_scores(truth, np.roll(truth, 1, axis=1)) == {0: 1.0, 1: 1.0}
    far = boundary_scores(truth, np.roll(truth, 30, axis=1))
    assert far[1] < 0.5
    assert boundary_scores(np.zeros((5, 5), np.int32), np.zeros((5, 5), np.int32)) == {}


def test_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="must be"):
        boundary_scores(np.zeros((2, 2), np.int32), np.zeros((2, 3), np.int32))
