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
from explorer.vision.features.receptive_field import fields
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


@torch.no_grad()
def test_one_tensor_is_in_memory_at_a_time(path: Path) -> None:
    module, images = module_of(path), torch.rand(1, 3, 32, 32)
    assert [one.name for one in module.session.get_outputs()] == ["scores"]
    with captured(module, ["conv", "up", "pool"]) as records:
        module(images)
    assert sorted(records) == ["conv", "pool", "up"]
    names, session = module._inner
    assert names == ("c",), "the last one's session replaced the others"
    # ONNX Runtime keeps every output that a session has until its end.
    assert [one.name for one in session.get_outputs()] == ["c"]
    given = {"image": images.numpy()}
    whole = onnx.load(str(path))
    whole.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in "abc")
    expected = onnxruntime.InferenceSession(whole.SerializeToString()).run(list("abc"), given)
    for layer, value in zip(("conv", "up", "pool"), expected, strict=True):
        assert np.allclose(records[layer][0], value, atol=1e-6)


def test_a_node_in_a_branch_takes_tensors_from_around_it(tmp_path: Path) -> None:
    """What leads to the output of an `If` is more than its condition."""
    then = helper.make_graph(
        [helper.make_node("Neg", ["a"], ["t"])], "then", [],
        [helper.make_tensor_value_info("t", 1, [1, 3, 8, 8])],
    )  # fmt: skip
    other = helper.make_graph(
        [helper.make_node("Abs", ["a"], ["o"])], "else", [],
        [helper.make_tensor_value_info("o", 1, [1, 3, 8, 8])],
    )  # fmt: skip
    nodes = [
        helper.make_node("Relu", ["image"], ["a"], "first"),
        helper.make_node("If", ["yes"], ["b"], "branch", then_branch=then, else_branch=other),
        helper.make_node("GlobalAveragePool", ["b"], ["c"], "mean"),
        helper.make_node("Flatten", ["c"], ["scores"], "flat"),
    ]
    model = model_of(
        nodes, given={"image": [1, 3, 8, 8]}, made={"scores": [1, 3]},
        constants={"yes": np.array(True)},
    )  # fmt: skip
    module = module_of(written(model, tmp_path / "branch.onnx"))
    images = torch.rand(1, 3, 8, 8)
    with torch.no_grad(), captured(module, ["branch"]) as records:
        module(images)
    assert torch.equal(records["branch"][0], -images)
    branch = next(node for node in module.nodes if node.kind == "If")
    assert "a" in branch.given
    assert "then_branch = a graph of 1 nodes" in branch.words()


def test_statistics_and_maps_of_all_layers(path: Path) -> None:
    found = explorer.look("layer_statistics", "cat", network=str(path))
    assert list(found.data["layers"]) == ["conv", "fc"], "those with weights"
    for asked in ({"show": "gradients"}, {"weights": "He"}):
        with pytest.raises(ExplorerError, match="PyTorch has no exact form of Resize"):
            explorer.look("layer_statistics", "cat", network=str(path), **asked)
    graph = explorer.look("network_graph", "cat", network=str(path), boxes=24)
    boxes = graph.board.boxes("graph")
    assert boxes is not None
    assert [label.partition("\n")[0] for label in boxes.labels] == [
        "Input", "Conv 3 x 3", "Resize", "GlobalAveragePool", "Flatten", "MatMul"
    ]  # fmt: skip
    assert graph.data["nodes"][2] == "/up/Resize"
    assert graph.data["outputs"][2] == "1 x 4 x 48 x 48"
    assert graph.data["flops"] == 2 * 32 * 32 * 4 * 27 + 2 * 4 * 3


@pytest.mark.parametrize(
    ("view", "photo"),
    [("deep_dream", "cat"), ("inversion", "cat"), ("activation_maximization", None),
     ("adversarial", "cat")],
)  # fmt: skip
def test_what_needs_gradients_says_so_in_a_sentence(
    view: str, photo: str | None, path: Path
) -> None:
    with pytest.raises(ExplorerError) as caught:
        explorer.look(view, photo, network=str(path))
    assert "which has no gradients" in caught.value.message
    assert "PyTorch has no exact form of Resize (linear, asymmetric)" in caught.value.message


def detector(path: Path) -> Path:
    """YOLOv8's output for 64 x 64: the score of its one box is the mean of the left half."""
    cells = 8 * 8 + 4 * 4 + 2 * 2
    box = np.zeros((1, 6, cells), np.float32)
    box[0, :4, 9] = [16, 32, 32, 64]
    place = np.zeros((1, 6, cells), np.float32)
    place[0, 4, 9] = 1
    nodes = [
        helper.make_node(
            "Resize", ["image", "", "scales"], ["half"], "/half/Resize", mode="linear",
            coordinate_transformation_mode="asymmetric",
        ),
        helper.make_node("Slice", ["half", "zero", "sixteen", "three"], ["left"], "/left/Slice"),
        helper.make_node("ReduceMean", ["left"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["place", "mean"], ["score"], "/score/Mul"),
        helper.make_node("Add", ["score", "box"], ["output0"], "/out/Add"),
    ]  # fmt: skip
    constants = {
        "scales": np.array([1, 1, 0.5, 0.5], np.float32), "zero": np.array([0]),
        "sixteen": np.array([16]), "three": np.array([3]), "box": box, "place": place,
    }  # fmt: skip
    model = model_of(
        nodes, given={"image": [1, 3, 64, 64]}, made={"output0": [1, 6, cells]},
        constants=constants, metadata={"names": "{0: 'left', 1: 'right'}", "task": "detect"},
    )  # fmt: skip
    return written(model, path)


def test_boxes_and_their_attribution_without_gradients(tmp_path: Path) -> None:
    path = detector(tmp_path / "left.onnx")
    photo = np.full((64, 64, 3), 255, np.uint8)
    found = explorer.look("detections", photo, network=str(path)).data
    assert found["labels"].tolist() == [1]
    assert np.allclose(found["scores"], 1.0, atol=1e-3)
    methods = ("gradient", "occlusion", "RISE", "D-RISE")
    answer = explorer.look(
        "attribution", photo, network=str(path), methods=methods, masks=60, baseline="black"
    )
    remarks = {row[0]: str(row[-1]) for row in answer.board.tables[0].rows}
    assert "which has no gradients" in remarks["gradient"]
    for method in methods[1:]:
        values = answer.data[f"map_{method}"]
        half = values.shape[1] // 2
        assert values[:, :half].mean() > values[:, half:].mean(), method


def test_its_receptive_fields_are_refused_without_a_pass(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = module_of(path)
    monkeypatch.setattr(module, "run", lambda _: pytest.fail("every tensor would be computed"))
    found = fields(module, torch.zeros(1, 3, 32, 32))
    assert found.layers == {}
    with pytest.raises(ExplorerError, match=r"has no receptive fields: .* exact form of Resize"):
        found["conv"]
