"""Annotations that lie where data sets have them, beside a photo."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from explorer.core.errors import ExplorerError
from explorer.core.reading import read_file
from explorer.saving.boxes import CLASSES_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from explorer.core.params import Box

MOST_FILES = 12
"""JSON files that are looked into for one photo."""
MOST_BYTES = 64 * 1024**2
"""Larger ones are read only when the user chooses them."""


class Found(NamedTuple):
    """An annotation file, and the boxes that it has for the photo."""

    path: Path
    boxes: tuple[Box, ...]
    notes: tuple[str, ...]


def around(photo: Path, size: tuple[int, int]) -> Found | None:
    """The first file in the usual places that has boxes for `photo`; None when there is none.

    Args:
        photo: The photo's path.
        size: Its width and height.
    """
    from explorer.annotations import read_for

    for path in _candidates(photo):
        try:
            boxes, notes = read_for(path, photo, size)
        except ExplorerError:
            continue  # it was only a guess that this is an annotation
        if boxes:
            return Found(path, boxes, notes)
    return None


def _candidates(photo: Path) -> Iterator[Path]:
    folder, above = photo.parent, photo.parent.parent
    for place in (folder, above / "Annotations", above / "annotations"):
        yield from _there(place / f"{photo.stem}.xml")
    # images/train/a.jpg, labels/train/a.txt; a .txt without a list of classes may be a caption
    for place in (folder, above / "labels", above.parent / "labels" / folder.name):
        if any((near / CLASSES_FILE).is_file() for near in (place, place.parent)):
            yield from _there(place / f"{photo.stem}.txt")
    words = (photo.name.encode("utf-8", "replace"), json.dumps(photo.name)[1:-1].encode())
    for path in islice(_json_files(folder), MOST_FILES):
        try:
            data = read_file(path, limit=MOST_BYTES, kind="an annotation file", smaller="")
        except ExplorerError:
            continue
        if any(word in data for word in words):
            yield path


def _json_files(folder: Path) -> Iterator[Path]:
    patterns = ("instances*.json", "_annotations*.json", "annotations*.json")
    for place in (folder, folder.parent):
        for pattern in patterns:
            yield from sorted(place.glob(pattern))
    for place in (folder, folder.parent, folder.parent.parent):
        yield from sorted(place.glob("annotations/instances*.json"))


def _there(path: Path) -> tuple[Path, ...]:
    return (path,) if path.is_file() else ()
