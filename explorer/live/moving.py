"""The built-in source: a scene that moves, so that live views can be tried without a camera."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    UInt8 = NDArray[np.uint8]

SIZE = (640, 480)
RATE = 30.0

FASTEST = 60.0
"""Pixels of a frame per second that a wide photo passes by with, so that objects can be tracked."""


def side_by_side(photos: Sequence[UInt8], height: int = SIZE[1]) -> UInt8:
    """The photos in one row, each resized to `height`: a scene to pan over.

    Args:
        photos: (H, W, 3) uint8 RGB each; at least one.
        height: Of the row, in pixels.
    """
    import cv2

    resized = [
        cv2.resize(photo, (round(photo.shape[1] * height / photo.shape[0]), height))
        for photo in photos
    ]
    return np.concatenate(resized, axis=1).astype(np.uint8, copy=False)


class MovingScene:
    """A photo that is panned and zoomed slowly in circles; without one, a drawn scene.

    Frame n is a pure function of n: the same on every machine.

    Args:
        photo: (H, W, 3) uint8 RGB to move over; None draws colored discs over a gradient.
        size: (width, height) of the frames.
        rate: Frames a second.
    """

    duration = 0.0

    def __init__(
        self, photo: UInt8 | None = None, size: tuple[int, int] = SIZE, rate: float = RATE
    ) -> None:
        self.rate = rate
        self._photo = photo
        self._size = size
        self._number = 0

    def open(self) -> None:
        self._number = 0

    def read(self) -> tuple[UInt8, float]:
        number, self._number = self._number, self._number + 1
        return self.frame(number), number / self.rate

    def seek(self, position: float) -> None:
        self._number = max(0, round(position * self.rate))

    def step(self, position: float, frames: int) -> None:
        self._number = max(0, round(position * self.rate) + frames)

    def close(self) -> None:
        """Nothing is held."""

    def frame(self, number: int) -> UInt8:
        """(height, width, 3): the scene `number` / rate seconds after its start."""
        seconds = number / self.rate
        return self._drawn(seconds) if self._photo is None else self._panned(seconds)

    def _panned(self, seconds: float) -> UInt8:
        import cv2

        assert self._photo is not None
        width, height = self._size
        tall, wide = self._photo.shape[:2]
        fit = min(wide / width, tall / height)  # photo pixels per frame pixel when all is seen
        scale = fit * (0.75 + 0.15 * math.sin(seconds * 0.5))
        room = np.array([wide - width * scale, tall - height * scale]) / 2
        across = min(0.7, FASTEST * fit / max(wide - width * fit, 1.0))
        turn = np.array([-math.cos(seconds * across), math.sin(seconds * 0.9)])
        corner = room * (1 + 0.9 * turn)
        matrix = np.array([[scale, 0, corner[0]], [0, scale, corner[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        found = cv2.warpAffine(
            self._photo, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return found.astype(np.uint8, copy=False)

    def _drawn(self, seconds: float) -> UInt8:
        import cv2

        width, height = self._size
        ramp = np.linspace(60, 200, width, dtype=np.float32)[None, :, None]
        tint = np.array([0.7, 0.85, 1.0], np.float32)
        canvas = np.ascontiguousarray(np.broadcast_to(ramp * tint, (height, width, 3))).astype(
            np.uint8
        )
        for i, color in enumerate(((220, 60, 50), (60, 160, 70), (250, 200, 40), (70, 80, 200))):
            angle = seconds * (0.6 + 0.25 * i) + i * 1.7
            x = width * (0.5 + 0.36 * math.cos(angle))
            y = height * (0.5 + 0.32 * math.sin(angle * 1.3))
            radius = min(width, height) * (0.07 + 0.025 * i)
            cv2.circle(canvas, (round(x), round(y)), round(radius), color, -1, cv2.LINE_AA)
        return canvas
