"""How fast the RoI view follows a nudge: compute and draw, the features remembered.

Run it by name: ``pytest tests/benchmarks/bench_microscope.py -s``. Our whole move (level, the
network's own head, four ways of pooling, 641 shifted boxes, layers, tables) and torchvision's
`roi_align` and `roi_pool` of the same boxes on the same map take turns in one run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torchvision.models.detection import fasterrcnn_resnet50_fpn
from torchvision.ops import roi_align, roi_pool

from explorer.core.params import Box
from explorer.engine.scene import Scene
from explorer.engine.stages import trace_of
from explorer.views.detection.roi_microscope.view import VIEW, Params
from explorer.vision.trace import TwoStage
from tests.toys import make_network, toy_image

pytestmark = pytest.mark.benchmark

MOVES = 60
LIMIT_MS = 33.0


def spent_ms(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


@pytest.mark.parametrize("where", ["head", "layer"])
def test_a_nudge(where: str) -> None:
    """Faster R-CNN with a ResNet-50 and a pyramid of 256 channels, photo of 640 x 480."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None, min_size=480)
    scene = Scene(make_network(module, "detection"), toy_image(480, 640))
    trace = trace_of(scene)
    assert isinstance(trace, TwoStage)
    features = trace.pyramid.features["1" if where == "head" else "0"]
    scale = 1 / 8 if where == "head" else 1 / 4
    layer = "" if where == "head" else "backbone.fpn.layer_blocks.0"
    params = Params(layer=layer)

    def move() -> None:
        (step,) = VIEW.compute(scene, params)
        VIEW.draw(step.value, params)

    ours, align, pool = [], [], []
    for number in range(MOVES):
        x = 100 + 0.25 * number
        params = replace(params, box=Box(x, 80.5, x + 230.0, 290.25))
        ours.append(spent_ms(move))
        rois = torch.tensor([[0, x, 80.5, x + 230.0, 290.25]])
        align.append(spent_ms(lambda rois=rois: roi_align(features, rois, 7, scale, 2)))
        pool.append(spent_ms(lambda rois=rois: roi_pool(features, rois, 7, scale)))
    ours, align, pool = ours[1:], align[1:], pool[1:]  # the first one remembers the features
    mine = statistics.median(ours)
    print(
        f"\n{where}: a nudge {mine:.1f} ms (least {min(ours):.1f}); torchvision roi_align "
        f"{statistics.median(align):.2f}, roi_pool {statistics.median(pool):.2f} ms"
    )
    assert mine <= LIMIT_MS
