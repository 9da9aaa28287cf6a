"""How fast the anchor sandbox follows a drag: 217 413 anchors, 5 boxes.

Run it by name: ``pytest tests/benchmarks/bench_sandbox.py -s``. Our whole `draw` (overlap of the
moved box, labels of all anchors, layers, tables, curve) and torchvision's `box_iou` of the same
anchors and boxes take turns in one run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.models.detection._utils import Matcher
from torchvision.ops import box_iou

from explorer.core.layers import Picture
from explorer.core.params import Box
from explorer.networks.preprocess import Frame
from explorer.views.detection.anchor_sandbox.labels import Anchors
from explorer.views.detection.anchor_sandbox.view import PAINTS, Params, Result, draw
from explorer.vision.detection.anchors import AnchorRule
from explorer.vision.detection.matching import Overlaps

pytestmark = pytest.mark.benchmark

MOVES = 60
LIMIT_MS = 33.0


def spent_ms(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


@pytest.mark.parametrize("paint", PAINTS)
def test_a_drag(paint: str) -> None:
    rule = AnchorRule(stride=4, levels=5, scale=32, scales=1)
    xyxy, levels = rule.stand((800, 1088))
    assert len(xyxy) == 217_413
    anchors = Anchors(xyxy, levels, Frame(1.7, 1.7))
    photo = Picture(np.zeros((470, 640, 3), np.uint8))
    result = Result(photo, anchors, Overlaps(xyxy), "")
    rng = np.random.default_rng(0)
    corner, side = rng.uniform(0, 300, (5, 2)), rng.uniform(20, 200, (5, 2))
    boxes = [Box(*row) for row in np.concatenate([corner, corner + side], 1).tolist()]
    params = Params(truth=tuple(boxes), color_by=paint, ignored=True)
    draw(result, params)
    tensor = torch.from_numpy(xyxy)
    matcher = Matcher(0.7, 0.3, allow_low_quality_matches=True)
    ours, theirs, both = [], [], []
    for move in range(MOVES):
        box = boxes[move % 5]
        moved = Box(box.x0 + 1.5, box.y0 + 0.5, box.x1 + 1.5, box.y1 + 0.5)
        boxes[move % 5] = moved
        params = replace(params, truth=tuple(boxes))
        ours.append(spent_ms(lambda params=params: draw(result, params)))
        truth = torch.tensor([[b.x0, b.y0, b.x1, b.y1] for b in boxes]) * 1.7
        theirs.append(spent_ms(lambda truth=truth: box_iou(truth, tensor)))
        both.append(spent_ms(lambda truth=truth: matcher(box_iou(truth, tensor))))
    mine, iou, whole = (statistics.median(times) for times in (ours, theirs, both))
    print(
        f"\n{paint}: a move {mine:.1f} ms (least {min(ours):.1f}); torchvision box_iou {iou:.1f}, "
        f"with Matcher {whole:.1f}; ratio {mine / iou:.2f}"
    )
    assert mine <= LIMIT_MS
