"""What is in a file of weights, said before anything is built."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from torchvision.models import squeezenet1_1

from explorer.__main__ import main
from explorer.core.errors import ExplorerError
from explorer.networks import catalog
from explorer.networks.checkpoints.inspection import candidate_words


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    return squeezenet1_1(weights=None, num_classes=3).state_dict()


def saved(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "w.pth"
    torch.save(content, path)
    return path


def test_a_complete_file(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    content = {"arch": "mine", "state_dict": state, "classes": ["ant", "bee", "cat"]}
    found = catalog.inspect(saved(tmp_path, content))
    assert (found.tensors, found.numbers) == (len(state), sum(v.numel() for v in state.values()))
    assert found.groups == (("features", 50), ("classifier", 2))
    assert found.classes == ("ant", "bee", "cat")
    assert found.architecture == "mine"
    assert found.not_finite == ()
    (candidate,) = found.candidates
    assert (candidate.name, candidate.share, candidate.classes) == ("squeezenet1_1", 1.0, 3)
    assert candidate.missing == candidate.unknown == candidate.other == ()
    assert "SqueezeNet 1.1 (squeezenet1_1): 100% of the tensors agree, 3 classes" in found.text()
    assert "Calls itself: mine" in found.text()


def test_what_is_missing_unknown_or_other_is_named(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    del state["features.3.squeeze.weight"]
    state["features.99.weight"] = torch.zeros(3, 3)
    state["features.0.weight"] = torch.full((64, 3, 5, 5), float("nan"))
    found = catalog.inspect(saved(tmp_path, state))
    candidate = found.candidates[0]
    assert candidate.name == "squeezenet1_1"
    assert 0.9 < candidate.share < 1
    assert candidate.missing == ("features.3.squeeze.weight",)
    assert candidate.unknown == ("features.99.weight",)
    assert len(candidate.other) == 1
    words = candidate_words(candidate)
    assert "1 missing (features.3.squeeze.weight)" in words
    assert "1 of another shape or type" in words
    assert found.not_finite == ("features.0.weight",)
    assert "NaN or infinity: features.0.weight" in found.text()


def test_a_file_of_no_network(tmp_path: Path) -> None:
    found = catalog.inspect(saved(tmp_path, {"a.weight": torch.ones(4, 4)}))
    assert found.candidates == ()
    assert "Looks like: no network of the catalog" in found.text()


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return os.system, (f"touch {self.path}",)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    path = saved(tmp_path, {"state_dict": {"w": torch.ones(2, 2)}, "trap": Trap(tmp_path / "ran")})
    with pytest.raises(ExplorerError, match="contains Python objects"):
        catalog.inspect(path)
    assert not (tmp_path / "ran").exists()


def test_the_command(
    tmp_path: Path, state: dict[str, torch.Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path, state)
    assert main(["check", str(path)]) == 0
    assert "squeezenet1_1" in capsys.readouterr().out
    assert main(["check", "--json", str(path)]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["candidates"][0]["name"] == "squeezenet1_1"
    (tmp_path / "empty.pth").write_bytes(b"")
    assert main(["check", str(tmp_path / "empty.pth"), str(path)]) == 2
    told = capsys.readouterr()
    assert "empty.pth is empty." in told.err
    assert "squeezenet1_1" in told.out, "the others are said"
