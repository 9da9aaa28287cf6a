"""Every method on the networks that people use, shipped and torchvision's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.core.network_info import NetworkSpec
from explorer.engine.engine import Engine
from explorer.engine.scene import Scene
from explorer.views.inside.attribution.params import LRP, MASKED, PLUS_PLUS, Params, methods_of
from explorer.views.inside.attribution.view import VIEW
from tests.steps import finish
from tests.toys import hook_count, toy_image

SHIPPED = (
    "efficientnet-lite0", "mini-resnet", "mini-vgg", "lite-fasterrcnn", "lite-maskrcnn",
    "lite-keypointrcnn", "lite-retinanet", "lite-ssd", "lite-yolo-v1", "lite-yolo-v2", "lite-fcn",
    "lite-deeplab", "lite-pspnet", "lite-frrn", "lite-pose",
)  # fmt: skip
TORCHVISION = (
    "alexnet", "vgg16", "googlenet", "inception_v3", "resnet50", "mobilenet_v3_large",
    "convnext_tiny", "efficientnet_b0", "vit_b_16", "fasterrcnn_mobilenet_v3_large_320_fpn",
    "ssdlite320_mobilenet_v3_large", "lraspp_mobilenet_v3_large",
)  # fmt: skip
WITHOUT_LRP = {"vit_b_16": "attention"}
ZERO = {"lite-yolo-v2": {PLUS_PLUS}}
"""Its last maps are negative where the box is: weights that are positive give nothing."""
FEW = {"patch": 60, "stride": 50, "masks": 8, "steps": 2, "samples": 2, "most": 4}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SHIPPED, *TORCHVISION])
def test_every_method_has_a_map_or_a_sentence(name: str) -> None:
    weights = "" if name in SHIPPED else "none"
    network, _ = finish(Engine().network(NetworkSpec(name, weights=weights, device="cpu")))
    if name == "vit_b_16":  # as made, its last layer is 0 and nothing depends on the photo
        torch.nn.init.normal_(network.module.heads.head.weight, std=0.02)
    if network.info.task == "detection":
        for holder in (network.module, getattr(network.module, "roi_heads", None)):
            if hasattr(holder, "score_thresh"):
                holder.score_thresh = 0.0  # there is nothing on the photo to be found
    params = Params(**FEW, methods=methods_of(network.info))
    *_, step = VIEW.compute(Scene(network, toy_image(240, 320), 3), params)
    assert step.value.subject.name
    for found in step.value.maps:
        if found.failed:
            assert found.method == LRP
            assert WITHOUT_LRP[name] in found.note
            continue
        assert found.values is not None, found.method
        assert np.isfinite(found.values).all(), found.method
        if not found.values.any():
            # The output of random weights hardly depends on the photo.
            allowed = ZERO.get(name, set()) | (set() if weights == "" else MASKED)
            assert found.method in allowed, found.method
            assert "zero everywhere" in found.note
    assert VIEW.draw(step.value, params).summary
    assert hook_count(network.module) == 0
