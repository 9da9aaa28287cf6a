"""Recall, average recall and repeatability, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from explorer.vision.detection.recall import (
    average_recall,
    covered,
    first_ranks,
    recall_by_count,
    recall_by_iou,
    repeatability,
    repeated,
    size_bins,
)

TRUTH = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float32)
BOXES = np.array(
    [
        [50, 50, 60, 60],  # touches nothing
        [0, 0, 10, 6],  # IoU 0.6 with the first
        [20, 0, 30, 8],  # IoU 0.8 with the second
        [0, 0, 10, 10],  # the first itself
    ],
    np.float32,
)


def test_covered_is_the_best_of_the_first_boxes() -> None:
    found = covered(TRUTH, BOXES)
    np.testing.assert_allclose(found, [[0, 0, 0.6, 0.6, 1], [0, 0, 0, 0.8, 0.8]], atol=1e-6)
    assert recall_by_count(found, 0.5).tolist() == [0, 0, 0.5, 1, 1]
    assert recall_by_count(found, 0.7).tolist() == [0, 0, 0, 0.5, 1]
    assert first_ranks(found, 0.5).tolist() == [2, 3]
    assert first_ranks(found, 0.9).tolist() == [4, 0]


def test_recall_by_iou_counts_an_exact_hit() -> None:
    best = np.array([0.5, 0.75, 1.0, 0.2], np.float32)
    shares = recall_by_iou(best, np.array([0.5, 0.51, 0.75, 1.0]))
    assert shares.tolist() == [0.75, 0.5, 0.5, 0.25]


def test_average_recall_is_twice_the_area() -> None:
    # 2 (0.25 + 0.5 + 0 + 0) / 4
    best = np.array([0.75, 1.0, 0.5, 0.3], np.float32)
    assert average_recall(best) == pytest.approx(0.375)
    fine = np.linspace(0.5, 1, 20_001)
    area = np.trapezoid(recall_by_iou(best, fine), fine)
    assert average_recall(best) == pytest.approx(2 * area, abs=1e-3)
    assert average_recall(np.ones(3, np.float32)) == 1
    assert math.isnan(average_recall(np.empty(0, np.float32)))


def test_it_differs_from_cocos_mean_by_a_step_at_most() -> None:
    rng = np.random.default_rng(0)
    thresholds = np.arange(0.5, 0.96, 0.05)
    for best in rng.random((50, 40)).astype(np.float32):
        coco = recall_by_iou(best, thresholds).mean()
        assert abs(coco - average_recall(best)) <= 0.05 + 1e-6


def test_nothing_proposed_finds_nothing() -> None:
    found = covered(TRUTH, np.empty((0, 4), np.float32))
    assert found.shape == (2, 1)
    assert recall_by_count(found, 0.5).tolist() == [0]
    assert first_ranks(found, 0.5).tolist() == [0, 0]
    assert repeated(TRUTH, np.empty((0, 4), np.float32)).tolist() == [0, 0]


def test_boxes_are_repeated_by_the_nearest() -> None:
    best = repeated(TRUTH, BOXES)
    np.testing.assert_allclose(best, [1, 0.8], atol=1e-6)
    many = np.tile(TRUTH, (300, 1))
    np.testing.assert_allclose(repeated(many, BOXES), np.tile([1, 0.8], 300), atol=1e-6)


def test_repeatability_weighs_sizes_alike() -> None:
    small = np.array([[0, 0, 10, 10]] * 3, np.float32)
    large = np.array([[0, 0, 100, 100]], np.float32)
    boxes = np.concatenate([small, large])
    assert size_bins(boxes).tolist() == [0, 0, 0, 9]
    best = np.array([0.2, 0.4, 0.6, 1.0], np.float32)
    assert repeatability(boxes, best) == pytest.approx((0.4 + 1.0) / 2)
    assert repeatability(small, best[:3]) == pytest.approx(0.4)
    assert math.isnan(repeatability(boxes[:0], best[:0]))


def test_the_area_under_recall_is_the_mean() -> None:
    best = np.random.default_rng(1).random(200).astype(np.float32)
    same = np.tile(np.array([[0, 0, 10, 10]], np.float32), (200, 1))
    fine = np.linspace(0, 1, 5001)
    area = np.trapezoid(recall_by_iou(best, fine), fine)
    assert repeatability(same, best) == pytest.approx(area, abs=1e-3)


def test_without_objects_there_is_no_recall() -> None:
    found = covered(TRUTH[:0], BOXES)
    assert np.isnan(recall_by_count(found, 0.5)).all()
    assert np.isnan(recall_by_iou(found[:, -1], np.array([0.5]))).all()
