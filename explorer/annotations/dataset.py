"""What annotation files say, whatever their format: photos and their boxes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from itertools import takewhile
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.params import Box

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Annotation:
    """One box.

    Attributes:
        box: With the class as its label, VOC's flag "difficult" and COCO's "iscrowd".
        area: In pixels: COCO's own (of the object's outline), else that of the box.
        segmentation: As the file has it: COCO's polygons or run lengths; None without one.
        keypoints: x, y and v in turn of each of the class's keypoints, as in COCO: v 0 = not
            labeled; empty without any.
    """

    box: Box
    area: float = 0.0
    segmentation: Any = None
    keypoints: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Annotated:
    """One photo and its boxes.

    Attributes:
        name: The photo's name as in the file; it may have folders in it.
        path: Where the photo is, or should be when it does not exist.
        size: Width and height as in the file; None when it has none.
        entries: The boxes, in the file's order.
        id: COCO's number of the photo; elsewhere its name.
    """

    name: str
    path: Path
    size: tuple[int, int] | None
    entries: tuple[Annotation, ...]
    id: int | str = ""

    @property
    def boxes(self) -> tuple[Box, ...]:
        return tuple(entry.box for entry in self.entries)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(entry.box.label for entry in self.entries)

    @property
    def xyxy(self) -> NDArray[np.float64]:
        """(N, 4) float64: x0, y0, x1, y1 in pixels of the photo."""
        corners = [(b.x0, b.y0, b.x1, b.y1) for b in self.boxes]
        return np.array(corners, np.float64).reshape(-1, 4)

    @property
    def crowd(self) -> NDArray[np.bool_]:
        """(N,) bool."""
        return np.array([box.crowd for box in self.boxes], np.bool_)

    @property
    def difficult(self) -> NDArray[np.bool_]:
        """(N,) bool."""
        return np.array([box.difficult for box in self.boxes], np.bool_)


@dataclass(frozen=True, slots=True)
class Dataset:
    """The photos of an annotation file, or of a folder of them.

    Attributes:
        photos: Every photo that is named, also those without a box.
        classes: The names of the classes, in the order of their numbers.
        category_ids: COCO's numbers by class name; empty for the other formats.
        notes: Sentences about what was ignored.
        keypoints: The names of a class's keypoints by class name, where the file says them.
    """

    photos: tuple[Annotated, ...]
    classes: tuple[str, ...]
    category_ids: dict[str, int | str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    keypoints: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Annotated]:
        return iter(self.photos)

    def __len__(self) -> int:
        return len(self.photos)

    def of(self, path: str | os.PathLike[str]) -> Annotated | None:
        """The annotations of the photo at `path`; None when there are none.

        The very file goes before one of the same name, and that before one with another suffix. Of
        several of one name the one counts whose folders end like the photo's.

        Raises:
            ExplorerError: Several have its name, and none of them its folder.
        """
        place = Path(path)
        there = os.path.abspath(place)
        same = [photo for photo in self.photos if base_name(photo.name) == place.name]
        exact = [photo for photo in same if os.path.abspath(photo.path) == there]
        like = [photo for photo in self.photos if Path(base_name(photo.name)).stem == place.stem]
        found = exact[:1] or same or like
        if len(found) < 2:
            return next(iter(found), None)
        depths = [_shared_end(words_of(photo.name), Path(there).parts) for photo in found]
        best = [photo for photo, depth in zip(found, depths, strict=True) if depth == max(depths)]
        if same and len(best) > 1:
            names = ", ".join(photo.name for photo in best[:3])
            raise ExplorerError(
                f"{place.name} matches {len(best)} photos here: {names}.",
                "Move each annotation file into the folder of its photo.",
            )
        return best[0]


def fitted(photo: Annotated, size: tuple[int, int]) -> tuple[tuple[Box, ...], tuple[str, ...]]:
    """The boxes inside a photo of `size`, with sentences about what was done.

    A photo that was made smaller or larger since takes its boxes with it. Boxes that lie outside of
    the photo are ignored.
    """
    width, height = size
    notes: list[str] = []
    across = down = 1.0
    if photo.size is not None and photo.size != size:
        across, down = width / photo.size[0], height / photo.size[1]
        known = f"{photo.size[0]} x {photo.size[1]}"
        if abs(across / down - 1) < 0.02:
            notes.append(f"The annotations are for {known} pixels: the boxes were scaled.")
        else:
            across = down = 1.0
            notes.append(f"The annotations are for {known} pixels: the boxes may be misplaced.")
    boxes, outside = [], 0
    for box in photo.boxes:
        x0, x1 = (min(max(x * across, 0.0), float(width)) for x in (box.x0, box.x1))
        y0, y1 = (min(max(y * down, 0.0), float(height)) for y in (box.y0, box.y1))
        if x1 > x0 and y1 > y0:
            boxes.append(replace(box, x0=x0, y0=y0, x1=x1, y1=y1))
        else:
            outside += 1
    notes += counted(
        outside,
        "box without an area inside the photo was ignored.",
        "boxes outside the photo or without an area were ignored.",
    )
    return tuple(boxes), tuple(notes)


def words_of(name: str) -> tuple[str, ...]:
    """Folders and file name of a photo as a file writes it, on whatever system it was written."""
    words = name.replace("\\", "/").split("/")
    return tuple(word for word in words if word not in ("", ".", ".."))


def base_name(name: str) -> str:
    """The last part of a photo's name, which may be a path of another system."""
    return (words_of(name) or ("",))[-1]


