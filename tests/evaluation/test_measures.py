"""Measures of every photo, with matches counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.evaluation.measures import LabelMeasures, box_measures
from explorer.evaluation.metrics import Found, Objects, area_under, voc_ap

A, B, FAR = (0, 0, 10, 10), (20, 0, 30, 10), (50, 50, 60, 60)


def two_photos() -> tuple[list[Objects], list[Found]]:
    truth = [
        Objects.plain(np.array([A, B]), np.array([1, 2])),
        Objects.plain(np.array([A]), np.array([1])),
    ]
    found = [
        # Of class 1: A found, A found again, B taken for it; far away something of class 2.
        Found(np.array([A, A, B, FAR], np.float64), np.array([1, 1, 1, 2]),
              np.array([0.9, 0.8, 0.7, 0.2])),
        Found(np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0)),
    ]  # fmt: skip
    return truth, found


def test_the_curve_is_that_of_the_average_precision() -> None:
    truth, found = two_photos()
    measures = box_measures([0, 1], truth, found)
    recall, precision, score = measures.curve(1)
    assert recall.tolist() == [0.5, 0.5, 0.5]
    assert precision.tolist() == pytest.approx([1, 1 / 2, 1 / 3])
    assert score.tolist() == [0.9, 0.8, 0.7]
    assert area_under(recall, precision) == voc_ap(truth, found)[1].every_point == 0.5


def test_photos_and_confusions_follow_the_threshold() -> None:
    measures = box_measures([3, 5], *two_photos())
    assert measures.by_photo(0.1) == {3: (1, 3, 1), 5: (0, 0, 1)}
    assert measures.by_photo(0.75) == {3: (1, 1, 1), 5: (0, 0, 1)}
    assert measures.by_photo(0.1, label=2) == {3: (0, 1, 1)}
    # Rows: class 0, 1, 2, background; columns likewise.
    assert measures.confusion(3, 0.1).tolist() == [
        [0, 0, 0, 0],
        [0, 1, 0, 1],
        [0, 1, 0, 0],
        [0, 1, 1, 0],
    ]
    assert measures.confusion(3, 0.95).tolist() == [
        [0, 0, 0, 0], [0, 0, 0, 2], [0, 0, 0, 1], [0, 0, 0, 0],
    ]  # fmt: skip


def test_what_lies_on_a_difficult_object_counts_nowhere() -> None:
    truth = [Objects(np.array([A], np.float64), np.array([1]), np.zeros(1, bool), np.ones(1, bool))]
    found = [Found(np.array([A], np.float64), np.array([1]), np.array([0.9]))]
    measures = box_measures([0], truth, found)
    assert measures.by_photo(0.0) == {}
    assert not measures.confusion(2, 0.0).any()


def test_labels() -> None:
    half = np.full(3, 0.5)
    measures = LabelMeasures(np.arange(3), np.array([0, 1, 1]), np.array([0, 0, 1]), half, half)
    assert measures.confusion(2).tolist() == [[1, 0], [1, 1]]
