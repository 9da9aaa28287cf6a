"""What goes from the program to the process that writes its film.

A message is one of `Kind`, the length of what follows, and that: for a frame its time, whether it
is part of the film, and the packed `Frame`. Arrays are written from where they lie, without a copy.
"""

from __future__ import annotations

import math
import pickle
import struct
from dataclasses import dataclass
from enum import Enum
from typing import IO, TYPE_CHECKING, Any

from explorer.core.layers import Board

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from explorer.core.layers import UInt8

ALIGNMENT = 16
"""Bytes: every array begins at a multiple of it, as those of numpy do."""

_HEAD = struct.Struct("<cQ")
_FRAME = struct.Struct("<d?")


class Kind(Enum):
    """Of a message; the value is its first byte."""

    START = b"s"
    FRAME = b"f"
    STOP = b"e"
    CANCEL = b"c"


@dataclass(frozen=True, slots=True)
class Start:
    """What film is wanted: see `FilmWriter`."""

    path: Path
    rate: float
    whole: bool


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What is to be written about one frame.

    Attributes:
        picture: A board that is painted, or (H, W, 3) uint8 RGB; None = nothing to see.
        line: Of data; "" = none.
    """

    picture: Board | UInt8 | None
    line: str = ""


def packed(value: Any) -> list[Any]:
    """The bytes of a value in parts; arrays are parts of their own and not copied."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    parts: list[Any] = [head, *(buffer.raw() for buffer in buffers)]
    sizes = struct.pack(f"<{1 + len(parts)}Q", len(parts), *(len(part) for part in parts))
    found: list[Any] = []
    for part in (sizes, *parts):
        found += [part, bytes(-len(part) % ALIGNMENT)]
    return found


def unpacked(data: bytes) -> Any:
    """What `packed` has packed; arrays are read-only.

    Only for bytes that this program has written itself: they can hold more than values.
    """
    view = memoryview(data)
    (count,) = struct.unpack_from("<Q", data)
    sizes = struct.unpack_from(f"<{count}Q", data, 8)
    at, parts = _aligned(8 * (1 + count)), []
    for size in sizes:
        parts.append(view[at : at + size])
        at = _aligned(at + size)
    return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301 - our own, see above


def weight(parts: Sequence[Any]) -> int:
    """Bytes."""
    return sum(len(part) for part in parts)


def _aligned(at: int) -> int:
    return at + -at % ALIGNMENT


# -- the pipe -------------------------------------------------------------------------------------


def send(pipe: IO[bytes], kind: Kind, parts: Sequence[Any] = ()) -> None:
    """Writes one message.

    Raises:
        OSError: Nobody reads any more.
    """
    pipe.write(_HEAD.pack(kind.value, weight(parts)))
    for part in parts:
        pipe.write(part)
    pipe.flush()


def send_frame(pipe: IO[bytes], at: float, parts: Sequence[Any], *, filmed: bool) -> None:
    """Writes a frame.

    Args:
        pipe: To the process.
        at: `time.perf_counter()` when it was complete; that clock is the system's.
        parts: Its `Frame`, packed.
        filmed: It is part of the film.

    Raises:
        OSError: As above.
    """
    send(pipe, Kind.FRAME, (_FRAME.pack(at, filmed), *parts))


def stop_at(at: float | None) -> tuple[bytes]:
    """What follows `Kind.STOP`: the time at which the film ends; None = with its last frame."""
    return (struct.pack("<d", math.nan if at is None else at),)


def received(pipe: IO[bytes]) -> Iterator[tuple[Kind, bytes]]:
    """The messages up to the end of the pipe; one that is cut off is not among them."""
    while len(head := pipe.read(_HEAD.size)) == _HEAD.size:
        kind, size = _HEAD.unpack(head)
        data = pipe.read(size)
        if len(data) < size:
            return
        yield Kind(kind), data


def time_of(data: bytes) -> float | None:
    """That of a `Kind.STOP`."""
    at = float(struct.unpack("<d", data)[0])
    return None if math.isnan(at) else at


def frame_of(data: bytes) -> tuple[float, bool, bytes]:
    """Of a `Kind.FRAME` its time, whether it is filmed, and the packed `Frame`."""
    at, filmed = _FRAME.unpack_from(data)
    return at, filmed, data[_FRAME.size :]
