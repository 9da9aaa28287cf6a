"""The nodes of an ONNX file as plain data: names, operators, inputs, outputs and attributes.

Exporters write where in the network a node was: torch's older one in the node's name
("/layer1/layer1.0/conv1/Conv"), its newer one in the node's metadata. From both comes the dotted
name that the module had in torch ("layer1.0.conv1") where the node is all that the module did, else
that name with the operator behind it ("layer1.0.Add").
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from torch import nn

from explorer.networks.onnx.packages import needed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from explorer.networks.onnx.reading import OnnxFile

    Shape = tuple[int, ...]
    Value = int | float | str | tuple[int | float | str, ...]

MOST_VALUES = 16
"""Of an attribute: a longer list is only counted."""


@dataclass(frozen=True, slots=True)
class FileNode:
    """One operation as the file has it.

    Attributes:
        layer: Dotted name of its module.
        name: Its own name in the file; "" = the exporter gave it none.
        kind: The operator: "Conv".
        given: Names of its inputs, in order; "" = left out; behind them what its branches take.
        made: Names of its outputs, likewise.
        constants: Shapes of those inputs that are constants, by name.
        parameters: Weights and biases: how many numbers its floating-point constants have, those
            that an earlier node is given too and the statistics of a batch norm left out.
        attributes: By name, in the file's order.
    """

    layer: str
    name: str
    kind: str
    given: tuple[str, ...]
    made: tuple[str, ...]
    constants: Mapping[str, Shape]
    parameters: int
    attributes: Mapping[str, Value]

    def words(self) -> str:
        """The attributes in a line: "kernel_shape = 3, 3 · group = 1"."""
        return " · ".join(f"{name} = {_words(value)}" for name, value in self.attributes.items())

    def numbers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """An attribute that is a list of whole numbers."""
        value = self.attributes.get(name, default)
        whole = isinstance(value, tuple) and all(isinstance(one, int) for one in value)
        return tuple(int(one) for one in value) if whole and isinstance(value, tuple) else default


def file_nodes(file: OnnxFile, layers: Mapping[str, str]) -> tuple[FileNode, ...]:
    """The nodes that have a module, in the file's order; second names of constants left out.

    Args:
        file: The model.
        layers: Dotted names of modules by the name of an output of their node.
    """
    onnx = needed("onnx")
    kinds = onnx.TensorProto
    floats = (kinds.FLOAT, kinds.FLOAT16, kinds.DOUBLE, kinds.BFLOAT16)
    tensors = {tensor.name: tensor for tensor in file.model.graph.initializer}
    origin = {name: name for name in tensors}
    for node in file.model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            tensors[node.output[0]] = node.attribute[0].t
            origin[node.output[0]] = node.output[0]
        elif node.op_type == "Identity" and node.input[0] in origin:  # a tensor under two names
            origin[node.output[0]] = origin[node.input[0]]
    found, counted = [], set[str]()
    for node in file.model.graph.node:
        layer = next((layers[name] for name in node.output if name in layers), None)
        if layer is None or node.output[0] in origin:
            continue
        own = {name: tensors[origin[name]] for name in node.input if name in origin}
        weights = node.input[:3] if node.op_type == "BatchNormalization" else node.input
        fresh = [
            name
            for name in weights
            if name in own
            and origin[name] not in counted
            and own[name].data_type in floats
            and own[name].dims  # a single number is a setting, as of a padding
        ]
        counted.update(origin[name] for name in fresh)
        found.append(
            FileNode(
                layer, node.name, node.op_type, (*node.input, *outer_names(node)),
                tuple(node.output),
                {name: tuple(map(int, tensor.dims)) for name, tensor in own.items()},
                sum(prod(own[name].dims) for name in fresh),
                {about.name: _value(onnx, about) for about in node.attribute},
            )
        )  # fmt: skip
    return tuple(found)


def outer_names(node: Any) -> Iterator[str]:
    """What the branches of a node, or its loop, take from around it; and names of their own."""
    for about in node.attribute:
        for graph in (about.g, *about.graphs):
            for inner in graph.node:
                yield from inner.input
                yield from outer_names(inner)
            yield from (value.name for value in graph.output)


def _value(onnx: Any, about: Any) -> Value:
    kinds = onnx.AttributeProto
    if about.name == "to" and about.type == kinds.INT:
        return str(onnx.TensorProto.DataType.Name(about.i))
    match about.type:
        case kinds.INT:
            return int(about.i)
        case kinds.FLOAT:
            return round(float(about.f), 6)
        case kinds.STRING:
            return str(about.s.decode("utf-8", "replace"))
        case kinds.INTS:
            return _list([int(one) for one in about.ints])
        case kinds.FLOATS:
            return _list([round(float(one), 6) for one in about.floats])
        case kinds.STRINGS:
            return _list([one.decode("utf-8", "replace") for one in about.strings])
        case kinds.TENSOR:
            return f"a tensor of {' x '.join(map(str, about.t.dims)) or 'one value'}"
        case kinds.GRAPH:
            return f"a graph of {len(about.g.node)} nodes"
        case _:
            return "…"


def _list(values: list[Any]) -> Value:
    return tuple(values) if len(values) <= MOST_VALUES else f"a list of {len(values)} values"


def _words(value: Value) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


SCOPES = "pkg.torch.onnx.name_scopes"
"""The metadata of a node in which torch's newer exporter writes where it stood."""

