"""Lists of classes beside files that hold their numbers only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.core.storage.atomic import write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def one_line(name: str) -> str:
    """A class on a line of its own, whatever its name holds."""
    return " ".join(name.split())


def keep_classes(path: Path, lines: Sequence[str], things: str) -> None:
    """Writes the list, unless it is there: the files beside it rely on it.

    Args:
        path: Of the list.
        lines: Its content.
        things: What the files hold, as in "these boxes".

    Raises:
        ExplorerError: It cannot be read or written, or another list is there.
    """
    try:
        there = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        write_bytes(path, "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
        return
    except (OSError, ValueError) as error:
        raise ExplorerError(f"{path} cannot be read.", "Choose another folder.") from error
    if there != list(lines):
        raise ExplorerError(
            f"{path} lists classes other than those of {things}.",
            "Choose another folder: the files in it would change their meaning.",
        )
