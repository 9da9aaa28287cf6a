"""Windows around superpixels, and each feature by hand."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.vision.proposals.rahtu import (
    along_sides,
    by_direction,
    features,
    groups,
    on_boundary,
    rahtu,
    symmetry,
)
from tests.vision.proposals.toy_tables import toy_tables


def test_one_two_and_three_superpixels() -> None:
    labels = np.repeat(np.arange(4, dtype=np.int32), 2)[None].repeat(2, axis=0)  # four in a row
    boxes = {tuple(row) for row in groups(labels)[:, [0, 2]].tolist()}
    alone = {(0, 2), (2, 4), (4, 6), (6, 8)}
    two, three = {(0, 4), (2, 6), (4, 8)}, {(0, 6), (2, 8)}
    assert boxes == alone | two | three


def test_a_single_superpixel_has_one_window() -> None:
    assert groups(np.zeros((3, 5), np.int32)).tolist() == [[0, 0, 5, 3]]


def test_the_outline_on_boundaries() -> None:
    boundary = np.zeros((6, 6), np.bool_)
    boundary[1, :] = True
    boundary[3, 3] = True  # inside of the window: no matter
    boxes = np.array([[1, 1, 5, 5], [0, 2, 2, 4], [2, 1, 3, 2]])
    # 4 of 12 outermost cells; none; the only cell
    np.testing.assert_allclose(on_boundary(boundary, boxes), [4 / 12, 0, 1])


def test_edges_along_the_sides_and_not_across() -> None:
    across, down = np.zeros((8, 8), np.float32), np.zeros((8, 8), np.float32)
    across[:, [0, 7]] = 1  # upright edges at the left and right border
    whole = np.array([[0, 0, 8, 8]])
    # bands of 2 columns: a half each left and right, nothing above and below; a quarter in all
    assert along_sides(across, down, whole)[0] == pytest.approx((0.5 + 0.5) / 4 - 0.25 / 2)
    assert along_sides(down, across, whole)[0] == pytest.approx((0.25 + 0.25) / 4 - 0.25 / 2)


def test_a_mirrored_window_is_symmetric() -> None:
    rng = np.random.default_rng(0)
    half = rng.random((6, 4, 4))
    mirrored = np.concatenate([half, half[:, ::-1, [0, 3, 2, 1]]], axis=1)
    whole = np.array([[0, 0, 8, 6]])
    assert symmetry(mirrored, whole)[0] == pytest.approx(1)
    one_sided = np.concatenate([half, np.zeros_like(half)], axis=1)
    assert symmetry(one_sided, whole)[0] == 0
    assert symmetry(np.zeros((6, 8, 4)), whole)[0] == 0


def test_directions_have_four_bins() -> None:
    across = np.array([[1, 1, 0, 1, -1]], np.float32)
    down = np.array([[0, 1, 2, -1, 0]], np.float32)
    found = by_direction(across, down)[0]
    assert found.argmax(axis=1).tolist() == [0, 1, 2, 3, 0]
    np.testing.assert_allclose(found.sum(axis=1), np.hypot(across[0], down[0]))


def test_scores_are_the_weighted_features() -> None:
    pixels = np.full((60, 80, 3), 90, np.uint8)
    pixels[20:40, 30:60] = (230, 40, 30)
    boxes, scores = rahtu(pixels, 40, 0, toy_tables())
    np.testing.assert_allclose(scores, features(pixels, boxes).sum(axis=1), rtol=1e-5)
    assert (np.diff(scores) <= 0).all()
