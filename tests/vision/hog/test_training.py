"""Windows for a training are cut where they should be; errors are counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.images.samples import sample
from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.hog.detector import levels, scales_of, window_box
from explorer.vision.hog.features import PAPER, Settings, describe
from explorer.vision.hog.training import (
    MARGIN,
    SCAN_STEP,
    TOUCHED,
    Negatives,
    Shape,
    det_curve,
    fitted,
    hard_windows,
    joined,
    random_windows,
    scan,
    shape_of,
    vector_of,
)

SMALL = Shape(4, 5)


def photo() -> np.ndarray:
    shown = sample("cat")
    assert shown is not None
    return shown.load().pixels[:200, :280]


def test_the_window_has_the_proportions_of_the_crops() -> None:
    assert shape_of([0.5]) == Shape(16, 8)
    assert shape_of([1.0, 1.0, 9.0]) == Shape(11, 11)
    assert shape_of([]) == Shape(11, 11)
    assert shape_of([0.01]) == Shape(24, 4), "within limits"
    finer = Settings(cell=6, block=3)
    assert shape_of([0.5], finer) == Shape(21, 11, finer), "126 x 66 pixels"
    assert Shape(16, 8).size == (128, 64)
    assert Shape(16, 8).length == 3780
    assert Shape(6, 4, Settings(block=3, bins=4)).length == 4 * 2 * 36


def test_a_crop_with_a_border_is_cut_in_its_middle() -> None:
    crop = photo()[:144, :80]
    picture = fitted(crop, Shape(16, 8), 8)
    np.testing.assert_array_equal(picture, crop)
    np.testing.assert_array_equal(
        vector_of(picture, Shape(16, 8)), describe(crop, PAPER)[1:16, 1:8].ravel()
    )


def test_a_crop_without_a_border_repeats_its_edge() -> None:
    crop = photo()[:128, :64]
    picture = fitted(crop, Shape(16, 8))
    assert picture.shape == (144, 80, 3)
    np.testing.assert_array_equal(picture[8:-8, 8:-8], crop)
    np.testing.assert_array_equal(picture[0, 8:-8], crop[0])


def test_a_crop_of_another_size_fills_the_window() -> None:
    picture = fitted(np.full((50, 90, 3), 7, np.uint8), SMALL, 5)
    assert picture.shape == (48, 56, 3)
    assert (picture == 7).all()


def test_a_crop_of_nearly_the_size_is_not_blurred() -> None:
    crop = photo()[:144, :80]
    found = fitted(crop, Shape(21, 11, Settings(cell=6, block=3)), 8)
    np.testing.assert_array_equal(found, crop[3:141, 1:79])


def test_windows_at_random_are_windows_of_the_photo() -> None:
    random = np.random.default_rng(0)
    found = random_windows(photo(), SMALL, 12, random)
    assert found.vectors.shape == (12, SMALL.length)
    assert found.crops.shape == (12, 32, 40, 3)
    again = random_windows(photo(), SMALL, 12, np.random.default_rng(0))
    np.testing.assert_array_equal(found.vectors, again.vectors)
    blank = SMALL.template(np.zeros(SMALL.length, np.float32), 0.0)
    scales = scales_of(photo().shape, blank.size, step=SCAN_STEP, longest=320)
    everything = {
        level.blocks[i : i + 3, j : j + 4].tobytes()
        for level in levels(photo(), blank, scales)
        for i in range(level.scores.shape[0])
        for j in range(level.scores.shape[1])
    }
    assert all(vector.tobytes() in everything for vector in found.vectors)


def test_windows_do_not_touch_the_object() -> None:
    box = np.array([[60, 40, 220, 160]], np.float32)
    template = SMALL.template(np.zeros(SMALL.length, np.float32), 0.5)
    found = hard_windows(photo(), template, SMALL, box, most=10_000)
    count = 0
    for level in scan(photo(), template):
        for i in range(level.scores.shape[0]):
            for j in range(level.scores.shape[1]):
                own = np.array([window_box(template, i, j)], np.float32)
                iou = iou_matrix(level.picture.to_photo(own), box)
                count += bool(iou[0, 0] <= TOUCHED)
    assert len(found.scores) == count > 100
    assert len(hard_windows(photo(), template, SMALL, most=10_000).scores) > count


def test_hard_negatives_lie_inside_the_margin() -> None:
    blocks = scan(photo(), SMALL.template(np.zeros(SMALL.length, np.float32), 0.0))[0].blocks
    weights = blocks[5:8, 6:10].ravel()
    template = SMALL.template(weights / (weights @ weights), -0.7)
    found = hard_windows(photo(), template, SMALL, most=7)
    assert len(found.scores) == 7
    assert (np.diff(found.scores) <= 0).all()
    assert found.scores[0] == pytest.approx(0.3, abs=1e-3)
    assert (found.scores >= -MARGIN).all()
    np.testing.assert_allclose(
        found.vectors @ template.weights.ravel() + template.bias, found.scores, atol=1e-4
    )
    nothing = SMALL.template(np.zeros(SMALL.length, np.float32), -2.0)
    assert hard_windows(photo(), nothing, SMALL).crops.shape == (0, 32, 40, 3)


def test_negatives_are_joined_by_score() -> None:
    def one(score: float) -> Negatives:
        return Negatives(
            np.full((1, SMALL.length), score, np.float32),
            np.zeros((1, *SMALL.size, 3), np.uint8),
            np.array([score], np.float32),
        )

    found = joined([one(0.1), one(0.9), one(0.5)], SMALL)
    assert found.scores.tolist() == pytest.approx([0.9, 0.5, 0.1])
    assert found.vectors[:, 0].tolist() == found.scores.tolist()
    assert len(joined([], SMALL).scores) == 0


def test_the_error_tradeoff_by_hand() -> None:
    positive = np.array([3.0, 2.0, 1.0, -1.0], np.float32)
    negative = np.array([2.5, 0.0, 0.0, -2.0], np.float32)
    det = det_curve(positive, negative)
    # Above 2.5 only the 3 is found; from 2.5 on one negative counts; from 0 on three.
    assert det.false.tolist() == [0, 0.25, 0.75, 0.75, 1]
    assert det.missed.tolist() == [0.75, 0.75, 0.25, 0.25, 0]
    assert det.miss_rate(0.0) == 0.75
    assert det.miss_rate(0.5) == 0.75
    assert det.miss_rate(0.75) == 0.25
    assert (det.positives, det.negatives) == (4, 4)
    assert det_curve(positive, np.zeros(0, np.float32)).missed.tolist() == [0]
