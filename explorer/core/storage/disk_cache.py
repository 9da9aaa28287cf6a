"""Expensive results, kept on disk: indexes, features, the best patches of every channel.

An entry is a folder of files under a key: whatever the result depends on (a network's digest, a
layer, the state of a folder, parameters). It is complete when its owner marks it as such; a partial
one is resumed. Its files are npz, safetensors, JSON or ONNX, each written atomically, and none is
ever executed. Entries that were not used for longest are removed when there is too much.

Several programs may use one cache: one at a time fills an entry (a lock in its folder, which is
released when the program ends), any number reads. An entry removed while it is read counts as
missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from explorer.core.reading import listed
from explorer.core.settings import cache_folder
from explorer.core.storage.atomic import unwritable, write_bytes
from explorer.core.storage.lock import locked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

MOST_BYTES = 4 * 1024**3
"""Of all entries together."""

MARKER, LOCK = "complete.json", "lock"

_GONE = ".gone-"


@dataclass(frozen=True, slots=True)
class Entry:
    """One result, or its beginning.

    Attributes:
        path: Its folder, which may not be there yet.
        key: What it depends on; written beside it for inspection.
    """

    path: Path
    key: Mapping[str, Any] = field(hash=False)

    @property
    def complete(self) -> bool:
        return os.path.isfile(self.path / MARKER)

    @property
    def size(self) -> int:
        """Bytes of its files; 0 when it is not there."""
        return _bytes(self.path)

    def file(self, name: str) -> Path:
        """Where the file `name` of the entry is, or belongs. Asking counts as use."""
        if name in ("", MARKER, LOCK) or os.path.basename(name) != name:
            raise ValueError(f"{name!r} is not a valid name for a file of an entry")
        with contextlib.suppress(OSError):
            os.utime(self.path)
        return self.path / name

    @contextlib.contextmanager
    def filling(self) -> Iterator[bool]:
        """Makes the entry's folder, to put files into it.

        Gives False when another program is filling it just now: then leave it alone. What is there
        of an earlier time can be resumed.

        Raises:
            ExplorerError: The folder cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = locked(self.path / LOCK)
        except OSError as error:
            raise unwritable(self.path, error) from error
        try:
            yield handle is not None
        finally:
            if handle is not None:
                os.close(handle)

    def finish(self) -> None:
        """From now on the entry is complete.

        Raises:
            ExplorerError: It cannot be written.
        """
        text = json.dumps(self.key, indent=1, sort_keys=True, default=str)
        write_bytes(self.path / MARKER, text.encode("ascii"))


class DiskCache:
    """A folder of entries.

    Args:
        folder: Where; by default in the user's cache folder.
        most: Bytes that it may take.
    """

    def __init__(self, folder: Path | None = None, most: int = MOST_BYTES) -> None:
        self.folder = folder or cache_folder() / "results"
        self.most = most

    def entry(self, kind: str, **key: Any) -> Entry:
        """The entry of this kind and key.

        Args:
            kind: A word that names a folder, as in "top-patches".
            key: Plain values, everything that the result depends on. Give the version of what you
                write among them, and what a changed file would change (`files_state`).
        """
        text = json.dumps({"kind": kind, **key}, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return Entry(self.folder / kind / digest[:40], {"kind": kind, **key})

    def finish(self, entry: Entry) -> None:
        """The entry is complete; others that were not used for longest make room for it.

        Raises:
            ExplorerError: It cannot be written.
        """
        entry.finish()
        self.shrink(keep=entry)

    def size(self) -> int:
        """Bytes of all entries."""
        return _bytes(self.folder)

    def clear(self) -> None:
        """Removes every entry that no program is filling just now."""
        for path in self._entries():
            _remove(path)

    def shrink(self, keep: Entry | None = None) -> None:
        """Removes what was not used for longest until the rest is small enough; `keep` stays."""
        found = []
        for path in self._entries():
            if keep is None or path != keep.path:
                with contextlib.suppress(OSError):
                    found.append((path.stat().st_mtime, _bytes(path), path))
        total = sum(size for _, size, _ in found) + (keep.size if keep is not None else 0)
        for _, size, path in sorted(found):
            if total <= self.most:
                return
            if _remove(path):
                total -= size

    def _entries(self) -> list[Path]:
        return [path for path in listed(self.folder, "*/*") if os.path.isdir(path)]


def files_state(paths: Iterable[Path]) -> str:
    """A digest of names, sizes and times of change: another one when a file is not as it was."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            status = path.stat()
            state = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            state = "missing"
        digest.update(f"{path}\0{state}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def folder_state(folder: Path) -> str:
    """`files_state` of all files in a folder and below it."""
    return files_state(sorted(path for path in folder.rglob("*") if os.path.isfile(path)))


def _bytes(folder: Path) -> int:
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(base, name)).st_size
    return total


def _remove(path: Path) -> bool:
    """Takes an entry away, unless a program is filling it."""
    if path.name.startswith(_GONE):  # a program was killed while removing it
        shutil.rmtree(path, ignore_errors=True)
        return True
    gone = path.with_name(f"{_GONE}{secrets.token_hex(6)}")
    try:
        handle = locked(path / LOCK)
        if handle is None:
            return False
        os.close(handle)  # a folder with an open file cannot be moved everywhere
        os.replace(path, gone)  # in one step: half an entry is never read
    except OSError as error:
        log.warning("%s stays in the cache: %s", path, error)
        return False
    shutil.rmtree(gone, ignore_errors=True)
    return True
