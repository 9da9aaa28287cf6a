"""Union, suppression and voting against examples computed by hand."""

from __future__ import annotations

import numpy as np
import torch
from torchvision.ops import batched_nms

from explorer.vision.detection.detections import Detections
from explorer.vision.refinement.voting import joined, suppressed, voted


def detections(*rows: tuple[float, float, float, float, int, float]) -> Detections:
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(
        table[:, :4].astype(np.float32),
        table[:, 4].astype(np.int64),
        table[:, 5].astype(np.float32),
    )


def test_a_union_is_in_the_order_of_scores() -> None:
    one, other = detections((0, 0, 1, 1, 1, 0.5)), detections((0, 0, 2, 2, 2, 0.9))
    union = joined([one, detections(), other])
    assert union.labels.tolist() == [2, 1]
    assert len(joined([])) == 0


def test_suppression_is_torchvisions() -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 60, (80, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(10, 50, (80, 2))], axis=1)
    labels, scores = rng.integers(1, 4, (80, 1)), rng.uniform(0, 1, (80, 1))
    union = joined([detections(*np.concatenate([boxes, labels, scores], axis=1).tolist())])
    keep = batched_nms(
        *(torch.from_numpy(a) for a in (union.xyxy, union.scores, union.labels)), 0.4
    )
    found = suppressed(union, 0.4, 7)
    np.testing.assert_array_equal(found.scores, union.scores[keep.numpy()][:7])


def test_box_voting_by_hand() -> None:
    union = detections(
        (0, 0, 10, 10, 1, 0.9),
        (0, 0, 10, 8, 1, 0.6),  # IoU 0.8 with the first
        (0, 0, 10, 4, 1, 0.5),  # IoU 0.4 with the first, exactly 0.5 with the second
        (0, 0, 10, 8, 2, 0.8),  # another class
        (40, 40, 50, 50, 1, 0.3),
    )
    kept = detections((0, 0, 10, 10, 1, 0.9), (40, 40, 50, 50, 1, 0.3))
    found = voted(kept, union, 0.5)
    # (0.9 * 10 + 0.6 * 8) / (0.9 + 0.6) = 9.2
    np.testing.assert_allclose(found.xyxy, [[0, 0, 10, 9.2], [40, 40, 50, 50]], rtol=1e-6)
    assert found.scores.tolist() == kept.scores.tolist()
    # with a threshold of 0.4 the third one votes too: (9 + 4.8 + 2) / 2 = 7.9
    np.testing.assert_allclose(voted(kept, union, 0.4).xyxy[0], [0, 0, 10, 7.9], rtol=1e-6)


def test_no_votes_leave_a_box_where_it_is() -> None:
    kept = detections((0, 0, 10, 10, 1, 0.0))
    assert voted(kept, kept, 0.5).xyxy.tolist() == [[0, 0, 10, 10]]
    assert len(voted(detections(), kept, 0.5)) == 0
