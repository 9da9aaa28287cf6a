"""Windows of an exhaustive scan: counted, placed, cut out and laid over the photo."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.vision.classic.sliding_window import (
    WindowGrid,
    coverage,
    warped,
    window_grids,
)


def grids(photo=(100, 200), **changes):
    values = {"smallest": 0.5, "largest": 1.0, "scales": 2, "ratios": (1.0,), "stride": 0.5}
    return window_grids(photo, **{**values, **changes})


def test_counts_by_hand() -> None:
    """100 pixels, 50 apart: 3 x 1 windows; 50 pixels, 25 apart: 7 x 3."""
    large, small = grids()
    assert (large.width, large.across, large.columns, large.rows) == (100, 50, 3, 1)
    assert (small.width, small.across, small.columns, small.rows) == (50, 25, 7, 3)
    assert large.count + small.count == 24


def test_what_no_step_fills_is_halved() -> None:
    (grid,) = grids((100, 211), scales=1)
    assert (grid.columns, grid.left, grid.top) == (3, 5, 0)
    boxes = grid.boxes(10)
    assert boxes.tolist() == [[5, 0, 105, 100], [55, 0, 155, 100], [105, 0, 205, 100]]
    assert grid.boxes(2).tolist() == boxes[:2].tolist()


def test_shapes_have_the_area_of_the_square_or_fit_the_photo() -> None:
    wide, tall = grids(scales=1, ratios=(2.0, 0.5))
    assert (wide.width, wide.height) == (141, 71)
    # 71 x 141 would be higher than the photo: smaller, in the same shape
    assert (tall.width, tall.height) == (50, 100)


def test_the_largest_come_first_and_no_size_twice() -> None:
    found = grids(scales=3, smallest=0.25)
    assert [grid.width for grid in found] == [100, 50, 25]
    assert len(grids(smallest=1.0)) == 1
    assert [grid.width for grid in grids(smallest=1.0, largest=0.3)] == [100], "the smallest counts"


@pytest.mark.parametrize("stride", [0.0, 0.05, 0.33, 1.0])
@pytest.mark.parametrize("photo", [(7, 5), (48, 64), (101, 37)])
def test_every_window_is_within_the_photo(photo: tuple[int, int], stride: float) -> None:
    for grid in grids(photo, stride=stride, smallest=0.05, scales=4, ratios=(1 / 3, 1.0, 3.0)):
        boxes = grid.boxes(grid.count)
        assert boxes.min() >= 0
        assert (boxes[:, 2:] <= photo[::-1]).all()
        assert (boxes[:, 2:] - boxes[:, :2] >= 2).all()
        assert len(np.unique(boxes, axis=0)) == grid.count


def test_a_stride_of_nothing_is_every_pixel() -> None:
    grid = WindowGrid.of((10, 12), 4, 6, 0.0)
    assert (grid.across, grid.down, grid.columns, grid.rows) == (1, 1, 9, 5)


def test_a_window_of_the_inputs_size_is_cut_out_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    assert np.array_equal(warped(pixels, (4, 3, 16, 15), 12), pixels[3:15, 4:16])


def test_a_window_is_stretched_by_the_means_of_what_a_pixel_covers() -> None:
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[:, 4:] = 200
    pixels[2:, 4:] = 100
    found = warped(pixels, (0, 0, 8, 4), 2)
    assert found[..., 0].tolist() == [[0, 200], [0, 100]]


@pytest.mark.parametrize("done", [1, 3, 17, 24])
def test_coverage_is_that_of_every_cell_by_itself(done: int) -> None:
    photo, cells = (100, 200), (13, 21)
    found_grids = grids()
    scores = np.random.default_rng(1).random(done).astype(np.float32)
    found = coverage(found_grids, scores, photo, cells)
    boxes = np.concatenate([grid.boxes(grid.count) for grid in found_grids])[:done]
    for row in range(cells[0]):
        for column in range(cells[1]):
            x, y = (column + 0.5) * 200 / 21, (row + 0.5) * 100 / 13
            over = scores[
                (boxes[:, 0] <= x) & (x < boxes[:, 2]) & (boxes[:, 1] <= y) & (y < boxes[:, 3])
            ]
            assert found.count[row, column] == len(over)
            if len(over):
                assert found.highest[row, column] == over.max()
                assert found.mean[row, column] == pytest.approx(over.mean(), rel=1e-5)
            else:
                assert np.isnan(found.highest[row, column])
                assert np.isnan(found.mean[row, column])


def test_nothing_is_covered_before_the_first_window() -> None:
    found = coverage(grids(), np.empty(0, np.float32), (100, 200), (4, 8))
    assert np.isnan(found.highest).all()
    assert found.count.sum() == 0
