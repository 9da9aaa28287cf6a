"""A step of the dream against the bare forward and backward that it is made of."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.models import get_model

from explorer.core.params import resolved
from explorer.engine.scene import Scene
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from explorer.views.synthesis.deep_dream import VIEW, Params
from tests.toys import make_network, toy_image

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZE = 512
ROUNDS = 9


def network(name: str, layer: str) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = get_model(name, weights=None, init_weights=False, aux_logits=False)
    preprocess = Preprocess(resize=256, crop=224, mean=MEAN, std=STD)
    return make_network(module, "classification", preprocess=preprocess, default_layer=layer)


def truncated(module: torch.nn.Module, layer: str) -> Callable[[Tensor], Tensor]:
    """GoogLeNet up to `layer`, as one would write it by hand: no hooks, nothing behind it."""
    parts = []
    for name, child in module.named_children():
        parts.append(child)
        if name == layer:
            break
    return torch.nn.Sequential(*parts)


def bare_loop(run: Callable[[Tensor], Tensor]) -> None:
    picture = torch.rand(1, 3, SIZE, SIZE, requires_grad=True)
    height = run((picture - 0.45) / 0.225).square().mean()
    torch.autograd.grad(height, picture)


@pytest.mark.benchmark
@pytest.mark.timeout(600)
def test_a_step_costs_what_its_forward_and_backward_cost() -> None:
    """Goal: at most 1.05 x, preview and steering included; interleaved, median of the ratios."""
    layer = "inception4c"
    net = network("googlenet", layer)
    run = truncated(net.module, layer)
    scene = Scene(net, toy_image(SIZE, SIZE))
    params = resolved(Params(size=SIZE, octaves=1, steps=200), net.info)
    dream = VIEW.compute(scene, params)
    next(dream)
    bare_loop(run)
    ratios = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        bare_loop(run)
        between = time.perf_counter()
        dream.send(params)
        ratios.append((time.perf_counter() - between) / (between - began))
    dream.close()
    ratio = statistics.median(ratios)
    print(f"dream step / bare forward + backward: {ratio:.3f} (of {sorted(ratios)})")
    assert ratio <= 1.05