_MOST_PARTS = 32
_MOST_LETTERS = 4000

Path = tuple[str, ...]


def module_names(nodes: Sequence[Any]) -> list[str]:
    """A dotted name for each node, each different, none the beginning of another.

    Args:
        nodes: `onnx.NodeProto`s.
    """
    places = [_place(node) for node in nodes]
    alone = Counter(scope for scope, _ in places)
    inner = {scope[:depth] for scope, _ in places for depth in range(1, len(scope))}
    holders = inner | {scope for scope, count in alone.items() if count > 1 or scope in inner}
    taken: set[Path] = set()
    names = []
    for scope, label in places:
        whole = scope and alone[scope] == 1 and scope not in inner
        path = scope if whole else (*scope, label)
        number = 0
        while path in taken or path in holders or (path in alone and path != scope):
            number += 1
            path = (*scope, f"{label}_{number}")
        taken.add(path)
        names.append(".".join(path))
    return names


def _place(node: Any) -> tuple[Path, str]:
    """Where the node stood, and what it is called there."""
    for entry in node.metadata_props if hasattr(node, "metadata_props") else ():
        if entry.key == SCOPES and len(entry.value) <= _MOST_LETTERS:
            try:
                scopes = ast.literal_eval(entry.value)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(scopes, list) and len(scopes) > 1 and isinstance(scopes[-2], str):
                return _clean(scopes[-2].split(".")), _clean([node.op_type])[0]
    raw = node.name[:_MOST_LETTERS] or node.op_type
    parts: list[str] = []
    before = ""
    *scope, label = [part for part in raw.split("/") if part] or [node.op_type]
    for part in scope:
        own = part.removeprefix(f"{before}.") if before else part
        parts += own.split(".")
        before = part
    last = _clean(re.split(r"[.:]", label))
    return _clean(parts)[:_MOST_PARTS], "_".join(last) or node.op_type


def _clean(parts: Sequence[str]) -> Path:
    """Without what cannot be the name of a sub-module."""
    kept = (re.sub(r"[^\w\-]", "_", part) for part in parts if part)
    return tuple(f"{part}_" if hasattr(nn.Module, part) or part in _OWN else part for part in kept)


_OWN = frozenset(
    {
        "_computed", "_entered", "_fetch", "_given", "_inner", "_model", "_pass", "_run",
        "_session", "_value", "_weights", "anchors", "bgr", "constants", "fixed_batch", "head",
        "kind", "names", "nhwc", "nodes", "outputs", "plan", "poll", "profiled", "refusal",
        "results", "run", "session", "sizes", "source", "training", "unbatched", "why",
        "score_thresh", "nms_thresh", "detections_per_img",
    }
)  # fmt: skip
"""Attributes of the modules that nodes become parts of."""
