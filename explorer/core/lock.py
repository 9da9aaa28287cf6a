"""A file that one program at a time has for itself; whoever is killed lets go of it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


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
