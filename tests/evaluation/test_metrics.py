"""Figures that can be worked out by hand, and others' worked examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from explorer.evaluation.coco import coco_ap
from explorer.evaluation.metrics import (
    PASSED,
    RIGHT,
    WRONG,
    Confusion,
    Found,
    Objects,
    outcomes,
    overlaps,
    ranks,
    voc_ap,
)
from tests.data import shared_data

CAT = 3


def objects(*boxes: tuple[float, ...], crowd: Any = (), difficult: Any = ()) -> Objects:
    count = len(boxes)
    flags = [np.isin(np.arange(count), rows) for rows in (crowd, difficult)]
    xyxy = np.array(boxes, np.float64).reshape(-1, 4)
    return Objects(xyxy, np.full(count, CAT), *flags)


def found(*rows: tuple[float, ...]) -> Found:
    """Rows of score, x0, y0, x1, y1."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    return Found(table[:, 1:], np.full(len(rows), CAT), table[:, 0])


A, B, C, FAR = (0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10), (80, 80, 90, 90)


def test_voc_by_hand() -> None:
    # By score: right, wrong, right, right again on a taken object (wrong); 3 objects.
    # precision 1, 1/2, 2/3, 2/4 at recall 1/3, 1/3, 2/3, 2/3
    truth = [objects(A, B), objects(C)]
    answers = [found((0.9, *A), (0.8, *FAR), (0.6, *A)), found((0.7, *C))]
    result = voc_ap(truth, answers)[CAT]
    assert result.objects == 3
    assert result.every_point == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)
    assert result.eleven_point == pytest.approx((4 * 1 + 3 * 2 / 3) / 11)


def test_what_hits_a_difficult_object_is_passed_over() -> None:
    truth = [objects(A, B, difficult=[1])]
    hit = voc_ap(truth, [found((0.9, *B), (0.8, *A), (0.7, *B))])[CAT]
    assert (hit.every_point, hit.objects) == (1.0, 1)
    wrong = voc_ap(truth, [found((0.9, *FAR), (0.8, *A))])[CAT]
    assert wrong.every_point == 0.5
    # By COCO too: the difficult object is neither missed nor found.
    assert coco_ap(truth, [found((0.9, *B), (0.8, *A))]).ap50 == pytest.approx(1.0)
    assert coco_ap(truth, [found((0.8, *A))]).ar == pytest.approx(1.0)
    assert coco_ap(truth, [found((0.9, *FAR), (0.8, *A))]).ap50 == pytest.approx(0.5)


def test_any_number_of_boxes_may_lie_in_a_crowd() -> None:
    wide = (0, 50, 100, 100)
    inside = [(0.9, 0, 60, 10, 70), (0.8, 20, 60, 30, 70), (0.7, 50, 60, 60, 70)]
    truth = [objects(A, wide, crowd=[1])]
    answers = [found(*inside, (0.6, *A))]
    assert voc_ap(truth, answers)[CAT].every_point == 1.0
    assert coco_ap(truth, answers).ap50 == pytest.approx(1.0)
    cover = overlaps(answers[0].xyxy, truth[0].xyxy, truth[0].crowd)
    assert cover[:, 1].tolist() == [1, 1, 1, 0]


def test_without_boxes_and_without_objects() -> None:
    nothing = Objects.plain(np.zeros((0, 4)), np.zeros(0))
    assert voc_ap([objects(A)], [found()])[CAT].every_point == 0
    assert coco_ap([objects(A)], [found()]).by_class == {CAT: (0, 0, 0, 0)}
    assert voc_ap([nothing], [found((0.9, *A))]) == {}
    assert coco_ap([nothing], [found((0.9, *A))]).by_class == {}


def reference(
    folder: str, truth_name: str, found_name: str, *, inclusive: bool
) -> tuple[list[Objects], list[Found]]:
    root = shared_data(f"eval-reference/{folder}")
    if root is None:
        pytest.skip("the shared test data are not here")
    edge = 1.0 if inclusive else 0.0

    def corners(words: list[str]) -> list[float]:
        x, y, w, h = map(float, words)
        return [x, y, x + w + edge, y + h + edge]

    truth, answers = [], []
    for file in sorted((root / truth_name).iterdir()):
        lines = [line.split() for line in file.read_text().splitlines()]
        truth.append(objects(*[tuple(corners(words[1:])) for words in lines]))
        lines = [line.split() for line in (root / found_name / file.name).read_text().splitlines()]
        answers.append(found(*[(float(words[1]), *corners(words[2:])) for words in lines]))
    return truth, answers


