"""The nodes of an ONNX file as plain data: names, operators, inputs, outputs and attributes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from explorer.networks.onnx.packages import needed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
