"""Ground-truth masks: numbers in a PNG with a list of their names, or COCO's outlines."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image

from explorer.annotations.coco import read_coco
from explorer.annotations.dataset import counted
from explorer.core.errors import ExplorerError
from explorer.core.param_forms import read_mask
from explorer.core.reading import display_name, listed, read_file
from explorer.core.values import Mask
from explorer.images.image import MAX_BYTES, MAX_MEGAPIXELS
from explorer.images.outlines import filled

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.annotations.dataset import Annotated

UNLABELED = frozenset({"unlabeled", "unlabelled", "void", "ignore"})
NOT_COUNTED = 255
"""A number that no class has: Pascal VOC's borders of objects."""

_LINE = re.compile(r"""^\s+["']?(\d+)["']?\s*:\s*["']?(.*?)["']?\s*$""")
_MOST_LIST_BYTES = 1024**2


def mask_for(
    path: str | os.PathLike[str],
    photo: str | os.PathLike[str],
    size: tuple[int, int],
    classes: Sequence[str],
) -> tuple[Mask, tuple[str, ...]]:
    """The mask that a file has for one photo, in the indices of a mask parameter.

    Args:
        path: A .png, or COCO's .json with polygons or run lengths.
        photo: The photo's path or only its name.
        size: Its width and height.
        classes: Labels of the parameter: the k-th has the index k, from 1. Where there are none,
            every object has the index 1.

    Returns:
        The mask, and sentences about what was ignored.

    Raises:
        ExplorerError: The file cannot be read, has another size, or nothing about the photo.
    """
    place = Path(path)
    if place.suffix.lower() == ".json":
        index, notes = _from_coco(place, photo, size, classes)
    else:
        index, notes = _from_png(place, classes)
    if index.shape != size[::-1]:
        raise ExplorerError(
            f"The mask {display_name(place)} has {index.shape[1]} x {index.shape[0]} pixels, but "
            f"the photo has {size[0]} x {size[1]}.",
            "Choose the mask of this photo.",
        )
    return Mask.of(index), notes


def _from_coco(
    path: Path, photo: str | os.PathLike[str], size: tuple[int, int], classes: Sequence[str]
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    dataset = read_coco(path, only=Path(photo).name)
    found = dataset.of(photo)
    if found is None or not any(entry.segmentation for entry in found.entries):
        raise ExplorerError(
            f"{display_name(path)} has no masks of {display_name(photo)}.",
            "Choose a COCO file with polygons or run lengths of this photo.",
        )
    numbers = _numbers(classes)
    labels = [numbers.get(label.casefold(), -1) if classes else 1 for label in found.labels]
    unknown = [name for name, k in zip(found.labels, labels, strict=True) if k < 0]
    index = rasterized(found, np.array(labels, np.int64), 0, size[::-1])
    notes = counted(
        len(unknown),
        "object of a class that the network does not have counts as background.",
        "objects of classes that the network does not have count as background.",
        unknown[:1],
    )
    return np.where(index < 0, NOT_COUNTED, index).astype(np.uint8), (*dataset.notes, *notes)


def _from_png(path: Path, classes: Sequence[str]) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    index = read_mask(str(path)).index()
    listing = list_of(path.parent) if classes else None
    if listing is None:
        return index, ()
    names, numbers = read_list(listing), _numbers(classes)
    table = np.arange(256, dtype=np.uint8)
    unknown = []
    for number, name in names.items():
        table[number] = numbers.get(name.casefold(), 0)
        if table[number] == 0 and number and (index == number).any():
            unknown.append(name)
    notes = counted(
        len(unknown),
        "class of the mask is not one of the network and counts as background.",
        "classes of the mask are not among those of the network and count as background.",
        unknown[:1],
    )
    return table[index], notes


def _numbers(classes: Sequence[str]) -> dict[str, int]:
    return {name.casefold(): number for number, name in enumerate(classes[:254], 1)}


def read_numbers(path: Path) -> NDArray[np.uint8]:
    """(H, W) uint8, the numbers in a PNG as the file has them.

    Raises:
        ExplorerError: It cannot be read or is no such mask.
    """
    data = read_file(path, limit=MAX_BYTES, kind="a mask", smaller="Choose another file.")
    try:
        with PIL.Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.width * picture.height > MAX_MEGAPIXELS * 1e6:
                raise ExplorerError(f"The mask {display_name(path)} is too large.")
            if picture.mode not in ("L", "P"):
                many = picture.mode.startswith("I")
                what = "more than 255 classes" if many else "colors instead of class indices"
                raise ExplorerError(
                    f"The mask {display_name(path)} has {what}.",
                    "It must be a PNG with one byte per pixel, indexed or gray.",
                )
            return np.array(picture)
    except (OSError, ValueError, SyntaxError) as error:
        raise ExplorerError(f"The mask {display_name(path)} cannot be read.") from error


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
        inside = inside_of(entry.segmentation, photo, size)
        mask[inside] = -1 if entry.box.crowd else label if label >= 0 else background
    return mask


def inside_of(outline: Any, photo: Annotated, size: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) bool: the pixels of one of COCO's outlines, on the photo as it is now.

    Raises:
        ExplorerError: It is no outline.
    """
    if not outline:
        return np.zeros(size, np.bool_)
    try:
        inside = filled(outline, size if photo.size is None else photo.size[::-1])
    except ValueError as error:
        raise ExplorerError(f"A polygon of {photo.name} cannot be read.") from error
    if inside.shape != size:
        picture = PIL.Image.fromarray(inside.astype(np.uint8))
        inside = np.array(picture.resize((size[1], size[0]), PIL.Image.Resampling.NEAREST)) > 0
    return inside


def list_of(folder: Path) -> Path | None:
    """The file with the names of the classes of a folder of masks."""
    if not listed(folder, "*.png"):
        return None
    for place in (folder, folder.parent):
        for pattern in ("*semantic*.yaml", "*classes*.yaml", "*classes*.yml"):
            found = next(iter(listed(place, pattern)), None)
            if found is not None and (place == folder or "mask" in folder.name.lower()):
                return found
    return None


def read_list(path: Path, unlabeled: set[int] | None = None) -> dict[int, str]:
    """The names of the numbers in a list of classes.

    Args:
        path: A .yaml with lines "number: name" under "classes:" or "names:".
        unlabeled: Gets the numbers that stand for no class.

    Raises:
        ExplorerError: It has no names, or more classes than a mask can have.
    """
    data = read_file(path, limit=_MOST_LIST_BYTES, kind="a list", smaller="Choose another file.")
    classes: dict[int, str] = {}
    inside = False
    for line in data.decode("utf-8", "replace").splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            inside = line.split(":")[0].strip() in ("classes", "names")
            continue
        found = _LINE.match(line) if inside else None
        if found is None:
            continue
        if found[2].casefold() not in UNLABELED:
            classes[int(found[1])] = found[2]
        elif unlabeled is not None:
            unlabeled.add(int(found[1]))
    if not classes:
        raise ExplorerError(
            f"{display_name(path)} has no class names.",
            'It must have "classes:" and lines such as "1: person".',
        )
    if max(classes) > NOT_COUNTED:
        raise ExplorerError(
            f"{display_name(path)} has more than 255 classes, which the pixels of a PNG cannot "
            "tell apart.",
            "Use COCO annotations instead.",
        )
    return classes
