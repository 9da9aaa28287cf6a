"""How close a set of made pictures is to a set of real ones, and how different they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.linalg import sqrtm

from explorer.networks.embedded.color_range import MEAN, STD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pictures = NDArray[np.uint8]
    Features = NDArray[np.float64]

SIDE = 128
"""To which pictures are enlarged for the features."""


def frechet_distance(first: Features, second: Features) -> float:
    """Between the normal distributions with the means and covariances of (n, d) and (m, d).

    Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule" (equation 6); with the
    features of another network than Inception its values are comparable among themselves alone.
    """
    apart = first.mean(axis=0) - second.mean(axis=0)
    covariances = [np.cov(each, rowvar=False) for each in (first, second)]
    root = np.real(sqrtm(covariances[0] @ covariances[1]))
    return float(apart @ apart + np.trace(covariances[0] + covariances[1] - 2 * root))


@torch.inference_mode()
def pooled_features(layers: Any, pictures: Pictures, batch: int = 50) -> Features:
    """(n, d): the mean over all places of what `layers` makes of (n, H, W, 3) uint8 pictures."""
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (MEAN, STD))
    found = []
    for start in range(0, len(pictures), batch):
        values = torch.from_numpy(pictures[start : start + batch]).permute(0, 3, 1, 2).float() / 255
        values = torch.nn.functional.interpolate(
            values, (SIDE, SIDE), mode="bilinear", align_corners=False
        )
        found.append(layers((values - mean) / std).mean(dim=(2, 3)))
    return torch.cat(found).double().numpy()


def diversity(pictures: Pictures, seed: int = 0) -> float:
    """The root mean square difference (of 255) of two pictures drawn at random, on average."""
    values = pictures.astype(np.float32)
    order = np.random.default_rng(seed).permutation(len(values))
    apart = values[order] - values[np.roll(order, 1)]
    return float(np.sqrt((apart**2).mean(axis=(1, 2, 3))).mean())


def sharpness(pictures: Pictures) -> float:
    """The mean absolute difference (of 255) of neighboring pixels in a row."""
    return float(np.abs(np.diff(pictures.astype(np.float32), axis=2)).mean())


def signal_to_noise(made: torch.Tensor, real: torch.Tensor) -> float:
    """The peak signal-to-noise ratio of two equal shapes with values in [0, 1], in dB."""
    return float(-10 * (made.clamp(0, 1) - real).square().mean().log10())


def to_pixels(pictures: torch.Tensor) -> Pictures:
    """(N, 3, H, W), -1..1 -> (N, H, W, 3) uint8."""
    values = ((pictures.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    found: Pictures = values.permute(0, 2, 3, 1).cpu().numpy()
    return found
