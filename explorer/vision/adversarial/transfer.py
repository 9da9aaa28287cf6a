"""Does an adversarial picture fool other networks, and after it was processed?

Every network classifies the clean and the adversarial picture after the same corruption: a change
of class may be the corruption's and not the attack's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import torch

from explorer.vision.detection.corruptions import blurred, compressed, noised, rescaled
from explorer.vision.features.classification import logits_of, softmax

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from explorer.networks.network import Network

    UInt8 = NDArray[np.uint8]
    Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Corruption:
    """One kind of processing at one strength: its `kind`, its `title`, and what it does."""

    kind: str
    title: str
    make: Callable[[UInt8, int], UInt8]


def corruptions(kinds: Sequence[str]) -> tuple[Corruption, ...]:
    """The unchanged picture, then every strength of these kinds; see `KINDS`."""
    return (_NONE, *(made for kind in KINDS if kind in kinds for made in _ALL[kind]))


def _jpeg(quality: int) -> Corruption:
    return Corruption(
        "JPEG", f"JPEG {quality}", lambda pixels, _: compressed(pixels, quality).pixels
    )


def _resize(percent: int) -> Corruption:
    return Corruption(
        "resize", f"resize {percent}%", lambda pixels, _: rescaled(pixels, percent).pixels
    )


def _blur(sigma: float) -> Corruption:
    return Corruption("blur", f"blur {sigma:g} px", lambda pixels, _: blurred(pixels, sigma).pixels)


def _noise(sigma: int) -> Corruption:
    return Corruption(
        "noise", f"noise {sigma}/255", lambda pixels, seed: noised(pixels, sigma, seed).pixels
    )


_NONE = Corruption("none", "unchanged", lambda pixels, _: pixels)
_ALL: dict[str, tuple[Corruption, ...]] = {
    "JPEG": (_jpeg(95), _jpeg(75), _jpeg(50), _jpeg(25)),
    "resize": (_resize(90), _resize(75), _resize(50)),
    "blur": (_blur(0.5), _blur(1.0), _blur(2.0)),
    "noise": (_noise(4), _noise(8), _noise(16)),
}
KINDS: tuple[str, ...] = tuple(_ALL)


class Verdict(IntEnum):
    """The top class of a corrupted adversarial picture, compared with the clean picture's."""

    ROBUST = 0  # that of the clean picture without a corruption
    TARGET = 1  # the class that the attack wanted
    OTHER = 2  # another class, and the corruption leaves the clean picture's class alone
    CORRUPTED = 3  # another class, but the corruption changes the clean picture's class, too


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One network after one corruption.

    Attributes:
        clean: (K,) float32 probabilities of the corrupted clean picture.
        adversarial: (K,) float32 probabilities of the corrupted adversarial picture.
        verdict: See `Verdict`.
    """

    clean: Float32
    adversarial: Float32
    verdict: Verdict


def cell(
    network: Network,
    clean: UInt8,
    adversarial: UInt8,
    top: int,
    target: str,
) -> Cell:
    """Classifies both pictures.

    Args:
        network: A classifier.
        clean: (H, W, 3) uint8, after the corruption.
        adversarial: (H, W, 3) uint8, after the corruption.
        top: The network's top class of the clean picture without a corruption.
        target: Name of the wanted class; "" = any other one.

    Raises:
        ExplorerError: The network has no score per class.
    """
    before, after = probabilities(network, clean), probabilities(network, adversarial)
    classes = network.info.classes
    answer = int(after.argmax())
    name = classes[answer] if answer < len(classes) else ""
    if answer == top:
        verdict = Verdict.ROBUST
    elif target and name == target:
        verdict = Verdict.TARGET
    else:
        verdict = Verdict.OTHER if int(before.argmax()) == top else Verdict.CORRUPTED
    return Cell(before, after, verdict)


@torch.no_grad()
def probabilities(network: Network, pixels: UInt8) -> Float32:
    """(K,) float32 for a picture (H, W, 3) uint8.

    A picture of just the network's input size is fed as it is; any other one goes through the
    network's own resizing and cropping.

    Raises:
        ExplorerError: The network has no score per class.
    """
    preprocess = network.preprocess
    values = preprocess.fed(pixels) if fits(network, pixels) else preprocess(pixels)
    output = network.module(values.to(network.device, network.dtype))
    return softmax(logits_of(output))


def fits(network: Network, pixels: UInt8) -> bool:
    """Whether the picture has the size that the network crops photos to."""
    crop = network.preprocess.crop
    return crop is not None and pixels.shape[:2] == (crop, crop)
