"""Photos with COCO annotations, some with a score, that the lite networks are trained on.

Every annotation may have a `score` (1 when it is missing): those with a high score are objects,
those with a low one are ignored, neither objects nor background.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.annotations.files import read_voc
from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.evaluation.matching import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Boxes = NDArray[np.float32]
    Joints = NDArray[np.float32]

SURE, UNSURE = 0.5, 0.2
"""From this score on an annotation is an object, or a region to ignore."""

JOINTS = 17
"""COCO's of a person."""

LSPET = (16, 14, 12, 11, 13, 15, 10, 8, 6, 5, 7, 9)
"""Which of COCO's joints the first twelve of Leeds Sports Pose are."""

LSPET_JOINTS = 14
"""Neck and head top come last."""


@dataclass(frozen=True, slots=True, eq=False)
class PoolPhoto:
    """One photo and what is known about it.

    Attributes:
        path: Of the picture.
        boxes: (N, 4) float32 xyxy of the objects, in its pixels.
        labels: (N,) int64, 1.. into `Pool.names`.
        ignored: (M, 4) float32 regions about which nothing is known.
        aspect: Width / height as the photo was taken; 0 = unknown, as it was squashed.
        mask: Of a palette PNG with the class of every pixel; None when it has none.
        joints: (N, J, 3) float32 x, y and v of the objects' joints (v 0 = not known); None when
            the photo has none.
        pixels: (H, W, 3) uint8 RGB where it is in memory; None = it is read when it is needed.
        extent: Width and height of the file in pixels; None = not known.
        shows: Label of what is somewhere in the photo though without a box; 0 = none is known.
    """

    path: Path
    boxes: Boxes
    labels: NDArray[np.int64]
    ignored: Boxes
    aspect: float
    mask: Path | None = None
    joints: Joints | None = None
    pixels: NDArray[np.uint8] | None = None
    extent: tuple[int, int] | None = None
    shows: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Photos with boxes.

    Attributes:
        photos: All of them.
        names: By label; 0 is the background.
        left_out: Categories of the file with too few objects.
    """

    photos: tuple[PoolPhoto, ...]
    names: tuple[str, ...]
    left_out: tuple[str, ...]


def read_pool(folder: Path, least: int = 30) -> Pool:
    """Reads `folder`/instances.json; the photos are in `folder`/images and stay there.

    Args:
        folder: In COCO's format.
        least: Categories with fewer high-scoring objects are dropped; their regions are ignored.

    Raises:
        ExplorerError: There is no such file, or it is none of COCO's format.
    """
    path = folder / "instances.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        categories = {int(row["id"]): str(row["name"]) for row in content["categories"]}
        rows: dict[int, list[Any]] = {int(image["id"]): [] for image in content["images"]}
        for note in content["annotations"]:
            if note.get("score", 1.0) >= UNSURE:
                rows[int(note["image_id"])].append(note)
        sure = Counter(
            int(note["category_id"])
            for notes in rows.values()
            for note in notes
            if _is_object(note)
        )
        known = [number for number in sorted(categories) if sure[number] >= least]
        label = {number: i for i, number in enumerate(known, start=1)}
        photos = tuple(
            _photo(folder / "images", image, rows[int(image["id"])], label)
            for image in content["images"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExplorerError(
            f"{path} cannot be read as COCO annotations.",
            "Give a folder with instances.json and images/.",
        ) from error
    if not photos:
        raise ExplorerError(f"{path} lists no photos.", "Give a folder with some.")
    return Pool(
        photos,
        ("background", *(categories[number] for number in known)),
        tuple(name for number, name in categories.items() if number not in label),
    )


def read_voc_pool(folder: Path) -> Pool:
    """Photos with Pascal VOC's annotations, those of its photos without any left out.

    Raises:
        ExplorerError: The folder has no such annotations.
    """
    found = read_voc(folder)
    names = ("background", *found.classes)
    photos = tuple(
        PoolPhoto(
            photo.path,
            photo.xyxy.astype(np.float32),
            np.array([names.index(label) for label in photo.labels], np.int64),
            np.zeros((0, 4), np.float32),
            photo.size[0] / photo.size[1],
            extent=photo.size,
        )
        for photo in found.photos
        if photo.size is not None
    )
    return Pool(photos, names, ())


def with_classes(pool: Pool, names: Sequence[str]) -> Pool:
    """The pool as a data set with other classes has it: all else is background.

    Args:
        pool: With COCO's categories.
        names: By label, the background first; Pascal VOC's words for COCO's are understood.

    Returns:
        Photos without any of the classes stay: they show what is none.
    """
    label = {canonical(name): i for i, name in enumerate(names)}
    new = np.array([label.get(canonical(name), 0) for name in pool.names])
    photos = []
    for photo in pool.photos:
        labels = new[photo.labels]
        there = labels > 0
        joints = None if photo.joints is None else photo.joints[there]
        photos.append(
            replace(
                photo, boxes=photo.boxes[there], labels=labels[there], joints=joints,
                shows=int(new[photo.shows]),
            )
        )  # fmt: skip
    left_out = [name for name in names[1:] if label[canonical(name)] not in new]
    return Pool(tuple(photos), tuple(names), tuple(left_out))


def complete(pool: Pool) -> Pool:
    """`pool` itself when every photo is there.

    Raises:
        ExplorerError: Photos are missing; better now than after an hour.
    """
    missing = [photo.path for photo in pool.photos if not os.path.isfile(photo.path)]
    if missing:
        raise ExplorerError(
            f"{len(missing):,} of {quantity(len(pool.photos), 'photo')} are missing, for example "
            f"{missing[0]}.",
            "Put the photos that instances.json names into images/.",
        )
    return pool


def masked(pool: Pool, folder: Path) -> Pool:
    """The photos that have a mask: `folder`/masks/NAME.png for the photo NAME.

    Raises:
        ExplorerError: None has.
    """
    masks = {path.stem: path for path in sorted((folder / "masks").glob("*.png"))}
    photos = tuple(
        replace(photo, mask=masks[photo.path.stem])
        for photo in pool.photos
        if photo.path.stem in masks
    )
    if not photos:
        raise ExplorerError(
            f"There are no masks in {folder / 'masks'}.",
            "Put a PNG with the class of every pixel there, named as the photo is.",
        )
    return Pool(photos, pool.names, pool.left_out)


def people(pool: Pool) -> Pool:
    """The photos with someone whose joints are known."""
    return replace(pool, photos=tuple(p for p in pool.photos if p.joints is not None))


def read_lspet(folder: Path, split: str, *, own: bool = False) -> tuple[PoolPhoto, ...]:
    """Leeds Sports Pose Extended: `folder`/joints.json, one person (label 1) a photo.

    Args:
        folder: In COCO's form, photos in images/.
        split: "train" or "validation".
        own: The data set's own 14 joints in its order. Otherwise COCO's 17, of which it has 12;
            neck and head top, which COCO's joints do not have, are left out.

    Raises:
        ExplorerError: There is no such file, or it has another form.
    """
    path = folder / "joints.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        notes = {int(note["image_id"]): note for note in content["annotations"]}
        found = tuple(
            _person(folder / "images", image, notes[int(image["id"])], own=own)
            for image in content["images"]
            if image["split"] == split
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError, ZeroDivisionError) as error:
        raise ExplorerError(
            f"{path} cannot be read as COCO keypoints.",
            "Give a folder with joints.json and images/.",
        ) from error
    if not found:
        raise ExplorerError(
            f"No photo of {path} is for {split}.", "Give a folder with more photos."
        )
    return found


def with_lspet_joints(photo: PoolPhoto) -> PoolPhoto:
    """A photo with COCO's joints as `read_lspet` has its own: neck and head top are not known."""
    if photo.joints is None:
        return photo
    joints = np.zeros((len(photo.joints), LSPET_JOINTS, 3), np.float32)
    joints[:, : len(LSPET)] = photo.joints[:, list(LSPET)]
    return replace(photo, joints=joints)


