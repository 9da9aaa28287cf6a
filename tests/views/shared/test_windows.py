"""Words and colors that views of a classifier's windows share."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.views.shared.windows import cell_words, difference_limit


def test_the_words_of_a_cell() -> None:
    scores = np.zeros((2, 1, 2), np.float32)
    scores[1, 0, 1] = 1.0
    one = np.array([[0.25, 0.5]], np.float32)
    cropped = np.array([[0.75, np.nan]], np.float32)
    first = cell_words((0, 0), 0, ("cat", "dog"), scores, (one, cropped))
    assert first == "row 0, column 0: cat 25.0% in one pass, 75.0% cropped"
    second = cell_words((0, 1), 0, ("cat", "dog"), scores, (one, cropped))
    assert second == "row 0, column 1: cat 50.0% in one pass; top class dog"


def test_colors_end_at_the_largest_differences_but_not_at_rounding() -> None:
    values = np.array([[-2.0, 0.5], [np.nan, 1.0]], np.float32)
    assert difference_limit(values) == pytest.approx(2.0, abs=0.01)
    assert difference_limit(np.full((2, 2), 1e-6, np.float32)) == 0.01
    assert difference_limit(np.full((2, 2), np.nan, np.float32)) == 0.01
