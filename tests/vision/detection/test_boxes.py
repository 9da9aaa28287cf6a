"""Box arithmetic against answers worked out by hand and torchvision's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import box_iou

from explorer.vision.detection import boxes


def some_boxes(n: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    corner = random.uniform(-20, 200, (n, 2))
    return np.concatenate([corner, corner + random.uniform(1, 120, (n, 2))], 1).astype(np.float32)


def array(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32)


def test_overlaps_by_hand() -> None:
    first = array((0, 0, 4, 4), (10, 10, 12, 12), (1, 1, 1, 1))
    second = array((0, 0, 4, 4), (2, 0, 6, 4), (0, 0, 4, 8), (1, 1, 1, 1))
    expected = [[1, 1 / 3, 0.5, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(boxes.iou_matrix(first, second), expected, rtol=1e-6)


def test_overlaps_are_torchvisions_to_the_bit() -> None:
    first, second = some_boxes(30, 0), some_boxes(200, 1)
    own = box_iou(torch.from_numpy(first), torch.from_numpy(second))
    assert torch.equal(torch.from_numpy(boxes.iou_matrix(first, second)), own)
    assert (own > 0.5).any()


@pytest.mark.parametrize(("n", "m"), [(0, 3), (3, 0), (0, 0)])
def test_overlaps_of_nothing(n: int, m: int) -> None:
    assert boxes.iou_matrix(some_boxes(n, 0), some_boxes(m, 0)).shape == (n, m)


def test_coding_by_hand() -> None:
    anchor, box = array((0, 0, 10, 20)), array((5, 0, 25, 20))
    # center (5, 10) -> (15, 10), width 10 -> 20, height 20 -> 20
    np.testing.assert_allclose(boxes.encode(box, anchor), [[1, 0, math.log(2), 0]], rtol=1e-6)
    weighted = boxes.encode(box, anchor, (10, 10, 5, 5))
    np.testing.assert_allclose(weighted, [[10, 0, 5 * math.log(2), 0]], rtol=1e-6)
    np.testing.assert_allclose(boxes.decode(weighted, anchor, (10, 10, 5, 5)), box, atol=1e-5)


def test_a_box_grows_at_most_1000_over_16_times() -> None:
    (grown,) = boxes.decode(array((0, 0, 50, 0)), array((0, 0, 16, 16)))
    np.testing.assert_allclose(grown, [8 - 500, 0, 8 + 500, 16], rtol=1e-5)


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)])
def test_coding_is_torchvisions(weights: tuple[float, float, float, float]) -> None:
    anchors, wanted = some_boxes(100, 2), some_boxes(100, 3)
    coder = BoxCoder(weights)
    a, w = torch.from_numpy(anchors), torch.from_numpy(wanted)
    codes = boxes.encode(wanted, anchors, weights)
    np.testing.assert_allclose(codes, coder.encode_single(w, a).numpy(), rtol=2e-5, atol=1e-6)
    back = boxes.decode(codes, anchors, weights)
    np.testing.assert_allclose(back, wanted, atol=2e-4)
    own = coder.decode_single(torch.from_numpy(codes), a).numpy()
    np.testing.assert_allclose(back, own, rtol=1e-5, atol=1e-4)


def test_clip() -> None:
    cut = boxes.clip(array((-3, 2, 50, 70), (60, 1, 70, 2)), (40, 50))
    np.testing.assert_array_equal(cut, [[0, 2, 50, 40], [50, 1, 50, 2]])


def test_recall_by_hand() -> None:
    truth = array((0, 0, 10, 10), (20, 20, 30, 30))
    found = array((0, 0, 10, 6), (20, 20, 30, 30))  # IoU 0.6 and 1
    assert boxes.recall(truth, found, (0.5, 0.7)) == [1.0, 0.5]
    assert boxes.recall(truth, found[:0]) == [0.0, 0.0]
    assert all(math.isnan(value) for value in boxes.recall(truth[:0], found))
