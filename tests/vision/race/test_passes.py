"""Whole passes: seconds in stages, the output the network's own, the warm-up not counted."""

from __future__ import annotations

import pytest
import torch

from explorer.vision.race.clock import PATIENCE, RUNS, Runs
from explorer.vision.race.passes import PREPROCESS, Passes
from tests.toys import hook_count, toy_image, toy_network, toy_yolo_network

PIXELS = toy_image(48, 64).pixels


@pytest.mark.parametrize("task", ["classification", "detection", "segmentation", "yolo"])
def test_stages_add_up_and_the_output_is_the_networks(task: str) -> None:
    network = toy_yolo_network() if task == "yolo" else toy_network(task)
    passes = Passes(network, PIXELS)
    count = 0
    while not passes.enough:
        passes.once()
        count += 1
    assert count == RUNS + 1, "one run warms up"
    assert len(passes.seconds) == RUNS
    assert sum(passes.stages.values()) == pytest.approx(passes.seconds[RUNS // 2])
    detects = {
        "detection": {"proposals", "resize", "pooling", "head", "suppression"},
        "yolo": {"resize", "head", "suppression"},
    }
    assert set(passes.stages) == {PREPROCESS, "network"} | detects.get(task, set())
    assert hook_count(network.module) == 0
    values = network.preprocess(PIXELS)
    with torch.no_grad():
        own = network.module(values if network.preprocess.batched else [values[0]])
    if task == "classification":
        assert torch.equal(passes.output, own)
    elif task == "detection":
        assert torch.equal(passes.output[0]["boxes"], own[0]["boxes"])


def test_the_median_of_runs_counts_and_slow_ones_are_few() -> None:
    runs: Runs[str] = Runs()
    for seconds, name in ((3.0, "c"), (1.0, "a"), (2.0, "b")):
        assert not runs.enough
        runs.add(seconds, name)
    assert (runs.median, runs.seconds) == ("b", (1.0, 2.0, 3.0))
    assert not runs.enough
    slow: Runs[str] = Runs()
    for _ in range(3):
        slow.add(PATIENCE / 2, "slow")
    assert slow.enough
