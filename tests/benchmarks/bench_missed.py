"""How long the answer of `why_missed` takes, against the trace that it is about.

Run it by name: ``pytest tests/benchmarks/bench_missed.py -s``. Trace, first answer (the stage) and
whole answer (the limit, proved) take turns on one thread, so that processor time is what counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from explorer.core.network_info import NetworkSpec
from explorer.engine.engine import Engine
from explorer.engine.scene import Scene
from explorer.engine.stages import trace_of
from explorer.images.samples import sample
from explorer.networks.network import Network
from explorer.views.detection.why_missed.view import VIEW, Params
from tests.benchmarks.bench_trace import detector
from tests.steps import finish
from tests.toys import make_network

pytestmark = pytest.mark.benchmark

ROUNDS = 5
FIRST, WHOLE = 1.0, 8.0
"""Times the trace, at most; the shipped detector's takes a tenth of a second.

Random weights give all boxes about the same score: every limit is tried, which takes longest.
"""

SHIPPED = ("lite-fasterrcnn", "lite-maskrcnn", "lite-retinanet")
PUBLISHED = ("fasterrcnn_resnet50_fpn", "retinanet_resnet50_fpn", "ssdlite320_mobilenet_v3_large")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network_of(name: str) -> Network:
    if name in SHIPPED:
        return finish(Engine().network(NetworkSpec(name, device="cpu")))[0]
    classes = ("__background__", *(f"class {number}" for number in range(1, 91)))
    return make_network(detector(name), "detection", classes=classes, name=name)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", [*SHIPPED, *PUBLISHED])
def test_the_answer_is_quick_beside_the_trace(name: str) -> None:
    network, found = network_of(name), sample("motorcycle")
    assert found is not None
    image = found.load()
    firsts, wholes = [], []
    for _ in range(ROUNDS):
        scene = Scene(network, image)
        began = time.process_time()
        trace: Any = trace_of(scene)
        traced = time.process_time()
        least = float(np.clip(trace.filter.nms.scores.max().item() + 0.05, 0.5, 1.0))
        steps = VIEW.compute(scene, Params(score=least))
        next(steps)
        first = time.process_time()
        for _ in steps:
            pass
        whole = time.process_time()
        firsts.append((first - traced) / (traced - began))
        wholes.append((whole - traced) / (traced - began))
    ratio, all_of_it = statistics.median(firsts), statistics.median(wholes)
    print(
        f"\n{name}: trace {traced - began:.2f} s, the stage {ratio:.2f} x trace, "
        f"the limit {all_of_it:.2f} x trace"
    )
    assert ratio <= FIRST
    assert all_of_it <= WHOLE
