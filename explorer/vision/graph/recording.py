"""Records what one forward pass does and what depends on what.

Every tensor operation is seen as it runs (a dispatch mode), every call of a module by its hooks. So
branches, functional calls, in-place operations and modules that are used twice are as they ran, and
nothing has to be traced symbolically: torchvision's detectors, whose code looks at values, have a
graph as well. Where a module leaves PyTorch and comes back (NumPy, plain numbers), its inputs and
outputs are tied together and these edges are called inferred.

``recorded(resnet18().eval(), lambda: net(batch), [batch]).flops`` counts the operations.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import observed, tensors_in
from explorer.vision.graph.flops import flops
from explorer.vision.graph.nodes import INPUT, Call, Graph, Node, Shape, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SHOWN = {
    "add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "cat": "concatenate",
    "stack": "stack", "relu": "ReLU", "hardtanh": "ReLU6", "sigmoid": "sigmoid", "silu": "SiLU",
    "gelu": "GELU", "tanh": "tanh", "leaky_relu": "LeakyReLU", "hardswish": "hard-swish",
    "_softmax": "softmax", "mean": "mean", "convolution": "convolution", "mm": "matrix product",
    "bmm": "matrix product", "addmm": "linear", "max_pool2d_with_indices": "max pooling",
    "avg_pool2d": "average pooling", "_adaptive_avg_pool2d": "average pooling",
    "upsample_bilinear2d": "bilinear upsampling", "upsample_nearest2d": "nearest upsampling",
    "native_batch_norm": "batch norm", "native_layer_norm": "layer norm",
    "_scaled_dot_product_flash_attention_for_cpu": "attention",
    "_scaled_dot_product_flash_attention": "attention",
    "_scaled_dot_product_efficient_attention": "attention",
    "_scaled_dot_product_cudnn_attention": "attention",
    "roi_align": "RoIAlign", "roi_pool": "RoIPool", "nms": "NMS",
    "deform_conv2d": "deformable convolution",
}  # fmt: skip
"""Operations between layers that are nodes of their own, with their words.

All others (reshaping, indexing, arithmetic of boxes) hand on what they depend on.
"""

ARITHMETIC = frozenset({"add", "sub", "mul", "div", "cat", "stack", "sigmoid"})


@torch.no_grad()
def recorded(module: nn.Module, run: Callable[[], object], inputs: Sequence[Tensor]) -> Graph:
    """The graph of one forward pass.

    Args:
        module: The network, in eval mode.
        run: Calls it once.
        inputs: The tensors that `run` gives it.

    Raises:
        ExplorerError: When it is a TorchScript program.
    """
    recorder = _Recorder(module, inputs)
    with plain_attention(), observed(module, recorder.enter, recorder.leave), recorder:
        run()
    if not recorder.calls:
        raise ExplorerError(
            "This network is a TorchScript program, whose layers cannot be followed.",
            "Choose a network that is made of PyTorch modules.",
        )
    return _graph(recorder)


@contextmanager
def plain_attention() -> Iterator[None]:
    """Without the fused attention of whole layers, whose products no operation shows."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@dataclass(slots=True)
