"""The true class of every pixel: folders of class masks, and outlines drawn as masks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.annotations.masks import NOT_COUNTED, list_of, read_list, read_numbers
from explorer.annotations.places import Places
from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name, listed

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.annotations.files import Dataset

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
"""What the numbers of SegmentationClass mean; 255 is the edge between objects, never counted."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskFolder:
    """Photos with their masks.

    Attributes:
        pairs: Photo and mask.
        classes: The names of the numbers in the masks.
        known: All numbers that may occur; those without a name do not count.
    """

    pairs: tuple[tuple[Path, Path], ...]
    classes: dict[int, str]
    known: frozenset[int]


def folder_near(folder: Path) -> Path | None:
    """A folder of masks in `folder` or beside it."""
    for base in (folder, folder.parent):
        for name in ("semantic_masks", "SegmentationClass"):
            if os.path.isdir(base / name):
                return base / name
    return None


def is_mask_folder(folder: Path) -> bool:
    return list_of(folder) is not None or folder.name == "SegmentationClass"


def read_mask_folder(folder: Path, images: Path | None = None) -> MaskFolder:
    """NAME.png with a class number in every pixel, for a photo NAME in a folder beside.

    The names of the numbers stand in a .yaml in the folder or beside it, under "classes:" or
    "names:"; for SegmentationClass they are VOC's.

    Raises:
        ExplorerError: There are no masks, no names or no photos.
    """
    unlabeled: set[int] = set()
    names = list_of(folder)
    if names is not None:
        classes = read_list(names, unlabeled)
    elif folder.name == "SegmentationClass":
        classes = dict(enumerate(VOC_CLASSES))
    else:
        raise ExplorerError(
            f"The masks in {display_name(folder)} have no class names.",
            'Add a .yaml file with "classes:" and lines such as "1: person".',
        )
    places = Places((images or folder.parent) / "any.json")
    pairs = [(places.find(mask.stem), mask) for mask in listed(folder, "*.png")]
    there = tuple((photo, mask) for photo, mask in pairs if os.path.isfile(photo))
    if not there:
        raise ExplorerError(
            f"The photos of the masks in {display_name(folder)} were not found.",
            "Give their folder with --images.",
        )
    return MaskFolder(there, classes, frozenset(classes) | frozenset(unlabeled) | {0})


def read_mask(
    mask: Path, photo: Path, size: tuple[int, int], known: frozenset[int]
) -> NDArray[np.uint8]:
    """(H, W) uint8, the numbers of the mask of a photo of (H, W) `size`.

    Raises:
        ExplorerError: It cannot be read, has another size, or numbers without a name.
    """
    found = read_numbers(mask)
    if found.shape != size:
        raise ExplorerError(
            f"The mask {display_name(mask)} has {found.shape[1]} x {found.shape[0]} pixels, but "
            f"{display_name(photo)} has {size[1]} x {size[0]}.",
            "Masks must have the size of their photos.",
        )
    unknown = set(np.unique(found).tolist()) - known - {NOT_COUNTED}
    if unknown:
        raise ExplorerError(
            f"The mask {display_name(mask)} has the number {min(unknown)}, for which the list of "
            "classes has no name.",
            "Add it to the list, or use 255 for pixels that do not count.",
        )
    return found


def has_outlines(dataset: Dataset) -> bool:
    return any(entry.segmentation for photo in dataset for entry in photo.entries)
