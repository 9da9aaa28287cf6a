"""Live detection through ONNX Runtime against torch: the bare loop, and our folded form.

All three are called in turns on the same frames, preprocessing, anchors, heads on regions and
non-maximum suppression included. What is measured is what `Runtimes` would choose from; the choice
itself is not asked for.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from explorer.core.network_info import NetworkSpec
from explorer.images.sources import gallery
from explorer.live.moving import MovingScene
from explorer.networks import catalog
from explorer.networks.embedded.lite_single_stage import lite_ssd
from explorer.networks.fast import choosing
from explorer.networks.fast.choosing import ROUNDS, Runtimes
from explorer.networks.fast.differences import difference
from explorer.networks.fast.folding import fast
from explorer.networks.onnx import packages
from tests.steps import finish

if TYPE_CHECKING:
    from explorer.networks.network import Network

pytestmark = pytest.mark.benchmark

FRAMES = 8
TURNS = 5
LEAST = {"lite-ssd": 1.8, "lite-fasterrcnn": 1.4, "lite-retinanet": 1.4, "lite-yolo-v2": 1.4}
"""Times the bare loop."""

MOST_SCORES, MOST_PIXELS = 1e-3, 0.1


@pytest.fixture(autouse=True)
def as_the_program_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(packages, "has_runtime", lambda: True)
    monkeypatch.setattr(
        choosing.Decision, "faster", property(lambda decision: decision.torch_seconds > 0)
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def network(name: str) -> Network:
    if name != "lite-ssd":
        return finish(catalog.load(NetworkSpec(name, device="cpu")))[0]
    # Its weights are random as long as none are shipped: the time of its layers is the same.
    made = finish(catalog.load(NetworkSpec("lite-retinanet", device="cpu")))[0]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = lite_ssd(len(made.info.classes)).eval().requires_grad_(requires_grad=False)
    return replace(made, module=module)


@torch.no_grad()
def seconds(one: Network, frames: list[Any]) -> list[float]:
    times = []
    for pixels in frames:
        began = time.perf_counter()
        one.module(list(one.preprocess(pixels)))
        times.append(time.perf_counter() - began)
    return times


@pytest.mark.parametrize("name", LEAST)
@torch.no_grad()
def test_live_detection_in_onnx_runtime(name: str) -> None:
    photo = next(sample for sample in gallery() if sample.name == "motorcycle").load().pixels
    scene = MovingScene(photo, rate=10.0)
    frames = [scene.frame(number) for number in range(FRAMES)]
    bare = network(name)
    quick = fast(bare)
    runtimes = Runtimes(quick)
    runtimes.form(quick, frames[0], 1.0)
    runtimes.wait()
    for _ in range(ROUNDS):
        one = runtimes.form(quick, frames[0], 1.0)
        one.module(list(one.preprocess(frames[0])))
    other = runtimes.form(quick, frames[0], 1.0)
    runtimes.wait()
    assert runtimes.report is not None
    assert runtimes.report.faster, runtimes.report
    apart = [
        difference(*(one.module(list(one.preprocess(frame))) for one in (bare, other)))
        for frame in frames
    ]
    forms = {"bare": bare, "folded": quick, "ONNX Runtime": other}
    times: dict[str, list[float]] = {form: [] for form in forms}
    ratios: dict[str, list[float]] = {"bare": [], "folded": []}
    for _ in range(TURNS):
        turn = {}
        for form, one in forms.items():
            seconds(one, frames[:2])  # what the one before has left in the caches
            turn[form] = seconds(one, frames)
            times[form] += turn[form]
        for form, found in ratios.items():
            found.append(statistics.median(turn[form]) / statistics.median(turn["ONNX Runtime"]))
    scores = max(one.scores for one in apart)
    pixels = max(one.boxes or 0.0 for one in apart)
    alone = sum(one.unmatched for one in apart)
    medians = [f"{form} {1000 * statistics.median(found):.1f} ms" for form, found in times.items()]
    print(f"\n{name}: {', '.join(medians)}")
    print(
        f"{name}: {statistics.median(ratios['bare']):.2f} x the bare loop, "
        f"{statistics.median(ratios['folded']):.2f} x the folded form; scores differ by "
        f"{scores:.1e}, boxes by {pixels:.1e} pixels, {alone} without a counterpart"
    )
    assert statistics.median(ratios["bare"]) >= LEAST[name]
    if name != "lite-ssd":  # equal scores everywhere: which boxes are left is chance
        assert scores <= MOST_SCORES
        assert pixels <= MOST_PIXELS
        assert not alone
