"""Measures of every photo, with matches counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from explorer.evaluation.measures import LabelMeasures, box_measures
from explorer.evaluation.metrics import (
    Found,
    Objects,
    area_under,
    claimed,
    outcomes,
    overlaps,
    voc_ap,
)
from tests.evaluation.test_errors import at_random

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


def test_matches_at_any_threshold_are_those_of_each_photo() -> None:
    truth, found = at_random(3)
    measures = box_measures(range(len(truth)), truth, found)
    for iou in (0.05, 0.3, 0.5, 0.75, 0.95):
        marks, any_class = measures.marks(iou), measures.any.taken(iou)
        first = 0
        for number, (there, its) in enumerate(zip(truth, found, strict=True)):
            mine = measures.photo == number
            sorted_ = its.of(np.argsort(-its.scores, kind="stable"))
            assert marks[mine].tolist() == outcomes(there, sorted_, iou).marks.tolist()
            cover = overlaps(sorted_.xyxy, there.xyxy, there.crowd)
            taken = claimed(cover, there.passed, there.crowd, iou)
            counted = np.cumsum(~there.passed) - 1 + first
            wanted = [int(counted[place]) if place >= 0 else place for place in taken.tolist()]
            assert any_class[mine].tolist() == wanted
            first += int((~there.passed).sum())


def test_objects_by_size() -> None:
    sizes = [(0, 0, 31, 31), (0, 0, 32, 32), (100, 100, 195, 195), (200, 200, 300, 300)]
    objects = Objects.plain(np.array(sizes), np.array([1, 1, 1, 2]))
    found = Found(objects.xyxy[[1, 3]], np.array([1, 2]), np.array([0.9, 0.4]))
    measures = box_measures([0], [objects], [found])
    assert measures.found_by_size(0.5) == {"small": (1, 0), "medium": (2, 1), "large": (1, 0)}
    assert measures.found_by_size(0.1, label=2)["large"] == (1, 1)
    outlined = replace(objects, area=np.array([2000.0, 1024.0, 500.0, 500.0]))
    assert box_measures([0], [outlined], [found]).found_by_size(0.1) == {
        "small": (2, 1), "medium": (2, 1), "large": (0, 0),
    }  # fmt: skip


def test_detections_of_classes_without_annotations_count_nowhere() -> None:
    truth, found = two_photos()
    measures = box_measures([0, 1], truth, found, annotated=np.array([1]))
    assert measures.label.tolist() == [1, 1, 1]
    assert measures.by_photo(0.1) == {0: (1, 2, 1), 1: (0, 0, 1)}


def test_labels() -> None:
    half = np.full(3, 0.5)
    measures = LabelMeasures(np.arange(3), np.array([0, 1, 1]), np.array([0, 0, 1]), half, half)
    assert measures.confusion(2).tolist() == [[1, 0], [1, 1]]
