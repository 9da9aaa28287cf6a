"""A trace that keeps every stage against the plain forward of the same detector."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models import get_model

from explorer.networks.embedded import lite_fasterrcnn
from explorer.vision.trace import TwoStage, traced

ROUNDS = 20
GOAL = 1.10


def detector(name: str) -> nn.Module:
    """Random weights; the score floor is lowered so that the filters have work to do."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if name == "lite-fasterrcnn":
            module = lite_fasterrcnn(81)
            module.roi_heads.score_thresh = 0.02
            return module.eval()
        small = {} if name.startswith("ssd") else {"min_size": 320, "max_size": 480}
        module = get_model(name, weights=None, weights_backbone=None, **small)
    return module.eval()


def seconds(work: Callable[[], Any]) -> float:
    """Of the processor, on one thread: what else the machine does must not decide the ratio."""
    began = time.process_time()
    work()
    return time.process_time() - began


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.benchmark
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "name",
    [
        "lite-fasterrcnn", "fasterrcnn_mobilenet_v3_large_320_fpn", "fasterrcnn_resnet50_fpn",
        "retinanet_resnet50_fpn", "fcos_resnet50_fpn", "ssdlite320_mobilenet_v3_large",
    ],
)  # fmt: skip
@torch.no_grad()
def test_keeping_every_stage_costs_next_to_nothing(name: str) -> None:
    """Goal: at most 1.10 x the plain forward; interleaved in turns, best of each."""
    module = detector(name)
    image = torch.rand(3, 320, 426, generator=torch.Generator().manual_seed(0))
    plain, kept = [], []
    for turn in range(ROUNDS):
        if turn % 2:
            plain.append(seconds(lambda: module([image])))
        kept.append(seconds(lambda: traced(module, image)))
        if not turn % 2:
            plain.append(seconds(lambda: module([image])))
    trace = traced(module, image)
    asked = seconds(lambda: trace.filter.nms.suppressors)
    proposals = 0.0
    if isinstance(trace, TwoStage):
        rpn = trace.rpn
        proposals = seconds(lambda: rpn.filter.nms.suppressors)
    ratio = min(kept) / min(plain)
    print(
        f"\n{name}: plain {min(plain) * 1e3:.1f} ms, traced {min(kept) * 1e3:.1f} ms, "
        f"ratio {ratio:.3f}; suppressors on demand {asked * 1e3:.1f} + {proposals * 1e3:.1f} ms"
    )
    assert ratio <= GOAL
