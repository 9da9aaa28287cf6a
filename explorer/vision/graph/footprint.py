"""What one forward pass costs: its operations, and the memory of what it computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from explorer.networks.hooks import tensors_in
from explorer.vision.graph.flops import flops
from explorer.vision.graph.recording import plain_attention

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Footprint:
    """Of one network and one input.

    Attributes:
        parameters: Numbers that were trained or set: all parameters of the module.
        flops: Of the products of the pass, see `graph.flops`.
        weights: Bytes of parameters and buffers.
        activations: The largest number of bytes of inputs, activations and outputs that are in
            memory at the same time; without the workspace of the kernels.
    """

    parameters: int
    flops: int
    weights: int
    activations: int

    @property
    def memory(self) -> int:
        """Bytes of both."""
        return self.weights + self.activations


@torch.no_grad()
def footprint_of(
    module: nn.Module, run: Callable[[], object], inputs: Sequence[Tensor]
) -> Footprint:
    """Counts in one pass; it is slower than an undisturbed one.

    Args:
        module: The network, in eval mode.
        run: Calls it once.
        inputs: What `run` gives it.
    """
    own = {id(t): t for t in (*module.parameters(), *module.buffers())}
    meter = _Meter(own.values(), inputs)
    with plain_attention(), meter:
        run()
    return Footprint(
        sum(parameter.numel() for parameter in module.parameters()),
        meter.flops,
        sum(tensor.numel() * tensor.element_size() for tensor in own.values()),
        meter.peak,
    )


class _Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up operations, and the storages that are alive after each."""

    def __init__(self, weights: Any, inputs: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._weights = {tensor.untyped_storage()._cdata for tensor in weights}
        self._alive: dict[int, tuple[Any, int]] = {}
        self.flops = self.peak = 0
        self._take(inputs)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        self.flops += flops(func.overloadpacket, args, out)
        self._take(tensors_in(out))
        return out

    def _take(self, made: Sequence[Tensor]) -> None:
        for tensor in made:
            storage = tensor.untyped_storage()
            number = storage._cdata
            if number not in self._weights and number not in self._alive:
                kept: Any = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
                self._alive[number] = kept, storage.nbytes()
        # the reference keeps the number of a storage that is gone from being given to a new one
        self._alive = {n: kept for n, kept in self._alive.items() if not kept[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
