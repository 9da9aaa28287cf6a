"""The mask branch run to its end gives the network's own masks, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models.detection import maskrcnn_resnet50_fpn, maskrcnn_resnet50_fpn_v2

from explorer.core.errors import ExplorerError
from explorer.engine.scene import Scene
from explorer.engine.stages import mask_branch_of, trace_of
from explorer.networks.embedded.lite_masks import lite_maskrcnn
from explorer.vision.trace import TwoStage
from explorer.vision.trace.mask_branch import branch_layers, own_masks
from tests.toys import hook_count, make_network, tiny_mask_rcnn, toy_image, toy_network

SMALL: dict[str, Any] = {
    "weights": None, "weights_backbone": None, "num_classes": 4, "min_size": 96, "max_size": 128,
    "box_score_thresh": 0.0, "box_detections_per_img": 4, "rpn_post_nms_top_n_test": 20,
}  # fmt: skip


def seeded(build: Any, *args: Any, **options: Any) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module: nn.Module = build(*args, **options)
    return module.eval()


BUILDERS = {
    "toy": tiny_mask_rcnn,
    "shipped": lambda: seeded(lite_maskrcnn, 4, most=6, score=0.0, short_side=64, long_side=96),
    "torchvision": lambda: seeded(maskrcnn_resnet50_fpn, **SMALL),
    "torchvision 2": lambda: seeded(maskrcnn_resnet50_fpn_v2, **SMALL),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_the_branch_ends_in_the_networks_own_masks(name: str) -> None:
    module = BUILDERS[name]()
    scene = Scene(
        make_network(module, "detection", classes=("b", "x", "y", "z")), toy_image(60, 80)
    )
    branch = mask_branch_of(scene)
    with torch.no_grad():
        (own,) = module([scene.input()[0]])
    assert len(own["masks"]) > 1
    assert torch.equal(own_masks(branch, (60, 80)), own["masks"])
    trace = trace_of(scene)
    assert isinstance(trace, TwoStage)
    assert trace.roi.masks is not None
    assert torch.equal(branch.logits, trace.roi.masks)
    assert torch.equal(branch.placed, own["boxes"])
    assert branch.class_agnostic == (name == "shipped")
    assert hook_count(module) == 0


def test_every_stage_feeds_the_next() -> None:
    module: Any = tiny_mask_rcnn()
    scene = Scene(make_network(module, "detection"), toy_image())
    stages = list(mask_branch_of(scene).stages.values())
    heads = module.roi_heads
    layers = [*heads.mask_head, *list(heads.mask_predictor)[:2]]
    with torch.no_grad():
        for layer, before, after in zip(layers, stages, stages[1:], strict=False):
            assert torch.equal(layer(before.clone()), after)
        last = heads.mask_predictor.mask_fcn_logits(stages[-2])
    assert torch.equal(last, stages[-1])


def test_a_network_without_masks_has_no_branch() -> None:
    network = toy_network("detection")
    assert branch_layers(network.info.layer_names()) == ()
    with pytest.raises(ExplorerError, match="no mask branch"):
        mask_branch_of(Scene(network, toy_image()))
