"""Turned, scaled and moved: by known amounts."""

import math

import numpy as np
import pytest

from explorer.vision.faces.alignment import aligned, gray, similarity

POINTS = np.array([[10, 10], [30, 10], [20, 22], [12, 32], [28, 32]], np.float32)


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1), (30, 0.5), (-75, 3)])
def test_a_known_change_is_found(degrees, scale):
    angle = math.radians(degrees)
    turn = scale * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    wanted = (POINTS @ turn.T + (5, -7)).astype(np.float32)
    found = similarity(POINTS, wanted)
    assert found.scale == pytest.approx(scale, rel=1e-5)
    assert found.degrees == pytest.approx(degrees, abs=1e-4)
    np.testing.assert_allclose(found(POINTS), wanted, atol=1e-3)
    np.testing.assert_allclose(found.inverse()(wanted), POINTS, atol=1e-3)


def test_it_is_the_best_in_squares():
    rng = np.random.default_rng(0)
    wanted = (POINTS + rng.normal(0, 2, POINTS.shape)).astype(np.float32)
    best = similarity(POINTS, wanted)
    error = float(((best(POINTS) - wanted) ** 2).sum())
    for _ in range(20):
        other = similarity(POINTS, wanted + rng.normal(0, 0.5, wanted.shape).astype(np.float32))
        assert float(((other(POINTS) - wanted) ** 2).sum()) >= error - 1e-4


def test_nothing_changes_where_nothing_has_to():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    same = aligned(pixels, similarity(POINTS, POINTS), 40)
    np.testing.assert_array_equal(same, pixels)


def test_a_large_face_is_averaged_and_not_sampled():
    pixels = np.zeros((80, 80, 3), np.uint8)
    pixels[::2] = 200  # every second row
    half = aligned(pixels, similarity(2 * POINTS, POINTS), 40)
    inner = half[2:-2, 2:-2].astype(int)
    assert abs(inner - 100).max() <= 2


def test_gray_is_luma():
    face = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    assert gray(face).tolist() == [[76, 150, 29, 255]]
