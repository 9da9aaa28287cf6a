"""Lines of glyphs lie across the gradient, in the cell and as bright as their bin."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.views.shared.hog.glyphs import (
    LARGEST,
    SMALLEST,
    bin_angles,
    cell_side,
    glyph_heat,
    glyph_map,
    glyph_scale,
)


def test_bins_of_both_conventions() -> None:
    np.testing.assert_allclose(np.degrees(bin_angles(9))[:2], [10, 30], rtol=1e-5)
    np.testing.assert_allclose(np.degrees(bin_angles(9, centered=False))[:2], [0, 20], atol=1e-5)
    np.testing.assert_allclose(np.degrees(bin_angles(18, signed=True))[-1], 350, rtol=1e-5)


def test_a_gradient_to_the_right_is_an_upright_line() -> None:
    histograms = np.zeros((2, 3, 2), np.float32)
    histograms[1, 2] = (0.75, 0.0)
    drawn = glyph_map(histograms, np.array([0, np.pi / 2], np.float32), side=11)
    assert drawn.shape == (22, 33)
    cell = drawn[11:, 22:]
    assert drawn.sum() == pytest.approx(cell.sum())
    assert cell[1:-1, 5].tolist() == [0.75] * 9
    assert cell[:, :4].max() == cell[:, 7:].max() == 0


def test_a_gradient_to_the_lower_right_is_a_line_to_the_upper_right() -> None:
    drawn = glyph_map(np.ones((1, 1, 1), np.float32), np.array([np.pi / 4], np.float32), side=21)
    assert drawn[10, 10] == drawn[5, 15] == drawn[15, 5] == 1
    assert drawn[5, 5] == drawn[15, 15] == 0


def test_a_signed_bin_is_half_a_line() -> None:
    right, left = np.array([0], np.float32), np.array([np.pi], np.float32)
    one = np.ones((1, 1, 1), np.float32)
    down, up = (glyph_map(one, each, signed=True, side=21)[:, 10] for each in (right, left))
    assert down[19] == 1
    assert down[2] == 0
    np.testing.assert_allclose(up, down[::-1], atol=1e-6)


def test_where_lines_cross_the_higher_bin_is_drawn() -> None:
    both = np.array([[[0.25, 1.0]]], np.float32)
    drawn = glyph_map(both, bin_angles(2, centered=False), side=9)
    assert drawn[4, 4] == 1
    assert drawn[1, 4] == 0.25
    assert drawn[4, 1] == pytest.approx(1)


def test_cells_get_smaller_where_there_are_many() -> None:
    assert cell_side(8, 4) == LARGEST
    assert cell_side(2000, 4) == SMALLEST
    assert all(cell_side(n, n) % 2 for n in range(1, 200))


def test_the_scale_is_above_zero_whatever_there_is() -> None:
    assert glyph_scale(np.zeros((2, 2, 9), np.float32)) == 1.0
    assert glyph_scale(np.full((2, 2, 9), 0.5, np.float32)) == 0.5
    heat = glyph_heat(np.ones((2, 3, 9), np.float32), bin_angles(9), (0, 0, 24, 16), high=2.0)
    assert (heat.low, heat.high, heat.extent) == (0.0, 2.0, (0, 0, 24, 16))


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(1, 1, 8\) and \(9,\)"):
        glyph_map(np.zeros((1, 1, 8), np.float32), bin_angles(9))
