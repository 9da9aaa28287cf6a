"""A search among the pictures of a basis: min over p of (NN(PCA(p)) - target)^2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.vision.latent.pca import Basis


@dataclass(frozen=True, slots=True, eq=False)
class Decoder:
    """From coefficients to what a network is given, differentiably.

    Attributes:
        mean: (d,) float32.
        axes: (k, d) float32, each component times its standard deviation.
        shape: (H, W, C) of a picture.
        detail: (d,) float32, added to every picture: what a photo has beyond the components.
        size: H and W of the network's input.
        channels: 3, or 1 for a network of gray pictures.
    """

    mean: Tensor
    axes: Tensor
    shape: tuple[int, int, int]
    detail: Tensor
    size: tuple[int, int]
    channels: int

    @classmethod
    def of(
        cls,
        basis: Basis,
        count: int,
        detail: NDArray[np.float32],
        size: tuple[int, int],
        channels: int,
        device: torch.device,
    ) -> Decoder:
        """For the first `count` components; `detail` is (H, W, C)."""
        axes = basis.components[:count] * basis.deviations[:count, None]
        mean, scaled, more = (
            torch.from_numpy(values).to(device) for values in (basis.mean, axes, detail.reshape(-1))
        )
        return cls(mean, scaled, basis.shape, more, size, channels)

    def __call__(self, coefficients: Tensor) -> Tensor:
        """(k,) in standard deviations -> (1, channels, *size) in [0, 1].

        The picture is enlarged as far as it fits; beside it is mid-gray.
        """
        height, width, depth = self.shape
        flat = (self.mean + coefficients @ self.axes + self.detail).clamp(0.0, 1.0)
        picture = flat.view(1, height, width, depth).permute(0, 3, 1, 2)
        if depth == 1 and self.channels == 3:
            picture = picture.expand(1, 3, height, width)
        elif depth == 3 and self.channels == 1:
            luma = picture.new_tensor([0.2989, 0.587, 0.114]).view(1, 3, 1, 1)
            picture = (picture * luma).sum(1, keepdim=True)
        return fitted(picture, self.size)


def fitted(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """(1, C, h, w) enlarged or shrunk until it fits into `size`, centered on mid-gray."""
    high, wide = picture.shape[-2:]
    scale = min(size[0] / high, size[1] / wide)
    inner = (
        min(size[0], max(1, round(high * scale))), min(size[1], max(1, round(wide * scale)))
    )  # fmt: skip
    shown = F.interpolate(picture, inner, mode="bilinear", align_corners=False, antialias=True)
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    beside = (left, size[1] - inner[1] - left, top, size[0] - inner[0] - top)
    return F.pad(shown, beside, value=0.5)


def log_odds(scores: Tensor, label: int) -> Tensor:
    """log(p / (1 - p)) of the softmax probability p of a class, (); its gradient never vanishes.

    Args:
        scores: (C,) before the softmax, C of at least 2.
        label: The class.
    """
    others = torch.cat([scores[:label], scores[label + 1 :]])
    return scores[label] - others.logsumexp(0)


class Search:
    """Gradient descent (Adam) on the coefficients p, in standard deviations.

    Every step lowers (NN(PCA(p)) - target)^2 + decay |p|^2 / k. The second term keeps p where the
    pictures of the basis are; beyond `limit` standard deviations a coefficient never goes.

    Args:
        decoder: PCA(p), as the network takes it.
        output: (1, C, H, W) in [0, 1] -> (), the number that should become the target.
        target: What it should be.
        start: (k,) the first p.
        rate: Change of a coefficient in a step, about.
        decay: Weight of the second term.
        limit: See above.

    Source: the objective of face aging in lectures: a network for ages on a linear model of faces.
    """

    def __init__(
        self,
        decoder: Callable[[Tensor], Tensor],
        output: Callable[[Tensor], Tensor],
        target: float,
        start: Tensor,
        *,
        rate: float = 0.1,
        decay: float = 1.0,
        limit: float = 3.0,
    ) -> None:
        self._decoder, self._output, self._target = decoder, output, target
        self._decay, self._limit = decay, limit
        self._p = start.detach().clone().clamp_(-limit, limit).requires_grad_()
        self._optimizer = torch.optim.Adam([self._p], lr=rate)

    @property
    def coefficients(self) -> NDArray[np.float32]:
        """(k,) p as it is now."""
        found: NDArray[np.float32] = self._p.detach().cpu().numpy().copy()
        return found

    def advance(self) -> float:
        """One step; returns the output before it. One that is not finite changes nothing."""
        with torch.enable_grad():
            output = self._output(self._decoder(self._p))
            loss = (output - self._target).square() + self._decay * self._p.square().mean()
            (gradient,) = torch.autograd.grad(loss, self._p)
        if torch.isfinite(gradient).all():
            self._p.grad = gradient
            self._optimizer.step()
            with torch.no_grad():
                self._p.clamp_(-self._limit, self._limit)
        return float(output.detach())
