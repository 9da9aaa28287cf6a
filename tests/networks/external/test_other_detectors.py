"""Detectors with another backbone, other anchors and heads: read from the checkpoint itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models.detection import FasterRCNN, MaskRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.networks import catalog
from explorer.networks.external import other_detectors
from explorer.networks.network import Network
from tests.steps import finish


def saved(module: nn.Module, tmp_path: Path, sidecar: Any = None) -> Path:
    path = tmp_path / "weights.pth"
    torch.save(module.state_dict(), path)
    if sidecar is not None:
        (tmp_path / "weights.json").write_text(json.dumps(sidecar))
    return path


def opened(path: Path, name: str = "fasterrcnn_resnet_fpn") -> Network:
    network: Network = finish(catalog.load(NetworkSpec(name, str(path), device="cpu")))[0]
    return network


def same(network: Network, module: nn.Module, side: int = 96) -> None:
    torch.manual_seed(0)
    image = torch.rand(3, side, side)
    with torch.no_grad():
        found, wanted = network.module([image])[0], module.eval()([image])[0]
    assert set(found) == set(wanted)
    for key, value in wanted.items():
        torch.testing.assert_close(found[key], value)


SMALL = {"min_size": 96, "max_size": 96}


def test_another_backbone_and_number_of_classes(tmp_path: Path) -> None:
    torch.manual_seed(1)
    body = resnet_fpn_backbone(backbone_name="resnet18", weights=None)
    module = FasterRCNN(body, num_classes=4, **SMALL)
    network = opened(saved(module, tmp_path, SMALL))
    assert network.info.spec.name == "fasterrcnn_resnet_fpn"
    assert "backbone resnet18, 5 levels" in network.info.notes[0]
    assert "4 classes without names" in " ".join(network.info.notes)
    same(network, module)


def test_anchors_from_the_file_beside_it(tmp_path: Path) -> None:
    torch.manual_seed(2)
    sizes, ratios = ((8, 12), (16, 24), (32, 48), (64, 96)), (0.5, 2.0)
    body = resnet_fpn_backbone(
        backbone_name="resnet18", weights=None, returned_layers=[2, 3, 4], norm_layer=nn.BatchNorm2d
    )
    anchors = AnchorGenerator(sizes, (ratios,) * 4)
    module = MaskRCNN(body, num_classes=3, rpn_anchor_generator=anchors, **SMALL)
    sidecar = {"anchor_sizes": sizes, "aspect_ratios": ratios, **SMALL}
    path = saved(module, tmp_path, sidecar)
    network = opened(path)
    assert (
        "Anchors as the file beside it says: 8, 12; 16, 24; 32, 48; 64, 96"
        in (network.info.notes[0])
    )
    same(network, module)

    path.with_suffix(".json").unlink()
    with pytest.raises(ExplorerError, match="4 levels with 4 anchors per cell") as error:
        opened(path)
    assert "anchor_sizes" in error.value.hint


@pytest.mark.slow
def test_retinanet(tmp_path: Path) -> None:
    torch.manual_seed(3)
    body = resnet_fpn_backbone(
        backbone_name="resnet34", weights=None, returned_layers=[2, 3, 4],
        extra_blocks=LastLevelP6P7(256, 256),
    )  # fmt: skip
    module = RetinaNet(body, num_classes=2, **SMALL)
    network = opened(saved(module, tmp_path, SMALL), "")
    assert network.info.spec.name == "retinanet_resnet_fpn"
    assert "backbone resnet34" in network.info.notes[0]


@pytest.mark.parametrize("name", other_detectors.BACKBONES)
def test_every_backbone_is_told_from_its_tensors(name: str) -> None:
    import torchvision

    with torch.device("meta"):
        module = torchvision.models.get_model(name, weights=None)
    state = {f"backbone.body.{key}": value for key, value in module.state_dict().items()}
    assert other_detectors.backbone_of(state) == name
    assert other_detectors.backbone_of({}) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("anchor_sizes", 32), ("anchor_sizes", [[0]]), ("aspect_ratios", []),
        ("min_size", "large"), ("max_size", True), ("image_mean", [0.5]), ("image_std", [0, 0, 0]),
    ],
)  # fmt: skip
def test_what_the_file_beside_it_must_say(key: str, value: Any) -> None:
    with pytest.raises(ExplorerError, match=f"{key} in the file beside the checkpoint"):
        other_detectors.settings_of({key: value})


def test_they_are_not_listed_but_known() -> None:
    assert "fasterrcnn_resnet_fpn" not in {entry.name for entry in catalog.entries()}
    assert catalog.find("fasterrcnn_resnet_fpn").task == "detection"
