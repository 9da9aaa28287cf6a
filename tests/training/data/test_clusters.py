import numpy as np
import pytest

from explorer.training.data.clusters import anchor_rounds, anchors, mean_iou, proposals, side_iou


def test_overlap_of_sides_by_hand():
    # 2x2 in 4x4: 4 / 16; 2x4 and 4x2 share 2x2: 4 / (8 + 8 - 4)
    found = side_iou(np.array([[2, 2], [2, 4]], np.float32), np.array([[4, 4], [4, 2]], np.float32))
    assert found == pytest.approx(np.array([[0.25, 0.5], [0.5, 1 / 3]]))


def test_anchors_are_the_means_of_the_groups_whatever_their_size():
    rng = np.random.default_rng(3)
    groups = np.array([[4, 4], [10, 40], [100, 90]], np.float32)
    # the large boxes differ by more pixels among each other than the small ones from the tall ones
    sides = np.concatenate([g * rng.uniform(0.8, 1.25, (50, 2)) for g in groups]).astype(np.float32)
    found = anchors(sides, 3)
    means = [sides[i * 50 : (i + 1) * 50].mean(axis=0) for i in range(3)]
    assert found == pytest.approx(np.array(means), rel=1e-5)
    assert mean_iou(sides, found) > mean_iou(sides, anchors(sides, 1))
    assert mean_iou(groups, groups) == pytest.approx(1)


def test_every_iteration_raises_the_mean_iou_and_more_priors_do():
    sides = np.random.default_rng(5).gamma(2, 30, (400, 2)).astype(np.float32) + 4
    means = []
    for count in (1, 3, 5, 9):
        rounds = [mean_iou(sides, found.centers) for found in anchor_rounds(sides, count)]
        assert (np.diff(rounds) > 0).all()
        assert count == 1 or len(rounds) > 2
        means.append(rounds[-1])
    assert means == sorted(means)


def test_proposals_are_cluster_centers_the_most_frequent_first():
    rare = np.array([[0.0, 0.0, 0.2, 0.4]] * 10, np.float32)
    often = np.array([[0.5, 0.1, 1.0, 0.9], [0.6, 0.1, 0.9, 0.9]] * 40, np.float32)
    found = proposals(np.concatenate([rare, often]), 2)
    assert found == pytest.approx(np.array([[0.55, 0.1, 0.95, 0.9], rare[0]]), abs=0.01)
    assert found.dtype == np.float32
