"""Reading an ONNX file that anybody may have made.

A file is a description of a graph: nothing in it is executed while it is read. Tensors that lie in
other files are read here, from the file's own folder alone, and put into the model in memory, so
that no library opens a path that a file names.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name, read_file
from explorer.networks.checkpoints.reading import other_format
from explorer.networks.onnx.packages import needed

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 2_000_000_000
"""Of a file with its external tensors: protobuf itself ends at 2 GiB."""

MOST_NODES = 50_000
MOST_MADE = 1 << 28
"""Numbers that a constant shape in the file may ask for: more would be a bomb, no network."""

MOST_EXTENT = 1 << 14
"""Cells of padding, of a window or of a resized map, or times that one is enlarged."""

_EXTENTS = ("pads", "kernel_shape", "strides", "dilations", "output_padding", "output_shape")

DOMAINS = frozenset({"", "ai.onnx", "com.microsoft", "pkg.onnxscript.torch_lib"})
"""Of operators that onnx or ONNX Runtime define themselves."""

_NO_SHAPE = "Field 'shape' of 'type' is required but missing"
_SMALLER = "Choose a smaller network."
_AGAIN = "Copy or export it again."


@dataclass(frozen=True, slots=True, eq=False)
class OnnxFile:
    """A model in memory.

    Attributes:
        name: The file's name, for people.
        path: Where it is.
        model: The `onnx.ModelProto`, with all tensors inside.
        digest: SHA-256 of the file and of its external tensors, 64 hex digits.
    """

    name: str
    path: Path
    model: Any
    digest: str

    @property
    def metadata(self) -> dict[str, str]:
        """What the exporter wrote beside the graph."""
        return {entry.key: entry.value for entry in self.model.metadata_props}

    @property
    def opset(self) -> int:
        """The version of the standard operators."""
        versions = [s.version for s in self.model.opset_import if s.domain in ("", "ai.onnx")]
        return max(versions, default=0)


def read(path: Path) -> OnnxFile:
    """The model in a file.

    Raises:
        ExplorerError: Whatever is wrong with it, in one sentence.
    """
    onnx = needed("onnx")
    name = display_name(path)
    data = read_file(path, limit=MOST_BYTES, kind="an ONNX file", smaller=_SMALLER)
    if not data:
        raise ExplorerError(f"{name} is empty.", "Copy or download it again.")
    _refuse_others(data[:64], name)
    digest = hashlib.sha256(data)
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:
        raise damaged(name, "it is truncated or is not in the ONNX format") from error
    if not model.HasField("graph") or not model.graph.node:
        raise damaged(name, "it has no graph")
    if not model.graph.output:
        raise damaged(name, "its graph has no outputs")
    nodes = list(every_node(model.graph))
    if len(nodes) > MOST_NODES:
        raise ExplorerError(
            f"{name} has {len(nodes):,} operations; the limit is {MOST_NODES:,}.", _SMALLER
        )
    _refuse_custom(model, nodes, name)
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            digest.update(_put_inside(tensor, path, name))
        _check_size(onnx, tensor, name)
    _refuse_bombs(onnx, model, name)
    try:
        if model.functions:
            model = needed("onnx.inliner").inline_local_functions(model)
        onnx.checker.check_model(model)
    except Exception as error:
        if _NO_SHAPE not in str(error):  # the sizes of outputs are found by a trial
            raise damaged(name, _first_line(error)) from error
    return OnnxFile(name, path, model, digest.hexdigest())


def damaged(name: str, why: str) -> ExplorerError:
    """The sentence for a file that cannot be right."""
    return ExplorerError(f"{name} is damaged: {why}.", _AGAIN)


def every_node(graph: Any) -> Iterator[Any]:
    """The nodes of a graph, those in branches and loops too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    yield from every_node(inner)


def _refuse_others(head: bytes, name: str) -> None:
    what = other_format(head)
    if head.startswith(b"PK"):
        what = "a zip archive, as torch.save writes it"
    elif head.startswith(b"\x80"):
        what = "a pickle"
    if what:
        raise ExplorerError(f"{name} is {what}, not an ONNX file.", "Choose an ONNX file.")


def _refuse_custom(model: Any, nodes: list[Any], name: str) -> None:
    local = {(function.domain, function.name) for function in model.functions}
    own = {
        f"{node.domain}.{node.op_type}"
        for node in nodes
        if node.domain not in DOMAINS and (node.domain, node.op_type) not in local
    }
    if own:
        raise ExplorerError(
            f"{name} uses operators of its own ({_words(own)}), which would need code that is "
            "not in the file.",
            "Export the network with standard ONNX operators.",
        )


def _tensors(model: Any) -> Iterator[Any]:
    graphs = [model.graph]
    while graphs:
        graph = graphs.pop()
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield sparse.values
            yield sparse.indices
        yield from _attributes(graph.node, graphs)
    for function in model.functions:
        inner: list[Any] = []
        yield from _attributes(function.node, inner)
        while inner:
            graph = inner.pop()
            yield from graph.initializer
            yield from _attributes(graph.node, inner)


