"""What waits to be encoded: the first of it in memory, the rest in a file without a name.

Nobody sees the file: it has no name in its folder (on Windows the system removes it), and its room
on the disk is free again however the program ends, even when it is killed.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import threading
from collections import deque
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

MEMORY_BYTES = 64 * 1024 * 1024
FILE_BYTES = 2 * 1024 * 1024 * 1024
"""At most, and never more than half of what was free on the disk."""


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """One frame.

    Attributes:
        place: Its number in the film; None = it is not part of it.
        data: What is to be written.
    """

    place: int | None
    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class _Filed:
    """One that is in the file, from `start` to `end`."""

    place: int | None
    start: int
    end: int


class Spool:
    """First in, first out; one thread may put while another one takes.

    Args:
        folder: Where the file lies.
        memory: Bytes in memory at most.
        file: Bytes in the file at most.
    """

    def __init__(self, folder: Path, memory: int = MEMORY_BYTES, file: int = FILE_BYTES) -> None:
        self._folder, self._most_kept = folder, memory
        self._most_filed = min(file, _free(folder) // 2)
        self._lock = threading.Lock()
        self._waiting: deque[Waiting | _Filed] = deque()
        self._filed: deque[_Filed] = deque()  # those of them that are in the file
        self._bytes = self._kept = self._length = 0  # of all, in memory, and of the file
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        with self._lock:
            return len(self._waiting)

    @property
    def share(self) -> float:
        """How full it is, in [0, 1]."""
        with self._lock:
            return min(1.0, self._bytes / max(1, self._most_kept + self._most_filed))

    def put(self, waiting: Waiting) -> bool:
        """Takes it; False when there is no room."""
        size = len(waiting.data)
        with self._lock:
            if self._kept + size <= self._most_kept:
                self._kept += size
                self._bytes += size
                self._waiting.append(waiting)
                return True
            start = self._room(size)
            if start is not None and not self._may_have(start + size):
                self._most_filed = self._length
                start = self._room(size)
        if start is None:
            return False
        try:
            filed = self._write(waiting, start)
        except OSError as error:  # a quota: what is in the file can still be read
            log.warning("no more frames can wait on the disk: %s", error)
            with self._lock:
                self._most_filed = self._length
            return False
        with self._lock:
            self._length = max(self._length, filed.end)
            self._bytes += size
            self._filed.append(filed)
            self._waiting.append(filed)
        return True

    def take(self) -> Waiting | None:
        """The oldest; None when nothing waits.

        Raises:
            OSError: It cannot be read back.
        """
        with self._lock:
            if not self._waiting:
                return None
            first = self._waiting[0]
        waiting = first if isinstance(first, Waiting) else self._read(first)
        with self._lock:  # not before it has been read: its place is used again
            self._waiting.popleft()
            size = len(waiting.data)
            self._bytes -= size
            if isinstance(first, Waiting):
                self._kept -= size
            else:
                self._filed.popleft()
        return waiting

    def close(self) -> None:
        """Drops what is left."""
        with self._lock:
            self._waiting.clear()
            self._filed.clear()
            file, self._file = self._file, None
        if file is not None:
            file.close()

    # -- the file: written from its start to its end and again from its start, as a ring ----------

    def _room(self, size: int) -> int | None:
        """Where so many bytes can stand; None when there is no room."""
        if not self._filed:
            return 0 if size <= self._most_filed else None
        first, last = self._filed[0], self._filed[-1]
        if last.start < first.start:  # it has begun again
            return last.end if last.end + size <= first.start else None
        if last.end + size <= self._most_filed:
            return last.end
        return 0 if size <= first.start else None

    def _may_have(self, length: int) -> bool:
        """The file is never longer than half of what would be free without it."""
        return length <= self._length or 2 * length <= self._length + _free(self._folder)

    def _write(self, waiting: Waiting, start: int) -> _Filed:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
        at, data = start, memoryview(waiting.data)
        while data:
            count = self._write_some(self._file, data, at)
            data, at = data[count:], at + count
        return _Filed(waiting.place, start, at)

    def _read(self, filed: _Filed) -> Waiting:
        assert self._file is not None
        data = self._read_some(self._file, filed.end - filed.start, filed.start)
        return Waiting(filed.place, data)

    if sys.platform == "win32":  # both threads share one position in the file

        def _write_some(self, file: IO[bytes], data: memoryview, at: int) -> int:
            with self._lock:
                file.seek(at)
                return file.write(data)

        def _read_some(self, file: IO[bytes], count: int, at: int) -> bytes:
            with self._lock:
                file.seek(at)
                return file.read(count)

    else:

        def _write_some(self, file: IO[bytes], data: memoryview, at: int) -> int:
            return os.pwrite(file.fileno(), data, at)

        def _read_some(self, file: IO[bytes], count: int, at: int) -> bytes:
            return os.pread(file.fileno(), count, at)


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
