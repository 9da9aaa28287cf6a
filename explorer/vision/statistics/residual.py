"""Residual connections of any network, as it runs: x + F(x) (He et al. 2016).

An addition within a module is one when one of its inputs is the module's own input, or a part of
the module that was given that input (a projection) made it, or it is the sum of the residual
connection before. That is found for torchvision's ResNets, MobileNets, EfficientNets, ConvNeXt,
Swin and ViT alike; the additions of a feature pyramid are none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from explorer.networks.hooks import observed, tensors_in

if TYPE_CHECKING:
    from collections.abc import Callable

ADDITIONS = frozenset({"add", "add_", "__add__", "__radd__", "__iadd__"})


@dataclass(frozen=True, slots=True)
class Residual:
    """One residual connection in a forward pass.

    Attributes:
        number: From 0, in the order in which they run.
        path: Dotted name of the module whose code adds.
        kind: Its class.
        x: L2 norm of the shortcut, x.
        branch: L2 norm of F(x).
        cosine: Of the angle between them.
    """

    number: int
    path: str
    kind: str
    x: float
    branch: float
    cosine: float

    @property
    def ratio(self) -> float:
        """The size of F(x) beside x."""
        return self.branch / self.x if self.x > 0 else float("inf")


@dataclass(slots=True)
class _Frame:
    """A call that is running; tensors are kept so that no other one gets their identity."""

    path: str
    kind: str
    shortcuts: dict[int, Tensor] = field(default_factory=dict)
    projected: dict[int, Tensor] = field(default_factory=dict)


class _Residuals(TorchFunctionMode):
    """Hands every residual connection to `meet`, which may return another sum."""

    def __init__(self, meet: Callable[[int, _Frame, Tensor, Tensor], Tensor | None]) -> None:
        super().__init__()
        self._meet = meet
        self._frames: list[_Frame] = []
        self.count = 0

    def enter(self, name: str, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        own = {id(tensor): tensor for tensor in tensors_in(inputs)}
        self._frames.append(_Frame(name, type(module).__name__, own))

    def leave(self, _name: str, _module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self._frames.pop()
        if self._frames:
            around = self._frames[-1]
            if any(id(tensor) in around.shortcuts for tensor in tensors_in(inputs)):
                around.projected |= {id(tensor): tensor for tensor in tensors_in(output)}

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if not (self._frames and getattr(func, "__name__", "") in ADDITIONS and len(args) == 2):
            return func(*args, **kwargs)
        first, second = args
        tensors = isinstance(first, Tensor) and isinstance(second, Tensor)
        if not tensors or any(isinstance(each, nn.Parameter) for each in args):
            return func(*args, **kwargs)  # a learned embedding is no branch
        frame = self._frames[-1]
        at = _shortcut(frame, first, second) if first.shape == second.shape else None
        if at is None:
            return func(*args, **kwargs)
        changed = self._meet(self.count, frame, args[at], args[1 - at])
        self.count += 1
        out: Tensor = func(*args, **kwargs) if changed is None else changed
        frame.shortcuts[id(out)] = out
        return out


def _shortcut(frame: _Frame, first: Tensor, second: Tensor) -> int | None:
    """Which of both is x; None where it is not clear that one is."""
    for known in (frame.shortcuts, frame.projected):
        found = [id(tensor) in known for tensor in (first, second)]
        if found.count(True) == 1:
            return found.index(True)
    return None


@torch.no_grad()
def residuals_of(module: nn.Module, run: Callable[[], Any]) -> list[Residual]:
    """All residual connections of one pass; `run` calls the network."""
    found: list[Residual] = []

    def meet(number: int, frame: _Frame, x: Tensor, branch: Tensor) -> None:
        a, b = x.double().flatten(), branch.double().flatten()
        sizes = float(a.norm()), float(b.norm())
        both = sizes[0] * sizes[1]
        cosine = float(a @ b) / both if both > 0 else 0.0
        found.append(Residual(number, frame.path, frame.kind, *sizes, cosine))

    _passed(module, run, meet)
    return found


def without_branch(module: nn.Module, run: Callable[[], Any], number: int) -> Any:
    """The network's output when residual connection `number` gives x instead of x + F(x)."""

    def meet(at: int, _frame: _Frame, x: Tensor, _branch: Tensor) -> Tensor | None:
        return x.clone() if at == number else None

    with torch.no_grad():
        return _passed(module, run, meet)


def without_shortcuts(module: nn.Module, run: Callable[[], Any]) -> Any:
    """The network's output when every residual connection gives F(x): a plain network.

    Gradients are those of the plain network, too.
    """
    return _passed(module, run, lambda _at, _frame, _x, branch: branch.clone())


def _passed(
    module: nn.Module,
    run: Callable[[], Any],
    meet: Callable[[int, _Frame, Tensor, Tensor], Tensor | None],
) -> Any:
    mode = _Residuals(meet)
    with observed(module, mode.enter, mode.leave), mode:
        return run()