def _attributes(nodes: Any, graphs: list[Any]) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("g"):
                graphs.append(attribute.g)
            graphs.extend(attribute.graphs)


def _put_inside(tensor: Any, path: Path, name: str) -> bytes:
    """Reads the numbers of an external tensor into it; returns them."""
    about = {entry.key: entry.value for entry in tensor.external_data}
    place = about.get("location", "")
    parts = Path(place).parts
    if (
        not place
        or os.path.isabs(place)
        or place.startswith(("/", "\\"))
        or "\\" in place
        or ":" in place
        or ".." in parts
        or "\0" in place
    ):
        raise ExplorerError(
            f"{name} takes weights from {place[:60]!r}, which is outside its folder.",
            "Keep the weights in the folder of the ONNX file.",
        )
    folder = Path(os.path.abspath(path)).parent
    file = folder.joinpath(*parts)
    inner = folder
    for part in parts:
        inner = inner / part
        if os.path.islink(inner):
            raise ExplorerError(
                f"{name} takes weights from {place[:60]!r}, which is a link.",
                "Keep the weights themselves in the folder of the ONNX file.",
            )
    data = read_file(file, limit=MOST_BYTES, kind="the weights of an ONNX file", smaller=_SMALLER)
    try:
        start = int(about.get("offset", "0"))
        length = int(about.get("length", str(len(data) - start)))
    except ValueError:
        start = length = -1
    if start < 0 or length < 0 or start + length > len(data):
        raise damaged(name, f"{display_name(file)} is shorter than it says")
    inside = data[start : start + length]
    tensor.raw_data = inside
    del tensor.external_data[:]
    tensor.data_location = 0  # DEFAULT: inside the model
    return inside


def _check_size(onnx: Any, tensor: Any, name: str) -> None:
    """A tensor may not declare more numbers than it has."""
    if any(size < 0 for size in tensor.dims):
        raise damaged(name, f"the tensor {tensor.name[:40]!r} has a negative size")
    count = prod(tensor.dims)
    if count > MOST_BYTES:
        raise damaged(name, f"the tensor {tensor.name[:40]!r} declares {count:,} values")
    if not tensor.HasField("raw_data"):
        return  # the checker compares the typed fields
    try:
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except (KeyError, ValueError, TypeError):
        raise damaged(name, f"the tensor {tensor.name[:40]!r} has an unknown type") from None
    small = tensor.data_type in (onnx.TensorProto.INT4, onnx.TensorProto.UINT4)
    wanted = (count + 1) // 2 if small else count * kind.itemsize
    if len(tensor.raw_data) != wanted:
        raise damaged(
            name,
            f"the tensor {tensor.name[:40]!r} declares {count:,} values where "
            f"{len(tensor.raw_data):,} bytes are stored",
        )


def _refuse_bombs(onnx: Any, model: Any, name: str) -> None:
    """Small files that would fill the memory: constant shapes of enormous tensors."""
    known = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    known[node.output[0]] = attribute.t
    for node in model.graph.node:
        extent = _extent(onnx, node, known)
        if extent > MOST_EXTENT:
            raise ExplorerError(
                f"{name} would make a map of {extent:.1e} cells a side ({node.op_type}).",
                "It is no network: do not use it.",
            )
        if node.op_type not in ("ConstantOfShape", "Expand", "Tile"):
            continue
        shape = known.get(node.input[0 if node.op_type == "ConstantOfShape" else 1])
        if shape is None or prod(shape.dims) > 64:
            continue
        asked = prod(max(1, int(size)) for size in onnx.numpy_helper.to_array(shape).ravel())
        if asked > MOST_MADE:
            raise ExplorerError(
                f"{name} would make a tensor of {asked:.1e} values from almost nothing.",
                "It is no network: do not use it.",
            )


def _extent(onnx: Any, node: Any, known: dict[str, Any]) -> float:
    """The largest number of padding, of a window or of a new size that a node asks for."""
    asked = [float(n) for a in node.attribute if a.name in _EXTENTS for n in a.ints]
    if node.op_type in ("Pad", "Resize", "Upsample"):
        given = [known[value] for value in node.input[1:] if value in known]
        for tensor in (tensor for tensor in given if prod(tensor.dims) <= 64):
            asked += onnx.numpy_helper.to_array(tensor).astype(float).ravel().tolist()
    return max(map(abs, asked), default=0.0)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    text = "".join(letter if letter.isprintable() else "?" for letter in text).rstrip(".")
    return text if len(text) <= 120 else f"{text[:119]}…"


def _words(names: set[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - 4} more" if len(shown) > 4 else ""
    return ", ".join(shown[:4]) + more
