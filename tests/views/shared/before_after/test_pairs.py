"""Which boxes are the same before and after, worked out by hand."""

from __future__ import annotations

import numpy as np

from explorer.views.shared.before_after.pairs import KEPT, LOST, NEW, OTHER, Pair, paired
from explorer.vision.detection.detections import Detections


def found(*boxes: tuple[float, float, float, float, int, float]) -> Detections:
    table = np.array(boxes, np.float64).reshape(-1, 6)
    return Detections(
        table[:, :4].astype(np.float32),
        table[:, 4].astype(np.int64),
        table[:, 5].astype(np.float32),
    )


def pairs(before: Detections, after: Detections, iou: float = 0.5) -> tuple[Pair, ...]:
    return paired(
        before, after, iou=iou, rows_before=np.arange(len(before)), rows_after=np.arange(len(after))
    )


def test_kept_lost_and_new() -> None:
    before = found((0, 0, 10, 10, 1, 0.9), (50, 50, 60, 60, 1, 0.8))
    after = found((80, 80, 90, 90, 1, 0.7), (0, 0, 10, 8, 1, 0.6))
    kept, lost, new = pairs(before, after)
    assert (kept.before, kept.after, kept.kind) == (0, 1, KEPT)
    assert round(kept.iou, 4) == 0.8
    assert (lost.before, lost.after, lost.kind) == (1, None, LOST)
    assert (new.before, new.after, new.kind) == (None, 0, NEW)


def test_the_same_class_goes_before_a_better_place() -> None:
    before = found((0, 0, 10, 10, 1, 0.9))
    after = found((0, 0, 10, 10, 2, 0.9), (0, 0, 10, 7, 1, 0.3))
    same, new = pairs(before, after)
    assert (same.after, same.kind) == (1, KEPT)
    assert (new.after, new.kind) == (0, NEW)


def test_a_box_that_gets_another_class() -> None:
    (pair,) = pairs(found((0, 0, 10, 10, 1, 0.9)), found((0, 0, 10, 9, 2, 0.5)))
    assert (pair.before, pair.after, pair.kind) == (0, 0, OTHER)


def test_each_box_has_one_partner_the_nearest() -> None:
    before = found((0, 0, 10, 10, 1, 0.9), (0, 1, 10, 11, 1, 0.8))
    after = found((0, 1, 10, 11, 1, 0.7), (0, 0, 10, 9, 1, 0.6))
    assert [(pair.before, pair.after) for pair in pairs(before, after)] == [(0, 1), (1, 0)]


def test_below_the_iou_they_are_two() -> None:
    one, other = found((0, 0, 10, 10, 1, 0.9)), found((0, 5, 10, 15, 1, 0.9))
    assert [pair.kind for pair in pairs(one, other)] == [LOST, NEW]
    assert [pair.kind for pair in pairs(one, other, iou=0.3)] == [KEPT]
    assert pairs(found(), found()) == ()
    assert [pair.kind for pair in pairs(one, found())] == [LOST]
    assert [pair.kind for pair in pairs(found(), one)] == [NEW]


def test_only_the_rows_that_are_given() -> None:
    before = found((0, 0, 10, 10, 1, 0.9), (20, 20, 30, 30, 1, 0.1))
    (pair,) = paired(before, before, iou=0.5, rows_before=np.array([1]), rows_after=np.array([1]))
    assert (pair.before, pair.after) == (1, 1)
