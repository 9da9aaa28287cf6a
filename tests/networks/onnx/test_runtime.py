"""What torch cannot compute exactly runs in ONNX Runtime: maps and answers, and no gradients."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper

import explorer
from explorer.core.errors import Cancelled, ExplorerError
from explorer.networks import catalog
from explorer.networks.hooks import captured, input_until, interruptible, rerouted
from explorer.networks.onnx.runtime import RuntimeModule
from tests.networks.onnx_files import model_of, written

if TYPE_CHECKING:
    from pathlib import Path


def unusual(path: Path, side: int = 32) -> Path:
    """A classifier with a way to resize that torch has not."""
    rng = np.random.default_rng(0)
    constants = {
        "w": rng.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "v": rng.normal(size=(4, 3)).astype(np.float32),
        "scales": np.array([1, 1, 1.5, 1.5], np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["a"], "/conv/Conv", pads=[1, 1, 1, 1]),
        helper.make_node(
            "Resize", ["a", "", "scales"], ["b"], "/up/Resize", mode="linear",
            coordinate_transformation_mode="asymmetric",
        ),
        helper.make_node("GlobalAveragePool", ["b"], ["c"], "/pool/GlobalAveragePool"),
        helper.make_node("Flatten", ["c"], ["d"], "/Flatten"),
        helper.make_node("MatMul", ["d", "v"], ["scores"], "/fc/MatMul"),
    ]  # fmt: skip
    model = model_of(
        nodes, given={"image": [1, 3, side, side]}, made={"scores": [1, 3]}, constants=constants
    )
    return written(model, path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return unusual(tmp_path / "odd.onnx")


def module_of(path: Path) -> RuntimeModule:
    module = explorer.load(str(path)).module
    assert isinstance(module, RuntimeModule)
    return module


@torch.no_grad()
def test_its_outputs_and_maps_are_those_of_onnx_runtime(path: Path) -> None:
    module, images = module_of(path), torch.rand(1, 3, 32, 32)
    (expected,) = onnxruntime.InferenceSession(path).run(None, {"image": images.numpy()})
    with captured(module, ["conv", "up"]) as records:
        answer = module(images)
    assert np.allclose(answer, expected, atol=1e-6)
    conv = records["conv"][0]
    assert conv.shape == (1, 4, 32, 32)
    assert torch.allclose(records["up"][0].mean((2, 3)) @ _weights(path), answer, atol=1e-5)
    assert torch.equal(input_until(module, "up", lambda: module(images)), conv)


def _weights(path: Path) -> torch.Tensor:
    tensors = {t.name: t for t in onnx.load(str(path)).graph.initializer}
    return torch.from_numpy(numpy_helper.to_array(tensors["v"]).copy())


def test_gradients_and_changes_are_refused_with_the_operators_named(path: Path) -> None:
    module = module_of(path)
    with pytest.raises(ExplorerError, match=r"has no gradients: .* Resize \(linear, asymmetric\)"):
        module(torch.rand(1, 3, 32, 32, requires_grad=True))
    with (
        torch.no_grad(),
        rerouted(module, {"conv": torch.neg}),
        pytest.raises(ExplorerError, match="has no changes to the output of a layer"),
    ):
        module(torch.rand(1, 3, 32, 32))


def test_the_network_says_how_it_runs(path: Path) -> None:
    network = explorer.load(str(path))
    said = [note for note in network.info.notes if "ONNX Runtime" in note]
    assert len(said) == 1
    assert "Resize (linear, asymmetric)" in said[0]
    assert network.info.layer_names() == ("conv", "up", "pool", "Flatten", "fc")


def test_views_without_gradients_work(path: Path) -> None:
    assert explorer.look("classify", "cat", network=str(path)).summary
    maps = explorer.look("feature_maps", "cat", network=str(path), layer="up")
    assert "4 channels of 48 x 48" in maps.summary
    answer = explorer.look(
        "attribution", "cat", network=str(path), methods=("gradient", "occlusion")
    )
    remarks = {row[0]: str(row[-1]) for row in answer.board.tables[0].rows}
    assert "which has no gradients: PyTorch has no exact form of Resize" in remarks["gradient"]
    assert remarks["occlusion"] == ""
    assert float(np.ptp(answer.data["map_occlusion"])) > 0


def test_it_can_be_interrupted(path: Path) -> None:
    module = module_of(path)
    asked = threading.Event()
    asked.set()
    with (
        interruptible(module, asked.is_set),
        torch.no_grad(),
        pytest.raises(Cancelled),
    ):
        module(torch.rand(1, 3, 32, 32))


def test_without_onnx_runtime_a_sentence_says_what_to_install(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explorer.networks.onnx.inspecting.has_runtime", lambda: False)
    with pytest.raises(ExplorerError) as caught:
        catalog.opened(path)
    assert "PyTorch has no exact form of Resize (linear, asymmetric)" in caught.value.message
    assert caught.value.hint.endswith("pip install 'convnet-explorer[onnx]'.")
