"""A part of the screen as a source of frames."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.live.source import Lost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

log = logging.getLogger(__name__)

Region = tuple[int, int, int, int]
"""Left, top, width and height on the desktop of all screens: in pixels, on macOS in points."""

RATE = 25.0
LONGEST = 1280
"""Of the sides of a frame; a larger part of the screen is made smaller."""

LEAST = 16
"""Pixels of either side."""


def region_of(where: str) -> Region | None:
    """The rectangle given as "left,top,width,height"; None for "" = the whole first screen.

    Raises:
        ExplorerError: It is no rectangle.
    """
    if not where:
        return None
    try:
        left, top, width, height = (int(part) for part in where.split(","))
    except ValueError:
        width = height = left = top = 0
    if width < LEAST or height < LEAST:
        raise ExplorerError(
            f'"{where}" is not a part of the screen.',
            f"Write left,top,width,height with sides of at least {LEAST} pixels.",
        )
    return left, top, width, height


def why_not() -> str:
    """A sentence that says why the screen cannot be read here; "" if it can."""
    if sys.platform != "linux":
        return ""
    if os.environ.get("WAYLAND_DISPLAY") or os.environ.get("XDG_SESSION_TYPE") == "wayland":
        return "Wayland does not let programs read the screen: log in to an X11 session."
    if not os.environ.get("DISPLAY"):
        return "There is no screen to read: the program runs without a display."
    return ""


class Screen:
    """What is drawn in a rectangle of the screen now, `RATE` times a second.

    Args:
        region: The rectangle; None = the whole first screen. It is cut to what there is.
    """

    rate = 0.0  # it waits for its next frame by itself: a frame is read when it is due
    duration = 0.0

    def __init__(self, region: Region | None = None) -> None:
        self._region = region
        self._area: dict[str, int] = {}
        self._grabber: Any = None
        self._began = self._due = 0.0

    def open(self) -> None:
        reason = why_not()
        if reason:
            raise ExplorerError(reason, "Choose a camera, a film or the built-in scene.")
        import mss

        try:
            self._grabber = mss.MSS()
            self._area = _cut(self._region, self._grabber.monitors)
        except (mss.ScreenShotError, OSError, AttributeError) as error:  # also: libraries missing
            self.close()
            log.info("the screen cannot be read: %s", error)
            raise ExplorerError(
                "The screen cannot be read.", "Allow the program to record the screen."
            ) from error
        self._began = self._due = time.perf_counter()

    def read(self) -> tuple[NDArray[np.uint8], float]:
        import cv2
        import mss

        now = time.perf_counter()
        # On the capture's own thread, for a frame at most: the screen is there at any moment.
        time.sleep(max(0.0, self._due - now))
        self._due = max(self._due, now) + 1 / RATE
        if self._grabber is None:
            raise Lost("The screen is not being read.")
        try:
            shot = self._grabber.grab(self._area)
        except (mss.ScreenShotError, OSError) as error:
            raise Lost("The screen can no longer be read.") from error
        pixels: NDArray[Any] = np.frombuffer(shot.raw, np.uint8)
        pixels = pixels.reshape(shot.height, shot.width, 4)
        share = LONGEST / max(shot.width, shot.height)
        if share < 1.0:
            size = max(1, round(shot.width * share)), max(1, round(shot.height * share))
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        rgb = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB).astype(np.uint8, copy=False)
        return rgb, time.perf_counter() - self._began

    def seek(self, position: float) -> None:
        """The screen has no past."""

    def step(self, position: float, frames: int) -> None:
        """The screen has no past."""

    def close(self) -> None:
        grabber, self._grabber = self._grabber, None
        if grabber is not None:
            grabber.close()


def _cut(region: Region | None, monitors: Sequence[dict[str, int]]) -> dict[str, int]:
    """`region` within the desktop: `monitors` are all together, then one by one.

    Raises:
        ExplorerError: Nothing of it is on a screen.
    """
    if region is None:
        return monitors[1]
    desktop = monitors[0]
    left, top = max(region[0], desktop["left"]), max(region[1], desktop["top"])
    right = min(region[0] + region[2], desktop["left"] + desktop["width"])
    bottom = min(region[1] + region[3], desktop["top"] + desktop["height"])
    if right - left < 1 or bottom - top < 1:
        raise ExplorerError(
            "This part of the screen no longer exists.", "Choose another part of the screen."
        )
    return {"left": left, "top": top, "width": right - left, "height": bottom - top}
