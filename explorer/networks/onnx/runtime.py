"""A graph that torch cannot run exactly, run by ONNX Runtime, with the tensor of every node.

Each node stands as a sub-module that computes nothing: where somebody looks at it, its tensor is
fetched and passed through it, one node at a time. ONNX Runtime keeps all outputs that a session has
until its end, those that nobody asked for too; so the tensor of an inner node comes from a session
of its own, of the nodes that lead to it. What would change a tensor on its way, or needs gradients,
is refused in a sentence.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.networks.onnx.module import OnnxModule, put
from explorer.networks.onnx.nodes import file_nodes, module_names, outer_names
from explorer.networks.onnx.packages import needed
from explorer.networks.onnx.session import RunFailedError, first_line, opened, run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from explorer.networks.onnx.module import Sized
    from explorer.networks.onnx.reading import OnnxFile

LARGE = 256
"""Numbers of a tensor from which on it is kept beside the model."""
SHAPE = "the shape of "
"""Begins the names of the outputs of a session that gives shapes."""


class Tap(nn.Module):
    """Where the output of a node passes by.

    Attributes:
        given: Names of the tensors that the node is given, constants left out.
        made: Names of its outputs.
        now: The outputs that the next call gives.
    """

    def __init__(self, given: tuple[str, ...], made: tuple[str, ...]) -> None:
        super().__init__()
        self.given, self.made = given, made
        self.now: tuple[Tensor, ...] = ()

    def forward(self, *_given: Tensor) -> Any:
        return self.now[0] if len(self.now) == 1 else self.now


class RuntimeModule(OnnxModule):
    """The graph in ONNX Runtime, on the CPU.

    Attributes:
        why: The operators for which it is not a graph of torch's.
        poll: A module that is called while ONNX Runtime computes: whoever wants to interrupt a
            forward pass puts hooks on all modules (`hooks.interruptible`).
    """

    def __init__(self, file: OnnxFile, why: str) -> None:
        super().__init__()
        onnx = needed("onnx")
        self.why = why
        self.poll = nn.Identity()
        self._model, self._weights = _apart(onnx, file.model)
        self.results = tuple(value.name for value in self._model.graph.output)
        nodes = [node for node in self._model.graph.node if node.op_type != "Constant"]
        fixed = {tensor.name for tensor in self._model.graph.initializer} | {""}
        fixed |= {node.output[0] for node in self._model.graph.node if node.op_type == "Constant"}
        layers: dict[str, str] = {}
        for name, node in zip(module_names(nodes), nodes, strict=True):
            tap = Tap(
                tuple(value for value in node.input if value not in fixed),
                tuple(value for value in node.output if value),
            )
            tap.__class__ = type(node.op_type, (Tap,), {})  # lists of layers show this name
            put(self, name, tap)
            layers.update(dict.fromkeys(tap.made, name))
        self.nodes = file_nodes(file, layers)
        self.session = self._session(self._model, file.name)
        self._inner: tuple[tuple[str, ...], Any] = ((), None)
        (entry, *_) = self.session.get_inputs()
        self.source, self.kind = entry.name, _dtype(entry.type)

    def run(self, values: Tensor) -> tuple[Tensor, ...]:
        if torch.is_grad_enabled() and values.requires_grad:
            raise self.refusal("gradients")
        given = self._given(values)
        for tap in self.modules():
            if isinstance(tap, Tap) and (tap._forward_hooks or tap._forward_pre_hooks_with_kwargs):
                self._pass(tap, given)
        found = self._computed(self.session, self.results, given)
        return tuple(_tensor(found[name]) for name in self.results)

    @torch.no_grad()
    def sizes(self, images: Tensor) -> dict[str, Sized]:
        """From a session that gives the shapes alone: no two tensors need be there for it."""
        onnx = needed("onnx")
        given = self._given(self._entered(images[:1]))
        array = given[self.source]
        names = [
            name
            for node in self.nodes
            for name in node.made
            if name and not node.kind.startswith(("Sequence", "SplitToSequence", "Optional"))
        ]
        part = _leading_to(onnx, self._model, names)
        del part.graph.output[:]
        for at, name in enumerate(names):
            part.graph.node.append(onnx.helper.make_node("Shape", [name], [f"{SHAPE}{at}"]))
        asked = [f"{SHAPE}{at}" for at in range(len(names))]
        part.graph.output.extend(map(onnx.helper.make_empty_tensor_value_info, asked))
        found = self._computed(self._session(part, optimized=False), asked, given)
        kinds = _kinds(onnx, self._model)
        shapes = {
            name: tuple(map(int, found[shape])) for name, shape in zip(names, asked, strict=True)
        }
        sized = {name: (shape, prod(shape) * kinds.get(name, 4)) for name, shape in shapes.items()}
        return {self.source: (array.shape, array.nbytes), **sized}

    @contextmanager
    def profiled(self) -> Iterator[dict[str, float]]:
        """Inside the `with` a forward pass notes how many seconds each node takes, by its layer.

        The nodes run as the file has them, none of them joined: all in all that is slower.
        """
        seconds: dict[str, float] = {}
        with tempfile.TemporaryDirectory() as folder:
            model = type(self._model)()
            model.CopyFrom(self._model)
            layers = {name: node.layer for node in self.nodes for name in node.made}
            for at, node in enumerate(model.graph.node):
                node.name = f"{at} {next((layers[n] for n in node.output if n in layers), '')}"
            before, profile = self.session, str(Path(folder) / "profile")
            self.session = self._session(model, optimized=False, profile=profile)
            try:
                yield seconds
            finally:
                written, self.session = Path(self.session.end_profiling()), before
                # Of several passes the last one counts: the first has the memory to find.
                seconds.update(_seconds(written))

    def _given(self, values: Tensor) -> dict[str, Any]:
        array = values.detach().float().cpu().numpy()
        whole = np.issubdtype(self.kind, np.integer)
        return {self.source: (np.rint(array) if whole else array).astype(self.kind)}

    def _pass(self, tap: Tap, given: dict[str, Any]) -> None:
        """Calls what was hooked to a node with its tensors."""
        asked = tap._forward_pre_hooks_with_kwargs or tap._forward_hooks_with_kwargs
        found = self._fetch((*tap.given, *tap.made) if asked else tap.made, given)
        tap.now = tuple(found[name] for name in tap.made)
        passed = tap(*(found[name] for name in tap.given if asked))
        kept, made, tap.now = passed if isinstance(passed, tuple) else (passed,), tap.now, ()
        if any(one is not other for one, other in zip(kept, made, strict=True)):
            raise self.refusal("changes to the output of a layer")

    def __deepcopy__(self, _memo: dict[int, Any]) -> RuntimeModule:
        """Itself: it has no weights that a copy could have others of."""
        return self

    def refusal(self, what: str) -> ExplorerError:
        """The sentence for what needs PyTorch, with the operators for which it is not there."""
        return ExplorerError(
            f"This network runs in ONNX Runtime, which has no {what}: "
            f"PyTorch has no exact form of {self.why}.",
            "Choose a view that needs none, or export the network without these operators.",
        )

    def _fetch(self, names: tuple[str, ...], given: dict[str, Any]) -> dict[str, Tensor]:
        """The tensors of those names; their session is kept until others are asked for."""
        inside = tuple(dict.fromkeys(name for name in names if name != self.source))
        if inside and self._inner[0] != inside:
            part = _leading_to(needed("onnx"), self._model, inside)
            self._inner = inside, self._session(part, optimized=False)
        found = self._computed(self._inner[1], inside, given) if inside else {}
        return {name: _tensor({**given, **found}[name]) for name in names}

    def _computed(
        self, session: Any, names: Sequence[str], given: dict[str, Any]
    ) -> dict[str, Any]:
        """Outputs of a session; a hook on `poll` that raises ends the computation."""
        try:
            found = run(session, names, given, lambda: self.poll(torch.empty(0)))
        except RunFailedError as error:
            raise ExplorerError(
                f"ONNX Runtime cannot compute this network: {error}.",
                "Choose another input size, or export the network again.",
            ) from error
        return dict(zip(names, found, strict=True))

    def _session(
        self, model: Any, name: str = "its graph", *, optimized: bool = True, profile: str = ""
    ) -> Any:
        """A session of the model or of a part of it, with the same weights in memory."""
        held = {
            one.name: self._weights[one.name]
            for one in model.graph.initializer
            if one.name in self._weights
        }
        try:
            return opened(
                model.SerializeToString(), optimized=optimized, profile=profile, tensors=held
            )
        except ExplorerError:
            raise  # it is not installed
        # Its own classes of errors, for a model that cannot be right or that it does not know.
        except Exception as error:
            raise ExplorerError(
                f"ONNX Runtime does not accept {name}: {first_line(error)}.",
                "Export the network again, with a lower opset.",
            ) from error


def _apart(onnx: Any, model: Any) -> tuple[Any, dict[str, Any]]:
    """A model without its large tensors, and these: all sessions of a file share them.

    A tensor that lies elsewhere is given to ONNX Runtime by its name: it opens no file for it.
    """
    runtime, kinds = needed("onnxruntime"), onnx.TensorProto
    weights: dict[str, Any] = {}
    light = type(model)()
    for part in (model, model.graph):
        into = light if part is model else light.graph
        for about, value in part.ListFields():
            if about.name in ("graph", "initializer"):
                continue
            if hasattr(value, "extend"):  # repeated
                getattr(into, about.name).extend(value)
            else:
                setattr(into, about.name, value)
    for tensor in model.graph.initializer:
        if tensor.data_type not in (kinds.FLOAT, kinds.DOUBLE, kinds.FLOAT16) or (
            prod(tensor.dims) < LARGE
        ):
            light.graph.initializer.append(tensor)
            continue
        values = np.ascontiguousarray(onnx.numpy_helper.to_array(tensor))
        weights[tensor.name] = runtime.OrtValue.ortvalue_from_numpy(values)
        stub = light.graph.initializer.add(
            name=tensor.name, data_type=tensor.data_type, dims=tensor.dims,
            data_location=kinds.EXTERNAL,
        )  # fmt: skip
        stub.external_data.add(key="location", value="in memory")
    return light, weights


def _leading_to(onnx: Any, model: Any, names: Collection[str]) -> Any:
    """The part of a model that computes the tensors of those names, which are its outputs."""
    wanted, nodes = set(names), []
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output):
            nodes.append(node)
            wanted.update(node.input, outer_names(node))
    part = type(model)(ir_version=model.ir_version, opset_import=model.opset_import)
    graph = part.graph
    graph.name = "part"
    graph.node.extend(reversed(nodes))
    held = {tensor.name for tensor in model.graph.initializer}
    graph.input.extend(value for value in model.graph.input if value.name not in held)
    graph.initializer.extend(one for one in model.graph.initializer if one.name in wanted)
    graph.sparse_initializer.extend(
        one for one in model.graph.sparse_initializer if one.values.name in wanted
    )
    graph.output.extend(map(onnx.helper.make_empty_tensor_value_info, names))
    return part


def _kinds(onnx: Any, model: Any) -> dict[str, int]:
    """How many bytes a number of each tensor has, where that can be inferred."""
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except Exception:  # noqa: BLE001  C++ code raises what it likes; float32 is what is usual
        return {}
    known = {}
    for value in (*graph.value_info, *graph.output):
        kind = value.type.tensor_type.elem_type
        if kind and kind != onnx.TensorProto.STRING:
            known[value.name] = int(onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize)
    return known


def _seconds(profile: Path) -> dict[str, float]:
    """By layer, of a file that ONNX Runtime wrote about a session."""
    found: dict[str, float] = {}
    for event in json.loads(profile.read_text("utf-8")):
        name, _, what = str(event.get("name", "")).rpartition("_kernel_")
        if what == "time" and event.get("cat") == "Node":
            found[name.partition(" ")[2]] = event["dur"] / 1e6
    found.pop("", None)
    return found


def _dtype(kind: str) -> Any:
    names = {"float": "float32", "float16": "float16", "double": "float64", "uint8": "uint8"}
    return np.dtype(names.get(kind.removeprefix("tensor(").removesuffix(")"), "float32"))


def _tensor(value: Any) -> Tensor:
    array = np.ascontiguousarray(value)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    return torch.from_numpy(array)
