"""Where the photos of an annotation file are, and how its small files are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from explorer.annotations.dataset import words_of
from explorer.core.reading import read_file
from explorer.images.image import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SMALL_BYTES = 16 * 1024**2
"""For the annotations of one photo."""

_USUAL_SUFFIXES = (".jpg", ".png", ".jpeg", ".bmp", ".webp")


class Places:
    r"""Finds the photos of an annotation file: the one rule for evaluating and for ground truth.

    A name counts with as many of its folders as are there, in whatever system's spelling: a photo
    "C:\data\train\a.jpg" is looked for as data/train/a.jpg, train/a.jpg and a.jpg in the usual
    folders around the file. Upper and lower case and the suffix come second.

    Args:
        path: The annotation file.
        images: The folder of the photos, when it is known: then no other one counts.
    """

    def __init__(self, path: Path, images: Path | None = None) -> None:
        self._first = path.parent if images is None else images
        tree = _around(path) if images is None else (images, images / "images")
        self._folders = [place for place in dict.fromkeys(tree) if _is_folder(place)]
        self._listed: dict[Path, dict[str, str]] = {}

    def find(self, name: str) -> Path:
        """The photo called `name`, with or without its suffix and folders."""
        for words in dict.fromkeys((_safe_words(name), _safe_words(unquote(name)))):
            for inner in _ends(words):
                for look in (self._exactly, self._nearly):
                    for folder in self._folders:
                        found = look(folder / inner)
                        if found is not None:
                            self._prefer(folder)
                            return found
        return self._first.joinpath(*_safe_words(name))

    def _exactly(self, place: Path) -> Path | None:
        try:
            return place if os.path.isfile(place) else None
        except OSError:  # a name that no file can have
            return None

    def _nearly(self, place: Path) -> Path | None:
        """What differs from `place` in case or in its suffix alone."""
        listed = self._names(place.parent)
        stem = place.stem if place.suffix.lower() in SUFFIXES else place.name
        for name in (place.name, *(f"{stem}{suffix}" for suffix in _USUAL_SUFFIXES)):
            if name.casefold() in listed:
                return place.with_name(listed[name.casefold()])
        return None

    def _names(self, folder: Path) -> dict[str, str]:
        """The pictures of a folder by their names in small letters; listed once."""
        if folder not in self._listed:
            try:
                names = sorted(os.listdir(folder))
            except OSError:
                names = []
            self._listed[folder] = {
                name.casefold(): name
                for name in names
                if os.path.splitext(name)[1].lower() in SUFFIXES
            }
        return self._listed[folder]

    def _prefer(self, folder: Path) -> None:
        if self._folders[0] != folder:  # the next photo is most likely there too
            self._folders.remove(folder)
            self._folders.insert(0, folder)


def _around(path: Path) -> Iterator[Path]:
    """The usual folders of the photos of an annotation file, the nearest first."""
    part = path.stem.rpartition("_")[2]  # annotations/instances_val2017.json, val2017/
    for base in (path.parent, path.parent.parent):
        for name in ("", "images", "JPEGImages", part, f"images/{part}"):
            yield base / name
    swapped = beside(path.parent, "labels", "images")  # labels/train/a.txt, images/train/a.jpg
    if swapped is not None:
        yield swapped
        yield swapped.parent


def beside(folder: Path, name: str, other: str) -> Path | None:
    """`folder` with the last of its parts that is called `name` called `other`; None without it."""
    parts = list(folder.parts)
    if name not in parts:
        return None
    parts[len(parts) - 1 - parts[::-1].index(name)] = other
    return Path(*parts)


def _safe_words(name: str) -> tuple[str, ...]:
    """Only what lies around the file: a name may not lead anywhere else."""
    words = words_of(name) if "\0" not in name else ()
    drive = bool(words) and len(words[0]) == 2 and words[0].endswith(":")
    return (words[1:] if drive else words) or ("unnamed",)


def _ends(words: tuple[str, ...]) -> Iterator[Path]:
    """The name with all of its folders, then with fewer and fewer of them."""
    for start in range(len(words)):
        yield Path(*words[start:])


def _is_folder(place: Path) -> bool:
    try:
        return os.path.isdir(place)
    except OSError:  # it may not be entered, or nothing can be called so
        return False


def read_bytes(path: Path) -> bytes:
    """The bytes of the annotations of one photo.

    Raises:
        ExplorerError: They cannot be read.
    """
    return read_file(
        path, limit=MAX_SMALL_BYTES, kind="an annotation file", smaller="Choose another file."
    )


def read_text(path: Path) -> str:
    """Like `read_bytes`; what is no UTF-8 becomes question marks."""
    return read_bytes(path).decode("utf-8-sig", "replace")
