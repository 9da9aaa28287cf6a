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
        module: (N, C, H, W) -> scores of classes.
        mean: (1, C, 1, 1), subtracted from pictures in [0, 1].
        std: (1, C, 1, 1).
        dtype: Of the input of `module`.
    """

    module: nn.Module
    mean: Tensor
    std: Tensor
    dtype: torch.dtype

    @classmethod
    def of(cls, network: Network) -> Classifier:
        preprocess = network.preprocess
        mean = torch.tensor(preprocess.mean or [0.0] * preprocess.channels).view(1, -1, 1, 1)
        std = torch.tensor(preprocess.std or [1.0] * preprocess.channels).view(1, -1, 1, 1)
        device = network.device
        return cls(network.module, mean.to(device), std.to(device), network.dtype)

    def scores(self, pictures: Tensor) -> Tensor:
        """(N, classes) float32 before the softmax, for (N, C, H, W) float32 in [0, 1].

        Raises:
            ExplorerError: The network gives no vector of scores.
        """
        return class_scores(self.module(((pictures - self.mean) / self.std).to(self.dtype)))

    @torch.no_grad()
    def logits(self, pictures: Tensor) -> NDArray[np.float32]:
        """The same without a graph, a few pictures at a time; a number that is not one is 0."""
        starts = range(0, len(pictures), CHUNK)
        parts = [self.scores(pictures[start : start + CHUNK]).cpu() for start in starts]
        found: NDArray[np.float32] = torch.cat(parts).nan_to_num_(0.0).numpy()
        return found
