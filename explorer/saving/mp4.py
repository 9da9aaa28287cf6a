"""Joins MP4 films of one picture track without decoding them: every coded frame is copied as it is.

The pieces must come from one encoder with the same settings (size, rate, codec), and each must
start with a key frame, as every new film does. The index is rewritten, before the frames, so
that the film starts to play while it is still being fetched.

Source: ISO/IEC 14496-12 (ISO base media file format), sections 8.2 to 8.7.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_CONTAINERS = frozenset({b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl"})
_MOST_INDEX = 256 * 1024 * 1024
_CHUNK = 1 << 20
_LAST_32_BITS = 2**32 - 1
_LARGE = _LAST_32_BITS - _MOST_INDEX
"""Bytes of frames behind which places no longer fit into 32 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """The index of one film.

    `sizes` are those of the coded frames in bytes, `delta` the ticks from one to the next, `keys`
    the numbers of the key frames from 1 (empty = all), `shifts` by how many ticks later than
    decoded runs of frames are shown, as (frames, ticks), and `origin` the ticks that are taken off
    again. The frames lie at `start` in `path`.
    """

    path: Path
    index: bytes
    start: int
    sizes: tuple[int, ...]
    delta: int
    keys: tuple[int, ...]
    shifts: tuple[tuple[int, int], ...]
    origin: int


def join(pieces: Sequence[Path], path: Path, times: Sequence[int] = ()) -> int:
    """Writes the films of `pieces`, one after the other, into `path` and returns their frames.

    Args:
        pieces: One or more.
        path: Is overwritten.
        times: How many times longer than in its piece each frame is shown, from the first of the
            first piece to the last of the last one; by default none is. Frames must be coded in the
            order in which they are shown.

    Raises:
        ExplorerError: When a piece is no film, or not of the same kind as the first one.
        OSError: When `path` cannot be written.
    """
    read = [_piece(piece) for piece in pieces]
    if not read:
        raise ExplorerError("There is no film to join.")
    header = struct.pack(">I4s4sI4s4s4s", 28, b"ftyp", b"isom", 512, b"isom", b"iso2", b"mp41")
    length, count = sum(sum(piece.sizes) for piece in read), sum(len(p.sizes) for p in read)
    if times and (len(times) != count or any(piece.origin for piece in read)):
        raise ExplorerError(
            "The times of this film are not those of its frames.", "Render the film again."
        )
    large = length > _LARGE
    mdat = struct.pack(">I4sQ", 1, b"mdat", length + 16) if large else _head(b"mdat", length)
    room = len(_index(read, times, 0, large=large))  # offsets take the same room whatever they are
    index = _index(read, times, len(header) + room + len(mdat), large=large)
    with path.open("wb") as out:
        out.write(header + index + mdat)
        for piece in read:
            with piece.path.open("rb") as file:
                file.seek(piece.start)
                left = sum(piece.sizes)
                while left and (data := file.read(min(left, _CHUNK))):
                    left -= len(data)
                    out.write(data)
    return count


# -- reading --------------------------------------------------------------------------------------


def _piece(path: Path) -> _Piece:
    try:
        return _read(path)
    except (OSError, KeyError, IndexError, ValueError, struct.error) as error:
        raise ExplorerError(f"{path.name} is not a film that can be joined.") from error


def _read(path: Path) -> _Piece:
    found: dict[bytes, tuple[int, int]] = {}
    with path.open("rb") as file:
        at, end = 0, path.stat().st_size
        while at + 8 <= end:
            file.seek(at)
            head = file.read(16)
            size, kind = struct.unpack_from(">I4s", head)
            body = at + 8
            if size == 1:
                size, body = struct.unpack_from(">Q", head, 8)[0], at + 16
            if size < body - at or at + size > end:
                raise ValueError(f"a box of {size} bytes at {at}")
            found[kind] = (body, at + size)
            at += size
        start, stop = found[b"moov"]
        if stop - start > _MOST_INDEX:
            raise ValueError("the index is too large")
        file.seek(start)
        index = file.read(stop - start)
    leaves = dict(_leaves(index))
    sample, count = _numbers(leaves[b"stsz"], 2)
    sizes = (sample,) * count if sample else _numbers(leaves[b"stsz"], count, 12)
    entries, total, delta = _numbers(leaves[b"stts"], 3)
    offset = leaves.get(b"stco") or b""
    place = _numbers(offset, 1, 8)[0] if offset else struct.unpack_from(">Q", leaves[b"co64"], 8)[0]
    frames, beyond = found[b"mdat"]
    if entries != 1 or total != count or not count or not frames <= place <= beyond - sum(sizes):
        raise ValueError("its frames do not follow one another")
    keys, later = leaves.get(b"stss"), leaves.get(b"ctts")
    numbers = _numbers(keys, _numbers(keys, 1)[0], 8) if keys is not None else ()
    flat = _numbers(later, 2 * _numbers(later, 1)[0], 8) if later is not None else (count, 0)
    shifts = tuple(zip(flat[::2], flat[1::2], strict=True))
    origin = _numbers(leaves[b"elst"], 1, 12)[0] if b"elst" in leaves else 0
    return _Piece(path, index, place, sizes, delta, numbers, shifts, origin)


