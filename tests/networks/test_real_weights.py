"""Real networks on real photos: skipped where the shared test data are absent."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.core.network_info import NetworkSpec
from explorer.networks import catalog
from explorer.networks.network import Network
from tests.data import shared_data
from tests.networks.installed import install
from tests.plugin_networks import DEEPLAB, FRCNN
from tests.steps import finish

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MOBILENET = "weights/mobilenet_v2_imagenet_fp16.pth"
SQUEEZENET = "weights/squeezenet1_1_imagenet_fp16.pth"
SHUFFLENET = "weights/shufflenet_v2_x0_5_backbone.pth"

CATS = {"tabby", "tiger cat", "Egyptian cat", "Persian cat", "Siamese cat", "lynx"}


def needed(name: str) -> Path:
    path = shared_data(name)
    if path is None:
        pytest.skip("the shared test data are not here")
    return path


def photo(name: str) -> NDArray[np.uint8]:
    with Image.open(needed(f"photos/{name}")) as file:
        return np.asarray(file.convert("RGB"))


@cache
def local(name: str, weights: str) -> Network:
    return finish(catalog.load(NetworkSpec(name, str(needed(weights)), "cpu")))[0]


@torch.no_grad()
def answer(network: Network, pixels: NDArray[np.uint8]) -> Any:
    values = network.preprocess(pixels)
    return network.module(values if network.preprocess.batched else [values[0]])


@pytest.fixture
def plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plug-in of tests/plugin_networks.py, installed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path, {"real": "tests.plugin_networks:networks"})
    assert "tests.plugin_networks" in sys.modules


@pytest.mark.parametrize(
    ("name", "weights"), [("mobilenet_v2", MOBILENET), ("squeezenet1_1", SQUEEZENET)]
)
class TestClassifiers:
    def test_loads_as_a_checkpoint(self, name: str, weights: str) -> None:
        info = local(name, weights).info
        assert info.state == "local"
        assert info.task == "classification"
        assert info.classes[281] == "tabby"
        assert info.dtype == "float32"

    def test_its_architecture_is_found(self, name: str, weights: str) -> None:
        assert catalog.guess(needed(weights)) == (name,)

    @pytest.mark.parametrize(
        ("file", "expected"),
        [
            ("skimage_chelsea.png", CATS),
            ("coral_cat_720p.jpg", CATS),
            ("imageio_wikkie.png", CATS),
            ("detectron_34501842524_3c858b3080_k.jpg", {"street sign"}),
            ("detectron_33823288584_1d21cf0a26_k.jpg", {"bicycle-built-for-two", "mountain bike"}),
            ("skimage_coffee.png", {"espresso", "cup", "coffee mug"}),
        ],
    )
    def test_sees(self, name: str, weights: str, file: str, expected: set[str]) -> None:
        network = local(name, weights)
        top = answer(network, photo(file))[0].topk(5).indices.tolist()
        assert expected & {network.info.classes[index] for index in top}


def test_backbone_without_its_last_layers_gives_features() -> None:
    info = local("shufflenet_v2_x0_5", SHUFFLENET).info
    assert info.task == "features"
    assert "(conv5.0, conv5.1, fc)" in info.notes[0]
    assert all(layer.kind == "Identity" for layer in info.layers if layer.name in ("conv5.0", "fc"))


@pytest.mark.usefixtures("plugged")
def test_detector_plugin_finds_what_is_there() -> None:
    needed(FRCNN)
    network, _ = finish(catalog.load(NetworkSpec("fasterrcnn_fbnetv3a_c4", device="cpu")))
    assert (network.info.state, network.info.notes) == ("shipped", ())
    for file, name, least, inside in (
        ("skimage_chelsea.png", "cat", 0.7, (225, 150)),
        ("coral_pets.jpg", "dog", 0.9, (175, 160)),
        ("skimage_astronaut.png", "person", 0.9, (220, 200)),
        ("d2go_test2.jpg", "horse", 0.9, (300, 360)),
    ):
        found = answer(network, photo(file))[0]
        index = network.info.classes.index(name)
        box = found["boxes"][found["labels"] == index][0].tolist()
        assert found["scores"][found["labels"] == index][0] > least, file
        assert box[0] < inside[0] < box[2], file
        assert box[1] < inside[1] < box[3], file


@pytest.mark.usefixtures("plugged")
def test_segmentation_plugin_labels_the_region() -> None:
    needed(DEEPLAB)
    network, _ = finish(catalog.load(NetworkSpec("deeplabv3_mobilenet_v2", device="cpu")))
    assert (network.info.state, network.info.notes) == ("shipped", ())
    for file, name, least in (("skimage_chelsea.png", "cat", 0.3), ("coral_pets.jpg", "dog", 0.08)):
        labels = answer(network, photo(file))["out"].argmax(1)
        share = (labels == network.info.classes.index(name)).float().mean().item()
        assert share > least, file
        others = (labels != 0) & (labels != network.info.classes.index(name))
        assert others.float().mean().item() < 0.1, file
