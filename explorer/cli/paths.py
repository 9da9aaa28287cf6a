"""Every path of the command line goes through here before anything is computed.

What cannot be read is one sentence; `explorer.core.storage.guard` looks at what is written.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.core.reading import unreadable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

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


def relative_names(paths: Sequence[Path]) -> list[Path]:
    """The photos' names with as many of their folders as tell them apart; no two are equal.

    Photos in one folder are their names alone; of several folders without what these share.
    """
    whole = [Path(os.path.abspath(path)) for path in paths]
    stems = [path.stem.casefold() for path in whole]
    if len(set(stems)) == len(stems) or not whole:
        return [Path(path.name) for path in whole]
    shared = os.path.commonpath([str(path.parent) for path in whole])
    return [path.relative_to(shared) for path in whole]
