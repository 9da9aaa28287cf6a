"""Where crops of the object and photos without it come from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.annotations.coco import read_coco
from explorer.annotations.voc import read_voc
from explorer.annotations.yolo_folder import looks_like_yolo, read_yolo_folder
from explorer.core.errors import ExplorerError
from explorer.core.listing import listed
from explorer.evaluation.datasets import coco_files, voc_folder
from explorer.images.image import open_image
from explorer.views.shared.folders.album import album_of, open_member
from explorer.vision.hog.training import Shape, fitted, shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from explorer.annotations.dataset import Annotated, Dataset
    from explorer.batch.photos import Photo
    from explorer.core.layers import Float32, UInt8
    from explorer.core.values import Box, FolderRef
    from explorer.engine.scene import Scene
    from explorer.vision.hog.features import Settings

HELD = ("validation", "val", "valid", "test", "heldout", "held-out")
"""Folders whose crops are held out."""
EVERY = 5
"""Without such folders every fifth crop or photo is held out."""
ROOM = 1.3
"""A window is this many times as high and as wide as the box of its object."""
MIDDLE = 0.5
"""Without a box: the middle of the photo, so much of each side."""
SHIFTS, SIZES = (-0.03, 0.0, 0.03), (0.95, 1.0, 1.06)
"""Of copies of a drawn box, in parts of its sides."""
LOOKED_AT = 40
"""Crops whose proportions are read."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Crops that are read together: `load` gives them as `fitted` does. `held` = for the test."""

    name: str
    load: Callable[[], list[UInt8]]
    held: bool


@dataclass(frozen=True, slots=True, eq=False)
class Scanned:
    """A photo without the object, or with its boxes (N, 4), which windows must not touch."""

    name: str
    load: Callable[[], UInt8]
    boxes: Float32
    held: bool


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """Everything that a training reads.

    Attributes:
        shape: Of the windows.
        positives: Groups of crops.
        negatives: Photos.
        words: What the positives are, for people.
        own: They are copies of boxes of the photo.
        notes: Sentences that must not be missed.
    """

    shape: Shape
    positives: tuple[Group, ...]
    negatives: tuple[Scanned, ...]
    words: str
    own: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: see the view's parameters of these names."""

    positives: FolderRef | None
    negatives: FolderRef | None
    object: str
    border: int
    crops: int
    photos: int
    truth: tuple[Box, ...]
    settings: Settings


def sources_of(scene: Scene, wanted: Wanted) -> Sources:
    """Reads lists and annotations, not the photos.

    Raises:
        ExplorerError: A folder has nothing of what is needed.
    """
    random = np.random.default_rng(scene.seed)
    if wanted.positives is None:
        shape, groups, words = _of_photo(scene, wanted)
        notes = _own_notes(wanted)
    else:
        dataset = dataset_in(Path(wanted.positives.path))
        if dataset is None:
            shape, groups = _of_crops(wanted, random)
            words, notes = Path(wanted.positives.path).name, ()
        else:
            shape, groups = _of_annotated(dataset, wanted, random)
            words, notes = wanted.object, ()
    negatives, more = _negatives(scene, wanted, random)
    return Sources(
        shape, groups, negatives, words, wanted.positives is None, (*notes, *more)
    )  # fmt: skip


def dataset_in(folder: Path) -> Dataset | None:
    """The boxes of a folder with COCO, VOC or YOLO annotations; None when there are none.

    Raises:
        ExplorerError: The annotations cannot be read.
    """
    if voc_folder(folder) is not None:
        return read_voc(folder)
    found = coco_files(folder)
    if found:
        return read_coco(found[0])
    return read_yolo_folder(folder) if looks_like_yolo(folder) else None


# -- positives ------------------------------------------------------------------------------------


def _own_notes(wanted: Wanted) -> tuple[str, ...]:
    what = (
        "shifted, resized and mirrored copies of the boxes drawn on this photo"
        if any(box.counts for box in wanted.truth)
        else "shifted, resized and mirrored copies of the middle of this photo"
    )
    return (
        f"The positives are {what}: an exemplar SVM. For a real training draw boxes, or open a "
        "folder of crops (such as INRIA Person) or of annotated photos under Positives.",
    )


