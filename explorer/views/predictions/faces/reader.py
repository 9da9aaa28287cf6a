"""The networks of this view, and the faces they read from a photo or a folder; kept in memory."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from explorer.core.errors import ExplorerError
from explorer.networks.faces.embedding import SIDE, SIZE
from explorer.networks.faces.mtcnn import kept_cascade
from explorer.networks.generative import shipped
from explorer.views.shared.folders.album import album_of, file_of, open_member
from explorer.vision.faces.alignment import Similarity, aligned, similarity
from explorer.vision.faces.cascade import Faces, Settings, cut, found_faces, squares
from explorer.vision.faces.comparison import POSITIONS, embeddings, tree

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray
    from torch import nn

    from explorer.core.layers import Float32, UInt8
    from explorer.core.values import FolderRef
    from explorer.networks.faces.cascade import Cascade

EMBEDDING = "mini-face-embedding"
MOST_PHOTOS = 600
LONGEST, SHORTEST = 800, 160
"""Sides of a photo of a gallery in pixels: larger ones are reduced, smaller ones enlarged."""

AT_ONCE = 5
"""Photos that are read between two reports."""

MOST_GALLERIES = 2


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """The faces of one photo.

    Attributes:
        faces: Where they are.
        cut: (n, 64, 64, 3) uint8, as their boxes cut them out.
        aligned: (n, 64, 64, 3) uint8, by their points.
        changes: (n,) from the photo to the aligned face.
        vectors: (n, 128) float32 unit vectors; (n, 0) where no network for them is there.
    """

    faces: Faces
    cut: UInt8
    aligned: UInt8
    changes: tuple[Similarity, ...]
    vectors: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """The faces of a folder.

    Attributes:
        source: The folder's name.
        aligned: (n, 64, 64, 3) uint8.
        vectors: (n, 128) float32.
        names: (n,) of the photos.
        files: (n,) to open.
        people: (n,) names of the subfolders they lie in; "" = in the folder itself.
        grown: See `comparison.tree`.
        photos: How many were read.
        without: In how many no face was found.
        notes: What has to be said, in sentences.
    """

    source: str
    aligned: UInt8
    vectors: Float32
    names: tuple[str, ...]
    files: tuple[str, ...]
    people: tuple[str, ...]
    grown: NDArray[np.float64]
    photos: int
    without: int
    notes: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Reader:
    """The cascade and the embedding network, and the galleries that they have read.

    Attributes:
        network: None = it does not come with this version.
    """

    cascade: Cascade
    network: nn.Module | None
    galleries: dict[tuple[object, ...], Gallery] = field(default_factory=dict)

    def read(self, pixels: UInt8, faces: Faces) -> Read:
        """Aligned and embedded, (H, W, 3) uint8."""
        changes = tuple(similarity(points, POSITIONS * SIDE) for points in faces.points)
        squared = squares(faces.boxes)
        own = [cut(pixels, box, SIDE) for box in squared]
        turned = [aligned(pixels, change, SIDE) for change in changes]
        empty = np.empty((0, SIDE, SIDE, 3), np.uint8)
        crops = np.stack(turned) if turned else empty
        vectors = np.empty((len(faces), 0), np.float32)
        if self.network is not None:
            vectors = embeddings(self.network, crops)
        return Read(faces, np.stack(own) if own else empty, crops, changes, vectors)

    def gallery(
        self, folder: FolderRef, settings: Settings
    ) -> Generator[tuple[int, int], None, Gallery]:
        """All faces of a folder's photos; yields how many of how many photos were read.

        Raises:
            ExplorerError: There are no photos, or no network to compare faces with.
        """
        if self.network is None:
            raise missing_network()
        key = (folder.path, os.stat(folder.path).st_mtime_ns, settings)
        if key not in self.galleries:
            found = yield from self._gallery(folder, settings)
            while len(self.galleries) >= MOST_GALLERIES:
                del self.galleries[next(iter(self.galleries))]
            self.galleries[key] = found
        return self.galleries[key]

    def _gallery(
        self, folder: FolderRef, settings: Settings
    ) -> Generator[tuple[int, int], None, Gallery]:
        album = album_of(folder)
        photos, notes = album.photos[:MOST_PHOTOS], list(album.problems)
        if len(album.photos) > len(photos):
            notes.append(f"Only the first {MOST_PHOTOS:,} photos of the folder are read.")
        crops, vectors = [np.empty((0, SIDE, SIDE, 3), np.uint8)], [np.empty((0, SIZE), np.float32)]
        rows: list[tuple[str, str, str]] = []
        without = unreadable = 0
        for done, photo in enumerate(photos):
            if done % AT_ONCE == 0:
                yield done, len(photos)
            try:
                pixels = sized(open_member(photo).pixels)
            except ExplorerError:
                unreadable += 1
                continue
            read = self.read(pixels, found_faces(self.cascade, pixels, settings))
            without += len(read.faces) == 0
            parent = Path(photo.address).parent
            name = "" if str(parent) == album.place or "://" in photo.address else parent.name
            crops.append(read.aligned)
            vectors.append(read.vectors)
            rows += [(photo.name, file_of(photo.address), name)] * len(read.faces)
        if unreadable:
            notes.append(f"{unreadable:,} photos of the folder could not be read.")
        embedded = np.concatenate(vectors)
        names, files, people = (tuple(row[k] for row in rows) for k in range(3))
        return Gallery(
            album.source, np.concatenate(crops), embedded, names, files, people, tree(embedded),
            len(photos), without, tuple(notes),
        )  # fmt: skip


@cache
def reader() -> Reader:
    """The networks, loaded once.

    Raises:
        ExplorerError: The package with the cascade's weights is not installed.
    """
    cascade = kept_cascade()
    if EMBEDDING not in shipped.names():
        return Reader(cascade, None)
    return Reader(cascade, shipped.load(EMBEDDING).module)


@cache
def card() -> dict[str, Any]:
    """Of the embedding network; {} where it does not come with this version."""
    if EMBEDDING not in shipped.names():
        return {}
    found: dict[str, Any] = json.loads(shipped.card_path(EMBEDDING).read_text(encoding="utf-8"))
    return found


def missing_network() -> ExplorerError:
    """Faces can be found, but not compared."""
    return ExplorerError(
        f"{EMBEDDING}, the network that compares faces, does not come with this version.",
        "Install the newest version of the program.",
    )


def sized(pixels: UInt8) -> UInt8:
    """A photo of a gallery in a size in which its faces are found fast."""
    height, width = pixels.shape[:2]
    factor = min(LONGEST / max(height, width), max(1.0, SHORTEST / min(height, width)))
    if factor == 1:
        return pixels
    size = max(1, round(width * factor)), max(1, round(height * factor))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(pixels, size, interpolation=method), np.uint8)
