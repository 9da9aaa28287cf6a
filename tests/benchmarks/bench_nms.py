"""How fast the NMS view follows the mouse: 150 boxes, step and threshold dragged.

Run it by name: ``pytest tests/benchmarks/bench_nms.py -s``. Our whole `draw` (the suppression with
its history, layers, list, plots) and torchvision's `batched_nms` of the same boxes take turns.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms

from explorer.core.layers import Picture
from explorer.views.detection.nms.candidates import DETECTIONS, made
from explorer.views.detection.nms.view import METHODS, OVERFEAT, Params, Result, draw

pytestmark = pytest.mark.benchmark

MOVES = 60
LIMIT_MS = 33.0


def spent_ms(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


@pytest.mark.parametrize("method", METHODS)
def test_a_drag(method: str) -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 300, (150, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(40, 200, (150, 2))], 1).astype(np.float32)
    scores = np.sort(rng.uniform(0.05, 1, 150).astype(np.float32))[::-1].copy()
    candidates = made(boxes, scores, tuple("abc"[i % 3] for i in range(150)), 150)
    result = Result(Picture(np.zeros((480, 640, 3), np.uint8)), {DETECTIONS: candidates})
    params = Params(method=method, most=150)
    first = spent_ms(lambda: draw(result, params))
    tensors = [torch.from_numpy(values) for values in (boxes, scores, candidates.groups)]
    steps, thresholds, own = [], [], []
    name = "limit" if method == OVERFEAT else "threshold"
    for move in range(MOVES):
        at = replace(params, step=2 * move)
        steps.append(spent_ms(lambda at=at: draw(result, at)))
        at = replace(params, **{name: 0.2 + 0.01 * move})
        thresholds.append(spent_ms(lambda at=at: draw(result, at)))
        own.append(spent_ms(lambda move=move: batched_nms(*tensors, 0.2 + 0.01 * move)))
    step, threshold = statistics.median(steps), statistics.median(thresholds)
    print(
        f"\n{method}: a step {step:.1f} ms, {name} {threshold:.1f} ms, the first draw {first:.1f} "
        f"ms; torchvision batched_nms {statistics.median(own):.2f} ms"
    )
    assert max(step, threshold) <= LIMIT_MS
