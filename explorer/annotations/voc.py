"""Pascal VOC's XML files, one for each photo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from explorer.annotations.dataset import (
    Annotated,
    Annotation,
    Dataset,
    area_of,
    box_of,
    first_line,
    size_of,
)
from explorer.annotations.places import Places, read_bytes
from explorer.core.errors import ExplorerError
from explorer.core.listing import number_of
from explorer.core.reading import display_name

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence


def read_voc(path: str | os.PathLike[str]) -> Dataset:
    """Reads a Pascal VOC XML, or all of a folder (or of its folder "Annotations").

    Raises:
        ExplorerError: The file cannot be read, or nothing in the folder can.
    """
    place = Path(path)
    if not place.is_dir():
        return _voc_dataset([_voc_photo(place, Places(place))], [])
    folder = next((f for f in (place / "Annotations", place / "annotations") if f.is_dir()), place)
    files = sorted(folder.glob("*.xml"))
    photos, wrong = [], []
    places = Places(folder / "any.xml")
    for file in files:
        try:
            photos.append(_voc_photo(file, places))
        except ExplorerError as error:
            wrong.append(error)
    if not photos:
        raise ExplorerError(
            f"{display_name(folder)} has no Pascal VOC annotations.",
            wrong[0].message if wrong else "They are files named NAME.xml, one for each photo.",
        )
    notes = [f"Ignored {number_of(len(wrong), 'file')}: {wrong[0].message}"] if wrong else []
    return _voc_dataset(photos, notes)


def _voc_dataset(photos: Sequence[Annotated], notes: list[str]) -> Dataset:
    classes = sorted({label for photo in photos for label in photo.labels})
    return Dataset(tuple(photos), tuple(classes), notes=tuple(notes))


def _voc_photo(path: Path, places: Places) -> Annotated:
    label = display_name(path)
    data = read_bytes(path)
    try:
        if b"<!ENTITY" in data:  # a few of them can stand for gigabytes
            raise ExplorerError(f"{label} defines XML entities, which annotations never do.")
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
    entries = tuple(entry for item in root.iterfind("object") if (entry := _voc_entry(item)))
    # Tools disagree on the name inside; the file's own name is what VOC goes by.
    found = places.find(name)
    if not found.exists():
        found = places.find(path.stem)
    return Annotated(found.name if found.exists() else name, found, size, entries, path.stem)


def _voc_entry(item: ElementTree.Element) -> Annotation | None:
    corners = [item.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
    try:
        left, top, right, bottom = (float(corner or "nan") for corner in corners)
    except ValueError:
        return None
    label = (item.findtext("name") or "").strip()
    (left, right), (top, bottom) = sorted((left, right)), sorted((top, bottom))
    box = box_of(left - 1, top - 1, right, bottom, label)  # counted from 1, both ends included
    if box is None:
        return None
    difficult = (item.findtext("difficult") or "").strip() in ("1", "true", "True")
    return Annotation(box, difficult=difficult, area=area_of(box))
