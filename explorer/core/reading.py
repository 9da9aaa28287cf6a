"""Reading whole files of other programs, without ever waiting for another process."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Iterator


def display_name(path: str | os.PathLike[str]) -> str:
    """The file's name for sentences; bytes that are no UTF-8 become question marks."""
    # Such a name arrives with lone surrogates, which no text box can draw.
    place = Path(path)
    return os.fsencode(place.name or str(place)).decode("utf-8", "replace")


def listed(folder: Path, pattern: str) -> list[Path]:
    """What a folder holds of a pattern, sorted; nothing where it may not be looked into.

    pathlib's own questions (is_file, exists, glob) raise where a folder above may not be entered,
    as in a container that another user has filled; those of os.path and this one do not.
    """
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def read_head(path: str | os.PathLike[str], size: int) -> bytes:
    """The first bytes of an ordinary file.

    Raises:
        ExplorerError: It cannot be read or is not a regular file.
    """
    with _opened(path, "a file", "Choose a file in it.") as file:
        return file.read(size)


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
        kind: What is needed instead of a pipe: "an image file".
        smaller: What to do about a file that is too large, as a sentence.
        folder: What to do about a folder.

    Raises:
        ExplorerError: It cannot be read, is not an ordinary file or is too large.
    """
    name = display_name(path)
    with _opened(path, kind, folder) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise too_many_bytes(name, size, limit, smaller)
        data = file.read(limit + 1)
    if len(data) > limit:
        raise too_many_bytes(name, len(data), limit, smaller)
    return data


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str], kind: str, folder: str) -> Iterator[IO[bytes]]:
    """An ordinary file, open; whatever goes wrong while it is becomes a sentence."""
    place, name = Path(path), display_name(path)
    no_wait = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
    try:
        # First: opening some devices already acts.
        _refuse_special(os.stat(place), name, kind, folder)
        handle = os.open(place, os.O_RDONLY | no_wait | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            # Again: it may have been replaced between the two.
            _refuse_special(os.fstat(handle), name, kind, folder)
            yield file
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


def unreadable(path: str | os.PathLike[str], error: OSError | ValueError) -> ExplorerError:
    """The sentence for a path that could not be read."""
    name = display_name(path)
    if isinstance(error, FileNotFoundError):
        return ExplorerError(
            f"{name} does not exist.", "It may have been moved, renamed or deleted."
        )
    if isinstance(error, PermissionError):
        return ExplorerError(
            f"{name} cannot be read: permission denied.",
            "Change its permissions or copy it to a folder of your own.",
        )
    if getattr(error, "errno", None) == errno.ENAMETOOLONG:
        return ExplorerError(
            f"{name[:40]}… is not a valid file name: it is too long.", "Check the path."
        )
    words = getattr(error, "strerror", None) or str(error)  # ValueError: a NUL character
    return ExplorerError(f"{name} cannot be read: {words}.", "Check the disk and the path.")


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