def _shared_end(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many folders before the file name are the same."""
    folders = zip(one[-2::-1], other[-2::-1], strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], folders))


def box_of(x0: float, y0: float, x1: float, y1: float, label: str) -> Box | None:
    """A box from corners in any order; None when they are not finite."""
    if not all(map(isfinite, (x0, y0, x1, y1))):
        return None
    return Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1), label)


def area_of(box: Box) -> float:
    return (box.x1 - box.x0) * (box.y1 - box.y0)


def size_of(width: Any, height: Any) -> tuple[int, int] | None:
    try:
        size = int(float(width)), int(float(height))
    except (TypeError, ValueError, OverflowError):
        return None
    return size if min(size) > 0 else None


def number_of(value: Any) -> float:
    """A number, also one written as text; NaN for what is none or is too large for a pixel."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return nan
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return nan
    return number if -1e12 < number < 1e12 else nan


def is_set(value: Any) -> bool:
    """A flag in any of its spellings: 1, 1.0, true, "1"."""
    return value is True or value in (1, "1", "true", "True")


OUTSIDE = 2.0
"""Pixels by which a box may reach over the edge of its photo: tools round in many ways."""


def is_outside(box: Box, size: tuple[int, int] | None) -> bool:
    """True for a box that reaches out of a photo of that (width, height); None = not known."""
    if size is None:
        return False
    inside = box.x0 >= -OUTSIDE and box.y0 >= -OUTSIDE
    return not (inside and box.x1 <= size[0] + OUTSIDE and box.y1 <= size[1] + OUTSIDE)


def reaching_out(places: Sequence[str]) -> tuple[str, ...]:
    """A sentence about the boxes that do, each by the words for where it stands."""
    return counted(
        len(places), "box reaches out of its photo.", "boxes reach out of their photos.", places[:1]
    )


def counted(count: int, one: str, many: str, places: Sequence[str] = ()) -> tuple[str, ...]:
    """A sentence about so many things; none about 0 of them.

    Args:
        count: How many.
        one: What follows "1".
        many: What follows a larger number.
        places: Where the first of them is, in words; empty = not known.
    """
    if not count:
        return ()
    words = f"{count} {one if count == 1 else many}"
    if places:
        words = f"{words[:-1]} ({places[0]}{'' if count == 1 else ', …'})."
    return (words,)


def left_out(count: int, places: Sequence[str] = ()) -> tuple[str, ...]:
    """The sentence about objects whose boxes make no sense; `places` as for `counted`."""
    return counted(
        count,
        "object was ignored: its box cannot be read.",
        "objects were ignored: their boxes cannot be read.",
        places,
    )


def exchanged(count: int, places: Sequence[str] = ()) -> tuple[str, ...]:
    """The sentence about boxes whose corners were in the wrong order; `places` as for `counted`."""
    return counted(
        count,
        "box has a negative width or height: its corners were exchanged.",
        "boxes have a negative width or height: their corners were exchanged.",
        places,
    )


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")[:160]
