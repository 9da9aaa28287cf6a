"""Every lane gives what its network gives when it is called by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator

from explorer.networks.embedded import lite_yolo_v1
from explorer.networks.network import Network
from explorer.vision.pipelines import rcnn, sppnet
from explorer.vision.race import lanes
from explorer.vision.race.clock import Clock
from explorer.vision.race.lanes import Lane, WarpedRegions
from tests.toys import (
    hook_count,
    make_network,
    tiny_faster_rcnn,
    tiny_mask_rcnn,
    toy_image,
)
from tests.vision.pipelines.test_rcnn import parts

if TYPE_CHECKING:
    from collections.abc import Callable

PIXELS = toy_image(96, 128).pixels
BOXES = np.array(
    [[0, 0, 128, 96], [10, 5, 60, 55], [70, 3, 90, 40], [30, 20, 100, 90], [5, 50, 40, 95]],
    np.float32,
)


def pair() -> Network:
    return make_network(tiny_faster_rcnn(), "detection")


def single(kind: str) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        if kind == "yolo":
            return make_network(lite_yolo_v1(4, side=64), "detection")
        anchors = AnchorGenerator(((16, 32),), ((0.5, 1.0, 2.0),))
        backbone = tiny_faster_rcnn().backbone
        module = RetinaNet(backbone, 3, min_size=64, max_size=96, anchor_generator=anchors)
        module.score_thresh = 0.0
        return make_network(module, "detection")


def own_answer(network: Network) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        (found,) = network.module([network.preprocess(PIXELS)[0]])
    return found


def test_seconds_are_fixed_and_per_proposal() -> None:
    lane = Lane({"network": 2.0, "head": 1.0}, {"head": 0.5, "pooling": 0.25})
    assert lane.stages(4) == {"network": 2.0, "head": 3.0, "pooling": 1.0}
    assert lane.seconds(4) == 6.0
    assert lane.seconds(0) == 3.0


def test_faster_rcnn_is_the_networks_own_answer() -> None:
    network = pair()
    lane = lanes.faster_rcnn(network, PIXELS)
    found, own = lane.found, own_answer(network)
    assert found is not None
    assert len(found) > 0
    assert torch.equal(torch.from_numpy(found.scores), own["scores"])
    assert torch.equal(torch.from_numpy(found.xyxy), own["boxes"])
    assert set(lane.fixed) == {
        "resize", "network", "proposals", "pooling", "head", "suppression",
    }  # fmt: skip
    assert all(seconds > 0 for seconds in lane.fixed.values())
    assert hook_count(network.module) == 0


@pytest.mark.parametrize("kind", ["retinanet", "yolo"])
def test_a_single_shot_is_the_networks_own_answer(kind: str) -> None:
    network = single(kind)
    lane = lanes.single_stage(network, PIXELS)
    found, own = lane.found, own_answer(network)
    assert found is not None
    assert torch.equal(torch.from_numpy(found.scores), own["scores"])
    assert torch.equal(torch.from_numpy(found.xyxy), own["boxes"])
    assert set(lane.fixed) == {"resize", "network", "head", "suppression"}
    assert all(seconds > 0 for seconds in lane.fixed.values())
    assert not lanes.two_stage(network)


def test_fast_rcnn_is_the_second_stage_on_regions_from_outside() -> None:
    network = pair()
    module = network.module
    lane = lanes.fast_rcnn(network, PIXELS, BOXES)
    assert lane.candidates is not None
    with torch.no_grad():
        images, _ = module.transform([network.preprocess(PIXELS)[0]])
        height, width = images.image_sizes[0]
        scale = np.array([width / 128, height / 96] * 2, np.float32)
        features = {"0": module.backbone(images.tensors)}
        for count in (1, 3, 5):
            inside = torch.from_numpy(BOXES[:count] * scale)
            (own,), _ = module.roi_heads(features, [inside], images.image_sizes)
            found = lane.candidates.detections(count, 0.0)
            assert len(found) == len(own["scores"]) > 0
            np.testing.assert_allclose(found.scores, own["scores"], atol=1e-6)
            np.testing.assert_allclose(found.xyxy * scale, own["boxes"], atol=1e-3)
            assert np.array_equal(found.labels, own["labels"])
    assert lane.done == 5
    assert lane.seconds(5) > lane.seconds(0) > 0


def test_spp_net_is_its_steps_one_by_one() -> None:
    own = parts()
    lane = lanes.spp_net(own, PIXELS, BOXES)
    assert lane.candidates is not None
    for count in (2, 5):
        expected = sppnet.detect(own, PIXELS, BOXES[:count], score=-1.0)
        found = lane.candidates.detections(count, -1.0)
        np.testing.assert_allclose(found.xyxy, expected.xyxy, atol=1e-3)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
    assert set(lane.fixed) == {"resize", "network"}
    assert set(lane.each) == {"pooling", "head", "suppression"}


def test_rcnn_batch_by_batch_is_rcnn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "BATCH", 2)
    own = parts()
    regions = WarpedRegions(BOXES)
    assert not regions.complete
    for done in (2, 4, 5):
        regions.go_on(own, PIXELS)
        assert regions.done == done
        lane = lanes.rcnn_lane(own, regions, PIXELS.shape[:2])
        assert lane.done == done
        assert lane.candidates is not None
        expected = rcnn.detect(own, PIXELS, BOXES[:done], score=-1.0)
        found = lane.candidates.detections(done, -1.0)
        assert len(found) > 0
        np.testing.assert_allclose(found.xyxy, expected.xyxy, atol=1e-3)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
    assert regions.complete
    assert lane.each["network"] == pytest.approx(regions.seconds["network"] / 5)
    assert lane.fixed == {}


def timed(*totals: float) -> Callable[[], tuple[Clock, Clock, int]]:
    """Runs that take so many seconds; the answer is the number of the run, from 0."""
    runs = iter(enumerate(totals))

    def once() -> tuple[Clock, Clock, int]:
        number, seconds = next(runs)
        fixed, each = Clock(torch.device("cpu")), Clock(torch.device("cpu"))
        fixed.add("network", seconds - 0.25)
        each.add("head", 0.25)
        return fixed, each, number

    return once


def test_the_median_of_five_runs_counts_and_the_first_only_warms_up() -> None:
    fixed, each, answer, totals = lanes.median_run(timed(99.0, 3.0, 1.0, 2.0, 5.0, 4.0))
    assert totals == (1.0, 2.0, 3.0, 4.0, 5.0)
    assert (fixed.seconds["network"], each.seconds["head"]) == (2.75, 0.25)
    assert answer == 1, "the run of three seconds"


def test_slow_lanes_run_three_times() -> None:
    *_, totals = lanes.median_run(timed(99.0, 4.0, 5.0, 6.0, 7.0))
    assert totals == (4.0, 5.0, 6.0)


def test_the_spread_grows_with_the_seconds() -> None:
    lane = lanes.Lane({"network": 1.0}, {"head": 0.5}, 4, totals=(2.0, 3.0, 6.0))
    assert lane.spread(4) == (2.0, 6.0)
    assert lane.spread(10) == (4.0, 12.0)
    assert lanes.Lane({}, {"head": 1.0}, 4).spread(4) == ()


def test_every_layer_of_the_body_counts_for_the_network_stage() -> None:
    network = single("yolo")
    parts = lanes.single_stage_parts(network.module)
    called: set[int] = set()
    modules = [module for stage in parts.values() for module in stage]
    handles = [m.register_forward_hook(lambda m, *_: called.add(id(m))) for m in modules]
    with torch.no_grad():
        network.module([network.preprocess(PIXELS)[0]])
    for handle in handles:
        handle.remove()
    assert {id(module) for module in parts["network"]} <= called
    inside = {id(m) for part in modules for m in part.modules()}
    weighted = [m for m in network.module.modules() if isinstance(m, torch.nn.Conv2d)]
    assert {id(module) for module in weighted} <= inside


def test_the_branches_of_masks_count_for_the_head() -> None:
    module = tiny_mask_rcnn()
    parts = lanes.two_stage_parts(module)
    assert module.roi_heads.mask_head in parts["head"]
    assert module.roi_heads.mask_roi_pool in parts["pooling"]
    assert len(lanes.two_stage_parts(tiny_faster_rcnn())["head"]) == 2
