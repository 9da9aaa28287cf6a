"""Where the principal components come from: a folder, a fitted basis, or the one that ships."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.core.listing import quantity
from explorer.core.reading import display_name
from explorer.core.resources import resource_path
from explorer.images.sources import expand
from explorer.vision.latent import pca
from explorer.vision.latent.faces import axes_of
from explorer.vision.latent.pictures import Aligned

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.values import FolderRef
    from explorer.vision.latent.faces import FaceAxes
    from explorer.vision.latent.pca import Basis

MOST_PICTURES = 1000
AT_ONCE = 20
"""Pictures that are read between two reports."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A basis, what it is of ("100 faces"), and what has to be said of it.

    `axes` are what is known of a basis of faces.
    """

    basis: Basis
    title: str
    notes: tuple[str, ...] = ()
    axes: FaceAxes | None = None


def source_key(folder: FolderRef | None, side: int) -> tuple[object, ...]:
    """Equal as long as the pictures are the same: the folder has not changed."""
    if folder is None:
        return ("pca",)
    return ("pca", folder.path, os.stat(folder.path).st_mtime_ns, side)


def opened(folder: FolderRef | None, side: int) -> Generator[tuple[int, int], None, Source]:
    """Reads what there is; yields how many of how many pictures were read.

    Args:
        folder: Of pictures, or one with a basis in `pca.FILE`. None = the basis that ships.
        side: Of a picture, its longer one, in pixels.

    Raises:
        ExplorerError: There are no pictures, or fewer than two different ones.
    """
    if folder is None:
        basis = pca.read_basis(resource_path("basis", pca.FILE))
        return Source(basis, f"{quantity(basis.count, 'picture')} of people")
    place = Path(folder.path)
    if os.path.isfile(place / pca.FILE):
        basis = pca.read_basis(place / pca.FILE)
        axes = axes_of((place / pca.FILE).read_bytes(), len(basis))
        return Source(basis, quantity(basis.count, "face" if axes else "picture"), axes=axes)
    paths = []
    for path in expand([place]):
        paths.append(path)
        if len(paths) > MOST_PICTURES:
            break
    first, notes = paths[:MOST_PICTURES], []
    if len(paths) > len(first):
        notes.append(f"Only the first {MOST_PICTURES:,} pictures of the folder are used.")
    pictures = Aligned(side)
    for start in range(0, len(first), AT_ONCE):
        yield start, len(first)
        for path in first[start : start + AT_ONCE]:
            pictures.add(path)
    basis = pca.fit(pictures.array(), pca.MOST_COMPONENTS)
    title = f"{quantity(len(pictures), 'picture')} of {display_name(place)}"
    return Source(basis, title, (*notes, *pictures.notes))
