"""Every preset improves its objective, on the shipped networks and on torchvision's."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torchvision.models import get_model

import explorer
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from explorer.views.shared.synthesis.dreams import dream_objective, stage_layers
from explorer.vision.synthesis.images import Fourier, Pixels
from explorer.vision.synthesis.inversion import FEATURES, Recipe, inversion
from explorer.vision.synthesis.maximization import (
    Recipe as Maximization,
)
from explorer.vision.synthesis.maximization import (
    channels_each,
    image_of,
    maximization,
    maximization_objective,
)
from explorer.vision.synthesis.octaves import pictured
from explorer.vision.synthesis.optimizers import NormalizedDescent, adam
from explorer.vision.synthesis.style import CONTENT, STYLE, Weights, style_objective
from explorer.vision.synthesis.synthesis import Synthesis
from explorer.vision.synthesis.target import Target
from tests.toys import make_network, toy_image

SIDE, STEPS = 96, 50
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SLOW = pytest.mark.slow
NETWORKS = [
    "efficientnet-lite0",
    "alexnet",
    *(pytest.param(n, marks=SLOW) for n in ("mini-vgg", "vgg16", "googlenet", "resnet50")),
]


@cache
def network(name: str) -> Network:
    if "-" in name:
        return explorer.load(name)
    extra = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = get_model(name, weights=None, **extra)
    preprocess = Preprocess(resize=SIDE, crop=SIDE, mean=MEAN, std=STD)
    return make_network(module, "classification", preprocess=preprocess)


def photo(seed: int = 0) -> torch.Tensor:
    return pictured(toy_image(seed=seed).pixels, (SIDE, SIDE), 3)


def middle(name: str) -> str:
    stages = stage_layers(network(name).info, 5)
    return stages[len(stages) // 2]


def losses(synthesis: Synthesis, steps: int = STEPS) -> list[float]:
    reports = [synthesis.step() for _ in range(steps)]
    assert all(report.finite for report in reports)
    return [report.loss for report in reports]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_dream_climbs(name: str) -> None:
    synthesis = Synthesis(
        Pixels(photo()), Target.of(network(name)), dream_objective(middle(name), ()),
        NormalizedDescent(0.01),
    )  # fmt: skip
    found = losses(synthesis)
    assert found[-1] < found[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_channel_is_maximized(name: str) -> None:
    target, layer, recipe = Target.of(network(name)), middle(name), Maximization(transforms=0.0)
    generator = torch.Generator().manual_seed(0)
    image = image_of(recipe, 1, (SIDE, SIDE), generator, channels=3, device=torch.device("cpu"))
    # One that is not off: behind a ReLU that gives only zeros there is no gradient.
    channel = int(target.answer(photo(), layer).mean((0, 2, 3)).argmax())
    objective = maximization_objective(channels_each(layer, (channel,), 1), layer, recipe, 1)
    found = losses(maximization(target, objective, image, recipe, generator))
    assert found[-1] < found[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_an_inversion_comes_nearer(name: str) -> None:
    recipe = Recipe(optimizer="Adam")
    target = Target.of(network(name))
    synthesis = inversion(target, middle(name), photo(), recipe, torch.Generator().manual_seed(0))
    found = losses(synthesis)
    assert found[-1] < found[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_style_comes_nearer(name: str) -> None:
    stages, target = stage_layers(network(name).info, 5), Target.of(network(name))
    objective = style_objective(
        target, photo(), [(1.0, photo(5).flip(1))], stages[2], stages[:3], Weights(1.0, 10.0, 0.0)
    )
    image = Fourier(1, (SIDE, SIDE), torch.Generator().manual_seed(0), start=photo())
    synthesis = Synthesis(image, target, objective, adam(0.005))
    first = synthesis.step()
    assert first.parts[CONTENT] == pytest.approx(0.0, abs=1e-2)
    *_, last = [synthesis.step() for _ in range(STEPS)]
    assert last.loss < first.loss
    assert last.parts[STYLE] < first.parts[STYLE]


def test_an_early_layer_is_inverted_within_300_steps() -> None:
    target = Target.of(network("efficientnet-lite0"))
    synthesis = inversion(target, "blocks.0", photo(), Recipe(), torch.Generator().manual_seed(0))
    for _ in range(30):
        report = synthesis.step()
    assert report.parts[FEATURES] < 0.1


def test_the_same_seed_gives_the_same_picture() -> None:
    target = Target.of(network("efficientnet-lite0"))
    pictures = []
    for seed in (3, 3, 4):
        generator = torch.Generator().manual_seed(seed)
        synthesis = inversion(target, "blocks.1", photo(), Recipe(), generator)
        for _ in range(2):
            synthesis.step()
        pictures.append(synthesis.picture())
    assert torch.equal(pictures[0], pictures[1])
    assert not torch.equal(pictures[0], pictures[2])
