"""Annotations that lie where data sets have them, beside a photo."""

from __future__ import annotations

import json
import os
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from explorer.annotations.places import beside
from explorer.core.errors import ExplorerError
from explorer.core.reading import listed, read_file
from explorer.networks.checkpoints.class_lists import PLAIN, class_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from explorer.core.params import Box

MOST_FILES = 12
"""JSON files that are read for one photo."""
_MOST_FOLDERS = 4
"""Of a photo that its annotations may lie in folders of the same names of."""
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
    from explorer.annotations.files import read_for

    for path in _candidates(photo):
        try:
            boxes, notes = read_for(path, photo, size)
        except ExplorerError:
            continue  # it was only a guess that this is an annotation
        if boxes:
            return Found(path, boxes, notes)
    return None


def found_in(folder: Path, photo: Path, size: tuple[int, int]) -> Found | None:
    """The boxes that a folder of annotations has for `photo`; None when it has none.

    Args:
        folder: See `file_for`.
        photo: The photo's path.
        size: Its width and height.
    """
    from explorer.annotations.files import read_for

    path = file_for(folder, photo)
    if path is None:
        return None
    try:
        return Found(path, *read_for(path, photo, size))
    except ExplorerError:
        return None  # a file of something else


def _candidates(photo: Path) -> Iterator[Path]:
    folder, above = photo.parent, photo.parent.parent
    for place in (folder, above / "Annotations", above / "annotations"):
        yield from _there(place / f"{photo.stem}.xml")
    # images/train/a.jpg, labels/train/a.txt; a .txt without a list of classes may be a caption
    swapped = beside(folder, "images", "labels")
    for place in (folder, above / "labels", *([] if swapped is None else [swapped])):
        for path in _there(place / f"{photo.stem}.txt"):
            if class_list(place).names:
                yield path
    yield from _naming(photo, _json_files(folder))


def _naming(photo: Path, files: Iterable[Path]) -> Iterator[Path]:
    """Those of the JSON files in which the photo's name stands."""
    words = (photo.name.encode("utf-8", "replace"), json.dumps(photo.name)[1:-1].encode())
    for path in islice(files, MOST_FILES):
        try:
            data = read_file(path, limit=MOST_BYTES, kind="an annotation file", smaller="")
        except ExplorerError:
            continue
        if any(word in data for word in words):
            yield path


def _json_files(folder: Path) -> Iterator[Path]:
    patterns = ("instances*.json", "_annotations*.json", "annotations*.json", "*.json")
    usual = [path for place in (folder, folder.parent) for pattern in patterns[:-1]
             for path in listed(place, pattern)]  # fmt: skip
    usual += [
        path
        for place in (folder, folder.parent, folder.parent.parent)
        for path in listed(place, "annotations/instances*.json")
    ]
    others = [path for place in (folder, folder.parent) for path in listed(place, patterns[-1])]
    yield from dict.fromkeys([*usual, *others])


def _there(path: Path) -> tuple[Path, ...]:
    return (path,) if os.path.isfile(path) else ()


def file_for(folder: Path, photo: Path) -> Path | None:
    """The annotation file in `folder` that is about `photo`; None when there is none.

    Photos of one name in several folders have files in folders of the same names (a/1.jpg,
    a/1.xml), photos that differ in their suffix alone have it in their file's name (1.png.xml).
    """
    suffixes = (".xml", ".txt", ".png")
    names = [f"{name}{suffix}" for name in (photo.name, photo.stem) for suffix in suffixes]
    names += [f"{photo.stem}.json"]
    parts = photo.absolute().parent.parts[1:]
    for start in range(max(0, len(parts) - _MOST_FOLDERS), len(parts) + 1):
        for below in ("", "labels", "Annotations", "annotations"):
            for name in names:
                path = folder.joinpath(below, *parts[start:], name)
                if os.path.isfile(path) and path.name not in PLAIN and path != photo:
                    return path
    files = [*listed(folder, "*.json"), *listed(folder, "annotations/*.json")]
    return next(_naming(photo, files), None)
