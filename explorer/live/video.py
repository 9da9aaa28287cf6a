"""Sources that OpenCV reads: cameras, films and network streams."""

from __future__ import annotations

import math
import os
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name
from explorer.live.cameras import known_device, whereabouts
from explorer.live.source import Lost

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from numpy.typing import NDArray

    UInt8 = NDArray[np.uint8]
    Decoded = tuple[NDArray[Any], float]
    """A frame as OpenCV gives it, and its position in seconds."""

# FFmpeg reports every damaged frame on the terminal; what matters is shown in the window.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

FILM_SUFFIXES = frozenset(
    {
        ".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ogv", ".gif",
        ".ts", ".mts", ".m2ts", ".flv", ".f4v", ".3gp", ".3g2", ".asf", ".vob", ".m2v", ".mxf",
        ".y4m", ".ogm", ".divx", ".dat",
    }
)  # fmt: skip

OPEN_MILLISECONDS = 8000
READ_MILLISECONDS = 5000
"""A network stream that is silent for longer counts as lost."""

USUAL_RATE = 25.0
"""Of a film that does not say."""

SLACK = 0.0015
"""Seconds by which a frame's time may be rounded in its file."""

MOSTLY = 0.9
"""Of the length or the number of frames that a file names: less is not the whole film."""

READ_ON = 48.0
"""Frames; a search that is nearer than that reads on instead of jumping again."""

MOST_JUMPS = 24

ENDLESS = 10**8
"""Frames of a film that does not say how many it has."""

_SCHEMES = ("rtsp://", "rtsps://", "rtmp://", "http://", "https://", "udp://", "tcp://")


