"""From a file to a network: what is assumed of it, what the user says, and what is remembered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

import explorer
from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.networks import catalog
from explorer.networks.onnx import cards, metadata
from explorer.networks.onnx.reading import read
from explorer.networks.preprocess import Preprocess
from tests.networks.onnx_files import classifier, model_of, written

if TYPE_CHECKING:
    from explorer.networks.network import Network

NAMES = {"names": "{0: 'cat', 1: 'dog', 2: \"hen\"}"}


def loaded(path: Path | str, **about: str) -> Network:
    return _driven(NetworkSpec("", str(path), **about))


def _driven(spec: NetworkSpec) -> Network:
    loading = catalog.load(spec)
    while True:
        try:
            next(loading)
        except StopIteration as end:
            network: Network = end.value
            return network


def test_a_classifier(tmp_path: Path) -> None:
    network = loaded(classifier(tmp_path / "my pets.onnx", metadata=NAMES))
    info = network.info
    assert (info.spec.name, info.title, info.task) == ("my-pets-onnx", "my pets", "classification")
    assert info.classes == ("cat", "dog", "hen")
    assert info.layer_names() == ("body.conv", "body.relu", "pool", "Flatten", "fc")
    assert info.layer_names("Conv2d") == ("body.conv",)
    assert info.default_layer == "body.conv"
    assert network.preprocess.crop == 32
    assert network.preprocess.mean == (0.485, 0.456, 0.406)
    assert info.digest == cards.every()[0].key != read(tmp_path / "my pets.onnx").digest
    assert info.parameters == 4 * 3 * 3 * 3 + 4 * 3
    said = [note for note in info.notes if "usual ones are assumed" in note]
    assert len(said) == 1
    assert "the preprocessing" in said[0]
    assert "class names" not in said[0]


def test_it_joins_the_catalog_and_stays(tmp_path: Path) -> None:
    path = classifier(tmp_path / "pets.onnx")
    name = catalog.opened(path)
    assert catalog.find(name).family == "onnx"
    assert name in {entry.name for entry in catalog.entries()}
    assert catalog.opened(path) == name, "it has its name once"
    assert _driven(NetworkSpec(name)).info.weights_title == "pets.onnx"
    copy = tmp_path / "elsewhere.onnx"
    path.rename(copy)
    assert name not in {entry.name for entry in catalog.entries()}, "its file is gone"
    assert catalog.opened(copy) == name, "a file is known wherever it is"
    other = classifier(tmp_path / "pets.onnx", classes=4)
    assert catalog.opened(other) == "pets-onnx-2"


def test_what_the_user_says_is_remembered(tmp_path: Path) -> None:
    path = classifier(tmp_path / "pets.onnx")
    steps = Preprocess(resize=(32, 32), mean=(0.5,) * 3, std=(0.5,) * 3)
    network = explorer.load(
        str(path), classes=["a", "b", "c"], preprocess=steps, channel_order="BGR"
    )
    assert network.preprocess == steps
    assert network.info.classes == ("a", "b", "c")
    again = explorer.load(str(path))
    assert again.preprocess == steps
    assert again.info.classes == ("a", "b", "c")
    images = torch.rand(1, 3, 32, 32)
    plain = explorer.load(str(path), channel_order="RGB")
    assert torch.equal(again.module(images), plain.module(images.flip(1)))
    with pytest.raises(ExplorerError, match="no channel order"):
        explorer.load(str(path), channel_order="GBR")


def test_a_list_of_names(tmp_path: Path) -> None:
    path = classifier(tmp_path / "pets.onnx")
    (tmp_path / "list.txt").write_text("x\ny\nz\n")
    assert loaded(path, classes=str(tmp_path / "list.txt")).info.classes == ("x", "y", "z")
    (tmp_path / "list.txt").write_text("x\ny\n")
    with pytest.raises(ExplorerError, match="2 names, but the network has 3 classes"):
        loaded(path, classes=str(tmp_path / "list.txt"))


def test_names_beside_the_file_are_used(tmp_path: Path) -> None:
    (tmp_path / "pets.txt").write_text("x\ny\nz\n")
    assert loaded(classifier(tmp_path / "pets.onnx")).info.classes == ("x", "y", "z")


def test_a_file_that_is_exported_again_is_another_network(tmp_path: Path) -> None:
    path = classifier(tmp_path / "pets.onnx")
    name = catalog.opened(path)
    classifier(path, classes=5)
    network = _driven(NetworkSpec(name))
    assert network.module(torch.rand(1, 3, 32, 32)).shape == (1, 5)
    assert any("has changed" in note for note in network.info.notes)
    assert [card.name for card in cards.every()] == [name]


@torch.no_grad()
def test_probabilities_become_logits_with_the_same_softmax(tmp_path: Path) -> None:
    plain = loaded(classifier(tmp_path / "a.onnx")).module
    soft = loaded(classifier(tmp_path / "b.onnx", softmax=True)).module
    images = torch.rand(2, 3, 32, 32)
    assert torch.allclose(soft(images).softmax(1), plain(images).softmax(1), atol=1e-6)
    assert torch.allclose(soft.outputs(images)[0], plain(images).softmax(1), atol=1e-6)


@torch.no_grad()
def test_channels_last(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Transpose", ["image"], ["a"], perm=[0, 3, 1, 2]),
        helper.make_node("GlobalAveragePool", ["a"], ["b"]),
        helper.make_node("Flatten", ["b"], ["scores"]),
    ]
    model = model_of(nodes, given={"image": [None, 16, 24, 3]}, made={"scores": [None, 3]})
    network = loaded(written(model, tmp_path / "net.onnx"))
    assert cards.every()[0].layout == "NHWC"
    assert network.preprocess.resize == (16, 24)
    images = torch.rand(2, 3, 16, 24)
    assert torch.allclose(network.module(images), images.mean((2, 3)), atol=1e-6)


def dense(path: Path, channels: int, **more: object) -> Path:
    weights = np.random.default_rng(0).normal(size=(channels, 3, 1, 1)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["image", "w"], ["maps"])]
    model = model_of(
        nodes, given={"image": [1, 3, 24, 32]}, made={"maps": None}, constants={"w": weights}
    )
    return written(model, path)


@torch.no_grad()
def test_dense_maps_are_segmentation(tmp_path: Path) -> None:
    network = loaded(dense(tmp_path / "net.onnx", 21))
    assert network.info.task == "segmentation"
    assert network.info.classes[15] == "person", "21 classes are those of VOC"
    assert network.module(torch.rand(1, 3, 24, 32))["out"].shape == (1, 21, 24, 32)


@torch.no_grad()
def test_one_map_is_background_and_object(tmp_path: Path) -> None:
    module = loaded(dense(tmp_path / "net.onnx", 1)).module
    images = torch.rand(1, 3, 24, 32)
    maps = module(images)["out"]
    assert torch.allclose(maps.softmax(1)[:, 1:], module.outputs(images)[0].sigmoid(), atol=1e-6)


def test_a_task_can_be_given(tmp_path: Path) -> None:
    path = dense(tmp_path / "net.onnx", 7)
    network = explorer.load(str(path), task="features")
    assert network.info.task == "features"
    assert isinstance(network.module(torch.rand(1, 3, 24, 32)), torch.Tensor)
    assert explorer.load(str(path)).info.task == "features"


@pytest.mark.parametrize(
    ("first", "mean", "std"),
    [
        (("Div", 255.0), (0.0,) * 3, (1 / 255,) * 3),
        (("Sub", 0.5), None, None),
        (("Sub", 127.5), (0.0,) * 3, (1 / 255,) * 3),
    ],
)
def test_a_graph_that_normalizes_gets_plain_values(
    first: tuple[str, float], mean: object, std: object, tmp_path: Path
) -> None:
    model = onnx.load(str(classifier(tmp_path / "net.onnx")))
    kind, number = first
    model.graph.initializer.append(
        onnx.numpy_helper.from_array(np.array(number, np.float32), "number")
    )
    model.graph.node[0].input[0] = "normal"
    model.graph.node.insert(0, helper.make_node(kind, ["image", "number"], ["normal"]))
    steps = loaded(written(model, tmp_path / "net.onnx")).preprocess
    assert (steps.mean, steps.std) == (mean, std)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"image": [1, 3, 8, 8], "other": [1]}, "takes 2 inputs (image, other), not one image"),
        ({"image": [1, 12]}, "takes 1 input (image), not one image"),
        ({"image": [1, 7, 8, 8]}, "takes 7 channels"),
        ({"image": [1, 3, 90000, 8]}, "takes images of 8 x 90000 pixels"),
    ],
)
def test_what_takes_no_image_is_refused(
    given: dict[str, list[int]], words: str, tmp_path: Path
) -> None:
    nodes = [helper.make_node("Relu", ["image"], ["scores"])]
    path = written(model_of(nodes, given=given, made={"scores": None}), tmp_path / "net.onnx")
    with pytest.raises(ExplorerError) as caught:
        catalog.opened(path)
    assert words in caught.value.message


def test_a_card_that_was_altered_is_not_believed(tmp_path: Path) -> None:
    path = classifier(tmp_path / "pets.onnx")
    name = catalog.opened(path)
    (card,) = cards.folder().glob("*.json")
    card.write_text('{"format": 1, "name": "x"}')
    assert cards.every() == ()
    assert catalog.opened(path) == name


def test_metadata_is_data() -> None:
    assert metadata.value_of("{0: 'a', 1: 'b'}") == {0: "a", 1: "b"}
    assert metadata.value_of("__import__('os').mkdir('/tmp/x')") is None
    assert metadata.value_of("[" * 100_000) is None
    assert metadata.class_names({"names": '["a", "b"]'}) == ("a", "b")
    assert metadata.class_names({"classes": "a, b"}) == ("a", "b")
    assert metadata.class_names({"names": "{0: 'a', 2: 'c'}"}) == ()
    assert metadata.input_size({"imgsz": "[640, 480]"}) == (640, 480)
    assert metadata.input_size({"imgsz": "640"}) == (640, 640)


def test_views_take_the_path(tmp_path: Path) -> None:
    path = classifier(tmp_path / "pets.onnx", metadata=NAMES)
    answer = explorer.look("classify", "cat", network=str(path))
    assert any(name in answer.summary for name in ("cat", "dog", "hen"))
    maps = explorer.look("feature_maps", "cat", network=str(path), layer="body.conv")
    assert "4 channels of 32 x 32" in maps.summary