def _leaves(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of every box that holds no other ones."""
    for kind, body in _boxes(data):
        if kind in _CONTAINERS:
            yield from _leaves(body)
        else:
            yield kind, body


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > len(data):
            raise ValueError(f"a box of {size} bytes at {at}")
        yield kind, data[at + 8 : at + size]
        at += size


def _numbers(data: bytes, count: int, at: int = 4) -> tuple[int, ...]:
    return struct.unpack_from(f">{count}I", data, at)


# -- writing --------------------------------------------------------------------------------------


def _index(pieces: Sequence[_Piece], times: Sequence[int], start: int, *, large: bool) -> bytes:
    """The box `moov` for frames that begin at byte `start` of the new file."""
    # One with all the boxes: a film of a single frame has none for shifts.
    first = max(pieces, key=lambda piece: (len(piece.shifts), len(piece.keys), len(piece.sizes)))
    counts = [len(piece.sizes) for piece in pieces]
    ticks = first.delta * (sum(times) or sum(counts))
    leaves = dict(_leaves(first.index))
    scale, whole = _numbers(leaves[b"mdhd"], 1, 12)[0], _numbers(leaves[b"mvhd"], 1, 12)[0]
    if any(piece.delta != first.delta for piece in pieces) or leaves[b"mdhd"][0]:
        raise ExplorerError("The parts of this film differ in format.", "Render the film again.")
    length, origin = round(ticks * whole / scale), max(piece.origin for piece in pieces)
    starts, at = [], start
    for piece in pieces:
        starts.append(at)
        at += sum(piece.sizes)
    new: dict[bytes, Callable[[bytes], bytes]] = {
        b"mvhd": lambda body: _with(body, 16, length),
        b"tkhd": lambda body: _with(body, 20, length),
        b"elst": lambda body: _with(_with(body, 8, length), 12, origin),
        b"mdhd": lambda body: _with(body, 16, ticks),
        b"stts": lambda _: _table(
            *((len(list(run)), time * first.delta) for time, run in groupby(times))
            if times
            else ((sum(counts), first.delta),)
        ),
        b"stss": lambda _: _table(*((key,) for key in _keys(pieces))),
        b"ctts": lambda _: _table(
            *((n, later + origin - p.origin) for p in pieces for n, later in p.shifts)
        ),
        b"stsc": lambda _: _table(*((n, count, 1) for n, count in enumerate(counts, 1))),
        b"stsz": lambda _: (
            struct.pack(">3I", 0, 0, sum(counts))
            + b"".join(struct.pack(f">{len(piece.sizes)}I", *piece.sizes) for piece in pieces)
        ),
    }

    def built(data: bytes) -> bytes:
        made = b""
        for kind, body in _boxes(data):
            if kind in (b"stco", b"co64"):
                kind = b"co64" if large else b"stco"
                form = f">2I{len(starts)}{'Q' if large else 'I'}"
                body = struct.pack(form, 0, len(starts), *starts)
            elif kind in _CONTAINERS:
                body = built(body)
            elif kind in new:
                body = new[kind](body)
            made += _head(kind, len(body)) + body
        return made

    body = built(first.index)
    return _head(b"moov", len(body)) + body


def _keys(pieces: Sequence[_Piece]) -> Iterator[int]:
    before = 0
    for piece in pieces:
        yield from (before + key for key in piece.keys or range(1, len(piece.sizes) + 1))
        before += len(piece.sizes)


def _table(*rows: tuple[int, ...]) -> bytes:
    return struct.pack(">2I", 0, len(rows)) + b"".join(
        struct.pack(f">{len(row)}I", *row) for row in rows
    )


def _with(body: bytes, at: int, value: int) -> bytes:
    return body[:at] + struct.pack(">I", min(value, _LAST_32_BITS)) + body[at + 4 :]


def _head(kind: bytes, length: int) -> bytes:
    return struct.pack(">I4s", length + 8, kind)