class Film:
    """A video file, or a GIF, at its own pace.

    A frame is as long as in the file: where the rate varies the positions do too. Files that are
    marked as rotated come out upright.

    Args:
        path: Of an ordinary file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rate = USUAL_RATE
        self.duration = 0.0
        self.frames = 0
        self._begin = 0.0  # where the file's own clock stands at the first frame
        self._film: Any = None
        self._slack = SLACK
        self._next = 0  # number of the frame that is decoded next
        self._ready: deque[Decoded] = deque()  # decoded while searching, not given yet
        self._given: float | None = None  # position of the frame that `read` gave last

    def open(self) -> None:
        cv2 = _opencv()
        name = display_name(self.path)
        if not os.path.isfile(self.path):
            raise ExplorerError(f"{name} is not a file.", "Choose a video file.")
        try:
            os.fsencode(self.path).decode("utf-8")  # OpenCV crashes on other names
        except UnicodeDecodeError:
            raise ExplorerError(
                f"{name} has a name that cannot be read as text.", "Rename it and try again."
            ) from None
        self._film = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
        if not self._film.isOpened():
            self.close()
            raise ExplorerError(
                f"{name} cannot be played: it is damaged, or its format is not supported.",
                "Convert it to MP4 (H.264) and open that.",
            )
        self.rate = _sane(self._film.get(cv2.CAP_PROP_FPS), 1.0, 1000.0, USUAL_RATE)
        self.frames = int(_sane(self._film.get(cv2.CAP_PROP_FRAME_COUNT), 0.0, 1e8, 0.0))
        self.duration = self.frames / self.rate
        self._slack = min(SLACK, 0.4 / self.rate)
        self._next, self._given = 0, None

    def read(self) -> tuple[UInt8, float] | None:
        found = self._taken()
        if found is None:
            if self._film is not None and self._next == 0:
                raise ExplorerError(
                    f"{display_name(self.path)} contains no readable frames.",
                    "It may be damaged or empty, or its codec is not supported: convert it to MP4.",
                )
            return None
        self._given = found[1]
        return _rgb(found[0]), found[1]

    def whole_until(self, position: float) -> bool:
        """Whether a film whose last frame begins at `position` is about as long as its file tells.

        How many frames there are is computed from the length where the file does not count them:
        a varying rate or a picture that begins late gives another number.
        """
        return self._begin + position + 1 / self.rate >= MOSTLY * self.duration

    def seek(self, position: float) -> None:
        """Goes to the frame that is shown at `position`: the last one that begins no later.

        The numbers that OpenCV counts in are times in disguise where the rate varies, so the film
        is read on from a frame before until the next one would be too late.
        """
        if self._film is None:
            return
        begin, first = self._before(position)
        self._ready.clear()
        if first is None:
            self._next = begin
            return
        self._ready.append(first)
        while self._ready[-1][1] <= position + self._slack:
            found = self._decoded()
            if found is None:
                break
            self._ready.append(found)
            if found[1] <= position + self._slack:
                self._ready.popleft()

    def step(self, position: float, frames: int) -> None:
        """Goes to the frame that is this many after (or before) the one at `position`."""
        if self._film is None:
            return
        if frames < 0:
            self._back(position, -frames)
            return
        if self._given is None or abs(self._given - position) > self._slack:
            self.seek(position)
            self._taken()
        found = None
        for _ in range(frames):
            following = self._taken()
            if following is None:
                break
            found = following
        if found is not None:
            self._ready.appendleft(found)
        else:  # it is the last one
            self.seek(position)

    def close(self) -> None:
        film, self._film = self._film, None
        self._ready.clear()
        if film is not None:
            film.release()

    # -- searching --------------------------------------------------------------------------------

    def _taken(self) -> Decoded | None:
        return self._ready.popleft() if self._ready else self._decoded()

    def _decoded(self) -> Decoded | None:
        import cv2

        if self._film is None:
            return None
        good, frame = self._film.read()
        if not good or frame is None:
            return None
        number, self._next = self._next, self._next + 1
        if number == 0:
            self._begin = _sane(self._film.get(cv2.CAP_PROP_PTS), 0.0, 1e9, 0.0) / self.rate
        stamp = self._film.get(cv2.CAP_PROP_POS_MSEC) / 1000
        # Some formats say nothing (0 for every frame) or nonsense.
        known = math.isfinite(stamp) and stamp > 0
        return frame, stamp if known else number / self.rate

    def _jump(self, number: int) -> Decoded | None:
        """Decodes frame `number` (by OpenCV's count); None when there is none."""
        import cv2

        self._film.set(cv2.CAP_PROP_POS_FRAMES, number)
        self._next, self._given = number, None
        found = self._decoded()
        if found is None and number == 0:  # some files cannot go back once they have ended
            self.close()
            self.open()
            found = self._decoded()
        return found

    def _before(self, position: float) -> tuple[int, Decoded | None]:
        """A number whose frame, decoded here, begins at or shortly before `position`.

        With a constant rate that is the frame itself. Position 0 has the first frame, whatever
        its time is.
        """
        low, high = 0, self.frames or ENDLESS
        number = min(max(0, math.floor((position + self._slack) * self.rate)), high - 1)
        for _ in range(MOST_JUMPS):
            found = self._jump(number)
            behind = None if found is None else (position - found[1]) * self.rate
            if behind is not None and behind >= -self._slack * self.rate:
                low = number
                ahead = min(high - 1, number + int(behind))
                if behind <= READ_ON or ahead == number:
                    return number, found
                number = ahead
            elif number == 0:
                return 0, found
            else:
                high = number
                middle = (low + number) // 2
                guess = middle if behind is None else number + math.floor(behind) - 1
                number = min(max(low, guess), high - 1)
        return low, self._jump(low)

    def _back(self, position: float, frames: int) -> None:
        near, _ = self._before(position)
        reach = frames
        while True:
            begin = max(0, near - reach)
            found = self._jump(begin)
            count = 0  # of frames from `begin` up to the one at `position`
            while found is not None and found[1] <= position + self._slack:
                count += 1
                found = self._decoded()
            if count > frames or begin == 0:
                break
            reach *= 2
        self._ready.clear()
        first = self._jump(begin)
        for _ in range(max(0, count - 1 - frames)):
            first = self._decoded()
        if first is not None:
            self._ready.append(first)


class Camera:
    """A webcam, at the pace that it gives frames.

    Args:
        where: Its number, or on Linux its device (/dev/video0); "" = the first one.
        size: Wished (width, height); the camera takes the nearest it has.
        name: It is found again by, when it was unplugged and comes back as another device.
    """

    rate = 0.0
    duration = 0.0

    def __init__(
        self, where: str = "", size: tuple[int, int] | None = None, name: str = ""
    ) -> None:
        self._where = where or "0"
        self._size = size
        self._name = name
        self._camera: Any = None
        self._began = 0.0

    def open(self) -> None:
        where = whereabouts(self._where, self._name)
        if where is None or not known_device(where):
            some = self._name or (f"Camera {where}" if where != "0" else "")
            raise ExplorerError(
                f"{some} is not connected." if some else "No camera was found.",
                "Connect it, or try the built-in moving scene.",
            )
        cv2 = _opencv()
        self._camera = cv2.VideoCapture(int(where) if where.isdigit() else where)
        if not self._camera.isOpened():
            self.close()
            raise ExplorerError(
                "The camera cannot be opened.",
                "Another program may be using it, or access to cameras is disabled.",
            )
        self._where = where
        self._camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # old frames are worth nothing
        if self._size is not None:
            # Cameras send large pictures compressed or not at their full rate.
            self._camera.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            self._camera.set(cv2.CAP_PROP_FRAME_WIDTH, self._size[0])
            self._camera.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size[1])
        self._began = cv2.getTickCount() / cv2.getTickFrequency()

    def read(self) -> tuple[UInt8, float]:
        import cv2

        good, frame = self._camera.read() if self._camera is not None else (False, None)
        if not good or frame is None or frame.size == 0:
            raise Lost("The camera delivers no frames.")
        return _rgb(frame), cv2.getTickCount() / cv2.getTickFrequency() - self._began

    def seek(self, position: float) -> None:
        """A camera has no past."""

    def step(self, position: float, frames: int) -> None:
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
                "It must begin with rtsp://, http:// or https://.",
            )

    def open(self) -> None:
        cv2 = _opencv()
        limits = [
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_MILLISECONDS),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_MILLISECONDS),
        ]
        self._camera = cv2.VideoCapture(self._where, cv2.CAP_FFMPEG, limits)
        if not self._camera.isOpened():
            self.close()
            raise ExplorerError(
                "Nothing answers at this address, or it is not a video stream.",
                "Check the address, and that this computer is on the same network.",
            )
        self._began = cv2.getTickCount() / cv2.getTickFrequency()


def _opencv() -> ModuleType:
    """OpenCV, which does not write to the terminal that something cannot be opened."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_FATAL)
    return cv2


def _rgb(frame: NDArray[Any]) -> UInt8:
    import cv2

    if frame.ndim == 2:
        return cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _sane(value: float, low: float, high: float, otherwise: float) -> float:
    return value if math.isfinite(value) and low <= value <= high else otherwise
