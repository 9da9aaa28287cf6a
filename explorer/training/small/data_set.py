"""The pictures that a small network is trained on: the shapes that are drawn here, or a folder.

The test part is apart from the beginning. The rest is divided into blocks: one block, the
validation block, is kept out of a training to compare settings, the others are trained on. Each
class is divided by itself, so every part has its share of every class.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.batch.opening import open_photo
from explorer.batch.photos import Photo, photos_of
from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.evaluation.photos_npz import read_arrays, read_npz
from explorer.images.image import decode_image, thumbnail
from explorer.images.sources import natural
from explorer.networks.shipped import SMALL_SIDE
from explorer.training.small.shapes import CLASSES, shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.core.layers import UInt8

SIDE = SMALL_SIDE
"""Of a picture, in pixels."""
BLOCKS = 5
"""That the development part is divided into."""
SHAPES, SHAPES_TEST = 2000, 800
"""Pictures of shapes: for training and validation, for the test."""
LEAST, MOST = 10, 4000
"""Photos of a class at least; of all of them at most."""
MOST_CLASSES = 20
PER_STEP = 50
"""Photos that are read between two reports."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """`pictures` are (N, SIDE, SIDE, 3) uint8 RGB, `labels` (N,) int64."""

    pictures: UInt8
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, chosen: NDArray[np.int64]) -> Part:
        return Part(self.pictures[chosen], self.labels[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """All pictures.

    Attributes:
        name: For people.
        classes: By label.
        development: For training and validation.
        test: Nothing is chosen by it.
        problems: Sentences about files that could not be used.
    """

    name: str
    classes: tuple[str, ...]
    development: Part
    test: Part
    problems: tuple[str, ...] = ()

    def split(self, block: int) -> tuple[Part, Part]:
        """What is trained on, and validation block `block` of `BLOCKS`."""
        inside = _places(self.development.labels) % BLOCKS == block
        rows = np.arange(len(self.development))
        return self.development.rows(rows[~inside]), self.development.rows(rows[inside])

    def digest(self) -> str:
        """Of every pixel and label."""
        state = hashlib.sha256()
        for part in (self.development, self.test):
            state.update(part.pictures.tobytes())
            state.update(part.labels.tobytes())
        return state.hexdigest()[:16]


@lru_cache(maxsize=2)
def drawn(seed: int = 0) -> DataSet:
    """The shapes that the program draws itself."""
    development = Part(*shapes(SHAPES, SIDE, 2 * seed))
    test = Part(*shapes(SHAPES_TEST, SIDE, 2 * seed + 1))
    return DataSet("shapes drawn by the program", CLASSES, development, test)


def opened(folder: Path) -> Generator[str, None, DataSet]:
    """The photos of a folder: an .npz, or a subfolder for each class.

    The steps say how far it is; the generator's return value is the data set.

    Raises:
        ExplorerError: There is not enough to train with.
    """
    packed = _packed(folder)
    if packed is not None:
        classes, members, sentences = _of_npz(packed)
    else:
        classes, members, sentences = _of_folder(folder)
    pictures, labels = [], []
    problems = list(sentences)
    bad = 0
    for number, (label, load) in enumerate(members):
        if number % PER_STEP == 0:
            yield f"reads photo {number + 1:,} of {len(members):,}"
        try:
            pictures.append(fitted(load()))
        except ExplorerError as error:
            bad += 1
            first = problems[0] if problems else error.message
            problems = [first]
            continue
        labels.append(label)
    if bad:
        unread = quantity(bad, "photo") + (" was" if bad == 1 else " were")
        problems = [f"{unread} skipped. {problems[0]}"]
    found = np.array(labels, np.int64)
    _check(folder, classes, found, problems)
    order = np.random.default_rng(0).permutation(len(found))
    everything = Part(np.stack(pictures)[order], found[order])
    held = _places(everything.labels) % BLOCKS == BLOCKS - 1
    rows = np.arange(len(everything))
    return DataSet(
        folder.name or str(folder), classes, everything.rows(rows[~held]),
        everything.rows(rows[held]), tuple(problems),
    )  # fmt: skip


Members = list[tuple[int, "Callable[[], UInt8]"]]


def _packed(folder: Path) -> Path | None:
    if folder.suffix.lower() == ".npz":
        return folder
    found = sorted(folder.glob("*.npz")) if folder.is_dir() else []
    return found[0] if found else None


def _of_npz(path: Path) -> tuple[tuple[str, ...], Members, tuple[str, ...]]:
    arrays = read_arrays(path)
    names = tuple(each.name for each in read_npz(path).classes)
    counts = np.bincount(arrays["label"], minlength=len(names))
    chosen = np.flatnonzero(counts)[:MOST_CLASSES].tolist()
    new = {label: place for place, label in enumerate(chosen)}

    def loader(row: int) -> Callable[[], UInt8]:
        start, end = arrays["offset"][row : row + 2]
        data = arrays["jpeg"][start:end].tobytes()
        return lambda: decode_image(data, name=f"photo {row}").pixels

    rows = [row for row, label in enumerate(arrays["label"].tolist()) if label in new]
    members: Members = [(new[int(arrays["label"][row])], loader(row)) for row in rows[:MOST]]
    return tuple(names[label] for label in chosen), members, _fewer(len(np.flatnonzero(counts)))


def _of_folder(folder: Path) -> tuple[tuple[str, ...], Members, tuple[str, ...]]:
    try:
        names = sorted((e.name for e in os.scandir(folder) if e.is_dir()), key=natural)
    except OSError as error:
        raise ExplorerError(
            f"{folder} cannot be read: {error.strerror}.", "Choose another folder."
        ) from error
    groups: list[tuple[str, list[Photo]]] = []
    for name in names:
        photos = list(photos_of([str(folder / name)], []))
        if photos:
            groups.append((name, photos))
    if not groups:
        raise ExplorerError(
            f"{folder} has no subfolders with photos.",
            "Choose a folder that has a subfolder of photos for each class.",
        )
    if len(groups) == 1:
        raise ExplorerError(
            f"There is one class only, {groups[0][0]}.",
            "Add a subfolder with photos of another class.",
        )
    chosen = groups[:MOST_CLASSES]
    most = MOST // len(chosen)
    members: Members = [
        (label, loader(photo))
        for label, (_, photos) in enumerate(chosen)
        for photo in spread(photos, most)
    ]
    return tuple(name for name, _ in chosen), members, _fewer(len(groups))


def _fewer(classes: int) -> tuple[str, ...]:
    if classes <= MOST_CLASSES:
        return ()
    return (f"The first {MOST_CLASSES} of {classes} classes are used.",)


def spread(photos: Sequence[Photo], most: int) -> Sequence[Photo]:
    """At most `most` of them, evenly spaced."""
    step = -(-len(photos) // most)
    return photos[::step]


def loader(photo: Photo, side: int = SIDE) -> Callable[[], UInt8]:
    """A function that reads a photo, where it can in a size that is enough for `side`."""
    plain = "://" not in photo.address and photo.offset < 0
    if plain:
        return lambda: thumbnail(photo.address, 4 * side)
    return lambda: open_photo(photo).pixels


def fitted(pixels: UInt8, side: int = SIDE) -> UInt8:
    """The middle square, in `side` x `side` pixels."""
    height, width = pixels.shape[:2]
    least = min(height, width)
    y, x = (height - least) // 2, (width - least) // 2
    square = pixels[y : y + least, x : x + least]
    found: UInt8 = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return found


def _check(
    folder: Path, classes: Sequence[str], labels: NDArray[np.int64], problems: Sequence[str]
) -> None:
    """Raises where a class has too few photos to be trained, validated and tested."""
    counts = np.bincount(labels, minlength=len(classes))
    if not len(labels):
        raise ExplorerError(
            f"No photo in {folder} can be read.", problems[0] if problems else "Choose others."
        )
    few = int(counts.argmin())
    if counts[few] < LEAST:
        skipped = f" {problems[0]}" if problems else ""
        raise ExplorerError(
            f"The class {classes[few]} has {quantity(int(counts[few]), 'photo')}, and {LEAST} are "
            f"needed.{skipped}",
            "Add photos to its subfolder, or take the subfolder away.",
        )


def _places(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) the how-manieth of its class each is, from 0."""
    places = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        inside = labels == label
        places[inside] = np.arange(int(inside.sum()))
    return places
