"""Similarities by hand; trees keep to what touches, and end as often as they should."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.vision.proposals import prim
from explorer.vision.proposals.prim import (
    around,
    edge_weights,
    grow,
    object_share,
    randomized_prim,
    similarities,
)
from tests.vision.proposals.toy_tables import toy_tables


def test_similarities_by_hand() -> None:
    labels = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 2, 2]], np.int32)
    pixels = np.zeros((3, 4, 3), np.uint8)
    pixels[labels == 2] = 255
    edges, found = similarities(labels, pixels)
    assert edges.tolist() == [[0, 1], [0, 2], [1, 2]]
    # outlines without the photo's border: 2 + 2, 2 + 2 and 4; each pair shares two sides
    np.testing.assert_allclose(
        found, [[1, 2 / 4, 1 - 8 / 12], [0, 2 / 4, 1 - 8 / 12], [0, 2 / 4, 1 - 8 / 12]], atol=1e-6
    )


def test_weights_are_logistic() -> None:
    values = np.array([[1.0, 0.3, 0.3], [0.0, 0.3, 0.3]])
    np.testing.assert_allclose(
        edge_weights(values, toy_tables()), [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))]
    )


def test_the_part_of_smaller_objects_rises() -> None:
    shares = object_share(np.array([0.0, 0.01, 0.1, 0.5, 1.1]))
    assert shares[0] == 0
    assert shares[-1] == 1
    assert (np.diff(shares) >= 0).all()


def test_certain_edges_take_all_that_hangs_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prim, "object_share", lambda sizes: np.zeros_like(sizes))
    weights = np.zeros((5, 5))
    for one, other in ((0, 1), (1, 2), (3, 4)):
        weights[one, other] = weights[other, one] = 1.0
    starts = np.array([0, 2, 3, 4, 1])
    trees = grow(weights, np.full(5, 0.2), starts, np.random.default_rng(0))
    expected = [[1, 1, 1, 0, 0]] * 2 + [[0, 0, 0, 1, 1]] * 2 + [[1, 1, 1, 0, 0]]
    assert trees.astype(int).tolist() == expected


def test_a_tree_ends_as_often_as_its_edge_and_size_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prim, "object_share", lambda sizes: np.full_like(sizes, 0.5))
    weights = np.array([[0, 0.6], [0.6, 0]])
    starts = np.zeros(20_000, np.int64)
    trees = grow(weights, np.array([0.1, 0.2]), starts, np.random.default_rng(1))
    # it ends with (1 - 0.6 + 0.5) / 2 = 0.45
    assert trees[:, 1].mean() == pytest.approx(0.55, abs=0.015)
    assert trees[:, 0].all()


def test_heavy_edges_are_drawn_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prim, "object_share", lambda sizes: np.where(sizes < 0.15, 0.0, 1e9))
    weights = np.zeros((3, 3))
    weights[0, 1] = weights[1, 0] = 0.9
    weights[0, 2] = weights[2, 0] = 0.3
    starts = np.zeros(20_000, np.int64)
    trees = grow(weights, np.full(3, 0.1), starts, np.random.default_rng(2))
    # one edge at most; the heavy one is drawn in 3 of 4 and kept with 0.95, the other with 0.65
    assert trees[:, 1].mean() == pytest.approx(0.75 * 0.95, abs=0.015)
    assert trees[:, 2].mean() == pytest.approx(0.25 * 0.65, abs=0.015)


def test_a_tree_has_the_box_of_its_superpixels() -> None:
    boxes = np.array([[0, 0, 2, 2], [5, 1, 9, 3], [4, 4, 6, 8]], np.float32)
    trees = np.array([[True, True, False], [False, False, True]])
    assert around(trees, boxes).tolist() == [[0, 0, 9, 3], [4, 4, 6, 8]]


def test_the_same_seed_gives_the_same_boxes() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    first, again = (randomized_prim(pixels, 40, 5)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first, axis=0)) == len(first)
