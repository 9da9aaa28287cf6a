"""How many frames a file holds, counted by walking its headers.

Pillow counts by setting up every frame, which a file of a few megabytes can stretch to minutes.
This reads only the few bytes that lead from one frame to the next, and stops at `MAX_FRAMES`.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MAX_FRAMES = 10_000
"""More pages are not useful; the count stops here."""

_DECLARED = frozenset({"PNG", "WEBP", "AVIF", "HEIF"})
"""Formats whose header has the number. Not PSD, whose frames are layers, nor MPO (gain maps)."""


def count_frames(picture: ImageFile, data: bytes) -> int:
    """Returns the number of frames or pages, from 1 to `MAX_FRAMES`.

    Args:
        picture: The opened file.
        data: The same file's bytes.
    """
    if picture.format == "GIF":
        found = _gif_frames(data)
    elif picture.format == "TIFF":
        found = _tiff_pages(data)
    elif picture.format in _DECLARED:
        found = int(getattr(picture, "n_frames", 1))
    else:
        found = 1
    return min(max(found, 1), MAX_FRAMES)


def _gif_frames(data: bytes) -> int:
    at = 13 + _table(data[10:11])
    frames = 0
    while at < len(data) and frames < MAX_FRAMES:
        kind = data[at]
        if kind == 0x21:  # an extension: its kind, then blocks
            at = _after_blocks(data, at + 2)
        elif kind == 0x2C:  # a frame: place and size, colors, code size, blocks
            flags = data[at + 9 : at + 10]
            if not flags:
                break
            at = _after_blocks(data, at + 11 + _table(flags))
            frames += 1
        elif kind == 0x3B:
            break
        else:
            at += 1  # stray bytes between blocks are skipped, as decoders do
    return frames


def _table(flags: bytes) -> int:
    """The bytes a color table takes."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


def _tiff_pages(data: bytes) -> int:
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"\x2b\x00", b"\x00\x2b")
    pointer, count, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(order + pointer, data, 8 if big else 4)
        while (
            at and at not in seen and len(seen) < MAX_FRAMES
        ):  # some files point back at themselves
            (entries,) = struct.unpack_from(order + count, data, at)
            seen.add(at)
            after = at + struct.calcsize(order + count) + entries * entry
            (at,) = struct.unpack_from(order + pointer, data, after)
    except (struct.error, OverflowError):
        pass  # the chain leaves the file: what was found so far counts
    return len(seen)
