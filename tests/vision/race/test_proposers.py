"""Boxes lie in the photo, whatever its size, and in the order of who made them."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.vision.boxes import iou_matrix
from explorer.vision.classic.selective_search import regions
from explorer.vision.race import proposers
from explorer.vision.race.proposers import PROPOSERS, proposed


def square(height: int, width: int) -> np.ndarray:
    pixels = np.full((height, width, 3), 30, np.uint8)
    pixels[height // 4 : height // 2, width // 4 : width // 2] = (220, 60, 40)
    return pixels


@pytest.mark.parametrize("size", [(64, 90), (600, 1000), (3, 40), (1, 1)])
@pytest.mark.parametrize("proposer", [p for p in PROPOSERS if "quality" not in p])
def test_boxes_lie_in_the_photo(proposer: str, size: tuple[int, int]) -> None:
    boxes = proposed(square(*size), proposer)
    assert boxes.dtype == np.float32
    assert boxes.shape[1] == 4
    assert boxes.min(initial=0) >= 0
    assert (boxes <= np.array([size[1], size[0]] * 2) + 1e-3).all()
    assert (boxes[:, :2] < boxes[:, 2:]).all()


def test_a_large_photo_is_searched_at_a_smaller_size() -> None:
    pixels = square(600, 1000)
    boxes = proposed(pixels, "selective search, one strategy")
    truth = np.array([[250, 150, 500, 300]], np.float32)
    assert iou_matrix(truth, boxes).max() > 0.9


def test_a_small_photo_is_searched_as_it_is() -> None:
    pixels = square(64, 90)
    expected = regions(pixels, "single", most=proposers.MOST)
    assert np.array_equal(proposed(pixels, "selective search, one strategy"), expected)


def test_fixed_boxes_only_know_the_size() -> None:
    small, large = (proposed(square(*s), "fixed boxes") for s in ((50, 100), (100, 300)))
    assert np.allclose(small * [3, 2, 3, 2], large, rtol=1e-4)
