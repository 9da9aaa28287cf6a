"""Films: frames that come one by one become an MP4 or a GIF, atomically.

An MP4 is written as H.264 with PyAV when that is installed, else by OpenCV as MPEG-4 Part 2, which
every player but few browsers show. Frames are taken as they come and never all kept (a GIF keeps
them as one byte a pixel). An exception from the frames (a cancel) leaves the old file as it was.
"""

from __future__ import annotations

import importlib.util
import itertools
import shutil
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
from PIL import Image

from explorer.core.errors import ExplorerError
from explorer.core.storage.atomic import replacing

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from explorer.core.layers import UInt8

FILM_SUFFIXES = (".mp4", ".gif")
MOST_FRAMES = {".mp4": 100_000, ".gif": 2_000}
LEAST_ROOM = 256 * 1024
"""Bytes on the disk: with fewer a film is given up."""

LONGEST_SIDE = {".mp4": 3_840, ".gif": 800}


@dataclass(frozen=True, slots=True)
class SavedFilm:
    """A film that was written, and what it was to be.

    Attributes:
        frames: How many it shows.
        size: Its width and height in pixels.
        given: Those of the first frame that was given.
        fps: Frames in a second.
    """

    frames: int
    size: tuple[int, int]
    given: tuple[int, int]
    fps: float


def save_film(
    path: str | os.PathLike[str], frames: Iterable[UInt8], fps: float = 12.0
) -> SavedFilm:
    """Writes frames, each (H, W, 3) uint8 RGB.

    The first frame gives the film its size, made even for MP4 and at most `LONGEST_SIDE`; frames of
    another size are fitted into it, their proportions kept.

    Args:
        path: Ends in .mp4 or .gif.
        frames: Taken one by one while the film is written.
        fps: Frames in a second; see `film_rate`.

    Raises:
        ExplorerError: When there is no frame, there are too many, or it cannot be written.
    """
    suffix = film_suffix(path)
    fps = film_rate(fps, suffix)
    coming = iter(frames)
    first = next(coming, None)
    if first is None:
        raise ExplorerError("There are no frames to write.", "Let the view run first.")
    size = film_size(first, suffix)
    fitted = _fitted(itertools.chain([first], coming), size, MOST_FRAMES[suffix])
    with replacing(path) as temporary:
        if suffix == ".gif":
            count = _write_gif(temporary, fitted, fps)
        else:
            count = _write_mp4(open_sink(temporary, size, fps), fitted, Path(path))
    return SavedFilm(count, size, (first.shape[1], first.shape[0]), fps)


def film_suffix(path: str | os.PathLike[str]) -> str:
    """The suffix of `path` when a film can be written so.

    Raises:
        ExplorerError: When it is none of `FILM_SUFFIXES`; the sentence names them.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FILM_SUFFIXES:
        raise ExplorerError(
            f"{Path(path).name} has no supported film suffix.",
            f"Choose among: {', '.join(FILM_SUFFIXES)}.",
        )
    return suffix


def film_rate(fps: float, suffix: str) -> float:
    """The frames in a second of a film that is to have `fps`: 0.1 to 120, of a GIF to 50.

    A GIF shows every frame for whole hundredths of a second; browsers slow 0.01 s down.
    """
    fps = min(max(fps, 0.1), 120.0)
    return 100 / max(2, round(100 / fps)) if suffix == ".gif" else fps


def film_size(first: UInt8, suffix: str) -> tuple[int, int]:
    """Width and height of the film that begins with (H, W, 3) `first`."""
    height, width = first.shape[:2]
    shrink = min(1.0, LONGEST_SIDE[suffix] / max(height, width))
    width, height = max(1, round(width * shrink)), max(1, round(height * shrink))
    if suffix == ".mp4":  # its colors are stored for 2 x 2 pixels at a time
        width, height = width + width % 2, height + height % 2
    return width, height


def _fitted(frames: Iterable[UInt8], size: tuple[int, int], most: int) -> Iterator[UInt8]:
    for number, frame in enumerate(frames):
        if number >= most:
            raise ExplorerError(
                f"A film of this kind has at most {most} frames.", "Save fewer of them."
            )
        yield fit(frame, size)


def fit(frame: UInt8, size: tuple[int, int]) -> UInt8:
    """`frame`, (H, W, 3) uint8, shrunk or enlarged into (width, height) with black borders."""
    width, height = size
    if frame.shape[:2] == (height, width):
        return np.ascontiguousarray(frame)
    have_height, have_width = frame.shape[:2]
    scale = min(width / have_width, height / have_height)
    if 0 <= width - have_width <= 1 and 0 <= height - have_height <= 1:
        scale = 1.0  # only made even: one more row or column instead of new pixels everywhere
    inner = (
        min(width, round(have_width * scale)) or 1,
        min(height, round(have_height * scale)) or 1,
    )
    if inner != (have_width, have_height):
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        frame = np.asarray(cv2.resize(frame, inner, interpolation=how), np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    edges = (top, height - inner[1] - top, left, width - inner[0] - left)
    border = cv2.BORDER_REPLICATE if max(edges) <= 1 else cv2.BORDER_CONSTANT
    return np.asarray(cv2.copyMakeBorder(frame, *edges, border, value=(0, 0, 0)), np.uint8)


# -- MP4 ------------------------------------------------------------------------------------------


class Sink(Protocol):
    """A film that is being written; its frames have the film's size."""

    def add(self, frame: UInt8) -> None: ...

    def close(self) -> None: ...

    def verify(self, count: int) -> bool:
        """True when the closed film is complete and has this many frames."""
        ...


