"""Every detector that torchvision can build goes through the view, and the boxes are its own."""

from __future__ import annotations

import pytest
import torch
from torchvision.models import detection as zoo
from torchvision.models import get_model, list_models

from explorer.core.params import resolved
from explorer.engine.scene import Scene
from explorer.networks.network import Network
from explorer.views.inside.feature_maps import view as feature_maps
from explorer.views.predictions.detections import VIEW as DETECTIONS
from explorer.views.shared.detection_params import DetectionParams
from explorer.views.synthesis import deep_dream
from tests.marks import by_hand
from tests.toys import hook_count, make_network, toy_image

NAMES = list_models(module=zoo)
HEAVY = (
    "fasterrcnn_resnet50_fpn_v2", "keypointrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2",
    "retinanet_resnet50_fpn_v2", "ssd300_vgg16",
)  # fmt: skip
"""Much like one that is smaller, or quicker."""

DETECTORS = [*(name for name in NAMES if name not in HEAVY), *by_hand(*HEAVY)]
CLASSES = ("__background__", "cat", "dog", "person")


def lower_thresholds(module: torch.nn.Module) -> None:
    """Random weights are sure of nothing: without a floor there is something to compare."""
    for holder in (module, getattr(module, "roi_heads", None)):
        if hasattr(holder, "score_thresh"):
            holder.score_thresh = 0.0
        if hasattr(holder, "detections_per_img"):
            holder.detections_per_img = 10


def network(name: str) -> Network:
    """Random weights, with inputs as small as the architecture allows."""
    small = {} if name.startswith("ssd") else {"min_size": 64, "max_size": 96}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = get_model(name, weights=None, weights_backbone=None, num_classes=4, **small)
    lower_thresholds(module)
    return make_network(module, "detection", classes=CLASSES, name=name)


@pytest.mark.parametrize("name", DETECTORS)
def test_detections_are_the_networks_own(name: str) -> None:
    scene = Scene(network(name), toy_image(60, 80))
    params = DetectionParams(score=0.0)
    (step,) = DETECTIONS.compute(scene, params)
    with torch.no_grad():
        (own,) = scene.call(scene.input())
    found = step.value.found
    assert len(found) > 0, "nothing to compare"
    for ours, theirs in ((found.xyxy, "boxes"), (found.labels, "labels"), (found.scores, "scores")):
        assert torch.equal(torch.from_numpy(ours), own[theirs]), theirs
    assert (found.masks is not None) == ("masks" in own)
    if found.keypoints is not None:
        assert torch.equal(torch.from_numpy(found.keypoints), own["keypoints"])
    board = DETECTIONS.draw(step.value, params)
    assert len(board.tables[0].rows) == len(found)
    assert hook_count(scene.network.module) == 0


@pytest.mark.parametrize(
    "name", ["fasterrcnn_mobilenet_v3_large_320_fpn", "ssdlite320_mobilenet_v3_large"]
)
def test_inner_layers_and_backbones_are_at_hand(name: str) -> None:
    scene = Scene(network(name), toy_image(60, 80))
    params = resolved(feature_maps.Params(), scene.network.info)
    *_, step = feature_maps.VIEW.compute(scene, params)
    assert step.value.answer.values.size > 0
    params = resolved(deep_dream.Params(size=64), scene.network.info)
    dream = deep_dream.VIEW.compute(scene, params)
    assert next(dream).value.title.startswith("backbone.")
    dream.close()


def test_the_list_is_not_empty() -> None:
    assert len(NAMES) >= 12
