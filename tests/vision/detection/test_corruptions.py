"""A changed photo keeps its objects where the motion says."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.vision.detection.corruptions import CHANGES, brightened, rotated


def spot(height: int, width: int, x: int, y: int) -> np.ndarray:
    """Black, with a white square of 9 pixels around the center of pixel (x, y)."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[y - 4 : y + 5, x - 4 : x + 5] = 255
    return pixels


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_every_strength_gives_a_photo(name: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    for strength in CHANGES[name].strengths:
        changed = CHANGES[name].make(pixels, strength)
        assert changed.pixels.dtype == np.uint8
        assert changed.pixels.flags.c_contiguous
        assert not np.array_equal(changed.pixels, pixels)
        if name == "scale":
            assert changed.pixels.shape[1] == round(80 * strength / 100)
            boxes = np.array([[8, 12, 40, 30]], np.float32)
            smaller = boxes * np.float32(strength / 100)
            np.testing.assert_allclose(changed.back(smaller), boxes, rtol=0.02)
            assert changed.visible(boxes).all()
        elif name != "rotation":
            assert changed.pixels.shape == pixels.shape
            boxes = np.array([[1, 2, 30, 40]], np.float32)
            np.testing.assert_array_equal(changed.back(boxes), boxes)
            assert changed.visible(boxes).all()


@pytest.mark.parametrize("degrees", [5.0, -12.0, 20.0])
def test_a_turned_spot_is_found_where_it_was(degrees: float) -> None:
    turned = rotated(spot(120, 160, 100, 50), degrees)
    bright = turned.pixels[:, :, 0].astype(float)
    y, x = np.mgrid[0 : bright.shape[0], 0 : bright.shape[1]] + 0.5
    center = (bright * x).sum() / bright.sum(), (bright * y).sum() / bright.sum()
    box = np.array([[center[0] - 3, center[1] - 2, center[0] + 3, center[1] + 2]], np.float32)
    back = turned.back(box)[0]
    np.testing.assert_allclose((back[:2] + back[2:]) / 2, [100.5, 50.5], atol=0.15)
    np.testing.assert_allclose(back[2:] - back[:2], [6, 4], atol=1e-4)


def test_counter_clockwise_lifts_the_right_side() -> None:
    turned = rotated(spot(120, 160, 120, 60), 15.0)
    rows = np.flatnonzero(turned.pixels[:, :, 0].max(axis=1) > 128)
    assert rows.mean() < turned.pixels.shape[0] / 2 - 5


def test_the_cut_has_no_empty_corner() -> None:
    pixels = np.full((90, 160, 3), 200, np.uint8)
    turned = rotated(pixels, 20.0)
    height, width = turned.pixels.shape[:2]
    assert width / height == pytest.approx(160 / 90, rel=0.05)
    corners = np.array(
        [
            [0, 0, 0, 0],
            [width, 0, width, 0],
            [0, height, 0, height],
            [width, height, width, height],
        ],
        np.float32,
    )
    back = turned.back(corners)
    assert (back >= -0.01).all()
    assert (back <= np.array([160, 90, 160, 90]) + 0.01).all()
    # it cannot be larger: its first corner lies on the upper edge, the opposite one on the lower
    assert (back[0, 1], back[3, 3]) == pytest.approx((0, 90), abs=1.5)


def test_a_box_in_a_lost_corner_is_not_visible() -> None:
    turned = rotated(np.zeros((90, 160, 3), np.uint8), 20.0)
    boxes = np.array([[0, 0, 8, 8], [70, 40, 90, 50]], np.float32)
    assert turned.visible(boxes).tolist() == [False, True]


def test_a_photo_that_was_made_smaller_first_gets_its_own_boxes() -> None:
    turned = rotated(spot(120, 160, 100, 50), 5.0)
    box = np.array([[80, 40, 110, 60]], np.float32)
    large = turned.of_larger(0.5, 0.25)  # the photo has 320 x 480 pixels
    np.testing.assert_allclose(
        large.back(box), turned.back(box) * np.array([2, 4, 2, 4]), rtol=1e-5
    )
    assert large.visible(np.array([[150, 150, 170, 170]], np.float32)).all()


def test_brightness_is_a_share() -> None:
    pixels = np.full((2, 2, 3), 100, np.uint8)
    assert (brightened(pixels, 50).pixels == 50).all()
    assert (brightened(pixels, 150).pixels == 150).all()
    assert (brightened(pixels, 300).pixels == 255).all()
