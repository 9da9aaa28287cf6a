"""The photos of a folder, or the samples where none is chosen."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.batch.index.store import GENERATED
from explorer.batch.opening import open_photo
from explorer.batch.photos import Photo, photos_of
from explorer.core.errors import ExplorerError
from explorer.images.image import thumbnail
from explorer.images.samples import gallery, sample

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from explorer.core.layers import UInt8
    from explorer.core.values import FolderRef
    from explorer.images.image import Image

SIDE = 96
"""Of a thumbnail: its longer side in pixels."""

MOST_THUMBNAILS = 2000


@dataclass(frozen=True, slots=True)
class Album:
    """Photos in a fixed order.

    Attributes:
        photos: Of the folder and its subfolders.
        source: For people: "the samples", or the folder's name.
        place: By which an index of it is found again.
        problems: Sentences about folders that cannot be read.
    """

    photos: tuple[Photo, ...]
    source: str
    place: str
    problems: tuple[str, ...] = ()


def album_of(folder: FolderRef | None) -> Album:
    """The photos of a folder, or the samples: their photos, not the scenes that are generated.

    Raises:
        ExplorerError: The folder has no photos.
    """
    if folder is None:
        shown = [each for each in gallery() if each.path is not None] or list(gallery())
        samples = tuple(
            Photo(each.title, str(each.path) if each.path else f"{GENERATED}{each.name}")
            for each in shown
        )
        return Album(samples, "the samples", "samples")
    problems: list[str] = []
    photos = tuple(photos_of([folder.path], problems))
    if not photos:
        raise ExplorerError(
            f"There are no photos in {folder.path}.",
            problems[0] if problems else "Choose another folder.",
        )
    path = os.path.abspath(folder.path)
    return Album(photos, Path(path).name or path, path, tuple(problems))


def open_member(photo: Photo) -> Image:
    """The photo, upright.

    Raises:
        ExplorerError: It cannot be read or decoded.
    """
    if not photo.address.startswith(GENERATED):
        return open_photo(photo)
    found = sample(photo.address.removeprefix(GENERATED))
    if found is None:
        raise ExplorerError(f"There is no sample {photo.name}.", "Choose another photo.")
    return found.load()


def file_of(address: str) -> str:
    """The file that a table opens; "" where there is none."""
    return "" if "://" in address else address


def thumbnails(
    members: Iterable[tuple[str, str]], known: MutableMapping[str, UInt8], most: int
) -> int:
    """Adds small pictures of photos to `known`, at most so many; those that are there cost nothing.

    Args:
        members: Names and addresses.
        known: By address (h, w, 3) uint8, the longer side `SIDE`; a gray square where a photo
            cannot be read.
        most: To be read now.

    Returns:
        How many were read.
    """
    read = 0
    for name, address in members:
        if address in known:
            continue
        if read == most:
            break
        if len(known) >= MOST_THUMBNAILS:
            known.clear()
        known[address] = _thumbnail(name, address)
        read += 1
    return read


def _thumbnail(name: str, address: str) -> UInt8:
    try:
        if "://" not in address and os.path.splitext(address)[1].lower() != ".tar":
            return thumbnail(address, SIDE)
        return small(open_member(Photo(name, address)).pixels)
    except ExplorerError:
        return np.full((SIDE, SIDE, 3), 96, np.uint8)


def small(pixels: UInt8, side: int = SIDE) -> UInt8:
    """The picture with a longer side of `side` pixels."""
    height, width = pixels.shape[:2]
    share = side / max(height, width)
    size = max(1, round(width * share)), max(1, round(height * share))
    found: UInt8 = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return found
