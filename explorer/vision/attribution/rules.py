"""Operations that keep their output and get another derivative, for a forward pass inside a `with`.

The rules are put in the place of torch's functions, not of modules: they hold for ``nn.ReLU``,
``torch.relu_`` and ``functional.relu`` alike, in place or not, and for a module that is used twice.
Nothing of the network is touched, so nothing has to be taken away again. They hold on the thread
that entered, and not inside of compiled or TorchScript modules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable

Function = Any
"""One of torch's functions; they have no type of their own."""

RELU = (F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_)
CLIPPED = (F.relu6, F.hardtanh, F.hardtanh_)
"""ReLU6, as a function of its own and as the hard tanh from 0 to 6."""


class Rules(TorchFunctionMode):
    """Replaces some functions; the others run as they are.

    Attributes:
        used: How often a rule was applied.
    """

    def __init__(self, rules: dict[Function, Callable[..., Any]]) -> None:
        super().__init__()
        self.used = 0
        self._rules = rules

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        rule = self._rules.get(func)
        if rule is None:
            return func(*args, **(kwargs or {}))
        found = rule(func, *args, **(kwargs or {}))
        if found is NotImplemented:
            return func(*args, **(kwargs or {}))
        self.used += 1
        return found


def in_place(func: Function, values: dict[str, Any]) -> bool:
    """Whether a call of an activation function changes its argument."""
    return func.__name__.endswith("_") or bool(values.get("inplace"))


class _Rectified(torch.autograd.Function):
    """min(max(x, 0), high), whose derivative a rule gives: (gradient, 0 < x < high) -> gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        high: float | None,
        changes: bool,
        rule: Callable[[Tensor, Tensor], Tensor],
    ) -> Tensor:
        passes = x > 0 if high is None else (x > 0) & (x < high)
        ctx.save_for_backward(passes)
        ctx.rule = rule
        if changes:
            ctx.mark_dirty(x)
            return x.clamp_(0.0, high)
        return x.clamp(0.0, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (passes,) = ctx.saved_tensors
        return ctx.rule(gradients[0], passes), None, None, None


class ReluRules(Rules):
    """All ReLUs and ReLU6s get the derivative that `rule` gives.

    Args:
        rule: (gradient of the output, where the derivative is 1 as bool) -> gradient of the input.
    """

    def __init__(self, rule: Callable[[Tensor, Tensor], Tensor]) -> None:
        self._rule = rule
        super().__init__(dict.fromkeys(RELU, self._relu) | dict.fromkeys(CLIPPED, self._clipped))

    def _relu(self, func: Function, x: Tensor, inplace: bool = False) -> Tensor:
        return self._rectified(x, None, in_place(func, {"inplace": inplace}))

    def _clipped(self, func: Function, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        names = ("inplace",) if func is F.relu6 else ("min_val", "max_val", "inplace")
        values = {"min_val": -1.0, "max_val": 1.0, **dict(zip(names, args, strict=False)), **kwargs}
        if func is F.relu6:
            values |= {"min_val": 0.0, "max_val": 6.0}
        if values["min_val"] != 0:  # a hard tanh, which is no rectifier
            return NotImplemented
        return self._rectified(x, float(values["max_val"]), in_place(func, values))

    def _rectified(self, x: Tensor, high: float | None, changes: bool) -> Tensor:
        found: Tensor = _Rectified.apply(x, high, changes, self._rule)
        return found


def guided(gradient: Tensor, passes: Tensor) -> Tensor:
    """Guided backpropagation: both the derivative and the gradient must be positive.

    Springenberg et al. 2015, "Striving for Simplicity: The All Convolutional Net", section 3.4.
    """
    return gradient.clamp(min=0) * passes


def deconvolved(gradient: Tensor, passes: Tensor) -> Tensor:
    """Deconvnet: the gradient is rectified, whatever went in.

    Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 2.1.
    """
    del passes
    return gradient.clamp(min=0)
