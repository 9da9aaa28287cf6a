"""The pictures of some channels of a layer, made together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.vision.synthesis.maximization import (
    Recipe,
    channels_each,
    image_of,
    maximization,
    maximization_objective,
)
from explorer.vision.synthesis.octaves import preview

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.core.layers import UInt8
    from explorer.networks.network import Network
    from explorer.vision.synthesis.target import Target

BATCH = 16
"""Channels at once."""

RECIPE = Recipe(transforms=1.0, limit=0.0)
"""Small pictures end at low frequencies, among which there is no fine grain to keep out: a limit
would only make them pale."""


def channels_in(target: Target, network: Network, layer: str, side: int) -> int:
    """How many a layer has, for pictures of this side.

    Raises:
        ExplorerError: It has none, or is not used.
    """
    with torch.no_grad():
        gray = torch.full((1, network.preprocess.channels, side, side), 0.5)
        output = target.answer(gray.to(network.device), layer)
    if output.ndim < 2:
        raise ExplorerError(f"The layer {layer!r} has no channels.", "Choose another layer.")
    return output.shape[1]


def made(
    target: Target,
    network: Network,
    layer: str,
    numbers: range,
    side: int,
    steps: int,
    seed: int,
) -> Iterator[UInt8]:
    """(K, side, side, 3) uint8 after every step, of the K channels `numbers`."""
    generator = torch.Generator().manual_seed(seed + numbers.start)
    image = image_of(
        RECIPE, len(numbers), (side, side), generator,
        channels=network.preprocess.channels, device=network.device,
    )  # fmt: skip
    activation = channels_each(layer, numbers, 1)
    objective = maximization_objective(activation, layer, RECIPE, len(numbers))
    synthesis = maximization(target, objective, image, RECIPE, generator)
    for _ in range(steps):
        synthesis.step()
        pictures = synthesis.picture()
        yield np.stack([preview(pictures[row : row + 1]) for row in range(len(pictures))])
