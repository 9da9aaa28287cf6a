"""Files that are either as they were or completely new, whatever happens in between.

The new content goes into a temporary file in the same folder, is flushed to the disk, and takes
the old file's place in one step. A program that is killed, a full disk or a missing permission
leaves the old file as it was; only a killed program can leave a temporary file behind.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HINTS = {
    errno.ENOSPC: "Free some space or save it elsewhere.",
    errno.EDQUOT: "Free some space or save it elsewhere.",
    errno.EFBIG: "Save something smaller or save it elsewhere.",
    errno.EACCES: "Choose a folder you may write to.",
    errno.EPERM: "Choose a folder you may write to.",
    errno.EROFS: "Choose a folder you may write to.",
    errno.ENOENT: "Choose a folder that exists.",
    errno.ENOTDIR: "Choose a folder that exists.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes `data` to the file `path`, or leaves what is there.

    Raises:
        ExplorerError: With the system's own words, when it cannot be written.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives the path of an empty file to fill; it takes the place of `path` if all goes well.

    The file keeps the permissions of the one it replaces, and a symbolic link still points to
    it. The temporary file has the same suffix, because encoders look at it.

    Raises:
        ExplorerError: With the system's own words, when it cannot be written.
    """
    shown = Path(path)
    try:
        target = Path(os.path.realpath(shown))
        mode = _mode(target)
        temporary = _create(target)
    except (OSError, ValueError) as error:
        raise unwritable(shown, error) from error
    done = False
    try:
        yield temporary
        if mode is not None:
            temporary.chmod(mode)
        _flush(temporary)
        os.replace(temporary, target)
        done = True
        _flush_folder(target.parent)
    except OSError as error:
        raise unwritable(shown, error) from error
    finally:
        if not done:
            temporary.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError | ValueError) -> ExplorerError:
    """The sentence for a file that could not be written."""
    if isinstance(error, ValueError):  # a NUL character
        return ExplorerError(f"{str(path)!r} is not a valid file name.", "Choose another name.")
    reason = error.strerror or str(error) or type(error).__name__
    hint = _HINTS.get(error.errno or 0, "Choose another location.")
    return ExplorerError(f"{path} could not be written: {reason}.", hint)


def _mode(target: Path) -> int | None:
    """The permissions of the file that is there, None when there is none."""
    try:
        status = target.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if not stat.S_ISREG(status.st_mode):  # replacing a pipe or a device would destroy it
        raise OSError(errno.EINVAL, "it is not a regular file")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is write-protected")
    return stat.S_IMODE(status.st_mode)


def _create(target: Path) -> Path:
    # A name of its own, not made longer than the target's: names may have 255 bytes.
    name = f".{secrets.token_hex(6)}.part{target.suffix}"
    temporary = target.with_name(name)
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
    os.close(os.open(temporary, flags, 0o666))  # the process' umask applies, as to any new file
    return temporary


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_folder(folder: Path) -> None:
    # The file is in its place; that the folder remembers it after a power cut is a bonus some lack.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
