"""Files that anybody may have made, of each kind of network file: one sentence, nothing executed.

The same kinds for ONNX, safetensors and PyTorch's own files, as far as a format can have them.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import socket
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

from explorer.core.errors import ExplorerError
from explorer.networks import catalog
from explorer.networks.onnx import cards
from tests.networks.onnx_files import classifier, model_of, written

Maker = Callable[[Path], object]
TRAP = "trap"
"""A folder beside the file, which code in it would make."""

MOST_LETTERS = 400


class Trap:
    """Unpickling it leaves a folder behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path.with_name(TRAP)),)


# -- kinds of any format --------------------------------------------------------------------------


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"weight": Trap(path)}, protocol=2))


def zipped(path: Path) -> None:
    """As torch writes it, with code in the place of a tensor."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({"weight": Trap(path)}, protocol=2))
        archive.writestr("a/version", b"3\n")


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(10_000_000))


def listening(path: Path) -> None:
    place = os.getcwd()
    os.chdir(path.parent)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(place)


ANY: dict[str, Maker] = {
    "pickle with code": pickled,
    "zip with code": zipped,
    "zip bomb": bomb,
    "empty": lambda path: path.write_bytes(b""),
    "one byte": lambda path: path.write_bytes(b"\x08"),
    "zeros": lambda path: path.write_bytes(bytes(4096)),
    "text": lambda path: path.write_text("import os\nos.mkdir('trap')\n"),
    "picture": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64)),
    "photo": lambda path: path.write_bytes(b"\xff\xd8\xff\xe0" + bytes(64)),
    "TFLite": lambda path: path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(64)),
    "web page": lambda path: path.write_text("<!DOCTYPE html><html>Sign in</html>"),
    "Git LFS pointer": lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"),
    "folder": lambda path: path.mkdir(),
    "pipe": lambda path: os.mkfifo(path),
    "socket": listening,
    "link to nothing": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "missing": lambda path: None,
}


# -- ONNX -----------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    data = classifier(path).read_bytes()
    path.write_bytes(data[: len(data) // 2])


def changed(path: Path, change: Callable[[Any], object]) -> None:
    model = onnx.load(str(classifier(path)))
    change(model)
    written(model, path)


def external(place: str) -> Maker:
    """The first tensor lies in another file: what is there must not be read."""

    def make(path: Path) -> None:
        (path.parent.parent / "w.bin").write_bytes(bytes(432))
        (path.parent / "link.bin").symlink_to(path.parent.parent / "w.bin")
        (path.parent / "inner").symlink_to(path.parent.parent, target_is_directory=True)

        def move(model: Any) -> None:
            tensor = model.graph.initializer[0]
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            where = place.replace("ABOVE", str(path.parent.parent))
            tensor.external_data.add(key="location", value=where)

        changed(path, move)

    return make


def resized(dims: list[int]) -> Maker:
    """The first tensor declares these sizes."""

    def make(path: Path) -> None:
        def declare(model: Any) -> None:
            tensor = model.graph.initializer[0]
            del tensor.dims[:]
            tensor.dims.extend(dims)

        changed(path, declare)

    return make


def hollow(path: Path) -> None:
    """A convolution without any channel: its tensor has as many values as it says, none."""

    def empty(model: Any) -> None:
        tensor = numpy_helper.from_array(np.zeros((0, 3, 3, 3), np.float32), "w")
        model.graph.initializer[0].CopyFrom(tensor)

    changed(path, empty)


def spoil(model: Any) -> None:
    values = numpy_helper.to_array(model.graph.initializer[0]).copy()
    values[0, 0, 0, 0] = float("nan")
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(values, "w"))


def custom(path: Path) -> None:
    nodes = [helper.make_node("Evil", ["image"], ["scores"], domain="my.company")]
    model = model_of(nodes, given={"image": [1, 3, 8, 8]}, made={"scores": [1, 2]})
    model.opset_import.append(helper.make_opsetid("my.company", 1))
    written(model, path)


def custom_inside(path: Path) -> None:
    """The same in the branch of a condition."""
    made = [helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, [1, 2])]
    node = helper.make_node("Evil", ["image"], ["b"], domain="my.company")
    branch = helper.make_graph([node], "branch", [], made)
    condition = numpy_helper.from_array(np.array(True), "c")
    nodes = [
        helper.make_node("Constant", [], ["c"], value=condition),
        helper.make_node("If", ["c"], ["scores"], then_branch=branch, else_branch=branch),
    ]
    model = model_of(nodes, given={"image": [1, 3, 8, 8]}, made={"scores": [1, 2]})
    model.opset_import.append(helper.make_opsetid("my.company", 1))
    written(model, path)


def cycle(path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["image", "b"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Relu", ["b"], ["scores"]),
    ]
    written(model_of(nodes, given={"image": [1, 3, 8, 8]}, made={"scores": None}), path)


def recursive(path: Path) -> None:
    """A function of the file that calls itself, and two that call each other."""
    nodes = [helper.make_node("f", ["image"], ["scores"], domain="own")]
    model = model_of(nodes, given={"image": [1, 3, 8, 8]}, made={"scores": None})
    model.opset_import.append(helper.make_opsetid("own", 1))
    for name, called in (("f", "g"), ("g", "f")):
        inner = [helper.make_node(called, ["x"], ["y"], domain="own")]
        versions = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
        model.functions.append(helper.make_function("own", name, ["x"], ["y"], inner, versions))
    written(model, path)


def huge(path: Path) -> None:
    """A constant shape of terabytes."""
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


def spreading(kind: str, **about: Any) -> Maker:
    """A small file whose map would have billions of cells."""

    def make(path: Path) -> None:
        constants = {
            "pads": np.array([0, 0, 1 << 20, 1 << 20] * 2, np.int64),
            "scales": np.array([1, 1, 1e6, 1e6], np.float32),
            "none": np.zeros(0, np.float32),
            "w": np.ones((1, 3, 3, 3), np.float32),
        }
        given = {"Pad": ["pads"], "Resize": ["none", "scales"], "Conv": ["w"]}[kind]
        nodes = [helper.make_node(kind, ["image", *given], ["scores"], **about)]
        used = {name: constants[name] for name in given}
        shapes: dict[str, list[Any]] = {"image": [1, 3, 8, 8]}
        written(model_of(nodes, given=shapes, made={"scores": None}, constants=used), path)

    return make


def taking(shapes: dict[str, list[Any]]) -> Maker:
    def make(path: Path) -> None:
        nodes = [helper.make_node("Relu", [next(iter(shapes), "x")], ["scores"])]
        constants = {} if shapes else {"x": np.zeros((1, 3), np.float32)}
        written(model_of(nodes, given=shapes, made={"scores": None}, constants=constants), path)

    return make


def doubled(path: Path) -> None:
    """Two nodes make one value."""

    def repeat(model: Any) -> None:
        model.graph.node.append(model.graph.node[0])

    changed(path, repeat)


ONNX: dict[str, Maker] = {
    "cut": cut,
    "external data above": external("../w.bin"),
    "external data above, around": external("inner/../../w.bin"),
    "external data at an absolute path": external("ABOVE/w.bin"),
    "external data behind a link": external("link.bin"),
    "external data behind a link of a folder": external("inner/w.bin"),
    "external data on another drive": external("C:\\w.bin"),
    "external data that is not there": external("none.bin"),
    "external data that is the file": external("net.onnx"),
    "custom operator": custom,
    "custom operator in a branch": custom_inside,
    "more values than there are": resized([1 << 20, 3, 3, 3]),
    "huge sizes": resized([1 << 40, 1 << 40, 3, 3]),
    "negative size": resized([-4, 3, 3, 3]),
    "no values": hollow,
    "not a number": lambda path: changed(path, spoil),
    "shape bomb": huge,
    "padding bomb": spreading("Pad"),
    "resizing bomb": spreading("Resize"),
    "padding bomb of a convolution": spreading("Conv", pads=[1 << 30] * 4),
    "cycle": cycle,
    "recursive functions": recursive,
    "no graph": lambda path: changed(path, lambda model: model.ClearField("graph")),
    "no nodes": lambda path: changed(path, lambda model: model.graph.ClearField("node")),
    "no inputs": taking({}),
    "two inputs": taking({"image": [1, 3, 8, 8], "more": [1]}),
    "huge input": taking({"image": [1, 3, 1 << 40, 1 << 40]}),
    "no outputs": lambda path: changed(path, lambda model: model.graph.ClearField("output")),
    "unknown type": lambda path: changed(
        path, lambda model: setattr(model.graph.initializer[0], "data_type", 999)
    ),
    "future opset": lambda path: changed(
        path, lambda model: setattr(model.opset_import[0], "version", 1 << 40)
    ),
    "unknown operator": lambda path: changed(
        path, lambda model: setattr(model.graph.node[0], "op_type", "Nothing")
    ),
    "one value made twice": doubled,
}


# -- safetensors ----------------------------------------------------------------------------------


def header(content: dict[str, Any], data: bytes = b"", length: int | None = None) -> Maker:
    def make(path: Path) -> None:
        text = json.dumps(content).encode()
        path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)

    return make


def tensor(shape: list[int], end: int, kind: str = "F32") -> dict[str, Any]:
    return {"fc.weight": {"dtype": kind, "shape": shape, "data_offsets": [0, end]}}


SAFETENSORS: dict[str, Maker] = {
    "cut": header(tensor([100], 400), bytes(100)),
    "beyond its end": header(tensor([10**9], 4 * 10**9), bytes(8)),
    "huge sizes": header(tensor([1 << 40, 1 << 40], 8), bytes(8)),
    "negative size": header(tensor([-2], 8), bytes(8)),
    "offsets that overlap": header(
        {**tensor([2], 8), "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}, bytes(12)
    ),
    "offsets that lie": header(tensor([2], 16), bytes(16)),
    "header longer than the file": header(tensor([2], 8), bytes(8), length=1 << 60),
    "header that ends early": header(tensor([2], 8), bytes(8), length=10),
    "header that is a list": lambda path: path.write_bytes(struct.pack("<Q", 2) + b"{]" + bytes(9)),
    "deep header": lambda path: path.write_bytes(
        struct.pack("<Q", 200_001) + b'{"a":' + b"[" * 199_996 + bytes(9)
    ),
    "no tensors": header({}),
    "unknown type": header(tensor([2], 8, "F7"), bytes(8)),
    "entry without a type": header({"a": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
}


# -- PyTorch --------------------------------------------------------------------------------------


def saved(content: Any, **more: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **more)
    return file.getvalue()


def weights() -> bytes:
    return saved({"fc.weight": torch.arange(100.0), "fc.bias": torch.ones(3)})


def stored(content: Callable[[Path], Any], **more: Any) -> Maker:
    return lambda path: path.write_bytes(saved(content(path), **more))


def trapped(path: Path) -> dict[str, Any]:
    return {"fc.weight": torch.ones(2), "hook": Trap(path)}


def scripted(path: Path) -> None:
    """A program, whose code would run when it is loaded."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("m/data.pkl", "m/code/__torch__.py", "m/constants.pkl", "m/version"):
            archive.writestr(name, b"\x80\x02}.")


