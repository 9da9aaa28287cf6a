"""Pairs that any photo gives by itself: reduced and as it was, gray and in color."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch.nn import functional

from explorer.evaluation.generated.pictures import signal_to_noise
from explorer.networks.generative.colorizer import colors_of
from explorer.networks.generative.super_resolution import SCALE, bicubic
from explorer.training.lessons.generative.photos import lab_of
from explorer.views.shared.translation.networks import resized

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explorer.core.layers import UInt8

STRIDE = 32
"""The sides of a picture to be colored are multiples of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Enlarged:
    """A picture that was reduced to a quarter of its sides, and enlarged again in two ways.

    Attributes:
        truth: (H, W, 3) uint8.
        small: (H / 4, W / 4, 3), the network's input.
        plain: (H, W, 3), by bicubic interpolation.
        made: (H, W, 3), by the network.
        plain_ratio: Peak signal-to-noise ratio in dB; four pixels at the rim do not count.
        made_ratio: The same of the network's.
    """

    truth: UInt8
    small: UInt8
    plain: UInt8
    made: UInt8
    plain_ratio: float
    made_ratio: float


@torch.no_grad()
def enlarged(network: nn.Module, pixels: UInt8, side: int) -> Enlarged:
    """Of the picture, reduced before to a longer side of `side` where it is larger."""
    height, width = pixels.shape[:2]
    share = min(1.0, side / max(height, width))
    rows, columns = (max(round(share * n) // SCALE, 3) * SCALE for n in (height, width))
    whole = share == 1 and rows <= height and columns <= width
    truth = pixels[:rows, :columns] if whole else resized(pixels, columns, rows)
    large = _unit(np.ascontiguousarray(truth))
    small = (bicubic(large, 1 / SCALE).clamp(0, 1) * 255).round() / 255
    made, plain = network(small), bicubic(small, SCALE)
    inner = (..., slice(SCALE, -SCALE), slice(SCALE, -SCALE))
    ratios = [signal_to_noise(each[inner], large[inner]) for each in (plain, made)]
    return Enlarged(
        _pixels(large), _pixels(small), _pixels(plain), _pixels(made), ratios[0], ratios[1]
    )


@dataclass(frozen=True, slots=True, eq=False)
class Colored:
    """A picture, its lightness alone, and with the network's colors.

    Attributes:
        truth: (H, W, 3) uint8.
        gray: (H, W, 3), a = b = 0.
        made: (H, W, 3).
        gray_error: Root mean square of the difference in a and b of CIELAB.
        made_error: The same of the network's.
    """

    truth: UInt8
    gray: UInt8
    made: UInt8
    gray_error: float
    made_error: float


@torch.no_grad()
def colored(network: nn.Module, pixels: UInt8, side: int, temperature: float) -> Colored:
    """Of the picture at a longer side of about `side`."""
    height, width = pixels.shape[:2]
    share = min(1.0, side / max(height, width))
    rows, columns = (max(round(share * n / STRIDE), 1) * STRIDE for n in (height, width))
    truth = resized(pixels, columns, rows)
    lab = torch.from_numpy(lab_of(truth)).permute(2, 0, 1)[None]
    light, real = lab[:, :1], lab[:, 1:]
    found = colors_of(network(light), temperature)
    colors = functional.interpolate(found, (rows, columns), mode="bilinear", align_corners=False)
    gray = torch.zeros_like(colors)
    errors = [float((each - real).square().mean().sqrt()) for each in (gray, colors)]
    shown = [_from_lab(torch.cat([light, each], dim=1)) for each in (gray, colors)]
    return Colored(truth, shown[0], shown[1], errors[0], errors[1])


def _from_lab(lab: Tensor) -> UInt8:
    values: NDArray[Any] = lab[0].permute(1, 2, 0).contiguous().numpy()
    rgb = cv2.cvtColor(values, cv2.COLOR_LAB2RGB)
    return np.asarray((rgb.clip(0, 1) * 255).round(), np.uint8)


def _unit(pixels: UInt8) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def _pixels(picture: Tensor) -> UInt8:
    values = (picture[0].clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(values.permute(1, 2, 0).numpy())
