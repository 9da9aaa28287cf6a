"""Which cameras are connected and in which sizes they give pictures; none of them is started."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

Size = tuple[int, int]

USUAL_SIZES: tuple[Size, ...] = ((640, 480), (1280, 720), (1920, 1080))
"""Offered where the system does not say what a camera can do."""

MOST_SIZES = 12
"""Of one camera in a menu: the usual ones first, then the largest."""


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """A camera that is connected.

    Attributes:
        where: Its device (/dev/video0) on Linux, else its number.
        name: For people; what it is found again by when it comes back at another place.
        sizes: (width, height) that can be asked for, smallest first; () = only its own.
    """

    where: str
    name: str
    sizes: tuple[Size, ...] = ()


def cameras() -> tuple[FoundCamera, ...]:
    """The cameras of now, with their sizes. It may take a while: not for the window's thread."""
    linux = sys.platform == "linux"
    return tuple(
        FoundCamera(where, name, sizes_of(where) if linux else USUAL_SIZES)
        for where, name in connected()
    )


def connected() -> list[tuple[str, str]]:
    """(where, name) of the cameras that are connected now; nothing is opened on Linux."""
    import cv2
    from cv2_enumerate_cameras import enumerate_cameras

    system = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
    found: dict[str, str] = {}
    for camera in enumerate_cameras(system):
        where = camera.path if sys.platform == "linux" and camera.path else str(camera.index)
        found.setdefault(where, camera.name or f"Camera {camera.index}")
    return list(found.items())


def whereabouts(where: str, name: str) -> str | None:
    """Where the camera `name` is now: `where` if it is still there, else where its name is.

    Without a name it is `where`; None when another camera has taken its place.
    """
    if not name:
        return where
    found = connected()
    if (where, name) in found:
        return where
    taken = any(place == where for place, _ in found)
    return next((place for place, other in found if other == name), None if taken else where)


# -- Video for Linux: linux/videodev2.h ------------------------------------------------------------


class _Format(ctypes.Structure):
    """``struct v4l2_fmtdesc``."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("description", ctypes.c_uint8 * 32),
        ("pixelformat", ctypes.c_uint32),
        ("mbus_code", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 3),
    )


class _FrameSize(ctypes.Structure):
    """``struct v4l2_frmsizeenum``; a discrete size is the first two of `size`."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("pixel_format", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("size", ctypes.c_uint32 * 6),  # min, max, step of the width, then of the height
        ("reserved", ctypes.c_uint32 * 2),
    )


def _request(number: int, structure: type[ctypes.Structure]) -> int:
    # _IOWR('V', number, structure), as on every machine that PyTorch has wheels for.
    return 3 << 30 | ctypes.sizeof(structure) << 16 | ord("V") << 8 | number


ENUM_FMT = _request(2, _Format)
ENUM_FRAMESIZES = _request(74, _FrameSize)
CAPTURE = 1
DISCRETE = 1
MOST = 256
"""Entries of a list; a broken driver may never end it."""


def sizes_of(device: str) -> tuple[Size, ...]:
    """(width, height) that a Linux video device can give, smallest first; () if it does not say."""
    try:
        handle = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        log.info("%s does not tell its sizes: %s", device, error)
        return ()
    try:
        found = {
            size
            for number in _listed(handle, ENUM_FMT, _formats)
            for entry in _listed(handle, ENUM_FRAMESIZES, _frame_sizes, number.pixelformat)
            for size in _sizes(entry)
        }
    finally:
        os.close(handle)
    if len(found) > MOST_SIZES:
        usual = [size for size in USUAL_SIZES if size in found]
        others = sorted(found - set(usual), key=_area, reverse=True)
        found = {*usual, *others[: MOST_SIZES - len(usual)]}
    return tuple(sorted(found, key=_area))


def _formats(index: int, _: int) -> ctypes.Structure:
    return _Format(index=index, type=CAPTURE)


def _frame_sizes(index: int, pixel_format: int) -> ctypes.Structure:
    return _FrameSize(index=index, pixel_format=pixel_format)


def _listed(handle: int, request: int, make: Any, pixel_format: int = 0) -> Iterator[Any]:
    """The entries of one of the driver's lists; it ends with an error of the system."""
    import fcntl

    for index in range(MOST):
        entry = make(index, pixel_format)
        try:
            fcntl.ioctl(handle, request, entry, True)
        except OSError:
            return
        yield entry


def _sizes(entry: Any) -> list[Size]:
    if entry.type == DISCRETE:
        width, height = entry.size[:2]
        return [(width, height)] if width and height else []
    low_x, high_x, step_x, low_y, high_y, step_y = entry.size
    return [
        (width, height)
        for width, height in (*USUAL_SIZES, (high_x, high_y))
        if low_x <= width <= high_x
        and low_y <= height <= high_y
        and (width - low_x) % max(1, step_x) == 0
        and (height - low_y) % max(1, step_y) == 0
    ]


def _area(size: Size) -> tuple[int, Size]:
    return size[0] * size[1], size


def known_device(where: str) -> bool:
    """False when Linux surely has no such device: asking OpenCV takes long and is noisy."""
    if sys.platform != "linux":
        return True
    device = Path(f"/dev/video{where}") if where.isdigit() else Path(where)
    return os.path.exists(device)
