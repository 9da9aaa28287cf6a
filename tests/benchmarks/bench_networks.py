"""Networks that ship: how soon they are loaded, and their speed beside torchvision's SSDlite."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torchvision.models.detection import ssdlite320_mobilenet_v3_large

from explorer.core.network_info import NetworkSpec
from explorer.core.resources import resource_path
from explorer.networks import catalog
from explorer.networks.fast.folding import fast
from tests.steps import finish

if TYPE_CHECKING:
    from explorer.networks.network import Network

pytestmark = pytest.mark.benchmark

CARDS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(resource_path("weights").glob("*.json"))
}
DETECTORS = [name for name, card in CARDS.items() if card["task"] == "detection"]

LOAD_SECONDS = 0.5
FASTEST, FASTER_RCNN = 0.7, 1.2
"""Of SSDlite's time, folded as for live: at most this for YOLO v1, and for Faster R-CNN."""

ROUNDS = 40


def load(name: str) -> Network:
    return finish(catalog.load(NetworkSpec(name, device="cpu")))[0]


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", CARDS)
def test_loading(name: str) -> None:
    load(name)  # imports
    times = []
    for _ in range(3):
        began = time.process_time()
        load(name)
        times.append(time.process_time() - began)
    print(f"\n{name}: {min(times):.2f} s of the processor")
    assert min(times) < LOAD_SECONDS


@pytest.mark.timeout(600)
@torch.inference_mode()
def test_speed_beside_ssdlite(two_threads: None) -> None:
    """A 320x320 frame, all in turns; the fast form is what live pictures use."""
    networks: dict[str, nn.Module] = {
        "ssdlite320": ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None).eval()
    }
    for name in DETECTORS:
        network = load(name)
        networks[name] = network.module
        networks[f"{name}, fast"] = fast(network).module
    times: dict[str, list[float]] = {name: [] for name in networks}
    frame = torch.rand(3, 320, 320, generator=torch.Generator().manual_seed(0))
    for turn in range(ROUNDS + 3):
        for name, module in networks.items():
            spent = _seconds(module, [frame])
            if turn >= 3:
                times[name].append(spent)
    reference = min(times["ssdlite320"])
    print()
    for name, spent in times.items():
        least, middle = min(spent), statistics.median(spent)
        print(f"{name:30} least {1000 * least:6.1f} ms  middle {1000 * middle:6.1f} ms  ", end="")
        print(f"ratio {least / reference:.2f}")
    ratios = {name: min(times[name]) / reference for name in networks}
    assert ratios["lite-yolo-v1, fast"] <= FASTEST
    assert ratios["lite-fasterrcnn, fast"] <= FASTER_RCNN


def _seconds(module: nn.Module, images: list[Any]) -> float:
    began = time.perf_counter()
    module(images)
    return time.perf_counter() - began
