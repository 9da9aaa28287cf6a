"""Feature maps, kernels and what-if edits of many architectures, the shipped ones among them.

The large ones have random weights: what is shown depends on their structure, not on what they have
been trained for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import get_model

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec, Task
from explorer.core.params import resolved
from explorer.engine.engine import Engine
from explorer.engine.scene import Scene
from explorer.engine.view import View
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from explorer.views.inside.feature_maps.params import Params as MapsParams
from explorer.views.inside.feature_maps.view import VIEW as FEATURE_MAPS
from explorer.views.inside.kernels.view import VIEW as KERNELS
from explorer.views.inside.kernels.view import Params as KernelsParams
from explorer.views.inside.what_if.params import Params as WhatIfParams
from explorer.views.inside.what_if.view import VIEW as WHAT_IF
from tests.steps import finish
from tests.toys import hook_count, make_network, toy_image

SMALL = Preprocess(resize=(96, 96))


class Gray(nn.Module):
    """A network of the user's on one channel."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.act = nn.Hardtanh()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.pool(self.act(self.conv(x))).flatten(1))


def untrained(name: str, task: Task = "classification", size: int = 0, **rest: object) -> Network:
    """One of torchvision's; `size` where it takes inputs of one size only."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = get_model(name, weights=None, **rest)
    if task == "detection":
        return make_network(module, task, preprocess=Preprocess(longest=96, batched=False))
    preprocess = Preprocess(resize=(size, size)) if size else SMALL
    return make_network(module, task, preprocess=preprocess)


def shipped(name: str) -> Network:
    network, _ = finish(Engine().network(NetworkSpec(name, device="cpu")))
    return network


def slow(name: str, *rest: object, **more: object) -> object:
    make = lambda: untrained(name, *rest, **more)  # type: ignore[arg-type]  # noqa: E731
    return pytest.param(make, id=name, marks=pytest.mark.slow)


NO_WEIGHTS = {"weights_backbone": None}
NETWORKS = [
    pytest.param(
        lambda: make_network(Gray(), "classification", preprocess=Preprocess(channels=1)),
        id="one channel",
    ),
    slow("alexnet"),
    slow("vgg16"),
    slow("googlenet", init_weights=False),
    slow("inception_v3", size=139, init_weights=False),
    slow("resnet50"),
    slow("mobilenet_v3_small"),
    slow("mobilenet_v3_large"),
    slow("convnext_tiny"),
    slow("efficientnet_b0"),
    slow("vit_b_16", size=224),
    slow("ssdlite320_mobilenet_v3_large", "detection", **NO_WEIGHTS),
    slow("fcn_resnet50", "segmentation", **NO_WEIGHTS),
    *(
        pytest.param(lambda name=name: shipped(name), id=name, marks=pytest.mark.slow)
        for name in ("efficientnet-lite0", "lite-fasterrcnn", "lite-maskrcnn", "mini-vgg")
    ),
]


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    make: Callable[[], Network] = request.param
    return make()


def last_of(view: View[Any, Any], scene: Scene, params: Any) -> Any:
    """The result, or None where a sentence says why there is none."""
    try:
        *_, step = view.compute(scene, resolved(params, scene.network.info))
    except ExplorerError as error:
        sentences = (error.message, error.hint)
    else:
        return step.value
    assert all(words.endswith(".") for words in sentences)
    return None


def few_layers(network: Network) -> list[str]:
    """Some of all depths and kinds, the default one, the first and the last among them."""
    names = network.info.layer_names()
    step = max(1, len(names) // 6)
    return list(dict.fromkeys(["", names[0], *names[::step], names[-1]]))


def test_feature_maps(network: Network) -> None:
    scene = Scene(network, toy_image(96, 128))
    shown = 0
    for layer in few_layers(network):
        for sort, show in (("class weight", "maps"), ("similarity", "histograms")):
            params = MapsParams(
                layer=layer, sort=sort, show=show, pinned=("0",), change="knock out",
                colors=True, field=layer == "",
            )  # fmt: skip
            result = last_of(FEATURE_MAPS, scene, params)
            if result is not None:
                board = FEATURE_MAPS.draw(result, params)
                assert [table.name for table in board.tables] == ["change", "channels"]
                shown += 1
        assert hook_count(network.module) == 0
    assert shown >= 6


def test_kernels(network: Network) -> None:
    scene = Scene(network, toy_image(96, 128))
    convolutions = network.info.layer_names("Conv2d")
    for layer in dict.fromkeys((convolutions[0], convolutions[-1])):
        result = last_of(KERNELS, scene, KernelsParams(layer=layer))
        if result is not None:
            conv = network.module.get_submodule(layer)
            assert len(result.layer.kernels.weights) == conv.out_channels
            assert KERNELS.draw(result, KernelsParams(layer=layer)).panes[0].name == "kernels"
    assert hook_count(network.module) == 0


def test_what_if(network: Network) -> None:
    scene = Scene(network, toy_image(96, 128))
    result = last_of(WHAT_IF, scene, WhatIfParams())
    board = WHAT_IF.draw(result, resolved(WhatIfParams(), network.info))
    assert result.edit.area.any()
    assert board.summary
    assert board.tables[0].name == "change"
    assert {"image", "edited"} <= {pane.name for pane in board.panes}
    with torch.no_grad():
        again = scene.call(network.preprocess(result.edit.pixels))
    if network.info.task == "classification":
        tensor = again if isinstance(again, torch.Tensor) else again[0]
        np.testing.assert_allclose(result.after.logits, tensor[0].numpy(), atol=1e-4)
    assert hook_count(network.module) == 0
