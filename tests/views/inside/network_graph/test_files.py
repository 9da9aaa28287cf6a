"""The graph of an ONNX file: its own nodes, and the tensor of the one that is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

import explorer
from explorer.core.layers import Heat
from explorer.engine.scene import Scene
from explorer.render.board import render_board
from explorer.views.inside.network_graph.panes import BLOCKS
from tests.networks.onnx_files import classifier
from tests.toys import toy_image

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["torch", "runtime"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same network; in one file an operator that only ONNX Runtime has."""
    found = classifier(tmp_path / f"{request.param}.onnx")
    if request.param == "runtime":
        model = onnx.load(str(found))
        scales = onnx.numpy_helper.from_array(np.array([1, 1, 1, 1], np.float32), "scales")
        model.graph.initializer.append(scales)
        resize = helper.make_node(
            "Resize", ["b", "", "scales"], ["b2"], "/body/up/Resize", mode="linear",
            coordinate_transformation_mode="asymmetric",
        )  # fmt: skip
        pool = next(node for node in model.graph.node if node.op_type == "GlobalAveragePool")
        pool.input[0] = "b2"
        model.graph.node.insert(2, resize)
        onnx.save(model, str(found))
    return found


PHOTO = toy_image(32, 32).pixels


def look(path: Path, **params: Any) -> Any:
    return explorer.look("network_graph", PHOTO, network=str(path), **params)


def tensor(path: Path, name: str) -> np.ndarray:
    """What ONNX Runtime gives for that tensor."""
    model = onnx.load(str(path))
    model.graph.output.append(helper.make_empty_tensor_value_info(name))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    given = Scene(explorer.load(str(path)), toy_image(32, 32)).input().numpy()
    return session.run([name], {"image": given})[0]


def test_it_has_the_nodes_of_the_file(path: Path) -> None:
    found = look(path)
    own = [node.name for node in onnx.load(str(path)).graph.node]
    assert found.data["nodes"][1:] == own
    assert found.data["types"][1] == "Conv"
    assert found.data["attributes"][1] == "pads = 1, 1, 1, 1"
    assert found.data["outputs"][1] == "1 x 4 x 32 x 32"
    table = next(table for table in found.board.tables if table.name == "layers")
    assert "/fc/Gemm" in [row[0] for row in table.rows]
    assert "median of" in found.summary


def test_a_chosen_node_shows_its_tensor_on_the_photo(path: Path) -> None:
    data = look(path).data
    node = data["nodes"].index("/body/relu/Relu")
    found = look(path, boxes=24, node=node)
    heat = next(one for one in found.board.pane("image").layers if isinstance(one, Heat))
    expected = tensor(path, "b")
    assert np.allclose(heat.values, expected[0].mean(axis=0), atol=1e-5)
    assert heat.extent == pytest.approx((0, 0, 32, 32))
    rows = dict(found.board.tables[0].rows)
    assert rows["name"] == "/body/relu/Relu"
    assert rows["operator"] == "Relu"
    assert rows["input"] == "/body/conv/Conv (1 x 4 x 32 x 32)"
    assert rows["output"] == "1 x 4 x 32 x 32"
    low, high = expected.min(), expected.max()
    assert rows["values"] == f"{low:.4g} to {high:.4g}, mean {expected.mean():.4g}"


def test_a_block_is_the_beginning_of_names(path: Path) -> None:
    found = look(path, boxes=4)
    boxes = found.board.boxes("graph")
    assert boxes is not None
    (block,) = [key for key in boxes.keys if key >= BLOCKS]
    opened = look(path, boxes=4, node=block)
    assert opened.board.pane("block").title == "body"
    inside = opened.board.boxes("block")
    assert inside is not None
    assert [label.partition("\n")[0] for label in inside.labels][:3] == [
        "Input", "Conv 3 x 3", "Relu"
    ]  # fmt: skip
    inner = inside.keys[2]
    chosen = look(path, boxes=4, node=block, inner=inner)
    assert dict(chosen.board.tables[0].rows)["name"] == "/body/relu/Relu"
    assert "image" in [pane.name for pane in chosen.board.panes]


def test_search_finds_names_and_operators(path: Path) -> None:
    for words, count in (("/fc/ge", 1), ("GLOBALAVERAGE", 1), ("nowhere", 0)):
        found = look(path, find=words)
        word = "box" if count == 1 else "boxes"
        assert found.summary == f"{count} {word} with {words!r}"


def test_the_ground_of_a_drawing_is_that_of_the_theme(tmp_path: Path) -> None:
    board = look(classifier(tmp_path / "net.onnx")).board
    assert board.pane("graph").drawing
    light, dark = (render_board(board, width=900, theme=theme) for theme in ("light", "dark"))
    counts = [(picture == color).all(axis=2).sum() for picture, color in
              ((light, (255, 255, 255)), (dark, (33, 36, 41)))]  # fmt: skip
    assert counts[0] == pytest.approx(counts[1], rel=0.05)
    assert (dark > 200).all(axis=2).mean() < 0.02, "no white sheet"
