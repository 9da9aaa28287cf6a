"""The four ways to cut a box out of a map, against torchvision's own and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import roi_align as torch_align
from torchvision.ops import roi_pool as torch_pool
from torchvision.ops.poolers import LevelMapper

from explorer.vision.detection import roi

SCALE = 1 / 8
ROWS, COLUMNS = 23, 31


def feature_maps(channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(channels, ROWS, COLUMNS)).astype(np.float32)


def many_boxes(count: int = 1000) -> np.ndarray:
    """Boxes of a 248 x 184 input: plain ones, and ones on and beyond borders or without an area."""
    rng = np.random.default_rng(1)
    width, height = COLUMNS / SCALE, ROWS / SCALE
    corner = rng.uniform(-0.2, 1.0, (count, 2)) * [width, height]
    side = rng.uniform(0, 1, (count, 2)) ** 2 * [width, height]
    boxes = np.concatenate([corner, corner + side], axis=1)
    kind = rng.integers(0, 8, count)
    boxes[kind == 0] = (boxes[kind == 0] / 4).round() * 4  # halves of cells: rounding is decided
    boxes[kind == 1, 2] = boxes[kind == 1, 0]  # no width
    boxes[kind == 2, 2:] = boxes[kind == 2, :2]  # no area
    boxes[kind == 3] += [width, 0, width, 0]  # to the right of the map
    boxes[kind == 4] -= 1.5 * height  # above it and to the left
    boxes[kind == 5, 2:] = [width, height]
    boxes[0] = [0, 0, width, height]
    boxes[1] = [-500, -500, 900, 900]
    boxes[2] = [80, 60, 40, 30]  # turned over
    return boxes.astype(np.float32)


def as_rois(boxes: np.ndarray) -> torch.Tensor:
    return torch.cat([torch.zeros(len(boxes), 1), torch.from_numpy(boxes)], dim=1)


def test_roi_pool_is_torchvisions_on_a_thousand_boxes() -> None:
    features, boxes = feature_maps(), many_boxes()
    own = torch_pool(torch.from_numpy(features)[None], as_rois(boxes), (7, 5), SCALE).numpy()
    cells = boxes * np.float32(SCALE)
    ours = np.stack([roi.roi_pool(features, box, (7, 5)).values for box in cells])
    np.testing.assert_array_equal(ours, own)
    assert (own == 0).all(axis=(1, 2, 3)).sum() > 100, "boxes outside"


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("sampling", [0, 1, 2, 3])
def test_roi_align_is_torchvisions_on_a_thousand_boxes(sampling: int, aligned: bool) -> None:
    features, boxes = feature_maps(), many_boxes()
    own = torch_align(
        torch.from_numpy(features)[None], as_rois(boxes), (7, 5), SCALE, sampling, aligned
    ).numpy()
    cells = boxes * np.float32(SCALE)
    ours = np.stack(
        [
            roi.roi_align(features, box, (7, 5), sampling=sampling, aligned=aligned).values
            for box in cells
        ]
    )
    np.testing.assert_allclose(ours, own, atol=1e-5, rtol=0)


def test_spp_is_a_roi_pool_of_every_grid() -> None:
    features = torch.from_numpy(feature_maps())[None]
    for box in many_boxes(60):
        ours = roi.spp(feature_maps(), box * np.float32(SCALE), (1, 2, 4))
        own = [torch_pool(features, as_rois(box[None]), n, SCALE).flatten(2) for n in (1, 2, 4)]
        np.testing.assert_array_equal(ours.values, torch.cat(own, dim=2).numpy()[0, :, None])
        assert len(ours.bins) == 21


def test_snapping_by_hand() -> None:
    assert roi.snapped(np.array([1.4, 2.5, 3.6, 2.49], np.float32)) == (1, 3, 5, 4)
    assert roi.snapped(np.array([-0.5, -2.5, -0.49, 0.5], np.float32)) == (-1, -3, 1, 2)
    assert roi.cuts(5, 2).tolist() == [[0, 3], [2, 5]]
    assert roi.cuts(2, 4).tolist() == [[0, 1], [0, 1], [1, 2], [1, 2]]


def test_a_ramp_shows_the_half_cell() -> None:
    """On a map whose value is its column, interpolation at x answers x (cell i stands at i)."""
    ramp = np.tile(np.arange(16, dtype=np.float32), (1, 16, 1))
    box = np.array([4.0, 4.0, 8.0, 8.0], np.float32)
    plain = roi.roi_align(ramp, box, (2, 2), sampling=2)
    exact = roi.roi_align(ramp, box, (2, 2), sampling=2, aligned=True)
    np.testing.assert_allclose(plain.values[0], [[5, 7], [5, 7]])
    np.testing.assert_allclose(exact.values[0], [[4.5, 6.5], [4.5, 6.5]])
    assert exact.window == (4, 4, 8, 8)
    assert plain.window == (4.5, 4.5, 8.5, 8.5)
    np.testing.assert_allclose(exact.bins[1], [6, 4, 8, 6])
    np.testing.assert_allclose(exact.samples[:4, 0], [4.5, 5.5, 6.5, 7.5])
    np.testing.assert_allclose(exact.samples[:4, 1], [4.5] * 4)
    pool = roi.roi_pool(ramp, box, (2, 2))
    assert pool.window == (4, 4, 9, 9)
    np.testing.assert_array_equal(pool.values[0], [[6, 8], [6, 8]])


def test_roi_warp_by_hand() -> None:
    """The snapped window 4 … 9 in two bins of 2.5 cells; places 0.25 and 0.75 of each."""
    ramp = np.tile(np.arange(16, dtype=np.float32), (1, 16, 1))
    found = roi.roi_warp(ramp, np.array([4.2, 4.4, 8.3, 7.9], np.float32), (2, 2))
    assert found.window == (4, 4, 9, 9)
    np.testing.assert_allclose(found.samples[:4, 0], [4.625, 5.875, 7.125, 8.375])
    np.testing.assert_allclose(found.values[0], [[5.375, 7.875]] * 2)  # the larger place, - 0.5


def test_roi_warp_does_not_see_a_shift_that_rounds_away() -> None:
    features, box = feature_maps(), np.array([4.1, 4.1, 11.7, 13.2], np.float32)
    first, second = roi.roi_warp(features, box), roi.roi_warp(features, box + np.float32(0.2))
    np.testing.assert_array_equal(first.values, second.values)
    moved = roi.roi_align(features, box + np.float32(0.2))
    assert np.abs(moved.values - roi.roi_align(features, box).values).max() > 0.05


def test_levels_are_torchvisions() -> None:
    rng = np.random.default_rng(2)
    corner = rng.uniform(0, 500, (2000, 2))
    sides = 2 ** rng.uniform(2, 11, (2000, 2))
    sides[:6] = [[112, 112], [224, 224], [448, 448], [56, 224], [111.99, 112], [0, 20]]
    boxes = np.concatenate([corner, corner + sides], axis=1).astype(np.float32)
    boxes[:5] = np.concatenate([np.zeros((5, 2)), sides[:5]], axis=1)
    for lowest, highest, side, level in (
        (2, 5, 224, 4),
        (3, 4, 224, 4),
        (4, 4, 72, 4),
        (3, 5, 72, 5),
    ):
        own = LevelMapper(lowest, highest, side, level)([torch.from_numpy(boxes)])
        ours = [roi.fpn_level(box, lowest, highest, (side, level))[0] - lowest for box in boxes]
        assert ours == own.tolist()
    assert roi.fpn_level(boxes[1], 2, 5) == (4, 4.0)
    assert roi.fpn_level(boxes[5], 2, 5) == (2, -np.inf)


@pytest.mark.parametrize("aligned", [False, True])
def test_shifts_are_the_methods_own_answers(aligned: bool) -> None:
    channel = feature_maps(1)[0]
    box = np.array([3.3, 4.1, 14.6, 12.2], np.float32)
    shifts = np.linspace(-2, 2, 41, dtype=np.float32)
    found = roi.when_shifted(channel, box, shifts, (7, 7), (2, 5), sampling=2, aligned=aligned)
    for number, shift in enumerate(shifts):
        moved = box + np.array([shift, 0, shift, 0], np.float32)
        pool = roi.roi_pool(channel[None], moved).values[0, 2, 5]
        warp = roi.roi_warp(channel[None], moved).values[0, 2, 5]
        align = roi.roi_align(channel[None], moved, aligned=aligned).values[0, 2, 5]
        assert found["RoIPool"][number] == pool
        assert found["RoIWarp"][number] == pytest.approx(warp, abs=1e-6)
        assert found["RoIAlign"][number] == pytest.approx(align, abs=1e-5)
    steps = {name: np.unique(values).size for name, values in found.items()}
    assert steps["RoIPool"] < 12
    assert steps["RoIAlign"] == len(shifts)