def _of_photo(scene: Scene, wanted: Wanted) -> tuple[Shape, tuple[Group, ...], str]:
    pixels = scene.image.pixels
    height, width = pixels.shape[:2]
    boxes = own_boxes(wanted.truth, (height, width))
    drawn = any(box.counts for box in wanted.truth)
    room = 1.1 if drawn else 1.0
    shape = shape_of([(x1 - x0) / (y1 - y0) for x0, y0, x1, y1 in boxes.tolist()], wanted.settings)
    copies = [copy for box in boxes for copy in _copies(box)]

    def group(number: int, box: Float32) -> Group:
        def load() -> list[UInt8]:
            crop = boxed_crop(pixels, box, shape, room)
            return [crop, np.ascontiguousarray(crop[:, ::-1])]

        return Group(f"copy {number + 1}", load, number % EVERY == EVERY - 1)

    groups = tuple(group(number, box) for number, box in enumerate(copies[: wanted.crops]))
    return shape, groups, "boxes of the photo" if drawn else "the middle of the photo"


def own_boxes(truth: Sequence[Box], size: tuple[int, int]) -> Float32:
    """(N, 4) the drawn objects of some size, or the middle of a photo of height and width `size`.

    Difficult objects and crowd regions are none.
    """
    single = [b for b in truth if b.counts and b.x1 - b.x0 >= 4 and b.y1 - b.y0 >= 4]
    drawn = [(b.x0, b.y0, b.x1, b.y1) for b in single]
    if drawn:
        return np.array(drawn, np.float32)
    height, width = size
    less = (1 - MIDDLE) / 2
    middle = (width * less, height * less, width * (1 - less), height * (1 - less))
    return np.array([middle], np.float32)


def _copies(box: Float32) -> Iterator[Float32]:
    middle, sides = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
    for size in SIZES:
        for down in SHIFTS:
            for across in SHIFTS:
                center = middle + sides * np.array([across, down], np.float32)
                yield np.concatenate([center - sides * size / 2, center + sides * size / 2])


def _of_crops(wanted: Wanted, random: np.random.Generator) -> tuple[Shape, tuple[Group, ...]]:
    assert wanted.positives is not None, "crops are in a folder"
    album = album_of(wanted.positives)
    photos = album.photos
    held = [is_held(photo.address, album.place) for photo in photos]
    if not any(held):
        held = [number % EVERY == EVERY - 1 for number in range(len(photos))]
    chosen = _some(list(zip(photos, held, strict=True)), wanted.crops, random)
    aspects = []
    for photo, _ in chosen[:LOOKED_AT]:
        height, width = open_member(photo).pixels.shape[:2]
        inside = max(1, width - 2 * wanted.border), max(1, height - 2 * wanted.border)
        aspects.append(inside[0] / inside[1])
    shape = shape_of(aspects, wanted.settings)

    def group(photo: Photo, held: bool) -> Group:
        return Group(
            photo.name, lambda: [fitted(open_member(photo).pixels, shape, wanted.border)], held
        )

    return shape, tuple(group(photo, held) for photo, held in chosen)


def is_held(address: str, folder: str) -> bool:
    """Whether a file lies in a subfolder of `folder` whose name says that it is for a test."""
    inside = PurePath(os.path.relpath(address, folder)) if "://" not in address else PurePath()
    return any(part.lower() in HELD for part in inside.parts[:-1])


