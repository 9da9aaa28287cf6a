"""The graph of an ONNX file: its own nodes, with the shapes of their tensors for an image."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import groupby
from math import prod
from typing import TYPE_CHECKING

from explorer.vision.graph.nodes import INPUT, Call, Graph, Node, Shape, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from explorer.networks.onnx.module import OnnxModule
    from explorer.networks.onnx.nodes import FileNode

WINDOWS = frozenset({"Conv", "ConvInteger", "ConvTranspose", "MaxPool", "AveragePool"})
WEIGHTS = {"QLinearConv": 3, "QLinearMatMul": 3}
"""Which input has the weights, where it is not the one behind the first."""


def stored_graph(module: OnnxModule, images: Tensor) -> Graph:
    """The nodes of a file that depend on its input, in the file's order.

    A block is what the exporter wrote down as the inside of one module, as far as it stands
    together in the file: "layer1.0" of "layer1.0.conv1" and "layer1.0.conv2".

    Args:
        module: Of a file.
        images: (1, 3, H, W), as the module takes it.

    ``stored_graph(module, images).nodes[1].name`` is the name of the file's first node.
    """
    sizes = module.sizes(images)
    shapes = {name: shape for name, (shape, _) in sizes.items()}
    size = shapes.get(module.source, tuple(images.shape))
    nodes = [Node(0, 0, INPUT, False, size, (), 0, 0, ())]
    made: dict[str, int] = {module.source: 0}
    shown: list[FileNode] = []
    for node in module.nodes:
        sources = tuple(sorted({made[name] for name in node.given if name in made}))
        if not sources:
            continue  # it computes a constant
        index = len(nodes)
        outputs = [name for name in node.made if name]
        made.update(dict.fromkeys(outputs, index))
        given = next((shapes[name] for name in node.given if name in shapes), ())
        nodes.append(
            Node(
                index, 0, node.kind, True, shapes.get(outputs[0], ()) if outputs else (), given,
                flops_of(node, shapes), sum(sizes[name][1] for name in outputs if name in sizes),
                sources, name=node.name or outputs[0], about=node.words(),
            )
        )  # fmt: skip
        shown.append(node)
    total = sum(node.parameters for node in module.nodes)
    root = Call(0, "", "Graph", -1, 0, total, 0, 1, len(nodes), leaf=False)
    calls = [replace(root, shape=nodes[-1].shape)]
    _nest(nodes, calls, shown, (1, len(nodes)), 0, 0)
    return Graph(tuple(nodes), tuple(calls), stored=True)


def _nest(
    nodes: list[Node],
    calls: list[Call],
    shown: list[FileNode],
    span: tuple[int, int],
    depth: int,
    parent: int,
) -> None:
    """Adds the calls of the nodes in `span`, whose names have `depth` parts in common."""

    def head(at: int) -> str:
        parts = shown[at - 1].layer.split(".")
        return ".".join(parts[: depth + 1]) if len(parts) > depth + 1 else f"{at}."

    for path, run in groupby(range(*span), head):
        members = list(run)
        inner = (members[0], members[-1] + 1)
        if path.endswith("."):
            _add_leaf(nodes, calls, shown, members[0], parent)
        elif len(members) == 1 or inner == span:  # a block of one node, or of all that are there
            _nest(nodes, calls, shown, inner, depth + 1, parent)
        else:
            index = len(calls)
            times = sum(call.path == path for call in calls)
            weights = sum(shown[at - 1].parameters for at in members)
            calls.append(
                Call(
                    index, path, _kind(path), parent, times, weights, 0, *inner, leaf=False,
                    shape=nodes[members[-1]].shape,
                )
            )  # fmt: skip
            _nest(nodes, calls, shown, inner, depth + 1, index)


def _add_leaf(
    nodes: list[Node], calls: list[Call], shown: list[FileNode], at: int, parent: int
) -> None:
    node, file_node = nodes[at], shown[at - 1]
    calls.append(
        Call(
            len(calls), file_node.layer, node.kind, parent, 0, file_node.parameters,
            file_node.parameters, at, at + 1, leaf=True, shape=node.shape,
            window=window_of(file_node),
        )
    )  # fmt: skip
    nodes[at] = replace(node, call=len(calls) - 1)


def _kind(path: str) -> str:
    """What blocks of one kind have in common: "layer" of "layer1", "block" of "layer1.0"."""
    return re.sub(r"[\d_]+$", "", path.rpartition(".")[2]) or "block"


def flops_of(node: FileNode, shapes: Mapping[str, Shape]) -> int:
    """Of the products of a node; a multiplication and an addition are two.

    Args:
        node: Of a file.
        shapes: Of the tensors of the graph by name; those of constants are the node's own.
    """
    known = {**shapes, **node.constants}
    first = known.get(node.given[0], ()) if node.given else ()
    at = WEIGHTS.get(node.kind, 1)
    second = known.get(node.given[at], ()) if len(node.given) > at else ()
    out = known.get(node.made[0], ()) if node.made else ()
    if not (first and second and out):
        return 0
    match node.kind:
        case "Conv" | "ConvInteger" | "QLinearConv":
            return 2 * out[0] * prod(out[2:]) * prod(second)
        case "ConvTranspose":
            return 2 * first[0] * prod(first[2:]) * prod(second)
        case "Gemm":
            return 2 * prod(out) * first[0 if node.attributes.get("transA") else 1]
        case "MatMul" | "MatMulInteger" | "QLinearMatMul":
            return 2 * prod(out) * first[-1]
        case _:
            return 0


def window_of(node: FileNode) -> Window | None:
    """How a convolution or a pooling of two dimensions moves over its input."""
    if node.kind not in WINDOWS or node.attributes.get("auto_pad", "NOTSET") != "NOTSET":
        return None
    weights = node.constants.get(node.given[1], ()) if len(node.given) > 1 else ()
    kernel = node.numbers("kernel_shape", tuple(weights[2:]))
    pads = node.numbers("pads", (0,) * 4)
    if len(kernel) != 2 or len(pads) != 4 or pads[:2] != pads[2:]:
        return None  # more on one side than on the other
    stride, dilation = node.numbers("strides", (1, 1)), node.numbers("dilations", (1, 1))
    extra, groups = node.numbers("output_padding", (0, 0)), node.attributes.get("group", 1)
    return Window(
        (kernel[0], kernel[1]), (stride[0], stride[1]), (pads[0], pads[1]),
        (dilation[0], dilation[1]), (extra[0], extra[1]), transposed=node.kind == "ConvTranspose",
        ceil=bool(node.attributes.get("ceil_mode", 0)),
        groups=groups if isinstance(groups, int) else 1,
    )  # fmt: skip
