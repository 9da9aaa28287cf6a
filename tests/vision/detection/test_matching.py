"""Labels of anchors against torchvision's Matcher, ties and odd boxes included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler, BoxCoder, Matcher

from explorer.vision.detection.boxes import decode, encode, iou_matrix
from explorer.vision.detection.matching import IGNORED, NEGATIVE, Match, Overlaps, match
from tests.toys import tiny_faster_rcnn

THRESHOLDS = [(0.7, 0.3), (0.5, 0.4), (0.5, 0.5), (0.3, 0.0), (1.0, 1.0)]


def grid_boxes(n: int, rng: np.random.Generator) -> np.ndarray:
    """Whole-numbered boxes on a small area: many equal overlaps, some boxes without any area."""
    corner = rng.integers(0, 12, (n, 2))
    return np.concatenate([corner, corner + rng.integers(0, 7, (n, 2))], 1).astype(np.float32)


def smooth_boxes(n: int, rng: np.random.Generator) -> np.ndarray:
    corner = rng.uniform(-20, 100, (n, 2))
    return np.concatenate([corner, corner + rng.uniform(1, 60, (n, 2))], 1).astype(np.float32)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(("high", "low"), THRESHOLDS)
def test_equal_to_torchvisions_matcher(high: float, low: float, force: bool) -> None:
    rng = np.random.default_rng(round(100 * high + 10 * low) + force)
    matcher = Matcher(high, low, allow_low_quality_matches=force)
    seen: set[int] = set()
    for case in range(120):
        make = grid_boxes if case % 2 else smooth_boxes
        truth, anchors = make(int(rng.integers(1, 7)), rng), make(int(rng.integers(1, 90)), rng)
        if case % 5 == 0:  # the same box twice, and an anchor that is a box
            truth = np.concatenate([truth, truth[:1]])
            anchors[0] = truth[0]
        overlaps = iou_matrix(truth, anchors)
        found = match(overlaps, len(anchors), high=high, low=low, force=force)
        own = matcher(torch.from_numpy(overlaps))
        assert torch.equal(torch.from_numpy(found.matches), own)
        values, index = torch.from_numpy(overlaps).max(dim=0)
        assert torch.equal(torch.from_numpy(found.best), values)
        assert torch.equal(torch.from_numpy(found.owner), index)
        assert torch.equal(torch.from_numpy(found.tops), torch.from_numpy(overlaps).amax(dim=1))
        seen |= set(np.sign(found.matches).tolist()) | {int(m) for m in found.matches if m < 0}
    assert {NEGATIVE, 1} <= seen
    assert (IGNORED in seen) is (low < high)


def test_the_thresholds_themselves_belong_to_the_upper_side() -> None:
    # Anchors 10 high: shared 7 of 10 is exactly 0.7, 3 of 10 exactly 0.3, both in float32.
    truth = np.array([[0, 0, 10, 10]], np.float32)
    anchors = np.array([[0, 0, 10, 7], [0, 0, 10, 3], [0, 0, 10, 2]], np.float32)
    found = match(iou_matrix(truth, anchors), 3, force=False)
    assert found.matches.tolist() == [0, IGNORED, NEGATIVE]
    assert found.labels.tolist() == [1, -1, 0]
    assert found.positive.tolist() == [0]
    assert found.ignored.tolist() == [1]


def test_force_takes_all_best_anchors_of_a_box() -> None:
    truth = np.array([[0, 0, 10, 10]], np.float32)
    anchors = np.array([[0, 0, 2, 10], [8, 0, 10, 10], [0, 0, 1, 10]], np.float32)
    overlaps = iou_matrix(truth, anchors)
    assert match(overlaps, 3, force=True).matches.tolist() == [0, 0, NEGATIVE]
    assert match(overlaps, 3, force=False).matches.tolist() == [NEGATIVE] * 3


def test_a_box_that_touches_nothing_takes_every_anchor() -> None:
    overlaps = iou_matrix(
        np.array([[0, 0, 4, 4], [50, 50, 50, 60]], np.float32),
        np.array([[0, 0, 4, 4], [9, 9, 12, 12], [0, 0, 4, 2]], np.float32),
    )
    own = Matcher(0.7, 0.3, allow_low_quality_matches=True)(torch.from_numpy(overlaps))
    found = match(overlaps, 3)
    assert found.matches.tolist() == own.tolist() == [0, 0, 0]
    assert found.tops.tolist() == [1.0, 0.0]
    assert match(overlaps, 3, force=False).matches.tolist() == [0, NEGATIVE, IGNORED]


def test_labels_are_those_of_the_region_proposal_network() -> None:
    rng = np.random.default_rng(4)
    rpn = tiny_faster_rcnn().rpn
    sampler = BalancedPositiveNegativeSampler(16, 0.5)
    for count in (0, 1, 4):
        anchors, truth = smooth_boxes(400, rng), smooth_boxes(count, rng)
        if count:  # the network's own matcher asks for boxes
            truth[0] = anchors[7] + 1
        target = [{"boxes": torch.from_numpy(truth)}]
        (own,), (boxes,) = rpn.assign_targets_to_anchors([torch.from_numpy(anchors)], target)
        found = match(Overlaps(anchors).rows(truth), len(anchors))
        labels = torch.from_numpy(found.labels).to(own)
        assert torch.equal(labels, own)
        assert (count > 0) == bool((own > 0).any())
        samples = []
        for given in (labels, own):
            torch.manual_seed(3)
            samples.append(sampler([given]))
        assert all(torch.equal(a, b) for a, b in zip(samples[0][0], samples[1][0], strict=True))
        assert all(torch.equal(a, b) for a, b in zip(samples[0][1], samples[1][1], strict=True))
        rows = found.positive
        if count:
            chosen = truth[found.matches[rows]]
            assert torch.equal(torch.from_numpy(chosen), boxes[torch.from_numpy(rows)])


def test_targets_of_matched_anchors_are_torchvisions_and_go_back() -> None:
    rng = np.random.default_rng(5)
    anchors, truth = smooth_boxes(500, rng), smooth_boxes(5, rng)
    found = match(iou_matrix(truth, anchors), len(anchors), high=0.3)
    rows = found.positive
    assert len(rows) > 5
    chosen = truth[found.matches[rows]]
    targets = encode(chosen, anchors[rows])
    coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
    own = coder.encode_single(torch.from_numpy(chosen), torch.from_numpy(anchors[rows]))
    np.testing.assert_allclose(targets, own.numpy(), atol=1e-5)
    np.testing.assert_allclose(decode(targets, anchors[rows]), chosen, atol=1e-3)


def test_no_boxes_no_anchors_and_wrong_ones() -> None:
    empty = np.zeros((0, 4), np.float32)
    nothing = match(iou_matrix(empty, smooth_boxes(3, np.random.default_rng(0))), 3, low=0.0)
    assert nothing.matches.tolist() == [NEGATIVE] * 3
    assert nothing.tops.tolist() == []
    assert match([np.zeros(0, np.float32)], 0).matches.shape == (0,)
    with pytest.raises(ValueError, match="low"):
        match([], 3, high=0.2, low=0.3)
    with pytest.raises(ValueError, match="rows of 3"):
        match(np.zeros((1, 4), np.float32), 3)


def test_only_the_moved_box_costs_anything() -> None:
    rng = np.random.default_rng(6)
    anchors, truth = smooth_boxes(300, rng), smooth_boxes(3, rng)
    overlaps = Overlaps(anchors)
    before = overlaps.rows(truth)
    np.testing.assert_array_equal(before, iou_matrix(truth, anchors))
    truth[1] += 2.5
    after = overlaps.rows(truth)
    assert [a is b for a, b in zip(after, before, strict=True)] == [True, False, True]
    np.testing.assert_array_equal(after, iou_matrix(truth, anchors))
    assert isinstance(match(after, len(anchors)), Match)
