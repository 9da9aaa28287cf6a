"""Error types: each by hand, and all of a random set as TIDE's own program counts them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from explorer.evaluation.coco import coco_ap
from explorer.evaluation.errors import (
    BKG,
    BOTH,
    CLS,
    CORRECT,
    DUPE,
    IGNORED,
    KINDS,
    LOC,
    MISS,
    impact,
    kinds_of_best,
)
from explorer.evaluation.measures import BoxMeasures, box_measures
from explorer.evaluation.metrics import Found, Objects
from tests.evaluation.boxes_at_random import boxes_at_random

A, B, FAR = (0, 0, 10, 10), (40, 0, 50, 10), (80, 80, 90, 90)
LOOSE = (0, 0, 10, 30)
"""Its IoU with A is 1/3."""


def at_random(seed: int) -> tuple[list[Objects], list[Found]]:
    """The set of `boxes_at_random`, whose boxes have a corner and sides."""
    truth, found = [], []
    for photo in boxes_at_random(seed):
        rows = np.array(photo["objects"], np.float64).reshape(-1, 6)
        crowd = rows[:, 1] > 0
        truth.append(Objects(corners(rows[:, 2:]), rows[:, 0].astype(np.int64), crowd,
                             np.zeros(len(rows), bool)))  # fmt: skip
        rows = np.array(photo["found"], np.float64).reshape(-1, 6)
        found.append(Found(corners(rows[:, 2:]), rows[:, 0].astype(np.int64), rows[:, 1]))
    return truth, found


def corners(sides: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1)


def one_photo(
    objects: list[tuple[int, tuple[int, ...]]],
    found: list[tuple[int, float, tuple[int, ...]]],
    **flags: list[bool],
) -> BoxMeasures:
    count = len(objects)
    marks = [np.array(flags.get(name, [False] * count), bool) for name in ("crowd", "difficult")]
    boxes = np.array([box for _, box in objects], np.float64).reshape(-1, 4)
    there = Objects(boxes, np.array([label for label, _ in objects], np.int64), *marks)
    its = Found(
        np.array([box for *_, box in found], np.float64).reshape(-1, 4),
        np.array([label for label, *_ in found], np.int64),
        np.array([score for _, score, _ in found]),
    )
    return box_measures([0], [there], [its])


def test_every_type_by_hand() -> None:
    measures = one_photo(
        [(1, A), (2, B), (1, FAR)],
        [
            (1, 0.9, A), (1, 0.8, A), (1, 0.7, LOOSE), (3, 0.6, B), (3, 0.5, LOOSE),
            (1, 0.4, (20, 60, 30, 70)),
        ],
    )  # fmt: skip
    assert measures.error.tolist() == [CORRECT, DUPE, LOC, CLS, BOTH, BKG]
    assert measures.aim.tolist() == [0, -1, 0, 1, -1, -1]
    assert measures.missed(0.0).tolist() == [False, False, True], "B would be found but for a class"
    assert measures.missed(0.65).tolist() == [False, True, True]
    assert measures.errors_by_photo(0.0).tolist() == [[1, 1, 1, 1, 1, 1]]
    assert measures.errors_by_photo(0.65).tolist() == [[0, 1, 0, 1, 0, 2]]
    assert measures.errors_by_photo(0.0, label=1).tolist() == [[0, 1, 0, 1, 1, 1]]
    assert kinds_of_best(measures.label, measures.score, measures.error, measures.object_label) == {
        "Correct": 1,
        "Cls": 0,
        "Loc": 0,
        "Both": 0,
        "Dupe": 1,
        "Bkg": 0,
    }


def test_what_lies_on_an_object_that_does_not_count_is_no_error() -> None:
    for flag in ("crowd", "difficult"):
        measures = one_photo([(1, A), (2, B)], [(1, 0.9, A), (1, 0.8, B)], **{flag: [True, False]})
        assert measures.error.tolist() == [IGNORED, CLS]
        only = one_photo([(1, A)], [(1, 0.9, A), (2, 0.8, A)], **{flag: [True]})
        assert only.error.tolist() == [IGNORED, BKG]


def test_what_a_type_costs_by_hand() -> None:
    # One object: a loose box scores highest, the right one second. AP 1/2; without it 1.
    measures = one_photo([(1, A)], [(1, 0.9, LOOSE), (1, 0.8, A)])
    cost = measures.impact()
    assert cost.ap == pytest.approx(0.5)
    assert cost.by_kind == pytest.approx(dict.fromkeys(KINDS, 0.0) | {"Loc": 0.5})
    assert cost.false_positives == pytest.approx(0.5)
    assert cost.false_negatives == 0
    # Two objects, one found, one missed: 51 of the 101 recalls are reached.
    missed = one_photo([(1, A), (1, B)], [(1, 0.8, A)]).impact()
    assert missed.ap == pytest.approx(51 / 101)
    assert missed.by_kind["Miss"] == missed.false_negatives == pytest.approx(50 / 101)
    # A wrong class: fixed, it is the other class's only match.
    named = one_photo([(1, A), (2, B)], [(1, 0.9, A), (1, 0.8, B)]).impact()
    assert named.ap == pytest.approx(0.5)
    assert named.by_kind["Cls"] == pytest.approx(0.5)


def test_nothing_has_no_errors() -> None:
    for measures in (one_photo([], []), one_photo([], [(1, 0.5, A)]), one_photo([(1, A)], [])):
        cost = measures.impact()
        assert cost.ap == 0
        assert all(0 <= value <= 1 for value in cost.by_kind.values())
    assert one_photo([], [(1, 0.5, A)]).errors_by_photo(0.0).tolist() == [[0, 0, 0, 0, 1, 0]]


@pytest.mark.parametrize("crowds", [False, True])
def test_the_types_of_a_random_set_are_those_of_tide(crowds: bool) -> None:
    """`TIDE` is what tidecv 1.0.1 computes of the same set, in a venv of its own::

        truth, found = Data("truth"), Data("found")
        for photo, rows in enumerate(boxes_at_random(7)):
            for label, crowd, *box in rows["objects"]:
                if not crowd:
                    truth.add_ground_truth(photo, label, box)
                elif crowds:
                    truth.add_ignore_region(photo, label, box)
            for label, score, *box in rows["found"]:
                found.add_detection(photo, label, score, box)
        tide = TIDE()
        run = tide.evaluate(truth, found, mode=TIDE.BOX)
        run.ap, tide.get_main_errors(), tide.get_special_errors(), run.error_dict

    It counts detections in crowds among the errors although they cost nothing; here they are none.
    """
    truth, found = at_random(7)
    if not crowds:
        truth = [Objects.plain(there.xyxy[~there.crowd], there.labels[~there.crowd])
                 for there in truth]  # fmt: skip
    measures = box_measures(range(len(truth)), truth, found)
    cost = measures.impact()
    figures = [cost.ap, *cost.by_kind.values(), cost.false_positives, cost.false_negatives]
    assert [100 * value for value in figures] == pytest.approx(TIDE[crowds], abs=1e-6)
    counts = measures.errors_by_photo(0.0).sum(axis=0)
    in_crowds = int((measures.error == IGNORED).sum())
    assert counts.sum() + in_crowds == sum(TIDE_COUNTS)
    assert (in_crowds > 5) == crowds
    if not crowds:
        assert counts.tolist() == TIDE_COUNTS


def test_the_average_precision_is_that_of_coco() -> None:
    for seed in (1, 2, 3):
        truth, found = at_random(seed)
        ap = box_measures(range(len(truth)), truth, found).impact().ap
        assert ap == pytest.approx(coco_ap(truth, found).ap50, abs=0.002)


def test_the_order_of_the_photos_does_not_matter() -> None:
    truth, found = at_random(5)
    forward = box_measures(range(len(truth)), truth, found).impact()
    backward = box_measures(range(len(truth)), truth[::-1], found[::-1]).impact()
    assert backward.by_kind == pytest.approx(forward.by_kind)
    assert impact(*(np.zeros(0, np.int64) for _ in range(5))).ap == 0
    assert len(KINDS) - 1 == MISS


TIDE = {
    False: [
        25.524679163386594, 7.343957235873894, 8.570445539394179, 1.6136204875229865,
        1.6321653191697116, 7.326862287637411, 11.002212144539818, 28.534726777207467,
        21.539898313950992,
    ],
    True: [
        27.61132427719742, 8.04239051071066, 9.315766559553424, 1.8474726388902916,
        1.8317027269261956, 5.240217173826586, 12.109318538295646, 26.448081663396643,
        23.57115696376281,
    ],
}  # fmt: skip
"""With and without crowds: AP, dAP of Cls, Loc, Both, Dupe, Bkg, Miss, FP, FN, in percent."""

TIDE_COUNTS = [21, 48, 21, 28, 67, 42]
"""Of the types in this order."""
