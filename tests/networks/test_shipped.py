import json

import pytest
import torch
from safetensors.torch import save_file

from explorer.core.network_info import NetworkSpec
from explorer.core.resources import resource_path
from explorer.networks import catalog, shipped
from explorer.networks.embedded import mini_resnet
from tests.steps import finish

MOST_MEGABYTES = 37


def card(folder, name, shares=()):
    content = {
        "name": name, "title": name, "task": "classification",
        "architecture": {"function": "mini_resnet", "kwargs": {"num_classes": 3}},
        "shares": list(shares), "preprocessing": {}, "classes": ["a", "b", "c"],
    }  # fmt: skip
    (folder / f"{name}.json").write_text(json.dumps(content))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    weights = tmp_path / "weights"
    weights.mkdir()
    monkeypatch.setattr(shipped, "resource_path", lambda *parts: tmp_path.joinpath(*parts))
    return weights


def test_tensors_that_lie_in_another_file_are_found(folder, monkeypatch):
    whole, head = mini_resnet(3).state_dict(), mini_resnet(3).state_dict()
    save_file({f"base.{name}": value for name, value in whole.items()}, folder / "one.safetensors")
    own = {name: value for name, value in head.items() if name.startswith("fc.")}
    save_file(own, folder / "two.safetensors")
    card(folder, "two", [{"network": "one", "prefix": "", "source": "base."}])
    (definition,) = shipped.definitions()
    monkeypatch.setattr(catalog, "definitions", lambda: (definition,))
    network, _ = finish(catalog.load(NetworkSpec("two")))
    loaded = network.module.state_dict()
    assert torch.equal(loaded["layer4.0.conv1.weight"], whole["layer4.0.conv1.weight"])
    # what a file says itself comes first
    assert torch.equal(loaded["fc.weight"], own["fc.weight"])


def test_weights_without_the_file_they_need_are_not_offered(folder):
    save_file({"fc.bias": torch.zeros(3)}, folder / "two.safetensors")
    card(folder, "two", [{"network": "gone", "prefix": "", "source": ""}])
    (definition,) = shipped.definitions()
    assert definition.entry.weights == ()


def test_everything_that_ships_is_small():
    files = list(resource_path("weights").iterdir())
    assert sum(file.stat().st_size for file in files) < MOST_MEGABYTES * 1e6
