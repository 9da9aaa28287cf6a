"""Windows on a resized photo: their places, their crops, their scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.networks.preprocess import Frame
from explorer.vision.dense.windows import Windows, class_probabilities, cut_out, finite

# A photo of half the size: windows of 30 pixels, 4 apart, are 15 pixels of it, 2 apart.
WINDOWS = Windows(Frame(2.0, 2.0), side=30, step=4, rows=3, columns=5)


def test_places_by_hand() -> None:
    assert WINDOWS.count == 15
    np.testing.assert_allclose(WINDOWS.box(1, 2), [[4, 2, 19, 17]])
    both = WINDOWS.boxes(np.array([[0, 0], [2, 4]], np.intp))
    np.testing.assert_allclose(both, [[0, 0, 15, 15], [8, 4, 23, 19]])
    # the middle of the first window is at 7.5, its cell 2 pixels wide around it
    np.testing.assert_allclose(WINDOWS.cells.extent, (6.5, 6.5, 16.5, 12.5))


def test_the_nearest_window_is_the_outermost_one_at_the_rim() -> None:
    assert WINDOWS.nearest(11.5, 9.5) == (1, 2)
    assert WINDOWS.nearest(0.0, 0.0) == (0, 0)
    assert WINDOWS.nearest(500.0, 9.5) == (1, 4)
    assert WINDOWS.nearest(0.0, 500.0) == (2, 0)


def test_crops_are_cut_where_the_cells_are() -> None:
    values = torch.arange(10 * 12.0).view(1, 1, 10, 12)
    found = cut_out(values, 4, 2, [(0, 0), (3, 1)])
    assert found.shape == (2, 1, 4, 4)
    assert torch.equal(found[1, 0], values[0, 0, 6:10, 2:6])


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ExplorerError, match="not finite"):
        finite(torch.tensor([1.0, float("nan")]))


def test_probabilities_by_hand() -> None:
    scores = np.log(np.array([[[1.0, 2.0]], [[3.0, 2.0]]], np.float32))
    np.testing.assert_allclose(
        class_probabilities(scores), [[[0.25, 0.5]], [[0.75, 0.5]]], rtol=1e-6
    )
    scores[:, 0, 1] = np.nan
    found = class_probabilities(scores)
    assert np.isnan(found[:, 0, 1]).all()
    assert np.isfinite(found[:, 0, 0]).all()
