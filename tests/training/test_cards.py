import json

import pytest
import torch
from safetensors.torch import load_file

from explorer.core.resources import resource_path
from explorer.networks.checkpoints.eight_bit import unpacked
from explorer.networks.embedded import ARCHITECTURES
from explorer.training.__main__ import main
from explorer.training.cards import flops, to_half
from explorer.training.threads import ThreadPilot
from tests.training.toy import write_data


def test_half_precision_refuses_what_it_cannot_hold():
    half = to_half({"a": torch.tensor([1.5]), "n": torch.tensor(3)})
    assert half["a"].dtype == torch.float16
    assert half["n"].dtype == torch.int64
    with pytest.raises(ValueError, match="big does not fit"):
        to_half({"big": torch.tensor([70_000.0])})


def test_operations_by_hand():
    # 8x8 outputs, 4 channels, 3*3*3 products and sums for each
    layer = torch.nn.Conv2d(3, 4, 3, padding=1, bias=False)
    assert flops(layer, (1, 3, 8, 8)) == 2 * 8 * 8 * 4 * 27


def test_the_command_trains_and_writes_a_card(tmp_path, monkeypatch):
    write_data(tmp_path / "data")
    words = [
        *("explorer", "mini-resnet", "--data", str(tmp_path / "data")),
        *("--out", str(tmp_path / "out"), "--epochs", "0.2", "--threads", "1", "--device", "cpu"),
    ]
    monkeypatch.setattr("sys.argv", words)
    threads = torch.get_num_threads()
    try:
        assert main() == 0
    finally:
        torch.set_num_threads(threads)
    card = json.loads((tmp_path / "out" / "weights" / "mini-resnet.json").read_text())
    assert card["classes"] == ["red thing", "green thing", "dog", "hill"]
    assert card["architecture"] == {"function": "mini_resnet", "kwargs": {"num_classes": 4}}
    assert card["measured_on"].startswith("8 held-out photos")
    assert 0 <= card["metrics"]["top1"] <= 1
    monkeypatch.setattr("sys.argv", [*words[:3], str(tmp_path / "nothing")])
    assert main() == 1


@pytest.mark.parametrize("name", ["mini-resnet", "mini-vgg"])
def test_the_shipped_weights_fit_their_card(name):
    card = json.loads(resource_path("weights", f"{name}.json").read_text(encoding="utf-8"))
    path = resource_path("weights", card["weights"])
    model = ARCHITECTURES[card["architecture"]["function"]](**card["architecture"]["kwargs"])
    weights = unpacked(load_file(path))
    model.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in weights.items()}
    )
    assert all(v.isfinite().all() for v in weights.values())
    assert card["bytes"] == path.stat().st_size
    assert card["parameters"] == sum(p.numel() for p in model.parameters())
    assert len(card["classes"]) == card["architecture"]["kwargs"]["num_classes"]


def steps(pilot, count, seconds):
    seen = []
    for _ in range(count):
        seen.append(pilot.threads)
        pilot.add(seconds[pilot.threads])
    return seen


def test_the_pilot_keeps_what_is_faster_and_tries_again():
    threads = torch.get_num_threads()
    try:
        pilot = ThreadPilot(2, trial=3, hold=10)
        quiet, busy = {2: 1.0, 1: 1.8}, {2: 9.0, 1: 2.0}
        assert steps(pilot, 6, quiet) == [2, 2, 2, 1, 1, 1]
        assert steps(pilot, 5, quiet) == [2] * 5
        assert steps(pilot, 3, busy) == [2, 2, 2]  # three slow steps: try again at once
        assert steps(pilot, 6, busy) == [2, 2, 2, 1, 1, 1]
        assert steps(pilot, 10, busy) == [1] * 10
        assert pilot.threads == 2  # time to look again
    finally:
        torch.set_num_threads(threads)
