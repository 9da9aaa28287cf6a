"""A step of a synthesis against the loop that one would write by hand, and against torch-lucent.

The interpreter of an environment with torch-lucent is named by LUCENT_PYTHON; without it that part
is skipped. Lucent runs on no recent kornia, so it is never one of our own dependencies.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import pytest
import torch
from torchvision.models import get_model

from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from explorer.vision.synthesis import objectives
from explorer.vision.synthesis.images import Pixels
from explorer.vision.synthesis.maximization import (
    Recipe,
    channels_each,
    image_of,
    maximization,
    maximization_objective,
)
from explorer.vision.synthesis.octaves import preview
from explorer.vision.synthesis.optimizers import NormalizedDescent
from explorer.vision.synthesis.synthesis import Synthesis
from explorer.vision.synthesis.target import Target
from explorer.vision.synthesis.transforms import Transforms
from tests.toys import make_network

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZE = 512
EXTRA = {"googlenet": {"init_weights": False, "aux_logits": False}}
ROUNDS = 9


def network(name: str, layer: str) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = get_model(name, weights=None, **EXTRA.get(name, {}))
    preprocess = Preprocess(resize=256, crop=224, mean=MEAN, std=STD)
    return make_network(module, "classification", preprocess=preprocess, default_layer=layer)


class ByHand:
    """Gradient ascent as in a notebook: a hook, the whole network, `backward`, and a picture."""

    def __init__(self, module: torch.nn.Module, layer: str) -> None:
        self._module = module.requires_grad_(requires_grad=True)
        self._kept: list[torch.Tensor] = []
        module.get_submodule(layer).register_forward_hook(
            lambda _module, _inputs, output: self._kept.append(output)
        )
        self.picture = torch.rand(1, 3, SIZE, SIZE, requires_grad=True)

    def step(self) -> None:
        self._kept.clear()
        self._module((self.picture - 0.45) / 0.225)
        self._kept[0].square().mean().backward()
        gradient = self.picture.grad
        assert gradient is not None
        with torch.no_grad():
            self.picture += 0.01 * gradient / gradient.abs().mean()
            self.picture.clamp_(0, 1)
        self.picture.grad = None
        self._module.zero_grad()
        (self.picture[0].detach().permute(1, 2, 0) * 255).byte().numpy()


def ours(name: str, layer: str, *, half: bool) -> Synthesis:
    return Synthesis(
        Pixels(torch.rand(1, 3, SIZE, SIZE)), Target.of(network(name, layer), half=half),
        -objectives.energy(layer), NormalizedDescent(0.01, 0.5, 0.02),
        transforms=Transforms(jitter=16),
    )  # fmt: skip


@pytest.mark.benchmark
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "layer"), [("googlenet", "inception4c"), ("resnet50", "layer3")])
def test_a_step_against_the_loop_by_hand(name: str, layer: str) -> None:
    """Goals: 0.75 of its time in float32, 0.45 in bfloat16, preview included, interleaved."""
    by_hand = ByHand(network(name, layer).module, layer)
    runs = {"float32": ours(name, layer, half=False), "bfloat16": ours(name, layer, half=True)}
    ratios: dict[str, list[float]] = {word: [] for word in runs}
    for _ in range(ROUNDS):
        began = time.perf_counter()
        by_hand.step()
        bare = time.perf_counter() - began
        for word, synthesis in runs.items():
            began = time.perf_counter()
            synthesis.step()
            preview(synthesis.picture())
            ratios[word].append((time.perf_counter() - began) / bare)
    found = {word: statistics.median(values[1:]) for word, values in ratios.items()}
    print(f"{name} to {layer}: a step takes {found} of the loop by hand")
    assert found["float32"] <= 0.75
    assert found["bfloat16"] <= 0.45


LUCENT = os.environ.get("LUCENT_PYTHON", "")
CHANNEL, SIDE, STEPS = 7, 224, 5


@pytest.mark.benchmark
@pytest.mark.timeout(900)
@pytest.mark.skipif(not LUCENT, reason="LUCENT_PYTHON names no interpreter with torch-lucent")
@pytest.mark.parametrize(("name", "layer"), [("googlenet", "inception4c"), ("resnet50", "layer3")])
def test_a_step_against_lucent(name: str, layer: str) -> None:
    """Goal: 1.6 times as fast on the same objective (a channel, Fourier image), interleaved."""
    target, recipe = Target.of(network(name, layer)), Recipe()
    generator = torch.Generator().manual_seed(0)
    image = image_of(recipe, 1, (SIDE, SIDE), generator, channels=3, device=torch.device("cpu"))
    objective = maximization_objective(channels_each(layer, (CHANNEL,), 1), layer, recipe, 1)
    synthesis = maximization(target, objective, image, recipe, generator)
    script = Path(__file__).with_name("lucent_steps.py")
    extra = json.dumps(EXTRA.get(name, {}))
    words = (name, layer, str(CHANNEL), str(SIDE), str(torch.get_num_threads()), extra)
    ratios = []
    with subprocess.Popen(
        [LUCENT, str(script), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as lucent:
        assert lucent.stdin is not None
        assert lucent.stdout is not None
        for _ in range(ROUNDS):
            lucent.stdin.write(f"{STEPS}\n")
            lucent.stdin.flush()
            theirs = float(lucent.stdout.readline())
            began = time.perf_counter()
            for _ in range(STEPS):
                synthesis.step()
                preview(synthesis.picture())
            ratios.append(theirs / (time.perf_counter() - began))
    found = statistics.median(ratios[1:])
    print(f"{name} to {layer}: {found:.2f} times as fast as torch-lucent, {sorted(ratios)}")
    assert found >= 1.6