def _some(
    entries: list[tuple[Photo, bool]], most: int, random: np.random.Generator
) -> list[tuple[Photo, bool]]:
    """As many of the training part as asked for, and a fifth as many for the test, at random."""
    found = []
    for held, count in ((False, most), (True, max(2, most // (EVERY - 1)))):
        part = [entry for entry in entries if entry[1] is held]
        rows = np.sort(random.permutation(len(part))[:count])
        found += [part[row] for row in rows]
    return found


def _of_annotated(
    dataset: Dataset, wanted: Wanted, random: np.random.Generator
) -> tuple[Shape, tuple[Group, ...]]:
    known = [p for p in dataset.photos if _boxes_of(p, wanted.object)]
    if not known:
        raise ExplorerError(
            f"No box of the annotations is of the class {wanted.object!r}.",
            f"Choose among: {listed(dataset.classes[:20])}.",
        )
    known = [known[row] for row in random.permutation(len(known))]
    aspects = [
        (x1 - x0) / (y1 - y0)
        for photo in known
        for x0, y0, x1, y1 in _boxes_of(photo, wanted.object)
    ]
    shape = shape_of(aspects, wanted.settings)

    def group(number: int, photo: Annotated) -> Group:
        def load() -> list[UInt8]:
            pixels = open_image(photo.path).pixels
            boxes = np.array(_boxes_of(photo, wanted.object), np.float32) * _scale(photo, pixels)
            tall = boxes[:, 3] - boxes[:, 1] >= shape.size[0] / 3  # smaller ones have no detail
            return [boxed_crop(pixels, box, shape, ROOM) for box in boxes[tall]]

        return Group(photo.name, load, number % EVERY == EVERY - 1)

    return shape, tuple(group(n, photo) for n, photo in enumerate(known[: wanted.crops]))


def _boxes_of(photo: Annotated, name: str) -> list[tuple[float, float, float, float]]:
    """The single objects of a class that have an extent."""
    return [
        (box.x0, box.y0, box.x1, box.y1)
        for box in photo.boxes
        if box.label == name and box.counts and box.x1 - box.x0 >= 2 and box.y1 - box.y0 >= 2
    ]


def _scale(photo: Annotated, pixels: UInt8) -> Float32:
    """Takes the boxes to the photo as it is, which may have been made smaller since."""
    if photo.size is None:
        return np.ones(4, np.float32)
    across, down = pixels.shape[1] / photo.size[0], pixels.shape[0] / photo.size[1]
    return np.array([across, down, across, down], np.float32)


def boxed_crop(pixels: UInt8, box: Float32, shape: Shape, room: float) -> UInt8:
    """The window around a box and one more cell on every side, as `fitted` gives it.

    Args:
        pixels: (H, W, 3); its outermost pixels are repeated beyond it.
        box: (4,) xyxy.
        shape: The window; it is not distorted: it is as large as it takes to hold the box.
        room: Of the window, in heights and widths of the box.
    """
    height, width = shape.size
    cell = shape.settings.cell
    scale = room * max(float(box[2] - box[0]) / width, float(box[3] - box[1]) / height)
    middle = (box[:2] + box[2:]) / 2
    sides = np.array([width + 2 * cell, height + 2 * cell]) * scale
    x0, y0 = (round(float(v)) for v in middle - sides / 2)
    across, down = (max(1, round(float(v))) for v in sides)
    columns = np.clip(np.arange(x0, x0 + across), 0, pixels.shape[1] - 1)
    rows = np.clip(np.arange(y0, y0 + down), 0, pixels.shape[0] - 1)
    cut = pixels[np.ix_(rows, columns)]
    way = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    size = width + 2 * cell, height + 2 * cell
    return np.ascontiguousarray(cv2.resize(cut, size, interpolation=way), np.uint8)


# -- negatives ------------------------------------------------------------------------------------


def _negatives(
    scene: Scene, wanted: Wanted, random: np.random.Generator
) -> tuple[tuple[Scanned, ...], tuple[str, ...]]:
    none = np.zeros((0, 4), np.float32)
    if wanted.negatives is None:
        own: list[Scanned] = []
        if wanted.positives is None:
            pixels = scene.image.pixels
            boxes = own_boxes(wanted.truth, (pixels.shape[0], pixels.shape[1]))
            own = [Scanned("this photo", lambda: pixels, boxes, held=False)]
        photos = [
            photo for photo in album_of(None).photos if photo.address != str(scene.image.path)
        ]
        notes = () if wanted.positives is None else (
            "The negatives are windows of the samples. Open a folder of photos without the object "
            "under Negatives.",
        )  # fmt: skip
        return (*own, *_scanned(photos, none, wanted.photos)), notes
    dataset = dataset_in(Path(wanted.negatives.path))
    if dataset is None:
        photos = list(album_of(wanted.negatives).photos)
        order = random.permutation(len(photos))[: wanted.photos]
        return _scanned([photos[row] for row in order], none, wanted.photos), ()
    # Boxes that do not count, and those of a low score, may show the object all the same.
    without = [
        p for p in dataset.photos if wanted.object not in p.labels and os.path.isfile(p.path)
    ]
    if not without:
        raise ExplorerError(
            f"Every photo of {Path(wanted.negatives.path).name} has a box of {wanted.object!r}.",
            "Open a folder with photos without the object.",
        )
    order = random.permutation(len(without))[: wanted.photos]

    def photo_of(annotated: Annotated) -> Callable[[], UInt8]:
        return lambda: open_image(annotated.path).pixels

    return tuple(
        Scanned(without[row].name, photo_of(without[row]), none, number % EVERY == EVERY - 1)
        for number, row in enumerate(order)
    ), ()


def _scanned(photos: Sequence[Photo], boxes: Float32, most: int) -> tuple[Scanned, ...]:
    def load(photo: Photo) -> Callable[[], UInt8]:
        return lambda: open_member(photo).pixels

    return tuple(
        Scanned(photo.name, load(photo), boxes, number % EVERY == EVERY - 1)
        for number, photo in enumerate(photos[:most])
    )
