"""BING's bits give what a plain correlation gives, and its windows lie where they score."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import correlate2d

from explorer.vision.proposals.bing import (
    SIDE,
    approximated,
    binarized_scores,
    binary_terms,
    bing,
    bit_counts,
    leading_bits,
    normed_gradient,
    peaks,
    resized_for,
    windows_as_words,
    windows_of,
)
from explorer.vision.proposals.tables import tables
from tests.vision.proposals.toy_tables import toy_tables


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def test_a_gradient_is_the_difference_of_both_neighbors_in_the_strongest_channel() -> None:
    pixels = np.zeros((3, 4, 3), np.uint8)
    pixels[:, 2:, 0] = 100  # a step of 100 in red, of 30 in green
    pixels[:, 2:, 1] = 30
    pixels[2, :, 2] = 200  # the last row is blue
    expected = [[0, 100, 100, 0], [200, 255, 255, 200], [200, 255, 255, 200]]
    np.testing.assert_array_equal(normed_gradient(pixels), expected)


def test_a_template_of_two_values_needs_one_binary_one() -> None:
    template = np.where(np.arange(64).reshape(8, 8) % 3 == 0, 2.5, -2.5).astype(np.float32)
    weights, signs = binary_terms(template, 1)
    assert weights.tolist() == [2.5]
    np.testing.assert_array_equal(signs[0], template > 0)
    np.testing.assert_allclose(approximated(template, 1), template)


def test_every_term_takes_the_mean_magnitude_of_the_rest() -> None:
    template = np.random.default_rng(1).normal(size=(8, 8)).astype(np.float32)
    weights, signs = binary_terms(template, 3)
    assert weights[0] == pytest.approx(np.abs(template).mean())
    rest = template - weights[0] * np.sign(template)
    assert weights[1] == pytest.approx(np.abs(rest).mean(), rel=1e-5)
    errors = [np.linalg.norm(template - approximated(template, terms)) for terms in (1, 2, 3)]
    assert errors[0] > errors[1] > errors[2]
    np.testing.assert_array_equal(signs[0], template >= 0)


def test_words_hold_their_window_row_by_row() -> None:
    plane = noise(11, 13) > 100
    words = windows_as_words(plane)
    assert words.shape == (4, 6)
    for y, x in ((0, 0), (3, 5), (2, 1)):
        text = "".join("01"[int(bit)] for bit in plane[y : y + 8, x : x + 8].ravel())
        assert f"{int(words[y, x]):064b}" == text


def test_bits_are_counted() -> None:
    words = np.random.default_rng(2).integers(0, 2**64, 500, dtype=np.uint64)
    words[:2] = 0, 2**64 - 1
    assert bit_counts(words).tolist() == [int(word).bit_count() for word in words]


def test_the_binarized_score_is_a_correlation_of_what_the_bits_stand_for() -> None:
    gradient = noise(20, 26, 3)
    template = np.random.default_rng(4).normal(size=(8, 8)).astype(np.float32)
    found = binarized_scores(gradient, template)
    exact = correlate2d(leading_bits(gradient).astype(float), approximated(template), mode="valid")
    np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-2)


def test_it_is_as_near_to_the_plain_correlation_as_stated() -> None:
    gradient = noise(20, 26, 5)
    template = np.random.default_rng(6).normal(size=(8, 8)).astype(np.float32)
    own = approximated(template)
    bound = 15 * np.abs(own).sum() + 255 * np.abs(own - template).sum()
    plain = correlate2d(gradient.astype(float), template, mode="valid")
    error = np.abs(binarized_scores(gradient, template) - plain).max()
    assert 0 < error <= bound
    shipped = tables().bing_filter
    plain = correlate2d(gradient.astype(float), shipped, mode="valid")
    found = binarized_scores(gradient, shipped)
    assert np.corrcoef(found.ravel(), plain.ravel())[0, 1] > 0.75  # two templates, four bits


def test_leading_bits_drop_less_than_sixteen() -> None:
    every = np.arange(256, dtype=np.uint8)
    dropped = every - leading_bits(every)
    assert dropped.max() == 15
    assert leading_bits(np.uint8([7, 16, 255])).tolist() == [0, 16, 240]


def test_peaks_are_the_highest_around() -> None:
    scores = np.zeros((9, 12), np.float32)
    scores[2, 3], scores[2, 5], scores[7, 10] = 5, 4, 3  # the second lies within two of the first
    rows, columns = peaks(scores, 2)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(2, 3), (7, 10)]


def test_a_window_becomes_eight_by_eight() -> None:
    pixels = np.zeros((128, 256, 3), np.uint8)  # half of SIDE
    small = resized_for(pixels, (80.0, 40.0))
    assert small is not None
    assert small.shape == (round(128 * SIDE / 256 * 8 / 40), round(SIDE * 8 / 80), 3)
    assert resized_for(pixels, (80.0, 320.0)) is None


def test_a_bright_square_is_found_at_its_size() -> None:
    pixels = np.full((384, 512, 3), 60, np.uint8)
    pixels[100:180, 200:280] = 200  # 80 pixels on a photo of SIDE
    boxes, scores = windows_of(pixels, (80, 80), toy_tables().bing_filter)
    best = boxes[0]
    np.testing.assert_allclose(best, [200, 100, 280, 180], atol=10)  # a cell is 10 pixels
    assert scores[0] == scores.max() > 0


def test_lines_decide_between_sizes() -> None:
    pixels = np.random.default_rng(7).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    known = toy_tables()
    boxes, odds = bing(pixels, 50, 0, known)
    assert (np.diff(odds) <= 0).all()
    parts = [
        slope * windows_of(pixels, tuple(size), known.bing_filter)[1] + offset
        for size, (slope, offset) in zip(
            known.bing_sizes.tolist(), known.bing_lines.tolist(), strict=True
        )
    ]
    every = np.sort(np.concatenate(parts))[::-1]
    np.testing.assert_allclose(odds, every[:50], rtol=1e-5)
    assert len(boxes) == len(odds)
