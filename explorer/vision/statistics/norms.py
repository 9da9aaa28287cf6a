"""Batch norm: the statistics of a batch beside the running ones, and what gamma and beta undo.

y = gamma (x - mean) / sqrt(var + eps) + beta; with gamma = sqrt(var + eps) and beta = mean it is x
again (Ioffe and Szegedy 2015, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import observed

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class NormStatistics:
    """Of one batch norm; all (C,) float32.

    Attributes:
        name: Dotted.
        batch_mean: Mean of its input over batch and places.
        batch_var: Their biased variance.
        running_mean: What it uses in eval mode.
        running_var: The same.
        gamma: Factors behind the normalization.
        beta: Added then.
        eps: Added to the variance.
    """

    name: str
    batch_mean: NDArray[np.float32]
    batch_var: NDArray[np.float32]
    running_mean: NDArray[np.float32]
    running_var: NDArray[np.float32]
    gamma: NDArray[np.float32]
    beta: NDArray[np.float32]
    eps: float

    @property
    def shift(self) -> float:
        """How far the batch's means lie from the running ones, in their standard deviations."""
        spread = np.sqrt(self.running_var + self.eps)
        return float((np.abs(self.batch_mean - self.running_mean) / spread).mean())

    @property
    def ratio(self) -> float:
        """The median over channels of the batch's standard deviation by the running one."""
        whole = np.sqrt((self.batch_var + self.eps) / (self.running_var + self.eps))
        return float(np.median(whole))


@dataclass(frozen=True, slots=True, eq=False)
class ChannelNorm:
    """One channel of a batch norm; arrays hold its values over batch and places, float32.

    Attributes:
        given: x.
        normalized: (x - mean) / sqrt(var + eps), with the running statistics.
        output: gamma times that, plus beta.
        undone: The same with gamma = sqrt(var + eps) and beta = mean: x again, up to rounding.
    """

    given: NDArray[np.float32]
    normalized: NDArray[np.float32]
    output: NDArray[np.float32]
    undone: NDArray[np.float32]


def batch_norms(module: nn.Module) -> dict[str, nn.Module]:
    """The batch norms with running statistics, by name; frozen ones too."""
    return {name: child for name, child in module.named_modules() if _is_norm(child)}


def _is_norm(child: nn.Module) -> bool:
    names = ("running_mean", "running_var", "eps")
    return all(getattr(child, name, None) is not None for name in names)


@torch.no_grad()
def norm_statistics(
    module: nn.Module, run: Callable[[], object], keep: str, channel: int
) -> tuple[list[NormStatistics], ChannelNorm | None]:
    """The statistics of the inputs of all batch norms in one pass in eval mode.

    Args:
        module: The network.
        run: Calls it on a batch.
        keep: The batch norm that `channel` is one of.
        channel: Beyond the last = the last.

    Raises:
        ExplorerError: When the network has no batch norm that runs.
    """
    norms = batch_norms(module)
    found: dict[str, NormStatistics] = {}
    kept: list[ChannelNorm] = []

    def before(name: str, child: nn.Module, inputs: tuple[Any, ...]) -> None:
        if name not in norms or name in found or not isinstance(inputs[0], Tensor):
            return
        flat = inputs[0].float().transpose(0, 1).flatten(1)
        found[name] = _statistics(name, child, flat)
        if name == keep:
            kept.append(_channel(child, flat, min(channel, len(flat) - 1)))

    with observed(module, before, lambda *_: None):
        run()
    if not found:
        raise ExplorerError(
            "This network has no batch norm with running statistics.",
            "Choose a network with batch norm, such as efficientnet-lite0.",
        )
    return list(found.values()), kept[0] if kept else None


def _affine(norm: Any) -> tuple[Tensor, Tensor]:
    mean = norm.running_mean.float()
    gamma, beta = getattr(norm, "weight", None), getattr(norm, "bias", None)
    return (
        torch.ones_like(mean) if gamma is None else gamma.float(),
        torch.zeros_like(mean) if beta is None else beta.float(),
    )


def _statistics(name: str, norm: Any, flat: Tensor) -> NormStatistics:
    gamma, beta = _affine(norm)
    running = norm.running_mean, norm.running_var
    mean, var, running_mean, running_var, factor, added = (
        each.float().cpu().numpy()
        for each in (flat.mean(1), flat.var(1, correction=0), *running, gamma, beta)
    )
    return NormStatistics(
        name, mean, var, running_mean, running_var, factor, added, float(norm.eps)
    )


def _channel(norm: Any, flat: Tensor, at: int) -> ChannelNorm:
    gamma, beta = (each[at] for each in _affine(norm))
    x, mean = flat[at], norm.running_mean[at].float()
    spread = torch.sqrt(norm.running_var[at].float() + float(norm.eps))
    normalized = (x - mean) / spread
    found = (x, normalized, gamma * normalized + beta, spread * normalized + mean)
    return ChannelNorm(*(each.cpu().numpy() for each in found))


def crops(picture: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """(count, C, H, W): the picture, and random parts of it enlarged to its size, half mirrored.

    Args:
        picture: (1, C, H, W).
        count: Of pictures.
        generator: On the CPU.
    """
    height, width = picture.shape[-2:]
    found = [picture]
    for _ in range(count - 1):
        size, across, down, mirrored = torch.rand(4, generator=generator).tolist()
        rows = max(1, round(height * (0.5 + 0.5 * size)))
        columns = max(1, round(width * (0.5 + 0.5 * size)))
        top, left = int(down * (height - rows + 1)), int(across * (width - columns + 1))
        part = picture[..., top : top + rows, left : left + columns]
        part = F.interpolate(part, (height, width), mode="bilinear", align_corners=False)
        found.append(part.flip(-1) if mirrored < 0.5 else part)
    return torch.cat(found)
