"""What tensors an architecture has, and which of them follow the number of classes.

How many classes a network has is read from the checkpoint: the architecture is built twice without
memory (on torch's meta device) with different class counts, which shows what tensors follow the
count and how. So no name of any network's head is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from explorer.networks.checkpoints.alignment import is_counter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from explorer.networks.definition import Definition

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """A tensor that follows the class count: its size in `axis` is slope * classes + offset."""

    axis: int
    slope: int
    offset: int

    def classes(self, shape: Shape) -> int | None:
        """The class count that gives `shape`, when a whole number does."""
        if self.axis >= len(shape):
            return None
        count, rest = divmod(shape[self.axis] - self.offset, self.slope)
        return count if rest == 0 and count >= 1 else None


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """Names and shapes of an architecture's tensors, counters left out.

    `integers` names those that hold indices instead of weights (Swin's relative positions).
    """

    shapes: Mapping[str, Shape]
    heads: Mapping[str, Head]
    integers: frozenset[str]


class Memoryless(TorchFunctionMode):
    """Tensors get no memory. Arithmetic on real numbers (RegNet's block widths) still works."""

    def __torch_function__(
        self, func: Any, _types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in (torch.empty, torch.zeros, torch.ones):
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def seeded(
    definition: Definition, *, num_classes: int, seed: int = 0, **arguments: Any
) -> nn.Module:
    """The module with random weights from `seed`; torch's own generator is left as it was."""
    generator = torch.default_generator
    before = generator.get_state()
    try:
        generator.manual_seed(seed)
        return definition.make(num_classes=num_classes, **arguments)
    finally:
        generator.set_state(before)


def signature_of(definition: Definition, arguments: Mapping[str, Any]) -> Signature:
    """Names and shapes of the architecture built with `arguments`, kept for the next time."""
    return _signature(definition, tuple(sorted(arguments.items())))


@lru_cache(maxsize=512)
def _signature(definition: Definition, arguments: tuple[tuple[str, Any], ...]) -> Signature:
    few, many = 3, 5
    small = _tensors(definition, few, dict(arguments))
    large = _tensors(definition, many, dict(arguments))
    heads = {}
    for key, tensor in small.items():
        for axis, (a, b) in enumerate(zip(tensor.shape, large[key].shape, strict=True)):
            if a != b:
                slope = (b - a) // (many - few)
                heads[key] = Head(axis, slope, a - slope * few)
    return Signature(shapes_of(small), heads, integers_of(small))


def _tensors(definition: Definition, count: int, arguments: dict[str, Any]) -> dict[str, Tensor]:
    with Memoryless():
        return counted(seeded(definition, num_classes=count, **arguments))


def counted(module: nn.Module) -> dict[str, Tensor]:
    return {key: value for key, value in module.state_dict().items() if not is_counter(key)}


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, Shape]:
    return {key: tuple(tensor.shape) for key, tensor in tensors.items()}


def integers_of(tensors: Mapping[str, Tensor]) -> frozenset[str]:
    return frozenset(key for key, tensor in tensors.items() if not tensor.is_floating_point())
