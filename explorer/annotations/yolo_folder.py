"""Folders of photos with YOLO's label files, beside them or in labels/, and their data.yaml."""

from __future__ import annotations

import os
import re
from itertools import islice
from typing import TYPE_CHECKING

import PIL.Image

from explorer.annotations.around import file_for
from explorer.annotations.dataset import Annotated, Dataset, counted
from explorer.annotations.places import beside
from explorer.annotations.yolo import read_yolo
from explorer.core.errors import ExplorerError
from explorer.images.image import open_image
from explorer.images.sources import expand
from explorer.networks.checkpoints.class_lists import PLAIN, class_list, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from explorer.annotations.dataset import Annotation

_SPLITS = ("val", "valid", "validation", "test", "train")
"""Of a data.yaml, the first that is there is evaluated on."""

_UNIT = (1, 1)
"""A photo's size where boxes are only to be counted."""

_MOST_LOOKED_AT = 50

_ORIENTATION, _TURNED = 0x0112, 5
"""The EXIF tag, and the value from which on width and height change places."""


def looks_like_yolo(folder: Path, images: Path | None = None) -> bool:
    """From names alone, and quickly: a list of classes, and a label file of one of the photos."""
    places = [place for place in (folder / "labels", folder) if os.path.isdir(place)]
    return any(class_list(place).names for place in places) and any(
        label is not None for _, label in islice(_labeled(folder, images), _MOST_LOOKED_AT)
    )


def yolo_pairs(folder: Path, images: Path | None = None) -> tuple[list[tuple[Path, Path]], int]:
    """Photos with their label files, and how many photos have none.

    There are no pairs where the names of the classes are not known.

    Args:
        folder: Of the photos with their labels, or of the labels alone.
        images: The folder of the photos, when it is another one.
    """
    photos = list(_labeled(folder, images))
    pairs = [(photo, label) for photo, label in photos if label is not None]
    named = bool(pairs) and bool(class_list(pairs[0][1].parent).names)
    return pairs if named else [], len(photos) - len(pairs)


def read_yolo_folder(folder: Path) -> Dataset | None:
    """Every photo of a folder with the boxes of its label file; None when no photo has one.

    A photo without a label file, among others that have one, shows nothing of the classes.

    Raises:
        ExplorerError: No label file can be read.
    """
    photos: list[Annotated] = []
    classes: dict[str, None] = {}
    wrong: list[str] = []
    told: list[tuple[Path, str]] = []
    unreadable = labeled = 0
    for photo, label in _labeled(folder):
        labeled += label is not None
        try:
            size = _size(photo)
        except ExplorerError:
            unreadable += 1
            continue
        entries: tuple[Annotation, ...] = ()
        if label is not None:
            try:
                found = read_yolo(label, size)
            except ExplorerError as error:
                wrong.append(error.message)
                continue
            classes.update(dict.fromkeys(found.classes))
            told += [(label, note) for note in found.notes]
            entries = found.photos[0].entries
        photos.append(Annotated(photo.name, photo, size, entries, photo.stem))
    if not labeled:
        return None
    if wrong and len(wrong) == labeled:
        raise ExplorerError(wrong[0], "Each line is: class cx cy width height, from 0 to 1.")
    notes = counted(len(wrong), "label file was ignored.", "label files were ignored.")
    notes += counted(
        unreadable, "photo cannot be read and was skipped.",
        "photos cannot be read and were skipped.",
    )  # fmt: skip
    return Dataset(tuple(photos), tuple(classes), notes=(*notes, *_together(told)))


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


def faults(pairs: list[tuple[Path, Path]], bare: int) -> tuple[str, ...]:
    """What is wrong with what `yolo_pairs` has found, each with the first file where it is."""
    told: list[tuple[Path, str]] = []
    for _, label in pairs:
        try:
            notes = read_yolo(label, _UNIT).notes
        except ExplorerError as error:
            notes = (error.message,)
        told += [(label, note) for note in notes]
    return (
        *_together(told),
        *counted(bare, "photo has no label file and is ignored.",
                 "photos have no label file and are ignored."),
    )  # fmt: skip


def _together(told: list[tuple[Path, str]]) -> tuple[str, ...]:
    """The notes on label files, those of one kind in one sentence with the first of the files."""
    kinds: dict[str, list[str]] = {}
    for label, note in told:
        kinds.setdefault(re.sub(r"^\d+ ", "", note), []).append(f"{label.name}: {note}")
    more = [
        counted(len(found) - 1, "more file has this.", "more have this.")
        for found in kinds.values()
    ]
    return tuple(
        " ".join((found[0], *rest)) for found, rest in zip(kinds.values(), more, strict=True)
    )


def label_of(photo: Path) -> Path | None:
    """Its label file: in labels/ where images/ is in the path, beside it, or in a labels folder."""
    name = f"{photo.stem}.txt"
    if name in PLAIN:
        return None
    swapped, folder = beside(photo.parent, "images", "labels"), photo.parent
    places = (swapped, folder, folder / "labels", folder.parent / "labels")
    found = (place / name for place in places if place is not None)
    return next((label for label in found if os.path.isfile(label)), None)


def _labeled(folder: Path, images: Path | None = None) -> Iterator[tuple[Path, Path | None]]:
    """Every photo with its label file, None where there is none; `images` as for `yolo_pairs`."""
    for photo in expand([images or folder], recursive=True):
        label = label_of(photo) if images is None else file_for(folder, photo)
        yield photo, label if label is not None and label.suffix == ".txt" else None


def _size(photo: Path) -> tuple[int, int]:
    """Width and height of an upright photo, from the head of its file where that will do.

    Raises:
        ExplorerError: It cannot be read.
    """
    try:
        with PIL.Image.open(photo) as picture:
            width, height = picture.size
            turned = picture.getexif().get(_ORIENTATION, 1) >= _TURNED
    except Exception:  # noqa: BLE001 - damaged files fail in many ways; the decoder says why
        image = open_image(photo)
        return image.width, image.height
    return (height, width) if turned else (width, height)
