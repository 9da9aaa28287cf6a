"""YOLO's label files, one for each photo."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.annotations.dataset import Annotated, Annotation, Dataset, area_of, box_of, left_out
from explorer.annotations.places import Places, read_text
from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name
from explorer.saving.boxes import CLASSES_FILE

if TYPE_CHECKING:
    import os


def read_yolo(path: str | os.PathLike[str], size: tuple[int, int]) -> Dataset:
    """Reads the YOLO label file of one photo; `classes.txt` beside or above it names the classes.

    Lines are "class cx cy w h" in parts of the photo's size; a line with the corners of a polygon
    gives the box around them.

    Args:
        path: The file.
        size: Width and height of the photo.

    Raises:
        ExplorerError: It cannot be read or is no such file.
    """
    place, label = Path(path), display_name(path)
    classes = _yolo_classes(place)
    lines = [line.split() for line in read_text(place).splitlines() if line.strip()]
    entries = []
    for line in lines:
        entry = _yolo_entry(line, classes, size)
        if entry is not None:
            entries.append(entry)
    if lines and not entries:
        raise ExplorerError(
            f"{label} contains no YOLO labels.",
            "Each line is: class cx cy width height, from 0 to 1.",
        )
    found = Places(place).find(place.stem)
    photo = Annotated(place.stem, found, size, tuple(entries), place.stem)
    return Dataset((photo,), classes, notes=left_out(len(lines) - len(entries)))


def _yolo_classes(path: Path) -> tuple[str, ...]:
    for folder in (path.parent, path.parent.parent):
        listed = folder / CLASSES_FILE
        if listed.is_file():
            return tuple(line.strip() for line in read_text(listed).splitlines())
    return ()


def _yolo_entry(
    words: list[str], classes: tuple[str, ...], size: tuple[int, int]
) -> Annotation | None:
    try:
        number, values = int(words[0]), [float(word) for word in words[1:]]
    except ValueError:
        return None
    if number < 0 or len(values) < 4 or not all(map(isfinite, values)):
        return None
    width, height = size
    polygon = None
    if len(values) >= 6 and len(values) % 2 == 0:
        xs, ys = [x * width for x in values[::2]], [y * height for y in values[1::2]]
        corners = (min(xs), min(ys), max(xs), max(ys))
        polygon = [[value for pair in zip(xs, ys, strict=True) for value in pair]]
    else:  # a fifth number is a confidence
        x, y, w, h = values[0] * width, values[1] * height, values[2] * width, values[3] * height
        corners = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
    known = number < len(classes) and classes[number]
    box = box_of(*corners, classes[number] if known else f"class {number}")
    return None if box is None else Annotation(box, area=area_of(box), segmentation=polygon)