class _Operation:
    name: str
    call: int
    shape: Shape
    given: Shape
    flops: int = 0
    memory: int = 0
    sources: set[int] = field(default_factory=set)
    inferred: bool = False


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Operations in the order in which they run, and the calls around them."""

    def __init__(self, module: nn.Module, inputs: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.module = module
        self.operations = [_Operation(INPUT, 0, _shape(inputs), ())]
        self.calls: list[Call] = []
        self.uncounted = 0
        self.shapes: dict[int, tuple[Shape, Shape]] = {}
        self._open: list[int] = []
        self._times: dict[str, int] = {}
        self._made = WeakTensorKeyDictionary()
        self._written: dict[int, int] = {}
        for tensor in inputs:
            self._made[tensor] = 0

    def enter(self, name: str, module: nn.Module, _inputs: tuple[Any, ...]) -> None:
        number = self._times.get(name, 0)
        self._times[name] = number + 1
        everything = sum(p.numel() for p in module.parameters()) if not number else 0
        own = sum(p.numel() for p in module.parameters(recurse=False)) if not number else 0
        parent = self._open[-1] if self._open else -1
        if parent >= 0 and self.calls[parent].leaf:
            self.calls[parent] = replace(self.calls[parent], leaf=False)
        call = Call(
            len(self.calls), name, type(module).__name__, parent, number, everything, own,
            len(self.operations), 0, leaf=True, window=window_of(module),
        )  # fmt: skip
        self._open.append(call.index)
        self.calls.append(call)

    def leave(self, _name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        call = self.calls[self._open.pop()]
        given, made = tensors_in(inputs), tensors_in(output)
        self.shapes[call.index] = _shape(given), _shape(made)
        sources = {at for tensor in given if (at := self._producer(tensor)) is not None}
        unknown = [tensor for tensor in made if self._producer(tensor) is None]
        dropped = isinstance(module, _DropoutNd) and call.first == len(self.operations)
        if sources and (unknown or dropped):
            # A dropout in eval mode gives its input itself, and is a layer all the same.
            self.operations.append(
                _Operation(
                    call.kind, call.index, _shape(made), _shape(given), sources=sources,
                    inferred=not dropped,
                )
            )  # fmt: skip
            for tensor in made if dropped else unknown:
                self._made[tensor] = len(self.operations) - 1
        self.calls[call.index] = replace(self.calls[call.index], last=len(self.operations))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        given, made = tensors_in((args, kwargs)), tensors_in(out)
        sources = {at for tensor in given if (at := self._producer(tensor)) is not None}
        count = flops(func.overloadpacket, args, out)
        if not sources:
            self.uncounted += count
            return out
        known = {tensor.untyped_storage()._cdata for tensor in given}
        fresh = [tensor for tensor in made if tensor.untyped_storage()._cdata not in known]
        writes = any(argument.alias_info and argument.alias_info.is_write
                     for argument in func._schema.arguments)  # fmt: skip
        name = func._schema.name.split("::")[1]
        if writes and name.endswith("_"):
            name = name.rstrip("_")
        self.operations.append(
            _Operation(
                name, self._open[-1] if self._open else 0, _shape(made), _shape(given), count,
                sum(tensor.numel() * tensor.element_size() for tensor in fresh), sources,
            )
        )  # fmt: skip
        index = len(self.operations) - 1
        for tensor in made:
            self._made[tensor] = index
        if writes:  # views of what was written have changed, too
            for tensor in made:
                self._written[tensor.untyped_storage()._cdata] = index
        return out

    def _producer(self, tensor: Tensor) -> int | None:
        """The last operation that `tensor` depends on."""
        if tensor not in self._made:
            return None
        made: int = self._made[tensor]
        # A storage that was written before this tensor was made is one that has been freed since.
        return max(made, self._written.get(tensor.untyped_storage()._cdata, -1))


def _graph(recorder: _Recorder) -> Graph:
    """Operations within a layer become one node; those that are not shown hand on their sources."""
    calls = recorder.calls
    nodes: list[Node] = []
    stands: list[frozenset[int]] = []  # of every operation: the nodes that it hands on
    layers: dict[int, int] = {}
    starts: list[int] = []
    for operation in recorder.operations:
        starts.append(len(nodes))
        call = calls[operation.call]
        sources = frozenset[int]().union(*(stands[at] for at in operation.sources))
        leaf = call.leaf and operation.name != INPUT
        if leaf and call.index in layers:
            at = layers[call.index]
            nodes[at] = _merged(nodes[at], operation, sources - {at})
            stands.append(frozenset({at}))
            continue
        word = SHOWN.get(operation.name) if _of_features(operation) else None
        if not (leaf or word or operation.flops or operation.inferred or operation.name == INPUT):
            if operation.memory and sources:  # it belongs to the node that it follows
                at = max(sources)
                nodes[at] = replace(nodes[at], memory=nodes[at].memory + operation.memory)
            stands.append(sources)
            continue
        given, shape = recorder.shapes[call.index] if leaf else (operation.given, operation.shape)
        node = Node(
            len(nodes), call.index, call.kind if leaf else word or operation.name, leaf,
            shape or operation.shape, given or operation.given, operation.flops, operation.memory,
            tuple(sorted(sources)), sources if operation.inferred else frozenset(),
        )  # fmt: skip
        if leaf:
            layers[call.index] = node.index
        nodes.append(node)
        stands.append(frozenset({node.index}))
    starts.append(len(nodes))
    bounded = tuple(
        replace(
            call, first=starts[call.first], last=starts[call.last],
            shape=recorder.shapes[call.index][1],
        )
        for call in calls
    )  # fmt: skip
    return Graph(tuple(nodes), bounded, recorder.uncounted)


def _of_features(operation: _Operation) -> bool:
    """Not so the arithmetic of boxes and scores, which are rows of few numbers or many rows."""
    if operation.name not in ARITHMETIC:
        return True
    match operation.shape:
        case (_, _, _, _, *_):
            return True
        case (_, _, last):
            return last > 4
        case (batch, last):
            return batch == 1 and last > 4
        case _:
            return False


def _merged(node: Node, operation: _Operation, sources: frozenset[int]) -> Node:
    return replace(
        node,
        flops=node.flops + operation.flops,
        memory=node.memory + operation.memory,
        sources=tuple(sorted({*node.sources, *sources})),
        inferred=node.inferred | (sources if operation.inferred else frozenset()),
    )


def _shape(tensors: Sequence[Tensor]) -> Shape:
    return tuple(int(side) for side in tensors[0].shape) if tensors else ()


def window_of(module: nn.Module) -> Window | None:
    """How a convolution or a pooling layer moves over its input; None for another layer."""
    match module:
        case nn.Conv2d() | nn.ConvTranspose2d():
            dilation, kernel = _pair(module.dilation), _pair(module.kernel_size)
            padding = module.padding
            if isinstance(padding, str):
                whole = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
                if padding == "same" and any(each % 2 for each in whole):
                    return None  # more on one side than on the other
                padding = (whole[0] // 2, whole[1] // 2) if padding == "same" else (0, 0)
            return Window(
                kernel, _pair(module.stride), _pair(padding), dilation,
                _pair(module.output_padding),
                transposed=isinstance(module, nn.ConvTranspose2d), groups=module.groups,
            )  # fmt: skip
        case nn.MaxPool2d():
            return Window(
                _pair(module.kernel_size), _pair(module.stride), _pair(module.padding),
                _pair(module.dilation), ceil=bool(module.ceil_mode),
            )  # fmt: skip
        case nn.AvgPool2d():
            return Window(
                _pair(module.kernel_size), _pair(module.stride), _pair(module.padding),
                ceil=bool(module.ceil_mode),
            )  # fmt: skip
        case _:
            return None


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    down, across = value
    return int(down), int(across)
