"""A file from anybody: one sentence for everything that is wrong with it, and nothing is run."""

from __future__ import annotations

import builtins
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from explorer.core.errors import ExplorerError
from explorer.networks import catalog
from explorer.networks.onnx.reading import read
from tests.networks.onnx_files import classifier, model_of, written


class Bomb:
    """Unpickling it would leave a file behind."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.place),)


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1_000_000))


def huge(path: Path) -> None:
    shape = np.array([1 << 20, 1 << 12, 1 << 6], np.int64)
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["one"]),
        helper.make_node("Add", ["image", "one"], ["scores"]),
    ]
    model = model_of(
        nodes, given={"image": [1, 3, 8, 8]}, made={"scores": None}, constants={"shape": shape}
    )
    written(model, path)


def lying(path: Path) -> None:
    model = onnx.load(str(classifier(path)))
    model.graph.initializer[0].dims[0] = 1 << 20
    written(model, path)


def foreign(path: Path) -> None:
    nodes = [helper.make_node("Evil", ["image"], ["scores"], domain="my.company")]
    model = model_of(nodes, given={"image": [1, 3, 8, 8]}, made={"scores": [1, 2]})
    model.opset_import.append(helper.make_opsetid("my.company", 1))
    written(model, path)


def loose(path: Path) -> None:
    nodes = [helper.make_node("Relu", ["nobody"], ["scores"])]
    written(model_of(nodes, given={"image": [1, 3, 8, 8]}, made={"scores": [1, 2]}), path)


def cut(path: Path) -> None:
    data = classifier(path).read_bytes()
    path.write_bytes(data[: len(data) // 2])


MALFORMED = {
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "cut": (cut, "is damaged: it is truncated"),
    "text": (lambda path: path.write_text("hello"), "is damaged"),
    "picture": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99)), "a PNG picture"),
    "web page": (lambda path: path.write_text("<html>"), "is a web page, not an ONNX file"),
    "zip bomb": (zipped, "is a zip archive"),
    "shape bomb": (huge, "would make a tensor of"),
    "lying": (lying, "declares"),
    "custom operators": (foreign, "uses operators of its own (my.company.Evil)"),
    "loose ends": (loose, "is damaged"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "missing": (lambda path: None, "does not exist"),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_file_is_one_sentence(kind: str, tmp_path: Path) -> None:
    make, words = MALFORMED[kind]
    make(path := tmp_path / "net.onnx")
    with pytest.raises(ExplorerError) as caught:
        catalog.opened(path)
    assert words in caught.value.message
    assert caught.value.message.count("\n") == 0
    assert caught.value.hint


def test_a_pickle_is_not_executed(tmp_path: Path) -> None:
    path, trap = tmp_path / "net.onnx", tmp_path / "trap"
    path.write_bytes(pickle.dumps(Bomb(trap)))
    with pytest.raises(ExplorerError, match="is a pickle, not an ONNX file"):
        read(path)
    assert not trap.exists()


def test_an_onnx_file_under_another_name_is_no_checkpoint(tmp_path: Path) -> None:
    path = classifier(tmp_path / "net.pth")
    with pytest.raises(ExplorerError, match="not a file of PyTorch weights"):
        catalog.guess(path)


def outside(path: Path, place: str, **about: str) -> Path:
    """A classifier whose first tensor lies in another file."""
    model = onnx.load(str(classifier(path)))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": place, **about}.items():
        tensor.external_data.add(key=key, value=value)
    return written(model, path)


def test_external_data_beside_the_file_is_read(tmp_path: Path) -> None:
    whole = read(classifier(tmp_path / "whole.onnx"))
    data = whole.model.graph.initializer[0].raw_data
    (tmp_path / "w.bin").write_bytes(b"12345678" + data)
    found = read(outside(tmp_path / "net.onnx", "w.bin", offset="8", length=str(len(data))))
    tensor = found.model.graph.initializer[0]
    assert tensor.data_location == onnx.TensorProto.DEFAULT
    assert np.array_equal(
        numpy_helper.to_array(tensor), numpy_helper.to_array(whole.model.graph.initializer[0])
    )
    (tmp_path / "w.bin").write_bytes(b"12345678" + data[::-1])
    assert read(tmp_path / "net.onnx").digest != found.digest, "the digest is of all weights"


@pytest.mark.parametrize("place", ["../w.bin", "/etc/passwd", "a/../../w.bin", "C:\\w.bin", ""])
def test_external_data_elsewhere_is_refused(place: str, tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(4 * 3 * 3 * 3 * 4))
    with pytest.raises(ExplorerError, match="outside its folder"):
        read(outside(folder / "net.onnx", place))


def test_external_data_behind_a_link_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(4 * 3 * 3 * 3 * 4))
    folder = tmp_path / "inner"
    folder.mkdir()
    (folder / "w.bin").symlink_to(secret)
    with pytest.raises(ExplorerError, match="is a link"):
        read(outside(folder / "net.onnx", "w.bin"))


def test_external_data_that_is_too_short(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(10))
    with pytest.raises(ExplorerError, match="is shorter than it says"):
        read(outside(tmp_path / "net.onnx", "w.bin", length="432"))


def test_without_the_extra_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = classifier(tmp_path / "net.onnx")
    monkeypatch.setattr("explorer.networks.onnx.packages.import_module", _nothing)
    with pytest.raises(ExplorerError) as caught:
        catalog.opened(path)
    assert caught.value.message == "ONNX files need the package onnx, which is not installed."
    assert caught.value.hint == "pip install 'convnet-explorer[onnx]'."
    assert builtins.len(catalog.entries()) > 0, "the catalog needs none of it"


def _nothing(name: str) -> Any:
    raise ImportError(name)
