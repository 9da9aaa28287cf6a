"""The true class of every pixel: folders of class masks, and outlines drawn as masks."""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image

from explorer.annotations.places import Places
from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name, listed, read_file
from explorer.images.image import MAX_BYTES, MAX_MEGAPIXELS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.annotations.files import Annotated, Dataset

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
"""What the numbers of SegmentationClass mean; 255 is the edge between objects, never counted."""

UNLABELED = frozenset({"unlabeled", "unlabelled", "void", "ignore"})

_LINE = re.compile(r"""^\s+["']?(\d+)["']?\s*:\s*["']?(.*?)["']?\s*$""")
_MOST_LIST_BYTES = 1024**2


@dataclass(frozen=True, slots=True, eq=False)
class MaskFolder:
    """Photos with their masks, and the names of the numbers in them (0..255)."""

    pairs: tuple[tuple[Path, Path], ...]
    classes: dict[int, str]


def folder_near(folder: Path) -> Path | None:
    """A folder of masks in `folder` or beside it."""
    for base in (folder, folder.parent):
        for name in ("semantic_masks", "SegmentationClass"):
            if os.path.isdir(base / name):
                return base / name
    return None


def is_mask_folder(folder: Path) -> bool:
    return _list_of(folder) is not None or folder.name == "SegmentationClass"


def read_mask_folder(folder: Path, images: Path | None = None) -> MaskFolder:
    """NAME.png with a class number in every pixel, for a photo NAME in a folder beside.

    The names of the numbers stand in a .yaml in the folder or beside it, under "classes:" or
    "names:"; for SegmentationClass they are VOC's.

    Raises:
        ExplorerError: There are no masks, no names or no photos.
    """
    names = _list_of(folder)
    if names is not None:
        classes = _read_list(names)
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
    return MaskFolder(there, classes)


def read_mask(path: Path) -> NDArray[np.uint8]:
    """(H, W) uint8, the numbers as the file has them.

    Raises:
        ExplorerError: It cannot be read or is no such mask.
    """
    data = read_file(path, limit=MAX_BYTES, kind="a mask", smaller="Choose another file.")
    try:
        with PIL.Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.width * picture.height > MAX_MEGAPIXELS * 1e6:
                raise ExplorerError(f"The mask {display_name(path)} is too large.")
            if picture.mode not in ("L", "P"):
                raise ExplorerError(
                    f"The mask {display_name(path)} has colors instead of class indices."
                )
            return np.array(picture)
    except (OSError, ValueError, SyntaxError) as error:
        raise ExplorerError(f"The mask {display_name(path)} cannot be read.") from error


def has_outlines(dataset: Dataset) -> bool:
    return any(entry.segmentation for photo in dataset for entry in photo.entries)


def rasterized(
    photo: Annotated, labels: NDArray[np.int64], background: int, size: tuple[int, int]
) -> NDArray[np.int32]:
    """COCO's outlines as one mask: small objects lie over large ones.

    Args:
        photo: With a polygon list or run lengths for every object.
        labels: (N,) class of each object; -1 = unknown, which becomes the background.
        background: Of all other pixels; -1 = they do not count.
        size: Height and width of the photo.

    Returns:
        (H, W) int32; -1 inside crowds.
    """
    mask = np.full(size, background, np.int32)
    entries = sorted(zip(photo.entries, labels, strict=True), key=lambda pair: -pair[0].area)
    for entry, label in entries:
        inside = _inside(entry.segmentation, photo, size)
        mask[inside] = -1 if entry.box.crowd else label if label >= 0 else background
    return mask


def _inside(outline: Any, photo: Annotated, size: tuple[int, int]) -> NDArray[np.bool_]:
    if not outline:
        return np.zeros(size, np.bool_)
    from faster_coco_eval import mask as runs

    height, width = size if photo.size is None else (photo.size[1], photo.size[0])
    try:
        if isinstance(outline, list):
            found = runs.merge(runs.frPyObjects(outline, height, width))
        elif isinstance(outline.get("counts"), list):
            found = runs.frPyObjects(outline, height, width)
        else:
            found = outline
        inside = np.asarray(runs.decode(found), np.bool_)
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise ExplorerError(f"A polygon of {photo.name} cannot be read.") from error
    if inside.shape != size:
        picture = PIL.Image.fromarray(inside.astype(np.uint8))
        inside = np.array(picture.resize((size[1], size[0]), PIL.Image.Resampling.NEAREST)) > 0
    return inside


def _list_of(folder: Path) -> Path | None:
    """The file with the names of the classes of a folder of masks."""
    if not listed(folder, "*.png"):
        return None
    for place in (folder, folder.parent):
        for pattern in ("*semantic*.yaml", "*classes*.yaml", "*classes*.yml"):
            found = next(iter(listed(place, pattern)), None)
            if found is not None and (place == folder or "mask" in folder.name.lower()):
                return found
    return None


def _read_list(path: Path) -> dict[int, str]:
    data = read_file(path, limit=_MOST_LIST_BYTES, kind="a list", smaller="Choose another file.")
    classes: dict[int, str] = {}
    inside = False
    for line in data.decode("utf-8", "replace").splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            inside = line.split(":")[0].strip() in ("classes", "names")
            continue
        found = _LINE.match(line) if inside else None
        if found and int(found[1]) < 256 and found[2].casefold() not in UNLABELED:
            classes[int(found[1])] = found[2]
    if not classes:
        raise ExplorerError(
            f"{display_name(path)} has no class names.",
            'It must have "classes:" and lines such as "1: person".',
        )
    return classes
