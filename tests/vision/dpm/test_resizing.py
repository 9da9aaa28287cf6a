"""Areas are averaged as they should be, in OpenCV 2.4's order of additions."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from explorer.vision.dpm.resizing import across, down, resized


def photo(height: int = 45, width: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.float32)


@pytest.mark.parametrize("factor", [0.93, 0.7, 0.5, 0.41, 0.25])
def test_it_is_the_mean_over_areas(factor: float) -> None:
    pixels = photo()
    found = resized(pixels, factor)
    expected = cv2.resize(pixels, found.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_a_photo_of_the_same_size_stays_as_it_is() -> None:
    pixels = photo()
    assert resized(pixels, 1.0) is pixels


def test_halves_are_exact() -> None:
    pixels = photo(40, 60)
    blocks = pixels.reshape(20, 2, 30, 2, 3).sum(axis=(1, 3)) / 4
    np.testing.assert_array_equal(resized(pixels, 0.5), blocks)


def test_three_pixels_become_two() -> None:
    """Areas of 1.5 pixels: 1 and 1/2, then 1/2 and 1."""
    rows = np.array([8, 2, 16], np.float32)
    np.testing.assert_allclose(across(3, 2, 2 / 3).applied(rows), [6, 34 / 3], rtol=1e-6)
    np.testing.assert_allclose(down(3, 2).applied(rows), [9, 17])


def test_sums_are_added_one_after_the_other() -> None:
    """2^24 + 1 is 2^24 in float32: the order of the additions shows."""
    rows = np.array([2**24, 1, 1], np.float32)
    assert down(3, 1).applied(rows).tolist() == [2.0**24]
    assert down(3, 1).applied(rows[::-1]).tolist() == [2.0**24 + 2]
