"""The photos that a head is trained on: drawn boxes, a folder, or what is always there."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.annotations.truth import counting
from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name
from explorer.core.values import Box
from explorer.images.sources import expand
from explorer.training.data.class_photos import Classes, Example, classes_of
from explorer.training.heads.pasted import pasted
from explorer.training.tuning.folder import read_folder
from explorer.training.tuning.photos import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.annotations.dataset import Annotated
    from explorer.core.layers import UInt8
    from explorer.core.values import FolderRef

CLASS, BOTH, BOX, SEVERAL, JOINTS = "class", "class and box", "box", "K boxes", "K joints"
KINDS = (CLASS, BOTH, BOX, SEVERAL, JOINTS)
"""What is trained."""

HELD_OUT = 0.3
"""The part of drawn boxes, or of an annotated folder's photos, that is held out."""

MARGIN = 0.1
"""Around the box of a crop, in parts of its sides."""

WINDOWS = 6
"""Windows of the photo around each drawn box."""

SHARE = (0.35, 0.9)
"""The longer side of the box in parts of its window."""

READY_CLASSES, READY_TRAIN, READY_TEST = 5, 4, 3
"""Classes of the set that is always there, and pictures of each."""


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What to train on.

    Attributes:
        kind: One of `KINDS`.
        folder: Of annotated photos or with a folder for each class; None = drawn boxes, or what is
            always there.
        boxes: Drawn on the photo, each with its class.
        photo: (H, W, 3) uint8; None = no photo.
        most: Training examples of each class at most.
        objects: Boxes of each photo where these are several.
        seed: Of what is drawn and held out.
    """

    kind: str
    folder: FolderRef | None
    boxes: tuple[Box, ...] = ()
    photo: UInt8 | None = None
    most: int = 20
    objects: int = 2
    seed: int = 0


def set_for(wanted: Wanted) -> Classes:
    """The photos of `wanted`.

    Raises:
        ExplorerError: There is nothing to train on; the sentence tells why.
    """
    named = tuple(box for box in counting(wanted.boxes) if box.label)
    if wanted.folder is not None:
        found = _of_folder(wanted, Path(wanted.folder.path).expanduser())
    elif named and wanted.photo is not None:
        found = _of_drawn(wanted, named, wanted.photo)
    elif counting(wanted.boxes) and wanted.photo is not None:
        raise ExplorerError(
            "The boxes on this photo have no classes.", "Name the class of each box."
        )
    else:
        return _ready(wanted)
    return _checked(found, wanted.kind)


def _ready(wanted: Wanted) -> Classes:
    train, test = min(READY_TRAIN, wanted.most), READY_TEST
    if wanted.kind == CLASS:
        found = classes_of(None, train, wanted.seed)
        kept, held = (
            tuple(example for example in part if example.label < READY_CLASSES)
            for part in (found.train, _few(found.test, test))
        )
        return Classes(found.names[:READY_CLASSES], kept, held, found.source)
    several = wanted.kind == SEVERAL
    found = pasted(
        2 * train, test, wanted.seed, count=wanted.objects if several else 1,
        turned=wanted.kind == JOINTS,
    )  # fmt: skip
    return _unnamed(found, wanted) if wanted.kind in (SEVERAL, JOINTS) else found


def _unnamed(found: Classes, wanted: Wanted) -> Classes:
    """The same without classes: with names of the places of several boxes, or one for joints."""
    places = tuple(f"object {k + 1}" for k in range(wanted.objects))
    names = places if wanted.kind == SEVERAL else ("object",)
    train, test = (
        tuple(replace(each, label=0) for each in part) for part in (found.train, found.test)
    )
    return Classes(names, train, test, found.source, found.notes)


def _checked(found: Classes, kind: str) -> Classes:
    if kind in (CLASS, BOTH) and len(found.names) < 2:
        raise ExplorerError(
            f"All boxes of {found.source} are of one class: {found.names[0]}.",
            "Add boxes of a second class, or train the box alone.",
        )
    if not found.test:
        words = "Nothing is held out: the metrics are those of the training photos."
        return replace(found, notes=(*found.notes, words))
    return found


# -- drawn boxes


def _of_drawn(wanted: Wanted, boxes: Sequence[Box], photo: UInt8) -> Classes:
    if wanted.kind in (SEVERAL, JOINTS):
        what = "boxes" if wanted.kind == SEVERAL else "joints"
        raise ExplorerError(
            f"{wanted.kind} cannot be trained on one photo.",
            f"Choose a folder of photos with {what}, or remove the drawn boxes to use the samples.",
        )
    height, width = photo.shape[:2]
    inside = [_clipped(box, width, height) for box in boxes]
    boxes = [box for box in inside if box is not None]
    if not boxes:
        raise ExplorerError("The drawn boxes lie outside of this photo.", "Draw them again.")
    names = tuple(dict.fromkeys(box.label for box in boxes))
    generator = np.random.default_rng(wanted.seed)
    held = _held(boxes, names, generator)
    train, test = list[Example](), list[Example]()
    for number, box in enumerate(boxes):
        label, part = names.index(box.label), test if number in held else train
        title = f"{box.label} {number + 1}"
        if wanted.kind == CLASS:
            part.append(Example(label, title, _Crop(photo, *_around(box, width, height))))
            continue
        for k in range(WINDOWS):
            window = _window(box, width, height, generator)
            x0, y0, x1, y1 = window
            place = (box.x0 - x0, box.y0 - y0, box.x1 - x0, box.y1 - y0)
            part.append(
                Example(label, f"{title}.{k + 1}", _Crop(photo, x0, y0, x1, y1), "", (place,))
            )
    note = "Held-out boxes are of the same photo; other photos are harder."
    return Classes(names, tuple(train), tuple(test), "drawn boxes", (note,) if test else ())


def _clipped(box: Box, width: int, height: int) -> Box | None:
    x0, x1 = (min(max(x, 0.0), float(width)) for x in (box.x0, box.x1))
    y0, y1 = (min(max(y, 0.0), float(height)) for y in (box.y0, box.y1))
    return replace(box, x0=x0, y0=y0, x1=x1, y1=y1) if x1 - x0 >= 2 and y1 - y0 >= 2 else None


def _held(boxes: Sequence[Box], names: Sequence[str], generator: np.random.Generator) -> set[int]:
    """Numbers of the boxes held out: of each class with two boxes at least one."""
    held: set[int] = set()
    for name in names:
        own = [number for number, box in enumerate(boxes) if box.label == name]
        if len(own) > 1:
            count = max(1, round(HELD_OUT * len(own)))
            held.update(generator.permutation(own)[:count].tolist())
    return held


def _around(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """The pixels of a box with `MARGIN`."""
    dx, dy = MARGIN * (box.x1 - box.x0), MARGIN * (box.y1 - box.y0)
    x0, y0 = max(0, int(box.x0 - dx)), max(0, int(box.y0 - dy))
    x1, y1 = min(width, int(np.ceil(box.x1 + dx))), min(height, int(np.ceil(box.y1 + dy)))
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)


def _window(
    box: Box, width: int, height: int, generator: np.random.Generator
) -> tuple[int, int, int, int]:
    """A part of the photo, square where there is room, with the whole box at a random place."""
    side = max(box.x1 - box.x0, box.y1 - box.y0) / generator.uniform(*SHARE)
    found = []
    for low, high, whole in ((box.x0, box.x1, width), (box.y0, box.y1, height)):
        length = min(float(whole), max(side, high - low))
        first = generator.uniform(max(0.0, high - length), min(low, whole - length) + 1e-9)
        found.append((int(first), min(whole, int(np.ceil(first + length)))))
    (x0, x1), (y0, y1) = found
    return x0, y0, x1, y1


@dataclass(frozen=True, slots=True, eq=False)
class _Crop:
    """A part of the open photo."""

    photo: UInt8
    x0: int
    y0: int
    x1: int
    y1: int

    def __call__(self) -> UInt8:
        return np.ascontiguousarray(self.photo[self.y0 : self.y1, self.x0 : self.x1])


# -- folders


def _of_folder(wanted: Wanted, path: Path) -> Classes:
    try:
        own = read_folder(path, HELD_OUT, wanted.seed)
    except ExplorerError:
        if not _class_folders(path):
            raise
        if wanted.kind != CLASS:
            raise ExplorerError(
                f"{display_name(path)} has a folder for every class, but no boxes.",
                "Choose a folder of annotated photos, or train the class alone.",
            ) from None
        assert wanted.folder is not None
        return classes_of(wanted.folder, wanted.most, wanted.seed)
    read = _READERS[wanted.kind]
    train, test = (read(photos, own.names, wanted) for photos in (own.train, own.held_out))
    if not train:
        raise ExplorerError(*_too_few(wanted, own.title))
    order = np.random.default_rng(wanted.seed).permutation(len(train)).tolist()
    train = [train[row] for row in order]
    kept = {label: k for k, label in enumerate(sorted({example.label for example in train}))}
    train = [replace(each, label=kept[each.label]) for each in train]
    test = [replace(each, label=kept[each.label]) for each in test if each.label in kept]
    names = tuple(own.names[label] for label in kept)
    train, test = _few(train, wanted.most), _few(test, max(4, wanted.most))
    found = Classes(names, tuple(train), tuple(test), own.title, own.notes)
    return _unnamed(found, wanted) if wanted.kind in (SEVERAL, JOINTS) else found


def _class_folders(path: Path) -> bool:
    """Whether folders inside have photos."""
    try:
        with os.scandir(path) as entries:
            inside = [entry.path for entry in entries if entry.is_dir()]
    except OSError:
        return False
    return any(next(iter(expand([place], recursive=True)), None) for place in inside)


def _too_few(wanted: Wanted, title: str) -> tuple[str, str]:
    match wanted.kind:
        case "K boxes":
            return (
                f"No training photo of {title} has {wanted.objects} boxes.",
                "Choose fewer boxes per photo.",
            )
        case "K joints":
            return (
                f"The annotations of {title} have no keypoints.",
                "Choose a folder with COCO keypoints.",
            )
        case _:
            return f"No training photo of {title} has a box.", "Add boxes."


def _few(examples: Sequence[Example], most: int) -> list[Example]:
    """The first ones of each class."""
    counts: Counter[int] = Counter()
    found = []
    for example in examples:
        counts[example.label] += 1
        if counts[example.label] <= most:
            found.append(example)
    return found


def _crops(photos: Sequence[Annotated], names: Sequence[str], _wanted: Wanted) -> list[Example]:
    return [
        Example(
            names.index(box.label), f"{box.label} {number + 1} of {photo.name}",
            _BoxOf(photo, box), str(photo.path),
        )
        for photo in photos
        for number, box in enumerate(photo.boxes)
        if box.counts and box.label in names
    ]  # fmt: skip


def _largest(photos: Sequence[Annotated], names: Sequence[str], _wanted: Wanted) -> list[Example]:
    """Each photo with its largest box."""
    found = []
    for photo in photos:
        boxes = [box for box in photo.boxes if box.counts and box.label in names]
        if boxes:
            best = max(boxes, key=_area)
            loads = _Photo(photo)
            found.append(
                Example(names.index(best.label), photo.name, loads, str(photo.path), (_xyxy(best),))
            )
    return found


def _groups(photos: Sequence[Annotated], names: Sequence[str], wanted: Wanted) -> list[Example]:
    """Photos with enough boxes: the largest ones, from left to right."""
    found = []
    for photo in photos:
        boxes = [box for box in photo.boxes if box.counts and box.label in names]
        if len(boxes) >= wanted.objects:
            chosen = sorted(sorted(boxes, key=_area)[-wanted.objects :], key=lambda b: b.x0 + b.x1)
            loads = _Photo(photo)
            places = tuple(map(_xyxy, chosen))
            found.append(Example(0, photo.name, loads, str(photo.path), places))
    return found


def _people(photos: Sequence[Annotated], _names: Sequence[str], _wanted: Wanted) -> list[Example]:
    """Crops of the objects whose keypoints are all labeled."""
    found: list[Example] = []
    counts = Counter(len(entry.keypoints) for photo in photos for entry in photo.entries)
    counts.pop(0, None)
    if not counts:
        return found
    usual = counts.most_common(1)[0][0]
    for photo in photos:
        for number, entry in enumerate(photo.entries):
            values = np.array(entry.keypoints, np.float64)
            if len(values) != usual or not len(values) or not (values[2::3] > 0).all():
                continue
            box = entry.box
            margin = MARGIN * max(box.x1 - box.x0, box.y1 - box.y0)
            x0, y0 = max(0.0, box.x0 - margin), max(0.0, box.y0 - margin)
            xy = np.stack([values[0::3] - x0, values[1::3] - y0], axis=1).tolist()
            points = tuple((float(x), float(y)) for x, y in xy)
            place = Box(x0, y0, box.x1 + margin, box.y1 + margin)
            loads = _BoxOf(photo, place, margin=0.0)
            found.append(
                Example(0, f"{number + 1} of {photo.name}", loads, str(photo.path), (), points)
            )
    return found


_READERS = {CLASS: _crops, BOTH: _largest, BOX: _largest, SEVERAL: _groups, JOINTS: _people}
assert set(_READERS) == set(KINDS)


def _area(box: Box) -> float:
    return (box.x1 - box.x0) * (box.y1 - box.y0)


def _xyxy(box: Box) -> tuple[float, float, float, float]:
    return box.x0, box.y0, box.x1, box.y1


def _native(photo: Annotated) -> UInt8:
    """The photo in the size that its annotations are for."""
    pixels = opened(photo)
    if photo.size is None or photo.size == (pixels.shape[1], pixels.shape[0]):
        return pixels
    resized: UInt8 = cv2.resize(pixels, photo.size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return resized


@dataclass(frozen=True, slots=True, eq=False)
class _Photo:
    """A whole photo in the pixels that its boxes are in."""

    photo: Annotated

    def __call__(self) -> UInt8:
        return _native(self.photo)


@dataclass(frozen=True, slots=True, eq=False)
class _BoxOf:
    """The part of a photo in one of its boxes."""

    photo: Annotated
    box: Box
    margin: float = MARGIN

    def __call__(self) -> UInt8:
        pixels = _native(self.photo)
        height, width = pixels.shape[:2]
        box = self.box
        if self.margin:
            x0, y0, x1, y1 = _around(box, width, height)
        else:
            x0, y0 = max(0, round(box.x0)), max(0, round(box.y0))
            x1, y1 = min(width, round(box.x1)), min(height, round(box.y1))
        if x1 <= x0 or y1 <= y0 or x0 >= width or y0 >= height:
            raise ExplorerError(f"A box of {self.photo.name} lies outside of the photo.")
        return np.ascontiguousarray(pixels[y0:y1, x0:x1])
