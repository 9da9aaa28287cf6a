"""The suppression in numpy is torchvision's, for any first part of the regions."""

from __future__ import annotations

import numpy as np
import torch
from torchvision.ops import batched_nms

from explorer.vision.detection.detections import Detections
from explorer.vision.race.candidates import Candidates, first

RNG = np.random.default_rng(0)


def many(count: int = 120, classes: int = 4, *, most: int = 1000) -> Candidates:
    corner = RNG.uniform(0, 60, (count, classes, 2))
    boxes = np.concatenate([corner, corner + RNG.uniform(10, 50, corner.shape)], axis=2)
    scores = RNG.uniform(0, 1, (count, classes)).astype(np.float32)
    return Candidates(boxes.astype(np.float32), scores, 0.1, 0.4, most)


def test_equal_to_torchvisions_for_any_number_of_regions() -> None:
    own = many()
    for count in (0, 1, 17, 120, 999):
        for score in (0.0, 0.5):
            found = own.detections(count, score)
            rows, labels = np.nonzero(own.scores[:count] > max(0.1, score))
            boxes = torch.from_numpy(own.boxes[rows, labels])
            sure = torch.from_numpy(own.scores[rows, labels])
            keep = batched_nms(boxes, sure, torch.from_numpy(labels), 0.4).numpy()
            assert len(found) == len(keep)
            assert np.array_equal(found.xyxy, boxes.numpy()[keep])
            assert np.array_equal(found.scores, sure.numpy()[keep])
            assert np.array_equal(found.labels, labels[keep] + 1)


def test_only_so_many_stay_the_surest() -> None:
    own = many(most=1000)
    few = Candidates(own.boxes, own.scores, own.floor, own.nms, 5)
    assert np.array_equal(few.detections(120, 0).scores, own.detections(120, 0).scores[:5])


def test_a_score_asked_for_of_what_was_found() -> None:
    found = Detections(
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.array([1, 2, 3]),
        np.array([0.9, 0.5, 0.2], np.float32),
    )
    assert first(found, 0.5).labels.tolist() == [1, 2]
