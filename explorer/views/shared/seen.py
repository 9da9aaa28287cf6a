"""The photo as the picture that a synthesis is about, and what the network says of pictures."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from explorer.core.errors import ExplorerError
from explorer.views.shared.common import class_name, percent
from explorer.vision.features.classification import logits_of, softmax
from explorer.vision.synthesis.objectives import LOGITS
from explorer.vision.synthesis.octaves import octave_sizes, pictured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from explorer.core.layers import Float32, UInt8
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.networks.network import Network
    from explorer.vision.synthesis.target import Target


def fed_picture(network: Network, pixels: UInt8) -> Tensor:
    """A photo as the network receives it: (1, C, H, W) float32 in [0, 1] on its device.

    After resizing and cropping, before normalization.
    """
    plain = replace(network.preprocess, mean=None, std=None)
    return plain(pixels).to(network.device)


def uncropped(network: Network, pixels: UInt8) -> tuple[Tensor, tuple[int, int]]:
    """As `fed_picture` before the crop, and the row and column where the crop begins in it.

    Opened as a photo this picture is neither resized nor cropped elsewhere: what replaces the crop
    reaches the network as it is. Where the network crops nothing, or more than the picture has, it
    is the fed picture itself.
    """
    preprocess = network.preprocess
    fed = fed_picture(network, pixels)
    whole = replace(preprocess, mean=None, std=None, crop=None)(pixels).to(network.device)
    frame = preprocess.frame(*whole.shape[-2:])
    if preprocess.crop is None or min(whole.shape[-2:]) < preprocess.crop:
        return fed, (0, 0)
    return whole, (round(-frame.ty), round(-frame.tx))


def seen_picture(scene: Scene, longest: int) -> Tensor:
    """(1, C, H, W) float32 in [0, 1] on the network's device.

    The network's own input where it has one size (resized and cropped, before the normalization);
    else the photo, `longest` pixels on its longer side.
    """
    network = scene.network
    preprocess = network.preprocess
    if preprocess.batched and preprocess.crop is not None:
        return fed_picture(network, scene.image.pixels)
    pixels = scene.image.pixels
    (size,) = octave_sizes(*pixels.shape[:2], longest=longest, octaves=1, scale=2.0)
    return pictured(pixels, size, preprocess.channels).to(network.device)


@torch.no_grad()
def answered(target: Target, picture: Tensor, layers: Sequence[str]) -> tuple[str, ...]:
    """Those of some layers that the network uses on (1, C, H, W) pictures of this size."""
    found = []
    for layer in layers:
        with suppress(ExplorerError):
            target.answer(picture, layer)
            found.append(layer)
    return tuple(found)


@torch.no_grad()
def probabilities(target: Target, picture: Tensor, info: NetworkInfo) -> Float32 | None:
    """(K,) of the first of (N, C, H, W) pictures; None for a network without classes."""
    if info.task != "classification":
        return None
    return softmax(logits_of(target.answer(picture[:1], LOGITS)))


def says(shares: Float32 | None, classes: tuple[str, ...]) -> str:
    """The most probable class in words, or nothing."""
    if shares is None:
        return ""
    best = int(shares.argmax())
    return f"{class_name(classes, best)} {percent(float(shares[best]))}"
