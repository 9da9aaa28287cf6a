"""COCO's JSON of object instances."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

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
from explorer.annotations.json_stream import members
from explorer.annotations.places import Places
from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name, read_file

if TYPE_CHECKING:
    import os

Id = int | str

_WHOLE = re.compile(r"([+-]?\d{1,18})(?:\.0*)?")

MAX_BYTES = 1024**3
"""The largest of COCO's own files takes half of this."""


def read_coco(
    path: str | os.PathLike[str], *, only: str = "", images: Path | None = None
) -> Dataset:
    """Reads a COCO JSON of object instances.

    Args:
        path: The file.
        only: The file name of a photo: entries about others are skipped.
        images: The folder of the photos, when it is not one of the usual ones.

    Raises:
        ExplorerError: It cannot be read or is no such file.
    """
    label = display_name(path)
    data = read_file(
        path, limit=MAX_BYTES, kind="an annotation file", smaller="Split it into smaller files."
    )
    try:
        parts = _parts(data.decode("utf-8-sig"), only)
    except (ValueError, RecursionError) as error:
        raise ExplorerError(
            f"{label} is not a COCO file: {first_line(error)}.",
            'It must be a JSON object with "images", "annotations" and "categories".',
        ) from error
    wrong: list[str] = []
    lost: list[str] = []
    unknown: list[str] = []
    outside: list[str] = []
    negative: list[str] = []
    odd: list[str] = []
    sizes = {
        number: size_of(item.get("width"), item.get("height"))
        for number, item in parts.images.items()
    }
    entries: dict[Id, list[Annotation]] = {number: [] for number in parts.images}
    for item in parts.raw:
        number = identity(item.get("image_id"))
        if number is None or number not in entries:
            if number not in parts.known:
                lost.append(f"image_id {item.get('image_id')}")
            continue
        found = _entry(item, parts.categories, parts.keypoints)
        if found is None:
            wrong.append(_place(item))
            continue
        entries[number].append(found)
        if item.get("keypoints") and not found.keypoints:
            odd.append(_place(item))
        if identity(item.get("category_id")) not in parts.categories:
            unknown.append(f"category_id {item.get('category_id')}")
        if _is_negative(item.get("bbox")):
            negative.append(_place(item))
        if is_outside(found.box, sizes[number]):
            outside.append(_place(item))
    places = Places(Path(path), images)
    photos = []
    for number, item in parts.images.items():
        name = name_of(item)
        photos.append(
            Annotated(name, places.find(name), sizes[number], tuple(entries[number]), number)
        )
    ids: dict[str, Id] = {}
    for number, word in sorted(parts.categories.items(), key=lambda pair: _order(pair[0])):
        ids.setdefault(word, number)
    notes = (
        *left_out(len(wrong), wrong),
        *reaching_out(outside),
        *exchanged(len(negative), negative),
        *counted(
            len(lost),
            f"box was ignored: no image in {label} has its image_id.",
            f"boxes were ignored: no image in {label} has their image_id.",
            lost,
        ),
        *counted(
            len(unknown),
            "box has a category_id that no category has.",
            "boxes have a category_id that no category has.",
            unknown,
        ),
        *counted(
            len(odd),
            "object has keypoints that were ignored: they are not x, y, v for each name.",
            "objects have keypoints that were ignored: they are not x, y, v for each name.",
            odd,
        ),
        *parts.notes,
    )
    return Dataset(tuple(photos), tuple(ids), ids, notes, parts.keypoints)


def _is_negative(bbox: Any) -> bool:
    return isinstance(bbox, list) and any(number_of(side) < 0 for side in bbox[2:4])


def _place(item: dict[str, Any]) -> str:
    return f"annotation {item['id']}" if "id" in item else "an annotation without an id"


