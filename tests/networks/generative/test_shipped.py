import json

import pytest
import torch
from safetensors.torch import save_file

from explorer.core.errors import ExplorerError
from explorer.networks.checkpoints.eight_bit import packed
from explorer.networks.generative import shipped
from explorer.networks.generative.super_resolution import SuperResolution


@pytest.fixture
def folder(tmp_path, monkeypatch):
    def inside(*parts):
        return tmp_path.joinpath(*parts)

    monkeypatch.setattr(shipped, "resource_path", inside)
    made = tmp_path / "weights" / "generative"
    made.mkdir(parents=True)
    return made


def write(folder, **changes):
    network = SuperResolution(8, 1)
    halves = {name: value.half() for name, value in network.state_dict().items()}
    save_file(packed(halves), folder / "small.safetensors")
    card = {
        "architecture": {"function": "super_resolution", "kwargs": {"width": 8, "blocks": 1}},
        "weights": "small.safetensors",
        "shares": [],
    }
    (folder / "small.json").write_text(json.dumps(card | changes))
    return network


def test_a_network_with_its_weights(folder):
    network = write(folder)
    found = shipped.load("small")
    assert shipped.names() == ("small",)
    assert not found.module.training
    assert not any(value.requires_grad for value in found.module.parameters())
    for name, value in found.module.state_dict().items():
        torch.testing.assert_close(value, network.state_dict()[name], rtol=0.01, atol=0.01)


@pytest.mark.parametrize("wrong", [{"weights": "none.safetensors"}, {"architecture": {}}])
def test_damaged_files_are_said(folder, wrong):
    write(folder, **wrong)
    with pytest.raises(ExplorerError, match="small that come with the program"):
        shipped.load("small")


def test_what_does_not_ship_is_said(folder):
    with pytest.raises(ExplorerError, match="cannot be read"):
        shipped.load("nothing")
