"""Convolution arithmetic and receptive fields of well-known networks of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import get_model
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn

from explorer.core.network_info import Task
from explorer.core.params import Point, resolved
from explorer.engine.scene import Scene
from explorer.networks.embedded import ARCHITECTURES
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from explorer.views.inside.conv_arithmetic.params import layers_of
from explorer.views.inside.conv_arithmetic.view import VIEW as ARITHMETIC
from explorer.views.inside.receptive_field.view import VIEW as FIELDS
from tests.toys import hook_count, make_network, toy_image


def _zoo(name: str, **options: Any) -> Callable[[], nn.Module]:
    return lambda: get_model(name, weights=None, **options)


def _gray() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3),
    )  # fmt: skip


def _detector() -> nn.Module:
    return fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=4, min_size=96, max_size=128
    )


CLASSIFIERS: dict[str, Callable[[], nn.Module]] = {
    "alexnet": _zoo("alexnet"), "vgg16": _zoo("vgg16"),
    "googlenet": _zoo("googlenet", init_weights=False),
    "inception_v3": _zoo("inception_v3", init_weights=False), "resnet50": _zoo("resnet50"),
    "mobilenet_v3_small": _zoo("mobilenet_v3_small"), "convnext_tiny": _zoo("convnext_tiny"),
    "efficientnet_b0": _zoo("efficientnet_b0"), "vit_b_16": _zoo("vit_b_16"),
    "mini_resnet": lambda: ARCHITECTURES["mini_resnet"](10),
    "mini_vgg": lambda: ARCHITECTURES["mini_vgg"](10),
    "efficientnet_lite0": lambda: ARCHITECTURES["efficientnet_lite0"](10),
}  # fmt: skip
OTHERS: dict[str, tuple[Task, Callable[[], nn.Module]]] = {
    "gray": ("classification", _gray),
    "detector": ("detection", _detector),
    "lite_ssd": ("detection", lambda: ARCHITECTURES["lite_ssd"](4)),
    "lite_deeplab": ("segmentation", lambda: ARCHITECTURES["lite_deeplab"](4)),
    "fcn_resnet50": ("segmentation", _zoo("fcn_resnet50", weights_backbone=None)),
}
LIGHT = frozenset(
    {"mobilenet_v3_small", "mini_resnet", "efficientnet_lite0", "gray", "lite_deeplab"}
)
CASES = [
    pytest.param(name, marks=[] if name in LIGHT else [pytest.mark.slow])
    for name in (*CLASSIFIERS, *OTHERS)
]


def network(name: str) -> Network:
    """Random weights, with inputs as small as the architecture allows."""
    task, make = OTHERS.get(name) or ("classification", CLASSIFIERS[name])
    side = {"vit_b_16": 224, "inception_v3": 128, "alexnet": 96}.get(name, 64)
    preprocess = Preprocess(
        resize=side, crop=side if task == "classification" else None,
        channels=1 if name == "gray" else 3, batched=task != "detection",
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make_network(make(), task, preprocess=preprocess, name=name)


@pytest.mark.parametrize("name", CASES)
def test_the_sums_of_some_layers_are_their_outputs(name: str) -> None:
    net = network(name)
    scene = Scene(net, toy_image(60, 80))
    layers = layers_of(net.info)
    tried = dict.fromkeys([*layers[:4], *layers[len(layers) // 2 :][:3], *layers[-3:]])
    if name in ("detector", "lite_ssd"):  # random weights may leave no box for the last layers
        tried = dict.fromkeys(layers[:6])
    random = np.random.default_rng(0)
    for layer in tried:
        anywhere = Point(*(random.random(2) * [80, 60]).tolist())
        for cell in ({}, {"place": anywhere, "channel": int(random.integers(4))}):
            params = resolved(ARITHMETIC.Params(layer=layer, **cell), net.info)
            (step,) = ARITHMETIC.compute(scene, params)
            assert ARITHMETIC.data is not None
            answer = ARITHMETIC.data(step.value, params)
            near = 1e-5 * max(1.0, abs(step.value.layer.found.values).max())
            assert abs(answer["total"] - answer["output"]) <= near, layer
            assert ARITHMETIC.draw(step.value, params).panes
    assert hook_count(net.module) == 0


@pytest.mark.parametrize("name", CASES)
def test_fields_grow_and_are_drawn(name: str) -> None:
    net = network(name)
    params = resolved(FIELDS.Params(), net.info)
    *_, step = FIELDS.compute(Scene(net, toy_image(60, 80)), params)
    board = FIELDS.draw(step.value, params)
    assert not board.notes, "every operation was followed"
    widths = [step.value.fields[layer].size[0] for layer in step.value.shown]
    assert widths
    assert widths[0] <= max(widths)
    assert board.pane("layers").layers
    assert hook_count(net.module) == 0
