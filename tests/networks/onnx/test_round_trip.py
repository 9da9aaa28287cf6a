"""Networks of torchvision exported by torch and imported again: the same answers and maps."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from explorer.networks.hooks import captured
from explorer.networks.onnx.module import to_torch
from explorer.networks.onnx.reading import read
from tests.networks.onnx_files import exported

ZOO = (
    "resnet18", "squeezenet1_1", "mobilenet_v3_small", "alexnet", "vgg11", "googlenet",
    "inception_v3", "convnext_tiny", "efficientnet_b0", "densenet121", "shufflenet_v2_x0_5",
    "mobilenet_v2", "regnet_y_400mf",
)  # fmt: skip
IN_CI = 3
OPSETS = range(12, 21)
"""Of torch's older exporter; the newer one begins with 18 and goes on to 21."""

NEWER = (18, 21)
SIDES = {"inception_v3": 96, "alexnet": 224, "vgg11": 224}
"""The exporter writes an adaptive pooling only where it divides the map."""

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Comparison:
    """What a network gives before the export and after the import.

    Attributes:
        answer: The largest difference of the outputs, as a part of the largest output.
        layers: How many layers were compared.
        worst: The largest difference of one of them, as a part of its largest value.
        where: Its name.
    """

    answer: float
    layers: int
    worst: float
    where: str


def zoo_network(name: str) -> nn.Module:
    torch.manual_seed(0)
    more = {"aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    if more:
        more["init_weights"] = False
    return models.get_model(name, weights=None, **more).eval()


@torch.no_grad()
def compared(name: str, path: Path, opset: int, *, newer: bool = False) -> Comparison:
    """The network, and itself after the way through a file."""
    side = SIDES.get(name, 64)
    network, images = zoo_network(name), torch.rand(1, 3, side, side)
    if newer:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network, (images,), str(path), dynamo=True, opset_version=opset, verbose=False
            )
    else:
        exported(network, images, path, opset=opset)
    file = read(path)
    assert file.opset == opset
    module = to_torch(file)
    mine, theirs = dict(module.named_modules()), dict(network.named_modules())
    # In place, a ReLU of torch's overwrites what its layer before gave: clones are compared.
    same = [n for n, part in mine.items() if n in theirs and type(part) is not nn.Module and n]
    with captured(network, same) as ours, captured(module, same) as found:
        expected, answer = network(images), module(images)
    pairs = {n: (found[n][0], ours[n][0]) for n in same if len(ours[n]) == len(found[n]) == 1}
    worst = {layer: difference(*pair) for layer, pair in pairs.items()}
    where = max(worst, key=lambda layer: worst[layer], default="")
    return Comparison(difference(answer, expected), len(pairs), worst.get(where, 0.0), where)


def difference(one: Tensor, other: Tensor) -> float:
    """The largest one, as a part of the largest value; infinite for other shapes."""
    if one.shape != other.shape:
        return float("inf")
    return float((one - other).abs().max()) / max(float(other.abs().max()), 1e-30)


def check(found: Comparison, least: int) -> None:
    assert found.answer <= TOLERANCE
    assert found.worst <= TOLERANCE, found.where
    assert found.layers >= least


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if i < IN_CI else pytest.mark.slow) for i, n in enumerate(ZOO)],
)
def test_a_network_answers_the_same_after_import(name: str, tmp_path: Path) -> None:
    check(compared(name, tmp_path / "net.onnx", 18), least=15)


@pytest.mark.slow  # 117 exports
@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("name", ZOO)
def test_at_every_opset_of_the_exporter(name: str, opset: int, tmp_path: Path) -> None:
    check(compared(name, tmp_path / "net.onnx", opset), least=15)


@pytest.mark.slow
@pytest.mark.parametrize("opset", NEWER)
@pytest.mark.parametrize("name", ZOO)
def test_with_the_newer_exporter(name: str, opset: int, tmp_path: Path) -> None:
    check(compared(name, tmp_path / "net.onnx", opset, newer=True), least=10)