PTH: dict[str, Maker] = {
    "code beside the weights": stored(trapped),
    "code beside the weights, legacy": stored(trapped, _use_new_zipfile_serialization=False),
    "code, protocol 4": stored(trapped, pickle_protocol=4),
    "whole module": stored(lambda _: nn.Linear(2, 2)),
    "whole module, legacy": stored(lambda _: nn.Linear(2, 2), _use_new_zipfile_serialization=False),
    "cut": lambda path: path.write_bytes(weights()[: len(weights()) // 2]),
    "cut at the central directory": lambda path: path.write_bytes(
        weights()[: weights().rindex(b"PK\x01\x02")]
    ),
    "TorchScript": scripted,
    "expanded view": stored(lambda _: {"a": torch.zeros(1).expand(10**9)}),
    "no tensors": stored(lambda _: {"epoch": 1}),
    "meta tensors": stored(lambda _: {"a.weight": torch.ones(2, 2, device="meta")}),
    "ONNX": classifier,
}

CASES = [
    *((".onnx", kind, make) for kind, make in {**ANY, **ONNX}.items()),
    *((".safetensors", kind, make) for kind, make in {**ANY, **SAFETENSORS}.items()),
    *((".pth", kind, make) for kind, make in {**ANY, **PTH}.items()),
]


@pytest.mark.parametrize(
    ("suffix", "make"),
    [pytest.param(suffix, make, id=f"{kind}{suffix}") for suffix, kind, make in CASES],
)
def test_it_is_refused_in_one_sentence_and_nothing_is_executed(
    suffix: str, make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    monkeypatch.chdir(folder)
    path = folder / f"net{suffix}"
    make(path)
    before = sorted(place.name for place in folder.iterdir())
    asks = (catalog.inspect, catalog.questions if suffix == ".onnx" else catalog.guess)
    for ask in asks:
        with pytest.raises(ExplorerError) as caught:
            ask(path)
        words = caught.value
        assert "\n" not in words.message
        assert words.message.endswith(".")
        assert len(words.message) < MOST_LETTERS
        assert words.hint
    assert sorted(place.name for place in folder.iterdir()) == before, "nothing was executed"
    assert cards.every() == ()


@pytest.mark.parametrize("suffix", [".onnx", ".safetensors", ".pth"])
def test_a_file_that_may_not_be_read(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"net{suffix}"
    path.write_bytes(weights())

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # a mode of 000 does not stop an administrator
    with pytest.raises(ExplorerError, match=r"(?i)permission denied"):
        catalog.inspect(path)


def test_numbers_that_are_no_weights_are_told_before_they_are_used(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(saved({"a.weight": torch.tensor([1.0, float("nan")])}))
    lines = dict(catalog.inspect(path).lines())
    assert lines["NaN or infinity"] == "a.weight"
    assert lines["Looks like"] == "no network of the catalog"
