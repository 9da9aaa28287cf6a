"""The guard before anything is written, on the command line and in Python.

No output may be one of the inputs, whatever the two are called, and none replaces a file that this
program did not write, unless that is asked for.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.core.storage.atomic import unwritable
from explorer.core.storage.written import is_ours

if TYPE_CHECKING:
    from collections.abc import Iterable

PERMIT = "give --overwrite"


def check_outputs(
    outs: Iterable[Path | None],
    inputs: Iterable[Path | None],
    *,
    overwrite: bool = False,
    below: Path | None = None,
    permit: str = PERMIT,
) -> None:
    """Refuses outputs that would destroy something; resolved paths and inodes decide.

    Args:
        outs: What will be written.
        inputs: What will be read. Of a folder all that this program did not write is an input.
        overwrite: Files that this program did not write may be replaced.
        below: A folder in which folders will be made as they are needed.
        permit: How to say that they may, for the sentence.

    Raises:
        ExplorerError: An output is one of the inputs, is not ours, is named twice, or cannot be
            written there.
    """
    given = [path for path in inputs if path is not None]
    read = {found for path in given if (found := _identity(path))}
    folders = [Path(os.path.realpath(path)) for path in given if os.path.isdir(path)]
    seen: set[str] = set()
    for out in outs:
        if out is None:
            continue
        _check_place(out, below)
        place = os.path.realpath(out)
        if place in seen:
            raise ExplorerError(f"{out} is given for two outputs.", "Give each its own name.")
        seen.add(place)
        identity = _identity(out)
        if identity is None:
            continue
        inside = any(Path(place).is_relative_to(folder) for folder in folders)
        if identity in read or (inside and not is_ours(out)):
            raise ExplorerError(
                f"{out} is one of the inputs and would be overwritten.", "Choose another name."
            )
        if not overwrite and os.path.isfile(out) and not is_ours(out):
            raise ExplorerError(
                f"{out} exists already, and this program did not write it.",
                f"Choose another name, or {permit}.",
            )


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode: the same for every name of one file; None where there is nothing."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return None if stat.S_ISDIR(status.st_mode) else (status.st_dev, status.st_ino)


def _check_place(out: Path, below: Path | None) -> None:
    """Raises where nothing can be written under this name."""
    try:
        status = os.stat(out)
    except FileNotFoundError:
        folder = out.parent
        while below is not None and folder.is_relative_to(below) and not os.path.exists(folder):
            folder = folder.parent
        if not os.path.isdir(folder):
            reason = os.strerror(errno.ENOTDIR if os.path.exists(folder) else errno.ENOENT)
            raise unwritable(out, OSError(errno.ENOENT, reason)) from None
        if not os.access(folder, os.W_OK | os.X_OK):
            reason = os.strerror(errno.EACCES)
            raise unwritable(out, PermissionError(errno.EACCES, reason)) from None
    except (OSError, ValueError) as error:
        raise unwritable(out, error) from error
    else:
        if stat.S_ISDIR(status.st_mode):
            raise unwritable(out, IsADirectoryError(errno.EISDIR, "it is a folder"))
