"""Small films that tests make themselves: what each frame is, and when it is shown, is known."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SIZE = (64, 48)
BITS = 8


def numbered(number: int) -> np.ndarray:
    """A frame that says which one it is, in black and white bars that no codec can lose."""
    bits = np.array([number >> bit & 1 for bit in range(BITS)], np.uint8) * 255
    row = np.repeat(bits, SIZE[0] // BITS)
    return np.broadcast_to(row[None, :, None], (SIZE[1], SIZE[0], 3)).copy()


def number_of(frame: tuple[np.ndarray, float] | None) -> int:
    """Which `numbered` frame a source has read."""
    assert frame is not None
    bars = frame[0].reshape(SIZE[1], BITS, -1).mean((0, 2)) > 127
    return int(sum(1 << bit for bit in range(BITS) if bars[bit]))


def film(path: Path, frames: int, rate: float = 10, codec: str = "MJPG") -> Path:
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), rate, SIZE)
    assert writer.isOpened()
    for number in range(frames):
        writer.write(numbered(number))
    writer.release()
    return path


def gif(path: Path, milliseconds: Sequence[int]) -> Path:
    """One frame for each delay."""
    pages = [Image.fromarray(numbered(number)) for number in range(len(milliseconds))]
    pages[0].save(path, save_all=True, append_images=pages[1:], duration=list(milliseconds), loop=0)
    return path


def starts(milliseconds: Sequence[int]) -> list[float]:
    """When each of the frames begins, in seconds."""
    return [0.0, *(total / 1000 for total in accumulate(milliseconds))][:-1]


def varied(path: Path, units: Sequence[int], scale: int = 1000) -> Path:
    """Gives the frames of an MP4 other durations, in 1 / `scale` seconds: its time table is new.

    The tables stand at the end of the file, so nothing that they point at moves.
    """
    data = bytearray(path.read_bytes())
    at = data.index(b"mdhd")
    data[at + 16 : at + 24] = struct.pack(">II", scale, sum(units))
    edits = data.index(b"edts")
    data[edits : edits + 4] = b"free"  # it repeats the old length
    at = data.index(b"stts")
    size = struct.unpack_from(">I", data, at - 4)[0]
    table = b"".join(struct.pack(">II", 1, unit) for unit in units)
    box = struct.pack(">I", 16 + len(table)) + b"stts" + struct.pack(">II", 0, len(units)) + table
    data[at - 4 : at - 4 + size] = box
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        where = data.index(name) - 4
        length = struct.unpack_from(">I", data, where)[0]
        struct.pack_into(">I", data, where, length + len(box) - size)
    path.write_bytes(data)
    return path


def rotated(path: Path) -> Path:
    """Marks an MP4 as filmed with the camera on its side: to be shown turned by 90 degrees."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44  # version 0: the matrix follows 40 bytes of other fields
    struct.pack_into(">9i", data, at, 0, 1 << 16, 0, -(1 << 16), 0, 0, SIZE[1] << 16, 0, 1 << 30)
    path.write_bytes(data)
    return path


def late(path: Path, milliseconds: int, length: int) -> Path:
    """Lets the picture of a short Matroska film begin late in a file of `length` milliseconds.

    The times of its blocks are moved; all of them must stand in one cluster.
    """
    data = bytearray(path.read_bytes())
    at, before = data.index(b"\x1f\x43\xb6\x75"), -1
    while (at := data.find(b"\xa3", at)) >= 0:  # SimpleBlock: size, track 1, time, flags
        width = 9 - data[at + 1].bit_length()
        track, time, flags = struct.unpack_from(">BhB", data, at + 1 + width)
        if track == 0x81 and time > before and not flags & 0x7F:
            struct.pack_into(">h", data, at + 2 + width, time + milliseconds)
            before = time
        at += 1
    struct.pack_into(">d", data, data.index(b"\x44\x89\x88") + 3, float(length))
    path.write_bytes(data)
    return path
