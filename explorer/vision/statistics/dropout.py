"""Dropout at inference: many random sub-networks of one network, and the mean of their outputs.

Every mask keeps a value with probability `keep` and divides it by `keep`, so that its expectation
stays (Srivastava et al. 2014, section 4). Masks come from a generator of one's own: PyTorch's
random numbers are not touched, and neither is the network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Places:
    """Where masks go: before how many calls of dropout, or before the last linear operation.

    `linear` is the number of that linear operation, -1 = the network has dropout of its own.
    """

    dropouts: int
    linear: int


class _Counter(TorchFunctionMode):
    """Counts calls of dropout that would drop something in training, and linear operations."""

    def __init__(self) -> None:
        super().__init__()
        self.dropouts = self.linears = 0

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        self.dropouts += name == "dropout" and kwargs.get("p", 0.5) > 0
        self.linears += name == "linear"
        return func(*args, **kwargs)


class _Masks(TorchFunctionMode):
    def __init__(self, places: Places, keep: float, generator: torch.Generator) -> None:
        super().__init__()
        self._places = places
        self._keep = keep
        self._generator = generator
        self._linears = 0
        self.first: NDArray[np.bool_] | None = None

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if self._places.linear < 0 and name == "dropout" and kwargs.get("p", 0.5) > 0:
            return self._masked(args[0] if args else kwargs["input"])
        if name == "linear":
            self._linears += 1
            if self._linears - 1 == self._places.linear:
                return func(self._masked(args[0]), *args[1:], **kwargs)
        return func(*args, **kwargs)

    def _masked(self, values: Tensor) -> Tensor:
        kept = torch.rand(values.shape, generator=self._generator) < self._keep
        if self.first is None:
            self.first = kept.flatten().numpy()
        return values * kept.to(values) / self._keep


@torch.no_grad()
def places_of(run: Callable[[], object]) -> Places:
    """Where `run`, which calls a network in eval mode, has dropout or could have it.

    Raises:
        ExplorerError: It has neither dropout nor a linear layer.
    """
    counter = _Counter()
    with counter:
        run()
    if counter.dropouts:
        return Places(counter.dropouts, -1)
    if not counter.linears:
        raise ExplorerError(
            "This network has neither dropout nor a linear layer.", "Choose a classifier."
        )
    return Places(0, counter.linears - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Dropped:
    """One random sub-network: its output, and the first mask of it, (n,) bool, True = kept."""

    output: Any
    mask: NDArray[np.bool_] = field(default_factory=lambda: np.ones(0, bool))


@torch.no_grad()
def dropped(
    run: Callable[[], Any], places: Places, keep: float, generator: torch.Generator
) -> Dropped:
    """The output of the network with one random mask at each of `places`.

    Args:
        run: Calls the network.
        places: As `places_of` found them.
        keep: The probability that a value is kept, above 0.
        generator: On the CPU.
    """
    masks = _Masks(places, keep, generator)
    with masks:
        output = run()
    return Dropped(output, masks.first if masks.first is not None else np.ones(0, bool))