def _person(folder: Path, image: dict[str, Any], note: dict[str, Any], *, own: bool) -> PoolPhoto:
    x, y, width, height = note["bbox"]
    joints = np.array(note["keypoints"], np.float32).reshape(1, LSPET_JOINTS, 3)
    if not own:
        coco = np.zeros((1, JOINTS, 3), np.float32)
        coco[:, list(LSPET)] = joints[:, : len(LSPET)]
        joints = coco
    return PoolPhoto(
        folder / image["file_name"],
        np.array([[x, y, x + width, y + height]], np.float32),
        np.ones(1, np.int64),
        np.zeros((0, 4), np.float32),
        image["width"] / image["height"],
        joints=joints,
    )


def _is_object(note: dict[str, Any]) -> bool:
    return note.get("score", 1.0) >= SURE and not note.get("iscrowd")


def _photo(
    folder: Path, image: dict[str, Any], notes: list[Any], label: dict[int, int]
) -> PoolPhoto:
    boxes: list[list[float]] = []
    labels: list[int] = []
    joints: list[list[float]] = []
    ignored: list[list[float]] = []
    for note in notes:
        x, y, width, height = note["bbox"]
        corners = [x, y, x + width, y + height]
        number = label.get(int(note["category_id"]))
        if number is not None and _is_object(note):
            boxes.append(corners)
            labels.append(number)
            joints.append(note.get("keypoints", [0.0] * 3 * JOINTS))
        else:
            ignored.append(corners)
    aspect = float(image.get("aspect", 0.0 if image.get("squashed") else 1.0))
    if not image.get("squashed"):
        aspect = image["width"] / image["height"]
    shows = label.get(int(image.get("photo_class") or 0), 0)
    return PoolPhoto(
        folder / image["file_name"],
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(labels, np.int64),
        np.array(ignored, np.float32).reshape(-1, 4),
        aspect,
        joints=np.array(joints, np.float32).reshape(-1, JOINTS, 3)
        if any(map(any, joints))
        else None,
        extent=(int(image["width"]), int(image["height"])),
        shows=0 if shows in labels else shows,
    )
