"""YOLO's label files, one for each photo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.annotations.dataset import (
    Annotated,
    Annotation,
    Dataset,
    area_of,
    box_of,
    counted,
    exchanged,
    left_out,
)
from explorer.annotations.places import Places, read_text
from explorer.annotations.yolo_lines import Line, line_of, settled
from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name
from explorer.networks.checkpoints.class_lists import ClassList, class_list

if TYPE_CHECKING:
    import os


def read_yolo(path: str | os.PathLike[str], size: tuple[int, int]) -> Dataset:
    """Reads the YOLO label file of one photo; the classes' names stand beside or above it.

    Lines are "class cx cy w h" in parts of the photo's size. What Ultralytics writes behind these
    (a score, the number of a track, the keypoints of a pose) is ignored; a line with the
    corners of a polygon gives the box around them.

    Args:
        path: The file.
        size: Width and height of the photo.

    Raises:
        ExplorerError: It cannot be read or is no such file.
    """
    place, label = Path(path), display_name(path)
    classes = class_list(place.parent)
    lines = [line.split() for line in read_text(place).splitlines() if line.strip()]
    read = (line_of(words) for words in lines)
    known = [settled(line, classes) for line in read if line is not None]
    entries = [entry for line in known if (entry := _entry(line, classes, size)) is not None]
    if lines and not entries:
        raise ExplorerError(
            f"{label} contains no YOLO labels.",
            "Each line is: class cx cy width height, from 0 to 1.",
        )
    found = Places(place).find(place.stem)
    photo = Annotated(place.stem, found, size, tuple(entries), place.stem)
    nameless = sum(not _name(line.number, classes) for line in known) if classes.names else 0
    poses = sum(line.pose for line in known)
    notes = (
        *left_out(len(lines) - len(entries)),
        *exchanged(sum(map(_is_negative, known))),
        *counted(
            nameless,
            f"object has a class index without a name in {classes.file}.",
            f"objects have a class index without a name in {classes.file}.",
        ),
        *counted(
            poses,
            "line was read as a box with keypoints: the box is shown.",
            "lines were read as boxes with keypoints: the boxes are shown.",
        ),
    )
    return Dataset((photo,), classes.names, notes=notes)


def _is_negative(line: Line) -> bool:
    return line.polygon is None and bool(line.values[2:4].min() < 0)


def _name(number: int, classes: ClassList) -> str:
    return classes.names[number] if number < len(classes.names) else ""


def _entry(line: Line, classes: ClassList, size: tuple[int, int]) -> Annotation | None:
    scale = np.array(size, np.float64)
    outline: Any = None
    if line.polygon is not None:
        corners = line.polygon * scale
        outline = [corners.reshape(-1).tolist()]
        low, high = corners.min(0), corners.max(0)
    else:
        center, half = line.values[:2] * scale, line.values[2:4] * scale / 2
        low, high = center - half, center + half
    name = _name(line.number, classes) or f"class {line.number}"
    (x0, y0), (x1, y1) = low.tolist(), high.tolist()
    box = box_of(x0, y0, x1, y1, name)
    return None if box is None else Annotation(box, area=area_of(box), segmentation=outline)
