"""The files of an index: rows by photo in segments, of which a newer row replaces an older one.

A photo is known by its name, its address, and the size and time of change of its file. A photo that
was replaced is another one: it alone is computed again, and its old row is no longer used.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.batch.opening import NO_STAMP, stamp_of
from explorer.core.storage import checkpoint as files
from explorer.core.storage.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.batch.photos import Photo

Key = tuple[str, str, int, int]
"""Name, address, and the stamp of the file."""

FEATURES, PEAKS = "features", "peaks"
KINDS = (FEATURES, PEAKS)

FORMAT = 1
SEGMENT = 1024
"""Photos of a full segment."""

GENERATED = "sample://"
"""Begins the address of a picture that the program makes: the same one at every start."""

_NAME = re.compile(r"(\d{6})\.npz")


def key_of(photo: Photo) -> Key | None:
    """By which a photo's row is found again; None where nobody can say if it has changed."""
    stamp = stamp_of(photo.address)
    if stamp == NO_STAMP and not photo.address.startswith(GENERATED):
        return None
    return photo.name, photo.address, *stamp


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """What an index has of one photo.

    Attributes:
        key: Of the photo; None = it cannot be found again.
        name: Of the photo.
        address: Of the photo.
        size: Width and height in pixels.
        grid: Rows and columns of the layer's maps; 1, 1 for a vector.
        spatial: The cells are places of the photo.
        arrays: Of an index of features `feature` (C,) float16, the mean of each channel over all
            cells; of peaks `peak` (C,) float16, the largest activation of each channel, and `cell`
            (C,) uint32, where it is: row * columns + column.
    """

    key: Key | None
    name: str
    address: str
    size: tuple[int, int]
    grid: tuple[int, int]
    spatial: bool
    arrays: Mapping[str, NDArray[Any]]

    def content(self) -> list[Any]:
        """As JSON has it, without the arrays."""
        key = None if self.key is None else list(self.key)
        return [key, self.name, self.address, *self.size, *self.grid, self.spatial]

    @classmethod
    def read(cls, content: Sequence[Any], arrays: Mapping[str, NDArray[Any]]) -> Entry:
        """The inverse of `content`.

        Raises:
            ValueError, TypeError: It is none.
        """
        key, name, address, width, height, rows, columns, spatial = content
        if key is not None:
            first, second, size, changed = key
            key = (str(first), str(second), int(size), int(changed))
        return cls(
            key, str(name), str(address), (int(width), int(height)), (int(rows), int(columns)),
            bool(spatial), arrays,
        )  # fmt: skip


@dataclass(slots=True, eq=False)
class Segments:
    """The segments in a folder, which may not be there yet.

    Attributes:
        count: Rows in all segments, replaced ones included.
    """

    folder: Path
    count: int = 0
    _next: int = 0
    _names: list[str] = field(default_factory=list)

    def read(self) -> dict[Key, Entry]:
        """The newest row of every photo that can be found again; damaged segments are left out."""
        found: dict[Key, Entry] = {}
        for path in segments_in(self.folder):
            self._names.append(path.name)
            self._next = int(path.stem) + 1
            for entry in read_segment(path):
                self.count += 1
                if entry.key is not None:
                    found[entry.key] = entry
        return found

    def append(self, entries: Sequence[Entry]) -> None:
        """One more segment, complete or not at all.

        Raises:
            ExplorerError: It cannot be written.
        """
        name = f"{self._next:06d}.npz"
        write_segment(self.folder / name, entries)
        self._names.append(name)
        self._next += 1
        self.count += len(entries)

    def rewrite(self, entries: Sequence[Entry]) -> None:
        """These rows alone, in full segments; the old segments go once the new ones are there.

        Raises:
            ExplorerError: They cannot be written; all rows are still there.
        """
        old = list(self._names)
        self._names.clear()
        self.count = 0
        for begin in range(0, len(entries), SEGMENT):
            self.append(entries[begin : begin + SEGMENT])
        for name in old:
            with contextlib.suppress(OSError):
                (self.folder / name).unlink()

    def wasteful(self, used: int) -> bool:
        """Whether they are worth rewriting where `used` of their rows are still of use."""
        return self.count > used * 5 // 4 or len(self._names) > 8 + 4 * self.count // SEGMENT


def segments_in(folder: Path) -> list[Path]:
    """The files of an index, the oldest first."""
    try:
        return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    except OSError:
        return []


def write_segment(path: Path, entries: Sequence[Entry]) -> None:
    """The rows in one file, by name of array (n, …) each.

    Raises:
        ExplorerError: It cannot be written.
    """
    names = entries[0].arrays
    arrays = {name: np.stack([entry.arrays[name] for entry in entries]) for name in names}
    content = {"format": FORMAT, "rows": [entry.content() for entry in entries]}
    files.write(path, Checkpoint(content, arrays))


def read_segment(path: Path) -> Iterator[Entry]:
    """The rows of a file; none where it is damaged."""
    found = files.read(path)
    if found is None or found.content.get("format") != FORMAT:
        return
    try:
        rows = found.content["rows"]
        if any(len(array) != len(rows) for array in found.arrays.values()):
            return
        for number, content in enumerate(rows):
            yield Entry.read(content, {name: array[number] for name, array in found.arrays.items()})
    except (KeyError, ValueError, TypeError):
        return


def write_segments(folder: Path, entries: Iterable[Entry]) -> None:
    """An index in a folder that exists, a full segment after the other.

    Raises:
        ExplorerError: It cannot be written.
    """
    segments, waiting = Segments(folder), list[Entry]()
    for entry in entries:
        waiting.append(entry)
        if len(waiting) == SEGMENT:
            segments.append(waiting)
            waiting = []
    if waiting:
        segments.append(waiting)


def read_index(folder: Path) -> dict[Key, Entry]:
    """The newest row of every photo that can be found again, in the order of the segments."""
    return Segments(folder).read()
