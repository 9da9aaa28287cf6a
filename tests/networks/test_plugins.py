"""Plug-ins as an installed package brings them: a real dist-info with entry points on the path."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.networks import catalog
from explorer.networks.plugins import Plugin
from explorer.networks.preprocess import Preprocess
from tests.networks.installed import install
from tests.steps import finish

if TYPE_CHECKING:
    from pathlib import Path

LAB = """
from pathlib import Path
from torch import nn
from explorer.networks.plugins import Plugin
from explorer.networks.preprocess import Preprocess

def build(num_classes):
    return nn.Sequential(nn.Conv2d(3, num_classes, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())

def networks():
    yield Plugin(
        name="lab_net", title="Lab net", task="classification", classes=("ant", "bee"), build=build,
        preprocess=Preprocess(resize=32, crop=32), summary="Tells ants from bees.",
        weights=Path(__file__).with_name("lab.pth"), weights_title="ants and bees",
        keypoints=("feeler", "leg"),
    )

def taken():
    for plugin in networks():
        yield Plugin(**{**{f: getattr(plugin, f) for f in plugin.__slots__}, "name": "resnet18"})

def broken():
    yield from networks()
    raise RuntimeError("no license key")

def not_plugins():
    return [1, 2]
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `lab_explorer` whose entry points are written by the tests."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "lab_explorer.py").write_text(LAB)
    monkeypatch.setitem(sys.modules, "lab_explorer", None)  # restored (removed) at the end
    del sys.modules["lab_explorer"]
    monkeypatch.syspath_prepend(str(site))
    return site


def test_untrained_without_its_file(lab: Path) -> None:
    install(lab, {"lab": "lab_explorer:networks"})
    entry = catalog.find("lab_net")
    assert (entry.family, entry.state, entry.num_classes) == ("plugin", "untrained", 2)
    assert catalog.entries()[-1] == entry
    network, _ = finish(catalog.load(NetworkSpec("lab_net")))
    assert network.info.untrained
    assert network.info.classes == ("ant", "bee")
    assert network.info.keypoints == ("feeler", "leg")
    assert network.info.input_title == "RGB, short side 32, center 32 x 32"


def test_its_own_weights(lab: Path) -> None:
    install(lab, {"lab": "lab_explorer:networks"})
    state = {"0.weight": torch.ones(2, 3, 3, 3), "0.bias": torch.zeros(2)}
    torch.save(state, lab / "lab.pth")
    entry = catalog.find("lab_net")
    assert entry.state == "shipped"
    network, _ = finish(catalog.load(NetworkSpec("lab_net")))
    assert (network.info.state, network.info.weights_title) == ("shipped", "ants and bees")
    assert torch.equal(network.module.get_parameter("0.weight"), state["0.weight"])


def test_a_checkpoint_with_another_class_count(lab: Path) -> None:
    install(lab, {"lab": "lab_explorer:networks"})
    torch.save({"0.weight": torch.ones(5, 3, 3, 3), "0.bias": torch.zeros(5)}, lab / "five.pth")
    network, _ = finish(catalog.load(NetworkSpec("lab_net", str(lab / "five.pth"))))
    assert network.module(torch.zeros(1, 3, 9, 9)).shape == (1, 5)
    assert network.info.classes == ()


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("broken", "no license key"),
        ("taken", "'resnet18' is taken"),
        ("not_plugins", "has no attribute"),
        ("missing", "missing"),
    ],
)
def test_failing_is_logged_and_left_out(
    lab: Path, caplog: pytest.LogCaptureFixture, function: str, words: str
) -> None:
    install(lab, {"bad": f"lab_explorer:{function}", "lab": "lab_explorer:networks"})
    with caplog.at_level(logging.ERROR):
        names = [entry.name for entry in catalog.entries()]
    assert names.count("resnet18") == 1
    assert "lab_net" in names
    assert f"bad = lab_explorer:{function} was left out" in caplog.text
    assert words in caplog.text


@pytest.mark.parametrize(
    ("name", "task", "words"),
    [
        ("a", "dreaming", "no task"),
        ("", "detection", "not a valid name"),
        ("a/b", "detection", "name"),
    ],
)
def test_plugin_is_checked(name: str, task: str, words: str) -> None:
    with pytest.raises((ValueError, ExplorerError), match=words):
        Plugin(name, "T", task, (), lambda _: nn.Identity(), Preprocess())  # type: ignore[arg-type]
