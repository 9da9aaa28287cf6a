"""A graph that torch cannot run exactly, run by ONNX Runtime, with the tensor of every node.

Each node stands as a sub-module that computes nothing: where somebody looks at it, its tensor is
fetched and passed through it, one at a time. What would change a tensor on its way, or needs
gradients, is refused in a sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.networks.onnx.module import OnnxModule, put
from explorer.networks.onnx.names import module_names
from explorer.networks.onnx.packages import needed
from explorer.networks.onnx.session import RunFailedError, first_line, opened, run

if TYPE_CHECKING:
    from explorer.networks.onnx.reading import OnnxFile


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
        model = type(file.model)()
        model.CopyFrom(file.model)
        self.results = tuple(value.name for value in model.graph.output)
        nodes = [node for node in model.graph.node if node.op_type != "Constant"]
        fixed = {tensor.name for tensor in model.graph.initializer} | {""}
        fixed |= {node.output[0] for node in model.graph.node if node.op_type == "Constant"}
        for name, node in zip(module_names(nodes), nodes, strict=True):
            tap = Tap(
                tuple(value for value in node.input if value not in fixed),
                tuple(value for value in node.output if value),
            )
            tap.__class__ = type(node.op_type, (Tap,), {})  # lists of layers show this name
            put(self, name, tap)
            model.graph.output.extend(
                onnx.helper.make_empty_tensor_value_info(output)
                for output in tap.made
                if output not in self.results
            )
        self.session = _session(model, file.name)
        (entry, *_) = self.session.get_inputs()
        self.entry, self.kind = entry.name, _dtype(entry.type)

    def run(self, values: Tensor) -> tuple[Tensor, ...]:
        if torch.is_grad_enabled() and values.requires_grad:
            raise self._refusal("gradients")
        array = values.detach().float().cpu().numpy()
        whole = np.issubdtype(self.kind, np.integer)
        given = {self.entry: (np.rint(array) if whole else array).astype(self.kind)}
        for tap in self.modules():
            if isinstance(tap, Tap) and (tap._forward_hooks or tap._forward_pre_hooks_with_kwargs):
                self._pass(tap, given)
        return self._fetch(self.results, given)

    def _pass(self, tap: Tap, given: dict[str, Any]) -> None:
        """Calls what was hooked to a node with its tensors."""
        asked = tap._forward_pre_hooks_with_kwargs or tap._forward_hooks_with_kwargs
        before = self._fetch(tap.given, given) if asked and tap.given else ()
        tap.now = self._fetch(tap.made, given)
        passed = tap(*before)
        kept, found, tap.now = passed if isinstance(passed, tuple) else (passed,), tap.now, ()
        if any(one is not other for one, other in zip(kept, found, strict=True)):
            raise self._refusal("changes to the output of a layer")

    def _refusal(self, what: str) -> ExplorerError:
        return ExplorerError(
            f"This network runs in ONNX Runtime, which has no {what}: "
            f"PyTorch has no exact form of {self.why}.",
            "Choose a view that needs none, or export the network without these operators.",
        )

    def _fetch(self, names: tuple[str, ...], given: dict[str, Any]) -> tuple[Tensor, ...]:
        """The tensors of those names; a hook on `poll` that raises ends the computation."""
        inside = [name for name in names if name != self.entry]
        try:
            answer = run(self.session, inside, given, lambda: self.poll(torch.empty(0)))
        except RunFailedError as error:
            raise ExplorerError(
                f"ONNX Runtime cannot compute this network: {error}.",
                "Choose another input size, or export the network again.",
            ) from error
        found = {**given, **dict(zip(inside, answer, strict=True))}
        return tuple(_tensor(found[name]) for name in names)


def _session(model: Any, name: str) -> Any:
    try:
        return opened(model.SerializeToString())
    except ExplorerError:
        raise  # it is not installed
    # Its own classes of errors, for a model that cannot be right or that it does not know.
    except Exception as error:
        raise ExplorerError(
            f"ONNX Runtime does not accept {name}: {first_line(error)}.",
            "Export the network again, with a lower opset.",
        ) from error


def _dtype(kind: str) -> Any:
    names = {"float": "float32", "float16": "float16", "double": "float64", "uint8": "uint8"}
    return np.dtype(names.get(kind.removeprefix("tensor(").removesuffix(")"), "float32"))


def _tensor(value: Any) -> Tensor:
    array = np.ascontiguousarray(value)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    return torch.from_numpy(array)
