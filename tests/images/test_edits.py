"""Edits change the pixels they are meant to change, and only those."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from explorer.images.edits import (
    blur,
    fill,
    inpaint,
    mean_color,
    paste,
    resized,
    span_of,
)


def noise(height: int = 60, width: int = 80) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (height, width, 3), np.uint8)


def area(rows: slice, columns: slice, size: tuple[int, int] = (60, 80)) -> np.ndarray:
    found = np.zeros(size, bool)
    found[rows, columns] = True
    return found


NOTHING = np.zeros((60, 80), bool)


@pytest.mark.parametrize(
    "edit",
    [
        lambda pixels, where: fill(pixels, where, (1.4, 200.6, 7)),
        lambda pixels, where: blur(pixels, where, 3.0),
        lambda pixels, where: inpaint(pixels, where),
    ],
)
def test_nothing_outside_of_the_area_changes(edit) -> None:
    before, where = noise(), area(slice(10, 30), slice(0, 25))
    after = before.copy()
    edit(after, where)
    np.testing.assert_array_equal(after[~where], before[~where])
    assert (after[where] != before[where]).mean() > 0.9
    edit(after, NOTHING)
    np.testing.assert_array_equal(after[~where], before[~where])


def test_filled_with_a_color_and_with_the_mean() -> None:
    pixels, where = noise(), area(slice(4, 8), slice(5, 6))
    np.testing.assert_allclose(mean_color(pixels), pixels.reshape(-1, 3).mean(0), rtol=1e-6)
    fill(pixels, where, (1.4, 200.6, 7))
    assert (pixels[where] == (1, 201, 7)).all()


@pytest.mark.parametrize(
    "where", [area(slice(20, 40), slice(30, 50)), area(slice(0, 9), slice(70, 80))]
)
def test_the_blur_is_that_of_the_whole_photo(where: np.ndarray) -> None:
    pixels = noise()
    whole = cv2.GaussianBlur(pixels, (0, 0), 4.0)
    blur(pixels, where, 4.0)
    np.testing.assert_array_equal(pixels[where], whole[where])


def test_a_wide_blur_is_nearly_that_of_the_whole_photo() -> None:
    y, x = np.mgrid[0:160, 0:200]
    waves = 128 + 60 * np.sin(x / 23) + 60 * np.cos(y / 31)
    pixels = np.stack([waves, waves[::-1], 255 - waves], axis=2).astype(np.uint8)
    pixels[40:120, 60:140] = (250, 10, 90)
    whole = cv2.GaussianBlur(pixels, (0, 0), 20.0).astype(int)
    where = area(slice(20, 130), slice(30, 190), (160, 200))
    blur(pixels, where, 20.0)
    off = np.abs(pixels.astype(int) - whole)[where]
    assert off.max() <= 5
    assert off.mean() < 1


def test_inpainting_continues_a_gradient_and_takes_no_color_from_the_area() -> None:
    ramp = np.tile(np.linspace(0, 200, 80)[None, :, None], (60, 1, 3)).astype(np.uint8)
    pixels, where = ramp.copy(), area(slice(20, 40), slice(30, 50))
    pixels[where] = (255, 0, 0)
    inpaint(pixels, where)
    assert np.abs(pixels[where].astype(int) - ramp[where]).max() < 30
    small = ramp.copy()
    small[where] = (255, 0, 0)
    inpaint(small, where, longest=16)
    assert np.abs(small[where].astype(int) - ramp[where]).max() < 60, "on a coarser copy, too"


def test_an_area_without_surroundings_is_gray() -> None:
    pixels = noise()
    inpaint(pixels, ~NOTHING)
    assert (pixels == 128).all()


def test_a_part_is_pasted_around_its_middle_and_cut_off_at_the_edge() -> None:
    pixels, part = np.zeros((10, 12, 3), np.uint8), np.full((4, 6, 3), 9, np.uint8)
    shape = np.ones((4, 6), bool)
    shape[0, 0] = False
    changed = paste(pixels, part, shape, (6.0, 5.0))
    expected = area(slice(3, 7), slice(3, 9), (10, 12))
    expected[3, 3] = False
    np.testing.assert_array_equal(changed, expected)
    np.testing.assert_array_equal(pixels[..., 0] == 9, expected)
    corner = paste(pixels, part, shape, (0.0, 0.0))
    np.testing.assert_array_equal(corner, area(slice(0, 2), slice(0, 3), (10, 12)))
    assert not paste(pixels, part, shape, (1e9, -40.0)).any()


def test_another_size_keeps_the_shape() -> None:
    part, shape = noise(20, 30), area(slice(0, 10), slice(0, 30), (20, 30))
    colors, smaller = resized(part, shape, 0.5)
    assert (colors.shape, smaller.shape) == ((10, 15, 3), (10, 15))
    np.testing.assert_array_equal(smaller, area(slice(0, 5), slice(0, 15), (10, 15)))
    assert resized(part, shape, 1.0) == (part, shape)
    assert resized(part, shape, 0.001)[0].shape == (1, 1, 3)


def test_the_span_of_an_area() -> None:
    assert span_of(NOTHING) is None
    assert span_of(area(slice(3, 4), slice(7, 12))) == (slice(3, 4), slice(7, 12))
