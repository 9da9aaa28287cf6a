"""Boxes that people have drawn: COCO, Pascal VOC and YOLO files become one kind of data set.

Inside the program a box is x0, y0, x1, y1 in pixels of the photo, where pixel (row i, column j)
covers [j, j + 1) x [i, i + 1). What is read is what the file says: nothing is clipped or rounded
here, `fitted` does that for a photo that is to be looked at. How the formats count pixels stands in
`explorer.saving.boxes`, which writes them.

Nothing in a file is trusted. An entry that is no box is left out and counted in the notes; a file
that is no annotation at all ends in an `ExplorerError`.
"""

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
        The boxes, and sentences about what was left out or done to them.

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