def test_the_worked_example_of_padilla() -> None:
    truth, answers = reference("padilla_sample2", "groundtruths", "detections", inclusive=True)
    result = voc_ap(truth, answers, 0.3)[CAT]
    assert result.every_point == pytest.approx(0.2456, abs=1e-4)
    assert result.eleven_point == pytest.approx(0.2684, abs=1e-4)


@pytest.mark.parametrize(
    ("iou", "every_point", "eleven_point"),
    [
        (0.1, 0.3371980676, 0.3333333333),
        (0.3, 0.2456866804, 0.2683982683),
        (0.5, 0.0222222222, 0.0303030303),
        (0.75, 0.0, 0.0),
    ],
)
def test_a_worked_example_at_four_overlaps(
    iou: float, every_point: float, eleven_point: float
) -> None:
    truth, answers = reference("test_case_1", "gts", "dets", inclusive=True)
    result = voc_ap(truth, answers, iou)[CAT]
    assert result.every_point == pytest.approx(every_point, abs=1e-9)
    assert result.eleven_point == pytest.approx(eleven_point, abs=1e-9)


def test_ranks_by_hand() -> None:
    logits = np.array([[1, 5, 3], [2, 2, 2], [0, 0, 9]], np.float32)
    assert ranks(logits, np.array([2, 1, 2])).tolist() == [1, 1, 0]
    assert ranks(logits, np.array([0, 0, 0])).tolist() == [2, 0, 1]


def test_iou_of_pixels_by_hand() -> None:
    count = Confusion(4)
    truth = np.array([[0, 0, 1, 1], [1, 2, -1, -1]])
    answer = np.array([[0, 1, 1, 1], [0, 3, 1, 0]])
    count.add(truth, answer)
    # class 0: 1 of {2 + 2 - 1}; class 1: 2 of {3 + 3 - 2}; class 2: nothing; 3 is not in the truth
    assert count.iou() == {0: pytest.approx(1 / 3), 1: pytest.approx(0.5), 2: 0.0}
    with pytest.raises(ValueError, match="must be"):
        count.add(truth, answer[:1])


def test_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"xyxy must be \(2, 4\)"):
        Objects(np.zeros((1, 4)), np.zeros(2, int), np.zeros(2, bool), np.zeros(2, bool))
    with pytest.raises(ValueError, match=r"crowd must be \(1,\)"):
        Objects(np.zeros((1, 4)), np.zeros(1, int), np.zeros(2, bool), np.zeros(1, bool))


def test_outcomes_of_a_photo_by_hand() -> None:
    truth = objects(A, B, C, difficult=[2])
    # in this order: A again, A, far away, the difficult one
    result = outcomes(truth, found((0.6, *A), (0.9, *A), (0.8, *FAR), (0.7, *C)))
    assert result.marks.tolist() == [WRONG, RIGHT, WRONG, PASSED]
    assert result.owners[[0, 1, 3]].tolist() == [0, 0, 2]
    assert result.ious.tolist() == [1.0, 1.0, 0.0, 1.0]
    assert result.missed.tolist() == [False, True, False]


def test_a_single_object_in_a_crowd_is_found_before_the_crowd_ignores() -> None:
    # By COCO: the first detection takes the object, the next two lie in the crowd.
    wide = (0, 0, 100, 20)
    truth = objects(wide, A, crowd=[0])
    answer = found((0.9, *A), (0.8, *A), (0.7, *B), (0.6, *FAR))
    result = outcomes(truth, answer)
    assert result.marks.tolist() == [RIGHT, PASSED, PASSED, WRONG]
    assert result.owners.tolist()[:3] == [1, 0, 0]
    assert result.ious[0] == pytest.approx(1.0)
    assert result.missed.tolist() == [False, False]
    assert voc_ap([truth], [answer])[CAT].every_point == pytest.approx(1.0)
    assert coco_ap([truth], [answer]).ap50 == pytest.approx(1.0)


def test_outcomes_without_objects_or_boxes() -> None:
    assert outcomes(objects(), found((0.9, *A))).marks.tolist() == [WRONG]
    assert outcomes(objects(A), found()).missed.tolist() == [True]


def test_outcomes_add_up_to_the_average_precision() -> None:
    # One class: precision at the last detection is what the marks say.
    truth, answer = objects(A, B, C), found((0.9, *A), (0.8, *FAR), (0.7, *B))
    marks = outcomes(truth, answer).marks
    assert int((marks == RIGHT).sum()) / 3 == pytest.approx(2 / 3)
    assert voc_ap([truth], [answer])[CAT].every_point == pytest.approx(1 / 3 + 1 / 3 * 2 / 3)
