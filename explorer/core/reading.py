"""Reading whole files that somebody else has made, without ever waiting for another process."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from explorer.core.errors import ExplorerError


def display_name(path: str | os.PathLike[str]) -> str:
    """The file's name for sentences; bytes that are no UTF-8 become question marks."""
    # Such a name arrives with lone surrogates, which no text box can draw.
    place = Path(path)
    return os.fsencode(place.name or str(place)).decode("utf-8", "replace")


def read_file(
    path: str | os.PathLike[str],
    *,
    limit: int,
    kind: str,
    smaller: str,
    folder: str = "Choose a file in it.",
) -> bytes:
    """Reads a whole ordinary file: no pipe and no device, which could wait for ever or act.

    The bytes are read, not mapped: a mapped file that shrinks meanwhile ends the process.

    Args:
        path: The file.
        limit: Larger files are refused.
        kind: What is wanted instead of a pipe: "an image file".
        smaller: What to do about a file that is too large, as a sentence.
        folder: What to do about a folder.

    Raises:
        ExplorerError: It cannot be read, is not an ordinary file or is too large.
    """
    place, name = Path(path), display_name(path)
    no_wait = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
    try:
        _refuse_special(
            os.stat(place), name, kind, folder
        )  # first: opening some devices already acts
        handle = os.open(place, os.O_RDONLY | no_wait | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            info = os.fstat(handle)
            _refuse_special(
                info, name, kind, folder
            )  # again: it may have been replaced between the two
            if info.st_size > limit:
                raise too_many_bytes(name, info.st_size, limit, smaller)
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise ExplorerError(
            f"{name} does not exist.", "It may have been moved, renamed or deleted."
        ) from None
    except PermissionError:
        raise ExplorerError(
            f"{name} cannot be read: permission denied.",
            "Change its permissions or copy it to a folder of your own.",
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        words = getattr(error, "strerror", None) or str(error)
        raise ExplorerError(
            f"{name} cannot be read: {words}.", "Check the disk and the path."
        ) from error
    if len(data) > limit:
        raise too_many_bytes(name, len(data), limit, smaller)
    return data


def too_many_bytes(name: str, size: int, limit: int, smaller: str) -> ExplorerError:
    """The sentence for a file beyond the limit."""
    return ExplorerError(
        f"{name} takes {size / 1e6:.0f} MB; the limit is {limit / 1e6:.0f} MB.", smaller
    )


def _refuse_special(info: os.stat_result, name: str, kind: str, folder: str) -> None:
    mode = info.st_mode
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise ExplorerError(f"{name} is a folder.", folder)
    what = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
    raise ExplorerError(f"{name} is {what}, not a regular file.", f"Choose {kind}.")
