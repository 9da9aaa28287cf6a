"""Suppression and merging against torchvision's own and against answers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms, box_iou
from torchvision.ops import nms as torch_nms

from explorer.vision.detection.nms import (
    History,
    by_score,
    match_scores,
    merge,
    overlaps,
    suppress,
)


def array(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32)


def random_set(
    rng: np.random.Generator, case: int, most: int = 60
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, scores and groups; every other set has whole numbers, equal boxes and equal scores."""
    count = int(rng.integers(0, most))
    if case % 2:
        corner = rng.integers(-3, 9, (count, 2))
        boxes = np.concatenate([corner, corner + rng.integers(0, 8, (count, 2))], 1)
        scores = rng.integers(0, 5, count) / 4
    else:
        corner = rng.uniform(-20, 80, (count, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(0, 70, (count, 2))], 1)
        scores = rng.uniform(0, 1, count)
    if case % 4 == 3 and count > 3:
        boxes[: count // 2] = boxes[0]
    groups = rng.integers(0, 1 + case % 5, count)
    return boxes.astype(np.float32), scores.astype(np.float32), groups


THRESHOLDS = (0.0, 0.3, 0.5, 0.7, 1.0, 0.25, 1 / 3)


def test_greedy_is_torchvisions_on_a_thousand_sets() -> None:
    rng = np.random.default_rng(0)
    dropped = ties = 0
    for case in range(1000):
        boxes, scores, groups = random_set(rng, case)
        threshold = THRESHOLDS[case % len(THRESHOLDS)]
        b, s, g = (torch.from_numpy(values) for values in (boxes, scores, groups))
        alone = suppress(overlaps(boxes), scores, threshold=threshold)
        assert alone.picks.tolist() == torch_nms(b, s, threshold).tolist(), case
        each = suppress(overlaps(boxes, groups), scores, threshold=threshold)
        assert each.picks.tolist() == batched_nms(b, s, g, threshold).tolist(), case
        dropped += len(boxes) - alone.steps
        ties += len(scores) - len(np.unique(scores))
    assert dropped > 5000
    assert ties > 5000


def test_more_boxes_than_torchvision_shifts() -> None:
    rng = np.random.default_rng(1)
    corner = rng.uniform(0, 300, (1400, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(10, 120, (1400, 2))], 1)
    boxes = boxes.astype(np.float32)
    scores = rng.permutation(1400).astype(np.float32) / 1400
    groups = rng.integers(0, 6, 1400)
    own = batched_nms(*(torch.from_numpy(v) for v in (boxes, scores, groups)), 0.5)
    ours = suppress(overlaps(boxes, groups), scores, threshold=0.5)
    assert ours.picks.tolist() == own.tolist()
    best = by_score(scores)[:200]  # nobody below can do anything to those above
    some = suppress(overlaps(boxes, groups, best), scores[best], threshold=0.5)
    kept = best[some.picks].tolist()
    assert kept == own.tolist()[: len(kept)]
    assert 10 < len(kept) < 200


def test_overlaps_are_box_iou() -> None:
    boxes, _, groups = random_set(np.random.default_rng(3), 8, 50)
    own = box_iou(torch.from_numpy(boxes), torch.from_numpy(boxes)).nan_to_num().numpy()
    np.testing.assert_array_equal(overlaps(boxes), own)
    rows = np.array([4, 1, 7])
    np.testing.assert_array_equal(overlaps(boxes, rows=rows), own[rows][:, rows])
    same = groups[:, None] == groups
    shifted = overlaps(boxes, groups)
    np.testing.assert_allclose(shifted[same], own[same], atol=1e-4)
    assert overlaps(boxes[:0], groups[:0]).shape == (0, 0)


def row_of_boxes() -> np.ndarray:
    """10 wide and 10 high; box 1 is shifted by 2 (IoU 2/3), box 2 by 5 (1/3), box 3 by 100."""
    return array((0, 0, 10, 10), (2, 0, 12, 10), (5, 0, 15, 10), (100, 0, 110, 10))


def test_greedy_by_hand() -> None:
    scores = array(0.6, 0.9, 0.5, 0.3)  # box 1 goes first: IoU 2/3 with box 0, 7/13 with box 2
    iou = overlaps(row_of_boxes())
    assert iou[1, 2] == pytest.approx(7 / 13)
    found = suppress(iou, scores, threshold=0.6)
    assert found.picks.tolist() == [1, 2, 3]
    assert found.suppressors.tolist() == [1, -1, -1, -1]
    assert found.ended.tolist() == [1, 0, 0, 0]
    assert found.ious.tolist() == pytest.approx([2 / 3, 0, 0, 0])
    np.testing.assert_array_equal(found.scores[0], scores)
    np.testing.assert_array_equal(found.scores[1], array(0, 0.9, 0.5, 0.3))
    assert [found.waiting(step).tolist() for step in range(4)] == [[0, 1, 2, 3], [2, 3], [3], []]
    assert [found.suppressed(step).tolist() for step in range(4)] == [[], [0], [0], [0]]
    # an IoU of exactly the threshold stays
    third = suppress(
        overlaps(row_of_boxes()[[0, 2]]), array(0.9, 0.8), threshold=0.3333333432674408
    )
    assert third.picks.tolist() == [0, 1]


def test_a_score_of_nothing_is_still_a_box() -> None:
    found = suppress(overlaps(row_of_boxes()), np.zeros(4, np.float32), threshold=0.5)
    assert found.picks.tolist() == [0, 2, 3]
    assert found.suppressors.tolist() == [-1, 0, -1, -1]


def test_linear_by_hand() -> None:
    """Box 0 first: 1 falls to 0.8 (1 - 2/3), 2 keeps 0.5 (IoU 1/3 < 0.4); then 2 lowers 1."""
    found = suppress(
        overlaps(row_of_boxes()), array(0.9, 0.8, 0.5, 0.3), "linear", threshold=0.4, floor=0.2
    )
    after = 0.8 / 3
    again = after * (1 - 7 / 13)
    assert found.picks.tolist() == [0, 2, 3]
    np.testing.assert_allclose(found.scores[1], [0.9, after, 0.5, 0.3], rtol=1e-6)
    np.testing.assert_allclose(found.scores[2], [0.9, again, 0.5, 0.3], rtol=1e-6)
    assert found.suppressors.tolist() == [-1, 2, -1, -1]  # it fell below 0.2 by box 2
    assert found.ended.tolist() == [0, 2, 0, 0]
    assert found.ious[1] == pytest.approx(7 / 13)
    kept = suppress(overlaps(row_of_boxes()), array(0.9, 0.8, 0.5, 0.3), "linear", threshold=0.4)
    assert kept.picks.tolist() == [0, 2, 3, 1]
    # The paper decays from the threshold on: an IoU equal to it too.
    exact = suppress(overlaps(array((0, 0, 4, 4), (0, 0, 4, 2))), array(1, 0.8), "linear")
    assert exact.scores[-1].tolist() == pytest.approx([1, 0.4])


def test_gaussian_by_hand() -> None:
    found = suppress(overlaps(row_of_boxes()), array(0.9, 0.8, 0.5, 0.3), "gaussian", sigma=0.5)
    one, two = 0.8 * math.exp(-(4 / 9) / 0.5), 0.5 * math.exp(-(1 / 9) / 0.5)
    np.testing.assert_allclose(found.scores[1], [0.9, one, two, 0.3], rtol=1e-6)
    assert found.picks.tolist() == [0, 2, 3, 1]  # box 1 fell behind boxes 2 and 3
    last = one * math.exp(-((7 / 13) ** 2) / 0.5)
    np.testing.assert_allclose(found.scores[2], [0.9, last, two, 0.3], rtol=1e-6)
    assert (found.suppressors == -1).all()
    with pytest.raises(ValueError, match="sigma"):
        suppress(overlaps(row_of_boxes()), array(1, 1, 1, 1), "gaussian", sigma=0.0)


def plain_soft(
    boxes: list[list[float]], scores: list[float], decay: str, nt: float, sigma: float, floor: float
) -> list[tuple[int, float]]:
    """Bodla et al. 2017, figure 3, word by word: no arrays, nothing of ours."""
    left = dict(enumerate(scores))
    done: list[tuple[int, float]] = []
    while left:
        best = max(left, key=lambda i: (left[i], -i))
        done.append((best, left.pop(best)))
        for i in list(left):
            a, b = boxes[best], boxes[i]
            wide, tall = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            shared = max(wide, 0) * max(tall, 0)
            union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
            o = shared / union if union > 0 else 0.0
            factor = math.exp(-o * o / sigma) if decay == "gaussian" else 1 - o if o >= nt else 1.0
            left[i] *= factor
            if factor < 1 and left[i] < floor:
                del left[i]
    return done


@pytest.mark.parametrize("decay", ["linear", "gaussian"])
def test_soft_is_an_independent_implementation(decay: str) -> None:
    rng = np.random.default_rng(5)
    for case in range(0, 200, 2):  # without ties, whose order rounding would decide
        boxes, scores, _ = random_set(rng, case, 40)
        found = suppress(
            overlaps(boxes),
            scores,
            decay,
            threshold=0.31,
            sigma=0.4,
            floor=0.1,  # type: ignore[arg-type]
        )
        own = plain_soft(boxes.tolist(), scores.tolist(), decay, 0.31, 0.4, 0.1)
        assert found.picks.tolist() == [row for row, _ in own], case
        np.testing.assert_allclose(
            found.scores[-1][found.picks], [score for _, score in own], rtol=1e-4
        )


def test_a_history_adds_up() -> None:
    rng = np.random.default_rng(6)
    for case in range(40):
        boxes, scores, groups = random_set(rng, case)
        iou = overlaps(boxes, groups)
        for decay in ("greedy", "linear", "gaussian"):
            found: History = suppress(iou, scores, decay, threshold=0.4, floor=0.05)  # type: ignore[arg-type]
            assert found.scores.shape == (found.steps + 1, len(boxes))
            assert sorted([*found.picks, *found.suppressed(found.steps)]) == list(range(len(boxes)))
            assert len(found.waiting(0)) == len(boxes)
            assert len(found.waiting(found.steps)) == 0
            gone = found.suppressed(found.steps)
            assert (found.picks[found.ended[gone] - 1] == found.suppressors[gone]).all()
            assert (found.ious[gone] == iou[found.suppressors[gone], gone]).all()
            assert (np.diff(found.scores, axis=0) <= 0).all()


def test_match_scores_by_hand() -> None:
    same, beside, inside = array((0, 0, 6, 8), (6, 0, 12, 8), (1.5, 2, 4.5, 6))
    found = match_scores(same, np.stack([same, beside, inside]))
    # centers 6 apart, diagonals 10 and 10; the inner box has the same center and a quarter of it
    np.testing.assert_allclose(found, [0, 0.6 + 1, 0.75], rtol=1e-6)
    point = array((3, 3, 3, 3))
    np.testing.assert_allclose(match_scores(point[0], point), [1])  # no diagonal, nothing shared


def test_merging_by_hand() -> None:
    boxes = array((0, 0, 10, 10), (2, 0, 12, 10), (100, 0, 110, 10), (4, 0, 14, 10))
    found = merge(boxes, array(0.5, 0.9, 0.4, 0.2))
    # 0 and 1 (0.1414 + 1/3) match as well as 1 and 3; the first pair goes first
    assert found.pairs.tolist() == [[1, 0], [4, 3], [5, 2]]
    near = 2 / math.hypot(10, 10) + 1 - 8 / 12
    further = 3 / math.hypot(10, 10) + 1 - 7 / 13
    np.testing.assert_allclose(found.matches[:2], [near, further], rtol=1e-6)
    np.testing.assert_allclose(found.ious, [8 / 12, 7 / 13, 0], rtol=1e-6)
    np.testing.assert_allclose(found.boxes[4:6], [[1, 0, 11, 10], [2.5, 0, 12.5, 10]])
    np.testing.assert_allclose(found.scores[4:], [1.4, 1.6, 2.0], rtol=1e-6)
    assert found.into.tolist() == [4, 4, 6, 5, 5, 6, -1]
    assert found.until(1.0) == 2
    assert found.until(0.1) == 0
    assert found.alive(0).tolist() == [1, 0, 2, 3]
    assert found.alive(2).tolist() == [5, 2]
    assert found.within(5).tolist() == [0, 1, 3]
    assert found.within(2).tolist() == [2]
    assert found.count == 4


def plain_merge(boxes: list[list[float]], groups: list[int]) -> list[list[float]]:
    """All pairs anew in every round."""
    left = [(array(box)[0], group) for box, group in zip(boxes, groups, strict=True)]
    made: list[list[float]] = []
    while True:
        pairs = [
            (float(match_scores(left[i][0], left[j][0][None])[0]), i, j)
            for i in range(len(left))
            for j in range(i + 1, len(left))
            if left[i][1] == left[j][1]
        ]
        if not pairs:
            return made
        _, i, j = min(pairs)
        mean = (left[i][0] + left[j][0]) / 2
        group = left[i][1]
        left = [entry for k, entry in enumerate(left) if k not in (i, j)] + [(mean, group)]
        made.append(mean.tolist())


def test_merging_is_an_independent_implementation() -> None:
    rng = np.random.default_rng(7)
    for case in range(0, 24, 2):
        boxes, scores, groups = random_set(rng, case, 16)
        if not len(boxes):
            continue
        found = merge(boxes, scores, groups)
        own = plain_merge(boxes.tolist(), groups.tolist())
        assert len(found.pairs) == len(own) == len(boxes) - len(np.unique(groups))
        np.testing.assert_allclose(found.boxes[len(boxes) :], np.reshape(own, (-1, 4)), atol=1e-3)
        last = found.alive(len(found.pairs))
        assert len(last) == len(np.unique(groups))
        np.testing.assert_allclose(found.scores[last].sum(), scores.sum(), rtol=1e-4)
        assert sorted(np.concatenate([found.within(int(row)) for row in last])) == list(
            range(len(boxes))
        )
    assert merge(array()[:0].reshape(0, 4), array()[:0]).pairs.shape == (0, 2)
