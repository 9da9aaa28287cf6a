"""Direct encoding: the genome is the picture, a number for every pixel and channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    Pixels = NDArray[np.float32]

FIRST_RATE = 0.1
HALVED_AFTER = 1000
STRENGTH = 15.0


def mutation_rate(generation: int) -> float:
    """The fraction of numbers that a mutation changes: 0.1, halved every 1000 generations."""
    return float(FIRST_RATE * 0.5 ** (generation // HALVED_AFTER))


def polynomial_mutation(
    values: NDArray[np.float32], uniform: NDArray[np.float64], strength: float = STRENGTH
) -> NDArray[np.float32]:
    """Every value of [0, 1] moved by a random amount, most by little, and clipped to [0, 1].

    With u uniform in [0, 1) and strength s, the amount is (2u)^(1 / (s + 1)) - 1 for u < 1/2 and
    1 - (2 - 2u)^(1 / (s + 1)) above.

    Args:
        values: Any shape, float32 in [0, 1].
        uniform: The same shape, in [0, 1).
        strength: The larger, the smaller the changes; 15 in the paper.

    Source: Deb and Goyal 1996, A Combined Genetic Adaptive Search, as Nguyen et al. 2015 use it.
    """
    power = 1.0 / (strength + 1.0)
    down = (2.0 * uniform) ** power - 1.0
    up = 1.0 - (2.0 - 2.0 * uniform) ** power
    moved = values + np.where(uniform < 0.5, down, up)
    return moved.clip(0.0, 1.0).astype(np.float32)


@dataclass(frozen=True, slots=True)
class DirectEncoding:
    """Pictures of `side` x `side` pixels, enlarged bilinearly for the network.

    The paper evolves 28 x 28 pixels for MNIST and 256 x 256 for ImageNet; a coarse picture has
    fewer numbers to find and survives the pooling of the network.

    Attributes:
        side: Of the genome, in pixels.
        channels: 3, or 1 for a network of gray pictures.

    Source: Nguyen, Yosinski and Clune 2015, Deep Neural Networks are Easily Fooled, section 2.3.
    """

    side: int
    channels: int = 3

    def random(self, rng: np.random.Generator) -> Pixels:
        """Uniform noise, (channels, side, side) float32 in [0, 1)."""
        return rng.random((self.channels, self.side, self.side), np.float32)

    def mutated(self, genome: Pixels, rng: np.random.Generator, generation: int) -> Pixels:
        """A copy with some of its numbers changed, at least one."""
        chosen = rng.random(genome.shape) < mutation_rate(generation)
        chosen.flat[rng.integers(chosen.size)] = True
        changed = genome.copy()
        changed[chosen] = polynomial_mutation(genome[chosen], rng.random(int(chosen.sum())))
        return changed

    def pictures(
        self, genomes: Sequence[Pixels], size: tuple[int, int], device: torch.device
    ) -> Tensor:
        """(N, channels, H, W) float32 in [0, 1], H and W from `size`."""
        batch = torch.from_numpy(np.stack(genomes)).to(device)
        return F.interpolate(batch, size=size, mode="bilinear", align_corners=False).clamp_(0, 1)
