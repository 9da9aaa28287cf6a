"""What the view computes, one function for each thing that it shows; numpy comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.evaluation.generated.pictures import to_pixels
from explorer.networks.faces.mtcnn import kept_cascade
from explorer.networks.generative.pixel_cnn import pixel_bits
from explorer.training.lessons.generative.pictures import pictures_of
from explorer.training.small.data_set import fitted
from explorer.vision.faces.alignment import largest_aligned
from explorer.vision.latent.faces import POSITIONS

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.core.layers import Float32, UInt8
    from explorer.core.values import Box
    from explorer.networks.generative.autoencoder import FaceAutoencoder
    from explorer.networks.generative.pixel_cnn import PixelNetwork

REACH, SIDES = 3.0, 9
"""Of the latent plane, in standard deviations of the prior, and pictures along each side."""
STATIONS = 9
"""Pictures of an interpolation."""


class Reconstruction(NamedTuple):
    """(1, R, R, 3) uint8; bits per value of the picture given its latent, and of the latent."""

    made: UInt8
    values: float
    latent: float


def square_of(pixels: UInt8, face: Box | None, side: int) -> UInt8:
    """(1, side, side, 3): the square around the middle of the box, within the photo."""
    height, width = pixels.shape[:2]
    if face is not None:
        x, y = (face.x0 + face.x1) / 2, (face.y0 + face.y1) / 2
        half = max(1.0, min(max(face.x1 - face.x0, face.y1 - face.y0), height, width) / 2)
        x, y = (float(np.clip(v, half, most - half)) for v, most in ((x, width), (y, height)))
        x0, y0 = int(x - half), int(y - half)
        size = max(1, int(2 * half))
        pixels = pixels[y0 : y0 + size, x0 : x0 + size]
    return fitted(pixels, side)[None]


def own_face(pixels: UInt8, face: Box | None, side: int) -> tuple[UInt8, tuple[str, ...]]:
    """(1, side, side, 3) and sentences: the box, else the largest face, else the middle.

    A face that is found is turned and scaled as those that the networks were trained on.
    """
    if face is None:
        try:
            found = largest_aligned(kept_cascade(), pixels, POSITIONS, side)
        except ExplorerError as error:
            return square_of(pixels, None, side), (f"The face is not looked for. {error}",)
        if found is None:
            words = "No face was found: this is the middle of the photo. Drag a box around a face."
            return square_of(pixels, None, side), (words,)
        return found[0][None], ()
    return square_of(pixels, face, side), ()


def tensor_of(pictures: UInt8) -> Tensor:
    return pictures_of(pictures, torch.device("cpu"))


@torch.no_grad()
def reconstruction(network: FaceAutoencoder, own: UInt8, seed: int) -> Reconstruction:
    """From the mean of its latent; the bits are those of one latent drawn with the seed."""
    given = tensor_of(own)
    made = to_pixels(network(given))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        values, latent = network.bound(given)
    return Reconstruction(made, float(values) / given.numel(), float(latent) / given.numel())


@torch.no_grad()
def decoded(network: FaceAutoencoder, latents: Tensor) -> UInt8:
    return to_pixels(network.decode(latents)[0])


@torch.no_grad()
def interpolation(
    network: FaceAutoencoder, own: UInt8, other: UInt8 | None, random: torch.Generator
) -> tuple[UInt8, UInt8]:
    """(STATIONS, R, R, 3) between two latents, and the same between the pixels."""
    first = network.encode(tensor_of(own))[0]
    if other is None:
        second = torch.randn(first.shape, generator=random)
        other = decoded(network, second)
    else:
        second = network.encode(tensor_of(other))[0]
    parts = torch.linspace(0, 1, STATIONS)[:, None]
    made = decoded(network, torch.lerp(first, second, parts))
    share = parts.numpy()[:, :, None, None]
    mixed = (1 - share) * own.astype(np.float32) + share * other.astype(np.float32)
    return made, mixed.round().astype(np.uint8)


@torch.no_grad()
def strongest(network: FaceAutoencoder, latent: Tensor) -> list[int]:
    """The numbers of a latent (1, n), by how much the picture changes from -2 to 2 along each."""
    ends = []
    for value in (-2.0, 2.0):
        moved = latent.repeat(latent.shape[1], 1)
        moved.fill_diagonal_(value)
        ends.append(network.decode(moved)[0])
    change = (ends[1] - ends[0]).square().flatten(1).mean(dim=1)
    return [int(number) for number in change.argsort(descending=True)]


@torch.no_grad()
def latent_plane(network: FaceAutoencoder, own: UInt8, across: int, down: int) -> UInt8:
    """(SIDES**2, R, R, 3), row by row: two numbers of the latent from -REACH to REACH.

    Args:
        network: The autoencoder.
        own: (1, R, R, 3); the other numbers are its latent's.
        across: Rank of the number that changes along a row, from 1; see `strongest`.
        down: Of the one that changes from row to row.
    """
    latent = network.encode(tensor_of(own))[0]
    order = strongest(network, latent)
    line = torch.linspace(-REACH, REACH, SIDES)
    latents = latent.repeat(SIDES * SIDES, 1)
    latents[:, order[down - 1]] = line.repeat_interleave(SIDES)
    latents[:, order[across - 1]] = line.repeat(SIDES)
    return decoded(network, latents)


@torch.no_grad()
def bits_of(network: PixelNetwork, own: UInt8) -> Float32:
    """(R, R) bits of every pixel's three values."""
    given = tensor_of(own)
    found: Float32 = pixel_bits(network(given), given)[0].numpy().copy()
    return found


def figures(card: dict[str, Any]) -> dict[str, float]:
    """What was measured when the network was made."""
    return {str(k): v for k, v in card.get("metrics", {}).items() if isinstance(v, (int, float))}
