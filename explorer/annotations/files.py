"""Annotation files of any format, by their suffix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from explorer.annotations.coco import read_coco
from explorer.annotations.dataset import Annotated, Annotation, Dataset, fitted
from explorer.annotations.voc import read_voc
from explorer.annotations.yolo import read_yolo
from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name

if TYPE_CHECKING:
    import os

    from explorer.core.params import Box

__all__ = [
    "Annotated",
    "Annotation",
    "Dataset",
    "fitted",
    "read_coco",
    "read_for",
    "read_voc",
    "read_yolo",
]

SUFFIXES = (".json", ".xml", ".txt")
"""COCO, Pascal VOC and YOLO."""


def read_for(
    path: str | os.PathLike[str], photo: str | os.PathLike[str], size: tuple[int, int]
) -> tuple[tuple[Box, ...], tuple[str, ...]]:
    """The boxes that an annotation file of any format has for one photo, fitted to its size.

    Args:
        path: .json, .xml or .txt.
        photo: The photo's path or only its name.
        size: Its width and height.

    Returns:
        The boxes, and sentences about what was ignored or changed.

    Raises:
        ExplorerError: The file cannot be read, or does not name the photo.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".json":
        dataset = read_coco(path, only=Path(photo).name)
    elif suffix == ".xml":
        dataset = read_voc(path)
    elif suffix == ".txt":
        dataset = read_yolo(path, size)
    else:
        raise ExplorerError(
            f"{display_name(path)} is not an annotation file.",
            "Choose a .json (COCO), .xml (Pascal VOC) or .txt (YOLO) file.",
        )
    # A VOC or YOLO file is about one photo, and choosing it says which.
    found = dataset.of(photo) if suffix == ".json" else dataset.photos[0]
    if found is None:
        raise ExplorerError(
            f"{display_name(path)} does not name {display_name(photo)}.",
            "Choose the annotations of this photo.",
        )
    boxes, notes = fitted(found, size)
    return boxes, (*dataset.notes, *notes)
