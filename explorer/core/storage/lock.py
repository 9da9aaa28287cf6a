"""A file that one program at a time has for itself; it is released when the program ends."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.core.storage.atomic import unwritable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PAUSE_SECONDS = 0.02


def locked(path: Path) -> int | None:
    """Makes the file if it is not there and locks it.

    Returns:
        Its descriptor, to be closed at the end; None when another program has the lock.

    Raises:
        OSError: The file cannot be made.
    """
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


@contextlib.contextmanager
def holding(path: Path, seconds: float = 10.0) -> Iterator[None]:
    """Waits for the lock of the file `path` and holds it; its folder is made where it is missing.

    Raises:
        ExplorerError: Another program has kept it all the time, or the file cannot be made.
    """
    ends = time.monotonic() + seconds
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while (handle := locked(path)) is None:
            if time.monotonic() >= ends:
                raise ExplorerError(
                    f"Another program is using {path.parent}.", "Wait for it and try again."
                )
            time.sleep(_PAUSE_SECONDS)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        yield
    finally:
        os.close(handle)
