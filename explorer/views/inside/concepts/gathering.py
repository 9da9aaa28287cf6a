"""The concepts of a folder's photos: computed photo by photo, kept on the disk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.batch.index.store import key_of
from explorer.core.errors import ExplorerError
from explorer.core.storage import checkpoint as files
from explorer.core.storage.checkpoint import Checkpoint
from explorer.core.storage.disk_cache import DiskCache
from explorer.views.shared.folders.album import album_of, open_member
from explorer.views.shared.folders.indexing import beside
from explorer.vision.features.activations import activation
from explorer.vision.photo_sets.concepts import coefficients, factorized

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.batch.photos import Photo
    from explorer.core.layers import Float32
    from explorer.core.values import FolderRef
    from explorer.networks.network import Network
    from explorer.networks.preprocess import Frame
    from explorer.vision.features.activations import Activation

FORMAT = 1
_MOST_CELLS = 64
"""Of each photo that the factorization is given."""

_PATCHES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A place of a photo that shows a concept: `xyxy` in pixels of the photo, `value` its share of
    the strongest place of all photos.
    """  # noqa: D205

    name: str
    address: str
    xyxy: tuple[float, float, float, float]
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The concepts of a folder's photos.

    Attributes:
        directions: (K, C) float32 of length 1.
        strongest: (K,) float32, the largest coefficient in all photos.
        windows: Of each concept its strongest places, one in a photo.
        photos: How many there were.
    """

    directions: Float32
    strongest: Float32
    windows: tuple[tuple[Window, ...], ...]
    photos: int


def nothing(channels: int) -> Found:
    """No concept of so many channels yet."""
    return Found(np.empty((0, channels), np.float32), np.empty(0, np.float32), (), 0)


class Gathering:
    """The photos of the folder through the network, and their concepts; kept on the disk.

    Args:
        network: A classifier.
        layer: Its layer.
        folder: Of the photos; None = the samples.
        count: Concepts.
        most: Photos at most, evenly over the folder.
        seed: Of all that is drawn.

    Attributes:
        found: The concepts, at the end.
        source: For people: where the photos are.
        failed: Photos that cannot be read.
        notes: Sentences about them.
    """

    def __init__(
        self,
        network: Network,
        layer: str,
        folder: FolderRef | None,
        *,
        count: int,
        most: int,
        seed: int,
    ) -> None:
        self._network, self._layer, self._folder = network, layer, folder
        self._count, self._most, self._seed = count, most, seed
        self.found: Found | None = None
        self.source = ""
        self.failed = 0
        self.notes: tuple[str, ...] = ()

    def steps(self) -> Generator[tuple[int, int, str], None, None]:
        """Finds them.

        Yields:
            How far it is: done, of how many, of what.

        Raises:
            ExplorerError: There are no photos, or the layer has no maps.
        """
        album = album_of(self._folder)
        self.source, self.notes = album.source, album.problems
        photos = list(album.photos)
        if len(photos) > self._most:
            places = np.linspace(0, len(photos) - 1, self._most).round().astype(int)
            photos = [photos[place] for place in places.tolist()]
        cache = DiskCache()
        about = self._about(photos)
        entry = cache.entry("concepts", **about)
        key = ("concepts", str(entry.path))
        known: dict[str, Found | None] = self._network.memo(key, dict)
        stored = known.get("found") or (_read(files.read(entry.file("concepts.npz")))
                                        if about["weights"] else None)  # fmt: skip
        if stored is None:
            yield from self._computed(photos)
            stored = self.found
            if about["weights"] and not self.failed and stored is not None:
                with entry.filling() as mine:
                    if mine:
                        files.write(entry.file("concepts.npz"), _written(stored))
                        cache.finish(entry)
        known["found"] = self.found = stored

    def _about(self, photos: list[Photo]) -> dict[str, Any]:
        digest = hashlib.sha256(
            repr([key_of(photo) for photo in photos]).encode("utf-8", "replace")
        )
        info = self._network.info
        return {
            "format": FORMAT, "network": info.spec.name, "weights": info.digest,
            "input": info.input_title, "precision": info.dtype, "layer": self._layer,
            "photos": digest.hexdigest(), "count": self._count, "seed": self._seed,
        }  # fmt: skip

    def _computed(self, photos: list[Photo]) -> Generator[tuple[int, int, str], None, None]:
        generator = np.random.default_rng(self._seed)
        cells: list[tuple[Photo, Float32, tuple[int, int], Frame]] = []
        for done, photo in enumerate(photos, 1):
            try:
                found = self._activation(photo)
            except ExplorerError as error:
                self.failed += 1
                self.notes = (error.message,)
                continue
            if found.frame is not None:
                flat = found.values.reshape(len(found.values), -1).T
                size = (found.values.shape[1], found.values.shape[2])
                cells.append((photo, np.ascontiguousarray(flat), size, found.frame))
            yield done, len(photos), f"{done} of {len(photos)} photos"
        if not cells:
            raise ExplorerError(
                "No photo of the folder can be read.", "Choose another folder."
            )  # fmt: skip
        sample = np.concatenate([_some(flat, generator) for _, flat, _, _ in cells])
        work = beside(lambda: factorized(sample, self._count, self._seed))
        directions = yield from _noted(work)
        yield from self._ranked(cells, directions)

    def _ranked(
        self, cells: list[tuple[Photo, Float32, tuple[int, int], Frame]], directions: Float32
    ) -> Generator[tuple[int, int, str], None, None]:
        """The strongest places, and the concepts in the order of their amount in all photos."""
        amounts = []
        for done, (_, flat, _, _) in enumerate(cells, 1):
            amounts.append(coefficients(flat, directions, 60))
            if done % 8 == 0:
                yield done, len(cells), "where the concepts are"
        order = np.argsort(-np.mean([each.mean(axis=0) for each in amounts], axis=0), kind="stable")
        peaks = np.stack([each.max(axis=0) for each in amounts])
        strongest = peaks.max(axis=0)
        windows = []
        for concept in order.tolist():
            own = []
            for row in np.argsort(-peaks[:, concept], kind="stable")[:_PATCHES].tolist():
                photo, _, size, frame = cells[row]
                cell = divmod(int(amounts[row][:, concept].argmax()), size[1])
                value = float(peaks[row, concept] / max(float(strongest[concept]), 1e-9))
                own.append(Window(photo.name, photo.address, _window(cell, frame), value))
            windows.append(tuple(own))
        self.found = Found(directions[order], strongest[order], tuple(windows), len(cells))

    @torch.no_grad()
    def _activation(self, photo: Photo) -> Activation:
        network = self._network
        pixels = open_member(photo).pixels
        values = network.preprocess(pixels).to(network.device, network.dtype)
        frame = network.preprocess.frame(*pixels.shape[:2])
        given = values if network.preprocess.batched else [values[0]]
        return activation(network.module, given, self._layer, frame=frame)


def _noted(work: Generator[None, None, Float32]) -> Generator[tuple[int, int, str], None, Float32]:
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: Float32 = end.value
            return found
        yield 0, 0, "factorization"


def _some(flat: Float32, generator: np.random.Generator) -> Float32:
    if len(flat) <= _MOST_CELLS:
        return flat
    return flat[np.sort(generator.choice(len(flat), _MOST_CELLS, replace=False))]


def _window(cell: tuple[int, int], frame: Frame) -> tuple[float, float, float, float]:
    """Three by three cells around a cell, in pixels of the photo."""
    row, column = cell
    box = np.array([[column - 1, row - 1, column + 2, row + 2]], np.float32)
    x0, y0, x1, y1 = frame.inverse().boxes(box)[0].tolist()
    return x0, y0, x1, y1


def _written(found: Found) -> Checkpoint:
    windows = [
        [[each.name, each.address, list(each.xyxy), each.value] for each in own]
        for own in found.windows
    ]
    return Checkpoint(
        {"windows": windows, "photos": found.photos},
        {"directions": found.directions, "strongest": found.strongest},
    )


def _read(stored: Checkpoint | None) -> Found | None:
    if stored is None:
        return None
    try:
        windows = tuple(
            tuple(
                Window(str(name), str(address), (x0, y0, x1, y1), float(value))
                for name, address, (x0, y0, x1, y1), value in own
            )
            for own in stored.content["windows"]
        )
        found = Found(
            stored.arrays["directions"], stored.arrays["strongest"], windows,
            int(stored.content["photos"]),
        )  # fmt: skip
    except (KeyError, ValueError, TypeError):
        return None
    return found if len(found.directions) == len(found.strongest) == len(windows) else None
