"""Pascal VOC's XML files, one for each photo."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from math import cos, isfinite, sin
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree

from explorer.annotations.dataset import (
    Annotated,
    Annotation,
    Dataset,
    area_of,
    base_name,
    box_of,
    counted,
    exchanged,
    first_line,
    is_outside,
    is_set,
    left_out,
    number_of,
    reaching_out,
    size_of,
)
from explorer.annotations.places import Places, read_bytes
from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name

if TYPE_CHECKING:
    from collections.abc import Sequence

Corners = tuple[float, float, float, float]

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_AXIS_X = re.compile(r"x\d*")
_AXIS_Y = re.compile(r"y\d*")


def read_voc(path: str | os.PathLike[str], images: Path | None = None) -> Dataset:
    """Reads a Pascal VOC XML, or all of a folder (or of its folder "Annotations").

    An object that has an outline or a turned box instead of VOC's own gets the bounds of that.

    Args:
        path: The file or folder.
        images: The folder of the photos, when it is not one of the usual ones.

    Raises:
        ExplorerError: The file cannot be read, or nothing in the folder can.
    """
    place = Path(path)
    if not os.path.isdir(place):
        return _dataset([_photo(place, Places(place, images))], ())
    folder = next(
        (f for f in (place / "Annotations", place / "annotations") if os.path.isdir(f)), place
    )
    found: list[_File] = []
    wrong = []
    places = Places(folder / "any.xml", images)
    for file in voc_files(folder):
        try:
            found.append(_photo(file, places, file.parent.relative_to(folder).as_posix()))
        except ExplorerError as error:
            wrong.append(error)
    if not found:
        raise ExplorerError(
            f"{display_name(folder)} has no Pascal VOC annotations.",
            wrong[0].message if wrong else "They are files named NAME.xml, one for each photo.",
        )
    notes = counted(len(wrong), "file was ignored.", "files were ignored.")
    return _dataset(found, tuple(f"{note} {wrong[0].message}" for note in notes))


def voc_files(folder: Path) -> list[Path]:
    """The XML files of a folder, those in the folders inside it included."""
    found = (path.relative_to(folder) for path in folder.rglob("*.xml"))
    shown = (path for path in found if not any(part.startswith(".") for part in path.parts))
    return sorted(folder / path for path in shown)


class _File(NamedTuple):
    """The content of a file; objects without a readable box, and boxes of a negative size."""

    photo: Annotated
    unread: int
    turned: int

    @property
    def name(self) -> str:
        return f"{self.photo.id}.xml"


def _dataset(found: Sequence[_File], notes: tuple[str, ...]) -> Dataset:
    photos = tuple(file.photo for file in found)
    classes = sorted({label for photo in photos for label in photo.labels})
    wrong = left_out(sum(file.unread for file in found), [f.name for f in found if f.unread])
    turned = exchanged(sum(file.turned for file in found), [f.name for f in found if f.turned])
    outside = reaching_out(
        [
            file.name
            for file in found
            for box in file.photo.boxes
            if is_outside(box, file.photo.size)
        ]
    )
    return Dataset(photos, tuple(classes), notes=(*wrong, *outside, *turned, *notes))


def _photo(path: Path, places: Places, within: str = "") -> _File:
    """The content of a file.

    Args:
        path: The XML file.
        places: Where photos are.
        within: The folder of the file inside the data set's; the photo's may have the same name.
    """
    label = display_name(path)
    data = read_bytes(path)
    try:
        if b"<!ENTITY" in data:  # a few of them can stand for gigabytes
            raise ExplorerError(
                f"{label} defines XML entities.", "Remove them: annotations do not need any."
            )
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ExplorerError(
            f"{label} is not a Pascal VOC file: {first_line(error)}.", "It must be an XML file."
        ) from error
    if root.tag != "annotation":
        raise ExplorerError(
            f"{label} is not a Pascal VOC file: its root element is {root.tag!r}.",
            "The root element must be <annotation>.",
        )
    name = (root.findtext("filename") or "").strip() or path.stem
    size = size_of(root.findtext("size/width"), root.findtext("size/height"))
    items = root.findall("object")
    objects = [_entry(item) for item in items]
    turned = sum(_is_negative(item.find("bndbox")) for item in items)
    entries = tuple(entry for entry in objects if entry is not None)
    # Tools disagree on the name inside; the file's own name is what VOC goes by.
    inside = "" if within in ("", ".") else f"{within}/"
    found = places.find(f"{inside}{base_name(name)}" if inside else name)
    if not os.path.isfile(found):
        other = places.find(f"{inside}{path.stem}")
        found = other if os.path.isfile(other) else found
    name = found.name if os.path.isfile(found) else base_name(name)
    photo = Annotated(f"{inside}{name}", found, size, entries, path.stem)
    return _File(photo, len(objects) - len(entries), turned)


def _entry(item: ElementTree.Element) -> Annotation | None:
    label = (item.findtext("name") or "").strip()
    corners = _upright(item.find("bndbox"))
    for outline in (item.find(name) for name in ("polygon", "bndbox", "quad", "segmentation")):
        corners = corners or _around(outline)
    corners = corners or _turned(item.find("robndbox"))
    box = None if corners is None else box_of(*corners, label)
    if box is None:
        return None
    difficult = is_set((item.findtext("difficult") or "").strip())
    return Annotation(replace(box, difficult=difficult), area=area_of(box))


def _upright(element: ElementTree.Element | None) -> Corners | None:
    """VOC's own box: whole pixels counted from 1, both ends included."""
    if element is None:
        return None
    left, top, right, bottom = (number_of(element.findtext(side)) for side in _SIDES)
    (left, right), (top, bottom) = sorted((left, right)), sorted((top, bottom))
    found = left - 1, top - 1, right, bottom
    return found if all(map(isfinite, found)) else None


def _is_negative(element: ElementTree.Element | None) -> bool:
    """Whether VOC's own box has xmin > xmax or ymin > ymax."""
    if element is None:
        return False
    left, top, right, bottom = (number_of(element.findtext(side)) for side in _SIDES)
    return left > right or top > bottom


def _around(element: ElementTree.Element | None) -> Corners | None:
    """The bounds of an outline: <x1> <y1> <x2> <y2> …, or <pt> with <x> and <y>."""
    if element is None:
        return None
    xs = [number_of(child.text) for child in element.iter() if _AXIS_X.fullmatch(child.tag)]
    ys = [number_of(child.text) for child in element.iter() if _AXIS_Y.fullmatch(child.tag)]
    if len(xs) < 2 or len(xs) != len(ys) or not all(map(isfinite, (*xs, *ys))):
        return None
    return min(xs), min(ys), max(xs), max(ys)


def _turned(element: ElementTree.Element | None) -> Corners | None:
    """The bounds of a box that is turned by <angle> radians about its center."""
    if element is None:
        return None
    x, y, width, height, angle = (
        number_of(element.findtext(name)) for name in ("cx", "cy", "w", "h", "angle")
    )
    if not all(map(isfinite, (x, y, width, height, angle))):
        return None
    across, along = abs(cos(angle)), abs(sin(angle))
    right = (abs(width) * across + abs(height) * along) / 2
    down = (abs(width) * along + abs(height) * across) / 2
    return x - right, y - down, x + right, y + down
