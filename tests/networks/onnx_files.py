"""ONNX files made by a test: exported by torch, or written node by node."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn


def exported(
    module: nn.Module, values: Tensor, path: Path, *, opset: int = 17, **more: Any
) -> Path:
    """The module as torch's exporter writes it, with batch norms as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), (values,), str(path), dynamo=False, opset_version=opset,
            training=torch.onnx.TrainingMode.PRESERVE, **more,
        )  # fmt: skip
    return path


def model_of(
    nodes: list[Any],
    *,
    given: dict[str, list[Any]],
    made: dict[str, list[Any] | None],
    constants: dict[str, np.ndarray] | None = None,
    opset: int = 17,
    metadata: dict[str, str] | None = None,
    kind: int = onnx.TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A graph of these nodes: shapes of its inputs and outputs by name."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in given.items()],
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
            for name, shape in made.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    if metadata:
        helper.set_model_props(model, metadata)
    return model


def written(model: onnx.ModelProto, path: Path) -> Path:
    """The model as a file."""
    path.write_bytes(model.SerializeToString())
    return path


def classifier(
    path: Path, *, classes: int = 3, side: int = 32, softmax: bool = False, **more: Any
) -> Path:
    """A convolution, the mean of each channel, and a linear layer."""
    rng = np.random.default_rng(0)
    constants = {
        "w": rng.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "v": rng.normal(size=(4, classes)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["a"], "/body/conv/Conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], "/body/relu/Relu"),
        helper.make_node("GlobalAveragePool", ["b"], ["c"], "/pool/GlobalAveragePool"),
        helper.make_node("Flatten", ["c"], ["d"], "/Flatten"),
        helper.make_node("Gemm", ["d", "v"], ["e" if softmax else "scores"], "/fc/Gemm"),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["e"], ["scores"], "/Softmax", axis=1))
    model = model_of(
        nodes, given={"image": [1, 3, side, side]}, made={"scores": [1, classes]},
        constants=constants, **more,
    )  # fmt: skip
    return written(model, path)


def outputs(path: Path, *shapes: tuple[int, ...], side: int = 640, **more: Any) -> Path:
    """A network that gives zeros of these shapes for an image of that side."""
    nodes, constants = [helper.make_node("ReduceMean", ["image"], ["m"], keepdims=0)], {}
    nodes.append(helper.make_node("Mul", ["m", "zero"], ["n"]))
    for number, shape in enumerate(shapes):
        constants[f"c{number}"] = np.zeros(shape, np.float32)
        nodes.append(helper.make_node("Add", [f"c{number}", "n"], [f"o{number}"]))
    model = model_of(
        nodes, given={"image": [1, 3, side, side]},
        made={f"o{number}": list(shape) for number, shape in enumerate(shapes)},
        constants={**constants, "zero": np.zeros((), np.float32)}, **more,
    )  # fmt: skip
    return written(model, path)
