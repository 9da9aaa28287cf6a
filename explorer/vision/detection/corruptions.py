"""Small changes of a photo that leave the objects where they are, and the way back for boxes.

After Hosang et al. 2016, "What makes for effective detection proposals?", section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    UInt8 = NDArray[np.uint8]

UNMOVED = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Changed:
    """A changed photo: `pixels` (h, w, 3) uint8 RGB.

    `motion` a, b, c, d, e, f takes a point of the photo to x' = a x + b y + c, y' = d x + e y + f
    of `pixels`; it scales, then turns and shifts.
    """

    pixels: UInt8
    motion: tuple[float, float, float, float, float, float] = UNMOVED

    def back(self, boxes: Float32) -> Float32:
        """(N, 4) xyxy boxes of `pixels` on the photo: centers turned back, sides only scaled."""
        a, b, c, d, e, f = self.motion
        turn = np.linalg.inv(np.array([[a, b], [d, e]]))
        wide = boxes.astype(np.float64)
        center = ((wide[:, :2] + wide[:, 2:]) / 2) @ turn.T - turn @ np.array([c, f])
        half = (wide[:, 2:] - wide[:, :2]) / 2 / np.hypot([a, b], [d, e])
        return np.concatenate([center - half, center + half], axis=1).astype(np.float32)

    def visible(self, boxes: Float32) -> NDArray[np.bool_]:
        """(N,): which boxes of the photo have their center inside the changed one."""
        a, b, c, d, e, f = self.motion
        wide = boxes.astype(np.float64)
        center = (wide[:, :2] + wide[:, 2:]) / 2
        x, y = (center @ np.array([[a, b], [d, e]]).T + np.array([c, f])).T
        height, width = self.pixels.shape[:2]
        inside: NDArray[np.bool_] = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        return inside

    def of_larger(self, across: float, down: float) -> Changed:
        """The same change of a photo that was made smaller by these factors before it."""
        a, b, c, d, e, f = self.motion
        return Changed(self.pixels, (a * across, b * down, c, d * across, e * down, f))


@dataclass(frozen=True, slots=True)
class Change:
    """One kind of change: its `strengths`, `words` for one of them; `make` does it."""

    words: str
    strengths: tuple[float, ...]
    make: Callable[[UInt8, float], Changed]


def blurred(pixels: UInt8, sigma: float) -> Changed:
    """A Gaussian blur of `sigma` pixels."""
    import cv2

    return Changed(np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8))


def compressed(pixels: UInt8, quality: float) -> Changed:
    """Written as a JPEG of that quality (100 is best) and read again."""
    import cv2

    ok, data = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, round(quality)])
    if not ok:
        raise ValueError(f"a photo of {pixels.shape} cannot be written as JPEG")
    again = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return Changed(np.ascontiguousarray(again[:, :, ::-1]))


def brightened(pixels: UInt8, percent: float) -> Changed:
    """All values times `percent` / 100, cut at white."""
    return Changed(np.clip(np.round(pixels * (percent / 100)), 0, 255).astype(np.uint8))


def rotated(pixels: UInt8, degrees: float) -> Changed:
    """Turned about its middle, counter-clockwise.

    It is cut to the largest part of its own shape that has no empty corner.
    """
    import cv2

    height, width = pixels.shape[:2]
    c, s = cos(radians(degrees)), sin(radians(degrees))
    # The cut's corners, turned back, touch the photo's border.
    share = min(
        width / (width * abs(c) + height * abs(s)), height / (width * abs(s) + height * abs(c))
    )
    cut = max(1, int(width * share)), max(1, int(height * share))
    turn = np.array([[c, s], [-s, c]])
    shift = np.array(cut) / 2 - turn @ np.array([width, height]) / 2
    # OpenCV counts from the center of a pixel, we from its corner.
    half = np.array([0.5, 0.5])
    matrix = np.concatenate([turn, (turn @ half + shift - half)[:, None]], axis=1)
    found = cv2.warpAffine(
        pixels, matrix, cut, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    motion = (c, s, float(shift[0]), -s, c, float(shift[1]))
    return Changed(np.asarray(found, np.uint8), motion)


def rescaled(pixels: UInt8, percent: float) -> Changed:
    """Made smaller to `percent` of its sides and enlarged again; areas down, bilinear up."""
    import cv2

    height, width = pixels.shape[:2]
    small = tuple(max(1, round(side * percent / 100)) for side in (width, height))
    less = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
    again = cv2.resize(less, (width, height), interpolation=cv2.INTER_LINEAR)
    return Changed(np.asarray(again, np.uint8))


def resized(pixels: UInt8, percent: float) -> Changed:
    """Made smaller to `percent` of its sides, and left so."""
    import cv2

    height, width = pixels.shape[:2]
    small = max(1, round(width * percent / 100)), max(1, round(height * percent / 100))
    found = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
    return Changed(
        np.asarray(found, np.uint8), (small[0] / width, 0.0, 0.0, 0.0, small[1] / height, 0.0)
    )


def noised(pixels: UInt8, sigma: float, seed: int = 0) -> Changed:
    """Gaussian noise of `sigma` levels added to every value, cut at black and white."""
    noise = np.random.default_rng(seed).normal(0.0, sigma, pixels.shape)
    return Changed(np.clip(np.round(pixels + noise), 0, 255).astype(np.uint8))


CHANGES: dict[str, Change] = {
    "scale": Change("{:g}%", (90, 80, 70, 60, 50), resized),
    "blur": Change("sigma {:g} px", (0.5, 1, 2, 4, 8), blurred),
    "rotation": Change("{:g}°", (2.5, 5, 10, 15, 20), rotated),
    "JPEG": Change("quality {:g}", (90, 60, 30, 15, 5), compressed),
    "brightness": Change("{:g}%", (50, 75, 90, 125, 150), brightened),
}
