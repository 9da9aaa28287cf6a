"""Sources that OpenCV reads: cameras, films and network streams."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.errors import ExplorerError
from explorer.live.source import Lost
from explorer.reading import display_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    UInt8 = NDArray[np.uint8]

FILM_SUFFIXES = frozenset(
    {".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ogv", ".gif"}
)

OPEN_MILLISECONDS = 8000
READ_MILLISECONDS = 5000
"""A network stream that is silent for longer counts as lost."""

USUAL_RATE = 25.0
"""Of a film that does not say."""

_SCHEMES = ("rtsp://", "rtsps://", "rtmp://", "http://", "https://", "udp://", "tcp://")


class Film:
    """A video file, or a GIF, at its own pace.

    A frame is as long as the file says: where the rate varies the positions do too. Files that are
    marked as rotated come out upright.

    Args:
        path: Of an ordinary file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rate = USUAL_RATE
        self.duration = 0.0
        self.frames = 0
        self._film: Any = None
        self._next = 0  # number of the frame that `read` gives

    def open(self) -> None:
        import cv2

        name = display_name(self.path)
        if not self.path.is_file():
            raise ExplorerError(f"{name} is not a file.", "Choose a video file.")
        try:
            os.fsencode(self.path).decode("utf-8")  # OpenCV dies of other names
        except UnicodeDecodeError:
            raise ExplorerError(
                f"{name} has a name that cannot be read as text.", "Rename it and try again."
            ) from None
        self._film = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
        if not self._film.isOpened():
            self.close()
            raise ExplorerError(
                f"{name} cannot be played: it is damaged or its format is not known here.",
                "Convert it to MP4 (H.264) and open that.",
            )
        self.rate = _sane(self._film.get(cv2.CAP_PROP_FPS), 1.0, 1000.0, USUAL_RATE)
        self.frames = int(_sane(self._film.get(cv2.CAP_PROP_FRAME_COUNT), 0.0, 1e8, 0.0))
        self.duration = self.frames / self.rate
        self._next = 0

    def read(self) -> tuple[UInt8, float] | None:
        import cv2

        if self._film is None:
            return None
        good, frame = self._film.read()
        if not good or frame is None:
            if self._next == 0:
                raise ExplorerError(
                    f"{display_name(self.path)} holds no frame that can be read.",
                    "It may be damaged, empty or coded in a way not known here: convert it to MP4.",
                )
            return None
        number, self._next = self._next, self._next + 1
        stamp = self._film.get(cv2.CAP_PROP_POS_MSEC) / 1000
        plain = number / self.rate
        # Some formats say nothing (0 for every frame) or nonsense.
        position = stamp if math.isfinite(stamp) and stamp > 0 else plain
        return _rgb(frame), position

    def seek(self, position: float) -> None:
        import cv2

        if self._film is None:
            return
        number = max(0, round(position * self.rate))
        if self.frames:
            number = min(number, self.frames - 1)
        self._film.set(cv2.CAP_PROP_POS_FRAMES, number)
        found = _sane(self._film.get(cv2.CAP_PROP_POS_FRAMES), 0.0, 1e8, -1.0)
        if found < 0:
            self.close()
            self.open()
            number = 0
        self._next = number

    def close(self) -> None:
        film, self._film = self._film, None
        if film is not None:
            film.release()


class Camera:
    """A webcam, at the pace that it gives frames.

    Args:
        where: Its number, or on Linux its device (/dev/video0); "" = the first one.
        size: Wished (width, height); the camera takes the nearest it has.
    """

    rate = 0.0
    duration = 0.0

    def __init__(self, where: str = "", size: tuple[int, int] | None = None) -> None:
        self._where = where or "0"
        self._size = size
        self._camera: Any = None
        self._began = 0.0

    def open(self) -> None:
        import cv2

        if sys.platform == "linux" and self._where.isdigit():
            # OpenCV prints warnings and tries for long when there is no such device.
            device = Path(f"/dev/video{self._where}")
            if not device.exists():
                raise ExplorerError(
                    "No camera was found." if self._where == "0" else f"There is no {device}.",
                    "Connect a camera, or try the built-in moving scene.",
                )
        where = int(self._where) if self._where.isdigit() else self._where
        self._camera = cv2.VideoCapture(where)
        if not self._camera.isOpened():
            self.close()
            raise ExplorerError(
                "The camera cannot be opened.",
                "Another program may be using it, or access to cameras is switched off.",
            )
        self._camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # old frames are worth nothing
        if self._size is not None:
            self._camera.set(cv2.CAP_PROP_FRAME_WIDTH, self._size[0])
            self._camera.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size[1])
        self._began = cv2.getTickCount() / cv2.getTickFrequency()

    def read(self) -> tuple[UInt8, float]:
        import cv2

        good, frame = self._camera.read() if self._camera is not None else (False, None)
        if not good or frame is None or frame.size == 0:
            raise Lost("The camera gives no pictures.")
        return _rgb(frame), cv2.getTickCount() / cv2.getTickFrequency() - self._began

    def seek(self, position: float) -> None:
        """A camera has no past."""

    def close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.release()


class Address(Camera):
    """A network stream that the user has typed (RTSP, HTTP …).

    Raises:
        ExplorerError: The address does not begin like one of a stream.
    """

    def __init__(self, where: str) -> None:
        super().__init__(where)
        if not where.lower().startswith(_SCHEMES):
            raise ExplorerError(
                f'"{where}" is not the address of a stream.',
                "It begins with rtsp://, http:// or https://.",
            )

    def open(self) -> None:
        import cv2

        limits = [
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_MILLISECONDS),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_MILLISECONDS),
        ]
        self._camera = cv2.VideoCapture(self._where, cv2.CAP_FFMPEG, limits)
        if not self._camera.isOpened():
            self.close()
            raise ExplorerError(
                "Nothing answers at this address, or it is no video stream.",
                "Look at the address, and whether this computer is in the same network.",
            )
        self._began = cv2.getTickCount() / cv2.getTickFrequency()


def cameras() -> list[tuple[str, str]]:
    """(where, name) of the cameras that are connected now."""
    import cv2
    from cv2_enumerate_cameras import enumerate_cameras

    system = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
    found: dict[str, str] = {}
    for camera in enumerate_cameras(system):
        where = camera.path if sys.platform == "linux" and camera.path else str(camera.index)
        found.setdefault(where, camera.name or f"Camera {camera.index}")
    return list(found.items())


def _rgb(frame: NDArray[Any]) -> UInt8:
    import cv2

    if frame.ndim == 2:
        return cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _sane(value: float, low: float, high: float, otherwise: float) -> float:
    return value if math.isfinite(value) and low <= value <= high else otherwise
