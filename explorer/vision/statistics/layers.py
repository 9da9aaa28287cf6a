"""How the outputs of layers and their gradients are distributed, from the first to the last."""

from __future__ import annotations

import copy
import itertools
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import captured, tensors_in
from explorer.networks.onnx.runtime import RuntimeModule
from explorer.vision.features.classification import class_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

PERCENTILES = (5.0, 25.0, 50.0, 75.0, 95.0)
MOST = 1 << 16
"""Values of a tensor that its percentiles are computed of, evenly spaced; the rest is exact."""

PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Nodes of a file in ONNX Runtime that are layers with weights where they have some."""

Initialization = Literal["Glorot", "He", "too small", "too large"]
INITIALIZATIONS: tuple[Initialization, ...] = ("Glorot", "He", "too small", "too large")


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """Of the values of one tensor.

    Attributes:
        mean: Of all values.
        std: Their standard deviation.
        zeros: The fraction of values that are exactly 0.
        percentiles: Those of `PERCENTILES`.
        values: Up to `MOST` of the values, float32.
    """

    mean: float
    std: float
    zeros: float
    percentiles: tuple[float, ...]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, tensor: Tensor) -> Distribution:
        flat = tensor.detach().float().flatten()
        step = -(-flat.numel() // MOST)
        some = flat[::step].cpu().numpy().copy()  # what follows may work in place
        finite = some[np.isfinite(some)]
        marks = np.percentile(finite, PERCENTILES) if finite.size else np.zeros(len(PERCENTILES))
        return cls(
            float(flat.mean()), float(flat.std(correction=0)), float((flat == 0).float().mean()),
            tuple(float(mark) for mark in marks), some,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class LayerFlow:
    """What went through a layer at its first call.

    Attributes:
        name: Dotted.
        kind: Its class.
        activation: Of its output.
        gradient: Of the derivatives of the loss with respect to its output; None = the loss does
            not depend on it.
        weights: The L2 norm of the derivatives with respect to its weights; None as above.
    """

    name: str
    kind: str
    activation: Distribution
    gradient: Distribution | None
    weights: float | None


class _Watched:
    """A tensor's distribution at once, that of its gradient as soon as there is one."""

    def __init__(self, tensor: Tensor, number: int) -> None:
        self.number = number
        self.activation = Distribution.of(tensor) if tensor.numel() else None
        self.gradient: Distribution | None = None
        if tensor.requires_grad:
            # On the tensor as it is now: a following in-place ReLU makes another one of it.
            tensor.register_hook(self._take)  # type: ignore[no-untyped-call]

    def _take(self, gradient: Tensor) -> None:
        self.gradient = Distribution.of(gradient)


def layers_with_weights(module: nn.Module) -> list[str]:
    """Names of the convolutions and linear layers."""
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    if isinstance(module, RuntimeModule):
        return [node.layer for node in module.nodes if node.parameters and node.kind in PRODUCTS]
    return [name for name, child in module.named_modules() if isinstance(child, kinds)]


def flow(
    module: nn.Module, run: Callable[[], Any], loss_of: Callable[[Any], Tensor] | None
) -> tuple[list[LayerFlow], dict[str, Tensor]]:
    """One pass forward and, with a loss, one backward.

    Args:
        module: The network; its weights get no `grad`, and their `requires_grad` is restored.
        run: Calls it.
        loss_of: From its output to a scalar; None = no gradients are computed.

    Returns:
        The layers with weights in the order in which they ran, and the derivatives of the loss with
        respect to all weights that it depends on, by their names.

    Raises:
        ExplorerError: When the loss depends on no weight.
    """
    names = layers_with_weights(module)
    numbers = itertools.count()

    def watch(tensor: Tensor) -> Any:
        return _Watched(tensor, next(numbers))

    if loss_of is None:
        with torch.no_grad(), captured(module, names, convert=watch) as records:
            run()
        return _layers(module, records, {}), {}
    if isinstance(module, RuntimeModule):
        raise module.refusal("gradients")
    with torch.enable_grad(), _differentiable(module) as weights:
        with captured(module, names, convert=watch) as records:
            output = run()
        loss = loss_of(output)
        if not loss.requires_grad:
            raise ExplorerError(
                "The output of this network has no gradient.", "Choose another network."
            )
        found = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
    gradients = {
        name: gradient
        for name, gradient in zip(weights, found, strict=True)
        if gradient is not None
    }
    return _layers(module, records, gradients), gradients