def identity(value: Any) -> Id | None:
    """One form for the ids of images and categories: 1, 1.0 and "1" are the same id.

    Tables (pandas) turn whole numbers into reals or text; None for what is no id at all.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str):
        text = value.strip()
        number = _WHOLE.fullmatch(text)
        return int(number[1]) if number else text or None
    return int(value) if isfinite(value) and value == int(value) else None


def _order(number: Id) -> tuple[int, int | str]:
    return (0, number) if isinstance(number, int) else (1, number)


@dataclass(frozen=True, slots=True)
class _Parts:
    """The file taken apart.

    Attributes:
        images: By id, those that are asked for.
        known: The ids of all images.
        raw: The annotations that may be about one of `images`, or about no image at all.
        categories: Names by id.
        keypoints: Names of the keypoints by the name of their category.
        notes: What was ignored.
    """

    images: dict[Id, dict[str, Any]]
    known: set[Id]
    raw: list[dict[str, Any]]
    categories: dict[Id, str]
    keypoints: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]


def _parts(text: str, only: str) -> _Parts:
    images: dict[Id, dict[str, Any]] = {}
    raw: list[dict[str, Any]] = []
    categories: dict[Id, str] = {}
    keypoints: dict[str, tuple[str, ...]] = {}
    keys: set[str] = set()
    known: set[Id] = set()
    nameless = twice = odd = 0
    for key, item in members(text):
        if key not in keys and item == []:  # a list begins
            keys.add(key)
            continue
        keys.add(key)
        if key == "images":
            number = identity(item.get("id")) if isinstance(item, dict) else None
            if number is None:
                odd += 1
            elif not name_of(item):
                nameless += 1
                known.add(number)
            elif number in known:
                twice += 1
            else:
                known.add(number)
                if not only or Path(base_name(name_of(item))).stem == Path(only).stem:
                    images[number] = item
        elif key == "categories" and isinstance(item, dict):
            number = identity(item.get("id"))
            if number is not None and item.get("name") is not None:
                name = categories[number] = str(item["name"])
                if isinstance(item.get("keypoints"), list):
                    keypoints.setdefault(name, tuple(map(str, item["keypoints"])))
        elif key == "annotations" and isinstance(item, dict):
            # Where the photos are listed first, the others' boxes need not be kept at all.
            number = identity(item.get("image_id"))
            if not only or "images" not in keys or number in images or number not in known:
                raw.append(item)
        elif key == "annotations":
            odd += 1
    missing = [f'"{key}"' for key in ("images", "annotations") if key not in keys]
    if missing:
        raise ValueError(f"it has no {' and no '.join(missing)}")
    if nameless and len(known) == nameless:
        raise ValueError('its images have no "file_name" (and no "coco_url")')
    notes = (
        *counted(
            nameless,
            'image was ignored: it has no "file_name".',
            'images were ignored: they have no "file_name".',
        ),
        *counted(
            twice,
            "image was ignored: its id is used twice.",
            "images were ignored: their ids are used twice.",
        ),
        *counted(
            odd,
            "entry was ignored: it has no id or is not an object.",
            "entries were ignored: they have no id or are not objects.",
        ),
    )
    return _Parts(images, known, raw, categories, keypoints, notes)


def name_of(image: dict[str, Any]) -> str:
    """The photo's file name; in LVIS it is the end of coco_url."""
    name = image.get("file_name")
    if name not in (None, ""):
        return str(name)
    for key in ("coco_url", "flickr_url", "url"):
        found = urlsplit(str(image.get(key) or "")).path
        if base_name(found):
            return base_name(unquote(found))
    return ""


def _entry(
    item: dict[str, Any], categories: dict[Id, str], names: dict[str, tuple[str, ...]]
) -> Annotation | None:
    corners = _corners(item)
    if corners is None:
        return None
    number = identity(item.get("category_id"))
    label = "" if number is None else categories.get(number, f"class {number}")
    box = box_of(*corners, label)
    if box is None:
        return None
    area = number_of(item.get("area"))
    # "ignore" is not used: the reference evaluation sets it to "iscrowd" before it counts.
    return Annotation(
        replace(box, crowd=is_set(item.get("iscrowd"))),
        area=area if isfinite(area) else area_of(box),
        segmentation=item.get("segmentation"),
        keypoints=_points(item.get("keypoints"), len(names.get(label, ()))),
    )


def _points(values: Any, count: int) -> tuple[float, ...]:
    """Finite x, y, v of each of `count` keypoints (0 = they have no names), else none."""
    if not isinstance(values, list) or len(values) % 3 or (count and len(values) != 3 * count):
        return ()
    numbers = tuple(map(number_of, values))
    return numbers if all(map(isfinite, numbers)) else ()


def _corners(item: dict[str, Any]) -> tuple[float, float, float, float] | None:
    """x0, y0, x1, y1 of the box, or around the polygons where there is none."""
    bbox = item.get("bbox")
    if isinstance(bbox, list) and len(bbox) == 4:
        x, y, width, height = map(number_of, bbox)
        return x, y, x + width, y + height
    outline = item.get("segmentation")
    if bbox or not isinstance(outline, list):
        return None
    parts = outline if outline and isinstance(outline[0], list) else [outline]
    values = [number_of(value) for part in parts if isinstance(part, list) for value in part]
    if len(values) < 6 or len(values) % 2:
        return None
    return min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])
