"""Every path of the command line goes through here before anything is computed.

What cannot be read or written is one sentence. No output may be one of the inputs, whatever the two
are called, and none replaces a file that this program did not write, unless that is asked for.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.core.reading import unreadable
from explorer.core.storage.atomic import unwritable
from explorer.core.storage.written import is_ours

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

OVERWRITE = "--overwrite"


def add_option(group: argparse._ArgumentGroup | argparse.ArgumentParser) -> None:
    group.add_argument(
        OVERWRITE, action="store_true",
        help="overwrite files that this program did not write (never the inputs)",
    )  # fmt: skip


def existing(word: str, option: str) -> Path:
    """The file or folder that a word on the command line names.

    Args:
        word: A path, or a file:// address as a file manager gives it.
        option: What the word was given for, for sentences.

    Raises:
        ExplorerError: It is empty, is not there or may not be looked at.
    """
    path = local(word, option)
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode) and not os.access(path, os.R_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except FileNotFoundError:
        raise ExplorerError(
            f"{word} does not exist.", f"Give {option} an existing file or folder."
        ) from None
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    return path


def local(word: str, option: str) -> Path:
    """The path that a word names, whether it exists or not.

    Raises:
        ExplorerError: The word is empty, or an address on another machine.
    """
    from explorer.images.sources import dropped_urls

    if not word.strip():
        raise ExplorerError(f"{option} is empty.", "Give it the name of a file or folder.")
    if not word.lower().startswith("file:"):
        return Path(os.path.expanduser(word))
    found = dropped_urls([word])
    if found.refused:
        raise ExplorerError(found.refused[0], "Give a path of this computer.")
    return found.paths[0]


def is_folder(word: str) -> bool:
    """True when a file for each photo or film goes there."""
    return word.endswith(("/", os.sep)) or os.path.isdir(word)


def check_outputs(
    outs: Iterable[Path | None],
    inputs: Iterable[Path | None],
    *,
    overwrite: bool = False,
    below: Path | None = None,
) -> None:
    """Refuses outputs that would destroy something; resolved paths and inodes decide.

    Args:
        outs: What will be written.
        inputs: What will be read.
        overwrite: Files that this program did not write may be replaced.
        below: A folder in which folders will be made as they are needed.

    Raises:
        ExplorerError: An output is one of the inputs, is not ours, is named twice, or cannot be
            written there.
    """
    read = {found for path in inputs if path is not None and (found := _identity(path))}
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
        if identity in read:
            raise ExplorerError(
                f"{out} is one of the inputs and would be overwritten.", "Choose another name."
            )
        if not overwrite and os.path.isfile(out) and not is_ours(out):
            raise ExplorerError(
                f"{out} exists already, and this program did not write it.",
                f"Choose another name, or give {OVERWRITE}.",
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


def relative_names(paths: Sequence[Path]) -> list[Path]:
    """The photos' names with as many of their folders as tell them apart; no two are equal.

    Photos in one folder are their names alone; of several folders what these share is left out.
    """
    whole = [Path(os.path.abspath(path)) for path in paths]
    stems = [path.stem.casefold() for path in whole]
    if len(set(stems)) == len(stems) or not whole:
        return [Path(path.name) for path in whole]
    shared = os.path.commonpath([str(path.parent) for path in whole])
    return [path.relative_to(shared) for path in whole]
