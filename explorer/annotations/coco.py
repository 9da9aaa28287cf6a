"""COCO's JSON of object instances."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.annotations.dataset import (
    Annotated,
    Annotation,
    Dataset,
    area_of,
    box_of,
    first_line,
    is_number,
    left_out,
    size_of,
)
from explorer.annotations.json_stream import members
from explorer.annotations.places import Places
from explorer.core.errors import ExplorerError
from explorer.core.listing import number_of
from explorer.core.reading import display_name, read_file

if TYPE_CHECKING:
    import os

MAX_BYTES = 1024**3
"""The largest of COCO's own files takes half of this."""


def read_coco(path: str | os.PathLike[str], *, only: str = "") -> Dataset:
    """Reads a COCO JSON of object instances.

    Args:
        path: The file.
        only: The file name of a photo: what is said about others is passed over.

    Raises:
        ExplorerError: It cannot be read or is no such file.
    """
    label = display_name(path)
    data = read_file(
        path, limit=MAX_BYTES, kind="an annotation file", smaller="Split it into smaller files."
    )
    try:
        text = data.decode("utf-8-sig")
        images, raw, categories = _coco_parts(text, only)
    except (ValueError, RecursionError) as error:
        raise ExplorerError(
            f"{label} is not a COCO file: {first_line(error)}.",
            'It must be a JSON object with "images", "annotations" and "categories".',
        ) from error
    wrong = lost = 0
    entries: dict[int | str, list[Annotation]] = {number: [] for number in images}
    for item in raw:
        number = _photo_of(item)
        if number not in entries:
            lost += not only
            continue
        found = _coco_entry(item, categories)
        if found is None:
            wrong += 1
        else:
            entries[number].append(found)
    places = Places(Path(path))
    photos = []
    for number, item in images.items():
        name = str(item["file_name"])
        size = size_of(item.get("width"), item.get("height"))
        boxes = tuple(entries[number])
        photos.append(Annotated(name, places.find(name), size, boxes, number))
    ids: dict[str, int] = {}
    for number, word in sorted(categories.items()):
        ids.setdefault(word, number)
    notes = (
        *left_out(wrong),
        *(
            [f"Ignored {number_of(lost, 'box', 'boxes')} of photos that are not in {label}."]
            if lost
            else []
        ),
    )
    return Dataset(tuple(photos), tuple(ids), ids, notes)


def _coco_parts(
    text: str, only: str
) -> tuple[dict[int | str, dict[str, Any]], list[dict[str, Any]], dict[int, str]]:
    """Images by number, raw annotations, and class names by number."""
    images: dict[int | str, dict[str, Any]] = {}
    raw: list[dict[str, Any]] = []
    categories: dict[int, str] = {}
    keys: set[str] = set()
    for key, item in members(text):
        keys.add(key)
        if not isinstance(item, dict):
            continue
        number = item.get("id")
        if key == "images" and isinstance(number, (int, str)) and item.get("file_name"):
            if not only or Path(str(item["file_name"])).stem == Path(only).stem:
                images[number] = item
        elif key == "categories" and isinstance(number, int) and "name" in item:
            categories[number] = str(item["name"])
        elif key == "annotations" and "bbox" in item:
            # Where the photos are listed first, the others' boxes need not be kept at all.
            late = not (only and "images" in keys)
            if late or _photo_of(item) in images:
                raw.append(item)
    missing = [f'"{key}"' for key in ("images", "annotations") if key not in keys]
    if missing:
        raise ValueError(f"it has no {' and no '.join(missing)}")
    return images, raw, categories


def _photo_of(item: dict[str, Any]) -> int | str:
    number = item.get("image_id")
    return number if isinstance(number, (int, str)) else ""


def _coco_entry(item: dict[str, Any], categories: dict[int, str]) -> Annotation | None:
    bbox, number = item["bbox"], item.get("category_id")
    if not (isinstance(bbox, list) and len(bbox) == 4 and all(map(is_number, bbox))):
        return None
    x, y, width, height = (float(value) for value in bbox)
    label = categories.get(number, f"class {number}") if isinstance(number, int) else ""
    box = box_of(x, y, x + width, y + height, label)
    if box is None:
        return None
    area = item.get("area")
    return Annotation(
        box,
        crowd=item.get("iscrowd") in (1, True),
        difficult=item.get("ignore") in (1, True),
        area=float(area) if is_number(area) else area_of(box),
        segmentation=item.get("segmentation"),
    )
