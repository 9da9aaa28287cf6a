"""What a folder job is: an importable function that makes one, and the rows that it gives."""

from __future__ import annotations

import hashlib
import importlib
import json
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from explorer import __version__
from explorer.core.errors import ExplorerError
from explorer.core.storage.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.batch.opening import Stamp
    from explorer.batch.photos import Photo


class EndsJob(ExplorerError):
    """It concerns every photo, not the one at which it was found: the job ends."""


class Failure(NamedTuple):
    """A photo without a result: its name, why, and where it is (see `photos.Photo.address`)."""

    name: str
    reason: str
    address: str


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What a job has of one photo.

    Attributes:
        content: Plain values.
        arrays: By name; all rows of a job that have a name have it in one dtype.
        name: The photo's.
        id: See `photos.Photo`.
        reason: Why the photo has no result; "" = it has one.
    """

    content: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    name: str = ""
    id: int | str | None = None
    reason: str = ""


class FolderJob(Protocol):
    """A job that is ready to compute, its network loaded; it is made once in every worker."""

    @property
    def chunk(self) -> int:
        """Photos in a chunk, unless the user says otherwise."""

    def settings(self) -> Mapping[str, Any]:
        """Everything that decides a result, as JSON has it: digests instead of files."""

    def load(self, photo: Photo) -> Any:
        """What `compute` needs of a photo. Called in several threads at a time.

        Raises:
            ExplorerError: The reason why it is among the failures.
        """

    def alike(self, item: Any) -> Hashable:
        """Items that are equal in this may be in one batch; None = it goes alone."""

    def compute(self, items: Sequence[Any]) -> Sequence[Row]:
        """A row for each of what `load` gave; in one thread.

        Raises:
            ExplorerError: Of a single item: the reason why it is among the failures.
            EndsJob: Nothing of this job can be computed.
        """

    def merge(self, rows: Callable[[], Iterator[Row]], out: Path) -> Sequence[str]:
        """Writes the result from all rows in the order of the photos, failures included.

        Args:
            rows: Begins at the first row each time it is called.
            out: An existing folder. The same rows give the same bytes.

        Returns:
            The names in `out` that were written.

        Raises:
            ExplorerError: It cannot be written.
        """


@runtime_checkable
class OwnPhotos(Protocol):
    """A `FolderJob` that lists its photos itself: the source is data that it has read."""

    def photos(self) -> Iterator[Photo]:
        """Every photo, always in the same order."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What travels to a worker: an importable name and plain parameters.

    Attributes:
        function: "package.module:function"; called with `params` it gives a `FolderJob`.
        params: As JSON has them.
    """

    function: str
    params: Mapping[str, Any]

    def make(self) -> FolderJob:
        """The job, with all that it needs loaded.

        Raises:
            ExplorerError: What it needs is missing.
        """
        module, _, name = self.function.partition(":")
        job: FolderJob = getattr(importlib.import_module(module), name)(self.params)
        return job


def settings_of(recipe: Recipe, job: FolderJob, *, chunk: int, batch: int) -> dict[str, Any]:
    """The whole of what decides a result, by words for the user."""
    return {
        "job": recipe.function.rpartition(":")[2],
        "program version": __version__,
        "chunk": chunk,
        "batch": batch,
        **job.settings(),
    }


def digest_of(settings: Mapping[str, Any]) -> str:
    """SHA-256 of the settings, 64 hex digits."""
    text = json.dumps(settings, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


# -- the rows of a chunk in one file --------------------------------------------------------------


def packed(rows: Sequence[Row], stamps: Sequence[Stamp], addresses: Sequence[str]) -> Checkpoint:
    """The rows of a chunk; arrays of one name are put behind each other."""
    parts: dict[str, list[NDArray[Any]]] = {}
    entries = []
    for row in rows:
        for name, array in row.arrays.items():
            parts.setdefault(name, []).append(np.asarray(array))
        entries.append([
            row.name, row.id, row.reason, row.content,
            {name: list(np.shape(array)) for name, array in row.arrays.items()},
        ])  # fmt: skip
    arrays = {name: np.concatenate([a.reshape(-1) for a in each]) for name, each in parts.items()}
    content = {"rows": entries, "stamps": [list(stamp) for stamp in stamps]}
    content["addresses"] = list(addresses)
    return Checkpoint(content, {f"row.{name}": array for name, array in arrays.items()})


def unpacked(chunk: Checkpoint) -> Iterator[Row]:
    """The inverse of `packed`.

    Raises:
        KeyError, ValueError, TypeError: It holds no rows.
    """
    begins: dict[str, int] = {}
    for name, number, reason, content, shapes in chunk.content["rows"]:
        arrays = {}
        for key, shape in shapes.items():
            begin = begins.get(key, 0)
            begins[key] = end = begin + prod(shape)
            arrays[key] = chunk.arrays[f"row.{key}"][begin:end].reshape(shape)
        yield Row(content, arrays, name, number, reason)
