"""Which files this program has written: those that it may replace without --overwrite.

A list beside the settings keeps the size and time of what was written; a file that the user has
changed since is theirs. Pictures, films and data that carry the program's name are known by it,
also on another computer.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = "written.txt"
_MOST_BYTES = 1024**2
"""Of the list; then its older half is forgotten."""

_MARK = b"Convnet Explorer"
_LOOKED_AT = 64 * 1024
"""Bytes at either end of a file in which its writer stands."""


def remember(path: str | os.PathLike[str]) -> None:
    """`path` was written just now. Where the list cannot be kept nothing happens."""
    with contextlib.suppress(OSError, ValueError):
        line = json.dumps(_stamp(path)) + "\n"
        place = _list()
        place.parent.mkdir(parents=True, exist_ok=True)
        if os.path.exists(place) and os.path.getsize(place) > _MOST_BYTES:
            lines = place.read_text("ascii").splitlines(keepends=True)
            place.write_text("".join(lines[len(lines) // 2 :]), "ascii")
        handle = os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(handle, line.encode("ascii"))
        finally:
            os.close(handle)


def is_ours(path: str | os.PathLike[str]) -> bool:
    """True for an ordinary file that this program wrote and that is unchanged since."""
    try:
        with open(path, "rb") as file:
            ends = file.read(_LOOKED_AT)
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LOOKED_AT))
            if _MARK in ends + file.read():
                return True
        stamp = json.dumps(_stamp(path))
        return stamp in _list().read_text("ascii").splitlines()
    except (OSError, ValueError):
        return False


def _list() -> Path:
    from explorer.core.settings import config_folder

    return config_folder() / NAME


def _stamp(path: str | os.PathLike[str]) -> list[int | str]:
    place = os.path.realpath(path)
    status = os.stat(place)
    return [status.st_size, status.st_mtime_ns, place]
