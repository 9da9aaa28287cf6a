"""A classification network as a function of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from explorer.vision.features.classification import class_scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explorer.networks.network import Network

CHUNK = 4
"""Pictures in one forward pass: more of them take longer each, for want of cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """A classification network with its normalization, on pictures of its input's size.

    Attributes:
        module: In eval mode. Its weights and its BatchNorm statistics are read only.
        mean: Per channel, for values in [0, 1]; None = the module normalizes by itself.
        std: Per channel.
        dtype: Of the module's weights.
        channels: Of the pictures, 3 or 1.
        device: Of the module.
    """

    module: nn.Module
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    dtype: torch.dtype = torch.float32
    channels: int = 3
    device: torch.device | str = "cpu"

    @classmethod
    def of(cls, network: Network) -> Classifier:
        """The network without its resizing and cropping."""
        steps = network.preprocess
        return cls(
            network.module, steps.mean, steps.std, network.dtype, steps.channels, network.device
        )

    def __call__(self, pictures: Tensor) -> Tensor:
        """(N, classes) float32 before the softmax, for (N, C, H, W) float32 in [0, 1].

        Raises:
            ExplorerError: The network gives no vector of scores.
        """
        values = pictures
        if self.mean is not None and self.std is not None:
            mean, std = (torch.tensor(v).view(-1, 1, 1).to(pictures) for v in (self.mean, self.std))
            values = (pictures - mean) / std
        return class_scores(self.module(values.to(self.dtype)))

    @torch.no_grad()
    def logits(self, pictures: Tensor) -> NDArray[np.float32]:
        """The same without a graph, a few pictures at a time; a number that is not one is 0."""
        starts = range(0, len(pictures), CHUNK)
        parts = [self(pictures[start : start + CHUNK]).cpu() for start in starts]
        found: NDArray[np.float32] = torch.cat(parts).nan_to_num_(0.0).numpy()
        return found
