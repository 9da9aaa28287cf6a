"""What a recorded forward pass consists of: plain data, free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

INPUT = "Input"
"""The kind of node 0."""

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """How a convolution or a pooling moves over its input; each entry is (down, across).

    `padding` is on each side. A pooling with `ceil` also has the cell at the edge that is not
    complete.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    output_padding: tuple[int, int] = (0, 0)
    transposed: bool = False
    ceil: bool = False
    groups: int = 1

    def formula(self, size: int, axis: int) -> tuple[str, int]:
        """The output size for an input of `size` cells, and how it is computed.

        Args:
            size: Height or width of the input, W.
            axis: 0 = down, 1 = across.

        Returns:
            (W - F + 2P) / S + 1 with its numbers, and what it gives. A dilated kernel covers
            D (F - 1) + 1 cells.
        """
        reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
        stride, padding, extra = self.stride[axis], self.padding[axis], self.output_padding[axis]
        if self.transposed:
            found = (size - 1) * stride - 2 * padding + reach + extra
            more = f" + {extra}" if extra else ""
            return f"({size} - 1) x {stride} - 2 x {padding} + {reach}{more} = {found}", found
        span = size - reach + 2 * padding
        steps = span // stride
        if self.ceil and span % stride:
            steps += 1
            if steps * stride >= size + padding:  # no cell begins in the padding behind the input
                steps -= 1
        words = f"({size} - {reach} + 2 x {padding}) / {stride} + 1 = "
        if span % stride:
            words += f"{span / stride + 1:.4g}, rounded {'up' if self.ceil else 'down'}: "
        return f"{words}{steps + 1}", steps + 1


@dataclass(frozen=True, slots=True)
class Call:
    """One forward of one module.

    Attributes:
        index: Its place in `Graph.calls`; 0 is the network itself.
        path: Dotted name of the module.
        kind: Its class.
        parent: The call that it was made from; -1 = none.
        number: How often this module had been called before.
        parameters: Of the module with all its parts; 0 when `number` is not.
        own: Parameters that belong to none of its parts.
        first: Index of the first node that was made within it, or later.
        last: Index behind its last one.
        leaf: No other module was called within it: it is one node.
        shape: Of its (first) output tensor; () = it gave none.
        window: Of a convolution or a pooling.
    """

    index: int
    path: str
    kind: str
    parent: int
    number: int
    parameters: int
    own: int
    first: int
    last: int
    leaf: bool
    shape: Shape = ()
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A layer, or an operation that a module's own code does between its layers.

    Attributes:
        index: Its place in `Graph.nodes`; all its sources have lower ones.
        call: Index of its call: the layer's own, or that of the module whose code it is in.
        kind: Class of the layer or name of the operation ("add").
        layer: It is a layer.
        shape: Of its (first) output tensor.
        given: Shape of its first input tensor; () = none.
        flops: Products as 2 operations each.
        memory: Bytes of the tensors that it allocates: outputs and intermediate values.
        sources: Indices of the nodes that it depends on.
        inferred: Those among them that no tensor operation led to: the tensors that went in and
            those that came out are all that is known.
        name: Its own name, where it is a node of a file; "" = that of its call is all it has.
        about: The attributes that the file gives it, in a line.
    """

    index: int
    call: int
    kind: str
    layer: bool
    shape: Shape
    given: Shape
    flops: int
    memory: int
    sources: tuple[int, ...]
    inferred: frozenset[int] = frozenset()
    name: str = ""
    about: str = ""

    @property
    def values(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class Graph:
    """Nodes in the order in which they ran, node 0 is the input; the calls they belong to.

    `uncounted` are floating-point operations on what does not depend on the input. `stored`: these
    are the nodes of a file, not those of a recorded pass; its blocks are names, and are not called.
    """

    nodes: tuple[Node, ...]
    calls: tuple[Call, ...]
    uncounted: int = 0
    stored: bool = False

    @property
    def flops(self) -> int:
        return sum(node.flops for node in self.nodes) + self.uncounted

    @property
    def parameters(self) -> int:
        return self.calls[0].parameters

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Of every call the calls that it made."""
        found: list[list[int]] = [[] for _ in self.calls]
        for call in self.calls[1:]:
            found[call.parent].append(call.index)
        return tuple(map(tuple, found))

    def scopes(self, node: Node) -> tuple[int, ...]:
        """The calls around a node, the network's own first; without the layer's own."""
        at = self.calls[node.call].parent if node.layer else node.call
        found = []
        while at >= 0:
            found.append(at)
            at = self.calls[at].parent
        return tuple(reversed(found))

    def inside(self, call: int) -> tuple[Node, ...]:
        """The nodes that ran during a call."""
        bounds = self.calls[call]
        return self.nodes[bounds.first : bounds.last]
