"""A picture completed pixel by pixel by an autoregressive network (Oord et al. 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from explorer.networks.generative.pixel_cnn import drawn_pixels

if TYPE_CHECKING:
    from collections.abc import Generator

    from torch import Tensor

    from explorer.networks.generative.pixel_cnn import PixelNetwork


def completing(
    network: PixelNetwork,
    pictures: Tensor,
    first: int,
    random: torch.Generator,
    temperature: float = 1.0,
) -> Generator[tuple[int, int], None, None]:
    """Draws all rows from `first` on, in place, from left to right and from the top down.

    Args:
        network: In eval mode.
        pictures: (N, 3, H, W), -1..1; what is below the first row is overwritten.
        first: Row.
        random: Draws.
        temperature: See `drawn_pixels`.

    Yields:
        Row and column of the pixel that was drawn.
    """
    rows, columns = pictures.shape[2:]
    for row in range(first, rows):
        for column in range(columns):
            pictures[:, :, row, column] = _pixel(
                network, pictures, row, column, random, temperature
            )
            yield row, column


@torch.no_grad()
def _pixel(
    network: PixelNetwork, pictures: Tensor, row: int, column: int, random: torch.Generator,
    temperature: float,
) -> Tensor:  # fmt: skip
    # what is below the row has no influence on its pixels
    found = network(pictures[:, :, : row + 1])[:, :, row, column]
    return drawn_pixels(found, random, temperature)
