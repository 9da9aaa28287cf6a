"""SPP-net's features are those of the pyramid that the view RoI pooling shows; one pass for all."""

from __future__ import annotations

import numpy as np
import torch

from explorer.vision.detection.roi import spp
from explorer.vision.pipelines import sppnet
from explorer.vision.pipelines.rcnn import Features, judged
from tests.vision.pipelines.test_rcnn import C, D, body, heads, parts

RNG = np.random.default_rng(1)
PIXELS = RNG.integers(0, 256, (60, 90, 3), np.uint8)
BOXES = np.array([[0, 0, 90, 60], [10, 5, 40, 55], [70, 3, 74, 9]], np.float32)


def test_the_photo_is_resized_to_a_short_side() -> None:
    assert sppnet.resized(PIXELS).shape == (1, 3, sppnet.SHORT, sppnet.SHORT * 3 // 2)
    long = np.zeros((40, 400, 3), np.uint8)
    assert sppnet.resized(long).shape == (1, 3, round(sppnet.LONG / 10), sppnet.LONG)


def test_pooled_values_are_those_of_the_pyramid() -> None:
    own = body()
    found = sppnet.last_map(own, sppnet.resized(PIXELS))
    with torch.no_grad():
        assert torch.allclose(found, own.body(sppnet.resized(PIXELS)), atol=1e-5)
    seen = sppnet.pooled(found, BOXES, PIXELS.shape[:2])
    assert seen.vector.shape == (3, 5 * D)
    scale = found.shape[-1] / 90
    for row, box in enumerate(BOXES):
        expected = spp(found[0].numpy(), box * np.float32(scale), sppnet.PYRAMID).values[:, 0]
        # channel after channel here, grid after grid there
        assert np.array_equal(seen.vector[row, :D], expected[:, 0])
        assert np.array_equal(seen.map[row].reshape(D, 4), expected[:, 1:])
    assert np.array_equal(seen.vector[:, D:], seen.map)


def test_all_steps_in_one() -> None:
    own = parts()
    found = sppnet.detect(own, PIXELS, BOXES, score=-99)
    seen = sppnet.pooled(sppnet.last_map(own.body, sppnet.resized(PIXELS)), BOXES, PIXELS.shape[:2])
    expected = judged(own.pyramid, seen, BOXES, PIXELS.shape[:2], score=-99)
    assert len(found) > 0
    assert np.array_equal(found.xyxy, expected.xyxy)
    assert len(sppnet.detect(own, PIXELS, BOXES[:0])) == 0


def test_other_heads_say_other_things() -> None:
    seen = Features(np.ones((1, 5 * D), np.float32), np.zeros((1, 4 * D), np.float32))
    yes = heads(5 * D, svm_weight=np.full((C, 5 * D), 0.1, np.float32))
    no = heads(5 * D, svm_weight=np.full((C, 5 * D), -9, np.float32))
    assert len(judged(yes, seen, BOXES[:1], (60, 90))) > 0
    assert len(judged(no, seen, BOXES[:1], (60, 90))) == 0