def _layers(
    module: nn.Module, records: Mapping[str, list[Any]], gradients: Mapping[str, Tensor]
) -> list[LayerFlow]:
    found = []
    for name, calls in records.items():
        watched = next(iter(_entries(calls[:1])), None)
        if watched is None or watched.activation is None:
            continue
        own = gradients.get(f"{name}.weight")
        layer = LayerFlow(
            name, type(module.get_submodule(name)).__name__, watched.activation, watched.gradient,
            None if own is None else float(own.norm()),
        )  # fmt: skip
        found.append((watched.number, layer))
    return [layer for _, layer in sorted(found, key=lambda entry: entry[0])]


def _entries(value: Any) -> list[_Watched]:
    if isinstance(value, _Watched):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [found for entry in value for found in _entries(entry)]
    return []


@contextmanager
def _differentiable(module: nn.Module) -> Iterator[dict[str, Tensor]]:
    """All floating-point weights of the module, which require a gradient within the `with`."""
    weights = {
        name: weight for name, weight in module.named_parameters() if weight.is_floating_point()
    }
    before = {name: weight.requires_grad for name, weight in weights.items()}
    try:
        for weight in weights.values():
            weight.requires_grad_()
        yield dict(weights)
    finally:
        for name, weight in weights.items():
            weight.requires_grad_(before[name])


def loss_of_class(output: Any, index: int | None) -> Tensor:
    """The cross-entropy of class `index` (None = the top class), for an output with class scores.

    Of any other output the mean square of its numbers.
    """
    try:
        scores = class_scores(output)
    except ExplorerError:
        scores = torch.empty(0, 0)
    if len(scores) == 1:
        label = int(scores[0].argmax()) if index is None else min(index, scores.shape[1] - 1)
        return nn.functional.cross_entropy(scores, torch.tensor([label], device=scores.device))
    parts = [each for each in tensors_in(output) if each.is_floating_point() and each.numel()]
    if not parts:
        raise ExplorerError("The output of this network is empty.", "Choose another photo.")
    return torch.stack([each.float().pow(2).mean() for each in parts]).sum()


def initialize(weight: Tensor, how: Initialization, generator: torch.Generator) -> None:
    """Draws normal weights in place, for a convolution (O, I, h, w) or a linear layer (O, I).

    Glorot and Bengio 2010 divide 2 by the mean of fan-in and fan-out; He et al. 2015 divide 2 by
    the fan-in, which keeps the variance behind a ReLU. "too small" and "too large" are half and
    twice the standard deviation of He.
    """
    window = weight[0, 0].numel()
    fan_in, fan_out = weight.shape[1] * window, weight.shape[0] * window
    std = {
        "Glorot": (2 / (fan_in + fan_out)) ** 0.5,
        "He": (2 / fan_in) ** 0.5,
        "too small": (2 / fan_in) ** 0.5 / 2,
        "too large": (2 / fan_in) ** 0.5 * 2,
    }[how]
    drawn = torch.randn(weight.shape, generator=generator) * std
    with torch.no_grad():
        weight.copy_(drawn.to(weight))


def reinitialized(module: nn.Module, how: Initialization, generator: torch.Generator) -> nn.Module:
    """A copy of a network with new random weights; its norms are as if they had not been trained.

    Args:
        module: Stays as it is.
        how: Of all convolutions and linear layers; biases are 0.
        generator: On the CPU.

    Raises:
        ExplorerError: It runs in ONNX Runtime, where weights are fixed.
    """
    if isinstance(module, RuntimeModule):
        raise module.refusal("other weights")
    fresh = copy.deepcopy(module)
    for child in fresh.modules():
        if isinstance(child, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            initialize(child.weight, how, generator)
            if child.bias is not None:
                nn.init.zeros_(child.bias)
        elif isinstance(child, nn.modules.batchnorm._BatchNorm):
            child.reset_parameters()
    return fresh


def shares(
    distributions: Sequence[Distribution | None], edges: NDArray[np.float64], *, log: bool
) -> NDArray[np.float32]:
    """(bins, N) the fraction of each tensor's values in each bin; NaN for None.

    Args:
        distributions: Of N tensors.
        edges: Of the bins, ascending, (bins + 1,).
        log: Bins are of log10 of the absolute values; zeros are in none.
    """
    found = np.full((len(edges) - 1, len(distributions)), np.nan, np.float32)
    for column, each in enumerate(distributions):
        if each is None:
            continue
        values = each.values[np.isfinite(each.values)].astype(np.float64)
        if log:
            values = np.log10(np.abs(values[values != 0]))
        counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
        found[:, column] = counts / max(each.values.size, 1)
    return found