def has_h264() -> bool:
    """True when PyAV is installed, with the encoder."""
    if not importlib.util.find_spec("av"):
        return False
    return "libx264" in importlib.import_module("av").codecs_available


def open_sink(path: Path, size: tuple[int, int], fps: float, *, in_order: bool = False) -> Sink:
    """A film at `path`: .mp4, or .avi without any loss.

    With `in_order` frames are coded in the order in which they are shown.

    Raises:
        ExplorerError: When it cannot be written.
    """
    if path.suffix == ".avi":
        return _OpenCV(path, size, fps, "FFV1")
    if has_h264():
        more = {"bf": "0"} if in_order else {}
        return _PyAV(importlib.import_module("av"), path, size, fps, more)
    return _OpenCV(path, size, fps, "mp4v")


def _write_mp4(sink: Sink, frames: Iterator[UInt8], shown: Path) -> int:
    count = 0
    try:
        for frame in frames:
            sink.add(frame)
            count += 1
    finally:
        sink.close()
    if not sink.verify(count):  # OpenCV does not report a full disk
        raise ExplorerError(
            f"{shown} could not be written: the film is incomplete.",
            "Is the disk full? Free some space or save it elsewhere.",
        )
    return count


def _check_room(path: Path) -> None:
    """OpenCV reports no full disk, and would continue to the end of the film."""
    if shutil.disk_usage(path.parent).free < LEAST_ROOM:
        raise ExplorerError(
            "The disk is full: the film could not be written.",
            "Free some space or save it elsewhere.",
        )


class _OpenCV:
    def __init__(self, path: Path, size: tuple[int, int], fps: float, code: str) -> None:
        self._path = path
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_FATAL)  # its reader gives it
        _check_room(path)
        fourcc = cv2.VideoWriter.fourcc(*code)
        self._writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, fps, size)
        if not self._writer.isOpened():
            raise ExplorerError(
                f"OpenCV cannot write {path.suffix[1:].upper()} films here.",
                "Save a .gif, or install the package av.",
            )

    def add(self, frame: UInt8) -> None:
        _check_room(self._path)
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        self._writer.release()

    def verify(self, count: int) -> bool:
        """True when the film can be read back and has all its frames, the last one included."""
        capture = cv2.VideoCapture(str(self._path))
        try:
            if not capture.isOpened() or round(capture.get(cv2.CAP_PROP_FRAME_COUNT)) != count:
                return False
            capture.set(cv2.CAP_PROP_POS_FRAMES, count - 1)
            return bool(capture.read()[0])
        finally:
            capture.release()


class _PyAV:
    def __init__(
        self, av: Any, path: Path, size: tuple[int, int], fps: float, more: dict[str, str]
    ) -> None:
        self._av = av
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "faststart"})
        rate = Fraction(fps).limit_denominator(1000)
        self._stream = self._container.add_stream(
            "libx264", rate=rate, options={"crf": "18", **more}
        )
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"

    def add(self, frame: UInt8) -> None:
        picture = self._av.VideoFrame.from_ndarray(frame, format="rgb24")
        self._container.mux(self._stream.encode(picture))

    def close(self) -> None:
        try:
            self._container.mux(self._stream.encode())
        finally:
            self._container.close()

    def verify(self, count: int) -> bool:
        return count > 0  # PyAV raises what goes wrong


# -- GIF ------------------------------------------------------------------------------------------


def _write_gif(path: Path, frames: Iterator[UInt8], fps: float) -> int:
    count = 0

    def palettes() -> Iterator[Image.Image]:
        nonlocal count
        for frame in frames:
            count += 1
            # Octrees are fast and near enough; dithering with them would sparkle from frame to
            # frame.
            yield Image.fromarray(frame).quantize(
                256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
            )

    pictures = palettes()
    first = next(pictures)
    with path.open("wb") as file:  # opened here: Pillow leaves its own open when it is interrupted
        first.save(
            file, "GIF", save_all=True, append_images=pictures, duration=round(1000 / fps), loop=0,
            optimize=False,
        )  # fmt: skip
    return count
