"""Every cue on pictures small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.vision.proposals.objectness import (
    color_contrast,
    cues,
    edge_density,
    lab_codes,
    log_ratio,
    objectness,
    saliency,
    salient_share,
    straddling,
)
from tests.vision.proposals.toy_tables import toy_tables


def test_salient_cells_count_with_their_share_of_the_window() -> None:
    values = np.array([[0.9, 0.1, 0, 0], [0.8, 0.7, 0, 0]], np.float32)
    boxes = np.array([[0, 0, 2, 2], [0, 0, 4, 2], [2, 0, 4, 2]])
    # salient: .9, .8, .7, the sum 2.4 over 8 cells; 3 of 4, 3 of 8, none of 4 cells inside
    expected = [2.4 / 8 * 3 / 4, 2.4 / 8 * 3 / 8, 0]
    np.testing.assert_allclose(salient_share(values, 0.5, boxes), expected, rtol=1e-6)


def test_the_odd_dot_is_salient() -> None:
    pixels = np.random.default_rng(0).integers(110, 130, (64, 64, 3)).astype(np.uint8)
    pixels[40:48, 16:24] = (250, 20, 20)
    values = saliency(pixels, 32)
    assert values.shape == (32, 32)
    assert values.max() == pytest.approx(1)
    y, x = np.unravel_index(values.argmax(), values.shape)
    assert 18 <= y <= 25
    assert 6 <= x <= 13


def test_a_flat_picture_has_no_saliency_but_numbers() -> None:
    assert np.isfinite(saliency(np.zeros((20, 30, 3), np.uint8), 16)).all()


def test_color_contrast_by_hand() -> None:
    codes = np.zeros((4, 6), np.int64)
    codes[1:3, 1:3] = 7  # a square of another color
    codes[0, 0] = 3
    inside = np.array([[1, 1, 3, 3], [1, 1, 3, 3], [4, 0, 6, 2], [1, 1, 5, 3]])
    outside = np.array([[0, 0, 4, 4], [1, 1, 3, 3], [3, 0, 6, 3], [0, 0, 6, 4]])
    found = color_contrast(codes, inside, outside)
    # 1: nothing in common. 2: nothing around. 3: the same color. 4: half of the window is 7, the
    # other half and 15 of 16 around are 0, one of 16 around is 3.
    a, b = 0.5, 15 / 16
    fourth = (0.5**2 / 0.5 + (a - b) ** 2 / (a + b) + 1 / 16) / 2
    np.testing.assert_allclose(found, [1, 0, 0, fourth])


def test_lab_bins_tell_colors_apart() -> None:
    pixels = np.array([[[255, 0, 0], [0, 0, 255], [255, 0, 0], [0, 0, 0]]], np.uint8)
    codes = lab_codes(pixels)[0]
    assert codes[0] == codes[2]
    assert len(set(codes.tolist())) == 3
    assert 0 <= codes.min() <= codes.max() < 4 * 8 * 8


def test_edges_in_the_ring_over_the_outline() -> None:
    edges = np.zeros((6, 6), np.bool_)
    edges[1, 1:5] = True  # along the upper side
    edges[3, 3] = True  # in the middle
    inside, inner = np.array([[1, 1, 5, 5]]), np.array([[2, 2, 4, 4]])
    assert edge_density(edges, inside, inner).tolist() == [4 / 16]


def test_a_superpixel_cut_in_halves_straddles_most() -> None:
    labels = np.zeros((4, 8), np.int32)
    labels[:, 4:] = 1
    boxes = np.array([[0, 0, 4, 4], [0, 0, 8, 4], [2, 0, 6, 4], [0, 0, 5, 4]], np.float32)
    # third: 8 of 16 inside and outside, twice; fourth: 4 of the second's 16 inside, of 20
    np.testing.assert_allclose(straddling(labels, boxes), [1, 1, 0, 1 - 4 / 20], atol=1e-6)


def test_cues_are_added_as_log_ratios() -> None:
    values = np.array([[0.1, 0.9, 0.1, 0.9], [0.9, 0.1, 0.9, 0.1]], np.float32)
    assert log_ratio(values, toy_tables()).tolist() == [-1 + 2 - 4 + 8, 1 - 2 + 4 - 8]


def test_a_window_on_the_object_has_the_higher_cues() -> None:
    pixels = np.full((120, 160, 3), 90, np.uint8)
    pixels[40:80, 50:110] = (240, 220, 40)
    boxes = np.array([[48, 38, 112, 82], [80, 60, 140, 100]], np.float32)
    on, beside = cues(pixels, boxes)
    assert (on[1:] > beside[1:]).all()  # contrast, edges and straddling; nothing else is salient


def test_scores_are_those_of_the_cues() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    known = toy_tables()
    boxes, scores = objectness(pixels, 30, 0, known)
    assert 0 < len(boxes) <= 30
    np.testing.assert_allclose(scores, log_ratio(cues(pixels, boxes), known))
