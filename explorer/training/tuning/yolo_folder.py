"""A folder of photos with YOLO's label files beside them, or in folders called labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import PIL.Image

from explorer.annotations.dataset import Annotated, Dataset, counted
from explorer.annotations.yolo import read_yolo
from explorer.annotations.yolo_folder import label_of
from explorer.core.errors import ExplorerError
from explorer.images.image import open_image
from explorer.images.sources import expand

if TYPE_CHECKING:
    from pathlib import Path

    from explorer.annotations.dataset import Annotation

_ORIENTATION, _TURNED = 0x0112, 5
"""The EXIF tag, and the value from which on width and height change places."""


def read_yolo_folder(folder: Path) -> Dataset | None:
    """Every photo of a folder with what its label file says; None when no photo has one.

    A photo without a label file, among others that have one, shows nothing of the classes.

    Raises:
        ExplorerError: No label file can be read.
    """
    photos: list[Annotated] = []
    classes: dict[str, None] = {}
    wrong: list[str] = []
    unreadable = labeled = 0
    for photo in expand([folder], recursive=True):
        label = label_of(photo)
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
    return Dataset(tuple(photos), tuple(classes), notes=notes)


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
