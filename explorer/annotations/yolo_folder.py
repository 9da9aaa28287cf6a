"""Folders of photos with YOLO's label files, beside them or in labels/, and their data.yaml."""

from __future__ import annotations

import os
import re
from itertools import islice
from typing import TYPE_CHECKING

from explorer.annotations.around import file_for
from explorer.annotations.dataset import counted
from explorer.annotations.places import beside
from explorer.annotations.yolo import read_yolo
from explorer.core.errors import ExplorerError
from explorer.images.sources import expand
from explorer.networks.checkpoints.class_lists import PLAIN, class_list, read_text

if TYPE_CHECKING:
    from pathlib import Path

_SPLITS = ("val", "valid", "validation", "test", "train")
"""Of a data.yaml, the first that is there is evaluated on."""

_UNIT = (1, 1)
"""A photo's size where boxes are only to be counted."""

_MOST_LOOKED_AT = 50


def looks_like_yolo(folder: Path, images: Path | None = None) -> bool:
    """From names alone, and quickly: a list of classes, and a label file of one of the photos."""
    places = [place for place in (folder / "labels", folder) if os.path.isdir(place)]
    photos = expand([images or folder], recursive=True)
    return any(class_list(place).names for place in places) and any(
        (label_of(photo) if images is None else file_for(folder, photo)) is not None
        for photo in islice(photos, _MOST_LOOKED_AT)
    )


def yolo_pairs(folder: Path, images: Path | None = None) -> list[tuple[Path, Path]]:
    """Photos with their label files, where the names of the classes are known too.

    Args:
        folder: Of the photos with their labels, or of the labels alone.
        images: The folder of the photos, when it is another one.
    """
    photos = list(expand([images or folder], recursive=True))
    if images is None:
        labels = [label_of(photo) for photo in photos]
    else:
        labels = [file_for(folder, photo) for photo in photos]
    pairs = [
        (photo, label)
        for photo, label in zip(photos, labels, strict=True)
        if label is not None and label.suffix == ".txt"
    ]
    return pairs if pairs and class_list(pairs[0][1].parent).names else []


def split_of(table: Path) -> Path:
    """The folder of photos that a data.yaml names for validation, else its own folder."""
    values = {
        found[1]: found[2].strip("\"' ")
        for line in read_text(table).splitlines()
        if (found := re.match(r"(\w+)\s*:\s*([^#]*)", line))
    }
    root = table.parent / values.get("path", "")
    for split in _SPLITS:
        name = values.get(split, "")
        for place in (root / name, table.parent / name):
            if name and os.path.isdir(place):
                return place
    return table.parent


def faults(folder: Path, pairs: list[tuple[Path, Path]]) -> tuple[str, ...]:
    """What is wrong with the labels, each with the first file where it is."""
    said: dict[str, list[str]] = {}
    for _, label in pairs:
        try:
            notes = read_yolo(label, _UNIT).notes
        except ExplorerError as error:
            notes = (error.message,)
        for note in notes:
            said.setdefault(re.sub(r"^\d+ ", "", note), []).append(f"{label.name}: {note}")
    shown = (
        f"{found[0]} {''.join(counted(len(found) - 1, 'more file has this.', 'more have this.'))}"
        for found in said.values()
    )
    bare = sum(1 for _ in expand([folder], recursive=True)) - len(pairs)
    return (
        *(words.strip() for words in shown),
        *counted(bare, "photo has no label file and is ignored.",
                 "photos have no label file and are ignored."),
    )  # fmt: skip


def label_of(photo: Path) -> Path | None:
    """Its label file: in labels/ where images/ is in the path, beside it, or in a labels folder."""
    name = f"{photo.stem}.txt"
    if name in PLAIN:
        return None
    swapped, folder = beside(photo.parent, "images", "labels"), photo.parent
    places = (swapped, folder, folder / "labels", folder.parent / "labels")
    found = (place / name for place in places if place is not None)
    return next((label for label in found if os.path.isfile(label)), None)
